//! Messages for Claude through invoke and through Converse: conversations that were cut, joined or begun elsewhere, cache
//! points, and answers that must keep to a schema.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod common;
#[path = "common/messages.rs"]
mod messages;
#[path = "common/planning.rs"]
#[allow(dead_code, reason = "each file of tests uses a part of it")]
mod planning;

use common::settings;
use messages::{asked, by_converse};
use serde_json::{Value, json};

const SONNET_4_5: &str = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";
const SONNET_4: &str = "us.anthropic.claude-sonnet-4-20250514-v1:0";
const OPUS_4_7: &str = "us.anthropic.claude-opus-4-7";
const OPUS_5_5: &str = "us.anthropic.claude-opus-5-5";

fn body(model: &str, members: Value) -> Value {
    let mut body =
        json!({"model": model, "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]});
    body.as_object_mut()
        .unwrap()
        .extend(members.as_object().unwrap().clone());
    body
}

fn invoked(model: &str, members: Value) -> Value {
    asked(&body(model, members), &settings(), &[]).1
}

fn user(content: Value) -> Value {
    json!({"role": "user", "content": content})
}

fn assistant(content: Value) -> Value {
    json!({"role": "assistant", "content": content})
}

fn call(id: &str) -> Value {
    json!({"type": "tool_use", "id": id, "name": "t", "input": {}})
}

fn result(id: &str, said: &str) -> Value {
    json!({"type": "tool_result", "tool_use_id": id, "content": said})
}

fn none(id: &str) -> Value {
    json!({"type": "tool_result", "tool_use_id": id, "content": "(no result)", "is_error": true})
}

/// The ids of calls and results, in their order, as they go to either API.
fn ids(sent: &Value) -> Vec<(&'static str, String)> {
    let mut found = Vec::new();
    for message in sent["messages"].as_array().unwrap() {
        for block in message["content"].as_array().into_iter().flatten() {
            let id = |value: &Value| value.as_str().unwrap().to_owned();
            match &block["type"] {
                kind if kind == "tool_use" => found.push(("call", id(&block["id"]))),
                kind if kind == "tool_result" => found.push(("result", id(&block["tool_use_id"]))),
                _ if block["toolUse"].is_object() => {
                    found.push(("call", id(&block["toolUse"]["toolUseId"])));
                }
                _ if block["toolResult"].is_object() => {
                    found.push(("result", id(&block["toolResult"]["toolUseId"])));
                }
                _ => {}
            }
        }
    }
    found
}

#[test]
fn a_call_without_a_result_gets_one() {
    let sent =
        |messages: Value| invoked(SONNET_4_5, json!({"messages": messages}))["messages"].clone();
    let call_a = assistant(json!([call("a"), call("b")]));
    // In a text, before what the user says; in blocks; in a turn of its own; at the end.
    assert_eq!(
        sent(json!([user(json!("q")), call_a, user(json!("stop"))]))[2],
        user(json!([none("a"), none("b"), {"type": "text", "text": "stop"}]))
    );
    assert_eq!(
        sent(json!([
            user(json!("q")),
            call_a,
            user(json!([result("b", "x")]))
        ]))[2],
        user(json!([none("a"), result("b", "x")]))
    );
    assert_eq!(
        sent(json!([
            user(json!("q")),
            call_a,
            assistant(json!("so")),
            user(json!("hm"))
        ])),
        json!([
            user(json!("q")),
            call_a,
            user(json!([none("a"), none("b")])),
            assistant(json!("so")),
            user(json!("hm"))
        ])
    );
    assert_eq!(
        sent(json!([user(json!("q")), call_a])),
        json!([
            user(json!("q")),
            call_a,
            user(json!([none("a"), none("b")]))
        ])
    );
    // Two messages of the user's are one turn.
    let split = json!([
        user(json!("q")),
        call_a,
        user(json!([result("a", "x")])),
        user(json!([result("b", "y")]))
    ]);
    assert_eq!(sent(split.clone()), split);
    let by_converse = |messages: Value| {
        let members = json!({"messages": messages, "tools": [{"name": "t", "input_schema": {"type": "object"}}]});
        asked(&body(SONNET_4_5, members), &by_converse(), &[]).1
    };
    let calls = || vec![("call", "a".to_owned()), ("call", "b".to_owned())];
    let results = || vec![("result", "a".to_owned()), ("result", "b".to_owned())];
    for end in [
        json!([user(json!("stop"))]),
        json!([user(json!([result("b", "x")]))]),
        json!([]),
    ] {
        let mut messages = vec![user(json!("q")), call_a.clone()];
        messages.extend(end.as_array().unwrap().clone());
        let sent = by_converse(Value::from(messages));
        assert_eq!(ids(&sent), [calls(), results()].concat(), "{end}");
    }
}

#[test]
fn an_id_that_occurs_twice_becomes_two() {
    let turns = json!([
        user(json!("q")),
        assistant(json!([call("a"), call("a")])),
        user(json!([result("a", "1"), result("a", "2")])),
        assistant(json!([call("a")])),
        user(json!([result("a", "3")])),
    ]);
    let members =
        json!({"messages": turns, "tools": [{"name": "t", "input_schema": {"type": "object"}}]});
    for settings in [settings(), by_converse()] {
        let sent = asked(&body(SONNET_4_5, members.clone()), &settings, &[]).1;
        let ids = ids(&sent);
        let [first, second, third] = [&ids[0].1, &ids[1].1, &ids[4].1];
        assert!(first == "a" && first != second && first != third && second != third);
        let expected = [
            ("call", first),
            ("call", second),
            ("result", first),
            ("result", second),
            ("call", third),
            ("result", third),
        ];
        assert_eq!(ids, expected.map(|(what, id)| (what, id.clone())));
    }
}

#[test]
fn a_result_without_a_call_is_what_it_says() {
    let turns = json!([
        user(json!([result("gone", "old")])),
        assistant(json!([call("a")])),
        user(json!([
            result("b", "b says"),
            result("a", "a says"),
            result("a", "again")
        ])),
    ]);
    let members =
        json!({"messages": turns, "tools": [{"name": "t", "input_schema": {"type": "object"}}]});
    let sent = asked(&body(SONNET_4_5, members.clone()), &settings(), &[]).1;
    let text = |text: &str| json!({"type": "text", "text": text});
    assert_eq!(sent["messages"][0], user(json!([text("old")])));
    assert_eq!(
        sent["messages"][2],
        user(json!([
            result("a", "a says"),
            text("b says"),
            text("again")
        ]))
    );
    let sent = asked(&body(SONNET_4_5, members), &by_converse(), &[]).1;
    assert_eq!(
        ids(&sent),
        [("call", "a".to_owned()), ("result", "a".to_owned())]
    );
    let last = sent["messages"][2]["content"].as_array().unwrap();
    assert!(last[0]["toolResult"].is_object());
    assert_eq!(
        last[1..],
        [json!({"text": "b says"}), json!({"text": "again"})]
    );
}

#[test]
fn cache_points_are_the_last_four_and_none_lasts_longer_than_one_before() {
    let cached = |text: &str, ttl: Option<&str>| match ttl {
        Some(ttl) => {
            json!({"type": "text", "text": text, "cache_control": {"type": "ephemeral", "ttl": ttl}})
        }
        None => json!({"type": "text", "text": text, "cache_control": {"type": "ephemeral"}}),
    };
    let points = |sent: &Value| {
        let mut points = Vec::new();
        for part in [&sent["system"], &sent["messages"][0]["content"]] {
            for block in part.as_array().into_iter().flatten() {
                let control = &block["cache_control"];
                points.push(
                    control
                        .as_object()
                        .map(|_| control["ttl"].as_str().unwrap_or("-").to_owned()),
                );
            }
        }
        points
    };
    let say = |point: Option<&str>| point.map(str::to_owned);
    let members = json!({"system": [cached("s", None), cached("t", None)],
        "messages": [user(json!([cached("a", None), cached("b", Some("1h")), cached("c", Some("5m"))]))]});
    let sent = invoked(SONNET_4_5, members.clone());
    assert_eq!(
        points(&sent),
        [
            None,
            say(Some("1h")),
            say(Some("1h")),
            say(Some("1h")),
            say(Some("5m"))
        ]
    );
    let sent = invoked(SONNET_4, members.clone());
    assert_eq!(points(&sent)[1..], vec![say(Some("-")); 4]);
    let sent = invoked("anthropic.claude-3-haiku-20240307-v1:0", members);
    assert_eq!(points(&sent), vec![None; 5]);
}

#[test]
fn the_point_of_the_whole_request_stands_at_its_end() {
    let control = json!({"type": "ephemeral"});
    let last = |messages: Value| {
        let sent = invoked(
            SONNET_4_5,
            json!({"messages": messages, "cache_control": control}),
        );
        assert_eq!(sent["cache_control"], Value::Null);
        let messages = sent["messages"].as_array().unwrap().clone();
        messages.last().unwrap()["content"].clone()
    };
    let text = |text: &str| json!({"type": "text", "text": text, "cache_control": control});
    assert_eq!(last(json!([user(json!("hi"))])), json!([text("hi")]));
    let plain = json!({"type": "text", "text": "a"});
    assert_eq!(
        last(json!([user(json!([plain, {"type": "text", "text": "b"}]))])),
        json!([plain, text("b")])
    );
    assert_eq!(last(json!([user(json!([text("a")]))])), json!([text("a")]));
    assert_eq!(
        last(json!([user(
            json!([{"type": "text", "text": "a"}, {"type": "text", "text": " "}])
        )])),
        json!([text("a")])
    );
    let hour = invoked(
        SONNET_4_5,
        json!({"cache_control": {"type": "ephemeral", "ttl": "1h"}}),
    );
    assert_eq!(
        hour["messages"][0]["content"][0]["cache_control"]["ttl"],
        "1h"
    );
}

#[test]
fn who_speaks_last_is_as_the_family_takes_it() {
    let messages = json!([user(json!("q")), assistant(json!("{\"a\": "))]);
    let sent = |model: &str| invoked(model, json!({"messages": messages}))["messages"].clone();
    assert_eq!(sent(SONNET_4_5)[1], assistant(json!("{\"a\":")));
    assert_eq!(
        sent(OPUS_4_7).as_array().unwrap()[1..],
        [assistant(json!("{\"a\": ")), user(json!("Continue."))]
    );
    let blocks = json!({"messages": [user(json!("q")), assistant(json!([{"type": "text", "text": "so \n"}]))]});
    assert_eq!(
        invoked(SONNET_4_5, blocks)["messages"][1]["content"][0]["text"],
        "so"
    );
}

#[test]
fn a_schema_is_said_in_the_familys_way() {
    let schema = json!({"type": "object", "properties": {"n": {"type": "integer", "minimum": 1}}, "required": ["n"]});
    let format = json!({"type": "json_schema", "schema": schema});
    for members in [
        json!({"output_config": {"format": format}, "system": "s"}),
        json!({"output_format": format, "system": "s"}),
    ] {
        let native = invoked(SONNET_4_5, members.clone());
        assert_eq!(
            native["output_config"]["format"]["schema"],
            json!({"type": "object", "properties": {"n": {"type": "integer", "description": "minimum: 1"}},
                "required": ["n"], "additionalProperties": false})
        );
        let forced = invoked(OPUS_4_7, members.clone());
        assert_eq!(forced["output_config"], Value::Null);
        assert_eq!(forced["tools"][0]["input_schema"], schema);
        assert_eq!(forced["tool_choice"]["name"], forced["tools"][0]["name"]);
        let told = invoked(OPUS_5_5, members);
        assert_eq!(told["output_config"], Value::Null);
        assert_eq!(told["system"][0], json!({"type": "text", "text": "s"}));
        assert!(
            told["system"][1]["text"]
                .as_str()
                .unwrap()
                .contains("\"minimum\"")
        );
    }
    let told = invoked(
        OPUS_5_5,
        json!({"output_config": {"format": format, "effort": "low"}}),
    );
    assert_eq!(told["output_config"], json!({"effort": "low"}));
    assert!(told["system"].as_str().unwrap().contains("\"minimum\""));
}
