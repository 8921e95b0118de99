//! Label sets -> records. Records are never removed, so one that was found stays right.

use std::hash::{DefaultHasher, Hasher};
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use zone::Lock;

/// Bytes of the longest name.
pub(crate) const LONGEST: usize = WORDS * 8;
const WORDS: usize = 66;

/// The name of a record: written once, before anybody is told of the record.
#[derive(Debug)]
#[repr(C)]
pub struct Name {
    length: AtomicU64,
    words: [AtomicU64; WORDS],
}

impl Default for Name {
    fn default() -> Self {
        Self {
            length: AtomicU64::new(0),
            words: [const { AtomicU64::new(0) }; WORDS],
        }
    }
}

impl Name {
    pub(crate) fn set(&self, name: &[u8]) {
        for (word, bytes) in self.words.iter().zip(name.chunks(8)) {
            let mut padded = [0; 8];
            padded
                .iter_mut()
                .zip(bytes)
                .for_each(|(to, from)| *to = *from);
            word.store(u64::from_ne_bytes(padded), Relaxed);
        }
        self.length.store(name.len().min(LONGEST) as u64, Relaxed);
    }

    fn is(&self, name: &[u8]) -> bool {
        self.length.load(Relaxed) == name.len() as u64
            && self.words.iter().zip(name.chunks(8)).all(|(word, bytes)| {
                let kept = word.load(Relaxed).to_ne_bytes();
                kept.get(..bytes.len()) == Some(bytes)
            })
    }

    /// As text.
    pub(crate) fn text(&self) -> String {
        let length = usize::try_from(self.length.load(Relaxed)).unwrap_or(0);
        let bytes = self
            .words
            .iter()
            .flat_map(|word| word.load(Relaxed).to_ne_bytes());
        let bytes: Vec<u8> = bytes.take(length).collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

/// A record of a table.
pub(crate) trait Named {
    fn name(&self) -> &Name;
}

/// Where a record stands: 8 bytes. All zero, none does.
#[derive(Debug, Default)]
#[repr(C)]
pub struct Slot(AtomicU64);

/// From the lowest: 24 bits for the record and one, 40 of the name's hash.
const RECORD: u32 = 24;

/// The records, and twice as many slots.
#[derive(Debug)]
pub(crate) struct Table<'m, R> {
    pub slots: &'m [Slot],
    pub records: &'m [R],
}

// Not derived, which would ask for `R: Copy`.
impl<R> Clone for Table<'_, R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<R> Copy for Table<'_, R> {}

impl<'m, R: Named> Table<'m, R> {
    /// The record of this name.
    pub fn find(self, name: &[u8]) -> Option<&'m R> {
        let hash = hash(name);
        self.probed(hash)
            .map(|slot| slot.0.load(Acquire))
            .take_while(|word| *word != 0)
            .find_map(|word| {
                let record = self.of_word(word, hash)?;
                record.name().is(name).then_some(record)
            })
    }

    /// The same; it is added if it is not there. `None` if there is no room.
    pub fn find_or_add(self, name: &[u8], lock: &impl Lock) -> Option<&'m R> {
        self.find(name).or_else(|| {
            // Whoever dies in there has either added it or not: nobody knows of it before its slot is written.
            lock.alone(|_| self.find(name).or_else(|| self.add(name)))?
        })
    }

    fn add(self, name: &[u8]) -> Option<&'m R> {
        // As the lock is held, nobody changes slots. Room is given out in order.
        let next = self
            .slots
            .iter()
            .map(|slot| slot.0.load(Relaxed) & MASK)
            .max();
        let next = next.unwrap_or(0);
        let record = self.records.get(usize::try_from(next).ok()?)?;
        record.name().set(name);
        let hash = hash(name);
        let slot = self.probed(hash).find(|slot| slot.0.load(Relaxed) == 0)?;
        slot.0.store(hash << RECORD | (next + 1), Release);
        Some(record)
    }

    /// All that there are.
    pub fn all(self) -> impl Iterator<Item = &'m R> {
        let words = self.slots.iter().map(|slot| slot.0.load(Acquire));
        words.filter_map(move |word| {
            let place = usize::try_from(word & MASK).ok()?.checked_sub(1)?;
            self.records.get(place)
        })
    }

    fn of_word(self, word: u64, hash: u64) -> Option<&'m R> {
        let place = usize::try_from(word & MASK).ok()?.checked_sub(1)?;
        (word >> RECORD == hash)
            .then(|| self.records.get(place))
            .flatten()
    }

    /// The slots in the order in which they are looked at for a hash.
    fn probed(self, hash: u64) -> impl Iterator<Item = &'m Slot> {
        let count = self.slots.len().max(1) as u64;
        let begin = usize::try_from(hash % count).unwrap_or(0);
        let (before, behind) = self.slots.split_at(begin.min(self.slots.len()));
        behind.iter().chain(before)
    }
}

/// 40 bits. It is the same in all processes; who chooses names to have the same one makes each look-up as slow as the table is
/// long, which is bounded.
fn hash(name: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(name);
    hasher.finish() >> RECORD
}

const MASK: u64 = (1 << RECORD) - 1;

#[cfg(test)]
mod tests {
    use super::*;
    use zone::Before;

    struct Free;

    impl Lock for Free {
        fn alone<T>(&self, work: impl FnOnce(Before) -> T) -> Option<T> {
            Some(work(Before::Done))
        }
    }

    struct Broken;

    impl Lock for Broken {
        fn alone<T>(&self, _: impl FnOnce(Before) -> T) -> Option<T> {
            None
        }
    }

    impl Named for Name {
        fn name(&self) -> &Name {
            self
        }
    }

    fn memory(records: usize) -> (Vec<Slot>, Vec<Name>) {
        (
            (0..2 * records).map(|_| Slot::default()).collect(),
            (0..records).map(|_| Name::default()).collect(),
        )
    }

    #[test]
    fn first_come_first_served() {
        let (slots, records) = memory(3);
        let table = Table {
            slots: &slots,
            records: &records,
        };
        for name in ["one", "two", "", "one"] {
            assert!(
                table.find_or_add(name.as_bytes(), &Free).is_some(),
                "{name}"
            );
        }
        assert!(table.find_or_add(b"four", &Free).is_none());
        assert!(table.find(b"four").is_none());
        let mut names: Vec<_> = table.all().map(Name::text).collect();
        names.sort();
        assert_eq!(names, ["", "one", "two"]);
    }

    #[test]
    fn names_of_all_lengths_are_told_apart() {
        let (slots, records) = memory(LONGEST);
        let table = Table {
            slots: &slots,
            records: &records,
        };
        let names: Vec<_> = (0..LONGEST).map(|length| "x".repeat(length)).collect();
        for name in &names {
            table.find_or_add(name.as_bytes(), &Free);
        }
        for name in &names {
            assert_eq!(table.find(name.as_bytes()).unwrap().text(), *name);
        }
    }

    #[test]
    fn who_dies_before_the_slot_is_written_has_added_nothing() {
        let (slots, records) = memory(2);
        let table = Table {
            slots: &slots,
            records: &records,
        };
        records[0].set(b"dead");
        assert!(table.find(b"dead").is_none());
        assert!(table.find_or_add(b"one", &Free).is_some());
        assert_eq!(records[0].text(), "one");
        assert!(table.find_or_add(b"two", &Free).is_some());
    }

    #[test]
    fn without_memory_or_lock_nothing_is_found() {
        let (slots, records) = memory(0);
        let table = Table {
            slots: &slots,
            records: &records,
        };
        assert!(table.find_or_add(b"one", &Free).is_none());
        let (slots, records) = memory(2);
        let table = Table {
            slots: &slots,
            records: &records,
        };
        assert!(table.find_or_add(b"one", &Broken).is_none());
    }
}
