//! Anthropic's beta flags, and what hangs on them: what Claude gets through invoke, CountTokens and Converse.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod common;
#[path = "common/messages.rs"]
mod messages;
#[path = "common/planning.rs"]
#[allow(dead_code, reason = "each file of tests uses a part of it")]
mod planning;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use common::settings;
use gateway::settings::{Anthropic, Betas, Via};
use gateway::{Body, Segment, Settings};
use messages::{COUNT, MESSAGES, asked, by_converse, refused};
use planning::{planned, sent};
use serde_json::{Value, json};

const SONNET_4: &str = "us.anthropic.claude-sonnet-4-20250514-v1:0";
const SONNET_4_5: &str = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";
const OPUS_4_5: &str = "us.anthropic.claude-opus-4-5-20251101-v1:0";
const SONNET_4_6: &str = "us.anthropic.claude-sonnet-4-6";
const OPUS_5: &str = "global.anthropic.claude-opus-5";
const OPUS_5_5: &str = "us.anthropic.claude-opus-5-5";

fn choosing(beta: Betas<'_>) -> Settings<'_> {
    Settings {
        anthropic: Anthropic {
            beta,
            ..Anthropic::default()
        },
        ..settings()
    }
}

fn body(model: &str, with: Value) -> Value {
    let mut body =
        json!({"model": model, "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]});
    body.as_object_mut()
        .unwrap()
        .extend(with.as_object().unwrap().clone());
    body
}

/// What is sent for a request with these flags in its header, and these members.
fn with(model: &str, flags: &str, with: Value) -> Value {
    asked(
        &body(model, with),
        &settings(),
        &[("anthropic-beta", flags)],
    )
    .1
}

#[test]
fn each_family_gets_the_flags_that_it_takes_by_bedrocks_names() {
    let claude_code = "claude-code-20250219,interleaved-thinking-2025-05-14,advanced-tool-use-2025-11-20,effort-2025-11-24,\
                       prompt-caching-scope-2026-01-05,redact-thinking-2026-02-12,context-management-2025-06-27,context-1m-2025-08-07";
    for (model, sent) in [
        (
            SONNET_4,
            json!([
                "interleaved-thinking-2025-05-14",
                "context-management-2025-06-27",
                "context-1m-2025-08-07"
            ]),
        ),
        (
            SONNET_4_5,
            json!([
                "interleaved-thinking-2025-05-14",
                "tool-search-tool-2025-10-19",
                "context-management-2025-06-27"
            ]),
        ),
        (
            OPUS_4_5,
            json!([
                "interleaved-thinking-2025-05-14",
                "tool-search-tool-2025-10-19",
                "effort-2025-11-24",
                "context-management-2025-06-27"
            ]),
        ),
        (
            SONNET_4_6,
            json!(["tool-search-tool-2025-10-19", "context-1m-2025-08-07"]),
        ),
        (OPUS_5, json!(["tool-search-tool-2025-10-19"])),
        ("us.anthropic.claude-3-haiku-20240307-v1:0", Value::Null),
    ] {
        assert_eq!(
            with(model, claude_code, json!({}))["anthropic_beta"],
            sent,
            "{model}"
        );
    }
    // Both names of one flag are one.
    let both = "tool-search-tool-2025-10-19,advanced-tool-use-2025-11-20";
    assert_eq!(
        with(SONNET_4_6, both, json!({}))["anthropic_beta"],
        json!(["tool-search-tool-2025-10-19"])
    );
    let aliases = "mid-conversation-effort-2026-08-01";
    let fable = "us.anthropic.claude-fable-5-1";
    assert_eq!(
        with(fable, aliases, json!({}))["anthropic_beta"],
        json!(["per-turn-control-2026-07-01"])
    );
    // What hides its model gets none, unless its name or the operator shows it.
    let hidden = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc";
    let by_invoke = Settings {
        anthropic: Anthropic {
            via: Via::Invoke,
            ..Anthropic::default()
        },
        ..settings()
    };
    let flags = [("anthropic-beta", "context-1m-2025-08-07")];
    assert_eq!(
        asked(&body(hidden, json!({})), &by_invoke, &flags).1["anthropic_beta"],
        Value::Null
    );
    let aliases = [("claude-sonnet-4-6".to_owned(), hidden.to_owned())];
    let named = Settings {
        aliases: &aliases,
        ..by_invoke
    };
    let sent = asked(&body("claude-sonnet-4-6", json!({})), &named, &flags).1;
    assert_eq!(sent["anthropic_beta"], json!(["context-1m-2025-08-07"]));
}

#[test]
fn what_was_dropped_is_named_once_and_only_if_it_is_a_name() {
    let line = |flags: &str, with: Value| {
        let (plan, _) = asked(
            &body(SONNET_4_6, with),
            &settings(),
            &[("anthropic-beta", flags)],
        );
        plan.note
    };
    assert_eq!(line("", json!({})), None);
    assert_eq!(line("context-1m-2025-08-07", json!({"stream": true})), None);
    assert_eq!(
        line(
            "claude-code-20250219, fast-mode-2026-02-01",
            json!({"speed": "fast"})
        )
        .as_deref(),
        Some(
            "for claude-4-6: left out speed, beta claude-code-20250219, beta fast-mode-2026-02-01"
        )
    );
    let secret = line(
        "my secret prompt\n, and another",
        json!({"my secret member": 1}),
    )
    .unwrap();
    assert_eq!(
        secret,
        "for claude-4-6: left out members that are not known, beta flags that are none"
    );
    let many: Vec<String> = (0..200).map(|flag| format!("flag-{flag}")).collect();
    assert!(line(&many.join(","), json!({})).unwrap().len() < 1000);
    let many = json!({"anthropic_beta": vec!["x"; 300]});
    assert_eq!(
        refused(&body(SONNET_4_6, many), &settings())
            .param
            .as_deref(),
        Some("anthropic_beta")
    );
}

#[test]
fn the_operator_chooses_otherwise() {
    let flags = [(
        "anthropic-beta",
        "claude-code-20250219,advanced-tool-use-2025-11-20,context-1m-2025-08-07",
    )];
    let sent = |beta: Betas<'_>| {
        asked(&body(SONNET_4, json!({})), &choosing(beta), &flags).1["anthropic_beta"].clone()
    };
    assert_eq!(
        sent(Betas::Pass),
        json!([
            "claude-code-20250219",
            "advanced-tool-use-2025-11-20",
            "context-1m-2025-08-07"
        ])
    );
    assert_eq!(sent(Betas::Only(&[])), Value::Null);
    let some = ["claude-code-*".to_owned(), "advanced-*".to_owned()];
    // That name Bedrock is known to refuse.
    assert_eq!(
        sent(Betas::Only(&some)),
        json!(["claude-code-20250219", "tool-search-tool-2025-10-19"])
    );
}

#[test]
fn a_body_that_says_just_what_is_sent_stays() {
    let text = format!(
        r#"{{"anthropic_beta" : [ "context-1m-2025-08-07" ],"model":"{SONNET_4_6}","anthropic_version":"v","max_tokens":1,
            "tools":[{{"name":"t","input_schema":{{"type":"object","properties":{{"a":{{"type":"null"}}}},"additionalProperties":false}},"strict":true,"cache_control":{{"type":"ephemeral","ttl":"1h"}}}}],
            "output_config":{{"effort":"low"}},"thinking":{{"type":"adaptive"}},
            "messages":[{{"role":"user","content":[{{"type":"text","text":"x"}}]}}]}}"#
    );
    let plan = planned(MESSAGES, &settings(), &[], &text).unwrap();
    let without = text.replace(&format!(r#""model":"{SONNET_4_6}","#), "");
    assert_eq!(sent(&plan, &text), without);
    let Body::Spliced(segments) = &plan.body else {
        panic!()
    };
    assert!(
        segments
            .iter()
            .all(|segment| matches!(segment, Segment::Kept(_))),
        "{segments:?}"
    );
}

#[test]
fn tools_lose_what_bedrock_refuses_and_say_what_they_want() {
    let tool = |with: Value| {
        let mut tool = json!({"name": "t", "input_schema": {"type": "object"}});
        tool.as_object_mut()
            .unwrap()
            .extend(with.as_object().unwrap().clone());
        tool
    };
    let fitted = |model: &str, flags: &str, given: Value| {
        let sent = with(model, flags, json!({"tools": [tool(given)]}));
        let mut tool = sent["tools"][0].clone();
        let tool = tool.as_object_mut().unwrap();
        assert_eq!(tool.remove("name"), Some(json!("t")));
        let schema = tool.remove("input_schema").unwrap();
        assert_eq!(schema["type"], "object");
        (Value::Object(tool.clone()), sent["anthropic_beta"].clone())
    };
    let eager = "fine-grained-tool-streaming-2025-05-14";
    let search = "tool-search-tool-2025-10-19";
    let examples = "tool-examples-2025-10-29";
    let advanced = "advanced-tool-use-2025-11-20";
    for (model, flags, given, left, sent) in [
        (
            SONNET_4_5,
            "",
            json!({"eager_input_streaming": true}),
            json!({}),
            json!([eager]),
        ),
        (
            SONNET_4_5,
            "",
            json!({"eager_input_streaming": false}),
            json!({}),
            Value::Null,
        ),
        (
            SONNET_4_5,
            eager,
            json!({"eager_input_streaming": true}),
            json!({}),
            json!([eager]),
        ),
        (
            "anthropic.claude-3-7-sonnet-20250219-v1:0",
            "",
            json!({"eager_input_streaming": true}),
            json!({}),
            Value::Null,
        ),
        (
            SONNET_4_5,
            advanced,
            json!({"defer_loading": true}),
            json!({"defer_loading": true}),
            json!([search]),
        ),
        (
            SONNET_4_5,
            "",
            json!({"defer_loading": true}),
            json!({}),
            Value::Null,
        ),
        (
            SONNET_4,
            advanced,
            json!({"defer_loading": true}),
            json!({}),
            Value::Null,
        ),
        (
            SONNET_4_5,
            advanced,
            json!({"custom": {"defer_loading": true}}),
            json!({"defer_loading": true}),
            json!([search]),
        ),
        (
            SONNET_4_5,
            "",
            json!({"custom": {"defer_loading": true}}),
            json!({}),
            Value::Null,
        ),
        (
            SONNET_4_5,
            advanced,
            json!({"custom": {"defer_loading": true, "eager_input_streaming": true}, "defer_loading": false}),
            json!({"defer_loading": false}),
            json!([search]),
        ),
        (
            SONNET_4_5,
            advanced,
            json!({"custom": 7, "allowed_callers": ["x"]}),
            json!({}),
            json!([search]),
        ),
        (
            OPUS_4_5,
            advanced,
            json!({"input_examples": [{}]}),
            json!({"input_examples": [{}]}),
            json!([search, examples]),
        ),
        (
            OPUS_4_5,
            examples,
            json!({"input_examples": [{}]}),
            json!({"input_examples": [{}]}),
            json!([examples]),
        ),
        (
            SONNET_4_6,
            advanced,
            json!({"input_examples": [{}]}),
            json!({}),
            json!([search]),
        ),
        (
            SONNET_4_5,
            "",
            json!({"strict": true, "type": "custom", "input_schema": {"type": "object", "properties": {"a": {"type": "null"}}}}),
            json!({"strict": true, "type": "custom"}),
            Value::Null,
        ),
        // A model cannot be held to a schema that says nothing.
        (
            SONNET_4_5,
            "",
            json!({"strict": true, "type": "custom"}),
            json!({"type": "custom"}),
            Value::Null,
        ),
        (OPUS_5, "", json!({"strict": true}), json!({}), Value::Null),
        (
            SONNET_4_6,
            "",
            json!({"input_schema": {"type": "custom", "properties": {"type": {"type": "custom"}}}}),
            json!({}),
            Value::Null,
        ),
        (
            SONNET_4_5,
            "",
            json!({"cache_control": {"type": "ephemeral", "ttl": "1h"}}),
            json!({"cache_control": {"type": "ephemeral", "ttl": "1h"}}),
            Value::Null,
        ),
        (
            SONNET_4,
            "",
            json!({"cache_control": {"ttl": "5m", "type": "ephemeral", "scope": "global"}}),
            json!({"cache_control": {"type": "ephemeral"}}),
            Value::Null,
        ),
    ] {
        assert_eq!(
            fitted(model, flags, given.clone()),
            (left, sent),
            "{model} {flags} {given}"
        );
    }
}

#[test]
fn tools_of_anthropics_own_bring_their_flags_or_go() {
    let tools = |model: &str, beta: Betas<'_>, flags: &str, tools: Value| {
        let (_, sent) = asked(
            &body(model, json!({"tools": tools})),
            &choosing(beta),
            &[("anthropic-beta", flags)],
        );
        let kinds: Vec<Value> = sent["tools"]
            .as_array()
            .unwrap()
            .iter()
            .map(|tool| tool["type"].clone())
            .collect();
        (kinds, sent["anthropic_beta"].clone())
    };
    let search = json!([{"type": "tool_search_tool_regex_20251119", "name": "s"}, {"type": "custom", "name": "t", "input_schema": {"type": "object"}, "defer_loading": true}]);
    let search_flag = json!(["tool-search-tool-2025-10-19"]);
    let kinds = |kinds: &[&str]| kinds.iter().map(|kind| json!(kind)).collect::<Vec<_>>();
    let both = kinds(&["tool_search_tool_regex_20251119", "custom"]);
    assert_eq!(
        tools(
            SONNET_4_6,
            Betas::Auto,
            "advanced-tool-use-2025-11-20",
            search.clone()
        ),
        (both.clone(), search_flag.clone())
    );
    assert_eq!(
        tools(SONNET_4_6, Betas::Auto, "", search.clone()),
        (both, search_flag)
    );
    // Without the search, all tools are there from the beginning.
    assert_eq!(
        tools(
            SONNET_4,
            Betas::Auto,
            "advanced-tool-use-2025-11-20",
            search.clone()
        ),
        (kinds(&["custom"]), Value::Null)
    );
    assert_eq!(
        tools(
            SONNET_4_6,
            Betas::Only(&[]),
            "advanced-tool-use-2025-11-20",
            search
        ),
        (kinds(&["custom"]), Value::Null)
    );
    let computer = json!([{"type": "computer_20250124", "name": "computer"}, {"type": "bash_20250124", "name": "bash"}]);
    let both = kinds(&["computer_20250124", "bash_20250124"]);
    for (model, flags) in [
        (SONNET_4, ""),
        (SONNET_4_5, "computer-use-2025-01-24"),
        (SONNET_4_6, "computer-use-2025-01-24"),
    ] {
        let sent = tools(model, Betas::Auto, flags, computer.clone());
        assert_eq!(
            sent,
            (both.clone(), json!(["computer-use-2025-01-24"])),
            "{model}"
        );
    }
    // A model that is older than the tool does not know it, by either way.
    let old = "us.anthropic.claude-3-5-sonnet-20241022-v2:0";
    let body_of = |kind: &str| body(old, json!({"tools": [{"type": kind, "name": "computer"}]}));
    for settings in [settings(), by_converse()] {
        let refusal = refused(&body_of("computer_20250124"), &settings);
        assert_eq!(refusal.param.as_deref(), Some("tools[0].type"));
        assert!(refusal.message.contains("claude-3-5"), "{refusal:?}");
        asked(&body_of("computer_20241022"), &settings, &[]);
    }
    for kind in [
        "web_search_20250305",
        "web_fetch_20250910",
        "code_execution_20250825",
        "advisor_20260301",
        "mcp_toolset",
    ] {
        let tools =
            json!([{"type": kind, "name": "x"}, {"name": "t", "input_schema": {"type": "object"}}]);
        let sent = with(SONNET_4_6, "", json!({"tools": tools}));
        assert_eq!(sent["tools"], json!([tools[1]]), "{kind}");
    }
}

#[test]
fn edits_of_the_context_go_with_their_flags() {
    let edits = |model: &str, beta: Betas<'_>, flags: &str, edits: Value| {
        let given = json!({"context_management": {"edits": edits}});
        let (_, sent) = asked(
            &body(model, given),
            &choosing(beta),
            &[("anthropic-beta", flags)],
        );
        sent.get("context_management")
            .map(|managed| managed["edits"].clone())
    };
    let flag = "context-management-2025-06-27";
    let clear =
        json!({"type": "clear_tool_uses_20250919", "keep": {"type": "tool_uses", "value": 3}});
    let thinking = json!({"type": "clear_thinking_20251015", "keep": "all"});
    let compact = json!({"type": "compact_20260112"});
    for (model, beta, flags, given, left) in [
        (
            SONNET_4_5,
            Betas::Auto,
            flag,
            json!([thinking, clear]),
            Some(json!([clear])),
        ),
        (
            SONNET_4_5,
            Betas::Auto,
            flag,
            json!([clear, thinking]),
            Some(json!([clear])),
        ),
        (SONNET_4_5, Betas::Auto, flag, json!([thinking]), None),
        (SONNET_4_5, Betas::Auto, "", json!([clear]), None),
        (SONNET_4_5, Betas::Only(&[]), flag, json!([clear]), None),
        (
            SONNET_4_5,
            Betas::Pass,
            flag,
            json!([clear, thinking]),
            Some(json!([clear])),
        ),
        (SONNET_4_6, Betas::Auto, flag, json!([clear]), None),
        (
            SONNET_4_6,
            Betas::Auto,
            "context-management-2025-06-27,compact-2026-01-12",
            json!([clear, compact]),
            Some(json!([compact])),
        ),
        (SONNET_4_5, Betas::Auto, flag, json!([]), None),
        (SONNET_4_5, Betas::Auto, flag, json!(7), None),
    ] {
        assert_eq!(
            edits(model, beta, flags, given.clone()),
            left,
            "{model} {flags} {given}"
        );
    }
    let compaction = json!({"compaction": {"type": "auto"}, "safeguards": {"x": 1}});
    let sent = with(OPUS_5, "compact-2026-09-04", compaction.clone());
    assert_eq!(
        (&sent["compaction"], sent.get("safeguards")),
        (&compaction["compaction"], None)
    );
    let sent = with(OPUS_5, "dangerous-tool-use-2026-09-03", compaction.clone());
    assert_eq!(
        (sent.get("compaction"), &sent["safeguards"]),
        (None, &compaction["safeguards"])
    );
    assert_eq!(
        sent["anthropic_beta"],
        json!(["dangerous-tool-use-2026-09-03"])
    );
    let sent = with(OPUS_5, "dangerous-tool-use-2026-09-03", json!({}));
    assert_eq!(sent.get("anthropic_beta"), None);
}

#[test]
fn reasoning_effort_and_format() {
    let schema = json!({"type": "json_schema", "schema": {"type": "object", "properties": {}, "additionalProperties": false}});
    let config = |model: &str, flags: &str, given: Value| {
        with(model, flags, given).get("output_config").cloned()
    };
    for (model, flags, given, left) in [
        (
            SONNET_4_6,
            "",
            json!({"output_config": {"effort": "low"}}),
            Some(json!({"effort": "low"})),
        ),
        (
            SONNET_4_5,
            "",
            json!({"output_config": {"effort": "low"}}),
            None,
        ),
        (
            SONNET_4_5,
            "",
            json!({"output_config": {"effort": "low", "format": schema}}),
            Some(json!({"format": schema})),
        ),
        (
            OPUS_4_5,
            "effort-2025-11-24",
            json!({"output_config": {"effort": "low"}}),
            Some(json!({"effort": "low"})),
        ),
        (
            OPUS_4_5,
            "",
            json!({"output_config": {"effort": "low"}}),
            None,
        ),
        (
            SONNET_4_6,
            "",
            json!({"output_config": {"task_budget": {"x": 1}}}),
            None,
        ),
        (
            SONNET_4_5,
            "structured-outputs-2025-11-13",
            json!({"output_format": schema}),
            Some(json!({"format": schema})),
        ),
        (
            SONNET_4_6,
            "",
            json!({"output_format": schema, "output_config": {"effort": "low"}}),
            Some(json!({"effort": "low", "format": schema})),
        ),
        (
            SONNET_4_5,
            "",
            json!({"output_config": {"effort": "low"}, "output_format": schema}),
            Some(json!({"format": schema})),
        ),
        (
            SONNET_4_6,
            "",
            json!({"output_format": {"type": "other"}, "output_config": {"format": schema}}),
            Some(json!({"format": schema})),
        ),
        (SONNET_4_6, "", json!({"output_format": null}), None),
        (SONNET_4_6, "", json!({"output_config": 7}), Some(json!(7))),
    ] {
        assert_eq!(config(model, flags, given.clone()), left, "{model} {given}");
        assert_eq!(with(model, flags, given).get("output_format"), None);
    }
    let thinking = |model: &str, flags: &str| {
        let given = json!({"type": "adaptive", "display": "updates", "block_binding": {"x": 1}});
        with(model, flags, json!({"thinking": given}))["thinking"].clone()
    };
    assert_eq!(thinking(SONNET_4_6, ""), json!({"type": "adaptive"}));
    let flags = "thinking-binding-controls-2026-08-01,thinking-display-updates-2026-08-18";
    assert_eq!(thinking(SONNET_4_6, flags), json!({"type": "adaptive"}));
    assert_eq!(
        thinking(OPUS_5, flags),
        json!({"type": "adaptive", "display": "updates"})
    );
    assert_eq!(
        thinking(OPUS_5_5, flags),
        json!({"type": "adaptive", "display": "updates", "block_binding": {"x": 1}})
    );
    let shown = with(
        SONNET_4_6,
        "",
        json!({"thinking": {"type": "adaptive", "display": "summarized"}}),
    );
    assert_eq!(shown["thinking"]["display"], "summarized");
}

#[test]
fn a_conversation_loses_what_another_model_or_api_left_in_it() {
    let messages = json!([
        {"role": "system", "content": "s", "output_config": {"effort": "low"}},
        {"role": "assistant", "content": [
            {"type": "thinking", "thinking": "theirs", "signature": ""},
            {"type": "thinking", "thinking": "theirs"},
            {"type": "thinking", "thinking": "mine", "signature": "sig"},
            {"type": "server_tool_use", "id": "srvtoolu_1", "name": "tool_search_tool_regex", "input": {}},
            {"type": "tool_search_tool_result", "tool_use_id": "srvtoolu_1", "content": {"type": "tool_search_tool_search_result", "tool_references": []}},
            {"type": "tool_use", "id": "functions.bash:0", "name": "b", "input": {"id": "a:b"}},
        ]},
        {"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "functions.bash:0", "content": [{"type": "tool_reference", "tool_name": "mcp\"x"}, {"type": "text", "text": "t", "cache_control": {"type": "ephemeral", "scope": "global"}}]},
        ]},
    ]);
    let id = json!("functions_bash_0_8497fe9c");
    let sent = with(SONNET_4_5, "", json!({"messages": messages}))["messages"].clone();
    assert_eq!(
        sent,
        json!([
            // Claude 4.5 takes no instructions within a conversation.
            {"role": "user", "content": "s"},
            {"role": "assistant", "content": [
                {"type": "thinking", "thinking": "mine", "signature": "sig"},
                {"type": "tool_use", "id": id, "name": "b", "input": {"id": "a:b"}},
            ]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": id, "content": [{"type": "text", "text": "mcp\"x"}, {"type": "text", "text": "t", "cache_control": {"type": "ephemeral"}}]},
            ]},
        ])
    );
    let only = json!([{"role": "assistant", "content": [{"type": "thinking", "thinking": "theirs", "signature": ""}]}]);
    let sent = with(SONNET_4_5, "", json!({"messages": only}))["messages"].clone();
    assert_eq!(
        sent[0]["content"],
        json!([{"type": "text", "text": "(nothing said)"}])
    );
    let flags = "advanced-tool-use-2025-11-20";
    let sent = with(SONNET_4_5, flags, json!({"messages": messages}))["messages"].clone();
    assert_eq!(sent[1]["content"][1]["type"], "server_tool_use");
    assert_eq!(
        sent[2]["content"][0]["content"][0],
        json!({"type": "tool_reference", "tool_name": "mcp\"x"})
    );
    let fable = with(
        "us.anthropic.claude-fable-5-1",
        "per-turn-control-2026-07-01",
        json!({"messages": messages}),
    );
    assert_eq!(
        fable["messages"][0]["output_config"],
        json!({"effort": "low"})
    );
}

#[test]
fn what_is_counted_is_what_would_be_sent() {
    let body = json!({"model": SONNET_4_6, "messages": [{"role": "user", "content": "hi"}],
        "tools": [{"name": "bash", "input_schema": {"type": "object"}, "eager_input_streaming": true}],
        "context_management": {"edits": [{"type": "clear_thinking_20251015"}]}})
    .to_string();
    let plan = planned(
        COUNT,
        &settings(),
        &[("anthropic-beta", "claude-code-20250219")],
        &body,
    )
    .unwrap();
    let sent: Value = serde_json::from_str(&sent(&plan, &body)).unwrap();
    let inner = STANDARD
        .decode(sent["input"]["invokeModel"]["body"].as_str().unwrap())
        .unwrap();
    assert_eq!(
        serde_json::from_slice::<Value>(&inner).unwrap(),
        json!({"messages": [{"role": "user", "content": "hi"}], "tools": [{"name": "bash", "input_schema": {"type": "object"}}],
            "anthropic_version": "bedrock-2023-05-31", "anthropic_beta": ["fine-grained-tool-streaming-2025-05-14"], "max_tokens": 1024})
    );
}

#[test]
fn converse_gets_the_same_in_the_models_own_fields() {
    let by_converse = messages::by_converse();
    let native = |model: &str, flags: &str, given: Value| {
        let (_, sent) = asked(
            &body(model, given),
            &by_converse,
            &[("anthropic-beta", flags)],
        );
        (sent["additionalModelRequestFields"].clone(), sent)
    };
    let flags = "claude-code-20250219,interleaved-thinking-2025-05-14,advanced-tool-use-2025-11-20,context-management-2025-06-27";
    let (fields, _) = native(
        SONNET_4_5,
        flags,
        json!({"context_management": {"edits": []}}),
    );
    assert_eq!(
        fields,
        json!({"anthropic_beta": ["interleaved-thinking-2025-05-14"]})
    );
    let thinking = json!({"thinking": {"type": "adaptive", "block_binding": {"x": 1}, "display": "summarized"}});
    assert_eq!(
        native(OPUS_5, "", thinking).0,
        json!({"thinking": {"type": "adaptive", "display": "summarized"}})
    );
    let computer = json!({"type": "computer_20250124", "name": "computer", "display_width_px": 800, "display_height_px": 600});
    let tools = json!({"tools": [
        computer,
        {"name": "t", "input_schema": {"type": "object"}, "eager_input_streaming": true, "defer_loading": true},
        {"type": "tool_search_tool_bm25_20251119", "name": "s"},
    ]});
    let (fields, sent) = native(SONNET_4_6, "computer-use-2025-01-24", tools.clone());
    assert_eq!(fields["tools"], json!([computer]));
    assert_eq!(
        fields["anthropic_beta"],
        json!([
            "computer-use-2025-01-24",
            "fine-grained-tool-streaming-2025-05-14"
        ])
    );
    let specs = sent["toolConfig"]["tools"].as_array().unwrap();
    assert_eq!(
        (specs.len(), &specs[0]["toolSpec"]["name"]),
        (1, &json!("t"))
    );
    let mut forced = tools;
    forced["tool_choice"] = json!({"type": "tool", "name": "computer"});
    let (fields, sent) = native(SONNET_4_6, "", forced);
    assert_eq!(
        fields["tool_choice"],
        json!({"type": "tool", "name": "computer"})
    );
    assert_eq!(sent["toolConfig"].get("toolChoice"), None);
    let schema = json!({"type": "object", "properties": {}, "additionalProperties": false});
    let format = json!({"output_format": {"type": "json_schema", "schema": schema}});
    let (_, sent) = native(SONNET_4_5, "structured-outputs-2025-11-13", format);
    assert_eq!(sent["outputConfig"]["textFormat"]["type"], "json_schema");
    let wrong = body(SONNET_4_5, json!({"output_format": {"type": "other"}}));
    assert_eq!(
        refused(&wrong, &by_converse).param.as_deref(),
        Some("output_format.type")
    );
    // Other models have no such tools.
    let other = body(
        "amazon.nova-x",
        json!({"tools": [{"type": "bash_20250124", "name": "bash"}]}),
    );
    assert_eq!(refused(&other, &settings()).param.as_deref(), Some("tools"));
}

/// What is sent of these members, with thinking that leaves room for an answer.
fn settled(model: &str, given: Value) -> Value {
    let mut given = given;
    if given.get("max_tokens").is_none() {
        given["max_tokens"] = json!(20_000);
    }
    let mut sent = with(model, "", given);
    let sent = sent.as_object_mut().unwrap();
    for member in ["messages", "anthropic_version", "tools", "anthropic_beta"] {
        sent.remove(member);
    }
    Value::Object(sent.clone())
}

#[test]
fn thinking_is_said_as_the_family_wants_to_hear_it() {
    let adaptive = json!({"type": "adaptive"});
    let enabled = |budget: u64| json!({"type": "enabled", "budget_tokens": budget});
    for (model, given, sent) in [
        // As it came.
        (
            SONNET_4_6,
            json!({"thinking": adaptive}),
            json!({"thinking": adaptive}),
        ),
        (
            SONNET_4_5,
            json!({"thinking": enabled(4000)}),
            json!({"thinking": enabled(4000)}),
        ),
        // A model that decides by itself how much it thinks is told no number, and one that does not is told one.
        (
            OPUS_5,
            json!({"thinking": enabled(4096)}),
            json!({"thinking": adaptive, "output_config": {"effort": "high"}}),
        ),
        (
            SONNET_4_5,
            json!({"thinking": adaptive}),
            json!({"thinking": enabled(4096)}),
        ),
        (
            "us.anthropic.claude-3-haiku-20240307-v1:0",
            json!({"thinking": adaptive, "max_tokens": 100}),
            json!({"max_tokens": 100}),
        ),
        // One that always thinks cannot be told not to.
        (
            OPUS_5_5,
            json!({"thinking": {"type": "disabled"}}),
            json!({"output_config": {"effort": "low"}}),
        ),
        // A budget leaves room for an answer.
        (
            SONNET_4_5,
            json!({"thinking": enabled(8000), "max_tokens": 2000}),
            json!({"thinking": enabled(1024), "max_tokens": 2000}),
        ),
        (
            SONNET_4_5,
            json!({"thinking": enabled(8000), "max_tokens": 1000}),
            json!({"max_tokens": 1000}),
        ),
        // No more effort than there is.
        (
            "us.anthropic.claude-opus-4-7",
            json!({"output_config": {"effort": "max"}}),
            json!({"output_config": {"effort": "xhigh"}}),
        ),
        (
            SONNET_4_6,
            json!({"output_config": {"effort": "high"}}),
            json!({"output_config": {"effort": "high"}}),
        ),
    ] {
        let mut sent = sent;
        if sent.get("max_tokens").is_none() {
            sent["max_tokens"] = json!(20_000);
        }
        assert_eq!(settled(model, given.clone()), sent, "{model} {given}");
    }
    // After a call without thinking none can begin.
    let called = json!([{"role": "user", "content": "x"},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "n", "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "x"}]}]);
    let given = json!({"messages": called, "max_tokens": 20_000, "thinking": enabled(4000)});
    assert_eq!(with(SONNET_4_5, "", given).get("thinking"), None);
}

#[test]
fn sampling_limits_and_choices_are_those_of_the_family() {
    let given = json!({"temperature": 0.5, "top_p": 0.9, "top_k": 5, "max_tokens": 200_000, "stop_sequences": ["END", " \n"]});
    for (model, sent) in [
        (
            SONNET_4,
            json!({"temperature": 0.5, "top_p": 0.9, "top_k": 5, "max_tokens": 64_000, "stop_sequences": ["END"]}),
        ),
        (
            SONNET_4_5,
            json!({"temperature": 0.5, "top_k": 5, "max_tokens": 64_000, "stop_sequences": ["END"]}),
        ),
        (
            OPUS_5,
            json!({"max_tokens": 128_000, "stop_sequences": ["END"]}),
        ),
    ] {
        assert_eq!(settled(model, given.clone()), sent, "{model}");
    }
    let thinks =
        json!({"temperature": 0.5, "thinking": {"type": "enabled", "budget_tokens": 2000}});
    assert_eq!(settled(SONNET_4, thinks).get("temperature"), None);
    let forced = json!({"type": "tool", "name": "t", "disable_parallel_tool_use": true});
    let choice = |model: &str, given: Value| {
        let mut given = given;
        given["tools"] = json!([{"name": "t", "input_schema": {"type": "object"}}]);
        settled(model, given).get("tool_choice").cloned()
    };
    assert_eq!(
        choice(SONNET_4_6, json!({"tool_choice": forced})),
        Some(forced.clone())
    );
    assert_eq!(
        choice(OPUS_5_5, json!({"tool_choice": {"type": "any"}})),
        None
    );
    let auto = json!({"type": "auto", "disable_parallel_tool_use": true});
    assert_eq!(choice(OPUS_5_5, json!({"tool_choice": forced})), Some(auto));
    let thinks = json!({"tool_choice": {"type": "any"}, "thinking": {"type": "enabled", "budget_tokens": 2000}});
    assert_eq!(choice(SONNET_4_5, thinks), None);
}

#[test]
fn what_shows_no_family_is_left_to_itself() {
    let by_invoke = Settings {
        anthropic: Anthropic {
            via: Via::Invoke,
            ..Anthropic::default()
        },
        ..settings()
    };
    let hidden = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc";
    let given = json!({"max_tokens": 200_000, "temperature": 0.5, "top_p": 0.5, "top_k": 5, "thinking": {"type": "adaptive"},
        "output_config": {"effort": "max"}, "tool_choice": {"type": "any"}});
    let (_, sent) = asked(&body(hidden, given.clone()), &by_invoke, &[]);
    for (name, value) in given.as_object().unwrap() {
        assert_eq!(&sent[name], value, "{name}");
    }
}
