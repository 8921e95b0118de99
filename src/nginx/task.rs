//! Work that would hold up the event loop, done in nginx's own thread pool.

use std::any::Any;
use std::ffi::c_void;
use std::mem::size_of;
use std::ptr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::conf::Conf;
use super::ffi::{
    self, NGX_ERROR, NGX_HTTP_INTERNAL_SERVER_ERROR, ngx_event_t, ngx_http_request_empty_handler,
    ngx_log_t, ngx_thread_pool_add, ngx_thread_pool_t, ngx_thread_task_alloc, ngx_thread_task_post,
};
use super::guard::{forced, guard, guard_request};
use super::request::Request;
use super::timer::Timer;

/// nginx's default thread pool.
#[derive(Clone, Copy, Debug)]
pub struct Pool(*mut ngx_thread_pool_t);

impl Pool {
    /// Asks for the pool while the configuration is read; nginx makes one unless `thread_pool default` sets it up.
    pub fn require(conf: &Conf) -> Option<Self> {
        // SAFETY: cf is live; a null name means the default pool.
        let pool = unsafe { ngx_thread_pool_add(conf.raw(), ptr::null_mut()) };
        (!pool.is_null()).then_some(Self(pool))
    }

    /// Runs `work` in a thread, then `resume` on the event loop, which finds there what the work has come to. The request is
    /// kept alive in between, in which nothing of it is sent. `None` if the work could not be queued.
    ///
    /// `work` must not touch the request: it is for the bytes it was given. `held` is dropped on the event loop when it is done.
    pub fn run<T: Send + 'static>(
        self,
        request: Request,
        waits: Waits,
        held: Option<Box<dyn Any>>,
        work: impl FnOnce() -> T + Send + 'static,
        resume: fn(Request),
    ) -> Option<Outcome<T>> {
        let outcome = Outcome(Arc::default());
        let left = Arc::clone(&outcome.0);
        let work = Box::new(move || {
            let result = work();
            *left.lock().unwrap_or_else(PoisonError::into_inner) = Some(result);
        });
        let context = Context {
            request,
            waits,
            work: Some(work),
            resume,
            held,
            stay: None,
        };
        self.post(context).then_some(outcome)
    }

    /// False if the work could not be queued.
    fn post(self, context: Context) -> bool {
        let (request, waits) = (context.request, context.waits);
        // SAFETY: the pool is live; the task and its context are in the request's pool, which lives until `resume`.
        unsafe {
            let task = ngx_thread_task_alloc(request.pool(), size_of::<Context>());
            if task.is_null() {
                return false;
            }
            (*task).ctx.cast::<Context>().write(context);
            (*task).handler = Some(in_thread);
            (*task).event.data = (*task).ctx;
            (*task).event.handler = Some(on_loop);
            let main = (*request.raw()).main;
            if ngx_thread_task_post(self.0, task) != 0 {
                (*task).ctx.cast::<Context>().drop_in_place();
                return false;
            }
            stay((*task).ctx);
            // As nginx counts its own file reads: a blocked request is not freed.
            ffi::set_request_blocked(main, ffi::get_request_blocked(main) + 1);
            ffi::set_request_aio(request.raw(), 1);
            if waits == Waits::InPhase {
                (*request.raw()).write_event_handler = Some(ngx_http_request_empty_handler);
            }
        }
        true
    }
}

/// What a thread leaves for the event loop.
#[derive(Debug)]
pub struct Outcome<T>(Arc<Mutex<Option<T>>>);

impl<T> Outcome<T> {
    /// What the work has come to; `None` if it panicked, or is not done.
    pub fn take(&self) -> Option<T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

type Work = Box<dyn FnOnce() + Send>;

/// Where a request stands while a thread works for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waits {
    /// In a handler of ours, which nginx calls again only when it is resumed.
    InPhase,
    /// On its way through the filters: nginx calls them when there is something to write, and may end it.
    InFilter,
}

struct Context {
    request: Request,
    waits: Waits,
    work: Option<Work>,
    resume: fn(Request),
    /// What is let go when the work is done.
    held: Option<Box<dyn Any>>,
    /// A worker that is told to quit does so when no timer is left: until the thread is done there is one.
    stay: Option<Timer>,
}

/// Starts the timer.
///
/// # Safety
/// `context` is that of a task whose thread is not done.
unsafe fn stay(context: *mut c_void) {
    // SAFETY: the caller's promise; `stay` is for the event loop alone.
    unsafe {
        let this = context.cast::<Context>();
        let log = (*(*this).request.connection()).log;
        (*this).stay = Some(Timer::new(A_MINUTE, still_working, context, log));
    }
}

unsafe extern "C" fn still_working(event: *mut ngx_event_t) {
    guard((), || {
        // SAFETY: the event's data is the task's context; `on_loop` would have dropped the timer.
        unsafe { stay((*event).data) }
    });
}

unsafe extern "C" fn in_thread(context: *mut c_void, _log: *mut ngx_log_t) {
    // SAFETY: nginx gives the context that was set with the task, and no other thread looks at `work` now.
    let (request, work) = unsafe {
        let this = context.cast::<Context>();
        ((*this).request, (*this).work.take())
    };
    guard((), || {
        forced(request, "thread");
        if let Some(work) = work {
            work();
        }
    });
}

unsafe extern "C" fn on_loop(event: *mut ngx_event_t) {
    // SAFETY: the event's data is the task's context; the request is alive because it is counted as blocked.
    unsafe {
        let context: *mut Context = (*event).data.cast();
        let request = (*context).request;
        (*context).stay = None;
        (*context).held = None;
        let connection = request.connection();
        let main = (*request.raw()).main;
        ffi::set_request_blocked(main, ffi::get_request_blocked(main) - 1);
        ffi::set_request_aio(request.raw(), 0);
        // A newer nginx puts another handler there when it ends a request that is blocked.
        let waits = (*context).waits == Waits::InFilter
            || (*request.raw())
                .write_event_handler
                .is_some_and(|handler| ptr::fn_addr_eq(handler, EMPTY));
        let ended = ffi::get_request_done(request.raw()) != 0 || !waits;
        guard_request(request, FAILED, || {
            forced(request, "resumed");
            if ended {
                if let Some(handler) = (*(*connection).write).handler {
                    handler((*connection).write);
                }
            } else if request.client_is_gone() {
                request.finalize(NGX_ERROR as isize);
                Request::run_posted(connection);
            } else {
                ((*context).resume)(request);
                Request::run_posted(connection);
            }
        });
    }
}

const FAILED: isize = NGX_HTTP_INTERNAL_SERVER_ERROR as isize;
/// What `write_event_handler` is while a request waits for its thread.
const EMPTY: unsafe extern "C" fn(*mut super::ffi::ngx_http_request_t) =
    ngx_http_request_empty_handler;
const A_MINUTE: Duration = Duration::from_secs(60);
