//! Errors as the service sends them over HTTP: `{"message":…}`, the exception's name in `x-amzn-ErrorType`.

use serde::Serialize;

use crate::refusal::{ErrorAnswer, Refusal};

#[derive(Serialize)]
struct Body<'a> {
    message: &'a str,
}

/// The error as AWS's SDKs expect it.
pub fn answer(refusal: &Refusal) -> ErrorAnswer {
    let body = Body {
        message: &refusal.message,
    };
    // The name may come from a frame, where it can hold any character; here it must not start another header.
    let mut error_type = refusal.exception.to_string();
    error_type.retain(|c| c.is_ascii_graphic());
    ErrorAnswer {
        content_type: "application/json",
        headers: vec![("x-amzn-ErrorType", error_type)],
        // Writing a string to memory does not fail.
        body: serde_json::to_vec(&body).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_is_escaped() {
        let answer = answer(&Refusal::validation("a \"b\"\n"));
        assert_eq!(answer.body, br#"{"message":"a \"b\"\n"}"#);
        assert_eq!(
            answer.headers,
            [("x-amzn-ErrorType", "ValidationException".to_owned())]
        );
    }
}
