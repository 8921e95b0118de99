//! The chain of filters that answers go through.

use super::ffi::{
    NGX_ERROR, ngx_chain_t, ngx_http_output_body_filter_pt, ngx_http_output_header_filter_pt,
    ngx_http_request_t, ngx_http_top_body_filter, ngx_http_top_header_filter, ngx_int_t,
};
use super::request::Request;

/// The filters that were there before ours, to be called after it.
struct Next {
    header: ngx_http_output_header_filter_pt,
    body: ngx_http_output_body_filter_pt,
}

static mut NEXT: Next = Next {
    header: None,
    body: None,
};

/// Puts a header and a body filter before those that are there. For a configuration callback.
pub fn add(
    header: unsafe extern "C" fn(*mut ngx_http_request_t) -> ngx_int_t,
    body: unsafe extern "C" fn(*mut ngx_http_request_t, *mut ngx_chain_t) -> ngx_int_t,
) {
    // SAFETY: nginx reads configurations in one thread, before it starts the workers that only read NEXT.
    unsafe {
        NEXT = Next {
            header: ngx_http_top_header_filter,
            body: ngx_http_top_body_filter,
        };
        ngx_http_top_header_filter = Some(header);
        ngx_http_top_body_filter = Some(body);
    }
}

/// Sends the header on.
pub fn next_header_filter(request: Request) -> ngx_int_t {
    // SAFETY: written only while a configuration is read; the request is live.
    unsafe { NEXT.header.map_or(ERROR, |filter| filter(request.raw())) }
}

/// Sends a chain of the request on.
pub fn next_body_filter(request: Request, chain: *mut ngx_chain_t) -> ngx_int_t {
    // SAFETY: written only while a configuration is read; the request is live, and the chain of it.
    unsafe {
        NEXT.body
            .map_or(ERROR, |filter| filter(request.raw(), chain))
    }
}

const ERROR: ngx_int_t = NGX_ERROR as ngx_int_t;
