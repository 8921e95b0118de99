//! What is under way: each process counts its own requests at a place of its own, so that those of a dead one are not counted.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use zone::Owner;

/// What a process has under way. All zero, nobody has the place.
#[derive(Debug, Default)]
#[repr(C, align(32))]
pub struct Present {
    owner: AtomicU64,
    requests: AtomicU64,
    streams: AtomicU64,
}

impl Present {
    /// The process takes its place: what an earlier one had there is gone with it.
    pub(crate) fn begin(&self, owner: Owner) {
        self.requests.store(0, Relaxed);
        self.streams.store(0, Relaxed);
        self.owner.store(owner.number(), Release);
    }

    /// It ends.
    pub(crate) fn end(&self, owner: Owner) {
        if self.owner.load(Relaxed) == owner.number() {
            self.owner.store(0, Release);
        }
    }

    /// Requests or streams begin, or end where `count` is negative. Nobody but the owner changes them.
    pub(crate) fn change(&self, what: Under, count: i64) {
        let word = match what {
            Under::Request => &self.requests,
            Under::Stream => &self.streams,
        };
        word.store(word.load(Relaxed).saturating_add_signed(count), Relaxed);
    }

    /// Who has how many requests and streams.
    pub(crate) fn read(&self) -> Option<(Owner, u64, u64)> {
        let owner = Owner::of_number(self.owner.load(Acquire))?;
        Some((
            owner,
            self.requests.load(Relaxed),
            self.streams.load(Relaxed),
        ))
    }
}

/// What may be under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Under {
    /// A request.
    Request,
    /// A streamed answer.
    Stream,
}
