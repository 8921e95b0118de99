use std::fmt;

/// Why a stream of frames is broken, or why a whole frame has no meaning.
///
/// The specification has a receiver end the stream at the first bad frame, so none of these can be
/// recovered from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Error {
    /// The first eight bytes do not match their checksum: the stream is damaged, or is not an event
    /// stream at all (a proxy's HTML page, for instance).
    PreludeCrcMismatch {
        /// The checksum the frame carries.
        carried: u32,
        /// The checksum of the bytes that arrived.
        computed: u32,
    },
    /// The frame says it is shorter than the 16 bytes that every frame has.
    LengthTooSmall {
        /// Length of the whole frame in bytes, as claimed.
        total: u32,
    },
    /// The header block is longer than [`Limits::max_headers`](crate::Limits::max_headers).
    HeadersTooLarge {
        /// Length of the header block in bytes, as claimed.
        length: u32,
        /// The limit in bytes.
        limit: usize,
    },
    /// The header block is longer than the frame it is in.
    HeadersLengthInvalid {
        /// Length of the header block in bytes, as claimed.
        length: u32,
        /// Length of the whole frame in bytes, as claimed.
        total: u32,
    },
    /// The payload is longer than [`Limits::max_payload`](crate::Limits::max_payload).
    PayloadTooLarge {
        /// Length of the payload in bytes, as claimed.
        length: u32,
        /// The limit in bytes.
        limit: usize,
    },
    /// The frame does not match its checksum.
    MessageCrcMismatch {
        /// The checksum the frame carries.
        carried: u32,
        /// The checksum of the bytes that arrived.
        computed: u32,
    },
    /// A header has no name.
    HeaderNameEmpty,
    /// A header value has a type that the format does not define.
    UnknownHeaderType {
        /// The type byte; the format defines 0 to 9.
        kind: u8,
    },
    /// A header runs past the end of the header block.
    HeaderTruncated,
    /// A header name or string value is not UTF-8.
    InvalidUtf8,
    /// Two headers of one frame have the same name.
    DuplicateHeader,
    /// The stream ended inside a frame.
    Truncated,
    /// There is no `:message-type` header of type string.
    MissingMessageType,
    /// `:message-type` is none of `event`, `exception` and `error`.
    UnknownMessageType,
    /// An event has no `:event-type` header of type string.
    MissingEventType,
    /// An exception has no `:exception-type` header of type string.
    MissingExceptionType,
    /// An error has no `:error-code` header of type string.
    MissingErrorCode,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::PreludeCrcMismatch { carried, computed } => write!(
                f,
                "not an event stream, or a damaged one: \
                 the prelude's checksum is {computed:08x}, the frame says {carried:08x}"
            ),
            Self::LengthTooSmall { total } => {
                write!(f, "a frame of {total} bytes, shorter than any can be")
            }
            Self::HeadersTooLarge { length, limit } => {
                write!(
                    f,
                    "{length} bytes of headers in a frame, over the limit of {limit}"
                )
            }
            Self::HeadersLengthInvalid { length, total } => {
                write!(
                    f,
                    "{length} bytes of headers do not fit in a frame of {total} bytes"
                )
            }
            Self::PayloadTooLarge { length, limit } => {
                write!(
                    f,
                    "{length} bytes of payload in a frame, over the limit of {limit}"
                )
            }
            Self::MessageCrcMismatch { carried, computed } => write!(
                f,
                "a damaged frame: its checksum is {computed:08x}, the frame says {carried:08x}"
            ),
            Self::HeaderNameEmpty => f.write_str("a header without a name"),
            Self::UnknownHeaderType { kind } => write!(f, "a header of the unknown type {kind}"),
            Self::HeaderTruncated => f.write_str("a header runs past the end of the headers"),
            Self::InvalidUtf8 => f.write_str("a header's name or string value is not UTF-8"),
            Self::DuplicateHeader => f.write_str("a header occurs twice in one frame"),
            Self::Truncated => f.write_str("the stream ended inside a frame"),
            Self::MissingMessageType => f.write_str("a frame without a :message-type"),
            Self::UnknownMessageType => f.write_str("a frame with an unknown :message-type"),
            Self::MissingEventType => f.write_str("an event without an :event-type"),
            Self::MissingExceptionType => f.write_str("an exception without an :exception-type"),
            Self::MissingErrorCode => f.write_str("an error without an :error-code"),
        }
    }
}

impl std::error::Error for Error {}
