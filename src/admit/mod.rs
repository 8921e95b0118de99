//! Limits: asked before a request is sent, settled when it ends.

mod asked;
mod estimate;
mod headers;
mod held;
mod settled;

pub use asked::{Planned, ask, measures, soft};
pub use headers::headers;
pub use held::{Limits, Verdict};
pub use settled::{leave, settle};
