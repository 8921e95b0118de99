//! Converse's events as Anthropic's. Anthropic's SDKs add a block to a list when it starts, so blocks are numbered in the
//! order in which they start, and each begins with its first delta: Converse announces calls of tools only.

use serde_json::value::RawValue;

use super::super::response::{open_message, write_stop};
use super::super::{Reply, citation, write_usage};
use super::blocks::{Blocks, Kind, write};
use super::{redacted, write_error, write_ping};
use crate::bedrock::event::{
    ContentBlockDelta, ContentBlockStart, Event, MessageStop, Metadata, ReasoningDelta,
};
use crate::bedrock::stop::Stop;
use crate::bedrock::usage::Usage;
use crate::dialect::shown::{NO_PICTURE, Pictures, UNKNOWN, Whole, call_id};
use crate::dialect::{EventWriter, Incoming, Meta};
use crate::json::text::{Literal, Text};
use crate::json::writer::Writer;
use crate::refusal::Refusal;

/// Writes one answer.
#[derive(Debug)]
pub struct Stream {
    reply: Reply,
    meta: Meta,
    begun: bool,
    blocks: Blocks,
    /// The number at Bedrock of a text that has ended there, and here waits for sources that stand in a block of their own.
    ended: Option<u64>,
    sources: Sources,
    pictures: Pictures,
    /// Calls of tools so far.
    calls: usize,
    /// `stop_reason` and `stop_sequence`, once they have come.
    stop: Option<Vec<u8>>,
    /// Once the metadata has come.
    usage: Option<Usage>,
    done: bool,
}

/// Sources that came in a block before any text did.
#[derive(Debug, Default)]
struct Sources {
    /// The block's number at Bedrock.
    block: u64,
    /// In Anthropic's form, up to [`MOST_SOURCES`] bytes.
    citations: Vec<String>,
    size: usize,
}

impl Stream {
    /// For an answer to a request that said `reply`.
    pub fn new(reply: &Reply, meta: &Meta) -> Self {
        Self {
            reply: reply.clone(),
            meta: meta.clone(),
            begun: false,
            blocks: Blocks::default(),
            ended: None,
            sources: Sources::default(),
            pictures: Pictures::default(),
            calls: 0,
            stop: None,
            usage: None,
            done: false,
        }
    }

    fn begin(&mut self, out: &mut Vec<u8>) {
        if std::mem::replace(&mut self.begun, true) {
            return;
        }
        let mut w = Writer::new("");
        w.key("message").open('{');
        open_message(&self.reply, &self.meta, &mut w);
        w.key("content").json("[]");
        w.key("stop_reason").json("null");
        w.key("stop_sequence").json("null");
        // The real counts come at the end, and replace these.
        write_usage(&Usage::default(), &mut w);
        w.close('}');
        write("message_start", w, out);
        write_ping(out);
    }

    fn block_start(&mut self, event: &ContentBlockStart<'_>, out: &mut Vec<u8>) {
        if let Some(image) = &event.start.image {
            self.pictures
                .start(event.content_block_index, &image.format.0);
        }
        let Some(call) = event.start.call() else {
            return;
        };
        let (Text(id), Text(name)) = (&call.tool_use_id, &call.name);
        let mut w = Writer::new("");
        w.open('{');
        w.key("type").value("tool_use");
        w.key("id").value(&call_id(id, &self.meta, self.calls));
        w.key("name").value(self.reply.tools.for_client(name));
        w.key("input").json("{}");
        w.close('}');
        self.calls += 1;
        self.close_block(event.content_block_index, out);
        self.open_block(event.content_block_index, Kind::ToolUse, w, out);
    }

    fn block_delta(&mut self, event: &ContentBlockDelta<'_>, out: &mut Vec<u8>) {
        let (block, delta) = (event.content_block_index, &event.delta);
        if let Some(text) = delta.text.filter(|text| !text.is_empty()) {
            self.say(block, text, out);
        }
        // Input of a call that was never announced has nothing to belong to.
        if let Some(input) = delta.tool_input.filter(|input| !input.is_empty())
            && let Some(index) = self.blocks.find(block, Kind::ToolUse)
        {
            self.blocks
                .delta(index, b"\"input_json_delta\",\"partial_json\":", input, out);
        }
        if let Some(reasoning) = &delta.reasoning_content {
            self.reasoning(block, reasoning, out);
        }
        if let Some(cited) = delta.citation {
            self.citation(block, cited, out);
        }
        if let Some(image) = delta.image {
            self.pictures.delta(block, image);
        }
        if delta.unknown && self.blocks.find(block, Kind::Text).is_none() {
            self.say(block, UNKNOWN, out);
        }
    }

    fn say(&mut self, block: u64, text: Literal<'_>, out: &mut Vec<u8>) {
        let index = self.index_of(block, Kind::Text, out);
        self.blocks
            .delta(index, b"\"text_delta\",\"text\":", text, out);
    }

    fn picture(&mut self, block: u64, whole: &Whole, out: &mut Vec<u8>) {
        match whole.picture() {
            None => self.say(block, NO_PICTURE, out),
            Some(picture) => {
                let mut w = Writer::new("");
                w.open('{');
                w.key("type").value("image");
                w.key("source");
                picture.write_source(&mut w);
                w.close('}');
                self.close_block(block, out);
                self.open_block(block, Kind::Whole, w, out);
            }
        }
        self.close_block(block, out);
    }

    fn reasoning(&mut self, block: u64, reasoning: &ReasoningDelta<'_>, out: &mut Vec<u8>) {
        if let Some(text) = reasoning.text.filter(|text| !text.is_empty()) {
            let index = self.index_of(block, Kind::Thinking, out);
            self.blocks
                .delta(index, b"\"thinking_delta\",\"thinking\":", text, out);
        }
        if let Some(signature) = reasoning.signature.filter(|text| !text.is_empty()) {
            let index = self.index_of(block, Kind::Thinking, out);
            self.blocks
                .delta(index, b"\"signature_delta\",\"signature\":", signature, out);
        }
        if let Some(content) = reasoning.redacted_content.filter(|text| !text.is_empty()) {
            let mut w = Writer::new("");
            w.open('{');
            w.key("type").value("redacted_thinking");
            w.key("data").value(&redacted(content));
            w.close('}');
            self.close_block(block, out);
            self.open_block(block, Kind::Whole, w, out);
        }
    }

    fn citation(&mut self, block: u64, cited: &RawValue, out: &mut Vec<u8>) {
        let mut w = Writer::new(cited.get());
        if !citation::write(cited, &mut w) {
            return;
        }
        let mut json = Vec::new();
        w.write_to(&mut json);
        let json = String::from_utf8_lossy(&json);
        match self.blocks.find(block, Kind::Text) {
            Some(index) => self.cite(index, &json, out),
            None => {
                if self.sources.block != block {
                    self.settle_sources(out);
                    self.sources.block = block;
                }
                self.sources.add(json.into_owned());
            }
        }
    }

    fn cite(&mut self, index: u64, json: &str, out: &mut Vec<u8>) {
        let kind = b"\"citations_delta\",\"citation\":";
        self.blocks.delta(index, kind, Literal(json), out);
    }

    /// Sources that had no text of their own go to the text that stands before them. Anthropic refuses an empty text when it
    /// comes back.
    fn settle_sources(&mut self, out: &mut Vec<u8>) {
        let citations = self.sources.take();
        let ended = self
            .ended
            .and_then(|block| self.blocks.find(block, Kind::Text));
        if let Some(index) = ended {
            for json in citations {
                self.cite(index, &json, out);
            }
        }
    }

    /// Nothing can be added any more to a text that has ended at Bedrock.
    fn close_ended(&mut self, out: &mut Vec<u8>) {
        if let Some(block) = self.ended.take() {
            self.close_block(block, out);
        }
    }

    fn block_stop(&mut self, block: u64, out: &mut Vec<u8>) {
        if let Some(whole) = self.pictures.stop(block) {
            self.picture(block, &whole, out);
        } else if self.blocks.find(block, Kind::Text).is_some() {
            if self.ended != Some(block) {
                self.close_ended(out);
            }
            self.ended = Some(block);
        } else if self.sources.block == block && !self.sources.citations.is_empty() {
            self.settle_sources(out);
        } else {
            self.close_block(block, out);
        }
    }

    /// The number of the block that this kind of delta belongs to, which begins here if it has not yet.
    fn index_of(&mut self, block: u64, kind: Kind, out: &mut Vec<u8>) -> u64 {
        if let Some(index) = self.blocks.find(block, kind) {
            return index;
        }
        self.close_block(block, out);
        let mut w = Writer::new("");
        w.json(match kind {
            Kind::Thinking => r#"{"type":"thinking","thinking":"","signature":""}"#,
            _ => r#"{"type":"text","text":""}"#,
        });
        let own = match kind {
            Kind::Text if self.sources.block == block => self.sources.take(),
            _ => Vec::new(),
        };
        let index = self.open_block(block, kind, w, out);
        for json in own {
            self.cite(index, &json, out);
        }
        index
    }

    fn open_block(
        &mut self,
        block: u64,
        kind: Kind,
        content: Writer<'_>,
        out: &mut Vec<u8>,
    ) -> u64 {
        self.begin(out);
        self.settle_sources(out);
        self.close_ended(out);
        if let Some(oldest) = self.blocks.first().filter(|_| self.blocks.are_full()) {
            self.close_block(oldest, out);
        }
        self.blocks.open(block, kind, content, out)
    }

    fn close_block(&mut self, block: u64, out: &mut Vec<u8>) {
        self.ended.take_if(|ended| *ended == block);
        self.blocks.close(block, out);
    }

    fn message_stop(&mut self, event: &MessageStop<'_>, out: &mut Vec<u8>) {
        if self.stop.is_some() {
            return;
        }
        self.begin(out);
        while let Some(whole) = self.pictures.stop_any() {
            self.picture(u64::MAX, &whole, out);
        }
        self.settle_sources(out);
        while let Some(block) = self.blocks.first() {
            self.close_block(block, out);
        }
        let word = event.stop_reason.as_deref().unwrap_or_default();
        let stop = Stop::of(word, self.calls > 0);
        if let Some(failure) = stop.failure() {
            self.error("", &failure, out);
            return;
        }
        let mut w = Writer::new("");
        w.open('{');
        write_stop(stop, event.additional_model_response_fields, &mut w);
        w.close('}');
        let mut stop = Vec::new();
        w.write_to(&mut stop);
        self.stop = Some(stop);
        if self.usage.is_some() {
            self.end(out);
        }
    }

    fn metadata(&mut self, event: &Metadata<'_>, out: &mut Vec<u8>) {
        let known = self.usage.get_or_insert_default();
        known.merge(&event.usage.unwrap_or_default());
        if self.stop.is_some() {
            self.end(out);
        }
    }
}

impl Sources {
    fn add(&mut self, json: String) {
        if self.size + json.len() <= MOST_SOURCES {
            self.size += json.len();
            self.citations.push(json);
        }
    }

    fn take(&mut self) -> Vec<String> {
        self.size = 0;
        std::mem::take(&mut self.citations)
    }
}

impl EventWriter for Stream {
    fn event(&mut self, incoming: &Incoming<'_>, out: &mut Vec<u8>) {
        if self.done {
            return;
        }
        match &incoming.event {
            Event::MessageStart => self.begin(out),
            Event::Metadata(event) => self.metadata(event, out),
            // What comes after the message's end belongs to no message.
            _ if self.stop.is_some() => {}
            Event::ContentBlockStart(event) => self.block_start(event, out),
            Event::ContentBlockDelta(Some(event)) => self.block_delta(event, out),
            Event::ContentBlockStop(event) => self.block_stop(event.content_block_index, out),
            Event::MessageStop(event) => self.message_stop(event, out),
            Event::ContentBlockDelta(None) | Event::Model(_) | Event::Other => {}
        }
    }

    fn end(&mut self, out: &mut Vec<u8>) -> bool {
        let Some(stop) = self.stop.as_ref().filter(|_| !self.done) else {
            return true;
        };
        self.done = true;
        let mut w = Writer::new("");
        w.key("delta").json(&String::from_utf8_lossy(stop));
        write_usage(&self.usage.unwrap_or_default(), &mut w);
        write("message_delta", w, out);
        out.extend_from_slice(b"event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n");
        true
    }

    fn error(&mut self, _: &str, refusal: &Refusal, out: &mut Vec<u8>) {
        if !std::mem::replace(&mut self.done, true) {
            write_error(refusal, &self.meta.id, out);
        }
    }

    fn ping(&mut self, out: &mut Vec<u8>) {
        write_ping(out);
    }

    fn tells_errors(&self) -> bool {
        true
    }
}

/// How many bytes of sources wait for the text that they belong to.
const MOST_SOURCES: usize = 64 << 10;
