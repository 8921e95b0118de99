//! What real clients send, to every family of models: nothing that Bedrock refuses may go out.
//!
//! The judge is `bedrock-sim --strict` as a library, whose rules are read from fixtures/families.json and not from the
//! gateway's own table.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod common;
#[path = "common/expectations.rs"]
mod expectations;
#[path = "common/planning.rs"]
#[allow(dead_code, reason = "each file of tests uses a part of it")]
mod planning;
#[path = "common/sessions.rs"]
mod sessions;

use std::{collections::BTreeSet, fs, path::Path};

use bedrock_sim::{operations::Operation as Asked, strict};
use gateway::{Settings, bedrock::Operation, settings::Via};
use planning::{JSON, planned, sent};
use serde_json::{Value, json};
use strict::family::Family;

/// An id of every family, for some more where their members differ.
const MODELS: [&str; 67] = [
    "anthropic.claude-v2:1",
    "anthropic.claude-3-haiku-20240307-v1:0",
    "anthropic.claude-3-5-sonnet-20240620-v1:0",
    "us.anthropic.claude-3-5-sonnet-20241022-v2:0",
    "us.anthropic.claude-3-7-sonnet-20250219-v1:0",
    "us.anthropic.claude-sonnet-4-20250514-v1:0",
    "us.anthropic.claude-opus-4-1-20250805-v1:0",
    "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
    "global.anthropic.claude-opus-4-5-20251101-v1:0",
    "eu.anthropic.claude-sonnet-4-6",
    "anthropic.claude-opus-4-7",
    "in.anthropic.claude-opus-4-8",
    "us.anthropic.claude-opus-5",
    "us.anthropic.claude-sonnet-5",
    "us.anthropic.claude-fable-5",
    "us.anthropic.claude-fable-5-1",
    "us.anthropic.claude-opus-5-5",
    "us.anthropic.claude-sonnet-5-5",
    "us.anthropic.claude-haiku-5-5",
    "us.anthropic.claude-opus-9",
    "us.amazon.nova-pro-v1:0",
    "us.amazon.nova-micro-v1:0",
    "us.amazon.nova-2-lite-v1:0",
    "amazon.titan-text-express-v1",
    "meta.llama3-8b-instruct-v1:0",
    "us.meta.llama3-3-70b-instruct-v1:0",
    "us.meta.llama4-maverick-17b-instruct-v1:0",
    "mistral.mistral-7b-instruct-v0:2",
    "mistral.mistral-large-2402-v1:0",
    "us.mistral.pixtral-large-2502-v1:0",
    "mistral.mistral-large-3-675b-instruct",
    "mistral.devstral-2-123b",
    "cohere.command-r-plus-v1:0",
    "cohere.command-text-v14",
    "ai21.jamba-1-5-large-v1:0",
    "ai21.j2-ultra-v1",
    "us.deepseek.r1-v1:0",
    "deepseek.v3.2",
    "qwen.qwen3-32b-v1:0",
    "qwen.qwen3-vl-235b-a22b",
    "qwen.qwen3-coder-480b-a35b-v1:0",
    "moonshotai.kimi-k2-thinking",
    "us.moonshotai.kimi-k3",
    "minimax.minimax-m2",
    "zai.glm-5",
    "zai.glm-4.7",
    "us.zai.glm-5.3",
    "openai.gpt-oss-120b-1:0",
    "openai.gpt-oss-safeguard-20b",
    "us.openai.gpt-5.4",
    "us.openai.gpt-5.6-sol",
    "us.openai.gpt-6-sol",
    "us.openai.gpt-6-astra",
    "openai.gpt-5.6-cyber",
    "openai.gpt-9",
    "us.xai.grok-4.6",
    "xai.grok-4.3",
    "writer.palmyra-x5-v1:0",
    "google.gemma-3-27b-it",
    "google.gemma-4-31b",
    "nvidia.nemotron-nano-9b-v2",
    "nvidia.nemotron-super-3-120b",
    "twelvelabs.pegasus-1-2-v1:0",
    "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/a1b2c3d4e5f6",
    "arn:aws:bedrock:us-east-1:123456789012:imported-model/a1b2c3d4e5f6",
    "arn:aws:bedrock:us-east-1:123456789012:custom-model-deployment/a1b2c3d4e5f6",
    "acme.example-1",
];

#[test]
fn the_models_are_of_every_family() {
    let here: BTreeSet<String> = MODELS.iter().map(|model| Family::of(model).name).collect();
    let all: BTreeSet<String> = strict::family::names().map(str::to_owned).collect();
    assert_eq!(here, all);
}

#[test]
fn reported_requests_go_out_as_they_should() {
    let mut wrong = Vec::new();
    for case in cases() {
        let id = case["id"].as_str().unwrap();
        let location = Location::of(&case);
        match call(&case["request"], &location.settings()) {
            Err(refusal) if wants_success(&case) => wrong.push(format!("{id}: refused: {refusal}")),
            Err(_) => {}
            Ok(sent) => {
                // The model behind the profile of one case is known to Bedrock, though not to the gateway.
                let model = if sent.model.contains("application-inference-profile") {
                    "us.anthropic.claude-sonnet-4-6"
                } else {
                    &sent.model
                };
                for fault in faults(model, sent.operation, &sent.body) {
                    wrong.push(format!("{id}: {fault}"));
                }
                let result = json!({"upstream": {"body": sent.body}});
                for expectation in case["expect"].as_array().unwrap() {
                    let path = expectation["path"].as_str().unwrap();
                    if path.starts_with("upstream.body")
                        && !expectations::holds(expectation, &result)
                    {
                        wrong.push(format!("{id}: {expectation}: {}", sent.body));
                    }
                }
            }
        }
    }
    report(wrong);
}

#[test]
fn nothing_goes_out_to_converse_that_a_family_refuses() {
    judge(|operation| matches!(operation, Asked::Converse | Asked::ConverseStream));
}

#[test]
fn nothing_goes_out_to_invoke_that_a_family_refuses() {
    judge(|operation| !matches!(operation, Asked::Converse | Asked::ConverseStream));
}

/// Sends every request to every model, by every way that it can go, and judges what goes out by the operations that are meant.
fn judge(meant: fn(Asked) -> bool) {
    let mut wrong = Vec::new();
    let mut judged = 0;
    let reported = cases().into_iter().map(|case| {
        let id = case["id"].as_str().unwrap().to_owned();
        (id, case["request"].clone(), Location::of(&case))
    });
    let made = sessions::all()
        .into_iter()
        .map(|(id, request)| (id, request, Location::default()));
    for (id, request, location) in reported.chain(made) {
        for (model, via, request) in variants(&request) {
            let mut settings = location.settings();
            if via == Via::Converse {
                settings.anthropic.via = via;
            }
            let name = format!(
                "{} {id} {via:?} {model} stream={}",
                Family::of(model).name,
                request["body"]["stream"]
            );
            match call(&request, &settings) {
                Ok(sent) if meant(sent.operation) => {
                    judged += 1;
                    let faults = faults(&sent.model, sent.operation, &sent.body);
                    // A picture for a model without eyes: Bedrock's own refusal names it.
                    let ours = |fault: &String| !fault.contains("content block field");
                    wrong.extend(
                        faults
                            .into_iter()
                            .filter(ours)
                            .map(|fault| format!("{name}: {fault}")),
                    );
                }
                Ok(_) => {}
                Err(refusal) if may_be_refused(model, &request, via) => assert_ne!(refusal, ""),
                Err(refusal) => wrong.push(format!("{name}: the gateway refuses: {refusal}")),
            }
        }
    }
    report(wrong);
    assert!(judged > 1000, "only {judged} bodies");
}

/// A request to every model, whole and streamed; Claude's by Converse, too.
fn variants(request: &Value) -> Vec<(&'static str, Via, Value)> {
    let path = request["path"].as_str().unwrap();
    let mut all = Vec::new();
    for model in MODELS {
        for via in [Via::Auto, Via::Converse] {
            let messages = path.starts_with("/v1/messages") && Family::of(model).is_claude();
            for stream in [false, true] {
                let counts = path.ends_with("/count_tokens");
                if via == Via::Converse && !messages || counts && stream {
                    continue;
                }
                let mut request = request.clone();
                request["body"]["model"] = json!(model);
                if !counts {
                    request["body"]["stream"] = json!(stream);
                }
                all.push((model, via, request));
            }
        }
    }
    all
}

/// Whether the request asks for something that the model cannot do at all, so that a refusal by name is right.
fn may_be_refused(model: &str, request: &Value, via: Via) -> bool {
    let family = Family::of(model);
    let body = request["body"].to_string();
    let has = |words: &[&str]| words.iter().any(|word| body.contains(word));
    let counts = request["path"].as_str().unwrap().ends_with("/count_tokens");
    let last = request["body"]["messages"]
        .as_array()
        .and_then(|messages| messages.last());
    !family.served.converse && !family.is_claude_messages()
        // To go on from a beginning.
        || !family.turns.prefill && last.is_some_and(|last| last["role"] == "assistant")
        || !family.tools.used && has(&["\"tools\"", "tool_calls", "tool_use"])
        || !family.input.document && has(&["\"file\"", "\"document\""])
        || !family.input.image && has(&["image_url", "\"image\""])
        || counts && !family.count_tokens.starts_with("runtime")
        // Tools that run at Anthropic's; of them Converse has no search.
        || via == Via::Converse && has(&["tool_search_tool"])
        || !family.is_claude() && has(&["computer_20250124", "tool_search_tool"])
        // It came with Claude 3.7.
        || !family.is_at_least("claude-3-7") && has(&["computer_20250124"])
}

/// What goes out.
struct Sent {
    model: String,
    operation: Asked,
    body: Value,
}

fn call(request: &Value, settings: &Settings<'_>) -> Result<Sent, String> {
    let body = request["body"].to_string();
    let own = request
        .get("headers")
        .and_then(Value::as_object)
        .into_iter()
        .flatten();
    let headers: Vec<(String, &str)> = own
        .map(|(name, value)| (name.to_ascii_lowercase(), value.as_str().unwrap()))
        .collect();
    let mut headers: Vec<(&str, &str)> = headers
        .iter()
        .map(|(name, value)| (name.as_str(), *value))
        .collect();
    headers.push(JSON);
    let path = request["path"].as_str().unwrap();
    let plan = planned(path, settings, &headers, &body).map_err(|refusal| refusal.message)?;
    let operation = match plan.operation {
        Operation::Converse => Asked::Converse,
        Operation::ConverseStream => Asked::ConverseStream,
        Operation::Invoke => Asked::Invoke,
        Operation::InvokeStream => Asked::InvokeStream,
        Operation::CountTokens => Asked::CountTokens,
        Operation::VendorApi { .. } => return Err("goes to Bedrock's own API".to_owned()),
        other => panic!("{other:?} has no rules"),
    };
    Ok(Sent {
        model: plan.model.clone().unwrap_or_default(),
        operation,
        body: serde_json::from_str(&sent(&plan, &body)).unwrap(),
    })
}

fn faults(model: &str, operation: Asked, body: &Value) -> Vec<String> {
    let refusals = strict::faults(model, operation, body);
    refusals
        .into_iter()
        .map(|refusal| refusal.message)
        .collect()
}

/// The reported requests, in the order of their names.
fn cases() -> Vec<Value> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/reports");
    let mut files: Vec<_> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    assert!(files.len() > 30);
    files
        .iter()
        .map(|file| serde_json::from_slice(&fs::read(file).unwrap()).unwrap())
        .collect()
}

fn wants_success(case: &Value) -> bool {
    let expect = case["expect"].as_array().unwrap();
    expect
        .iter()
        .any(|one| one["path"] == "client.status" && one["value"] == 200)
}

/// What the directives of a case say.
#[derive(Default)]
struct Location {
    aliases: Vec<(String, String)>,
    converse: bool,
    drops_beta: bool,
}

impl Location {
    fn of(case: &Value) -> Self {
        let mut location = Self::default();
        for directive in case["directives"].as_str().unwrap_or_default().split(';') {
            match directive.split_whitespace().collect::<Vec<_>>().as_slice() {
                [] => {}
                ["bedrock_anthropic_via", "converse"] => location.converse = true,
                ["bedrock_anthropic_beta", "drop"] => location.drops_beta = true,
                ["bedrock_alias", name, model] => {
                    location
                        .aliases
                        .push(((*name).to_owned(), (*model).to_owned()));
                }
                other => panic!("no such directive here: {other:?}"),
            }
        }
        location
    }

    fn settings(&self) -> Settings<'_> {
        let mut settings = common::settings();
        settings.aliases = &self.aliases;
        if self.converse {
            settings.anthropic.via = Via::Converse;
        }
        if self.drops_beta {
            settings.anthropic.beta = gateway::settings::Betas::Only(&[]);
        }
        settings
    }
}

/// Fails with everything that is wrong.
fn report(wrong: Vec<String>) {
    assert!(
        wrong.is_empty(),
        "{} are wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}
