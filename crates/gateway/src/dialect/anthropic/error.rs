//! Errors as Anthropic's SDKs read them.
//! <https://docs.claude.com/en/api/errors>

use std::borrow::Cow;

use serde::Serialize;

use crate::bedrock::exception::CONTEXT_LENGTH_EXCEEDED;
use crate::refusal::{ErrorAnswer, Refusal};

/// Where SDKs look for the request's id.
pub const REQUEST_ID: &str = "request-id";

#[derive(Serialize)]
struct Body<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    error: Detail<'a>,
    request_id: Option<&'a str>,
}

#[derive(Serialize)]
struct Detail<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    message: &'a str,
}

/// The error as an answer of its own.
pub fn answer(refusal: &Refusal, request_id: Option<&str>) -> ErrorAnswer {
    let id = request_id.map(|id| (REQUEST_ID, id.to_owned()));
    ErrorAnswer {
        content_type: "application/json",
        headers: id.into_iter().collect(),
        body: json(refusal, request_id),
    }
}

/// The error as JSON.
pub fn json(refusal: &Refusal, request_id: Option<&str>) -> Vec<u8> {
    let message = match refusal.code == Some(CONTEXT_LENGTH_EXCEEDED) {
        true => in_anthropics_words(&refusal.message),
        false => Cow::Borrowed(refusal.message.as_ref()),
    };
    let body = Body {
        kind: "error",
        error: Detail {
            kind: kind(refusal.status),
            message: &message,
        },
        request_id,
    };
    // Writing strings to memory does not fail.
    serde_json::to_vec(&body).unwrap_or_default()
}

/// There are no codes here: agents know by these words that they have to shorten their history.
fn in_anthropics_words(message: &str) -> Cow<'_, str> {
    match message.to_ascii_lowercase().contains(TOO_LONG) {
        true => message.into(),
        false => format!("{TOO_LONG}: {message}").into(),
    }
}

const TOO_LONG: &str = "prompt is too long";

fn kind(status: u16) -> &'static str {
    match status {
        401 => "authentication_error",
        403 => "permission_error",
        404 => "not_found_error",
        408 | 504 => "timeout_error",
        413 => "request_too_large",
        // The model's own failure: nothing is wrong with the request.
        424 => "api_error",
        429 => "rate_limit_error",
        503 | 529 => "overloaded_error",
        400..500 => "invalid_request_error",
        _ => "api_error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_status_has_its_type() {
        for (status, kind) in [
            (400, "invalid_request_error"),
            (401, "authentication_error"),
            (403, "permission_error"),
            (404, "not_found_error"),
            (405, "invalid_request_error"),
            (408, "timeout_error"),
            (413, "request_too_large"),
            (422, "invalid_request_error"),
            (424, "api_error"),
            (429, "rate_limit_error"),
            (500, "api_error"),
            (502, "api_error"),
            (503, "overloaded_error"),
            (504, "timeout_error"),
            (529, "overloaded_error"),
        ] {
            let refusal = Refusal::new(status, "SomeException", "a \"b\"");
            assert_eq!(
                String::from_utf8(answer(&refusal, None).body).unwrap(),
                format!(
                    r#"{{"type":"error","error":{{"type":"{kind}","message":"a \"b\""}},"request_id":null}}"#
                )
            );
        }
    }

    #[test]
    fn a_prompt_that_does_not_fit_is_told_in_the_words_that_agents_know() {
        for (message, told) in [
            (
                "This model's maximum context length is 9 tokens.",
                "prompt is too long: This model's maximum context length is 9 tokens.",
            ),
            (
                "Prompt is too long: 9 tokens > 8 maximum",
                "Prompt is too long: 9 tokens > 8 maximum",
            ),
            ("Malformed input request", "Malformed input request"),
        ] {
            let refusal = crate::bedrock::exception::told(400, "ValidationException", message);
            let body = String::from_utf8(json(&refusal, None)).unwrap();
            assert!(body.contains(&format!(r#""message":"{told}""#)), "{body}");
        }
    }

    #[test]
    fn the_request_id_is_in_header_and_body() {
        let answer = answer(&Refusal::from_status(429), Some("r-1"));
        assert_eq!(answer.headers, [("request-id", "r-1".to_owned())]);
        let body = String::from_utf8(answer.body).unwrap();
        assert!(body.ends_with(r#""request_id":"r-1"}"#), "{body}");
    }
}
