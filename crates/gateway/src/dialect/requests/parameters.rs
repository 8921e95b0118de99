//! Parameters that both APIs have, if under other names.

use std::borrow::Cow;

use serde_json::value::RawValue;

use crate::bedrock::converse::{AskedReasoning, ConverseRequest, NativeFields, Schema};
use crate::json::text::Text;
use crate::refusal::Refusal;

/// Members of Bedrock's own, which clients send through the SDK's `extra_body`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Own<'a> {
    /// `guardrailConfig`
    pub guardrail: Option<&'a RawValue>,
    /// `performanceConfig`
    pub performance: Option<&'a RawValue>,
    /// `additionalModelRequestFields`
    pub native_fields: Option<&'a RawValue>,
    /// `additionalModelResponseFieldPaths`
    pub response_fields: Option<&'a RawValue>,
    /// `promptVariables`
    pub prompt_variables: Option<&'a RawValue>,
}

impl<'a> Own<'a> {
    /// Puts them into a request.
    ///
    /// # Errors
    /// 400: one is not what it must be.
    pub fn put_into(self, request: &mut ConverseRequest<'a>) -> Result<(), Refusal> {
        request.guardrail = object("guardrailConfig", self.guardrail)?;
        request.performance = object("performanceConfig", self.performance)?;
        request.prompt_variables = object("promptVariables", self.prompt_variables)?;
        request.response_fields = match self.response_fields.map(RawValue::get) {
            Some(json) if !json.starts_with('[') => {
                let name = "additionalModelResponseFieldPaths";
                return Err(Refusal::parameter(name, "must be an array"));
            }
            json => json.map(Cow::Borrowed),
        };
        request.native_fields = NativeFields {
            given: object("additionalModelRequestFields", self.native_fields)?,
            added: Vec::new(),
        };
        Ok(())
    }
}

/// A schema that the answer must keep to; `name` is what the client calls its place.
///
/// # Errors
/// 400: it is missing, or no object.
pub fn schema<'a>(
    name: &str,
    json: Option<&'a RawValue>,
    (title, description): (Option<&Text<'a>>, Option<&Text<'a>>),
) -> Result<Schema<'a>, Refusal> {
    Ok(Schema {
        schema: object(name, json)?.ok_or_else(|| Refusal::parameter(name, "is missing"))?,
        name: not_empty(title),
        description: not_empty(description),
    })
}

/// How much is to be reasoned; `name` is what the client calls its place.
///
/// # Errors
/// 400: it is no such word.
pub fn reasoning<'a>(name: &str, effort: Option<&Text<'a>>) -> Result<AskedReasoning<'a>, Refusal> {
    if effort.is_some_and(|Text(word)| !(1..=16).contains(&word.len())) {
        return Err(Refusal::parameter(
            name,
            "must be \"none\", \"minimal\", \"low\", \"medium\", \"high\", \"xhigh\" or \"max\"",
        ));
    }
    Ok(AskedReasoning {
        effort: effort.map(|Text(effort)| effort.clone()),
        effort_switches: true,
        thinking: None,
    })
}

/// `service_tier`
///
/// # Errors
/// 400: it is no tier.
pub fn service_tier<'a>(tier: Option<&Text<'a>>) -> Result<Option<Cow<'a, str>>, Refusal> {
    let Some(Text(tier)) = tier else {
        return Ok(None);
    };
    match tier.as_ref() {
        // Bedrock has no scale tier, and OpenAI uses none either where a client has not bought it.
        "auto" | "scale" => Ok(None),
        "fast" => Ok(Some("priority".into())),
        "default" | "flex" | "priority" | "reserved" => Ok(Some(tier.clone())),
        _ => Err(Refusal::parameter(
            "service_tier",
            "must be \"auto\", \"default\", \"flex\", \"priority\", \"fast\" or \"reserved\"",
        )),
    }
}

/// `metadata`, of which Bedrock takes no empty map.
///
/// # Errors
/// 400: it is no object.
pub fn metadata<'a>(raw: Option<&'a RawValue>) -> Result<Option<Cow<'a, str>>, Refusal> {
    let is_empty = |json: &str| json.trim_matches(['{', '}']).trim().is_empty();
    Ok(object("metadata", raw)?.filter(|json| !is_empty(json)))
}

/// A member that goes on as it is, once it is sure that it is an object.
fn object<'a>(name: &str, raw: Option<&'a RawValue>) -> Result<Option<Cow<'a, str>>, Refusal> {
    match raw.map(RawValue::get) {
        None => Ok(None),
        Some(json) if json.starts_with('{') => Ok(Some(Cow::Borrowed(json))),
        Some(_) => Err(Refusal::parameter(name, "must be an object")),
    }
}

/// Bedrock refuses empty names and descriptions.
fn not_empty<'a>(text: Option<&Text<'a>>) -> Option<Cow<'a, str>> {
    text.map(|Text(text)| text.clone())
        .filter(|text| !text.is_empty())
}
