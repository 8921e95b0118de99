//! Answers that are made here, in the place of the location's own content handler: the list of models, and what a limit refuses.
//! Nothing takes them to another location.

use crate::attempt::{Local, Stage};
use crate::context::{self, Handle};
use crate::nginx::chain::Output;
use crate::nginx::ffi::{
    NGX_ERROR, NGX_HTTP_INTERNAL_SERVER_ERROR, NGX_OK, ngx_http_request_t, ngx_int_t,
};
use crate::nginx::guard::{forced, guard};
use crate::nginx::request::Request;

/// Has this answered instead of what the location does.
pub fn take_over(request: Request, mut context: Handle, answer: Local) {
    context.attempt.stage = Stage::Local(answer);
    request.set_content_handler(content);
}

unsafe extern "C" fn content(r: *mut ngx_http_request_t) -> ngx_int_t {
    guard(NGX_HTTP_INTERNAL_SERVER_ERROR as ngx_int_t, || {
        // SAFETY: nginx calls this with a live request.
        let request = unsafe { Request::from_raw(r) };
        forced(request, "local");
        let Some(mut context) = context::find(request) else {
            return NGX_HTTP_INTERNAL_SERVER_ERROR as ngx_int_t;
        };
        let answer = match &mut context.attempt.stage {
            Stage::Local(answer) => std::mem::take(answer),
            _ => return NGX_HTTP_INTERNAL_SERVER_ERROR as ngx_int_t,
        };
        let discarded = request.discard_body();
        if discarded != OK {
            return discarded;
        }
        request.set_answer(answer.status, "application/json", Some(answer.body.len()));
        for (name, value) in &answer.headers {
            request.remove_answer_header(name);
            request.add_answer_header(name, value);
        }
        let sent = request.send_header();
        if sent != OK || request.is_header_only() {
            return sent;
        }
        let mut output = Output::new(request);
        match context.buffers.fill(request, answer.body, true) {
            Some(buffer) => output.pass(buffer),
            None => return NGX_ERROR as ngx_int_t,
        }
        output.send(|chain| request.filter_body(chain))
    })
}

const OK: ngx_int_t = NGX_OK as ngx_int_t;
