//! The wire format `application/vnd.amazon.eventstream`: decoding and encoding, and nothing else.
//!
//! A stream is frames, one after the other. All integers are big-endian, both checksums are
//! CRC-32 as in zlib.
//!
//! ```text
//!   0        4        8        12                                     total - 4   total
//!   ┌────────┬────────┬────────┬───────────────────┬──────────────────────┬────────┐
//!   │ total  │ headers│ CRC of │ headers           │ payload              │ CRC of │
//!   │ length │ length │ 0..8   │ (headers length)  │ (what is left)       │ 0..here│
//!   └────────┴────────┴────────┴───────────────────┴──────────────────────┴────────┘
//!    └───────── prelude ──────┘        │
//!                                      └─ each ┌──────────┬──────┬──────┬────────┐
//!                                              │ name len │ name │ type │ value  │
//!                                              │ 1 byte   │      │ 1    │ by type│
//!                                              └──────────┴──────┴──────┴────────┘
//! ```
//!
//! | type | value | | type | value |
//! |---|---|---|---|---|
//! | 0 | true, no bytes | | 5 | `i64` |
//! | 1 | false, no bytes | | 6 | bytes, after their length as `u16` |
//! | 2 | `i8` | | 7 | UTF-8, after its length as `u16` |
//! | 3 | `i16` | | 8 | timestamp, `i64` in ms |
//! | 4 | `i32` | | 9 | UUID, 16 bytes |
//!
//! The specification is <https://smithy.io/2.0/aws/amazon-eventstream.html>. Where it leaves
//! freedom: values of length zero, and of up to 65,535 bytes, are taken but (the latter) not sent;
//! the limits, which it wants of services alone, are checked here too, with a setting.
//!
//! # Example
//!
//! ```
//! use eventstream::{Decoder, Header, HeaderValue, Limits, Message};
//!
//! let mut stream = Vec::new();
//! let headers = [
//!     Header { name: ":event-type", value: HeaderValue::String("messageStop") },
//!     Header { name: ":message-type", value: HeaderValue::String("event") },
//! ];
//! eventstream::encode(&headers, br#"{"stopReason":"end_turn"}"#, &mut stream)?;
//!
//! let mut decoder = Decoder::new(Limits::default());
//! for mut read in stream.chunks(10) {
//!     while let Some(frame) = decoder.next(&mut read)? {
//!         let Message::Event { event_type, payload } = frame.message()? else { continue };
//!         assert_eq!(event_type, "messageStop");
//!         assert_eq!(payload, br#"{"stopReason":"end_turn"}"#);
//!     }
//! }
//! decoder.finish()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![forbid(unsafe_code)]

mod decoder;
mod encoder;
mod error;
mod frame;
mod header;
mod last_headers;
mod message;
mod prelude;
mod unfinished;

pub use decoder::{Decoder, Limits};
pub use encoder::{EncodeError, encode};
pub use error::Error;
pub use frame::Frame;
pub use header::{Header, HeaderValue, Headers};
pub use message::Message;
pub use unfinished::Unfinished;
