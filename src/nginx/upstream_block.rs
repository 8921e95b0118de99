//! `upstream { }` as nginx has it.

use std::ptr;

use super::conf::Conf;
use super::ffi::{
    ngx_http_upstream_main_conf_t, ngx_http_upstream_module, ngx_http_upstream_server_t,
    ngx_http_upstream_srv_conf_t, ngx_module_t, ngx_str_t, ngx_uint_t,
};

/// An upstream of the configuration, which lives as long as that.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct UpstreamBlock(*mut ngx_http_upstream_srv_conf_t);

impl UpstreamBlock {
    /// # Safety
    /// `upstream` is live, and so is its configuration as long as this is used.
    pub unsafe fn from_raw(upstream: *mut ngx_http_upstream_srv_conf_t) -> Self {
        Self(upstream)
    }

    /// The one that is read.
    pub fn of(cf: &Conf) -> Option<Self> {
        cf.server_conf(upstream_module()).map(Self)
    }

    /// All that have a block.
    pub fn all(cf: &Conf) -> Vec<Self> {
        let Some(main) = cf.main_conf::<ngx_http_upstream_main_conf_t>(upstream_module()) else {
            return Vec::new();
        };
        let (first, count) = (main.upstreams.elts, main.upstreams.nelts);
        if first.is_null() {
            return Vec::new();
        }
        let first: *const *mut ngx_http_upstream_srv_conf_t = first.cast();
        // SAFETY: an array of so many pointers; those that proxy_pass made have no configurations of modules.
        unsafe {
            let upstreams = std::slice::from_raw_parts(first, count).iter();
            upstreams
                .filter(|upstream| !(***upstream).srv_conf.is_null())
                .map(|upstream| Self(*upstream))
                .collect()
        }
    }

    /// The pointer for nginx's own functions.
    pub fn raw(self) -> *mut ngx_http_upstream_srv_conf_t {
        self.0
    }

    /// The configuration that a module keeps with the block.
    pub fn conf<T>(self, module: &ngx_module_t) -> Option<*mut T> {
        // SAFETY: the block is live; what proxy_pass made has none.
        unsafe {
            let confs = (*self.0).srv_conf;
            let conf: *mut T = (*confs.as_ref().map(|_| confs.add(module.ctx_index))?).cast();
            (!conf.is_null()).then_some(conf)
        }
    }

    /// Its name.
    pub fn name(self) -> String {
        // SAFETY: the block is live.
        unsafe { String::from_utf8_lossy(super::bytes(&(*self.0).host)).into_owned() }
    }

    /// Its `server` lines so far.
    pub fn servers(self) -> &'static [ngx_http_upstream_server_t] {
        // SAFETY: an array of so many, which lives as long as the configuration.
        unsafe {
            match (*self.0).servers.as_ref() {
                Some(servers) if !servers.elts.is_null() => {
                    std::slice::from_raw_parts(servers.elts.cast(), servers.nelts)
                }
                _ => &[],
            }
        }
    }

    /// What its `server` lines name, as they are written.
    pub fn server_names(self) -> Vec<String> {
        let name = |server: &ngx_http_upstream_server_t| {
            String::from_utf8_lossy(super::bytes(&server.name)).into_owned()
        };
        self.servers().iter().map(name).collect()
    }

    /// Gives the last `server` line its own name back, and has nginx never use the address that stood in for it. What it had
    /// as `down` before.
    pub fn disarm_last(self, name: ngx_str_t) -> Option<ngx_uint_t> {
        // SAFETY: the last element of a live array, which nginx has just filled in.
        unsafe {
            let servers = (*self.0).servers.as_ref()?;
            let last = servers.nelts.checked_sub(1)?;
            let server: *mut ngx_http_upstream_server_t =
                servers.elts.cast::<ngx_http_upstream_server_t>().add(last);
            (*server).name = name;
            Some(ptr::replace(&raw mut (*server).down, 1))
        }
    }
}

fn upstream_module() -> &'static ngx_module_t {
    // SAFETY: a static of nginx's, filled in before any configuration is read.
    unsafe {
        let module: *const ngx_module_t = &raw const ngx_http_upstream_module;
        &*module
    }
}
