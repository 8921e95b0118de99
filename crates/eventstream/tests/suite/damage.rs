//! Damaged streams: every flipped bit is found, and nothing of a damaged frame is handed out.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use eventstream::{Decoder, Error, Header, HeaderValue, Limits};

use crate::{STREAMS, decode_whole, fixture};

#[test]
fn every_flipped_bit_is_found() {
    for file in STREAMS {
        let mut stream = fixture(file);
        let good = decode_whole(&stream);
        assert_eq!(good.end, Ok(()));
        for bit in 0..stream.len() * 8 {
            stream[bit / 8] ^= 1 << (bit % 8);
            let found = decode_whole(&stream);
            stream[bit / 8] ^= 1 << (bit % 8);

            assert!(found.end.is_err(), "{file}: bit {bit}");
            assert!(found.frames.len() < good.frames.len(), "{file}: bit {bit}");
            assert!(good.frames.starts_with(&found.frames), "{file}: bit {bit}");
        }
    }
}

#[test]
fn every_cut_is_found() {
    for file in STREAMS {
        let stream = fixture(file);
        let mut borders = HashSet::from([0]);
        let mut at = 0;
        while let Some(length) = stream[at..].first_chunk() {
            at += u32::from_be_bytes(*length) as usize;
            borders.insert(at);
        }
        for len in 0..=stream.len() {
            let end = decode_whole(&stream[..len]).end;
            let expected = if borders.contains(&len) {
                Ok(())
            } else {
                Err(Error::Truncated)
            };
            assert_eq!(end, expected, "{file} cut to {len}");
        }
    }
}

/// The limits as they are set, and one byte less.
#[test]
fn limits_are_exact() {
    let mut frame = Vec::new();
    let header = Header {
        name: "n",
        value: HeaderValue::String("value"),
    };
    eventstream::encode(&[header], b"payload", &mut frame).unwrap();

    let end = |max_headers, max_payload| {
        let mut decoder = Decoder::new(Limits {
            max_headers,
            max_payload,
        });
        decoder
            .next(&mut frame.as_slice())
            .map(|frame| frame.is_some())
    };
    assert_eq!(end(10, 7), Ok(true));
    assert_eq!(
        end(9, 7),
        Err(Error::HeadersTooLarge {
            length: 10,
            limit: 9
        })
    );
    assert_eq!(
        end(10, 6),
        Err(Error::PayloadTooLarge {
            length: 7,
            limit: 6
        })
    );
}

/// Without any limit the lengths must not wrap around either.
#[test]
fn no_limits() {
    let none = Limits {
        max_headers: usize::MAX,
        max_payload: usize::MAX,
    };
    let next = |file| {
        let bytes = fixture(file);
        Decoder::new(none)
            .next(&mut bytes.as_slice())
            .map(|frame| frame.is_some())
    };
    assert_eq!(
        next("x24_prelude_headers_4GiB.bin"),
        Err(Error::HeadersLengthInvalid {
            length: u32::MAX,
            total: 16
        })
    );
    assert_eq!(next("x23_prelude_4GiB.bin"), Ok(false));
}

/// A header block as full of headers as it can be, checked in time in proportion to its length.
#[test]
fn many_headers() {
    let block: Vec<_> = (10_000..28_700)
        .flat_map(|i| raw_header(i.to_string().as_bytes(), &[0]))
        .collect();
    assert!(block.len() > 127 * 1024);

    let start = Instant::now();
    let found = decode_whole(&raw_frame(&block, b""));
    let took = start.elapsed();
    assert_eq!(found.end, Ok(()));
    assert_eq!(found.frames[0].headers.len(), 18_700);
    // Some 10 ms in a debug build; comparing each with each takes minutes.
    assert!(took < Duration::from_secs(2), "{took:?}");
}

#[test]
fn a_name_twice_is_found_wherever_it_is() {
    for count in [2, 8, 9, 10, 100] {
        let names: Vec<_> = (0..count).map(|i| format!("name-{i}")).collect();
        for first in 0..count {
            for second in [first + 1, count - 1] {
                if !(first + 1..count).contains(&second) {
                    continue;
                }
                let block: Vec<_> = (0..count)
                    .map(|i| if i == second { first } else { i })
                    .flat_map(|i| raw_header(names[i].as_bytes(), &[1]))
                    .collect();
                let end = decode_whole(&raw_frame(&block, b"")).end;
                assert_eq!(
                    end,
                    Err(Error::DuplicateHeader),
                    "{first} and {second} of {count}"
                );
            }
        }
    }
}

/// Not ASCII, so every string is looked at: names and values one by one.
#[test]
fn utf8_is_checked_per_string() {
    let end = |block: &[u8]| decode_whole(&raw_frame(block, b"")).end;
    let crab = "\u{1f980}".as_bytes();
    let (head, tail) = crab.split_at(2);

    assert_eq!(end(&raw_header(crab, &[1])), Ok(()));
    assert_eq!(end(&raw_header(head, &[1])), Err(Error::InvalidUtf8));
    // Together they would be UTF-8, but they are two strings.
    let two = [
        raw_header(b"a", &string(head)),
        raw_header(b"b", &string(tail)),
    ]
    .concat();
    assert_eq!(end(&two), Err(Error::InvalidUtf8));
    // A byte array may hold anything.
    assert_eq!(end(&raw_header(b"a", &[6, 0, 1, 0xff])), Ok(()));
}

fn string(value: &[u8]) -> Vec<u8> {
    [&[7], (value.len() as u16).to_be_bytes().as_slice(), value].concat()
}

fn raw_header(name: &[u8], type_and_value: &[u8]) -> Vec<u8> {
    [&[name.len() as u8], name, type_and_value].concat()
}

/// A frame with right lengths and checksums around whatever headers.
pub(crate) fn raw_frame(headers: &[u8], payload: &[u8]) -> Vec<u8> {
    let total = 16 + headers.len() + payload.len();
    let mut frame = Vec::new();
    frame.extend((total as u32).to_be_bytes());
    frame.extend((headers.len() as u32).to_be_bytes());
    frame.extend(crc32fast::hash(&frame).to_be_bytes());
    frame.extend(headers);
    frame.extend(payload);
    frame.extend(crc32fast::hash(&frame).to_be_bytes());
    frame
}
