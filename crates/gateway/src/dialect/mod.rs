//! What clients speak. Each dialect has the same four rooms: `request` (the client's request into Bedrock's), `response`
//! (a whole answer), `stream` (an answer in events), `error`.

pub mod converse;
pub mod native;

use crate::refusal::{ErrorAnswer, Refusal};

/// A dialect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Api {
    /// Bedrock's own paths.
    Native,
    /// Converse JSON at any path, model and stream in the body.
    Converse,
}

impl Api {
    /// The word in `bedrock_api` and `$bedrock_api`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Converse => "converse",
        }
    }

    /// An error as this dialect's clients expect it.
    pub fn error(self, refusal: &Refusal) -> ErrorAnswer {
        match self {
            // The plain Converse form has no error shape of its own.
            Self::Native | Self::Converse => native::error::answer(refusal),
        }
    }
}
