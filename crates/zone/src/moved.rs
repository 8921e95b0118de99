//! What is in one memory goes into another: a larger or smaller one, or by way of a file.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::atomic::Ordering::Relaxed;

use crate::entry::Entry;
use crate::ledger::{Slip, State};
use crate::lock::Lock;
use crate::state::{Clocks, Record};
use crate::table::Tenant;
use crate::zone::Zone;

/// What a smaller memory has no room for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lost {
    /// Keys that still counted.
    pub keys: usize,
    /// Requests that are under way.
    pub requests: usize,
}

impl<'m, L: Lock> Zone<'m, L> {
    /// Takes over what is in another memory, which stays as it is. This one is empty, has the seed of the other, and is seen by
    /// nobody else. A request that is under way is in both; here it stays until its owner is dead, because it leaves the other.
    pub fn take_over<O: Lock>(&self, other: &Zone<'_, O>, now: u64, tenant: &impl Tenant) -> Lost {
        let rank = |entry: &Entry| match entry.in_flight() {
            0 if tenant.is_idle(entry, now) => 2,
            0 => 1,
            _ => 0,
        };
        let mut ranked: Vec<_> = other
            .table
            .entries()
            .filter_map(|(number, entry)| Some((rank(entry), number, entry, entry.key()?)))
            .collect();
        ranked.sort_by_key(|(rank, _, entry, _)| (*rank, Reverse(entry.touched())));
        self.header().copy_counts(other.header());
        let mut lost = Lost::default();
        let mut moved = HashMap::new();
        for (rank, number, from, key) in ranked {
            match self.table.put(key, now) {
                Some((to, entry)) => {
                    entry.copy_counts(from);
                    moved.insert(number, (to, entry, 0));
                }
                None => lost.keys += usize::from(rank < 2),
            }
        }
        let under_way = other.ledger.taken();
        let under_way =
            under_way.filter(|(_, state, _)| matches!(state, State::Entering | State::Inside));
        for (owner, _, slip) in under_way {
            let Some((entry, _, count)) = moved.get_mut(&slip.entry) else {
                lost.requests += 1;
                continue;
            };
            let Some((slot, turn)) = self.ledger.take(owner, self.next.fetch_add(1, Relaxed))
            else {
                lost.requests += 1;
                continue;
            };
            let entry = *entry;
            self.ledger.set(Slip { slot, turn, entry }, State::Inside);
            *count += 1;
        }
        for (_, entry, count) in moved.into_values() {
            entry.users.open(count);
        }
        lost
    }

    /// What there is, for a file: each key as it was at one moment, and where it is.
    pub fn records(&self) -> Vec<(Record, &'m Entry)> {
        let read = |(number, entry): (u64, &'m Entry)| {
            let record = self.alone(|| entry.record(number))??;
            Some((record, entry))
        };
        self.table.entries().filter_map(read).collect()
    }

    /// Takes over what a file has of `then`; words stay as they are. This memory is empty, has the seed of the file, and is seen by nobody
    /// else. A memory of the same size has room for all keys. How many another one has none for: those that were asked for longest ago.
    pub fn restore(&self, mut records: Vec<Record>, then: &Clocks, now: &Clocks) -> usize {
        records.sort_by_key(|record| Reverse(record.touched));
        let put = |record: &Record| {
            let touched = then.carry_past(record.touched, now);
            let own = self.table.put_at(record.place, record.key, touched);
            own.or_else(|| Some(self.table.put(record.key, touched)?.1))
        };
        let has_no_room = |record: &&Record| match put(record) {
            Some(entry) => {
                entry.set_counts(record);
                false
            }
            None => true,
        };
        records.iter().filter(has_no_room).count()
    }
}
