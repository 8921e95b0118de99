//! Directive values that may hold nginx variables.

use std::mem::MaybeUninit;
use std::ptr;

use super::conf::Conf;
use super::ffi::{
    NGX_OK, ngx_http_compile_complex_value, ngx_http_compile_complex_value_t,
    ngx_http_complex_value, ngx_http_complex_value_t, ngx_str_t,
};
use super::request::Request;

/// A value as written in the configuration.
#[derive(Debug, Clone)]
pub enum Value {
    /// Without variables: known when the configuration is read.
    Text(String),
    /// With variables: filled in for each request. Lives in the configuration's pool.
    Template(*mut ngx_http_complex_value_t),
}

impl Value {
    /// Reads argument `index` of the directive.
    ///
    /// # Errors
    /// nginx did not understand the variables (it has said why).
    pub fn parse(conf: &Conf, index: usize) -> Result<Self, String> {
        Self::of(conf, conf.argument(index))
    }

    /// Reads a text that is a part of the directive.
    ///
    /// # Errors
    /// As above.
    pub fn of(conf: &Conf, text: &str) -> Result<Self, String> {
        if !text.contains('$') {
            return Ok(Self::Text(text.to_owned()));
        }
        // It may be a secret, so it is not shown.
        let failed =
            || "has a value with a \"$\" that is not followed by the name of a variable".to_owned();
        let template: *mut ngx_http_complex_value_t = conf.allocate_zeroed();
        let mut raw = conf.text(text).ok_or_else(failed)?;
        // SAFETY: an all-zero ngx_http_compile_complex_value_t is how C code begins too; cf, value and target are live.
        let compiled = unsafe {
            if template.is_null() {
                return Err(failed());
            }
            let mut compile: ngx_http_compile_complex_value_t = MaybeUninit::zeroed().assume_init();
            compile.cf = conf.raw();
            compile.value = &raw mut raw;
            compile.complex_value = template;
            ngx_http_compile_complex_value(&raw mut compile)
        };
        if compiled != NGX_OK as isize {
            return Err(failed());
        }
        Ok(Self::Template(template))
    }

    /// The value for this request; `None` if a variable could not be evaluated or is not UTF-8.
    pub fn evaluate(&self, request: Request) -> Option<String> {
        String::from_utf8(self.bytes(request)?).ok()
    }

    /// The value for this request, of any bytes; `None` if a variable could not be evaluated.
    pub fn bytes(&self, request: Request) -> Option<Vec<u8>> {
        match self {
            Self::Text(text) => Some(text.clone().into_bytes()),
            Self::Template(template) => {
                let mut text = ngx_str_t {
                    len: 0,
                    data: ptr::null_mut(),
                };
                // SAFETY: the template lives as long as the configuration, which outlives its requests.
                let result =
                    unsafe { ngx_http_complex_value(request.raw(), *template, &raw mut text) };
                if result != NGX_OK as isize {
                    return None;
                }
                Some(super::bytes(&text).to_owned())
            }
        }
    }
}
