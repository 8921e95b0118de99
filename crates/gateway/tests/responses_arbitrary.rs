//! Any answer in events adds up to what its end says, to what a whole answer says, and goes back as it came.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod common;
#[path = "common/planning.rs"]
#[allow(dead_code, reason = "each file of tests uses a part of it")]
mod planning;
#[path = "common/responses.rs"]
mod responses;
#[path = "common/stream.rs"]
#[allow(dead_code, reason = "each file of tests uses a part of it")]
mod stream;

use common::settings;
use proptest::collection::vec;
use proptest::prelude::*;
use responses::{answered, converse, event, events, last, stream_relay};
use serde_json::{Value, json};
use stream::{Ending, Outcome, fed};

/// What a model says: pieces of text, reasoning with its signature, a call of a function or of a custom tool.
#[derive(Clone, Debug)]
enum Said {
    Text(Vec<String>),
    Reasoning(Vec<String>, String),
    Redacted(String),
    Call(Value),
    Custom(String),
}

fn said() -> impl Strategy<Value = Said> {
    // Blank text alone is none that Bedrock would take back.
    let pieces = || {
        vec(any::<String>(), 0..4).prop_map(|mut pieces| {
            pieces.push("x".to_owned());
            pieces
        })
    };
    prop_oneof![
        pieces().prop_map(Said::Text),
        (pieces(), "[A-Za-z0-9+/=]{1,30}").prop_map(|(text, sign)| Said::Reasoning(text, sign)),
        "[A-Za-z0-9+/]{4,20}".prop_map(Said::Redacted),
        any::<String>().prop_map(|text| Said::Call(json!({"a": text}))),
        any::<String>().prop_map(Said::Custom),
    ]
}

/// It as a block of a whole answer.
fn block(index: usize, said: &Said) -> Value {
    let call = |name: &str, input: Value| json!({"toolUse": {"toolUseId": format!("t{index}"), "name": name, "input": input}});
    match said {
        Said::Text(pieces) => json!({"text": pieces.concat()}),
        Said::Reasoning(pieces, signature) => {
            json!({"reasoningContent": {"reasoningText": {"text": pieces.concat(), "signature": signature}}})
        }
        Said::Redacted(data) => json!({"reasoningContent": {"redactedContent": data}}),
        Said::Call(input) => call("f", input.clone()),
        Said::Custom(text) => call("c", json!({"input": text})),
    }
}

/// It as frames; a call's input is cut every few characters.
fn frames(index: usize, said: &Said, cut: usize) -> Vec<Vec<u8>> {
    let delta = |delta: Value| {
        let payload = json!({"contentBlockIndex": index, "delta": delta}).to_string();
        event(("contentBlockDelta", &payload))
    };
    let call = |name: &str, input: Value| {
        let start = json!({"contentBlockIndex": index, "start": {"toolUse": {"toolUseId": format!("t{index}"), "name": name}}});
        let mut frames = vec![event(("contentBlockStart", &start.to_string()))];
        let input: Vec<char> = input.to_string().chars().collect();
        for piece in input.chunks(cut) {
            let piece: String = piece.iter().collect();
            frames.push(delta(json!({"toolUse": {"input": piece}})));
        }
        frames
    };
    let mut frames: Vec<_> = match said {
        Said::Text(pieces) => pieces
            .iter()
            .map(|text| delta(json!({"text": text})))
            .collect(),
        Said::Reasoning(pieces, signature) => {
            let text = |text: &String| delta(json!({"reasoningContent": {"text": text}}));
            let mut frames: Vec<_> = pieces.iter().map(text).collect();
            frames.push(delta(json!({"reasoningContent": {"signature": signature}})));
            frames
        }
        Said::Redacted(data) => vec![delta(
            json!({"reasoningContent": {"redactedContent": data}}),
        )],
        Said::Call(input) => call("f", input.clone()),
        Said::Custom(text) => call("c", json!({"input": text})),
    };
    let stop = json!({"contentBlockIndex": index}).to_string();
    frames.push(event(("contentBlockStop", &stop)));
    frames
}

/// What the parts of a stream add up to, by the rules of OpenAI's SDK.
fn added_up(seen: &Outcome) -> Vec<Value> {
    let mut items: Vec<Value> = Vec::new();
    for (name, data) in events(seen) {
        let item = data["output_index"].as_u64().map(|index| index as usize);
        let push = |place: &mut Value, more: &Value| {
            *place = format!("{}{}", place.as_str().unwrap(), more.as_str().unwrap()).into();
        };
        match (name.strip_prefix("response.").unwrap(), item) {
            ("output_item.added", Some(index)) => {
                assert_eq!(index, items.len());
                items.push(data["item"].clone());
            }
            ("content_part.added", Some(index)) => {
                let content = items[index]["content"].as_array_mut().unwrap();
                assert_eq!(data["content_index"], content.len());
                content.push(data["part"].clone());
            }
            ("output_text.delta", Some(index)) => {
                let part = data["content_index"].as_u64().unwrap() as usize;
                push(&mut items[index]["content"][part]["text"], &data["delta"]);
            }
            ("reasoning_summary_part.added", Some(index)) => {
                items[index]["summary"]
                    .as_array_mut()
                    .unwrap()
                    .push(data["part"].clone());
            }
            ("reasoning_summary_text.delta", Some(index)) => {
                push(&mut items[index]["summary"][0]["text"], &data["delta"]);
            }
            ("function_call_arguments.delta", Some(index)) => {
                push(&mut items[index]["arguments"], &data["delta"]);
            }
            ("custom_tool_call_input.delta", Some(index)) => {
                push(&mut items[index]["input"], &data["delta"]);
            }
            ("output_item.done", Some(index)) => {
                let item = &mut items[index];
                assert_eq!(item["id"], data["item"]["id"]);
                if item.get("status").is_some() {
                    item["status"] = "completed".into();
                }
                // Only the end of reasoning has this.
                if let Some(sealed) = data["item"].get("encrypted_content") {
                    item["encrypted_content"] = sealed.clone();
                }
                assert_eq!(*item, data["item"]);
            }
            _ => {}
        }
    }
    items
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

    #[test]
    fn any_answer_adds_up_and_goes_back(answer in vec(said(), 0..6), cut in 1usize..9, read in 1usize..200) {
        let members = json!({"reasoning": {"summary": "auto"}, "tools": [
            {"type": "function", "name": "f", "parameters": {"type": "object"}}, {"type": "custom", "name": "c"}]});
        let mut body = event(("messageStart", "{}"));
        for (index, said) in answer.iter().enumerate() {
            body.extend(frames(index, said, cut).concat());
        }
        body.extend(event(("messageStop", r#"{"stopReason":"end_turn"}"#)));
        body.extend(event(("metadata", r#"{"usage":{"inputTokens":3,"outputTokens":2,"totalTokens":5}}"#)));
        let seen = fed(stream_relay(&settings(), members.clone()), body.chunks(read), true);
        prop_assert_eq!(&seen.ending, &Ending::Clean);
        let (name, response) = last(&seen);
        prop_assert_eq!(name, "response.completed");
        let output = response["output"].as_array().unwrap();
        prop_assert_eq!(&added_up(&seen), output);
        let content: Vec<Value> = answer.iter().enumerate().map(|(index, said)| block(index, said)).collect();
        let whole = answered(members.clone(), content.clone().into(), "end_turn");
        prop_assert_eq!(whole["output"].as_array().unwrap(), output);

        // Sent back with what the tools gave, it is the model's turn again.
        let mut input = vec![json!({"role": "user", "content": "hi"})];
        input.extend(output.iter().cloned());
        for item in output {
            if let Some(id) = item.get("call_id") {
                let kind = format!("{}_output", item["type"].as_str().unwrap());
                input.push(json!({"type": kind, "call_id": id, "output": "r"}));
            }
        }
        input.push(json!({"role": "user", "content": "go on"}));
        let sent = converse(json!({"tools": members["tools"], "input": input}));
        let mut back = sent["messages"][1]["content"].as_array().cloned().unwrap_or_default();
        if answer.is_empty() {
            back.clear();
        }
        let reasons = answer.iter().any(|said| matches!(said, Said::Reasoning(..) | Said::Redacted(_)));
        if reasons {
            prop_assert_eq!(back, content);
        } else {
            // Converse wants calls after all else.
            let is_call = |block: &&Value| block.get("toolUse").is_some();
            let (calls, texts): (Vec<&Value>, Vec<&Value>) = content.iter().partition(is_call);
            let ordered: Vec<Value> = texts.into_iter().chain(calls).cloned().collect();
            prop_assert_eq!(back, ordered);
        }
    }
}
