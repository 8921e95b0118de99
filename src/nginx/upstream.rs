//! The upstream side of a request: what was sent, what came, and how it ends.

use std::ffi::{CStr, c_void};
use std::ptr;

use super::body::{self, Pieces};
use super::chain::{self, Buffer};
use super::ffi::{
    self, ngx_cycle, ngx_http_block_reading, ngx_http_request_t, ngx_http_upstream_conf_t,
    ngx_http_upstream_init, ngx_http_upstream_t, ngx_int_t, ngx_module_t,
};
use super::outgoing::CreateRequest;
use super::request::Request;

/// The upstream of a request that `proxy_pass` sent on.
#[derive(Clone, Copy)]
pub struct Upstream {
    request: Request,
    upstream: *mut ngx_http_upstream_t,
}

/// What says how a body is read (`input_filter_init` of an `ngx_http_upstream_t`).
pub type Begin = unsafe extern "C" fn(*mut c_void) -> ngx_int_t;
/// What reads so many bytes of a body that is not buffered (`input_filter`).
pub type Read = unsafe extern "C" fn(*mut c_void, isize) -> ngx_int_t;

/// What reads a body.
#[derive(Default)]
pub struct BodyReader {
    /// Chooses the other.
    pub begin: Option<Begin>,
    /// Reads.
    pub read: Option<Read>,
}

impl Upstream {
    /// The request's upstream, if it has one.
    pub fn of(request: Request) -> Option<Self> {
        // SAFETY: the request is live, and so its upstream.
        let upstream = unsafe { (*request.raw()).upstream };
        (!upstream.is_null()).then_some(Self { request, upstream })
    }

    /// Whether nginx still works with the upstream: the answer is its own, and nothing that nginx made in its place.
    pub fn is_active(self) -> bool {
        // SAFETY: the upstream is live.
        unsafe { !(*self.upstream).cleanup.is_null() }
    }

    /// The status it sent.
    pub fn status(self) -> u16 {
        // SAFETY: the upstream is live.
        let status = unsafe { (*self.upstream).headers_in.status_n };
        u16::try_from(status).unwrap_or(0)
    }

    /// A header it sent, by its name in lower case.
    pub fn header(self, name: &str) -> Option<String> {
        // SAFETY: the list is live and not changed meanwhile.
        unsafe {
            super::headers::elements(&raw mut (*self.upstream).headers_in.headers)
                .find(|element| {
                    super::bytes(&(**element).key).eq_ignore_ascii_case(name.as_bytes())
                })
                .map(|element| {
                    String::from_utf8_lossy(super::bytes(&(*element).value)).into_owned()
                })
        }
    }

    /// The request as it was written, before any of it is sent: the buffer that holds request line and headers, and what
    /// follows in other ones.
    pub fn written(self) -> Option<(&'static [u8], Pieces)> {
        // SAFETY: the first buffer is the one that the proxy module wrote the head into; all of them live in the request's
        // pool.
        unsafe {
            let first = (*self.upstream).request_bufs.as_ref()?;
            let (start, last) = ((*first.buf).pos, (*first.buf).last);
            if start.is_null() || last <= start {
                return None;
            }
            let head = std::slice::from_raw_parts(start, last.offset_from_unsigned(start));
            Some((head, body::pieces_in(first.next)))
        }
    }

    /// Whether `proxy_intercept_errors` is on.
    pub fn intercepts_errors(self) -> bool {
        // SAFETY: the upstream and its configuration are live.
        unsafe {
            let conf: *const ngx_http_upstream_conf_t = (*self.upstream).conf;
            conf.as_ref().is_some_and(|conf| conf.intercept_errors != 0)
        }
    }

    /// Whether nginx has not begun to write the request for it.
    pub fn is_unwritten(self) -> bool {
        // SAFETY: the upstream is live.
        unsafe { (*self.upstream).request_bufs.is_null() }
    }

    /// Has `writer` write the request; gives what did so before.
    pub fn replace_writer(
        self,
        writer: unsafe extern "C" fn(*mut ngx_http_request_t) -> ngx_int_t,
    ) -> CreateRequest {
        // SAFETY: the upstream is live and its request not written; both bindings describe the same C function.
        unsafe { (*self.upstream).create_request.replace(writer) }
    }

    /// Begins: looks into the cache, writes the request, connects.
    pub fn begin(self) {
        // SAFETY: the request is live, its body read, and its upstream set up and not begun.
        unsafe { ngx_http_upstream_init(self.request.raw()) }
    }

    /// Has the body that is on the request now sent with what is about to be written.
    pub fn take_body(self, request: Request) {
        // SAFETY: the request is live, and its upstream writes its request now, for which nginx has taken the body just before.
        unsafe {
            let body = (*request.raw()).request_body.as_ref();
            (*self.upstream).request_bufs = body.map_or(ptr::null_mut(), |body| body.bufs);
        }
    }

    /// Keeps the answer out of nginx's cache.
    pub fn do_not_cache(self) {
        // SAFETY: the upstream is live and its header has just been read.
        unsafe { ffi::set_upstream_cacheable(self.upstream, 0) }
    }

    /// Sends the answer on as it comes.
    pub fn do_not_buffer(self) {
        // SAFETY: the upstream is live and its header has just been read.
        unsafe { ffi::set_upstream_buffering(self.upstream, 0) }
    }

    /// Has `begin` say how the body is read; gives what did so before. `None`, and nothing changes, if that is not told of the
    /// request.
    pub fn replace_begin(self, begin: Begin) -> Option<Begin> {
        // SAFETY: the upstream is live, and its body not begun.
        unsafe {
            let told = (*self.upstream).input_filter_ctx;
            match told == self.request.raw().cast() {
                true => (*self.upstream).input_filter_init.replace(begin),
                false => None,
            }
        }
    }

    /// Has `read` read a body that is not buffered; gives what did so before.
    pub fn replace_read(self, read: Read) -> Option<Read> {
        // SAFETY: the upstream is live, and its body about to be read.
        unsafe { (*self.upstream).input_filter.replace(read) }
    }

    /// The connection is taken for a broken one, once what came before has been given on.
    pub fn set_broken(self) {
        // SAFETY: the upstream is live.
        unsafe { ffi::set_upstream_error(self.upstream, 1) }
    }

    /// Takes back what waits for a client that is gone, so that the upstream is read on.
    pub fn discard_unsent(self) {
        // SAFETY: the chain is live and only walked.
        unsafe { chain::buffers((*self.upstream).busy_bufs) }.for_each(Buffer::consume);
    }

    /// Ends the work with the upstream, as nginx does when a request is torn down.
    pub fn abandon(self) {
        // SAFETY: a cleanup slot that is set holds the upstream's handler for this request.
        unsafe {
            if let Some(handler) = (*self.upstream).cleanup.as_ref().copied().flatten() {
                handler(self.request.raw().cast());
            }
        }
    }
}

/// Keeps nginx from giving up the upstream when the client goes away (what `proxy_ignore_client_abort on` sets).
///
/// Before the answer's header nginx decides this by the setting of the location's `proxy_pass`.
pub fn ignore_client_abort(request: Request) {
    let Some(proxy) = module_named(c"ngx_http_proxy_module") else {
        return;
    };
    // SAFETY: the first member of the proxy module's location configuration is the ngx_http_upstream_conf_t.
    unsafe {
        let conf: *mut ngx_http_upstream_conf_t =
            (*(*request.raw()).loc_conf.add(proxy.ctx_index)).cast();
        if let Some(conf) = conf.as_mut() {
            conf.ignore_client_abort = 1 as ngx_int_t;
        }
    }
}

/// Has nginx look at the answer again when the connection to the client breaks, though it waits for nothing from there: over
/// HTTP/2 a client may leave while its window is closed, and then nothing else tells of it.
pub fn read_on_without_client(request: Request) {
    // SAFETY: the request is live.
    unsafe { (*request.raw()).read_event_handler = Some(client_says_something) }
}

unsafe extern "C" fn client_says_something(r: *mut ngx_http_request_t) {
    // SAFETY: nginx calls this with the live request of the event.
    unsafe {
        let request = Request::from_raw(r);
        match (*r).write_event_handler {
            Some(write) if request.client_is_gone() => write(r),
            _ => ngx_http_block_reading(r),
        }
    }
}

fn module_named(name: &CStr) -> Option<&'static ngx_module_t> {
    // SAFETY: the cycle's modules are an array that ends in null, each with a name that ends in NUL.
    unsafe {
        let mut slot = ngx_cycle.as_ref()?.modules;
        while let Some(module) = slot.as_ref()?.as_ref() {
            if !ptr::eq(module.name, ptr::null()) && CStr::from_ptr(module.name) == name {
                return Some(module);
            }
            slot = slot.add(1);
        }
        None
    }
}
