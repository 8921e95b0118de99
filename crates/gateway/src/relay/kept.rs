//! A frame that may turn out to be about the gateway: what it says waits until that is known. An event does not wait.

use eventstream::Unfinished;

use super::LARGEST_ERROR;
use crate::dialect::native::stream::Corrupt;

/// What is kept back of a frame that is not whole.
#[derive(Debug, Default)]
pub struct Kept {
    bytes: Vec<u8>,
    /// What the frame was found to be, if that was looked at.
    known: Option<Unfinished>,
}

impl Kept {
    /// The frame is whole, and the client may have it: gives its beginning, if that waited.
    pub fn release(&mut self, out: &mut Vec<u8>) {
        self.known = None;
        if !self.bytes.is_empty() {
            out.append(&mut self.bytes);
        }
    }

    /// All has been read: whether the frame that has begun has to wait for its end. `new` are those of its bytes that came just
    /// now, and `look` tells what it is. If it need not wait, its beginning is given.
    ///
    /// # Errors
    /// It is no event, and larger than any error of AWS's.
    pub fn keeps(
        &mut self,
        new: &[u8],
        look: impl FnOnce() -> Option<Unfinished>,
        out: &mut Vec<u8>,
    ) -> Result<bool, Corrupt> {
        let sure =
            |known: &Unfinished| matches!(known, Unfinished::Event | Unfinished::Other { .. });
        self.known = self.known.filter(sure).or_else(look);
        match self.known {
            None => Ok(false),
            Some(Unfinished::Event | Unfinished::EventSoFar) => {
                out.append(&mut self.bytes);
                Ok(false)
            }
            Some(Unfinished::Other { payload }) if payload > LARGEST_ERROR => {
                Err(Corrupt::LargeException)
            }
            Some(Unfinished::Unknown | Unfinished::Other { .. }) => {
                self.bytes.extend_from_slice(new);
                Ok(true)
            }
        }
    }
}
