//! What Bedrock refuses inside a body for Claude: it goes, or becomes what Bedrock takes. What a family takes is said in
//! [`crate::family`]; here it is done to Anthropic's JSON, of which every byte stays that need not change.

mod conversation;
mod members;
mod survey;
mod tools;
mod walk;

pub use conversation::{messages, system};
pub use members::{Format, context_management, output_config, stop_sequences, thinking};
pub use survey::{Parts, Survey};
pub use tools::tools;
pub use walk::{Fit, spelt};
