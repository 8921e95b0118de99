//! An answer that is written in another dialect: the same however it is cut, and it never looks whole when it is not.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use eventstream::{Decoder, Limits, Message};
use gateway::{Settings, StreamStatus};
use serde::de::IgnoredAny;
use serde_json::Value;

use crate::frames::{mend, pieces, recorded};
use crate::location::settings;
use crate::server::{Ending, Outcome, fed, relay_of};

/// Who asks: target, body, and the line that ends a whole stream. A new dialect is one more.
const CLIENTS: [(&str, &str, &str); 4] = [
    (
        "/v1/chat/completions",
        r#"{"model":"m","stream":true,"messages":[]}"#,
        "data: [DONE]",
    ),
    (
        "/v1/chat/completions",
        r#"{"model":"m","stream":true,"stream_options":{"include_usage":true},"messages":[]}"#,
        "data: [DONE]",
    ),
    (
        "/v1/messages",
        r#"{"model":"m","max_tokens":9,"stream":true,"messages":[{"role":"user","content":"Hi"}]}"#,
        "event: message_stop",
    ),
    (
        "/v1/messages",
        r#"{"model":"anthropic.c","max_tokens":9,"stream":true,"messages":[{"role":"user","content":"Hi"}]}"#,
        "event: message_stop",
    ),
];

/// Any bytes from upstream.
pub fn translated(data: &[u8]) {
    let Some((&[client, how, first, second, third], body)) = data.split_first_chunk() else {
        return;
    };
    let (target, request, last_line) = CLIENTS[usize::from(client) % CLIENTS.len()];
    let bit = |bit: u8| how >> bit & 1 == 1;
    let (clean, mended, holds) = (!bit(0), !bit(1), !bit(2));
    let mut body = body.to_vec();
    if mended {
        mend(&mut body);
    }
    let settings = Settings {
        hold_headers: holds,
        max_frame_size: 4096,
        ..settings()
    };
    let headers = [("content-type", "application/vnd.amazon.eventstream")];
    let feed = |pieces: Vec<&[u8]>| {
        let relay = relay_of(target, "*/*", request, &settings, 200, &headers);
        fed(relay, pieces, clean)
    };
    let whole = feed(vec![&body]);
    let cut = feed(pieces(&body, &[first, second, third]));
    assert_eq!(
        (&cut.facts, &cut.ending, &cut.sent),
        (&whole.facts, &whole.ending, &whole.sent)
    );
    check(&whole, last_line, stops(&body, settings.max_frame_size));
}

/// Whether the frames up to the first bad one hold the content's end.
fn stops(mut stream: &[u8], longest: usize) -> bool {
    let mut decoder = Decoder::new(Limits {
        max_payload: longest,
        max_headers: longest,
    });
    while let Ok(Some(frame)) = decoder.next(&mut stream) {
        match frame.message() {
            Ok(Message::Event {
                event_type: "messageStop",
                ..
            }) => return true,
            Ok(Message::Event {
                event_type: "chunk",
                payload,
            }) if is_last_chunk(payload) => return true,
            Ok(Message::Event { .. }) => {}
            _ => return false,
        }
    }
    false
}

fn is_last_chunk(payload: &[u8]) -> bool {
    let chunk: Value = serde_json::from_slice(payload).unwrap_or_default();
    let bytes = STANDARD.decode(chunk["bytes"].as_str().unwrap_or_default());
    let json: Value = serde_json::from_slice(&bytes.unwrap_or_default()).unwrap_or_default();
    // Nova's is inside of one.
    json["type"] == "message_stop" || json.get("messageStop").is_some()
}

/// `stops`: the content's end has come.
fn check(outcome: &Outcome, last_line: &str, stops: bool) {
    let Outcome {
        facts,
        sent,
        ending,
    } = outcome;
    if let Ending::Error(status, _) = ending {
        assert!(*status >= 400 && sent.is_empty());
        return;
    }
    let sent = std::str::from_utf8(sent).expect("what is written is text");
    assert!(!sent.contains('\r'), "a line end within an event");
    let events: Vec<&str> = sent.split_terminator("\n\n").collect();
    for event in &events {
        let mut lines = event.lines();
        let data = match lines.next() {
            Some(line) if line.starts_with("event: ") => lines.next(),
            line => line,
        };
        let data = data.and_then(|line| line.strip_prefix("data: "));
        let data = data.unwrap_or_else(|| panic!("an event without data: {event:?}"));
        assert!(lines.next().is_none(), "a field of its own: {event:?}");
        // JSON by its grammar, as what came was: half of a surrogate pair goes on as it is, and what its other half would be is
        // the client's to know.
        assert!(
            data == "[DONE]" || serde_json::from_str::<IgnoredAny>(data).is_ok(),
            "{data:?}"
        );
    }
    let ends = |event: &&&str| event.lines().next() == Some(last_line);
    let ended = events.iter().filter(ends).count();
    assert!(ended <= 1, "two ends");
    let complained = events.iter().any(|event| event.contains("\"error\":{"));
    assert!(
        !(ended == 1 && complained),
        "an end and an error in one answer"
    );
    assert!(ended == 0 || stops, "an end before the content's");
    if facts.stream == Some(StreamStatus::Complete) && *ending == Ending::Clean {
        assert_eq!(ended, 1, "a complete answer without its end");
    }
    if *ending == Ending::Clean && !events.is_empty() {
        assert!(
            ended == 1 || complained,
            "a clean end that neither ends nor complains"
        );
    }
}

/// The recorded streams, for each client.
pub fn seeds() -> Vec<Vec<u8>> {
    let streams = recorded();
    (0..)
        .zip(CLIENTS)
        .flat_map(|(client, _)| {
            let of_client = |stream: &Vec<u8>| [&[client, 0, 7, 0, 1], stream.as_slice()].concat();
            streams.iter().map(of_client).collect::<Vec<_>>()
        })
        .collect()
}
