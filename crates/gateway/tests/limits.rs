//! What the operator's rules do to a request, and that each attempt starts from the client's own.
#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/planning.rs"]
mod planning;

use common::settings;
use gateway::{Guardrail, Settings, inspect, plan};
use planning::{JSON, header, planned, sent};

#[test]
fn the_operators_limits_go_into_every_operation() {
    let guardrail = Guardrail {
        id: "gr1".into(),
        version: "2".into(),
        trace: None,
    };
    let rules = Settings {
        max_output_tokens: Some(100),
        guardrail: Some(&guardrail),
        ..settings()
    };
    for (target, body, goes_on) in [
        (
            "/model/m/converse",
            r#"{"messages":[]}"#,
            r#"{"messages":[],"guardrailConfig":{"guardrailIdentifier":"gr1","guardrailVersion":"2"},"inferenceConfig":{"maxTokens":100}}"#,
        ),
        (
            "/model/m/converse-stream",
            r#"{"inferenceConfig":{"maxTokens":5}, "guardrailConfig":{"trace":"enabled"}}"#,
            r#"{"inferenceConfig":{"maxTokens":5}, "guardrailConfig":{"guardrailIdentifier":"gr1","guardrailVersion":"2"}}"#,
        ),
        (
            "/chat",
            r#"{"model":"m","messages":[]}"#,
            r#"{"messages":[],"guardrailConfig":{"guardrailIdentifier":"gr1","guardrailVersion":"2"},"inferenceConfig":{"maxTokens":100}}"#,
        ),
        (
            "/model/anthropic.c/invoke",
            r#"{"max_tokens": 4096,"messages":[]}"#,
            r#"{"max_tokens": 100,"messages":[]}"#,
        ),
        (
            "/model/us.meta.l/invoke-with-response-stream",
            r#"{"prompt":""}"#,
            r#"{"prompt":"","max_gen_len":100}"#,
        ),
        (
            "/model/m/count-tokens",
            r#"{"input":{}}"#,
            r#"{"input":{}}"#,
        ),
    ] {
        let plan = planned(target, &rules, &[JSON], body).unwrap();
        assert_eq!(sent(&plan, body), goes_on, "{target}");
        let by_header = plan.operation.is_invoke().then_some("gr1");
        assert_eq!(
            header(&plan, "x-amzn-bedrock-guardrailidentifier"),
            by_header
        );
    }
    let prompt = "/model/arn:aws:bedrock:us-east-1:1:prompt%2FABCDE12345:3/converse";
    for (target, body) in [
        (prompt, "{}"),
        ("/model/custom/invoke", "{}"),
        (
            "/model/arn:aws:bedrock:us-east-1:1:provisioned-model%2Fa/invoke",
            "{}",
        ),
    ] {
        assert_eq!(
            planned(target, &rules, &[JSON], body).unwrap_err().status,
            403,
            "{target}"
        );
    }
}

#[test]
fn native_fields_cannot_get_round_the_token_limit() {
    let rules = Settings {
        max_output_tokens: Some(100),
        ..settings()
    };
    for (fields, status) in [
        (r#"{"top_k":500}"#, None),
        (
            r#"{"max_tokens":100,"inferenceConfig":{"max_new_tokens":1}}"#,
            None,
        ),
        (r#"{"max_tokens":101}"#, Some(403)),
        (r#"{"max_t\u006fkens":101}"#, Some(403)),
        (r#"{"max_tokens":1,"max_tokens":999}"#, Some(403)),
        (r#"{"inferenceConfig":{"max_new_tokens":999}}"#, Some(403)),
        (
            r#"{"textGenerationConfig":{"maxTokenCount":1e3}}"#,
            Some(403),
        ),
        (
            r#"{"inferenceConfig":{"max_new_tokens":999},"inferenceConfig":{"max_new_tokens":999}}"#,
            Some(403),
        ),
    ] {
        let body = format!(r#"{{"additionalModelRequestFields":{fields}}}"#);
        let outcome = planned("/model/m/converse", &rules, &[JSON], &body);
        assert_eq!(
            outcome.err().map(|refusal| refusal.status),
            status,
            "{fields}"
        );
    }
}

#[test]
fn each_attempt_is_planned_as_if_it_were_the_first() {
    let guardrail = Guardrail {
        id: "gr1".into(),
        version: "2".into(),
        trace: Some("enabled".into()),
    };
    let second = Settings {
        region: "eu-west-1",
        model: Some("eu.anthropic.c"),
        max_output_tokens: Some(9),
        guardrail: Some(&guardrail),
        ..settings()
    };
    let headers = [
        JSON,
        ("user-agent", "x"),
        ("accept", "text/event-stream"),
        ("x-amzn-bedrock-trace", "ENABLED"),
    ];
    for (target, body) in [
        (
            "/model/m/converse",
            r#"{"inferenceConfig":{"maxTokens":50}}"#,
        ),
        ("/chat", r#"{"model":"m","stream":true}"#),
        ("/model/anthropic.c/invoke", r#"{"messages":[]}"#),
    ] {
        let request = inspect(None, "POST", target, Some(body.as_bytes())).unwrap();
        let attempt = |settings: &Settings<'_>| {
            let plan = plan(&request, settings, &headers, body.as_bytes()).unwrap();
            for (name, _) in &plan.headers {
                header(&plan, name);
            }
            format!("{plan:?}")
        };
        let first = attempt(&settings());
        let fallback = attempt(&second);
        assert_ne!(first, fallback);
        assert_eq!(attempt(&settings()), first);
        assert_eq!(attempt(&second), fallback);
    }
}
