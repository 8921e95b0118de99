use crate::header::check_block;
use crate::{Error, Frame, Message};

/// The headers of the last frame, checked and read.
///
/// A stream of Bedrock's says `contentBlockDelta` in the same bytes hundreds of times in a row, so
/// nearly every header block is known to be good as soon as it equals the one before.
#[derive(Debug, Default)]
pub(crate) struct LastHeaders {
    /// A block that `check_block` has found no fault with; empty at first, which is a good block.
    block: Vec<u8>,
    /// If `block` is an event's, its `:event-type`.
    event_type: String,
    /// Whether it is.
    is_event: bool,
}

impl LastHeaders {
    /// Checks a header block, and remembers it if it is good.
    #[inline]
    pub(crate) fn check(&mut self, block: &[u8]) -> Result<(), Error> {
        if block == self.block {
            Ok(())
        } else {
            self.check_other(block)
        }
    }

    /// `:event-type` of the block checked last, if it is an event's and was remembered.
    #[inline]
    pub(crate) fn event_type(&self) -> Option<&str> {
        self.is_event.then_some(&self.event_type)
    }

    /// Whether a block is known to be an event's.
    pub(crate) fn is_events(&self, block: &[u8]) -> bool {
        self.is_event && block == self.block
    }

    #[inline(never)]
    fn check_other(&mut self, block: &[u8]) -> Result<(), Error> {
        check_block(block)?;
        self.block.clear();
        self.is_event = false;
        if block.len() <= LONGEST_KEPT {
            self.block.extend_from_slice(block);
            if let Ok(Message::Event { event_type, .. }) = Frame::of_headers(block).message() {
                self.event_type.clear();
                self.event_type.push_str(event_type);
                self.is_event = true;
            }
        }
        Ok(())
    }
}

/// Longest block in bytes that is remembered; Bedrock's are about 90 long.
const LONGEST_KEPT: usize = 512;
