//! What is kept for each request. It survives internal redirects, so that each attempt starts from what the client sent.

use std::ffi::c_void;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;
use std::time::SystemTime;

use bedrock_credentials::Current;
use gateway::{Api, Facts, Plan, Refusal, Relay};

use crate::nginx::chain::{Buffers, Waiting};
use crate::nginx::guard::{forced, guard};
use crate::nginx::posted::Posted;
use crate::nginx::request::{HeldBack, Request};
use crate::nginx::task::Outcome;
use crate::nginx::timer::Timer;
use crate::nginx::{body, headers};
use crate::{bedrock_module, credentials};

/// Everything this module knows of a request.
pub struct Context {
    /// Which request this belongs to: the pool that holds it is shared with subrequests.
    owner: Request,
    /// The client's method.
    method: (usize, ngx::ffi::ngx_str_t),
    /// The client's request, put back for the log and for every further attempt.
    client: Option<Client>,
    /// What the client speaks.
    pub api: Option<Api>,
    /// The session that the client says this belongs to.
    pub session_id: Option<String>,
    /// What REWRITE found, or why it will be refused once access control had its say.
    pub inspected: Option<Result<gateway::Request, Refusal>>,
    /// What is awaited before the phase goes on.
    pub awaits: Option<Awaited>,
    /// What was awaited is there.
    pub arrived: bool,
    /// Ends a wait for credentials.
    pub wait: Option<Timer>,
    /// That wait has ended.
    pub waited_long: bool,
    /// What authorized the request.
    pub credentials: Option<Used>,
    /// The answer is made elsewhere: by a static error page, or in a location that is no gateway.
    pub foreign: bool,
    /// What is sent to Bedrock.
    pub plan: Option<Plan>,
    /// Follows the answer.
    pub relay: Option<Relay>,
    /// An answer that is made here.
    pub local_answer: Option<Vec<u8>>,
    /// What the filters do with the answer.
    pub answer: Answer,
    /// An error of ours, for the filters to write in the client's dialect.
    pub refusal: Option<Refusal>,
    /// Seconds from the request's beginning to the first content delta.
    pub time_to_first_token: Option<f64>,
    /// The answer comes from nginx's cache: nothing was spent on it.
    pub cached: bool,
    /// The client went away before there was any answer.
    pub aborted: bool,
    /// The client went away, and the answer is read on for its usage.
    pub draining: bool,
    /// Buffers of our own for what is written.
    pub buffers: Buffers,
    /// What came from upstream and is not worked on yet.
    pub waiting: Waiting,
    /// What is done once nginx is done with the event in which an answer failed.
    pub afterwards: Option<Posted>,
    /// `post_action` waits for the fallback's answer.
    pub post_action: Option<HeldBack>,
}

/// The source of a request's authorization.
pub struct Used {
    /// Its place in the configuration.
    pub index: usize,
    /// When what it gave expires.
    pub expires: Option<SystemTime>,
}

/// What a phase handler waits for.
pub enum Awaited {
    /// The client's body, in REWRITE.
    BodyToInspect,
    /// The client's body, in PRECONTENT.
    BodyToPlan,
    /// A thread that inspects a large body.
    Inspection(Outcome<Result<gateway::Request, Refusal>>),
    /// The first credentials.
    Credentials,
    /// A thread that plans and hashes a large body.
    Planning(Outcome<Result<Planned, Refusal>>),
}

/// A plan with what only the whole body tells.
pub struct Planned {
    /// The plan.
    pub plan: Plan,
    /// SHA-256 of the body to send; empty where nothing is signed.
    pub body_hash: String,
    /// The body to send, where the client's was changed and is in a file.
    pub file: Option<std::fs::File>,
    /// The place of the source that authorizes, and what it gave; `None` where the client authorizes itself.
    pub credentials: Option<(usize, Current)>,
}

/// What becomes of the answer.
#[derive(Default)]
pub enum Answer {
    /// Not ours, or nothing yet: everything passes.
    #[default]
    Pass,
    /// The relay follows it.
    Relay,
    /// The header is held back until the first frame; these bytes came so far.
    Held(Vec<u8>),
    /// A thread writes it: what it has come to, or the error that it is.
    Writing(Outcome<Result<Vec<u8>, Refusal>>),
    /// This body is sent instead of what comes.
    Replace(Vec<u8>),
    /// Nothing more is sent.
    Swallow,
    /// All of it has been given on: what comes is dropped, what waits further down still goes out.
    Sent,
}

struct Client {
    headers: headers::Saved,
    body: body::Saved,
    target: (ngx::ffi::ngx_str_t, bool),
}

impl Context {
    fn new(owner: Request) -> Self {
        Self {
            owner,
            method: owner.raw_method(),
            client: None,
            api: None,
            session_id: None,
            inspected: None,
            awaits: None,
            arrived: false,
            wait: None,
            waited_long: false,
            credentials: None,
            foreign: false,
            plan: None,
            relay: None,
            local_answer: None,
            answer: Answer::Pass,
            refusal: None,
            time_to_first_token: None,
            cached: false,
            aborted: false,
            draining: false,
            buffers: Buffers::default(),
            waiting: Waiting::new(),
            afterwards: None,
            post_action: None,
        }
    }

    /// Leaves the request as the client sent it, and the answer alone; what is known of both stays for the log.
    pub fn end_attempt(&mut self, request: Request) {
        self.restore_client(request);
        self.awaits = None;
        // It may still be among those that are resumed when credentials come: by then it may be gone.
        if self.wait.take().is_some() {
            credentials::forget(request);
        }
        self.answer = Answer::Pass;
        self.waiting = Waiting::new();
        request.set_buffered(false);
        request.clear_filter_finalize();
    }

    /// Forgets everything about an earlier attempt.
    pub fn begin_attempt(&mut self, request: Request) {
        self.end_attempt(request);
        self.waited_long = false;
        self.credentials = None;
        self.foreign = false;
        self.plan = None;
        self.relay = None;
        self.local_answer = None;
        self.refusal = None;
        self.time_to_first_token = None;
        self.cached = false;
        self.draining = false;
    }

    /// Undoes the change of method that `error_page` makes on the way to a path.
    pub fn restore_method(&self, request: Request) {
        request.set_raw_method(self.method);
    }

    /// Whether the phase handler was called again because what it awaited has come.
    pub fn resumed(&mut self) -> Option<Awaited> {
        if !std::mem::take(&mut self.arrived) {
            return None;
        }
        self.awaits.take()
    }

    /// Remembers the client's request before it is changed.
    pub fn save_client(&mut self, request: Request) {
        if self.client.is_none() {
            self.client = Some(Client {
                headers: headers::save(request),
                body: body::save(request),
                target: request.raw_target(),
            });
        }
    }

    /// Puts the client's request back as it came.
    pub fn restore_client(&mut self, request: Request) {
        if let Some(client) = self.client.take() {
            headers::restore(request, &client.headers);
            body::restore(request, client.body);
            // A path that `rewrite` or error_page has set meanwhile stays.
            let (target, valid) = client.target;
            let unchanged = request.raw_target().1;
            request.set_raw_target((target, valid && unchanged));
        }
    }

    /// What the request asked for, as far as it was understood.
    pub fn request(&self) -> Option<&gateway::Request> {
        self.inspected.as_ref()?.as_ref().ok()
    }

    /// What is known of the answer.
    pub fn facts(&self) -> Option<&Facts> {
        self.relay
            .as_ref()
            .filter(|_| !self.cached)
            .map(Relay::facts)
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        if self.wait.is_some() {
            credentials::forget(self.owner);
        }
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

/// The context to read variables from: that of the request it renews the cache for, where nginx asks on its own.
pub fn find_to_read(request: Request) -> Option<Handle> {
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
    if request.is_main() {
        request.before_log(Some(request_ended), data);
    }
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
            let drained = context.draining;
            let gone = context.owner.client_is_gone();
            let streams = |plan: &Plan| plan.operation.streams();
            context.aborted =
                gone && context.relay.is_none() && context.plan.as_ref().is_some_and(streams);
            if let Some(relay) = &mut context.relay {
                // An answer that was not read to its end had a client that did not wait for it.
                relay.client_left(drained);
            }
        }
    });
}
