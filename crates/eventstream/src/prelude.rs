use crate::{Error, Limits};

/// The first twelve bytes of a frame, checked: the two lengths, and the checksum over them.
///
/// Holds once parsed: `16 + headers <= total`, and headers and payload are within the limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Prelude {
    /// Length of the whole frame in bytes, checksums included.
    pub(crate) total: u32,
    /// Length of the header block in bytes.
    pub(crate) headers: u32,
}

impl Prelude {
    /// Reads and checks a prelude. `crc` is a hasher that has seen nothing.
    #[inline]
    pub(crate) fn parse(
        bytes: &[u8; PRELUDE_LEN],
        limits: &Limits,
        crc: &crc32fast::Hasher,
    ) -> Result<Self, Error> {
        let &[t0, t1, t2, t3, h0, h1, h2, h3, c0, c1, c2, c3] = bytes;

        // "Both clients and servers MUST validate these checksums. If either checksum is invalid,
        // the stream MUST be terminated." This one first: without it the lengths mean nothing.
        let mut crc = crc.clone();
        crc.update(&[t0, t1, t2, t3, h0, h1, h2, h3]);
        let carried = u32::from_be_bytes([c0, c1, c2, c3]);
        let computed = crc.finalize();
        if carried != computed {
            return Err(Error::PreludeCrcMismatch { carried, computed });
        }

        let total = u32::from_be_bytes([t0, t1, t2, t3]);
        let headers = u32::from_be_bytes([h0, h1, h2, h3]);
        let Some(inside) = total.checked_sub(FRAME_OVERHEAD) else {
            return Err(Error::LengthTooSmall { total });
        };
        // "The encoded headers of a message MUST NOT exceed 131,072 bytes". Before the comparison
        // with the frame's length: a limit says more to an administrator.
        if headers as usize > limits.max_headers {
            return Err(Error::HeadersTooLarge {
                length: headers,
                limit: limits.max_headers,
            });
        }
        let Some(payload) = inside.checked_sub(headers) else {
            return Err(Error::HeadersLengthInvalid {
                length: headers,
                total,
            });
        };
        // "The payload of a message MUST NOT exceed 25,165,824 bytes".
        if payload as usize > limits.max_payload {
            return Err(Error::PayloadTooLarge {
                length: payload,
                limit: limits.max_payload,
            });
        }

        Ok(Self { total, headers })
    }

    /// The prelude on the wire, checksum included.
    pub(crate) fn to_bytes(self) -> [u8; PRELUDE_LEN] {
        let [t0, t1, t2, t3] = self.total.to_be_bytes();
        let [h0, h1, h2, h3] = self.headers.to_be_bytes();
        let crc = crc32fast::hash(&[t0, t1, t2, t3, h0, h1, h2, h3]);
        let [c0, c1, c2, c3] = crc.to_be_bytes();
        [t0, t1, t2, t3, h0, h1, h2, h3, c0, c1, c2, c3]
    }
}

/// Bytes of a prelude: total length, headers length, checksum.
pub(crate) const PRELUDE_LEN: usize = 12;
/// Bytes of a frame that are neither header nor payload: the prelude and the frame's checksum.
pub(crate) const FRAME_OVERHEAD: u32 = 16;
