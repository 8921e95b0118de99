//! Answers in events as clients of Responses read them (rules S1 to S5 and A1 to A4 of the translation).
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
use gateway::{Settings, StreamStatus};
use responses::{answered, event, events, exception, last, outcome, stream_relay, streamed};
use serde_json::{Value, json};
use stream::{Ending, Outcome, fed};

const START: (&str, &str) = ("messageStart", r#"{"role":"assistant"}"#);
const TEXT: (&str, &str) = (
    "contentBlockDelta",
    r#"{"contentBlockIndex":0,"delta":{"text":"Hi \"é\"\n"}}"#,
);
const BLOCK_STOP: (&str, &str) = ("contentBlockStop", r#"{"contentBlockIndex":0}"#);
const BLOCK_STOP_1: (&str, &str) = ("contentBlockStop", r#"{"contentBlockIndex":1}"#);
const STOP: (&str, &str) = ("messageStop", r#"{"stopReason":"end_turn"}"#);
const METADATA: (&str, &str) = (
    "metadata",
    r#"{"usage":{"inputTokens":3,"outputTokens":2,"totalTokens":1205,"cacheReadInputTokens":1000,"cacheWriteInputTokens":200},"metrics":{"latencyMs":7}}"#,
);

/// The events without what tells of the whole response: name, and the other members.
fn between(seen: &Outcome) -> Vec<(String, Value)> {
    let mut events = events(seen);
    assert_eq!(events[0].0, "response.created");
    assert_eq!(events[1].0, "response.in_progress");
    for (_, event) in &events[..2] {
        assert_eq!(event["response"]["status"], "in_progress");
        assert_eq!(event["response"]["output"], json!([]));
    }
    events.pop();
    let members = |(name, mut data): (String, Value)| {
        let object = data.as_object_mut().unwrap();
        object.remove("type");
        object.remove("sequence_number");
        (name, data)
    };
    events.drain(2..).map(members).collect()
}

fn names(seen: &Outcome) -> Vec<String> {
    events(seen).into_iter().map(|(name, _)| name).collect()
}

#[test]
fn a_text_to_the_letter() {
    let seen = streamed(json!({}), &[START, TEXT, BLOCK_STOP, STOP, METADATA]);
    assert_eq!(seen.ending, Ending::Clean);
    assert_eq!(seen.facts.stream, Some(StreamStatus::Complete));
    let part =
        json!({"type": "output_text", "text": "Hi \"é\"\n", "annotations": [], "logprobs": []});
    let item = |status, content| json!({"id": "msg_r-1_0", "type": "message", "status": status, "role": "assistant", "content": content});
    let place = |members: Value| {
        let mut place = json!({"item_id": "msg_r-1_0", "output_index": 0, "content_index": 0});
        place
            .as_object_mut()
            .unwrap()
            .extend(members.as_object().unwrap().clone());
        place
    };
    let expected = [
        (
            "response.output_item.added",
            json!({"output_index": 0, "item": item("in_progress", json!([]))}),
        ),
        (
            "response.content_part.added",
            place(
                json!({"part": {"type": "output_text", "text": "", "annotations": [], "logprobs": []}}),
            ),
        ),
        (
            "response.output_text.delta",
            place(json!({"delta": "Hi \"é\"\n", "logprobs": []})),
        ),
        (
            "response.output_text.done",
            place(json!({"text": "Hi \"é\"\n", "logprobs": []})),
        ),
        ("response.content_part.done", place(json!({"part": part}))),
        (
            "response.output_item.done",
            json!({"output_index": 0, "item": item("completed", json!([part]))}),
        ),
    ];
    let found = between(&seen);
    assert_eq!(found.len(), expected.len());
    for ((name, data), (expected_name, expected_data)) in found.iter().zip(&expected) {
        assert_eq!((name.as_str(), data), (*expected_name, expected_data));
    }
    let (name, response) = last(&seen);
    assert_eq!(name, "response.completed");
    assert_eq!(
        response,
        json!({
            "id": "resp_r-1", "object": "response", "created_at": 1_700_000_000, "completed_at": 1_700_000_000,
            "status": "completed", "background": false, "error": null, "incomplete_details": null, "instructions": null,
            "model": responses::CLAUDE, "output": [item("completed", json!([part]))], "previous_response_id": null,
            "service_tier": null, "store": false, "truncation": "disabled",
            "usage": {"input_tokens": 1203, "input_tokens_details": {"cached_tokens": 1000, "cache_write_tokens": 200},
                "output_tokens": 2, "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": 1205},
            "max_output_tokens": null, "parallel_tool_calls": true, "metadata": {},
            "reasoning": {"effort": null, "summary": null}, "temperature": null, "text": {"format": {"type": "text"}},
            "tool_choice": "auto", "tools": [], "top_p": null,
        })
    );
}

#[test]
fn what_was_asked_is_told_again() {
    let members = json!({
        "tools": [{"type": "function", "name": "f", "parameters": {"type": "object"}, "strict": false}],
        "tool_choice": "required", "parallel_tool_calls": false, "metadata": {"a": "b"}, "temperature": 0.5, "top_p": null,
        "max_output_tokens": 100, "reasoning": {"effort": "low"}, "text": {"verbosity": "low"},
    });
    let seen = streamed(members.clone(), &[START, STOP, METADATA]);
    let (_, response) = last(&seen);
    for (name, value) in members.as_object().unwrap() {
        assert_eq!(response[name], *value, "{name}");
    }
    // What is huge is not kept for as long as the answer takes.
    let huge = "x".repeat(600 << 10);
    let tools = json!([{"type": "function", "name": "f", "description": huge}]);
    let seen = streamed(json!({"tools": tools}), &[START, STOP, METADATA]);
    assert_eq!(last(&seen).1["tools"], json!([]));
}

const REASONING: [(&str, &str); 4] = [
    (
        "contentBlockDelta",
        r#"{"contentBlockIndex":0,"delta":{"reasoningContent":{"text":"Let "}}}"#,
    ),
    (
        "contentBlockDelta",
        r#"{"contentBlockIndex":0,"delta":{"reasoningContent":{"text":"me\n"}}}"#,
    ),
    (
        "contentBlockDelta",
        r#"{"contentBlockIndex":0,"delta":{"reasoningContent":{"signature":"c2\/ln=="}}}"#,
    ),
    BLOCK_STOP,
];

#[test]
fn reasoning_is_a_summary_for_who_asked_and_sealed_for_everybody() {
    let events = [&[START], &REASONING[..], &[STOP, METADATA]].concat();
    let shown = streamed(json!({"reasoning": {"summary": "auto"}}), &events);
    let place = json!({"item_id": "rs_r-1_0", "output_index": 0, "summary_index": 0});
    let at = |name: &str, members: Value| {
        let mut data = place.clone();
        data.as_object_mut()
            .unwrap()
            .extend(members.as_object().unwrap().clone());
        (name.to_owned(), data)
    };
    let found = between(&shown);
    assert_eq!(
        found[..6],
        [
            (
                "response.output_item.added".to_owned(),
                json!({"output_index": 0, "item": {"id": "rs_r-1_0", "type": "reasoning", "summary": []}})
            ),
            at(
                "response.reasoning_summary_part.added",
                json!({"part": {"type": "summary_text", "text": ""}})
            ),
            at(
                "response.reasoning_summary_text.delta",
                json!({"delta": "Let "})
            ),
            at(
                "response.reasoning_summary_text.delta",
                json!({"delta": "me\n"})
            ),
            at(
                "response.reasoning_summary_text.done",
                json!({"text": "Let me\n"})
            ),
            at(
                "response.reasoning_summary_part.done",
                json!({"part": {"type": "summary_text", "text": "Let me\n"}})
            ),
        ]
    );
    let done = &found[6].1["item"];
    assert_eq!(
        done["summary"],
        json!([{"type": "summary_text", "text": "Let me\n"}])
    );
    let sealed = done["encrypted_content"].as_str().unwrap();
    assert_eq!(found.len(), 7);
    // Nobody asked, so nothing is shown; but it comes back.
    let hidden = streamed(json!({"reasoning": {"effort": "low"}}), &events);
    assert_eq!(
        between(&hidden)[1].1["item"],
        json!({"id": "rs_r-1_0", "type": "reasoning", "summary": [], "encrypted_content": sealed})
    );
    let sent = responses::converse(json!({"input": [
        {"role": "user", "content": "hi"}, done, {"role": "assistant", "content": "a"}, {"role": "user", "content": "b"},
    ]}));
    assert_eq!(
        sent["messages"][1]["content"][0],
        json!({"reasoningContent": {"reasoningText": {"text": "Let me\n", "signature": "c2/ln=="}}})
    );
}

const CALL: (&str, &str) = (
    "contentBlockStart",
    r#"{"contentBlockIndex":1,"start":{"toolUse":{"toolUseId":"tooluse_1","name":"f"}}}"#,
);

fn input(piece: &str) -> (String, String) {
    let payload = json!({"contentBlockIndex": 1, "delta": {"toolUse": {"input": piece}}});
    ("contentBlockDelta".to_owned(), payload.to_string())
}

#[test]
fn a_call_of_a_function() {
    let pieces = [input("{\"a\":"), input("\"\\n\"}")];
    let pieces: Vec<_> = pieces
        .iter()
        .map(|(name, payload)| (name.as_str(), payload.as_str()))
        .collect();
    let seen = streamed(
        json!({}),
        &[&[START, CALL], &pieces[..], &[BLOCK_STOP_1, STOP, METADATA]].concat(),
    );
    let item = |status, arguments| {
        json!({"output_index": 0, "item": {"id": "fc_r-1_0", "type": "function_call", "status": status,
            "call_id": "tooluse_1", "name": "f", "arguments": arguments}})
    };
    let arguments = "{\"a\":\"\\n\"}";
    let place = |name: &str, value: &str| {
        let mut place = json!({"item_id": "fc_r-1_0", "output_index": 0});
        place[name] = value.into();
        place
    };
    let mut done = place("arguments", arguments);
    done["name"] = "f".into();
    let expected = [
        ("response.output_item.added", item("in_progress", "")),
        (
            "response.function_call_arguments.delta",
            place("delta", "{\"a\":"),
        ),
        (
            "response.function_call_arguments.delta",
            place("delta", "\"\\n\"}"),
        ),
        ("response.function_call_arguments.done", done),
        ("response.output_item.done", item("completed", arguments)),
    ];
    let found = between(&seen);
    assert_eq!(found.len(), expected.len());
    for ((name, data), (expected_name, expected_data)) in found.iter().zip(&expected) {
        assert_eq!((name.as_str(), data), (*expected_name, expected_data));
    }
    assert_eq!(seen.facts.tool_calls, Some(1));
    // Without input it is called with an empty object.
    let seen = streamed(json!({}), &[START, CALL, BLOCK_STOP_1, STOP, METADATA]);
    assert_eq!(between(&seen)[1].1["delta"], "{}");
    assert_eq!(last(&seen).1["output"][0]["arguments"], "{}");
}

#[test]
fn a_call_of_a_custom_tool_is_text_however_it_is_cut() {
    let text = "*** Begin Patch\n+\"é🦀\"\\\t";
    let json = json!({"input": text}).to_string();
    let spelt = "{\"input\":\"*** Begin Patch\\n+\\\"\\u00e9\\ud83e\\udd80\\\"\\\\\\t\"}";
    let tools = json!({"tools": [{"type": "custom", "name": "f", "format": {"type": "text"}}]});
    for json in [json.as_str(), spelt] {
        for cut in 0..=json.len() {
            if !json.is_char_boundary(cut) {
                continue;
            }
            let (one, other) = json.split_at(cut);
            let pieces = [input(one), input(other)];
            let pieces: Vec<_> = pieces
                .iter()
                .map(|(name, payload)| (name.as_str(), payload.as_str()))
                .collect();
            let frames: Vec<_> = [&[START, CALL], &pieces[..], &[BLOCK_STOP_1, STOP, METADATA]]
                .concat()
                .into_iter()
                .map(event)
                .collect();
            let seen = fed(
                stream_relay(&settings(), tools.clone()),
                [&frames.concat()[..]],
                true,
            );
            let events = events(&seen);
            let said: String = events
                .iter()
                .filter(|(name, _)| name == "response.custom_tool_call_input.delta")
                .map(|(_, data)| data["delta"].as_str().unwrap())
                .collect();
            assert_eq!(said, text, "cut at {cut}");
            let done: Vec<&Value> = events
                .iter()
                .filter(|(name, _)| name == "response.custom_tool_call_input.done")
                .map(|(_, data)| data)
                .collect();
            assert_eq!(done.len(), 1);
            assert_eq!(done[0]["input"], text);
            assert_eq!(done[0]["item_id"], "ctc_r-1_0");
            assert_eq!(
                last(&seen).1["output"],
                json!([{"id": "ctc_r-1_0", "type": "custom_tool_call", "status": "completed", "call_id": "tooluse_1",
                    "name": "f", "input": text}])
            );
        }
    }
}

#[test]
fn a_tool_of_a_namespace_and_a_search_come_back_as_what_they_are() {
    let call = |name: &str| {
        json!({"contentBlockIndex": 1, "start": {"toolUse": {"toolUseId": "t", "name": name}}})
            .to_string()
    };
    let tools = json!({"tools": [
        {"type": "namespace", "name": "mcp__git__", "description": "d", "tools": [
            {"type": "function", "name": "log", "parameters": {"type": "object"}},
            {"type": "custom", "name": "a.b"},
        ]},
        {"type": "function", "name": "mcp__plain"},
        {"type": "tool_search", "execution": "client", "description": "d", "parameters": {"type": "object"}},
    ]});
    let sent = responses::converse(tools.clone());
    let offered: Vec<&str> = sent["toolConfig"]["tools"]
        .as_array()
        .unwrap()
        .iter()
        .map(|tool| tool["toolSpec"]["name"].as_str().unwrap())
        .collect();
    assert_eq!(offered[0], "mcp__git____log");
    assert!(offered[1].starts_with("mcp__git____a_b_"), "{offered:?}");
    assert_eq!(offered[2..], ["mcp__plain", "tool_search"]);
    for (name, expected) in [
        (
            offered[0],
            json!({"type": "function_call", "name": "log", "namespace": "mcp__git__", "arguments": "{\"q\":1}"}),
        ),
        (
            offered[1],
            json!({"type": "custom_tool_call", "name": "a.b", "namespace": "mcp__git__", "input": "{\"q\":1}"}),
        ),
        (
            offered[2],
            json!({"type": "function_call", "name": "mcp__plain", "arguments": "{\"q\":1}"}),
        ),
        (
            offered[3],
            json!({"type": "tool_search_call", "execution": "client", "arguments": {"q": 1}}),
        ),
    ] {
        let start = call(name);
        let (delta, piece) = input("{\"q\":1}");
        let seen = streamed(
            tools.clone(),
            &[
                START,
                ("contentBlockStart", &start),
                (&delta, &piece),
                BLOCK_STOP_1,
                STOP,
                METADATA,
            ],
        );
        let mut item = last(&seen).1["output"][0].clone();
        let object = item.as_object_mut().unwrap();
        assert_eq!(object.remove("call_id").unwrap(), "t");
        assert_eq!(object.remove("status").unwrap(), "completed");
        object.remove("id");
        assert_eq!(item, expected);
    }
}

#[test]
fn blocks_keep_their_order_and_neighbouring_texts_are_one_message() {
    let text = |block: u64, text: &str| {
        json!({"contentBlockIndex": block, "delta": {"text": text}}).to_string()
    };
    let stop = |block: u64| json!({"contentBlockIndex": block}).to_string();
    let call =
        json!({"contentBlockIndex": 2, "start": {"toolUse": {"toolUseId": "t", "name": "f"}}})
            .to_string();
    let events: Vec<(&str, String)> = vec![
        ("messageStart", "{}".to_owned()),
        ("contentBlockDelta", text(0, "a")),
        ("contentBlockStop", stop(0)),
        ("contentBlockDelta", text(1, "b")),
        ("contentBlockStop", stop(1)),
        ("contentBlockStart", call),
        ("contentBlockStop", stop(2)),
        ("contentBlockDelta", text(3, "c")),
        ("contentBlockStop", stop(3)),
        ("messageStop", r#"{"stopReason":"tool_use"}"#.to_owned()),
        ("metadata", METADATA.1.to_owned()),
    ];
    let events: Vec<_> = events
        .iter()
        .map(|(name, text)| (*name, &text[..]))
        .collect();
    let seen = streamed(json!({}), &events);
    let streamed = last(&seen).1["output"].clone();
    let kinds: Vec<(&str, usize)> = streamed
        .as_array()
        .unwrap()
        .iter()
        .map(|item| {
            (
                item["type"].as_str().unwrap(),
                item["content"].as_array().map_or(0, Vec::len),
            )
        })
        .collect();
    assert_eq!(
        kinds,
        [("message", 2), ("function_call", 0), ("message", 1)]
    );
    // A whole answer says the same.
    let whole = answered(
        json!({}),
        json!([{"text": "a"}, {"text": "b"}, {"toolUse": {"toolUseId": "t", "name": "f", "input": {}}}, {"text": "c"}]),
        "tool_use",
    );
    assert_eq!(whole["output"], streamed);
    assert_eq!(whole["status"], "completed");
}

#[test]
fn every_stop_reason_has_its_status() {
    for (reason, event, status, details) in [
        ("end_turn", "response.completed", "completed", Value::Null),
        (
            "stop_sequence",
            "response.completed",
            "completed",
            Value::Null,
        ),
        ("tool_use", "response.completed", "completed", Value::Null),
        (
            "something_new",
            "response.completed",
            "completed",
            Value::Null,
        ),
        (
            "max_tokens",
            "response.incomplete",
            "incomplete",
            json!({"reason": "max_output_tokens"}),
        ),
        (
            "model_context_window_exceeded",
            "response.incomplete",
            "incomplete",
            json!({"reason": "max_output_tokens"}),
        ),
        (
            "content_filtered",
            "response.incomplete",
            "incomplete",
            json!({"reason": "content_filter"}),
        ),
        (
            "guardrail_intervened",
            "response.incomplete",
            "incomplete",
            json!({"reason": "content_filter"}),
        ),
        (
            "malformed_tool_use",
            "response.failed",
            "failed",
            Value::Null,
        ),
        (
            "malformed_model_output",
            "response.failed",
            "failed",
            Value::Null,
        ),
    ] {
        let stop = json!({"stopReason": reason}).to_string();
        let seen = streamed(
            json!({}),
            &[START, TEXT, BLOCK_STOP, ("messageStop", &stop), METADATA],
        );
        let (name, response) = last(&seen);
        let whole = answered(json!({}), json!([{"text": "Hi \"é\"\n"}]), reason);
        for response in [&response, &whole] {
            assert_eq!(response["status"], status, "{reason}");
            assert_eq!(response["incomplete_details"], details);
            assert_eq!(response["output"][0]["content"][0]["text"], "Hi \"é\"\n");
        }
        assert_eq!(name, event);
        assert_eq!(seen.facts.stop_reason.as_deref(), Some(reason));
        match status {
            "failed" => {
                assert_eq!(response["error"]["code"], "server_error");
                assert_eq!(whole["error"], response["error"]);
                assert_eq!(seen.ending, Ending::Cut);
                assert_eq!(seen.facts.output_tokens, Some(2));
            }
            _ => {
                assert_eq!(response["error"], Value::Null);
                assert_eq!(seen.ending, Ending::Clean);
            }
        }
    }
}

#[test]
fn the_end_waits_for_the_counts_and_does_without_them() {
    let frames: Vec<_> = [START, TEXT, BLOCK_STOP, STOP].map(event).concat();
    let mut relay = stream_relay(&settings(), json!({}));
    let mut out = Vec::new();
    relay.push(&frames, &mut out);
    assert!(
        !String::from_utf8(out)
            .unwrap()
            .contains("response.completed")
    );
    // The content is whole, and only the counts are missing.
    let seen = streamed(json!({}), &[START, TEXT, BLOCK_STOP, STOP]);
    assert_eq!(last(&seen).0, "response.completed");
    assert_eq!(last(&seen).1["usage"], Value::Null);
    assert_eq!(seen.ending, Ending::Clean);
    assert_eq!(seen.facts.stream, Some(StreamStatus::Truncated));
    // Some models tell them first.
    let seen = streamed(json!({}), &[START, TEXT, METADATA, BLOCK_STOP, STOP]);
    assert_eq!(last(&seen).1["usage"]["total_tokens"], 1205);
}

#[test]
fn a_stream_that_fails_says_so_and_is_cut() {
    for (frames, code) in [
        (
            vec![exception((
                "throttlingException",
                r#"{"message":"Too many requests"}"#,
            ))],
            "rate_limit_exceeded",
        ),
        (
            vec![exception((
                "validationException",
                r#"{"message":"Input is too long for requested model."}"#,
            ))],
            "context_length_exceeded",
        ),
        (
            vec![exception((
                "internalServerException",
                r#"{"message":"no"}"#,
            ))],
            "server_error",
        ),
        (
            vec![b"\0\0\0\x10garbage that is no frame".to_vec()],
            "server_error",
        ),
        (vec![], "server_error"),
    ] {
        let frames = [vec![event(START), event(TEXT)], frames].concat();
        let seen = outcome(&settings(), &json!({}), &frames);
        let (name, response) = last(&seen);
        assert_eq!(name, "response.failed");
        assert_eq!(response["status"], "failed");
        assert_eq!(response["error"]["code"], code);
        assert_eq!(seen.ending, Ending::Cut);
        assert!(!names(&seen).contains(&"response.completed".to_owned()));
    }
    // Before the first event it is an answer of its own.
    let seen = outcome(
        &settings(),
        &json!({}),
        &[exception(("throttlingException", r#"{"message":"x"}"#))],
    );
    assert_eq!(
        seen.ending,
        Ending::Error(429, "ThrottlingException".to_owned())
    );
}

#[test]
fn what_is_kept_is_bounded() {
    let small = Settings {
        max_frame_size: 4000,
        ..settings()
    };
    let long = format!(
        r#"{{"contentBlockIndex":0,"delta":{{"text":"{}"}}}}"#,
        "x".repeat(1000)
    );
    let frames = |count: usize| -> Vec<Vec<u8>> {
        let mut frames = vec![event(START)];
        frames.extend((0..count).map(|_| event(("contentBlockDelta", &long))));
        frames.extend([BLOCK_STOP, STOP, METADATA].map(event));
        frames
    };
    let seen = outcome(&small, &json!({}), &frames(3));
    assert_eq!(last(&seen).0, "response.completed");
    let seen = outcome(&small, &json!({}), &frames(5));
    let (name, response) = last(&seen);
    assert_eq!(name, "response.failed");
    assert_eq!(response["error"]["code"], "server_error");
    assert_eq!(seen.ending, Ending::Cut);
}

#[test]
fn sources_belong_to_their_text() {
    let cited = r#"{"contentBlockIndex":0,"delta":{"citation":{"title":"T","location":{"web":{"url":"https://e.com"}}}}}"#;
    let alone = r#"{"contentBlockIndex":1,"delta":{"citation":{"title":"U","location":{"web":{"url":"https://u.com"}}}}}"#;
    let note = |url: &str, title: &str| json!({"type": "url_citation", "start_index": 0, "end_index": 7, "url": url, "title": title});
    let notes = json!([note("https://e.com", "T"), note("https://u.com", "U")]);
    for events in [
        vec![
            START,
            TEXT,
            ("contentBlockDelta", cited),
            BLOCK_STOP,
            ("contentBlockDelta", alone),
            BLOCK_STOP_1,
            STOP,
            METADATA,
        ],
        vec![
            START,
            ("contentBlockDelta", cited),
            ("contentBlockDelta", alone),
            TEXT,
            BLOCK_STOP,
            STOP,
            METADATA,
        ],
    ] {
        let seen = streamed(json!({}), &events);
        let response = last(&seen).1;
        assert_eq!(response["output"].as_array().unwrap().len(), 1);
        assert_eq!(response["output"][0]["content"][0]["annotations"], notes);
        let added: Vec<Value> = self::events(&seen)
            .into_iter()
            .filter(|(name, _)| name == "response.output_text.annotation.added")
            .map(|(_, data)| data["annotation"].clone())
            .collect();
        assert_eq!(Value::from(added), notes);
    }
    let whole = answered(
        json!({}),
        json!([{"citationsContent": {"content": [{"text": "Hi \"é\"\n"}],
            "citations": [{"title": "T", "location": {"web": {"url": "https://e.com"}}}]}}]),
        "end_turn",
    );
    assert_eq!(
        whole["output"][0]["content"][0]["annotations"],
        json!([note("https://e.com", "T")])
    );
}

#[test]
fn nothing_that_was_paid_for_goes_without_a_word() {
    let whole = answered(
        json!({}),
        json!([{"image": {"format": "png", "source": {"bytes": "QUJD"}}}, {"audio": {"format": "mp3", "source": {"bytes": "QUJD"}}}]),
        "end_turn",
    );
    assert_eq!(
        whole["output"][0],
        json!({"id": "ig_r-1_0", "type": "image_generation_call", "status": "completed", "result": "QUJD"})
    );
    assert!(
        whole["output"][1]["content"][0]["text"]
            .as_str()
            .unwrap()
            .starts_with('[')
    );
    let unknown = (
        "contentBlockDelta",
        r#"{"contentBlockIndex":0,"delta":{"hologram":{}}}"#,
    );
    let seen = streamed(json!({}), &[START, unknown, unknown, STOP, METADATA]);
    assert_eq!(
        last(&seen).1["output"][0]["content"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
}

#[test]
fn interleaved_blocks_are_each_whole() {
    let call = |block: u64| {
        json!({"contentBlockIndex": block, "start": {"toolUse": {"toolUseId": format!("t{block}"), "name": "f"}}})
            .to_string()
    };
    let input = |block: u64, input: &str| {
        json!({"contentBlockIndex": block, "delta": {"toolUse": {"input": input}}}).to_string()
    };
    let events: Vec<(&str, String)> = vec![
        ("contentBlockStart", call(1)),
        ("contentBlockStart", call(2)),
        ("contentBlockDelta", input(2, "{\"b\":")),
        ("contentBlockDelta", input(1, "{}")),
        ("contentBlockDelta", input(2, "2}")),
        // Of a call that was never announced.
        ("contentBlockDelta", input(3, "{}")),
        ("messageStop", "{}".to_owned()),
        ("metadata", METADATA.1.to_owned()),
    ];
    let events: Vec<_> = events
        .iter()
        .map(|(name, text)| (*name, &text[..]))
        .collect();
    let output = last(&streamed(json!({}), &events)).1["output"].clone();
    assert_eq!(output.as_array().unwrap().len(), 2);
    assert_eq!(output[0]["arguments"], "{}");
    assert_eq!(output[1]["arguments"], "{\"b\":2}");
}
