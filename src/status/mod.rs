//! `bedrock_status`: what goes on, as a page, as JSON, and as metrics. It is put together in a thread.

mod gather;
mod page;

use std::ffi::c_void;

use metrics::{Format, document, text};

use crate::nginx::chain::{Buffers, Output};
use crate::nginx::ffi::{
    NGX_DONE, NGX_ERROR, NGX_HTTP_INTERNAL_SERVER_ERROR, NGX_HTTP_NOT_ALLOWED, NGX_HTTP_NOT_FOUND,
    NGX_OK, ngx_http_request_t, ngx_int_t,
};
use crate::nginx::guard::{forced, guard};
use crate::nginx::request::Request;
use crate::nginx::task::{Outcome, Waits};
use crate::nginx::{headers, is_alone};
use crate::{location_conf, main_conf};
use gather::Gathered;

/// What is asked for, by the end of the path.
#[derive(Clone, Copy)]
enum Wanted {
    Page,
    Metrics(Format),
    Document,
}

/// What goes to the client.
struct Answer {
    content_type: &'static str,
    body: Vec<u8>,
}

/// What is kept for a request, as long as its pool lives.
#[derive(Default)]
struct Kept {
    /// What a thread writes.
    written: Option<Outcome<Answer>>,
    /// What is on its way to the client.
    buffers: Buffers,
}

/// The content handler of a location with `bedrock_status`.
pub unsafe extern "C" fn handler(r: *mut ngx_http_request_t) -> ngx_int_t {
    guard(FAILED, || {
        // SAFETY: nginx calls this with a live request.
        let request = unsafe { Request::from_raw(r) };
        forced(request, "status");
        answer(request)
    })
}

fn answer(request: Request) -> ngx_int_t {
    if !matches!(request.method(), "GET" | "HEAD") {
        return NGX_HTTP_NOT_ALLOWED as ngx_int_t;
    }
    let path = request.path();
    let wanted = match path.rsplit('/').next().unwrap_or_default() {
        "" => Wanted::Page,
        "metrics" => Wanted::Metrics(Format::accepted(&accept(request))),
        "json" => Wanted::Document,
        _ if location_conf(request).is_some_and(|conf| conf.status.as_ref() == Some(&path)) => {
            return to_slash(request, &path);
        }
        _ => return NGX_HTTP_NOT_FOUND as ngx_int_t,
    };
    let discarded = request.discard_body();
    if discarded != OK {
        return discarded;
    }
    let write: fn(Gathered) -> Answer = match wanted {
        Wanted::Page => return send(request, page::answer()),
        Wanted::Metrics(Format::Prometheus) => |gathered| metrics(gathered, Format::Prometheus),
        Wanted::Metrics(Format::OpenMetrics) => |gathered| metrics(gathered, Format::OpenMetrics),
        Wanted::Document => |gathered| Answer {
            content_type: "application/json",
            body: document(&gathered.snapshot()).to_string().into_bytes(),
        },
    };
    let Some(main) = main_conf(request) else {
        return FAILED;
    };
    let Some(gathered) = Gathered::of(main) else {
        return FAILED;
    };
    // A process that is its own master may unmap the memory at any turn of the event loop.
    let Some(pool) = main.pool.filter(|_| !is_alone()) else {
        return send(request, write(gathered));
    };
    let outcome = pool.run(
        request,
        Waits::InPhase,
        None,
        move || write(gathered),
        written,
    );
    let (Some(outcome), Some(kept)) = (outcome, kept(request)) else {
        return FAILED;
    };
    kept.written = Some(outcome);
    request.hold();
    NGX_DONE as ngx_int_t
}

fn metrics(gathered: Gathered, format: Format) -> Answer {
    Answer {
        content_type: format.content_type(),
        body: text(&gathered.snapshot(), format).into_bytes(),
    }
}

fn accept(request: Request) -> String {
    headers::first(request, "accept")
        .unwrap_or_default()
        .into_owned()
}

/// The thread is done.
fn written(request: Request) {
    let outcome = kept(request).and_then(|kept| kept.written.take());
    let result = match outcome.and_then(|outcome| outcome.take()) {
        Some(answer) => send(request, answer),
        None => FAILED,
    };
    request.finalize(result);
}

/// What is kept for the request, from the first time that it is asked for. `None` if there is no memory.
fn kept(request: Request) -> Option<&'static mut Kept> {
    let known = request.left_to_pool(drop_kept).next();
    let data = known.or_else(|| {
        let data: *mut c_void = Box::into_raw(Box::new(Kept::default())).cast();
        let left = request.on_pool_end(drop_kept, data);
        if !left {
            // SAFETY: the box was made above and given to nobody.
            drop(unsafe { Box::from_raw(data.cast::<Kept>()) });
        }
        left.then_some(data)
    });
    // SAFETY: what was left to the pool with this handler is a boxed Kept; it lives as long as the request, and no two uses of it
    // overlap, as each ends before nginx is called.
    data.and_then(|data| unsafe { data.cast::<Kept>().as_mut() })
}

unsafe extern "C" fn drop_kept(data: *mut c_void) {
    guard((), || {
        // SAFETY: the pool calls this once, with the box that was left to it.
        drop(unsafe { Box::from_raw(data.cast::<Kept>()) });
    });
}

fn send(request: Request, answer: Answer) -> ngx_int_t {
    request.set_answer(200, answer.content_type, Some(answer.body.len()));
    request.add_answer_header("Cache-Control", "no-store");
    request.add_answer_header("X-Content-Type-Options", "nosniff");
    request.add_answer_header("Content-Security-Policy", page::policy());
    send_body(request, answer.body)
}

/// The page's own addresses are relative: it stands behind a slash.
fn to_slash(request: Request, path: &str) -> ngx_int_t {
    request.set_answer(301, "text/plain", Some(0));
    request.add_answer_header("Location", &format!("{path}/"));
    send_body(request, Vec::new())
}

/// Sends the header and this behind it.
fn send_body(request: Request, body: Vec<u8>) -> ngx_int_t {
    let sent = request.send_header();
    if sent != OK || request.is_header_only() {
        return sent;
    }
    let filled = kept(request).and_then(|kept| kept.buffers.fill(request, body, true));
    let Some(buffer) = filled else {
        return NGX_ERROR as ngx_int_t;
    };
    let mut output = Output::new(request);
    output.pass(buffer);
    output.send(|chain| request.filter_body(chain))
}

const OK: ngx_int_t = NGX_OK as ngx_int_t;
const FAILED: ngx_int_t = NGX_HTTP_INTERNAL_SERVER_ERROR as ngx_int_t;
