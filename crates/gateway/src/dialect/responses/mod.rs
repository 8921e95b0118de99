//! OpenAI's Responses, translated to Converse and back. Nothing is stored: a client sends the whole conversation each time, and
//! reasoning goes back and forth in `encrypted_content`.
//! <https://platform.openai.com/docs/api-reference/responses>

mod citation;
mod encrypted;
mod events;
mod item;
mod object;
mod open;
mod output;
pub mod request;
pub mod response;
pub mod stream;
mod tools;

use crate::bedrock::exception::CONTEXT_LENGTH_EXCEEDED;
use crate::bedrock::stop::Stop;
use crate::family::Family;
use crate::refusal::Refusal;
use crate::settings::ResponsesVia;
use tools::Tools;

/// What a path of this API names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// `…/responses`, and any path where the operator says that clients speak this dialect.
    Create,
    /// `…/responses/input_tokens`
    InputTokens,
    /// `…/responses/compact`
    Compact,
    /// `…/responses/{id}`, and what is below: of an answer that is stored.
    Stored,
}

/// What `path` names.
pub fn endpoint(path: &str) -> Endpoint {
    let path = path.strip_suffix('/').unwrap_or(path);
    match path.rsplit_once("/responses/") {
        None => Endpoint::Create,
        Some((_, "input_tokens")) => Endpoint::InputTokens,
        Some((_, "compact")) => Endpoint::Compact,
        Some(_) => Endpoint::Stored,
    }
}

/// Whether a path is one of this dialect by itself.
pub fn is_path(path: &str) -> bool {
    let path = path.strip_suffix('/').unwrap_or(path);
    path.ends_with("/responses") || path.contains("/v1/responses/")
}

/// Whether a request goes to Bedrock's own Responses, which has models that Converse has not.
pub(crate) fn goes_natively(via: ResponsesVia, family: &Family) -> bool {
    match via {
        ResponsesVia::Auto => family.own_responses,
        ResponsesVia::Native => true,
        ResponsesVia::Converse => false,
    }
}

/// What the request said about its answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reply {
    /// The model as the client called it.
    pub model: String,
    /// Members that tell what was asked for, as the text of JSON.
    pub echo: String,
    /// Whether the client reads what is reasoned.
    pub shows_reasoning: bool,
    /// What Bedrock's names of tools stand for.
    pub tools: Tools,
    /// How many bytes of an answer a stream may keep, to repeat them at its end.
    pub most: usize,
}

/// What became of an answer, in OpenAI's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    InProgress,
    Completed,
    /// For this reason.
    Incomplete(&'static str),
    Failed,
}

impl Status {
    fn of(stop: Stop) -> Self {
        match stop {
            Stop::Turn | Stop::Call | Stop::Sequence => Self::Completed,
            Stop::Limit | Stop::Window => Self::Incomplete("max_output_tokens"),
            Stop::Filtered => Self::Incomplete("content_filter"),
            Stop::Malformed => Self::Failed,
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::InProgress => "in_progress",
            Self::Completed => "completed",
            Self::Incomplete(_) => "incomplete",
            Self::Failed => "failed",
        }
    }
}

/// An error's code, as those who read a stream know it.
fn fault_code(refusal: &Refusal) -> &'static str {
    match (refusal.code, refusal.status) {
        (Some(CONTEXT_LENGTH_EXCEEDED), _) => CONTEXT_LENGTH_EXCEEDED,
        (_, 429) => "rate_limit_exceeded",
        _ => "server_error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_shows_what_is_asked() {
        for (path, endpoint_of) in [
            ("/v1/responses", Endpoint::Create),
            ("/openai/v1/responses/", Endpoint::Create),
            ("/team/v1/responses/input_tokens", Endpoint::InputTokens),
            ("/v1/responses/compact", Endpoint::Compact),
            ("/v1/responses/resp_1", Endpoint::Stored),
            ("/v1/responses/resp_1/cancel", Endpoint::Stored),
            ("/v1/responses/resp_1/input_items", Endpoint::Stored),
        ] {
            assert!(is_path(path), "{path}");
            assert_eq!(endpoint(path), endpoint_of, "{path}");
        }
        for path in ["/v1/chat/completions", "/v1/messages", "/responsesx", "/"] {
            assert!(!is_path(path), "{path}");
            assert_eq!(endpoint(path), Endpoint::Create);
        }
    }
}
