//! What `Decoder::next` promises about its input and its state.

use eventstream::{Decoder, Error, Header, HeaderValue, Limits, Unfinished, encode};

use crate::fixture;

#[test]
fn whole_frames_are_borrowed_from_the_input() {
    let stream = fixture("s01_converse_text.bin");
    let mut decoder = Decoder::new(Limits::default());
    let mut input = stream.as_slice();
    while let Some(frame) = decoder.next(&mut input).unwrap() {
        assert!(stream.as_ptr_range().contains(&frame.payload().as_ptr()));
    }
    assert_eq!(decoder.pending(), 0);
}

/// `input` goes on by exactly one frame, whether it was whole there or began in an earlier piece.
#[test]
fn input_goes_on_frame_by_frame() {
    let stream = fixture("s01_converse_text.bin");
    let lengths = frame_lengths(&stream);
    for cut in 0..=lengths[0] {
        let mut decoder = Decoder::new(Limits::default());
        let mut input = &stream[..cut];
        let mut seen = usize::from(decoder.next(&mut input).unwrap().is_some());
        assert_eq!(seen, usize::from(cut == lengths[0]));
        assert!(input.is_empty());
        assert_eq!(decoder.pending(), if seen == 1 { 0 } else { cut });

        let mut rest = &stream[cut..];
        while decoder.next(&mut rest).unwrap().is_some() {
            seen += 1;
            let consumed: usize = lengths[..seen].iter().sum();
            assert_eq!(stream.len() - rest.len(), consumed);
            assert_eq!(decoder.pending(), 0);
        }
        assert_eq!(seen, lengths.len());
        assert_eq!(decoder.finish(), Ok(()));
    }
}

/// The good frame is taken; the input stays at the bad one, or where it was if that began earlier.
#[test]
fn an_error_leaves_the_input_behind_the_good_frames() {
    for file in ["x29_good_then_garbage.bin", "x30_good_corrupt_good.bin"] {
        let stream = fixture(file);
        let intact = frame_lengths(&stream)[0];
        for cut in 0..stream.len() {
            let mut decoder = Decoder::new(Limits::default());
            let mut failed = false;
            for (start, mut input) in [(0, &stream[..cut]), (cut, &stream[cut..])] {
                let len = input.len();
                loop {
                    match decoder.next(&mut input) {
                        Ok(Some(_)) => {}
                        Ok(None) => break,
                        Err(_) => {
                            failed = true;
                            break;
                        }
                    }
                }
                if failed {
                    let position = start + len - input.len();
                    assert_eq!(position, intact.max(start), "{file} cut at {cut}");
                    break;
                }
            }
            assert!(failed, "{file} cut at {cut}");
        }
    }
}

#[test]
fn an_error_is_for_good() {
    let stream = fixture("x30_good_corrupt_good.bin");
    let good = fixture("v12_delta_text.bin");
    for cut in [stream.len(), 200] {
        let mut decoder = Decoder::new(Limits::default());
        let mut pieces = [&stream[..cut], &stream[cut..]].into_iter();
        let error = loop {
            let mut input = pieces.next().unwrap();
            let mut next = decoder.next(&mut input).map(|frame| frame.is_some());
            while next == Ok(true) {
                next = decoder.next(&mut input).map(|frame| frame.is_some());
            }
            if let Err(error) = next {
                break error;
            }
        };
        assert!(matches!(error, Error::MessageCrcMismatch { .. }));
        for _ in 0..3 {
            let mut input = good.as_slice();
            assert_eq!(decoder.next(&mut input).err(), Some(error));
            assert_eq!(input, good);
            assert_eq!(decoder.finish(), Err(error));
            assert_eq!(decoder.pending(), 0);
        }
    }
}

#[test]
fn an_empty_input_changes_nothing() {
    let frame = fixture("v12_delta_text.bin");
    for cut in 0..frame.len() {
        let mut decoder = Decoder::new(Limits::default());
        assert!(decoder.next(&mut &frame[..cut]).unwrap().is_none());
        assert!(decoder.next(&mut [].as_slice()).unwrap().is_none());
        assert_eq!(decoder.pending(), cut);
        assert!(decoder.next(&mut &frame[cut..]).unwrap().is_some());
    }
}

/// A bad prelude is found with its last byte, long before the length it claims.
#[test]
fn a_prelude_is_judged_at_its_twelfth_byte() {
    for file in [
        "x01_bad_prelude_crc.bin",
        "x21_prelude_payload_gt_24MiB.bin",
        "x31_html.bin",
    ] {
        let bytes = fixture(file);
        let mut decoder = Decoder::new(Limits::default());
        for byte in bytes[..11].chunks(1) {
            assert!(decoder.next(&mut &*byte).unwrap().is_none(), "{file}");
        }
        assert!(decoder.next(&mut &bytes[11..12]).is_err(), "{file}");
    }
}

fn frame_lengths(stream: &[u8]) -> Vec<usize> {
    let mut lengths = Vec::new();
    let mut rest = stream;
    while let Some(length) = rest.first_chunk() {
        let length = u32::from_be_bytes(*length) as usize;
        let Some((_, after)) = rest.split_at_checked(length) else {
            break;
        };
        lengths.push(length);
        rest = after;
    }
    lengths
}

/// What has begun is known as soon as its headers have come, and what is no event before it says anything.
#[test]
fn an_unfinished_frame_tells_what_it_is() {
    let frame = |headers: &[(&str, &str)]| {
        let headers: Vec<_> = headers
            .iter()
            .map(|(name, value)| Header {
                name,
                value: HeaderValue::String(value),
            })
            .collect();
        let mut frame = Vec::new();
        encode(&headers, b"0123456789", &mut frame).unwrap();
        frame
    };
    let (kind, json) = ("messageStart", (":content-type", "application/json"));
    let message_type = |kind| (":message-type", kind);
    let event = frame(&[(":event-type", kind), json, message_type("event")]);
    let other = Unfinished::Other { payload: 10 };
    // How many bytes each has in common with the beginning of an event.
    for (bytes, is, common) in [
        (event.clone(), Unfinished::Event, usize::MAX),
        (
            frame(&[message_type("event"), json, (":event-type", kind)]),
            Unfinished::Event,
            usize::MAX,
        ),
        (
            frame(&[(":new", "x"), message_type("event"), (":event-type", kind)]),
            Unfinished::Event,
            12,
        ),
        (
            frame(&[(":exception-type", "x"), json, message_type("exception")]),
            other,
            12,
        ),
        (
            frame(&[message_type("exception"), (":exception-type", "x")]),
            other,
            12 + 1 + 13 + 1 + 1,
        ),
        (
            frame(&[(":event-type", "x"), message_type("error")]),
            other,
            12 + 1 + 11 + 3 + 1 + 1 + 13 + 3 + 1,
        ),
        (
            frame(&[(":event-type", "x"), (":error-message", "y")]),
            other,
            12 + 1 + 11 + 3 + 1,
        ),
        (frame(&[json]), other, usize::MAX),
    ] {
        let headers_end = bytes.len() - 14;
        for before in [vec![], event.clone()] {
            let mut decoder = Decoder::new(Limits::default());
            assert_eq!(decoder.unfinished(), None);
            decoder.next(&mut before.as_slice()).unwrap();
            assert_eq!(decoder.unfinished(), None);
            for (at, byte) in bytes.iter().enumerate() {
                let ended = decoder.next(&mut [*byte].as_slice()).unwrap().is_some();
                let known = match at + 1 {
                    length if length == bytes.len() => None,
                    length if length >= headers_end => Some(is),
                    length if length <= common => Some(Unfinished::EventSoFar),
                    _ => Some(Unfinished::Unknown),
                };
                assert_eq!(ended, known.is_none());
                assert_eq!(decoder.unfinished(), known, "byte {at} of {bytes:?}");
            }
        }
    }
}
