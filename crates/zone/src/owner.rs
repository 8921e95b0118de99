//! Whose a slot of the ledger is.

use std::num::NonZeroU64;

/// A process, by its place in the table of the living and how many have had that place before it. It is not a process id, which
/// may come again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner(NonZeroU64);

impl Owner {
    /// The only process that there is: when it dies, the memory does.
    pub const ALONE: Self = Self(NonZeroU64::MAX);

    /// The `generation`th process at this place. `None` for a place above the highest.
    pub fn new(place: usize, generation: u64) -> Option<Self> {
        let place = u64::try_from(place).ok().filter(|place| *place < PLACES)?;
        let generation = generation & (u64::MAX >> PLACE_BITS);
        NonZeroU64::new(generation << PLACE_BITS | (place + 1)).map(Self)
    }

    /// Where in the table of the living, and the how manieth there; `None` for [`Owner::ALONE`].
    pub fn place(self) -> Option<(usize, u64)> {
        let number = self.0.get();
        let place = usize::try_from((number & MASK).checked_sub(1)?).ok()?;
        (self != Self::ALONE).then_some((place, number >> PLACE_BITS))
    }

    /// As one number, which is not 0.
    pub fn number(self) -> u64 {
        self.0.get()
    }

    /// Of [`Owner::number`]; `None` for 0.
    pub fn of_number(number: u64) -> Option<Self> {
        NonZeroU64::new(number).map(Self)
    }
}

const PLACE_BITS: u32 = 16;
const MASK: u64 = (1 << PLACE_BITS) - 1;
/// How many places there may be: no number of theirs is that of [`Owner::ALONE`].
const PLACES: u64 = MASK - 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owners_are_told_apart() {
        let first = Owner::new(0, 1).unwrap();
        assert_eq!(first.place(), Some((0, 1)));
        assert_ne!(Some(first), Owner::new(0, 2));
        assert_ne!(Some(first), Owner::new(1, 1));
        assert_eq!(Owner::of_number(first.number()), Some(first));
        assert_eq!(Owner::new(65_533, 9).unwrap().place(), Some((65_533, 9)));
        assert_eq!(Owner::new(65_534, 0), None);
        assert_eq!(Owner::ALONE.place(), None);
    }
}
