//! Requests in Bedrock's own form: what the operator's rules change in them, and what they may bring along.

use crate::bedrock::Operation;
use crate::bedrock::model_id::{self, Vendor};
use crate::body::Body;
use crate::json::edit::Edit;
use crate::json::object::{self, Object};
use crate::refusal::Refusal;
use crate::settings::{Guardrail, Settings};

/// The body of a native request for `model`, with the operator's limits put in.
///
/// # Errors
/// 400 where a body that must be JSON is none; 403 where a limit cannot be enforced.
pub fn body(
    operation: Operation,
    model: Option<&str>,
    settings: &Settings<'_>,
    body: &[u8],
) -> Result<Body, Refusal> {
    let cap = settings.max_output_tokens;
    match operation {
        Operation::Converse | Operation::ConverseStream => {
            let object = parse(body)?;
            let mut edit = Edit::new(&object);
            limit_converse(&mut edit, &object, text(body)?, model, settings)?;
            Ok(edit.into_body(body.len()))
        }
        Operation::Invoke | Operation::InvokeStream => match cap {
            Some(cap) => cap_invoke(model.and_then(Vendor::of), cap, body),
            None => Ok(Body::Unchanged),
        },
        // Nothing is generated.
        Operation::CountTokens | Operation::ApplyGuardrail => Ok(Body::Unchanged),
    }
}

/// The JSON object that a Converse body is.
///
/// # Errors
/// 400, saying where it stops being one.
pub fn parse(body: &[u8]) -> Result<Object<'_>, Refusal> {
    object::parse(text(body)?).map_err(|what| {
        Refusal::validation(format!("The request body is not a JSON object: {what}."))
    })
}

/// The body as text.
///
/// # Errors
/// 400 if it is not UTF-8.
pub fn text(body: &[u8]) -> Result<&str, Refusal> {
    std::str::from_utf8(body)
        .map_err(|_| Refusal::validation("The request body is not a JSON object: it is not UTF-8."))
}

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
        return Err(unenforceable(
            "a managed prompt brings its own limit for output tokens",
        ));
    }
    let member = object.only("inferenceConfig").map_err(twice)?;
    let old = member.and_then(|member| text.get(member.value.clone()));
    if let Some(new) = capped(old.unwrap_or("{}"), "maxTokens", cap) {
        edit.set("inferenceConfig", &new);
    }
    let fields = object
        .only("additionalModelRequestFields")
        .map_err(twice)?
        .and_then(|member| text.get(member.value.clone()));
    if fields.is_some_and(|fields| !native_fields_keep_to(fields, cap)) {
        return Err(unenforceable(
            "additionalModelRequestFields asks for more output tokens",
        ));
    }
    Ok(())
}

fn guardrail_config(guardrail: &Guardrail) -> String {
    let mut config = serde_json::json!({
        "guardrailIdentifier": guardrail.id,
        "guardrailVersion": guardrail.version,
    });
    if let (Some(trace), Some(config)) = (&guardrail.trace, config.as_object_mut()) {
        config.insert("trace".to_owned(), trace.as_str().into());
    }
    config.to_string()
}

/// Puts the limit into the field of the model's own format.
fn cap_invoke(vendor: Option<Vendor>, cap: u64, body: &[u8]) -> Result<Body, Refusal> {
    let Some(vendor) = vendor else {
        return Err(unenforceable(
            "the model's id does not show whose request format it takes; use Converse",
        ));
    };
    if vendor == Vendor::Embedding {
        return Ok(Body::Unchanged);
    }
    let text = text(body)?;
    let object = parse(body)?;
    let (outer, name) = match vendor {
        Vendor::Anthropic if object.only("messages").map_err(twice)?.is_none() => {
            (None, "max_tokens_to_sample")
        }
        Vendor::Nova => (Some("inferenceConfig"), "maxTokens"),
        Vendor::TitanText => (Some("textGenerationConfig"), "maxTokenCount"),
        Vendor::Meta => (None, "max_gen_len"),
        _ => (None, "max_tokens"),
    };
    let mut edit = Edit::new(&object);
    match outer {
        Some(outer) => {
            let member = object.only(outer).map_err(twice)?;
            let old = member.and_then(|member| text.get(member.value.clone()));
            let old = old.unwrap_or("{}");
            // Nova took this name before; with both, which one counts is not documented.
            if !keeps_to(old, &["max_new_tokens"], cap) {
                return Err(unenforceable("max_new_tokens asks for more output tokens"));
            }
            if let Some(new) = capped(old, name, cap) {
                edit.set(outer, &new);
            }
        }
        None => {
            let member = object.only(name).map_err(twice)?;
            let old = member.and_then(|member| text.get(member.value.clone()));
            if !within(old, cap) {
                edit.set(name, &cap.to_string());
            }
        }
    }
    Ok(edit.into_body(body.len()))
}

/// An object's text with member `name` at most `cap`; `None` if it is so already.
fn capped(text: &str, name: &str, cap: u64) -> Option<String> {
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
    let body = edit.into_body(text.len());
    let bytes = body.pieces(text.as_bytes()).flatten().copied().collect();
    String::from_utf8(bytes).ok()
}

/// Whether a value is a whole number from 1 to `cap`. Anything else in its place might be read as more.
fn within(value: Option<&str>, cap: u64) -> bool {
    value
        .and_then(|value| value.parse().ok())
        .is_some_and(|value: u64| value >= 1 && value <= cap)
}

/// Whether an object has every member of these names within `cap`.
fn keeps_to(text: &str, names: &[&str], cap: u64) -> bool {
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

fn unenforceable(why: &str) -> Refusal {
    Refusal::denied(format!(
        "This gateway limits output tokens, and cannot do so here: {why}."
    ))
}

fn twice(what: String) -> Refusal {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Auth;

    fn settings(cap: Option<u64>, guardrail: Option<&Guardrail>) -> Settings<'_> {
        Settings {
            region: "us-east-1",
            endpoint: None,
            service: "bedrock",
            model: None,
            allow_models: &[],
            max_output_tokens: cap,
            guardrail,
            auth: Auth::Sign,
            max_frame_size: 1 << 20,
            response_text: 0,
            hold_headers: true,
        }
    }

    fn planned(operation: Operation, model: &str, cap: u64, json: &str) -> Result<String, u16> {
        body(
            operation,
            Some(model),
            &settings(Some(cap), None),
            json.as_bytes(),
        )
        .map(|body| {
            let bytes = body.pieces(json.as_bytes()).flatten().copied().collect();
            String::from_utf8(bytes).unwrap()
        })
        .map_err(|refusal| refusal.status)
    }

    #[test]
    fn converse_gets_the_lower_of_both_limits() {
        let converse = |json| planned(Operation::Converse, "m", 100, json);
        for (sent, goes_on) in [
            (
                r#"{"messages":[]}"#,
                r#"{"messages":[],"inferenceConfig":{"maxTokens":100}}"#,
            ),
            (
                r#"{"inferenceConfig":{"maxTokens":7}}"#,
                r#"{"inferenceConfig":{"maxTokens":7}}"#,
            ),
            (
                r#"{"inferenceConfig":{"topP":0.50,"maxTokens":101}}"#,
                r#"{"inferenceConfig":{"topP":0.50,"maxTokens":100}}"#,
            ),
            (
                r#"{"inferenceConfig":{"maxTokens":"9999"}}"#,
                r#"{"inferenceConfig":{"maxTokens":100}}"#,
            ),
            (
                r#"{"inferenceConfig":{"maxTokens":1e9}}"#,
                r#"{"inferenceConfig":{"maxTokens":100}}"#,
            ),
            (
                r#"{"inferenceConfig":{"maxTokens":1,"maxTokens":999}}"#,
                r#"{"inferenceConfig":{"maxTokens":100}}"#,
            ),
            (
                r#"{"inferenceConfig":null}"#,
                r#"{"inferenceConfig":{"maxTokens":100}}"#,
            ),
        ] {
            assert_eq!(converse(sent).as_deref(), Ok(goes_on), "{sent}");
        }
        assert_eq!(
            converse(r#"{"inferenceConfig":{},"inferenceConfig":{}}"#),
            Err(400)
        );
        assert_eq!(
            converse(r#"{"additionalModelRequestFields":{"max_tokens":999}}"#),
            Err(403)
        );
        assert_eq!(
            converse(
                r#"{"additionalModelRequestFields":{"inferenceConfig":{"max_new_tokens":999}}}"#
            ),
            Err(403)
        );
        assert!(
            converse(r#"{"additionalModelRequestFields":{"max_tokens":9,"top_k":999}}"#).is_ok()
        );
        let prompt = "arn:aws:bedrock:us-east-1:1:prompt/ABCDE12345:3";
        assert_eq!(planned(Operation::Converse, prompt, 100, "{}"), Err(403));
    }

    #[test]
    fn invoke_gets_it_in_each_vendors_own_field() {
        for (model, sent, goes_on) in [
            (
                "anthropic.c",
                r#"{"messages":[],"max_tokens":500}"#,
                r#"{"messages":[],"max_tokens":100}"#,
            ),
            (
                "anthropic.c",
                r#"{"prompt":""}"#,
                r#"{"prompt":"","max_tokens_to_sample":100}"#,
            ),
            (
                "us.amazon.nova-pro",
                r#"{"inferenceConfig":{"maxTokens":500}}"#,
                r#"{"inferenceConfig":{"maxTokens":100}}"#,
            ),
            (
                "amazon.titan-text-x",
                r#"{"inputText":""}"#,
                r#"{"inputText":"","textGenerationConfig":{"maxTokenCount":100}}"#,
            ),
            (
                "meta.llama",
                r#"{"max_gen_len":500}"#,
                r#"{"max_gen_len":100}"#,
            ),
            ("mistral.x", "{}", r#"{"max_tokens":100}"#),
            (
                "cohere.command-r",
                r#"{"max_tokens":50}"#,
                r#"{"max_tokens":50}"#,
            ),
            ("cohere.embed-x", "not json", "not json"),
        ] {
            assert_eq!(
                planned(Operation::Invoke, model, 100, sent).as_deref(),
                Ok(goes_on),
                "{model}"
            );
        }
        assert_eq!(
            planned(Operation::Invoke, "stability.x", 100, "{}"),
            Err(403)
        );
        assert_eq!(
            planned(
                Operation::Invoke,
                "amazon.nova-pro",
                100,
                r#"{"inferenceConfig":{"max_new_tokens":500}}"#
            ),
            Err(403)
        );
        assert_eq!(
            planned(Operation::InvokeStream, "anthropic.c", 100, "x"),
            Err(400)
        );
    }

    #[test]
    fn the_operators_guardrail_wins() {
        let guardrail = Guardrail {
            id: "g\"1".into(),
            version: "DRAFT".into(),
            trace: Some("enabled".into()),
        };
        let settings = settings(None, Some(&guardrail));
        let json = br#"{"guardrailConfig":{"guardrailIdentifier":"mine"},"messages":[]}"#;
        let body = body(Operation::Converse, Some("m"), &settings, json).unwrap();
        let bytes: Vec<u8> = body.pieces(json).flatten().copied().collect();
        assert_eq!(
            String::from_utf8(bytes).unwrap(),
            r#"{"guardrailConfig":{"guardrailIdentifier":"g\"1","guardrailVersion":"DRAFT","trace":"enabled"},"messages":[]}"#
        );
    }

    #[test]
    fn without_rules_nothing_changes() {
        let settings = settings(None, None);
        assert_eq!(
            body(Operation::Converse, None, &settings, b" {\"a\":1} "),
            Ok(Body::Unchanged)
        );
        assert_eq!(
            body(Operation::Invoke, None, &settings, b"\xff\xfe"),
            Ok(Body::Unchanged)
        );
        assert_eq!(
            body(Operation::Converse, None, &settings, b"{\"a\":\"\xff\"}")
                .unwrap_err()
                .status,
            400
        );
    }
}
