//! The service: its operations and paths, its models and hosts, its events and exceptions, its signature.

pub mod endpoint;
pub mod event;
pub mod exception;
pub mod invoke;
pub mod model_id;
pub mod operation;
pub mod path;
pub mod signing;
pub mod usage;

pub use operation::Operation;
