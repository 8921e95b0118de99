//! One slot for each request that uses an entry: whose it is, and how far it has got. A slot outlives its owner, so the living
//! can settle for the dead.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};

use crate::entry::{Mark, TURNS, Way};
use crate::owner::Owner;

/// A slot: 16 bytes. All zero, it is free.
#[derive(Debug, Default)]
#[repr(C)]
pub struct Slot {
    /// Whose it is: taken first, given back last.
    owner: AtomicU64,
    /// How far it has got, in which turn, with which entry.
    state: AtomicU64,
}

/// How far a request has got. It goes down this list, and is free again in the next turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// It uses no entry.
    Free,
    /// It is about to enter, or just has.
    Entering,
    /// It is in.
    Inside,
    /// It is about to leave, or just has.
    Leaving,
}

/// A request's turn at a slot, and the entry that it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slip {
    pub slot: u32,
    pub turn: u32,
    pub entry: u64,
}

impl Slip {
    pub(crate) fn mark(self, way: Way) -> Mark {
        Mark {
            slot: self.slot,
            turn: self.turn,
            way,
        }
    }

    // From the lowest: 2 bits for the state, 22 for the turn, 40 for the entry.
    fn word(self, state: State) -> u64 {
        let (turn, entry) = match state {
            State::Free => ((self.turn + 1) % TURNS, 0),
            _ => (self.turn, self.entry),
        };
        state as u64 | u64::from(turn) << TURN | entry << ENTRY
    }
}

const TURN: u32 = 2;
const ENTRY: u32 = 24;

/// The slots.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ledger<'m>(pub &'m [Slot]);

impl Ledger<'_> {
    /// Takes a slot: its number and turn. The search begins at `from`. `None` if there is none.
    pub(crate) fn take(self, owner: Owner, from: usize) -> Option<(u32, u32)> {
        let from = from % self.0.len().max(1);
        let behind = self.0.iter().enumerate().skip(from);
        let before = self.0.iter().enumerate().take(from);
        let (number, slot) = behind.chain(before).find(|(_, slot)| {
            slot.owner.load(Relaxed) == 0
                && slot
                    .owner
                    .compare_exchange(0, owner.number(), Acquire, Relaxed)
                    .is_ok()
        })?;
        // Nobody takes a slot before it is free.
        let turn = (slot.state.load(Acquire) >> TURN) as u32 % TURNS;
        Some((u32::try_from(number).ok()?, turn))
    }

    /// Says how far it has got, which nobody else may change now.
    pub(crate) fn set(self, slip: Slip, state: State) {
        if let Some(slot) = self.slot(slip.slot) {
            slot.state.store(slip.word(state), Release);
        }
    }

    /// The same, if it has got so far. False if it has not, or not in this turn.
    pub(crate) fn change(self, slip: Slip, from: State, to: State) -> bool {
        let (from, to) = (slip.word(from), slip.word(to));
        self.slot(slip.slot).is_some_and(|slot| {
            let changed = slot.state.compare_exchange(from, to, AcqRel, Relaxed);
            changed.is_ok()
        })
    }

    pub(crate) fn is(self, slip: Slip, state: State) -> bool {
        self.slot(slip.slot)
            .is_some_and(|slot| slot.state.load(Acquire) == slip.word(state))
    }

    /// Gives a slot back.
    pub(crate) fn give_back(self, slot: u32) {
        if let Some(slot) = self.slot(slot) {
            slot.owner.store(0, Release);
        }
    }

    /// Those that are taken: by whom, how far they have got, and the request.
    pub(crate) fn taken(self) -> impl Iterator<Item = (Owner, State, Slip)> {
        self.0.iter().zip(0..).filter_map(|(slot, number)| {
            let owner = Owner::of_number(slot.owner.load(Acquire))?;
            let (state, slip) = slot.read(number);
            Some((owner, state, slip))
        })
    }

    /// Whose a slot is, and how far it has got.
    pub(crate) fn read(self, number: u32) -> Option<(Owner, State, Slip)> {
        let slot = self.slot(number)?;
        let owner = Owner::of_number(slot.owner.load(Acquire))?;
        let (state, slip) = slot.read(number);
        Some((owner, state, slip))
    }

    fn slot(&self, number: u32) -> Option<&Slot> {
        self.0.get(number as usize)
    }
}

impl Slot {
    fn read(&self, number: u32) -> (State, Slip) {
        let word = self.state.load(Acquire);
        let state = match word & 3 {
            0 => State::Free,
            1 => State::Entering,
            2 => State::Inside,
            _ => State::Leaving,
        };
        let slip = Slip {
            slot: number,
            turn: (word >> TURN) as u32 % TURNS,
            entry: word >> ENTRY,
        };
        (state, slip)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slots(count: usize) -> Vec<Slot> {
        (0..count).map(|_| Slot::default()).collect()
    }

    #[test]
    fn a_slot_is_taken_once_and_its_next_turn_is_another() {
        let slots = slots(2);
        let ledger = Ledger(&slots);
        let owner = Owner::new(3, 1).unwrap();
        assert_eq!(ledger.take(owner, 1), Some((1, 0)));
        assert_eq!(ledger.take(owner, 1), Some((0, 0)));
        assert_eq!(ledger.take(owner, 7), None);
        let slip = Slip {
            slot: 1,
            turn: 0,
            entry: 9,
        };
        ledger.set(slip, State::Entering);
        assert_eq!(ledger.read(1), Some((owner, State::Entering, slip)));
        assert!(!ledger.change(slip, State::Inside, State::Leaving));
        assert!(ledger.change(slip, State::Entering, State::Free));
        ledger.give_back(1);
        assert_eq!(ledger.read(1), None);
        assert_eq!(ledger.take(owner, 0), Some((1, 1)));
        assert!(!ledger.change(slip, State::Entering, State::Inside));
        assert_eq!(ledger.taken().count(), 2);
    }

    #[test]
    fn turns_begin_anew_after_the_last() {
        let slots = slots(1);
        let ledger = Ledger(&slots);
        let slip = Slip {
            slot: 0,
            turn: TURNS - 1,
            entry: 0,
        };
        ledger.set(slip, State::Free);
        assert_eq!(ledger.take(Owner::ALONE, 0), Some((0, 0)));
    }

    #[test]
    fn there_may_be_no_slots() {
        assert_eq!(Ledger(&[]).take(Owner::ALONE, 5), None);
    }

    #[test]
    fn four_slots_are_a_line_of_the_cache() {
        assert_eq!(size_of::<Slot>(), 16);
    }
}
