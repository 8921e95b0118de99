//! An error whose bytes pass as they are, unless it is about the gateway itself.

use super::{End, Flow, broken};
use crate::bedrock::verdict;
use crate::dialect::native::response::Observer;
use crate::facts::Facts;

/// An error of Bedrock's, as far as it has come.
#[derive(Debug)]
pub struct Screened {
    observer: Observer,
    status: u16,
    body: Vec<u8>,
    /// Whether the answer's header still waits for the whole.
    holding: bool,
}

impl Screened {
    /// For an error with this status.
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
        if self.body.len().saturating_add(bytes.len()) > LARGEST {
            return Flow::Fail(broken("Bedrock's error is too large to be looked at."));
        }
        self.body.extend_from_slice(bytes);
        Flow::Hold
    }

    /// The upstream has ended.
    pub fn finish(&mut self, clean: bool, facts: &Facts) -> End {
        match verdict::hidden(self.status, facts.exception.as_deref(), &self.body) {
            Some(refusal) => End::Fail(refusal),
            None => {
                self.holding = false;
                self.body = Vec::new();
                match clean {
                    true => End::Clean,
                    false => End::Cut,
                }
            }
        }
    }
}

/// Far more than any error of AWS's.
const LARGEST: usize = 1 << 20;
