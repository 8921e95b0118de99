//! Bedrock's answers in events as Anthropic's clients get them: good and failed, however they are cut.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

// Half of what these two have is about other clients.
#[allow(dead_code)]
#[path = "common/chunks.rs"]
mod chunks;
mod common;
#[allow(dead_code)]
#[path = "common/stream.rs"]
mod stream;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chunks::{
    BLOCK_END, DELTA, INPUT, METRICS, START, STOP, TEXT, TEXT_BLOCK, TOOL_BLOCK, chunk, event,
};
use common::settings;
use gateway::{Relay, StreamStatus};
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};
use stream::{Ending, Outcome, fed, frame, relay_of};

const EVENTS: (&str, &str) = ("content-type", "application/vnd.amazon.eventstream");
const ID: (&str, &str) = ("x-amzn-requestid", "r-1");

fn relay(model: &str, stream: bool, status: u16, headers: &[(&str, &str)]) -> Relay {
    let body = json!({"model": model, "stream": stream, "max_tokens": 9, "messages": [{"role": "user", "content": "x"}],
        "tools": [{"name": "server.tool", "input_schema": {"type": "object"}}]});
    relay_of(
        "/v1/messages",
        "*/*",
        &body.to_string(),
        &settings(),
        status,
        headers,
    )
}

/// A stream's outcome, fed whole.
fn streamed(model: &str, frames: &[Vec<u8>], clean: bool) -> Outcome {
    let body = frames.concat();
    fed(
        relay(model, true, 200, &[EVENTS, ID]),
        [body.as_slice()],
        clean,
    )
}

fn by_invoke(chunks: &[&str]) -> Outcome {
    let frames: Vec<_> = chunks.iter().map(|json| chunk(json)).collect();
    streamed("anthropic.c", &frames, true)
}

fn by_converse(events: &[(&str, Value)]) -> Outcome {
    streamed("m", &frames(events), true)
}

fn frames(events: &[(&str, Value)]) -> Vec<Vec<u8>> {
    events
        .iter()
        .map(|(name, payload)| event(name, &payload.to_string()))
        .collect()
}

/// The events of an answer; each has its type on its `event:` line, too.
fn events(sent: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(sent).unwrap();
    assert!(text.is_empty() || text.ends_with("\n\n"));
    text.split_terminator("\n\n")
        .map(|event| {
            let (name, data) = event.split_once('\n').unwrap();
            let data: String = data
                .lines()
                .map(|line| line.strip_prefix("data: ").unwrap())
                .collect();
            let data: Value = serde_json::from_str(&data).unwrap();
            assert_eq!(name.strip_prefix("event: "), data["type"].as_str());
            data
        })
        .collect()
}

fn text(block: u64, text: &str) -> (&'static str, Value) {
    (
        "contentBlockDelta",
        json!({"contentBlockIndex": block, "delta": {"text": text}}),
    )
}

fn delta(block: u64, delta: Value) -> (&'static str, Value) {
    (
        "contentBlockDelta",
        json!({"contentBlockIndex": block, "delta": delta}),
    )
}

fn stop(block: u64) -> (&'static str, Value) {
    ("contentBlockStop", json!({"contentBlockIndex": block}))
}

fn tool(block: u64) -> (&'static str, Value) {
    (
        "contentBlockStart",
        json!({"contentBlockIndex": block, "start": {"toolUse": {"toolUseId": "t1", "name": "n"}}}),
    )
}

fn message_start() -> (&'static str, Value) {
    ("messageStart", json!({"role": "assistant", "p": "abc"}))
}

fn message_stop(reason: &str) -> (&'static str, Value) {
    ("messageStop", json!({"stopReason": reason}))
}

fn metadata() -> (&'static str, Value) {
    (
        "metadata",
        json!({"usage": {"inputTokens": 10, "outputTokens": 20, "totalTokens": 1230, "cacheReadInputTokens": 1000,
        "cacheWriteInputTokens": 200, "cacheDetails": [{"ttl": "1h", "inputTokens": 150}, {"ttl": "5m", "inputTokens": 50}]},
        "metrics": {"latencyMs": 42}}),
    )
}

/// What the SDK's accumulator demands of a stream: blocks numbered as they start, deltas inside their blocks, one beginning,
/// one end. Returns whether the message is whole.
fn accumulates(events: &[Value]) -> bool {
    let (mut started, mut open, mut told, mut stopped) = (0, Vec::new(), false, false);
    for (place, event) in events.iter().enumerate() {
        assert!(!stopped, "something follows the end: {event}");
        let kind = event["type"].as_str().unwrap();
        assert_eq!(kind == "message_start", place == 0, "{event}");
        match kind {
            "message_start" | "ping" => {}
            "content_block_start" => {
                assert!(!told);
                assert_eq!(event["index"], started);
                open.push((started, event["content_block"]["type"].clone()));
                started += 1;
            }
            "content_block_delta" => {
                let found = open.iter().find(|(index, _)| event["index"] == *index);
                let (_, block) = found.unwrap_or_else(|| panic!("no block for {event}"));
                let fits = match event["delta"]["type"].as_str().unwrap() {
                    "text_delta" | "citations_delta" => "text",
                    "thinking_delta" | "signature_delta" => "thinking",
                    "input_json_delta" => "tool_use",
                    other => panic!("{other}"),
                };
                assert_eq!(block, fits);
            }
            "content_block_stop" => {
                let before = open.len();
                open.retain(|(index, _)| event["index"] != *index);
                assert_eq!(open.len() + 1, before);
            }
            "message_delta" => {
                assert!(!told && open.is_empty());
                told = true;
            }
            "message_stop" => {
                assert!(told);
                stopped = true;
            }
            "error" => stopped = true,
            other => panic!("{other}"),
        }
    }
    events
        .last()
        .is_some_and(|last| last["type"] == "message_stop")
}

#[test]
fn an_invoke_stream_gets_its_lines_back_and_loses_the_metrics() {
    let seen = by_invoke(&[
        START, TEXT_BLOCK, TEXT, BLOCK_END, TOOL_BLOCK, INPUT, DELTA, METRICS,
    ]);
    let expected: String = [
        ("message_start", START),
        ("content_block_start", TEXT_BLOCK),
        ("content_block_delta", TEXT),
        ("content_block_stop", BLOCK_END),
        ("content_block_start", TOOL_BLOCK),
        ("content_block_delta", INPUT),
        (
            "message_delta",
            &DELTA.replace(
                r#""output_tokens":20"#,
                r#""output_tokens":20,"cache_creation_input_tokens":4,"cache_read_input_tokens":3"#,
            ),
        ),
        ("message_stop", STOP),
    ]
    .iter()
    .map(|(name, json)| format!("event: {name}\ndata: {json}\n\n"))
    .collect();
    assert_eq!(String::from_utf8(seen.sent).unwrap(), expected);
    assert_eq!(seen.ending, Ending::Clean);
    assert_eq!(seen.facts.stream, Some(StreamStatus::Complete));
    assert_eq!(seen.facts.stop_reason.as_deref(), Some("end_turn"));
    assert_eq!(
        (seen.facts.input_tokens, seen.facts.output_tokens),
        (Some(10), Some(20))
    );
    assert_eq!(seen.facts.latency_ms, Some(500));
}

#[test]
fn counts_of_the_cache_reach_the_client_whoever_tells_them() {
    let usage = |start: &str, delta: &str, rest: &[&str]| -> Value {
        let start = format!(r#"{{"type":"message_start","message":{{"usage":{start}}}}}"#);
        let delta = format!(
            r#"{{"type":"message_delta","delta":{{"stop_reason":"end_turn"}},"usage":{delta}}}"#
        );
        let chunks = [&[start.as_str(), &delta], rest].concat();
        let events = events(&by_invoke(&chunks).sent);
        assert_eq!(events.last().unwrap(), &json!({"type": "message_stop"}));
        let mut usage = events[events.len() - 2]["usage"].clone();
        assert_eq!(
            usage.as_object_mut().unwrap().remove("output_tokens"),
            Some(json!(20))
        );
        usage
    };
    let metrics = r#""amazon-bedrock-invocationMetrics":{"inputTokenCount":10,"outputTokenCount":20,"cacheReadInputTokenCount":3,"cacheWriteInputTokenCount":4}"#;
    let in_stop = format!(r#"{{"type":"message_stop",{metrics}}}"#);
    let before_stop = format!("{{{metrics}}}");
    let usage_in_stop = r#"{"type":"message_stop","usage":{"cache_read_input_tokens":3,"cache_creation_input_tokens":4}}"#;
    let found = json!({"cache_read_input_tokens": 3, "cache_creation_input_tokens": 4});
    let start = r#"{"input_tokens":10,"output_tokens":1}"#;
    let delta = r#"{"output_tokens":20}"#;
    assert_eq!(usage(start, delta, &[&in_stop]), found);
    assert_eq!(usage(start, delta, &[&before_stop, STOP]), found);
    let zeros =
        r#"{"input_tokens":10,"cache_read_input_tokens":0,"cache_creation_input_tokens":0}"#;
    assert_eq!(usage(zeros, delta, &[&in_stop]), found);
    let known =
        r#"{"input_tokens":10,"cache_read_input_tokens":3,"cache_creation_input_tokens":4}"#;
    assert_eq!(usage(known, delta, &[&in_stop]), json!({}));
    let other = r#"{"output_tokens":20,"cache_read_input_tokens":7}"#;
    assert_eq!(
        usage(start, other, &[&in_stop]),
        json!({"cache_read_input_tokens": 7, "cache_creation_input_tokens": 4})
    );
    assert_eq!(usage("{}", delta, &[&in_stop])["input_tokens"], 10);
    assert_eq!(usage(start, delta, &[STOP]), json!({}));
    let in_stop = events(&by_invoke(&[START, DELTA, usage_in_stop]).sent);
    assert_eq!(in_stop[1]["usage"]["cache_read_input_tokens"], 3);
    // What breaks off keeps what it had.
    let broken = events(&by_invoke(&[START, DELTA]).sent);
    let types: Vec<&Value> = broken.iter().map(|event| &event["type"]).collect();
    assert_eq!(types, ["message_start", "message_delta", "error"]);
}

#[test]
fn metrics_in_a_chunk_of_their_own_reach_the_log_only() {
    let metrics = r#"{"amazon-bedrock-invocationMetrics":{"inputTokenCount":7,"outputTokenCount":8,"cacheReadInputTokenCount":9}}"#;
    let seen = by_invoke(&[START, DELTA, STOP, metrics]);
    let types: Vec<Value> = events(&seen.sent)
        .iter()
        .map(|event| event["type"].clone())
        .collect();
    assert_eq!(types, ["message_start", "message_delta", "message_stop"]);
    assert_eq!(seen.facts.cache_read_tokens, Some(9));
}

#[test]
fn an_event_is_one_line_however_the_model_lays_its_json_out() {
    let seen = by_invoke(&[
        "{\n \"type\": \"message_start\",\r\n \"message\": {}\n}",
        "{\"type\":\"content_block_delta\",\"delta\":{\"text\":\"a\\nb\"}\n}",
        STOP,
    ]);
    let sent = String::from_utf8(seen.sent).unwrap();
    assert!(
        sent.starts_with(concat!(
            "event: message_start\ndata: { \"type\": \"message_start\", \"message\": {}}\n\n",
            "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"delta\":{\"text\":\"a\\nb\"}}\n\n",
        )),
        "{sent}"
    );
}

#[test]
fn blocks_that_nobody_closes_are_closed_in_time() {
    let start = |block: usize| {
        let tool = json!({"toolUse": {"toolUseId": format!("t{block}"), "name": "tool"}});
        (
            "contentBlockStart",
            json!({"contentBlockIndex": block, "start": tool}),
        )
    };
    let seen = streamed(
        "m",
        &frames(&(0..1000).map(start).collect::<Vec<_>>()),
        false,
    );
    let sent = String::from_utf8(seen.sent).unwrap();
    assert_eq!(sent.matches("event: content_block_start").count(), 1000);
    assert_eq!(
        sent.matches("event: content_block_stop").count(),
        1000 - 256
    );
}

#[test]
fn an_invoke_stream_that_breaks_ends_with_an_error_event() {
    let frames: Vec<_> = [START, TEXT_BLOCK, TEXT, BLOCK_END, DELTA, STOP]
        .map(chunk)
        .into();
    for whole in 1..frames.len() {
        for clean in [true, false] {
            let seen = streamed("anthropic.c", &frames[..whole], clean);
            let events = events(&seen.sent);
            assert_eq!(events.len(), whole + 1);
            assert_eq!(events[whole]["error"]["type"], "api_error");
            assert_eq!(events[whole]["request_id"], "r-1");
            assert_eq!(seen.ending, Ending::Clean);
            assert_eq!(seen.facts.stream, Some(StreamStatus::Truncated));
        }
        let mut damaged = frames.concat();
        let start = frames[..whole].concat().len();
        damaged[start + 40] ^= 1;
        let seen = fed(
            relay("anthropic.c", true, 200, &[EVENTS, ID]),
            [damaged.as_slice()],
            true,
        );
        let events = events(&seen.sent);
        assert_eq!(
            (events.len(), &events[whole]["type"]),
            (whole + 1, &json!("error"))
        );
        assert_eq!(seen.facts.stream, Some(StreamStatus::Corrupt));
    }
}

#[test]
fn exceptions_have_anthropics_types() {
    for (name, kind, status) in [
        ("throttlingException", "rate_limit_error", 429),
        ("validationException", "invalid_request_error", 400),
        ("modelStreamErrorException", "api_error", 424),
        ("internalServerException", "api_error", 500),
        ("serviceUnavailableException", "overloaded_error", 503),
        ("modelTimeoutException", "timeout_error", 408),
        ("newException", "api_error", 500),
    ] {
        let failed = frame(
            &[(":exception-type", name), (":message-type", "exception")],
            r#"{"message":"No."}"#,
        );
        let begun: [(&str, Vec<u8>); 2] = [
            ("anthropic.c", chunk(START)),
            ("m", event("messageStart", r#"{"role":"assistant"}"#)),
        ];
        for (model, first) in begun {
            let seen = streamed(model, &[first, failed.clone()], true);
            assert_eq!(
                events(&seen.sent).last(),
                Some(
                    &json!({"type": "error", "error": {"type": kind, "message": "No."}, "request_id": "r-1"})
                ),
            );
            assert_eq!(
                (seen.ending, seen.facts.exception.as_deref()),
                (Ending::Clean, Some(name))
            );
            let seen = streamed(model, std::slice::from_ref(&failed), true);
            assert!(matches!(seen.ending, Ending::Error(seen, _) if seen == status));
        }
    }
}

#[test]
fn an_error_of_the_models_own_ends_the_stream_once() {
    let error = r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#;
    let seen = by_invoke(&[START, error]);
    let events = events(&seen.sent);
    assert_eq!(events.len(), 2);
    assert_eq!(events[1]["error"]["type"], "overloaded_error");
    assert_eq!(seen.facts.stream, Some(StreamStatus::Exception));
}

#[test]
fn a_model_of_another_form_is_no_message() {
    let body = json!({"model": "arn:aws:bedrock:us-east-1:1:application-inference-profile/a", "stream": true,
        "max_tokens": 9, "messages": []});
    let by_invoke = gateway::Settings {
        anthropic: gateway::settings::Anthropic {
            via: gateway::settings::Via::Invoke,
            ..gateway::settings::Anthropic::default()
        },
        ..settings()
    };
    let relay = relay_of(
        "/v1/messages",
        "*/*",
        &body.to_string(),
        &by_invoke,
        200,
        &[EVENTS],
    );
    let titan = chunk(r#"{"outputText":"Hi","completionReason":"FINISH"}"#);
    let seen = fed(relay, [titan.as_slice()], true);
    let events = events(&seen.sent);
    assert_eq!((events.len(), &events[0]["type"]), (1, &json!("error")));
    let message = events[0]["error"]["message"].as_str().unwrap();
    assert!(message.contains("through Converse"), "{message}");
    assert_eq!(seen.facts.stream, Some(StreamStatus::Corrupt));
}

#[test]
fn converse_events_become_anthropics() {
    let seen = by_converse(&[
        message_start(),
        delta(0, json!({"reasoningContent": {"text": "Hm"}})),
        delta(0, json!({"reasoningContent": {"text": "."}})),
        delta(0, json!({"reasoningContent": {"signature": "c2ln"}})),
        stop(0),
        delta(
            1,
            json!({"reasoningContent": {"redactedContent": STANDARD.encode("Secret==")}}),
        ),
        stop(1),
        text(2, "Hi \"é\"\n"),
        text(2, ""),
        delta(
            2,
            json!({"citation": {"title": "T", "sourceContent": [{"text": "s"}],
            "location": {"documentPage": {"documentIndex": 0, "start": 1, "end": 2}}}}),
        ),
        stop(2),
        tool(3),
        delta(3, json!({"toolUse": {"input": ""}})),
        delta(3, json!({"toolUse": {"input": "{\"a\":"}})),
        delta(3, json!({"toolUse": {"input": "1}"}})),
        stop(3),
        tool(4),
        stop(4),
        message_stop("tool_use"),
        metadata(),
    ]);
    let zeros = json!({"input_tokens": 0, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0, "output_tokens": 0});
    let start = |index: u64, block: Value| json!({"type": "content_block_start", "index": index, "content_block": block});
    let delta = |index: u64, delta: Value| json!({"type": "content_block_delta", "index": index, "delta": delta});
    let stop = |index: u64| json!({"type": "content_block_stop", "index": index});
    let tool = json!({"type": "tool_use", "id": "t1", "name": "n", "input": {}});
    let expected = vec![
        json!({"type": "message_start", "message": {"id": "msg_r-1", "type": "message", "role": "assistant", "model": "m",
            "content": [], "stop_reason": null, "stop_sequence": null, "usage": zeros}}),
        json!({"type": "ping"}),
        start(
            0,
            json!({"type": "thinking", "thinking": "", "signature": ""}),
        ),
        delta(0, json!({"type": "thinking_delta", "thinking": "Hm"})),
        delta(0, json!({"type": "thinking_delta", "thinking": "."})),
        delta(0, json!({"type": "signature_delta", "signature": "c2ln"})),
        stop(0),
        start(1, json!({"type": "redacted_thinking", "data": "Secret=="})),
        stop(1),
        start(2, json!({"type": "text", "text": ""})),
        delta(2, json!({"type": "text_delta", "text": "Hi \"é\"\n"})),
        delta(
            2,
            json!({"type": "citations_delta", "citation": {"type": "page_location", "cited_text": "s",
            "document_title": "T", "document_index": 0, "start_page_number": 1, "end_page_number": 2}}),
        ),
        stop(2),
        start(3, tool.clone()),
        delta(
            3,
            json!({"type": "input_json_delta", "partial_json": "{\"a\":"}),
        ),
        delta(3, json!({"type": "input_json_delta", "partial_json": "1}"})),
        stop(3),
        start(4, tool),
        stop(4),
        json!({"type": "message_delta", "delta": {"stop_reason": "tool_use", "stop_sequence": null}, "usage": {
            "input_tokens": 10, "cache_creation_input_tokens": 200, "cache_read_input_tokens": 1000, "output_tokens": 20,
            "cache_creation": {"ephemeral_5m_input_tokens": 50, "ephemeral_1h_input_tokens": 150}}}),
        json!({"type": "message_stop"}),
    ];
    let events = events(&seen.sent);
    assert_eq!(events, expected);
    assert!(accumulates(&events));
    assert_eq!(seen.facts.stream, Some(StreamStatus::Complete));
    assert_eq!(seen.facts.stop_reason.as_deref(), Some("tool_use"));
    assert_eq!(seen.facts.total_tokens(), Some(1230));
}

#[test]
fn every_stop_reason_ends_the_stream() {
    for (word, reason) in [
        ("end_turn", "end_turn"),
        ("tool_use", "end_turn"),
        ("max_tokens", "max_tokens"),
        ("stop_sequence", "stop_sequence"),
        (
            "model_context_window_exceeded",
            "model_context_window_exceeded",
        ),
        ("content_filtered", "refusal"),
        ("guardrail_intervened", "refusal"),
        ("brand_new", "end_turn"),
    ] {
        let seen = by_converse(&[
            message_start(),
            text(0, "x"),
            stop(0),
            message_stop(word),
            metadata(),
        ]);
        let events = events(&seen.sent);
        assert!(accumulates(&events));
        assert_eq!(events[events.len() - 2]["delta"]["stop_reason"], reason);
        assert_eq!(seen.facts.stop_reason.as_deref(), Some(word));
    }
}

#[test]
fn a_turn_that_calls_a_tool_waits_for_its_result_whatever_bedrock_says() {
    for (word, reason) in [
        ("end_turn", "tool_use"),
        ("tool_use", "tool_use"),
        ("brand_new", "tool_use"),
        ("max_tokens", "max_tokens"),
        ("guardrail_intervened", "refusal"),
    ] {
        let seen = by_converse(&[
            message_start(),
            tool(0),
            stop(0),
            message_stop(word),
            metadata(),
        ]);
        let events = events(&seen.sent);
        assert!(accumulates(&events));
        assert_eq!(
            events[events.len() - 2]["delta"]["stop_reason"],
            reason,
            "{word}"
        );
        assert_eq!(seen.facts.stop_reason.as_deref(), Some(word));
    }
}

#[test]
fn malformed_output_is_an_error() {
    for word in ["malformed_tool_use", "malformed_model_output"] {
        for counts in [vec![], vec![metadata()]] {
            let mut sent = vec![message_start(), text(0, "x"), stop(0), message_stop(word)];
            sent.extend(counts);
            let seen = by_converse(&sent);
            let events = events(&seen.sent);
            assert!(!accumulates(&events));
            assert_eq!(events.last().unwrap()["error"]["type"], "api_error");
            assert_eq!(seen.ending, Ending::Clean);
            assert_eq!(seen.facts.stop_reason.as_deref(), Some(word));
        }
    }
}

/// The blocks of a stream: type, index and what was added.
fn blocks(sent: &[u8]) -> Vec<(Value, Vec<Value>)> {
    let events = events(sent);
    assert!(accumulates(&events));
    let mut blocks = Vec::new();
    for event in events {
        match event["type"].as_str().unwrap() {
            "content_block_start" => blocks.push((event["content_block"].clone(), Vec::new())),
            "content_block_delta" => {
                let index = usize::try_from(event["index"].as_u64().unwrap()).unwrap();
                blocks[index].1.push(event["delta"].clone());
            }
            _ => {}
        }
    }
    blocks
}

fn source(block: u64, title: &str) -> (&'static str, Value) {
    let location = json!({"documentChar": {"documentIndex": 0, "start": 0, "end": 1}});
    let citation = json!({"title": title, "sourceContent": [{"text": "s"}], "location": location});
    delta(block, json!({"citation": citation}))
}

#[test]
fn a_source_belongs_to_a_text_and_makes_none() {
    let titles = |events: &[(&str, Value)]| -> Vec<(Value, Vec<String>)> {
        let mut all = vec![message_start()];
        all.extend_from_slice(events);
        all.extend([message_stop("end_turn"), metadata()]);
        let seen = by_converse(&all);
        let told = |delta: Value| match delta["type"].as_str() {
            Some("citations_delta") => delta["citation"]["document_title"]
                .as_str()
                .unwrap()
                .to_owned(),
            Some("text_delta") => format!("text {}", delta["text"].as_str().unwrap()),
            _ => "other".to_owned(),
        };
        let shown = |(block, deltas): (Value, Vec<Value>)| {
            (
                block["type"].clone(),
                deltas.into_iter().map(told).collect(),
            )
        };
        blocks(&seen.sent).into_iter().map(shown).collect()
    };
    let one = |kind: &str, deltas: &[&str]| {
        (
            json!(kind),
            deltas
                .iter()
                .map(|text| (*text).to_owned())
                .collect::<Vec<_>>(),
        )
    };
    // In the text's own block, after it or before.
    assert_eq!(
        titles(&[text(0, "a"), source(0, "A"), stop(0)]),
        [one("text", &["text a", "A"])]
    );
    assert_eq!(
        titles(&[source(0, "A"), text(0, "a"), stop(0)]),
        [one("text", &["A", "text a"])]
    );
    // In blocks of their own.
    assert_eq!(
        titles(&[
            text(0, "a"),
            stop(0),
            source(1, "A"),
            stop(1),
            source(2, "B"),
            stop(2),
            text(3, "b"),
            stop(3)
        ]),
        [one("text", &["text a", "A", "B"]), one("text", &["text b"])]
    );
    assert_eq!(
        titles(&[text(0, "a"), stop(0), source(1, "A"), text(1, "b"), stop(1)]),
        [one("text", &["text a"]), one("text", &["A", "text b"])]
    );
    assert_eq!(
        titles(&[text(0, "a"), stop(0), source(1, "A"), tool(2), stop(2)]),
        [one("text", &["text a", "A"]), one("tool_use", &[])]
    );
    assert_eq!(
        titles(&[text(0, "a"), stop(0), source(1, "A")]),
        [one("text", &["text a", "A"])]
    );
    // Where there is no text, there is nothing to cite for.
    assert_eq!(titles(&[source(0, "A"), stop(0)]), []);
    assert_eq!(
        titles(&[source(0, "A"), tool(1), stop(1)]),
        [one("tool_use", &[])]
    );
    let many: Vec<_> = (0..5000)
        .map(|_| source(0, "A"))
        .chain([text(0, "a")])
        .collect();
    let kept = titles(&many).remove(0).1.len();
    assert!((100..1000).contains(&kept), "{kept}");
}

#[test]
fn pictures_and_what_is_not_known_are_shown() {
    let seen = by_converse(&[
        message_start(),
        (
            "contentBlockStart",
            json!({"contentBlockIndex": 0, "start": {"image": {"format": "webp"}}}),
        ),
        delta(0, json!({"image": {"source": {"bytes": "QUJD"}}})),
        stop(0),
        text(1, "There."),
        stop(1),
        delta(
            2,
            json!({"image": {"source": {"s3Location": {"uri": "s3://b/k"}}}}),
        ),
        stop(2),
        delta(3, json!({"image": {"error": {"message": "no"}}})),
        stop(3),
        delta(4, json!({"brandNew": {"x": 1}})),
        delta(4, json!({"brandNew": {"x": 2}})),
        stop(4),
        message_stop("end_turn"),
        metadata(),
    ]);
    let text = |text: &str| {
        (
            json!({"type": "text", "text": ""}),
            vec![json!({"type": "text_delta", "text": text})],
        )
    };
    assert_eq!(
        blocks(&seen.sent),
        [
            (
                json!({"type": "image", "source": {"type": "base64", "media_type": "image/webp", "data": "QUJD"}}),
                vec![]
            ),
            text("There."),
            (
                json!({"type": "image", "source": {"type": "url", "url": "s3://b/k"}}),
                vec![]
            ),
            text("[an image that did not come whole]"),
            text("[content of a kind that this API has no form for]"),
        ]
    );
}

#[test]
fn a_call_that_bedrock_makes_itself_is_not_the_clients() {
    let servers =
        json!({"toolUse": {"toolUseId": "s", "name": "nova_grounding", "type": "server_tool_use"}});
    let seen = by_converse(&[
        message_start(),
        (
            "contentBlockStart",
            json!({"contentBlockIndex": 0, "start": servers}),
        ),
        delta(0, json!({"toolUse": {"input": "{}"}})),
        stop(0),
        (
            "contentBlockStart",
            json!({"contentBlockIndex": 1, "start": {"toolResult": {"toolUseId": "s", "type": "nova_grounding_result"}}}),
        ),
        delta(1, json!({"toolResult": [{"json": {}}]})),
        stop(1),
        text(2, "It rains."),
        stop(2),
        message_stop("end_turn"),
        metadata(),
    ]);
    let kinds: Vec<Value> = blocks(&seen.sent)
        .into_iter()
        .map(|(block, _)| block["type"].clone())
        .collect();
    assert_eq!(kinds, ["text"]);
    assert!(String::from_utf8_lossy(&seen.sent).contains(r#""stop_reason":"end_turn""#));
    assert_eq!(seen.facts.tool_calls, Some(0));
}

#[test]
fn a_call_without_an_id_gets_one() {
    let nameless = |block: u64| {
        (
            "contentBlockStart",
            json!({"contentBlockIndex": block, "start": {"toolUse": {"toolUseId": "", "name": "n"}}}),
        )
    };
    let seen = by_converse(&[
        message_start(),
        nameless(0),
        stop(0),
        nameless(1),
        stop(1),
        message_stop("tool_use"),
        metadata(),
    ]);
    let ids: Vec<Value> = blocks(&seen.sent)
        .into_iter()
        .map(|(block, _)| block["id"].clone())
        .collect();
    assert_eq!(ids, ["call_r-1_0", "call_r-1_1"]);
}

#[test]
fn counts_that_come_before_the_end_end_it_too() {
    let seen = by_converse(&[
        message_start(),
        text(0, "x"),
        metadata(),
        stop(0),
        message_stop("end_turn"),
    ]);
    let events = events(&seen.sent);
    assert!(accumulates(&events));
    assert_eq!(events[events.len() - 2]["usage"]["output_tokens"], 20);
    assert_eq!(seen.facts.stream, Some(StreamStatus::Complete));
}

#[test]
fn the_stop_sequence_that_matched_is_told() {
    for fields in [
        json!({"stop_sequence": "E\nND"}),
        json!({"delta": {"stop_sequence": "E\nND"}, "usage": {}}),
    ] {
        let stop = json!({"stopReason": "stop_sequence", "additionalModelResponseFields": fields});
        let seen = by_converse(&[
            message_start(),
            text(0, "x"),
            ("messageStop", stop),
            metadata(),
        ]);
        let events = events(&seen.sent);
        assert_eq!(events[events.len() - 2]["delta"]["stop_sequence"], "E\nND");
    }
}

#[test]
fn the_end_waits_for_the_counts_and_comes_without_them_if_they_never_do() {
    let content = [
        message_start(),
        text(0, "x"),
        stop(0),
        message_stop("end_turn"),
    ];
    let body = frames(&content).concat();
    let mut waiting = relay("m", true, 200, &[EVENTS]);
    let mut out = Vec::new();
    waiting.push(&body, &mut out);
    assert_eq!(events(&out).last().unwrap()["type"], "content_block_stop");
    for clean in [true, false] {
        let seen = streamed("m", &frames(&content), clean);
        let events = events(&seen.sent);
        assert!(accumulates(&events));
        assert_eq!(events[events.len() - 2]["usage"]["output_tokens"], 0);
        assert_eq!(seen.ending, Ending::Clean);
        assert_eq!(seen.facts.stream, Some(StreamStatus::Truncated));
        assert_eq!(seen.facts.output_tokens, None);
    }
    let seen = streamed("m", &frames(&content[..3]), true);
    let events = events(&seen.sent);
    assert!(!accumulates(&events));
    assert_eq!(events.last().unwrap()["type"], "error");
    assert_eq!(seen.ending, Ending::Clean);
}

#[test]
fn blocks_without_start_or_stop_or_with_numbers_of_their_own() {
    let seen = by_converse(&[
        text(3, "a"),
        delta(3, json!({"reasoningContent": {"text": "b"}})),
        tool(1),
        text(7, "c"),
        delta(1, json!({"toolUse": {"input": "{}"}})),
        delta(9, json!({"toolUse": {"input": "lost"}})),
        stop(42),
        message_stop("end_turn"),
        metadata(),
    ]);
    let events = events(&seen.sent);
    assert!(accumulates(&events));
    let started: Vec<&Value> = events
        .iter()
        .filter(|event| event["type"] == "content_block_start")
        .map(|event| &event["content_block"]["type"])
        .collect();
    assert_eq!(started, ["text", "thinking", "tool_use", "text"]);
    assert!(!String::from_utf8_lossy(&seen.sent).contains("lost"));
}

/// Any events of Converse, in any order.
fn any_events() -> impl Strategy<Value = Vec<(&'static str, Value)>> {
    let one = (0u64..4, 0usize..12).prop_map(|(block, kind)| match kind {
        0 => tool(block),
        1 | 2 => text(block, "é\n"),
        3 => delta(block, json!({"reasoningContent": {"text": "r"}})),
        4 => delta(block, json!({"reasoningContent": {"signature": "s"}})),
        5 => delta(
            block,
            json!({"reasoningContent": {"redactedContent": "AAAA"}}),
        ),
        6 => delta(block, json!({"toolUse": {"input": "{}"}})),
        7 => ("unknownEvent", json!({})),
        8 => source(block, "T"),
        9 => delta(block, json!({"image": {"source": {"bytes": "AAAA"}}})),
        10 => delta(block, json!({"brandNew": 1})),
        _ => stop(block),
    });
    vec(one, 0..24)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

    #[test]
    fn every_stream_accumulates_and_splitting_changes_nothing(
        content in any_events(),
        ends in any::<bool>(),
        counts in any::<bool>(),
        size in 1usize..200,
    ) {
        let mut events_sent = vec![message_start()];
        events_sent.extend(content);
        if ends {
            events_sent.push(message_stop("end_turn"));
        }
        if counts {
            events_sent.push(metadata());
        }
        let body = frames(&events_sent).concat();
        let at_once = fed(relay("m", true, 200, &[EVENTS, ID]), [body.as_slice()], true);
        let in_pieces = fed(relay("m", true, 200, &[EVENTS, ID]), body.chunks(size), true);
        prop_assert_eq!(&at_once, &in_pieces);
        prop_assert_eq!(accumulates(&events(&at_once.sent)), ends);
        let of = |kind: &str| events(&at_once.sent).iter().filter(|event| event["type"] == kind).count();
        prop_assert_eq!(of("message_start"), 1);
        prop_assert_eq!(of("message_delta"), usize::from(ends));
        prop_assert_eq!(of("message_stop"), usize::from(ends));
    }

    #[test]
    fn splitting_an_invoke_stream_changes_nothing(size in 1usize..300) {
        let frames: Vec<_> = [START, TEXT_BLOCK, TEXT, BLOCK_END, DELTA, METRICS].map(chunk).into();
        let body = frames.concat();
        let at_once = fed(relay("anthropic.c", true, 200, &[EVENTS, ID]), [body.as_slice()], true);
        let in_pieces = fed(relay("anthropic.c", true, 200, &[EVENTS, ID]), body.chunks(size), true);
        prop_assert_eq!(at_once, in_pieces);
    }
}
