//! How much memory the decoder takes, measured at the allocator.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use eventstream::{Decoder, Header, HeaderValue, Limits, encode};

#[test]
fn whole_frames_allocate_nothing() {
    let mut stream = Vec::new();
    for _ in 0..100 {
        frame(100, &mut stream);
    }
    let mut decoder = Decoder::new(Limits::default());
    let mut input = stream.as_slice();
    // The first frame's headers are remembered.
    assert!(decoder.next(&mut input).unwrap().is_some());
    let before = measure();
    while decoder.next(&mut input).unwrap().is_some() {}
    assert_eq!(measure().allocations, before.allocations);
}

/// A prelude may claim 24 MiB: room is made for what arrives.
#[test]
fn a_claimed_length_is_not_allocated() {
    let mut stream = Vec::new();
    frame(24 * 1024 * 1024, &mut stream);
    let mut decoder = Decoder::new(Limits::default());
    let before = measure().live;
    assert!(decoder.next(&mut &stream[..12]).unwrap().is_none());
    assert!(measure().live - before <= 1024);
    assert!(decoder.next(&mut &stream[12..8192]).unwrap().is_none());
    assert!(measure().live - before <= 16 * 1024);
    assert_eq!(decoder.pending(), 8192);
}

/// Twice what has arrived at most, and never more than the frame.
#[test]
fn memory_is_bounded_by_the_frame() {
    let len = 3 * 1024 * 1024;
    let mut stream = Vec::new();
    frame(len, &mut stream);
    let mut decoder = Decoder::new(Limits::default());
    let before = measure().live;
    let mut arrived = 0;
    for mut read in stream.chunks(8192) {
        arrived += read.len();
        while decoder.next(&mut read).unwrap().is_some() {}
        let held = (measure().live - before) as usize;
        assert!(held <= 1024 + 2 * arrived.min(len), "{held} for {arrived}");
        assert!(held <= 1024 + stream.len(), "{held} for {arrived}");
    }
    // The frame was lent and the call after it gave its room back.
    let held = measure().live - before;
    assert!(held <= 1024, "{held} kept");
}

/// A frame must not be copied again and again as it grows.
#[test]
fn a_large_frame_takes_few_allocations() {
    let mut stream = Vec::new();
    frame(1024 * 1024, &mut stream);
    let mut decoder = Decoder::new(Limits::default());
    let before = measure().allocations;
    for mut read in stream.chunks(100) {
        while decoder.next(&mut read).unwrap().is_some() {}
    }
    assert!(measure().allocations - before < 20);
}

#[test]
fn a_broken_stream_holds_nothing() {
    let mut stream = Vec::new();
    frame(1024 * 1024, &mut stream);
    *stream.last_mut().unwrap() ^= 1;
    let mut decoder = Decoder::new(Limits::default());
    let before = measure().live;
    let failed = stream
        .chunks(8192)
        .any(|mut read| decoder.next(&mut read).is_err());
    assert!(failed);
    assert_eq!(measure().live, before);
}

fn frame(payload_len: usize, out: &mut Vec<u8>) {
    let header = Header {
        name: ":message-type",
        value: HeaderValue::String("event"),
    };
    encode(&[header], &vec![b'x'; payload_len], out).unwrap();
}

#[derive(Clone, Copy)]
struct Memory {
    /// Bytes allocated and not freed by this thread.
    live: isize,
    /// Allocations and reallocations by this thread.
    allocations: usize,
}

fn measure() -> Memory {
    Memory {
        live: LIVE.get(),
        allocations: ALLOCATIONS.get(),
    }
}

struct Counting;

// SAFETY: all is done by the system's allocator; the counters are plain numbers.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize, 1);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        count(-(layout.size() as isize), 0);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(ptr, layout) }
    }

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        count(new_size as isize - layout.size() as isize, 1);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.realloc(ptr, layout, new_size) }
    }
}

fn count(bytes: isize, allocations: usize) {
    LIVE.set(LIVE.get() + bytes);
    ALLOCATIONS.set(ALLOCATIONS.get() + allocations);
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

thread_local! {
    static LIVE: Cell<isize> = const { Cell::new(0) };
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}
