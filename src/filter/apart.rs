//! A large answer that has to be whole before it is written in the client's form: a thread does that.

use std::sync::Arc;

use gateway::{Refusal, Whole};

use super::{ERROR, OK, failure, give, send_down, swallow};
use crate::attempt::Stage;
use crate::context::Handle;
use crate::main_conf;
use crate::nginx::chain::Output;
use crate::nginx::ffi::ngx_chain_t;
use crate::nginx::request::Request;
use crate::nginx::task::Waits;

/// Has a thread write the answer. The filter is called again when it is done.
pub fn begin(request: Request, mut context: Handle, whole: Whole) -> isize {
    let whole = Arc::new(whole);
    let work = {
        let whole = Arc::clone(&whole);
        move || whole.write()
    };
    let pool = main_conf(request).and_then(|main| main.pool);
    let writing = pool
        .and_then(|pool| pool.run(request, Waits::InFilter, None, work, Request::go_on_writing));
    if let Some(written) = writing {
        context.attempt.stage = Stage::Writing(written);
        request.set_buffered(true);
        return OK;
    }
    // The threads' queue is full: the answer has been paid for, so it is written here.
    finish(request, context, whole.write())
}

/// Sends what the thread has written, once it is done.
pub fn go_on(request: Request, context: Handle, input: *mut ngx_chain_t) -> isize {
    swallow(input);
    let Stage::Writing(written) = &context.attempt.stage else {
        return OK;
    };
    if request.has_thread() {
        return OK;
    }
    let written = written.take();
    request.set_buffered(false);
    let written = written.unwrap_or_else(|| Err(Refusal::from_status(500)));
    finish(request, context, written)
}

fn finish(request: Request, mut context: Handle, written: Result<Vec<u8>, Refusal>) -> isize {
    context.attempt.stage = Stage::Held(Vec::new());
    let written = match written {
        Ok(written) => written,
        Err(refusal) => return failure::fail_held(request, context, refusal),
    };
    let mut output = Output::new(request);
    if !give(request, context, written, true, &mut output) {
        return ERROR;
    }
    send_down(request, context, output)
}
