//! What nginx's workers know together: keys, and what is counted for each.
//!
//! All of it is plain integers in shared memory, and zero means "empty". Any process may be killed at any instruction, and the
//! memory is right a moment later: nobody but the dead one's own request is lost, and nothing is counted for ever.
//!
//! ```text
//! owner    who took a place: a process, by its place in a table of the living
//! key      128 bits of a keyed hash
//! entry    one key: how many requests use it, and words for what is counted
//! ledger   one slot for each request that uses an entry, so that the living can settle for the dead
//! table    keys -> entries: two buckets of eight for each, found without a lock, filled and emptied under one
//! zone     the three together: enter, leave, heal
//! moved    what is in one memory goes into another
//! state    the bytes of a file that outlives the memory
//! learned  rows by the hash of a name, for what may be forgotten: no keys, no requests
//! ```
//!
//! What is counted in an entry's words, and what it means, is not known here.

#![forbid(unsafe_code)]

mod entry;
mod forced;
mod header;
mod key;
mod learned;
mod ledger;
mod lock;
mod moved;
mod owner;
mod state;
mod table;
mod zone;

pub use entry::{Entry, MOST_USERS, WORDS};
#[cfg(feature = "forced-deaths")]
pub use forced::on_reaching;
pub use header::{Header, Said, Writer};
pub use key::{Key, Seed};
pub use learned::{Learned, NUMBERS, Name, Row};
pub use ledger::Slot;
pub use lock::{Before, Lock};
pub use moved::Lost;
pub use owner::Owner;
pub use state::{Clocks, Flaw, Record, State, check_magic};
pub use table::{Asks, Bucket, Tenant};
pub use zone::{NotEntered, Parts, Place, Sizes, Zone};
