//! Server-sent events of a vendor's own API, whose bytes pass as they are.

use memchr::{memmem, memrchr2};

use super::{Answer, End, Flow, Log};
use crate::bedrock::VendorApi;
use crate::bedrock::invoke::First;
use crate::bedrock::openai::ChatChunk;
use crate::bedrock::verdict;
use crate::dialect::Reply;
use crate::dialect::native::server_sent::Observer;
use crate::facts::{Facts, StreamStatus};
use crate::json::strict::Object;
use crate::refusal::Refusal;

/// The events of one answer.
#[derive(Debug)]
pub struct Events {
    decoder: sse::Decoder,
    observer: Observer,
    /// Whether the gateway authorized the request.
    own: bool,
    /// Whether the event that has begun is seen to be no error about the gateway, whatever follows.
    is_good: bool,
    /// The line that has begun.
    line: Line,
    /// Whether the answer's header still waits for the first event.
    holding: bool,
    /// Where events are written anew, what has not gone on yet; `None` where all bytes pass.
    rewritten: Option<Rewritten>,
}

/// Events that are written anew.
#[derive(Debug, Default)]
struct Rewritten {
    /// Of the event that has begun.
    begun: Vec<u8>,
    /// Of those that are whole.
    whole: Vec<u8>,
}

impl Rewritten {
    /// The event that has begun ends with these bytes; it goes on, or not. Comments, and what before it is no event, say nothing to
    /// anybody, and do not.
    fn end(&mut self, bytes: &[u8], goes_on: bool) {
        self.begun.extend_from_slice(bytes);
        let event = self.whole.len();
        let (mut returned, mut left_out, mut ended) = (false, false, false);
        for line in self.begun.split_inclusive(ends_line).filter(|_| goes_on) {
            let is_rest = returned && line == b"\n";
            let was_left_out = left_out;
            if !is_rest {
                if ended {
                    self.whole.truncate(event);
                }
                ended = matches!(line, b"\r" | b"\n");
                left_out = line.starts_with(b":");
            }
            if !left_out {
                // An empty line would only end the one before, with what was between them gone.
                let joins = was_left_out && line == b"\n" && self.whole.ends_with(b"\r");
                self.whole.extend(joins.then_some(b'\n'));
                self.whole.extend_from_slice(line);
            }
            returned = line.ends_with(b"\r");
        }
        self.begun.clear();
    }
}

impl Events {
    /// For a stream of `api`.
    pub fn new(api: VendorApi, answer: &Answer) -> Self {
        Self {
            decoder: sse::Decoder::new(answer.max_frame_size),
            observer: Observer::new(api, answer.wanted),
            own: answer.own,
            is_good: false,
            line: Line::Empty,
            // Who speaks a vendor's own API knows its errors in the stream, too; but what is hidden has to be an answer.
            holding: answer.own && answer.hold,
            rewritten: (answer.reply == Reply::WithoutUsage).then(Rewritten::default),
        }
    }

    /// Whether the answer's header still waits for the first event.
    pub fn holds(&self) -> bool {
        self.holding
    }

    /// Whether events are written anew.
    pub fn rewrites(&self) -> bool {
        self.rewritten.is_some()
    }

    /// Writes that the stream is alive, as [`Frames`](super::frames::Frames) does. False where bytes pass as they are.
    pub fn ping(&mut self, out: &mut Vec<u8>) -> bool {
        if self.rewrites() {
            out.extend_from_slice(b":\n\n");
            self.holding = false;
        }
        self.rewrites()
    }

    /// Takes the next bytes, and writes events where they do not pass as they are.
    pub fn push(
        &mut self,
        bytes: &[u8],
        facts: &mut Facts,
        log: &mut Log<'_>,
        out: &mut Vec<u8>,
    ) -> Flow {
        let flow = self.follow(bytes, facts, log);
        if let Some(rewritten) = &mut self.rewritten
            && !self.holding
        {
            out.append(&mut rewritten.whole);
        }
        flow
    }

    fn follow(&mut self, bytes: &[u8], facts: &mut Facts, log: &mut Log<'_>) -> Flow {
        let comments = self.own.then(|| self.hidden_in_comment(bytes)).flatten();
        let mut rest = bytes;
        let (intact, hidden) = loop {
            let intact = bytes.len() - rest.len();
            match self.decoder.next(&mut rest) {
                Ok(None) => {
                    let comments_alone = self.decoder.unfinished().is_empty();
                    if let Some(rewritten) = &mut self.rewritten {
                        let bytes = bytes.get(intact..).unwrap_or_default();
                        rewritten.begun.extend_from_slice(bytes);
                        if comments_alone {
                            rewritten.begun.clear();
                        }
                    }
                    break (intact, self.hidden_in_unfinished(bytes.len() - intact));
                }
                Ok(Some(event)) => {
                    self.is_good = false;
                    self.observer.event(&event, facts);
                    let hidden = self.own.then(|| hidden(&event, facts)).flatten();
                    if hidden.is_some() {
                        break (intact, hidden);
                    }
                    let read = bytes.len() - rest.len();
                    if let Some(rewritten) = &mut self.rewritten {
                        let bytes = bytes.get(intact..read).unwrap_or_default();
                        rewritten.end(bytes, !is_usage_alone(&event));
                    }
                    self.holding &= comments.as_ref().is_some_and(|(at, _)| *at < read);
                }
                Err(error) => {
                    facts.stream = Some(StreamStatus::Corrupt);
                    *log.fault = Some(error.into());
                    self.holding = false;
                    return Flow::Cut(intact);
                }
            }
        };
        let (intact, refusal) = match (hidden, comments) {
            (Some(hidden), None) => (intact, hidden),
            (_, Some((at, hidden))) => (at.min(intact), hidden),
            (None, None) if self.holding => return Flow::Hold,
            (None, None) => return Flow::Go,
        };
        facts.stream = Some(StreamStatus::Exception);
        facts
            .exception
            .get_or_insert_with(|| refusal.exception.to_string());
        if self.holding {
            return Flow::Fail(refusal);
        }
        *log.verdict = refusal.log;
        Flow::Cut(intact)
    }

    /// What has come of an event may be hidden before it is whole: its bytes do not wait. The last `new` of them came just now.
    fn hidden_in_unfinished(&mut self, new: usize) -> Option<Refusal> {
        let begun = Some(self.decoder.unfinished()).filter(|_| self.own && !self.is_good)?;
        let beginning = begun.get(..LONGEST_VERDICT).unwrap_or(begun);
        self.is_good = !verdict::looks_like_error(&sse::Event::parse(beginning)?.data);
        if self.is_good {
            return None;
        }
        // A response that failed repeats what it was asked, and only then says why. To begin anew with each piece would take for ever.
        match begun.len().checked_sub(new + OVERLAP) {
            Some(seen) if begun.len() > LONGEST_VERDICT => {
                verdict::hidden(500, None, begun.get(seen..)?)
            }
            _ => verdict::hidden_in_good(&sse::Event::parse(begun)?.data),
        }
    }

    /// Looks at the comments in what comes now, and where the line begins that no client may have.
    fn hidden_in_comment(&mut self, bytes: &[u8]) -> Option<(usize, Refusal)> {
        let mut lines = bytes.split(ends_line);
        let mut at = 0usize;
        let mut hidden = None;
        if !matches!(self.line, Line::Empty) {
            let rest = lines.next().unwrap_or_default();
            self.line.go_on(rest);
            hidden = self.line.hidden().map(|hidden| (0, hidden));
            at = rest.len() + 1;
        }
        // Where no line begins with these bytes, or none is a comment, there is nothing to look at.
        if hidden.is_none() && has_comment(bytes) {
            hidden = lines.find_map(|line| {
                let begins = at;
                at += line.len() + 1;
                let said = line.strip_prefix(b":")?;
                verdict::hidden(500, None, said).map(|hidden| (begins, hidden))
            });
        }
        if let Some(end) = memrchr2(b'\r', b'\n', bytes) {
            self.line = Line::Empty;
            self.line.go_on(bytes.get(end + 1..).unwrap_or_default());
        } else if matches!(self.line, Line::Empty) {
            self.line.go_on(bytes);
        }
        hidden
    }

    /// Without its last event, or an error, a stream must not look whole.
    pub fn finish(&mut self, clean: bool, facts: &mut Facts, out: &mut Vec<u8>) -> End {
        self.holding = false;
        if let Some(rewritten) = &mut self.rewritten {
            out.append(&mut rewritten.whole);
        }
        facts.stream.get_or_insert(StreamStatus::Truncated);
        let decided = matches!(
            facts.stream,
            Some(StreamStatus::Complete | StreamStatus::Exception)
        );
        match clean && decided {
            true => End::Clean,
            false => End::Cut,
        }
    }
}

/// A line as far as it has come.
#[derive(Debug)]
enum Line {
    Empty,
    /// What a comment says, the last of it.
    Comment(Vec<u8>),
    Other,
}

impl Line {
    fn go_on(&mut self, bytes: &[u8]) {
        match self {
            Self::Empty if bytes.is_empty() => {}
            Self::Empty => match bytes.strip_prefix(b":") {
                Some(said) => *self = Self::Comment(said.to_vec()),
                None => *self = Self::Other,
            },
            Self::Comment(said) => {
                said.drain(..said.len().saturating_sub(OVERLAP));
                said.extend_from_slice(bytes);
            }
            Self::Other => {}
        }
    }

    fn hidden(&self) -> Option<Refusal> {
        match self {
            Self::Comment(said) => verdict::hidden(500, None, said),
            Self::Empty | Self::Other => None,
        }
    }
}

/// Whether an event of a chat completion tells its usage, and nothing else.
fn is_usage_alone(event: &sse::Event<'_>) -> bool {
    let Ok(Object(chunk)) = serde_json::from_slice::<Object<ChatChunk<'_>>>(&event.data) else {
        return false;
    };
    chunk.usage.is_some() && chunk.error.is_none() && matches!(chunk.choices, Some(First(None)))
}

/// What a client gets in place of a stream with this event.
fn hidden(event: &sse::Event<'_>, facts: &Facts) -> Option<Refusal> {
    match &facts.exception {
        Some(name) => verdict::hidden(500, Some(name), &event.data),
        None => verdict::hidden_in_good(&event.data),
    }
}

fn has_comment(bytes: &[u8]) -> bool {
    let begins = |line: &[u8]| memmem::find(bytes, line).is_some();
    bytes.starts_with(b":") || begins(b"\n:") || begins(b"\r:")
}

fn ends_line(byte: &u8) -> bool {
    matches!(byte, b'\r' | b'\n')
}

/// Far more bytes than AWS takes to say what no client may have.
const LONGEST_VERDICT: usize = 16 << 10;
/// More than any word has that gives something away.
const OVERLAP: usize = 2 << 10;
