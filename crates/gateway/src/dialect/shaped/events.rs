//! The events of a stream, put into the shape that was asked for before they are written.

use super::held::{Fate, Held};
use crate::bedrock::event::{ContentBlockDelta, Delta, Event, MessageStop};
use crate::dialect::{EventWriter, Incoming};
use crate::family::{ANSWER_TOOL, AnswerText};
use crate::json::text::{Literal, Text};
use crate::refusal::Refusal;

/// Writes one answer.
#[derive(Debug)]
pub struct Shaped {
    inner: Box<dyn EventWriter>,
    text: AnswerText,
    /// The block that is the answer's tool.
    answer: Option<u64>,
    /// Whether another tool was called.
    calls: bool,
    held: Held,
}

impl Shaped {
    /// For what `inner` writes.
    pub fn new(inner: Box<dyn EventWriter>, text: AnswerText) -> Self {
        Self {
            inner,
            text,
            answer: None,
            calls: false,
            held: Held::new(text),
        }
    }

    /// Writes what was held back, as the answer's text.
    fn let_go(&mut self, incoming: &Incoming<'_>, block: u64, text: &str, out: &mut Vec<u8>) {
        let literal = serde_json::Value::from(text).to_string();
        let delta = Delta {
            text: Some(Literal(&literal)),
            ..Delta::default()
        };
        self.write_delta(incoming, block, delta, out);
    }

    fn write_delta(
        &mut self,
        incoming: &Incoming<'_>,
        block: u64,
        delta: Delta<'_>,
        out: &mut Vec<u8>,
    ) {
        let event = Event::ContentBlockDelta(Some(ContentBlockDelta {
            content_block_index: block,
            delta,
        }));
        let incoming = Incoming {
            name: "contentBlockDelta",
            payload: incoming.payload,
            event,
        };
        self.inner.event(&incoming, out);
    }

    fn message_stop(
        &mut self,
        incoming: &Incoming<'_>,
        event: &MessageStop<'_>,
        out: &mut Vec<u8>,
    ) {
        if let Some((block, text)) = self.held.end(self.answer.is_some()) {
            self.let_go(incoming, block, &text, out);
        }
        let ended = self.answer.is_some()
            && !self.calls
            && event.stop_reason.as_deref() == Some("tool_use");
        let stop_reason = match ended {
            true => Some("end_turn".to_owned()),
            false => event.stop_reason.clone(),
        };
        let event = Event::MessageStop(MessageStop {
            stop_reason,
            additional_model_response_fields: event.additional_model_response_fields,
        });
        let incoming = Incoming {
            name: incoming.name,
            payload: incoming.payload,
            event,
        };
        self.inner.event(&incoming, out);
    }
}

impl EventWriter for Shaped {
    fn event(&mut self, incoming: &Incoming<'_>, out: &mut Vec<u8>) {
        match &incoming.event {
            Event::ContentBlockStart(event) => {
                let call = event.start.tool_use.as_ref();
                let is_answer = call.is_some_and(|call| {
                    let Text(name) = &call.name;
                    self.text == AnswerText::Tool && name == ANSWER_TOOL
                });
                if is_answer {
                    self.answer = Some(event.content_block_index);
                    return;
                }
                self.calls |= call.is_some();
            }
            Event::ContentBlockDelta(Some(event)) => {
                let block = event.content_block_index;
                if let Some(input) = event
                    .delta
                    .tool_input
                    .filter(|_| self.answer == Some(block))
                {
                    let delta = Delta {
                        text: Some(input),
                        ..Delta::default()
                    };
                    return self.write_delta(incoming, block, delta, out);
                }
                if let Some(text) = event.delta.text {
                    match self.held.take(block, &text.decode()) {
                        Fate::Passes => {}
                        Fate::Waits => return,
                        Fate::Goes(text) => {
                            let block = self.held.block();
                            return self.let_go(incoming, block, &text, out);
                        }
                    }
                }
            }
            Event::MessageStop(event) => return self.message_stop(incoming, event, out),
            _ => {}
        }
        self.inner.event(incoming, out);
    }

    fn end(&mut self, out: &mut Vec<u8>) -> bool {
        self.inner.end(out)
    }

    fn error(&mut self, name: &str, refusal: &Refusal, out: &mut Vec<u8>) {
        self.inner.error(name, refusal, out);
    }

    fn ping(&mut self, out: &mut Vec<u8>) {
        self.inner.ping(out);
    }

    fn tells_errors(&self) -> bool {
        self.inner.tells_errors()
    }

    fn has_failed(&self) -> bool {
        self.inner.has_failed()
    }
}
