//! The answer on its way to the client: header and body filter, chain in -> Relay -> chain out.

mod apart;
mod broken;
mod failure;
mod header;
mod ping;

use gateway::{End, Flow, Refusal, Relay, Whole};

use crate::attempt::Stage;
use crate::context::{self, Handle};
use crate::directives::MainConf;
use crate::nginx::chain::{self, Buffer, Output};
use crate::nginx::ffi::{NGX_ERROR, NGX_OK, ngx_chain_t};
use crate::nginx::filters::{next_body_filter, next_header_filter};
use crate::nginx::log::Level;
use crate::nginx::request::Request;
use crate::nginx::upstream::Upstream;
use crate::{LARGE_BODY, admit, location_conf, main_conf};
pub use header::header;

/// The body filter.
pub fn body(request: Request, input: *mut ngx_chain_t) -> isize {
    let Some(context) = context::find(request) else {
        return next_body_filter(request, input);
    };
    // A filter below adds to what it is given now, as `addition` does.
    if context.sending > 0 {
        return next_body_filter(request, input);
    }
    match context.attempt.stage {
        Stage::None
        | Stage::Phases
        | Stage::Waits(_)
        | Stage::Arrived(_)
        | Stage::Refused(_)
        | Stage::Local(_)
        | Stage::Called => next_body_filter(request, input),
        Stage::Dropped => {
            swallow(input);
            OK
        }
        Stage::Sent => {
            swallow(input);
            // nginx calls without buffers for what a slow client has not taken yet.
            next_body_filter(request, std::ptr::null_mut())
        }
        Stage::Replaced(_) => failure::replace(request, context, input),
        Stage::Writing(_) => apart::go_on(request, context, input),
        Stage::Drains => drain(request, context, input),
        Stage::Flows | Stage::Held(_) => relayed(request, context, input),
    }
}

/// Gives a chain to the filters below.
fn send_down(request: Request, mut context: Handle, output: Output) -> isize {
    context.sending += 1;
    let result = output.send(|chain| next_body_filter(request, chain));
    context.sending -= 1;
    result
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
        .attempt
        .relay()
        .is_some_and(|relay| relay.rewrites_as().is_some());
    // SAFETY: nginx gives the filter a live chain.
    if rewrites && !unsafe { context.attempt.waiting.add(request, input) } {
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
            Step::Cut => {
                complain(request, context);
                context.attempt.stage = Stage::Dropped;
                request.no_keepalive();
                request.set_buffered(false);
                send_down(request, context, output);
                return ERROR;
            }
            Step::Stop => {
                complain(request, context);
                context.attempt.stage = Stage::Sent;
                request.set_buffered(false);
                failure::end_upstream(request, context);
                return send_down(request, context, output);
            }
            Step::Send => {}
        }
        if matches!(context.attempt.stage, Stage::Held(_)) {
            return OK;
        }
        let result = send_down(request, context, output);
        if drains && request.client_is_gone() {
            if !rewrites {
                // The relay has it already.
                swallow(input);
            }
            return drain(request, context, std::ptr::null_mut());
        }
        // The client may just have taken what it had not: then nothing else would call for what waits.
        if result == ERROR || context.attempt.waiting.is_empty() || context.buffers.busy() {
            request.set_buffered(!context.attempt.waiting.is_empty());
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
    // SAFETY: nginx gives the filter a live chain, which nothing changes here.
    for buffer in unsafe { chain::buffers(input) } {
        let bytes = buffer.bytes();
        let mut before = Vec::new();
        let (mut passing, mut cut) = (bytes.len(), false);
        match push(context, bytes, &mut before) {
            Flow::Hold | Flow::Go => {}
            Flow::Keep(length) => passing = length,
            Flow::Fail(refusal) => return Step::Fail(refusal),
            Flow::Cut(intact) => (passing, cut) = (intact, true),
            // Only what writes the answer anew can tell of its failure.
            Flow::Stop => (passing, cut) = (0, true),
        }
        if !cut && ends(request, buffer) {
            match finish(context, main_conf(request), buffer.ends(), &mut before) {
                End::Clean => {}
                End::Cut => cut = true,
                End::Fail(refusal) => return Step::Fail(refusal),
            }
        }
        if !cut && holds(context) {
            // Kept for later, or the flush that nginx sends before the first bytes.
            if let Stage::Held(held) = &mut context.attempt.stage {
                held.extend_from_slice(bytes);
            }
            buffer.consume();
            continue;
        }
        let given = release(request, context, output) && add(request, context, before, output);
        if !given {
            return Step::Cut;
        }
        let all = passing == bytes.len();
        buffer.truncate(passing);
        match cut {
            true if passing > 0 => output.pass(buffer.without_end()),
            false if passing > 0 || all => output.pass(buffer),
            _ => {}
        }
        if cut {
            return Step::Cut;
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
        && let Some(buffer) = context.attempt.waiting.take(request)
    {
        match push(context, buffer.bytes(), &mut written) {
            Flow::Hold | Flow::Go | Flow::Keep(_) => {}
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
            match finish(context, main_conf(request), buffer.ends(), &mut written) {
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
    match context.attempt.relay_mut() {
        Some(relay) if !bytes.is_empty() => relay.push(bytes, written),
        Some(relay) if relay.holds() => Flow::Hold,
        _ => Flow::Go,
    }
}

fn finish(
    mut context: Handle,
    main: Option<&'static MainConf>,
    clean: bool,
    written: &mut Vec<u8>,
) -> End {
    let end = match context.attempt.relay_mut() {
        Some(relay) => relay.finish(clean, written),
        None => End::Clean,
    };
    // A subrequest is logged before its main request ends.
    if !context.is_of_main() {
        admit::settle(&mut context, main);
    }
    end
}

/// An answer that is whole now and would hold up the event loop.
fn take_large(mut context: Handle) -> Option<Whole> {
    let relay = context.attempt.relay_mut()?;
    relay.take_whole(LARGE_BODY)
}

fn holds(context: Handle) -> bool {
    context.attempt.relay().is_some_and(Relay::holds)
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
    if last && matches!(context.attempt.stage, Stage::Held(_)) {
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
            ping::spoke(context);
            output.pass(buffer);
            true
        }
        None => false,
    }
}

/// Lets the held header go, and the bytes that came with it. False if that failed.
fn release(request: Request, mut context: Handle, output: &mut Output) -> bool {
    let Stage::Held(held) = &mut context.attempt.stage else {
        return true;
    };
    let held = std::mem::take(held);
    context.attempt.stage = Stage::Flows;
    let result = next_header_filter(request);
    if result == ERROR || result > OK {
        return false;
    }
    add(request, context, held, output)
}

/// Gives on bytes that waited here. False if that failed.
fn add(request: Request, mut context: Handle, bytes: Vec<u8>, output: &mut Output) -> bool {
    if bytes.is_empty() {
        return true;
    }
    match context.buffers.fill(request, bytes, false) {
        Some(buffer) => {
            output.pass(buffer);
            true
        }
        None => false,
    }
}

/// Reads the rest for its usage, now that nobody waits for it.
fn drain(request: Request, mut context: Handle, input: *mut ngx_chain_t) -> isize {
    if !matches!(context.attempt.stage, Stage::Drains) {
        context.attempt.stage = Stage::Drains;
        request.log(
            Level::Info,
            "bedrock: the client went away, the answer is read on for its usage",
        );
    }
    // SAFETY: nginx gives the filter a live chain; what waits was copied from such.
    unsafe {
        if !context.attempt.waiting.add(request, input) {
            return ERROR;
        }
    }
    let mut unread = Vec::new();
    while let Some(buffer) = context.attempt.waiting.take(request) {
        push(context, buffer.bytes(), &mut unread);
        let ends = ends(request, buffer);
        buffer.consume();
        if ends {
            finish(context, main_conf(request), buffer.ends(), &mut unread);
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
    if context.attempt.time_to_first_token.is_none()
        && context
            .attempt
            .facts()
            .is_some_and(|facts| facts.content_started)
    {
        context.attempt.time_to_first_token = Some(request.age());
    }
}

/// One line in the error log for a stream that failed.
fn complain(request: Request, mut context: Handle) {
    let Some(line) = context.attempt.relay_mut().and_then(Relay::complaint) else {
        return;
    };
    let model = context
        .attempt
        .plan
        .as_ref()
        .and_then(|plan| plan.model.as_deref())
        .unwrap_or("-");
    request.log(Level::Error, &format!("bedrock: {line}, model {model}"));
}

const OK: isize = NGX_OK as isize;
const ERROR: isize = NGX_ERROR as isize;
