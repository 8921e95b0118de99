//! The last refusals of limits: a ring.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};

use crate::labels::Parts;
use crate::table::Name;

/// How many are kept.
pub const KEPT: usize = 64;

/// A refusal of a limit. There is nothing of the client's in it.
#[derive(Clone, Debug, PartialEq)]
pub struct Refusal {
    /// When, in milliseconds since 1970.
    pub time: u64,
    /// The zone.
    pub zone: String,
    /// The model that was to be called; empty where there was none.
    pub model: String,
    /// The status of the answer.
    pub status: u16,
    /// When the client may come back, in milliseconds.
    pub retry_after: u64,
    /// Whether it was let pass nevertheless.
    pub dry_run: bool,
}

/// A place in the ring. All zero, it is empty.
#[derive(Debug, Default)]
#[repr(C)]
struct Place {
    /// Twice how often it was written; one more while somebody writes.
    turn: AtomicU64,
    time: AtomicU64,
    retry_after: AtomicU64,
    /// The status, and 2^16 for a dry run.
    outcome: AtomicU64,
    /// The zone's name and the model, as [`crate::Labels`] joins them.
    name: Name,
}

/// The ring, in shared memory. All zero, it is empty.
#[derive(Debug)]
#[repr(C)]
pub struct Recent {
    next: AtomicU64,
    places: [Place; KEPT],
}

impl Default for Recent {
    fn default() -> Self {
        Self {
            next: AtomicU64::new(0),
            places: std::array::from_fn(|_| Place::default()),
        }
    }
}

impl Recent {
    /// Adds one, in the place of the oldest.
    pub(crate) fn add(&self, refusal: &Refusal) {
        let number = self.next.fetch_add(1, Relaxed);
        let Some(place) = usize::try_from(number)
            .ok()
            .and_then(|number| self.places.get(number % KEPT))
        else {
            return;
        };
        // Who finds it odd leaves it: somebody is there, or has died there; then the next to come by writes over it.
        let turn = place.turn.load(Relaxed);
        let begun = place.turn.compare_exchange(turn, turn | 1, AcqRel, Relaxed);
        if begun.is_err() {
            return;
        }
        place.time.store(refusal.time, Relaxed);
        place.retry_after.store(refusal.retry_after, Relaxed);
        place.outcome.store(
            u64::from(refusal.status) | u64::from(refusal.dry_run) << 16,
            Relaxed,
        );
        place
            .name
            .set(crate::Labels::new(&refusal.model, &refusal.zone, "").bytes());
        place.turn.store((turn | 1) + 1, Release);
    }

    /// What there is, newest first.
    pub(crate) fn read(&self) -> Vec<Refusal> {
        let mut all: Vec<_> = self.places.iter().filter_map(Place::read).collect();
        all.sort_by_key(|refusal| std::cmp::Reverse(refusal.time));
        all
    }
}

impl Place {
    /// `None` if it is empty, or being written.
    fn read(&self) -> Option<Refusal> {
        let turn = self.turn.load(Acquire);
        if turn == 0 || turn & 1 == 1 {
            return None;
        }
        let outcome = self.outcome.load(Relaxed);
        let name = self.name.text();
        let parts = Parts::of(&name);
        let refusal = Refusal {
            time: self.time.load(Relaxed),
            zone: parts.api.to_owned(),
            model: parts.model.to_owned(),
            status: (outcome & 0xffff) as u16,
            retry_after: self.retry_after.load(Relaxed),
            dry_run: outcome >> 16 != 0,
        };
        std::sync::atomic::fence(Acquire);
        (self.turn.load(Relaxed) == turn).then_some(refusal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(time: u64) -> Refusal {
        Refusal {
            time,
            zone: "tpm".to_owned(),
            model: "amazon.nova-lite-v1:0".to_owned(),
            status: 429,
            retry_after: 1500,
            dry_run: time == 7,
        }
    }

    #[test]
    fn the_last_are_kept_newest_first() {
        let ring = Recent::default();
        assert_eq!(ring.read(), []);
        for time in 1..=100 {
            ring.add(&refusal(time));
        }
        let kept: Vec<_> = (37..=100).rev().map(refusal).collect();
        assert_eq!(ring.read(), kept);
    }

    #[test]
    fn who_died_while_he_wrote_is_not_read_and_written_over() {
        let ring = Recent::default();
        ring.add(&refusal(1));
        ring.places[0].turn.fetch_or(1, Relaxed);
        assert_eq!(ring.read(), []);
        for time in 2..=65 {
            ring.add(&refusal(time));
        }
        assert_eq!(ring.read().len(), KEPT);
    }
}
