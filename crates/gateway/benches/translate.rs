//! What OpenAI's dialect costs: an answer in events beside the same bytes only observed, and requests on their way in.
//! `cargo bench -p gateway --bench translate`
#![allow(missing_docs, reason = "criterion_group! writes a public function")]
#![allow(clippy::expect_used, clippy::unwrap_used)]

use std::hint::black_box;
use std::time::SystemTime;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use eventstream::{Header, HeaderValue, encode};
use gateway::{inspect, plan};

#[path = "../tests/common/mod.rs"]
mod common;
use common::settings;

const CHAT: &str = "/v1/chat/completions";
const HEADERS: [(&str, &str); 1] = [("content-type", "application/json")];

/// An answer of 54 frames and about 9 KB, as one of fifty words comes.
fn stream() -> Vec<u8> {
    let mut stream = Vec::new();
    let mut frame = |event_type: &str, payload: &str| {
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
    };
    frame("messageStart", r#"{"p":"abcdefgh","role":"assistant"}"#);
    for word in 0..50 {
        // Bedrock pads each event by another length.
        let padding = "abcdefghijklmnopqrstuvwxyzABCDEF".get(..word % 32).unwrap();
        frame(
            "contentBlockDelta",
            &format!(
                r#"{{"contentBlockIndex":0,"delta":{{"text":" word{word}"}},"p":"{padding}"}}"#
            ),
        );
    }
    frame(
        "contentBlockStop",
        r#"{"contentBlockIndex":0,"p":"abcdefghijk"}"#,
    );
    frame(
        "messageStop",
        r#"{"p":"abcdefghijklmno","stopReason":"end_turn"}"#,
    );
    frame(
        "metadata",
        r#"{"metrics":{"latencyMs":431},"p":"abc","usage":{"inputTokens":14,"outputTokens":52,"totalTokens":66}}"#,
    );
    stream
}

fn answers(criterion: &mut Criterion) {
    let stream = stream();
    let mut group = criterion.benchmark_group("54 frames in reads of 8 KiB");
    group.throughput(Throughput::Elements(54));
    for (form, target, body) in [
        (
            "observed",
            "/model/m.x/converse-stream",
            r#"{"messages":[]}"#,
        ),
        (
            "openai",
            CHAT,
            r#"{"model":"m.x","stream":true,"messages":[],"stream_options":{"include_usage":true}}"#,
        ),
    ] {
        let request = inspect(None, "POST", target, Some(body.as_bytes())).unwrap();
        let plan = plan(&request, &settings(), &HEADERS, body.as_bytes()).unwrap();
        let header = |name: &str| match name {
            "content-type" => Some("application/vnd.amazon.eventstream".to_owned()),
            "x-amzn-requestid" => Some("5f3c1b2a-9d8e-4f70-a1b2-c3d4e5f60718".to_owned()),
            _ => None,
        };
        group.bench_function(BenchmarkId::from_parameter(form), |bencher| {
            bencher.iter(|| {
                let mut relay = plan.relay(200, header, SystemTime::UNIX_EPOCH);
                let mut out = Vec::new();
                for read in black_box(&stream).chunks(8192) {
                    relay.push(read, &mut out);
                    black_box(&out);
                    out.clear();
                }
                relay.finish(true, &mut out)
            });
        });
    }
    group.finish();
}

fn requests(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("chat request");
    let text = |size| {
        let text = "x".repeat(size);
        format!(r#"{{"model":"m.x","messages":[{{"role":"user","content":"{text}"}}]}}"#)
    };
    let image = |size| {
        let data = "A".repeat(size);
        format!(
            r#"{{"model":"m.x","messages":[{{"role":"user","content":[{{"type":"text","text":"What is this?"}},{{"type":"image_url","image_url":{{"url":"data:image/png;base64,{data}"}}}}]}}]}}"#
        )
    };
    for (form, body) in [
        ("text/1 KiB", text(1 << 10)),
        ("text/100 KiB", text(100 << 10)),
        ("text/5 MiB", text(5 << 20)),
        ("image/20 MiB", image(20 << 20)),
    ] {
        let body = body.as_bytes();
        group.throughput(Throughput::Bytes(body.len() as u64));
        group.bench_function(form, |bencher| {
            bencher.iter(|| {
                let request = inspect(None, "POST", CHAT, Some(black_box(body))).unwrap();
                plan(&request, &settings(), &HEADERS, body).unwrap()
            });
        });
    }
    group.finish();
}

criterion_group!(benches, answers, requests);
criterion_main!(benches);
