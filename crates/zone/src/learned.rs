//! What is learned of things whose names come with requests: a fixed number of rows, each found by a hash. Nothing depends on it that
//! could not be learned again, so a row that there is no room for takes the place of another.

use std::hash::Hasher;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed};

use siphasher::sip::SipHasher13;

/// How many numbers a row has.
pub const NUMBERS: usize = 7;

/// One thing, and what is learned of it: 64 bytes. All zero, it is empty.
#[derive(Debug, Default)]
#[repr(C, align(64))]
pub struct Row {
    name: AtomicU64,
    /// Any value is a legal one: two processes that write at once may lose what one of them has learned.
    pub numbers: [AtomicU64; NUMBERS],
}

/// All rows.
#[derive(Clone, Copy, Debug)]
pub struct Learned<'m>(pub &'m [Row]);

/// The hash of a name. Never zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Name(u64);

impl Name {
    /// Of a name in parts, none of which has a zero byte.
    pub fn of(parts: &[&[u8]]) -> Self {
        let mut hasher = SipHasher13::new();
        for part in parts {
            hasher.write(part);
            hasher.write_u8(0);
        }
        Self(hasher.finish().max(1))
    }
}

impl<'m> Learned<'m> {
    /// What is known under this name.
    pub fn find(self, name: Name) -> Option<&'m Row> {
        let mut rows = self.rows(name).iter();
        rows.find(|row| row.name.load(Acquire) == name.0)
    }

    /// The same, or a row where nothing is known yet. `None` if there are no rows.
    pub fn find_or_make(self, name: Name) -> Option<&'m Row> {
        if let Some(row) = self.find(name) {
            return Some(row);
        }
        let rows = self.rows(name);
        let mut empty = rows.iter();
        let empty = empty.find(|row| row.name.load(Relaxed) == 0);
        // Another bit of the hash than the one that led here.
        let any = || rows.get((name.0 & 0xff) as usize % rows.len().max(1));
        let row = empty.or_else(any)?;
        let before = row.name.load(Relaxed);
        let is_ours = row
            .name
            .compare_exchange(before, name.0, AcqRel, Relaxed)
            .is_ok();
        if is_ours {
            for number in &row.numbers {
                number.store(0, Relaxed);
            }
        }
        is_ours.then_some(row)
    }

    /// Where a name may be.
    fn rows(self, name: Name) -> &'m [Row] {
        let groups = self.0.len() / GROUP;
        let group = (u128::from(name.0) * groups as u128) >> 64;
        let begin = usize::try_from(group).unwrap_or(0) * GROUP;
        self.0.get(begin..begin + GROUP).unwrap_or_default()
    }
}

const GROUP: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(count: usize) -> &'static [Row] {
        let rows: Vec<Row> = (0..count).map(|_| Row::default()).collect();
        Box::leak(rows.into_boxed_slice())
    }

    #[test]
    fn a_row_is_one_line_of_the_cache() {
        assert_eq!((size_of::<Row>(), align_of::<Row>()), (64, 64));
    }

    #[test]
    fn names_in_parts_are_told_apart() {
        assert_eq!(Name::of(&[b"a", b"bc"]), Name::of(&[b"a", b"bc"]));
        assert_ne!(Name::of(&[b"a", b"bc"]), Name::of(&[b"ab", b"c"]));
        assert_ne!(Name::of(&[b"a"]), Name::of(&[b"a", b""]));
    }

    #[test]
    fn what_is_learned_is_found_again() {
        let learned = Learned(rows(64));
        for number in 0..20_u64 {
            let name = Name::of(&[&number.to_le_bytes()]);
            assert!(learned.find(name).is_none());
            let row = learned.find_or_make(name).unwrap();
            row.numbers[0].store(number, Relaxed);
        }
        for number in 0..20_u64 {
            let name = Name::of(&[&number.to_le_bytes()]);
            let row = learned.find(name).unwrap();
            assert_eq!(row.numbers[0].load(Relaxed), number);
            assert!(std::ptr::eq(row, learned.find_or_make(name).unwrap()));
        }
    }

    #[test]
    fn a_new_name_takes_the_place_of_another_and_begins_with_nothing() {
        let learned = Learned(rows(8));
        for number in 0..100_u64 {
            let name = Name::of(&[&number.to_le_bytes()]);
            let row = learned.find_or_make(name).unwrap();
            assert!(row.numbers.iter().all(|number| number.load(Relaxed) == 0));
            row.numbers[3].store(7, Relaxed);
            assert!(learned.find(name).is_some());
        }
        assert!(Learned(rows(0)).find_or_make(Name::of(&[b"a"])).is_none());
    }
}
