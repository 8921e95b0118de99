//! Chunks of an invoke stream: the model's own events, which only want their `event:` lines back.

use super::{write_error, write_ping};
use crate::bedrock::event::{Event, ModelEvent};
use crate::dialect::converse::stream::write;
use crate::dialect::{EventWriter, Incoming, Meta};
use crate::json::edit::Edit;
use crate::json::object;
use crate::json::text::one_line;
use crate::refusal::Refusal;

/// Writes one answer.
#[derive(Debug)]
pub struct Stream {
    request_id: String,
    /// The message is whole, or the client knows that it never will be.
    done: bool,
}

impl Stream {
    /// For the answer that `meta` is about.
    pub fn new(meta: &Meta) -> Self {
        Self {
            request_id: meta.id.clone(),
            done: false,
        }
    }
}

impl EventWriter for Stream {
    fn event(&mut self, incoming: &Incoming<'_>, out: &mut Vec<u8>) {
        // What has no type is none of the model's events: metrics in a chunk of their own.
        let Event::Model(ModelEvent {
            kind: Some(kind),
            json,
            has_metrics,
        }) = &incoming.event
        else {
            return;
        };
        if self.done {
            return;
        }
        self.done = matches!(kind.as_ref(), "message_stop" | "error");
        let json = one_line(json);
        match has_metrics {
            true => write(kind, &without_metrics(&json), out),
            false => write(kind, json.as_bytes(), out),
        }
    }

    fn end(&mut self, out: &mut Vec<u8>) -> bool {
        let whole = self.done;
        if !whole {
            let refusal = Refusal::new(
                502,
                "InternalServerException",
                "This model does not answer in Anthropic's form: it must be called through Converse.",
            );
            self.error("", &refusal, out);
        }
        whole
    }

    fn error(&mut self, _: &str, refusal: &Refusal, out: &mut Vec<u8>) {
        if !std::mem::replace(&mut self.done, true) {
            write_error(refusal, &self.request_id, out);
        }
    }

    fn ping(&mut self, out: &mut Vec<u8>) {
        write_ping(out);
    }

    fn tells_errors(&self) -> bool {
        true
    }
}

/// An event without what Bedrock put into it; there is one such in a stream.
fn without_metrics(json: &str) -> Vec<u8> {
    let Ok(object) = object::parse(json) else {
        return json.as_bytes().to_vec();
    };
    let mut edit = Edit::new(&object);
    edit.remove("amazon-bedrock-invocationMetrics");
    let body = edit.into_body(json.len());
    body.pieces(json.as_bytes()).flatten().copied().collect()
}
