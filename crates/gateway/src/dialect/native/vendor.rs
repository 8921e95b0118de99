//! Requests to the vendors' own APIs that Bedrock has: what the operator's rules change in them.

use serde_json::{Map, Value};

use super::request::guard;
use crate::bedrock::VendorApi;
use crate::bedrock::endpoint::Service;
use crate::body::Body;
use crate::dialect::Reply;
use crate::dialect::body::{object, text, twice};
use crate::dialect::limits::cap_member;
use crate::dialect::{fields, thinking};
use crate::json::edit::Edit;
use crate::refusal::Refusal;
use crate::settings::{Auth, Settings};

/// The body of a request that calls `model`, with the operator's model and limits put in, and how the answer goes on. A stream
/// of chat that would not tell what it cost is asked to.
///
/// # Errors
/// 400 where the body is no JSON object; 403 where a rule cannot be enforced.
pub(crate) fn translate(
    api: VendorApi,
    model: &str,
    stream: bool,
    settings: &Settings<'_>,
    body: &[u8],
) -> Result<(Body, Reply), Refusal> {
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
    let mut reply = Reply::AsSent;
    // What a client has signed stays as it is.
    if api == VendorApi::OpenAiChat && stream && settings.auth != Auth::Client {
        let options = value(STREAM_OPTIONS)?.unwrap_or("null");
        if let Some(options) = with_usage(options) {
            edit.set(STREAM_OPTIONS, &options);
            reply = Reply::WithoutUsage;
        }
    }
    Ok((edit.into_body(body.len()), reply))
}

/// `stream_options` with which a stream ends with its usage; `None` if it does anyway, or if they are none.
fn with_usage(options: &str) -> Option<String> {
    let mut options = match serde_json::from_str(options).ok()? {
        Value::Null => Map::new(),
        Value::Object(options) => options,
        _ => return None,
    };
    let asked = options.insert("include_usage".to_owned(), Value::Bool(true));
    (asked != Some(Value::Bool(true))).then(|| Value::Object(options).to_string())
}

const STREAM_OPTIONS: &str = "stream_options";

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
