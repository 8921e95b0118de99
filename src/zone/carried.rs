//! What a limit counts, between the words of an entry and a file. The file outlives the memory, and two that run at the same time, as
//! after `USR2`, learn from it what the other one has counted.

use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use zone::{Clocks, Entry, Record};

use super::meter::{Alone, KIND, SYNCED, USED, WINDOW, arrival_of, change, used_of, word};

/// What the words of a zone's entries are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Those of rates.
    Rate,
    /// Those of budgets.
    Budget,
}

/// A record as it stands in a file: how far the file is known is not in it.
pub fn for_file(mut record: Record) -> Record {
    if let Some(synced) = record.words.get_mut(SYNCED) {
        *synced = 0;
    }
    record
}

/// Begins with what a file had for an entry, in a memory that nobody else sees.
pub fn begin(entry: &Entry, kind: Kind, then: &Clocks, now: &Clocks) {
    match kind {
        Kind::Rate => {
            let arrival = arrival_of(entry);
            arrival.store(then.carry(arrival.load(Relaxed), now), Relaxed);
        }
        Kind::Budget => {
            let used = used_of(entry).load(Relaxed);
            word(entry, SYNCED).store(used, Relaxed);
        }
    }
}

/// Takes over what another memory has counted for an entry since the file was last known here.
///
/// Of a budget it is what the file has more, or less, than then. Of a rate nobody can tell: the later arrival time holds.
pub fn absorb(
    entry: &Entry,
    kind: Kind,
    record: &Record,
    (then, now): (&Clocks, &Clocks),
    alone: Alone<'_>,
) {
    let of_record = |place| record.words.get(place).copied().unwrap_or(0);
    match kind {
        Kind::Rate => {
            let carried = then.carry(of_record(WINDOW), now);
            let _ = change(arrival_of(entry), |own| Ok::<_, ()>(own.max(carried)));
        }
        Kind::Budget => {
            word(entry, KIND).fetch_max(of_record(KIND), Relaxed);
            alone(&|| absorb_spent(entry, of_record(WINDOW), of_record(USED)));
        }
    }
}

/// For whoever has the lock: the window stays.
fn absorb_spent(entry: &Entry, window: u64, used: u64) {
    let (known, synced) = (word(entry, WINDOW), word(entry, SYNCED));
    let own = known.load(Acquire);
    if window < own {
        return;
    }
    let before = match window == own {
        true => synced.load(Relaxed),
        false => {
            // As meter has it: what was used in the window before is over.
            used_of(entry).store(0, Relaxed);
            0
        }
    };
    // First what is known, then what is added: who dies between the two has forgotten what another one counts in a few seconds.
    synced.store(used, Relaxed);
    let add = |own: u64| Ok::<_, ()>(own.saturating_add(used).saturating_sub(before));
    let _ = change(used_of(entry), add);
    known.store(window, Release);
}

/// The file has this of an entry now. For whoever has the lock.
pub fn synced(entry: &Entry, kind: Kind, record: &Record) {
    let is_same = || {
        let window = record.words.get(WINDOW).copied();
        entry.key() == Some(record.key) && window == Some(word(entry, WINDOW).load(Acquire))
    };
    if kind == Kind::Budget
        && is_same()
        && let Some(used) = record.words.get(USED)
    {
        word(entry, SYNCED).store(*used, Relaxed);
    }
}
