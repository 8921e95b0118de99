//! A whole answer of Converse.
//! <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html#API_runtime_Converse_ResponseSyntax>

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::bedrock::event::ServiceTier;
use crate::bedrock::usage::Usage;
use crate::json::text::{Literal, Text};

/// The answer, as far as the dialects use it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConverseAnswer<'a> {
    /// What the model made.
    #[serde(borrow)]
    pub output: Output<'a>,
    /// Why generation ended: an open set of words.
    #[serde(default)]
    pub stop_reason: Option<String>,
    /// Token counts.
    #[serde(default)]
    pub usage: Option<Usage>,
    /// What `additionalModelResponseFieldPaths` asked for.
    #[serde(borrow, default)]
    pub additional_model_response_fields: Option<&'a RawValue>,
    /// The tier that served the request.
    #[serde(borrow, default)]
    pub service_tier: Option<ServiceTier<'a>>,
}

/// `output`
#[derive(Debug, Deserialize)]
pub struct Output<'a> {
    /// The model's turn.
    #[serde(borrow)]
    pub message: Message<'a>,
}

/// `message`
#[derive(Debug, Deserialize)]
pub struct Message<'a> {
    /// Its blocks.
    #[serde(borrow)]
    pub content: Vec<ContentBlock<'a>>,
}

/// A block; a kind that no dialect shows has no member here.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ContentBlock<'a> {
    /// Text.
    #[serde(borrow)]
    pub text: Option<Literal<'a>>,
    /// A call of a tool.
    #[serde(borrow)]
    pub tool_use: Option<ToolUse<'a>>,
    /// Reasoning.
    #[serde(borrow)]
    pub reasoning_content: Option<ReasoningContent<'a>>,
    /// Text with its sources.
    #[serde(borrow)]
    pub citations_content: Option<CitationsContent<'a>>,
}

/// `toolUse`
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ToolUse<'a> {
    /// Id of the call.
    #[serde(borrow, default)]
    pub tool_use_id: Text<'a>,
    /// The tool's name.
    #[serde(borrow, default)]
    pub name: Text<'a>,
    /// What it is called with.
    #[serde(borrow, default)]
    pub input: Option<&'a RawValue>,
}

/// `reasoningContent`
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ReasoningContent<'a> {
    /// Reasoning that is shown.
    #[serde(borrow)]
    pub reasoning_text: Option<ReasoningText<'a>>,
    /// Reasoning that is not, in base64.
    #[serde(borrow)]
    pub redacted_content: Option<Literal<'a>>,
}

/// `reasoningText`
#[derive(Debug, Deserialize)]
pub struct ReasoningText<'a> {
    /// The reasoning.
    #[serde(borrow)]
    pub text: Literal<'a>,
    /// What proves to the model that it is its own.
    #[serde(borrow, default)]
    pub signature: Option<Literal<'a>>,
}

/// `citationsContent`
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct CitationsContent<'a> {
    /// The text, in pieces.
    #[serde(borrow)]
    pub content: Vec<CitedText<'a>>,
    /// The sources, as they came.
    #[serde(borrow)]
    pub citations: Option<&'a RawValue>,
}

/// A piece of text with sources.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct CitedText<'a> {
    /// The text.
    #[serde(borrow)]
    pub text: Option<Literal<'a>>,
}
