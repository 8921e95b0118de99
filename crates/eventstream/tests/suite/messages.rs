//! What a frame says: `Frame::message` and `Frame::header`.

use eventstream::{Decoder, Error, Frame, Header, HeaderValue, Limits, Message};

use crate::{STREAMS, fixture};

#[test]
fn event() {
    with_frame("v12_delta_text.bin", |frame| {
        let Ok(Message::Event {
            event_type,
            payload,
        }) = frame.message()
        else {
            panic!()
        };
        assert_eq!(event_type, "contentBlockDelta");
        assert_eq!(payload, frame.payload());
        assert!(payload.starts_with(br#"{"contentBlockIndex":0"#));
    });
}

#[test]
fn event_with_headers_in_another_order() {
    with_frame("v30_header_order.bin", |frame| {
        let Ok(Message::Event { event_type, .. }) = frame.message() else {
            panic!()
        };
        assert_eq!(
            frame.header(":event-type"),
            Some(HeaderValue::String(event_type))
        );
    });
}

#[test]
fn exception() {
    with_frame("v23_throttling.bin", |frame| {
        let Ok(Message::Exception {
            exception_type,
            payload,
        }) = frame.message()
        else {
            panic!()
        };
        assert_eq!(exception_type, "throttlingException");
        assert_eq!(payload, frame.payload());
    });
}

#[test]
fn error() {
    with_frame("v25_unmodeled_error.bin", |frame| {
        let Ok(Message::Error { code, message }) = frame.message() else {
            panic!()
        };
        assert_eq!(code, "InternalFailure");
        assert_eq!(
            frame.header(":error-message"),
            Some(HeaderValue::String(message))
        );
        assert!(!message.is_empty());
    });
}

#[test]
fn error_without_words() {
    let headers = [
        string(":message-type", "error"),
        string(":error-code", "Gone"),
    ];
    message_of(&headers, |m| {
        m == Ok(Message::Error {
            code: "Gone",
            message: "",
        })
    });
}

#[test]
fn no_message_type() {
    with_frame("x33_no_message_type.bin", |frame| {
        assert_eq!(frame.message(), Err(Error::MissingMessageType));
    });
}

#[test]
fn message_type_of_another_type_counts_as_missing() {
    with_frame("x34_message_type_not_string.bin", |frame| {
        assert!(frame.header(":message-type").is_some());
        assert_eq!(frame.message(), Err(Error::MissingMessageType));
    });
}

#[test]
fn unknown_message_type() {
    with_frame("x35_message_type_bogus.bin", |frame| {
        assert_eq!(frame.message(), Err(Error::UnknownMessageType));
    });
}

#[test]
fn no_event_type() {
    with_frame("x36_no_event_type.bin", |frame| {
        assert_eq!(frame.message(), Err(Error::MissingEventType));
    });
}

#[test]
fn no_exception_type() {
    let headers = [
        string(":message-type", "exception"),
        string(":event-type", "x"),
    ];
    message_of(&headers, |m| m == Err(Error::MissingExceptionType));
}

#[test]
fn no_error_code() {
    let headers = [
        string(":message-type", "error"),
        string(":error-message", "x"),
    ];
    message_of(&headers, |m| m == Err(Error::MissingErrorCode));
}

#[test]
fn names_are_compared_with_their_case() {
    with_frame("v12_delta_text.bin", |frame| {
        assert_eq!(frame.header(":Event-Type"), None);
        assert_eq!(frame.header("event-type"), None);
    });
}

/// Equal header blocks are read once only; what they say must not outlive them.
#[test]
fn every_frame_speaks_for_itself() {
    let event = [string(":message-type", "event"), string(":event-type", "a")];
    let other_event = [string(":message-type", "event"), string(":event-type", "b")];
    let same_length_exception = [
        string(":message-type", "exception"),
        string(":exception-type", "a"),
    ];
    let long = "x".repeat(2000);
    let long_event = [
        string(":message-type", "event"),
        string(":event-type", "c"),
        string("long", &long),
    ];
    let long_exception = [
        string(":message-type", "exception"),
        string(":exception-type", "d"),
        string("long", &long),
    ];

    let mut stream = Vec::new();
    let blocks: [&[Header<'_>]; 10] = [
        &event,
        &event,
        &other_event,
        &event,
        &[],
        &event,
        &same_length_exception,
        &long_event,
        &long_exception,
        &event,
    ];
    for block in blocks {
        eventstream::encode(block, b"", &mut stream).unwrap();
    }
    let event = |event_type| {
        Ok(Message::Event {
            event_type,
            payload: b"".as_slice(),
        })
    };
    let exception = |exception_type| {
        Ok(Message::Exception {
            exception_type,
            payload: b"".as_slice(),
        })
    };
    let expected = [
        event("a"),
        event("a"),
        event("b"),
        event("a"),
        Err(Error::MissingMessageType),
        event("a"),
        exception("a"),
        event("c"),
        exception("d"),
        event("a"),
    ];
    for piece_len in [1, 7, stream.len()] {
        let mut decoder = Decoder::new(Limits::default());
        let mut messages = expected.iter();
        for mut piece in stream.chunks(piece_len) {
            while let Some(frame) = decoder.next(&mut piece).unwrap() {
                assert_eq!(Some(&frame.message()), messages.next());
            }
        }
        assert_eq!(messages.next(), None);
    }
}

#[test]
fn recorded_streams_have_a_meaning_throughout() {
    for file in STREAMS {
        let stream = fixture(file);
        let mut decoder = Decoder::new(Limits::default());
        let mut input = stream.as_slice();
        while let Some(frame) = decoder.next(&mut input).unwrap() {
            let message = frame.message().unwrap();
            let exception = matches!(message, Message::Exception { .. });
            assert_eq!(
                exception,
                file.starts_with("s03") && input.is_empty(),
                "{file}"
            );
        }
    }
}

fn with_frame(file: &str, test: impl FnOnce(Frame<'_>)) {
    let bytes = fixture(file);
    let mut decoder = Decoder::new(Limits::default());
    test(decoder.next(&mut bytes.as_slice()).unwrap().unwrap());
}

fn message_of(headers: &[Header<'_>], is_right: fn(Result<Message<'_>, Error>) -> bool) {
    let mut bytes = Vec::new();
    eventstream::encode(headers, b"", &mut bytes).unwrap();
    let mut decoder = Decoder::new(Limits::default());
    let frame = decoder.next(&mut bytes.as_slice()).unwrap().unwrap();
    assert!(is_right(frame.message()), "{:?}", frame.message());
}

fn string<'a>(name: &'a str, value: &'a str) -> Header<'a> {
    Header {
        name,
        value: HeaderValue::String(value),
    }
}
