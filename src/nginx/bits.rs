//! Structs with bitfields, bound by `build.rs` so that each bit is where C has it, and the way to them from the `ngx`
//! crate's pointers to the same memory.

#[allow(
    missing_docs,
    non_camel_case_types,
    non_snake_case,
    non_upper_case_globals,
    dead_code,
    unsafe_op_in_unsafe_fn,
    unused_imports,
    clippy::all,
    clippy::undocumented_unsafe_blocks,
    clippy::indexing_slicing,
    clippy::panic
)]
mod generated {
    include!(concat!(env!("OUT_DIR"), "/bits.rs"));
}

pub use generated::*;

/// The same request, with its bits in the right places.
pub fn request(request: *mut ngx::ffi::ngx_http_request_t) -> *mut ngx_http_request_t {
    request.cast()
}

/// The same buffer, with its bits in the right places.
pub fn buffer(buffer: *mut ngx::ffi::ngx_buf_t) -> *mut ngx_buf_t {
    buffer.cast()
}
