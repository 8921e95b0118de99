//! Requests to the vendors' own APIs that Bedrock has: what the operator's rules change in them.

use serde_json::Value;

use super::request::guard;
use crate::bedrock::VendorApi;
use crate::bedrock::endpoint::Service;
use crate::body::Body;
use crate::dialect::body::{object, text, twice};
use crate::dialect::limits::cap_member;
use crate::dialect::{fields, thinking};
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
    if settings.guardrail.is_some() && !takes_guardrail(api, settings) && !api.counts() {
        return Err(Refusal::denied(
            "This gateway puts a guardrail on every request, and cannot do so here: this API takes none.",
        ));
    }
    let (text, object) = (text(body)?, object(body)?);
    let value = |name: &str| -> Result<Option<&str>, Refusal> {
        let member = object.only(name).map_err(twice)?;
        Ok(member.and_then(|member| text.get(member.value.clone())))
    };
    if api == VendorApi::OpenAiResponses
        && Service::of(settings.service) == Service::Runtime
        && !matches!(value("background")?, None | Some("false" | "null"))
    {
        return Err(Refusal::denied(
            "This gateway takes no background responses: what they cost would never be known here.",
        ));
    }
    let mut edit = Edit::new(&object);
    if settings.guardrail.is_some() {
        guard(&mut edit);
    }
    let named: Option<String> = value("model")?.and_then(|name| serde_json::from_str(name).ok());
    if named.as_deref() != Some(model) {
        edit.set("model", &Value::from(model).to_string());
    }
    if let Some(cap) = settings.max_output_tokens.filter(|_| !api.counts()) {
        let names = limits(api);
        let mut sent = Vec::new();
        for name in names {
            sent.extend(value(name)?.map(|_| *name));
        }
        if sent.is_empty() {
            sent.extend(names.first());
        }
        let limits = sent
            .iter()
            .map(|name| cap_member(&mut edit, &object, text, name, cap));
        let max_tokens = limits.min().unwrap_or(cap);
        if api == VendorApi::AnthropicMessages {
            thinking::fit(&mut edit, &object, text, max_tokens, cap)?;
            sent.extend(thinking::NAMES);
        }
        fields::refuse(fields::excess(&object, text, cap, &sent))?;
    }
    Ok(edit.into_body(body.len()))
}

/// Whether the API is documented to take the `X-Amzn-Bedrock-Guardrail*` headers: on bedrock-runtime alone there are guardrails.
/// <https://docs.aws.amazon.com/bedrock/latest/userguide/endpoints.html>
pub fn takes_guardrail(api: VendorApi, settings: &Settings<'_>) -> bool {
    api == VendorApi::OpenAiChat && Service::of(settings.service) == Service::Runtime
}

/// What the API calls its limit of output tokens: first the name that is put in where the client has none of them.
fn limits(api: VendorApi) -> &'static [&'static str] {
    match api {
        VendorApi::OpenAiChat => &["max_completion_tokens", "max_tokens"],
        VendorApi::OpenAiResponses => &["max_output_tokens"],
        VendorApi::AnthropicMessages => &["max_tokens"],
        VendorApi::OpenAiInputTokens | VendorApi::AnthropicCountTokens => &[],
    }
}
