//! Everything a Bedrock gateway decides, with no web server in it.
//!
//! A request goes through five calls, in this order, and nothing else is shared with the server around it:
//!
//! ```text
//! inspect(api, method, path, body)   -> Request | Refusal    operation, requested model, stream
//! plan(request, settings, …, body)   -> Plan | Refusal       what to call, with which body and headers
//! plan.sign(credentials, hash, now)  -> headers
//! plan.relay(status, headers, now)   -> Relay                chosen by what the upstream really sent
//! relay.push(bytes, out) · relay.finish(clean, out) · relay.facts()
//! ```
//!
//! [`bedrock`] knows the service, [`family`] what its models take, [`dialect`] what clients speak, [`json`] how to change one member of a document and
//! leave the rest as it was.
#![forbid(unsafe_code)]

pub mod bedrock;
pub mod body;
pub mod dialect;
pub mod encoding;
pub mod facts;
pub mod family;
pub mod json;
mod limited;
pub mod measure;
pub mod plan;
pub mod refusal;
pub mod relay;
pub mod request;
pub mod settings;
pub mod target;

pub use body::{Body, Segment, Sink};
pub use dialect::Api;
pub use facts::{Facts, StreamStatus};
pub use limited::{LimitOf, Limited};
pub use measure::Measure;
pub use plan::{Plan, plan, plan_large};
pub use refusal::{ErrorAnswer, Refusal};
pub use relay::{End, Flow, Relay, Whole};
pub use request::{Request, inspect};
pub use settings::{Auth, Guardrail, Settings};
pub use target::Target;
