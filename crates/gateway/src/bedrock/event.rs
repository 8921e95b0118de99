//! The events of ConverseStream.
//! <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStreamOutput.html>

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::usage::{Metrics, Usage};
use crate::json::cursor::{Cursor, Wrong};
use crate::json::text::{Literal, Text};

/// An event, as far as this gateway reads it.
#[derive(Debug)]
pub enum Event<'a> {
    /// `messageStart`
    MessageStart,
    /// `contentBlockStart`
    ContentBlockStart(ContentBlockStart<'a>),
    /// `contentBlockDelta`; `None` where nobody wants to know what it says.
    ContentBlockDelta(Option<ContentBlockDelta<'a>>),
    /// `contentBlockStop`
    ContentBlockStop(ContentBlockStop),
    /// `messageStop`
    MessageStop(MessageStop<'a>),
    /// `metadata`; apart, because an event is as large as its largest kind, and this comes once.
    Metadata(Box<Metadata<'a>>),
    /// `chunk`, of an invoke stream.
    Model(ModelEvent<'a>),
    /// One that is not known, which every client skips.
    Other,
}

/// What a model sent in a `chunk`.
#[derive(Debug)]
pub struct ModelEvent<'a> {
    /// `type`, if it has one, as Anthropic's events do.
    pub kind: Option<Cow<'a, str>>,
    /// All of it.
    pub json: &'a str,
    /// What it tells of tokens; apart, because only a few do.
    pub counts: Option<Box<Counts>>,
}

/// What a model's event tells of tokens.
#[derive(Debug)]
pub struct Counts {
    /// The model itself: at the beginning of a message, or later.
    pub own: Usage,
    /// Bedrock's own metrics, if they are in it.
    pub metrics: Option<Usage>,
}

/// `contentBlockStart`. Only tool blocks (and a few kinds that this gateway only passes on) are announced by one.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ContentBlockStart<'a> {
    /// Which block of the message.
    #[serde(default)]
    pub content_block_index: u64,
    /// What begins.
    #[serde(borrow, default)]
    pub start: Start<'a>,
}

/// The union in `contentBlockStart`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Start<'a> {
    /// A call of a tool.
    #[serde(borrow)]
    pub tool_use: Option<ToolUseStart<'a>>,
    /// A picture.
    #[serde(borrow)]
    pub image: Option<ImageStart<'a>>,
    /// What a tool that Bedrock runs itself has given: the model's business.
    pub tool_result: Option<IgnoredAny>,
}

impl<'a> Start<'a> {
    /// The call that begins, if it is one that the client has to make.
    pub fn call(&self) -> Option<&ToolUseStart<'a>> {
        let is_servers = |call: &&ToolUseStart| {
            let kind = call.kind.as_ref();
            kind.is_some_and(|Text(kind)| kind == SERVERS)
        };
        self.tool_use.as_ref().filter(|call| !is_servers(call))
    }
}

/// `image` in a start.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct ImageStart<'a> {
    /// `png`, `jpeg` …
    #[serde(borrow)]
    pub format: Text<'a>,
}

/// `toolUse` in a start.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ToolUseStart<'a> {
    /// Id of the call.
    #[serde(borrow)]
    pub tool_use_id: Text<'a>,
    /// The tool's name.
    #[serde(borrow)]
    pub name: Text<'a>,
    /// Who calls it: nothing, or [`SERVERS`].
    #[serde(borrow, rename = "type")]
    pub kind: Option<Text<'a>>,
}

/// The type of a call that Bedrock makes itself, and the client must not.
pub const SERVERS: &str = "server_tool_use";

/// `contentBlockDelta`
#[derive(Debug, Default)]
pub struct ContentBlockDelta<'a> {
    /// Which block of the message.
    pub content_block_index: u64,
    /// What is added.
    pub delta: Delta<'a>,
}

/// The union in `contentBlockDelta`.
#[derive(Debug, Default)]
pub struct Delta<'a> {
    /// Generated text.
    pub text: Option<Literal<'a>>,
    /// Of a tool's input: the next piece of its JSON text.
    pub tool_input: Option<Literal<'a>>,
    /// Of the model's reasoning.
    pub reasoning_content: Option<ReasoningDelta<'a>>,
    /// A source that the model cites, as it came.
    pub citation: Option<&'a RawValue>,
    /// More of a picture, as it came.
    pub image: Option<&'a RawValue>,
    /// Whether it is of a kind that is not known.
    pub unknown: bool,
}

/// `reasoningContent` in a delta.
#[derive(Debug, Default)]
pub struct ReasoningDelta<'a> {
    /// Reasoning.
    pub text: Option<Literal<'a>>,
    /// What proves to the model that the reasoning is its own.
    pub signature: Option<Literal<'a>>,
    /// Reasoning that is not shown, in base64.
    pub redacted_content: Option<Literal<'a>>,
}

// A stream consists of these, so they are read by hand, in half the time that serde takes.
impl<'a> ContentBlockDelta<'a> {
    /// Reads the payload of one.
    ///
    /// # Errors
    /// It is not JSON, or not of this form.
    pub fn read(text: &'a str) -> Result<Self, Wrong> {
        let mut event = Self::default();
        let mut cursor = Cursor::new(text);
        cursor.open()?;
        while let Some(name) = cursor.member()? {
            match name.as_ref() {
                "contentBlockIndex" => event.content_block_index = cursor.number()?,
                "delta" => event.delta.read(&mut cursor)?,
                _ => cursor.skip()?,
            }
        }
        cursor.end()?;
        Ok(event)
    }
}

impl<'a> Delta<'a> {
    /// Bytes that the model has generated.
    pub fn length(&self) -> usize {
        let reasoning = self.reasoning_content.as_ref();
        let all = [
            self.text,
            self.tool_input,
            reasoning.and_then(|reasoning| reasoning.text),
            reasoning.and_then(|reasoning| reasoning.redacted_content),
        ];
        let all = all.into_iter().flatten();
        all.map(|literal| literal.inside().len()).sum()
    }

    fn read(&mut self, cursor: &mut Cursor<'a>) -> Result<(), Wrong> {
        cursor.open()?;
        while let Some(name) = cursor.member()? {
            match name.as_ref() {
                "text" => self.text = cursor.string_or_null()?,
                // A member that is null is not there.
                "toolUse" if cursor.enter()? => {
                    while let Some(name) = cursor.member()? {
                        match name.as_ref() {
                            "input" => self.tool_input = cursor.string_or_null()?,
                            _ => cursor.skip()?,
                        }
                    }
                }
                "reasoningContent" if cursor.enter()? => {
                    self.reasoning_content = Some(ReasoningDelta::read(cursor)?);
                }
                "toolUse" | "reasoningContent" => {}
                "citation" => self.citation = serde_json::from_str(cursor.value()?).ok(),
                "image" => self.image = serde_json::from_str(cursor.value()?).ok(),
                // What a tool that Bedrock runs itself has given: the model's business.
                "toolResult" => cursor.skip()?,
                _ => self.unknown |= cursor.value()? != "null",
            }
        }
        // It is a union: what stands beside something known is about that.
        self.unknown &= self.text.is_none()
            && self.tool_input.is_none()
            && self.reasoning_content.is_none()
            && self.citation.is_none()
            && self.image.is_none();
        Ok(())
    }
}

impl<'a> ReasoningDelta<'a> {
    fn read(cursor: &mut Cursor<'a>) -> Result<Self, Wrong> {
        let mut delta = Self::default();
        while let Some(name) = cursor.member()? {
            match name.as_ref() {
                "text" => delta.text = cursor.string_or_null()?,
                "signature" => delta.signature = cursor.string_or_null()?,
                "redactedContent" => delta.redacted_content = cursor.string_or_null()?,
                _ => cursor.skip()?,
            }
        }
        Ok(delta)
    }
}

/// `contentBlockStop`
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ContentBlockStop {
    /// Which block of the message.
    #[serde(default)]
    pub content_block_index: u64,
}

/// `messageStop`
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MessageStop<'a> {
    /// Why generation ended: an open set of words.
    #[serde(default)]
    pub stop_reason: Option<String>,
    /// What `additionalModelResponseFieldPaths` asked for.
    #[serde(borrow, default)]
    pub additional_model_response_fields: Option<&'a RawValue>,
}

/// `metadata`, the last event.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Metadata<'a> {
    /// Token counts; may be missing.
    #[serde(default)]
    pub usage: Option<Usage>,
    /// Latency.
    #[serde(default)]
    pub metrics: Option<Metrics>,
    /// The tier that served the request.
    #[serde(borrow, default)]
    pub service_tier: Option<ServiceTier<'a>>,
    /// What was done on the way.
    #[serde(borrow, default)]
    pub trace: Option<Trace<'a>>,
}

/// `trace`
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Trace<'a> {
    /// A guardrail has looked at it.
    pub guardrail: Option<IgnoredAny>,
    /// A prompt router has chosen.
    #[serde(borrow)]
    pub prompt_router: Option<PromptRouter<'a>>,
}

/// `promptRouter`
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PromptRouter<'a> {
    /// The model that was called.
    #[serde(borrow)]
    pub invoked_model_id: Option<Text<'a>>,
}

/// `serviceTier`
#[derive(Debug, Deserialize)]
pub struct ServiceTier<'a> {
    /// `default`, `priority`, `flex` or `reserved`.
    #[serde(borrow, rename = "type", default)]
    pub kind: Option<Text<'a>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_null_in_a_delta_is_nothing() {
        let text = r#"{"contentBlockIndex":1,"delta":{"toolUse":null,"reasoningContent":null,"text":"a"}}"#;
        let event = ContentBlockDelta::read(text).unwrap();
        assert_eq!(event.content_block_index, 1);
        assert_eq!(event.delta.text, Some(Literal("\"a\"")));
        assert!(event.delta.reasoning_content.is_none());
    }
}
