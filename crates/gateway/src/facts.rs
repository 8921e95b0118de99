//! What happened, as far as it is known: the source of every `$bedrock_*` variable about an answer.

/// Facts about one attempt. `None` is "not known", which is never the same as 0.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Tokens read, without the cached ones.
    pub input_tokens: Option<u64>,
    /// Tokens generated.
    pub output_tokens: Option<u64>,
    /// Total as Bedrock sent it; see [`Facts::total_tokens`].
    pub sent_total: Option<u64>,
    /// Tokens read from the prompt cache.
    pub cache_read_tokens: Option<u64>,
    /// Tokens written to the prompt cache.
    pub cache_write_tokens: Option<u64>,
    /// Of these, tokens that are kept for five minutes.
    pub cache_write_5m_tokens: Option<u64>,
    /// Of these, tokens that are kept for an hour.
    pub cache_write_1h_tokens: Option<u64>,
    /// Of the generated tokens, those of reasoning.
    pub reasoning_tokens: Option<u64>,
    /// Search units that ranking the documents is billed by.
    pub search_units: Option<u64>,
    /// Why generation ended, in the service's own word.
    pub stop_reason: Option<String>,
    /// Bedrock's own latency in milliseconds.
    pub latency_ms: Option<u64>,
    /// How the stream ended; `None` for answers that are not streams and for streams that go on.
    pub stream: Option<StreamStatus>,
    /// The exception as sent: `throttlingException` in a stream, `ThrottlingException` over HTTP.
    pub exception: Option<String>,
    /// `x-amzn-RequestId`.
    pub request_id: Option<String>,
    /// Tool-use blocks in the answer.
    pub tool_calls: Option<u32>,
    /// The service tier that served the request: `default`, `priority`, `flex`, `reserved`.
    pub service_tier: Option<String>,
    /// The model that a prompt router chose: its id or ARN.
    pub invoked_model: Option<String>,
    /// What the guardrail did, in the words of ApplyGuardrail; see [`Facts::guardrail`].
    pub guardrail_action: Option<&'static str>,
    /// The generated text, up to the configured size.
    pub response_text: String,
    /// Whether some of it did not fit; then nothing more is added.
    pub text_is_cut: bool,
    /// Whether the first content delta has come.
    pub content_started: bool,
    /// Bytes of what the model has generated in a stream: text, reasoning, input of tools; where this is [`Wanted`].
    pub generated: u64,
    /// Bytes of the answer seen so far.
    pub bytes: u64,
}

/// What is to be known of what a model generates. Where nobody wants to know, and bytes pass as they are, it is not read.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wanted {
    /// How many bytes of the text are kept.
    pub text: usize,
    /// Whether it is measured.
    pub length: bool,
}

impl Wanted {
    /// Whether what comes next has to be read.
    pub fn reads(self, facts: &Facts) -> bool {
        self.length || self.keeps_text(facts)
    }

    /// Whether there is room for more of the text.
    pub fn keeps_text(self, facts: &Facts) -> bool {
        self.text > facts.response_text.len()
    }
}

/// How a stream ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamStatus {
    /// All that belongs to it came.
    Complete,
    /// Bedrock ended it with an exception or error frame.
    Exception,
    /// It ended early.
    Truncated,
    /// A frame was damaged or not understood.
    Corrupt,
    /// The client went away and the rest was not read.
    Aborted,
    /// The client went away and the rest was read for its usage.
    Drained,
}

impl StreamStatus {
    /// The word in `$bedrock_stream_status`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Exception => "exception",
            Self::Truncated => "truncated",
            Self::Corrupt => "corrupt",
            Self::Aborted => "aborted",
            Self::Drained => "drained",
        }
    }
}

impl Facts {
    /// The total as sent, else the sum of input, output and both cache counts; unknown if one of the first two is.
    pub fn total_tokens(&self) -> Option<u64> {
        self.sent_total.or_else(|| {
            let cached = self
                .cache_read_tokens
                .unwrap_or(0)
                .saturating_add(self.cache_write_tokens.unwrap_or(0));
            Some(
                self.input_tokens?
                    .saturating_add(self.output_tokens?)
                    .saturating_add(cached),
            )
        })
    }

    /// A guardrail has looked at the answer, or at what it answers; whether it `intervened`. One that did once has done so.
    pub(crate) fn guardrail(&mut self, intervened: bool) {
        match intervened {
            true => self.guardrail_action = Some("GUARDRAIL_INTERVENED"),
            false => {
                self.guardrail_action.get_or_insert("NONE");
            }
        }
    }

    /// Why generation ended.
    pub(crate) fn stopped(&mut self, word: Option<String>) {
        if word.as_deref() == Some("guardrail_intervened") {
            self.guardrail(true);
        }
        if word.is_some() {
            self.stop_reason = word;
        }
    }

    /// Counts one more tool-use block.
    pub(crate) fn count_tool_call(&mut self) {
        let calls = self.tool_calls.get_or_insert(0);
        *calls = calls.saturating_add(1);
    }

    /// So many bytes more have been generated.
    pub(crate) fn measure(&mut self, bytes: usize) {
        self.generated = self.generated.saturating_add(bytes as u64);
    }

    /// Appends generated text, keeping at most `limit` bytes and whole characters.
    pub(crate) fn keep_text(&mut self, text: &str, limit: usize) {
        if self.text_is_cut {
            return;
        }
        let room = limit.saturating_sub(self.response_text.len());
        let end = text.floor_char_boundary(room);
        self.text_is_cut = end < text.len();
        self.response_text.push_str(text.get(..end).unwrap_or(""));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_total_is_what_was_sent_or_the_sum_of_all_four() {
        let mut facts = Facts {
            input_tokens: Some(10),
            output_tokens: Some(20),
            cache_read_tokens: Some(1000),
            ..Facts::default()
        };
        assert_eq!(facts.total_tokens(), Some(1030));
        facts.sent_total = Some(1031);
        assert_eq!(facts.total_tokens(), Some(1031));
        facts = Facts {
            input_tokens: Some(10),
            ..Facts::default()
        };
        assert_eq!(facts.total_tokens(), None);
    }

    #[test]
    fn kept_text_ends_at_a_character() {
        let mut facts = Facts::default();
        facts.keep_text("naïve", 3);
        assert_eq!(facts.response_text, "na");
        facts.keep_text("x", 3);
        assert_eq!(facts.response_text, "na", "nothing follows a gap");
    }
}
