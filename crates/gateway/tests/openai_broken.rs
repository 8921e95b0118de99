//! Streams for OpenAI's clients that fail: the client is told, and never that the answer is done.
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
    ASKED, BLOCK_STOP, METADATA, START, STOP, TEXT, chat_relay, event, exception, outcome, text,
};
use common::settings;
use gateway::{Settings, StreamStatus};
use serde_json::{Value, json};
use stream::{Ending, Outcome, fed, frame};

const DONE: &str = "data: [DONE]\n\n";

/// Each modelled exception: its status and OpenAI's type.
const EXCEPTIONS: [(&str, &str, u16, &str); 7] = [
    (
        "internalServerException",
        "InternalServerException",
        500,
        "server_error",
    ),
    (
        "modelStreamErrorException",
        "ModelStreamErrorException",
        424,
        "server_error",
    ),
    (
        "validationException",
        "ValidationException",
        400,
        "invalid_request_error",
    ),
    (
        "throttlingException",
        "ThrottlingException",
        429,
        "rate_limit_error",
    ),
    (
        "serviceUnavailableException",
        "ServiceUnavailableException",
        503,
        "server_error",
    ),
    (
        "modelTimeoutException",
        "ModelTimeoutException",
        408,
        "timeout_error",
    ),
    ("newException", "NewException", 500, "server_error"),
];

/// The error that a stream ends with, after what was said.
fn error_after(seen: &Outcome, said: usize) -> Value {
    assert_eq!(seen.ending, Ending::Clean);
    let text = text(seen);
    assert!(!text.contains("[DONE]"), "{text}");
    let events: Vec<&str> = text.strip_suffix("\n\n").unwrap().split("\n\n").collect();
    assert_eq!(events.len(), said + 1, "{text}");
    let last = events[said].strip_prefix("data: ").unwrap();
    let mut error: Value = serde_json::from_str(last).unwrap();
    error["error"].take()
}

#[test]
fn an_exception_first_is_a_real_status() {
    for (name, http_name, status, _) in EXCEPTIONS {
        let first = exception((name, r#"{"message":"slow down"}"#));
        let seen = outcome(&settings(), ASKED, &[first]);
        assert_eq!(seen.ending, Ending::Error(status, http_name.to_owned()));
        assert_eq!(seen.facts.exception.as_deref(), Some(name));
    }
    // What nobody sees is not the first frame.
    let initial = frame(
        &[
            (":event-type", "initial-response"),
            (":message-type", "event"),
        ],
        "{}",
    );
    let first = exception(("throttlingException", "{}"));
    let seen = outcome(&settings(), ASKED, &[initial, first]);
    assert_eq!(
        seen.ending,
        Ending::Error(429, "ThrottlingException".to_owned())
    );
}

#[test]
fn an_exception_in_mid_stream_is_an_error_object() {
    for (name, http_name, _, kind) in EXCEPTIONS {
        let frames = [
            event(START),
            event(TEXT),
            exception((name, r#"{"p":"abc","message":"slow \"down\"\n"}"#)),
            event(TEXT),
            event(STOP),
            event(METADATA),
        ];
        let seen = outcome(&settings(), ASKED, &frames);
        assert_eq!(
            error_after(&seen, 2),
            json!({"message": "slow \"down\"\n", "type": kind, "param": null, "code": http_name})
        );
        assert_eq!(seen.facts.stream, Some(StreamStatus::Exception));
    }
}

#[test]
fn an_exception_without_words_gets_some() {
    for payload in [
        "",
        "{}",
        "<html>",
        r#"{"message":""}"#,
        r#"{"message":null}"#,
        r#"{"message":7}"#,
    ] {
        let frames = [event(START), exception(("throttlingException", payload))];
        let error = error_after(&outcome(&settings(), ASKED, &frames), 1);
        assert_eq!(error["code"], "ThrottlingException");
        assert_eq!(
            error["message"],
            "Too many requests, please wait before trying again."
        );
    }
    let frames = [
        event(START),
        exception(("throttlingException", r#"{"Message":"a"}"#)),
    ];
    assert_eq!(
        error_after(&outcome(&settings(), ASKED, &frames), 1)["message"],
        "a"
    );
}

#[test]
fn an_error_frame_is_an_error_object_too() {
    let error = frame(
        &[
            (":message-type", "error"),
            (":error-code", "InternalFailure"),
            (":error-message", "it broke"),
        ],
        "",
    );
    let seen = outcome(&settings(), ASKED, &[event(START), error.clone()]);
    assert_eq!(
        error_after(&seen, 1),
        json!({"message": "it broke", "type": "server_error", "param": null, "code": "InternalFailure"})
    );
    let seen = outcome(&settings(), ASKED, &[error]);
    assert_eq!(
        seen.ending,
        Ending::Error(500, "InternalFailure".to_owned())
    );
}

#[test]
fn where_headers_do_not_wait_the_first_exception_is_in_the_stream() {
    let settings = Settings {
        hold_headers: false,
        ..settings()
    };
    let first = exception(("throttlingException", r#"{"message":"slow down"}"#));
    let seen = outcome(&settings, ASKED, &[first]);
    assert_eq!(
        error_after(&seen, 0),
        json!({"message": "slow down", "type": "rate_limit_error", "param": null, "code": "ThrottlingException"})
    );
}

#[test]
fn an_event_that_cannot_be_read_is_damage() {
    for bad in [
        ("contentBlockDelta", ""),
        ("contentBlockDelta", "{"),
        (
            "contentBlockDelta",
            r#"{"contentBlockIndex":0,"delta":{"text":7}}"#,
        ),
        (
            "contentBlockDelta",
            r#"{"contentBlockIndex":0,"delta":{"text":"a"}}x"#,
        ),
        (
            "contentBlockDelta",
            "{\"contentBlockIndex\":0,\"delta\":{\"text\":\"a\nb\"}}",
        ),
        (
            "contentBlockDelta",
            r#"{"contentBlockIndex":-1,"delta":{}}"#,
        ),
        (
            "contentBlockDelta",
            r#"{"contentBlockIndex":0,"delta":"x"}"#,
        ),
        (
            "contentBlockDelta",
            r#"{"contentBlockIndex":0,"delta":{"toolUse":{"input":{}}}}"#,
        ),
        ("contentBlockStart", r#"{"start":{"toolUse":7}}"#),
        ("contentBlockStop", "7"),
        ("messageStop", r#"{"stopReason":7}"#),
    ] {
        let seen = outcome(
            &settings(),
            ASKED,
            &[event(START), event(bad), event(STOP), event(METADATA)],
        );
        let error = error_after(&seen, 1);
        assert_eq!(error["code"], "stream_corrupt", "{bad:?}");
        assert_eq!(error["type"], "server_error");
        assert_eq!(seen.facts.stream, Some(StreamStatus::Corrupt));
        let first = outcome(&settings(), ASKED, &[event(bad), event(STOP)]);
        assert!(matches!(first.ending, Ending::Error(502, _)), "{bad:?}");
    }
}

fn whole() -> (Vec<u8>, usize) {
    let content = [event(START), event(TEXT), event(BLOCK_STOP), event(STOP)].concat();
    let end_of_content = content.len();
    ([content, event(METADATA)].concat(), end_of_content)
}

#[test]
fn a_stream_cut_at_any_byte_is_done_only_if_its_content_is_whole() {
    let (body, end_of_content) = whole();
    let first_frame = event(START).len();
    for hold_headers in [true, false] {
        let settings = Settings {
            hold_headers,
            ..settings()
        };
        for (length, clean) in (0..=body.len()).flat_map(|length| [(length, true), (length, false)])
        {
            let seen = fed(chat_relay(&settings, ASKED), [&body[..length]], clean);
            let done = text(&seen).ends_with(DONE);
            assert_eq!(done, length >= end_of_content, "{length}");
            if done {
                assert_eq!(seen.ending, Ending::Clean);
                let status = match length == body.len() {
                    true => StreamStatus::Complete,
                    false => StreamStatus::Truncated,
                };
                assert_eq!(seen.facts.stream, Some(status), "{length}");
                continue;
            }
            assert_eq!(seen.facts.stream, Some(StreamStatus::Truncated));
            if hold_headers && length < first_frame {
                assert!(matches!(seen.ending, Ending::Error(502, _)), "{length}");
                continue;
            }
            let said = text(&seen).matches("data: ").count() - 1;
            let error = error_after(&seen, said);
            assert_eq!(error["code"], "stream_truncated");
            assert_eq!(error["type"], "server_error");
        }
    }
}

#[test]
fn a_stream_with_any_bit_flipped_is_not_done() {
    let (body, end_of_content) = whole();
    let first_frame = event(START).len();
    for at in 0..end_of_content {
        for bit in 0..8 {
            let mut body = body.clone();
            body[at] ^= 1 << bit;
            let seen = fed(chat_relay(&settings(), ASKED), [body.as_slice()], true);
            if at < first_frame {
                assert!(matches!(seen.ending, Ending::Error(502, _)), "{at}");
                continue;
            }
            let said = text(&seen).matches("data: ").count() - 1;
            let code = error_after(&seen, said)["code"].take();
            assert!(
                code == "stream_corrupt" || code == "stream_truncated",
                "{at}: {code}"
            );
        }
    }
}
