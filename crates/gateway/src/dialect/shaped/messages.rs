//! The same for what Claude answers through invoke: a message, whole or in its own events.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::fence::json_of;
use super::held::{Fate, Held};
use crate::bedrock::event::{Counts, Event, ModelEvent};
use crate::dialect::{EventWriter, Incoming};
use crate::family::{ANSWER_TOOL, AnswerText};
use crate::json::cursor::member_of;
use crate::json::edit::Edit;
use crate::json::object;
use crate::json::text::{Literal, Text, compact};
use crate::refusal::Refusal;

/// The message `body`, with its text where a client looks for it. `None`: it is no message.
pub fn reshaped_message(body: &str, text: AnswerText) -> Option<String> {
    let raw: Vec<&RawValue> = serde_json::from_str(member_of(body, "content")?).ok()?;
    let blocks: Option<Vec<Block<'_>>> = raw
        .iter()
        .map(|raw| serde_json::from_str(raw.get()).ok())
        .collect();
    let blocks = blocks?;
    let in_tool = text == AnswerText::Tool && blocks.iter().any(Block::is_answer);
    let mut content = Vec::new();
    for (raw, block) in raw.iter().zip(&blocks) {
        match block.kind.0.as_ref() {
            "tool_use" if in_tool && block.is_answer() => {
                content.push(text_block(&compact(
                    block.input.map_or("{}", RawValue::get),
                )));
            }
            "text" if in_tool => {}
            "text" => {
                let text = block.text.map(Literal::decode).unwrap_or_default();
                content.push(text_block(json_of(&text)));
            }
            _ => content.push(raw.get().to_owned()),
        }
    }
    let calls = blocks
        .iter()
        .any(|block| block.kind.0 == "tool_use" && !(in_tool && block.is_answer()));
    let stop = in_tool && !calls && member_of(body, "stop_reason") == Some(CALLS);
    edited(body, |edit| {
        edit.set("content", &format!("[{}]", content.join(",")));
        if stop {
            edit.set("stop_reason", ENDS);
        }
    })
}

/// A block, as far as it counts here.
#[derive(Deserialize)]
struct Block<'a> {
    #[serde(borrow, rename = "type")]
    kind: Text<'a>,
    #[serde(borrow, default)]
    name: Option<Text<'a>>,
    #[serde(borrow, default)]
    text: Option<Literal<'a>>,
    #[serde(borrow, default)]
    input: Option<&'a RawValue>,
}

impl Block<'_> {
    fn is_answer(&self) -> bool {
        let is_named = |Text(name): &Text<'_>| name == ANSWER_TOOL;
        self.kind.0 == "tool_use" && self.name.as_ref().is_some_and(is_named)
    }
}

/// Writes one answer.
#[derive(Debug)]
pub struct ShapedMessage {
    inner: Box<dyn EventWriter>,
    text: AnswerText,
    held: Held,
    /// The block that is open: what the model calls it, and what the client does.
    open: (u64, u64),
    /// What the open block is.
    kind: Kind,
    /// How many blocks the client has seen.
    seen: u64,
    /// Whether the answer's tool was called.
    answers: bool,
    /// Whether another tool was called.
    calls: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// The answer's tool.
    Answer,
    /// A text.
    Text,
    /// One that passes as it is.
    Other,
}

impl ShapedMessage {
    /// For what `inner` writes.
    pub fn new(inner: Box<dyn EventWriter>, text: AnswerText) -> Self {
        Self {
            inner,
            text,
            held: Held::new(text),
            open: (0, 0),
            kind: Kind::Other,
            seen: 0,
            answers: false,
            calls: false,
        }
    }

    fn send(
        &mut self,
        incoming: &Incoming<'_>,
        kind: &str,
        json: &str,
        counts: Option<Box<Counts>>,
        out: &mut Vec<u8>,
    ) {
        let event = Event::Model(ModelEvent {
            kind: Some(Cow::Borrowed(kind)),
            json,
            counts,
        });
        let incoming = Incoming {
            name: incoming.name,
            payload: incoming.payload,
            event,
        };
        self.inner.event(&incoming, out);
    }

    fn send_start(&mut self, incoming: &Incoming<'_>, out: &mut Vec<u8>) {
        let index = self.open.1;
        let json = format!(
            r#"{{"type":"content_block_start","index":{index},"content_block":{{"type":"text","text":""}}}}"#
        );
        self.send(incoming, "content_block_start", &json, None, out);
    }

    fn send_text(&mut self, incoming: &Incoming<'_>, literal: &str, out: &mut Vec<u8>) {
        let index = self.open.1;
        let json = format!(
            r#"{{"type":"content_block_delta","index":{index},"delta":{{"type":"text_delta","text":{literal}}}}}"#
        );
        self.send(incoming, "content_block_delta", &json, None, out);
    }

    fn send_stop(&mut self, incoming: &Incoming<'_>, out: &mut Vec<u8>) {
        let index = self.open.1;
        let json = format!(r#"{{"type":"content_block_stop","index":{index}}}"#);
        self.send(incoming, "content_block_stop", &json, None, out);
    }

    /// Passes an event of the open block on, by the client's number.
    fn pass(&mut self, incoming: &Incoming<'_>, kind: &str, json: &str, out: &mut Vec<u8>) {
        let (models, clients) = self.open;
        let renumbered = (models != clients)
            .then(|| edited(json, |edit| edit.set("index", &clients.to_string())))
            .flatten();
        self.send(
            incoming,
            kind,
            renumbered.as_deref().unwrap_or(json),
            None,
            out,
        );
    }

    fn start(&mut self, incoming: &Incoming<'_>, json: &str, out: &mut Vec<u8>) {
        let index = member_of(json, "index").and_then(|index| index.parse().ok());
        self.open = (index.unwrap_or(self.seen), self.seen);
        let block = member_of(json, "content_block").unwrap_or_default();
        let block: Option<Block<'_>> = serde_json::from_str(block).ok();
        let is_call = block
            .as_ref()
            .is_some_and(|block| block.kind.0 == "tool_use");
        self.kind = match &block {
            Some(block) if self.text == AnswerText::Tool && block.is_answer() => Kind::Answer,
            Some(block) if block.kind.0 == "text" => Kind::Text,
            _ => Kind::Other,
        };
        match self.kind {
            Kind::Answer => {
                self.answers = true;
                self.send_start(incoming, out);
            }
            // Whether it is the answer is known when all has come.
            Kind::Text if self.text == AnswerText::Tool => return,
            _ => {
                self.calls |= is_call;
                self.pass(incoming, "content_block_start", json, out);
            }
        }
        self.seen += 1;
    }

    fn delta(&mut self, incoming: &Incoming<'_>, json: &str, out: &mut Vec<u8>) {
        let delta = member_of(json, "delta").unwrap_or_default();
        match self.kind {
            Kind::Answer => {
                if let Some(input) = member_of(delta, "partial_json") {
                    self.send_text(incoming, input, out);
                }
            }
            Kind::Text => {
                let text = member_of(delta, "text").and_then(Literal::of_value);
                match text.map(|text| self.held.take(self.open.0, &text)) {
                    Some(Fate::Waits) => {}
                    Some(Fate::Goes(text)) => {
                        let literal = Value::from(text).to_string();
                        self.send_text(incoming, &literal, out);
                    }
                    // A source that is cited is none of the answer.
                    None if self.text == AnswerText::Tool => {}
                    Some(Fate::Passes) | None => {
                        self.pass(incoming, "content_block_delta", json, out);
                    }
                }
            }
            Kind::Other => self.pass(incoming, "content_block_delta", json, out),
        }
    }

    fn stop(&mut self, incoming: &Incoming<'_>, json: &str, out: &mut Vec<u8>) {
        if self.kind == Kind::Text {
            if self.text == AnswerText::Tool {
                return;
            }
            if let Some((_, text)) = self.held.end(false) {
                self.send_text(incoming, &Value::from(text).to_string(), out);
            }
        }
        self.pass(incoming, "content_block_stop", json, out);
    }

    fn message_delta(
        &mut self,
        incoming: &Incoming<'_>,
        event: &ModelEvent<'_>,
        out: &mut Vec<u8>,
    ) {
        // The model has answered in a text all the same.
        if let Some((_, text)) = self.held.end(self.answers) {
            self.open.1 = self.seen;
            self.seen += 1;
            self.send_start(incoming, out);
            self.send_text(incoming, &Value::from(text).to_string(), out);
            self.send_stop(incoming, out);
        }
        let counts = event.counts.as_ref().map(|counts| {
            Box::new(Counts {
                own: counts.own,
                metrics: counts.metrics,
            })
        });
        let delta = member_of(event.json, "delta").unwrap_or_default();
        let ends = self.answers && !self.calls && member_of(delta, "stop_reason") == Some(CALLS);
        let changed = ends
            .then(|| {
                let delta = edited(delta, |edit| edit.set("stop_reason", ENDS))?;
                edited(event.json, |edit| edit.set("delta", &delta))
            })
            .flatten();
        let json = changed.as_deref().unwrap_or(event.json);
        self.send(incoming, "message_delta", json, counts, out);
    }
}

impl EventWriter for ShapedMessage {
    fn event(&mut self, incoming: &Incoming<'_>, out: &mut Vec<u8>) {
        if let Event::Model(event) = &incoming.event {
            match event.kind.as_deref() {
                Some("content_block_start") => return self.start(incoming, event.json, out),
                Some("content_block_delta") => return self.delta(incoming, event.json, out),
                Some("content_block_stop") => return self.stop(incoming, event.json, out),
                Some("message_delta") => return self.message_delta(incoming, event, out),
                _ => {}
            }
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

fn text_block(text: &str) -> String {
    format!(r#"{{"type":"text","text":{}}}"#, Value::from(text))
}

/// An object with these changes; `None`: it is none.
fn edited(json: &str, change: impl FnOnce(&mut Edit<'_, '_>)) -> Option<String> {
    let object = object::parse(json).ok()?;
    let mut edit = Edit::new(&object);
    change(&mut edit);
    let body = edit.into_body(json.len());
    let bytes = body.pieces(json.as_bytes()).flatten().copied().collect();
    String::from_utf8(bytes).ok()
}

const CALLS: &str = "\"tool_use\"";
const ENDS: &str = "\"end_turn\"";
