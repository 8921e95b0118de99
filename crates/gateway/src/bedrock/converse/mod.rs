//! A Converse request and answer as the dialects see them: built from, and turned into, what their clients speak. What is
//! long is borrowed from the document it came in.
//! <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html>

pub mod answer;
pub mod media;
pub mod names;
pub mod turns;
mod write;

use std::borrow::Cow;

use crate::json::edit::Edit;
use crate::json::object;

/// What is asked of a model.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConverseRequest<'a> {
    /// Instructions that stand before the conversation.
    pub system: Vec<Cached<Cow<'a, str>>>,
    /// The conversation.
    pub messages: Vec<Message<'a>>,
    /// `inferenceConfig`
    pub inference: Inference<'a>,
    /// `toolConfig`; none where there are no tools.
    pub tools: Vec<Cached<Tool<'a>>>,
    /// `toolConfig.toolChoice`
    pub tool_choice: Option<ToolChoice<'a>>,
    /// `outputConfig.textFormat`
    pub schema: Option<Schema<'a>>,
    /// `outputConfig.effort`
    pub effort: Option<Cow<'a, str>>,
    /// `additionalModelRequestFields`
    pub native_fields: NativeFields<'a>,
    /// `additionalModelResponseFieldPaths`, as JSON.
    pub response_fields: Option<Cow<'a, str>>,
    /// `guardrailConfig`, as JSON.
    pub guardrail: Option<Cow<'a, str>>,
    /// `performanceConfig`, as JSON.
    pub performance: Option<Cow<'a, str>>,
    /// `promptVariables`, as JSON.
    pub prompt_variables: Option<Cow<'a, str>>,
    /// `requestMetadata`, as JSON.
    pub metadata: Option<Cow<'a, str>>,
    /// `serviceTier.type`
    pub service_tier: Option<Cow<'a, str>>,
}

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The client, and its tools.
    User,
    /// The model.
    Assistant,
}

/// One turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message<'a> {
    /// Whose.
    pub role: Role,
    /// What is said.
    pub content: Vec<Cached<Block<'a>>>,
}

/// Something that may be followed by a cache point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cached<T> {
    /// What stands before the point.
    pub item: T,
    /// The point, if there is one.
    pub point: Option<CachePoint>,
}

/// Everything up to here is to be cached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CachePoint {
    /// `5m` or `1h`; none for the service's own choice.
    pub ttl: Option<&'static str>,
}

/// A `ContentBlock`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Block<'a> {
    /// `text`
    Text(Cow<'a, str>),
    /// `image`
    Image {
        /// `png`, `jpeg`, `gif` or `webp`.
        format: &'static str,
        /// Where it is.
        source: Source<'a>,
    },
    /// `document`
    Document {
        /// One of the formats Bedrock reads.
        format: &'static str,
        /// Its name, which the model sees.
        name: String,
        /// Where it is.
        source: Source<'a>,
        /// What it is about.
        context: Option<Cow<'a, str>>,
        /// Whether the model is to cite from it.
        cite: bool,
    },
    /// `audio`
    Audio {
        /// `wav`, `mp3` …
        format: Cow<'a, str>,
        /// Where it is.
        source: Source<'a>,
    },
    /// `toolUse`
    ToolUse {
        /// Its id.
        id: Cow<'a, str>,
        /// The tool's name.
        name: Cow<'a, str>,
        /// What the tool is called with: a JSON object.
        input: Cow<'a, str>,
    },
    /// `toolResult`
    ToolResult {
        /// The id of the use.
        id: Cow<'a, str>,
        /// What the tool gave.
        content: Vec<Block<'a>>,
        /// Whether it failed.
        failed: bool,
    },
    /// `searchResult`, as JSON.
    SearchResult(Cow<'a, str>),
    /// `reasoningContent.reasoningText`
    Reasoning {
        /// The reasoning.
        text: Cow<'a, str>,
        /// What proves to the model that it is its own.
        signature: Option<Cow<'a, str>>,
    },
    /// `reasoningContent.redactedContent`, in base64.
    Redacted(Cow<'a, str>),
}

/// Where media are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source<'a> {
    /// Here, in base64.
    Bytes(Cow<'a, str>),
    /// At this S3 URI.
    S3(Cow<'a, str>),
    /// Here, as text (documents only).
    Text(Cow<'a, str>),
}

/// `inferenceConfig`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inference<'a> {
    /// Upper bound for generated tokens.
    pub max_tokens: Option<u64>,
    /// A number, spelt as the client did.
    pub temperature: Option<Cow<'a, str>>,
    /// A number, spelt as the client did.
    pub top_p: Option<Cow<'a, str>>,
    /// Texts that end the answer.
    pub stop_sequences: Vec<Cow<'a, str>>,
}

/// `toolSpec`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tool<'a> {
    /// Its name.
    pub name: Cow<'a, str>,
    /// What it is for.
    pub description: Option<Cow<'a, str>>,
    /// JSON schema of its input.
    pub schema: Cow<'a, str>,
    /// Whether the input must keep to the schema.
    pub strict: bool,
}

/// `toolChoice`
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToolChoice<'a> {
    /// The model decides.
    Auto,
    /// Some tool.
    Any,
    /// This one.
    Tool(Cow<'a, str>),
}

/// `outputConfig.textFormat.structure.jsonSchema`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schema<'a> {
    /// The schema, as JSON.
    pub schema: Cow<'a, str>,
    /// What it is called.
    pub name: Option<Cow<'a, str>>,
    /// What it describes.
    pub description: Option<Cow<'a, str>>,
}

/// Fields of the model's own request format that Converse has no member for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NativeFields<'a> {
    /// As the client gave them: a JSON object.
    pub given: Option<Cow<'a, str>>,
    /// More: name and JSON. They win over the given ones.
    pub added: Vec<(&'static str, Cow<'a, str>)>,
}

impl<'a> NativeFields<'a> {
    /// All of them, as one JSON object; `None` if there are none.
    ///
    /// # Errors
    /// A sentence for the client: what it gave is no object.
    pub fn merged(&self) -> Result<Option<Cow<'a, str>>, String> {
        if self.added.is_empty() {
            return Ok(self.given.clone());
        }
        let given = self.given.as_deref().unwrap_or("{}");
        let object = object::parse(given)?;
        let mut edit = Edit::new(&object);
        for (name, value) in &self.added {
            edit.set(name, value);
        }
        let body = edit.into_body(given.len());
        let bytes = body.pieces(given.as_bytes()).flatten().copied().collect();
        Ok(String::from_utf8(bytes).ok().map(Cow::Owned))
    }
}

impl CachePoint {
    /// For a lifetime as Anthropic spells it. Bedrock knows two; another one is its own choice.
    pub fn lasting(ttl: Option<&str>) -> Self {
        let ttl = match ttl {
            Some("5m") => Some("5m"),
            Some("1h") => Some("1h"),
            _ => None,
        };
        Self { ttl }
    }
}

impl<T> Cached<T> {
    /// Without a cache point.
    pub fn plain(item: T) -> Self {
        Self { item, point: None }
    }
}
