//! Messages requests: which way they go to Bedrock, and what invoke and CountTokens get.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod common;
#[path = "common/messages.rs"]
mod messages;
#[path = "common/planning.rs"]
mod planning;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use common::settings;
use gateway::bedrock::Operation;
use gateway::family;
use gateway::settings::{Anthropic, Betas, Via};
use gateway::{Api, Body, Guardrail, Segment, Settings, inspect};
use messages::{CLAUDE, COUNT, MESSAGES, asked, by_converse, refused};
use planning::{JSON, header, planned, sent};
use serde_json::{Value, json};

#[test]
fn paths_show_the_dialect() {
    for (path, api, operation) in [
        ("/v1/messages", Api::Anthropic, Operation::Converse),
        (
            "/x/v1/messages?beta=true",
            Api::Anthropic,
            Operation::Converse,
        ),
        ("/messages/", Api::Anthropic, Operation::Converse),
        (
            "/v1/messages/count_tokens?beta=true",
            Api::Anthropic,
            Operation::CountTokens,
        ),
        ("/chat", Api::Converse, Operation::Converse),
    ] {
        let found = inspect(None, "POST", path, Some(br#"{"model":"m"}"#)).unwrap();
        assert_eq!(
            (found.api, found.operation),
            (api, Some(operation)),
            "{path}"
        );
    }
    for path in ["/v1/messages", "/v1/messages/count_tokens"] {
        assert_eq!(inspect(None, "GET", path, None).unwrap_err().status, 405);
    }
    let models = inspect(Some(Api::Anthropic), "GET", "/v1/models/a", None).unwrap();
    assert_eq!(models.operation, Some(Operation::ListModels));
    assert_eq!(models.requested_model.as_deref(), Some("a"));
}

#[test]
fn the_route_is_decided_by_the_model_that_is_called_and_by_the_operator() {
    let aliases = [
        ("claude".to_owned(), CLAUDE.to_owned()),
        (
            "claude-like".to_owned(),
            "us.amazon.nova-lite-v1:0".to_owned(),
        ),
    ];
    let profile = "arn:aws:bedrock:us-east-1:1:application-inference-profile/abc";
    let arn = "arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-x-v1:0";
    for (model, via, whole, stream) in [
        (
            "claude",
            Via::Auto,
            Operation::Invoke,
            Operation::InvokeStream,
        ),
        (
            CLAUDE,
            Via::Auto,
            Operation::Invoke,
            Operation::InvokeStream,
        ),
        (arn, Via::Auto, Operation::Invoke, Operation::InvokeStream),
        (
            CLAUDE,
            Via::Converse,
            Operation::Converse,
            Operation::ConverseStream,
        ),
        (
            "claude-like",
            Via::Auto,
            Operation::Converse,
            Operation::ConverseStream,
        ),
        (
            profile,
            Via::Auto,
            Operation::Converse,
            Operation::ConverseStream,
        ),
        (
            profile,
            Via::Invoke,
            Operation::Invoke,
            Operation::InvokeStream,
        ),
    ] {
        let operators = Settings {
            aliases: &aliases,
            anthropic: Anthropic {
                via,
                ..Anthropic::default()
            },
            ..settings()
        };
        for (stream, operation) in [(false, whole), (true, stream)] {
            let body = json!({"model": model, "stream": stream, "max_tokens": 9, "messages": [{"role": "user", "content": "x"}]});
            let (plan, sent) = asked(&body, &operators, &[]);
            assert_eq!(plan.operation, operation, "{model}");
            assert!(plan.target.ends_with(operation.verb()), "{}", plan.target);
            assert_eq!(sent.get("model"), None);
            assert_eq!(sent.get("stream"), None);
        }
    }
}

#[test]
fn invoke_gets_the_body_byte_for_byte_but_for_model_stream_and_version() {
    let image = "A".repeat(4000);
    let body = format!(
        r#"{{ "model":"{CLAUDE}", "max_tokens" : 10, "temperature":1.0, "stream": true,
 "messages":[{{"role":"user","content":[{{"type":"image","source":{{"type":"base64","media_type":"image/png","data":"{image}"}}}},{{"type":"text","text":"\u00e9\n"}}]}}] }}"#
    );
    let plan = planned(MESSAGES, &settings(), &[], &body).unwrap();
    assert_eq!(
        sent(&plan, &body),
        format!(
            r#"{{ "max_tokens" : 10, "temperature":1.0,
 "messages":[{{"role":"user","content":[{{"type":"image","source":{{"type":"base64","media_type":"image/png","data":"{image}"}}}},{{"type":"text","text":"\u00e9\n"}}]}}],"anthropic_version":"bedrock-2023-05-31" }}"#
        )
    );
    let Body::Spliced(segments) = &plan.body else {
        panic!()
    };
    let longest_new = segments.iter().map(|segment| match segment {
        Segment::New(bytes) => bytes.len(),
        Segment::Kept(_) => 0,
    });
    assert!(longest_new.max().unwrap() < 100);
}

#[test]
fn a_version_of_the_client_stays() {
    let body = json!({"model": CLAUDE, "anthropic_version": "2026-10-21", "max_tokens": 1, "messages": []});
    let (_, sent) = asked(&body, &settings(), &[]);
    assert_eq!(sent["anthropic_version"], "2026-10-21");
}

#[test]
fn what_invoke_refuses_is_left_out() {
    let body = json!({
        "model": CLAUDE, "max_tokens": 5000, "messages": [], "service_tier": "auto", "container": "x", "mcp_servers": [],
        "metadata": {"user_id": "u"}, "thinking": {"type": "enabled", "budget_tokens": 1024}, "top_k": 5, "inference_geo": "us",
        "output_config": {"effort": "low"}, "context_management": {"edits": []}, "system": "s", "cache_control": {"type": "ephemeral"},
    });
    let (_, sent) = asked(&body, &settings(), &[]);
    let mut left: Vec<&str> = sent
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    left.sort_unstable();
    assert_eq!(
        left,
        [
            "anthropic_version",
            "max_tokens",
            "messages",
            "metadata",
            "system",
            "thinking"
        ]
    );
}

#[test]
fn the_scope_of_cache_points_is_left_out() {
    let body = r#"{"model":"anthropic.claude-sonnet-4-6","max_tokens":1,"anthropic_version":"v",
"system":[{"type":"text","text":"\"scope\"","cache_control":{"type":"ephemeral","ttl":"1h","scope":"global"}}],
"tools":[{"name":"t","input_schema":{"type":"object","scope":1},"cache_control":{"scope":"global","type":"ephemeral","ttl" : "1h"}}],
"messages":[{"role":"user","content":"q"},{"role":"assistant","content":[{"type":"tool_use","id":"a","name":"t","input":{"scope":1}}]},
{"role":"user","content":[{"type":"tool_result","tool_use_id":"a","content":[{"type":"text","text":"x","cache_control":{"scope":"global","type":"ephemeral", "ttl":"1h"}}],"cache_control":{"type":"ephemeral", "scope":"x", "ttl":"1h"}}]}]}"#;
    let plan = planned(MESSAGES, &settings(), &[], body).unwrap();
    assert_eq!(
        sent(&plan, body),
        r#"{"max_tokens":1,"anthropic_version":"v",
"system":[{"type":"text","text":"\"scope\"","cache_control":{"type":"ephemeral","ttl":"1h"}}],
"tools":[{"name":"t","input_schema":{"type":"object","scope":1},"cache_control":{"type":"ephemeral","ttl" : "1h"}}],
"messages":[{"role":"user","content":"q"},{"role":"assistant","content":[{"type":"tool_use","id":"a","name":"t","input":{"scope":1}}]},
{"role":"user","content":[{"type":"tool_result","tool_use_id":"a","content":[{"type":"text","text":"x","cache_control":{"type":"ephemeral", "ttl":"1h"}}],"cache_control":{"type":"ephemeral", "ttl":"1h"}}]}]}"#
    );
}

#[test]
fn beta_flags_go_from_the_header_into_the_body_each_once() {
    let betas = |in_body: Value, headers: &[(&str, &str)], beta: Betas<'_>| {
        let operators = Settings {
            anthropic: Anthropic {
                via: Via::Auto,
                beta,
            },
            ..settings()
        };
        let mut body = json!({"model": CLAUDE, "max_tokens": 1, "messages": []});
        if !in_body.is_null() {
            body["anthropic_beta"] = in_body;
        }
        asked(&body, &operators, headers).1["anthropic_beta"].clone()
    };
    let header = [
        ("Anthropic-Beta", "a-1, b-2,,a-1"),
        ("anthropic-beta", "c-3"),
    ];
    assert_eq!(betas(Value::Null, &[], Betas::Pass), Value::Null);
    assert_eq!(
        betas(Value::Null, &header, Betas::Pass),
        json!(["a-1", "b-2", "c-3"])
    );
    assert_eq!(
        betas(json!(["b-2", "z"]), &header, Betas::Pass),
        json!(["b-2", "z", "a-1", "c-3"])
    );
    let only = ["b-*".to_owned(), "z".to_owned()];
    assert_eq!(
        betas(json!(["z", "y"]), &header, Betas::Only(&only)),
        json!(["z", "b-2"])
    );
    assert_eq!(betas(json!(["z"]), &header, Betas::Only(&[])), Value::Null);
    let bad = json!({"model": CLAUDE, "max_tokens": 1, "messages": [], "anthropic_beta": "a"});
    assert_eq!(
        refused(&bad, &settings()).param.as_deref(),
        Some("anthropic_beta")
    );
}

#[test]
fn the_clients_headers_stay_here() {
    let headers = [
        JSON,
        ("accept", "application/json"),
        ("anthropic-version", "2023-06-01"),
        ("anthropic-beta", "b"),
        ("x-api-key", "secret"),
        ("authorization", "Bearer secret"),
        ("x-stainless-lang", "python"),
        ("anthropic-dangerous-direct-browser-access", "true"),
        ("user-agent", "sdk/1"),
        ("x-claude-code-session-id", "s"),
    ];
    for model in [CLAUDE, "amazon.nova-lite-v1:0"] {
        let body = json!({"model": model, "max_tokens": 1, "messages": [{"role": "user", "content": "x"}]});
        let (plan, _) = asked(&body, &settings(), &headers);
        let mut names: Vec<&str> = plan.headers.iter().map(|(name, _)| name.as_ref()).collect();
        names.sort_unstable();
        assert_eq!(
            names,
            ["accept-encoding", "content-type", "user-agent"],
            "{model}"
        );
        assert_eq!(header(&plan, "content-type"), Some("application/json"));
    }
}

#[test]
fn tools_that_anthropic_runs_are_left_out_unless_one_must_be_called() {
    let own = json!({"name": "t", "input_schema": {"type": "object", "properties": {}}});
    let search = json!({"type": "web_search_20250305", "name": "web_search"});
    let body = |tools: &Value, choice: Value| {
        json!({"model": CLAUDE, "max_tokens": 1, "messages": [{"role": "user", "content": "x"}], "tools": tools,
            "tool_choice": choice})
    };
    let both = json!([own, search]);
    let (plan, sent) = asked(&body(&both, json!({"type": "any"})), &settings(), &[]);
    assert_eq!(sent["tools"], json!([own]));
    assert_eq!(sent["tool_choice"], json!({"type": "any"}));
    assert!(plan.note.unwrap().contains("tools[].web_search"));
    let (plan, sent) = asked(&body(&both, json!({"type": "auto"})), &by_converse(), &[]);
    assert_eq!(sent["toolConfig"]["tools"].as_array().unwrap().len(), 1);
    assert!(plan.note.unwrap().contains("tools[].web_search"));
    let alone = json!([search]);
    for settings in [settings(), by_converse()] {
        let (_, sent) = asked(&body(&alone, json!({"type": "auto"})), &settings, &[]);
        for name in ["tools", "tool_choice", "toolConfig"] {
            assert_eq!(sent[name], Value::Null, "{name}");
        }
        let named = json!({"type": "tool", "name": "web_search"});
        for (tools, choice) in [
            (&alone, json!({"type": "any"})),
            (&alone, named.clone()),
            (&both, named),
        ] {
            let refusal = refused(&body(tools, choice.clone()), &settings);
            assert_eq!(refusal.status, 400, "{choice}");
        }
    }
    let body = json!({"model": CLAUDE, "max_tokens": 1, "messages": [],
        "tools": [{"type": "bash_20250124", "name": "bash"}, {"type": "custom", "name": "t", "input_schema": {"type": "object"}}]});
    assert_eq!(asked(&body, &settings(), &[]).1["tools"], body["tools"]);
}

#[test]
fn the_operators_rules_hold_on_every_route() {
    let guardrail = Guardrail {
        id: "gr".to_owned(),
        version: "7".to_owned(),
        trace: None,
    };
    let allowed = ["us.anthropic.*".to_owned()];
    let rules = |via| Settings {
        max_output_tokens: Some(100),
        guardrail: Some(&guardrail),
        allow_models: &allowed,
        anthropic: Anthropic {
            via,
            ..Anthropic::default()
        },
        ..settings()
    };
    let body = |model: &str| json!({"model": model, "max_tokens": 5000, "messages": [{"role": "user", "content": "x"}]});
    let (plan, sent) = asked(
        &body(CLAUDE),
        &rules(Via::Auto),
        &[("x-amzn-bedrock-guardrailidentifier", "mine")],
    );
    assert_eq!(sent["max_tokens"], 100);
    assert_eq!(
        header(&plan, "x-amzn-bedrock-guardrailidentifier"),
        Some("gr")
    );
    assert_eq!(header(&plan, "x-amzn-bedrock-guardrailversion"), Some("7"));
    let (_, sent) = asked(&body(CLAUDE), &rules(Via::Converse), &[]);
    assert_eq!(sent["inferenceConfig"]["maxTokens"], 100);
    assert_eq!(
        sent["guardrailConfig"],
        json!({"guardrailIdentifier": "gr", "guardrailVersion": "7"})
    );
    assert_eq!(
        refused(&body("amazon.nova-lite-v1:0"), &rules(Via::Auto)).status,
        403
    );
    let opaque = "arn:aws:bedrock:us-east-1:1:application-inference-profile/abc";
    let rules = Settings {
        allow_models: &[],
        ..rules(Via::Invoke)
    };
    assert_eq!(asked(&body(opaque), &rules, &[]).1["max_tokens"], 100);
}

#[test]
fn a_clients_guardrail_headers_count_on_both_routes() {
    let headers = [
        ("X-Amzn-Bedrock-GuardrailIdentifier", "mine"),
        ("X-Amzn-Bedrock-GuardrailVersion", "DRAFT"),
    ];
    let body =
        json!({"model": CLAUDE, "max_tokens": 1, "messages": [{"role": "user", "content": "x"}]});
    let (plan, _) = asked(&body, &settings(), &headers);
    assert_eq!(
        header(&plan, "x-amzn-bedrock-guardrailidentifier"),
        Some("mine")
    );
    let (_, sent) = asked(&body, &by_converse(), &headers);
    assert_eq!(
        sent["guardrailConfig"],
        json!({"guardrailIdentifier": "mine", "guardrailVersion": "DRAFT"})
    );
}

#[test]
fn images_are_not_copied_on_either_route() {
    let data = "A".repeat(1 << 20);
    for settings in [settings(), by_converse()] {
        let body = json!({"model": CLAUDE, "max_tokens": 1, "messages": [{"role": "user", "content": [
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": data}}]}]});
        let plan = planned(MESSAGES, &settings, &[], &body.to_string()).unwrap();
        let Body::Spliced(segments) = &plan.body else {
            panic!()
        };
        let is_image =
            |segment: &Segment| matches!(segment, Segment::Kept(range) if range.len() >= 1 << 20);
        assert!(segments.iter().any(is_image));
    }
}

#[test]
fn tokens_are_counted_in_the_form_of_the_route() {
    let count = |model: &str, with: Value| {
        let mut body = json!({"model": model, "messages": [{"role": "user", "content": "Hi"}]});
        body.as_object_mut()
            .unwrap()
            .extend(with.as_object().unwrap().clone());
        let body = body.to_string();
        let plan = planned(
            COUNT,
            &settings(),
            &[("anthropic-beta", "interleaved-thinking-2025-05-14")],
            &body,
        )
        .unwrap();
        assert_eq!(plan.operation, Operation::CountTokens);
        let sent: Value = serde_json::from_str(&sent(&plan, &body)).unwrap();
        (plan.target, sent)
    };
    let (target, sent) = count(CLAUDE, json!({"system": "s"}));
    assert_eq!(
        target,
        "/model/anthropic.claude-sonnet-4-5-20250929-v1%3A0/count-tokens"
    );
    let inner = STANDARD
        .decode(sent["input"]["invokeModel"]["body"].as_str().unwrap())
        .unwrap();
    assert_eq!(
        serde_json::from_slice::<Value>(&inner).unwrap(),
        json!({
            "messages": [{"role": "user", "content": "Hi"}], "system": "s", "anthropic_version": "bedrock-2023-05-31",
            "anthropic_beta": ["interleaved-thinking-2025-05-14"], "max_tokens": 1024,
        })
    );
    let (_, sent) = count(
        CLAUDE,
        json!({"thinking": {"type": "enabled", "budget_tokens": 5000}}),
    );
    let inner = STANDARD
        .decode(sent["input"]["invokeModel"]["body"].as_str().unwrap())
        .unwrap();
    assert_eq!(
        serde_json::from_slice::<Value>(&inner).unwrap()["max_tokens"],
        6024
    );
    let by_converse = messages::by_converse();
    let body = json!({"model": CLAUDE, "messages": [{"role": "user", "content": "Hi"}], "system": "s", "max_tokens": 9,
        "temperature": 1, "stop_sequences": ["x"], "tools": [{"name": "t", "input_schema": {"type": "object"}}]});
    let body = body.to_string();
    let plan = planned(COUNT, &by_converse, &[], &body).unwrap();
    assert_eq!(
        plan.target,
        "/model/anthropic.claude-sonnet-4-5-20250929-v1%3A0/count-tokens"
    );
    let sent: Value = serde_json::from_str(&planning::sent(&plan, &body)).unwrap();
    assert_eq!(
        sent,
        json!({"input": {"converse": {
            "messages": [{"role": "user", "content": [{"text": "Hi"}]}], "system": [{"text": "s"}],
            "toolConfig": {"tools": [{"toolSpec": {"name": "t", "inputSchema": {"json": {"type": "object"}}}}]},
        }}})
    );
}

#[test]
fn where_nothing_counts_tokens_that_is_said() {
    for (model, reason) in [
        ("us.amazon.nova-lite-v1:0", "not of its family (nova-1)"),
        (
            "us.anthropic.claude-opus-5-5",
            "bedrock-mantle only (claude-opus-5-5)",
        ),
        ("moonshotai.kimi-k2-thinking", "(kimi-k2)"),
    ] {
        let body = json!({"model": model, "messages": [{"role": "user", "content": "Hi"}]});
        let refusal = planned(COUNT, &settings(), &[], &body.to_string()).unwrap_err();
        assert_eq!(
            (refusal.status, refusal.param.as_deref()),
            (400, Some("model"))
        );
        assert!(refusal.message.contains(reason), "{}", refusal.message);
    }
}

#[test]
fn what_the_operator_says_is_claude_goes_by_invoke() {
    let profile = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/a1";
    let named = |name: &str| family::Directed::read(name).unwrap();
    let aliases = [
        ("claude-sonnet-4-6".to_owned(), profile.to_owned()),
        ("smart".to_owned(), profile.to_owned()),
    ];
    let said = [("smart".to_owned(), named("claude-4-6"))];
    let patterns = [("*claude-opus-5*".to_owned(), named("unknown"))];
    let location = Settings {
        aliases: &aliases,
        families: family::Rules {
            aliases: &said,
            families: &patterns,
            ..family::Rules::default()
        },
        ..settings()
    };
    for (model, operation, family) in [
        ("smart", Operation::Invoke, "claude-4-6"),
        // A name may stand for any model: Converse is what all understand.
        ("claude-sonnet-4-6", Operation::Converse, "claude-4-6"),
        ("us.anthropic.claude-opus-5", Operation::Converse, "unknown"),
        (
            "in.anthropic.claude-sonnet-4-6",
            Operation::Invoke,
            "claude-4-6",
        ),
    ] {
        let body = json!({"model": model, "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]});
        let (plan, _) = asked(&body, &location, &[]);
        assert_eq!(
            (plan.operation, plan.family.unwrap().name),
            (operation, family),
            "{model}"
        );
    }
}
