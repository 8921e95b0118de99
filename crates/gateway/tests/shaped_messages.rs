//! Answers of Claude's through invoke that must keep to a schema which its family takes in another way: out of a tool's input,
//! or out of a fence.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

#[path = "common/chunks.rs"]
#[allow(dead_code, reason = "each file of tests uses a part of it")]
mod chunks;
mod common;
#[path = "common/stream.rs"]
#[allow(dead_code, reason = "each file of tests uses a part of it")]
mod stream;

use chunks::chunk;
use common::settings;
use gateway::Relay;
use serde_json::{Value, json};
use stream::{Ending, fed, relay_of};

/// Takes a tool that must be called.
const OPUS_4_7: &str = "us.anthropic.claude-opus-4-7";
/// Takes none.
const OPUS_5_5: &str = "us.anthropic.claude-opus-5-5";
const TOOL: &str = "answer_in_json";

fn relay(model: &str, stream: bool, content_type: &str) -> Relay {
    let schema =
        json!({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]});
    let body = json!({"model": model, "stream": stream, "max_tokens": 90, "messages": [{"role": "user", "content": "Where?"}],
        "output_config": {"format": {"type": "json_schema", "schema": schema}}});
    let headers = [("content-type", content_type), ("x-amzn-requestid", "r-1")];
    relay_of(
        "/v1/messages",
        "*/*",
        &body.to_string(),
        &settings(),
        200,
        &headers,
    )
}

/// The events that the client gets for these blocks, in whatever reads they come.
fn streamed(model: &str, blocks: &[(Value, &[Value])], stop: &str) -> Vec<Value> {
    let mut events = vec![
        json!({"type": "message_start", "message": {"content": [], "usage": {"input_tokens": 10}}}),
    ];
    for (index, (block, deltas)) in blocks.iter().enumerate() {
        events.push(json!({"type": "content_block_start", "index": index, "content_block": block}));
        for delta in *deltas {
            events.push(json!({"type": "content_block_delta", "index": index, "delta": delta}));
        }
        events.push(json!({"type": "content_block_stop", "index": index}));
    }
    events.push(json!({"type": "message_delta", "delta": {"stop_reason": stop, "stop_sequence": null}, "usage": {"output_tokens": 5}}));
    events.push(json!({"type": "message_stop"}));
    let frames: Vec<u8> = events
        .iter()
        .flat_map(|event| chunk(&event.to_string()))
        .collect();
    let feed = |read: usize| {
        let relay = relay(model, true, "application/vnd.amazon.eventstream");
        fed(relay, frames.chunks(read), true)
    };
    let whole = feed(frames.len());
    assert_eq!(whole.ending, Ending::Clean);
    assert_eq!(feed(1).sent, whole.sent);
    // What the log says is the model's own word.
    assert_eq!(whole.facts.stop_reason.as_deref(), Some(stop));
    let text = String::from_utf8(whole.sent).unwrap();
    let lines = text.lines().filter_map(|line| line.strip_prefix("data: "));
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// The message that a client makes of events, as Anthropic's SDKs do: a block's number is its place.
fn message(events: &[Value]) -> Value {
    let mut message = json!({"content": []});
    for event in events {
        let index = usize::try_from(event["index"].as_u64().unwrap_or_default()).unwrap();
        match event["type"].as_str().unwrap() {
            "content_block_start" => {
                let content = message["content"].as_array_mut().unwrap();
                assert_eq!(content.len(), index, "{events:?}");
                content.push(event["content_block"].clone());
            }
            "content_block_delta" => {
                let block = &mut message["content"][index];
                for (delta, member) in [
                    ("text", "text"),
                    ("thinking", "thinking"),
                    ("partial_json", "input"),
                ] {
                    if let Some(piece) = event["delta"][delta].as_str() {
                        let said = block[member].as_str().unwrap_or_default().to_owned();
                        block[member] = json!(said + piece);
                    }
                }
            }
            "message_delta" => message["stop_reason"] = event["delta"]["stop_reason"].clone(),
            _ => {}
        }
    }
    message
}

fn text(pieces: &[&str]) -> Vec<Value> {
    pieces
        .iter()
        .map(|piece| json!({"type": "text_delta", "text": piece}))
        .collect()
}

fn input(pieces: &[&str]) -> Vec<Value> {
    pieces
        .iter()
        .map(|piece| json!({"type": "input_json_delta", "partial_json": piece}))
        .collect()
}

fn whole(model: &str, content: Value, stop: &str) -> Value {
    let answer = json!({"id": "msg_1", "type": "message", "content": content, "stop_reason": stop, "usage": {"input_tokens": 1, "output_tokens": 2}});
    let answer = answer.to_string();
    let seen = fed(
        relay(model, false, "application/json"),
        [answer.as_bytes()],
        true,
    );
    assert_eq!(seen.ending, Ending::Clean);
    serde_json::from_slice(&seen.sent).unwrap()
}

#[test]
fn the_input_of_the_answers_tool_is_the_text() {
    let said = json!({"type": "text", "text": ""});
    let tool = json!({"type": "tool_use", "id": "t", "name": TOOL, "input": {}});
    let other = json!({"type": "tool_use", "id": "u", "name": "other", "input": {}});
    let answer = r#"{"city":"Pé \"x\"","n":1.0}"#;
    let pieces = input(&[r#"{"city":"P"#, r#"é \"x\"","n":1.0}"#]);
    let hm = text(&["Let me ", "see."]);
    let expected =
        |stop: &str| json!({"content": [{"type": "text", "text": answer}], "stop_reason": stop});
    let events = streamed(OPUS_4_7, &[(tool.clone(), &pieces)], "tool_use");
    assert_eq!(message(&events), expected("end_turn"));
    // Words before it are none of the answer, and the numbers of blocks have no gap.
    let events = streamed(
        OPUS_4_7,
        &[(said.clone(), &hm), (tool.clone(), &pieces)],
        "tool_use",
    );
    assert_eq!(message(&events), expected("end_turn"));
    let events = streamed(OPUS_4_7, &[(tool.clone(), &pieces)], "max_tokens");
    assert_eq!(message(&events), expected("max_tokens"));
    // The model answers in a text all the same.
    let events = streamed(
        OPUS_4_7,
        &[(said, &text(&["```json\n", "{\"city\":1}\n```"]))],
        "end_turn",
    );
    assert_eq!(
        message(&events)["content"],
        json!([{"type": "text", "text": "{\"city\":1}"}])
    );
    let events = streamed(
        OPUS_4_7,
        &[(tool, &pieces), (other, &input(&["{}"]))],
        "tool_use",
    );
    let message = message(&events);
    assert_eq!(message["stop_reason"], "tool_use");
    assert_eq!(message["content"][1]["input"], json!("{}"));

    let content = json!([{"type": "text", "text": "So:"}, {"type": "tool_use", "id": "t", "name": TOOL, "input": {"b": 1.0, "a": "x"}}]);
    let sent = whole(OPUS_4_7, content, "tool_use");
    let text = sent["content"][0]["text"].as_str().unwrap();
    assert_eq!(
        serde_json::from_str::<Value>(text).unwrap(),
        json!({"b": 1.0, "a": "x"})
    );
    assert_eq!(
        (
            sent["content"].as_array().unwrap().len(),
            &sent["stop_reason"]
        ),
        (1, &json!("end_turn"))
    );
    assert_eq!(sent["id"], "msg_1");
}

#[test]
fn a_fence_is_taken_off() {
    let block = |kind: &str| json!({"type": kind, kind: ""});
    let fenced = text(&["Here:\n``", "`json\n{\"city\":\"a\"}", "\n```\n"]);
    let thought = [json!({"type": "thinking_delta", "thinking": "hm"})];
    let events = streamed(
        OPUS_5_5,
        &[(block("thinking"), &thought), (block("text"), &fenced)],
        "end_turn",
    );
    let expected = json!([{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "{\"city\":\"a\"}"}]);
    assert_eq!(message(&events)["content"], expected);
    // What begins as it should comes at once.
    let events = streamed(
        OPUS_5_5,
        &[(block("text"), &text(&[" {", "\"city\":1}"]))],
        "end_turn",
    );
    let pieces: Vec<&Value> = events
        .iter()
        .filter_map(|event| event["delta"].get("text"))
        .collect();
    assert_eq!(pieces, ["{", "\"city\":1}"]);
    let sent = whole(
        OPUS_5_5,
        json!([{"type": "text", "text": "```json\n{\"city\":1}\n```"}]),
        "end_turn",
    );
    assert_eq!(
        sent["content"],
        json!([{"type": "text", "text": "{\"city\":1}"}])
    );
}
