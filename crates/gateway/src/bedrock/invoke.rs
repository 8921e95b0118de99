//! What models send in the chunks of an invoke stream. Each vendor has a form of its own, and a model's ARN does not show
//! the vendor, so that all forms are read at once: by the names of their members, which they do not share.
//! <https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters.html>

use std::fmt;
use std::marker::PhantomData;

use serde::de::{IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::usage::{Metrics, Usage, count, lenient};
use crate::json::text::Text;

/// The payload of a `chunk` event.
#[derive(Debug, Deserialize)]
pub struct PayloadPart<'a> {
    /// The model's JSON in base64.
    #[serde(borrow, default)]
    pub bytes: Option<Text<'a>>,
}

/// The model's JSON. A member that is not what it should be is only unknown.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Chunk<'a> {
    /// Bedrock's own counts, on the last chunk of any vendor.
    #[serde(
        rename = "amazon-bedrock-invocationMetrics",
        deserialize_with = "lenient"
    )]
    pub metrics: Option<InvocationMetrics>,
    /// The model's counts: Anthropic's `message_delta`, and whoever else has them there.
    #[serde(deserialize_with = "lenient")]
    pub usage: Option<Usage>,

    /// Anthropic: which event this is.
    #[serde(borrow, rename = "type", deserialize_with = "lenient")]
    pub kind: Option<Text<'a>>,
    /// Anthropic: `message_start`.
    #[serde(deserialize_with = "lenient")]
    pub message: Option<Message>,
    /// Anthropic: `content_block_start`.
    #[serde(borrow, deserialize_with = "lenient")]
    pub content_block: Option<Typed<'a>>,
    /// Anthropic: `content_block_delta` and `message_delta`.
    #[serde(borrow, deserialize_with = "lenient")]
    pub delta: Option<Delta<'a>>,
    /// Anthropic: `error`.
    #[serde(borrow, deserialize_with = "lenient")]
    pub error: Option<Typed<'a>>,

    /// Nova, as all events of Converse: by its name.
    #[serde(borrow, rename = "messageStart")]
    pub message_start: Option<&'a RawValue>,
    /// Nova.
    #[serde(borrow, rename = "contentBlockStart")]
    pub content_block_start: Option<&'a RawValue>,
    /// Nova.
    #[serde(borrow, rename = "contentBlockDelta")]
    pub content_block_delta: Option<&'a RawValue>,
    /// Nova.
    #[serde(borrow, rename = "contentBlockStop")]
    pub content_block_stop: Option<&'a RawValue>,
    /// Nova.
    #[serde(borrow, rename = "messageStop")]
    pub message_stop: Option<&'a RawValue>,
    /// Nova.
    #[serde(borrow)]
    pub metadata: Option<&'a RawValue>,

    /// Titan.
    #[serde(borrow, rename = "outputText", deserialize_with = "lenient")]
    output_text: Option<Text<'a>>,
    #[serde(borrow, rename = "completionReason", deserialize_with = "lenient")]
    completion_reason: Option<Text<'a>>,
    #[serde(rename = "inputTextTokenCount", deserialize_with = "count")]
    input_text_token_count: Option<u64>,
    #[serde(rename = "totalOutputTextTokenCount", deserialize_with = "count")]
    total_output_text_token_count: Option<u64>,

    /// Llama.
    #[serde(borrow, deserialize_with = "lenient")]
    generation: Option<Text<'a>>,
    #[serde(borrow, deserialize_with = "lenient")]
    stop_reason: Option<Text<'a>>,
    #[serde(deserialize_with = "count")]
    prompt_token_count: Option<u64>,
    #[serde(deserialize_with = "count")]
    generation_token_count: Option<u64>,

    /// Mistral, and those who answer in the form of OpenAI.
    #[serde(borrow, deserialize_with = "lenient")]
    outputs: Option<First<Choice<'a>>>,
    #[serde(borrow, deserialize_with = "lenient")]
    choices: Option<First<Choice<'a>>>,

    /// Cohere.
    #[serde(borrow, deserialize_with = "lenient")]
    text: Option<Text<'a>>,
    #[serde(borrow, deserialize_with = "lenient")]
    finish_reason: Option<Text<'a>>,
}

impl Chunk<'_> {
    /// Counts that stand in the chunk itself.
    pub fn bare_counts(&self) -> Usage {
        Usage::of(
            self.input_text_token_count.or(self.prompt_token_count),
            self.total_output_text_token_count
                .or(self.generation_token_count),
        )
    }

    /// What a vendor without blocks of content has generated here.
    pub fn generated(&self) -> Option<&str> {
        let text = self.output_text.as_ref();
        let text = text.or(self.generation.as_ref()).or(self.text.as_ref());
        let text = text.or_else(|| self.choice()?.text());
        text.map(|Text(text)| text.as_ref())
    }

    /// Why generation ended, in the model's own word.
    pub fn stop_word(&self) -> Option<&str> {
        let of_delta = self.delta.as_ref().and_then(|d| d.stop_reason.as_ref());
        let word = of_delta.or(self.stop_reason.as_ref());
        let word = word.or(self.completion_reason.as_ref());
        let word = word.or(self.finish_reason.as_ref());
        let word = word.or_else(|| {
            let choice = self.choice()?;
            choice
                .stop_reason
                .as_ref()
                .or(choice.finish_reason.as_ref())
        });
        word.map(|Text(word)| word.as_ref())
    }

    fn choice(&self) -> Option<&Choice<'_>> {
        let First(choice) = self.outputs.as_ref().or(self.choices.as_ref())?;
        choice.as_ref()
    }
}

/// `amazon-bedrock-invocationMetrics`.
#[derive(Debug)]
pub struct InvocationMetrics {
    /// Its counts, again without the cached ones in the input.
    pub usage: Usage,
    /// Its latency.
    pub metrics: Metrics,
}

impl<'de> Deserialize<'de> for InvocationMetrics {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Once for each half: the counts have names of many formats, which cannot be flattened into this.
        let raw = <&RawValue>::deserialize(deserializer)?;
        Ok(Self {
            usage: serde_json::from_str(raw.get()).unwrap_or_default(),
            metrics: serde_json::from_str(raw.get()).unwrap_or_default(),
        })
    }
}

/// The message that an Anthropic stream begins with.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Message {
    /// Its counts so far.
    #[serde(deserialize_with = "lenient")]
    pub usage: Option<Usage>,
}

/// Something of Anthropic's, as far as its kind goes.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Typed<'a> {
    /// Its kind.
    #[serde(borrow, rename = "type", deserialize_with = "lenient")]
    pub kind: Option<Text<'a>>,
}

/// What an event of Anthropic's adds.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Delta<'a> {
    /// Generated text.
    #[serde(borrow, deserialize_with = "lenient")]
    pub text: Option<Text<'a>>,
    #[serde(borrow, deserialize_with = "lenient")]
    stop_reason: Option<Text<'a>>,
}

/// One of the answers that were asked for.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Choice<'a> {
    #[serde(borrow, deserialize_with = "lenient")]
    text: Option<Text<'a>>,
    #[serde(borrow, deserialize_with = "lenient")]
    message: Option<Said<'a>>,
    #[serde(borrow, deserialize_with = "lenient")]
    delta: Option<Said<'a>>,
    #[serde(borrow, deserialize_with = "lenient")]
    stop_reason: Option<Text<'a>>,
    #[serde(borrow, deserialize_with = "lenient")]
    finish_reason: Option<Text<'a>>,
}

impl<'a> Choice<'a> {
    fn text(&self) -> Option<&Text<'a>> {
        let said = self.message.as_ref().or(self.delta.as_ref());
        self.text.as_ref().or_else(|| said?.content.as_ref())
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Said<'a> {
    #[serde(borrow, deserialize_with = "lenient")]
    content: Option<Text<'a>>,
}

/// The first element of an array. The others are not kept: a frame of millions of empty ones must not cost its size many
/// times over.
#[derive(Debug)]
pub struct First<T>(pub Option<T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for First<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(FirstOf(PhantomData))
    }
}

struct FirstOf<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for FirstOf<T> {
    type Value = First<T>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<First<T>, A::Error> {
        let first = array.next_element()?;
        while array.next_element::<IgnoredAny>()?.is_some() {}
        Ok(First(first))
    }
}
