//! CONTENT: the handler of every gateway's location. It has the location's own one, `proxy_pass`, send the planned call, and
//! nothing else.
//!
//! `proxy_pass` makes an upstream, and nginx has that write the request: at once, or later, when it has waited for its cache.
//! Only while it is written the call stands in the place of the client's request. So cache keys, access logs and all else
//! that looks at the request never see the gateway's own headers.

use gateway::bedrock::sent::{self, Head, Signed};

use crate::context::Handle;
use crate::nginx::ffi::{
    NGX_DONE, NGX_ERROR, NGX_HTTP_INTERNAL_SERVER_ERROR, NGX_OK, ngx_http_request_t, ngx_int_t,
};
use crate::nginx::guard::{forced, guard};
use crate::nginx::log::Level;
use crate::nginx::request::Request;
use crate::nginx::upstream::Upstream;
use crate::nginx::{body, headers};
use crate::{context, location_conf};

/// The content handler.
pub unsafe extern "C" fn handler(r: *mut ngx_http_request_t) -> ngx_int_t {
    guard(FAILED, || {
        // SAFETY: nginx calls this with a live request.
        let request = unsafe { Request::from_raw(r) };
        forced(request, "content");
        send(request)
    })
}

fn send(request: Request) -> ngx_int_t {
    let Some(original) = location_conf(request).and_then(|conf| conf.handler) else {
        return FAILED;
    };
    if request.is_post_action() {
        // It is the client's own request that goes there.
        // SAFETY: it is the handler that the configuration gave the location, and the request is live.
        return unsafe { original(request.raw()) };
    }
    let Some(mut context) = context::find_to_send(request) else {
        return unplanned(request);
    };
    match &mut context.attempt.outgoing {
        Some(call) => call.put_on(request),
        None => return unplanned(request),
    }
    // A request for which a thread works is not begun yet. Were this no longer so in some nginx, the call would be written in
    // here, where it stands on the request.
    request.set_has_thread(true);
    // SAFETY: as above.
    let result = unsafe { original(request.raw()) };
    request.set_has_thread(false);
    context.attempt.take_off(request);
    let Some(upstream) = Upstream::of(request).filter(|_| result == DONE) else {
        return result;
    };
    if upstream.is_unwritten()
        && let Some(call) = &mut context.attempt.outgoing
    {
        call.create = upstream.replace_writer(create_request);
        upstream.begin();
    }
    result
}

/// Whatever led here without a plan: nothing leaves unsigned.
fn unplanned(request: Request) -> ngx_int_t {
    request.log(
        Level::Error,
        "bedrock: a request that came here past the phases of this module is not sent",
    );
    FAILED
}

/// Writes the call for the upstream.
unsafe extern "C" fn create_request(r: *mut ngx_http_request_t) -> ngx_int_t {
    guard(ERROR, || {
        // SAFETY: nginx calls this with a live request.
        let request = unsafe { Request::from_raw(r) };
        forced(request, "create-request");
        let Some(mut context) = context::find_to_send(request) else {
            return ERROR;
        };
        let Some(original) = context.attempt.outgoing.as_mut().and_then(|call| {
            call.put_on(request);
            call.create
        }) else {
            return ERROR;
        };
        if let Some(upstream) = Upstream::of(request) {
            upstream.take_body(request);
        }
        // SAFETY: it is what the upstream's own module wrote its requests with, and the request is live.
        let result = unsafe { original(r) };
        if result == OK {
            check_what_was_written(request, context);
        }
        context.attempt.take_off(request);
        result
    })
}

/// Says in the error log if what is about to leave is not the call that was signed, which still stands on the request.
fn check_what_was_written(request: Request, context: Handle) {
    let written = Upstream::of(request).and_then(Upstream::written);
    let (Some(plan), Some((head, rest))) = (&context.attempt.plan, written) else {
        return;
    };
    let Some(head) = Head::read(head) else {
        return;
    };
    let body = body::pieces(request);
    let has_body = match head.own_body {
        [] => rest.len() == body.len(),
        // Perhaps `proxy_set_body $request_body`. What is in a file is in no variable.
        own => !body.in_file() && body.read().is_ok_and(|body| body == own),
    };
    let headers = headers::raw(request).collect::<Vec<_>>();
    let signed = Signed {
        method: &plan.method,
        target: &plan.target,
        host: &plan.host,
        headers: &headers,
        body_length: body.len(),
    };
    let differences = sent::differences(&signed, &head, has_body);
    if !differences.is_empty() {
        let differences = differences.join("; ");
        request.log(
            Level::Error,
            &format!("bedrock: what is sent is not what was signed: {differences}"),
        );
    }
}

const OK: ngx_int_t = NGX_OK as ngx_int_t;
const DONE: ngx_int_t = NGX_DONE as ngx_int_t;
const ERROR: ngx_int_t = NGX_ERROR as ngx_int_t;
const FAILED: ngx_int_t = NGX_HTTP_INTERNAL_SERVER_ERROR as ngx_int_t;
