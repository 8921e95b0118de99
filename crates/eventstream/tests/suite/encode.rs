//! The encoder: the recorded bytes come out again, and what must not be sent is refused.

use eventstream::{EncodeError, Header, HeaderValue, encode};

use crate::{STREAMS, decode_whole, fixture};

#[test]
fn recorded_streams_come_out_again() {
    let vectors = [
        "v01_empty.bin",
        "v04_all_types.bin",
        "v06_zero_length_values.bin",
    ];
    for file in STREAMS.into_iter().chain(vectors) {
        let stream = fixture(file);
        let mut again = Vec::new();
        for frame in decode_whole(&stream).frames {
            frame.encode(&mut again);
        }
        assert_eq!(again, stream, "{file}");
    }
}

#[test]
fn refused() {
    let long = "n".repeat(32_768);
    let bytes = vec![0; 24 * 1024 * 1024 + 1];
    let value = HeaderValue::String(&long[1..]);
    let too_many: Vec<_> = ["a", "b", "c", "d", "e"]
        .map(|name| Header { name, value })
        .into_iter()
        .collect();
    let yes = |name| Header {
        name,
        value: HeaderValue::Bool(true),
    };
    let with = |value| Header { name: "n", value };

    assert_eq!(refusal(&[yes("")], b""), EncodeError::HeaderNameEmpty);
    assert_eq!(
        refusal(&[yes(&long[..256])], b""),
        EncodeError::HeaderNameTooLong
    );
    let too_long = EncodeError::HeaderValueTooLong;
    assert_eq!(refusal(&[with(HeaderValue::String(&long))], b""), too_long);
    assert_eq!(
        refusal(&[with(HeaderValue::ByteArray(&bytes[..32_768]))], b""),
        too_long
    );
    assert_eq!(
        refusal(&[yes("n"), yes("m"), yes("n")], b""),
        EncodeError::DuplicateHeader
    );
    assert_eq!(refusal(&too_many, b""), EncodeError::HeadersTooLarge);
    assert_eq!(refusal(&[], &bytes), EncodeError::PayloadTooLarge);
}

#[test]
fn the_longest_of_everything_can_be_sent_and_decoded() {
    let name = "n".repeat(255);
    let value = "v".repeat(32_767);
    let payload = vec![b'p'; 24 * 1024 * 1024];
    let header = Header {
        name: &name,
        value: HeaderValue::String(&value),
    };
    let mut out = Vec::new();
    encode(&[header], &payload, &mut out).unwrap();

    let found = decode_whole(&out);
    assert_eq!(found.end, Ok(()));
    assert_eq!(
        found.frames[0].headers,
        [(name, crate::Value::String(value))]
    );
    assert!(found.frames[0].payload == payload);
}

/// Nothing is written of what is refused.
fn refusal(headers: &[Header<'_>], payload: &[u8]) -> EncodeError {
    let mut out = b"before".to_vec();
    let error = encode(headers, payload, &mut out).unwrap_err();
    assert_eq!(out, b"before");
    error
}
