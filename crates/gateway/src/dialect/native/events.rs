//! What the events of Converse say. ConverseStream sends them, and Nova in its invoke streams.

use serde::Deserialize;

use super::stream::{Corrupt, Progress};
use crate::bedrock::event::{ContentBlockDelta, ContentBlockStart, MessageStop, Metadata};
use crate::bedrock::usage::{Usage, keep};
use crate::facts::{Facts, StreamStatus};

/// Follows the events of one answer.
#[derive(Debug, Default)]
pub struct Events {
    response_text: usize,
    stopped: bool,
    /// All counts that the model itself has told.
    pub usage: Usage,
}

impl Events {
    /// Keeps at most `response_text` bytes of text.
    pub fn new(response_text: usize) -> Self {
        Self {
            response_text,
            ..Self::default()
        }
    }

    /// Takes one event.
    ///
    /// # Errors
    /// It is one that counts, and cannot be understood.
    pub fn event(
        &mut self,
        event_type: &str,
        payload: &[u8],
        facts: &mut Facts,
    ) -> Result<(), Corrupt> {
        match event_type {
            "messageStart" => {
                facts.tool_calls.get_or_insert(0);
            }
            "contentBlockDelta" => {
                facts.content_started = true;
                // A setting of the log must not decide what passes: a delta that is not understood is only not kept.
                if self.response_text > facts.response_text.len()
                    && let Ok(event) = parse::<ContentBlockDelta>(payload)
                    && let Some(text) = event.delta.text
                {
                    facts.keep_text(&text, self.response_text);
                }
            }
            "contentBlockStart" => {
                let event: ContentBlockStart = parse(payload)?;
                if event.start.tool_use.is_some() {
                    facts.count_tool_call();
                }
            }
            "messageStop" => {
                let event: MessageStop = parse(payload)?;
                keep(&mut facts.stop_reason, event.stop_reason);
                self.stopped = true;
            }
            "metadata" => {
                let event: Metadata = parse(payload)?;
                if let Some(usage) = event.usage {
                    self.usage.merge(&usage);
                    self.usage.tell(facts);
                }
                if let Some(metrics) = event.metrics {
                    metrics.tell(facts);
                }
                if self.stopped {
                    facts.stream.get_or_insert(StreamStatus::Complete);
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Between messageStop and metadata the content is whole, and only the counts are unknown.
    pub fn progress(&self) -> Progress {
        match self.stopped {
            true => Progress::ContentWhole,
            false => Progress::Unfinished,
        }
    }
}

/// The JSON of an event that counts.
///
/// # Errors
/// It is not.
pub fn parse<'a, T: Deserialize<'a>>(payload: &'a [u8]) -> Result<T, Corrupt> {
    serde_json::from_slice(payload).map_err(|_| Corrupt::InvalidJson)
}
