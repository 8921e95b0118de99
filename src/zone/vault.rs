//! Credentials that expire, in memory that all workers have: one of them fetches, all have what it got, and so do those of the next
//! configuration.

use std::sync::Arc;

use bedrock_credentials::{Board, Environment, Identity, Lock, Slot, Source};

use crate::nginx::conf::Conf;
use crate::nginx::is_alone;
use crate::nginx::robust::RobustMutex;
use crate::nginx::shared::{Began, SharedZone, Tag};

/// The zone.
pub type Vault = SharedZone<Memory>;

static TAG: Tag = Tag::new();

/// Its memory.
pub struct Memory {
    slots: &'static [Slot],
    mutex: &'static RobustMutex,
}

struct Door(&'static RobustMutex);

impl Lock for Door {
    fn hold(&self, work: &mut dyn FnMut()) -> bool {
        // What a process has left undone when it died is no credential yet.
        let held = self.0.lock();
        if held.is_some() {
            work();
        }
        held.is_some()
    }
}

/// Adds the zone, of `size` bytes. Of another size it begins empty.
///
/// # Errors
/// What is wrong.
pub fn add(cf: &Conf, size: usize) -> Result<&'static Vault, String> {
    SharedZone::add(cf, &TAG, NAME, size, |began, _| {
        let (Began::New(mut pages) | Began::Kept(mut pages) | Began::Resized(mut pages, _)) = began;
        let count = pages.left() / size_of::<Slot>();
        Some(Memory {
            slots: pages.take(count.saturating_sub(1).max(1))?,
            mutex: pages.mutex,
        })
    })
}

/// How many bytes are enough for so many sources.
pub fn enough_for(sources: usize) -> usize {
    let needed = sources.saturating_add(2).saturating_mul(size_of::<Slot>());
    needed.next_power_of_two().max(SMALLEST)
}

/// Where a source's credential is kept. `None` in a process without siblings, and where there is no room: each worker fetches by itself
/// then.
pub fn board(vault: &Vault, source: &Source, environment: &Environment) -> Option<Board> {
    let memory = vault.get().filter(|_| !is_alone())?;
    let door = Arc::new(Door(memory.mutex));
    Board::find(memory.slots, door, Identity::of(source, environment))
}

const NAME: &str = "bedrock_credentials";
/// Bytes: some sixty sources.
const SMALLEST: usize = 1 << 20;
