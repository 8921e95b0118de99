//! What a zone's memory begins with.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};

use crate::key::Seed;

/// What a zone's memory begins with: lines of the cache that hardly change, and one of counts.
#[derive(Debug, Default)]
#[repr(C, align(64))]
pub struct Header {
    seed: [AtomicU64; 2],
    /// The bucket in which an entry is being given to another key, and one; 0 if there is none.
    at_work: AtomicU64,
    /// The turn in which somebody looked for the dead.
    looked: AtomicU64,
    /// The turn in which somebody complained.
    complained: AtomicU64,
    /// How many keys have been forgotten that still counted.
    forgotten: AtomicU64,
    instance: AtomicU64,
    memory: AtomicU64,
    /// The turn in which somebody wrote what there is to a file.
    written: AtomicU64,
    /// What was wrong when somebody did.
    trouble: AtomicU64,
    /// How many requests were told what, by [`Said`]: a line of its own.
    said: Tally,
}

#[derive(Debug, Default)]
#[repr(C, align(64))]
struct Tally([AtomicU64; 4]);

/// What a request is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said {
    /// It may pass.
    Passed,
    /// The same, and its key has used the soft part.
    Soft,
    /// It may not.
    Rejected,
    /// It may not, but does.
    RejectedDryRun,
}

impl Said {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::Passed,
        Self::Soft,
        Self::Rejected,
        Self::RejectedDryRun,
    ];
}

/// Whose memory a zone is in, of all that may count the same keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Writer {
    /// An nginx with the memory that it began with. Later ones have larger numbers.
    pub instance: u64,
    /// Its how manieth memory: one of another size takes over from the one before.
    pub memory: u64,
}

impl Header {
    /// What the hashes depend on.
    pub fn seed(&self) -> Seed {
        let [low, high] = &self.seed;
        Seed(low.load(Relaxed), high.load(Relaxed))
    }

    /// Sets that, once, before anybody else sees the memory.
    pub fn set_seed(&self, seed: Seed) {
        let [low, high] = &self.seed;
        low.store(seed.0, Relaxed);
        high.store(seed.1, Release);
    }

    /// Whose memory it is.
    pub fn writer(&self) -> Writer {
        Writer {
            instance: self.instance.load(Relaxed),
            memory: self.memory.load(Relaxed),
        }
    }

    /// Sets that, once, before anybody else sees the memory.
    pub fn set_writer(&self, writer: Writer) {
        self.memory.store(writer.memory, Relaxed);
        self.instance.store(writer.instance, Release);
    }

    /// How many keys have been forgotten that still counted.
    pub fn forgotten(&self) -> u64 {
        self.forgotten.load(Relaxed)
    }

    /// Counts what a request was told.
    pub fn tell(&self, said: Said) {
        if let Some(count) = self.said.0.get(said as usize) {
            count.fetch_add(1, Relaxed);
        }
    }

    /// How many requests were told what, in the order of [`Said::ALL`].
    pub fn told(&self) -> [u64; 4] {
        self.said.0.each_ref().map(|count| count.load(Relaxed))
    }

    /// Takes over what another one has counted.
    pub(crate) fn copy_counts(&self, from: &Self) {
        self.forgotten.store(from.forgotten(), Relaxed);
        for (to, from) in self.said.0.iter().zip(from.told()) {
            to.store(from, Relaxed);
        }
    }

    pub(crate) fn forget_one(&self) {
        self.forgotten.fetch_add(1, Relaxed);
    }

    pub(crate) fn begin_work(&self, bucket: u64) {
        self.at_work.store(bucket + 1, Release);
    }

    pub(crate) fn end_work(&self) {
        self.at_work.store(0, Release);
    }

    /// The bucket in which somebody died at work.
    pub(crate) fn at_work(&self) -> Option<usize> {
        usize::try_from(self.at_work.load(Acquire).checked_sub(1)?).ok()
    }

    /// Whether it is for this process to look for the dead: true for one of all that ask in the same turn, the number of a stretch of
    /// time.
    pub fn is_turn_to_look(&self, turn: u64) -> bool {
        is_first(&self.looked, turn)
    }

    /// The same for a complaint.
    pub fn is_turn_to_complain(&self, turn: u64) -> bool {
        is_first(&self.complained, turn)
    }

    /// The same for writing what there is to a file.
    pub fn is_turn_to_write(&self, turn: u64) -> bool {
        is_first(&self.written, turn)
    }

    /// Keeps what was wrong when that was done, as a number, 0 if nothing was. Whether it was something else the time before.
    pub fn is_news(&self, trouble: u64) -> bool {
        self.trouble.swap(trouble, AcqRel) != trouble
    }
}

fn is_first(last: &AtomicU64, turn: u64) -> bool {
    let before = last.load(Relaxed);
    before != turn && last.compare_exchange(before, turn, AcqRel, Relaxed).is_ok()
}
