use crate::frame::headers_range;
use crate::header::{RawHeader, check_block};
use crate::last_headers::LastHeaders;
use crate::prelude::{FRAME_OVERHEAD, PRELUDE_LEN, Prelude};
use crate::{Frame, Message};

/// A frame whose end has not arrived, so that its checksum is not checked: what it claims to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unfinished {
    /// Not all of its headers have arrived. Those that have are an event's, and say nothing but its type.
    EventSoFar,
    /// Not all of its headers have arrived, and those that have do not look like an event's.
    Unknown,
    /// An event.
    Event,
    /// Anything else: an exception, an error, or what is going to be found at fault.
    Other {
        /// Length of its payload in bytes.
        payload: usize,
    },
}

impl Unfinished {
    /// Reads what there is of a frame behind its prelude.
    pub(crate) fn read(carry: &[u8], prelude: Prelude, last: &LastHeaders) -> Self {
        let Some(headers) = carry.get(headers_range(prelude)) else {
            return match may_be_events(carry.get(PRELUDE_LEN..).unwrap_or_default()) {
                true => Self::EventSoFar,
                false => Self::Unknown,
            };
        };
        let is_event = || {
            let message = || Frame::of_headers(headers).message();
            check_block(headers).is_ok() && matches!(message(), Ok(Message::Event { .. }))
        };
        match last.is_events(headers) || is_event() {
            true => Self::Event,
            false => Self::Other {
                payload: prelude
                    .total
                    .saturating_sub(prelude.headers)
                    .saturating_sub(FRAME_OVERHEAD) as usize,
            },
        }
    }
}

/// Whether the headers of an event may begin with these bytes.
fn may_be_events(mut block: &[u8]) -> bool {
    while !block.is_empty() {
        let begun = block;
        let Ok(header) = RawHeader::take(&mut block) else {
            let fits = |own: &&[u8]| begun.starts_with(own) || own.starts_with(begun);
            return EVENTS_OWN.iter().any(fits);
        };
        let is_own = match (header.name, header.string_bytes()) {
            (b":event-type" | b":content-type", Some(_)) => true,
            (b":message-type", value) => value == Some(b"event"),
            _ => false,
        };
        if !is_own {
            return false;
        }
    }
    true
}

/// How the headers of an event begin on the wire: name and type, and the value where there is only one.
const EVENTS_OWN: [&[u8]; 3] = [
    b"\x0b:event-type\x07",
    b"\x0d:content-type\x07",
    b"\x0d:message-type\x07\x00\x05event",
];
