//! OpenAI's Responses in the tests: what a request becomes, and what becomes of an answer.
#![allow(dead_code, reason = "each file of tests uses a part of it")]

use gateway::{Refusal, Relay, Settings};
use serde_json::{Value, json};

use crate::common::settings;
use crate::planning::{JSON, planned, sent};
use crate::stream::{Ending, Outcome, fed, frame, relay_of};

pub const RESPONSES: &str = "/v1/responses";
pub const CLAUDE: &str = "anthropic.claude-sonnet-4-5-20250929-v1:0";
/// What no message may repeat: it stands in the requests that are refused.
pub const SECRET: &str = "S3CRET";

/// A request of Claude with these members, unless they name another model.
pub fn asked(members: Value) -> String {
    let mut body = json!({"model": CLAUDE, "input": "hi"});
    body.as_object_mut()
        .unwrap()
        .extend(members.as_object().unwrap().clone());
    body.to_string()
}

/// The body for Bedrock.
pub fn converse(members: Value) -> Value {
    converse_in(&settings(), members)
}

/// The same in a location of these settings.
pub fn converse_in(settings: &Settings<'_>, members: Value) -> Value {
    let body = asked(members);
    let plan = planned(RESPONSES, settings, &[JSON], &body)
        .unwrap_or_else(|refusal| panic!("{refusal} for {body}"));
    serde_json::from_str(&sent(&plan, &body)).unwrap()
}

/// The refusal of a request, which is the client's fault and repeats nothing of what it sent.
pub fn refused(members: Value) -> Refusal {
    let body = asked(members);
    let refusal = match planned(RESPONSES, &settings(), &[JSON], &body) {
        Err(refusal) => refusal,
        Ok(plan) => panic!("{body} became {}", sent(&plan, &body)),
    };
    assert_eq!(refusal.status, 400, "{body}");
    assert!(!refusal.to_string().contains(SECRET), "{refusal}");
    refusal
}

/// Which parameter is wrong, and how.
pub fn wrong(members: Value) -> (String, String) {
    let refusal = refused(members);
    (
        refusal.param.unwrap_or_default().into(),
        refusal.message.into_owned(),
    )
}

/// An event's frame.
pub fn event((name, payload): (&str, &str)) -> Vec<u8> {
    frame(
        &[
            (":event-type", name),
            (":content-type", "application/json"),
            (":message-type", "event"),
        ],
        payload,
    )
}

/// An exception's frame.
pub fn exception((name, payload): (&str, &str)) -> Vec<u8> {
    frame(
        &[(":exception-type", name), (":message-type", "exception")],
        payload,
    )
}

/// The relay for the stream that a request with these members asked for.
pub fn stream_relay(settings: &Settings<'_>, mut members: Value) -> Relay {
    members["stream"] = true.into();
    let headers = [
        ("content-type", "application/vnd.amazon.eventstream"),
        ("x-amzn-requestid", "r-1"),
    ];
    let asked = asked(members);
    let relay = relay_of(
        RESPONSES,
        "application/json",
        &asked,
        settings,
        200,
        &headers,
    );
    assert_eq!(relay.rewrites_as(), Some("text/event-stream"));
    relay
}

/// What becomes of these frames, whatever reads they come in.
pub fn outcome(settings: &Settings<'_>, members: &Value, frames: &[Vec<u8>]) -> Outcome {
    let body = frames.concat();
    let feed = |pieces: Vec<&[u8]>| fed(stream_relay(settings, members.clone()), pieces, true);
    let whole = feed(vec![&body]);
    for read in [1, 7, 100] {
        assert_eq!(feed(body.chunks(read).collect()), whole, "reads of {read}");
    }
    whole
}

/// The same of events, in a location that says nothing.
pub fn streamed(members: Value, events: &[(&str, &str)]) -> Outcome {
    let frames: Vec<_> = events.iter().copied().map(event).collect();
    outcome(&settings(), &members, &frames)
}

/// The events that were sent, each as `event:` and its data; what every event must have is checked.
pub fn events(outcome: &Outcome) -> Vec<(String, Value)> {
    let text = std::str::from_utf8(&outcome.sent).unwrap();
    let mut found = Vec::new();
    for event in text.split_terminator("\n\n") {
        let (name, data) = event.split_once('\n').unwrap();
        let name = name.strip_prefix("event: ").unwrap();
        let data: Value = serde_json::from_str(data.strip_prefix("data: ").unwrap()).unwrap();
        assert_eq!(data["type"], name);
        assert_eq!(data["sequence_number"], found.len());
        found.push((name.to_owned(), data));
    }
    found
}

/// The response in the last event.
pub fn last(outcome: &Outcome) -> (String, Value) {
    let (name, data) = events(outcome).pop().unwrap();
    (name, data["response"].clone())
}

/// What becomes of a whole answer with this message, stop reason and usage.
pub fn answered(members: Value, content: Value, stop: &str) -> Value {
    let body = json!({"output": {"message": {"role": "assistant", "content": content}}, "stopReason": stop,
        "usage": {"inputTokens": 3, "outputTokens": 2, "totalTokens": 5}, "metrics": {"latencyMs": 7}});
    let outcome = whole(members, 200, &body);
    assert_eq!(outcome.ending, Ending::Clean);
    serde_json::from_slice(&outcome.sent).unwrap()
}

/// What becomes of this answer.
pub fn whole(members: Value, status: u16, body: &Value) -> Outcome {
    let headers = [
        ("content-type", "application/json"),
        ("x-amzn-requestid", "r-1"),
    ];
    let asked = asked(members);
    let relay = relay_of(
        RESPONSES,
        "application/json",
        &asked,
        &settings(),
        status,
        &headers,
    );
    fed(relay, [body.to_string().as_bytes()], true)
}
