//! The parameters of Chat Completions requests beside messages and tools.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod common;
#[path = "common/openai.rs"]
mod openai;
#[path = "common/planning.rs"]
#[allow(dead_code, reason = "each file of tests uses a part of it")]
mod planning;

use common::settings;
use gateway::{Guardrail, Settings};
use openai::{CHAT, converse, spelt, spelt_for, wrong};
use planning::{JSON, planned};
use serde_json::{Value, json};

fn with(members: &str) -> String {
    format!(r#"{{"model":"m","messages":[{{"role":"user","content":"hi"}}],{members}}}"#)
}

/// What the members of a request become, beside its messages.
fn members(members: &str) -> Value {
    let mut body = converse(&with(members));
    assert_eq!(
        body["messages"],
        json!([{"role": "user", "content": [{"text": "hi"}]}])
    );
    body.as_object_mut().unwrap().remove("messages");
    body
}

#[test]
fn each_parameter_has_its_place() {
    for (sent, expected) in [
        (
            r#""max_tokens":5"#,
            json!({"inferenceConfig": {"maxTokens": 5}}),
        ),
        (
            r#""max_tokens":5,"max_completion_tokens":7"#,
            json!({"inferenceConfig": {"maxTokens": 7}}),
        ),
        (
            r#""max_tokens":5,"max_completion_tokens":null"#,
            json!({"inferenceConfig": {"maxTokens": 5}}),
        ),
        (
            r#""temperature":0,"top_p":1"#,
            json!({"inferenceConfig": {"temperature": 0, "topP": 1}}),
        ),
        (
            r#""stop":"END""#,
            json!({"inferenceConfig": {"stopSequences": ["END"]}}),
        ),
        (
            r#""stop":["a","","\n"]"#,
            json!({"inferenceConfig": {"stopSequences": ["a"]}}),
        ),
        (r#""stop":[""]"#, json!({})),
        (r#""stop":"""#, json!({})),
        // Of this model it is not known whether it reasons, or has tiers of its own.
        (r#""reasoning_effort":"low""#, json!({})),
        (r#""reasoning_effort":"none""#, json!({})),
        (
            r#""service_tier":"default""#,
            json!({"serviceTier": {"type": "default"}}),
        ),
        (r#""service_tier":"flex""#, json!({})),
        (r#""service_tier":"auto""#, json!({})),
        (r#""service_tier":"scale""#, json!({})),
        (
            r#""metadata":{"team":"a"}"#,
            json!({"requestMetadata": {"team": "a"}}),
        ),
        // Bedrock takes no empty map.
        (r#""metadata":{}"#, json!({})),
        (r#""metadata": { }"#, json!({})),
        (r#""response_format":{"type":"text"}"#, json!({})),
        (r#""response_format":{"type":"json_object"}"#, json!({})),
        (r#""n":1,"modalities":["text"]"#, json!({})),
        (
            r#""guardrailConfig":{"guardrailIdentifier":"g","guardrailVersion":"1","streamProcessingMode":"async"},
               "performanceConfig":{"latency":"optimized"},"promptVariables":{"a":{"text":"b"}},
               "additionalModelRequestFields":{"top_k":5},"additionalModelResponseFieldPaths":["/stop_sequence"]"#,
            json!({
                "guardrailConfig": {"guardrailIdentifier": "g", "guardrailVersion": "1", "streamProcessingMode": "async"},
                "performanceConfig": {"latency": "optimized"},
                "promptVariables": {"a": {"text": "b"}},
                "additionalModelRequestFields": {"top_k": 5},
                "additionalModelResponseFieldPaths": ["/stop_sequence"],
            }),
        ),
        (
            r#""seed":1,"logit_bias":{"50256":-100},"logprobs":true,"top_logprobs":2,"presence_penalty":0.5,
               "frequency_penalty":0.5,"user":"u","store":true,"prediction":{"type":"content","content":"x"},
               "verbosity":"low","prompt_cache_key":"k","prompt_cache_retention":"24h","safety_identifier":"s",
               "stream":true,"stream_options":{"include_usage":true,"include_obfuscation":false},
               "top_k":5,"num_ctx":4096,"whatever":[{"a":null}]"#,
            json!({}),
        ),
        (
            r#""tools":null,"tool_choice":null,"parallel_tool_calls":null,"response_format":null,"reasoning_effort":null,
               "max_completion_tokens":null,"max_tokens":null,"temperature":null,"top_p":null,"stop":null,
               "service_tier":null,"metadata":null,"stream":null,"stream_options":null,"n":null,"modalities":null,
               "audio":null,"functions":null,"function_call":null,"web_search_options":null,"guardrailConfig":null,
               "performanceConfig":null,"additionalModelRequestFields":null,"additionalModelResponseFieldPaths":null,
               "promptVariables":null,"seed":null,"user":null"#,
            json!({}),
        ),
    ] {
        assert_eq!(members(sent), expected, "{sent}");
    }
}

/// The same for a model that has tiers, levels of reasoning and schemas.
fn members_of_qwen(members: &str) -> Value {
    let body = with(members).replace(r#""model":"m""#, r#""model":"qwen.qwen3-32b-v1:0""#);
    let mut body = converse(&body);
    body.as_object_mut().unwrap().remove("messages");
    body
}

#[test]
fn tiers_and_levels_are_sent_to_those_who_have_them() {
    for (sent, expected) in [
        (
            r#""service_tier":"flex""#,
            json!({"serviceTier": {"type": "flex"}}),
        ),
        (
            r#""service_tier":"priority""#,
            json!({"serviceTier": {"type": "priority"}}),
        ),
        (
            r#""service_tier":"fast""#,
            json!({"serviceTier": {"type": "priority"}}),
        ),
        (
            r#""reasoning_effort":"xhigh""#,
            json!({"additionalModelRequestFields": {"reasoning_config": "high"}}),
        ),
    ] {
        assert_eq!(members_of_qwen(sent), expected, "{sent}");
    }
}

#[test]
fn a_schema_becomes_a_string() {
    let schema = r#"{ "type":"object", "properties":{"a\u00e9":{"const":1.50}},"additionalProperties":false }"#;
    let format = format!(
        r#""response_format":{{"json_schema":{{"schema":{schema},"strict":true,"description":"d","name":"n"}},"type":"json_schema"}}"#
    );
    assert_eq!(
        members_of_qwen(&format),
        json!({"outputConfig": {
            "textFormat": {"type": "json_schema", "structure": {"jsonSchema": {"schema": schema, "name": "n", "description": "d"}}},
        }})
    );
    // Whoever has no place for one is told.
    let body = members(&format);
    let text = body["system"][0]["text"].as_str().unwrap();
    assert!(text.ends_with(&format!(":\n{schema}")), "{text}");
}

#[test]
fn numbers_and_unknown_json_keep_their_spelling() {
    let body = with(
        r#""temperature":0.70,"top_p":1e-1,"max_tokens":18446744073709551615,"additionalModelRequestFields":{ "k" : 1.0, "k":2 , "s":"\u00e9\/" }"#,
    );
    assert_eq!(
        spelt(&body),
        concat!(
            r#"{"messages":[{"role":"user","content":[{"text":"hi"}]}],"#,
            r#""inferenceConfig":{"maxTokens":18446744073709551615,"temperature":0.70,"topP":1e-1},"#,
            r#""additionalModelRequestFields":{ "k" : 1.0, "k":2 , "s":"\u00e9\/" }}"#
        )
    );
    assert!(spelt(&with(r#""temperature":1e400"#)).contains(r#""temperature":1"#));
}

#[test]
fn what_the_members_order_or_spelling_is_does_not_matter() {
    let body = r#" { "max_tok\u0065ns" : 5 , "m\u0065ssages" : [ { "content" : "hi" , "role" : "us\u0065r" } ] ,
        "model" : "m" , "unknown" : { "messages" : 7 } } "#;
    assert_eq!(
        spelt(body),
        r#"{"messages":[{"role":"user","content":[{"text":"hi"}]}],"inferenceConfig":{"maxTokens":5}}"#
    );
}

#[test]
fn wrong_parameters_are_refused() {
    for (sent, param) in [
        (r#""max_tokens":0"#, "max_tokens"),
        (r#""max_tokens":-1"#, "max_tokens"),
        (r#""max_tokens":1.5"#, "max_tokens"),
        (r#""max_tokens":"S3CRET""#, "max_tokens"),
        (
            r#""max_completion_tokens":18446744073709551616"#,
            "max_completion_tokens",
        ),
        (r#""max_tokens":5,"max_tokens":6"#, "max_tokens"),
        (r#""max_tokens":5,"max_tok\u0065ns":6"#, "max_tokens"),
        (r#""temperature":"S3CRET""#, "temperature"),
        (r#""temperature":{}"#, "temperature"),
        (r#""top_p":true"#, "top_p"),
        (r#""stop":7"#, "stop"),
        (r#""stop":["S3CRET",7]"#, "stop[1]"),
        (r#""stop":{"S3CRET":1}"#, "stop"),
        (r#""n":2"#, "n"),
        (r#""n":0"#, "n"),
        (r#""n":"S3CRET""#, "n"),
        (r#""modalities":["text","audio"]"#, "modalities"),
        (r#""modalities":"S3CRET""#, "modalities"),
        (r#""audio":{"voice":"S3CRET","format":"wav"}"#, "audio"),
        (r#""web_search_options":{}"#, "web_search_options"),
        (r#""reasoning_effort":"""#, "reasoning_effort"),
        (
            r#""reasoning_effort":"S3CRET-and-more-than-that""#,
            "reasoning_effort",
        ),
        (r#""reasoning_effort":7"#, "reasoning_effort"),
        (r#""service_tier":"S3CRET""#, "service_tier"),
        (r#""service_tier":7"#, "service_tier"),
        (r#""metadata":"S3CRET""#, "metadata"),
        (r#""metadata":["S3CRET"]"#, "metadata"),
        (r#""stream_options":"S3CRET""#, "stream_options"),
        (r#""stream_options":[true]"#, "stream_options"),
        (
            r#""stream_options":{"include_usage":"S3CRET"}"#,
            "stream_options.include_usage",
        ),
        (r#""response_format":"S3CRET""#, "response_format"),
        (r#""response_format":["text"]"#, "response_format"),
        (r#""response_format":{}"#, "response_format.type"),
        (
            r#""response_format":{"type":"S3CRET"}"#,
            "response_format.type",
        ),
        (
            r#""response_format":{"type":"json_schema"}"#,
            "response_format.json_schema.schema",
        ),
        (
            r#""response_format":{"type":"json_schema","json_schema":{"name":"S3CRET"}}"#,
            "response_format.json_schema.schema",
        ),
        (
            r#""response_format":{"type":"json_schema","json_schema":{"name":"n","schema":"S3CRET"}}"#,
            "response_format.json_schema.schema",
        ),
        (
            r#""response_format":{"type":"json_schema","json_schema":"S3CRET"}"#,
            "response_format.json_schema",
        ),
        (r#""guardrailConfig":"S3CRET""#, "guardrailConfig"),
        (r#""performanceConfig":7"#, "performanceConfig"),
        (r#""promptVariables":[]"#, "promptVariables"),
        (
            r#""additionalModelRequestFields":"S3CRET""#,
            "additionalModelRequestFields",
        ),
        (
            r#""additionalModelResponseFieldPaths":"S3CRET""#,
            "additionalModelResponseFieldPaths",
        ),
        (
            r#""additionalModelResponseFieldPaths":{"S3CRET":1}"#,
            "additionalModelResponseFieldPaths",
        ),
    ] {
        let (found, message) = wrong(&with(sent));
        assert_eq!(found, param, "{sent}: {message}");
        assert!(message.starts_with(&format!("\"{param}\" ")), "{message}");
    }
}

#[test]
fn the_operators_limits_hold() {
    let guardrail = Guardrail {
        id: "op".into(),
        version: "2".into(),
        trace: Some("enabled".into()),
    };
    let rules = Settings {
        max_output_tokens: Some(100),
        guardrail: Some(&guardrail),
        ..settings()
    };
    for (sent, limit) in [
        (r#""max_tokens":99"#, 99),
        (r#""max_tokens":101"#, 100),
        (
            r#""max_completion_tokens":18446744073709551615,"max_tokens":1"#,
            100,
        ),
        (r#""max_tokens":null"#, 100),
    ] {
        let body = format!(r#"{sent},"guardrailConfig":{{"guardrailIdentifier":"mine"}}"#);
        let body: Value = serde_json::from_str(&spelt_for(&rules, &with(&body))).unwrap();
        assert_eq!(
            body["inferenceConfig"],
            json!({"maxTokens": limit}),
            "{sent}"
        );
        assert_eq!(
            body["guardrailConfig"],
            json!({"guardrailIdentifier": "op", "guardrailVersion": "2", "trace": "enabled"})
        );
    }
    for fields in [
        r#"{"max_tokens":101}"#,
        r#"{"max_tokens":1,"max_tokens":101}"#,
        r#"{"inferenceConfig":{"maxTokens":"9"}}"#,
    ] {
        let body = with(&format!(r#""additionalModelRequestFields":{fields}"#));
        let refusal = planned(CHAT, &rules, &[JSON], &body).unwrap_err();
        assert_eq!(refusal.status, 403, "{fields}");
    }
}
