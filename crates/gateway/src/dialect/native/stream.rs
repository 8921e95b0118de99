//! Event streams: what their events say, whatever form they go on in.

use eventstream::{Error as FrameError, Frame, Message};
use serde::Deserialize;

use super::events::Events;
use super::invoke::Chunks;
use crate::bedrock::{Operation, exception};
use crate::facts::{Facts, StreamStatus};
use crate::refusal::Refusal;

/// Follows the events of one stream.
#[derive(Debug)]
pub struct Observer {
    content: Content,
}

/// Whose events they are.
#[derive(Debug)]
enum Content {
    Converse(Events),
    Invoke(Chunks),
}

/// How far a stream has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Something of the content must still come.
    Unfinished,
    /// The content is whole, its counts must still come.
    ContentWhole,
    /// Nothing must come any more, as far as can be told.
    MayEnd,
}

/// What a frame was.
#[derive(Debug, PartialEq, Eq)]
pub enum Seen<'a> {
    /// An event of this type, with its payload.
    Event(&'a str, &'a [u8]),
    /// Nothing a client needs.
    Nothing,
    /// The stream failed: the exception as Bedrock spells it, and the error for the client.
    Exception(&'a str, Refusal),
}

/// A frame that is whole but makes no sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Corrupt {
    /// The frame itself.
    #[error("{0}")]
    Frame(#[from] FrameError),
    /// The payload of an event that counts, or the model's JSON in it.
    #[error("the payload of an event is not the JSON it should be")]
    InvalidJson,
    /// What should hold the model's JSON.
    #[error("the bytes of a chunk are not base64")]
    InvalidBase64,
}

impl Observer {
    /// For the stream of `operation`, keeping at most `response_text` bytes of text.
    pub fn new(operation: Operation, response_text: usize) -> Self {
        let content = match operation {
            Operation::InvokeStream => Content::Invoke(Chunks::new(response_text)),
            _ => Content::Converse(Events::new(response_text)),
        };
        Self { content }
    }

    /// Takes one frame.
    ///
    /// # Errors
    /// It cannot be understood, so the rest of the stream cannot be trusted.
    pub fn frame<'a>(&mut self, frame: &Frame<'a>, facts: &mut Facts) -> Result<Seen<'a>, Corrupt> {
        match frame.message()? {
            Message::Event {
                event_type: "initial-response",
                ..
            } => Ok(Seen::Nothing),
            Message::Event {
                event_type,
                payload,
            } => {
                match &mut self.content {
                    Content::Converse(events) => events.event(event_type, payload, facts)?,
                    Content::Invoke(chunks) if event_type == "chunk" => {
                        chunks.chunk(payload, facts)?;
                    }
                    Content::Invoke(_) => {}
                }
                Ok(Seen::Event(event_type, payload))
            }
            Message::Exception {
                exception_type,
                payload,
            } => {
                let body: ExceptionBody = serde_json::from_slice(payload).unwrap_or_default();
                Ok(failed(exception_type, body.message, facts))
            }
            Message::Error { code, message } => Ok(failed(code, message.to_owned(), facts)),
        }
    }

    /// What the stream's clean end means; `false` if the client must see that something is missing.
    pub fn ended(&self, facts: &mut Facts) -> bool {
        if let Some(status) = facts.stream {
            return matches!(status, StreamStatus::Complete | StreamStatus::Exception);
        }
        let progress = match &self.content {
            Content::Converse(events) => events.progress(),
            Content::Invoke(chunks) => chunks.progress(),
        };
        facts.stream = Some(match progress {
            Progress::MayEnd => StreamStatus::Complete,
            Progress::Unfinished | Progress::ContentWhole => StreamStatus::Truncated,
        });
        progress != Progress::Unfinished
    }
}

fn failed<'a>(name: &'a str, message: String, facts: &mut Facts) -> Seen<'a> {
    facts.stream = Some(StreamStatus::Exception);
    facts.exception = Some(name.to_owned());
    Seen::Exception(
        name,
        Refusal::new(
            exception::status_of(name),
            exception::http_name(name),
            message,
        ),
    )
}

#[derive(Default, Deserialize)]
struct ExceptionBody {
    #[serde(alias = "Message", default)]
    message: String,
}
