//! Keys to entries, in buckets of eight. An entry is found without a lock, and given to another key under one.

use crate::entry::Entry;
use crate::forced::reached;
use crate::header::Header;
use crate::key::Key;
use crate::ledger::{Ledger, Slip, State};

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

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Asks<'a> {
    /// The key.
    pub key: Key,
    /// What it is shown as; the beginning is kept.
    pub label: &'a [u8],
    /// How many requests may use it, this one included.
    pub most: u32,
    /// The moment, in milliseconds of a clock that all processes share.
    pub now: u64,
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
        let mut entries = self.entries_for(key);
        Some(entries.find(|(_, entry)| entry.is(key))?.0)
    }

    /// Gives a key that has no entry one, with this turn at a slot as the first that is in. `None` if there is no room. For whoever has
    /// the lock.
    pub(crate) fn place(
        self,
        ledger: Ledger<'_>,
        (slot, turn): (u32, u32),
        asks: Asks<'_>,
        tenant: &impl Tenant,
    ) -> Option<Slip> {
        let Asks {
            key, label, now, ..
        } = asks;
        let rank = |number, entry: &Entry| match (entry.in_flight(), entry.key()) {
            (1.., _) => None,
            (0, None) => Some(Rank::Empty(self.keys_beside(number))),
            (0, Some(_)) if tenant.is_idle(entry, now) => Some(Rank::Idle(entry.touched())),
            (0, Some(_)) => tenant.may_forget().then_some(Rank::Counts(entry.touched())),
        };
        let mut choice = [const { None }; 2 * ENTRIES];
        for (place, (number, entry)) in choice.iter_mut().zip(self.entries_for(key)) {
            *place = rank(number, entry).map(|rank| (rank, number));
        }
        choice.sort_unstable();
        let chosen = choice.into_iter().flatten().find_map(|(rank, number)| {
            let entry = self.entry(number)?;
            self.header.begin_work(number / ENTRIES as u64);
            reached("table: at work");
            let closed = entry.users.close(ledger, number);
            closed.then_some((rank, entry, number))
        });
        let placed = chosen.map(|(rank, entry, number)| {
            reached("table: closed");
            entry.empty();
            reached("table: empty");
            entry.fill(key, label, now);
            reached("table: filled");
            let slip = Slip {
                slot,
                turn,
                entry: number,
            };
            ledger.set(slip, State::Entering);
            reached("table: entering");
            // It is in before anybody else could take the entry away.
            entry.users.open_for(slip);
            reached("table: open");
            if matches!(rank, Rank::Counts(_)) {
                self.header.forget_one();
            }
            slip
        });
        self.header.end_work();
        placed
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
        let empty = self
            .entries_for(key)
            .filter(|(_, entry)| entry.key().is_none());
        let (number, entry) = empty.min_by_key(|(number, _)| self.keys_beside(*number))?;
        entry.fill(key, &[], now);
        Some((number, entry))
    }

    /// The entry with this number for a key that has none, given to it. `None` if it is not empty, or not one of the key's. As above.
    pub(crate) fn put_at(self, number: u64, key: Key, now: u64) -> Option<&'m Entry> {
        let (_, entry) = self
            .entries_for(key)
            .find(|(own, entry)| *own == number && entry.key().is_none())?;
        entry.fill(key, &[], now);
        Some(entry)
    }

    /// The entries that may be a key's, with their numbers.
    fn entries_for(self, key: Key) -> impl Iterator<Item = (u64, &'m Entry)> {
        let [first, second] = key.buckets(self.buckets.len());
        let second = (second != first).then_some(second);
        let buckets = std::iter::once(first).chain(second);
        buckets.flat_map(move |bucket| {
            let entries = self.buckets.get(bucket).map(|bucket| &bucket.entries);
            ((bucket * ENTRIES) as u64..).zip(entries.into_iter().flatten())
        })
    }

    /// How many keys there are in the bucket of this entry.
    fn keys_beside(self, number: u64) -> usize {
        let bucket = usize::try_from(number).unwrap_or(0) / ENTRIES;
        let entries = self.buckets.get(bucket).map(|bucket| &bucket.entries);
        let keys = entries.into_iter().flatten().filter_map(Entry::key);
        keys.count()
    }
}

/// What is lost with an entry; the least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    /// Nothing: it is empty. So many keys are beside it.
    Empty(usize),
    /// Nothing. It was asked for then.
    Idle(u64),
    /// What was counted. It was asked for then.
    Counts(u64),
}

/// How many entries a bucket has.
const ENTRIES: usize = 8;
