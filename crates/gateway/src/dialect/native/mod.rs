//! Bedrock's own form: paths, Converse JSON, event streams. Bytes pass as they are. What a stream says is read in `events`
//! for Converse and in `invoke` for the models' own forms; the vendors' own APIs are in `vendor` and `server_sent`.

mod agent;
pub mod error;
pub mod events;
pub mod invoke;
pub mod request;
pub mod response;
pub mod server_sent;
pub mod stream;
pub mod vendor;
