//! Requests that name model and stream in the body: those two members go, the rest stays byte for byte.

use serde::Deserialize;

use crate::bedrock::{Operation, path};
use crate::body::Body;
use crate::dialect::{Api, native};
use crate::json::edit::Edit;
use crate::json::object::{Member, Object};
use crate::refusal::Refusal;
use crate::request::Request;
use crate::settings::Settings;

/// Recognises the request; without a body, only that it is one.
///
/// # Errors
/// 400: the body is not JSON, or its `model` or `stream` is not what it should be.
pub fn inspect(target: &str, body: Option<&[u8]>) -> Result<Request, Refusal> {
    let mut request = Request {
        api: Api::Converse,
        operation: None,
        requested_model: None,
        guardrail: None,
        stream: false,
        target: target.to_owned(),
    };
    if let Some(body) = body {
        let object = native::request::parse(body)?;
        let text = native::request::text(body)?;
        let model: Option<String> = member(&object, text, "model", "a string")?;
        request.requested_model = model
            .filter(|model| !model.is_empty())
            .map(|model| path::decode(&model))
            .transpose()?;
        request.stream = member(&object, text, "stream", "true or false")?.unwrap_or(false);
        request.operation = Some(match request.stream {
            true => Operation::ConverseStream,
            false => Operation::Converse,
        });
    }
    Ok(request)
}

/// The body for Bedrock.
///
/// # Errors
/// As for a native Converse request.
pub fn body(model: Option<&str>, settings: &Settings<'_>, body: &[u8]) -> Result<Body, Refusal> {
    let object = native::request::parse(body)?;
    let mut edit = Edit::new(&object);
    edit.remove("model");
    edit.remove("stream");
    let text = native::request::text(body)?;
    native::request::limit_converse(&mut edit, &object, text, model, settings)?;
    Ok(edit.into_body(body.len()))
}

fn member<'a, T: Deserialize<'a>>(
    object: &Object<'a>,
    text: &'a str,
    name: &str,
    kind: &str,
) -> Result<Option<T>, Refusal> {
    let member = object
        .only(name)
        .map_err(|what| Refusal::validation(format!("The request body is ambiguous: {what}.")))?;
    let value = member.and_then(|Member { value, .. }| text.get(value.clone()));
    value
        .map_or(Ok(None), serde_json::from_str)
        .map_err(|_| Refusal::validation(format!("\"{name}\" must be {kind}.")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn model_and_stream_are_read_from_the_body() {
        let request = inspect(
            "/chat",
            Some(br#"{"messages":[],"model":"m\u002e1","stream":true}"#),
        )
        .unwrap();
        assert_eq!(request.requested_model.as_deref(), Some("m.1"));
        assert_eq!(request.operation, Some(Operation::ConverseStream));
        let request = inspect(
            "/chat",
            Some(br#"{"messages":[],"stream":null,"model":null}"#),
        )
        .unwrap();
        assert_eq!(request.requested_model, None);
        assert_eq!(request.operation, Some(Operation::Converse));
        assert!(inspect("/chat", None).unwrap().needs_body());
    }

    #[test]
    fn an_encoded_model_is_the_same() {
        let request = inspect("/", Some(br#"{"model":"a.b-v1%3A0"}"#)).unwrap();
        assert_eq!(request.requested_model.as_deref(), Some("a.b-v1:0"));
    }

    #[test]
    fn what_is_ambiguous_or_wrong_is_refused() {
        for body in [
            "",
            "{",
            "[]",
            r#"{"model":1}"#,
            r#"{"stream":"yes"}"#,
            r#"{"model":"a","model":"b"}"#,
        ] {
            assert_eq!(
                inspect("/", Some(body.as_bytes())).unwrap_err().status,
                400,
                "{body}"
            );
        }
    }
}
