//! Requests in Bedrock's own form: what the operator's rules change in them, and what they may bring along.

use std::borrow::Cow;

use crate::bedrock::Operation;
use crate::bedrock::model_id::Vendor;
use crate::body::Body;
use crate::dialect::body::{object, text, twice};
use crate::dialect::fields::{self, unenforceable};
use crate::dialect::limits::{cap_member, limit_converse, limited};
use crate::dialect::thinking;
use crate::json::edit::Edit;
use crate::json::object::Object;
use crate::refusal::Refusal;
use crate::settings::Settings;

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
    match operation {
        Operation::Converse | Operation::ConverseStream => {
            let object = object(body)?;
            let mut edit = Edit::new(&object);
            limit_converse(&mut edit, &object, text(body)?, model, settings)?;
            Ok(edit.into_body(body.len()))
        }
        Operation::Invoke | Operation::InvokeStream => {
            invoke(model.and_then(Vendor::of), settings, body)
        }
        // Nothing is generated.
        Operation::CountTokens
        | Operation::ApplyGuardrail
        | Operation::ListModels
        | Operation::Other
        // These have a room of their own: `vendor`.
        | Operation::VendorApi { .. } => Ok(Body::Unchanged),
    }
}

fn invoke(vendor: Option<Vendor>, settings: &Settings<'_>, body: &[u8]) -> Result<Body, Refusal> {
    let cap = settings
        .max_output_tokens
        .filter(|_| vendor != Some(Vendor::Tokenless));
    if cap.is_none() && settings.guardrail.is_none() {
        return Ok(Body::Unchanged);
    }
    let format = || {
        vendor.ok_or_else(|| {
            unenforceable(
                "the model's id does not show whose request format it takes; use Converse",
            )
        })
    };
    let limit = cap.map(|cap| Ok((cap, format()?))).transpose()?;
    let (object, text) = (object(body)?, text(body)?);
    let mut edit = Edit::new(&object);
    if settings.guardrail.is_some() {
        guard(&mut edit);
    }
    if let Some((cap, vendor)) = limit {
        let own = cap_invoke(&mut edit, &object, text, vendor, cap)?;
        fields::refuse(fields::excess(&object, text, cap, own))?;
    }
    Ok(edit.into_body(body.len()))
}

/// Takes out what would tell Bedrock how much of the request the operator's guardrail is to look at.
pub fn guard(edit: &mut Edit<'_, '_>) {
    edit.retain(|name| !fields::is_bedrocks(name));
}

/// Puts the limit into the field of the model's own format; the names of the members that are within it then.
///
/// # Errors
/// 400 where such a member occurs twice; 403 where the limit could be got round.
pub fn cap_invoke(
    edit: &mut Edit<'_, '_>,
    object: &Object<'_>,
    text: &str,
    vendor: Vendor,
    cap: u64,
) -> Result<&'static [&'static str], Refusal> {
    let own: &[&str] = match vendor {
        Vendor::Anthropic if object.only("messages").map_err(twice)?.is_none() => {
            &["max_tokens_to_sample"]
        }
        Vendor::Anthropic => &["max_tokens", "thinking", "reasoning_config"],
        Vendor::Nova => &["inferenceConfig"],
        Vendor::TitanText => &["textGenerationConfig"],
        Vendor::Meta => &["max_gen_len"],
        _ => &["max_tokens"],
    };
    let Some(name) = own.first() else {
        return Ok(own);
    };
    let member = object.only(name).map_err(twice)?;
    let inner = match vendor {
        Vendor::Nova => Some("maxTokens"),
        Vendor::TitanText => Some("maxTokenCount"),
        _ => None,
    };
    match inner {
        Some(inner) => {
            let old = member.and_then(|member| text.get(member.value.clone()));
            if let Cow::Owned(new) = limited(old, inner, cap)?.json {
                edit.set(name, &new);
            }
        }
        None => {
            let max_tokens = cap_member(edit, object, text, name, cap);
            if vendor == Vendor::Anthropic {
                thinking::fit(edit, object, text, max_tokens, cap)?;
            }
        }
    }
    Ok(own)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{Anthropic, Auth, Guardrail};

    fn settings(cap: Option<u64>, guardrail: Option<&Guardrail>) -> Settings<'_> {
        Settings {
            region: "us-east-1",
            endpoint: None,
            service: "bedrock",
            model: None,
            aliases: &[],
            families: Default::default(),
            allow_models: &[],
            max_output_tokens: cap,
            guardrail,
            auth: Auth::Sign,
            max_frame_size: 1 << 20,
            response_text: 0,
            hold_headers: true,
            anthropic: Anthropic::default(),
            responses: Default::default(),
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
            (
                "amazon.nova-canvas-v1:0",
                r#"{"taskType":"TEXT_IMAGE","imageGenerationConfig":{"numberOfImages":5}}"#,
                r#"{"taskType":"TEXT_IMAGE","imageGenerationConfig":{"numberOfImages":5}}"#,
            ),
            ("us.amazon.nova-canvas-v1:0", "{}", "{}"),
            ("amazon.titan-image-generator-v2:0", "{}", "{}"),
            ("amazon.nova-2-multimodal-embeddings-v1:0", "{}", "{}"),
            ("cohere.rerank-v3-5:0", "{}", "{}"),
            (
                "amazon.nova-2-lite-v1:0",
                "{}",
                r#"{"inferenceConfig":{"maxTokens":100}}"#,
            ),
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
