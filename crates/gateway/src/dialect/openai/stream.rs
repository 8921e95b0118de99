//! Converse's events as `chat.completion.chunk`s in server-sent events: one pass, nothing kept but a few numbers.
//! <https://platform.openai.com/docs/api-reference/chat-streaming>

use super::citation::{self, Cited};
use super::response::write_image;
use super::{Reply, finish_reason, write_service_tier, write_usage};
use crate::bedrock::event::{
    ContentBlockDelta, ContentBlockStart, Event, MessageStop, Metadata, ReasoningDelta,
};
use crate::bedrock::stop::Stop;
use crate::dialect::custom::Unwrapping;
use crate::dialect::openai::error;
use crate::dialect::shown::{NO_PICTURE, Pictures, UNKNOWN, Whole, call_id};
use crate::dialect::{EventWriter, Incoming, MOST_OPEN, Meta};
use crate::json::text::{Literal, Text, one_line};
use crate::json::writer::Writer;
use crate::refusal::Refusal;

/// Writes one answer.
#[derive(Debug)]
pub(crate) struct Stream {
    reply: Reply,
    meta: Meta,
    /// Every chunk up to its choices.
    head: Vec<u8>,
    /// Every chunk that adds to the message, up to what it adds.
    delta_head: Vec<u8>,
    /// What follows there.
    delta_tail: Vec<u8>,
    /// What every chunk with a choice ends in.
    tail: &'static [u8],
    begun: bool,
    stopped: bool,
    done: bool,
    /// Calls of tools so far; the index of the last is one less.
    calls: u64,
    /// The last block that was signed, or redacted: its number among the blocks, and among those.
    signed: Option<(u64, u64)>,
    /// The calls whose input is not whole yet.
    open: Vec<OpenCall>,
    pictures: Pictures,
    /// Pictures that the client has.
    shown: usize,
    /// What a source would be cited for.
    cited: Cited,
    /// Sources so far.
    sources: u64,
    /// The last block of a kind that is not known.
    unknown: Option<u64>,
    /// The chunk that tells the usage, once that is known.
    usage: Option<Vec<u8>>,
}

#[derive(Debug)]
struct OpenCall {
    block: u64,
    index: u64,
    has_input: bool,
    /// Of a tool whose input is text.
    custom: Option<Unwrapping>,
}

impl Stream {
    /// For an answer to a request that said `reply`.
    pub fn new(reply: Reply, meta: &Meta) -> Self {
        let mut w = Writer::new("");
        w.open('{');
        w.key("id").value(&format!("chatcmpl-{}", meta.id));
        w.key("object").value("chat.completion.chunk");
        w.key("created").value(&meta.created);
        w.key("model").value(&reply.model);
        w.key("choices").open('[');
        let mut head = b"data: ".to_vec();
        w.write_to(&mut head);
        let tail: &[u8] = match reply.include_usage {
            true => b",\"usage\":null}\n\n",
            false => b"}\n\n",
        };
        Self {
            reply,
            meta: meta.clone(),
            delta_head: [&head, &br#"{"index":0,"delta":{"#[..]].concat(),
            delta_tail: [&br#"},"finish_reason":null}]"#[..], tail].concat(),
            head,
            tail,
            begun: false,
            stopped: false,
            done: false,
            calls: 0,
            signed: None,
            open: Vec::new(),
            pictures: Pictures::default(),
            shown: 0,
            cited: Cited::default(),
            sources: 0,
            unknown: None,
            usage: None,
        }
    }

    /// Writes a chunk that adds this to the message.
    fn delta(&mut self, out: &mut Vec<u8>, members: &[&[u8]]) {
        self.begin(out);
        self.chunk(out, members);
    }

    fn chunk(&self, out: &mut Vec<u8>, delta: &[&[u8]]) {
        let length: usize = delta.iter().map(|piece| piece.len()).sum();
        out.reserve(self.delta_head.len() + length + self.delta_tail.len());
        out.extend_from_slice(&self.delta_head);
        for piece in delta {
            out.extend_from_slice(piece);
        }
        out.extend_from_slice(&self.delta_tail);
    }

    /// The role comes once, first of all.
    fn begin(&mut self, out: &mut Vec<u8>) {
        if !std::mem::replace(&mut self.begun, true) {
            self.chunk(out, &[br#""role":"assistant","content":"""#]);
        }
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
        w.key("tool_calls").open('[');
        w.item().open('{');
        w.key("index").value(&self.calls);
        let number = usize::try_from(self.calls).unwrap_or(usize::MAX);
        w.key("id").value(&call_id(id, &self.meta, number));
        let is_custom = self.reply.customs.has(name);
        let (kind, member) = match is_custom {
            true => ("custom", "input"),
            false => ("function", "arguments"),
        };
        w.key("type").value(kind);
        w.key(kind).open('{');
        w.key("name").value(self.reply.tools.for_client(name));
        w.key(member).value("");
        w.close('}');
        w.close('}');
        w.close(']');
        let mut members = Vec::new();
        w.write_to(&mut members);
        self.close_call(event.content_block_index, out);
        if let Some(oldest) = self.open.first().filter(|_| self.open.len() >= MOST_OPEN) {
            self.close_call(oldest.block, out);
        }
        self.open.push(OpenCall {
            block: event.content_block_index,
            index: self.calls,
            has_input: false,
            custom: is_custom.then(Unwrapping::default),
        });
        self.calls += 1;
        self.delta(out, &[&members]);
    }

    fn block_delta(&mut self, event: &ContentBlockDelta<'_>, out: &mut Vec<u8>) {
        let delta = &event.delta;
        if let Some(text) = delta.text.filter(|text| !text.is_empty()) {
            self.say(event.content_block_index, text, out);
        }
        if let Some(source) = delta.citation {
            self.cite(source.get(), out);
        }
        if let Some(input) = delta.tool_input.filter(|input| !input.is_empty()) {
            self.input(event.content_block_index, input, out);
        }
        if let Some(reasoning) = &delta.reasoning_content {
            self.reasoning(event.content_block_index, reasoning, out);
        }
        if let Some(image) = delta.image {
            self.pictures.delta(event.content_block_index, image);
        }
        if delta.unknown
            && self.unknown.replace(event.content_block_index) != Some(event.content_block_index)
        {
            self.say(event.content_block_index, UNKNOWN, out);
        }
    }

    fn say(&mut self, block: u64, text: Literal<'_>, out: &mut Vec<u8>) {
        self.cited.say(block, text.characters());
        self.delta(out, &[b"\"content\":", text.0.as_bytes()]);
    }

    fn cite(&mut self, source: &str, out: &mut Vec<u8>) {
        let mut w = Writer::new("");
        w.key("annotations").open('[');
        if !citation::write(source, &self.cited.range(), Some(self.sources), &mut w) {
            return;
        }
        w.close(']');
        self.sources += 1;
        let mut members = Vec::new();
        w.write_to(&mut members);
        self.delta(out, &[&members]);
    }

    fn picture(&mut self, block: u64, whole: &Whole, out: &mut Vec<u8>) {
        let Some(picture) = whole.picture() else {
            self.say(block, NO_PICTURE, out);
            return;
        };
        let mut w = Writer::new("");
        w.key("images").open('[');
        write_image(self.shown, &picture, &mut w);
        w.close(']');
        self.shown += 1;
        let mut members = Vec::new();
        w.write_to(&mut members);
        self.delta(out, &[&members]);
    }

    fn block_stop(&mut self, block: u64, out: &mut Vec<u8>) {
        self.close_call(block, out);
        if let Some(whole) = self.pictures.stop(block) {
            self.picture(block, &whole, out);
        }
    }

    fn input(&mut self, block: u64, input: Literal<'_>, out: &mut Vec<u8>) {
        // Input of a call that was never announced has nothing to belong to.
        let mut open = self.open.iter_mut().rev();
        let Some(call) = open.find(|call| call.block == block) else {
            return;
        };
        call.has_input = true;
        let index = call.index;
        match &mut call.custom {
            None => self.call_delta(index, b",\"function\":{\"arguments\":", input.0, out),
            Some(unwrapping) => {
                let mut text = String::new();
                unwrapping.take(&input.decode(), &mut text);
                self.custom_delta(index, &text, out);
            }
        }
    }

    fn custom_delta(&mut self, index: u64, text: &str, out: &mut Vec<u8>) {
        if !text.is_empty() {
            let json = serde_json::Value::from(text).to_string();
            self.call_delta(index, b",\"custom\":{\"input\":", &json, out);
        }
    }

    fn call_delta(&mut self, index: u64, member: &[u8], json: &str, out: &mut Vec<u8>) {
        let index = index.to_string();
        self.delta(
            out,
            &[
                b"\"tool_calls\":[{\"index\":",
                index.as_bytes(),
                member,
                json.as_bytes(),
                b"}}]",
            ],
        );
    }

    /// Signatures come as LiteLLM's `thinking_blocks`, for clients that send them back. They have an index, because OpenAI's
    /// SDK adds up the elements of a list by it.
    fn reasoning(&mut self, block: u64, reasoning: &ReasoningDelta<'_>, out: &mut Vec<u8>) {
        if let Some(Literal(text)) = reasoning.text.filter(|text| !text.is_empty()) {
            self.delta(out, &[b"\"reasoning_content\":", text.as_bytes()]);
        }
        for (value, start) in [
            (
                reasoning.signature,
                &br#","type":"thinking","signature":"#[..],
            ),
            (
                reasoning.redacted_content,
                br#","type":"redacted_thinking","data":"#,
            ),
        ] {
            if let Some(Literal(value)) = value.filter(|value| !value.is_empty()) {
                let index = self.index_of_signed(block).to_string();
                self.delta(
                    out,
                    &[
                        b"\"thinking_blocks\":[{\"index\":",
                        index.as_bytes(),
                        start,
                        value.as_bytes(),
                        b"}]",
                    ],
                );
            }
        }
    }

    /// Which of the signed blocks this one is. A signature may come in pieces.
    fn index_of_signed(&mut self, block: u64) -> u64 {
        let index = match self.signed {
            Some((last, index)) if last == block => index,
            Some((_, index)) => index + 1,
            None => 0,
        };
        self.signed = Some((block, index));
        index
    }

    /// A call without input has an empty object, which somebody has to say.
    fn close_call(&mut self, block: u64, out: &mut Vec<u8>) {
        let Some(place) = self.open.iter().rposition(|call| call.block == block) else {
            return;
        };
        let mut call = self.open.remove(place);
        match &mut call.custom {
            Some(unwrapping) => {
                let mut text = String::new();
                unwrapping.end(&mut text);
                self.custom_delta(call.index, &text, out);
            }
            None if call.has_input => {}
            None => {
                let empty = b",\"function\":{\"arguments\":";
                self.call_delta(call.index, empty, "\"{}\"", out);
            }
        }
    }

    fn message_stop(&mut self, event: &MessageStop<'_>, out: &mut Vec<u8>) {
        while let Some(block) = self.open.first().map(|call| call.block) {
            self.close_call(block, out);
        }
        while let Some(whole) = self.pictures.stop_any() {
            self.picture(u64::MAX, &whole, out);
        }
        self.begin(out);
        self.stopped = true;
        let stop = Stop::of(
            event.stop_reason.as_deref().unwrap_or_default(),
            self.calls > 0,
        );
        if let Some(failure) = stop.failure() {
            self.error("", &failure, out);
            return;
        }
        let reason = finish_reason(stop);
        out.extend_from_slice(&self.delta_head);
        out.extend_from_slice(b"},\"finish_reason\":\"");
        out.extend_from_slice(reason.as_bytes());
        out.extend_from_slice(b"\"}]");
        if let Some(fields) = event.additional_model_response_fields {
            out.extend_from_slice(b",\"additionalModelResponseFields\":");
            out.extend_from_slice(one_line(fields.get()).as_bytes());
        }
        out.extend_from_slice(self.tail);
        if self.usage.is_some() {
            self.end(out);
        }
    }

    /// Some models tell their usage before they end.
    fn metadata(&mut self, event: &Metadata<'_>, out: &mut Vec<u8>) {
        let mut chunk = Vec::new();
        if self.reply.include_usage {
            let mut w = Writer::new("");
            w.close(']');
            if write_usage(event.usage.as_ref(), &mut w) {
                write_service_tier(event.service_tier.as_ref(), &mut w);
                w.close('}');
                chunk.extend_from_slice(&self.head);
                w.write_to(&mut chunk);
                chunk.extend_from_slice(b"\n\n");
            }
        }
        self.usage = Some(chunk);
        if self.stopped {
            self.end(out);
        }
    }
}

impl EventWriter for Stream {
    fn event(&mut self, incoming: &Incoming<'_>, out: &mut Vec<u8>) {
        if self.done {
            return;
        }
        match &incoming.event {
            Event::Metadata(event) => self.metadata(event, out),
            // Nothing of the content follows its end.
            _ if self.stopped => {}
            Event::MessageStart => self.begin(out),
            Event::ContentBlockStart(event) => self.block_start(event, out),
            Event::ContentBlockDelta(Some(event)) => self.block_delta(event, out),
            Event::ContentBlockStop(event) => self.block_stop(event.content_block_index, out),
            Event::MessageStop(event) => self.message_stop(event, out),
            Event::ContentBlockDelta(None) | Event::Model(_) | Event::Other => {}
        }
    }

    fn end(&mut self, out: &mut Vec<u8>) -> bool {
        if !std::mem::replace(&mut self.done, true) {
            out.extend_from_slice(&self.usage.take().unwrap_or_default());
            out.extend_from_slice(b"data: [DONE]\n\n");
        }
        true
    }

    fn error(&mut self, _: &str, refusal: &Refusal, out: &mut Vec<u8>) {
        if !std::mem::replace(&mut self.done, true) {
            out.extend_from_slice(b"data: ");
            out.extend_from_slice(&error::json(refusal));
            out.extend_from_slice(b"\n\n");
        }
    }

    fn tells_errors(&self) -> bool {
        true
    }
}
