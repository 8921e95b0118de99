//! What nginx reads of a module that it loads: which modules there are in the file, and where they go. Where nginx's own
//! build links the library (see `config` at the root), that build writes these tables.

use std::ffi::{CStr, c_char};
use std::ptr;

use crate::nginx::ffi::ngx_module_t;
use crate::nginx::table::Table;
use crate::{ngx_http_bedrock_filter_module, ngx_http_bedrock_module};

/// The modules in this file.
#[unsafe(no_mangle)]
#[allow(non_upper_case_globals)]
pub static ngx_modules: Table<ngx_module_t, 3> = Table::new([
    &raw const ngx_http_bedrock_module,
    &raw const ngx_http_bedrock_filter_module,
    ptr::null(),
]);

/// Their names.
#[unsafe(no_mangle)]
#[allow(non_upper_case_globals)]
pub static ngx_module_names: Table<c_char, 3> =
    Table::new([HANDLERS.as_ptr(), FILTERS.as_ptr(), ptr::null()]);

/// Where they go in nginx's list: before what follows them here.
#[unsafe(no_mangle)]
#[allow(non_upper_case_globals)]
pub static ngx_module_order: Table<c_char, 7> = Table::new([
    HANDLERS.as_ptr(),
    c"ngx_http_upstream_module".as_ptr(),
    c"ngx_http_mirror_module".as_ptr(),
    c"ngx_http_rewrite_module".as_ptr(),
    FILTERS.as_ptr(),
    c"ngx_http_copy_filter_module".as_ptr(),
    ptr::null(),
]);

const HANDLERS: &CStr = c"ngx_http_bedrock_module";
const FILTERS: &CStr = c"ngx_http_bedrock_filter_module";
