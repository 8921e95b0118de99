//! Answers that become errors: in the client's dialect, or through `error_page` at another place.

use gateway::bedrock::verdict::is_expired;
use gateway::request::methods;
use gateway::{Api, Refusal};

use super::{ERROR, OK, complain, send_down, swallow};
use crate::attempt::Stage;
use crate::context::{self, Afterwards, Handle};
use crate::nginx::chain::Output;
use crate::nginx::ffi::{NGX_DONE, ngx_chain_t, ngx_event_t};
use crate::nginx::filters::{next_body_filter, next_header_filter};
use crate::nginx::guard::{forced, guard_request};
use crate::nginx::log::Level;
use crate::nginx::posted::Posted;
use crate::nginx::request::{HeldBack, Request};
use crate::nginx::upstream::Upstream;
use crate::{credentials, location_conf};

/// Writes nginx's error, or our own refusal, as the client's dialect has it.
pub fn own_error(request: Request, mut context: Handle) -> isize {
    let status = request.status();
    let refusal = match std::mem::take(&mut context.attempt.stage) {
        Stage::Refused(refusal) if refusal.status == status => refusal,
        _ => Refusal::from_status(status),
    };
    write_error(request, context, &refusal);
    next_header_filter(request)
}

/// Makes the answer this error: its header now, its body as soon as the filter is called.
fn write_error(request: Request, mut context: Handle, refusal: &Refusal) {
    let api = dialect(request, context);
    let request_id = context
        .attempt
        .facts()
        .and_then(|facts| facts.request_id.as_deref());
    let answer = api.error(refusal, request_id);
    request.set_answer(refusal.status, answer.content_type, Some(answer.body.len()));
    for (name, value) in &answer.headers {
        request.remove_answer_header(name);
        request.add_answer_header(name, value);
    }
    if refusal.status == 426 {
        request.add_answer_header("Upgrade", "HTTP/1.1");
    }
    if refusal.status == 405 {
        request.add_answer_header("Allow", methods(api, &request.target()));
    }
    context.attempt.stage = Stage::Replaced(answer.body);
}

/// What the client speaks, even where nginx refused the request before this module saw it.
fn dialect(request: Request, context: Handle) -> Api {
    let configured = || location_conf(request).and_then(|conf| conf.api).flatten();
    context
        .asked
        .api
        .or_else(configured)
        .unwrap_or_else(|| Api::of(&request.target()))
}

/// Sends our body once the one that it stands for has ended.
pub fn replace(request: Request, context: Handle, input: *mut ngx_chain_t) -> isize {
    if !swallow(input) {
        return OK;
    }
    send_replacement(request, context)
}

fn send_replacement(request: Request, mut context: Handle) -> isize {
    let body = match &mut context.attempt.stage {
        // The answer to HEAD is its header, and a body would be taken for the next answer on the connection.
        Stage::Replaced(_) if request.is_header_only() => Vec::new(),
        Stage::Replaced(body) => std::mem::take(body),
        _ => return OK,
    };
    context.attempt.stage = Stage::Sent;
    // What else would have been written is not any more.
    request.set_buffered(false);
    let mut output = Output::new(request);
    match context.buffers.fill(request, body, true) {
        Some(buffer) => output.pass(buffer),
        None => return ERROR,
    }
    send_down(request, context, output)
}

/// The first frame was an exception (or none came): its status is the answer's, and `error_page` may take it.
pub fn fail_held(request: Request, context: Handle, refusal: Refusal) -> isize {
    complain(request, context);
    renew_expired(request, context);
    let result = instead_of_answer(request, context, refusal);
    if result == ERROR || result > OK {
        return ERROR;
    }
    if !matches!(context.attempt.stage, Stage::Replaced(_)) {
        // A fallback is on its way.
        return OK;
    }
    end_upstream(request, context);
    send_replacement(request, context)
}

/// AWS says that our credentials have expired: new ones are fetched.
fn renew_expired(request: Request, context: Handle) {
    let attempt = &context.attempt;
    let exception = attempt.facts().and_then(|facts| facts.exception.as_deref());
    if let (Some(used), Some(exception)) = (&attempt.credentials, exception)
        && is_expired(exception)
    {
        credentials::refresh(used.index);
        request.log(
            Level::Error,
            &format!(
                "bedrock: AWS says that the credentials have expired ({}); fetching new ones",
                exception.escape_debug()
            ),
        );
    }
}

/// The answer is whole: the upstream is not waited for, once nginx is done with the event that it is in.
pub fn end_upstream(request: Request, context: Handle) {
    after_this_event(request, context, Afterwards::EndUpstream);
}

/// Does this once nginx is done with the event that it is in; the request is kept alive until then. An answer ends once: what
/// was asked for first is done.
fn after_this_event(request: Request, mut context: Handle, what: Afterwards) {
    if context.afterwards.is_some() {
        return;
    }
    context.afterwards = Some(what);
    request.hold();
    // SAFETY: a request's connection has a log.
    let log = unsafe { (*request.connection()).log };
    let event = Posted::new(after_event, request.raw().cast(), log);
    context.event.insert(event).post();
}

unsafe extern "C" fn after_event(event: *mut ngx_event_t) {
    // SAFETY: the event's data is the request, which `after_this_event` keeps alive until now.
    let request = unsafe { Request::from_raw((*event).data.cast()) };
    guard_request(request, ERROR, || {
        let connection = request.connection();
        let found = context::find(request).and_then(|mut context| {
            let what = context.afterwards.take()?;
            Some((context, what))
        });
        match found {
            Some((context, Afterwards::EndUpstream)) => upstream_ended(request, context),
            Some((
                context,
                Afterwards::FallBack {
                    status,
                    post_action,
                },
            )) => fall_back(request, context, status, post_action),
            None => request.finalize(DONE),
        }
        Request::run_posted(connection);
    });
}

fn upstream_ended(request: Request, context: Handle) {
    forced(request, "upstream-ended");
    let active = Upstream::of(request).filter(|upstream| upstream.is_active());
    if let Some(upstream) = active {
        upstream.abandon();
    }
    let sent = match context.attempt.stage {
        // An error that took the place of an answer's header waits for the answer's end.
        Stage::Replaced(_) => send_replacement(request, context),
        // What a filter below holds behind a subrequest would wait for the upstream otherwise.
        _ => next_body_filter(request, std::ptr::null_mut()),
    };
    match active {
        // What the client has not taken yet still goes out.
        Some(_) => request.finalize(sent),
        // It has ended by itself, and nginx the request; this only lets go of it.
        None => request.finalize(DONE),
    }
}

/// Sends the header of this error instead of the answer's, and has its body follow; or lets `error_page` take it.
pub fn instead_of_answer(request: Request, mut context: Handle, refusal: Refusal) -> isize {
    if let Some(log) = &refusal.log {
        request.log(Level::Error, &format!("bedrock: {log}"));
    }
    // A subrequest is finalized by nginx as soon as the filters are done: it gets the error itself.
    let falls_back = request.is_main() && intercepts(request);
    if !(falls_back && request.error_page_takes(refusal.status)) {
        write_error(request, context, &refusal);
        return next_header_filter(request);
    }
    // An error that left the filters here would end the connection, and the fallback with it. So the fallback starts
    // from an event of our own, once nginx is done with this one.
    context.attempt.stage = Stage::Dropped;
    let fallback = Afterwards::FallBack {
        status: refusal.status,
        post_action: request.hold_back_post_action(),
    };
    after_this_event(request, context, fallback);
    OK
}

/// What `proxy_intercept_errors` says here.
fn intercepts(request: Request) -> bool {
    Upstream::of(request).is_some_and(Upstream::intercepts_errors)
}

fn fall_back(request: Request, mut context: Handle, status: u16, post_action: HeldBack) {
    forced(request, "fall-back");
    if let Some(upstream) = Upstream::of(request) {
        upstream.abandon();
    }
    request.allow_post_action(post_action);
    // What comes now is made where error_page leads; if that is a gateway too, an attempt begins there.
    context.leave(request);
    request.clean_answer();
    request.finalize(isize::try_from(status).unwrap_or(502));
}

const DONE: isize = NGX_DONE as isize;
