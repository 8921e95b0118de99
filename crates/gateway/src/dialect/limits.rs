//! The operator's limits, which hold in every form that a request can take.

use std::borrow::Cow;

use super::forms::Elements;
use super::parameter::Path;
use crate::bedrock::converse::ConverseRequest;
use crate::bedrock::model_id;
use crate::json::edit::Edit;
use crate::json::object::{self, Object};
use crate::json::text::Text;
use crate::refusal::Refusal;
use crate::settings::{Guardrail, Settings};

/// Puts the operator's token limit and guardrail into a Converse request.
///
/// # Errors
/// 403 where the limit could be got round: a prompt's own settings, or the model's native fields.
pub fn limit_converse(
    edit: &mut Edit<'_, '_>,
    object: &Object<'_>,
    text: &str,
    model: Option<&str>,
    settings: &Settings<'_>,
) -> Result<(), Refusal> {
    if let Some(guardrail) = settings.guardrail {
        edit.set("guardrailConfig", &guardrail_config(guardrail));
    }
    let Some(cap) = settings.max_output_tokens else {
        return Ok(());
    };
    if model.is_some_and(model_id::is_prompt) {
        return Err(prompt_has_its_own());
    }
    let member = object.only("inferenceConfig").map_err(twice)?;
    let old = member.and_then(|member| text.get(member.value.clone()));
    if let Some(new) = capped(old.unwrap_or("{}"), "maxTokens", cap) {
        edit.set_to("inferenceConfig", new);
    }
    let fields = object
        .only("additionalModelRequestFields")
        .map_err(twice)?
        .and_then(|member| text.get(member.value.clone()));
    if fields.is_some_and(|fields| !native_fields_keep_to(fields, cap)) {
        return Err(native_fields_ask_for_more());
    }
    Ok(())
}

/// The same for a request that was built here.
///
/// # Errors
/// As for [`limit_converse`].
pub fn limit_request(
    request: &mut ConverseRequest<'_>,
    model: &str,
    settings: &Settings<'_>,
) -> Result<(), Refusal> {
    if let Some(guardrail) = settings.guardrail {
        request.guardrail = Some(guardrail_config(guardrail).into());
    }
    let Some(cap) = settings.max_output_tokens else {
        return Ok(());
    };
    if model_id::is_prompt(model) {
        return Err(prompt_has_its_own());
    }
    let asked = request.inference.max_tokens.unwrap_or(cap);
    request.inference.max_tokens = Some(asked.min(cap));
    let fields = request.native_fields.given.as_deref();
    if fields.is_some_and(|fields| !native_fields_keep_to(fields, cap)) {
        return Err(native_fields_ask_for_more());
    }
    Ok(())
}

/// The texts that end the answer; `at` is where the client's list stands.
///
/// # Errors
/// 400: one is no string, or they are more than Bedrock takes.
pub fn stop_sequences<'a>(
    texts: Elements<'a>,
    at: &Path<'_>,
) -> Result<Vec<Cow<'a, str>>, Refusal> {
    let mut found = Vec::new();
    texts.each(at, |Text(text): Text<'a>, _| {
        if found.len() == MOST_STOP_SEQUENCES {
            let what = format!("must have at most {MOST_STOP_SEQUENCES} elements");
            return Err(at.refuse(&what));
        }
        if !text.is_empty() {
            found.push(text);
        }
        Ok(())
    })?;
    Ok(found)
}

fn prompt_has_its_own() -> Refusal {
    unenforceable("a managed prompt brings its own limit for output tokens")
}

fn native_fields_ask_for_more() -> Refusal {
    unenforceable("additionalModelRequestFields asks for more output tokens")
}

pub(super) fn guardrail_config(guardrail: &Guardrail) -> String {
    let mut config = serde_json::json!({
        "guardrailIdentifier": guardrail.id,
        "guardrailVersion": guardrail.version,
    });
    if let (Some(trace), Some(config)) = (&guardrail.trace, config.as_object_mut()) {
        config.insert("trace".to_owned(), trace.as_str().into());
    }
    config.to_string()
}

/// An object's text with member `name` at most `cap`; `None` if it is so already.
pub(super) fn capped(text: &str, name: &str, cap: u64) -> Option<String> {
    let Ok(object) = object::parse(text) else {
        return Some(format!("{{\"{name}\":{cap}}}"));
    };
    // Of two members with the name neither is trusted.
    if let Ok(Some(member)) = object.only(name)
        && within(text.get(member.value.clone()), cap)
    {
        return None;
    }
    let mut edit = Edit::new(&object);
    edit.set(name, &cap.to_string());
    let bytes = edit.into_body(text.len()).joined(text.as_bytes());
    String::from_utf8(bytes).ok()
}

/// Whether a value is a whole number from 1 to `cap`. Anything else in its place might be read as more.
pub(super) fn within(value: Option<&str>, cap: u64) -> bool {
    value
        .and_then(|value| value.parse().ok())
        .is_some_and(|value: u64| value >= 1 && value <= cap)
}

/// Whether an object has every member of these names within `cap`.
pub(super) fn keeps_to(text: &str, names: &[&str], cap: u64) -> bool {
    let Ok(object) = object::parse(text) else {
        return true;
    };
    object
        .members
        .iter()
        .filter(|member| names.contains(&member.name.as_ref()))
        .all(|member| within(text.get(member.value.clone()), cap))
}

/// Whether the fields that Converse merges into a model's native request leave its own limit alone.
fn native_fields_keep_to(fields: &str, cap: u64) -> bool {
    let Ok(object) = object::parse(fields) else {
        return true;
    };
    // Every member of a name, as which of two counts is not known.
    let nested = object
        .members
        .iter()
        .filter(|member| {
            ["inferenceConfig", "textGenerationConfig"].contains(&member.name.as_ref())
        })
        .filter_map(|member| fields.get(member.value.clone()));
    std::iter::once(fields)
        .chain(nested)
        .all(|object| keeps_to(object, &NATIVE_LIMITS, cap))
}

pub(super) fn unenforceable(why: &str) -> Refusal {
    Refusal::denied(format!(
        "This gateway limits output tokens, and cannot do so here: {why}."
    ))
}

pub(super) fn twice(what: String) -> Refusal {
    Refusal::validation(format!("The request body is ambiguous: {what}."))
}

/// What models call their limit of output tokens.
const NATIVE_LIMITS: [&str; 10] = [
    "max_tokens",
    "maxTokens",
    "max_new_tokens",
    "max_gen_len",
    "max_tokens_to_sample",
    "max_completion_tokens",
    "max_output_tokens",
    "maxOutputTokens",
    "maxTokenCount",
    "max_length",
];

/// <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_InferenceConfiguration.html>
const MOST_STOP_SEQUENCES: usize = 2500;
