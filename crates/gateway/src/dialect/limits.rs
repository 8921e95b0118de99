//! The operator's limits, which hold in every form that a request can take. What cannot be checked is refused.

use std::borrow::Cow;

use super::body::twice;
use super::fields::{self, Excess, unenforceable};
use super::forms::Elements;
use super::parameter::Path;
use super::thinking::{self, Fitted};
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
/// 403 where one of them could be got round: by a prompt's own settings, the model's native fields, or content that the
/// guardrail would not look at; 400 where a member that counts occurs twice.
pub fn limit_converse(
    edit: &mut Edit<'_, '_>,
    object: &Object<'_>,
    text: &str,
    model: Option<&str>,
    settings: &Settings<'_>,
) -> Result<(), Refusal> {
    let value = |name: &str| -> Result<Option<&str>, Refusal> {
        let member = object.only(name).map_err(twice)?;
        Ok(member.and_then(|member| text.get(member.value.clone())))
    };
    let native_fields =
        || value(NATIVE_FIELDS).map(|fields| fields.filter(|fields| *fields != "null"));
    if let Some(guardrail) = settings.guardrail {
        for name in ["messages", "system"] {
            let narrows = |content| fields::has_member(content, |name| name == "guardContent");
            if value(name)?.is_some_and(narrows) {
                return Err(narrowed("guardContent"));
            }
        }
        native_fields()?.map_or(Ok(()), leave_guardrail_alone)?;
        edit.set("guardrailConfig", &guardrail_config(guardrail));
    }
    let Some(cap) = settings.max_output_tokens else {
        return Ok(());
    };
    if model.is_some_and(model_id::is_prompt) {
        return Err(prompt_has_its_own());
    }
    let inference = limited(value("inferenceConfig")?, "maxTokens", cap)?;
    if let Cow::Owned(new) = &inference.json {
        edit.set("inferenceConfig", new);
    }
    if let Some(fields) = native_fields()?
        && let Cow::Owned(new) = native_fields_within(fields, inference.max_tokens, cap)?
    {
        edit.set(NATIVE_FIELDS, &new);
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
    let native_fields = &mut request.native_fields;
    if let Some(guardrail) = settings.guardrail {
        let given = native_fields.given.as_deref();
        given.map_or(Ok(()), leave_guardrail_alone)?;
        request.guardrail = Some(guardrail_config(guardrail).into());
    }
    let Some(cap) = settings.max_output_tokens else {
        return Ok(());
    };
    if model_id::is_prompt(model) {
        return Err(prompt_has_its_own());
    }
    let max_tokens = request.inference.max_tokens.unwrap_or(cap).min(cap);
    request.inference.max_tokens = Some(max_tokens);
    if let Some(fields) = native_fields.given.take() {
        let within = native_fields_within(&fields, max_tokens, cap)?;
        native_fields.given = Some(match within {
            Cow::Owned(new) => new.into(),
            Cow::Borrowed(_) => fields,
        });
    }
    native_fields.added.retain_mut(|(name, value)| {
        if !thinking::NAMES.contains(name) {
            return true;
        }
        match thinking::fitted(value, max_tokens, cap) {
            Fitted::As(Cow::Owned(new)) => *value = new.into(),
            Fitted::As(Cow::Borrowed(_)) => {}
            Fitted::Out => return false,
        }
        true
    });
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

/// No smallest number that a model wants is above the operator's limit.
pub fn keep_to_limit(request: &mut ConverseRequest<'_>, settings: &Settings<'_>) {
    if let Some(cap) = settings.max_output_tokens {
        let asked = request.inference.max_tokens.unwrap_or(cap);
        request.inference.max_tokens = Some(asked.min(cap));
    }
}

/// An object of the request that has the limit in it.
pub(super) struct Limited<'a> {
    /// The object's text.
    pub json: Cow<'a, str>,
    /// The limit, as it is there now.
    pub max_tokens: u64,
}

/// The object `old` with its member `name` at most `cap`; an object of that alone where it is none.
///
/// # Errors
/// 403: it asks for more under another name.
pub(super) fn limited<'a>(
    old: Option<&'a str>,
    name: &str,
    cap: u64,
) -> Result<Limited<'a>, Refusal> {
    let Some((old, object)) = old.and_then(|old| Some((old, object::parse(old).ok()?))) else {
        return Ok(Limited {
            json: format!("{{\"{name}\":{cap}}}").into(),
            max_tokens: cap,
        });
    };
    fields::refuse(fields::excess(&object, old, cap, &[name]))?;
    let mut edit = Edit::new(&object);
    let max_tokens = cap_member(&mut edit, &object, old, name, cap);
    let json = text_of(edit, old);
    Ok(Limited { json, max_tokens })
}

/// Sets the member `name` to `cap` unless it is within that already; what it is then.
pub(super) fn cap_member(
    edit: &mut Edit<'_, '_>,
    object: &Object<'_>,
    text: &str,
    name: &str,
    cap: u64,
) -> u64 {
    // Of two members with the name neither is trusted.
    let member = object.only(name).ok().flatten();
    let asked = member.and_then(|member| text.get(member.value.clone()));
    fields::within(asked, cap).unwrap_or_else(|| {
        edit.set(name, &cap.to_string());
        cap
    })
}

/// The fields that Converse merges into a model's native request, with a budget for thinking that fits the limit.
fn native_fields_within(
    native_fields: &str,
    max_tokens: u64,
    cap: u64,
) -> Result<Cow<'_, str>, Refusal> {
    let object = fields::object_of(native_fields, NATIVE_FIELDS).map_err(unenforceable)?;
    let mut edit = Edit::new(&object);
    thinking::fit(&mut edit, &object, native_fields, max_tokens, cap)?;
    let excess = fields::excess(&object, native_fields, cap, &thinking::NAMES);
    if let Some(excess) = excess {
        return Err(unenforceable(match excess {
            Excess::Tokens(name) => {
                format!("{NATIVE_FIELDS} asks for more output tokens in {name}")
            }
            other => format!("{NATIVE_FIELDS}: {other}"),
        }));
    }
    Ok(text_of(edit, native_fields))
}

/// What an edit makes of the text.
fn text_of<'a>(edit: Edit<'_, '_>, old: &'a str) -> Cow<'a, str> {
    let body = edit.into_body(old.len());
    if body == crate::body::Body::Unchanged {
        return Cow::Borrowed(old);
    }
    Cow::Owned(String::from_utf8(body.joined(old.as_bytes())).unwrap_or_default())
}

/// Members that Bedrock itself reads from a model's native request say what the guardrail looks at. What is said to the model
/// in its own form is not known to pass the guardrail.
fn leave_guardrail_alone(native_fields: &str) -> Result<(), Refusal> {
    let says = |object: &Object<'_>| {
        let mut names = object.members.iter().map(|member| member.name.as_ref());
        names.any(|name| SAYS.iter().any(|says| name.eq_ignore_ascii_case(says)))
    };
    // Fields that cannot be read might hold either.
    let aside =
        object::parse(native_fields).map_or(native_fields != "null", |object| says(&object));
    match aside || fields::has_member(native_fields, fields::is_bedrocks) {
        true => Err(narrowed(NATIVE_FIELDS)),
        false => Ok(()),
    }
}

/// The operator's guardrail would not look at all of the request.
fn narrowed(by: &str) -> Refusal {
    Refusal::denied(format!(
        "This gateway puts a guardrail on every request, and {by} would take a part of this one from it."
    ))
}

fn prompt_has_its_own() -> Refusal {
    unenforceable("a managed prompt brings its own limit for output tokens")
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

const NATIVE_FIELDS: &str = "additionalModelRequestFields";

/// <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_InferenceConfiguration.html>
const MOST_STOP_SEQUENCES: usize = 2500;

/// Where models' own forms have what is said to them.
const SAYS: [&str; 6] = [
    "messages",
    "system",
    "prompt",
    "inputText",
    "input",
    "message",
];
