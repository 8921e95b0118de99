//! The answer to a request: its header, and what nginx is told about it.

use std::ptr;

use super::ffi::{
    self, ngx_chain_t, ngx_http_clean_header, ngx_http_err_page_t, ngx_http_output_filter,
    ngx_http_send_header, ngx_int_t, ngx_list_push, ngx_str_t, ngx_table_elt_t,
};
use super::request::Request;

impl Request {
    /// Marks output that waits in this module, so that nginx does not take the response for sent.
    pub fn set_buffered(self, waiting: bool) {
        // SAFETY: the request is live.
        unsafe {
            let others = ffi::get_request_buffered(self.raw()) & !BUFFERED;
            ffi::set_request_buffered(self.raw(), others | if waiting { BUFFERED } else { 0 });
        }
    }

    /// The status that nginx is about to send.
    pub fn status(self) -> u16 {
        // SAFETY: the request is live.
        let status = unsafe { (*self.raw()).headers_out.status };
        u16::try_from(status).unwrap_or(0)
    }

    /// The status as access logs have it.
    pub fn logged_status(self) -> u16 {
        match self.raised_status() {
            0 => self.status(),
            raised => raised,
        }
    }

    /// The status of an error that nginx, or a handler's return value, raised; 0 if none.
    pub fn raised_status(self) -> u16 {
        // SAFETY: the request is live.
        let status = unsafe { (*self.raw()).err_status };
        u16::try_from(status).unwrap_or(0)
    }

    /// Whether nginx answers from its cache.
    pub fn is_from_cache(self) -> bool {
        // SAFETY: the request is live.
        unsafe { ffi::get_request_cached(self.raw()) != 0 }
    }

    /// Whether only the header goes to the client.
    pub fn is_header_only(self) -> bool {
        // SAFETY: the request is live.
        unsafe { ffi::get_request_header_only(self.raw()) != 0 }
    }

    /// Asks that response buffers come in memory.
    pub fn need_in_memory(self) {
        // SAFETY: the request is live.
        unsafe { ffi::set_request_filter_need_in_memory(self.raw(), 1) }
    }

    /// Keeps the body's temporary file open once the answer begins: another location may need the body again.
    pub fn preserve_body(self) {
        // SAFETY: the request is live.
        unsafe { ffi::set_request_preserve_body(self.raw(), 1) }
    }

    /// Forgets that a filter ended an answer before: nginx never does, and the next answer is a new one.
    pub fn clear_filter_finalize(self) {
        // SAFETY: the request is live.
        unsafe { ffi::set_request_filter_finalize(self.raw(), 0) }
    }

    /// Whether a filter has ended the answer, to have an error sent instead.
    pub fn is_filter_finalized(self) -> bool {
        // SAFETY: the request is live.
        unsafe { ffi::get_request_filter_finalize(self.raw()) != 0 }
    }

    /// Ends the connection to the client after this response.
    pub fn no_keepalive(self) {
        // SAFETY: the request is live.
        unsafe { ffi::set_request_keepalive(self.raw(), 0) }
    }

    /// Forgets the headers of an answer that will not be sent.
    pub fn clean_answer(self) {
        // SAFETY: the request is live and has sent no header.
        unsafe {
            ngx_http_clean_header(self.raw());
            ffi::set_request_done(self.raw(), 0);
        }
    }

    /// Whether `error_page` would take an error with this status to another place, as nginx decides it for upstreams. At the
    /// end of a chain of them nginx would go nowhere: the last change of location is the one that it answers with 500.
    pub fn error_page_takes(self, status: u16) -> bool {
        let Some(core) = self.core_conf() else {
            return false;
        };
        // SAFETY: error_pages is null or an array of ngx_http_err_page_t.
        unsafe {
            let Some(pages) = core.error_pages.as_ref() else {
                return false;
            };
            let free = ffi::get_request_error_page(self.raw()) == 0
                && ffi::get_request_uri_changes(self.raw()) > 1;
            let first: *const ngx_http_err_page_t = pages.elts.cast();
            let status = isize::try_from(status).unwrap_or(0);
            free && (0..pages.nelts).any(|index| (*first.add(index)).status == status)
        }
    }

    /// Sets status, type and length of an answer that this module writes itself.
    pub fn set_answer(self, status: u16, content_type: &'static str, length: Option<usize>) {
        // SAFETY: the request is live; the type's text is static and only read.
        unsafe {
            let out = &mut (*self.raw()).headers_out;
            out.status = status.into();
            out.status_line.len = 0;
            out.content_type = ngx_str_t {
                len: content_type.len(),
                data: content_type.as_ptr().cast_mut(),
            };
            out.content_type_len = content_type.len();
            out.content_type_lowcase = ptr::null_mut();
            out.charset.len = 0;
            out.content_length_n = length
                .and_then(|length| i64::try_from(length).ok())
                .unwrap_or(-1);
            for gone in [
                out.content_length,
                out.content_encoding,
                out.etag,
                out.last_modified,
            ] {
                if let Some(header) = gone.as_mut() {
                    header.hash = 0;
                }
            }
            out.content_length = ptr::null_mut();
            out.content_encoding = ptr::null_mut();
            out.etag = ptr::null_mut();
            out.last_modified = ptr::null_mut();
            out.last_modified_time = -1;
        }
        self.no_ranges();
    }

    /// Says how long the body is, once that is known.
    pub fn set_answer_length(self, length: usize) {
        // SAFETY: the request is live.
        unsafe {
            (*self.raw()).headers_out.content_length_n = i64::try_from(length).unwrap_or(-1);
        }
    }

    /// Sends the header through all filters.
    pub fn send_header(self) -> ngx_int_t {
        // SAFETY: the request is live and has sent no header.
        unsafe { ngx_http_send_header(self.raw()) }
    }

    /// Sends a piece of the body through all filters.
    pub fn filter_body(self, chain: *mut ngx_chain_t) -> ngx_int_t {
        // SAFETY: the request is live, and the chain is one of its pool's.
        unsafe { ngx_http_output_filter(self.raw(), chain) }
    }

    /// Adds a header to the answer.
    pub fn add_answer_header(self, name: &str, value: &str) {
        let (Some(key), Some(value)) = (self.copy(name.as_bytes()), self.copy(value.as_bytes()))
        else {
            return;
        };
        // SAFETY: the list is live; the new element is filled in completely.
        unsafe {
            let list = &raw mut (*self.raw()).headers_out.headers;
            let element: *mut ngx_table_elt_t = ngx_list_push(list).cast();
            if !element.is_null() {
                element.write_bytes(0, 1);
                (*element).hash = 1;
                (*element).key = key;
                (*element).value = value;
            }
        }
    }

    /// Takes a header out of the answer.
    pub fn remove_answer_header(self, name: &str) {
        // SAFETY: the list is live, and nothing else changes it meanwhile.
        unsafe {
            for element in super::headers::elements(&raw mut (*self.raw()).headers_out.headers) {
                if super::bytes(&(*element).key).eq_ignore_ascii_case(name.as_bytes()) {
                    (*element).hash = 0;
                }
            }
        }
    }

    /// Takes those headers out of the answer that `unwanted` says, by name and value.
    pub fn remove_answer_headers(self, unwanted: impl Fn(&str, &[u8]) -> bool) {
        // SAFETY: the list is live, and nothing else changes it meanwhile.
        unsafe {
            for element in super::headers::elements(&raw mut (*self.raw()).headers_out.headers) {
                let name = std::str::from_utf8(super::bytes(&(*element).key)).unwrap_or_default();
                if (*element).hash != 0 && unwanted(name, super::bytes(&(*element).value)) {
                    (*element).hash = 0;
                    // nginx would make an absolute one of it, whatever the list says.
                    if (*self.raw()).headers_out.location == element {
                        (*self.raw()).headers_out.location = ptr::null_mut();
                    }
                }
            }
        }
    }

    /// Says nothing of ranges, and gives none.
    pub fn no_ranges(self) {
        // SAFETY: the request is live.
        unsafe { ffi::set_request_allow_ranges(self.raw(), 0) }
    }
}

/// A bit of `r->buffered` that nginx's own filters do not use (they use 1, 2 and 4).
const BUFFERED: u32 = 8;
