//! What a request may use, as far as its body shows: for limits, which are asked before anything is known.

use memchr::memchr2;
use serde::Deserialize;

use crate::json::strict::Object;

/// What a body shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Measure {
    /// Bytes that are not media.
    pub text: u64,
    /// Images and documents in base64.
    pub media: u64,
    /// The most tokens that the client lets the model generate, if it says so.
    pub max_output: Option<u64>,
}

impl Measure {
    /// Of a client's body, in whatever API.
    pub fn of(body: &[u8]) -> Self {
        let (mut media, mut media_bytes) = (0, 0_u64);
        for string in strings(body).filter(|string| is_media(string)) {
            media += 1;
            media_bytes = media_bytes.saturating_add(string.len() as u64);
        }
        Self {
            text: (body.len() as u64).saturating_sub(media_bytes),
            media,
            max_output: max_output(body),
        }
    }
}

/// The strings of a JSON text, as they stand there.
fn strings(body: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = body;
    std::iter::from_fn(move || {
        let begin = memchr::memchr(b'"', rest)? + 1;
        let string = rest.get(begin..)?;
        let mut end = 0;
        loop {
            let at = end + memchr2(b'"', b'\\', string.get(end..)?)?;
            match string.get(at) {
                Some(b'"') => {
                    rest = string.get(at + 1..)?;
                    return string.get(..at);
                }
                _ => end = at + 2,
            }
        }
    })
}

/// Whether a string is long, and base64 where it is looked at: no text is without a blank for so long.
fn is_media(string: &[u8]) -> bool {
    let part = match string.len() {
        ..MEDIA => return false,
        length => string.get(length / 2..length / 2 + LOOKED_AT),
    };
    let is_base64 = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/-_=".contains(byte);
    part.is_some_and(|part| part.iter().all(is_base64))
}

/// Where each API has it. Of several, the largest.
fn max_output(body: &[u8]) -> Option<u64> {
    let Object(all) = serde_json::from_slice::<Object<All>>(body).ok()?;
    let nested = [
        all.inference_config,
        all.inference_config_of_invoke,
        all.text_generation_config,
        all.parameters,
        all.generation_config,
        all.additional,
    ];
    let nested = nested.into_iter().flatten();
    let nested = nested.filter_map(|Object(limits)| limits.largest());
    nested.chain(all.limits.largest()).max()
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct All {
    #[serde(flatten)]
    limits: Limits,
    #[serde(rename = "inferenceConfig")]
    inference_config: Option<Object<Limits>>,
    #[serde(rename = "inference_config")]
    inference_config_of_invoke: Option<Object<Limits>>,
    #[serde(rename = "textGenerationConfig")]
    text_generation_config: Option<Object<Limits>>,
    parameters: Option<Object<Limits>>,
    generation_config: Option<Object<Limits>>,
    #[serde(rename = "additionalModelRequestFields")]
    additional: Option<Object<Limits>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Limits {
    max_tokens: Option<Number>,
    max_completion_tokens: Option<Number>,
    max_output_tokens: Option<Number>,
    #[serde(rename = "maxTokens")]
    max_tokens_of_converse: Option<Number>,
    #[serde(rename = "maxTokenCount")]
    max_token_count: Option<Number>,
    max_new_tokens: Option<Number>,
    max_gen_len: Option<Number>,
    /// How many answers there are to be.
    n: Option<Number>,
}

/// A number; anything else says nothing.
struct Number(Option<u64>);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = serde_json::Value::deserialize(deserializer)?;
        let whole = || value.as_f64().map(|number| number.max(0.0).ceil() as u64);
        Ok(Self(value.as_u64().or_else(whole)))
    }
}

impl Limits {
    fn largest(self) -> Option<u64> {
        let all = [
            self.max_tokens,
            self.max_completion_tokens,
            self.max_output_tokens,
            self.max_tokens_of_converse,
            self.max_token_count,
            self.max_new_tokens,
            self.max_gen_len,
        ];
        let largest = all
            .into_iter()
            .flatten()
            .filter_map(|number| number.0)
            .max()?;
        let answers = self.n.and_then(|number| number.0).unwrap_or(1).max(1);
        Some(largest.saturating_mul(answers))
    }
}

/// In bytes. A key of a cache, or a signature, is shorter.
const MEDIA: usize = 4096;
const LOOKED_AT: usize = 512;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn media_is_no_text() {
        let image = "iVBORw0KGgo".repeat(1000);
        let text = "many words \\\" of text ".repeat(1000);
        let body = format!(
            r#"{{"a":"{text}","b":["{image}"],"c":"data:image/png;base64,{image}","d":"{text}"}}"#
        );
        let measure = Measure::of(body.as_bytes());
        assert_eq!(measure.media, 2);
        let media = 2 * image.len() + "data:image/png;base64,".len();
        assert_eq!(measure.text, (body.len() - media) as u64);
        for broken in ["", "\"", "\"\\", "{\"a\":\"", "[\"\\\"\"]"] {
            assert_eq!(Measure::of(broken.as_bytes()).text, broken.len() as u64);
        }
    }

    #[test]
    fn each_api_has_its_own_word_for_the_limit() {
        for (body, most) in [
            (r#"{"max_tokens":5}"#, Some(5)),
            (r#"{"max_tokens":5,"max_completion_tokens":9}"#, Some(9)),
            (r#"{"max_output_tokens":7,"input":"max_tokens"}"#, Some(7)),
            (r#"{"inferenceConfig":{"maxTokens":11}}"#, Some(11)),
            (r#"{"inferenceConfig":{"max_new_tokens":12}}"#, Some(12)),
            (r#"{"textGenerationConfig":{"maxTokenCount":13}}"#, Some(13)),
            (r#"{"max_gen_len":14}"#, Some(14)),
            (r#"{"max_tokens":10,"n":3}"#, Some(30)),
            (r#"{"max_tokens":10.5}"#, Some(11)),
            (r#"{"max_tokens":"many"}"#, None),
            (r#"{"messages":[{"max_tokens":5}]}"#, None),
            (r#"{"inferenceConfig":[1]}"#, None),
            (
                r#"{"inferenceConfig":{"maxTokens":1},"additionalModelRequestFields":{"max_tokens":20}}"#,
                Some(20),
            ),
            ("[]", None),
            ("{", None),
        ] {
            assert_eq!(Measure::of(body.as_bytes()).max_output, most, "{body}");
        }
    }
}
