//! A way for a thread of our own to call something on the event loop.

use std::io::{ErrorKind, Read, Write};
use std::mem::{ManuallyDrop, zeroed};
use std::os::fd::{FromRawFd, IntoRawFd};
use std::os::unix::net::UnixStream;
use std::ptr;
use std::sync::Arc;

use libc::{
    SIG_DFL, SIG_SETMASK, SIGBUS, SIGCHLD, SIGFPE, SIGILL, SIGSEGV, pthread_sigmask, sigdelset,
    sigfillset, signal, sigset_t,
};

use super::ffi::{
    NGX_OK, ngx_close_connection, ngx_connection_t, ngx_cycle, ngx_event_t, ngx_get_connection,
    ngx_handle_read_event,
};
use super::guard::guard;

/// A socket whose other end wakes the event loop. Closed when dropped.
pub struct Wakeup {
    connection: *mut ngx_connection_t,
    sender: Arc<UnixStream>,
    /// What is called; the connection points at it.
    _handler: Box<fn()>,
}

impl Wakeup {
    /// Has `handler` called on the event loop after each announcement. `None` if the system or nginx has no room.
    pub fn new(handler: fn()) -> Option<Self> {
        let (sender, receiver) = UnixStream::pair().ok()?;
        sender.set_nonblocking(true).ok()?;
        receiver.set_nonblocking(true).ok()?;
        let handler = Box::new(handler);
        // SAFETY: the cycle is live; the connection is ours until it is closed, and its events point at the handler that
        // lives as long.
        unsafe {
            let log = ngx_cycle.as_ref()?.log;
            let fd = receiver.into_raw_fd();
            let connection = ngx_get_connection(fd, log);
            if connection.is_null() {
                drop(UnixStream::from_raw_fd(fd));
                return None;
            }
            (*connection).data = ptr::from_ref(&*handler).cast_mut().cast();
            (*connection).log = log;
            let read = (*connection).read;
            (*read).log = log;
            (*read).handler = Some(on_read);
            (*(*connection).write).log = log;
            if ngx_handle_read_event(read, 0) != NGX_OK as isize {
                ngx_close_connection(connection);
                return None;
            }
            Some(Self {
                connection,
                sender: Arc::new(sender),
                _handler: handler,
            })
        }
    }

    /// What the thread calls. It never waits: a socket that is full has announced enough.
    pub fn announcer(&self) -> impl Fn() + Send + Sync + 'static {
        let sender = Arc::clone(&self.sender);
        move || {
            let _ = (&*sender).write(&[1]);
        }
    }
}

impl Drop for Wakeup {
    fn drop(&mut self) {
        // SAFETY: the connection is open and ours; this closes the socket too.
        unsafe { ngx_close_connection(self.connection) }
    }
}

unsafe extern "C" fn on_read(event: *mut ngx_event_t) {
    guard((), || {
        // SAFETY: nginx calls this with the read event of our connection, whose data is the handler.
        let handler = unsafe {
            let connection: *mut ngx_connection_t = (*event).data.cast();
            // The connection keeps the socket.
            let socket = ManuallyDrop::new(UnixStream::from_raw_fd((*connection).fd));
            let mut bytes = [0; 256];
            while match (&*socket).read(&mut bytes) {
                Ok(read) => read > 0,
                Err(error) => error.kind() == ErrorKind::Interrupted,
            } {}
            ngx_handle_read_event(event, 0);
            *(*connection).data.cast::<fn()>()
        };
        handler();
    });
}

/// Runs `start` with all signals blocked but those of faults: a thread it makes inherits that, and nginx's signals go on to
/// reach the thread that handles them.
pub fn without_signals<T>(start: impl FnOnce() -> T) -> T {
    // SAFETY: the sets are initialised by sigfillset and pthread_sigmask before they are read.
    unsafe {
        let mut all: sigset_t = zeroed();
        let mut before: sigset_t = zeroed();
        sigfillset(&raw mut all);
        for fault in [SIGSEGV, SIGBUS, SIGFPE, SIGILL] {
            sigdelset(&raw mut all, fault);
        }
        pthread_sigmask(SIG_SETMASK, &raw const all, &raw mut before);
        let result = start();
        pthread_sigmask(SIG_SETMASK, &raw const before, ptr::null_mut());
        result
    }
}

/// Leaves children to the thread that started them: nginx's handler of SIGCHLD would wait for any, and workers have no others.
pub fn leave_children() {
    // SAFETY: SIG_DFL needs nothing; for SIGCHLD it does nothing.
    unsafe {
        signal(SIGCHLD, SIG_DFL);
    }
}

/// Sets variables of this process's environment, where they are not set.
pub fn set_environment<'e>(variables: impl Iterator<Item = (&'e str, &'e str)>) {
    for (name, value) in variables {
        if std::env::var_os(name).is_none() {
            // SAFETY: a worker does this when it starts, before any thread of ours runs; nginx's own threads wait for work.
            unsafe { std::env::set_var(name, value) }
        }
    }
}
