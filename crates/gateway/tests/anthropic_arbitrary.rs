//! Whatever Messages clients send: nothing panics, and the operator's rules hold.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod common;
#[path = "common/messages.rs"]
mod messages;
#[allow(dead_code)]
#[path = "common/planning.rs"]
mod planning;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use common::settings;
use gateway::bedrock::Operation;
use gateway::settings::{Anthropic, Betas, Via};
use gateway::{Guardrail, Settings};
use messages::{COUNT, MESSAGES};
use planning::{header, planned, sent};
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::Value;

/// Members that a request may have, right ones and wrong ones, in any order and number.
fn any_request() -> impl Strategy<Value = String> {
    let member = prop::sample::select(vec![
        r#""max_tokens":5000"#,
        r#""max_tokens":1"#,
        r#""max_tokens":"9""#,
        r#""mod\u0065l":"anthropic.c""#,
        r#""stream":true"#,
        r#""system":"s""#,
        r#""system":[{"type":"text","text":"\"scope\" é","cache_control":{"type":"ephemeral","scope":"global"}}]"#,
        r#""system":[["text"]]"#,
        r#""anthropic_beta":["a","b"]"#,
        r#""anthropic_beta":7"#,
        r#""anthropic_version":null"#,
        r#""thinking":{"type":"enabled","budget_tokens":-1}"#,
        r#""tools":[{"name":"t","input_schema":{},"cache_control":{"scope":"x"}}]"#,
        r#""tools":{"scope":1}"#,
        r#""tool_choice":{"type":"tool","name":"t","disable_parallel_tool_use":true}"#,
        r#""tool_choice":{"type":"none"}"#,
        r#""messages":[]"#,
        r#""stop_sequences":["", "x"]"#,
        r#""service_tier":"auto""#,
        r#""inferenceConfig":{"maxTokens":9999}"#,
        r#""additionalModelRequestFields":{"max_tokens":9999}"#,
    ]);
    let block = prop::sample::select(vec![
        r#"{"type":"text","text":"x"}"#,
        r#"{"type":"text","text":" ","cache_control":{"type":"ephemeral","ttl":"1h","scope":"x"}}"#,
        r#"{"type":"thinking","thinking":"","signature":"s"}"#,
        r#"{"type":"redacted_thinking","data":"é"}"#,
        r#"{"type":"tool_use","id":"","name":"a b","input":{"scope":[]}}"#,
        r#"{"type":"tool_result","tool_use_id":"é","content":[{"type":"text","text":"\ud83d\ude00"}]}"#,
        r#"{"type":"image","source":{"type":"base64","media_type":"image/png","data":"AAAA"}}"#,
        r#"{"type":"document","source":{"type":"content","content":[]}}"#,
        r#"{"type":"new","x":{"cache_control":{"scope":1}}}"#,
        r#"["text"]"#,
        "null",
    ]);
    let role = prop::sample::select(vec!["user", "assistant", "system", "tool"]);
    let message = (role, vec(block, 0..4)).prop_map(|(role, blocks)| {
        format!(r#"{{"role":"{role}","content":[{}]}}"#, blocks.join(","))
    });
    (
        vec(member, 0..5),
        vec(message, 1..5),
        "[ \n]{0,2}",
        any::<bool>(),
    )
        .prop_map(|(mut members, messages, space, first)| {
            let messages = format!(r#""messages":{space}[{}]"#, messages.join(","));
            let place = if first { 0 } else { members.len() };
            members.insert(place, &messages);
            format!("{{{}{space}}}", members.join(&format!(",{space}")))
        })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(3000) })]

    #[test]
    fn whatever_is_sent_the_operators_rules_hold(
        body in any_request(),
        model in prop::sample::select(vec!["us.anthropic.c", "amazon.nova-x"]),
        target in prop::sample::select(vec![MESSAGES, COUNT]),
        via in prop::sample::select(vec![Via::Auto, Via::Invoke, Via::Converse]),
        beta in prop::option::of(Just(["b*".to_owned()])),
        flags in "[ab,é\"\\\\ ]{0,6}",
    ) {
        let guardrail = Guardrail { id: "g".into(), version: "1".into(), trace: None };
        let rules = Settings {
            model: Some(model),
            max_output_tokens: Some(9),
            guardrail: Some(&guardrail),
            anthropic: Anthropic { via, beta: beta.as_ref().map_or(Betas::Auto, |flags| Betas::Only(flags)) },
            ..settings()
        };
        let plan = match planned(target, &rules, &[("anthropic-beta", &flags)], &body) {
            Ok(plan) => plan,
            Err(refusal) => {
                prop_assert!((400..500).contains(&refusal.status), "{:?}", refusal);
                return Ok(());
            }
        };
        let mut out: Value = serde_json::from_str(&sent(&plan, &body)).unwrap();
        if let Some(inner) = out.pointer("/input/invokeModel/body").and_then(Value::as_str) {
            out = serde_json::from_slice(&STANDARD.decode(inner).unwrap()).unwrap();
        }
        for gone in ["model", "stream", "service_tier"] {
            prop_assert_eq!(out.get(gone), None);
        }
        prop_assert!(!out["messages"].to_string().contains(r#""ttl":"1h","scope""#));
        prop_assert!(!out["system"].to_string().contains("global"));
        match plan.operation {
            Operation::Invoke | Operation::InvokeStream => {
                prop_assert!((1..=9).contains(&out["max_tokens"].as_u64().unwrap()));
                prop_assert_eq!(header(&plan, "x-amzn-bedrock-guardrailidentifier"), Some("g"));
            }
            Operation::Converse | Operation::ConverseStream => {
                prop_assert!((1..=9).contains(&out["inferenceConfig"]["maxTokens"].as_u64().unwrap()));
                prop_assert_eq!(&out["guardrailConfig"]["guardrailIdentifier"], "g");
                prop_assert!(!out["additionalModelRequestFields"].to_string().contains("9999"));
            }
            other => prop_assert_eq!(other, Operation::CountTokens),
        }
        if beta.is_some() {
            let passed = [&out["anthropic_beta"], &out["additionalModelRequestFields"]["anthropic_beta"]];
            let mut flags = passed.iter().filter_map(|flags| flags.as_array()).flatten();
            prop_assert!(flags.all(|flag| flag.as_str().unwrap().starts_with('b')));
        }
    }
}
