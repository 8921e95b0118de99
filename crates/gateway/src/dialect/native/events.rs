//! What the events of Converse say. ConverseStream sends them, and Nova in its invoke streams.

use serde::Deserialize;

use super::stream::{Corrupt, Progress};
use crate::bedrock::event::{
    ContentBlockDelta, ContentBlockStart, Event, MessageStop, Metadata, Trace,
};
use crate::bedrock::usage::{Usage, keep, reasoning_in};
use crate::facts::{Facts, StreamStatus, Wanted};
use crate::json::strict::Object;
use crate::json::text::Text;

/// Follows the events of one answer.
#[derive(Debug, Default)]
pub struct Events {
    wanted: Wanted,
    stopped: bool,
    /// Whether the metadata has come.
    counted: bool,
    /// All counts that the model itself has told.
    pub usage: Usage,
}

impl Events {
    /// Reads of what is generated what is `wanted`.
    pub fn new(wanted: Wanted) -> Self {
        Self {
            wanted,
            ..Self::default()
        }
    }

    /// Takes one event, and gives it as it was understood; what a delta says only if that is wanted.
    ///
    /// # Errors
    /// It is one that counts, and cannot be understood.
    pub fn event<'a>(
        &mut self,
        event_type: &str,
        payload: &'a [u8],
        wants_deltas: bool,
        facts: &mut Facts,
    ) -> Result<Event<'a>, Corrupt> {
        Ok(match event_type {
            "messageStart" => {
                facts.tool_calls.get_or_insert(0);
                Event::MessageStart
            }
            "contentBlockDelta" => {
                facts.content_started = true;
                // A setting of the log must not decide what passes: a delta that is not understood is only not kept.
                let delta: Option<ContentBlockDelta> = match wants_deltas {
                    true => Some(delta(payload)?),
                    false if self.wanted.reads(facts) => delta(payload).ok(),
                    false => None,
                };
                if let Some(ContentBlockDelta { delta, .. }) = &delta {
                    facts.measure(delta.length());
                    if let Some(text) = delta.text.filter(|_| self.wanted.keeps_text(facts)) {
                        facts.keep_text(&text.decode(), self.wanted.text);
                    }
                }
                Event::ContentBlockDelta(delta)
            }
            "contentBlockStart" => {
                let event: ContentBlockStart = parse(payload)?;
                if event.start.call().is_some() {
                    facts.count_tool_call();
                }
                Event::ContentBlockStart(event)
            }
            "contentBlockStop" if wants_deltas => Event::ContentBlockStop(parse(payload)?),
            "messageStop" => {
                let event: MessageStop = parse(payload)?;
                facts.stopped(event.stop_reason.clone());
                let fields = event.additional_model_response_fields;
                let reasoning = fields.and_then(|fields| reasoning_in(fields.get()));
                keep(&mut facts.reasoning_tokens, reasoning);
                self.stopped = true;
                self.complete(facts);
                Event::MessageStop(event)
            }
            "metadata" => {
                let event: Metadata = parse(payload)?;
                if let Some(usage) = &event.usage {
                    self.usage.merge(usage);
                    self.usage.tell(facts);
                }
                if let Some(metrics) = &event.metrics {
                    metrics.tell(facts);
                }
                if let Some(tier) = event
                    .service_tier
                    .as_ref()
                    .and_then(|tier| tier.kind.as_ref())
                {
                    facts.service_tier = Some(tier.0.clone().into_owned());
                }
                if let Some(trace) = &event.trace {
                    tell_trace(trace, facts);
                }
                self.counted = true;
                self.complete(facts);
                Event::Metadata(Box::new(event))
            }
            _ => Event::Other,
        })
    }

    /// Whichever of messageStop and metadata comes last ends the stream.
    fn complete(&self, facts: &mut Facts) {
        if self.stopped && self.counted {
            facts.stream.get_or_insert(StreamStatus::Complete);
        }
    }

    /// Between messageStop and metadata the content is whole, and only the counts are unknown.
    pub fn progress(&self) -> Progress {
        match self.stopped {
            true => Progress::ContentWhole,
            false => Progress::Unfinished,
        }
    }
}

fn tell_trace(trace: &Trace<'_>, facts: &mut Facts) {
    if trace.guardrail.is_some() {
        facts.guardrail(false);
    }
    let router = trace.prompt_router.as_ref();
    if let Some(Text(model)) = router.and_then(|router| router.invoked_model_id.as_ref()) {
        facts.invoked_model = Some(model.clone().into_owned());
    }
}

fn delta(payload: &[u8]) -> Result<ContentBlockDelta<'_>, Corrupt> {
    ContentBlockDelta::read(text(payload)?).map_err(|_| Corrupt::InvalidJson)
}

/// The JSON of an event that counts.
///
/// # Errors
/// It is not.
pub fn parse<'a, T: Deserialize<'a>>(payload: &'a [u8]) -> Result<T, Corrupt> {
    let Object(event) = serde_json::from_str(text(payload)?).map_err(|_| Corrupt::InvalidJson)?;
    Ok(event)
}

/// The text of a payload, checked in one go: serde_json would do it again for each string.
///
/// # Errors
/// It is not UTF-8, and so not JSON.
pub fn text(payload: &[u8]) -> Result<&str, Corrupt> {
    std::str::from_utf8(payload).map_err(|_| Corrupt::InvalidJson)
}
