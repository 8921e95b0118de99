//! Places where it matters if a process dies there. Tests have it die; otherwise nothing happens.

#[cfg(feature = "forced-deaths")]
use std::sync::OnceLock;

#[cfg(feature = "forced-deaths")]
static HOOK: OnceLock<fn(&'static str)> = OnceLock::new();

/// Has `hook` called at each place, with its name. The first hook stays.
#[cfg(feature = "forced-deaths")]
pub fn on_reaching(hook: fn(&'static str)) {
    let _ = HOOK.set(hook);
}

/// The process has come here.
#[cfg(feature = "forced-deaths")]
pub fn reached(place: &'static str) {
    if let Some(hook) = HOOK.get() {
        hook(place);
    }
}

/// The process has come here.
#[cfg(not(feature = "forced-deaths"))]
pub fn reached(_: &'static str) {}
