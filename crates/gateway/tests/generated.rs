//! What a model generates in a stream is measured, in whatever form it comes; and where nobody wants to know it is not read.
#![allow(clippy::unwrap_used)]

mod common;

use std::time::SystemTime;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use common::settings;
use eventstream::{Header, HeaderValue, encode};
use gateway::{Api, inspect, plan};

const FRAMES: &str = "application/vnd.amazon.eventstream";
const EVENTS: &str = "text/event-stream";

/// Bytes that are measured in this stream, and whether content has begun.
fn measured(path: &str, content_type: &str, body: &[u8], wanted: bool) -> (u64, bool) {
    let asked = br#"{"model":"m","stream":true,"messages":[],"input":"x"}"#;
    let request = inspect(Some(Api::Native), "POST", path, Some(asked)).unwrap();
    let json = [("content-type", "application/json")];
    let plan = plan(&request, &settings(), &json, asked).unwrap();
    let plan = if wanted { plan.measured() } else { plan };
    let header = |name: &str| (name == "content-type").then(|| content_type.to_owned());
    let mut relay = plan.relay(200, header, SystemTime::UNIX_EPOCH);
    relay.push(body, &mut Vec::new());
    (relay.facts().generated, relay.facts().content_started)
}

fn event(name: &str, payload: &str) -> Vec<u8> {
    let header = |name, value| Header {
        name,
        value: HeaderValue::String(value),
    };
    let headers = [
        header(":event-type", name),
        header(":message-type", "event"),
    ];
    let mut frame = Vec::new();
    encode(&headers, payload.as_bytes(), &mut frame).unwrap();
    frame
}

#[test]
fn what_is_generated_is_measured() {
    for (path, added, bytes) in [
        ("converse-stream", r#"{"text":"Hello"}"#, 5),
        (
            "converse-stream",
            r#"{"toolUse":{"input":"{\"a\":1}"}}"#,
            // As it stands there, escaped.
            9,
        ),
        (
            "converse-stream",
            r#"{"reasoningContent":{"text":"Hm"}}"#,
            2,
        ),
        (
            "converse-stream",
            r#"{"reasoningContent":{"signature":"abc"}}"#,
            0,
        ),
        ("converse-stream", r#"{"text":7}"#, 0),
        ("invoke", r#"{"type":"text_delta","text":"Hello"}"#, 5),
        (
            "invoke",
            r#"{"type":"input_json_delta","partial_json":"{}"}"#,
            2,
        ),
        ("invoke", r#"{"type":"thinking_delta","thinking":"Hm"}"#, 2),
        ("invoke", r#"{"type":"signature_delta","signature":"a"}"#, 0),
        ("invoke", r#"{"type":"thinking_delta","thinking":7}"#, 0),
    ] {
        let (verb, body) = match path {
            "invoke" => {
                let json = format!(r#"{{"type":"content_block_delta","index":0,"delta":{added}}}"#);
                let payload = format!(r#"{{"bytes":"{}","p":"abcdef"}}"#, STANDARD.encode(json));
                ("invoke-with-response-stream", event("chunk", &payload))
            }
            verb => {
                let payload = format!(r#"{{"contentBlockIndex":0,"delta":{added},"p":"abcdef"}}"#);
                (verb, event("contentBlockDelta", &payload))
            }
        };
        let path = format!("/model/m/{verb}");
        assert_eq!(
            measured(&path, FRAMES, &body, true),
            (bytes, true),
            "{added}"
        );
        assert_eq!(measured(&path, FRAMES, &body, false), (0, true), "{added}");
    }
    // The other vendors' chunks.
    for json in [
        r#"{"generation":"Hello"}"#,
        r#"{"outputText":"Hello"}"#,
        r#"{"outputs":[{"text":"Hello"}]}"#,
        r#"{"choices":[{"delta":{"content":"Hello"}}]}"#,
        r#"{"contentBlockDelta":{"delta":{"text":"Hello"}}}"#,
    ] {
        let payload = format!(r#"{{"bytes":"{}"}}"#, STANDARD.encode(json));
        let body = event("chunk", &payload);
        let path = "/model/m/invoke-with-response-stream";
        assert_eq!(measured(path, FRAMES, &body, true), (5, true), "{json}");
    }
    // Server-sent events are read in any case.
    for (path, json, bytes) in [
        (
            "chat/completions",
            r#"{"choices":[{"delta":{"content":"Hello","reasoning":"Hm"}}]}"#,
            7,
        ),
        (
            "chat/completions",
            r#"{"choices":[{"delta":{"tool_calls":[{"id":"a","function":{"arguments":"{}"}},{"function":{"arguments":"1"}}]}}]}"#,
            3,
        ),
        (
            "responses",
            r#"{"type":"response.output_text.delta","delta":"Hello"}"#,
            5,
        ),
        (
            "responses",
            r#"{"type":"response.function_call_arguments.delta","delta":"{}"}"#,
            2,
        ),
    ] {
        let body = format!("data: {json}\n\n");
        let path = format!("/openai/v1/{path}");
        assert_eq!(
            measured(&path, EVENTS, body.as_bytes(), true),
            (bytes, true),
            "{json}"
        );
    }
}
