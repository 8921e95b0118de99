//! Times each turn of nginx's event loop, with nginx as it is: loaded with `LD_PRELOAD`, it stands before the C library's
//! `epoll_wait`. A turn is what lies between the return from one wait and the next: for so long nobody else on that worker is
//! served.
//!
//! Each turn goes into the file that `LOOP_TURNS` names, as a little-endian `u32`: the nanoseconds that the processor worked for
//! it, which do not grow when other processes want the processor, too.

use std::cell::Cell;
use std::ffi::{c_int, c_long};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::ptr;
use std::sync::OnceLock;

/// `epoll_wait(2)`, between two looks at the clock.
///
/// # Safety
/// As for the C library's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn epoll_wait(
    epoll: c_int,
    events: *mut libc::epoll_event,
    most: c_int,
    timeout: c_int,
) -> c_int {
    ended();
    // SAFETY: the caller's promise; this is the system call that the C library would have made.
    let found = unsafe {
        libc::syscall(
            libc::SYS_epoll_pwait,
            c_long::from(epoll),
            events,
            c_long::from(most),
            c_long::from(timeout),
            ptr::null::<libc::sigset_t>(),
            0_usize,
        )
    };
    BEGAN.set(is_event_loop().then(now));
    c_int::try_from(found).unwrap_or(-1)
}

thread_local! {
    /// What the clock showed when this thread's turn began.
    static BEGAN: Cell<Option<u64>> = const { Cell::new(None) };
}

/// Writes down the turn that ends with this call.
fn ended() {
    let Some(began) = BEGAN.take() else {
        return;
    };
    let turn = u32::try_from(now().saturating_sub(began)).unwrap_or(u32::MAX);
    if let Some(mut file) = file() {
        // A benchmark that finds no turns fails by itself.
        let _ = file.write_all(&turn.to_le_bytes());
    }
}

/// This thread's time on a processor, in nanoseconds.
fn now() -> u64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the kernel fills a timespec of ours.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    u64::try_from(time.tv_sec * 1_000_000_000 + time.tv_nsec).unwrap_or_default()
}

/// A worker's event loop is its first thread; others may wait for events of their own.
fn is_event_loop() -> bool {
    // SAFETY: both only ask who this is.
    unsafe { libc::gettid() == libc::getpid() }
}

fn file() -> Option<&'static File> {
    static FILE: OnceLock<Option<File>> = OnceLock::new();
    FILE.get_or_init(|| {
        let path = std::env::var_os("LOOP_TURNS")?;
        OpenOptions::new().append(true).create(true).open(path).ok()
    })
    .as_ref()
}
