//! Which workers are alive, in a zone that all of them have: what a dead one has left is settled by the others.

use std::cell::RefCell;

use zone::Owner;

use crate::nginx::conf::Conf;
use crate::nginx::is_alone;
use crate::nginx::lives::{Alive, Life, Lives};
use crate::nginx::log::{Level, cycle_log};
use crate::nginx::shared::{Began, SharedZone, Tag};

/// The zone.
pub type Living = SharedZone<Lives<'static>>;

static TAG: Tag = Tag::new();

thread_local! {
    /// This worker's place.
    static ALIVE: RefCell<Option<Alive<'static>>> = const { RefCell::new(None) };
}

/// Adds the zone.
///
/// # Errors
/// What is wrong.
pub fn add(cf: &Conf) -> Result<&'static Living, String> {
    SharedZone::add(cf, &TAG, "bedrock_workers", SIZE, |began, _| {
        let (Began::New(mut pages) | Began::Kept(mut pages) | Began::Resized(mut pages, _)) = began;
        Some(Lives {
            door: pages.mutex,
            places: pages.take::<Life>(PLACES)?,
        })
    })
}

/// Takes a place for this worker.
pub fn join(living: &Living) {
    // What a process without siblings leaves is gone with it.
    if is_alone() {
        return;
    }
    let alive = living.get().and_then(|lives| lives.join());
    if alive.is_none() {
        cycle_log(
            Level::Alert,
            "bedrock: there are too many workers: if this one is killed, the requests that it had count as in progress until nginx is \
             started anew",
        );
    }
    ALIVE.set(alive);
}

/// Gives it back.
pub fn leave() {
    ALIVE.take();
}

/// Who this process is.
pub fn owner() -> Owner {
    ALIVE.with_borrow(|alive| alive.as_ref().map_or(Owner::ALONE, |alive| alive.owner))
}

/// How many workers there may be, those of earlier configurations included that have requests.
pub const PLACES: usize = 4096;
/// Bytes: the places, and what nginx needs for itself, generously.
const SIZE: usize = PLACES * size_of::<Life>() + (64 << 10);
