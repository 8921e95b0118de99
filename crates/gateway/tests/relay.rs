//! Event streams from Bedrock to the client, through the crate's public face: every vector, however it is cut.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod common;
#[path = "common/stream.rs"]
mod stream;

use common::settings;
use gateway::{Flow, Settings, StreamStatus};
use serde_json::Value;
use stream::{Client, Ending, Outcome, SDK, SSE, fed, frame, stream_relay};

const INVOKE: Client = Client {
    verb: "invoke-with-response-stream",
    sse: false,
};

/// An event's frame.
fn event(event_type: &str, payload: &str) -> Vec<u8> {
    frame(
        &[(":event-type", event_type), (":message-type", "event")],
        payload,
    )
}

fn fixture(name: &str) -> Vec<u8> {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/eventstream/");
    std::fs::read(format!("{directory}{name}")).unwrap()
}

fn files() -> Vec<String> {
    let index: Value = serde_json::from_slice(&fixture("index.json")).unwrap();
    let vectors = index["vectors"].as_array().unwrap();
    assert_eq!(vectors.len(), 75);
    let name = |vector: &Value| vector["file"].as_str().unwrap().to_owned();
    vectors.iter().map(name).collect()
}

/// Of a vector, by its letter and number, as the whole body of a ConverseStream answer (with chunks: of an invoke stream):
/// the status, and the ending for a client whose header is not held back.
fn expected(file: &str) -> (StreamStatus, Ending) {
    use StreamStatus::{Complete, Corrupt, Exception, Truncated};
    let (kind, number) = (file.as_bytes()[0], file[1..3].parse::<u8>().unwrap());
    match (kind, number) {
        (b's', 1 | 2 | 4) => (Complete, Ending::Clean),
        (b's', 3) => (Exception, Ending::Clean),
        // Anthropic's last event.
        (b'v', 27) => (Complete, Ending::Clean),
        // Frames without a message type, and a header block over the limit.
        (b'v', 1..=10 | 32) => (Corrupt, Ending::Cut),
        // messageStop alone: the content is whole, the counts are unknown.
        (b'v', 20) => (Truncated, Ending::Clean),
        (b'v', 23..=25) => (Exception, Ending::Clean),
        // One event of many.
        (b'v', _) => (Truncated, Ending::Cut),
        (b'x', 25..=28 | 32 | 38) => (Truncated, Ending::Cut),
        (b'x', _) => (Corrupt, Ending::Cut),
        _ => unreachable!("{file}"),
    }
}

fn client_of(file: &str) -> Client {
    if has_chunks(file) { INVOKE } else { SDK }
}

fn has_chunks(file: &str) -> bool {
    matches!(&file[..3], "s04" | "v26" | "v27" | "x39")
}

/// Where a body is cut in two: everywhere. Over 2 KB only near both ends and at some places between, because each cut
/// costs a pass over the whole.
fn cuts(length: usize) -> Vec<usize> {
    let (edge, places) = match length {
        0..=2048 => (length, 1),
        2049..=100_000 => (140, 50),
        _ => (20, 5),
    };
    let near =
        |at: &usize| *at <= edge || length - at <= edge || at.is_multiple_of(length / places);
    (0..=length).filter(near).collect()
}

/// The outcome of a body, the same however it is cut.
fn outcome(client: Client, settings: &Settings<'_>, body: &[u8], what: &str) -> Outcome {
    let feed = |pieces: Vec<&[u8]>| fed(stream_relay(client, settings), pieces, true);
    let whole = feed(vec![body]);
    let same = |other: Outcome, cut: usize| {
        assert_eq!(other.facts, whole.facts, "{what} cut at {cut}");
        assert_eq!(other.ending, whole.ending, "{what} cut at {cut}");
        match client.sse {
            true => assert_eq!(other.sent, whole.sent, "{what} cut at {cut}"),
            // Of a frame that turns out bad, more may have gone; but never other bytes.
            false => assert!(body.starts_with(&other.sent), "{what} cut at {cut}"),
        }
        if !client.sse && whole.ending == Ending::Clean {
            assert_eq!(other.sent, body, "{what} cut at {cut}");
        }
    };
    for cut in cuts(body.len()) {
        same(feed(vec![&body[..cut], &body[cut..]]), cut);
    }
    same(feed(body.chunks(1).collect()), 1);
    same(feed(body.chunks(7).collect()), 7);
    whole
}

#[test]
fn every_vector_ends_as_it_should_however_it_is_cut() {
    let passing = Settings {
        hold_headers: false,
        response_text: 1000,
        ..settings()
    };
    for file in files() {
        let body = fixture(&file);
        let (status, ending) = expected(&file);
        for client in [client_of(&file), SSE] {
            if client.sse && has_chunks(&file) {
                continue;
            }
            let seen = outcome(client, &passing, &body, &file);
            assert_eq!(seen.facts.stream, Some(status), "{file} {client:?}");
            assert_eq!(seen.ending, ending, "{file} {client:?}");
        }
    }
}

#[test]
fn while_the_header_is_held_a_failed_start_is_a_real_status() {
    for file in files() {
        let body = fixture(&file);
        let seen = outcome(client_of(&file), &settings(), &body, &file);
        let (_, otherwise) = expected(&file);
        let failed = |status, name: &str| Ending::Error(status, name.to_owned());
        let broken = failed(502, "InternalServerException");
        let ending = match &file[..3] {
            "v23" => failed(429, "ThrottlingException"),
            "v24" => failed(424, "ModelStreamErrorException"),
            "v25" => failed(500, "InternalFailure"),
            // Nothing for a client came before the end or the fault. In x29, x30 and x32 a good event did.
            "v28" | "x25" | "x26" | "x27" | "x28" => broken,
            "x29" | "x30" => otherwise,
            _ if seen.facts.stream == Some(StreamStatus::Corrupt) => broken,
            _ => otherwise,
        };
        assert_eq!(seen.ending, ending, "{file}");
        if matches!(seen.ending, Ending::Error(..)) {
            assert_eq!(seen.sent, b"", "{file}");
        }
    }
}

#[test]
fn streams_tell_their_counts() {
    let keep = Settings {
        response_text: 8,
        ..settings()
    };
    for (file, counts, stop, tools, text, exception) in [
        (
            "s01_converse_text.bin",
            [Some(13), Some(5), Some(18), Some(255)],
            Some("end_turn"),
            Some(0),
            "Hello wo",
            None,
        ),
        (
            "s02_converse_tools.bin",
            [Some(400), Some(60), Some(460), Some(900)],
            Some("tool_use"),
            Some(2),
            "I'll che",
            None,
        ),
        (
            "s03_exception_mid.bin",
            [None; 4],
            None,
            Some(0),
            "Hello wo",
            Some("throttlingException"),
        ),
        (
            "x32_stream_cut.bin",
            [None; 4],
            Some("end_turn"),
            Some(0),
            "Hello wo",
            None,
        ),
        ("x38_usage_wrong_types.bin", [None; 4], None, None, "", None),
        (
            "v24_modelStreamError.bin",
            [None; 4],
            None,
            None,
            "",
            Some("modelStreamErrorException"),
        ),
        (
            "v25_unmodeled_error.bin",
            [None; 4],
            None,
            None,
            "",
            Some("InternalFailure"),
        ),
    ] {
        for client in [SDK, SSE] {
            let facts = outcome(client, &keep, &fixture(file), file).facts;
            let seen = [
                facts.input_tokens,
                facts.output_tokens,
                facts.total_tokens(),
                facts.latency_ms,
            ];
            assert_eq!(seen, counts, "{file}");
            assert_eq!(facts.stop_reason.as_deref(), stop, "{file}");
            assert_eq!(facts.tool_calls, tools, "{file}");
            assert_eq!(facts.response_text, text, "{file}");
            assert_eq!(facts.exception.as_deref(), exception, "{file}");
        }
    }
    let facts = outcome(SDK, &keep, &fixture("v21_metadata.bin"), "v21").facts;
    assert!(facts.cache_read_tokens.is_some() && facts.cache_write_tokens.is_some());
}

#[test]
fn the_header_waits_for_the_first_event_and_no_longer() {
    let body = fixture("s01_converse_text.bin");
    let mut relay = stream_relay(SDK, &settings());
    let mut out = Vec::new();
    for (at, byte) in body.iter().enumerate() {
        let flow = relay.push(&[*byte], &mut out);
        assert_eq!(flow == Flow::Hold, at < 136, "byte {at}");
        // messageStart is 137 bytes, the first delta 176.
        assert_eq!(
            relay.facts().content_started,
            at >= 137 + 176 - 1,
            "byte {at}"
        );
        assert_eq!(relay.facts().bytes, at as u64 + 1);
    }
    for file in ["x29_good_then_garbage.bin", "x30_good_corrupt_good.bin"] {
        let mut relay = stream_relay(SDK, &settings());
        assert_eq!(
            relay.push(&fixture(file), &mut out),
            Flow::Cut(118),
            "{file}"
        );
    }
}

#[test]
fn no_flipped_bit_passes_for_a_whole_stream() {
    let passing = Settings {
        hold_headers: false,
        ..settings()
    };
    for (file, client) in [
        ("s01_converse_text.bin", SDK),
        ("s02_converse_tools.bin", SSE),
        ("s04_invoke_anthropic.bin", INVOKE),
    ] {
        let mut body = fixture(file);
        for at in 0..body.len() {
            for bit in 0..8 {
                body[at] ^= 1 << bit;
                let seen = fed(stream_relay(client, &passing), [body.as_slice()], true);
                assert_eq!(
                    seen.facts.stream,
                    Some(StreamStatus::Corrupt),
                    "{file} {at}.{bit}"
                );
                assert_eq!(seen.ending, Ending::Cut, "{file} {at}.{bit}");
                body[at] ^= 1 << bit;
            }
        }
    }
}

#[test]
fn a_stream_cut_anywhere_never_looks_complete() {
    let whole = fixture("s01_converse_text.bin");
    let content = whole.len() - 267;
    for clean in [true, false] {
        for length in 0..whole.len() {
            for client in [SDK, SSE] {
                let seen = fed(stream_relay(client, &settings()), [&whole[..length]], clean);
                assert_eq!(seen.facts.stream, Some(StreamStatus::Truncated), "{length}");
                assert_eq!(seen.facts.total_tokens(), None, "{length}");
                let ending = match length {
                    // Before the first whole event there is still a status to send.
                    0..137 => Ending::Error(502, "InternalServerException".to_owned()),
                    // Behind messageStop only the counts are missing.
                    _ if clean && length == content => Ending::Clean,
                    _ => Ending::Cut,
                };
                assert_eq!(seen.ending, ending, "{length}");
                let told = seen.sent.windows(7).any(|window| window == b"event: ");
                assert_eq!(told, client.sse && length >= 137);
                let last = seen
                    .sent
                    .rsplit(|byte| *byte == b'\n')
                    .nth(3)
                    .unwrap_or_default();
                let error = last == b"event: internalServerException";
                assert_eq!(error, client.sse && seen.ending == Ending::Cut, "{length}");
            }
        }
    }
    let broken = fed(stream_relay(SDK, &settings()), [whole.as_slice()], false);
    assert_eq!(
        (broken.facts.total_tokens(), broken.ending),
        (Some(18), Ending::Cut)
    );
}

#[test]
fn every_exception_has_its_status_first_or_in_the_middle() {
    let start = event("messageStart", "{}");
    for (name, http, status) in [
        ("internalServerException", "InternalServerException", 500),
        (
            "modelStreamErrorException",
            "ModelStreamErrorException",
            424,
        ),
        ("validationException", "ValidationException", 400),
        ("throttlingException", "ThrottlingException", 429),
        (
            "serviceUnavailableException",
            "ServiceUnavailableException",
            503,
        ),
        ("modelTimeoutException", "ModelTimeoutException", 408),
        ("somethingNewException", "SomethingNewException", 500),
    ] {
        let modelled = [(":exception-type", name), (":message-type", "exception")];
        let unmodelled = [
            (":error-code", name),
            (":error-message", "hm"),
            (":message-type", "error"),
        ];
        for bad in [
            frame(&modelled, r#"{"message":"hm"}"#),
            frame(&unmodelled, ""),
        ] {
            for client in [SDK, INVOKE, SSE] {
                let seen = outcome(client, &settings(), &bad, name);
                assert_eq!(seen.ending, Ending::Error(status, http.to_owned()));
                assert_eq!(seen.facts.exception.as_deref(), Some(name));
                let seen = outcome(
                    client,
                    &settings(),
                    &[start.clone(), bad.clone()].concat(),
                    name,
                );
                assert_eq!(
                    (seen.ending, seen.facts.stream),
                    (Ending::Clean, Some(StreamStatus::Exception))
                );
                if client.sse {
                    let error = format!("event: {name}\ndata: {{\"message\":\"hm\"}}\n\n");
                    assert!(seen.sent.ends_with(error.as_bytes()));
                }
            }
        }
    }
}

#[test]
fn metadata_without_usage_erases_nothing() {
    let usage = r#"{"usage":{"inputTokens":1,"outputTokens":2},"metrics":{"latencyMs":3}}"#;
    let body = [
        event("messageStart", "{}"),
        event("messageStop", r#"{"stopReason":"a_new_one"}"#),
        event("metadata", usage),
        event("metadata", r#"{"metrics":{"latencyMs":4}}"#),
        event("metadata", r#"{"usage":{},"metrics":{}}"#),
    ];
    let facts = outcome(SDK, &settings(), &body.concat(), "metadata").facts;
    assert_eq!((facts.total_tokens(), facts.latency_ms), (Some(3), Some(4)));
    assert_eq!(facts.stop_reason.as_deref(), Some("a_new_one"));
    assert_eq!(facts.stream, Some(StreamStatus::Complete));
}

#[test]
fn a_frame_over_the_limit_ends_the_stream() {
    let delta = event(
        "contentBlockDelta",
        &format!(r#"{{"p":"{}"}}"#, "x".repeat(992)),
    );
    for (max_frame_size, status) in [
        (1000, StreamStatus::Truncated),
        (999, StreamStatus::Corrupt),
    ] {
        let small = Settings {
            max_frame_size,
            ..settings()
        };
        assert_eq!(
            outcome(SDK, &small, &delta, "frame").facts.stream,
            Some(status)
        );
    }
    // A length of 4 GiB is not waited for.
    let mut relay = stream_relay(SDK, &settings());
    let flow = relay.push(&fixture("x23_prelude_4GiB.bin"), &mut Vec::new());
    assert!(matches!(flow, Flow::Fail(refusal) if refusal.status == 502));
    assert!(relay.complaint().unwrap().starts_with("stream corrupt: "));
}

#[test]
fn a_client_that_left_is_not_taken_for_a_count_of_zero() {
    let body = fixture("s01_converse_text.bin");
    for (length, drained, status, total) in [
        (400, false, StreamStatus::Aborted, None),
        (400, true, StreamStatus::Aborted, None),
        (body.len(), true, StreamStatus::Drained, Some(18)),
        (body.len(), false, StreamStatus::Complete, Some(18)),
    ] {
        let mut relay = stream_relay(SDK, &settings());
        relay.push(&body[..length], &mut Vec::new());
        relay.client_left(drained);
        assert_eq!(relay.facts().stream, Some(status));
        assert_eq!(relay.facts().total_tokens(), total);
    }
}
