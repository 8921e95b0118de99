//! Requests to the vendors' own APIs that Bedrock has: what the operator's rules change in them.

use serde_json::Value;

use crate::bedrock::VendorApi;
use crate::body::Body;
use crate::dialect::body::{object, text};
use crate::dialect::limits::{twice, within};
use crate::json::edit::Edit;
use crate::refusal::Refusal;
use crate::settings::Settings;

/// The body of a request that calls `model`, with the operator's model and limits put in.
///
/// # Errors
/// 400 where the body is no JSON object; 403 where a rule cannot be enforced.
pub fn body(
    api: VendorApi,
    model: &str,
    settings: &Settings<'_>,
    body: &[u8],
) -> Result<Body, Refusal> {
    if settings.guardrail.is_some() && !takes_guardrail(api) {
        return Err(Refusal::denied(
            "This gateway puts a guardrail on every request, and cannot do so here: this API takes none.",
        ));
    }
    let (text, object) = (text(body)?, object(body)?);
    let value = |name: &str| -> Result<Option<&str>, Refusal> {
        let member = object.only(name).map_err(twice)?;
        Ok(member.and_then(|member| text.get(member.value.clone())))
    };
    let mut edit = Edit::new(&object);
    let named: Option<String> = value("model")?.and_then(|name| serde_json::from_str(name).ok());
    if named.as_deref() != Some(model) {
        edit.set("model", &Value::from(model).to_string());
    }
    if let Some(cap) = settings.max_output_tokens {
        let names = limits(api);
        let mut sent = Vec::new();
        for name in names {
            if let Some(value) = value(name)? {
                sent.push((name, value));
            }
        }
        if let (true, Some(name)) = (sent.is_empty(), names.first()) {
            edit.set(name, &cap.to_string());
        }
        for (name, value) in sent {
            if !within(Some(value), cap) {
                edit.set(name, &cap.to_string());
            }
        }
    }
    Ok(edit.into_body(body.len()))
}

/// Whether the API is documented to take the `X-Amzn-Bedrock-Guardrail*` headers.
pub fn takes_guardrail(api: VendorApi) -> bool {
    api == VendorApi::OpenAiChat
}

/// What the API calls its limit of output tokens: first the name that is put in where the client has none of them.
fn limits(api: VendorApi) -> &'static [&'static str] {
    match api {
        VendorApi::OpenAiChat => &["max_completion_tokens", "max_tokens"],
        VendorApi::OpenAiResponses => &["max_output_tokens"],
        VendorApi::AnthropicMessages => &["max_tokens"],
    }
}
