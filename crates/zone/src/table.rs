//! Keys to entries, in buckets of eight. An entry is found without a lock, and given to another key under one.

use crate::entry::Entry;
use crate::forced::reached;
use crate::header::Header;
use crate::key::Key;
use crate::ledger::Ledger;

/// Where the keys are that begin alike.
#[derive(Debug, Default)]
#[repr(C)]
pub struct Bucket {
    entries: [Entry; ENTRIES],
}

/// What the entries are used for, as far as the table has to know.
pub trait Tenant {
    /// Whether nothing is lost if the entry, which nobody uses now, is given to another key.
    fn is_idle(&self, entry: &Entry, now: u64) -> bool;

    /// Whether, where nothing else is left, the key that was asked for longest ago is forgotten. Otherwise there is no room.
    fn may_forget(&self) -> bool;
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Table<'m> {
    pub header: &'m Header,
    pub buckets: &'m [Bucket],
}

impl<'m> Table<'m> {
    /// The entry with this number.
    pub(crate) fn entry(self, number: u64) -> Option<&'m Entry> {
        let number = usize::try_from(number).ok()?;
        let bucket = self.buckets.get(number / ENTRIES)?;
        bucket.entries.get(number % ENTRIES)
    }

    /// All entries, with their numbers.
    pub(crate) fn entries(self) -> impl Iterator<Item = (u64, &'m Entry)> {
        (0..).zip(self.buckets.iter().flat_map(|bucket| &bucket.entries))
    }

    pub(crate) fn find(self, key: Key) -> Option<u64> {
        let (first, entries) = self.bucket(key)?;
        let place = entries.iter().position(|entry| entry.is(key))?;
        Some(first + place as u64)
    }

    /// The key's entry; the one that it is given now, if it had none. `None` if there is no room. For whoever has the lock.
    pub(crate) fn find_or_place(
        self,
        ledger: Ledger<'_>,
        key: Key,
        label: &[u8],
        now: u64,
        tenant: &impl Tenant,
    ) -> Option<u64> {
        if let Some(found) = self.find(key) {
            return Some(found);
        }
        let (first, entries) = self.bucket(key)?;
        let rank = |entry: &Entry| match (entry.in_flight(), entry.key()) {
            (1.., _) => None,
            (0, None) => Some(Rank::Empty),
            (0, Some(_)) if tenant.is_idle(entry, now) => Some(Rank::Idle),
            (0, Some(_)) => tenant.may_forget().then_some(Rank::Counts),
        };
        let mut choice = std::array::from_fn::<_, ENTRIES, _>(|place| {
            let entry = entries.get(place)?;
            Some((rank(entry)?, entry.touched(), place))
        });
        choice.sort_unstable();
        self.header.begin_work(key.bucket(self.buckets.len()));
        reached("table: at work");
        let chosen = choice.into_iter().flatten().find_map(|(rank, _, place)| {
            let (entry, number) = (entries.get(place)?, first + place as u64);
            let closed = entry.users.close(ledger, number);
            closed.then_some((rank, entry, number))
        });
        if let Some((rank, entry, _)) = chosen {
            reached("table: closed");
            entry.empty();
            reached("table: empty");
            entry.fill(key, label, now);
            reached("table: filled");
            entry.users.open(0);
            reached("table: open");
            if rank == Rank::Counts {
                self.header.forget_one();
            }
        }
        self.header.end_work();
        Some(chosen?.2)
    }

    /// Puts right what somebody left who died while he had the lock: an entry that is between two keys is empty. For whoever has
    /// the lock now.
    pub(crate) fn repair(self) {
        let Some(bucket) = self.header.at_work() else {
            return;
        };
        let entries = self.buckets.get(bucket).map(|bucket| &bucket.entries);
        for entry in entries.into_iter().flatten() {
            if entry.users.read().closed {
                entry.empty();
                entry.users.open(0);
            }
        }
        self.header.end_work();
    }

    /// An empty entry for a key that has none, given to it. `None` if there is none. For whoever has the memory to himself.
    pub(crate) fn put(self, key: Key, now: u64) -> Option<(u64, &'m Entry)> {
        let (first, entries) = self.bucket(key)?;
        let place = entries.iter().position(|entry| entry.key().is_none())?;
        let entry = entries.get(place)?;
        entry.fill(key, &[], now);
        Some((first + place as u64, entry))
    }

    /// The entries of a key's bucket, and the number of the first.
    fn bucket(self, key: Key) -> Option<(u64, &'m [Entry; ENTRIES])> {
        let number = key.bucket(self.buckets.len());
        let bucket = self.buckets.get(number)?;
        Some(((number * ENTRIES) as u64, &bucket.entries))
    }
}

/// What is lost with an entry; the least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Empty,
    Idle,
    Counts,
}

/// How many entries a bucket has.
pub(crate) const ENTRIES: usize = 8;
