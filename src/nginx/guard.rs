//! No panic may cross into nginx: it would end the worker and every connection on it.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::request::Request;

/// Runs an entry; a panic in it becomes `on_panic`, which costs this request and no other.
pub fn guard<T>(on_panic: T, entry: impl FnOnce() -> T) -> T {
    // What a panic leaves half done belongs to the request that is about to fail.
    catch_unwind(AssertUnwindSafe(entry)).unwrap_or(on_panic)
}

/// Runs an entry after which nobody else would go on with the request: a panic in it ends that with `on_panic`.
pub fn guard_request(request: Request, on_panic: isize, entry: impl FnOnce()) {
    let connection = request.connection();
    let ran = guard(false, || {
        entry();
        true
    });
    if !ran {
        request.finalize(on_panic);
        Request::run_posted(connection);
    }
}

/// Panics if the request asks for it with `?panic-in=ENTRY`: for t/chaos, which tries each entry that has a request.
#[cfg(feature = "forced-panics")]
#[allow(clippy::panic)]
pub fn forced(request: Request, entry: &str) {
    // SAFETY: the request is live, and its arguments are in its header.
    let arguments = unsafe { super::bytes(&(*request.raw()).args) };
    if arguments.strip_prefix(b"panic-in=") == Some(entry.as_bytes()) {
        panic!("forced");
    }
}

/// Does nothing.
#[cfg(not(feature = "forced-panics"))]
pub fn forced(_: Request, _: &str) {}

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
