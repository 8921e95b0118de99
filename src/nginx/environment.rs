//! `env NAME=value;` of nginx.conf, as far as it has been read.

use std::ffi::{CStr, c_char};

use super::ffi::{ngx_core_conf_t, ngx_core_module, ngx_cycle_t, ngx_str_t};

use super::conf::Conf;

/// Names and values, in their order. `env NAME;` alone is not among them: what it passes on is in the environment of the
/// process that reads the configuration.
pub fn given(conf: &Conf) -> Vec<(String, String)> {
    // SAFETY: conf is live while the configuration is read, and so is its cycle.
    unsafe { given_in((*conf.raw()).cycle) }
}

/// The same of a configuration that has been read to its end.
///
/// # Safety
/// `cycle` is live.
pub unsafe fn given_in(cycle: *const ngx_cycle_t) -> Vec<(String, String)> {
    // SAFETY: the core module's configuration is made before any directive is read; its `env` is an array of names within
    // words of the configuration, each of which ends in NUL.
    unsafe {
        let core: *const ngx_core_conf_t = (*(*cycle).conf_ctx.add(ngx_core_module.index)).cast();
        let Some(core) = core.as_ref().filter(|core| !core.env.elts.is_null()) else {
            return Vec::new();
        };
        let lines = std::slice::from_raw_parts(core.env.elts.cast::<ngx_str_t>(), core.env.nelts);
        lines
            .iter()
            .filter(|line| !line.data.is_null() && *line.data.add(line.len) == b'=')
            .filter_map(|line| {
                let name = std::str::from_utf8(super::bytes(line)).ok()?;
                let value = CStr::from_ptr(line.data.add(line.len + 1).cast::<c_char>());
                Some((name.to_owned(), value.to_str().ok()?.to_owned()))
            })
            .collect()
    }
}
