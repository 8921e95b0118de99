//! nginx's structs, functions and numbers, as `build.rs` binds them from the headers of the nginx at hand.
//!
//! The layout proves itself. Where a member is, and how large a struct, is asserted below against what the C compiler says, for
//! every struct, when this is compiled; a difference is an error that names the two. Bitfields are read and written by C
//! functions (`bits.c`): theirs are the names that begin with `get_` and `set_`. The bindings' own way to them is private.

use std::mem::{offset_of, zeroed};

mod generated {
    #![allow(
        missing_docs,
        non_camel_case_types,
        non_snake_case,
        non_upper_case_globals,
        dead_code,
        unnecessary_transmutes,
        unsafe_op_in_unsafe_fn,
        clippy::all,
        clippy::undocumented_unsafe_blocks,
        clippy::indexing_slicing,
        clippy::panic
    )]
    include!(concat!(env!("OUT_DIR"), "/ffi.rs"));
}

pub use generated::*;

/// Where a command finds the configuration of the http level, of those in `cf->ctx`.
pub const NGX_HTTP_MAIN_CONF_OFFSET: usize = offset_of!(ngx_http_conf_ctx_t, main_conf);
/// The same for the configuration of a server, or of an upstream.
pub const NGX_HTTP_SRV_CONF_OFFSET: usize = offset_of!(ngx_http_conf_ctx_t, srv_conf);
/// The same for the configuration of a location.
pub const NGX_HTTP_LOC_CONF_OFFSET: usize = offset_of!(ngx_http_conf_ctx_t, loc_conf);

/// What a directive's handler returns for a bad line (`NGX_CONF_ERROR` in C).
pub const fn conf_error<T>() -> *mut T {
    std::ptr::without_provenance_mut(usize::MAX)
}

/// What ends a table of commands (`ngx_null_command` in C).
pub const NO_COMMAND: ngx_command_t = {
    // SAFETY: null pointers, an empty name and no function are what C has in its place.
    unsafe { zeroed() }
};

/// A module before it says what it has (`NGX_MODULE_V1` in C).
pub const MODULE: ngx_module_t = ngx_module_t {
    ctx_index: usize::MAX,
    index: usize::MAX,
    version: nginx_version as usize,
    signature: BEDROCK_SIGNATURE.as_ptr(),
    // SAFETY: the other members are numbers, pointers and functions, of which there are none yet.
    ..unsafe { zeroed() }
};
