//! What OpenAI's APIs send in the events of a stream, as far as this gateway reads it. A member that is not what it should
//! be is only unknown.
//! <https://platform.openai.com/docs/api-reference/chat-streaming>,
//! <https://platform.openai.com/docs/api-reference/responses-streaming>

use std::fmt;
use std::marker::PhantomData;

use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::invoke::First;
use super::usage::{Usage, lenient};
use crate::json::strict::Object;
use crate::json::text::{Literal, Text};

/// An event of Chat Completions.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct ChatChunk<'a> {
    /// What is added to the answer; Bedrock gives no more than one.
    #[serde(borrow, deserialize_with = "lenient")]
    pub choices: Option<First<Choice<'a>>>,
    /// The counts, in the last one.
    #[serde(deserialize_with = "lenient")]
    pub usage: Option<Usage>,
    /// The tier that served the request.
    #[serde(borrow, deserialize_with = "lenient")]
    pub service_tier: Option<Text<'a>>,
    /// The stream failed.
    #[serde(borrow, deserialize_with = "lenient")]
    pub error: Option<Fault<'a>>,
}

/// Of an answer.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Choice<'a> {
    /// What is added.
    #[serde(borrow, deserialize_with = "lenient")]
    pub delta: Option<Delta<'a>>,
    /// Why generation ended.
    #[serde(borrow, deserialize_with = "lenient")]
    pub finish_reason: Option<Text<'a>>,
}

/// What is added to an answer.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Delta<'a> {
    /// Generated text.
    #[serde(borrow, deserialize_with = "lenient")]
    pub content: Option<Literal<'a>>,
    /// Why there is none.
    #[serde(borrow, deserialize_with = "lenient")]
    pub refusal: Option<Literal<'a>>,
    /// The model's reasoning, in both spellings that are about.
    #[serde(borrow, deserialize_with = "lenient")]
    pub reasoning: Option<Literal<'a>>,
    /// See `reasoning`.
    #[serde(borrow, deserialize_with = "lenient")]
    pub reasoning_content: Option<Literal<'a>>,
    /// Calls of tools.
    #[serde(borrow, deserialize_with = "lenient")]
    pub tool_calls: Option<ToolCalls<'a>>,
}

impl<'a> Delta<'a> {
    /// Whether anything is added.
    pub fn says_something(&self) -> bool {
        self.tool_calls.is_some() || self.texts().any(|text| !text.is_empty())
    }

    /// Bytes that are added.
    pub fn length(&self) -> usize {
        let calls = self.tool_calls.as_ref().map_or(0, |calls| calls.length);
        calls + self.texts().map(|text| text.inside().len()).sum::<usize>()
    }

    fn texts(&self) -> impl Iterator<Item = Literal<'a>> {
        let texts = [
            self.content,
            self.refusal,
            self.reasoning,
            self.reasoning_content,
        ];
        texts.into_iter().flatten()
    }
}

/// Calls, or what is added to them. Only ids and lengths are kept: an event of millions of empty calls must not cost its size many times
/// over.
#[derive(Debug, Default)]
pub struct ToolCalls<'a> {
    /// The ids of calls that begin.
    pub ids: Vec<Text<'a>>,
    /// Bytes of their arguments.
    pub length: usize,
}

impl<'de: 'a, 'a> Deserialize<'de> for ToolCalls<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(Calls(PhantomData))
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ToolCall<'a> {
    #[serde(borrow, deserialize_with = "lenient")]
    id: Option<Text<'a>>,
    #[serde(borrow, deserialize_with = "lenient")]
    function: Option<Function<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Function<'a> {
    #[serde(borrow, deserialize_with = "lenient")]
    arguments: Option<Literal<'a>>,
}

struct Calls<'a>(PhantomData<&'a ()>);

impl<'de: 'a, 'a> Visitor<'de> for Calls<'a> {
    type Value = ToolCalls<'a>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an array of tool calls")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<Self::Value, A::Error> {
        let mut calls = ToolCalls::default();
        while let Some(call) = array.next_element::<ToolCall<'a>>()? {
            calls.ids.extend(call.id.filter(|Text(id)| !id.is_empty()));
            let arguments = call.function.and_then(|function| function.arguments);
            calls.length += arguments.map_or(0, |arguments| arguments.inside().len());
        }
        Ok(calls)
    }
}

/// An event of Responses.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct ResponseEvent<'a> {
    /// Which.
    #[serde(borrow, rename = "type", deserialize_with = "lenient")]
    pub kind: Option<Text<'a>>,
    /// The answer as it is now.
    #[serde(borrow, deserialize_with = "lenient")]
    pub response: Option<Object<Response<'a>>>,
    /// A part of the answer that begins or ends.
    #[serde(borrow, deserialize_with = "lenient")]
    pub item: Option<Item<'a>>,
    /// What is added to one.
    #[serde(borrow, deserialize_with = "lenient")]
    pub delta: Option<Literal<'a>>,
    /// What failed, in `error`: beside the type, or in an object of its own.
    #[serde(borrow, deserialize_with = "lenient")]
    pub code: Option<Text<'a>>,
    /// See `code`.
    #[serde(borrow, deserialize_with = "lenient")]
    pub error: Option<Fault<'a>>,
}

/// The answer as it is at some time.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Response<'a> {
    /// `completed`, `incomplete` and `failed` are final.
    #[serde(borrow, deserialize_with = "lenient")]
    pub status: Option<Text<'a>>,
    /// Why it is incomplete.
    #[serde(borrow, deserialize_with = "lenient")]
    pub incomplete_details: Option<IncompleteDetails<'a>>,
    /// Why it failed.
    #[serde(borrow, deserialize_with = "lenient")]
    pub error: Option<Fault<'a>>,
    /// Its counts.
    #[serde(deserialize_with = "lenient")]
    pub usage: Option<Usage>,
    /// The tier that served the request.
    #[serde(borrow, deserialize_with = "lenient")]
    pub service_tier: Option<Text<'a>>,
}

/// Why an answer is incomplete.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct IncompleteDetails<'a> {
    /// In a word.
    #[serde(borrow, deserialize_with = "lenient")]
    pub reason: Option<Text<'a>>,
}

/// A part of an answer.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Item<'a> {
    /// What it is.
    #[serde(borrow, rename = "type", deserialize_with = "lenient")]
    pub kind: Option<Text<'a>>,
}

/// Whether an item of this type is a call of a tool: `function_call`, `web_search_call` …
pub fn is_call(kind: &str) -> bool {
    kind.ends_with("_call")
}

/// An error of OpenAI's.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Fault<'a> {
    /// Which, if it is one that has a code.
    #[serde(borrow, deserialize_with = "lenient")]
    pub code: Option<Text<'a>>,
    /// Of what kind.
    #[serde(borrow, rename = "type", deserialize_with = "lenient")]
    pub kind: Option<Text<'a>>,
}

impl Fault<'_> {
    /// Its name.
    pub fn name(&self) -> &str {
        let name = self.code.as_ref().or(self.kind.as_ref());
        name.map_or("error", |Text(name)| name)
    }
}
