//! An event of our own: something to do after the event that nginx is in has been dealt with.

use std::ffi::c_void;
use std::mem::zeroed;

use ngx::ffi::{ngx_event_t, ngx_posted_events, ngx_queue_t};

use super::bits;

/// A handler to be called soon, once for each [`Posted::post`].
pub struct Posted(Box<bits::ngx_event_t>);

impl Posted {
    /// Calls `handler` with an event whose `data` is `data`.
    pub fn new(
        handler: unsafe extern "C" fn(*mut ngx_event_t),
        data: *mut c_void,
        log: *mut ngx::ffi::ngx_log_t,
    ) -> Self {
        Self(event(handler, data, log))
    }

    /// Queues the event.
    pub fn post(&mut self) {
        // SAFETY: the event is in a box and does not move; dropping it takes it out of the queue.
        unsafe { post_event((&raw mut *self.0).cast()) }
    }
}

impl Drop for Posted {
    /// A request that ends takes its event out of the queue (`ngx_delete_posted_event` in C).
    fn drop(&mut self) {
        if self.0.posted() != 0 {
            // SAFETY: a posted node is in the ring, between two live ones.
            unsafe {
                let node: *mut ngx_queue_t = (&raw mut self.0.queue).cast();
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
    let event: *mut bits::ngx_event_t = event.cast();
    // SAFETY: the queue is a ring whose head is a static of nginx's; the event is live.
    unsafe {
        if (*event).posted() != 0 {
            return;
        }
        (*event).set_posted(1);
        let head = &raw mut ngx_posted_events;
        let node: *mut ngx_queue_t = (&raw mut (*event).queue).cast();
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
    log: *mut ngx::ffi::ngx_log_t,
) -> Box<bits::ngx_event_t> {
    // SAFETY: an all-zero event is how nginx's own begin.
    let mut event: Box<bits::ngx_event_t> = Box::new(unsafe { zeroed() });
    event.data = data;
    event.log = log.cast();
    // SAFETY: both bindings describe the same C struct behind the pointer.
    event.handler = Some(unsafe {
        std::mem::transmute::<
            unsafe extern "C" fn(*mut ngx_event_t),
            unsafe extern "C" fn(*mut bits::ngx_event_t),
        >(handler)
    });
    event
}
