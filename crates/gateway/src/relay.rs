//! An answer on its way from Bedrock to the client.

use eventstream::{Decoder, Limits};

use crate::bedrock::{Operation, exception};
use crate::dialect::{converse, native};
use crate::facts::{Facts, StreamStatus};
use crate::refusal::Refusal;

/// What the plan already knows of the answer.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub operation: Operation,
    pub sse: bool,
    pub max_frame_size: usize,
    pub response_text: usize,
    pub hold: bool,
}

/// Follows one answer: reads its facts, and where the client speaks another form, writes it in that.
#[derive(Debug)]
pub struct Relay {
    facts: Facts,
    form: Form,
    /// Why the stream was called corrupt; for the log.
    fault: Option<native::stream::Corrupt>,
    complained: bool,
}

#[derive(Debug)]
enum Form {
    Frames(Frames),
    Whole(native::response::Observer),
}

#[derive(Debug)]
struct Frames {
    decoder: Decoder,
    observer: native::stream::Observer,
    /// Whether events go on as SSE; otherwise the bytes pass as they are.
    sse: bool,
    /// Whether the answer's header still waits for the first frame.
    holding: bool,
}

/// What becomes of the bytes that were pushed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Flow {
    /// Keep them and the header back: the first frame is not whole yet.
    Hold,
    /// Send them (or what was written for them).
    Go,
    /// Send this error instead of the answer. Only while holding.
    Fail(Refusal),
    /// Send the first so many of them (or what was written), then cut the connection: nothing after can be trusted.
    Cut(usize),
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
    ) -> Self {
        let content_type = header("content-type").unwrap_or_default();
        let is_stream =
            status == 200 && answer.operation.streams() && content_type.starts_with(EVENT_STREAM);
        let form = if is_stream {
            Form::Frames(Frames {
                decoder: Decoder::new(limits(answer.max_frame_size)),
                observer: native::stream::Observer::new(answer.operation, answer.response_text),
                sse: answer.sse,
                holding: answer.hold,
            })
        } else {
            Form::Whole(native::response::Observer::new(
                answer.operation,
                status >= 400,
                answer.response_text,
            ))
        };
        Self {
            facts: facts_of_headers(status, header),
            form,
            fault: None,
            complained: false,
        }
    }

    /// What is known so far.
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// Whether this is an event stream.
    pub fn is_stream(&self) -> bool {
        matches!(self.form, Form::Frames(_))
    }

    /// Whether the header waits for the first frame.
    pub fn holds(&self) -> bool {
        matches!(&self.form, Form::Frames(frames) if frames.holding)
    }

    /// The content type of what is written instead of the upstream's bytes; `None`: those bytes pass as they are.
    pub fn rewrites_as(&self) -> Option<&'static str> {
        match &self.form {
            Form::Frames(frames) if frames.sse => Some("text/event-stream"),
            _ => None,
        }
    }

    /// Takes the next bytes from upstream; where they go on in another form, appends that to `out`.
    pub fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Flow {
        self.facts.bytes = self.facts.bytes.saturating_add(bytes.len() as u64);
        match &mut self.form {
            Form::Frames(frames) => frames.push(bytes, &mut self.facts, &mut self.fault, out),
            Form::Whole(observer) => {
                observer.push(bytes, &mut self.facts);
                Flow::Go
            }
        }
    }

    /// The upstream has ended: `clean`, or because the connection to it broke.
    pub fn finish(&mut self, clean: bool, out: &mut Vec<u8>) -> End {
        match &mut self.form {
            Form::Frames(frames) => frames.finish(clean, &mut self.facts, out),
            Form::Whole(_) if clean => End::Clean,
            Form::Whole(_) => End::Cut,
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
        Some(format!(
            "stream {}: {}, request id {}, {} bytes seen",
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

impl Frames {
    fn push(
        &mut self,
        bytes: &[u8],
        facts: &mut Facts,
        fault: &mut Option<native::stream::Corrupt>,
        out: &mut Vec<u8>,
    ) -> Flow {
        let mut rest = bytes;
        loop {
            // What the client may have if the next frame turns out bad.
            let intact = bytes.len() - rest.len();
            let seen = match self.decoder.next(&mut rest) {
                Ok(None) => break,
                Ok(Some(frame)) => self.observer.frame(&frame, facts),
                Err(error) => Err(error.into()),
            };
            match seen {
                Ok(native::stream::Seen::Nothing) => {}
                Ok(native::stream::Seen::Event(event, payload)) => {
                    self.holding = false;
                    if self.sse {
                        converse::stream::write(event, payload, out);
                    }
                }
                Ok(native::stream::Seen::Exception(_, refusal)) if self.holding => {
                    return Flow::Fail(refusal);
                }
                Ok(native::stream::Seen::Exception(name, refusal)) => {
                    if self.sse {
                        write_error(name, &refusal, out);
                    }
                }
                Err(error) => {
                    facts.stream = Some(StreamStatus::Corrupt);
                    *fault = Some(error);
                    let refusal = broken("Bedrock's answer was damaged on the way.");
                    if self.holding {
                        return Flow::Fail(refusal);
                    }
                    if self.sse {
                        write_error(SERVER_EXCEPTION, &refusal, out);
                    }
                    return Flow::Cut(intact);
                }
            }
        }
        if self.holding { Flow::Hold } else { Flow::Go }
    }

    fn finish(&mut self, clean: bool, facts: &mut Facts, out: &mut Vec<u8>) -> End {
        let decided = matches!(
            facts.stream,
            Some(StreamStatus::Complete | StreamStatus::Exception)
        );
        let whole = clean && self.decoder.finish().is_ok();
        if !whole && !decided {
            facts.stream.get_or_insert(StreamStatus::Truncated);
        }
        if whole && self.observer.ended(facts) {
            return End::Clean;
        }
        let refusal = broken("Bedrock's answer ended early.");
        if self.holding {
            return End::Fail(refusal);
        }
        if self.sse && facts.stream == Some(StreamStatus::Truncated) {
            write_error(SERVER_EXCEPTION, &refusal, out);
        }
        End::Cut
    }
}

fn write_error(name: &str, refusal: &Refusal, out: &mut Vec<u8>) {
    converse::stream::write(name, &native::error::answer(refusal).body, out);
}

fn broken(message: &'static str) -> Refusal {
    Refusal::new(502, "InternalServerException", message)
}

fn limits(max_frame_size: usize) -> Limits {
    let default = Limits::default();
    Limits {
        max_headers: default.max_headers.min(max_frame_size),
        max_payload: max_frame_size,
    }
}

fn facts_of_headers(status: u16, header: impl Fn(&str) -> Option<String>) -> Facts {
    let count = |name: &str| header(name).and_then(|value| value.parse().ok());
    let mut facts = Facts {
        request_id: header("x-amzn-requestid"),
        // InvokeModel reports its counts here.
        input_tokens: count("x-amzn-bedrock-input-token-count"),
        output_tokens: count("x-amzn-bedrock-output-token-count"),
        cache_read_tokens: count("x-amzn-bedrock-cache-read-input-token-count"),
        cache_write_tokens: count("x-amzn-bedrock-cache-write-input-token-count"),
        latency_ms: count("x-amzn-bedrock-invocation-latency"),
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
const SERVER_EXCEPTION: &str = "internalServerException";
