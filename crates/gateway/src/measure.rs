//! What a request may use, as far as its body shows: for limits, which are asked before anything is known.

use std::fmt;

use memchr::memchr2;
use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// What a body shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Measure {
    /// Bytes that are not media.
    pub text: u64,
    /// Images and documents in base64.
    pub media: u64,
    /// The most tokens that the client lets the model generate for an answer, if it says so.
    pub max_output: Option<u64>,
    /// How many answers it asks for.
    pub answers: u64,
}

impl Measure {
    /// Of a client's body, in whatever API.
    pub fn of(body: &[u8]) -> Self {
        let (mut media, mut media_bytes) = (0, 0_u64);
        let mut is_text = false;
        for (string, is_name) in strings(body) {
            if is_name {
                is_text = is_name_of_text(string);
            } else if !is_text && is_media(string) {
                media += 1;
                media_bytes = media_bytes.saturating_add(string.len() as u64);
            }
        }
        let (max_output, answers) = generated(body);
        Self {
            text: (body.len() as u64).saturating_sub(media_bytes),
            media,
            max_output,
            answers,
        }
    }
}

/// The strings of a JSON text, as they stand there, and whether each is the name of a member.
fn strings(body: &[u8]) -> impl Iterator<Item = (&[u8], bool)> {
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
                    let mut next = rest.iter().filter(|byte| !byte.is_ascii_whitespace());
                    let is_name = next.next() == Some(&b':');
                    return Some((string.get(..at)?, is_name));
                }
                _ => end = at + 2,
            }
        }
    })
}

/// Whether the model reads what has this name as text, however it looks. An escaped name hides something.
fn is_name_of_text(name: &[u8]) -> bool {
    const NAMES: [&[u8]; 13] = [
        b"text",
        b"texts",
        b"content",
        b"input",
        b"inputText",
        b"prompt",
        b"system",
        b"instructions",
        b"arguments",
        b"output",
        b"query",
        b"documents",
        b"description",
    ];
    NAMES.contains(&name) || name.contains(&b'\\')
}

/// Whether a string is long, and base64 from end to end, perhaps in a URL: no text is without a blank for so long. Some write its slashes
/// escaped, and its lines.
fn is_media(string: &[u8]) -> bool {
    if string.len() < MEDIA {
        return false;
    }
    let start = match string.starts_with(b"data:") {
        true => string
            .iter()
            .take(LONGEST_TYPE)
            .position(|byte| *byte == b','),
        false => None,
    };
    let data = string.get(start.map_or(0, |comma| comma + 1)..);
    let is_base64 = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/-_=\\".contains(byte);
    // As many at a time as a processor can look at.
    let mut parts = data.unwrap_or_default().chunks(64);
    parts.all(|part| part.iter().fold(true, |all, byte| all & is_base64(byte)))
}

/// The most tokens of an answer and how many answers, where each API has them. Of several, the largest: what stands twice, or where no
/// API has it, hides nothing.
fn generated(body: &[u8]) -> (Option<u64>, u64) {
    match serde_json::from_slice(body) {
        Ok(Said::Object { limit, answers }) => (limit, answers),
        _ => (None, 1),
    }
}

/// What a value says of that. Nothing of it is kept but that, however much it holds.
enum Said {
    /// A whole number.
    Number(u64),
    /// The largest of each in it.
    Object { limit: Option<u64>, answers: u64 },
    /// Nothing.
    Nothing,
}

/// What a member of an object is about.
enum Member {
    /// The limit.
    Limit,
    /// How many answers there are to be.
    Answers,
    /// Other members, among which there may be a limit.
    Settings,
    /// Something else.
    Other,
}

impl<'de> Deserialize<'de> for Member {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Name;
        impl Visitor<'_> for Name {
            type Value = Member;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a name")
            }

            fn visit_str<E>(self, name: &str) -> Result<Member, E> {
                Ok(match name {
                    "max_tokens"
                    | "max_completion_tokens"
                    | "max_output_tokens"
                    | "maxTokens"
                    | "maxTokenCount"
                    | "max_new_tokens"
                    | "max_gen_len" => Member::Limit,
                    "n" => Member::Answers,
                    "inferenceConfig"
                    | "inference_config"
                    | "textGenerationConfig"
                    | "parameters"
                    | "generation_config"
                    | "additionalModelRequestFields" => Member::Settings,
                    _ => Member::Other,
                })
            }
        }
        deserializer.deserialize_str(Name)
    }
}

impl<'de> Deserialize<'de> for Said {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyValue)
    }
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = Said;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("anything")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Said, A::Error> {
        let (mut most, mut most_answers) = (None, 1);
        while let Some(member) = members.next_key()? {
            if matches!(member, Member::Other) {
                members.next_value::<IgnoredAny>()?;
                continue;
            }
            match (member, members.next_value()?) {
                (Member::Limit, Said::Number(number)) => most = most.max(Some(number)),
                (Member::Answers, Said::Number(number)) => most_answers = number.max(most_answers),
                (Member::Settings, Said::Object { limit, answers }) => {
                    most = most.max(limit);
                    most_answers = most_answers.max(answers);
                }
                _ => {}
            }
        }
        Ok(Said::Object {
            limit: most,
            answers: most_answers,
        })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Said, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Said::Nothing)
    }

    fn visit_u64<E>(self, number: u64) -> Result<Said, E> {
        Ok(Said::Number(number))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Said, E> {
        Ok(Said::Number(u64::try_from(number).unwrap_or(0)))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Said, E> {
        Ok(Said::Number(number.max(0.0).ceil() as u64))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Said, E> {
        Ok(Said::Nothing)
    }

    fn visit_str<E>(self, _: &str) -> Result<Said, E> {
        Ok(Said::Nothing)
    }

    fn visit_unit<E>(self) -> Result<Said, E> {
        Ok(Said::Nothing)
    }
}

/// In bytes. A key of a cache, or a signature, is shorter.
const MEDIA: usize = 4096;
/// What stands before the data of a URL.
const LONGEST_TYPE: usize = 256;

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
        let of = |body: String| (Measure::of(body.as_bytes()), body.len() as u64);
        // Escaped as PHP does it, and with lines.
        for image in [image.replace('w', "\\/"), image.replace("OR", "\\n")] {
            let (measure, _) = of(format!(r#"{{"data" : "{image}"}}"#));
            assert_eq!((measure.media, measure.text), (1, 13), "{measure:?}");
        }
        // Text that has a stretch of something else, or that looks like it, is text.
        let stretch = format!("{text}{image}{text}");
        for body in [
            format!(r#"{{"data":"{stretch}"}}"#),
            format!(r#"{{"type":"text","text":"{image}"}}"#),
            format!(r#"{{"input":["a","{image}","{image}"]}}"#),
            format!(r#"{{"messages":[{{"content" : "{image}"}}]}}"#),
            format!(r#"{{"te\u0078t":"{image}"}}"#),
        ] {
            let (measure, length) = of(body);
            assert_eq!((measure.media, measure.text), (0, length));
        }
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
            (r#"{"max_tokens":10,"n":3}"#, Some(10)),
            (r#"{"max_tokens":10.5}"#, Some(11)),
            (r#"{"max_tokens":"many"}"#, None),
            (r#"{"messages":[{"max_tokens":5}]}"#, None),
            (r#"{"inferenceConfig":[1]}"#, None),
            // What one reader of JSON takes for nothing may be another one's limit.
            (
                r#"{"max_tokens":5,"max_tokens":500,"max_tokens":50}"#,
                Some(500),
            ),
            (
                r#"{"max_tokens":500,"inferenceConfig":[1],"parameters":7}"#,
                Some(500),
            ),
            (
                r#"{"max_tokens":500,"max_completion_tokens":{"n":[]}}"#,
                Some(500),
            ),
            (
                r#"{"max\u005ftokens":500,"n":null,"x":[{"max_tokens":7}]}"#,
                Some(500),
            ),
            (r#"{"max_tokens":-1}"#, Some(0)),
            (r#"{"max_tokens":1e30}"#, Some(u64::MAX)),
            (r#"{"max_tokens":18446744073709551616}"#, Some(u64::MAX)),
            (
                r#"{"inferenceConfig":{"maxTokens":1},"additionalModelRequestFields":{"max_tokens":20}}"#,
                Some(20),
            ),
            ("[]", None),
            ("{", None),
        ] {
            assert_eq!(Measure::of(body.as_bytes()).max_output, most, "{body}");
        }
        for (body, answers) in [
            (r#"{"max_tokens":10}"#, 1),
            (r#"{"max_tokens":10,"n":3}"#, 3),
            (r#"{"n":3,"n":1}"#, 3),
            (r#"{"n":"3"}"#, 1),
            (r#"{"n":0}"#, 1),
            (r#"{"generation_config":{"n":2}}"#, 2),
            ("{", 1),
        ] {
            assert_eq!(Measure::of(body.as_bytes()).answers, answers, "{body}");
        }
    }
}
