//! A Converse request and answer as the dialects see them: built from, and turned into, what their clients speak. What is
//! long is borrowed from the document it came in.
//! <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html>

pub mod answer;
pub mod media;
pub mod names;
pub mod runs;
pub mod strings;
pub mod turns;
mod write;

use std::borrow::Cow;

use crate::json::edit::Edit;
use crate::json::object;
use crate::refusal::Refusal;
use media::{DocumentFormat, ImageFormat};
use runs::{Run, Runs};
use strings::{Json, Str, Strings};

/// What is asked of a model. What there may be a million of is small and `Copy`: strings and lists are places in
/// [`Strings`] and [`Runs`], so that a body of tiny messages costs little more than its own size.
#[derive(Clone, Debug, Default)]
pub struct ConverseRequest<'a> {
    /// All strings and values of `system`, `messages` and `tools`.
    pub strings: Strings<'a>,
    /// Instructions that stand before the conversation.
    pub system: Vec<Cached<Str>>,
    /// The conversation.
    pub messages: Vec<Message>,
    /// What the messages say.
    pub blocks: Runs<Cached<Block>>,
    /// What the tools gave.
    pub results: Runs<Block>,
    /// `inferenceConfig`
    pub inference: Inference<'a>,
    /// `toolConfig`; none where there are no tools.
    pub tools: Vec<Cached<Tool>>,
    /// Tools of Anthropic's own, which only its models know: each as JSON.
    pub anthropic_tools: Vec<&'a str>,
    /// Whether the web is to be searched. Each family that can is told so by a tool of Bedrock's own.
    pub web_search: Option<WebSearch>,
    /// `systemTool`: a tool that Bedrock runs itself.
    pub system_tool: Option<&'static str>,
    /// `toolConfig.toolChoice`
    pub tool_choice: Option<ToolChoice<'a>>,
    /// Whether the model is to call one tool at a time.
    pub one_at_a_time: bool,
    /// `outputConfig.textFormat`
    pub schema: Option<Schema<'a>>,
    /// How much is to be reasoned. Each family is told so in its own way, none by a member of Converse's.
    pub reasoning: AskedReasoning<'a>,
    /// `additionalModelRequestFields`
    pub native_fields: NativeFields<'a>,
    /// Whether the client wants to know which stop sequence ended the answer.
    pub tells_stop: bool,
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
    /// Whoever instructs the model, in the midst of the conversation. Converse has no such turn.
    System,
}

/// One turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message {
    /// Whose.
    pub role: Role,
    /// What is said, in [`ConverseRequest::blocks`].
    pub content: Run,
}

/// Something that may be followed by a cache point.
#[derive(Clone, Copy, Debug)]
pub struct Cached<T> {
    /// What stands before the point.
    pub item: T,
    /// The point, if there is one.
    pub point: Option<CachePoint>,
}

/// Everything up to here is to be cached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CachePoint {
    /// For as long as the service chooses.
    Unsaid,
    /// `5m`
    FiveMinutes,
    /// `1h`
    OneHour,
}

/// A `ContentBlock`.
#[derive(Clone, Copy, Debug)]
pub enum Block {
    /// `text`
    Text(Str),
    /// `image`
    Image {
        /// Its format.
        format: ImageFormat,
        /// How it is given.
        place: Place,
        /// The image, or where it is.
        source: Str,
    },
    /// `document`
    Document {
        /// Its format.
        format: DocumentFormat,
        /// Its name, which the model sees.
        name: Str,
        /// How it is given.
        place: Place,
        /// The document, or where it is.
        source: Str,
        /// What it is about.
        context: Option<Str>,
        /// Whether the model is to cite from it.
        cite: bool,
    },
    /// `audio`
    Audio {
        /// `wav`, `mp3` …
        format: Str,
        /// How it is given.
        place: Place,
        /// The sound, or where it is.
        source: Str,
    },
    /// `toolUse`
    ToolUse {
        /// Its id.
        id: Str,
        /// The tool's name.
        name: Str,
        /// What the tool is called with: a JSON object.
        input: Json,
    },
    /// `toolResult`
    ToolResult {
        /// The id of the use.
        id: Str,
        /// What the tool gave, in [`ConverseRequest::results`].
        content: Run,
        /// Whether it failed.
        failed: bool,
    },
    /// `searchResult`
    SearchResult(Json),
    /// `reasoningContent.reasoningText`
    Reasoning {
        /// The reasoning.
        text: Str,
        /// What proves to the model that it is its own.
        signature: Option<Str>,
    },
    /// `reasoningContent.redactedContent`, in base64.
    Redacted(Str),
}

/// How media are given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Here, in base64.
    Bytes,
    /// By an S3 URI.
    S3,
    /// Here, as text (documents only).
    Text,
}

/// What a client says about reasoning.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AskedReasoning<'a> {
    /// One of OpenAI's words, or Anthropic's, which are among those.
    pub effort: Option<Cow<'a, str>>,
    /// Whether the effort alone asks for reasoning, which the client wants to read, too.
    pub effort_switches: bool,
    /// Anthropic's `thinking`, as JSON.
    pub thinking: Option<Cow<'a, str>>,
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
    /// A number, spelt as the client did. Converse has no member for it.
    pub top_k: Option<Cow<'a, str>>,
    /// Texts that end the answer.
    pub stop_sequences: Vec<Cow<'a, str>>,
}

/// `toolSpec`
#[derive(Clone, Copy, Debug)]
pub struct Tool {
    /// Its name.
    pub name: Str,
    /// What it is for.
    pub description: Option<Str>,
    /// JSON schema of its input.
    pub schema: Json,
    /// Whether the input must keep to the schema.
    pub strict: bool,
}

/// A search of the web that a client asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WebSearch {
    /// The member that asks for it, as the log names it.
    pub name: &'static str,
    /// The parameter by which the model must search; `None`: it decides.
    pub must: Option<&'static str>,
    /// Whether it must keep to some sites, or to what is known of them already.
    pub narrowed: bool,
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
    /// No tool. Converse has no word for it.
    None,
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
    /// More: name and JSON. The given ones win over them.
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
            if !object.members.iter().any(|member| member.name == *name) {
                edit.set(name, value);
            }
        }
        let bytes = edit.into_body(given.len()).joined(given.as_bytes());
        Ok(String::from_utf8(bytes).ok().map(Cow::Owned))
    }
}

impl<'a> ConverseRequest<'a> {
    /// One that says nothing yet. `source` is the client's body: its strings are not copied.
    ///
    /// # Errors
    /// 413: it is larger than [`strings::MOST`].
    pub fn new(source: &'a str) -> Result<Self, Refusal> {
        if source.len() > strings::MOST {
            return Err(Refusal::from_status(413));
        }
        Ok(Self {
            strings: Strings::new(source),
            ..Self::default()
        })
    }

    /// The model must search the web, by what the parameter `must` says; `false` if that is not offered.
    pub fn must_search(&mut self, must: &'static str) -> bool {
        match &mut self.web_search {
            Some(search) => {
                search.must = Some(must);
                true
            }
            None => false,
        }
    }
}

impl CachePoint {
    /// For a lifetime as Anthropic spells it. Bedrock knows two; another one is its own choice.
    pub fn lasting(ttl: Option<&str>) -> Self {
        match ttl {
            Some("5m") => Self::FiveMinutes,
            Some("1h") => Self::OneHour,
            _ => Self::Unsaid,
        }
    }

    /// The lifetime, as Bedrock spells it.
    pub fn ttl(self) -> Option<&'static str> {
        match self {
            Self::Unsaid => None,
            Self::FiveMinutes => Some("5m"),
            Self::OneHour => Some("1h"),
        }
    }
}

impl<T> Cached<T> {
    /// Without a cache point.
    pub fn plain(item: T) -> Self {
        Self { item, point: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The shortest message in a client's form has 30 bytes, the shortest block or tool 27.
    #[test]
    fn what_there_may_be_a_million_of_is_small() {
        assert_eq!(size_of::<Message>(), 12);
        assert_eq!(size_of::<Block>(), 28);
        assert_eq!(size_of::<Cached<Block>>(), 32);
        assert_eq!(size_of::<Cached<Tool>>(), 32);
        assert_eq!(size_of::<Cached<Str>>(), 12);
    }
}
