//! An answer from upstream: it means the same however it is cut, and after a fault it never ends cleanly.

use eventstream::{Decoder, Limits, Message};
use gateway::{Settings, StreamStatus};

use crate::frames::{mend, pieces, recorded};
use crate::location::settings;
use crate::server::{Client, Ending, SDK, SSE, fed, frame, relay as relay_for};

/// Who may ask; a dialect with a stream of its own is one more line.
const CLIENTS: [Client; 5] = [
    SDK,
    SSE,
    Client {
        verb: "invoke-with-response-stream",
        sse: false,
    },
    Client {
        verb: "converse",
        sse: false,
    },
    Client {
        verb: "invoke",
        sse: false,
    },
];

/// Any bytes from upstream.
pub fn relay(data: &[u8]) {
    let Some((&[client, how, first, second, third], body)) = data.split_first_chunk() else {
        return;
    };
    let client = CLIENTS[usize::from(client) % CLIENTS.len()];
    let bit = |bit: u8| how >> bit & 1 == 1;
    let (clean, mended, holds, framed, ok) = (!bit(0), !bit(1), !bit(2), !bit(3), !bit(4));
    let mut body = body.to_vec();
    if mended {
        mend(&mut body);
    }
    let settings = Settings {
        response_text: 20,
        hold_headers: holds,
        max_frame_size: LONGEST_FRAME,
        ..settings()
    };
    let content_type = if framed {
        "application/vnd.amazon.eventstream"
    } else {
        "application/json"
    };
    let status = if ok { 200 } else { 429 };
    let feed = |pieces: Vec<&[u8]>| {
        fed(
            relay_for(client, &settings, status, &[("content-type", content_type)]),
            pieces,
            clean,
        )
    };

    let whole = feed(vec![&body]);
    let cut = feed(pieces(&body, &[first, second, third]));
    assert_eq!((&cut.facts, &cut.ending), (&whole.facts, &whole.ending));
    let streams = client.sse || client.verb.ends_with("stream");
    if !(framed && ok && streams) {
        // A header alone would never leave before the connection is cut: an error does.
        if !clean && body.is_empty() && matches!(whole.ending, Ending::Error(..)) {
            return;
        }
        assert_eq!((&whole.sent, &cut.sent), (&body, &body));
        assert_eq!(
            whole.ending,
            if clean { Ending::Clean } else { Ending::Cut }
        );
        return;
    }
    let intact = events(&body);
    if whole.ending == Ending::Clean {
        assert!(clean, "a clean end after the connection broke");
        assert!(intact.is_some(), "a clean end after damage");
        let known = [
            StreamStatus::Complete,
            StreamStatus::Exception,
            StreamStatus::Truncated,
        ];
        assert!(
            whole
                .facts
                .stream
                .is_some_and(|status| known.contains(&status)),
            "{:?}",
            whole.facts.stream
        );
    }
    if client.sse {
        assert_eq!(cut.sent, whole.sent);
        let written = sse_events(&whole.sent);
        if whole.ending == Ending::Clean {
            assert_eq!(
                Some(written),
                intact,
                "an event was lost, or one was made up"
            );
        }
    } else if whole.ending == Ending::Clean {
        assert_eq!((&whole.sent, &cut.sent), (&body, &body));
    } else {
        assert!(body.starts_with(&whole.sent) && body.starts_with(&cut.sent));
    }
}

/// The recorded streams, and one with line ends everywhere, for each client.
pub fn seeds() -> Vec<Vec<u8>> {
    let lines = frame(
        &[(":message-type", "event"), (":event-type", "a\r\nevent: b")],
        "{\n\n\"data\":\r1\r\n}",
    );
    let streams: Vec<_> = recorded().into_iter().chain([lines]).collect();
    let of_client = |client| {
        streams
            .iter()
            .map(move |stream| [&[client, 0, 7, 0, 1], stream.as_slice()].concat())
    };
    (0..)
        .zip(CLIENTS)
        .flat_map(|(client, _)| of_client(client))
        .collect()
}

/// How many events and exceptions there are, if every frame is good and understood.
fn events(mut stream: &[u8]) -> Option<usize> {
    let mut decoder = Decoder::new(Limits {
        max_payload: LONGEST_FRAME,
        max_headers: LONGEST_FRAME,
    });
    let mut count = 0;
    while let Some(frame) = decoder.next(&mut stream).ok()? {
        match frame.message().ok()? {
            Message::Event { event_type, .. } => {
                count += usize::from(event_type != "initial-response")
            }
            Message::Exception { .. } | Message::Error { .. } => count += 1,
        }
    }
    decoder.finish().ok().map(|()| count)
}

/// How many events a browser would see; each has one type and some data, and no other field. (A payload's bytes pass as
/// they are, so not all of it need be UTF-8.)
fn sse_events(sent: &[u8]) -> usize {
    assert!(!sent.contains(&b'\r'), "a line end within an event");
    let mut lines = sent.split(|byte| *byte == b'\n');
    assert_eq!(lines.next_back(), Some(&b""[..]), "a line without an end");
    let mut count = 0;
    while let Some(line) = lines.next() {
        assert!(
            line.starts_with(b"event: "),
            "an event that begins with {line:?}"
        );
        let data = lines.by_ref().take_while(|line| !line.is_empty());
        let data = data
            .inspect(|line| assert!(line.starts_with(b"data: "), "a field of its own: {line:?}"));
        assert!(data.count() > 0, "an event without data");
        count += 1;
    }
    assert!(
        sent.is_empty() || sent.ends_with(b"\n\n"),
        "an event without an end"
    );
    count
}

const LONGEST_FRAME: usize = 4096;
