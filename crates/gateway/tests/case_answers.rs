//! Answers of real models that real clients misunderstood: what each becomes. `fixtures/reports` says of each where it was
//! reported, and what must hold.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod common;
#[allow(dead_code, reason = "each file of tests uses a part of it")]
#[path = "common/stream.rs"]
mod stream;

use common::settings;
use gateway::{Api, End, Flow};
use serde_json::{Value, json};
use stream::{Ending, fed, frame, relay_of};

fn case(name: &str) -> Value {
    let path = format!(
        "{}/../../fixtures/reports/{name}.json",
        env!("CARGO_MANIFEST_DIR")
    );
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// What a case expects at this path.
fn expected(case: &Value, path: &str) -> Value {
    let mut all = case["expect"].as_array().unwrap().iter();
    let found = all.find(|one| one["path"] == path).unwrap();
    assert_eq!(found["op"], "equals");
    found["value"].clone()
}

/// Its events: name and payload.
fn events(case: &Value) -> Vec<(String, Value)> {
    let events = case["upstream"]["events"].as_array().unwrap();
    let pair = |event: &Value| (event[0].as_str().unwrap().to_owned(), event[1].clone());
    events.iter().map(pair).collect()
}

/// The answer of Converse that says the same as these events.
fn folded(events: &[(String, Value)]) -> Value {
    let (mut call, mut input, mut stop) = (Value::Null, String::new(), Value::Null);
    for (name, payload) in events {
        match name.as_str() {
            "contentBlockStart" => call = payload["start"]["toolUse"].clone(),
            "contentBlockDelta" => input += payload["delta"]["toolUse"]["input"].as_str().unwrap(),
            "messageStop" => stop = payload["stopReason"].clone(),
            _ => {}
        }
    }
    call["input"] = serde_json::from_str(&input).unwrap();
    json!({"output": {"message": {"role": "assistant", "content": [{"toolUse": call}]}}, "stopReason": stop})
}

fn relay(case: &Value, status: u16, headers: &[(&str, &str)]) -> gateway::Relay {
    let request = &case["request"];
    let (path, body) = (
        request["path"].as_str().unwrap(),
        request["body"].to_string(),
    );
    relay_of(path, "*/*", &body, &settings(), status, headers)
}

#[test]
fn a_call_with_end_turn_streamed() {
    let case = case("b11-end-turn-with-call-stream");
    let frames: Vec<u8> = events(&case)
        .iter()
        .flat_map(|(name, payload)| {
            let headers = [(":event-type", name.as_str()), (":message-type", "event")];
            frame(&headers, &payload.to_string())
        })
        .collect();
    let headers = [("content-type", "application/vnd.amazon.eventstream")];
    let seen = fed(relay(&case, 200, &headers), [frames.as_slice()], true);
    assert_eq!(seen.ending, Ending::Clean);
    let text = String::from_utf8(seen.sent).unwrap();
    let chunks = text.lines().filter_map(|line| line.strip_prefix("data: {"));
    let chunks = chunks.map(|rest| serde_json::from_str::<Value>(&format!("{{{rest}")).unwrap());
    let finishes: Vec<Value> = chunks
        .filter_map(|chunk| {
            chunk["choices"]
                .get(0)
                .map(|choice| choice["finish_reason"].clone())
        })
        .filter(|finish| !finish.is_null())
        .collect();
    assert_eq!(finishes, [expected(&case, "client.folded.finish")]);
    assert_eq!(seen.facts.stop_reason.as_deref(), Some("end_turn"));
}

#[test]
fn a_call_with_end_turn() {
    let case = case("b12-end-turn-with-call");
    let answer = folded(&events(&case)).to_string();
    let headers = [("content-type", "application/json")];
    let seen = fed(relay(&case, 200, &headers), [answer.as_bytes()], true);
    let answer: Value = serde_json::from_slice(&seen.sent).unwrap();
    let finish = expected(&case, "client.json.choices[0].finish_reason");
    assert_eq!(answer["choices"][0]["finish_reason"], finish);
}

#[test]
fn a_prompt_that_is_too_long() {
    let case = case("b41-context-overflow-code");
    let upstream = &case["upstream"];
    let kind = upstream["headers"]["x-amzn-ErrorType"].as_str().unwrap();
    let headers = [
        ("content-type", "application/json"),
        ("x-amzn-errortype", kind),
    ];
    let mut relay = relay(&case, 400, &headers);
    let mut out = Vec::new();
    assert_eq!(
        relay.push(upstream["json"].to_string().as_bytes(), &mut out),
        Flow::Hold
    );
    let End::Fail(refusal) = relay.finish(true, &mut out) else {
        panic!("no error")
    };
    assert_eq!(refusal.status, 400);
    let error: Value = serde_json::from_slice(&Api::OpenAi.error(&refusal, None).body).unwrap();
    assert_eq!(
        error["error"]["code"],
        expected(&case, "client.json.error.code")
    );
    assert_eq!(
        relay.facts().exception.as_deref(),
        Some("ValidationException")
    );
}
