//! JSON schemas in what Bedrock's models take: of a tool's input, and of an answer.

mod answer;
mod definitions;
mod input;

pub use answer::{of_answer, optional_properties};
pub use input::of_input;
