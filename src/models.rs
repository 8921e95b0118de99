//! `GET …/v1/models`: the one answer that is made here, in the place of the location's own content handler.

use crate::attempt::Stage;
use crate::context::{self, Handle};
use crate::nginx::chain::Output;
use crate::nginx::ffi::{
    NGX_ERROR, NGX_HTTP_INTERNAL_SERVER_ERROR, NGX_OK, ngx_http_request_t, ngx_int_t,
};
use crate::nginx::guard::{forced, guard};
use crate::nginx::request::Request;

/// Has this answered instead of what the location does.
pub fn take_over(request: Request, mut context: Handle, body: Vec<u8>) {
    context.attempt.stage = Stage::Local(body);
    request.set_content_handler(content);
}

unsafe extern "C" fn content(r: *mut ngx_http_request_t) -> ngx_int_t {
    guard(NGX_HTTP_INTERNAL_SERVER_ERROR as ngx_int_t, || {
        // SAFETY: nginx calls this with a live request.
        let request = unsafe { Request::from_raw(r) };
        forced(request, "models");
        let Some(mut context) = context::find(request) else {
            return NGX_HTTP_INTERNAL_SERVER_ERROR as ngx_int_t;
        };
        let body = match &mut context.attempt.stage {
            Stage::Local(body) => std::mem::take(body),
            _ => return NGX_HTTP_INTERNAL_SERVER_ERROR as ngx_int_t,
        };
        let discarded = request.discard_body();
        if discarded != OK {
            return discarded;
        }
        request.set_answer(200, "application/json", Some(body.len()));
        let sent = request.send_header();
        if sent != OK || request.is_header_only() {
            return sent;
        }
        let mut output = Output::new(request);
        match context.buffers.fill(request, body, true) {
            Some(buffer) => output.pass(buffer),
            None => return NGX_ERROR as ngx_int_t,
        }
        output.send(|chain| request.filter_body(chain))
    })
}

const OK: ngx_int_t = NGX_OK as ngx_int_t;
