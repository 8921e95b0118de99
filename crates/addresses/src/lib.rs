//! Names that are looked up again and again: when to ask, who asks, and what becomes of an answer.
//!
//! ```text
//! "host:443" ── Question::of_server ──> Question    what a server line asks for, if it names a host
//! Question ── Lookups::start ──> Finished, …        asked in a thread of its own, so that none waits for another
//! Finished ── Slot::answered ──> Outcome            kept where all workers see it: the last good answer stays
//! ```
//!
//! No web server in it, and no look-up: the function that asks the system is the user's own.
#![forbid(unsafe_code)]

mod board;
mod lookups;
mod question;

pub use board::{Board, Outcome, Slot};
pub use lookups::{Answer, Finished, Lookup, Lookups, all};
pub use question::Question;

/// More addresses of one name than this are not used.
pub const MOST_ADDRESSES: usize = 256;

/// More names than this cannot be followed.
pub const MOST_NAMES: usize = if cfg!(test) { 8 } else { 128 };
