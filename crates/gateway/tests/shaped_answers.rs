//! Answers that come in another shape than the client asked for: JSON out of a tool's input or a fence, a whole answer as a
//! stream. In both dialects, whole and streamed.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod common;
#[allow(dead_code)]
#[path = "common/stream.rs"]
mod stream;

use common::settings;
use gateway::Relay;
use gateway::settings::{Anthropic, Via};
use serde_json::{Value, json};
use stream::{Ending, fed, frame, relay_of};

const CHAT: &str = "/v1/chat/completions";
const MESSAGES: &str = "/v1/messages";
/// Takes a forced tool for an answer in JSON, and no schema as such.
const NOVA: &str = "amazon.nova-pro-v1:0";
/// Takes neither.
const LLAMA: &str = "meta.llama3-3-70b-instruct-v1:0";

fn asked(path: &str, model: &str, stream: bool, with: Value) -> Value {
    let schema =
        json!({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]});
    let mut body = json!({"model": model, "stream": stream, "max_tokens": 90, "messages": [{"role": "user", "content": "Where?"}]});
    match path {
        CHAT => {
            body["response_format"] =
                json!({"type": "json_schema", "json_schema": {"name": "a", "schema": schema}});
            body["stream_options"] = json!({"include_usage": true});
        }
        _ => body["output_config"] = json!({"format": {"type": "json_schema", "schema": schema}}),
    }
    body.as_object_mut()
        .unwrap()
        .extend(with.as_object().unwrap().clone());
    body
}

fn relay(path: &str, body: &Value, content_type: &str) -> Relay {
    let location = gateway::Settings {
        anthropic: Anthropic {
            via: Via::Converse,
            ..settings().anthropic
        },
        ..settings()
    };
    let headers = [("content-type", content_type), ("x-amzn-requestid", "r-1")];
    relay_of(path, "*/*", &body.to_string(), &location, 200, &headers)
}

/// What the client gets for these events, in whatever reads they come.
fn streamed(path: &str, body: &Value, events: &[(&str, Value)]) -> String {
    let frames: Vec<u8> = events
        .iter()
        .flat_map(|(name, payload)| {
            let headers = [
                (":event-type", *name),
                (":content-type", "application/json"),
                (":message-type", "event"),
            ];
            frame(&headers, &payload.to_string())
        })
        .collect();
    let feed = |read: usize| {
        fed(
            relay(path, body, "application/vnd.amazon.eventstream"),
            frames.chunks(read),
            true,
        )
    };
    let whole = feed(frames.len());
    assert_eq!(whole.ending, Ending::Clean);
    assert_eq!(feed(1).sent, whole.sent);
    String::from_utf8(whole.sent).unwrap()
}

fn whole(path: &str, body: &Value, answer: &Value) -> String {
    let text = answer.to_string();
    let seen = fed(
        relay(path, body, "application/json"),
        [text.as_bytes()],
        true,
    );
    assert_eq!(seen.ending, Ending::Clean);
    String::from_utf8(seen.sent).unwrap()
}

/// The text and the stop reason of a streamed answer, and whether it ended well.
fn read(path: &str, stream: &str) -> (String, String, bool) {
    let (mut text, mut stop) = (String::new(), String::new());
    for line in stream
        .lines()
        .filter_map(|line| line.strip_prefix("data: "))
    {
        let Ok(event) = serde_json::from_str::<Value>(line) else {
            continue;
        };
        let piece = match path {
            CHAT => &event["choices"][0]["delta"]["content"],
            _ => &event["delta"]["text"],
        };
        text.push_str(piece.as_str().unwrap_or_default());
        let reason = match path {
            CHAT => &event["choices"][0]["finish_reason"],
            _ => &event["delta"]["stop_reason"],
        };
        stop.push_str(reason.as_str().unwrap_or_default());
    }
    let end = if path == CHAT {
        "data: [DONE]"
    } else {
        "event: message_stop"
    };
    (text, stop, stream.contains(end))
}

fn call(index: u64, name: &str, pieces: &[&str]) -> Vec<(&'static str, Value)> {
    let mut events = vec![(
        "contentBlockStart",
        json!({"contentBlockIndex": index, "start": {"toolUse": {"toolUseId": "t1", "name": name}}}),
    )];
    for piece in pieces {
        let delta = json!({"contentBlockIndex": index, "delta": {"toolUse": {"input": piece}}});
        events.push(("contentBlockDelta", delta));
    }
    events.push(("contentBlockStop", json!({"contentBlockIndex": index})));
    events
}

fn said(index: u64, pieces: &[&str]) -> Vec<(&'static str, Value)> {
    let delta = |piece: &&str| {
        (
            "contentBlockDelta",
            json!({"contentBlockIndex": index, "delta": {"text": piece}}),
        )
    };
    let mut events: Vec<_> = pieces.iter().map(delta).collect();
    events.push(("contentBlockStop", json!({"contentBlockIndex": index})));
    events
}

fn answer(events: Vec<(&'static str, Value)>, stop: &str) -> Vec<(&'static str, Value)> {
    let mut all = vec![("messageStart", json!({"role": "assistant"}))];
    all.extend(events);
    all.push(("messageStop", json!({"stopReason": stop})));
    all.push((
        "metadata",
        json!({"usage": {"inputTokens": 3, "outputTokens": 2, "totalTokens": 5}}),
    ));
    all
}

fn answer_whole(content: Value, stop: &str) -> Value {
    json!({"output": {"message": {"role": "assistant", "content": content}}, "stopReason": stop,
        "usage": {"inputTokens": 3, "outputTokens": 2, "totalTokens": 5}})
}

const TOOL: &str = "answer_in_json";

#[test]
fn the_input_of_the_answers_tool_is_the_text() {
    for (path, end) in [(CHAT, "stop"), (MESSAGES, "end_turn")] {
        let body = asked(path, NOVA, true, json!({}));
        let events = answer(
            [
                said(0, &["Let me see."]),
                call(1, TOOL, &[r#"{"ci"#, r#"ty":"P\u00e9 \"x\""}"#]),
            ]
            .concat(),
            "tool_use",
        );
        let stream = streamed(path, &body, &events);
        let json = r#"{"city":"P\u00e9 \"x\""}"#;
        assert_eq!(
            read(path, &stream),
            (json.to_owned(), end.to_owned(), true),
            "{stream}"
        );
        assert!(!stream.contains("tool"), "{stream}");

        let body = asked(path, NOVA, false, json!({}));
        let content = json!([{"text": "Let me see."}, {"toolUse": {"toolUseId": "t1", "name": TOOL, "input": {"city": "Pé"}}}]);
        let sent: Value =
            serde_json::from_str(&whole(path, &body, &answer_whole(content, "tool_use"))).unwrap();
        let text = match path {
            CHAT => &sent["choices"][0]["message"]["content"],
            _ => &sent["content"][0]["text"],
        };
        assert_eq!(text, r#"{"city":"Pé"}"#, "{sent}");
        let stop = match path {
            CHAT => &sent["choices"][0]["finish_reason"],
            _ => &sent["stop_reason"],
        };
        assert_eq!(stop, end);
        assert!(!sent.to_string().contains("tool"), "{sent}");
    }
}

#[test]
fn an_answer_in_text_though_a_tool_was_demanded_is_not_lost() {
    for (path, end) in [(CHAT, "stop"), (MESSAGES, "end_turn")] {
        let body = asked(path, NOVA, true, json!({}));
        let stream = streamed(
            path,
            &body,
            &answer(said(0, &["It is ", r#"{"city":"#, r#""P"}."#]), "end_turn"),
        );
        assert_eq!(
            read(path, &stream),
            (r#"{"city":"P"}"#.to_owned(), end.to_owned(), true)
        );
        let cut = streamed(
            path,
            &body,
            &answer(call(0, TOOL, &[r#"{"city":"#]), "max_tokens"),
        );
        let (text, stop, _) = read(path, &cut);
        assert_eq!(text, r#"{"city":"#);
        assert_eq!(stop, if path == CHAT { "length" } else { "max_tokens" });
    }
}

#[test]
fn a_fence_is_taken_off() {
    let fenced = [
        "Here",
        " it is:\n``",
        "`json\n{\"city\":",
        "\"P\"}\n",
        "```\nBye.",
    ];
    for path in [CHAT, MESSAGES] {
        let body = asked(path, LLAMA, true, json!({}));
        for pieces in [
            &fenced[..],
            &[" \n{\"city\":", "\"P\"}"],
            &["```\n{\"city\":\"P\"}"],
        ] {
            let stream = streamed(path, &body, &answer(said(0, pieces), "end_turn"));
            assert_eq!(read(path, &stream).0, r#"{"city":"P"}"#, "{stream}");
        }
        let body = asked(path, LLAMA, false, json!({}));
        let sent = whole(
            path,
            &body,
            &answer_whole(json!([{"text": fenced.concat()}]), "end_turn"),
        );
        assert!(sent.contains(r#""{\"city\":\"P\"}""#), "{sent}");
    }
}

#[test]
fn json_that_comes_as_such_is_written_at_once() {
    let body = asked(CHAT, LLAMA, true, json!({}));
    let mut relay = relay(CHAT, &body, "application/vnd.amazon.eventstream");
    let mut out = Vec::new();
    let headers = [
        (":event-type", "contentBlockDelta"),
        (":content-type", "application/json"),
        (":message-type", "event"),
    ];
    relay.push(
        &frame(
            &headers,
            r#"{"contentBlockIndex":0,"delta":{"text":"{\"ci"}}"#,
        ),
        &mut out,
    );
    assert!(String::from_utf8(out).unwrap().contains(r#"{\"ci"#));
}

#[test]
fn a_whole_answer_is_written_as_a_stream() {
    let tools = |path: &str| match path {
        CHAT => {
            json!({"tools": [{"type": "function", "function": {"name": "server.f"}}], "response_format": null})
        }
        _ => json!({"tools": [{"name": "server.f", "input_schema": {}}], "output_config": null}),
    };
    let content = json!([
        {"reasoningContent": {"reasoningText": {"text": "hm", "signature": "c2ln"}}},
        {"text": "Wait."},
        {"toolUse": {"toolUseId": "t1", "name": "server_f_3b7b8e3f", "input": {"a": "é\n"}}},
    ]);
    for (path, stop) in [(CHAT, "tool_calls"), (MESSAGES, "tool_use")] {
        let body = asked(path, LLAMA, true, tools(path));
        let mut planned = None;
        let request =
            gateway::inspect(None, "POST", path, Some(body.to_string().as_bytes())).unwrap();
        let plan = gateway::plan(&request, &settings(), &[], body.to_string().as_bytes()).unwrap();
        assert_eq!(plan.operation, gateway::bedrock::Operation::Converse);
        assert!(plan.target.ends_with("/converse"));
        let sent = plan
            .body
            .pieces(body.to_string().as_bytes())
            .flatten()
            .copied()
            .collect();
        let sent: Value = serde_json::from_str(&String::from_utf8(sent).unwrap()).unwrap();
        planned.replace(sent["toolConfig"]["tools"][0]["toolSpec"]["name"].clone());
        let mut content = content.clone();
        content[2]["toolUse"]["name"] = planned.unwrap();

        let relay = relay(path, &body, "application/json");
        assert_eq!(relay.rewrites_as(), Some("text/event-stream"));
        let stream = whole(path, &body, &answer_whole(content, "tool_use"));
        assert_eq!(
            read(path, &stream),
            ("Wait.".to_owned(), stop.to_owned(), true),
            "{stream}"
        );
        for piece in [r#""server.f""#, r#"{\"a\":\"é\\n\"}"#, "hm", "c2ln"] {
            assert!(stream.contains(piece), "{piece} in {stream}");
        }
        let usage = if path == CHAT {
            r#""completion_tokens":2"#
        } else {
            r#""output_tokens":2"#
        };
        assert!(stream.contains(usage), "{stream}");
    }
}

#[test]
fn what_is_no_answer_of_converse_stays_an_error() {
    let body = asked(CHAT, NOVA, false, json!({}));
    for odd in [
        "{}",
        "[]",
        r#"{"output":{"message":{"content":[7]}}}"#,
        r#"{"output":{}}"#,
    ] {
        let seen = fed(
            relay(CHAT, &body, "application/json"),
            [odd.as_bytes()],
            true,
        );
        assert!(matches!(seen.ending, Ending::Error(502, _)), "{odd}");
    }
}
