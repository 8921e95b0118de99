//! Safe faces of raw nginx things. Nothing here decides anything about Bedrock.

pub mod answer;
pub mod balancer;

pub mod body;
pub mod chain;
pub mod commands;
pub mod conf;
#[cfg(feature = "forced-deaths")]
pub mod deaths;
pub mod environment;
pub mod ffi;
pub mod filters;
pub mod guard;
pub mod headers;
pub mod lives;
pub mod log;
pub mod lookup;
pub mod memory;
pub mod outgoing;
pub mod peers;
pub mod posted;
pub mod request;
pub mod robust;
pub mod running;
pub mod shared;
#[cfg(not(feature = "linked-by-nginx"))]
pub mod table;
pub mod task;
pub mod timer;
pub mod upstream;
pub mod upstream_block;
pub mod value;
pub mod wakeup;
pub mod workers;
pub mod zone;

use ffi::ngx_str_t;

/// The bytes of an nginx string. Empty ones have null pointers, from which no slice may be made.
pub fn bytes(string: &ngx_str_t) -> &[u8] {
    if string.data.is_null() || string.len == 0 {
        return &[];
    }
    // SAFETY: a non-null ngx_str_t points at len readable bytes, which live as long as whatever holds it.
    unsafe { std::slice::from_raw_parts(string.data, string.len) }
}

/// Whether this worker speaks for all, where each would say the same.
pub fn is_first_worker() -> bool {
    // SAFETY: nginx sets it before it starts a worker's modules.
    unsafe { ffi::ngx_worker == 0 }
}

/// Whether this process has no siblings: it is its own master (`master_process off`).
pub fn is_alone() -> bool {
    // SAFETY: nginx sets it when the process begins.
    unsafe { ffi::ngx_process == ffi::NGX_PROCESS_SINGLE as usize }
}

/// A directory that nginx keeps files in.
pub fn directory(path: *const ffi::ngx_path_t) -> Option<String> {
    // SAFETY: paths are part of the configuration, which outlives its requests.
    let path = unsafe { path.as_ref()? };
    std::str::from_utf8(bytes(&path.name))
        .ok()
        .map(str::to_owned)
}
