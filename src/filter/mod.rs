//! The answer on its way to the client: header and body filter, chain in -> Relay -> chain out.

mod apart;
mod failure;

use std::time::SystemTime;

use gateway::{End, Flow, Plan, Refusal, Relay, Whole};
use ngx::ffi::{NGX_ERROR, NGX_OK, ngx_chain_t};

use crate::context::{self, Answer, Handle};
use crate::nginx::chain::{self, Buffer, Output};
use crate::nginx::filters::{next_body_filter, next_header_filter};
use crate::nginx::guard::forced;
use crate::nginx::log::Level;
use crate::nginx::request::Request;
use crate::nginx::upstream::{self, Upstream};
use crate::{LARGE_BODY, credentials, location_conf};

/// The header filter.
pub fn header(request: Request) -> isize {
    let known = context::find(request);
    if known.as_ref().is_some_and(|context| context.foreign) {
        return next_header_filter(request);
    }
    forced(request, "header");
    // What the cache keeps is Bedrock's answer, which has to be written in the client's form each time.
    let rewrites = |context: &Handle| context.plan.as_ref().is_some_and(Plan::rewrites_answer);
    let rewrites_cached = request.is_from_cache() && known.as_ref().is_some_and(rewrites);
    // A filter after this one, such as Lua's, may end the answer with an error while Bedrock's is under way.
    let active = Upstream::of(request)
        .filter(|upstream| rewrites_cached || upstream.is_active())
        .filter(|_| !request.is_filter_finalized());
    if active.is_none() && is_error_of_nginx(request) {
        return match context::find_or_create(request) {
            Some(context) => failure::own_error(request, context),
            None => next_header_filter(request),
        };
    }
    let (Some(mut context), Some(upstream)) = (known, active) else {
        // Where error_page led, something else answers: what is known of the failed attempt does not describe it.
        if let Some(mut context) = context::find(request)
            && !request.is_from_cache()
        {
            context.begin_attempt(request);
            context.foreign = true;
        }
        return next_header_filter(request);
    };
    let Some(plan) = &context.plan else {
        return next_header_filter(request);
    };
    check_what_was_sent(request, plan, upstream);
    let relay = plan.relay(
        upstream.status(),
        |name| upstream.header(name),
        SystemTime::now(),
    );
    let id_header = plan.api.request_id_header();
    context.restore_client(request);
    if location_conf(request).is_some_and(|conf| conf.drains()) {
        upstream::read_on_without_client(request);
    }
    let holds = relay.holds() && !request.is_header_only();
    if relay.is_stream() {
        upstream.do_not_buffer();
    }
    request.need_in_memory();
    if let Some(content_type) = relay.rewrites_as() {
        request.set_answer(upstream.status(), content_type, None);
        if relay.is_stream() {
            request.remove_answer_header("Cache-Control");
            request.add_answer_header("Cache-Control", "no-cache");
        }
    }
    if let (Some(name), Some(id)) = (id_header, &relay.facts().request_id) {
        request.add_answer_header(name, id);
    }
    context.relay = Some(relay);
    context.cached = request.is_from_cache();
    if let Some(refusal) = rejected_credentials(request, context) {
        return failure::instead_of_answer(request, context, refusal);
    }
    if holds {
        context.answer = Answer::Held(Vec::new());
        return OK;
    }
    context.answer = Answer::Relay;
    next_header_filter(request)
}

/// AWS says that our credentials have expired: new ones are fetched, and the client learns only that it may try again.
fn rejected_credentials(request: Request, context: Handle) -> Option<Refusal> {
    let used = context.credentials.as_ref()?;
    let exception = context.facts()?.exception.as_deref()?;
    if !EXPIRED.contains(&exception) {
        return None;
    }
    credentials::refresh(used.index);
    request.log(
        Level::Error,
        &format!(
            "bedrock: AWS says that the credentials have expired ({exception}); fetching new ones"
        ),
    );
    Some(Refusal::from_status(502))
}

/// The body filter.
pub fn body(request: Request, input: *mut ngx_chain_t) -> isize {
    let Some(context) = context::find(request) else {
        return next_body_filter(request, input);
    };
    match context.answer {
        Answer::Pass => next_body_filter(request, input),
        Answer::Swallow => {
            swallow(input);
            OK
        }
        Answer::Sent => {
            swallow(input);
            // nginx calls without buffers for what a slow client has not taken yet.
            next_body_filter(request, std::ptr::null_mut())
        }
        Answer::Replace(_) => failure::replace(request, context, input),
        Answer::Writing(_) => apart::go_on(request, context, input),
        Answer::Relay | Answer::Held(_) => relayed(request, context, input),
    }
}

/// Whether nginx, or a phase handler, made this answer out of an error status.
fn is_error_of_nginx(request: Request) -> bool {
    let raised = request.raised_status();
    raised >= 400
        && raised == request.status()
        && location_conf(request).is_some_and(|conf| conf.is_on() && request.has_content_handler())
}

/// Takes all buffers; whether the answer ends in them.
fn swallow(input: *mut ngx_chain_t) -> bool {
    let mut ended = false;
    // SAFETY: nginx gives the filter a live chain, which nothing changes here.
    for buffer in unsafe { chain::buffers(input) } {
        buffer.consume();
        ended |= buffer.ends();
    }
    ended
}

/// What the filter found in one call.
enum Step {
    /// Send what there is.
    Send,
    /// Send what there is, then break the connection.
    Cut,
    /// Send what there is, which ends the answer, and end the upstream.
    Stop,
    /// The held answer is an error.
    Fail(Refusal),
    /// The held answer is whole, and large.
    Write(Whole),
}

fn relayed(request: Request, mut context: Handle, input: *mut ngx_chain_t) -> isize {
    let drains = location_conf(request).is_some_and(|conf| conf.drains());
    if drains && request.client_is_gone() {
        return drain(request, context, input);
    }
    let rewrites = context
        .relay
        .as_ref()
        .is_some_and(|relay| relay.rewrites_as().is_some());
    // SAFETY: nginx gives the filter a live chain.
    if rewrites && !unsafe { context.waiting.add(request, input) } {
        return ERROR;
    }
    loop {
        let mut output = Output::new(request);
        let step = match rewrites {
            true => rewritten(request, context, &mut output),
            false => passed(request, context, input, &mut output),
        };
        note_first_token(request, context);
        match step {
            Step::Fail(refusal) => {
                swallow(input);
                return failure::fail_held(request, context, refusal);
            }
            Step::Write(whole) => return apart::begin(request, context, whole),
            Step::Cut | Step::Stop => complain(request, context),
            Step::Send => {}
        }
        if matches!(context.answer, Answer::Held(_)) {
            return OK;
        }
        let result = output.send(|chain| next_body_filter(request, chain));
        match step {
            Step::Cut => {
                context.answer = Answer::Swallow;
                request.no_keepalive();
                request.set_buffered(false);
                return ERROR;
            }
            Step::Stop => {
                context.answer = Answer::Sent;
                request.set_buffered(false);
                failure::end_upstream(request, context);
                return result;
            }
            Step::Send | Step::Fail(_) | Step::Write(_) => {}
        }
        if drains && request.client_is_gone() {
            if !rewrites {
                // The relay has it already.
                swallow(input);
            }
            return drain(request, context, std::ptr::null_mut());
        }
        // The client may just have taken what it had not: then nothing else would call for what waits.
        if result == ERROR || context.waiting.is_empty() || context.buffers.busy() {
            request.set_buffered(!context.waiting.is_empty());
            return result;
        }
    }
}

/// Bytes that go on as they are: the upstream's own buffers are forwarded.
fn passed(
    request: Request,
    mut context: Handle,
    input: *mut ngx_chain_t,
    output: &mut Output,
) -> Step {
    if input.is_null() {
        // Called to go on with what waits further down.
        return Step::Send;
    }
    let mut unwritten = Vec::new();
    // SAFETY: nginx gives the filter a live chain, which nothing changes here.
    for buffer in unsafe { chain::buffers(input) } {
        let bytes = buffer.bytes();
        let mut cut = None;
        match push(context, bytes, &mut unwritten) {
            Flow::Hold => {
                if let Answer::Held(held) = &mut context.answer {
                    held.extend_from_slice(bytes);
                }
            }
            Flow::Go => {}
            Flow::Fail(refusal) => return Step::Fail(refusal),
            Flow::Cut(intact) => cut = Some(intact),
            // Only what writes the answer anew can tell of its failure.
            Flow::Stop => cut = Some(0),
        }
        if cut.is_none() && ends(request, buffer) {
            match finish(context, buffer.ends(), &mut unwritten) {
                End::Clean => {}
                End::Cut => cut = Some(bytes.len()),
                End::Fail(refusal) => return Step::Fail(refusal),
            }
        }
        if cut.is_none() && holds(context) {
            // Kept for later, or the flush that nginx sends before the first bytes.
            buffer.consume();
            continue;
        }
        if !release(request, context, output) {
            return Step::Cut;
        }
        match cut {
            None => output.pass(buffer),
            Some(intact) => {
                buffer.truncate(intact);
                if intact > 0 {
                    output.pass(buffer.without_end());
                }
                return Step::Cut;
            }
        }
    }
    complain(request, context);
    Step::Send
}

/// Bytes that go on in another form, from buffers of our own, as fast as the client takes them: while it has not taken what
/// was written before, what comes waits.
fn rewritten(request: Request, mut context: Handle, output: &mut Output) -> Step {
    if context.buffers.busy() {
        return Step::Send;
    }
    let mut written = context.buffers.vacant();
    let (mut cut, mut last, mut stop) = (false, false, false);
    while !cut
        && !stop
        && let Some(buffer) = context.waiting.take(request)
    {
        match push(context, buffer.bytes(), &mut written) {
            Flow::Hold | Flow::Go => {}
            Flow::Fail(refusal) => return Step::Fail(refusal),
            Flow::Cut(_) => cut = true,
            Flow::Stop => stop = true,
        }
        let ends = ends(request, buffer);
        buffer.consume();
        if !cut && !stop && ends {
            // Who asked for a subrequest may take its answer as soon as the upstream has ended.
            if buffer.ends()
                && request.is_main()
                && let Some(whole) = take_large(context)
            {
                return Step::Write(whole);
            }
            match finish(context, buffer.ends(), &mut written) {
                End::Clean => last = true,
                End::Cut => cut = true,
                End::Fail(refusal) => return Step::Fail(refusal),
            }
        }
    }
    if !holds(context) && !give(request, context, written, last || stop, output) {
        cut = true;
    }
    if cut {
        return Step::Cut;
    }
    if stop {
        return Step::Stop;
    }
    complain(request, context);
    Step::Send
}

fn push(mut context: Handle, bytes: &[u8], written: &mut Vec<u8>) -> Flow {
    match &mut context.relay {
        Some(relay) if !bytes.is_empty() => relay.push(bytes, written),
        Some(relay) if relay.holds() => Flow::Hold,
        _ => Flow::Go,
    }
}

fn finish(mut context: Handle, clean: bool, written: &mut Vec<u8>) -> End {
    match &mut context.relay {
        Some(relay) => relay.finish(clean, written),
        None => End::Clean,
    }
}

/// An answer that is whole now and would hold up the event loop.
fn take_large(mut context: Handle) -> Option<Whole> {
    let relay = context.relay.as_mut()?;
    relay.take_whole(LARGE_BODY)
}

fn holds(context: Handle) -> bool {
    context.relay.as_ref().is_some_and(Relay::holds)
}

/// Whether the upstream has ended with this buffer: cleanly, or, as the only sign of a broken connection, with an empty one
/// that flushes after nginx has given up the upstream. Content that flushes may have waited here since before that.
fn ends(request: Request, buffer: Buffer) -> bool {
    let broke = || {
        !request.is_from_cache()
            && Upstream::of(request).is_some_and(|upstream| !upstream.is_active())
    };
    buffer.ends() || (buffer.flushes() && buffer.bytes().is_empty() && broke())
}

/// Gives on what was written; `last`: it is the end. False if that failed.
fn give(
    request: Request,
    mut context: Handle,
    written: Vec<u8>,
    last: bool,
    output: &mut Output,
) -> bool {
    if last && matches!(context.answer, Answer::Held(_)) {
        request.set_answer_length(written.len());
    }
    if !release(request, context, output) {
        return false;
    }
    if written.is_empty() && !last {
        return true;
    }
    match context.buffers.fill(request, written, last) {
        Some(buffer) => {
            output.pass(buffer);
            true
        }
        None => false,
    }
}

/// Lets the held header go, and the bytes that came with it. False if that failed.
fn release(request: Request, mut context: Handle, output: &mut Output) -> bool {
    let Answer::Held(held) = &mut context.answer else {
        return true;
    };
    let held = std::mem::take(held);
    context.answer = Answer::Relay;
    let result = next_header_filter(request);
    if result == ERROR || result > OK {
        return false;
    }
    if !held.is_empty() {
        match context.buffers.fill(request, held, false) {
            Some(buffer) => output.pass(buffer),
            None => return false,
        }
    }
    true
}

/// Reads the rest for its usage, now that nobody waits for it.
fn drain(request: Request, mut context: Handle, input: *mut ngx_chain_t) -> isize {
    if !context.draining {
        context.draining = true;
        request.log(
            Level::Info,
            "bedrock: the client went away, the answer is read on for its usage",
        );
    }
    // SAFETY: nginx gives the filter a live chain; what waits was copied from such.
    unsafe {
        if !context.waiting.add(request, input) {
            return ERROR;
        }
    }
    let mut unread = Vec::new();
    while let Some(buffer) = context.waiting.take(request) {
        push(context, buffer.bytes(), &mut unread);
        let ends = ends(request, buffer);
        buffer.consume();
        if ends {
            finish(context, buffer.ends(), &mut unread);
        }
        unread.clear();
    }
    request.set_buffered(false);
    if let Some(upstream) = Upstream::of(request) {
        upstream.discard_unsent();
    }
    note_first_token(request, context);
    complain(request, context);
    OK
}

fn note_first_token(request: Request, mut context: Handle) {
    if context.time_to_first_token.is_none()
        && context.facts().is_some_and(|facts| facts.content_started)
    {
        context.time_to_first_token = Some(request.age());
    }
}

/// One line in the error log for a stream that failed.
fn complain(request: Request, mut context: Handle) {
    let Some(line) = context.relay.as_mut().and_then(Relay::complaint) else {
        return;
    };
    let model = context
        .plan
        .as_ref()
        .and_then(|plan| plan.model.as_deref())
        .unwrap_or("-");
    request.log(Level::Error, &format!("bedrock: {line}, model {model}"));
}

/// Says in the error log if the request that left was not the one that was signed.
fn check_what_was_sent(request: Request, plan: &gateway::Plan, upstream: Upstream) {
    let Some(head) = upstream.sent_head() else {
        return;
    };
    let head = String::from_utf8_lossy(head);
    let mut lines = head.split("\r\n");
    let sent_target = lines.next().and_then(|line| line.split(' ').nth(1));
    let sent_host = lines
        .filter_map(|line| line.split_once(": "))
        .find(|(name, _)| name.eq_ignore_ascii_case("host"))
        .map(|(_, host)| host);
    if sent_host != Some(plan.host.as_str()) {
        request.log(
            Level::Error,
            &format!(
                "bedrock: the Host sent ({}) is not the one that was signed ({}): include bedrock_params in this \
                 location; its own proxy_set_header drops those of the level above",
                sent_host.unwrap_or("none").escape_debug(),
                plan.host
            ),
        );
    }
    if sent_target != Some(plan.target.as_str()) {
        request.log(
            Level::Error,
            "bedrock: the path sent is not the one that was signed: give proxy_pass no path, not even \"/\", after the \
             host",
        );
    }
}

const EXPIRED: [&str; 2] = ["ExpiredTokenException", "ExpiredToken"];
const OK: isize = NGX_OK as isize;
const ERROR: isize = NGX_ERROR as isize;
