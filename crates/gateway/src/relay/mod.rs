//! An answer on its way from Bedrock to the client.

mod collected;
mod events;
mod frames;
mod kept;
mod screened;
mod unreadable;

use std::time::{SystemTime, UNIX_EPOCH};

use crate::bedrock::{Operation, VendorApi, exception};
use crate::dialect::native::stream::Corrupt;
use crate::dialect::{Meta, Reply, native};
use crate::facts::{Facts, StreamStatus, Wanted};
use crate::family::Shape;
use crate::refusal::Refusal;
use collected::Collected;
pub use collected::Whole;
use events::Events;
use frames::Frames;
use screened::Screened;
use unreadable::Unreadable;

/// What the plan already knows of the answer.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub operation: Operation,
    pub reply: Reply,
    pub shape: Shape,
    pub max_frame_size: usize,
    pub wanted: Wanted,
    pub hold: bool,
    /// What a good answer is billed by, as far as the request tells it.
    pub search_units: Option<u64>,
    /// Whose events server-sent events are.
    pub events: Option<VendorApi>,
    /// Whether a model works on the request, so that a usage in the answer to any [`Operation::Other`] was not told before.
    pub spends: bool,
    /// Whether the gateway authorized the request, so that what AWS says of that is not for the client.
    pub own: bool,
}

/// Follows one answer: reads its facts, and where the client speaks another form, writes it in that.
#[derive(Debug)]
pub struct Relay {
    facts: Facts,
    form: Form,
    /// Why the stream was called corrupt; for the log.
    fault: Option<Corrupt>,
    complained: bool,
    /// What AWS said of the gateway in a stream; for the log.
    verdict: Option<String>,
}

#[derive(Debug)]
enum Form {
    /// An event stream.
    Frames(Box<Frames>),
    /// Server-sent events, whose bytes pass as they are.
    Events(Events),
    /// Any other answer to who authorized the request itself: its bytes pass as they are.
    Passed(native::response::Observer),
    /// Any other answer, whose bytes pass as they are once it is sure that they may.
    Screened(Screened),
    /// An answer that cannot be read, though the gateway has to.
    Unreadable(Unreadable),
    /// Any other answer, which has to be whole before it can be written in the client's form.
    Collected(Box<Collected>),
}

/// What becomes of the bytes that were pushed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Flow {
    /// Keep them and the header back: the first frame is not whole yet.
    Hold,
    /// Send them (or what was written for them).
    Go,
    /// Send the first so many of them. The rest is kept here, until it is known that the client may have it.
    Keep(usize),
    /// Send this error instead of the answer. Only while holding.
    Fail(Refusal),
    /// Send the first so many of them (or what was written), then cut the connection: nothing after can be trusted.
    Cut(usize),
    /// Send what was written, which tells the client that the answer failed, and end it: nothing after can be trusted.
    Stop,
}

/// How the answer ends for the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// As a whole one does.
    Clean,
    /// With the connection cut: something is missing, and a clean end would hide it.
    Cut,
    /// With this error instead of the answer. Only while holding.
    Fail(Refusal),
}

impl Relay {
    pub(crate) fn new(
        answer: &Answer,
        status: u16,
        header: impl Fn(&str) -> Option<String>,
        now: SystemTime,
    ) -> Self {
        let content_type = header("content-type").unwrap_or_default();
        let coding = header("content-encoding").filter(|coding| unreadable::is_coded(coding));
        let facts = Facts {
            search_units: answer.search_units.filter(|_| status < 300),
            ..facts_of_headers(status, header)
        };
        let is_any = answer.operation == Operation::Other;
        let may_stream = is_any || answer.operation.streams();
        let is_stream = status == 200 && may_stream && content_type.starts_with(EVENT_STREAM);
        let has_events = status == 200 && content_type.starts_with(SERVER_SENT_EVENTS);
        let observer = || {
            native::response::Observer::new(answer.operation, status >= 300, answer.wanted.text)
                .with_usage_that_is(answer.spends)
        };
        let meta = meta(&facts, now);
        let expected = status < 300 && !answer.operation.streams();
        let form = if answer.own
            && let Some(coding) = coding
        {
            Form::Unreadable(Unreadable::new(status, coding))
        } else if let Some(api) = answer.events.filter(|_| has_events) {
            Form::Events(Events::new(api, answer))
        } else if is_stream {
            Form::Frames(Box::new(Frames::new(answer, &meta)))
        } else if answer.reply.rewrites_whole(answer.shape, expected) {
            Form::Collected(Box::new(Collected::new(
                answer,
                observer(),
                meta,
                status,
                expected,
            )))
        } else if is_any && status < 300 && !is_json(&content_type) {
            // AWS's errors are JSON, and this may be a stream of any kind.
            Form::Passed(observer())
        } else if answer.own {
            Form::Screened(Screened::new(observer(), status))
        } else {
            Form::Passed(observer())
        };
        Self {
            facts,
            form,
            fault: None,
            complained: false,
            verdict: None,
        }
    }

    /// What is known so far.
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// Whether this is an event stream.
    pub fn is_stream(&self) -> bool {
        matches!(self.form, Form::Frames(_) | Form::Events(_))
    }

    /// Whether the header waits: for the first frame, or for an answer that must be whole.
    pub fn holds(&self) -> bool {
        match &self.form {
            Form::Frames(frames) => frames.holds(),
            Form::Events(events) => events.holds(),
            Form::Passed(_) => false,
            Form::Screened(screened) => screened.holds(),
            Form::Unreadable(_) => true,
            Form::Collected(collected) => collected.holds(),
        }
    }

    /// The content type of what is written instead of the upstream's bytes; `None`: those bytes pass as they are.
    pub fn rewrites_as(&self) -> Option<&'static str> {
        match &self.form {
            Form::Frames(frames) => frames.rewrites().then_some("text/event-stream"),
            Form::Events(events) => events.rewrites().then_some("text/event-stream"),
            Form::Passed(_) | Form::Screened(_) | Form::Unreadable(_) => None,
            Form::Collected(collected) => Some(collected.content_type()),
        }
    }

    /// Takes the next bytes from upstream. Where they go on in another form, appends that to `out`; where they pass as they are,
    /// what was kept of earlier ones and goes in front of them.
    pub fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Flow {
        self.facts.bytes = self.facts.bytes.saturating_add(bytes.len() as u64);
        match &mut self.form {
            Form::Frames(frames) => {
                let mut log = Log {
                    fault: &mut self.fault,
                    verdict: &mut self.verdict,
                };
                frames.push(bytes, &mut self.facts, &mut log, out)
            }
            Form::Events(events) => {
                let mut log = Log {
                    fault: &mut self.fault,
                    verdict: &mut self.verdict,
                };
                events.push(bytes, &mut self.facts, &mut log, out)
            }
            Form::Passed(observer) => {
                observer.push(bytes, &mut self.facts);
                Flow::Go
            }
            Form::Screened(screened) => screened.push(bytes, &mut self.facts),
            Form::Unreadable(unreadable) => Flow::Fail(unreadable.refusal(&self.facts)),
            Form::Collected(collected) => collected.push(bytes, &mut self.facts),
        }
    }

    /// Nothing was written for a while: writes that the stream is alive, in a client's form that has a way to say so. The header
    /// waits no longer then, and what fails afterwards is an error in the stream. False if nothing more is to be said.
    pub fn ping(&mut self, out: &mut Vec<u8>) -> bool {
        match &mut self.form {
            Form::Frames(frames) if self.facts.stream.is_none() => frames.ping(out),
            Form::Events(events) if self.facts.stream.is_none() => events.ping(out),
            _ => false,
        }
    }

    /// The upstream has ended: `clean`, or because the connection to it broke.
    pub fn finish(&mut self, clean: bool, out: &mut Vec<u8>) -> End {
        match &mut self.form {
            Form::Frames(frames) => frames.finish(clean, &mut self.facts, &mut self.fault, out),
            Form::Events(events) => events.finish(clean, &mut self.facts, out),
            Form::Passed(_) if clean => End::Clean,
            Form::Passed(_) => End::Cut,
            Form::Screened(screened) => screened.finish(clean, &self.facts),
            Form::Unreadable(unreadable) => End::Fail(unreadable.refusal(&self.facts)),
            Form::Collected(collected) => collected.finish(clean, &self.facts, out),
        }
    }

    /// The upstream has ended cleanly, with an answer that has to be whole and has more than `size` bytes: takes it out, to be
    /// written where that holds nobody up. What comes of it is the answer; there is nothing to [`Relay::finish`] then.
    pub fn take_whole(&mut self, size: usize) -> Option<Whole> {
        match &mut self.form {
            Form::Collected(collected) => collected.take(size, &self.facts),
            _ => None,
        }
    }

    /// The client went away. If the rest was `drained` and whole, its counts are final.
    pub fn client_left(&mut self, drained: bool) {
        if !self.is_stream() {
            return;
        }
        match self.facts.stream {
            None => self.facts.stream = Some(StreamStatus::Aborted),
            Some(StreamStatus::Complete) if drained => {
                self.facts.stream = Some(StreamStatus::Drained);
            }
            Some(_) => {}
        }
    }

    /// A line for the error log when the stream failed, once; never holds anything of its content.
    pub fn complaint(&mut self) -> Option<String> {
        if self.complained {
            return None;
        }
        let status = self.facts.stream?;
        let what = match status {
            StreamStatus::Exception => self.facts.exception.clone().unwrap_or_default(),
            StreamStatus::Corrupt => self
                .fault
                .map_or_else(String::new, |fault| fault.to_string()),
            StreamStatus::Truncated => "the upstream ended it early".to_owned(),
            _ => return None,
        };
        self.complained = true;
        let verdict = self.verdict.as_ref();
        Some(format!(
            "{}stream {}: {}, request id {}, {} bytes seen",
            verdict.map_or_else(String::new, |verdict| format!("{verdict}; ")),
            status.as_str(),
            what.escape_debug(),
            self.facts
                .request_id
                .as_deref()
                .unwrap_or("-")
                .escape_debug(),
            self.facts.bytes
        ))
    }
}

/// `application/json`, `application/x-amz-json-1.1`, or nothing at all, which may be either.
fn is_json(content_type: &str) -> bool {
    content_type.is_empty() || content_type.to_ascii_lowercase().contains("json")
}

/// What the error log is told of a stream.
#[derive(Debug)]
struct Log<'l> {
    fault: &'l mut Option<Corrupt>,
    verdict: &'l mut Option<String>,
}

fn meta(facts: &Facts, now: SystemTime) -> Meta {
    let now = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    let id = facts.request_id.as_ref().filter(|id| id.is_ascii());
    Meta {
        id: id.map_or_else(|| format!("{:x}", now.as_nanos()), Clone::clone),
        created: now.as_secs(),
        input_tokens: facts.input_tokens,
        search_units: facts.search_units,
    }
}

fn broken(message: &'static str) -> Refusal {
    Refusal::new(502, "InternalServerException", message)
}

fn facts_of_headers(status: u16, header: impl Fn(&str) -> Option<String>) -> Facts {
    // An error costs nothing, whatever it says.
    let count = |name: &str| {
        let value = header(name).filter(|_| status < 300)?;
        value.parse().ok()
    };
    let mut facts = Facts {
        request_id: header("x-amzn-requestid"),
        // InvokeModel reports its counts here.
        input_tokens: count("x-amzn-bedrock-input-token-count"),
        output_tokens: count("x-amzn-bedrock-output-token-count"),
        cache_read_tokens: count("x-amzn-bedrock-cache-read-input-token-count"),
        cache_write_tokens: count("x-amzn-bedrock-cache-write-input-token-count"),
        latency_ms: count("x-amzn-bedrock-invocation-latency"),
        service_tier: header("x-amzn-bedrock-service-tier").filter(|tier| !tier.is_empty()),
        ..Facts::default()
    };
    if status >= 400 {
        facts.exception = header("x-amzn-errortype")
            .map(|value| exception::bare_name(&value).to_owned())
            .filter(|name| !name.is_empty());
    }
    facts
}

const EVENT_STREAM: &str = "application/vnd.amazon.eventstream";
const SERVER_SENT_EVENTS: &str = "text/event-stream";
/// Far more bytes than any error of AWS's has.
const LARGEST_ERROR: usize = 1 << 20;
