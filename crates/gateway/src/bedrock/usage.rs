//! Token counts, under the names that Converse and the models' own formats have for them.
//! <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_TokenUsage.html>

use serde::de::Error;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::facts::Facts;
use crate::json::cursor::{Cursor, Wrong};

/// The counts in a `usage` object, and in the `amazon-bedrock-invocationMetrics` of an invoke stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Tokens read, without the cached ones.
    pub input: Option<u64>,
    /// Tokens generated.
    pub output: Option<u64>,
    /// Total as sent.
    pub total: Option<u64>,
    /// Tokens read from the prompt cache.
    pub cache_read: Option<u64>,
    /// Tokens written to the prompt cache.
    pub cache_write: Option<u64>,
    /// Of these, to be kept for five minutes.
    pub cache_write_5m: Option<u64>,
    /// Of these, to be kept for an hour.
    pub cache_write_1h: Option<u64>,
    /// Of the generated tokens, those of reasoning.
    pub reasoning: Option<u64>,
}

impl Usage {
    /// Input and output, from formats that have no object for them.
    pub fn of(input: Option<u64>, output: Option<u64>) -> Self {
        Self {
            input,
            output,
            ..Self::default()
        }
    }

    /// The counts in an object by itself; `None` if it is none.
    pub fn read(json: &str) -> Option<Self> {
        Self::take(&mut Cursor::new(json)).ok().flatten()
    }

    /// The counts in the object that comes next; `None` if that is another value. They are called so by Converse and Nova, by
    /// Nova's other spelling and Bedrock's metrics, by Anthropic, and by models that answer in the form of OpenAI.
    ///
    /// # Errors
    /// It is not JSON.
    pub fn take(cursor: &mut Cursor<'_>) -> Result<Option<Self>, Wrong> {
        if !cursor.enter()? {
            return Ok(None);
        }
        let mut usage = Self::default();
        // All input, the cached included.
        let mut prompt = None;
        let mut input_has_cached = false;
        // Two names for one count are no error.
        while let Some(name) = cursor.member()? {
            let known = match name.as_ref() {
                "inputTokens" | "inputTokenCount" | "input_tokens" => &mut usage.input,
                "outputTokens" | "outputTokenCount" | "output_tokens" | "completion_tokens" => {
                    &mut usage.output
                }
                "totalTokens" | "total_tokens" => &mut usage.total,
                "cacheReadInputTokens" | "cacheReadInputTokenCount" | "cache_read_input_tokens" => {
                    &mut usage.cache_read
                }
                "cacheWriteInputTokens"
                | "cacheWriteInputTokenCount"
                | "cache_creation_input_tokens" => &mut usage.cache_write,
                "prompt_tokens" => &mut prompt,
                "prompt_tokens_details" | "input_tokens_details" => {
                    // Only OpenAI's Responses have the latter, and call all input `input_tokens`.
                    input_has_cached |= name == "input_tokens_details";
                    let details: Option<PromptDetails> = lenient_value(cursor.value()?);
                    let details = details.unwrap_or_default();
                    keep(&mut usage.cache_read, details.cached_tokens);
                    keep(&mut usage.cache_write, details.cache_write_tokens);
                    continue;
                }
                "output_tokens_details" | "completion_tokens_details" => {
                    let details: Option<OutputDetails> = lenient_value(cursor.value()?);
                    keep(
                        &mut usage.reasoning,
                        details.and_then(OutputDetails::reasoning),
                    );
                    continue;
                }
                // What was written to the cache, by how long it is kept.
                "cache_creation" => {
                    let details: Option<CacheCreation> = lenient_value(cursor.value()?);
                    let details = details.unwrap_or_default();
                    keep(&mut usage.cache_write_5m, details.ephemeral_5m_input_tokens);
                    keep(&mut usage.cache_write_1h, details.ephemeral_1h_input_tokens);
                    continue;
                }
                "cacheDetails" => {
                    let details: Option<Vec<CacheDetail>> = lenient_value(cursor.value()?);
                    for detail in details.unwrap_or_default() {
                        match detail.ttl.as_deref() {
                            Some("5m") => keep(&mut usage.cache_write_5m, detail.input_tokens),
                            Some("1h") => keep(&mut usage.cache_write_1h, detail.input_tokens),
                            _ => {}
                        }
                    }
                    continue;
                }
                _ => {
                    cursor.skip()?;
                    continue;
                }
            };
            keep(known, cursor.value()?.parse().ok());
        }
        if input_has_cached {
            prompt = usage.input.take();
        }
        if let Some(prompt) = prompt {
            let cached = usage.cache_read.unwrap_or(0);
            let cached = cached.saturating_add(usage.cache_write.unwrap_or(0));
            keep(&mut usage.input, prompt.checked_sub(cached));
        }
        Ok(Some(usage))
    }

    /// All tokens of the prompt, the cached ones included.
    pub fn prompt(&self) -> Option<u64> {
        let cached = self.cache_read.unwrap_or(0);
        let cached = cached.saturating_add(self.cache_write.unwrap_or(0));
        Some(self.input?.saturating_add(cached))
    }

    /// The same with the output unknown.
    #[must_use]
    pub fn without_output(self) -> Self {
        Self {
            output: None,
            ..self
        }
    }

    /// Takes in what is known later; what is not said there stays as it was.
    pub fn merge(&mut self, later: &Self) {
        keep(&mut self.input, later.input);
        keep(&mut self.output, later.output);
        keep(&mut self.total, later.total);
        keep(&mut self.cache_read, later.cache_read);
        keep(&mut self.cache_write, later.cache_write);
        keep(&mut self.cache_write_5m, later.cache_write_5m);
        keep(&mut self.cache_write_1h, later.cache_write_1h);
        keep(&mut self.reasoning, later.reasoning);
    }

    /// Adds what is known to the facts; what is not said here stays as it was.
    pub fn tell(&self, facts: &mut Facts) {
        keep(&mut facts.input_tokens, self.input);
        keep(&mut facts.output_tokens, self.output);
        keep(&mut facts.sent_total, self.total);
        keep(&mut facts.cache_read_tokens, self.cache_read);
        keep(&mut facts.cache_write_tokens, self.cache_write);
        keep(&mut facts.cache_write_5m_tokens, self.cache_write_5m);
        keep(&mut facts.cache_write_1h_tokens, self.cache_write_1h);
        keep(&mut facts.reasoning_tokens, self.reasoning);
    }
}

/// An element of `cacheDetails`.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct CacheDetail {
    #[serde(deserialize_with = "lenient")]
    ttl: Option<String>,
    #[serde(deserialize_with = "count")]
    input_tokens: Option<u64>,
}

/// Anthropic's `cache_creation`.
#[derive(Default, Deserialize)]
#[serde(default)]
struct CacheCreation {
    #[serde(deserialize_with = "count")]
    ephemeral_5m_input_tokens: Option<u64>,
    #[serde(deserialize_with = "count")]
    ephemeral_1h_input_tokens: Option<u64>,
}

/// How much of the output is reasoning, as OpenAI and Anthropic call it.
#[derive(Default, Deserialize)]
#[serde(default)]
struct OutputDetails {
    #[serde(deserialize_with = "count")]
    reasoning_tokens: Option<u64>,
    #[serde(deserialize_with = "count")]
    thinking_tokens: Option<u64>,
}

impl OutputDetails {
    fn reasoning(self) -> Option<u64> {
        self.reasoning_tokens.or(self.thinking_tokens)
    }
}

/// The tokens of reasoning in `additionalModelResponseFields`: Converse has no count of them, and gives Claude's own where it
/// is asked for `/usage/output_tokens_details`.
pub fn reasoning_in(fields: &str) -> Option<u64> {
    #[derive(Deserialize)]
    struct Fields {
        #[serde(default)]
        usage: Option<Usage>,
    }
    lenient_value::<Fields>(fields)?.usage?.reasoning
}

/// How much of `prompt_tokens` has to do with the cache.
#[derive(Default, Deserialize)]
#[serde(default)]
struct PromptDetails {
    #[serde(deserialize_with = "count")]
    cached_tokens: Option<u64>,
    #[serde(deserialize_with = "count")]
    cache_write_tokens: Option<u64>,
}

impl<'de> Deserialize<'de> for Usage {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let json = <&RawValue>::deserialize(deserializer)?.get();
        Self::read(json).ok_or_else(|| D::Error::custom("expected an object of token counts"))
    }
}

/// `metrics` of a Converse answer or `metadata` event; the latency in an invoke stream's metrics.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Metrics {
    #[serde(alias = "invocationLatency", deserialize_with = "count")]
    latency_ms: Option<u64>,
}

impl Metrics {
    /// Adds what is known to the facts.
    pub fn tell(&self, facts: &mut Facts) {
        keep(&mut facts.latency_ms, self.latency_ms);
    }
}

/// Replaces what is known by what is known now, if anything is.
pub fn keep<T>(known: &mut Option<T>, now: Option<T>) {
    if now.is_some() {
        *known = now;
    }
}

/// A count that an invoice may rest on: a whole number from 0. Anything else in its place (negative, a string, 1e30) is
/// unknown rather than wrong, and does not make the rest unreadable.
pub fn count<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    lenient(deserializer)
}

/// A member that is unknown if it is not what it should be, and does not make the rest unreadable.
pub fn lenient<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    <&RawValue>::deserialize(deserializer).map(|raw| lenient_value(raw.get()))
}

/// The same of a value by itself.
pub fn lenient_value<'de, T: Deserialize<'de>>(json: &'de str) -> Option<T> {
    serde_json::from_str(json).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(json: &str) -> Facts {
        let mut facts = Facts::default();
        serde_json::from_str::<Usage>(json)
            .unwrap()
            .tell(&mut facts);
        facts
    }

    #[test]
    fn counts_are_taken_as_sent() {
        let facts = facts(
            r#"{"inputTokens":10,"outputTokens":20,"totalTokens":1230,"cacheReadInputTokens":1000,
                "cacheWriteInputTokens":200,"cacheDetails":[{"ttl":"5m","inputTokens":200}],"serverToolUsage":{}}"#,
        );
        assert_eq!(facts.input_tokens, Some(10));
        assert_eq!(facts.output_tokens, Some(20));
        assert_eq!(facts.sent_total, Some(1230));
        assert_eq!(facts.cache_read_tokens, Some(1000));
        assert_eq!(facts.cache_write_tokens, Some(200));
        assert_eq!(facts.cache_write_1h_tokens, None);
    }

    #[test]
    fn of_some_tokens_it_is_told_what_they_were() {
        for (json, hour, reasoning) in [
            (
                r#"{"cacheDetails":[{"ttl":"5m","inputTokens":1},{"ttl":"1h","inputTokens":2}]}"#,
                Some(2),
                None,
            ),
            (
                r#"{"cache_creation":{"ephemeral_5m_input_tokens":1,"ephemeral_1h_input_tokens":2},
                    "output_tokens_details":{"thinking_tokens":3}}"#,
                Some(2),
                Some(3),
            ),
            (
                r#"{"completion_tokens_details":{"reasoning_tokens":4}}"#,
                None,
                Some(4),
            ),
            (
                r#"{"output_tokens_details":{"reasoning_tokens":0}}"#,
                None,
                Some(0),
            ),
            (
                r#"{"output_tokens_details":7,"cache_creation":[],"cacheDetails":{}}"#,
                None,
                None,
            ),
            (
                r#"{"output_tokens_details":{"thinking_tokens":-1}}"#,
                None,
                None,
            ),
        ] {
            let facts = facts(json);
            assert_eq!(
                (facts.cache_write_1h_tokens, facts.reasoning_tokens),
                (hour, reasoning),
                "{json}"
            );
        }
        let fields = r#"{"delta":{"stop_sequence":"E"},"usage":{"output_tokens_details":{"thinking_tokens":5}}}"#;
        assert_eq!(reasoning_in(fields), Some(5));
        assert_eq!(reasoning_in(r#"{"usage":7}"#), None);
        assert_eq!(reasoning_in("[]"), None);
    }

    #[test]
    fn what_is_no_count_is_unknown() {
        let facts = facts(
            r#"{"inputTokens":-1,"outputTokens":"7","totalTokens":1e30,"cacheReadInputTokens":null}"#,
        );
        assert_eq!(facts, Facts::default());
    }

    #[test]
    fn every_format_has_its_names() {
        let all = |json| {
            let facts = facts(json);
            [
                facts.input_tokens,
                facts.output_tokens,
                facts.cache_read_tokens,
                facts.cache_write_tokens,
            ]
        };
        let four = [Some(1), Some(2), Some(3), Some(4)];
        for json in [
            r#"{"input_tokens":1,"output_tokens":2,"cache_read_input_tokens":3,"cache_creation_input_tokens":4,
                "cache_creation":{"ephemeral_5m_input_tokens":9}}"#,
            r#"{"inputTokenCount":1,"outputTokenCount":2,"cacheReadInputTokenCount":3,"cacheWriteInputTokenCount":4}"#,
            r#"{"prompt_tokens":8,"completion_tokens":2,"prompt_tokens_details":{"cached_tokens":3,"cache_write_tokens":4}}"#,
            r#"{"inputTokens":null,"inputTokenCount":1,"inputTokens":"x","outputTokens":2,
                "cacheReadInputTokens":3,"cacheWriteInputTokens":4}"#,
        ] {
            assert_eq!(all(json), four, "{json}");
        }
        let responses = r#"{"input_tokens":8,"input_tokens_details":{"cached_tokens":3},"output_tokens":2,
            "output_tokens_details":{"reasoning_tokens":1},"total_tokens":10}"#;
        assert_eq!(all(responses), [Some(5), Some(2), Some(3), None]);
        let none = [None, Some(0), Some(3), None];
        assert_eq!(
            all(
                r#"{"prompt_tokens":2,"prompt_tokens_details":{"cached_tokens":3},"completion_tokens":0}"#
            ),
            none
        );
        let odd = r#"{"prompt_tokens":2,"prompt_tokens_details":7}"#;
        assert_eq!(all(odd), [Some(2), None, None, None]);
        assert!(serde_json::from_str::<Usage>("[1,2]").is_err());
    }

    #[test]
    fn later_events_do_not_erase_what_is_known() {
        let mut facts = facts(r#"{"inputTokens":10}"#);
        Usage::default().tell(&mut facts);
        assert_eq!(facts.input_tokens, Some(10));
    }
}
