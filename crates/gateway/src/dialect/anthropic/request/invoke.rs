//! For Claude: the body as it is, but for what Bedrock has elsewhere, wants besides, or refuses.
//! <https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-anthropic-claude-messages-request-response.html>

use std::ops::Range;

use super::Whole;
use super::betas::{Betas, Taker};
use super::fit::{self, Fit, Parts, Survey};
use super::settle::Settling;
use super::wants::Wants;
use crate::body::Body;
use crate::dialect::body::twice;
use crate::family::betas::Member as Allowed;
use crate::family::{AnswerText, Changes, Fitted};
use crate::json::edit::Edit;
use crate::json::object::Object;
use crate::refusal::Refusal;
use crate::settings::Settings;

/// The body for InvokeModel.
///
/// # Errors
/// 400 that names what Bedrock would refuse; 403 where the operator's limit cannot be enforced.
pub fn body(
    object: &Object<'_>,
    whole: Whole<'_, '_>,
    settings: &Settings<'_>,
    fitted: &mut Fitted,
) -> Result<Body, Refusal> {
    let cap = settings.max_output_tokens;
    let edited = edit(object, whole, settings, cap, &mut fitted.changes)?;
    fitted.shape.text = edited.answer;
    Ok(edited.edit.into_body(whole.text.len()))
}

/// A body that has been changed.
pub struct Edited<'o, 'a> {
    /// How.
    pub edit: Edit<'o, 'a>,
    /// The budget for thinking in it, if there is one.
    pub budget: Option<u64>,
    /// Where the text of its answer will be.
    pub answer: AnswerText,
}

/// What changes; `cap` is the operator's limit.
///
/// # Errors
/// As above.
pub fn edit<'o, 'a>(
    object: &'o Object<'a>,
    whole: Whole<'_, '_>,
    settings: &Settings<'_>,
    cap: Option<u64>,
    changes: &mut Changes,
) -> Result<Edited<'o, 'a>, Refusal> {
    let Whole { text, called, .. } = whole;
    let mut edit = Edit::new(object);
    edit.retain(|name| FIELDS.contains(&name));
    name_what_goes(object, changes);
    let place = |name: &str| -> Result<Option<Range<usize>>, Refusal> {
        let member = object.only(name).map_err(twice)?;
        Ok(member.map(|member| member.value.clone()))
    };
    let value = |name: &str| -> Result<Option<&str>, Refusal> {
        Ok(place(name)?.and_then(|place| text.get(place)))
    };
    let Some(messages) = place("messages")? else {
        return Err(Refusal::parameter("messages", "is missing"));
    };
    if value("anthropic_version")?.is_none() {
        edit.set("anthropic_version", &format!("\"{VERSION}\""));
    }
    let wants = Wants {
        safeguards: value("safeguards")?.is_some(),
        ..Wants::of(value("tools")?, value("tool_choice")?)?
    };
    let in_body = value("anthropic_beta")?;
    let taker = Taker {
        family: called.family,
        id: called.model,
        converse: false,
    };
    let choice = settings.anthropic.beta;
    let betas = Betas::choose(in_body, whole.headers, choice, taker, &wants, changes)?;
    match betas.json() {
        None => edit.remove("anthropic_beta"),
        Some(_) if in_body.is_some_and(|given| betas.is_given(given)) => {}
        Some(json) => edit.set("anthropic_beta", &json),
    }
    let parts = Parts {
        tools: place("tools")?,
        system: place("system")?,
        messages: messages.clone(),
        cache_control: place("cache_control")?,
    };
    let survey = Survey::of(text, &parts, called.family, changes);
    let fit = Fit {
        betas: &betas,
        family: called.family,
        survey: &survey,
    };
    for (name, allowed) in [
        ("compaction", Allowed::Compaction),
        ("safeguards", Allowed::Safeguards),
    ] {
        if value(name)?.is_some() && !betas.allow(allowed) {
            changes.leave_out(name);
            edit.remove(name);
        }
    }
    if let Some(pieces) = parts
        .tools
        .and_then(|place| fit::tools(text, place, fit, changes))
    {
        edit.set_pieces("tools", pieces);
    }
    if let Some(pieces) = fit::messages(text, messages, fit, changes) {
        edit.set_pieces("messages", pieces);
    }
    if let Some(place) = place("context_management")? {
        match fit::context_management(text, place, fit, changes) {
            (false, _) => {
                changes.leave_out("context_management");
                edit.remove("context_management");
            }
            (true, Some(pieces)) => edit.set_pieces("context_management", pieces),
            (true, None) => {}
        }
    }
    let settling = Settling {
        edit: &mut edit,
        object,
        text,
        fit,
        has_tools: wants.tools,
        changes,
    };
    let settled = settling.settle(cap)?;
    if wants.only_servers && settled.answer != AnswerText::Tool {
        edit.remove("tools");
        edit.remove("tool_choice");
    }
    let more = settled.instruction.as_deref();
    match parts.system {
        Some(place) => {
            if let Some(pieces) = fit::system(text, place, more, fit, changes) {
                edit.set_pieces("system", pieces);
            }
        }
        None => {
            if let Some(more) = more {
                edit.set("system", &serde_json::Value::from(more).to_string());
            }
        }
    }
    Ok(Edited {
        edit,
        budget: settled.budget,
        answer: settled.answer,
    })
}

/// Members that nothing of Bedrock's knows, but for those that say what is called.
fn name_what_goes(object: &Object<'_>, changes: &mut Changes) {
    let goes = |name: &&str| {
        !FIELDS.contains(name)
            && !["model", "stream", "output_format", "cache_control"].contains(name)
    };
    for name in object
        .members
        .iter()
        .map(|member| member.name.as_ref())
        .filter(|name| goes(name))
    {
        // A name that nobody knows may be anything, and has no place in a log.
        changes.leave_out(match KNOWN.iter().find(|known| **known == name) {
            Some(known) => *known,
            None => "members that are not known",
        });
    }
}

/// Members of Anthropic's own API that Bedrock does not have.
const KNOWN: [&str; 8] = [
    "betas",
    "container",
    "fallbacks",
    "inference_geo",
    "mcp_servers",
    "service_tier",
    "speed",
    "user_profile_id",
];

/// The version where the client's body has none.
const VERSION: &str = "bedrock-2023-05-31";

/// What Bedrock takes; anything else it refuses ("Extra inputs are not permitted").
const FIELDS: [&str; 17] = [
    "anthropic_beta",
    "anthropic_version",
    "compaction",
    "context_management",
    "max_tokens",
    "messages",
    "metadata",
    "output_config",
    "safeguards",
    "stop_sequences",
    "system",
    "temperature",
    "thinking",
    "tool_choice",
    "tools",
    "top_k",
    "top_p",
];
