//! Converse's events as those of Responses: one pass, in which what Bedrock adds to a block is passed on at once. An item is
//! repeated when it ends, and all of them at the end of the answer, so what was said is kept, up to a bound.
//! <https://platform.openai.com/docs/api-reference/responses-streaming>

use std::time::Instant;

use super::events::Events;
use super::object::Response;
use super::output::Output;
use super::{Reply, Status, fault_code};
use crate::bedrock::event::{ContentBlockDelta, ContentBlockStart, Event, MessageStop, Metadata};
use crate::bedrock::stop::Stop;
use crate::bedrock::usage::Usage;
use crate::dialect::shown::{Pictures, UNKNOWN, call_id};
use crate::dialect::{EventWriter, Incoming, Meta};
use crate::json::text::{Text, one_line};
use crate::json::writer::Writer;
use crate::refusal::Refusal;

/// Writes one answer.
#[derive(Debug)]
pub(crate) struct Stream {
    reply: Reply,
    meta: Meta,
    started: Instant,
    output: Output,
    pictures: Pictures,
    /// The last block of a kind that is not known.
    unknown: Option<u64>,
    begun: bool,
    /// How the content ended, once it has.
    stop: Option<Stop>,
    fields: Option<String>,
    /// Once the metadata has come.
    usage: Option<Option<Usage>>,
    tier: Option<String>,
    end: Option<Ended>,
}

/// What the client was told of the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    Whole,
    Failed,
}

impl Stream {
    /// For an answer to a request that said `reply`.
    pub fn new(reply: Reply, meta: &Meta) -> Self {
        Self::with(reply, meta, Events::new(false))
    }

    /// The same without events: only [`Stream::write_answer`] is wanted.
    pub fn silent(reply: Reply, meta: &Meta) -> Self {
        Self::with(reply, meta, Events::new(true))
    }

    fn with(reply: Reply, meta: &Meta, events: Events) -> Self {
        Self {
            output: Output::new(meta, events),
            reply,
            meta: meta.clone(),
            started: Instant::now(),
            pictures: Pictures::default(),
            unknown: None,
            begun: false,
            stop: None,
            fields: None,
            usage: None,
            tier: None,
            end: None,
        }
    }

    /// Writes the answer by itself, once it has ended.
    pub fn write_answer(&self, w: &mut Writer<'_>) {
        let failure = self.stop.and_then(Stop::failure);
        self.write_response(self.status(), failure.as_ref(), w);
    }

    fn status(&self) -> Status {
        self.stop.map_or(Status::InProgress, Status::of)
    }

    fn write_response(&self, status: Status, failure: Option<&Refusal>, w: &mut Writer<'_>) {
        let took = self.started.elapsed().as_secs();
        let response = Response {
            status,
            output: &self.output.items(),
            usage: self.usage.as_ref().and_then(Option::as_ref),
            tier: self.tier.as_deref(),
            error: failure.map(|failure| (fault_code(failure), failure.message.as_ref())),
            completed_at: (status == Status::Completed)
                .then(|| self.meta.created.saturating_add(took)),
            fields: self.fields.as_deref(),
        };
        response.write(&self.reply, &self.meta, w);
    }

    fn write_event(
        &mut self,
        kind: &str,
        status: Status,
        failure: Option<&Refusal>,
        out: &mut Vec<u8>,
    ) {
        if self.output.events.silent() {
            return;
        }
        let mut w = Writer::new("");
        w.key("response");
        self.write_response(status, failure, &mut w);
        let mut members = Vec::new();
        w.write_to(&mut members);
        self.output.events.write(kind, &[&members], out);
    }

    fn begin(&mut self, out: &mut Vec<u8>) {
        if !std::mem::replace(&mut self.begun, true) {
            for kind in ["response.created", "response.in_progress"] {
                self.write_event(kind, Status::InProgress, None, out);
            }
        }
    }

    fn block_start(&mut self, event: &ContentBlockStart<'_>, out: &mut Vec<u8>) {
        let block = event.content_block_index;
        if let Some(image) = &event.start.image {
            self.pictures.start(block, &image.format.0);
        }
        if let Some(call) = event.start.call() {
            let (Text(id), Text(name)) = (&call.tool_use_id, &call.name);
            let id = call_id(id, &self.meta, self.output.calls()).into_owned();
            self.output.call(block, (id, name), &self.reply, out);
        }
    }

    fn block_delta(&mut self, event: &ContentBlockDelta<'_>, out: &mut Vec<u8>) {
        let (block, delta) = (event.content_block_index, &event.delta);
        let (output, reply) = (&mut self.output, &self.reply);
        if let Some(text) = delta.text.filter(|text| !text.is_empty()) {
            output.say(block, text, out);
        }
        if let Some(input) = delta.tool_input.filter(|input| !input.is_empty()) {
            output.input(block, input, reply, out);
        }
        if let Some(reasoning) = &delta.reasoning_content {
            if let Some(text) = reasoning.text.filter(|text| !text.is_empty()) {
                output.reason(block, text, reply, out);
            }
            if let Some(signature) = reasoning.signature.filter(|text| !text.is_empty()) {
                output.sign(block, signature, out);
            }
            if let Some(data) = reasoning.redacted_content.filter(|text| !text.is_empty()) {
                output.hide(block, data, out);
            }
        }
        if let Some(cited) = delta.citation {
            output.cite(cited.get(), out);
        }
        if let Some(image) = delta.image {
            self.pictures.delta(block, image);
        }
        if delta.unknown && self.unknown.replace(block) != Some(block) {
            output.say(block, UNKNOWN, out);
        }
    }

    fn block_stop(&mut self, block: u64, out: &mut Vec<u8>) {
        if let Some(whole) = self.pictures.stop(block) {
            self.output.picture(block, &whole, out);
        }
        self.output.end_block(block, &self.reply, out);
    }

    fn message_stop(&mut self, event: &MessageStop<'_>, out: &mut Vec<u8>) {
        self.begin(out);
        while let Some(whole) = self.pictures.stop_any() {
            self.output.picture(u64::MAX, &whole, out);
        }
        self.output.end_all(&self.reply, out);
        self.stop = Some(Stop::of(
            event.stop_reason.as_deref().unwrap_or_default(),
            self.output.calls() > 0,
        ));
        self.fields = event
            .additional_model_response_fields
            .map(|fields| one_line(fields.get()).into_owned());
        if self.usage.is_some() {
            self.end(out);
        }
    }

    /// Some models tell their usage before they end.
    fn metadata(&mut self, event: &Metadata<'_>, out: &mut Vec<u8>) {
        self.usage = Some(event.usage);
        let tier = event.service_tier.as_ref();
        self.tier = tier
            .and_then(|tier| tier.kind.as_ref())
            .map(|Text(tier)| tier.clone().into_owned());
        if self.stop.is_some() {
            self.end(out);
        }
    }
}

impl EventWriter for Stream {
    fn event(&mut self, incoming: &Incoming<'_>, out: &mut Vec<u8>) {
        if self.end.is_some() {
            return;
        }
        match &incoming.event {
            Event::Metadata(event) => self.metadata(event, out),
            // Nothing of the content follows its end.
            _ if self.stop.is_some() => {}
            Event::MessageStart => self.begin(out),
            Event::ContentBlockStart(event) => {
                self.begin(out);
                self.block_start(event, out);
            }
            Event::ContentBlockDelta(Some(event)) => {
                self.begin(out);
                self.block_delta(event, out);
            }
            Event::ContentBlockStop(event) => self.block_stop(event.content_block_index, out),
            Event::MessageStop(event) => self.message_stop(event, out),
            Event::ContentBlockDelta(None) | Event::Model(_) | Event::Other => {}
        }
        if self.output.kept() > self.reply.most && !self.output.events.silent() {
            self.error("", &too_large(), out);
        }
    }

    fn end(&mut self, out: &mut Vec<u8>) -> bool {
        if self.end.is_some() || self.stop.is_none() {
            return true;
        }
        let status = self.status();
        let kind = match status {
            Status::Incomplete(_) => "response.incomplete",
            Status::Failed => "response.failed",
            Status::InProgress | Status::Completed => "response.completed",
        };
        self.end = Some(match status {
            Status::Failed => Ended::Failed,
            _ => Ended::Whole,
        });
        let failure = self.stop.and_then(Stop::failure);
        self.write_event(kind, status, failure.as_ref(), out);
        true
    }

    fn error(&mut self, _: &str, refusal: &Refusal, out: &mut Vec<u8>) {
        if self.end.is_none() {
            self.begin(out);
            self.end = Some(Ended::Failed);
            self.write_event("response.failed", Status::Failed, Some(refusal), out);
        }
    }

    fn tells_errors(&self) -> bool {
        true
    }

    fn has_failed(&self) -> bool {
        self.end == Some(Ended::Failed)
    }
}

fn too_large() -> Refusal {
    Refusal::new(
        502,
        "InternalServerException",
        "Bedrock's answer is larger than this gateway takes: see bedrock_max_frame_size.",
    )
}
