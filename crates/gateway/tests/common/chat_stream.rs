//! Streamed chat completions in the tests: events in, server-sent events out.
#![allow(dead_code, reason = "each file of tests uses a part of it")]

use gateway::{Relay, Settings};

use crate::common::settings;
use crate::openai::CHAT;
use crate::stream::{Outcome, fed, frame, relay_of};

/// A request for a stream.
pub const ASKED: &str = r#"{"model":"m","stream":true,"messages":[]}"#;
/// The same, with usage.
pub const ASKED_USAGE: &str =
    r#"{"model":"m","stream":true,"messages":[],"stream_options":{"include_usage":true}}"#;

pub const START: (&str, &str) = ("messageStart", r#"{"role":"assistant"}"#);
pub const TEXT: (&str, &str) = (
    "contentBlockDelta",
    r#"{"contentBlockIndex":0,"delta":{"text":"Hi"}}"#,
);
pub const BLOCK_STOP: (&str, &str) = ("contentBlockStop", r#"{"contentBlockIndex":0}"#);
pub const STOP: (&str, &str) = ("messageStop", r#"{"stopReason":"end_turn"}"#);
pub const METADATA: (&str, &str) = (
    "metadata",
    r#"{"usage":{"inputTokens":3,"outputTokens":2,"totalTokens":5},"metrics":{"latencyMs":7}}"#,
);

/// An event's frame.
pub fn event((name, payload): (&str, &str)) -> Vec<u8> {
    frame(
        &[
            (":event-type", name),
            (":content-type", "application/json"),
            (":message-type", "event"),
        ],
        payload,
    )
}

/// An exception's frame.
pub fn exception((name, payload): (&str, &str)) -> Vec<u8> {
    frame(
        &[(":exception-type", name), (":message-type", "exception")],
        payload,
    )
}

/// The relay for the stream that `asked` asked for.
pub fn chat_relay(settings: &Settings<'_>, asked: &str) -> Relay {
    let headers = [
        ("content-type", "application/vnd.amazon.eventstream"),
        ("x-amzn-requestid", "r-1"),
    ];
    let relay = relay_of(CHAT, "application/json", asked, settings, 200, &headers);
    assert_eq!(relay.rewrites_as(), Some("text/event-stream"));
    relay
}

/// What becomes of these frames, whatever reads they come in.
pub fn outcome(settings: &Settings<'_>, asked: &str, frames: &[Vec<u8>]) -> Outcome {
    let body = frames.concat();
    let feed = |pieces: Vec<&[u8]>| fed(chat_relay(settings, asked), pieces, true);
    let whole = feed(vec![&body]);
    for read in [1, 7, 100] {
        assert_eq!(feed(body.chunks(read).collect()), whole, "reads of {read}");
    }
    whole
}

/// The same of events, in a location that says nothing.
pub fn streamed(asked: &str, events: &[(&str, &str)]) -> Outcome {
    let frames: Vec<_> = events.iter().copied().map(event).collect();
    outcome(&settings(), asked, &frames)
}

pub fn text(outcome: &Outcome) -> &str {
    std::str::from_utf8(&outcome.sent).unwrap()
}
