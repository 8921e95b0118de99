//! The wire format: what is decoded is the same however the bytes arrive, is bounded, and can be encoded again.

use eventstream::{Decoder, Error, Header, HeaderValue, Limits, encode};

use crate::frames::{around, mend, pieces, recorded};

/// Any bytes.
pub fn raw(data: &[u8]) {
    let Some((lengths, stream)) = data.split_at_checked(3) else {
        return;
    };
    decode_twice(stream, lengths);
}

/// Any bytes, with checksums that fit where they can be taken for frames.
pub fn mended(data: &[u8]) {
    let Some((lengths, stream)) = data.split_at_checked(3) else {
        return;
    };
    let mut stream = stream.to_vec();
    mend(&mut stream);
    decode_twice(&stream, lengths);
}

/// Any header block in a good frame: refused, or read to its end, so that the encoder makes the same frame of it.
pub fn headers(block: &[u8]) {
    let frame = around(block, b"payload");
    let decoded = decode(&[&frame], Limits::default());
    if decoded.end.is_ok() {
        assert_eq!(decoded.encoded, frame);
    }
}

/// Headers and payload out of any bytes: what is encoded is decoded.
pub fn round_trip(data: &[u8]) {
    let mut source = Source(data);
    let mut names: Vec<String> = Vec::new();
    let mut values = Vec::new();
    while let Some(kind) = source.byte().filter(|kind| *kind < 10) {
        let name = source.text(source.0.len().min(20));
        if name.is_empty() || name.len() > 255 || names.contains(&name) {
            continue;
        }
        names.push(name);
        values.push((kind, source.take(16).to_vec()));
    }
    let texts: Vec<_> = values
        .iter()
        .map(|(_, bytes)| String::from_utf8_lossy(bytes))
        .collect();
    let headers: Vec<_> = (names.iter().zip(&values).zip(&texts))
        .map(|((name, (kind, bytes)), text)| Header {
            name,
            value: value(*kind, bytes, text),
        })
        .collect();
    let mut frame = b"before".to_vec();
    encode(&headers, source.0, &mut frame).expect("nothing is too long");
    let frame = frame.strip_prefix(b"before").expect("a frame is appended");
    let decoded = decode(&pieces(frame, data), Limits::default());
    assert_eq!((decoded.end, decoded.encoded.as_slice()), (Ok(()), frame));
    let mut input = frame;
    let mut decoder = Decoder::new(Limits::default());
    let found = decoder
        .next(&mut input)
        .expect("a good frame")
        .expect("a whole frame");
    assert_eq!(
        (found.headers().collect::<Vec<_>>(), found.payload()),
        (headers, source.0)
    );
}

/// The header blocks of the fixtures.
pub fn header_blocks() -> Vec<Vec<u8>> {
    let block = |frame: Vec<u8>| {
        let length = u32::from_be_bytes(*frame.get(4..)?.first_chunk()?) as usize;
        Some(frame.get(12..)?.get(..length)?.to_vec())
    };
    recorded().into_iter().filter_map(block).collect()
}

/// Narrow limits, so that a fuzzer's short inputs get past them.
const NARROW: Limits = Limits {
    max_headers: 512,
    max_payload: 1024,
};

fn decode_twice(stream: &[u8], lengths: &[u8]) {
    for limits in [NARROW, Limits::default()] {
        let whole = decode(&[stream], limits);
        assert_eq!(decode(&pieces(stream, lengths), limits), whole);
        // What was taken is what can be encoded, byte for byte, and begins the stream.
        assert!(stream.starts_with(&whole.encoded));
        if whole.end.is_ok() {
            assert_eq!(whole.encoded, stream);
        }
    }
}

/// What came of a stream: its good frames, encoded again, and how it ended.
#[derive(Debug, PartialEq)]
struct Decoded {
    encoded: Vec<u8>,
    end: Result<(), Error>,
}

fn decode(pieces: &[&[u8]], limits: Limits) -> Decoded {
    let mut decoder = Decoder::new(limits);
    let mut encoded = Vec::new();
    let (mut arrived, mut taken) = (0, 0);
    for piece in pieces {
        arrived += piece.len();
        let mut input = *piece;
        loop {
            match decoder.next(&mut input) {
                Ok(Some(frame)) => {
                    assert!(frame.payload().len() <= limits.max_payload);
                    // Says something or not, but the same each time.
                    assert_eq!(frame.message(), frame.message());
                    let headers: Vec<_> = frame.headers().collect();
                    // Longer values than may be sent are taken, and cannot be encoded.
                    let mut again = Vec::new();
                    match encode(&headers, frame.payload(), &mut again) {
                        Ok(()) => encoded.extend(again),
                        Err(_) => {
                            return Decoded {
                                encoded,
                                end: Ok(()),
                            };
                        }
                    }
                    taken = encoded.len();
                }
                Ok(None) => {
                    assert!(input.is_empty(), "`None` left input behind");
                    assert_eq!(decoder.pending(), arrived - taken);
                    break;
                }
                Err(error) => {
                    assert_eq!(
                        decoder.next(&mut input).err(),
                        Some(error),
                        "an error is for good"
                    );
                    assert_eq!((decoder.finish(), decoder.pending()), (Err(error), 0));
                    return Decoded {
                        encoded,
                        end: Err(error),
                    };
                }
            }
        }
    }
    let end = decoder.finish();
    assert_eq!(end.is_ok(), decoder.pending() == 0);
    Decoded { encoded, end }
}

fn value<'a>(kind: u8, bytes: &'a [u8], text: &'a str) -> HeaderValue<'a> {
    let mut sixteen = [0; 16];
    sixteen[..bytes.len()].copy_from_slice(bytes);
    let number = i64::from_be_bytes(*sixteen.first_chunk().expect("of sixteen bytes"));
    match kind {
        0 | 1 => HeaderValue::Bool(kind == 0),
        2 => HeaderValue::Byte(number as i8),
        3 => HeaderValue::Short(number as i16),
        4 => HeaderValue::Integer(number as i32),
        5 => HeaderValue::Long(number),
        6 => HeaderValue::ByteArray(bytes),
        7 => HeaderValue::String(text),
        8 => HeaderValue::Timestamp(number),
        _ => HeaderValue::Uuid(sixteen),
    }
}

/// Bytes that are used up from the front.
struct Source<'a>(&'a [u8]);

impl<'a> Source<'a> {
    fn byte(&mut self) -> Option<u8> {
        self.take(1).first().copied()
    }

    fn take(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        taken
    }

    fn text(&mut self, longest: usize) -> String {
        let length = self
            .byte()
            .map_or(0, |byte| usize::from(byte) % (longest + 1));
        String::from_utf8_lossy(self.take(length)).into_owned()
    }
}
