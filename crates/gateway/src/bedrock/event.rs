//! The events of ConverseStream.
//! <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStreamOutput.html>

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::usage::{Metrics, Usage};
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
    /// `metadata`
    Metadata(Metadata<'a>),
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
    /// Whether Bedrock's own metrics are in it.
    pub has_metrics: bool,
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
#[serde(rename_all = "camelCase")]
pub struct Start<'a> {
    /// A call of a tool.
    #[serde(borrow, default)]
    pub tool_use: Option<ToolUseStart<'a>>,
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
}

/// `contentBlockDelta`
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ContentBlockDelta<'a> {
    /// Which block of the message.
    #[serde(default)]
    pub content_block_index: u64,
    /// What is added.
    #[serde(borrow, default)]
    pub delta: Delta<'a>,
}

/// The union in `contentBlockDelta`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Delta<'a> {
    /// Generated text.
    #[serde(borrow)]
    pub text: Option<Literal<'a>>,
    /// Of a tool's input.
    #[serde(borrow)]
    pub tool_use: Option<ToolUseDelta<'a>>,
    /// Of the model's reasoning.
    #[serde(borrow)]
    pub reasoning_content: Option<ReasoningDelta<'a>>,
    /// A source that the model cites, as it came.
    #[serde(borrow)]
    pub citation: Option<&'a RawValue>,
}

/// `toolUse` in a delta.
#[derive(Debug, Deserialize)]
pub struct ToolUseDelta<'a> {
    /// The next piece of the input's JSON text.
    #[serde(borrow)]
    pub input: Option<Literal<'a>>,
}

/// `reasoningContent` in a delta.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ReasoningDelta<'a> {
    /// Reasoning.
    #[serde(borrow)]
    pub text: Option<Literal<'a>>,
    /// What proves to the model that the reasoning is its own.
    #[serde(borrow)]
    pub signature: Option<Literal<'a>>,
    /// Reasoning that is not shown, in base64.
    #[serde(borrow)]
    pub redacted_content: Option<Literal<'a>>,
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
}

/// `serviceTier`
#[derive(Debug, Deserialize)]
pub struct ServiceTier<'a> {
    /// `default`, `priority`, `flex` or `reserved`.
    #[serde(borrow, rename = "type", default)]
    pub kind: Option<Text<'a>>,
}
