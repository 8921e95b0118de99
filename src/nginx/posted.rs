//! An event of our own: something to do after the event that nginx is in has been dealt with.

use std::ffi::c_void;
use std::mem::zeroed;

use super::ffi::{self, ngx_event_t, ngx_log_t, ngx_posted_events};

/// A handler to be called soon, once for each [`Posted::post`].
pub struct Posted(Box<ngx_event_t>);

impl Posted {
    /// Calls `handler` with an event whose `data` is `data`.
    pub fn new(
        handler: unsafe extern "C" fn(*mut ngx_event_t),
        data: *mut c_void,
        log: *mut ngx_log_t,
    ) -> Self {
        Self(event(handler, data, log))
    }

    /// Queues the event.
    pub fn post(&mut self) {
        // SAFETY: the event is in a box and does not move; dropping it takes it out of the queue.
        unsafe { post_event(&raw mut *self.0) }
    }
}

impl Drop for Posted {
    /// A request that ends takes its event out of the queue (`ngx_delete_posted_event` in C).
    fn drop(&mut self) {
        // SAFETY: a posted node is in the ring, between two live ones.
        unsafe {
            if ffi::get_event_posted(&raw const *self.0) != 0 {
                let node = &raw mut self.0.queue;
                (*(*node).next).prev = (*node).prev;
                (*(*node).prev).next = (*node).next;
            }
        }
    }
}

/// Queues an event, unless it is (`ngx_post_event` in C).
///
/// # Safety
/// The event stays where it is while it is queued.
pub unsafe fn post_event(event: *mut ngx_event_t) {
    // SAFETY: the queue is a ring whose head is a static of nginx's; the event is live.
    unsafe {
        if ffi::get_event_posted(event) != 0 {
            return;
        }
        ffi::set_event_posted(event, 1);
        let head = &raw mut ngx_posted_events;
        let node = &raw mut (*event).queue;
        (*node).prev = (*head).prev;
        (*(*node).prev).next = node;
        (*node).next = head;
        (*head).prev = node;
    }
}

/// An event that is not queued anywhere yet.
pub fn event(
    handler: unsafe extern "C" fn(*mut ngx_event_t),
    data: *mut c_void,
    log: *mut ngx_log_t,
) -> Box<ngx_event_t> {
    // SAFETY: an all-zero event is how nginx's own begin.
    let mut event: Box<ngx_event_t> = Box::new(unsafe { zeroed() });
    event.data = data;
    event.log = log;
    event.handler = Some(handler);
    event
}
