//! The service: its operations and paths, its models and hosts, its events and exceptions, its signature.

pub mod converse;
pub mod endpoint;
pub mod event;
pub mod exception;
pub mod invoke;
pub mod model_id;
pub mod openai;
pub mod operation;
pub mod path;
pub mod rerank;
mod secrets;
pub mod sent;
pub mod signing;
mod signing_key;
pub mod stop;
pub mod usage;
mod vendor_api;
pub mod verdict;

pub use operation::Operation;
pub use vendor_api::VendorApi;
