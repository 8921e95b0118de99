//! Errors as Cohere's SDKs read them: a sentence, and the request's id.
//! <https://docs.cohere.com/reference/errors>

use serde::Serialize;

use crate::refusal::{ErrorAnswer, Refusal};

#[derive(Serialize)]
struct Body<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    message: &'a str,
}

/// The error as an answer of its own.
pub fn answer(refusal: &Refusal, request_id: Option<&str>) -> ErrorAnswer {
    let body = Body {
        id: request_id,
        message: &refusal.message,
    };
    ErrorAnswer {
        content_type: "application/json",
        headers: Vec::new(),
        // Writing strings to memory does not fail.
        body: serde_json::to_vec(&body).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_and_an_id_if_there_is_one() {
        let refusal = Refusal::parameter("query", "is missing");
        for (id, expected) in [
            (None, r#"{"message":"\"query\" is missing."}"#),
            (
                Some("r-1"),
                r#"{"id":"r-1","message":"\"query\" is missing."}"#,
            ),
        ] {
            assert_eq!(answer(&refusal, id).body, expected.as_bytes());
        }
    }
}
