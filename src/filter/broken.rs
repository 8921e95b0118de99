//! A body that nginx cannot read, such as one with a broken chunk. nginx ends the request then without a word to its filters: a
//! client whose header was held gets nothing, and the log says 200. So such a body is taken for a connection that broke.

use std::ffi::c_void;

use super::{ERROR, OK};
use crate::context::{self, Handle};
use crate::nginx::guard::{forced, guard};
use crate::nginx::request::Request;
use crate::nginx::upstream::Upstream;

/// Has nginx go on when it cannot read the body, as it does when a connection breaks.
pub fn watch(mut context: Handle, upstream: Upstream) {
    if context.attempt.reader.begin.is_none() {
        context.attempt.reader.begin = upstream.replace_begin(begin);
    }
}

/// nginx chooses how the body is read when it has sent the header.
unsafe extern "C" fn begin(data: *mut c_void) -> isize {
    guard(ERROR, || {
        // SAFETY: `replace_begin` has made sure that this is the live request.
        let request = unsafe { Request::from_raw(data.cast()) };
        forced(request, "body-begins");
        let Some(mut context) = context::find(request) else {
            return ERROR;
        };
        let Some(original) = context.attempt.reader.begin else {
            return ERROR;
        };
        // SAFETY: it is what stood in the place of this function.
        let result = unsafe { original(data) };
        if result == OK
            && let Some(upstream) = Upstream::of(request)
        {
            context.attempt.reader.read = upstream.replace_read(read);
        }
        result
    })
}

/// Reads what came of the body.
unsafe extern "C" fn read(data: *mut c_void, bytes: isize) -> isize {
    guard(ERROR, || {
        // SAFETY: as above.
        let request = unsafe { Request::from_raw(data.cast()) };
        let original = context::find(request).and_then(|context| context.attempt.reader.read);
        let Some(original) = original else {
            return ERROR;
        };
        // SAFETY: it is what stood in the place of this function.
        let result = unsafe { original(data, bytes) };
        if result == ERROR
            && let Some(upstream) = Upstream::of(request)
        {
            upstream.set_broken();
            return OK;
        }
        result
    })
}
