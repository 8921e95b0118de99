//! Answers that come in another shape than the client asked for, because its request had to be made otherwise for the model.

mod events;
mod fence;
mod held;
mod messages;
mod whole;

pub(super) use events::Shaped;
pub(super) use messages::{ShapedMessage, reshaped_message};
pub(super) use whole::{reshaped, write_events};
