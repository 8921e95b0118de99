//! Why an answer ended: Bedrock's word, and what the answer itself shows.
//! <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html#API_runtime_Converse_ResponseSyntax>

use crate::refusal::Refusal;

/// Why an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// The model has said what it had to say. A word that is not known yet ends an answer so, too.
    Turn,
    /// It waits for the results of tools.
    Call,
    /// One of the client's stop sequences came.
    Sequence,
    /// The limit of output tokens.
    Limit,
    /// The model's context window is full.
    Window,
    /// A filter or guardrail stopped it.
    Filtered,
    /// The model made something that Bedrock could not read: the answer is none.
    Malformed,
}

impl Stop {
    /// Of an answer that ended with this word of Converse's. Models say that their turn is over after they called a tool, and
    /// the other way round; a client must act by what was said, so `calls`, whether it was given a call, decides.
    pub fn of(word: &str, calls: bool) -> Self {
        match word {
            "max_tokens" => Self::Limit,
            "model_context_window_exceeded" => Self::Window,
            "content_filtered" | "guardrail_intervened" => Self::Filtered,
            "malformed_model_output" | "malformed_tool_use" => Self::Malformed,
            "stop_sequence" => Self::Sequence,
            _ if calls => Self::Call,
            _ => Self::Turn,
        }
    }

    /// The error that a client gets instead of the answer, or after what was streamed of it.
    pub fn failure(self) -> Option<Refusal> {
        (self == Self::Malformed).then(|| {
            Refusal::new(
                424,
                "ModelErrorException",
                "The model's output was malformed, so there is no answer. Please try again.",
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_ends_as_what_was_said_shows() {
        for (word, without, with) in [
            ("end_turn", Stop::Turn, Stop::Call),
            ("tool_use", Stop::Turn, Stop::Call),
            ("new", Stop::Turn, Stop::Call),
            ("", Stop::Turn, Stop::Call),
            ("stop_sequence", Stop::Sequence, Stop::Sequence),
            ("max_tokens", Stop::Limit, Stop::Limit),
            ("guardrail_intervened", Stop::Filtered, Stop::Filtered),
            ("malformed_tool_use", Stop::Malformed, Stop::Malformed),
            ("malformed_model_output", Stop::Malformed, Stop::Malformed),
        ] {
            assert_eq!(
                (Stop::of(word, false), Stop::of(word, true)),
                (without, with),
                "{word}"
            );
        }
    }
}
