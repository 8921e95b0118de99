//! One key, and what is counted for it.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};

use crate::key::Key;
use crate::ledger::{Ledger, Slip, State};
use crate::state::Record;

/// How many words there are for what is counted.
pub const WORDS: usize = 8;

/// A key's place: 128 bytes. All zero, it is empty.
#[derive(Debug, Default)]
#[repr(C, align(64))]
pub struct Entry {
    low: AtomicU64,
    high: AtomicU64,
    pub(crate) users: Users,
    /// When it was last asked for.
    touched: AtomicU64,
    /// For what is counted. They are zero for a new key.
    pub words: [AtomicU64; WORDS],
    label: [AtomicU64; LABEL_WORDS],
}

impl Entry {
    /// How many requests use it now.
    pub fn in_flight(&self) -> u32 {
        self.users.read().count
    }

    /// When it was last asked for, in the milliseconds of [`Zone::enter`](crate::Zone::enter).
    pub fn touched(&self) -> u64 {
        self.touched.load(Relaxed)
    }

    /// What it is shown as: 32 bytes at most, cut at a character.
    pub fn label(&self) -> String {
        let bytes: Vec<u8> = self
            .label
            .iter()
            .flat_map(|word| word.load(Relaxed).to_ne_bytes())
            .take_while(|byte| *byte != 0)
            .collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The key; `None` if it is empty.
    pub fn key(&self) -> Option<Key> {
        let (low, high) = (self.low.load(Acquire), self.high.load(Acquire));
        ((low, high) != (0, 0)).then(|| Key::of(low, high))
    }

    pub(crate) fn is(&self, key: Key) -> bool {
        self.key() == Some(key)
    }

    pub(crate) fn touch(&self, now: u64) {
        if self.touched() != now {
            self.touched.store(now, Relaxed);
        }
    }

    /// Empties it. It is closed, and stays so.
    pub(crate) fn empty(&self) {
        self.low.store(0, Relaxed);
        self.high.store(0, Release);
        for word in self.words.iter().chain(&self.label) {
            word.store(0, Relaxed);
        }
    }

    /// Fills it: it is empty, and closed, and stays so.
    pub(crate) fn fill(&self, key: Key, label: &[u8], now: u64) {
        self.set_label(label);
        self.touched.store(now, Relaxed);
        let (low, high) = key.halves();
        self.high.store(high, Relaxed);
        self.low.store(low, Release);
    }

    /// Keeps the label of a key that came without one, from a file. It is in use, so it stays its key's.
    pub(crate) fn name(&self, label: &[u8]) {
        let [first, ..] = &self.label;
        if first.load(Relaxed) == 0 {
            self.set_label(label);
        }
    }

    fn set_label(&self, label: &[u8]) {
        let label = cut(label);
        let (chunks, _) = label.as_chunks::<8>();
        for (word, bytes) in self.label.iter().zip(chunks) {
            word.store(u64::from_ne_bytes(*bytes), Relaxed);
        }
    }

    /// What is counted, for a file, in which this is the entry with the number `place`. `None` if it is empty.
    pub(crate) fn record(&self, place: u64) -> Option<Record> {
        Some(Record {
            key: self.key()?,
            place,
            touched: self.touched(),
            words: self.words.each_ref().map(|word| word.load(Acquire)),
        })
    }

    /// Takes what was counted from a file: this one is closed, and has its key.
    pub(crate) fn set_counts(&self, from: &Record) {
        for (here, there) in self.words.iter().zip(from.words) {
            here.store(there, Relaxed);
        }
    }

    /// Takes over what another one has counted: this one is closed, and has its key.
    pub(crate) fn copy_counts(&self, from: &Self) {
        let (here, there) = (self.words.iter(), from.words.iter());
        for (here, there) in here.zip(there) {
            here.store(there.load(Relaxed), Relaxed);
        }
        for (here, there) in self.label.iter().zip(&from.label) {
            here.store(there.load(Relaxed), Relaxed);
        }
        self.touched.store(from.touched(), Relaxed);
    }
}

/// As much of a label as there is room for, padded with zeroes.
fn cut(label: &[u8]) -> [u8; LABEL_WORDS * 8] {
    let mut room = [0; LABEL_WORDS * 8];
    let fits = |end: &usize| {
        // Not in the middle of a character: its other bytes are 10xxxxxx.
        label.get(*end).is_none_or(|byte| byte & 0xc0 != 0x80)
    };
    let end = (0..=label.len().min(room.len()))
        .rev()
        .find(fits)
        .unwrap_or(0);
    for (to, from) in room.iter_mut().zip(label.iter().take(end)) {
        *to = *from;
    }
    room
}

/// How many use an entry. The word also says who was the last to change that. Whoever changes it next sees to it first that the
/// ledger has that, too. So it can always be told whether somebody who died has changed it.
#[derive(Debug, Default)]
pub(crate) struct Users(AtomicU64);

/// Why an entry could not be entered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shut {
    /// So many use it already.
    Busy(u32),
    /// It is being given to another key.
    Closed,
}

impl Users {
    pub(crate) fn read(&self) -> Use {
        Use::of_word(self.0.load(Acquire))
    }

    /// One more, if they are below `most`. The ledger has `slip` as entering.
    pub(crate) fn enter(&self, ledger: Ledger<'_>, slip: Slip, most: u32) -> Result<(), Shut> {
        loop {
            let before = self.read();
            if before.closed {
                return Err(Shut::Closed);
            }
            if before.count >= most.min(MOST_USERS) {
                return Err(Shut::Busy(before.count));
            }
            let after = Use {
                count: before.count + 1,
                last: Some(slip.mark(Way::In)),
                closed: false,
            };
            if self.change(ledger, slip.entry, before, after) {
                return Ok(());
            }
        }
    }

    /// One less. The ledger has `slip` as leaving, and nobody else works on it.
    pub(crate) fn leave(&self, ledger: Ledger<'_>, slip: Slip) {
        loop {
            let before = self.read();
            // The ledger is looked at after the word: our mark is only overwritten when the ledger has what it says.
            if before.last == Some(slip.mark(Way::Out)) || !ledger.is(slip, State::Leaving) {
                return;
            }
            let after = Use {
                count: before.count.saturating_sub(1),
                last: Some(slip.mark(Way::Out)),
                closed: before.closed,
            };
            if self.change(ledger, slip.entry, before, after) {
                return;
            }
        }
    }

    /// Whether `slip`, which the ledger had as entering, has got in. Its owner is dead, so it never will if it has not.
    pub(crate) fn has_entered(&self, ledger: Ledger<'_>, slip: Slip) -> bool {
        // In this order, as above.
        self.read().last == Some(slip.mark(Way::In)) || !ledger.is(slip, State::Entering)
    }

    /// Lets nobody in. False if somebody is in.
    pub(crate) fn close(&self, ledger: Ledger<'_>, entry: u64) -> bool {
        let before = self.read();
        let after = Use {
            closed: true,
            ..before
        };
        before.count == 0 && self.change(ledger, entry, before, after)
    }

    /// Opens it, with `slip` in it, which the ledger has as entering.
    pub(crate) fn open_for(&self, slip: Slip) {
        let open = Use {
            count: 1,
            last: Some(slip.mark(Way::In)),
            closed: false,
        };
        self.0.store(open.word(), Release);
    }

    /// Opens it, with so many in it.
    pub(crate) fn open(&self, count: u32) {
        let open = Use {
            count,
            last: None,
            closed: false,
        };
        self.0.store(open.word(), Release);
    }

    fn change(&self, ledger: Ledger<'_>, entry: u64, before: Use, after: Use) -> bool {
        if let Some(Mark { slot, turn, way }) = before.last {
            let slip = Slip { slot, turn, entry };
            match way {
                Way::In => ledger.change(slip, State::Entering, State::Inside),
                Way::Out => ledger.change(slip, State::Leaving, State::Free),
            };
        }
        let (before, after) = (before.word(), after.word());
        let changed = self.0.compare_exchange(before, after, AcqRel, Relaxed);
        changed.is_ok()
    }
}

/// What the word of [`Users`] says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Use {
    pub count: u32,
    last: Option<Mark>,
    pub closed: bool,
}

/// Who has changed it last, and how. It was about this entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    pub slot: u32,
    pub turn: u32,
    pub way: Way,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    In,
    Out,
}

// From the lowest: 20 bits for the count, 20 for the slot and one, 22 for the turn, 1 for the way, 1 for being closed.
impl Use {
    fn of_word(word: u64) -> Self {
        let bits = |from: u32, count: u32| (word >> from) as u32 & ((1 << count) - 1);
        let way = match bits(WAY, 1) {
            0 => Way::In,
            _ => Way::Out,
        };
        Self {
            count: bits(0, SLOT),
            last: bits(SLOT, TURN - SLOT).checked_sub(1).map(|slot| Mark {
                slot,
                turn: bits(TURN, WAY - TURN),
                way,
            }),
            closed: bits(CLOSED, 1) == 1,
        }
    }

    fn word(self) -> u64 {
        let last = self.last.map_or(0, |mark| {
            u64::from(mark.slot + 1) << SLOT
                | u64::from(mark.turn) << TURN
                | u64::from(mark.way == Way::Out) << WAY
        });
        u64::from(self.count) | last | u64::from(self.closed) << CLOSED
    }
}

const SLOT: u32 = 20;
const TURN: u32 = 40;
const WAY: u32 = 62;
const CLOSED: u32 = 63;
/// How many may use an entry.
pub const MOST_USERS: u32 = (1 << SLOT) - 1;
/// How many slots there may be.
pub(crate) const MOST_SLOTS: usize = (1 << (TURN - SLOT)) - 1;
/// How often a slot is used before its turns begin anew.
pub(crate) const TURNS: u32 = 1 << (WAY - TURN);
const LABEL_WORDS: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_holds_what_it_is_given() {
        for (count, slot, turn, way, closed) in [
            (0, 0, 0, Way::In, false),
            (1, 0, TURNS - 1, Way::Out, true),
            (MOST_USERS, MOST_SLOTS as u32 - 1, 5, Way::In, true),
        ] {
            let last = Some(Mark { slot, turn, way });
            let all = Use {
                count,
                last,
                closed,
            };
            assert_eq!(Use::of_word(all.word()), all);
            let unmarked = Use { last: None, ..all };
            assert_eq!(Use::of_word(unmarked.word()), unmarked);
        }
        assert_eq!(Users::default().read().word(), 0);
    }

    #[test]
    fn labels_are_cut_at_a_character() {
        let label = |text: &str| {
            let entry = Entry::default();
            entry.fill(Key::of(1, 1), text.as_bytes(), 0);
            entry.label()
        };
        assert_eq!(label(""), "");
        assert_eq!(label("team-a"), "team-a");
        assert_eq!(label(&"a".repeat(32)), "a".repeat(32));
        assert_eq!(label(&"a".repeat(33)), "a".repeat(32));
        assert_eq!(label(&format!("{}é", "a".repeat(31))), "a".repeat(31));
        assert_eq!(
            label(&format!("{}é", "a".repeat(30))),
            format!("{}é", "a".repeat(30))
        );
    }

    #[test]
    fn an_entry_is_two_lines_of_the_cache() {
        assert_eq!((size_of::<Entry>(), align_of::<Entry>()), (128, 64));
    }
}
