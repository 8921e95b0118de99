//! A whole answer of Converse.
//! <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html#API_runtime_Converse_ResponseSyntax>

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use crate::bedrock::event::{SERVERS, ServiceTier};
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

/// A block.
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
    /// A picture.
    #[serde(borrow)]
    pub image: Option<Media<'a>>,
    /// Sound.
    #[serde(borrow)]
    pub audio: Option<Media<'a>>,
    /// What a tool that Bedrock runs itself has given: the model's business.
    pub tool_result: Option<IgnoredAny>,
}

impl<'a> ContentBlock<'a> {
    /// The call in it, if it is one that the client has to make.
    pub fn call(&self) -> Option<&ToolUse<'a>> {
        self.tool_use.as_ref().filter(|call| !call.is_servers())
    }

    /// Whether it is of a kind that is not known.
    pub fn is_unknown(&self) -> bool {
        self.text.is_none()
            && self.tool_use.is_none()
            && self.reasoning_content.is_none()
            && self.citations_content.is_none()
            && self.image.is_none()
            && self.audio.is_none()
            && self.tool_result.is_none()
    }
}

/// `image` or `audio`
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Media<'a> {
    /// `png`, `mp3` …
    #[serde(borrow)]
    pub format: Text<'a>,
    /// Where it is.
    #[serde(borrow)]
    pub source: MediaSource<'a>,
}

/// `source`
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct MediaSource<'a> {
    /// Here, in base64.
    #[serde(borrow)]
    pub bytes: Option<Literal<'a>>,
    /// In a bucket.
    #[serde(borrow)]
    pub s3_location: Option<S3Location<'a>>,
}

/// `s3Location`
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct S3Location<'a> {
    /// `s3://bucket/key`
    #[serde(borrow)]
    pub uri: Option<Literal<'a>>,
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
    /// Who calls it: nothing, or [`SERVERS`].
    #[serde(borrow, default, rename = "type")]
    pub kind: Option<Text<'a>>,
}

impl ToolUse<'_> {
    /// Whether Bedrock makes this call itself.
    pub fn is_servers(&self) -> bool {
        self.kind.as_ref().is_some_and(|Text(kind)| kind == SERVERS)
    }
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
    /// The reasoning; a model may keep it to itself, and only sign it.
    #[serde(borrow, default)]
    pub text: Option<Literal<'a>>,
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
