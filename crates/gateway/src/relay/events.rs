//! Server-sent events of a vendor's own API, whose bytes pass as they are.

use memchr::memmem;

use super::{Answer, End, Flow, Log};
use crate::bedrock::VendorApi;
use crate::bedrock::verdict;
use crate::dialect::native::server_sent::Observer;
use crate::facts::{Facts, StreamStatus};
use crate::refusal::Refusal;

/// The events of one answer.
#[derive(Debug)]
pub struct Events {
    decoder: sse::Decoder,
    observer: Observer,
    /// Whether the gateway authorized the request.
    own: bool,
    /// Whether the answer's header still waits for the first event.
    holding: bool,
}

impl Events {
    /// For a stream of `api`.
    pub fn new(api: VendorApi, answer: &Answer) -> Self {
        Self {
            decoder: sse::Decoder::new(answer.max_frame_size),
            observer: Observer::new(api, answer.response_text),
            own: answer.own,
            // Who speaks a vendor's own API knows its errors in the stream, too; but what is hidden has to be an answer.
            holding: answer.own && answer.hold,
        }
    }

    /// Whether the answer's header still waits for the first event.
    pub fn holds(&self) -> bool {
        self.holding
    }

    /// Takes the next bytes.
    pub fn push(&mut self, bytes: &[u8], facts: &mut Facts, log: &mut Log<'_>) -> Flow {
        let comments = self.own.then(|| self.hidden_in_comment(bytes)).flatten();
        let mut rest = bytes;
        let (intact, hidden) = loop {
            let intact = bytes.len() - rest.len();
            match self.decoder.next(&mut rest) {
                Ok(None) => break (intact, self.hidden_in_unfinished()),
                Ok(Some(event)) => {
                    self.observer.event(&event, facts);
                    let hidden = self.own.then(|| hidden(&event, facts)).flatten();
                    if hidden.is_some() {
                        break (intact, hidden);
                    }
                    let read = bytes.len() - rest.len();
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

    /// What has come of an event may be hidden before it is whole: its bytes do not wait.
    fn hidden_in_unfinished(&self) -> Option<Refusal> {
        let event = Some(self.decoder.unfinished()).filter(|_| self.own)?;
        verdict::hidden_in_good(&sse::Event::parse(event)?.data)
    }

    /// Looks at the comments in what comes now, and where the line begins that no client may have.
    fn hidden_in_comment(&self, bytes: &[u8]) -> Option<(usize, Refusal)> {
        let begun = self.decoder.unfinished();
        let begun = begun
            .rsplit(ends_line)
            .next()
            .filter(|line| line.starts_with(b":"));
        let begun = begun.unwrap_or_default();
        if begun.is_empty() && !has_comment(bytes) {
            return None;
        }
        let text = [begun, bytes].concat();
        let mut at = 0usize;
        for line in text.split(ends_line) {
            let hidden = line
                .strip_prefix(b":")
                .and_then(|said| verdict::hidden(500, None, said));
            if let Some(hidden) = hidden {
                return Some((at.saturating_sub(begun.len()), hidden));
            }
            at += line.len() + 1;
        }
        None
    }

    /// Without its last event, or an error, a stream must not look whole.
    pub fn finish(&mut self, clean: bool, facts: &mut Facts) -> End {
        self.holding = false;
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
