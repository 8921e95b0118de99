//! A timer of our own.

use std::ffi::c_void;
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
