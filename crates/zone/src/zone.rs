//! A zone: keys, what is counted for each, and who uses them now.

use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;

use crate::entry::{Entry, MOST_SLOTS, Shut, TURNS};
use crate::forced::reached;
use crate::header::Header;
use crate::key::Key;
use crate::ledger::{Ledger, Slip, Slot, State};
use crate::lock::{Before, Lock};
use crate::owner::Owner;
use crate::table::{Asks, Bucket, Table, Tenant};

/// How much of what there is in a zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// How many requests can be in it.
    pub slots: usize,
    /// How many buckets of eight keys.
    pub buckets: usize,
}

impl Sizes {
    /// In so many bytes, behind the header: a sixteenth of them for slots.
    pub fn of(bytes: usize) -> Self {
        let lines = (bytes / 16 / LINE).min(MOST_SLOTS * size_of::<Slot>() / LINE);
        Self {
            slots: lines * LINE / size_of::<Slot>(),
            buckets: (bytes - lines * LINE) / size_of::<Bucket>(),
        }
    }
}

/// A zone's memory.
#[derive(Clone, Copy, Debug)]
pub struct Parts<'m> {
    /// What it begins with.
    pub header: &'m Header,
    /// For requests.
    pub slots: &'m [Slot],
    /// For keys.
    pub buckets: &'m [Bucket],
}

/// A zone as a process sees it.
#[derive(Debug)]
pub struct Zone<'m, L> {
    pub(crate) table: Table<'m>,
    pub(crate) ledger: Ledger<'m>,
    lock: L,
    /// Where this process looks for a slot first.
    pub(crate) next: AtomicUsize,
}

/// A request that has entered. It is to leave once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place(Slip);

/// Why a request has not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotEntered {
    /// So many others use the key.
    Busy(u32),
    /// There are as many requests in the zone as it has slots.
    NoSlot,
    /// There are as many keys in use as there is room for.
    NoRoom,
    /// The lock is broken.
    Broken,
}

/// Where a key is.
enum Found {
    /// In this entry, which may be another one's by now.
    Known(u64),
    /// In one that it was just given, with the request in it.
    New(Slip),
}

impl<'m, L: Lock> Zone<'m, L> {
    /// The zone in this memory, for a process that has this lock.
    pub fn new(parts: Parts<'m>, lock: L) -> Self {
        Self {
            table: Table {
                header: parts.header,
                buckets: parts.buckets,
            },
            ledger: Ledger(parts.slots),
            lock,
            next: AtomicUsize::new(0),
        }
    }

    /// What the memory begins with.
    pub fn header(&self) -> &'m Header {
        self.table.header
    }

    /// The key that these bytes are here, for this kind of what is counted.
    pub fn key(&self, kind: u8, bytes: &[u8]) -> Key {
        Key::new(self.header().seed(), kind, bytes)
    }

    /// Where `owner` is to look for slots first, so that processes do not meet there.
    pub fn begin_at(&self, owner: Owner) {
        let (place, _) = owner.place().unwrap_or_default();
        self.next.store(place * APART, Relaxed);
    }

    /// Lets a request in, if fewer than `most` use its key.
    ///
    /// # Errors
    /// Why not; then nothing has changed.
    pub fn enter(
        &self,
        asks: Asks<'_>,
        owner: Owner,
        tenant: &impl Tenant,
    ) -> Result<Place, NotEntered> {
        let from = self.next.load(Relaxed);
        let (slot, turn) = self.ledger.take(owner, from).ok_or(NotEntered::NoSlot)?;
        self.next.store(slot as usize, Relaxed);
        reached("enter: slot taken");
        let entered = self.enter_with(slot, turn, asks, tenant);
        if entered.is_err() {
            self.ledger.give_back(slot);
        }
        entered
    }

    fn enter_with(
        &self,
        slot: u32,
        mut turn: u32,
        asks: Asks<'_>,
        tenant: &impl Tenant,
    ) -> Result<Place, NotEntered> {
        for _ in 0..TRIES {
            let number = match self.find_or_place((slot, turn), asks, tenant)? {
                Found::Known(number) => number,
                Found::New(slip) => {
                    reached("enter: entered");
                    self.ledger.change(slip, State::Entering, State::Inside);
                    reached("enter: inside");
                    return Ok(Place(slip));
                }
            };
            let entry = self.table.entry(number).ok_or(NotEntered::NoRoom)?;
            let slip = Slip {
                slot,
                turn,
                entry: number,
            };
            self.ledger.set(slip, State::Entering);
            reached("enter: entering");
            match entry.users.enter(self.ledger, slip, asks.most) {
                Ok(()) => {
                    reached("enter: entered");
                    self.ledger.change(slip, State::Entering, State::Inside);
                    reached("enter: inside");
                    // Now that it is in use, it stays its key's.
                    if entry.is(asks.key) {
                        entry.touch(asks.now);
                        entry.name(asks.label);
                        return Ok(Place(slip));
                    }
                    self.ledger.change(slip, State::Inside, State::Leaving);
                    self.go(slip);
                }
                Err(shut) => {
                    self.ledger.set(slip, State::Free);
                    match shut {
                        Shut::Busy(others) if entry.is(asks.key) => {
                            return Err(NotEntered::Busy(others));
                        }
                        Shut::Busy(_) => {}
                        // Whoever closed it has the lock, or died.
                        Shut::Closed => self.alone(|| ()).ok_or(NotEntered::Broken)?,
                    }
                }
            }
            turn = (turn + 1) % TURNS;
        }
        Err(NotEntered::NoRoom)
    }

    fn find_or_place(
        &self,
        turn: (u32, u32),
        asks: Asks<'_>,
        tenant: &impl Tenant,
    ) -> Result<Found, NotEntered> {
        let known = || self.table.find(asks.key).map(Found::Known);
        let place = || self.table.place(self.ledger, turn, asks, tenant);
        if let Some(known) = known() {
            return Ok(known);
        }
        // Somebody else may have placed it meanwhile.
        let found = self.alone(|| known().or_else(|| place().map(Found::New)));
        found.ok_or(NotEntered::Broken)?.ok_or(NotEntered::NoRoom)
    }

    /// What is counted for a key, if it has an entry: as it is now, for who only looks.
    pub fn look_up(&self, key: Key) -> Option<&'m Entry> {
        let entry = self.table.entry(self.table.find(key)?)?;
        entry.is(key).then_some(entry)
    }

    /// Does something with what is counted, which nobody else who does so does at the same time. `None`: the lock is broken.
    pub fn exclusively<T>(&self, work: impl FnOnce() -> T) -> Option<T> {
        self.alone(work)
    }

    /// What a request that is in uses.
    pub fn entry(&self, place: Place) -> Option<&'m Entry> {
        self.table.entry(place.0.entry)
    }

    /// Lets a request out. False if it was out already.
    pub fn leave(&self, place: Place) -> bool {
        let Place(slip) = place;
        if !self.ledger.change(slip, State::Inside, State::Leaving) {
            return false;
        }
        self.go(slip);
        self.ledger.give_back(slip.slot);
        true
    }

    /// Goes on with a request that is leaving, until its slot is free.
    fn go(&self, slip: Slip) {
        reached("leave: leaving");
        if let Some(entry) = self.table.entry(slip.entry) {
            entry.users.leave(self.ledger, slip);
        }
        reached("leave: left");
        self.ledger.change(slip, State::Leaving, State::Free);
        reached("leave: free");
    }

    /// Lets out all requests of processes that are dead: how many slots they had.
    pub fn heal(&self, is_dead: impl Fn(Owner) -> bool) -> usize {
        let dead = self.ledger.taken().filter(|(owner, ..)| is_dead(*owner));
        dead.filter(|(owner, _, slip)| {
            // Nobody else settles for the same one now.
            self.alone(|| self.settle_for(*owner, slip.slot)) == Some(true)
        })
        .count()
    }

    fn settle_for(&self, dead: Owner, slot: u32) -> bool {
        let Some((_, state, slip)) = self.ledger.read(slot).filter(|(owner, ..)| *owner == dead)
        else {
            return false;
        };
        let entry = self.table.entry(slip.entry);
        let entered = match state {
            State::Free => false,
            State::Entering => entry.is_some_and(|entry| {
                let entered = entry.users.has_entered(self.ledger, slip);
                let state = if entered { State::Inside } else { State::Free };
                self.ledger.change(slip, State::Entering, state);
                entered
            }),
            State::Inside | State::Leaving => true,
        };
        reached("heal: known");
        if entered {
            self.ledger.change(slip, State::Inside, State::Leaving);
            self.go(slip);
        }
        self.ledger.give_back(slot);
        true
    }

    /// Lets out all requests of a process that ends: how many there were.
    pub fn leave_all(&self, owner: Owner) -> usize {
        let taken = self.ledger.taken();
        let own = taken.filter(|(of, state, _)| *of == owner && *state == State::Inside);
        own.filter(|(_, _, slip)| self.leave(Place(*slip))).count()
    }

    /// How many keys there is room for.
    pub fn capacity(&self) -> usize {
        self.table.entries().count()
    }

    /// The keys there are.
    pub fn entries(&self) -> impl Iterator<Item = &'m Entry> {
        let entries = self.table.entries().map(|(_, entry)| entry);
        entries.filter(|entry| entry.key().is_some())
    }

    /// How many requests are in.
    pub fn requests(&self) -> usize {
        self.ledger.taken().count()
    }

    /// Does something that nobody else does at the same time. `None`: the lock is broken.
    pub(crate) fn alone<T>(&self, work: impl FnOnce() -> T) -> Option<T> {
        self.lock.alone(|before| {
            if before == Before::Died {
                self.table.repair();
            }
            work()
        })
    }
}

/// A line of the cache, in bytes.
const LINE: usize = 64;
/// How far from each other processes begin to look for slots.
const APART: usize = 64;
/// How often an entry that was taken from under us is looked for again.
const TRIES: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_is_divided_by_its_size() {
        assert_eq!(
            Sizes::of(254 * 4096 - 512),
            Sizes {
                slots: 4060,
                buckets: 952
            }
        );
        assert_eq!(
            Sizes::of(15 * 4096 - 512),
            Sizes {
                slots: 236,
                buckets: 55
            }
        );
        assert_eq!(
            Sizes::of(0),
            Sizes {
                slots: 0,
                buckets: 0
            }
        );
        assert!(Sizes::of(1 << 40).slots <= MOST_SLOTS);
    }
}
