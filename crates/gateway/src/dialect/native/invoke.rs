//! What the chunks of an invoke stream say, whosever model it is.

use super::events::{Events, text};
use super::stream::{Corrupt, Progress};
use crate::bedrock::event::{Event, ModelEvent};
use crate::bedrock::invoke::{Chunk, bytes_of};
use crate::facts::{Facts, StreamStatus, Wanted};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use memchr::memchr;

/// Follows the chunks of one answer.
#[derive(Debug)]
pub struct Chunks {
    reader: Reader,
    /// The JSON of one chunk; kept for the room it has.
    decoded: Vec<u8>,
}

/// Reads what chunks say.
#[derive(Debug)]
struct Reader {
    wanted: Wanted,
    /// Nova's events; and the counts of the model itself, whichever it is.
    events: Events,
    shape: Shape,
}

/// What is known of the form that the model answers in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    /// No chunk has come.
    Unknown,
    /// One without an end of its own: any chunk may be the last.
    Open,
    /// Anthropic's or Nova's, whose end is an event.
    Framed,
}

impl Chunks {
    /// Reads of what is generated what is `wanted`.
    pub fn new(wanted: Wanted) -> Self {
        Self {
            reader: Reader {
                wanted,
                events: Events::new(wanted),
                shape: Shape::Unknown,
            },
            decoded: Vec::new(),
        }
    }

    /// Takes the payload of one `chunk` event, and gives what the model said in it; what a delta says, only if somebody
    /// `wants_deltas`.
    ///
    /// # Errors
    /// It is not JSON in base64.
    pub fn chunk<'s>(
        &'s mut self,
        payload: &[u8],
        wants_deltas: bool,
        facts: &mut Facts,
    ) -> Result<Event<'s>, Corrupt> {
        let delta = delta_in(payload);
        if delta.is_some() && !wants_deltas && !self.reader.wanted.reads(facts) {
            self.reader.delta(facts);
            return Ok(Event::Other);
        }
        let found;
        let bytes = match delta {
            Some(delta) => delta,
            None => {
                found = bytes_of(text(payload)?).map_err(|_| Corrupt::InvalidJson)?;
                let Some(bytes) = &found else {
                    return Ok(Event::Other);
                };
                bytes.as_bytes()
            }
        };
        self.decoded.clear();
        STANDARD
            .decode_vec(bytes, &mut self.decoded)
            .map_err(|_| Corrupt::InvalidBase64)?;
        let json = text(&self.decoded)?;
        let chunk = Chunk::read(json).map_err(|_| Corrupt::InvalidJson)?;
        self.reader.read(&chunk, facts);
        Ok(Event::Model(ModelEvent {
            counts: chunk.counts(),
            kind: chunk.kind,
            json,
        }))
    }

    /// Takes the model's JSON itself.
    ///
    /// # Errors
    /// It is none.
    pub fn json(&mut self, bytes: &[u8], facts: &mut Facts) -> Result<(), Corrupt> {
        let chunk = Chunk::read(text(bytes)?).map_err(|_| Corrupt::InvalidJson)?;
        self.reader.read(&chunk, facts);
        Ok(())
    }

    /// What the model's end, if it came now, would mean.
    pub fn progress(&self) -> Progress {
        match self.reader.shape {
            Shape::Open => Progress::MayEnd,
            Shape::Unknown | Shape::Framed => self.reader.events.progress(),
        }
    }
}

impl Reader {
    fn read(&mut self, chunk: &Chunk<'_>, facts: &mut Facts) {
        if self.anthropic(chunk, facts) || self.nova(chunk, facts) {
            self.shape = Shape::Framed;
        } else if self.shape == Shape::Unknown {
            self.shape = Shape::Open;
        }
        if let Some(text) = chunk.generated().filter(|text| !text.is_empty()) {
            facts.content_started = true;
            facts.measure(text.len());
            facts.keep_text(text, self.wanted.text);
        }
        if let Some(word) = chunk.stop_word() {
            facts.stop_reason = Some(word.to_owned());
        }
        if let Some(action) = &chunk.guardrail {
            facts.guardrail(action != "NONE");
        }
        self.count(chunk, facts);
    }

    /// Reads an event of Anthropic's; false if it is none.
    fn anthropic(&mut self, chunk: &Chunk<'_>, facts: &mut Facts) -> bool {
        let Some(kind) = &chunk.kind else {
            return false;
        };
        match kind.as_ref() {
            "message_start" => {
                facts.tool_calls.get_or_insert(0);
            }
            "content_block_start" => {
                if chunk.block_kind.as_deref() == Some("tool_use") {
                    facts.count_tool_call();
                }
            }
            "content_block_delta" => {
                self.delta(facts);
                facts.measure(chunk.delta.length);
                if let Some(text) = &chunk.delta.text {
                    facts.keep_text(text, self.wanted.text);
                }
            }
            "content_block_stop" | "message_delta" => {}
            "message_stop" => {
                facts.stream.get_or_insert(StreamStatus::Complete);
            }
            // The model failed in the middle. Anthropic's SDKs look for this event and raise it, so it passes as any other
            // does, even first; the log has it as the exception that it is, in Anthropic's word.
            "error" => {
                let name = chunk.error_kind.as_deref().unwrap_or("error");
                facts.stream = Some(StreamStatus::Exception);
                facts.exception = Some(name.to_owned());
            }
            _ => return false,
        }
        true
    }

    /// Notes a delta of Anthropic's, apart from its text.
    fn delta(&mut self, facts: &mut Facts) {
        self.shape = Shape::Framed;
        facts.content_started = true;
    }

    /// Reads events of Nova's; false if there are none.
    fn nova(&mut self, chunk: &Chunk<'_>, facts: &mut Facts) -> bool {
        let mut framed = false;
        for (name, payload) in chunk.nova_events() {
            // Other vendors may have metadata, too.
            framed |= name != "metadata";
            // Whether this is Nova at all is a guess, so what does not fit is not understood rather than corrupt. A
            // messageStop that does not fit still leaves the stream without its end.
            let _ = self.events.event(name, payload.as_bytes(), false, facts);
        }
        framed
    }

    /// The model's own counts win over Bedrock's metrics, count by count, whichever comes last.
    fn count(&mut self, chunk: &Chunk<'_>, facts: &mut Facts) {
        let own = &mut self.events.usage;
        if let Some(usage) = chunk.first_usage {
            // A message that begins has counted the first token or two of its output: no count to go by if the rest of
            // the stream is lost, and none that should win over the metrics.
            own.merge(&usage.without_output());
        }
        if let Some(usage) = &chunk.usage {
            own.merge(usage);
        }
        own.merge(&chunk.bare_counts());
        if let Some(last) = &chunk.metrics {
            last.usage.tell(facts);
            last.metrics.tell(facts);
        }
        own.tell(facts);
    }
}

/// The base64 of a delta of Anthropic's, if this is one as Bedrock sends them: a stream consists of these, and none holds
/// anything that is counted.
fn delta_in(payload: &[u8]) -> Option<&[u8]> {
    let rest = match payload.strip_prefix(br#"{"p":""#) {
        // Padding, which needs no escapes.
        Some(padded) => padded.get(memchr(b'"', padded)?..)?.strip_prefix(b"\",")?,
        None => payload.strip_prefix(b"{")?,
    };
    let bytes = rest.strip_prefix(br#""bytes":""#)?;
    if !bytes.starts_with(DELTA) {
        return None;
    }
    bytes.get(..memchr(b'"', bytes)?)
}

/// `{"type":"content_block_delta",` in base64.
const DELTA: &[u8] = b"eyJ0eXBlIjoiY29udGVudF9ibG9ja19kZWx0YSIs";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delta_is_known_by_its_beginning() {
        let bytes = STANDARD.encode(r#"{"type":"content_block_delta","index":0}"#);
        for payload in [
            format!(r#"{{"bytes":"{bytes}"}}"#),
            format!(r#"{{"bytes":"{bytes}","p":"ab"}}"#),
            format!(r#"{{"p":"ab","bytes":"{bytes}"}}"#),
            format!(r#"{{"p":"","bytes":"{bytes}"}}"#),
        ] {
            assert_eq!(
                delta_in(payload.as_bytes()),
                Some(bytes.as_bytes()),
                "{payload}"
            );
            let mut known = (Chunks::new(Wanted::default()), Facts::default());
            let mut read = (Chunks::new(Wanted::default()), Facts::default());
            let event = known.0.chunk(payload.as_bytes(), false, &mut known.1);
            assert!(matches!(event, Ok(Event::Other)));
            let event = read.0.chunk(payload.as_bytes(), true, &mut read.1);
            assert!(matches!(event, Ok(Event::Model(_))));
            assert_eq!(known.1, read.1);
            assert!(known.1.content_started);
            assert_eq!(known.0.progress(), read.0.progress());
        }
    }

    #[test]
    fn nothing_else_is_taken_for_one() {
        let bytes = STANDARD.encode(r#"{"type":"content_block_delta_of_another_kind"}"#);
        let delta = STANDARD.encode(r#"{"type":"content_block_delta","index":0}"#);
        for payload in [
            format!(r#"{{"bytes":"{bytes}"}}"#),
            format!(r#"{{"bytes":"{delta}"#),
            format!(r#"{{"p":"ab","other":"{delta}"}}"#),
            r#"{"p":"ab"}"#.to_owned(),
            r#"{"p":"ab"#.to_owned(),
            r#"{"p":"ab""#.to_owned(),
            "{".to_owned(),
            String::new(),
        ] {
            assert_eq!(delta_in(payload.as_bytes()), None, "{payload}");
        }
    }
}
