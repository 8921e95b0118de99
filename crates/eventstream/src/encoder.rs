use std::fmt;

use crate::header::Names;
use crate::prelude::{FRAME_OVERHEAD, Prelude};
use crate::{Header, Limits};

/// Appends a frame to `out`.
///
/// # Errors
///
/// What the specification forbids to send is refused, and `out` is left as it was. Whatever is
/// encoded can be decoded with [`Limits::default`].
pub fn encode(
    headers: &[Header<'_>],
    payload: &[u8],
    out: &mut Vec<u8>,
) -> Result<(), EncodeError> {
    let prelude = check(headers, payload)?;

    let start = out.len();
    out.reserve(prelude.total as usize);
    out.extend_from_slice(&prelude.to_bytes());
    for header in headers {
        header.write(out);
    }
    out.extend_from_slice(payload);

    let crc = crc32fast::hash(out.get(start..).unwrap_or_default());
    out.extend_from_slice(&crc.to_be_bytes());
    Ok(())
}

/// Why a frame cannot be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EncodeError {
    /// A header has no name.
    HeaderNameEmpty,
    /// A header's name is longer than 255 bytes.
    HeaderNameTooLong,
    /// A header's string or byte array is longer than 32,767 bytes.
    HeaderValueTooLong,
    /// Two headers have the same name.
    DuplicateHeader,
    /// The headers are longer than 128 KiB.
    HeadersTooLarge,
    /// The payload is longer than 24 MiB.
    PayloadTooLarge,
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::HeaderNameEmpty => "a header without a name",
            Self::HeaderNameTooLong => "a header's name is longer than 255 bytes",
            Self::HeaderValueTooLong => "a header's value is longer than 32,767 bytes",
            Self::DuplicateHeader => "a header occurs twice in one frame",
            Self::HeadersTooLarge => "more than 128 KiB of headers",
            Self::PayloadTooLarge => "more than 24 MiB of payload",
        })
    }
}

impl std::error::Error for EncodeError {}

/// Checks all that can be wrong, before the first byte is written.
fn check(headers: &[Header<'_>], payload: &[u8]) -> Result<Prelude, EncodeError> {
    let limits = Limits::default();
    let mut names = Names::default();
    let mut headers_len = 0;
    for header in headers {
        headers_len += header.wire_len()?;
        if headers_len > limits.max_headers {
            return Err(EncodeError::HeadersTooLarge);
        }
        if !names.insert(header.name.as_bytes()) {
            return Err(EncodeError::DuplicateHeader);
        }
    }
    if payload.len() > limits.max_payload {
        return Err(EncodeError::PayloadTooLarge);
    }

    // The limits above keep both sums far below 2^32.
    let headers = headers_len as u32;
    Ok(Prelude {
        total: FRAME_OVERHEAD + headers + payload.len() as u32,
        headers,
    })
}
