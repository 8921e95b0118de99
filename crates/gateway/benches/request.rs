//! What a request costs on its way in: recognise, plan, hash, sign. `cargo bench -p gateway`
#![allow(clippy::expect_used, clippy::unwrap_used)]

use std::hint::black_box;
use std::time::SystemTime;

use aws_credential_types::Credentials;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use gateway::settings::Anthropic;
use gateway::{Auth, Settings, inspect, plan};

fn requests(criterion: &mut Criterion) {
    let settings = Settings {
        region: "us-east-1",
        endpoint: None,
        service: "bedrock",
        model: None,
        aliases: &[],
        families: Default::default(),
        allow_models: &[],
        max_output_tokens: None,
        guardrail: None,
        auth: Auth::Sign,
        max_frame_size: 24 << 20,
        response_text: 0,
        hold_headers: true,
        anthropic: Anthropic::default(),
        responses: Default::default(),
    };
    let credentials = Credentials::new("AKIDEXAMPLE", "secret", None, None, "bench");
    let headers = [("content-type", "application/json")];
    let mut group = criterion.benchmark_group("request");
    for size in [1 << 10, 100 << 10, 5 << 20] {
        let text = "x".repeat(size);
        let native =
            format!(r#"{{"messages":[{{"role":"user","content":[{{"text":"{text}"}}]}}]}}"#);
        let plain = format!(r#"{{"model":"m.x","stream":true,{}"#, native.split_at(1).1);
        group.throughput(Throughput::Bytes(size as u64));
        for (form, target, body) in [
            ("native", "/model/m.x/converse", &native),
            ("plain", "/", &plain),
        ] {
            let body = body.as_bytes();
            group.bench_function(BenchmarkId::new(form, size), |bencher| {
                bencher.iter(|| {
                    let request = inspect(None, "POST", target, Some(body)).unwrap();
                    let plan = plan(&request, &settings, &headers, body).unwrap();
                    let hash = plan.body.sha256_hex(body);
                    black_box(plan.sign(&credentials, &hash, SystemTime::now()).unwrap());
                });
            });
        }
    }
    // A tool loop of about 1 KB, translated.
    for model in [
        "us.anthropic.claude-sonnet-4-6",
        "mistral.mistral-large-2402-v1:0",
        "m.x",
    ] {
        let body = CHAT.replace("MODEL", model);
        group.throughput(Throughput::Bytes(body.len() as u64));
        group.bench_function(BenchmarkId::new("chat", model), |bencher| {
            bencher.iter(|| {
                let request =
                    inspect(None, "POST", "/v1/chat/completions", Some(body.as_bytes())).unwrap();
                black_box(plan(&request, &settings, &headers, body.as_bytes()).unwrap());
            });
        });
    }
    group.finish();
    criterion.bench_function("sign alone", |bencher| {
        let body = br#"{"messages":[]}"#;
        let request = inspect(None, "POST", "/model/m.x/converse", None).unwrap();
        let plan = plan(&request, &settings, &headers, body).unwrap();
        let hash = plan.body.sha256_hex(body);
        bencher.iter(|| black_box(plan.sign(&credentials, &hash, SystemTime::now()).unwrap()));
    });
}

const CHAT: &str = r#"{"model":"MODEL","max_tokens":4000,"temperature":0.5,"messages":[
    {"role":"system","content":"You are a helpful assistant that looks into files and says what stands there, in few words."},
    {"role":"user","content":"Which files are in this directory, and what are they about? Look at the first one only."},
    {"role":"assistant","content":"I will look.","tool_calls":[{"id":"call_0123456789","type":"function",
        "function":{"name":"bash","arguments":"{\"cmd\":\"ls\"}"}}]},
    {"role":"tool","tool_call_id":"call_0123456789","content":"a.txt\nb.txt\nc.txt"}],
    "tools":[{"type":"function","function":{"name":"bash","description":"Runs a command in a shell and gives what it writes.",
        "parameters":{"type":"object","properties":{"cmd":{"type":"string","description":"The command."}},"required":["cmd"]}}}],
    "tool_choice":"auto"}"#;

criterion_group!(benches, requests);
criterion_main!(benches);
