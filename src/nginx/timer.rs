//! A timer of our own.

use std::ffi::c_void;
use std::ptr;
use std::time::Duration;

use super::ffi::{
    self, ngx_current_msec, ngx_event_t, ngx_event_timer_rbtree, ngx_log_t, ngx_rbtree_delete,
    ngx_rbtree_insert,
};

/// A moment, as nginx's event loop knows it.
#[derive(Clone, Copy)]
pub struct Instant(usize);

impl Instant {
    /// The moment of this turn of the event loop.
    pub fn now() -> Self {
        // SAFETY: nginx keeps it, in this thread.
        Self(unsafe { ngx_current_msec })
    }

    /// In milliseconds, of a clock that all processes of this machine share.
    pub fn milliseconds(self) -> u64 {
        u64::try_from(self.0).unwrap_or(u64::MAX)
    }

    /// How long ago that was.
    pub fn age(self) -> Duration {
        let milliseconds = Self::now().0.wrapping_sub(self.0);
        Duration::from_millis(u64::try_from(milliseconds).unwrap_or(u64::MAX))
    }
}

/// Calls a handler once, later. Dropped before, it never does.
pub struct Timer(Box<ngx_event_t>);

impl Timer {
    /// Calls `handler` with an event whose `data` is `data`, after `delay` (`ngx_add_timer` in C).
    pub fn new(
        delay: Duration,
        handler: unsafe extern "C" fn(*mut ngx_event_t),
        data: *mut c_void,
        log: *mut ngx_log_t,
    ) -> Self {
        let mut event = super::posted::event(handler, data, log);
        // SAFETY: the tree is nginx's own; the node is in a box and does not move.
        unsafe {
            let delay = usize::try_from(delay.as_millis()).unwrap_or(usize::MAX / 4);
            event.timer.key = ngx_current_msec.wrapping_add(delay);
            ngx_rbtree_insert(&raw mut ngx_event_timer_rbtree, &raw mut event.timer);
            ffi::set_event_timer_set(&raw mut *event, 1);
        }
        Self(event)
    }

    /// The same, but a worker that is told to end does not wait for it.
    pub fn that_nobody_waits_for(
        delay: Duration,
        handler: unsafe extern "C" fn(*mut ngx_event_t),
        log: *mut ngx_log_t,
    ) -> Self {
        let mut timer = Self::new(delay, handler, ptr::null_mut(), log);
        let event = &raw mut *timer.0;
        // SAFETY: the event is ours. nginx's debug log reads a number out of whatever the data is, so it must be something.
        unsafe {
            ffi::set_event_cancelable(event, 1);
            (*event).data = event.cast();
        }
        timer
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        // SAFETY: a timer that is set is in the tree; nginx clears the bit when the timer fires.
        unsafe {
            if ffi::get_event_timer_set(&raw const *self.0) != 0 {
                ngx_rbtree_delete(&raw mut ngx_event_timer_rbtree, &raw mut self.0.timer);
            }
        }
    }
}
