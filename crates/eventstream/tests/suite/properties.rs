//! What holds for all streams, tried on many by chance.

use eventstream::{Decoder, Limits};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

use crate::damage::raw_frame;
use crate::{OwnedFrame, Value, decode, decode_whole};

proptest! {
    #[test]
    fn what_is_encoded_is_decoded(frames in vec(frame(), 0..6)) {
        let found = decode_whole(&encode(&frames));
        prop_assert_eq!(found.end, Ok(()));
        prop_assert_eq!(found.frames, frames);
    }

    #[test]
    fn however_it_is_cut(frames in vec(frame(), 1..6), lengths in vec(0_usize..400, 1..20)) {
        let stream = encode(&frames);
        let found = decode(pieces(&stream, &lengths));
        prop_assert_eq!(found.end, Ok(()));
        prop_assert_eq!(found.frames, frames);
    }

    /// Raw bytes.
    #[test]
    fn garbage_does_no_harm(bytes in vec(any::<u8>(), 0..600), lengths in vec(1..50_usize, 1..9)) {
        decode_bounded(&bytes, &lengths);
    }

    /// A prelude with a right checksum and any lengths.
    #[test]
    fn any_lengths_do_no_harm(
        total in prop_oneof![any::<u32>(), 0..300_u32],
        headers in prop_oneof![any::<u32>(), 0..300_u32],
        body in vec(any::<u8>(), 0..600),
        lengths in vec(1..50_usize, 1..9),
    ) {
        let mut bytes = [total.to_be_bytes(), headers.to_be_bytes()].concat();
        bytes.extend(crc32fast::hash(&bytes).to_be_bytes());
        bytes.extend(body);
        decode_bounded(&bytes, &lengths);
    }

    /// Any header block within right checksums: what is taken is read to its end, so that it comes
    /// out of the encoder again.
    #[test]
    fn any_headers_are_refused_or_read_whole(
        block in prop_oneof![vec(0..12_u8, 0..40), vec(any::<u8>(), 0..40)],
    ) {
        let stream = raw_frame(&block, b"payload");
        let found = decode_whole(&stream);
        if found.end.is_ok() {
            prop_assert_eq!(encode(&found.frames), stream);
        }
    }

    /// Good headers with one byte changed, within right checksums.
    #[test]
    fn damaged_headers_are_refused_or_read_whole(
        frame in frame(), at in any::<prop::sample::Index>(), with in any::<u8>(),
    ) {
        let mut bytes = encode(std::slice::from_ref(&frame));
        let headers_len = u32::from_be_bytes(bytes[4..8].try_into().unwrap()) as usize;
        prop_assume!(headers_len > 0);
        bytes[12 + at.index(headers_len)] = with;
        let stream = raw_frame(&bytes[12..12 + headers_len], &frame.payload);
        let found = decode_whole(&stream);
        if found.end.is_ok() {
            prop_assert_eq!(encode(&found.frames), stream);
        }
    }
}

/// Decodes with narrow limits, and holds no more than they allow.
fn decode_bounded(bytes: &[u8], lengths: &[usize]) {
    let mut decoder = Decoder::new(Limits {
        max_headers: 64,
        max_payload: 128,
    });
    for mut piece in pieces(bytes, lengths) {
        while let Ok(Some(frame)) = decoder.next(&mut piece) {
            assert!(frame.payload().len() <= 128);
        }
        assert!(decoder.pending() < 16 + 64 + 128);
    }
}

/// Cuts into pieces of these lengths, over and over.
fn pieces<'a>(mut bytes: &'a [u8], lengths: &[usize]) -> Vec<&'a [u8]> {
    let mut pieces = Vec::new();
    for length in lengths.iter().chain([&1]).cycle() {
        let (piece, rest) = bytes.split_at(bytes.len().min(*length));
        pieces.push(piece);
        bytes = rest;
        if bytes.is_empty() {
            break;
        }
    }
    pieces
}

fn encode(frames: &[OwnedFrame]) -> Vec<u8> {
    let mut stream = Vec::new();
    for frame in frames {
        frame.encode(&mut stream);
    }
    stream
}

pub(crate) fn frame() -> impl Strategy<Value = OwnedFrame> {
    let name = prop_oneof!["[:a-z-]{1,16}", "\\PC{1,60}"];
    let headers = btree_map(name, value(), 0..12).prop_map(|map| map.into_iter().collect());
    (headers, vec(any::<u8>(), 0..300))
        .prop_map(|(headers, payload)| OwnedFrame { headers, payload })
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<bool>().prop_map(Value::Bool),
        any::<i8>().prop_map(Value::Byte),
        any::<i16>().prop_map(Value::Short),
        any::<i32>().prop_map(Value::Integer),
        any::<i64>().prop_map(Value::Long),
        vec(any::<u8>(), 0..200).prop_map(Value::ByteArray),
        "\\PC{0,60}".prop_map(Value::String),
        any::<i64>().prop_map(Value::Timestamp),
        any::<[u8; 16]>().prop_map(Value::Uuid),
    ]
}
