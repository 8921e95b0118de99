//! What a directive's handler sees of the configuration.

use std::ffi::{CStr, c_char, c_void};
use std::mem::size_of;
use std::ptr;

use super::ffi::{
    self, NGX_LOG_EMERG, NGX_PROCESS_SINGLE, NGX_PROCESS_WORKER, ngx_array_push, ngx_command_t,
    ngx_conf_log_error, ngx_conf_parse, ngx_conf_t, ngx_cycle_t, ngx_http_conf_ctx_t,
    ngx_http_core_loc_conf_t, ngx_http_core_main_conf_t, ngx_http_core_module, ngx_http_handler_pt,
    ngx_http_module, ngx_http_phases, ngx_http_request_t, ngx_module_t, ngx_pcalloc, ngx_pnalloc,
    ngx_pool_cleanup_add, ngx_process, ngx_str_t,
};
use super::log::{self, Level};

/// What nginx calls for a directive, or for each line of a block.
pub type Handler =
    unsafe extern "C" fn(*mut ngx_conf_t, *mut ngx_command_t, *mut c_void) -> *mut c_char;

/// A location as nginx's core has it.
pub struct Location {
    /// As it stands after `location`; empty above locations.
    pub name: String,
    /// It is an `if` or a `limit_except`.
    pub is_block: bool,
    /// There are locations in it, or such blocks.
    pub has_locations: bool,
    /// What makes the answer; in a block `None` stands for the location's.
    pub handler: ngx_http_handler_pt,
}

/// A directive being read.
#[derive(Clone, Copy)]
pub struct Conf(*mut ngx_conf_t);

/// Where a location has the handler that makes its answers. It lives as long as the configuration.
#[derive(Clone, Copy)]
pub struct ContentHandler(*mut ngx_http_handler_pt);

impl ContentHandler {
    /// The handler; none where no directive such as `proxy_pass` gave one.
    pub fn get(self) -> ngx_http_handler_pt {
        // SAFETY: the configuration is live while it is read.
        unsafe { *self.0 }
    }

    /// Has `handler` called here.
    pub fn set(self, handler: unsafe extern "C" fn(*mut ngx_http_request_t) -> isize) {
        // SAFETY: as above; nothing uses it before the configuration has been read.
        unsafe { *self.0 = Some(handler) }
    }

    /// Has `handler` called instead, where there is one.
    pub fn replace(self, handler: unsafe extern "C" fn(*mut ngx_http_request_t) -> isize) {
        if self.get().is_some() {
            self.set(handler);
        }
    }
}

impl Conf {
    /// # Safety
    /// `cf` is the live pointer that nginx gave to a directive handler or configuration callback, which has not returned.
    pub unsafe fn from_raw(cf: *mut ngx_conf_t) -> Self {
        Self(cf)
    }

    /// The pointer for nginx's own functions.
    pub fn raw(self) -> *mut ngx_conf_t {
        self.0
    }

    /// How many words the directive has, its name included.
    pub fn arguments(&self) -> usize {
        // SAFETY: cf is live, and so is its array of words while a directive is read.
        unsafe { (*self.0).args.as_ref().map_or(0, |args| args.nelts) }
    }

    /// A word of the directive; its name is word 0. Empty if there is none or it is not UTF-8.
    pub fn argument(&self, index: usize) -> &str {
        let Some(raw) = self.raw_argument(index) else {
            return "";
        };
        // SAFETY: the words live in the configuration's pool.
        let bytes = unsafe { super::bytes(&*raw) };
        std::str::from_utf8(bytes).unwrap_or("")
    }

    /// The word as nginx has it.
    pub fn raw_argument(&self, index: usize) -> Option<*mut ngx_str_t> {
        // SAFETY: cf->args is an array of nelts ngx_str_t.
        unsafe {
            let args = (*self.0).args.as_ref()?;
            (index < args.nelts).then(|| args.elts.cast::<ngx_str_t>().add(index))
        }
    }

    /// Zeroed memory for a `T` in the configuration's pool; null if there is none left.
    pub fn allocate_zeroed<T>(&self) -> *mut T {
        // SAFETY: cf->pool is live.
        unsafe { ngx_pcalloc((*self.0).pool, size_of::<T>()).cast() }
    }

    /// Says what is wrong, with file and line of the directive that is read.
    pub fn complain(&self, message: &str) {
        let mut text = ngx_str_t {
            len: message.len(),
            data: message.as_ptr().cast_mut(),
        };
        let format: &CStr = c"%V";
        // SAFETY: the format takes one ngx_str_t*, which outlives the call.
        unsafe {
            ngx_conf_log_error(
                NGX_LOG_EMERG as usize,
                self.0,
                0,
                format.as_ptr(),
                &raw mut text,
            );
        }
    }

    /// Says what is wrong with a directive that was read before, at `place`.
    pub fn complain_at(&self, level: Level, message: &str, place: &str) {
        // SAFETY: cf is live, and has a log.
        unsafe { log::write((*self.0).log, level, &format!("{message} in {place}")) }
    }

    /// The location, or the level above locations, that is read or merged now.
    pub fn location(&self) -> Location {
        // SAFETY: inside http {} cf->ctx is the level's context, in which each level has the core module's configuration.
        unsafe {
            let context: *const ngx_http_conf_ctx_t = (*self.0).ctx.cast();
            let core: *const ngx_http_core_loc_conf_t =
                (*(*context).loc_conf.add(ngx_http_core_module.ctx_index)).cast();
            Location {
                name: String::from_utf8_lossy(super::bytes(&(*core).name)).into_owned(),
                is_block: ffi::get_location_noname(core) != 0,
                has_locations: !(*core).locations.is_null(),
                handler: (*core).handler,
            }
        }
    }

    /// A path as nginx takes those of certificates: relative ones begin where nginx.conf is.
    pub fn full_path(&self, path: &str) -> String {
        if path.starts_with('/') {
            return path.to_owned();
        }
        // SAFETY: cf and its cycle are live.
        let prefix = unsafe { super::bytes(&(*(*self.0).cycle).conf_prefix) };
        format!("{}{path}", String::from_utf8_lossy(prefix))
    }

    /// A path as nginx takes those of files that it writes: relative ones begin at its prefix.
    pub fn full_path_of_data(&self, path: &str) -> String {
        if path.starts_with('/') {
            return path.to_owned();
        }
        // SAFETY: as above.
        let prefix = unsafe { super::bytes(&(*(*self.0).cycle).prefix) };
        format!("{}{path}", String::from_utf8_lossy(prefix))
    }

    /// A value that may be `file:PATH`, with its path made full.
    pub fn full_value(&self, value: &str) -> String {
        match value.strip_prefix("file:") {
            Some(path) => format!("file:{}", self.full_path(path)),
            None => value.to_owned(),
        }
    }

    /// File and line of the directive.
    pub fn place(&self) -> String {
        // SAFETY: conf_file is null or live while a file is read.
        unsafe {
            (*self.0)
                .conf_file
                .as_ref()
                .map_or_else(String::new, |file| {
                    let name = String::from_utf8_lossy(super::bytes(&file.file.name)).into_owned();
                    format!("{name}:{}", file.line)
                })
        }
    }

    /// Reads the block that the directive opens: `handler` is called with `data` for each line. False if something in it
    /// was wrong, which has been reported.
    pub fn read_block(&self, handler: Handler, data: *mut c_void) -> bool {
        // SAFETY: cf is live; its handler is put back, as C modules do it.
        unsafe {
            let saved = *self.0;
            (*self.0).handler = Some(handler);
            (*self.0).handler_conf = data;
            let result = ngx_conf_parse(self.0, ptr::null_mut());
            *self.0 = saved;
            result.is_null()
        }
    }

    /// Keeps a value as long as the configuration; it is dropped with it. Null if there is no memory.
    pub fn keep<T>(&self, value: T) -> *mut c_void {
        unsafe extern "C" fn drop_value<T>(value: *mut c_void) {
            // SAFETY: the pool calls this once, with the box that was left to it.
            super::guard::guard((), || drop(unsafe { Box::from_raw(value.cast::<T>()) }));
        }
        // SAFETY: cf->pool is live.
        unsafe {
            let Some(cleanup) = ngx_pool_cleanup_add((*self.0).pool, 0).as_mut() else {
                return ptr::null_mut();
            };
            cleanup.handler = Some(drop_value::<T>);
            cleanup.data = Box::into_raw(Box::new(value)).cast();
            cleanup.data
        }
    }

    /// The content handler of the location whose configuration is merged.
    pub fn content_handler(&self) -> ContentHandler {
        // SAFETY: while configurations are merged cf->ctx is the location's context, in which the core module has its own.
        unsafe {
            let context: *const ngx_http_conf_ctx_t = (*self.0).ctx.cast();
            let core: *mut ngx_http_core_loc_conf_t =
                (*(*context).loc_conf.add(ngx_http_core_module.ctx_index)).cast();
            ContentHandler(&raw mut (*core).handler)
        }
    }

    /// The module's http-level configuration.
    pub fn main_conf<T>(&self, module: &ngx_module_t) -> Option<&'static mut T> {
        // SAFETY: inside http {} cf->ctx is the level's context; create_main_conf made a T for this index. Only one
        // callback runs at a time, and none keeps the reference.
        unsafe {
            let context: *const ngx_http_conf_ctx_t = (*self.0).ctx.cast();
            (*(*context).main_conf.add(module.ctx_index))
                .cast::<T>()
                .as_mut()
        }
    }

    /// The configuration that a module has of the server, or of the upstream, that is read.
    pub fn server_conf<T>(&self, module: &ngx_module_t) -> Option<*mut T> {
        // SAFETY: as above, with create_srv_conf.
        unsafe {
            let context: *const ngx_http_conf_ctx_t = (*self.0).ctx.cast();
            let conf: *mut T = (*(*context).srv_conf.add(module.ctx_index)).cast();
            (!conf.is_null()).then_some(conf)
        }
    }

    /// A text in the configuration's pool, which ends in NUL. `None` if there is no memory.
    pub fn text(&self, text: &str) -> Option<ngx_str_t> {
        // SAFETY: cf->pool is live, and gives room for the text and its NUL.
        unsafe {
            let data: *mut u8 = ngx_pnalloc((*self.0).pool, text.len() + 1).cast();
            if data.is_null() {
                return None;
            }
            ptr::copy_nonoverlapping(text.as_ptr(), data, text.len());
            data.add(text.len()).write(0);
            Some(ngx_str_t {
                len: text.len(),
                data,
            })
        }
    }

    /// Moves a module of ours down nginx's list, right before the one of that name. Only for the preconfiguration of a
    /// module that is listed above both.
    pub fn list_before(&self, ours: *const ngx_module_t, name: &CStr) {
        // SAFETY: the cycle's modules are an array of modules_n, each with a name that ends in NUL. nginx walks it by
        // place and has not got to `ours`, so it still meets each module once.
        unsafe {
            let cycle = (*self.0).cycle;
            let modules = std::slice::from_raw_parts_mut((*cycle).modules, (*cycle).modules_n);
            let from = modules.iter().position(|module| ptr::eq(*module, ours));
            let to = modules
                .iter()
                .position(|module| CStr::from_ptr((**module).name) == name);
            if let (Some(from), Some(to)) = (from, to)
                && let Some(between) = modules.get_mut(from..to)
                && !between.is_empty()
            {
                between.rotate_left(1);
            }
        }
    }

    /// Adds a handler to a phase. False if there is no memory.
    pub fn add_phase_handler(
        &self,
        phase: ngx_http_phases,
        handler: unsafe extern "C" fn(*mut ngx_http_request_t) -> isize,
    ) -> bool {
        // SAFETY: the http core module is filled in before any configuration is read.
        let core_module = unsafe {
            let module: *const ngx_module_t = &raw const ngx_http_core_module;
            &*module
        };
        let Some(core) = self.main_conf::<ngx_http_core_main_conf_t>(core_module) else {
            return false;
        };
        let Some(phase) = core.phases.get_mut(phase as usize) else {
            return false;
        };
        // SAFETY: the array holds handlers; the new element is filled in at once.
        unsafe {
            let slot: *mut ngx_http_handler_pt = ngx_array_push(&raw mut phase.handlers).cast();
            if slot.is_null() {
                return false;
            }
            slot.write(Some(handler));
        }
        true
    }
}

/// The module's http-level configuration, in a process that serves requests; `None` in others, such as the cache manager.
///
/// # Safety
/// `cycle` is the cycle that nginx gave to a process callback.
pub unsafe fn main_conf_of_worker<T>(
    cycle: *mut ngx_cycle_t,
    module: &ngx_module_t,
) -> Option<&'static T> {
    // SAFETY: as promised by the caller.
    unsafe {
        let serves = [NGX_PROCESS_SINGLE, NGX_PROCESS_WORKER];
        match serves.iter().any(|kind| *kind as usize == ngx_process) {
            true => main_conf_of_cycle(cycle, module),
            false => None,
        }
    }
}

/// The module's http-level configuration; `None` without an http {} block.
///
/// # Safety
/// `cycle` is live, and its configuration has been read.
pub unsafe fn main_conf_of_cycle<T>(
    cycle: *mut ngx_cycle_t,
    module: &ngx_module_t,
) -> Option<&'static T> {
    // SAFETY: conf_ctx has a place for every module; that of the http module is null without an http {} block.
    unsafe {
        let http: *const ngx_http_conf_ctx_t =
            (*(*cycle).conf_ctx.add(ngx_http_module.index)).cast();
        (*http.as_ref()?.main_conf.add(module.ctx_index))
            .cast::<T>()
            .as_ref()
    }
}
