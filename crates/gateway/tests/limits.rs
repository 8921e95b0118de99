//! What the operator's rules do to a request, and that each attempt starts from the client's own.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

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

/// What goes on of a request, or the status of its refusal.
fn outcome(target: &str, rules: &Settings<'_>, body: &str) -> Result<String, u16> {
    planned(target, rules, &[JSON], body)
        .map(|plan| sent(&plan, body))
        .map_err(|refusal| refusal.status)
}

fn limited_to(cap: u64) -> Settings<'static> {
    Settings {
        max_output_tokens: Some(cap),
        ..settings()
    }
}

#[test]
fn what_cannot_be_checked_is_refused() {
    let rules = limited_to(100);
    let many: String = (0..10_001).map(|i| format!("\"k{i}\":1,")).collect();
    for fields in [
        format!(r#"{{{many}"max_tokens":9999}}"#),
        r#"[{"max_tokens":9999}]"#.to_owned(),
        r#""max_tokens""#.to_owned(),
        "7".to_owned(),
        r#"{"MAX_TOKENS":101}"#.to_owned(),
        r#"{"max\u005ftokens":101}"#.to_owned(),
        r#"{"parameters":{"max_new_tokens":101}}"#.to_owned(),
        r#"{"generation_config":{"a":[[{"max_new_tokens":101}]]}}"#.to_owned(),
        r#"{"max_tokens":null}"#.to_owned(),
        r#"{"n":2}"#.to_owned(),
        r#"{"x":{"best_of":3}}"#.to_owned(),
        r#"{"num_generations":5}"#.to_owned(),
        r#"{"candidate_count":"1"}"#.to_owned(),
        r#"{"thinking_budget":101}"#.to_owned(),
        r#"{"thinking":[{"budget_tokens":101}]}"#.to_owned(),
        r#"{"reasoningConfig":{"type":"enabled","maxReasoningEffort":"high"}}"#.to_owned(),
        format!(
            r#"{{"a":{}{{"max_tokens":9999}}{}}}"#,
            "[".repeat(2000),
            "]".repeat(2000)
        ),
    ] {
        let fields = format!(r#""additionalModelRequestFields":{fields}"#);
        let shown = &fields[..fields.len().min(200)];
        for (target, body) in [
            (
                "/model/m/converse",
                format!(r#"{{"messages":[],{fields}}}"#),
            ),
            (
                "/chat",
                format!(r#"{{"model":"m","messages":[],{fields}}}"#),
            ),
        ] {
            assert_eq!(outcome(target, &rules, &body), Err(403), "{shown}");
        }
        // OpenAI's clients are told that this must be an object.
        let body =
            format!(r#"{{"model":"m","messages":[{{"role":"user","content":"x"}}],{fields}}}"#);
        let status = outcome("/v1/chat/completions", &rules, &body).unwrap_err();
        assert!(matches!(status, 400 | 403), "{shown}: {status}");
    }
    for fields in [
        r#"{"top_k":500,"n":1,"tools":[{"input_schema":{"properties":{"max_tokens":{}}}}]}"#,
        r#"{"reasoningConfig":{"type":"enabled","maxReasoningEffort":"low"}}"#,
        "null",
        "{}",
    ] {
        let body = format!(r#"{{"additionalModelRequestFields":{fields}}}"#);
        let goes_on = outcome("/model/m/converse", &rules, &body).unwrap();
        assert!(goes_on.contains(&format!(r#""additionalModelRequestFields":{fields},"#)));
    }
}

#[test]
fn an_invoke_cannot_ask_for_more_under_another_name() {
    let rules = limited_to(100);
    for (model, more) in [
        ("mistral.m", r#""n":2"#),
        ("mistral.m", r#""max_completion_tokens":101"#),
        ("mistral.m", r#""parameters":{"max_new_tokens":101}"#),
        ("mistral.m", r#""generation_config":{"max_new_tokens":101}"#),
        ("mistral.m", r#""Max_Tokens":101"#),
        ("cohere.command-r", r#""num_generations":2"#),
        ("meta.llama3", r#""max_tokens":101"#),
        ("meta.llama3", r#""best\u005fof":2"#),
        (
            "amazon.nova-lite",
            r#""inferenceConfig":{"max_new_tokens":101}"#,
        ),
        ("amazon.nova-lite", r#""inferenceConfig":{"MaxTokens":101}"#),
        (
            "amazon.nova-2-lite",
            r#""inferenceConfig":{"reasoningConfig":{"maxReasoningEffort":"high"}}"#,
        ),
        (
            "amazon.titan-text-x",
            r#""textGenerationConfig":{"maxTokens":101}"#,
        ),
        ("anthropic.c", r#""max_tokens_to_sample":101"#),
        ("anthropic.c", r#""thinking":[{"budget_tokens":101}]"#),
    ] {
        let body = format!(r#"{{"messages":[{{"max_tokens":999}}],{more}}}"#);
        for verb in ["invoke", "invoke-with-response-stream"] {
            let target = format!("/model/{model}/{verb}");
            assert_eq!(outcome(&target, &rules, &body), Err(403), "{model} {body}");
            assert_eq!(
                outcome(&target, &settings(), &body).as_ref(),
                Ok(&body),
                "{model}"
            );
        }
    }
    // Bedrock's own OpenAI and Anthropic paths.
    let native = |api: &str, more: &str| {
        let body = format!(r#"{{"model":"m","messages":[],"input":[{{"n":5}}],{more}}}"#);
        let target = format!("/{api}");
        let request = inspect(
            Some(gateway::Api::Native),
            "POST",
            &target,
            Some(body.as_bytes()),
        )
        .unwrap();
        plan(&request, &rules, &[JSON], body.as_bytes())
            .map(|plan| sent(&plan, &body))
            .map_err(|refusal| refusal.status)
    };
    for (api, more) in [
        ("openai/v1/chat/completions", r#""n":2"#),
        ("openai/v1/chat/completions", r#""max_new_tokens":101"#),
        (
            "openai/v1/chat/completions",
            r#""extra_body":{"max_tokens":101}"#,
        ),
        ("openai/v1/responses", r#""max_tokens":101"#),
        ("openai/v1/responses", r#""background":true"#),
        ("openai/v1/responses", r#""background":1"#),
        ("openai/v1/responses", r#""backgr\u006fund":true"#),
        ("anthropic/v1/messages", r#""max_tokens_to_sample":101"#),
    ] {
        assert_eq!(native(api, more), Err(403), "{api} {more}");
    }
    for (api, more) in [
        ("openai/v1/chat/completions", r#""n":1,"max_tokens":100"#),
        (
            "openai/v1/responses",
            r#""background":false,"max_output_tokens":9"#,
        ),
        ("anthropic/v1/messages", r#""max_tokens":7"#),
    ] {
        assert!(native(api, more).unwrap().contains(more), "{api} {more}");
    }
}

#[test]
fn background_responses_are_never_sent() {
    for (model, status) in [("m", 400), ("openai.gpt-5.4", 403)] {
        let body = format!(r#"{{"model":"{model}","input":"x","background":true}}"#);
        assert_eq!(
            outcome("/openai/v1/responses", &settings(), &body),
            Err(status),
            "{model}"
        );
    }
}

#[test]
fn no_request_narrows_what_the_guardrail_looks_at() {
    let guardrail = Guardrail {
        id: "gr1".into(),
        version: "2".into(),
        trace: None,
    };
    let rules = Settings {
        guardrail: Some(&guardrail),
        ..settings()
    };
    for body in [
        r#"{"messages":[{"content":[{"guardContent":{"text":{"text":"x"}}},{"text":"y"}]}]}"#,
        r#"{"messages":[],"system":[{"guard\u0043ontent":{}}]}"#,
        r#"{"messages":[],"additionalModelRequestFields":{"amazon-bedrock-guardrailConfig":{"tagSuffix":"x"}}}"#,
        r#"{"messages":[],"additionalModelRequestFields":{"messages":[]}}"#,
        r#"{"messages":[],"additionalModelRequestFields":{"syst\u0065m":"x"}}"#,
        r#"{"messages":[],"additionalModelRequestFields":{"INPUTTEXT":"x"}}"#,
        r#"{"messages":[],"additionalModelRequestFields":["prompt"]}"#,
        r#"{"messages":[],"additionalModelRequestFields":[{"Amazon-Bedrock-x":1}]}"#,
    ] {
        assert_eq!(
            outcome("/model/m/converse", &rules, body),
            Err(403),
            "{body}"
        );
        assert_eq!(
            outcome("/model/m/converse", &settings(), body).as_deref(),
            Ok(body)
        );
    }
    let body = r#"{"amazon-bedrock-guardrailConfig":{"tagSuffix":"x"},"prompt":"y","AMAZON-bedrock-guardrailDetails":1,"amazon\u002dbedrock-x":{}}"#;
    for (target, goes_on) in [
        ("/model/m/invoke", r#"{"prompt":"y"}"#),
        (
            "/model/meta.l/invoke-with-response-stream",
            r#"{"prompt":"y"}"#,
        ),
    ] {
        assert_eq!(outcome(target, &rules, body).as_deref(), Ok(goes_on));
        assert_eq!(outcome(target, &settings(), body).as_deref(), Ok(body));
    }
    assert_eq!(
        outcome("/model/m/invoke", &rules, r#"[{"prompt":"y"}]"#),
        Err(400)
    );
}

#[test]
fn a_budget_for_thinking_fits_below_the_limit_or_goes() {
    let thinks = r#"{"type":"enabled","budget_tokens":8000}"#;
    let lower = r#"{"type":"enabled","budget_tokens":1500}"#;
    let management = r#"{"edits":[{"type":"clear_thinking_20251015"}]}"#;
    for (cap, wanted) in [(3000, Some(lower)), (500, None), (10_000, Some(thinks))] {
        let rules = limited_to(cap);
        let max = cap.min(9000);
        let member = wanted.map_or(String::new(), |json| format!(r#","thinking":{json}"#));
        // Invoke, native; Bedrock's own Messages.
        let rest = r#""messages":[]"#;
        let body = format!(r#"{{{rest},"max_tokens":9000,"thinking":{thinks}}}"#);
        let goes_on = format!(r#"{{{rest},"max_tokens":{max}{member}}}"#);
        assert_eq!(
            outcome("/model/anthropic.c/invoke", &rules, &body),
            Ok(goes_on)
        );
        // Messages through invoke, with what depends on thinking.
        let user = r#""messages":[{"role":"user","content":"x"}]"#;
        let body = format!(
            r#"{{"model":"anthropic.c",{user},"max_tokens":9000,"thinking":{thinks},"context_management":{management}}}"#
        );
        let goes_on = outcome("/v1/messages", &rules, &body).unwrap();
        let kept = wanted.map(|json| format!(r#""thinking":{json}"#));
        match &kept {
            Some(kept) => assert!(goes_on.contains(kept), "{goes_on}"),
            None => assert!(!goes_on.contains("thinking"), "{goes_on}"),
        }
        // Bedrock refuses that edit, whatever is thought.
        assert!(!goes_on.contains("context_management"), "{goes_on}");
        // Messages through Converse.
        let through_converse = Settings {
            anthropic: gateway::settings::Anthropic {
                via: gateway::settings::Via::Converse,
                ..gateway::settings::Anthropic::default()
            },
            ..rules.clone()
        };
        let body = body.replace("anthropic.c", "anthropic.claude-sonnet-4-5");
        let goes_on = outcome("/v1/messages", &through_converse, &body).unwrap();
        match &kept {
            Some(kept) => assert!(goes_on.contains(kept), "{goes_on}"),
            None => assert!(!goes_on.contains("thinking"), "{goes_on}"),
        }
        // Converse, and OpenAI's clients: both spellings.
        for name in ["thinking", "reasoning_config"] {
            let fields = format!(r#""additionalModelRequestFields":{{"{name}":{thinks}}}"#);
            let wanted = wanted.map_or("{}".to_owned(), |json| format!(r#"{{"{name}":{json}}}"#));
            let wanted = format!(r#""additionalModelRequestFields":{wanted}"#);
            for (target, body) in [
                (
                    "/model/anthropic.c/converse",
                    format!(r#"{{{rest},"inferenceConfig":{{"maxTokens":9000}},{fields}}}"#),
                ),
                (
                    "/v1/chat/completions",
                    format!(r#"{{"model":"anthropic.c",{user},"max_tokens":9000,{fields}}}"#),
                ),
            ] {
                let goes_on = outcome(target, &rules, &body).unwrap();
                assert!(goes_on.contains(&wanted), "{target} {goes_on}");
                let limit = format!(r#""maxTokens":{max}"#);
                assert!(goes_on.contains(&limit), "{target} {goes_on}");
            }
        }
    }
    // Without a limit of the operator's nothing changes.
    let body = format!(r#"{{"messages":[],"max_tokens":100,"thinking":{thinks}}}"#);
    assert_eq!(
        outcome("/model/anthropic.c/invoke", &settings(), &body),
        Ok(body.clone())
    );
}

#[test]
fn every_model_that_a_request_names_has_to_be_allowed() {
    let allowed = ["allowed.*".to_owned(), "anthropic.claude-a".to_owned()];
    let aliases = [("fast".to_owned(), "allowed.x".to_owned())];
    let rules = Settings {
        allow_models: &allowed,
        aliases: &aliases,
        ..settings()
    };
    let targets = [
        ("/model/allowed.m/converse", ""),
        ("/model/allowed.m/invoke", ""),
        ("/model/anthropic.claude-a/invoke", ""),
        ("/openai/v1/responses", r#""model":"allowed.m","#),
        ("/anthropic/v1/messages", r#""model":"allowed.m","#),
        ("/v1/chat/completions", r#""model":"allowed.m","#),
        (
            "/v1/messages",
            r#""model":"anthropic.claude-a","max_tokens":9,"#,
        ),
        ("/chat", r#""model":"fast","#),
    ];
    let native = [Some(gateway::Api::Native), None];
    let status = |target: &str, head: &str, members: &str| {
        let body = format!(r#"{{{head}{members}"messages":[],"input":[]}}"#);
        let api = native[usize::from(!target.contains("ai/v1") && !target.contains("c/v1"))];
        let request = inspect(api, "POST", target, Some(body.as_bytes())).unwrap();
        let sent = [("content-type", "application/json")];
        plan(&request, &rules, &sent, body.as_bytes()).err()
    };
    for (target, head) in targets {
        for members in [
            r#""tools":[{"type":"advisor_20260301","name":"advisor","model":"claude-opus"}],"#,
            r#""tools":[{"type":"llm","function":{"description":"x","model":"other.m"}}],"#,
            r#""fallbacks":[{"model":"other.m"}],"#,
            r#""fallbacks":["allowed.a","other.m"],"#,
            r#""models":["allowed.a",["other.m"]],"#,
            r#""fallback_model":"other.m","#,
            r#""fallbackModel":{"modelArn":"other.m"},"#,
            r#""x":{"y":[{"advisorModel":{"id":"other.m"}}]},"#,
            r#""mod\u0065ls":["other.m"],"#,
            r#""additionalModelRequestFields":{"tools":[{"model":"other.m"}]},"#,
            r#""promptRouter":{"arn":"other.m"},"#,
            r#""x":"arn:aws:bedrock:us-east-1:123456789012:prompt-router/abc","#,
            r#""models":["allowed.a","\ud800"],"#,
        ] {
            let refused = status(target, head, members);
            // A translation leaves these out.
            let outer = ["models", "fallback", "mod\\u", "promptR"];
            let is_outer = outer.iter().any(|name| members[1..].starts_with(name));
            if is_outer && target.starts_with("/v1/") {
                assert!(refused.is_none_or(|refused| refused.status != 403));
                continue;
            }
            let refused = refused.unwrap();
            assert_eq!(refused.status, 403, "{target} {members}");
            assert!(refused.message.contains("does not allow"), "{refused}");
        }
        for members in [
            r#""tools":[{"type":"advisor_20260301","name":"advisor","model":"allowed.big"}],"#,
            r#""fallbacks":[{"model":"fast"},"anthropic.claude-a[1m]"],"#,
            r#""metadata":{"model":"other.m"},"#,
            r#""additionalModelResponseFieldPaths":["/a"],"#,
            r#""tools":[{"type":"custom","name":"f","input_schema":{"properties":{"model":{"enum":["other.m"]}},"required":["model"]}}],"#,
            r#""x":"arn:aws:bedrock:us-east-1:123456789012:guardrail/abc","name":"other.m","#,
        ] {
            let refused = status(target, head, members);
            let denied = refused.filter(|refused| refused.status == 403);
            assert_eq!(denied, None, "{target} {members}");
        }
    }
    // Messages are the client's own, and so is the name that the gateway has put another in place of.
    let json = r#"{"messages":[{"role":"user","content":[{"toolUse":{"toolUseId":"a","name":"n","input":{"model":"other.m"}}}]}]}"#;
    assert!(planned("/model/allowed.m/converse", &rules, &[JSON], json).is_ok());
    let operators = Settings {
        model: Some("allowed.m"),
        ..rules
    };
    let named = |members: &str| {
        let json = format!(r#"{{"model":"other.m","messages":[],{members}"x":1}}"#);
        planned("/chat", &operators, &[JSON], &json).map_err(|refused| refused.status)
    };
    assert!(named("").is_ok());
    assert_eq!(named(r#""tools":[{"model":"other.m"}],"#).err(), Some(403));
    // Without a list all are allowed.
    let json = r#"{"fallbacks":["other.m"]}"#;
    assert!(planned("/model/m/invoke", &settings(), &[JSON], json).is_ok());
}
