//! A Messages request as clients send it. Members that are not here are ignored.
//! <https://docs.claude.com/en/api/messages>

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::dialect::forms::{Elements, Given, Number, OneOf, Positive};
use crate::json::strict::Object;
use crate::json::text::Text;

/// The request.
#[derive(Debug, Deserialize)]
pub struct MessagesRequest<'a> {
    #[serde(borrow)]
    pub messages: Elements<'a>,
    #[serde(borrow, default)]
    pub system: Option<OneOf<'a>>,
    #[serde(default)]
    pub max_tokens: Option<Positive>,
    #[serde(borrow, default)]
    pub temperature: Option<Number<'a>>,
    #[serde(borrow, default)]
    pub top_p: Option<Number<'a>>,
    #[serde(borrow, default)]
    pub top_k: Option<Number<'a>>,
    #[serde(borrow, default)]
    pub stop_sequences: Option<Elements<'a>>,
    #[serde(borrow, default)]
    pub tools: Option<Elements<'a>>,
    #[serde(borrow, default)]
    pub tool_choice: Option<Object<ToolChoice<'a>>>,
    #[serde(borrow, default)]
    pub thinking: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub output_config: Option<Object<OutputConfig<'a>>>,
    /// Where `output_config.format` stood before.
    #[serde(borrow, default)]
    pub output_format: Option<Object<OutputFormat<'a>>>,
    #[serde(borrow, default)]
    pub cache_control: Option<Object<CacheControl<'a>>>,
    #[serde(borrow, default)]
    pub anthropic_beta: Option<&'a RawValue>,
}

#[derive(Debug, Deserialize)]
pub struct Message<'a> {
    #[serde(borrow)]
    pub role: Text<'a>,
    #[serde(borrow)]
    pub content: OneOf<'a>,
}

/// A block of any kind: which members it has depends on its type.
#[derive(Debug, Deserialize)]
pub struct Block<'a> {
    #[serde(borrow, rename = "type")]
    pub kind: Text<'a>,
    #[serde(borrow, default)]
    pub cache_control: Option<Object<CacheControl<'a>>>,
    #[serde(borrow, default)]
    pub text: Option<Given<'a>>,
    /// Of an image or document an object, of a search result a string.
    #[serde(borrow, default)]
    pub source: Option<OneOf<'a>>,
    #[serde(borrow, default)]
    pub title: Option<Given<'a>>,
    #[serde(borrow, default)]
    pub context: Option<Given<'a>>,
    /// Of a document or search result `{"enabled":…}`, of a text those it was given with.
    #[serde(borrow, default)]
    pub citations: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub id: Option<Given<'a>>,
    #[serde(borrow, default)]
    pub name: Option<Given<'a>>,
    #[serde(borrow, default)]
    pub input: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub tool_use_id: Option<Given<'a>>,
    #[serde(borrow, default)]
    pub content: Option<OneOf<'a>>,
    #[serde(default)]
    pub is_error: Option<bool>,
    #[serde(borrow, default)]
    pub thinking: Option<Given<'a>>,
    #[serde(borrow, default)]
    pub signature: Option<Given<'a>>,
    #[serde(borrow, default)]
    pub data: Option<Given<'a>>,
    #[serde(borrow, default)]
    pub tool_name: Option<Given<'a>>,
}

#[derive(Debug, Deserialize)]
pub struct MediaSource<'a> {
    #[serde(borrow, rename = "type")]
    pub kind: Text<'a>,
    #[serde(borrow, default)]
    pub media_type: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub data: Option<Given<'a>>,
    #[serde(borrow, default)]
    pub content: Option<OneOf<'a>>,
}

#[derive(Debug, Deserialize)]
pub struct CacheControl<'a> {
    #[serde(borrow, default)]
    pub ttl: Option<Text<'a>>,
}

#[derive(Debug, Deserialize)]
pub struct Tool<'a> {
    #[serde(borrow, rename = "type", default)]
    pub kind: Option<Text<'a>>,
    #[serde(borrow)]
    pub name: Given<'a>,
    #[serde(borrow, default)]
    pub description: Option<Given<'a>>,
    #[serde(borrow, default)]
    pub input_schema: Option<&'a RawValue>,
    #[serde(default)]
    pub strict: Option<bool>,
    #[serde(borrow, default)]
    pub cache_control: Option<Object<CacheControl<'a>>>,
    /// Of a search of the web: the only sites, and those that it must pass over.
    #[serde(borrow, default)]
    pub allowed_domains: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub blocked_domains: Option<&'a RawValue>,
}

#[derive(Debug, Deserialize)]
pub struct ToolChoice<'a> {
    #[serde(borrow, rename = "type")]
    pub kind: Text<'a>,
    #[serde(borrow, default)]
    pub name: Option<Text<'a>>,
    #[serde(default)]
    pub disable_parallel_tool_use: Option<bool>,
}

#[derive(Debug, Deserialize)]
pub struct OutputConfig<'a> {
    #[serde(borrow, default)]
    pub effort: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub format: Option<Object<OutputFormat<'a>>>,
}

#[derive(Debug, Deserialize)]
pub struct OutputFormat<'a> {
    #[serde(borrow, rename = "type")]
    pub kind: Text<'a>,
    #[serde(borrow, default)]
    pub schema: Option<&'a RawValue>,
}
