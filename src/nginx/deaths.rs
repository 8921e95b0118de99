//! For t/chaos: a worker that dies inside the steps of a zone, as if it were killed there.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// One death in so many steps; 0: none.
static STEPS: AtomicU32 = AtomicU32::new(0);

/// From now on this worker dies in one of so many steps as `BEDROCK_DEATHS` in its environment says; without that in none.
pub fn begin() {
    let steps = std::env::var("BEDROCK_DEATHS").ok();
    STEPS.store(
        steps.and_then(|steps| steps.parse().ok()).unwrap_or(0),
        Relaxed,
    );
    zone::on_reaching(perhaps_die);
}

fn perhaps_die(place: &'static str) {
    let steps = match STEPS.load(Relaxed) {
        0 => return,
        // One settles for the dead so seldom that it would never meet its own death.
        _ if place.starts_with("heal") => 8,
        steps => steps,
    };
    if fastrand::u32(..steps) == 0 {
        super::log::cycle_log(
            super::log::Level::Notice,
            &format!("bedrock: this worker dies at \"{place}\""),
        );
        // SAFETY: the signal is for this process alone.
        unsafe {
            libc::raise(libc::SIGKILL);
        }
    }
}
