//! nginx's error log.

use super::ffi::{
    NGX_LOG_ALERT, NGX_LOG_EMERG, NGX_LOG_ERR, NGX_LOG_INFO, NGX_LOG_NOTICE, NGX_LOG_WARN,
    ngx_cycle, ngx_int_t, ngx_log_error_core, ngx_log_t, ngx_str_t, ngx_uint_t,
};

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// nginx cannot start with this.
    Emerg,
    /// Something is broken in this module.
    Alert,
    /// The administrator should know.
    Error,
    /// It may be meant.
    Warn,
    /// All is well, and worth knowing.
    Notice,
    /// For those who look closer.
    Info,
}

/// Writes a line to a log.
///
/// # Safety
/// `log` is null or a live `ngx_log_t`.
pub unsafe fn write(log: *mut ngx_log_t, level: Level, message: &str) {
    let level = match level {
        Level::Emerg => NGX_LOG_EMERG,
        Level::Alert => NGX_LOG_ALERT,
        Level::Error => NGX_LOG_ERR,
        Level::Warn => NGX_LOG_WARN,
        Level::Notice => NGX_LOG_NOTICE,
        Level::Info => NGX_LOG_INFO,
    };
    // SAFETY: as promised by the caller.
    unsafe { write_at(log, level.into(), message) }
}

/// Writes to the log of the process, outside of any request.
pub fn cycle_log(level: Level, message: &str) {
    // SAFETY: ngx_cycle is set before any module code runs and only the main thread changes it.
    unsafe {
        if let Some(cycle) = ngx_cycle.as_ref() {
            write(cycle.log, level, message);
        }
    }
}

/// That log, for events that belong to no request.
pub fn cycle_log_of() -> *mut ngx_log_t {
    // SAFETY: as above.
    unsafe {
        ngx_cycle
            .as_ref()
            .map_or(std::ptr::null_mut(), |cycle| cycle.log)
    }
}

/// # Safety
/// `log` is null or a live `ngx_log_t`.
unsafe fn write_at(log: *mut ngx_log_t, level: u64, message: &str) {
    let Ok(level) = ngx_uint_t::try_from(level) else {
        return;
    };
    let mut text = ngx_str_t {
        len: message.len(),
        data: message.as_ptr().cast_mut(),
    };
    // SAFETY: the format takes one ngx_str_t*, which outlives the call and is only read.
    unsafe {
        if !log.is_null() && (*log).log_level >= level {
            ngx_log_error_core(
                level,
                log,
                0 as ngx_int_t as _,
                c"%V".as_ptr(),
                &raw mut text,
            );
        }
    }
}
