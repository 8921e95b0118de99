//! Which processes are alive: each holds a lock of its own as long as it lives. Whoever cannot take the lock knows that it does,
//! in the very moment of its death too, whatever its user and its process id.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Acquire, Release};

use zone::Owner;

use super::robust::{Held, RobustMutex, Tried};

/// A place for a process that lives.
#[derive(Debug)]
#[repr(C)]
pub struct Life {
    mutex: RobustMutex,
    /// How many processes have had the place; 0: its mutex is none yet.
    generation: AtomicU64,
}

/// All places, in memory that all of those processes have.
#[derive(Clone, Copy, Debug)]
pub struct Lives<'m> {
    /// For whoever takes a place.
    pub door: &'m RobustMutex,
    /// The places.
    pub places: &'m [Life],
}

/// This process's place. Others take it for dead when this is dropped.
#[derive(Debug)]
pub struct Alive<'m> {
    /// What this process is to the others.
    pub owner: Owner,
    _held: Held<'m>,
}

impl<'m> Lives<'m> {
    /// Takes a place, for this thread, which is to be the process's main one. `None` if there is none.
    pub fn join(self) -> Option<Alive<'m>> {
        let _alone = self.door.lock()?;
        (0..).zip(self.places).find_map(|(number, place)| {
            let before = place.generation.load(Acquire);
            // SAFETY: nobody looks at a mutex of generation 0 but whoever has the door; the memory is that of workers, who end
            // without it being unmapped.
            if before == 0 && !unsafe { place.mutex.begin() } {
                return None;
            }
            let Tried::Held(held) = place.mutex.try_lock() else {
                return None;
            };
            place.generation.store(before + 1, Release);
            let owner = Owner::new(number, before + 1)?;
            Some(Alive { owner, _held: held })
        })
    }

    /// Whether a process is dead.
    pub fn is_dead(self, owner: Owner) -> bool {
        let Some((number, generation)) = owner.place() else {
            return false;
        };
        let Some(place) = self.places.get(number) else {
            return false;
        };
        let is_current = || place.generation.load(Acquire) == generation;
        // The place changes hands only while its mutex is held: by its new owner, or by us here.
        !is_current() || matches!(place.mutex.try_lock(), Tried::Held(_)) || !is_current()
    }
}
