//! Any answer in events adds up by the rules of OpenAI's SDK.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

#[path = "common/chat_stream.rs"]
mod chat_stream;
mod common;
#[path = "common/openai.rs"]
mod openai;
#[path = "common/planning.rs"]
#[allow(dead_code, reason = "each file of tests uses a part of it")]
mod planning;
#[path = "common/stream.rs"]
#[allow(dead_code, reason = "each file of tests uses a part of it")]
mod stream;

use chat_stream::{ASKED, ASKED_USAGE, chat_relay, event};
use common::settings;
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use stream::{Ending, fed};

/// What a model says.
#[derive(Clone, Debug)]
enum Said {
    Text(Vec<String>),
    Reasoning(Vec<String>),
    Redacted(String),
    Call {
        id: String,
        name: String,
        input: Vec<String>,
    },
}

/// A text as JSON, spelt in one of two ways.
fn literal(text: &str) -> String {
    match text.len() % 2 {
        0 => serde_json::to_string(text).unwrap(),
        _ => {
            let units: String = text
                .encode_utf16()
                .map(|unit| format!("\\u{unit:04x}"))
                .collect();
            format!("\"{units}\"")
        }
    }
}

/// The events of a block, deltas padded before or after.
fn events(block: usize, said: &Said) -> Vec<Vec<u8>> {
    let delta = |member: String| {
        let payload = match member.len() % 2 {
            0 => format!(r#"{{"contentBlockIndex":{block},"delta":{{{member}}},"p":"abcdef"}}"#),
            _ => format!(r#"{{"p":"abc","delta":{{{member}}},"contentBlockIndex":{block}}}"#),
        };
        event(("contentBlockDelta", &payload))
    };
    let mut events = Vec::new();
    match said {
        Said::Text(texts) => {
            events.extend(
                texts
                    .iter()
                    .map(|text| delta(format!(r#""text":{}"#, literal(text)))),
            );
        }
        Said::Reasoning(texts) => {
            let of = |member: String| delta(format!(r#""reasoningContent":{{{member}}}"#));
            events.extend(
                texts
                    .iter()
                    .map(|text| of(format!(r#""text":{}"#, literal(text)))),
            );
            events.push(of(format!(r#""signature":"sig{block}""#)));
        }
        Said::Redacted(data) => {
            events.push(delta(format!(
                r#""reasoningContent":{{"redactedContent":{}}}"#,
                literal(data)
            )));
        }
        Said::Call { id, name, input } => {
            let start = json!({"contentBlockIndex": block, "start": {"toolUse": {"toolUseId": id, "name": name}}});
            events.push(event(("contentBlockStart", &start.to_string())));
            events.extend(
                input
                    .iter()
                    .map(|piece| delta(format!(r#""toolUse":{{"input":{}}}"#, literal(piece)))),
            );
        }
    }
    events.push(event((
        "contentBlockStop",
        &format!(r#"{{"contentBlockIndex":{block}}}"#),
    )));
    events
}

fn said() -> impl Strategy<Value = Said> {
    let texts = || {
        vec(
            prop_oneof![3 => "\\PC{0,8}", 1 => "[\n\r\t\"\\\\\u{2028}é🦀]{0,4}"],
            0..5,
        )
    };
    prop_oneof![
        2 => texts().prop_map(Said::Text),
        1 => texts().prop_map(Said::Reasoning),
        1 => "[A-Za-z0-9+/]{4}".prop_map(Said::Redacted),
        2 => ("[a-z0-9_:.-]{1,9}", "[a-zA-Z_-]{1,9}", texts())
            .prop_map(|(id, name, input)| Said::Call { id, name, input }),
    ]
}

/// An answer: what is said, and the content's events, those of several blocks perhaps mixed.
fn content() -> impl Strategy<Value = (Vec<Said>, Vec<Vec<u8>>)> {
    let order = prop_oneof![Just(Vec::new()), vec(any::<prop::sample::Index>(), 0..40)];
    (vec(said(), 0..5), order, any::<bool>()).prop_map(|(said, order, starts)| {
        let mut waiting: Vec<std::vec::IntoIter<Vec<u8>>> = said
            .iter()
            .enumerate()
            .map(|(block, said)| events(block, said).into_iter())
            .collect();
        let mut frames = Vec::new();
        if starts {
            frames.push(event(("messageStart", r#"{"role":"assistant","p":"a"}"#)));
        }
        for index in order {
            if !waiting.is_empty() {
                frames.extend(waiting[index.index(said.len())].next());
            }
        }
        frames.extend(waiting.into_iter().flatten());
        (said, frames)
    })
}

/// A message as the SDK adds it up.
#[derive(Debug, Default, PartialEq)]
struct Message {
    content: String,
    reasoning: String,
    /// Id, name, arguments.
    calls: Vec<(String, String, String)>,
    /// Signatures, or data.
    proofs: Vec<String>,
    finish_reason: Option<String>,
    usage: Option<Value>,
    error: Option<Value>,
    done: bool,
}

fn string(value: &Value) -> String {
    value
        .as_str()
        .unwrap_or_else(|| panic!("{value} is no string"))
        .to_owned()
}

/// Adds up the chunks; panics where the SDK would, or would show nonsense.
fn added_up(sse: &[u8], include_usage: bool) -> Message {
    let mut message = Message::default();
    let mut head: Option<Value> = None;
    let text = std::str::from_utf8(sse).unwrap();
    for event in text.split_inclusive("\n\n") {
        assert!(
            !message.done && message.error.is_none(),
            "something follows the end"
        );
        let data = event
            .strip_prefix("data: ")
            .and_then(|event| event.strip_suffix("\n\n"));
        let data = data.unwrap_or_else(|| panic!("{event:?} is no event"));
        assert!(!data.contains(['\n', '\r']));
        if data == "[DONE]" {
            message.done = true;
            continue;
        }
        let mut chunk: Value = serde_json::from_str(data).unwrap();
        if chunk.get("error").is_some() {
            message.error = Some(chunk["error"].take());
            continue;
        }
        let choices = chunk["choices"].take();
        let usage = chunk.as_object_mut().unwrap().remove("usage");
        assert_eq!(usage.is_some(), include_usage);
        let is_first = head.is_none();
        assert_eq!(
            *head.get_or_insert_with(|| chunk.clone()),
            chunk,
            "the head changes"
        );
        match choices.as_array().unwrap().as_slice() {
            [] => {
                assert!(message.finish_reason.is_some() && message.usage.is_none());
                message.usage = usage;
            }
            [choice] => {
                assert!(usage.is_none_or(|usage| usage.is_null()));
                assert_eq!(choice["index"], 0);
                assert!(
                    message.finish_reason.is_none(),
                    "something follows the finish"
                );
                add(&mut message, choice["delta"].as_object().unwrap(), is_first);
                if !choice["finish_reason"].is_null() {
                    message.finish_reason = Some(string(&choice["finish_reason"]));
                }
            }
            _ => panic!("{choices}"),
        }
    }
    message
}

fn add(message: &mut Message, delta: &Map<String, Value>, is_first: bool) {
    assert_eq!(
        delta.contains_key("role"),
        is_first,
        "the role comes once, first"
    );
    for (name, value) in delta {
        match name.as_str() {
            "role" => assert_eq!(value, "assistant"),
            "content" => message.content += &string(value),
            "reasoning_content" => message.reasoning += &string(value),
            "tool_calls" => {
                for call in value.as_array().unwrap() {
                    let index = usize::try_from(call["index"].as_u64().unwrap()).unwrap();
                    let function = &call["function"];
                    assert!(index <= message.calls.len(), "a gap");
                    if index == message.calls.len() {
                        assert_eq!(call["type"], "function");
                        let (id, name) = (string(&call["id"]), string(&function["name"]));
                        message.calls.push((id, name, String::new()));
                    } else {
                        assert!(call.get("id").is_none() && call.get("type").is_none());
                        assert!(function.get("name").is_none());
                    }
                    message.calls[index].2 += &string(&function["arguments"]);
                }
            }
            "thinking_blocks" => {
                for block in value.as_array().unwrap() {
                    let index = usize::try_from(block["index"].as_u64().unwrap()).unwrap();
                    assert!(index <= message.proofs.len(), "a gap");
                    message
                        .proofs
                        .resize(message.proofs.len().max(index + 1), String::new());
                    let member = match string(&block["type"]).as_str() {
                        "thinking" => "signature",
                        _ => "data",
                    };
                    message.proofs[index] += &string(&block[member]);
                }
            }
            other => panic!("{other}"),
        }
    }
}

/// What the client is to have of what was said, calls and proofs in any order.
fn expected(said: &[Said]) -> (Vec<(String, String, String)>, Vec<String>) {
    let mut calls = Vec::new();
    let mut proofs = Vec::new();
    for (block, said) in said.iter().enumerate() {
        match said {
            Said::Text(_) => {}
            Said::Reasoning(_) => proofs.push(format!("sig{block}")),
            Said::Redacted(data) => proofs.push(data.clone()),
            Said::Call { id, name, input } => {
                let input = match input.concat() {
                    empty if empty.is_empty() => "{}".to_owned(),
                    input => input,
                };
                calls.push((id.clone(), name.clone(), input));
            }
        }
    }
    (calls, proofs)
}

fn sorted<T: Ord>(mut items: Vec<T>) -> Vec<T> {
    items.sort();
    items
}

/// The texts of blocks in the order they came; only where blocks are not mixed.
fn texts(said: &[Said], of: impl Fn(&Said) -> Option<&Vec<String>>) -> String {
    said.iter()
        .filter_map(of)
        .flatten()
        .map(String::as_str)
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(500) })]

    #[test]
    fn any_answer_adds_up(
        (said, mut frames) in content(),
        end in 0..3usize,
        include_usage: bool,
        read in 1..300usize,
    ) {
        let stop = event(("messageStop", r#"{"stopReason":"tool_use"}"#));
        let metadata = event(("metadata", r#"{"usage":{"inputTokens":1,"outputTokens":2}}"#));
        frames.extend([stop, metadata].into_iter().take(end));
        let body = frames.concat();
        let asked = if include_usage { ASKED_USAGE } else { ASKED };
        let whole = fed(chat_relay(&settings(), asked), [body.as_slice()], true);
        prop_assert_eq!(&fed(chat_relay(&settings(), asked), body.chunks(read), true), &whole);
        if matches!(whole.ending, Ending::Error(502, _)) {
            prop_assert!(frames.is_empty());
            return Ok(());
        }
        prop_assert_eq!(&whole.ending, &Ending::Clean);
        let message = added_up(&whole.sent, include_usage);
        let is_whole = end > 0;
        prop_assert_eq!(message.done, is_whole);
        let calls = said.iter().any(|said| matches!(said, Said::Call { .. }));
        let reason = if calls { "tool_calls" } else { "stop" };
        prop_assert_eq!(message.finish_reason.as_deref(), is_whole.then_some(reason));
        prop_assert_eq!(message.error.is_some(), !is_whole);
        prop_assert_eq!(message.usage.is_some(), end == 2 && include_usage);
        let (calls, proofs) = expected(&said);
        prop_assert_eq!(sorted(message.calls), sorted(calls));
        prop_assert_eq!(sorted(message.proofs), sorted(proofs));
        let count = |text: &str| sorted(text.chars().collect());
        let text = texts(&said, |said| match said { Said::Text(texts) => Some(texts), _ => None });
        let reasoning = texts(&said, |said| match said { Said::Reasoning(texts) => Some(texts), _ => None });
        prop_assert_eq!(count(&message.content), count(&text));
        prop_assert_eq!(count(&message.reasoning), count(&reasoning));
        let kinds = |kind: fn(&Said) -> bool| said.iter().filter(|said| kind(said)).count();
        if kinds(|said| matches!(said, Said::Text(_))) <= 1 {
            prop_assert_eq!(&message.content, &text);
        }
        if kinds(|said| matches!(said, Said::Reasoning(_))) <= 1 {
            prop_assert_eq!(&message.reasoning, &reasoning);
        }
    }

    #[test]
    fn any_cut_is_told(
        (_, mut frames) in content(),
        cut in any::<prop::sample::Index>(),
        clean: bool,
    ) {
        frames.push(event(("messageStop", r#"{"stopReason":"end_turn"}"#)));
        let body = frames.concat();
        let body = &body[..cut.index(body.len())];
        let seen = fed(chat_relay(&settings(), ASKED), [body], clean);
        if let Ending::Error(status, _) = seen.ending {
            prop_assert_eq!(status, 502);
            return Ok(());
        }
        let message = added_up(&seen.sent, false);
        prop_assert!(!message.done && message.finish_reason.is_none());
        prop_assert_eq!(&message.error.unwrap()["code"], "stream_truncated");
    }
}
