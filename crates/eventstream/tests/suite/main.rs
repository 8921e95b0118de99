//! The decoder and the encoder against recorded vectors, damage, chance, and the AWS SDK.

#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod contract;
mod damage;
mod encode;
mod messages;
mod properties;
mod smithy;
mod vectors;

use std::path::PathBuf;

use eventstream::{Decoder, Error, Frame, HeaderValue, Limits};

/// What came of a stream: the good frames, and how it ended.
#[derive(Debug, PartialEq)]
struct Outcome {
    frames: Vec<OwnedFrame>,
    end: Result<(), Error>,
}

#[derive(Debug, Clone, PartialEq)]
struct OwnedFrame {
    headers: Vec<(String, Value)>,
    payload: Vec<u8>,
}

/// [`HeaderValue`] that owns its bytes.
#[derive(Debug, Clone, PartialEq)]
enum Value {
    Bool(bool),
    Byte(i8),
    Short(i16),
    Integer(i32),
    Long(i64),
    ByteArray(Vec<u8>),
    String(String),
    Timestamp(i64),
    Uuid([u8; 16]),
}

impl Value {
    fn borrowed(&self) -> HeaderValue<'_> {
        match self {
            Self::Bool(v) => HeaderValue::Bool(*v),
            Self::Byte(v) => HeaderValue::Byte(*v),
            Self::Short(v) => HeaderValue::Short(*v),
            Self::Integer(v) => HeaderValue::Integer(*v),
            Self::Long(v) => HeaderValue::Long(*v),
            Self::ByteArray(v) => HeaderValue::ByteArray(v),
            Self::String(v) => HeaderValue::String(v),
            Self::Timestamp(v) => HeaderValue::Timestamp(*v),
            Self::Uuid(v) => HeaderValue::Uuid(*v),
        }
    }
}

impl From<HeaderValue<'_>> for Value {
    fn from(value: HeaderValue<'_>) -> Self {
        match value {
            HeaderValue::Bool(v) => Self::Bool(v),
            HeaderValue::Byte(v) => Self::Byte(v),
            HeaderValue::Short(v) => Self::Short(v),
            HeaderValue::Integer(v) => Self::Integer(v),
            HeaderValue::Long(v) => Self::Long(v),
            HeaderValue::ByteArray(v) => Self::ByteArray(v.to_vec()),
            HeaderValue::String(v) => Self::String(v.to_owned()),
            HeaderValue::Timestamp(v) => Self::Timestamp(v),
            HeaderValue::Uuid(v) => Self::Uuid(v),
        }
    }
}

impl From<Frame<'_>> for OwnedFrame {
    fn from(frame: Frame<'_>) -> Self {
        Self {
            headers: frame
                .headers()
                .map(|h| (h.name.to_owned(), h.value.into()))
                .collect(),
            payload: frame.payload().to_vec(),
        }
    }
}

impl OwnedFrame {
    fn encode(&self, out: &mut Vec<u8>) {
        let headers: Vec<_> = self
            .headers
            .iter()
            .map(|(name, value)| eventstream::Header {
                name,
                value: value.borrowed(),
            })
            .collect();
        eventstream::encode(&headers, &self.payload, out).unwrap();
    }
}

/// Decodes a stream that arrives in the given pieces, with the usual limits.
fn decode<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Outcome {
    let mut decoder = Decoder::new(Limits::default());
    let mut frames = Vec::new();
    for mut input in pieces {
        loop {
            let before = input;
            match decoder.next(&mut input) {
                Ok(Some(frame)) => frames.push(frame.into()),
                Ok(None) => break assert!(input.is_empty(), "`None` left input behind"),
                Err(error) => {
                    assert_eq!(input, before, "an error used input up");
                    return Outcome {
                        frames,
                        end: Err(error),
                    };
                }
            }
        }
    }
    Outcome {
        frames,
        end: decoder.finish(),
    }
}

fn decode_whole(stream: &[u8]) -> Outcome {
    decode([stream])
}

/// Bytes of a fixture.
fn fixture(file: &str) -> Vec<u8> {
    let path = fixtures().join(file);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn fixtures() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/eventstream")
}

/// The recorded streams that end well.
const STREAMS: [&str; 4] = [
    "s01_converse_text.bin",
    "s02_converse_tools.bin",
    "s03_exception_mid.bin",
    "s04_invoke_anthropic.bin",
];
