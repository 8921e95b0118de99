//! The events of ConverseStream.
//! <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStreamOutput.html>

use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

use super::usage::{Metrics, Usage};

/// `contentBlockStart`. Only tool blocks (and a few kinds that this gateway only passes on) are announced by one.
#[derive(Debug, Deserialize)]
pub struct ContentBlockStart<'a> {
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
    pub tool_use: Option<&'a RawValue>,
}

/// `contentBlockDelta`, as far as text goes.
#[derive(Debug, Deserialize)]
pub struct ContentBlockDelta<'a> {
    /// What is added.
    #[serde(borrow, default)]
    pub delta: Delta<'a>,
}

/// The union in `contentBlockDelta`.
#[derive(Debug, Default, Deserialize)]
pub struct Delta<'a> {
    /// Generated text.
    #[serde(borrow, default)]
    pub text: Option<Cow<'a, str>>,
}

/// `messageStop`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MessageStop {
    /// Why generation ended: an open set of words.
    #[serde(default)]
    pub stop_reason: Option<String>,
}

/// `metadata`, the last event.
#[derive(Debug, Deserialize)]
pub struct Metadata {
    /// Token counts; may be missing.
    #[serde(default)]
    pub usage: Option<Usage>,
    /// Latency.
    #[serde(default)]
    pub metrics: Option<Metrics>,
}
