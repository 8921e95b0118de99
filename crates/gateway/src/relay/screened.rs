//! An answer whose bytes pass as they are, unless it is an error about the gateway itself. One that says it is good passes as soon
//! as it is seen not to be an error.

use super::{End, Flow, LARGEST_ERROR, broken};
use crate::bedrock::verdict;
use crate::dialect::native::response::Observer;
use crate::facts::Facts;
use crate::refusal::Refusal;

/// An answer of Bedrock's, as far as it has come.
#[derive(Debug)]
pub struct Screened {
    observer: Observer,
    status: u16,
    body: Vec<u8>,
    /// Whether the answer's header still waits for the whole.
    holding: bool,
}

impl Screened {
    /// For an answer with this status.
    pub fn new(observer: Observer, status: u16) -> Self {
        Self {
            observer,
            status,
            body: Vec::new(),
            holding: true,
        }
    }

    /// Whether the answer's header still waits for the whole.
    pub fn holds(&self) -> bool {
        self.holding
    }

    /// Takes the next bytes.
    pub fn push(&mut self, bytes: &[u8], facts: &mut Facts) -> Flow {
        self.observer.push(bytes, facts);
        if !self.holding {
            return Flow::Go;
        }
        if self.status < 300 && self.is_good(bytes) {
            self.holding = false;
            self.body = Vec::new();
            return Flow::Go;
        }
        if self.body.len().saturating_add(bytes.len()) > LARGEST_ERROR {
            return Flow::Fail(broken("Bedrock's error is too large to be looked at."));
        }
        self.body.extend_from_slice(bytes);
        Flow::Hold
    }

    /// Whether an answer, of which this is the next, is none of the forms that errors have.
    fn is_good(&self, bytes: &[u8]) -> bool {
        let blank = |byte: &&u8| !byte.is_ascii_whitespace();
        let first = self.body.iter().chain(bytes).find(blank);
        let too_large = self.body.len().saturating_add(bytes.len()) > LARGEST_ERROR;
        self.observer.is_models() || too_large || first == Some(&b'[')
    }

    /// The upstream has ended.
    pub fn finish(&mut self, clean: bool, facts: &Facts) -> End {
        let ended = |clean| match clean {
            true => End::Clean,
            false => End::Cut,
        };
        if !self.holding {
            return ended(clean);
        }
        let hidden = match self.status {
            ..300 => verdict::hidden_in_good(&self.body),
            300..400 => verdict::hidden(500, None, &self.body),
            status => verdict::hidden(status, facts.exception.as_deref(), &self.body),
        };
        match hidden {
            Some(refusal) => End::Fail(refusal),
            // A header alone would never leave before the connection is cut.
            None if !clean && self.body.is_empty() => End::Fail(match self.status {
                ..400 => broken("Bedrock's answer ended early."),
                status => Refusal::from_status(status),
            }),
            None => {
                self.holding = false;
                self.body = Vec::new();
                ended(clean)
            }
        }
    }
}
