//! A Responses request as clients send it. Members that are not here are ignored.
//! <https://platform.openai.com/docs/api-reference/responses/create>

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use crate::dialect::forms::{Elements, Given, Number, OneOf, Positive};
use crate::dialect::requests::media::InputAudio;
use crate::json::strict::Object;
use crate::json::text::Text;

/// The request.
#[derive(Debug, Deserialize)]
pub struct ResponsesRequest<'a> {
    #[serde(borrow, default)]
    pub input: Option<OneOf<'a>>,
    #[serde(borrow, default)]
    pub instructions: Option<Given<'a>>,
    #[serde(borrow, default)]
    pub tools: Option<Elements<'a>>,
    #[serde(borrow, default)]
    pub tool_choice: Option<OneOf<'a>>,
    #[serde(default)]
    pub parallel_tool_calls: Option<bool>,
    #[serde(borrow, default)]
    pub reasoning: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub text: Option<&'a RawValue>,
    #[serde(default)]
    pub max_output_tokens: Option<Positive>,
    #[serde(borrow, default)]
    pub temperature: Option<Number<'a>>,
    #[serde(borrow, default)]
    pub top_p: Option<Number<'a>>,
    #[serde(borrow, default)]
    pub service_tier: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub metadata: Option<&'a RawValue>,

    // What would need something to be stored here.
    #[serde(default)]
    pub previous_response_id: Option<IgnoredAny>,
    #[serde(default)]
    pub conversation: Option<IgnoredAny>,
    #[serde(default)]
    pub prompt: Option<IgnoredAny>,
    #[serde(default)]
    pub background: Option<bool>,

    // Bedrock's own, through the SDK's `extra_body`.
    #[serde(borrow, default, rename = "guardrailConfig")]
    pub guardrail: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "performanceConfig")]
    pub performance: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "additionalModelRequestFields")]
    pub native_fields: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "additionalModelResponseFieldPaths")]
    pub response_fields: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "promptVariables")]
    pub prompt_variables: Option<&'a RawValue>,
}

/// `reasoning`
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Reasoning<'a> {
    #[serde(borrow)]
    pub effort: Option<Text<'a>>,
    #[serde(borrow)]
    pub summary: Option<Text<'a>>,
    /// What `summary` was called.
    #[serde(borrow)]
    pub generate_summary: Option<Text<'a>>,
}

/// `text`
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct TextOptions<'a> {
    #[serde(borrow)]
    pub format: Option<Object<Format<'a>>>,
}

/// `text.format`
#[derive(Debug, Deserialize)]
pub struct Format<'a> {
    #[serde(borrow, rename = "type")]
    pub kind: Text<'a>,
    #[serde(borrow, default)]
    pub name: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub description: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub schema: Option<&'a RawValue>,
}

/// An element of `input`: all kinds have their members side by side.
#[derive(Debug, Deserialize)]
pub struct Item<'a> {
    #[serde(borrow, default, rename = "type")]
    pub kind: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub role: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub content: Option<OneOf<'a>>,
    #[serde(borrow, default)]
    pub call_id: Option<Given<'a>>,
    #[serde(borrow, default)]
    pub name: Option<Given<'a>>,
    #[serde(borrow, default)]
    pub namespace: Option<Given<'a>>,
    #[serde(borrow, default)]
    pub arguments: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub input: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub output: Option<OneOf<'a>>,
    #[serde(borrow, default)]
    pub summary: Option<Elements<'a>>,
    #[serde(borrow, default)]
    pub encrypted_content: Option<Given<'a>>,
    #[serde(borrow, default)]
    pub tools: Option<Elements<'a>>,
    #[serde(borrow, default)]
    pub execution: Option<Text<'a>>,
}

/// A part of what somebody says, or a tool gave.
#[derive(Debug, Deserialize)]
pub struct Part<'a> {
    #[serde(borrow, rename = "type")]
    pub kind: Text<'a>,
    #[serde(borrow, default)]
    pub text: Option<Given<'a>>,
    #[serde(borrow, default)]
    pub refusal: Option<Given<'a>>,
    #[serde(borrow, default)]
    pub image_url: Option<OneOf<'a>>,
    #[serde(default)]
    pub file_id: Option<IgnoredAny>,
    #[serde(default)]
    pub file_url: Option<IgnoredAny>,
    #[serde(borrow, default)]
    pub file_data: Option<Given<'a>>,
    #[serde(borrow, default)]
    pub filename: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub input_audio: Option<Object<InputAudio<'a>>>,
}

/// A tool: all kinds have their members side by side.
#[derive(Debug, Deserialize)]
pub struct Tool<'a> {
    #[serde(borrow, rename = "type")]
    pub kind: Text<'a>,
    #[serde(borrow, default)]
    pub name: Option<Given<'a>>,
    #[serde(borrow, default)]
    pub description: Option<Given<'a>>,
    #[serde(borrow, default)]
    pub parameters: Option<&'a RawValue>,
    #[serde(default)]
    pub strict: Option<bool>,
    #[serde(borrow, default)]
    pub format: Option<Object<CustomFormat<'a>>>,
    #[serde(borrow, default)]
    pub tools: Option<Elements<'a>>,
    #[serde(borrow, default)]
    pub execution: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub filters: Option<&'a RawValue>,
    #[serde(default)]
    pub external_web_access: Option<bool>,
}

/// `format` of a tool whose input is text.
#[derive(Debug, Deserialize)]
pub struct CustomFormat<'a> {
    #[serde(borrow, default)]
    pub syntax: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub definition: Option<Text<'a>>,
}

/// `tool_choice`, where it is no word.
#[derive(Debug, Deserialize)]
pub struct ToolChoice<'a> {
    #[serde(borrow, rename = "type")]
    pub kind: Text<'a>,
    #[serde(borrow, default)]
    pub name: Option<Given<'a>>,
    #[serde(borrow, default)]
    pub namespace: Option<Given<'a>>,
    #[serde(borrow, default)]
    pub mode: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub tools: Option<Elements<'a>>,
}

/// A tool that may be called.
#[derive(Debug, Deserialize)]
pub struct AllowedTool<'a> {
    #[serde(borrow, default, rename = "type")]
    pub kind: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub name: Option<Given<'a>>,
    #[serde(borrow, default)]
    pub namespace: Option<Given<'a>>,
}
