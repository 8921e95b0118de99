//! What streams say, and that it is the same however they are cut.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::borrow::Cow;

use proptest::prelude::*;
use sse::{Decoder, TooLarge};

type Events = Result<Vec<(String, String)>, TooLarge>;

fn decoded<'b>(pieces: impl IntoIterator<Item = &'b [u8]>, limit: usize) -> Events {
    let mut decoder = Decoder::new(limit);
    let mut events = Vec::new();
    for piece in pieces {
        let mut rest = piece;
        while let Some(event) = decoder.next(&mut rest)? {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            events.push((text(event.name), text(&event.data)));
        }
        assert!(rest.is_empty());
    }
    Ok(events)
}

/// The events of a stream, the same wherever it is cut.
fn events(stream: &str) -> Vec<(String, String)> {
    let bytes = stream.as_bytes();
    let whole = decoded([bytes], 1 << 20).unwrap();
    for cut in 0..=bytes.len() {
        let (before, after) = bytes.split_at(cut);
        assert_eq!(
            decoded([before, after], 1 << 20).unwrap(),
            whole,
            "cut at {cut}"
        );
    }
    for size in 1..=3 {
        assert_eq!(decoded(bytes.chunks(size), 1 << 20).unwrap(), whole);
    }
    whole
}

fn expected(events: &[(&str, &str)]) -> Vec<(String, String)> {
    events
        .iter()
        .map(|(name, data)| ((*name).to_owned(), (*data).to_owned()))
        .collect()
}

#[test]
fn lines_end_in_any_way() {
    let lines = [
        "event: a", "data: 1", "", "data:2", "", "", "data: 3", "event:b", "",
    ];
    for end in ["\n", "\r\n", "\r"] {
        let stream: String = lines.iter().map(|line| format!("{line}{end}")).collect();
        assert_eq!(
            events(&stream),
            expected(&[("a", "1"), ("", "2"), ("b", "3")]),
            "{end:?}"
        );
    }
    let mixed = "data: 1\r\ndata: 2\n\rdata: 3\r\n\ndata: 4\n\r\n";
    assert_eq!(
        events(mixed),
        expected(&[("", "1\n2"), ("", "3"), ("", "4")])
    );
}

#[test]
fn data_of_several_lines_is_joined_and_only_one_space_goes() {
    let stream = "data: {\ndata:  \"a\": 1\ndata\ndata:}\n\n";
    assert_eq!(events(stream), expected(&[("", "{\n \"a\": 1\n\n}")]));
}

#[test]
fn comments_other_fields_and_events_without_data_say_nothing() {
    let stream = ": ping\n\nid: 7\nretry: 10\n\nevent: a\n\n:\nDATA: x\n\ndata : y\n\nevent: x\nevent: b\n: c\ndata: z:1\n\ndata\n\n";
    assert_eq!(events(stream), expected(&[("b", "z:1"), ("", "")]));
}

#[test]
fn a_byte_order_mark_counts_at_the_start_only() {
    let stream = "\u{feff}data: 1\n\n\u{feff}data: 2\n\ndata: \u{feff}3\n\n";
    assert_eq!(events(stream), expected(&[("", "1"), ("", "\u{feff}3")]));
    assert_eq!(
        events("\u{feff}\n\n: x\n\ndata: 1\n\n"),
        expected(&[("", "1")])
    );
}

#[test]
fn what_is_not_ended_is_no_event() {
    assert_eq!(events("data: 1\n\ndata: 2\n"), expected(&[("", "1")]));
    assert_eq!(events(""), []);
}

#[test]
fn an_event_above_the_limit_is_refused_however_it_comes() {
    // 10 bytes with its line ends.
    let stream = b"data: 12\n\ndata: 1\n\ndata: 123456\n\n";
    for size in 1..=stream.len() {
        assert_eq!(
            decoded(stream.chunks(size), 13),
            Err(TooLarge),
            "pieces of {size}"
        );
        assert_eq!(decoded(stream.chunks(size), 14).unwrap().len(), 3);
    }
    // What never ends is not kept for ever either.
    let endless = std::iter::repeat_n(b"data: x\n".as_slice(), 1000);
    assert_eq!(decoded(endless, 100), Err(TooLarge));
}

#[test]
fn an_event_that_is_whole_in_a_buffer_is_not_copied() {
    let buffer = b"event: a\ndata: {\"b\":1}\n\n".to_vec();
    let mut decoder = Decoder::new(1000);
    let mut rest = buffer.as_slice();
    let event = decoder.next(&mut rest).unwrap().unwrap();
    let Cow::Borrowed(data) = event.data else {
        panic!("copied")
    };
    assert!(buffer.as_ptr_range().contains(&data.as_ptr()));
    assert!(buffer.as_ptr_range().contains(&event.name.as_ptr()));
}

proptest! {
    #[test]
    fn every_split_gives_the_same_events(
        stream in "(data|event|:|: |x|1|\r|\n|\r\n|\n\n|\u{feff}){0,60}",
        sizes in proptest::collection::vec(1_usize..9, 1..80),
    ) {
        let bytes = stream.as_bytes();
        let mut rest = bytes;
        let mut pieces = Vec::new();
        for size in sizes {
            let (piece, after) = rest.split_at(size.min(rest.len()));
            pieces.push(piece);
            rest = after;
        }
        pieces.push(rest);
        prop_assert_eq!(decoded(pieces, 40), decoded([bytes], 40));
    }
}
