//! What nginx's workers have counted together, and how it is shown.
//!
//! Counting is done in shared memory, in words that any process may be killed in the middle of changing: each word is right by itself,
//! and nobody waits for anybody.
//!
//! ```text
//! labels     what sets of counters are told apart by, as text of a bounded length
//! table      label sets -> records: found without a lock, added under one, never removed
//! record     the counters of a label set, those of a model
//! histogram  how often a value was within which bounds
//! ended      a request that has ended
//! counters   all of it: such a request is counted in one call
//! present    what is under way, by process
//! recent     the last refusals of limits
//! snapshot   a copy of all counters as plain values, with what else is known at that moment
//! read       how that is made
//! exposition how the text formats of Prometheus and OpenMetrics are written
//! text       a snapshot in one of them
//! document   a snapshot as JSON, for the page and for programs
//! ```

#![forbid(unsafe_code)]

mod counters;
mod document;
mod ended;
mod exposition;
mod histogram;
mod labels;
mod present;
mod read;
mod recent;
mod record;
mod snapshot;
mod table;
mod text;

pub use counters::{Counters, Header, Parts, Sizes};
pub use document::document;
pub use ended::{Ended, Tokens, UsageUnknown};
pub use exposition::Format;
pub use histogram::Distribution;
pub use labels::{LONGEST_LABEL_NAME, Labels, MOST_LABELS, is_label_name};
pub use present::{Present, Under};
pub use recent::{Recent, Refusal};
pub use record::{ModelRecord, Series};
pub use snapshot::{
    Counted, Credentials, CredentialsState, KeyUse, LimitKind, LimitResults, LimitUnit, LimitZone,
    ModelCounts, PriceFile, SeriesCounts, Snapshot,
};
pub use table::Slot;
pub use text::text;
