//! What is kept for each request. It survives internal redirects, so that each attempt starts from what the client sent.

use std::ffi::c_void;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;

use gateway::request::Purpose;
use gateway::{Api, Refusal};

use crate::admit::{self, Limits};
use crate::attempt::{Attempt, Stage};
use crate::counted::{self, Counted};
use crate::nginx::body::NewBody;
use crate::nginx::chain::Buffers;
use crate::nginx::guard::{forced, guard};
use crate::nginx::posted::Posted;
use crate::nginx::request::{HeldBack, Request, RequestLine};
use crate::{bedrock_module, main_conf};

/// Everything this module knows of a request.
pub struct Context {
    /// Which request this belongs to: the pool that holds it is shared with subrequests.
    owner: Request,
    /// How the client began it.
    line: RequestLine,
    /// What the client asks for, whichever attempt answers it.
    pub asked: Asked,
    /// The attempt that is under way, or the one that ended the request.
    pub attempt: Attempt,
    /// What limits have to do with it.
    pub limits: Limits,
    /// As what it is counted while it is under way.
    pub counted: Counted,
    /// What is done once nginx is done with the event in which an answer ended.
    pub afterwards: Option<Afterwards>,
    /// The event for that.
    pub event: Option<Posted>,
    /// Buffers of our own for what is written.
    pub buffers: Buffers,
    /// How many calls of the filters below are under way: what comes meanwhile is what they send on their own.
    pub sending: u32,
}

/// What REWRITE found.
#[derive(Default)]
pub struct Asked {
    /// What the client speaks.
    pub api: Option<Api>,
    /// The session that the client says this belongs to.
    pub session_id: Option<String>,
    /// What its body decodes to, where the client has compressed it.
    pub decoded: Option<NewBody>,
    /// For which purpose it was inspected last: the same request is another one at another service.
    pub purpose: Purpose,
    /// The request, or why it will be refused once access control had its say.
    pub inspected: Option<Result<gateway::Request, Refusal>>,
}

/// The end of an answer, from an event of our own.
pub enum Afterwards {
    /// The answer is whole for the client: the upstream is not waited for.
    EndUpstream,
    /// `error_page` takes this status to another attempt.
    FallBack {
        /// The status of the error.
        status: u16,
        /// The answer is not given yet, whatever the upstream's end looks like to nginx.
        post_action: HeldBack,
    },
}

impl Context {
    fn new(owner: Request) -> Self {
        Self {
            owner,
            line: owner.line(),
            asked: Asked::default(),
            attempt: Attempt::default(),
            limits: Limits::default(),
            counted: Counted::begin(owner),
            afterwards: None,
            event: None,
            buffers: Buffers::default(),
            sending: 0,
        }
    }

    /// Begins an attempt.
    pub fn begin(&mut self, request: Request) {
        self.leave(request);
        request.restore_line(self.line);
        self.attempt.stage = Stage::Phases;
    }

    /// Ends the attempt, and forgets it, but for what it used: something else makes the answer.
    pub fn leave(&mut self, request: Request) {
        self.step_aside(request);
        admit::leave(self, main_conf(request));
        self.attempt = Attempt::default();
    }

    /// Leaves the request as the client sent it, and the answer alone; what is known of both stays for the log.
    pub fn step_aside(&mut self, request: Request) {
        self.attempt.take_off(request);
        self.attempt.stage = Stage::None;
        request.set_buffered(false);
        request.clear_filter_finalize();
    }

    /// The answer goes out by the version of HTTP that the client speaks, whatever the upstream's looked like.
    pub fn restore_version(&self, request: Request) {
        request.restore_version(self.line);
    }

    /// The request.
    pub fn owner(&self) -> Request {
        self.owner
    }

    /// Whether it is the client's own request, and no subrequest.
    pub fn is_of_main(&self) -> bool {
        self.owner.is_main()
    }

    /// Whether something else than this gateway answers.
    pub fn is_elsewhere(&self) -> bool {
        matches!(self.attempt.stage, Stage::None)
    }

    /// What the request asked for, as far as it was understood.
    pub fn request(&self) -> Option<&gateway::Request> {
        self.asked.inspected.as_ref()?.as_ref().ok()
    }
}

/// A request's context. Each use is a short borrow of its own, because nginx may come back to this module in the middle of
/// a handler: another module's filter that reads a variable of ours, say. So no reference into the context is held across a
/// call of nginx's.
#[derive(Clone, Copy)]
pub struct Handle(NonNull<Context>);

impl Deref for Handle {
    type Target = Context;

    fn deref(&self) -> &Context {
        // SAFETY: a handle is only used while nginx runs a handler of the request, and the context lives as long as the
        // request's pool; all of it happens in one thread.
        unsafe { self.0.as_ref() }
    }
}

impl DerefMut for Handle {
    fn deref_mut(&mut self) -> &mut Context {
        // SAFETY: as for `deref`.
        unsafe { self.0.as_mut() }
    }
}

/// The request's context, if it has one.
pub fn find(request: Request) -> Option<Handle> {
    let slot = request.slot(bedrock_module());
    let found = if slot.is_null() {
        request
            .left_to_pool(drop_context)
            .find(|data| {
                // SAFETY: what was left to the pool with this handler is a boxed Context.
                unsafe { (*data.cast::<Context>()).owner == request }
            })
            .inspect(|data| request.set_slot(bedrock_module(), *data))?
    } else {
        slot
    };
    NonNull::new(found.cast()).map(Handle)
}

/// The context to read variables from. A subrequest that is no request to the gateway itself, such as `auth_request`'s, reads
/// those of the request that it belongs to.
pub fn find_to_read(request: Request) -> Option<Handle> {
    find(request).or_else(|| find_to_read(request.parent()?))
}

/// The context whose call is to be sent: that of the request it renews the cache for, where nginx asks on its own.
pub fn find_to_send(request: Request) -> Option<Handle> {
    find(request).or_else(|| find(request.renews_cache_for()?))
}

/// The request's context; a new one if it has none. `None` if there is no memory.
pub fn find_or_create(request: Request) -> Option<Handle> {
    if let Some(context) = find(request) {
        return Some(context);
    }
    let data: *mut c_void = Box::into_raw(Box::new(Context::new(request))).cast();
    if !request.on_pool_end(drop_context, data) {
        // SAFETY: the box was made above and given to nobody.
        drop(unsafe { Box::from_raw(data.cast::<Context>()) });
        return None;
    }
    request.set_slot(bedrock_module(), data);
    // A subrequest's is called at the end of the main one, too.
    request.before_log(Some(request_ended), data);
    find(request)
}

unsafe extern "C" fn drop_context(data: *mut c_void) {
    guard((), || {
        // SAFETY: the pool calls this once, with the box that was left to it.
        let context = unsafe { Box::from_raw(data.cast::<Context>()) };
        forced(context.owner, "dropped");
    });
}

unsafe extern "C" fn request_ended(data: *mut c_void) {
    guard((), || {
        // SAFETY: nginx calls this before it ends the pool that the context is in.
        if let Some(context) = unsafe { data.cast::<Context>().as_mut() } {
            forced(context.owner, "ended");
            if !context.is_of_main() {
                admit::settle(context, main_conf(context.owner));
                counted::subrequest_ended(context);
                return;
            }
            context.attempt.take_off(context.owner);
            let drained = matches!(context.attempt.stage, Stage::Drains);
            if let Some(relay) = context.attempt.relay_mut() {
                // An answer that was not read to its end had a client that did not wait for it.
                relay.client_left(drained);
            }
            admit::settle(context, main_conf(context.owner));
        }
    });
}
