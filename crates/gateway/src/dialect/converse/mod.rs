//! The plain Converse form: Converse JSON at any path, with the model and `"stream": true` in the body. For clients that
//! are no AWS SDK. Answers are Bedrock's own, or SSE for clients that ask for it.

pub mod request;
pub mod stream;

// Whole answers and errors are Bedrock's own.
pub use super::native::{error, response};
