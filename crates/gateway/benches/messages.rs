//! What it costs to give Anthropic's clients an answer in events, beside the same bytes only observed, as AWS's SDKs get
//! them. `cargo bench -p gateway --bench messages`
#![allow(missing_docs, reason = "criterion_group! writes a public function")]
#![allow(clippy::expect_used, clippy::unwrap_used)]

use std::hint::black_box;
use std::time::SystemTime;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use eventstream::{Header, HeaderValue, encode};
use gateway::{Plan, inspect, plan};

#[path = "../tests/common/mod.rs"]
mod common;
use common::settings;

/// Events as Bedrock frames them.
fn framed(events: impl Iterator<Item = (&'static str, String)>) -> Vec<u8> {
    let mut stream = Vec::new();
    for (event_type, payload) in events {
        let headers = [
            (":event-type", event_type),
            (":content-type", "application/json"),
            (":message-type", "event"),
        ]
        .map(|(name, value)| Header {
            name,
            value: HeaderValue::String(value),
        });
        encode(&headers, payload.as_bytes(), &mut stream).unwrap();
    }
    stream
}

/// An answer of fifty words from Claude over invoke.
fn by_invoke() -> Vec<u8> {
    let deltas = (0..50).map(|word| {
        format!(
            r#"{{"type":"content_block_delta","index":0,"delta":{{"type":"text_delta","text":" word{word}"}}}}"#
        )
    });
    let start = [
        r#"{"type":"message_start","message":{"id":"msg_bdrk_1","type":"message","role":"assistant","model":"claude","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":14,"output_tokens":1}}}"#,
        r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#,
    ];
    let end = [
        r#"{"type":"content_block_stop","index":0}"#,
        r#"{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":52}}"#,
        r#"{"type":"message_stop","amazon-bedrock-invocationMetrics":{"inputTokenCount":14,"outputTokenCount":52,"invocationLatency":431,"firstByteLatency":200}}"#,
    ];
    let chunks = start.map(str::to_owned).into_iter().chain(deltas);
    framed(chunks.chain(end.map(str::to_owned)).map(|json| {
        (
            "chunk",
            format!(
                r#"{{"bytes":"{}","p":"abcdefghijklmno"}}"#,
                STANDARD.encode(json)
            ),
        )
    }))
}

/// The same from another model over Converse.
fn by_converse() -> Vec<u8> {
    let event = |name, payload: &str| (name, payload.to_owned());
    let deltas = (0..50).map(|word| {
        (
            "contentBlockDelta",
            format!(
                r#"{{"contentBlockIndex":0,"delta":{{"text":" word{word}"}},"p":"abcdefghijklmno"}}"#
            ),
        )
    });
    let end = [
        event("contentBlockStop", r#"{"contentBlockIndex":0,"p":"abc"}"#),
        event("messageStop", r#"{"p":"abc","stopReason":"end_turn"}"#),
        event(
            "metadata",
            r#"{"metrics":{"latencyMs":431},"usage":{"inputTokens":14,"outputTokens":52,"totalTokens":66}}"#,
        ),
    ];
    let start = event("messageStart", r#"{"p":"abc","role":"assistant"}"#);
    framed(std::iter::once(start).chain(deltas).chain(end))
}

fn planned(target: &str, body: &str) -> Plan {
    let request = inspect(None, "POST", target, Some(body.as_bytes())).unwrap();
    plan(&request, &settings(), &[], body.as_bytes()).unwrap()
}

fn answers(criterion: &mut Criterion) {
    let messages = |model: &str| {
        let body = format!(
            r#"{{"model":"{model}","stream":true,"max_tokens":9,"messages":[{{"role":"user","content":"x"}}]}}"#
        );
        planned("/v1/messages", &body)
    };
    let native = |verb: &str| planned(&format!("/model/anthropic.c/{verb}"), "{}");
    let mut group = criterion.benchmark_group("an answer in events");
    for (name, plan, stream) in [
        (
            "invoke, observed",
            native("invoke-with-response-stream"),
            by_invoke(),
        ),
        ("invoke, as Messages", messages("anthropic.c"), by_invoke()),
        (
            "Converse, observed",
            native("converse-stream"),
            by_converse(),
        ),
        ("Converse, as Messages", messages("m"), by_converse()),
    ] {
        group.throughput(Throughput::Bytes(stream.len() as u64));
        let mut out = Vec::with_capacity(1 << 16);
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let header = |name: &str| {
                    (name == "content-type")
                        .then(|| "application/vnd.amazon.eventstream".to_owned())
                };
                let mut relay = plan.relay(200, header, SystemTime::UNIX_EPOCH);
                out.clear();
                for piece in stream.chunks(1024) {
                    relay.push(black_box(piece), &mut out);
                }
                relay.finish(true, &mut out)
            });
        });
    }
    group.finish();
}

criterion_group!(benches, answers);
criterion_main!(benches);
