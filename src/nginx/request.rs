//! A request, as far as this module needs to see or change it.

use std::ffi::c_void;
use std::ptr;

use super::ffi::{
    self, NGX_DONE, NGX_HTTP_SPECIAL_RESPONSE, ngx_cached_time, ngx_connection_t,
    ngx_http_block_reading, ngx_http_cleanup_add, ngx_http_cleanup_pt, ngx_http_core_loc_conf_t,
    ngx_http_core_module, ngx_http_core_run_phases, ngx_http_discard_request_body,
    ngx_http_finalize_request, ngx_http_read_client_request_body, ngx_http_request_empty_handler,
    ngx_http_request_t, ngx_http_run_posted_requests, ngx_http_test_reading, ngx_int_t,
    ngx_module_t, ngx_palloc, ngx_pool_cleanup_add, ngx_pool_t, ngx_str_t,
};
use super::log::{self, Level};
use super::posted::post_event;

/// A live request. Copies are the same request.
///
/// One is only made by [`Request::from_raw`], whose caller promises that nginx keeps the request alive while it is used;
/// every `unsafe` block below rests on that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request(*mut ngx_http_request_t);

/// How a client began its request.
#[derive(Clone, Copy)]
pub struct RequestLine {
    method: (usize, ngx_str_t),
    version: usize,
}

/// What a request was before [`Request::hold_back_post_action`].
pub struct HeldBack {
    post_action: u32,
    uri_changes: u32,
}

impl Request {
    /// # Safety
    /// `r` is the live request that nginx gave to a handler, and the value is not kept beyond the request's life.
    pub unsafe fn from_raw(r: *mut ngx_http_request_t) -> Self {
        Self(r)
    }

    /// The pointer for nginx's own functions.
    pub fn raw(self) -> *mut ngx_http_request_t {
        self.0
    }

    /// The request's pool.
    pub fn pool(self) -> *mut ngx_pool_t {
        // SAFETY: the request is live.
        unsafe { (*self.0).pool }
    }

    /// The client's connection.
    pub fn connection(self) -> *mut ngx_connection_t {
        // SAFETY: the request is live, and so its connection.
        unsafe { (*self.0).connection }
    }

    /// Writes to the request's error log.
    pub fn log(self, level: Level, message: &str) {
        // SAFETY: the connection is live, and so its log.
        unsafe { log::write((*self.connection()).log, level, message) }
    }

    /// Whether this is the client's own request and no subrequest.
    pub fn is_main(self) -> bool {
        // SAFETY: the request is live.
        unsafe { (*self.0).main == self.0 }
    }

    /// The request whose answer from the cache this one renews, in the background and past all phases.
    pub fn renews_cache_for(self) -> Option<Self> {
        // SAFETY: the request is live, and so is its parent. Only such a copy has its parent's very configuration.
        unsafe {
            let parent = (*self.0).parent.as_ref()?;
            let copied = ffi::get_request_background(self.0) != 0
                && ptr::eq(parent.loc_conf, (*self.0).loc_conf);
            copied.then(|| Self((*self.0).parent))
        }
    }

    /// The request that this one is a subrequest of.
    pub fn parent(self) -> Option<Self> {
        // SAFETY: the request is live, and so is its parent.
        let parent = unsafe { (*self.0).parent };
        (!parent.is_null()).then_some(Self(parent))
    }

    /// The method's name.
    pub fn method(self) -> &'static str {
        // SAFETY: the name lives as long as the request; every use ends before that.
        let bytes = unsafe { super::bytes(&(*self.0).method_name) };
        std::str::from_utf8(bytes).unwrap_or("")
    }

    /// Method and version as nginx has them now.
    pub fn line(self) -> RequestLine {
        // SAFETY: the request is live.
        unsafe {
            RequestLine {
                method: ((*self.0).method, (*self.0).method_name),
                version: (*self.0).http_version,
            }
        }
    }

    /// Undoes what nginx does on the way to another location: `error_page` makes a GET of a request that it sends to a path.
    pub fn restore_line(self, line: RequestLine) {
        // SAFETY: the request is live; the method's name lives as long.
        unsafe {
            (*self.0).method = line.method.0;
            (*self.0).method_name = line.method.1;
        }
        self.restore_version(line);
    }

    /// Undoes what an answer without a status line does: nginx would send it on without a header.
    pub fn restore_version(self, line: RequestLine) {
        // SAFETY: the request is live.
        unsafe { (*self.0).http_version = line.version }
    }

    /// Forgets preconditions and ranges, which nginx's filters would apply to the answer: a POST to Bedrock knows neither, and what
    /// they would cut off has been paid for. The log still has the client's headers.
    pub fn forget_preconditions(self) {
        // SAFETY: the request is live.
        unsafe {
            let headers_in = &raw mut (*self.0).headers_in;
            (*headers_in).if_modified_since = ptr::null_mut();
            (*headers_in).if_unmodified_since = ptr::null_mut();
            (*headers_in).if_match = ptr::null_mut();
            (*headers_in).if_none_match = ptr::null_mut();
            (*headers_in).range = ptr::null_mut();
            (*headers_in).if_range = ptr::null_mut();
        }
    }

    /// The path, decoded, that `rewrite` gave the request; `None` if it is still the client's.
    pub fn rewritten_path(self) -> Option<String> {
        // SAFETY: the request is live.
        let rewritten = unsafe { ffi::get_request_valid_unparsed_uri(self.0) == 0 };
        rewritten.then(|| self.path())
    }

    /// The path, decoded.
    pub fn path(self) -> String {
        // SAFETY: the request is live.
        String::from_utf8_lossy(unsafe { super::bytes(&(*self.0).uri) }).into_owned()
    }

    /// The query, as the client sent it or `rewrite` made it; `None` if there is none.
    pub fn args(self) -> Option<String> {
        // SAFETY: the request is live.
        let args = unsafe { super::bytes(&(*self.0).args) };
        (!args.is_empty()).then(|| String::from_utf8_lossy(args).into_owned())
    }

    /// The path and query as the client sent them.
    pub fn target(self) -> String {
        // SAFETY: the request is live.
        let target = unsafe { super::bytes(&(*self.0).unparsed_uri) };
        String::from_utf8_lossy(target).into_owned()
    }

    /// The raw path and query and whether `proxy_pass` may send them as they are.
    pub fn raw_target(self) -> (ngx_str_t, bool) {
        // SAFETY: the request is live.
        unsafe {
            (
                (*self.0).unparsed_uri,
                ffi::get_request_valid_unparsed_uri(self.0) != 0,
            )
        }
    }

    /// Sets what [`Request::raw_target`] gives.
    pub fn set_raw_target(self, (target, valid): (ngx_str_t, bool)) {
        // SAFETY: the request is live; the string lives in its pool.
        unsafe {
            (*self.0).unparsed_uri = target;
            ffi::set_request_valid_unparsed_uri(self.0, valid.into());
        }
    }

    /// A copy of `text` in the request's pool; `None` if there is no memory.
    pub fn copy(self, text: &[u8]) -> Option<ngx_str_t> {
        // SAFETY: the pool is live; the new memory has room for the text.
        unsafe {
            let data: *mut u8 = ngx_palloc(self.pool(), text.len().max(1)).cast();
            if data.is_null() {
                return None;
            }
            ptr::copy_nonoverlapping(text.as_ptr(), data, text.len());
            Some(ngx_str_t {
                len: text.len(),
                data,
            })
        }
    }

    /// This module's configuration for the request's location.
    pub fn location_conf<T>(self, module: &ngx_module_t) -> Option<&'static T> {
        // SAFETY: create_loc_conf made a T for this index, and configurations outlive their requests.
        unsafe {
            (*(*self.0).loc_conf.add(module.ctx_index))
                .cast::<T>()
                .as_ref()
        }
    }

    /// This module's http-level configuration.
    pub fn main_conf<T>(self, module: &ngx_module_t) -> Option<&'static T> {
        // SAFETY: create_main_conf made a T for this index, and configurations outlive their requests.
        unsafe {
            (*(*self.0).main_conf.add(module.ctx_index))
                .cast::<T>()
                .as_ref()
        }
    }

    /// nginx's own configuration for the location.
    pub fn core_conf(self) -> Option<&'static ngx_http_core_loc_conf_t> {
        // SAFETY: every location has one, at the index of the http core module.
        unsafe {
            (*(*self.0).loc_conf.add(ngx_http_core_module.ctx_index))
                .cast::<ngx_http_core_loc_conf_t>()
                .as_ref()
        }
    }

    /// What the module keeps for the request in its slot; redirects empty it.
    pub fn slot(self, module: &ngx_module_t) -> *mut c_void {
        // SAFETY: the array has a slot for every http module.
        unsafe { *(*self.0).ctx.add(module.ctx_index) }
    }

    /// Fills the slot.
    pub fn set_slot(self, module: &ngx_module_t, value: *mut c_void) {
        // SAFETY: the array has a slot for every http module.
        unsafe { *(*self.0).ctx.add(module.ctx_index) = value }
    }

    /// Leaves `data` to the request's pool: `handler` gets it when the pool ends. False if there is no memory.
    pub fn on_pool_end(
        self,
        handler: unsafe extern "C" fn(*mut c_void),
        data: *mut c_void,
    ) -> bool {
        // SAFETY: the pool is live.
        unsafe {
            match ngx_pool_cleanup_add(self.pool(), 0).as_mut() {
                Some(cleanup) => {
                    cleanup.handler = Some(handler);
                    cleanup.data = data;
                    true
                }
                None => false,
            }
        }
    }

    /// What was left to the pool for `handler`, latest first.
    pub fn left_to_pool(
        self,
        handler: unsafe extern "C" fn(*mut c_void),
    ) -> impl Iterator<Item = *mut c_void> {
        // SAFETY: the pool is live, and its cleanups are a list that ends in null.
        let mut cleanup = unsafe { (*self.pool()).cleanup };
        std::iter::from_fn(move || {
            // SAFETY: as above.
            let this = unsafe { cleanup.as_ref()? };
            cleanup = this.next;
            Some(this)
        })
        .filter(move |this| {
            this.handler
                .is_some_and(|known| ptr::fn_addr_eq(known, handler))
        })
        .map(|this| this.data)
    }

    /// Has `handler` called with `data` when the request ends, before it is logged.
    pub fn before_log(self, handler: ngx_http_cleanup_pt, data: *mut c_void) -> bool {
        // SAFETY: the request is live.
        unsafe {
            match ngx_http_cleanup_add(self.0, 0).as_mut() {
                Some(cleanup) => {
                    cleanup.handler = handler;
                    cleanup.data = data;
                    true
                }
                None => false,
            }
        }
    }

    /// Seconds since the request began, like `$request_time`.
    pub fn age(self) -> f64 {
        // SAFETY: ngx_cached_time always points at a live slot.
        unsafe {
            let now = ngx_cached_time.read_volatile();
            let seconds = now.sec - (*self.0).start_sec;
            let milliseconds = now.msec as i64 - (*self.0).start_msec as i64;
            #[allow(clippy::cast_precision_loss)] // ages are far below 2^52 ms
            let age = (seconds * 1000 + milliseconds).max(0) as f64;
            age / 1000.0
        }
    }

    /// Begins to read the body. `Err` is what the phase handler returns to nginx at once; otherwise `then` is called, now
    /// or later, and the handler returns `NGX_DONE`.
    pub fn read_body(
        self,
        then: unsafe extern "C" fn(*mut ngx_http_request_t),
    ) -> Result<(), ngx_int_t> {
        // SAFETY: the request is live; nginx calls `then` only while it is.
        let result = unsafe { ngx_http_read_client_request_body(self.0, Some(then)) };
        if result >= NGX_HTTP_SPECIAL_RESPONSE as ngx_int_t {
            return Err(result);
        }
        self.finalize(NGX_DONE as ngx_int_t);
        Ok(())
    }

    /// Waits for something that is not the connection; if the client goes away meanwhile, the request ends.
    pub fn park(self) {
        // SAFETY: the request is live and its body has been read.
        unsafe {
            (*self.0).read_event_handler = Some(ngx_http_test_reading);
            (*self.0).write_event_handler = Some(ngx_http_request_empty_handler);
            // A client that went away already sends no other event.
            let read = (*self.connection()).read;
            if ffi::get_event_ready(read) != 0 {
                post_event(read);
            }
        }
    }

    /// Goes on with the phases where they stopped.
    pub fn resume(self) {
        // SAFETY: the request is live and waits in a phase of ours.
        unsafe {
            (*self.0).read_event_handler = Some(ngx_http_block_reading);
            (*self.0).write_event_handler = Some(ngx_http_core_run_phases);
            ngx_http_core_run_phases(self.0);
        }
    }

    /// Has this make the answer, in the place of what the location says.
    pub fn set_content_handler(
        self,
        handler: unsafe extern "C" fn(*mut ngx_http_request_t) -> ngx_int_t,
    ) {
        // SAFETY: the request is live, in a phase before its content.
        unsafe { (*self.0).content_handler = Some(handler) }
    }

    /// Reads a body that nobody wants, and forgets it.
    pub fn discard_body(self) -> ngx_int_t {
        // SAFETY: the request is live.
        unsafe { ngx_http_discard_request_body(self.0) }
    }

    /// nginx's finalize; the request may be gone afterwards unless it is counted elsewhere.
    pub fn finalize(self, result: ngx_int_t) {
        // SAFETY: the request is live.
        unsafe { ngx_http_finalize_request(self.0, result) }
    }

    /// Keeps nginx from starting `post_action` when the request seems to end; gives what [`Request::allow_post_action`] needs.
    pub fn hold_back_post_action(self) -> HeldBack {
        // SAFETY: the request is live.
        unsafe {
            let held = HeldBack {
                post_action: ffi::get_request_post_action(self.0),
                uri_changes: ffi::get_request_uri_changes(self.0),
            };
            // nginx takes a request with these for one that has had it.
            ffi::set_request_post_action(self.0, 1);
            ffi::set_request_uri_changes(self.0, 0);
            held
        }
    }

    /// Undoes [`Request::hold_back_post_action`].
    pub fn allow_post_action(self, held: HeldBack) {
        // SAFETY: the request is live.
        unsafe {
            ffi::set_request_post_action(self.0, held.post_action);
            ffi::set_request_uri_changes(self.0, held.uri_changes);
        }
    }

    /// Whether the client has its answer, and this is what `post_action` has nginx do then.
    pub fn is_post_action(self) -> bool {
        // SAFETY: the request is live.
        unsafe { ffi::get_request_post_action(self.0) != 0 }
    }

    /// Takes part in keeping the request alive until [`Request::finalize`].
    pub fn hold(self) {
        // SAFETY: the request is live, and so its main request.
        unsafe {
            let main = (*self.0).main;
            ffi::set_request_count(main, ffi::get_request_count(main) + 1);
        }
    }

    /// Runs requests that were posted on the connection, as nginx does after each event.
    pub fn run_posted(connection: *mut ngx_connection_t) {
        // SAFETY: called before the connection could have been closed by anyone else in this event.
        unsafe { ngx_http_run_posted_requests(connection) }
    }

    /// Calls what writes the answer, as if the client's connection could take more of it.
    pub fn go_on_writing(self) {
        // SAFETY: the request is live, and called by nothing else now.
        unsafe {
            if let Some(handler) = (*self.0).write_event_handler {
                handler(self.0);
            }
        }
    }

    /// Whether a thread works for this request.
    pub fn has_thread(self) -> bool {
        // SAFETY: the request is live.
        unsafe { ffi::get_request_aio(self.0) != 0 }
    }

    /// Says whether a thread works for this request.
    pub fn set_has_thread(self, works: bool) {
        // SAFETY: the request is live.
        unsafe { ffi::set_request_aio(self.0, works.into()) }
    }

    /// Whether the connection to the client is broken.
    pub fn client_is_gone(self) -> bool {
        // SAFETY: the connection is live.
        unsafe { ffi::get_connection_error(self.connection()) != 0 }
    }
}
