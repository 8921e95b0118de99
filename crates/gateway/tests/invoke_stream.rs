//! How invoke streams go and end: cut, failed, damaged, and of forms that nobody knows.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

#[path = "common/chunks.rs"]
mod chunks;
mod common;
#[path = "common/stream.rs"]
mod stream;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chunks::{
    BLOCK_END, DELTA, INPUT, METRICS, START, STOP, STREAM, TEXT, TEXT_BLOCK, TOOL_BLOCK, chunk,
    event, keeping, of_frames, streamed, told,
};
use common::settings;
use gateway::{Facts, StreamStatus};
use stream::{Ending, SDK, SSE, fed, stream_relay};

#[test]
fn a_stream_cut_between_its_frames_is_truncated() {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/eventstream/");
    let body = std::fs::read(format!("{directory}s04_invoke_anthropic.bin")).unwrap();
    let ends = [0, 411, 637, 866, 1038, 1305, 1631];
    for length in 0..=body.len() {
        for clean in [true, false] {
            let seen = fed(stream_relay(STREAM, &keeping()), [&body[..length]], clean);
            let (status, ending) = match length {
                0..411 => (
                    StreamStatus::Truncated,
                    Ending::Error(502, "InternalServerException".to_owned()),
                ),
                1631 if clean => (StreamStatus::Complete, Ending::Clean),
                1631 => (StreamStatus::Complete, Ending::Cut),
                _ => (StreamStatus::Truncated, Ending::Cut),
            };
            assert_eq!(seen.facts.stream, Some(status), "{length}");
            assert_eq!(seen.ending, ending, "{length}");
            let come = |frame: usize| length >= ends[frame];
            assert_eq!(seen.facts.content_started, come(3), "{length}");
            let counts = [come(1).then_some(10), come(5).then_some(3), None, None];
            assert_eq!(told(&seen.facts).0, counts, "{length}");
            assert_eq!(seen.facts.latency_ms, come(6).then_some(500), "{length}");
            let text = if come(3) { "Hi" } else { "" };
            assert_eq!(seen.facts.response_text, text, "{length}");
        }
    }
    // Nova: as Converse.
    let nova = [
        r#"{"messageStart":{"role":"assistant"}}"#,
        r#"{"contentBlockDelta":{"delta":{"text":"Hi"}}}"#,
        r#"{"messageStop":{"stopReason":"end_turn"}}"#,
        r#"{"metadata":{"usage":{"inputTokens":10,"outputTokens":20}}}"#,
    ];
    for (frames, status, ending) in [
        (1, StreamStatus::Truncated, Ending::Cut),
        (2, StreamStatus::Truncated, Ending::Cut),
        (3, StreamStatus::Truncated, Ending::Clean),
        (4, StreamStatus::Complete, Ending::Clean),
    ] {
        let seen = streamed(&nova[..frames]);
        assert_eq!(
            (seen.facts.stream, seen.ending),
            (Some(status), ending),
            "{frames}"
        );
        assert_eq!(seen.facts.total_tokens(), (frames == 4).then_some(30));
    }
    // Others have no end of their own; but nothing at all is none.
    let seen = streamed(&[r#"{"outputs":[{"text":"Hi"}],"metadata":{"id":1}}"#]);
    assert_eq!(
        (seen.facts.stream, seen.ending),
        (Some(StreamStatus::Complete), Ending::Clean)
    );
    for frames in [
        vec![event("chunk", r#"{"p":"abc"}"#)],
        vec![event("news", "{}")],
    ] {
        let seen = of_frames(&frames);
        assert_eq!(
            (seen.facts.stream, seen.ending),
            (Some(StreamStatus::Truncated), Ending::Cut)
        );
    }
    // A part of Anthropic's is not all, even without the beginning.
    for fragment in [TEXT_BLOCK, TEXT, BLOCK_END, DELTA] {
        assert_eq!(
            streamed(&[fragment]).facts.stream,
            Some(StreamStatus::Truncated)
        );
        let seen = streamed(&[r#"{"odd":1}"#, fragment, r#"{"odd":1}"#]);
        assert_eq!(seen.facts.stream, Some(StreamStatus::Truncated));
    }
}

#[test]
fn content_starts_with_the_first_delta() {
    for (chunks, started) in [
        (vec![START], false),
        (vec![START, TEXT_BLOCK], false),
        (vec![START, TEXT_BLOCK, TEXT], true),
        (vec![START, TOOL_BLOCK], false),
        (vec![START, TOOL_BLOCK, INPUT], true),
        (vec![START, DELTA, METRICS], false),
        (vec![r#"{"messageStart":{}}"#], false),
        (
            vec![r#"{"choices":[{"delta":{"role":"assistant","content":""}}]}"#],
            false,
        ),
        (vec![r#"{"generation":"","prompt_token_count":1}"#], false),
        (vec![r#"{"generation":" "}"#], true),
        (
            vec![r#"{"event_type":"stream-start","is_finished":false}"#],
            false,
        ),
    ] {
        assert_eq!(
            streamed(&chunks).facts.content_started,
            started,
            "{chunks:?}"
        );
    }
}

#[test]
fn tools_are_counted() {
    let thinking = r#"{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":""}}"#;
    for (chunks, tools) in [
        (vec![START], Some(0)),
        (vec![START, thinking, TEXT_BLOCK], Some(0)),
        (
            vec![START, TOOL_BLOCK, INPUT, INPUT, BLOCK_END, TOOL_BLOCK],
            Some(2),
        ),
        (vec![r#"{"messageStart":{}}"#], Some(0)),
        (
            vec![r#"{"contentBlockStart":{"start":{"toolUse":{}}}}"#; 3],
            Some(3),
        ),
        (vec![r#"{"text":"no blocks here"}"#], None),
    ] {
        assert_eq!(streamed(&chunks).facts.tool_calls, tools, "{chunks:?}");
    }
}

#[test]
fn an_error_of_anthropics_is_an_exception_that_passes() {
    let error = r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#;
    for (chunks, name) in [
        (vec![START, TEXT, error], "overloaded_error"),
        (vec![error], "overloaded_error"),
        (vec![START, error, STOP], "overloaded_error"),
        (vec![START, r#"{"type":"error"}"#], "error"),
    ] {
        let seen = streamed(&chunks);
        assert_eq!(
            (seen.facts.stream, seen.ending),
            (Some(StreamStatus::Exception), Ending::Clean)
        );
        assert_eq!(seen.facts.exception.as_deref(), Some(name));
    }
}

#[test]
fn what_is_no_json_in_base64_is_corrupt() {
    let inside = |bytes: &[u8]| format!(r#"{{"bytes":"{}"}}"#, STANDARD.encode(bytes));
    for (payload, why) in [
        (r#"{"bytes":"!!!!"}"#.to_owned(), "base64"),
        (r#"{"bytes":"e30"}"#.to_owned(), "base64"),
        (r#"{"bytes":"e30="#.to_owned(), "JSON"),
        (r#"{"bytes":7}"#.to_owned(), "JSON"),
        ("<html>".to_owned(), "JSON"),
        (inside(b""), "JSON"),
        (inside(b"{"), "JSON"),
        (inside(b"{} {}"), "JSON"),
        (inside(b"{\"a\":\"\xff\"}"), "JSON"),
        (inside(b"data: {}"), "JSON"),
    ] {
        let seen = of_frames(&[chunk(START), event("chunk", &payload)]);
        assert_eq!(
            (seen.facts.stream, seen.ending),
            (Some(StreamStatus::Corrupt), Ending::Cut),
            "{payload}"
        );
        assert_eq!(seen.sent, chunk(START), "{payload}");
        assert_eq!(seen.facts.input_tokens, Some(10));
        let mut relay = stream_relay(STREAM, &settings());
        relay.push(&event("chunk", &payload), &mut Vec::new());
        assert!(relay.complaint().unwrap().contains(why), "{payload}");
    }
}

#[test]
fn json_of_another_form_says_nothing_and_passes() {
    let deep = format!(r#"{{"usage":{}{}}}"#, "[".repeat(2000), "]".repeat(2000));
    let nested = format!(
        r#"{{"usage":{}{}}}"#,
        r#"{"prompt_tokens_details":"#.repeat(2000),
        "}".repeat(2000).replacen('}', "{}}", 1)
    );
    for json in [
        "[]",
        "7",
        "null",
        r#"[{"inputTokenCount":5},{"input_tokens":5},"message_stop"]"#,
        r#"{"type":7,"message":[],"usage":[1,2],"delta":"x","content_block":null,"error":1}"#,
        r#"{"usage":{"input_tokens":-1,"output_tokens":"7","cache_read_input_tokens":1e30,"cache_creation_input_tokens":1.0}}"#,
        r#"{"usage":{"input_tokens":99999999999999999999}}"#,
        r#"{"amazon-bedrock-invocationMetrics":[1,2,3]}"#,
        r#"{"outputs":[7],"choices":{},"text":{},"generation":[],"stop_reason":{"a":1},"outputText":1}"#,
        r#"{"metadata":"a word","inputTextTokenCount":true,"prompt_token_count":null}"#,
        r#"{"type":"message_stop","type":"message_stop"}"#,
        &deep,
        &nested,
    ] {
        let body = chunk(json);
        let seen = fed(stream_relay(STREAM, &keeping()), [body.as_slice()], true);
        assert_eq!(seen.ending, Ending::Clean, "{json}");
        let nothing = Facts {
            stream: Some(StreamStatus::Complete),
            ..Facts::default()
        };
        assert_eq!(seen.facts, nothing, "{json}");
    }
    // Nor does a chunk in a stream that should have none.
    for client in [SDK, SSE] {
        let body = [chunk(START), chunk(METRICS)].concat();
        let seen = fed(stream_relay(client, &keeping()), [body.as_slice()], true);
        assert_eq!(seen.facts.stream, Some(StreamStatus::Truncated));
        assert_eq!(told(&seen.facts).0, [None; 4]);
    }
    // A name that is spelt otherwise is the same name.
    let escaped =
        r#" {"\u0074ype":"message\u005fstart","message":{"usage":{"input\u005ftokens":5}}}"#;
    assert_eq!(streamed(&[escaped, STOP]).facts.input_tokens, Some(5));
    // Where nova's events are not what they should be, their end is missing.
    let seen = streamed(&[r#"{"messageStart":{}}"#, r#"{"messageStop":7}"#]);
    assert_eq!(
        (seen.facts.stream, seen.ending),
        (Some(StreamStatus::Truncated), Ending::Cut)
    );
}
