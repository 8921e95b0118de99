//! Event streams: what their events say, whatever form they go on in.

use std::borrow::Cow;

use eventstream::{Error as FrameError, Frame, Message};

use super::agent;
use super::events::Events;
use super::invoke::Chunks;
use crate::bedrock::event::Event;
use crate::bedrock::{Operation, exception};
use crate::dialect::Incoming;
use crate::facts::{Facts, StreamStatus, Wanted};
use crate::refusal::Refusal;

/// Follows the events of one stream.
#[derive(Debug)]
pub struct Observer {
    content: Content,
    wants_deltas: bool,
}

/// Whose events they are.
#[derive(Debug)]
enum Content {
    Converse(Events),
    Invoke(Chunks),
    /// Of any of AWS's operations.
    Any,
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
#[derive(Debug)]
pub(crate) enum Seen<'a> {
    /// An event.
    Event(Incoming<'a>),
    /// Nothing a client needs.
    Nothing,
    /// The stream failed: the exception as Bedrock spells it, all that it says, and the error for the client.
    Exception(&'a str, &'a [u8], Box<Refusal>),
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
    /// A server-sent event.
    #[error("{0}")]
    Event(#[from] sse::TooLarge),
    /// What should hold the model's JSON.
    #[error("the bytes of a chunk are not base64")]
    InvalidBase64,
    /// An exception that cannot be looked at.
    #[error("an exception is larger than any of AWS's")]
    LargeException,
    /// All of an answer, where the client is to have it in the form of another model.
    #[error("the model does not answer in the form that its client speaks")]
    OtherForm,
}

impl Observer {
    /// For the stream of `operation`. `wants_deltas`: somebody else reads what is generated, too.
    pub fn new(operation: Operation, wanted: Wanted, wants_deltas: bool) -> Self {
        let content = match operation {
            Operation::InvokeStream => Content::Invoke(Chunks::new(wanted)),
            Operation::Other => Content::Any,
            _ => Content::Converse(Events::new(wanted)),
        };
        Self {
            content,
            wants_deltas,
        }
    }

    /// Takes one frame.
    ///
    /// # Errors
    /// It cannot be understood, so the rest of the stream cannot be trusted.
    pub(crate) fn frame<'a>(
        &'a mut self,
        frame: &Frame<'a>,
        facts: &mut Facts,
    ) -> Result<Seen<'a>, Corrupt> {
        match frame.message()? {
            Message::Event {
                event_type: "initial-response",
                ..
            } => Ok(Seen::Nothing),
            Message::Event {
                event_type,
                payload,
            } => {
                let event = match &mut self.content {
                    Content::Converse(events) => {
                        events.event(event_type, payload, self.wants_deltas, facts)?
                    }
                    Content::Invoke(chunks) if event_type == "chunk" => {
                        chunks.chunk(payload, self.wants_deltas, facts)?
                    }
                    Content::Invoke(_) => Event::Other,
                    Content::Any => {
                        agent::event(event_type, payload, facts);
                        Event::Other
                    }
                };
                Ok(Seen::Event(Incoming {
                    name: event_type,
                    payload,
                    event,
                }))
            }
            Message::Exception {
                exception_type,
                payload,
            } => Ok(failed(
                exception_type,
                payload,
                exception::message_in(payload),
                facts,
            )),
            Message::Error { code, message } => {
                let said = message.as_bytes();
                let message = Some(message.to_owned()).filter(|message| !message.is_empty());
                Ok(failed(code, said, message, facts))
            }
        }
    }

    /// What the stream's clean end means; `false` if the client must see that something is missing.
    pub fn ended(&self, facts: &mut Facts) -> bool {
        if let Some(status) = facts.stream {
            return matches!(status, StreamStatus::Complete | StreamStatus::Exception);
        }
        let progress = self.progress();
        facts.stream = Some(match progress {
            Progress::MayEnd => StreamStatus::Complete,
            Progress::Unfinished | Progress::ContentWhole => StreamStatus::Truncated,
        });
        progress != Progress::Unfinished
    }

    /// How far it has come.
    pub fn progress(&self) -> Progress {
        match &self.content {
            Content::Converse(events) => events.progress(),
            Content::Invoke(chunks) => chunks.progress(),
            // Who knows what must come?
            Content::Any => Progress::MayEnd,
        }
    }
}

fn failed<'a>(
    name: &'a str,
    said: &'a [u8],
    message: Option<String>,
    facts: &mut Facts,
) -> Seen<'a> {
    facts.stream = Some(StreamStatus::Exception);
    facts.exception = Some(name.to_owned());
    let status = exception::status_of(name);
    let message = message.map_or_else(|| exception::for_status(status).1, Cow::Owned);
    Seen::Exception(
        name,
        said,
        Box::new(exception::told(status, exception::http_name(name), message)),
    )
}
