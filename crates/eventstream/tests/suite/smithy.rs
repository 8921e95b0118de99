//! The AWS SDK's decoder and ours find the same in the same bytes.

use aws_smithy_eventstream::frame::{DecodedFrame, MessageFrameDecoder};
use aws_smithy_types::event_stream::{HeaderValue, Message};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::properties::frame;
use crate::{OwnedFrame, STREAMS, Value, decode_whole, fixture, fixtures};

#[test]
fn recorded_streams() {
    for file in STREAMS {
        let stream = fixture(file);
        assert_eq!(decode_whole(&stream).frames, by_smithy(&stream), "{file}");
    }
}

#[test]
fn valid_frames() {
    for entry in std::fs::read_dir(fixtures()).unwrap() {
        let file = entry.unwrap().file_name().into_string().unwrap();
        // v32's headers are over our limit; the SDK has none.
        if file.starts_with('v') && !file.starts_with("v32") {
            let bytes = fixture(&file);
            assert!(decode_whole(&bytes).frames == by_smithy(&bytes), "{file}");
        }
    }
}

proptest! {
    #[test]
    fn streams_by_chance(frames in vec(frame(), 1..4)) {
        let mut stream = Vec::new();
        for frame in &frames {
            // The SDK keeps timestamps as seconds and nanoseconds in a range of their own.
            let kept = |(_, value): &(String, Value)| !matches!(value, Value::Timestamp(_));
            let headers = frame.headers.iter().filter(|h| kept(h)).cloned().collect();
            OwnedFrame { headers, payload: frame.payload.clone() }.encode(&mut stream);
        }
        prop_assert_eq!(decode_whole(&stream).frames, by_smithy(&stream));
    }
}

fn by_smithy(mut stream: &[u8]) -> Vec<OwnedFrame> {
    let mut decoder = MessageFrameDecoder::new();
    let mut frames = Vec::new();
    while let DecodedFrame::Complete(message) = decoder.decode_frame(&mut stream).unwrap() {
        frames.push(owned(&message));
    }
    assert!(stream.is_empty());
    frames
}

fn owned(message: &Message) -> OwnedFrame {
    let value = |value: &HeaderValue| match value {
        HeaderValue::Bool(v) => Value::Bool(*v),
        HeaderValue::Byte(v) => Value::Byte(*v),
        HeaderValue::Int16(v) => Value::Short(*v),
        HeaderValue::Int32(v) => Value::Integer(*v),
        HeaderValue::Int64(v) => Value::Long(*v),
        HeaderValue::ByteArray(v) => Value::ByteArray(v.to_vec()),
        HeaderValue::String(v) => Value::String(v.as_str().to_owned()),
        HeaderValue::Timestamp(v) => Value::Timestamp(v.to_millis().unwrap()),
        HeaderValue::Uuid(v) => Value::Uuid(v.to_be_bytes()),
        other => panic!("an unknown type: {other:?}"),
    };
    OwnedFrame {
        headers: message
            .headers()
            .iter()
            .map(|header| (header.name().as_str().to_owned(), value(header.value())))
            .collect(),
        payload: message.payload().to_vec(),
    }
}
