//! Answers in events as OpenAI's clients read them: what goes in, and the exact text that comes out.
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

use chat_stream::{
    ASKED, ASKED_USAGE, BLOCK_STOP, METADATA, START, STOP, TEXT, chat_relay, event, streamed, text,
};
use common::settings;
use gateway::StreamStatus;
use stream::{Ending, fed};

/// A chunk with these members of `choices[0]`.
fn chunk(members: &str) -> String {
    format!(
        "data: {{\"id\":\"chatcmpl-r-1\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,\"model\":\"m\",\
         \"choices\":[{{\"index\":0,{members}}}]}}\n\n"
    )
}

fn delta(delta: &str) -> String {
    chunk(&format!(r#""delta":{delta},"finish_reason":null"#))
}

fn finish(reason: &str) -> String {
    chunk(&format!(r#""delta":{{}},"finish_reason":"{reason}""#))
}

const ROLE: &str = r#"{"role":"assistant","content":""}"#;
const DONE: &str = "data: [DONE]\n\n";

/// What comes between the role and the end of a good stream of these events.
fn between(events: &[(&str, &str)]) -> String {
    let events = [&[START], events, &[STOP, METADATA]].concat();
    let seen = streamed(ASKED, &events);
    assert_eq!(seen.ending, Ending::Clean);
    assert_eq!(seen.facts.stream, Some(StreamStatus::Complete));
    let text = text(&seen).strip_prefix(&delta(ROLE)).unwrap();
    let reason = match text.contains("tool_calls") {
        true => "tool_calls",
        false => "stop",
    };
    let end = finish(reason) + DONE;
    text.strip_suffix(&end)
        .unwrap_or_else(|| panic!("{text}"))
        .to_owned()
}

#[test]
fn a_whole_answer_to_the_letter() {
    let seen = streamed(ASKED_USAGE, &[START, TEXT, BLOCK_STOP, STOP, METADATA]);
    let head = r#"data: {"id":"chatcmpl-r-1","object":"chat.completion.chunk","created":1700000000,"model":"m","choices":["#;
    assert_eq!(
        text(&seen),
        [
            head, r#"{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}],"usage":null}"#, "\n\n",
            head, r#"{"index":0,"delta":{"content":"Hi"},"finish_reason":null}],"usage":null}"#, "\n\n",
            head, r#"{"index":0,"delta":{},"finish_reason":"stop"}],"usage":null}"#, "\n\n",
            head, r#"],"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}}"#, "\n\n",
            "data: [DONE]\n\n",
        ]
        .concat()
    );
    let seen = streamed(ASKED, &[START, TEXT, BLOCK_STOP, STOP, METADATA]);
    let expected = delta(ROLE) + &delta(r#"{"content":"Hi"}"#) + &finish("stop") + DONE;
    assert_eq!(text(&seen), expected);
}

#[test]
fn usage_counts_the_cached_tokens_in_the_prompt() {
    for (metadata, usage) in [
        (
            r#"{"usage":{"inputTokens":3,"outputTokens":2,"totalTokens":1205,"cacheReadInputTokens":1000,"cacheWriteInputTokens":200,
                "cacheDetails":[{"ttl":"5m","inputTokens":200}],"serverToolUsage":{}},"serviceTier":{"type":"flex"},"p":"abc"}"#,
            r#""usage":{"prompt_tokens":1203,"completion_tokens":2,"total_tokens":1205,"prompt_tokens_details":{"cached_tokens":1000,"cache_write_tokens":200}},"service_tier":"flex""#,
        ),
        (
            r#"{"usage":{"inputTokens":3,"outputTokens":0,"cacheReadInputTokenCount":4}}"#,
            r#""usage":{"prompt_tokens":7,"completion_tokens":0,"total_tokens":7,"prompt_tokens_details":{"cached_tokens":4}}"#,
        ),
    ] {
        let seen = streamed(ASKED_USAGE, &[START, STOP, ("metadata", metadata)]);
        let end = format!("\"choices\":[],{usage}}}\n\n{DONE}");
        assert!(text(&seen).ends_with(&end), "{}", text(&seen));
    }
    // What is not known is not said.
    for metadata in [
        "{}",
        r#"{"metrics":{"latencyMs":5}}"#,
        r#"{"usage":{"inputTokens":3}}"#,
        r#"{"usage":{"inputTokens":-3,"outputTokens":"2"}}"#,
        r#"{"usage":null,"serviceTier":null}"#,
    ] {
        let seen = streamed(ASKED_USAGE, &[START, STOP, ("metadata", metadata)]);
        assert_eq!(seen.ending, Ending::Clean);
        let end = format!("\"finish_reason\":\"stop\"}}],\"usage\":null}}\n\n{DONE}");
        assert!(text(&seen).ends_with(&end), "{}", text(&seen));
    }
    // Without metadata the content is whole, and only the counts are missing.
    let seen = streamed(ASKED_USAGE, &[START, TEXT, STOP]);
    assert!(text(&seen).ends_with(DONE));
    assert_eq!(seen.facts.stream, Some(StreamStatus::Truncated));
    assert_eq!(seen.facts.output_tokens, None);
}

#[test]
fn every_stop_reason_ends_the_answer() {
    for (reason, finish_reason) in [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("tool_use", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("content_filtered", "content_filter"),
        ("guardrail_intervened", "content_filter"),
        ("something_new", "stop"),
    ] {
        let stop = format!(r#"{{"stopReason":"{reason}"}}"#);
        let seen = streamed(ASKED, &[START, ("messageStop", &stop), METADATA]);
        assert_eq!(text(&seen), delta(ROLE) + &finish(finish_reason) + DONE);
        assert_eq!(seen.facts.stop_reason.as_deref(), Some(reason));
    }
    for (reason, finish_reason) in [
        ("end_turn", "tool_calls"),
        ("tool_use", "tool_calls"),
        ("something_new", "tool_calls"),
        ("stop_sequence", "stop"),
        ("max_tokens", "length"),
        ("content_filtered", "content_filter"),
    ] {
        let stop = format!(r#"{{"stopReason":"{reason}"}}"#);
        let seen = streamed(ASKED, &[START, TOOL_0, ("messageStop", &stop), METADATA]);
        assert!(
            text(&seen).ends_with(&(finish(finish_reason) + DONE)),
            "{reason}"
        );
        assert_eq!(seen.facts.stop_reason.as_deref(), Some(reason));
    }
    for reason in ["malformed_tool_use", "malformed_model_output"] {
        let stop = format!(r#"{{"stopReason":"{reason}"}}"#);
        for end in [&[METADATA][..], &[]] {
            let seen = streamed(
                ASKED,
                &[&[START, TEXT, ("messageStop", &stop)], end].concat(),
            );
            let error = text(&seen).strip_prefix(&(delta(ROLE) + &delta(r#"{"content":"Hi"}"#)));
            assert!(
                error.unwrap().starts_with(r#"data: {"error":"#),
                "{}",
                text(&seen)
            );
            assert!(!text(&seen).contains("DONE") && !text(&seen).contains(r#""finish_reason":""#));
            assert_eq!(seen.facts.stop_reason.as_deref(), Some(reason));
        }
    }
    for stop in ["{}", r#"{"stopReason":null}"#] {
        let seen = streamed(ASKED, &[START, ("messageStop", stop), METADATA]);
        assert_eq!(text(&seen), delta(ROLE) + &finish("stop") + DONE);
    }
    let stop = "{\"additionalModelResponseFields\":{\n\"stop_sequence\":\"END\\n\"},\r\n\"stopReason\":\"stop_sequence\"}";
    for (asked, end) in [(ASKED, "}\n\n"), (ASKED_USAGE, ",\"usage\":null}\n\n")] {
        let seen = streamed(asked, &[START, ("messageStop", stop)]);
        let last = format!(
            r#""delta":{{}},"finish_reason":"stop"}}],"additionalModelResponseFields":{{"stop_sequence":"END\n"}}{end}{DONE}"#
        );
        assert!(text(&seen).ends_with(&last), "{}", text(&seen));
    }
}

#[test]
fn text_goes_on_exactly_as_it_came() {
    for literal in [
        r#""Hi \"é🦀\"\n""#,
        r#""\u00e9\/\ud83e\udd80\u0000\\""#,
        r#""\ud83d""#,
        "\"\u{2028}</script>\"",
        r#"" ""#,
    ] {
        for payload in [
            format!(r#"{{"contentBlockIndex":0,"delta":{{"text":{literal}}},"p":"abc"}}"#),
            format!(r#"{{"p":"abcdefgh","delta":{{"text":{literal}}},"contentBlockIndex":0}}"#),
            format!("{{\"delta\" :\n {{ \"new\":[1], \"te\\u0078t\" : {literal}\n}} }}"),
        ] {
            let expected = delta(&format!(r#"{{"content":{literal}}}"#));
            assert_eq!(between(&[("contentBlockDelta", &payload)]), expected);
        }
    }
}

#[test]
fn what_says_nothing_is_left_out() {
    for event in [
        (
            "contentBlockDelta",
            r#"{"contentBlockIndex":0,"delta":{"text":""}}"#,
        ),
        (
            "contentBlockDelta",
            r#"{"contentBlockIndex":0,"delta":{"text":null}}"#,
        ),
        ("contentBlockDelta", r#"{"contentBlockIndex":0,"delta":{}}"#),
        ("contentBlockDelta", r#"{"contentBlockIndex":0}"#),
        (
            "contentBlockDelta",
            r#"{"contentBlockIndex":0,"delta":{"citation":{"title":"t","source":"s","sourceContent":[{"text":"x"}]}}}"#,
        ),
        (
            "contentBlockDelta",
            r#"{"contentBlockIndex":0,"delta":{"toolResult":[{"text":"x"}]}}"#,
        ),
        (
            "contentBlockDelta",
            r#"{"contentBlockIndex":0,"delta":{"somethingNew":null}}"#,
        ),
        (
            "contentBlockStart",
            r#"{"contentBlockIndex":0,"start":{"toolUse":{"toolUseId":"s","name":"n","type":"server_tool_use"}}}"#,
        ),
        (
            "contentBlockStart",
            r#"{"contentBlockIndex":0,"start":{"toolResult":{"toolUseId":"s","type":"nova_grounding_result"}}}"#,
        ),
        (
            "contentBlockDelta",
            r#"{"contentBlockIndex":0,"delta":{"reasoningContent":{"text":"","signature":""}}}"#,
        ),
        (
            "contentBlockDelta",
            r#"{"contentBlockIndex":5,"delta":{"toolUse":{"input":"{}"}}}"#,
        ),
        ("contentBlockStart", r#"{"contentBlockIndex":0,"start":{}}"#),
        ("contentBlockStart", r#"{"contentBlockIndex":0}"#),
        ("contentBlockStop", r#"{"contentBlockIndex":9}"#),
        ("messageStart", r#"{"role":"assistant"}"#),
        ("somethingNew", r#"{"delta":{"text":"x"}}"#),
        ("somethingNew", "not JSON"),
        ("initial-response", ""),
    ] {
        assert_eq!(between(&[event]), "", "{event:?}");
    }
}

#[test]
fn two_reads_make_what_one_makes() {
    let body: Vec<u8> = [START, TEXT, BLOCK_STOP, TOOL_0, STOP, METADATA]
        .into_iter()
        .flat_map(event)
        .collect();
    let feed = |pieces: Vec<&[u8]>| fed(chat_relay(&settings(), ASKED_USAGE), pieces, true);
    let whole = feed(vec![&body]);
    for cut in 0..=body.len() {
        assert_eq!(
            feed(vec![&body[..cut], &body[cut..]]),
            whole,
            "cut at {cut}"
        );
    }
}

#[test]
fn a_missing_start_is_made_up_for() {
    for (first, expected) in [
        (
            TEXT,
            delta(ROLE) + &delta(r#"{"content":"Hi"}"#) + &finish("stop"),
        ),
        (STOP, delta(ROLE) + &finish("stop")),
    ] {
        let seen = streamed(ASKED, &[first, STOP, METADATA]);
        assert_eq!(text(&seen), expected + DONE);
    }
}

const TOOL_0: (&str, &str) = (
    "contentBlockStart",
    r#"{"contentBlockIndex":1,"start":{"toolUse":{"toolUseId":"t-0","name":"f"}}}"#,
);
const TOOL_1: (&str, &str) = (
    "contentBlockStart",
    r#"{"p":"abc","start":{"toolUse":{"name":"g","toolUseId":"t-1","type":"new"}},"contentBlockIndex":4}"#,
);

#[test]
fn calls_that_nobody_closes_are_closed_in_time() {
    let starts: Vec<String> = (0..1000)
        .map(|block| {
            format!(
                r#"{{"contentBlockIndex":{block},"start":{{"toolUse":{{"toolUseId":"t{block}","name":"tool"}}}}}}"#
            )
        })
        .collect();
    let events: Vec<_> = starts
        .iter()
        .map(|start| ("contentBlockStart", start.as_str()))
        .collect();
    let seen = streamed(ASKED, &events);
    let sent = text(&seen);
    assert_eq!(sent.matches(r#""name":"tool""#).count(), 1000);
    assert_eq!(sent.matches(r#""arguments":"{}""#).count(), 1000 - 256);
}

fn call(index: u32, id: &str, name: &str) -> String {
    delta(&format!(
        r#"{{"tool_calls":[{{"index":{index},"id":"{id}","type":"function","function":{{"name":"{name}","arguments":""}}}}]}}"#
    ))
}

fn arguments(index: u32, json: &str) -> String {
    delta(&format!(
        r#"{{"tool_calls":[{{"index":{index},"function":{{"arguments":{json}}}}}]}}"#
    ))
}

#[test]
fn pictures_and_what_is_not_known_are_shown() {
    let image = |index: u32, url: &str| {
        delta(&format!(
            r#"{{"images":[{{"index":{index},"type":"image_url","image_url":{{"url":"{url}"}}}}]}}"#
        ))
    };
    let start = (
        "contentBlockStart",
        r#"{"contentBlockIndex":0,"start":{"image":{"format":"jpeg"}}}"#,
    );
    let bytes = (
        "contentBlockDelta",
        r#"{"contentBlockIndex":0,"delta":{"image":{"source":{"bytes":"QUJD"}}}}"#,
    );
    let stop = ("contentBlockStop", r#"{"contentBlockIndex":0}"#);
    assert_eq!(
        between(&[start, bytes, stop, TEXT]),
        image(0, "data:image/jpeg;base64,QUJD") + &delta(r#"{"content":"Hi"}"#)
    );
    // In pieces, without a start, and never ended.
    assert_eq!(
        between(&[start, bytes, bytes, bytes]),
        image(0, "data:image/jpeg;base64,QUJDQUJDQUJD")
    );
    assert_eq!(
        between(&[bytes, stop, bytes, stop]),
        image(0, "data:image/png;base64,QUJD") + &image(1, "data:image/png;base64,QUJD")
    );
    let none = delta(r#"{"content":"[an image that did not come whole]"}"#);
    assert_eq!(between(&[start, stop]), none);
    let new = (
        "contentBlockDelta",
        r#"{"contentBlockIndex":0,"delta":{"somethingNew":{"x":1}}}"#,
    );
    let named = delta(r#"{"content":"[content of a kind that this API has no form for]"}"#);
    assert_eq!(between(&[new, new, stop]), named);
}

#[test]
fn a_call_of_a_tool_with_text_streams_its_text() {
    let asked = r#"{"model":"m","stream":true,"messages":[],"tools":[{"type":"custom","custom":{"name":"f"}}]}"#;
    let input = |json: &str| {
        let json = serde_json::Value::from(json);
        let payload =
            format!(r#"{{"contentBlockIndex":1,"delta":{{"toolUse":{{"input":{json}}}}}}}"#);
        ("contentBlockDelta", payload)
    };
    let stop = ("contentBlockStop", r#"{"contentBlockIndex":1}"#);
    let calls = |pieces: &[&str]| {
        let pieces: Vec<_> = pieces.iter().map(|json| input(json)).collect();
        let mut events = vec![START, TOOL_0];
        events.extend(
            pieces
                .iter()
                .map(|(name, payload)| (*name, payload.as_str())),
        );
        events.extend([stop, STOP, METADATA]);
        let seen = streamed(asked, &events);
        let text = text(&seen).strip_prefix(&delta(ROLE)).unwrap().to_owned();
        text.strip_suffix(&(finish("tool_calls") + DONE))
            .unwrap()
            .to_owned()
    };
    let call = delta(
        r#"{"tool_calls":[{"index":0,"id":"t-0","type":"custom","custom":{"name":"f","input":""}}]}"#,
    );
    let more = |json: &str| {
        delta(&format!(
            r#"{{"tool_calls":[{{"index":0,"custom":{{"input":{json}}}}}]}}"#
        ))
    };
    assert_eq!(
        calls(&[
            "",
            r#"{"inp"#,
            r#"ut": "*** B"#,
            r#"egin\"#,
            r#"n\u00"#,
            r#"e9"#,
            r#"\""#,
            r#""}"#
        ]),
        call.clone()
            + &more(r#""*** B""#)
            + &more(r#""egin""#)
            + &more(r#""\n""#)
            + &more(r#""é""#)
            + &more(r#""\"""#)
    );
    assert_eq!(calls(&[]), call);
    assert_eq!(calls(&["{}"]), call.clone() + &more(r#""{}""#));
    assert_eq!(
        calls(&[r#"{"patch""#, ":1}"]),
        call + &more(r#""{\"patch\"""#) + &more(r#"":1}""#)
    );
}

#[test]
fn a_call_without_an_id_gets_one() {
    let start = (
        "contentBlockStart",
        r#"{"contentBlockIndex":0,"start":{"toolUse":{"toolUseId":"","name":"f"}}}"#,
    );
    let stop = ("contentBlockStop", r#"{"contentBlockIndex":0}"#);
    assert_eq!(
        between(&[start, stop, start]),
        call(0, "call_r-1_0", "f")
            + &arguments(0, r#""{}""#)
            + &call(1, "call_r-1_1", "f")
            + &arguments(1, r#""{}""#)
    );
}

#[test]
fn counts_that_come_before_the_end_end_it_too() {
    let seen = streamed(ASKED_USAGE, &[START, TEXT, METADATA, STOP]);
    let usual = streamed(ASKED_USAGE, &[START, TEXT, STOP, METADATA]);
    assert_eq!(text(&seen), text(&usual));
    assert_eq!(seen.facts, usual.facts);
    assert_eq!(seen.facts.stream, Some(StreamStatus::Complete));
}

#[test]
fn calls_count_from_0_whatever_their_blocks_are() {
    let input = |block: u32, json: &str| {
        let payload =
            format!(r#"{{"contentBlockIndex":{block},"delta":{{"toolUse":{{"input":{json}}}}}}}"#);
        ("contentBlockDelta", payload)
    };
    let stop = |block: u32| {
        (
            "contentBlockStop",
            format!(r#"{{"contentBlockIndex":{block}}}"#),
        )
    };
    let events = [
        input(1, r#""""#),
        input(1, r#""{\"a\":""#),
        input(1, r#""\u00e9}""#),
        stop(1),
        input(4, r#""{}""#),
        stop(4),
    ];
    let [a, b, c, d, e, f] = events
        .each_ref()
        .map(|(name, payload)| (*name, payload.as_str()));
    let in_turn = [TEXT, BLOCK_STOP, TOOL_0, a, b, c, d, TOOL_1, e, f, TEXT];
    assert_eq!(
        between(&in_turn),
        delta(r#"{"content":"Hi"}"#)
            + &call(0, "t-0", "f")
            + &arguments(0, r#""{\"a\":""#)
            + &arguments(0, r#""\u00e9}""#)
            + &call(1, "t-1", "g")
            + &arguments(1, r#""{}""#)
            + &delta(r#"{"content":"Hi"}"#)
    );
    let interleaved = [TOOL_0, TOOL_1, b, e, c, f, d];
    assert_eq!(
        between(&interleaved),
        call(0, "t-0", "f")
            + &call(1, "t-1", "g")
            + &arguments(0, r#""{\"a\":""#)
            + &arguments(1, r#""{}""#)
            + &arguments(0, r#""\u00e9}""#)
    );
    let seen = streamed(ASKED, &[START, TOOL_0, TOOL_1, d, f, STOP, METADATA]);
    assert_eq!(seen.facts.tool_calls, Some(2));
}

#[test]
fn a_call_without_input_has_an_empty_object() {
    let empty = (
        "contentBlockDelta",
        r#"{"contentBlockIndex":1,"delta":{"toolUse":{"input":""}}}"#,
    );
    let null = (
        "contentBlockDelta",
        r#"{"contentBlockIndex":1,"delta":{"toolUse":{"input":null}}}"#,
    );
    let stop = ("contentBlockStop", r#"{"contentBlockIndex":1}"#);
    let expected = call(0, "t-0", "f") + &arguments(0, r#""{}""#);
    for events in [
        &[TOOL_0, stop][..],
        &[TOOL_0, empty, null, stop, stop],
        &[TOOL_0],
    ] {
        assert_eq!(between(events), expected);
    }
    // Where blocks are not closed, a start with the same number begins a call of its own.
    let input = (
        "contentBlockDelta",
        r#"{"contentBlockIndex":1,"delta":{"toolUse":{"input":"{}"}}}"#,
    );
    assert_eq!(
        between(&[TOOL_0, input, TOOL_0, input]),
        call(0, "t-0", "f")
            + &arguments(0, r#""{}""#)
            + &call(1, "t-0", "f")
            + &arguments(1, r#""{}""#)
    );
}

#[test]
fn a_renamed_tool_comes_back_by_its_own_name() {
    // echo -n 'a.b' | sha256sum
    let asked = r#"{"model":"m","stream":true,"messages":[],"tools":[{"type":"function","function":{"name":"a.b"}}]}"#;
    let start = (
        "contentBlockStart",
        r#"{"contentBlockIndex":0,"start":{"toolUse":{"toolUseId":"t \"0\"","name":"a_b_2e7336dc"}}}"#,
    );
    let seen = streamed(asked, &[START, start, STOP, METADATA]);
    let expected = call(0, r#"t \"0\""#, "a.b");
    assert!(text(&seen).contains(&expected), "{}", text(&seen));
}

#[test]
fn reasoning_and_what_proves_it() {
    let of = |block: u32, member: &str| {
        let payload = format!(
            r#"{{"contentBlockIndex":{block},"delta":{{"reasoningContent":{{{member}}}}}}}"#
        );
        ("contentBlockDelta", payload)
    };
    let events = [
        of(0, r#""text":"wh""#),
        of(0, r#""text":"y\n""#),
        of(0, r#""signature":"c2ln""#),
        of(0, r#""signature":"bmVk""#),
        of(1, r#""redactedContent":"QUJD""#),
        of(2, r#""text":"and","signature":"x\/""#),
    ];
    let events: Vec<_> = events
        .iter()
        .map(|(name, payload)| (*name, payload.as_str()))
        .collect();
    let proof = |index: u32, member: &str| {
        delta(&format!(
            r#"{{"thinking_blocks":[{{"index":{index},{member}}}]}}"#
        ))
    };
    assert_eq!(
        between(&events),
        delta(r#"{"reasoning_content":"wh"}"#)
            + &delta(r#"{"reasoning_content":"y\n"}"#)
            + &proof(0, r#""type":"thinking","signature":"c2ln""#)
            + &proof(0, r#""type":"thinking","signature":"bmVk""#)
            + &proof(1, r#""type":"redacted_thinking","data":"QUJD""#)
            + &delta(r#"{"reasoning_content":"and"}"#)
            + &proof(2, r#""type":"thinking","signature":"x\/""#)
    );
}

#[test]
fn nothing_of_the_content_follows_the_end() {
    let seen = streamed(
        ASKED,
        &[
            START, STOP, TEXT, TOOL_0, START, STOP, METADATA, TEXT, STOP, METADATA,
        ],
    );
    assert_eq!(text(&seen), delta(ROLE) + &finish("stop") + DONE);
}
