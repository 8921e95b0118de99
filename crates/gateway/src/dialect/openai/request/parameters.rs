//! The parameters beside the conversation and its tools.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::chat::{ChatRequest, ResponseFormat};
use crate::bedrock::converse::{AskedReasoning, ConverseRequest, NativeFields, Schema};
use crate::dialect::forms::{Given, OneOf};
use crate::dialect::limits::stop_sequences;
use crate::dialect::parameter::Path;
use crate::json::text::Text;
use crate::refusal::Refusal;

/// Puts the parameters into the request.
///
/// # Errors
/// 400: one is wrong, or asks for what Converse cannot do.
pub fn translate<'a>(
    chat: &ChatRequest<'a>,
    request: &mut ConverseRequest<'a>,
) -> Result<(), Refusal> {
    refuse_what_cannot_be_done(chat)?;
    let inference = &mut request.inference;
    inference.max_tokens = chat
        .max_completion_tokens
        .or(chat.max_tokens)
        .map(|limit| limit.0);
    inference.temperature = chat.temperature.as_ref().map(|n| Cow::Borrowed(n.0));
    inference.top_p = chat.top_p.as_ref().map(|n| Cow::Borrowed(n.0));
    let at = &Path::Body;
    inference.stop_sequences = match chat.stop {
        None => Vec::new(),
        Some(OneOf::Short(Given(text))) if text.is_empty() => Vec::new(),
        Some(OneOf::Short(Given(text))) => vec![text.decode()],
        Some(OneOf::Long(texts)) => {
            let at = at.member("stop");
            stop_sequences(texts.elements(&at)?, &at)?
        }
    };
    request.schema = match &chat.response_format {
        None => None,
        Some(format) => schema(format)?,
    };
    request.reasoning = AskedReasoning {
        effort: effort(chat.reasoning_effort.as_ref())?,
        effort_switches: true,
        thinking: None,
    };
    request.service_tier = service_tier(chat.service_tier.as_ref())?;
    // Bedrock takes no empty map here.
    let is_empty = |json: &str| json.trim_matches(['{', '}']).trim().is_empty();
    request.metadata = object("metadata", chat.metadata)?.filter(|json| !is_empty(json));
    request.guardrail = object("guardrailConfig", chat.guardrail)?;
    request.performance = object("performanceConfig", chat.performance)?;
    request.prompt_variables = object("promptVariables", chat.prompt_variables)?;
    request.response_fields = match chat.response_fields.map(RawValue::get) {
        Some(json) if !json.starts_with('[') => {
            let name = "additionalModelResponseFieldPaths";
            return Err(Refusal::parameter(name, "must be an array"));
        }
        json => json.map(Cow::Borrowed),
    };
    request.native_fields = NativeFields {
        given: object("additionalModelRequestFields", chat.native_fields)?,
        added: Vec::new(),
    };
    Ok(())
}

fn refuse_what_cannot_be_done(chat: &ChatRequest<'_>) -> Result<(), Refusal> {
    let mut speaks = false;
    if let Some(modalities) = chat.modalities {
        modalities.each(&Path::Body.member("modalities"), |Text(modality), _| {
            speaks |= modality != "text";
            Ok(())
        })?;
    }
    for (name, asked, what) in [
        (
            "n",
            chat.n.is_some_and(|n| n.0 > 1),
            "must be 1: Bedrock gives one answer to a request",
        ),
        (
            "modalities",
            speaks,
            "must be [\"text\"]: models on Bedrock answer in text only",
        ),
        (
            "audio",
            chat.audio.is_some(),
            "is not supported: models on Bedrock answer in text only",
        ),
        (
            "functions",
            chat.functions.is_some(),
            "is no longer supported: use \"tools\"",
        ),
        (
            "function_call",
            chat.function_call.is_some(),
            "is no longer supported: use \"tool_choice\"",
        ),
        (
            "web_search_options",
            chat.web_search_options.is_some(),
            "is not supported: Bedrock does not search the web",
        ),
    ] {
        if asked {
            return Err(Refusal::parameter(name, what));
        }
    }
    Ok(())
}

/// `json_object` has no schema to send, and Bedrock no such mode: the prompt has to ask for JSON, as OpenAI demands, too.
fn schema<'a>(format: &ResponseFormat<'a>) -> Result<Option<Schema<'a>>, Refusal> {
    match format.kind.0.as_ref() {
        "text" | "json_object" => Ok(None),
        "json_schema" => {
            let given = format.json_schema.as_ref();
            let name = "response_format.json_schema.schema";
            let schema = object(name, given.and_then(|given| given.schema))?;
            let (Some(given), Some(schema)) = (given, schema) else {
                return Err(Refusal::parameter(name, "is missing"));
            };
            Ok(Some(Schema {
                schema,
                name: not_empty(given.name.as_ref()),
                description: not_empty(given.description.as_ref()),
            }))
        }
        _ => Err(Refusal::parameter(
            "response_format.type",
            "must be \"text\", \"json_object\" or \"json_schema\"",
        )),
    }
}

fn effort<'a>(effort: Option<&Text<'a>>) -> Result<Option<Cow<'a, str>>, Refusal> {
    let Some(Text(effort)) = effort else {
        return Ok(None);
    };
    match effort.as_ref() {
        word if (1..=16).contains(&word.len()) => Ok(Some(effort.clone())),
        _ => Err(Refusal::parameter(
            "reasoning_effort",
            "must be \"none\", \"minimal\", \"low\", \"medium\", \"high\", \"xhigh\" or \"max\"",
        )),
    }
}

fn service_tier<'a>(tier: Option<&Text<'a>>) -> Result<Option<Cow<'a, str>>, Refusal> {
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
