//! What a whole answer costs that has to be written in the client's form: as it comes, and at its end. The second is one turn
//! of the event loop. `cargo bench -p gateway --bench whole`
#![allow(missing_docs, reason = "criterion_group! writes a public function")]
#![allow(clippy::expect_used, clippy::unwrap_used)]

use std::hint::black_box;
use std::time::SystemTime;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use gateway::{End, Plan, Relay, inspect, plan};

#[path = "../tests/common/mod.rs"]
mod common;
use common::settings;

fn planned(target: &str, body: &str) -> Plan {
    let request = inspect(None, "POST", target, Some(body.as_bytes())).unwrap();
    plan(&request, &settings(), &[], body.as_bytes()).unwrap()
}

fn asked(target: &str) -> Plan {
    planned(
        target,
        r#"{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"x"}]}"#,
    )
}

fn embedded(encoding: &str) -> Plan {
    let texts = vec!["\"x\""; TEXTS].join(",");
    planned(
        "/v1/embeddings",
        &format!(
            r#"{{"model":"cohere.embed-v4:0","input":[{texts}],"encoding_format":"{encoding}"}}"#
        ),
    )
}

/// A text of so many bytes, every sixtieth a line break.
fn text(bytes: usize) -> String {
    let lines = "a word and another, fifty-eight bytes and then a line break\\n".repeat(bytes / 61);
    format!(
        r#"{{"output":{{"message":{{"role":"assistant","content":[{{"text":"{lines}"}}]}}}},"stopReason":"end_turn","usage":{{"inputTokens":9,"outputTokens":9,"totalTokens":18}}}}"#
    )
}

/// What Cohere's largest request comes back as.
fn embeddings() -> String {
    let list: Vec<String> = (0..TEXTS)
        .map(|text| {
            let numbers: Vec<String> = (0..1536)
                .map(|at| format!("{}", f64::from(at * 7 + text as i32 + 1).sin() / 10.0))
                .collect();
            format!("[{}]", numbers.join(","))
        })
        .collect();
    format!(
        r#"{{"id":"1","embeddings":{{"float":[{}]}}}}"#,
        list.join(",")
    )
}

fn taken(plan: &Plan, answer: &str, out: &mut Vec<u8>) -> Relay {
    let header = |name: &str| (name == "content-type").then(|| "application/json".to_owned());
    let mut relay = plan.relay(200, header, SystemTime::UNIX_EPOCH);
    for piece in answer.as_bytes().chunks(16 << 10) {
        relay.push(black_box(piece), out);
    }
    relay
}

fn answers(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("a whole answer");
    group.sample_size(20);
    for (name, plan, answer) in [
        (
            "OpenAI, 512 KiB",
            asked("/v1/chat/completions"),
            text(512 << 10),
        ),
        (
            "OpenAI, 16 MiB",
            asked("/v1/chat/completions"),
            text(16 << 20),
        ),
        ("Anthropic, 16 MiB", asked("/v1/messages"), text(16 << 20)),
        ("96 embeddings, numbers", embedded("float"), embeddings()),
        ("96 embeddings, base64", embedded("base64"), embeddings()),
    ] {
        group.throughput(Throughput::Bytes(answer.len() as u64));
        group.bench_function(format!("{name}, as it comes"), |bencher| {
            bencher.iter_with_large_drop(|| taken(&plan, &answer, &mut Vec::new()));
        });
        group.bench_function(format!("{name}, at its end"), |bencher| {
            bencher.iter_batched(
                || taken(&plan, &answer, &mut Vec::new()),
                |mut relay| {
                    let mut out = Vec::new();
                    assert_eq!(relay.finish(true, &mut out), End::Clean);
                    (relay, out)
                },
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

const TEXTS: usize = 96;

criterion_group!(benches, answers);
criterion_main!(benches);
