//! Any Chat Completions request becomes what Converse takes, or a refusal.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod common;
#[path = "common/openai.rs"]
mod openai;
#[path = "common/planning.rs"]
#[allow(dead_code, reason = "each file of tests uses a part of it")]
mod planning;

use common::settings;
use openai::CHAT;
use planning::{JSON, planned, sent};
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(500) })]

    #[test]
    fn any_request_becomes_what_converse_takes_or_a_refusal(request in request(), model in select(&["m", "anthropic.claude-x"])) {
        let mut request = request;
        request.insert("model".to_owned(), model.into());
        let body = Value::Object(request).to_string();
        match planned(CHAT, &settings(), &[JSON], &body) {
            Err(refusal) => {
                prop_assert_eq!(refusal.status, 400);
                prop_assert!(!refusal.to_string().contains(openai::SECRET));
            }
            Ok(plan) => check(&sent(&plan, &body)),
        }
    }

    #[test]
    fn any_bytes_are_refused_or_taken(body in prop_oneof![vec(any::<u8>(), 0..60).prop_map(|bytes| String::from_utf8_lossy(&bytes).into_owned()), "[\\[\\]{}\",:a0-9\\\\mesg ]{0,60}"]) {
        let body = format!(r#"{{"model":"m","messages":{body}"#);
        if let Err(refusal) = planned(CHAT, &settings(), &[JSON], &body) {
            prop_assert_eq!(refusal.status, 400);
        }
    }
}

/// Panics where Converse would not take this.
fn check(converse: &str) {
    let converse: Value =
        serde_json::from_str(converse).unwrap_or_else(|error| panic!("{error}: {converse}"));
    let mut last = None;
    let mut uses_tools = false;
    for message in converse["messages"].as_array().unwrap() {
        let role = message["role"].as_str().unwrap();
        assert_ne!(last.replace(role), Some(role), "{converse}");
        let blocks = message["content"].as_array().unwrap();
        assert!(!blocks.is_empty(), "{converse}");
        for block in blocks {
            let (kind, value) = block.as_object().unwrap().iter().next().unwrap();
            assert_eq!(block.as_object().unwrap().len(), 1, "{converse}");
            match (kind.as_str(), role) {
                ("text", _) => assert!(!value.as_str().unwrap().trim().is_empty(), "{converse}"),
                ("toolUse", "assistant") => {
                    uses_tools = true;
                    assert!(value["input"].is_object());
                }
                ("toolResult", "user") => uses_tools = true,
                ("reasoningContent", "assistant")
                | ("image" | "document" | "audio" | "cachePoint", _) => {}
                _ => panic!("{kind} of {role}: {converse}"),
            }
        }
    }
    for block in converse["system"].as_array().into_iter().flatten() {
        assert!(
            block.get("cachePoint").is_some() || !block["text"].as_str().unwrap().trim().is_empty()
        );
    }
    assert!(
        !uses_tools || converse.get("toolConfig").is_some(),
        "{converse}"
    );
    if let Some(config) = converse.get("toolConfig") {
        assert!(!config["tools"].as_array().unwrap().is_empty());
    }
}

fn select(words: &'static [&'static str]) -> impl Strategy<Value = &'static str> {
    prop::sample::select(words)
}

/// An object with some of these members.
fn object(members: Vec<(&'static str, BoxedStrategy<Value>)>) -> BoxedStrategy<Value> {
    let members: Vec<_> = members
        .into_iter()
        .map(|(name, value)| {
            prop::option::weighted(0.8, value.prop_map(move |value| (name.to_owned(), value)))
        })
        .collect();
    members
        .prop_map(|members| Value::Object(members.into_iter().flatten().collect()))
        .boxed()
}

fn text() -> BoxedStrategy<Value> {
    prop_oneof![
        4 => select(&["a", "", " ", "S3CRET", "{}", "{\"a\":1}", "data:image/png;base64,AAAA", "é\"\n"]).prop_map(Value::from),
        1 => any::<String>().prop_map(Value::from),
        1 => Just(Value::Null),
    ]
    .boxed()
}

/// A good value, or now and then another.
fn mostly(good: BoxedStrategy<Value>) -> BoxedStrategy<Value> {
    let odd = prop_oneof![
        Just(json!(null)),
        Just(json!(7)),
        Just(json!("S3CRET")),
        Just(json!(["S3CRET"])),
        Just(json!({"S3CRET": 1})),
        Just(json!(true)),
    ];
    prop_oneof![40 => good, 1 => odd].boxed()
}

fn one_of(words: &'static [&'static str]) -> BoxedStrategy<Value> {
    mostly(select(words).prop_map(Value::from).boxed())
}

fn list(item: BoxedStrategy<Value>, most: usize) -> BoxedStrategy<Value> {
    mostly(vec(item, 0..=most).prop_map(Value::Array).boxed())
}

fn part() -> BoxedStrategy<Value> {
    let cache = || {
        object(vec![
            ("type", one_of(&["ephemeral"])),
            ("ttl", one_of(&["5m", "1h", "x"])),
        ])
    };
    let image = object(vec![(
        "url",
        one_of(&["data:image/png;base64,AAAA", "s3://b/k.png"]),
    )]);
    prop_oneof![
        4 => object(vec![("type", one_of(&["text"])), ("text", text()), ("cache_control", cache())]),
        1 => object(vec![("type", one_of(&["image_url"])), ("image_url", image)]),
        1 => object(vec![("type", one_of(&["file"])), ("file", Just(json!({"filename": "a.pdf", "file_data": "AAAA"})).boxed())]),
    ]
    .boxed()
}

fn message() -> BoxedStrategy<Value> {
    let content = || mostly(prop_oneof![text(), vec(part(), 0..3).prop_map(Value::Array)].boxed());
    let function = object(vec![
        ("name", one_of(&["f", "ns.g"])),
        ("arguments", one_of(&["{}", "", "{\"a\":[1]}"])),
    ]);
    let call = object(vec![
        ("id", one_of(&["c1", "c|2"])),
        ("type", one_of(&["function"])),
        ("function", function),
    ]);
    let thinking = object(vec![
        ("type", one_of(&["thinking", "redacted_thinking"])),
        ("thinking", text()),
        ("signature", text()),
        ("data", one_of(&["QUJD"])),
    ]);
    prop_oneof![
        2 => object(vec![("role", one_of(&["user", "system", "developer"])), ("content", content())]),
        2 => object(vec![
            ("role", one_of(&["assistant"])), ("content", content()), ("refusal", text()), ("tool_calls", list(call, 3)),
            ("thinking_blocks", list(thinking, 2)), ("reasoning_content", text()),
        ]),
        1 => object(vec![("role", one_of(&["tool"])), ("tool_call_id", one_of(&["c1", "c|2"])), ("content", content())]),
    ]
    .boxed()
}

fn request() -> impl Strategy<Value = Map<String, Value>> {
    let parameters = Just(json!({"type": "object"})).boxed();
    let function = object(vec![
        ("name", one_of(&["f", "ns.g"])),
        ("description", text()),
        ("parameters", mostly(parameters)),
    ]);
    let tool = object(vec![
        ("type", one_of(&["function"])),
        ("function", function),
    ]);
    object(vec![
        ("messages", list(message(), 6)),
        ("tools", list(tool, 3)),
        ("tool_choice", one_of(&["auto", "none", "required"])),
        (
            "parallel_tool_calls",
            mostly(any::<bool>().prop_map(Value::from).boxed()),
        ),
        ("stop", mostly(text())),
        (
            "max_tokens",
            mostly((1..9u64).prop_map(Value::from).boxed()),
        ),
        ("metadata", mostly(Just(json!({"a": "b"})).boxed())),
    ])
    .prop_map(|request| match request {
        Value::Object(members) => members,
        other => panic!("{other}"),
    })
}
