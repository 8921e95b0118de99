use std::ops::Range;

use crate::header::RawHeader;
use crate::last_headers::LastHeaders;
use crate::prelude::{PRELUDE_LEN, Prelude};
use crate::{Error, HeaderValue, Headers};

/// A whole frame, its checksums and headers checked, borrowed from where its bytes lie.
#[derive(Debug, Clone, Copy)]
pub struct Frame<'a> {
    /// The header block. `check_block` has found no fault with it.
    headers: &'a [u8],
    payload: &'a [u8],
    /// If set, the frame is an event and this is its `:event-type`, found before in an equal
    /// header block.
    event_type: Option<&'a str>,
}

impl<'a> Frame<'a> {
    /// The headers.
    pub fn headers(&self) -> Headers<'a> {
        Headers::new(self.headers)
    }

    /// The payload, as it was sent.
    #[inline]
    pub fn payload(&self) -> &'a [u8] {
        self.payload
    }

    /// The value of the header called `name`. Names are compared byte by byte, case included.
    pub fn header(&self, name: &str) -> Option<HeaderValue<'a>> {
        self.raw_headers()
            .find(|header| header.name == name.as_bytes())?
            .value()
            .ok()
    }

    /// The headers, not looked into.
    #[inline]
    pub(crate) fn raw_headers(&self) -> impl Iterator<Item = RawHeader<'a>> {
        let mut rest = self.headers;
        std::iter::from_fn(move || RawHeader::take(&mut rest).ok())
    }

    /// `:event-type`, if the frame is already known to be an event.
    #[inline]
    pub(crate) fn known_event_type(&self) -> Option<&'a str> {
        self.event_type
    }

    /// Checks the bytes of a whole frame: its checksum, and then its headers.
    #[inline]
    pub(crate) fn check(
        bytes: &[u8],
        prelude: Prelude,
        crc: &crc32fast::Hasher,
        last: &mut LastHeaders,
    ) -> Result<(), Error> {
        let (covered, carried) = bytes.split_last_chunk().ok_or(Error::Truncated)?;

        // "The checksum of all the data from the start of the message to the start of the
        // checksum", the prelude's own among them. Nothing of a frame is used before it is checked.
        let mut crc = crc.clone();
        crc.update(covered);
        let carried = u32::from_be_bytes(*carried);
        let computed = crc.finalize();
        if carried != computed {
            return Err(Error::MessageCrcMismatch { carried, computed });
        }

        last.check(bytes.get(headers_range(prelude)).unwrap_or_default())
    }

    /// Cuts up the bytes of a frame that [`Self::check`] has just found no fault with.
    #[inline]
    pub(crate) fn cut(bytes: &'a [u8], prelude: Prelude, last: &'a LastHeaders) -> Self {
        let headers = headers_range(prelude);
        let payload = headers.end..prelude.total as usize - MESSAGE_CRC_LEN;
        Self {
            headers: bytes.get(headers).unwrap_or_default(),
            payload: bytes.get(payload).unwrap_or_default(),
            event_type: last.event_type(),
        }
    }

    /// A frame out of headers alone, which `check_block` has found no fault with.
    pub(crate) fn of_headers(headers: &'a [u8]) -> Self {
        Self {
            headers,
            payload: &[],
            event_type: None,
        }
    }
}

/// Where the headers lie in a frame. Inside of it, by what a [`Prelude`] holds.
#[inline]
pub(crate) fn headers_range(prelude: Prelude) -> Range<usize> {
    PRELUDE_LEN..PRELUDE_LEN + prelude.headers as usize
}

/// Bytes of the checksum at the end of a frame.
const MESSAGE_CRC_LEN: usize = 4;
