//! Answers that become errors: in the client's dialect, or through `error_page` at another place.

use gateway::request::methods;
use gateway::{Api, Refusal};
use ngx::ffi::{NGX_DONE, ngx_chain_t, ngx_event_t};

use super::{ERROR, OK, complain, swallow};
use crate::context::{self, Answer, Handle};
use crate::location_conf;
use crate::nginx::chain::Output;
use crate::nginx::filters::{next_body_filter, next_header_filter};
use crate::nginx::guard::{forced, guard_request};
use crate::nginx::log::Level;
use crate::nginx::posted::Posted;
use crate::nginx::request::Request;
use crate::nginx::upstream::Upstream;

/// Writes nginx's error, or our own refusal, as the client's dialect has it.
pub fn own_error(request: Request, mut context: Handle) -> isize {
    context.restore_client(request);
    let status = request.status();
    let refusal = context
        .refusal
        .take()
        .filter(|refusal| refusal.status == status)
        .unwrap_or_else(|| Refusal::from_status(status));
    write_error(request, context, &refusal);
    next_header_filter(request)
}

/// Makes the answer this error: its header now, its body as soon as the filter is called.
fn write_error(request: Request, mut context: Handle, refusal: &Refusal) {
    let api = dialect(request, context);
    let request_id = context
        .facts()
        .and_then(|facts| facts.request_id.as_deref());
    let answer = api.error(refusal, request_id);
    request.set_answer(refusal.status, answer.content_type, Some(answer.body.len()));
    for (name, value) in &answer.headers {
        request.remove_answer_header(name);
        request.add_answer_header(name, value);
    }
    if refusal.status == 405 {
        request.add_answer_header("Allow", methods(api, &request.target()));
    }
    context.answer = Answer::Replace(answer.body);
}

/// What the client speaks, even where nginx refused the request before this module saw it.
fn dialect(request: Request, context: Handle) -> Api {
    let configured = || location_conf(request).and_then(|conf| conf.api).flatten();
    context
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
    let Answer::Replace(body) = std::mem::replace(&mut context.answer, Answer::Sent) else {
        return OK;
    };
    // What else would have been written is not any more.
    request.set_buffered(false);
    let mut output = Output::new(request);
    match context.buffers.fill(request, body, true) {
        Some(buffer) => output.pass(buffer),
        None => return ERROR,
    }
    output.send(|chain| next_body_filter(request, chain))
}

/// The first frame was an exception (or none came): its status is the answer's, and `error_page` may take it.
pub fn fail_held(request: Request, context: Handle, refusal: Refusal) -> isize {
    complain(request, context);
    let result = instead_of_answer(request, context, refusal);
    if result == ERROR || result > OK {
        return ERROR;
    }
    if !matches!(context.answer, Answer::Replace(_)) {
        // A fallback is on its way.
        return OK;
    }
    end_upstream(request, context);
    send_replacement(request, context)
}

/// The answer is whole: the upstream is not waited for, once nginx is done with the event that it is in.
pub fn end_upstream(request: Request, context: Handle) {
    after_this_event(request, context, upstream_ended);
}

unsafe extern "C" fn upstream_ended(event: *mut ngx_event_t) {
    // SAFETY: the event's data is the request, which `after_this_event` keeps alive until now.
    let request = unsafe { Request::from_raw((*event).data.cast()) };
    guard_request(request, ERROR, || {
        forced(request, "upstream-ended");
        let connection = request.connection();
        match Upstream::of(request).filter(|upstream| upstream.is_active()) {
            Some(upstream) => {
                upstream.abandon();
                // What the client has not taken yet still goes out.
                request.finalize(OK);
            }
            // It has ended by itself, and nginx the request; this only lets go of it.
            None => request.finalize(DONE),
        }
        Request::run_posted(connection);
    });
}

/// Calls `handler` once nginx is done with this event; the request is kept alive until then.
fn after_this_event(
    request: Request,
    mut context: Handle,
    handler: unsafe extern "C" fn(*mut ngx_event_t),
) {
    request.hold();
    // SAFETY: a request's connection has a log.
    let log = unsafe { (*request.connection()).log };
    let event = Posted::new(handler, request.raw().cast(), log);
    context.afterwards.insert(event).post();
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
    context.answer = Answer::Swallow;
    context.refusal = Some(refusal);
    // The answer is not given yet, whatever the upstream's end looks like to nginx.
    context.post_action = Some(request.hold_back_post_action());
    after_this_event(request, context, fall_back);
    OK
}

/// What `proxy_intercept_errors` says here.
fn intercepts(request: Request) -> bool {
    Upstream::of(request).is_some_and(Upstream::intercepts_errors)
}

unsafe extern "C" fn fall_back(event: *mut ngx_event_t) {
    // SAFETY: the event's data is the request, which `after_this_event` keeps alive until now.
    let request = unsafe { Request::from_raw((*event).data.cast()) };
    guard_request(request, ERROR, || {
        forced(request, "fall-back");
        let connection = request.connection();
        let mut status = 502;
        if let Some(upstream) = Upstream::of(request) {
            upstream.abandon();
        }
        if let Some(mut context) = context::find(request) {
            if let Some(held) = context.post_action.take() {
                request.allow_post_action(held);
            }
            status = context
                .refusal
                .take()
                .map_or(status, |refusal| refusal.status);
            // What comes now is made where error_page leads; if that is a gateway too, its attempt begins anew.
            context.begin_attempt(request);
            context.foreign = true;
        }
        request.clean_answer();
        request.finalize(isize::try_from(status).unwrap_or(502));
        Request::run_posted(connection);
    });
}

const DONE: isize = NGX_DONE as isize;
