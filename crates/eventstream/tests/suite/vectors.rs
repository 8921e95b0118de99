//! Every vector of the index: whole, byte by byte, and cut in two everywhere.

use serde_json::{Map, Value as Json, json};

use crate::{Outcome, OwnedFrame, Value, decode, decode_whole, fixture};

#[test]
fn whole() {
    for vector in index() {
        let bytes = vector.bytes();
        vector.check(&bytes, &decode_whole(&bytes));
    }
}

#[test]
fn byte_by_byte() {
    for vector in index() {
        let bytes = vector.bytes();
        vector.check(&bytes, &decode(bytes.chunks(1)));
    }
}

#[test]
fn cut_in_two_everywhere() {
    for vector in index() {
        let bytes = vector.bytes();
        let expected = decode_whole(&bytes);
        for at in cuts(bytes.len()) {
            let (head, tail) = bytes.split_at(at);
            assert!(
                decode([head, tail]) == expected,
                "{} cut at {at}",
                vector.file()
            );
        }
    }
}

/// Where to cut. All places; of the few vectors over 8 KiB, which would take hours, those near
/// both ends, where the parts of a frame meet, and some thirty in between.
fn cuts(len: usize) -> Vec<usize> {
    if len <= 8192 {
        return (0..=len).collect();
    }
    let near = if len < 1 << 20 { 300 } else { 30 };
    let between = (near..len - near).step_by(len / 31);
    (0..near).chain(between).chain(len - near..=len).collect()
}

struct Vector(Json);

fn index() -> Vec<Vector> {
    let index: Json = serde_json::from_slice(&fixture("index.json")).unwrap();
    let vectors = index["vectors"].as_array().unwrap();
    assert_eq!(vectors.len(), 75);
    vectors.iter().cloned().map(Vector).collect()
}

impl Vector {
    fn file(&self) -> &str {
        self.0["file"].as_str().unwrap()
    }

    fn bytes(&self) -> Vec<u8> {
        fixture(self.file())
    }

    /// Compares what was decoded with all that the index says.
    fn check(&self, bytes: &[u8], outcome: &Outcome) {
        let file = self.file();
        assert_eq!(self.0["size"], bytes.len(), "{file}");

        // In semantic vectors the frames are good; what is wrong is told by their headers (see
        // `messages`) or their JSON, which is nothing to this crate.
        let error = match self.0["valid"] == "semantic" {
            true => None,
            false => self.0["recommended_error"].as_str(),
        };
        assert_eq!(
            outcome.end.err().map(|e| kind(&e)).as_deref(),
            error,
            "{file}"
        );

        let expected = self.0["frames"]
            .as_array()
            .map(Vec::as_slice)
            .unwrap_or_default();
        assert_eq!(outcome.frames.len(), expected.len(), "{file}");
        let mut rest = bytes;
        for (frame, expected) in outcome.frames.iter().zip(expected) {
            let (wire, after) = rest.split_at(expected["total_length"].as_u64().unwrap() as usize);
            check_frame(file, wire, frame, expected);
            rest = after;
        }
    }
}

fn check_frame(file: &str, wire: &[u8], frame: &OwnedFrame, expected: &Json) {
    let hex_at = |at: usize| hex(&wire[at..at + 4]);
    assert_eq!(
        expected["headers_length"],
        u32::from_be_bytes(wire[4..8].try_into().unwrap())
    );
    assert_eq!(expected["prelude_crc"], hex_at(8), "{file}");
    assert_eq!(expected["message_crc"], hex_at(wire.len() - 4), "{file}");

    let headers: Map<_, _> = frame
        .headers
        .iter()
        .map(|(name, value)| (name.clone(), describe(value)))
        .collect();
    let mut expected_headers = expected["headers"].as_object().unwrap().clone();
    for (name, header) in &mut expected_headers {
        shorten_like_index(header, headers.get(name));
    }
    assert_eq!(headers.len(), frame.headers.len(), "{file}: a header twice");
    assert_eq!(headers, expected_headers, "{file}");

    assert_eq!(expected["payload_len"], frame.payload.len(), "{file}");
    let crc = crc32fast::hash(&frame.payload).to_be_bytes();
    assert_eq!(expected["payload_crc32"], hex(&crc), "{file}");
    if let Some(text) = expected.get("payload_utf8") {
        assert_eq!(text.as_str().unwrap().as_bytes(), frame.payload, "{file}");
    }
}

/// A header value in the index's form.
fn describe(value: &Value) -> Json {
    match value {
        Value::Bool(v) => json!({ "type": v.to_string(), "value": v }),
        Value::Byte(v) => json!({ "type": "byte", "value": v }),
        Value::Short(v) => json!({ "type": "short", "value": v }),
        Value::Integer(v) => json!({ "type": "int", "value": v }),
        Value::Long(v) => json!({ "type": "long", "value": v }),
        Value::ByteArray(v) => json!({ "type": "bytes", "value": hex(v) }),
        Value::String(v) => json!({ "type": "string", "value": v }),
        Value::Timestamp(v) => json!({ "type": "timestamp", "value": v }),
        Value::Uuid(v) => json!({ "type": "uuid", "value": hex(v) }),
    }
}

/// Two values are too long for the index, which has their length (and the frame's checksum, which
/// covers their bytes). Where the length is right the value itself is put in its place.
fn shorten_like_index(expected: &mut Json, found: Option<&Json>) {
    let Some((_, len)) = expected["value"]
        .as_str()
        .and_then(|v| v.rsplit_once(" len:"))
    else {
        return;
    };
    let len: usize = len.parse().unwrap();
    let text = found.unwrap()["value"].as_str().unwrap();
    let found_len = if expected["type"] == "bytes" {
        text.len() / 2
    } else {
        text.len()
    };
    assert_eq!(found_len, len);
    expected["value"] = text.into();
}

/// The name of an error's kind: `Error` prints as that, and then its numbers.
fn kind(error: &eventstream::Error) -> String {
    format!("{error:?}").split(' ').next().unwrap().to_owned()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
