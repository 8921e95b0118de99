//! Server-sent events, decoded as they arrive.
//! <https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream>
//!
//! The decoder only reads: it keeps no more than the part of an event that has not wholly arrived, and an event that is
//! whole in one buffer is not copied. Reconnection (`id`, `retry`) is nothing a gateway takes part in.
#![forbid(unsafe_code)]

mod decoder;
mod event;

pub use decoder::{Decoder, TooLarge};
pub use event::Event;
