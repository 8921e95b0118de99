//! What models send in the chunks of an invoke stream. Each vendor has a form of its own, and a model's ARN does not show
//! the vendor, so that all forms are read at once: by the names of their members, which they do not share.
//! <https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters.html>

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::event::Counts;
use super::usage::{self, Metrics, Usage, lenient_value};
use crate::json::cursor::{Cursor, Wrong};
use crate::json::text::{Literal, Text};

/// The model's JSON in base64, out of the payload of a `chunk` event; the service's model does not require that it is there.
///
/// # Errors
/// The payload is not JSON, or not of this form.
pub fn bytes_of(payload: &str) -> Result<Option<Cow<'_, str>>, Wrong> {
    let mut bytes = None;
    let mut cursor = Cursor::new(payload);
    cursor.open()?;
    while let Some(name) = cursor.member()? {
        match name.as_ref() {
            "bytes" => bytes = cursor.string_or_null()?,
            _ => cursor.skip()?,
        }
    }
    cursor.end()?;
    Ok(bytes.map(Literal::decode))
}

/// The model's JSON. A member that is not what it should be is only unknown.
#[derive(Debug, Default)]
pub struct Chunk<'a> {
    /// Bedrock's own counts, on the last chunk of any vendor.
    pub metrics: Option<InvocationMetrics>,
    /// The model's counts: Anthropic's `message_delta`, and whoever else has them there.
    pub usage: Option<Usage>,

    /// What a guardrail did: `INTERVENED` or `NONE`.
    pub guardrail: Option<Cow<'a, str>>,

    /// Anthropic: which event this is.
    pub kind: Option<Cow<'a, str>>,
    /// Anthropic: the counts so far of the message that begins with `message_start`.
    pub first_usage: Option<Usage>,
    /// Anthropic: the kind of block in `content_block_start`.
    pub block_kind: Option<Cow<'a, str>>,
    /// Anthropic: the kind of an `error`.
    pub error_kind: Option<Cow<'a, str>>,
    /// Anthropic: `content_block_delta` and `message_delta`.
    pub delta: Delta<'a>,

    /// Nova: events as Converse has them, in the order of [`NOVA_EVENTS`].
    events: [Option<&'a str>; NOVA_EVENTS.len()],

    /// What a vendor without blocks of content has generated: Titan, Llama, Cohere.
    text: Option<Cow<'a, str>>,
    /// Why generation ended: Titan, Llama, Cohere.
    stop_word: Option<Cow<'a, str>>,
    /// Titan and Llama.
    input_tokens: Option<u64>,
    /// Titan and Llama.
    output_tokens: Option<u64>,

    /// Mistral, and those who answer in the form of OpenAI.
    choice: Option<Choice<'a>>,
}

/// What an event of Anthropic's adds.
#[derive(Debug, Default)]
pub struct Delta<'a> {
    /// Generated text.
    pub text: Option<Cow<'a, str>>,
    /// Bytes of that, or of reasoning or a tool's input.
    pub length: usize,
    stop_reason: Option<Cow<'a, str>>,
}

// A stream consists of these, so they are read by hand: over as many members as all vendors have, serde takes three times as long.
impl<'a> Chunk<'a> {
    /// Reads one; what is JSON, but no object, says nothing.
    ///
    /// # Errors
    /// It is not JSON.
    pub fn read(text: &'a str) -> Result<Self, Wrong> {
        let mut chunk = Self::default();
        let mut cursor = Cursor::new(text);
        if cursor.enter()? {
            while let Some(name) = cursor.member()? {
                chunk.take(&name, &mut cursor)?;
            }
        }
        cursor.end()?;
        Ok(chunk)
    }

    fn take(&mut self, name: &str, cursor: &mut Cursor<'a>) -> Result<(), Wrong> {
        match name {
            "type" => self.kind = string(cursor)?,
            "delta" => self.delta.read(cursor)?,
            "content_block" => self.block_kind = inside(cursor, "type", string)?,
            "error" => self.error_kind = inside(cursor, "type", string)?,
            "message" => self.first_usage = inside(cursor, "usage", Usage::take)?,
            "usage" => self.usage = Usage::take(cursor)?,
            "amazon-bedrock-invocationMetrics" => {
                self.metrics = Some(InvocationMetrics::read(cursor.value()?));
            }
            "amazon-bedrock-guardrailAction" => self.guardrail = string(cursor)?,
            "outputText" | "generation" | "text" => first(&mut self.text, string(cursor)?),
            "stop_reason" | "completionReason" | "finish_reason" => {
                first(&mut self.stop_word, string(cursor)?);
            }
            "inputTextTokenCount" | "prompt_token_count" => {
                first(&mut self.input_tokens, lenient(cursor)?);
            }
            "totalOutputTextTokenCount" | "generation_token_count" => {
                first(&mut self.output_tokens, lenient(cursor)?);
            }
            "outputs" | "choices" => {
                let choices: Option<First<Choice>> = lenient(cursor)?;
                first(&mut self.choice, choices.and_then(|First(choice)| choice));
            }
            _ => {
                let value = cursor.value()?;
                let mut events = NOVA_EVENTS.iter().zip(&mut self.events);
                if let Some((_, event)) = events.find(|(known, _)| **known == name) {
                    *event = Some(value);
                }
            }
        }
        Ok(())
    }

    /// The events of Nova that are in it, by their names.
    pub fn nova_events(&self) -> impl Iterator<Item = (&'static str, &'a str)> {
        let named = NOVA_EVENTS.into_iter().zip(self.events);
        named.filter_map(|(name, event)| Some((name, event?)))
    }

    /// What it tells of tokens; `None` if nothing.
    pub fn counts(&self) -> Option<Box<Counts>> {
        let own = self.usage.as_ref().or(self.first_usage.as_ref());
        // Nearly no chunk has any.
        if own.is_none() && self.metrics.is_none() {
            return None;
        }
        Some(Box::new(Counts {
            own: own.copied().unwrap_or_default(),
            metrics: self.metrics.as_ref().map(|metrics| metrics.usage),
        }))
    }

    /// Counts that stand in the chunk itself.
    pub fn bare_counts(&self) -> Usage {
        Usage::of(self.input_tokens, self.output_tokens)
    }

    /// What a vendor without blocks of content has generated here.
    pub fn generated(&self) -> Option<&str> {
        let text = self.text.as_deref();
        text.or_else(|| self.choice.as_ref()?.text())
    }

    /// Why generation ended, in the model's own word.
    pub fn stop_word(&self) -> Option<&str> {
        let word = self.delta.stop_reason.as_deref();
        let word = word.or(self.stop_word.as_deref());
        word.or_else(|| {
            let choice = self.choice.as_ref()?;
            let word = choice
                .stop_reason
                .as_ref()
                .or(choice.finish_reason.as_ref());
            word.map(|Text(word)| word.as_ref())
        })
    }
}

impl<'a> Delta<'a> {
    fn read(&mut self, cursor: &mut Cursor<'a>) -> Result<(), Wrong> {
        if !cursor.enter()? {
            return Ok(());
        }
        while let Some(name) = cursor.member()? {
            match name.as_ref() {
                "text" => {
                    self.text = string(cursor)?;
                    self.length += self.text.as_ref().map_or(0, |text| text.len());
                }
                "thinking" | "partial_json" => {
                    let value = cursor.value()?;
                    let literal = value.starts_with('"').then_some(Literal(value));
                    self.length += literal.map_or(0, |literal| literal.inside().len());
                }
                "stop_reason" => self.stop_reason = string(cursor)?,
                _ => cursor.skip()?,
            }
        }
        Ok(())
    }
}

/// The string that comes next; unknown if it is another value.
fn string<'a>(cursor: &mut Cursor<'a>) -> Result<Option<Cow<'a, str>>, Wrong> {
    let value = cursor.value()?;
    let string = value.starts_with('"').then_some(Literal(value));
    Ok(string.and_then(Literal::decode_strict))
}

/// What comes next; unknown if it is another value.
fn lenient<'a, T: Deserialize<'a>>(cursor: &mut Cursor<'a>) -> Result<Option<T>, Wrong> {
    Ok(lenient_value(cursor.value()?))
}

/// A member of the object that comes next.
fn inside<'a, T>(
    cursor: &mut Cursor<'a>,
    wanted: &str,
    read: impl Fn(&mut Cursor<'a>) -> Result<Option<T>, Wrong>,
) -> Result<Option<T>, Wrong> {
    let mut found = None;
    if cursor.enter()? {
        while let Some(name) = cursor.member()? {
            match name == wanted {
                true => found = read(cursor)?,
                false => cursor.skip()?,
            }
        }
    }
    Ok(found)
}

fn first<T>(known: &mut Option<T>, found: Option<T>) {
    if known.is_none() {
        *known = found;
    }
}

/// The events of Converse, as Nova calls them in its own streams.
const NOVA_EVENTS: [&str; 6] = [
    "messageStart",
    "contentBlockStart",
    "contentBlockDelta",
    "contentBlockStop",
    "messageStop",
    "metadata",
];

/// `amazon-bedrock-invocationMetrics`.
#[derive(Debug)]
pub struct InvocationMetrics {
    /// Its counts, again without the cached ones in the input.
    pub usage: Usage,
    /// Its latency.
    pub metrics: Metrics,
}

impl InvocationMetrics {
    fn read(json: &str) -> Self {
        // Once for each half.
        Self {
            usage: Usage::read(json).unwrap_or_default(),
            metrics: lenient_value(json).unwrap_or_default(),
        }
    }
}

/// One of the answers that were asked for.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Choice<'a> {
    #[serde(borrow, deserialize_with = "usage::lenient")]
    text: Option<Text<'a>>,
    #[serde(borrow, deserialize_with = "usage::lenient")]
    message: Option<Said<'a>>,
    #[serde(borrow, deserialize_with = "usage::lenient")]
    delta: Option<Said<'a>>,
    #[serde(borrow, deserialize_with = "usage::lenient")]
    stop_reason: Option<Text<'a>>,
    #[serde(borrow, deserialize_with = "usage::lenient")]
    finish_reason: Option<Text<'a>>,
}

impl<'a> Choice<'a> {
    fn text(&self) -> Option<&str> {
        let said = self.message.as_ref().or(self.delta.as_ref());
        let text = self.text.as_ref().or_else(|| said?.content.as_ref());
        text.map(|Text(text)| text.as_ref())
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Said<'a> {
    #[serde(borrow, deserialize_with = "usage::lenient")]
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
