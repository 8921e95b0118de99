//! Errors as OpenAI's SDKs read them.
//! <https://platform.openai.com/docs/guides/error-codes>

use serde::Serialize;

use crate::refusal::{ErrorAnswer, Refusal};

/// Where SDKs look for the request's id.
pub const REQUEST_ID: &str = "x-request-id";

#[derive(Serialize)]
struct Body<'a> {
    error: Detail<'a>,
}

#[derive(Serialize)]
struct Detail<'a> {
    message: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    param: Option<&'a str>,
    code: &'a str,
}

/// The error as an answer of its own.
pub fn answer(refusal: &Refusal, request_id: Option<&str>) -> ErrorAnswer {
    let id = request_id.map(|id| (REQUEST_ID, id.to_owned()));
    ErrorAnswer {
        content_type: "application/json",
        headers: id.into_iter().collect(),
        body: json(refusal),
    }
}

/// The error as JSON.
pub fn json(refusal: &Refusal) -> Vec<u8> {
    let body = Body {
        error: Detail {
            message: &refusal.message,
            kind: match &refusal.limited {
                Some(limited) => limited.of.as_str(),
                None => kind(refusal.status),
            },
            param: refusal.param.as_deref(),
            code: refusal.code.unwrap_or(&refusal.exception),
        },
    };
    // Writing strings to memory does not fail.
    serde_json::to_vec(&body).unwrap_or_default()
}

fn kind(status: u16) -> &'static str {
    match status {
        401 => "authentication_error",
        403 => "permission_error",
        404 => "not_found_error",
        408 => "timeout_error",
        // The model's own failure: nothing is wrong with the request.
        424 => "server_error",
        429 => "rate_limit_error",
        400..500 => "invalid_request_error",
        _ => "server_error",
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::dialect::Api;
    use crate::limited::{LimitOf, Limited};

    #[test]
    fn each_status_has_its_type() {
        for (status, kind) in [
            (400, "invalid_request_error"),
            (401, "authentication_error"),
            (403, "permission_error"),
            (404, "not_found_error"),
            (408, "timeout_error"),
            (413, "invalid_request_error"),
            (422, "invalid_request_error"),
            (424, "server_error"),
            (429, "rate_limit_error"),
            (500, "server_error"),
            (503, "server_error"),
        ] {
            let refusal = Refusal::new(status, "SomeException", "a \"b\"");
            assert_eq!(
                String::from_utf8(answer(&refusal, None).body).unwrap(),
                format!(
                    r#"{{"error":{{"message":"a \"b\"","type":"{kind}","param":null,"code":"SomeException"}}}}"#
                )
            );
        }
    }

    #[test]
    fn a_limit_says_what_it_counts() {
        let limited = Limited {
            of: LimitOf::Requests,
            wait: Duration::from_secs(1),
            random: 0,
        };
        let refusal = Refusal::limited(Api::OpenAi, "Too many.", limited);
        assert_eq!(
            String::from_utf8(json(&refusal)).unwrap(),
            r#"{"error":{"message":"Too many.","type":"requests","param":null,"code":"rate_limit_exceeded"}}"#
        );
    }

    #[test]
    fn parameter_code_and_request_id() {
        let refusal = Refusal {
            code: Some("stream_truncated"),
            ..Refusal::parameter("messages[0].role", "must be one of user, assistant")
        };
        let answer = answer(&refusal, Some("r-1"));
        assert_eq!(answer.headers, [("x-request-id", "r-1".to_owned())]);
        assert_eq!(
            String::from_utf8(answer.body).unwrap(),
            r#"{"error":{"message":"\"messages[0].role\" must be one of user, assistant.","type":"invalid_request_error","param":"messages[0].role","code":"stream_truncated"}}"#
        );
    }
}
