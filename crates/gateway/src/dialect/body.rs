//! Bodies that name the model and say whether to stream, as those of all dialects but Bedrock's own do.

use serde::Deserialize;

use crate::bedrock::path;
use crate::json::object::{self, Object};
use crate::refusal::Refusal;

/// What a body asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// The model, decoded, before any alias.
    pub model: Option<String>,
    /// Whether the answer is to come in events.
    pub stream: bool,
}

/// Reads `model` and `stream`.
///
/// # Errors
/// 400: the body is not a JSON object, or one of them is not what it should be.
pub fn asked(body: &[u8]) -> Result<Asked, Refusal> {
    let text = text(body)?;
    let object = object_of(text)?;
    let model: Option<String> = member(&object, text, "model", "must be a string")?;
    let model = model
        .filter(|model| !model.is_empty())
        .map(|model| path::decode(&model))
        .transpose()?;
    let stream = member(&object, text, "stream", "must be true or false")?.unwrap_or(false);
    Ok(Asked { model, stream })
}

/// The JSON object that a body is.
///
/// # Errors
/// 400, saying where it stops being one.
pub fn object(body: &[u8]) -> Result<Object<'_>, Refusal> {
    object_of(text(body)?)
}

fn object_of(text: &str) -> Result<Object<'_>, Refusal> {
    object::parse(text).map_err(|what| {
        Refusal::validation(format!("The request body is not a JSON object: {what}."))
    })
}

/// A body without the byte order mark (U+FEFF in UTF-8) that some clients put before their JSON.
pub fn without_mark(body: &[u8]) -> &[u8] {
    body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body)
}

/// The body as text.
///
/// # Errors
/// 400 if it is not UTF-8.
pub fn text(body: &[u8]) -> Result<&str, Refusal> {
    std::str::from_utf8(body)
        .map_err(|_| Refusal::validation("The request body is not a JSON object: it is not UTF-8."))
}

/// 400: a member that counts occurs twice, and parsers do not agree on which one does.
pub fn twice(what: String) -> Refusal {
    Refusal::validation(format!("The request body is ambiguous: {what}."))
}

fn member<'a, T: Deserialize<'a>>(
    object: &Object<'a>,
    text: &'a str,
    name: &str,
    kind: &str,
) -> Result<Option<T>, Refusal> {
    let member = object.only(name).map_err(twice)?;
    let value = member.and_then(|member| text.get(member.value.clone()));
    value
        .map_or(Ok(None), serde_json::from_str)
        .map_err(|_| Refusal::parameter(name, kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn model_and_stream_are_read_from_the_body() {
        let found = asked(br#"{"messages":[],"model":"m\u002e1","stream":true}"#).unwrap();
        assert_eq!(found.model.as_deref(), Some("m.1"));
        assert!(found.stream);
        let found = asked(br#"{"messages":[],"stream":null,"model":null}"#).unwrap();
        assert_eq!(found, Asked::default());
    }

    #[test]
    fn an_encoded_model_is_the_same() {
        let found = asked(br#"{"model":"a.b-v1%3A0"}"#).unwrap();
        assert_eq!(found.model.as_deref(), Some("a.b-v1:0"));
    }

    #[test]
    fn what_is_ambiguous_or_wrong_is_refused() {
        for (body, param) in [
            ("", None),
            ("{", None),
            ("[]", None),
            (r#"{"model":1}"#, Some("model")),
            (r#"{"stream":"yes"}"#, Some("stream")),
            (r#"{"model":"a","model":"b"}"#, None),
        ] {
            let refusal = asked(body.as_bytes()).unwrap_err();
            assert_eq!(refusal.status, 400, "{body}");
            assert_eq!(refusal.param.as_deref(), param, "{body}");
        }
    }
}
