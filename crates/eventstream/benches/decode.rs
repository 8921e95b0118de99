//! The decoder beside the AWS SDK's own, on frames like ConverseStream's `contentBlockDelta`.

#![allow(missing_docs, reason = "criterion_group! writes a public function")]
#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a benchmark of what fails is worth nothing"
)]

use std::hint::black_box;
use std::time::Duration;

use aws_smithy_eventstream::frame::{DecodedFrame, MessageFrameDecoder};
use bytes::Bytes;
use bytes_utils::SegmentedBuf;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use eventstream::{Decoder, Header, HeaderValue, Limits, Message, encode};

fn decode(c: &mut Criterion) {
    let stream = stream_of(&["contentBlockDelta"]);
    // No two frames in a row have the same headers, as hardly ever happens: what it costs to read
    // them every time.
    let changing = stream_of(&["contentBlockDelta", "contentBlockStart"]);
    let shared = Bytes::from(stream.clone());

    let mut group = c.benchmark_group("frames in reads of 8 KiB");
    group.throughput(Throughput::Elements(FRAMES as u64));
    group.bench_function("eventstream", |b| b.iter(|| ours(black_box(&stream), 8192)));
    group.bench_function("aws-smithy-eventstream", |b| {
        b.iter(|| smithy(black_box(&shared).clone(), 8192))
    });
    group.bench_function("eventstream, changing headers", |b| {
        b.iter(|| ours(black_box(&changing), 8192));
    });
    group.bench_function("both checksums alone", |b| {
        b.iter(|| checksums(black_box(&stream)))
    });
    group.finish();

    let mut group = c.benchmark_group("frames byte by byte");
    group.throughput(Throughput::Elements(FRAMES as u64));
    group.bench_function("eventstream", |b| b.iter(|| ours(black_box(&stream), 1)));
    group.bench_function("aws-smithy-eventstream", |b| {
        b.iter(|| smithy(black_box(&shared).clone(), 1))
    });
    group.finish();
}

/// Decodes and tells each frame's meaning, as a gateway does.
fn ours(stream: &[u8], read_len: usize) {
    let mut decoder = Decoder::new(Limits::default());
    let mut frames = 0;
    for mut read in stream.chunks(read_len) {
        while let Some(frame) = decoder.next(&mut read).unwrap() {
            let Message::Event {
                event_type,
                payload,
            } = frame.message().unwrap()
            else {
                panic!("an event was encoded");
            };
            black_box((event_type, payload));
            frames += 1;
        }
    }
    assert_eq!(frames, FRAMES);
}

/// Decodes only; the SDK finds each frame's meaning in another crate.
///
/// Its buffer is the one that the SDK itself keeps, and its reads cost it no copy.
fn smithy(mut stream: Bytes, read_len: usize) {
    let mut decoder = MessageFrameDecoder::new();
    let mut buffer = SegmentedBuf::new();
    let mut frames = 0;
    while !stream.is_empty() {
        buffer.push(stream.split_to(read_len.min(stream.len())));
        while let DecodedFrame::Complete(message) = decoder.decode_frame(&mut buffer).unwrap() {
            black_box(message);
            frames += 1;
        }
    }
    assert_eq!(frames, FRAMES);
}

/// The floor: what no decoder that checks its frames can be faster than, with this CRC.
fn checksums(mut stream: &[u8]) {
    let fresh = crc32fast::Hasher::new();
    while let Some(length) = stream.first_chunk() {
        let (frame, rest) = stream.split_at(u32::from_be_bytes(*length) as usize);
        let mut prelude = fresh.clone();
        prelude.update(&frame[..8]);
        let mut whole = fresh.clone();
        whole.update(&frame[..frame.len() - 4]);
        black_box((prelude.finalize(), whole.finalize()));
        stream = rest;
    }
}

/// Frames of 156 to 187 bytes, 172 on average: the padding `p` varies, as it does in Bedrock's.
fn stream_of(event_types: &[&str]) -> Vec<u8> {
    let padding = "abcdefghijklmnopqrstuvwxyzABCDEF";
    let mut stream = Vec::new();
    for (i, event_type) in event_types.iter().cycle().take(FRAMES).enumerate() {
        let headers = [
            string(":event-type", event_type),
            string(":content-type", "application/json"),
            string(":message-type", "event"),
        ];
        let p = &padding[..i * 7 % 32];
        let payload = format!(r#"{{"contentBlockIndex":0,"delta":{{"text":" word"}},"p":"{p}"}}"#);
        encode(&headers, payload.as_bytes(), &mut stream).unwrap();
    }
    stream
}

fn string<'a>(name: &'a str, value: &'a str) -> Header<'a> {
    Header {
        name,
        value: HeaderValue::String(value),
    }
}

/// 172 KB of them: more than a first-level cache holds.
const FRAMES: usize = 1000;

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(3));
    targets = decode
}
criterion_main!(benches);
