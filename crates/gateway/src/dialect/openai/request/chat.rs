//! A Chat Completions request as clients send it. Members that are not here are ignored.
//! <https://platform.openai.com/docs/api-reference/chat/create>

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use crate::dialect::forms::{Elements, Given, Number, OneOf, Positive};
use crate::dialect::requests::media::InputAudio;
use crate::json::strict::Object;
use crate::json::text::Text;

/// The request.
#[derive(Debug, Deserialize)]
pub struct ChatRequest<'a> {
    #[serde(borrow)]
    pub messages: Elements<'a>,
    #[serde(borrow, default)]
    pub tools: Option<Elements<'a>>,
    #[serde(borrow, default)]
    pub tool_choice: Option<OneOf<'a>>,
    #[serde(default)]
    pub parallel_tool_calls: Option<bool>,
    #[serde(borrow, default)]
    pub response_format: Option<Object<ResponseFormat<'a>>>,
    #[serde(borrow, default)]
    pub reasoning_effort: Option<Text<'a>>,
    #[serde(default)]
    pub max_completion_tokens: Option<Positive>,
    #[serde(default)]
    pub max_tokens: Option<Positive>,
    #[serde(borrow, default)]
    pub temperature: Option<Number<'a>>,
    #[serde(borrow, default)]
    pub top_p: Option<Number<'a>>,
    #[serde(borrow, default)]
    pub stop: Option<OneOf<'a>>,
    #[serde(borrow, default)]
    pub service_tier: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub metadata: Option<&'a RawValue>,
    #[serde(default)]
    pub stream_options: Option<Object<StreamOptions>>,
    #[serde(default)]
    pub n: Option<Positive>,
    #[serde(borrow, default)]
    pub modalities: Option<Elements<'a>>,
    #[serde(default)]
    pub audio: Option<IgnoredAny>,
    #[serde(default)]
    pub functions: Option<IgnoredAny>,
    #[serde(default)]
    pub function_call: Option<IgnoredAny>,
    #[serde(default)]
    pub web_search_options: Option<IgnoredAny>,

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

#[derive(Debug, Deserialize)]
pub struct Message<'a> {
    #[serde(borrow)]
    pub role: Text<'a>,
    #[serde(borrow, default)]
    pub content: Option<OneOf<'a>>,
    #[serde(borrow, default)]
    pub refusal: Option<Given<'a>>,
    #[serde(borrow, default)]
    pub tool_calls: Option<Elements<'a>>,
    #[serde(default)]
    pub function_call: Option<IgnoredAny>,
    #[serde(borrow, default)]
    pub tool_call_id: Option<Given<'a>>,
    #[serde(borrow, default)]
    pub reasoning_content: Option<Given<'a>>,
    #[serde(borrow, default)]
    pub thinking_blocks: Option<Elements<'a>>,
    #[serde(borrow, default)]
    pub cache_control: Option<Object<CacheControl<'a>>>,
}

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
    #[serde(borrow, default)]
    pub input_audio: Option<Object<InputAudio<'a>>>,
    #[serde(borrow, default)]
    pub file: Option<Object<File<'a>>>,
    #[serde(borrow, default)]
    pub cache_control: Option<Object<CacheControl<'a>>>,
}

#[derive(Debug, Deserialize)]
pub struct File<'a> {
    #[serde(borrow, default)]
    pub file_data: Option<Given<'a>>,
    #[serde(borrow, default)]
    pub filename: Option<Text<'a>>,
}

/// Reasoning of an earlier turn, in the form that LiteLLM made common.
#[derive(Debug, Deserialize)]
pub struct ThinkingBlock<'a> {
    #[serde(borrow, rename = "type")]
    pub kind: Text<'a>,
    #[serde(borrow, default)]
    pub thinking: Option<Given<'a>>,
    #[serde(borrow, default)]
    pub signature: Option<Given<'a>>,
    #[serde(borrow, default)]
    pub data: Option<Given<'a>>,
}

/// Anthropic's mark for a cache point, which many clients send in this dialect, too.
#[derive(Debug, Deserialize)]
pub struct CacheControl<'a> {
    #[serde(borrow, default)]
    pub ttl: Option<Text<'a>>,
}

#[derive(Debug, Deserialize)]
pub struct ToolCall<'a> {
    #[serde(borrow, default)]
    pub id: Option<Given<'a>>,
    #[serde(borrow, default, rename = "type")]
    pub kind: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub function: Option<Object<Called<'a>>>,
    #[serde(borrow, default)]
    pub custom: Option<Object<CalledCustom<'a>>>,
}

#[derive(Debug, Deserialize)]
pub struct CalledCustom<'a> {
    #[serde(borrow)]
    pub name: Given<'a>,
    #[serde(borrow)]
    pub input: Given<'a>,
}

#[derive(Debug, Deserialize)]
pub struct Called<'a> {
    #[serde(borrow)]
    pub name: Given<'a>,
    #[serde(borrow, default)]
    pub arguments: Option<Given<'a>>,
}

#[derive(Debug, Deserialize)]
pub struct Tool<'a> {
    #[serde(borrow, rename = "type")]
    pub kind: Text<'a>,
    #[serde(borrow, default)]
    pub function: Option<Object<Function<'a>>>,
    #[serde(borrow, default)]
    pub custom: Option<Object<Custom<'a>>>,
    #[serde(borrow, default)]
    pub cache_control: Option<Object<CacheControl<'a>>>,
}

/// A tool whose input is text.
#[derive(Debug, Deserialize)]
pub struct Custom<'a> {
    #[serde(borrow)]
    pub name: Given<'a>,
    #[serde(borrow, default)]
    pub description: Option<Given<'a>>,
    #[serde(borrow, default)]
    pub format: Option<Object<CustomFormat<'a>>>,
}

#[derive(Debug, Deserialize)]
pub struct CustomFormat<'a> {
    #[serde(borrow, default)]
    pub grammar: Option<Object<Grammar<'a>>>,
}

#[derive(Debug, Deserialize)]
pub struct Grammar<'a> {
    #[serde(borrow)]
    pub syntax: Text<'a>,
    #[serde(borrow)]
    pub definition: Text<'a>,
}

#[derive(Debug, Deserialize)]
pub struct Function<'a> {
    #[serde(borrow)]
    pub name: Given<'a>,
    #[serde(borrow, default)]
    pub description: Option<Given<'a>>,
    #[serde(borrow, default)]
    pub parameters: Option<&'a RawValue>,
    #[serde(default)]
    pub strict: Option<bool>,
    #[serde(borrow, default)]
    pub cache_control: Option<Object<CacheControl<'a>>>,
}

#[derive(Debug, Deserialize)]
pub struct ToolChoice<'a> {
    #[serde(borrow, rename = "type")]
    pub kind: Text<'a>,
    #[serde(borrow, default)]
    pub function: Option<Object<Named<'a>>>,
    #[serde(borrow, default)]
    pub custom: Option<Object<Named<'a>>>,
    #[serde(borrow, default)]
    pub allowed_tools: Option<Object<AllowedTools<'a>>>,
}

#[derive(Debug, Deserialize)]
pub struct AllowedTools<'a> {
    #[serde(borrow)]
    pub mode: Text<'a>,
    #[serde(borrow)]
    pub tools: Elements<'a>,
}

#[derive(Debug, Deserialize)]
pub struct AllowedTool<'a> {
    #[serde(borrow, default)]
    pub function: Option<Object<Named<'a>>>,
    #[serde(borrow, default)]
    pub custom: Option<Object<Named<'a>>>,
}

#[derive(Debug, Deserialize)]
pub struct Named<'a> {
    #[serde(borrow)]
    pub name: Given<'a>,
}

#[derive(Debug, Deserialize)]
pub struct ResponseFormat<'a> {
    #[serde(borrow, rename = "type")]
    pub kind: Text<'a>,
    #[serde(borrow, default)]
    pub json_schema: Option<Object<JsonSchema<'a>>>,
}

#[derive(Debug, Deserialize)]
pub struct JsonSchema<'a> {
    #[serde(borrow, default)]
    pub name: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub description: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub schema: Option<&'a RawValue>,
}

#[derive(Debug, Deserialize)]
pub struct StreamOptions {
    #[serde(default)]
    pub include_usage: Option<bool>,
}
