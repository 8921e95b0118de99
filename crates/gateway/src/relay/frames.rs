//! An event stream: its frames decoded, followed, and where the client speaks another form, written in that.

use eventstream::{Decoder, Limits};

use super::kept::Kept;
use super::{Answer, End, Flow, LARGEST_ERROR, Log, broken};
use crate::bedrock::verdict;
use crate::dialect::native::stream::{Corrupt, Observer, Progress, Seen};
use crate::dialect::{EventWriter, Meta};
use crate::facts::{Facts, StreamStatus};
use crate::refusal::Refusal;

/// The frames of one answer.
#[derive(Debug)]
pub struct Frames {
    decoder: Decoder,
    observer: Observer,
    written: Written,
    /// Whether the answer's header still waits for the first frame.
    holding: bool,
    /// Whether the gateway authorized the request.
    own: bool,
    kept: Kept,
}

/// The events in the client's form.
#[derive(Debug)]
struct Written {
    /// None where the bytes pass as they are.
    writer: Option<Box<dyn EventWriter>>,
    /// The client was told of an error, so nothing may follow.
    failed: bool,
}

impl Frames {
    /// For an answer of this kind.
    pub fn new(answer: &Answer, meta: &Meta) -> Self {
        let writer = answer.reply.events(answer.shape, meta);
        Self {
            decoder: Decoder::new(limits(answer.max_frame_size)),
            observer: Observer::new(answer.operation, answer.wanted, writer.is_some()),
            written: Written {
                writer,
                failed: false,
            },
            holding: answer.hold,
            own: answer.own,
            kept: Kept::default(),
        }
    }

    /// Whether the answer's header still waits for the first frame.
    pub fn holds(&self) -> bool {
        self.holding
    }

    /// Whether the events go on in another form.
    pub fn rewrites(&self) -> bool {
        self.written.writer.is_some()
    }

    /// Writes that the stream is alive; the header waits no longer then. False where nothing may be written: the bytes pass as
    /// they are, or the client has been told how the stream ended.
    pub fn ping(&mut self, out: &mut Vec<u8>) -> bool {
        let Some(writer) = self.written.writer() else {
            return false;
        };
        writer.ping(out);
        self.holding = false;
        true
    }

    /// Takes the next bytes.
    pub fn push(
        &mut self,
        bytes: &[u8],
        facts: &mut Facts,
        log: &mut Log<'_>,
        out: &mut Vec<u8>,
    ) -> Flow {
        let mut rest = bytes;
        let intact = loop {
            // What the client may have if the next frame turns out bad.
            let intact = bytes.len() - rest.len();
            let seen = match self.decoder.next(&mut rest) {
                Ok(None) => break intact,
                Ok(Some(frame)) => self.observer.frame(&frame, facts),
                Err(error) => Err(error.into()),
            };
            match seen {
                Ok(Seen::Nothing) => {}
                Ok(Seen::Event(incoming)) => {
                    self.holding = false;
                    if let Some(writer) = self.written.writer() {
                        writer.event(&incoming, out);
                        if writer.has_failed() {
                            return Flow::Cut(intact);
                        }
                    }
                }
                Ok(Seen::Exception(_, said, _)) if self.own && said.len() > LARGEST_ERROR => {
                    return self.damaged(Corrupt::LargeException, intact, facts, log, out);
                }
                Ok(Seen::Exception(name, said, refusal)) => {
                    let hidden = match self.own {
                        true => verdict::hidden(refusal.status, Some(&refusal.exception), said),
                        false => None,
                    };
                    if self.holding {
                        return Flow::Fail(hidden.unwrap_or(*refusal));
                    }
                    // It is the last frame, whether the upstream ends after it or not.
                    let told = match &hidden {
                        None => self.written.tell(name, &refusal, out),
                        Some(hidden) if hidden.exception == refusal.exception => {
                            self.written.tell(name, hidden, out)
                        }
                        Some(hidden) => self.written.tell(SERVER_EXCEPTION, hidden, out),
                    };
                    if told {
                        *log.verdict = hidden.and_then(|hidden| hidden.log);
                        return self.written.stopped(intact);
                    }
                    if let Some(hidden) = hidden {
                        *log.verdict = hidden.log;
                        return Flow::Cut(intact);
                    }
                }
                Err(error) => return self.damaged(error, intact, facts, log, out),
            }
            self.kept.release(out);
        };
        if self.holding {
            return Flow::Hold;
        }
        if !self.own || self.rewrites() {
            return Flow::Go;
        }
        let begun = bytes.get(intact..).unwrap_or_default();
        match self.kept.keeps(begun, || self.decoder.unfinished(), out) {
            Ok(true) => Flow::Keep(intact),
            Ok(false) => Flow::Go,
            Err(error) => self.damaged(error, intact, facts, log, out),
        }
    }

    /// What came after the first `intact` bytes cannot be trusted.
    fn damaged(
        &mut self,
        error: Corrupt,
        intact: usize,
        facts: &mut Facts,
        log: &mut Log<'_>,
        out: &mut Vec<u8>,
    ) -> Flow {
        facts.stream = Some(StreamStatus::Corrupt);
        *log.fault = Some(error);
        let refusal = Refusal {
            code: Some("stream_corrupt"),
            ..broken("Bedrock's answer was damaged on the way.")
        };
        if self.holding {
            return Flow::Fail(refusal);
        }
        match self.written.tell(SERVER_EXCEPTION, &refusal, out) {
            true => self.written.stopped(intact),
            false => Flow::Cut(intact),
        }
    }

    /// The upstream has ended.
    pub fn finish(
        &mut self,
        clean: bool,
        facts: &mut Facts,
        fault: &mut Option<Corrupt>,
        out: &mut Vec<u8>,
    ) -> End {
        let decided = matches!(
            facts.stream,
            Some(StreamStatus::Complete | StreamStatus::Exception)
        );
        let whole = clean && self.decoder.finish().is_ok();
        if !whole && !decided {
            facts.stream.get_or_insert(StreamStatus::Truncated);
        }
        let tells = self.written.tells_errors();
        // A client that is told what it needs has it once the content is whole, whatever becomes of the counts.
        let content_whole = tells && self.observer.progress() == Progress::ContentWhole;
        if (whole && self.observer.ended(facts)) || (content_whole && !self.holding) {
            self.holding = false;
            if let Some(writer) = self.written.writer()
                && !writer.end(out)
            {
                facts.stream = Some(StreamStatus::Corrupt);
                *fault = Some(Corrupt::OtherForm);
            }
            return match self.written.has_failed() {
                true => End::Cut,
                false => End::Clean,
            };
        }
        let refusal = Refusal {
            code: Some("stream_truncated"),
            ..broken("Bedrock's answer ended early.")
        };
        if self.holding {
            return End::Fail(refusal);
        }
        if !decided {
            self.written.tell(SERVER_EXCEPTION, &refusal, out);
        }
        match self.written.failed && tells && !self.written.has_failed() {
            true => End::Clean,
            false => End::Cut,
        }
    }
}

impl Written {
    /// What writes the next event, if one may still be written.
    fn writer(&mut self) -> Option<&mut Box<dyn EventWriter>> {
        self.writer.as_mut().filter(|_| !self.failed)
    }

    /// Whether a client knows by an error alone that the answer is not whole.
    fn tells_errors(&self) -> bool {
        self.writer
            .as_ref()
            .is_some_and(|writer| writer.tells_errors())
    }

    /// Whether the client was told of an error in a form that not everyone reads.
    fn has_failed(&self) -> bool {
        self.writer
            .as_ref()
            .is_some_and(|writer| writer.has_failed())
    }

    /// How a stream stops whose client knows of the error; `intact`: what it may have of the bytes.
    fn stopped(&self, intact: usize) -> Flow {
        match self.has_failed() {
            true => Flow::Cut(intact),
            false => Flow::Stop,
        }
    }

    /// Tells the client of an error, once; whether it knows by that alone that the answer is not whole.
    fn tell(&mut self, name: &str, refusal: &Refusal, out: &mut Vec<u8>) -> bool {
        let Some(writer) = &mut self.writer else {
            return false;
        };
        if !std::mem::replace(&mut self.failed, true) {
            writer.error(name, refusal, out);
        }
        writer.tells_errors()
    }
}

fn limits(max_frame_size: usize) -> Limits {
    let default = Limits::default();
    Limits {
        max_headers: default.max_headers.min(max_frame_size),
        max_payload: max_frame_size,
    }
}

const SERVER_EXCEPTION: &str = "internalServerException";
