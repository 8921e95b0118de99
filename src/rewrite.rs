//! REWRITE phase: recognise the operation. Where the path does not name the model, the body is read for it, so that
//! `map`, limit_req and access modules see `$bedrock_requested_model`. Nothing is refused here: access control comes first.

use std::any::Any;
use std::borrow::Cow;

use gateway::bedrock::endpoint::Service;
use gateway::request::Purpose;
use gateway::request::{SESSION_ID, is_name, refuse_upgrade};
use gateway::target::{of_decoded_path, of_rewritten};
use gateway::{Api, Refusal, Target, inspect};

use crate::attempt::{Awaited, Stage};
use crate::context::{self, Handle};
use crate::directives::location::LocationConf;
use crate::nginx::ffi::{
    NGX_DECLINED, NGX_DONE, NGX_HTTP_INTERNAL_SERVER_ERROR, ngx_http_request_t,
};
use crate::nginx::guard::{forced, guard};
use crate::nginx::request::Request;
use crate::nginx::task::{Outcome, Waits};
use crate::nginx::{body, headers};
use crate::room::{self, Entry, Share};
use crate::{LARGE_BODY, decode, location_conf, main_conf};

/// The phase handler.
pub fn handler(request: Request) -> isize {
    let conf = location_conf(request);
    // The client has its answer: what post_action calls gets the client's request, wherever that is. The access log, which
    // comes after it, is about that answer.
    if request.is_post_action() {
        if let Some(mut context) = context::find(request) {
            context.step_aside(request);
        }
        return DECLINED;
    }
    // Without proxy_pass nothing is sent on: an error page, a static file.
    let Some(conf) = conf.filter(|conf| conf.is_gateway) else {
        if let Some(mut context) = context::find(request) {
            context.leave(request);
        }
        return DECLINED;
    };
    let Some(mut context) = context::find_or_create(request) else {
        return FAILED;
    };
    match context.attempt.stage.resumed() {
        Some(Awaited::BodyToInspect) => return with_body(request, context, None),
        Some(Awaited::Room(place)) => return with_body(request, context, place.into_share()),
        Some(Awaited::Decoding(decoded)) => {
            return match decode::finish(request, context, &decoded) {
                Ok(()) => with_body(request, context, None),
                Err(refusal) => {
                    context.asked.inspected = Some(Err(refusal));
                    DECLINED
                }
            };
        }
        Some(Awaited::Inspection(found)) => {
            let found = found.take();
            context.asked.inspected = Some(found.unwrap_or_else(|| Err(Refusal::from_status(500))));
            return DECLINED;
        }
        _ => {}
    }
    context.begin(request);
    request.forget_preconditions();
    context.asked.session_id = headers::first(request, SESSION_ID)
        .filter(|id| is_name(id))
        .map(Cow::into_owned);
    let purpose = conf.purpose();
    let target = target(request, purpose);
    let api = purpose.api.unwrap_or_else(|| Api::of(&target));
    let upgrade = headers::first(request, "upgrade");
    let found = match refuse_upgrade(api, upgrade.as_deref()) {
        None => inspect(purpose, request.method(), &target, None),
        Some(refusal) => Err(refusal),
    };
    context.asked.api = Some(api);
    let needs_body = matches!(&found, Ok(found) if found.needs_body());
    let known = context.request().is_some_and(|known| {
        !known.needs_body()
            && known.api == api
            && known.target == Target::read(&target)
            && context.asked.purpose.service == purpose.service
    });
    context.asked.purpose = purpose;
    if needs_body && known {
        // An attempt before this one has read the body.
        return DECLINED;
    }
    context.asked.inspected = Some(found);
    if !needs_body {
        return DECLINED;
    }
    if body::is_read(request) {
        return with_body(request, context, None);
    }
    read_body(request, context, Awaited::BodyToInspect)
}

/// Reads the body; the phase goes on when it is there.
pub fn read_body(request: Request, mut context: Handle, awaited: Awaited) -> isize {
    context.attempt.stage = Stage::Waits(awaited);
    match request.read_body(body_is_read) {
        Ok(()) => DONE,
        Err(status) => status,
    }
}

/// Goes on with the phase that waits.
pub fn resume(request: Request) {
    if let Some(mut context) = context::find(request) {
        context.attempt.stage.arrive();
    }
    request.resume();
}

unsafe extern "C" fn body_is_read(r: *mut ngx_http_request_t) {
    // SAFETY: nginx calls this with the request that asked for its body.
    let request = unsafe { Request::from_raw(r) };
    let resumed = guard(false, || {
        forced(request, "body-is-read");
        resume(request);
        true
    });
    if !resumed {
        // Without this the request would hang.
        request.finalize(FAILED);
    }
}

/// The client's path as it came; the one that `rewrite` made of it, if that names an operation or a dialect.
fn target(request: Request, purpose: Purpose) -> String {
    let is_any = purpose.api == Some(Api::Aws) || purpose.service == Service::Mantle;
    match request.rewritten_path() {
        Some(path) if is_any => {
            let path = of_rewritten(&request.target(), &path);
            match request.args() {
                Some(args) => format!("{path}?{args}"),
                None => path,
            }
        }
        path => path
            .map(|path| of_decoded_path(&path))
            .filter(|path| Api::of(path) != Api::Converse)
            .unwrap_or_else(|| request.target()),
    }
}

/// Looks at the body; `share` is what was waited for to do so.
fn with_body(request: Request, mut context: Handle, share: Option<Share>) -> isize {
    let share = match decode::begin(request, context, share) {
        Ok(decode::Step::Ready(share)) => share,
        Ok(decode::Step::Waits) => return DONE,
        Err(refusal) => {
            context.asked.inspected = Some(Err(refusal));
            return DECLINED;
        }
    };
    let pieces = decode::pieces(request, context);
    let purpose = location_conf(request).map_or_else(Purpose::default, LocationConf::purpose);
    let method = request.method();
    let target = target(request, purpose);
    let look = move || match pieces.read() {
        Ok(body) => inspect(purpose, method, &target, Some(&body)),
        Err(error) => Err(Refusal::misconfigured(format!(
            "the request body's file cannot be read: {error}"
        ))),
    };
    let pieces = decode::pieces(request, context);
    if pieces.len() <= LARGE_BODY && !pieces.in_file() {
        context.asked.inspected = Some(look());
        return DECLINED;
    }
    let worked = in_thread(request, context, pieces.len(), share, look, |found| {
        Awaited::Inspection(found)
    });
    match worked {
        Ok(()) => DONE,
        Err(refusal) => {
            context.asked.inspected = Some(Err(refusal));
            DECLINED
        }
    }
}

/// Has a thread work on a body of `length` bytes, once there is room for it: `share` is what was waited for. The phase goes
/// on when it is done.
///
/// # Errors
/// 500: no thread takes it.
pub fn in_thread<T: Send + 'static>(
    request: Request,
    mut context: Handle,
    length: usize,
    share: Option<Share>,
    work: impl FnOnce() -> T + Send + 'static,
    awaited: impl FnOnce(Outcome<T>) -> Awaited,
) -> Result<(), Refusal> {
    let no_thread = || Refusal::misconfigured(NO_THREAD);
    let main = main_conf(request).ok_or_else(no_thread)?;
    let entry = match share {
        Some(share) => Entry::Now(share),
        None => room::enter(request, length, main.large_bodies()),
    };
    let share = match entry {
        Entry::Now(share) => share,
        Entry::Later(place) => {
            context.attempt.stage = Stage::Waits(Awaited::Room(place));
            request.park();
            return Ok(());
        }
    };
    let held: Option<Box<dyn Any>> = Some(Box::new(share));
    let outcome = main
        .pool
        .and_then(|pool| pool.run(request, Waits::InPhase, held, work, resume));
    context.attempt.stage = Stage::Waits(awaited(outcome.ok_or_else(no_thread)?));
    Ok(())
}

/// For the log, when nginx's thread pool takes no more work.
const NO_THREAD: &str =
    "no thread for a large request body: the thread pool's queue is full (see thread_pool)";

const DECLINED: isize = NGX_DECLINED as isize;
const DONE: isize = NGX_DONE as isize;
/// What ends a request in which something went wrong here.
pub const FAILED: isize = NGX_HTTP_INTERNAL_SERVER_ERROR as isize;
