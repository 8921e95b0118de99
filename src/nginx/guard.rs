//! No panic may cross into nginx: it would end the worker and every connection on it.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs an entry; a panic in it becomes `on_panic`, which costs this request and no other.
pub fn guard<T>(on_panic: T, entry: impl FnOnce() -> T) -> T {
    // What a panic leaves half done belongs to the request that is about to fail.
    catch_unwind(AssertUnwindSafe(entry)).unwrap_or(on_panic)
}

/// Makes panics say where they were and nothing else: their text might hold a prompt.
pub fn quiet_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic
            .location()
            .map(ToString::to_string)
            .unwrap_or_default();
        super::log::cycle_log(
            super::log::Level::Alert,
            &format!(
                "bedrock: a bug at {place}: this request fails, others go on; please report it"
            ),
        );
    }));
}
