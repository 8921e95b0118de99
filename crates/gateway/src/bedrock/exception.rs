//! Bedrock's exceptions: their statuses, their two spellings, and what stands for errors that nginx made.
//! <https://docs.aws.amazon.com/bedrock/latest/APIReference/CommonErrors.html>

use std::borrow::Cow;

use serde::Deserialize;

use crate::refusal::Refusal;

/// HTTP status that an exception stands for, whichever way it is spelt; 500 for one that is not known.
pub fn status_of(name: &str) -> u16 {
    MODELLED
        .iter()
        .find(|(known, _)| known.eq_ignore_ascii_case(name))
        .map_or(500, |(_, status)| *status)
}

/// The name as HTTP's `x-amzn-ErrorType` spells it: `throttlingException` becomes `ThrottlingException`.
pub fn http_name(name: &str) -> String {
    let mut characters = name.chars();
    characters
        .next()
        .map(|first| first.to_uppercase().chain(characters).collect())
        .unwrap_or_default()
}

/// The bare name in an `x-amzn-ErrorType` header or `__type` member: up to `:`, after `#`.
pub fn bare_name(value: &str) -> &str {
    let value = value.split(':').next().unwrap_or_default();
    value.rsplit('#').next().unwrap_or_default().trim()
}

/// Name and text for an error with this status that no exception came with.
pub fn for_status(status: u16) -> (Cow<'static, str>, Cow<'static, str>) {
    let (name, message) = match status {
        401 => (
            "UnrecognizedClientException",
            "The request is not authenticated.",
        ),
        403 => (
            "AccessDeniedException",
            "The gateway does not allow this request.",
        ),
        404 => (
            "UnknownOperationException",
            "There is nothing at this path.",
        ),
        405 => (
            "UnknownOperationException",
            "This method is not allowed here.",
        ),
        408 => (
            "RequestTimeoutException",
            "The request took too long to arrive.",
        ),
        413 => (
            "RequestEntityTooLargeException",
            "The request body is larger than the gateway allows.",
        ),
        415 => (
            "UnsupportedMediaTypeException",
            "The request body must be application/json.",
        ),
        429 => (
            "ThrottlingException",
            "Too many requests, please wait before trying again.",
        ),
        502 => (
            "ServiceUnavailableException",
            "The gateway got no valid answer from Bedrock.",
        ),
        503 => (
            "ServiceUnavailableException",
            "The service is not available now, please try again.",
        ),
        504 => (
            "ServiceUnavailableException",
            "Bedrock did not answer in time.",
        ),
        400..500 => ("ValidationException", "The request is not valid."),
        _ => (
            "InternalServerException",
            "The gateway failed to handle the request.",
        ),
    };
    (Cow::Borrowed(name), Cow::Borrowed(message))
}

/// An error that came over HTTP, for a client that speaks another dialect: `name` as far as it is known, and what `body`
/// says. What AWS says of our own credentials is nothing the client could do anything about.
pub fn of_answer(status: u16, name: Option<&str>, body: &[u8]) -> Refusal {
    let (default_name, default_message) = for_status(status);
    let message = message_in(body);
    let name = name.map_or(default_name, |name| Cow::Owned(name.to_owned()));
    told(status, name, message.map_or(default_message, Cow::Owned))
}

/// An error for the client, in Bedrock's own words.
pub fn told(
    status: u16,
    name: impl Into<Cow<'static, str>>,
    message: impl Into<Cow<'static, str>>,
) -> Refusal {
    let refusal = Refusal::new(status, name, message);
    match (400..429).contains(&status) && is_too_long(&refusal.message) {
        true => Refusal {
            code: Some(CONTEXT_LENGTH_EXCEEDED),
            param: Some("messages".into()),
            ..refusal
        },
        false => refusal,
    }
}

/// Whether a message says that the prompt does not fit the model. Agents shorten their history then, if they are told in a
/// form that they know; each family says it in its own words.
fn is_too_long(message: &str) -> bool {
    let message = message.to_ascii_lowercase();
    TOO_LONG.iter().any(|words| message.contains(words))
}

/// The code that OpenAI's clients look for.
pub const CONTEXT_LENGTH_EXCEEDED: &str = "context_length_exceeded";

const TOO_LONG: [&str; 15] = [
    // Claude, DeepSeek
    "input is too long",
    "prompt is too long",
    "exceed context limit",
    // Nova
    "input tokens exceeded",
    "input tokens exceeds maximum",
    // Open weights
    "maximum context length",
    "maximum prompt length",
    "context length exceeded",
    "context_length_exceeded",
    // GPT
    "exceeds the context window",
    "exceeds the model's context",
    // Kimi
    "exceed model maximum",
    "exceeded model token limit",
    // Command
    "too many tokens",
    // Titan
    "too many input tokens",
];

/// What an error's body says, in either spelling that AWS's services have; some send both.
pub fn message_in(body: &[u8]) -> Option<String> {
    let body: Body = serde_json::from_slice(body).ok()?;
    let said = [body.message, body.upper_message];
    said.into_iter().flatten().find(|said| !said.is_empty())
}

#[derive(Deserialize)]
struct Body {
    #[serde(default)]
    message: Option<String>,
    #[serde(default, rename = "Message")]
    upper_message: Option<String>,
}

const MODELLED: [(&str, u16); 11] = [
    ("ValidationException", 400),
    ("ServiceQuotaExceededException", 400),
    ("AccessDeniedException", 403),
    ("ResourceNotFoundException", 404),
    ("ModelTimeoutException", 408),
    ("ModelErrorException", 424),
    ("ModelStreamErrorException", 424),
    ("ThrottlingException", 429),
    ("ModelNotReadyException", 429),
    ("InternalServerException", 500),
    ("ServiceUnavailableException", 503),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_have_the_same_status() {
        assert_eq!(status_of("throttlingException"), 429);
        assert_eq!(status_of("ModelStreamErrorException"), 424);
        assert_eq!(status_of("somethingNew"), 500);
        assert_eq!(http_name("throttlingException"), "ThrottlingException");
        assert_eq!(http_name(""), "");
    }

    #[test]
    fn a_prompt_that_does_not_fit_has_a_code_in_every_familys_words() {
        for message in [
            "The model returned the following errors: Input is too long for requested model.",
            "prompt is too long: 210000 tokens > 200000 maximum",
            "input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000",
            "Input Tokens Exceeded: Number of input tokens exceeds maximum length. Please update the input to try again.",
            "This model's maximum context length is 131072 tokens. Please reduce the length of the messages.",
            "Your input exceeds the context window of this model. Please adjust your input and try again.",
            "Invalid request: Your request exceed model maximum of 262144 tokens",
            "too many tokens: total number of tokens in the prompt cannot exceed 4081",
        ] {
            let refusal = told(400, "ValidationException", message);
            assert_eq!(refusal.code, Some(CONTEXT_LENGTH_EXCEEDED), "{message}");
            assert_eq!(refusal.message, message);
            assert_eq!(told(429, "ThrottlingException", message).code, None);
            assert_eq!(told(500, "InternalServerException", message).code, None);
        }
        for message in [
            "The provided model identifier is invalid.",
            "Too many requests, please wait before trying again.",
            "max_tokens: 100000 > 64000, which is the maximum allowed number of output tokens",
            "1 validation error detected: Value at 'system.1.member.text' failed to satisfy constraint: length",
        ] {
            assert_eq!(
                told(400, "ValidationException", message).code,
                None,
                "{message}"
            );
        }
    }

    #[test]
    fn error_types_are_cut_to_their_name() {
        for value in [
            "ThrottlingException",
            "ThrottlingException:http://internal.amazon.com/coral/com.amazon.bedrock/",
            "com.amazon.coral#ThrottlingException",
        ] {
            assert_eq!(bare_name(value), "ThrottlingException");
        }
    }
}
