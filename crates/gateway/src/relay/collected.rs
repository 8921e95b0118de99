//! An answer that has to be whole before it can be written in the client's form.

use super::{Answer, End, Flow, broken};
use crate::bedrock::exception;
use crate::dialect::native::response::Observer;
use crate::dialect::{Meta, Reply};
use crate::facts::Facts;

/// One answer, as far as it has come.
#[derive(Debug)]
pub struct Collected {
    observer: Observer,
    reply: Reply,
    meta: Meta,
    status: u16,
    /// Whether this is the kind of answer that was asked for.
    expected: bool,
    body: Vec<u8>,
    limit: usize,
    holding: bool,
}

impl Collected {
    /// For an answer with this status; `expected`: it is of the kind that was asked for.
    pub fn new(
        answer: &Answer,
        observer: Observer,
        meta: Meta,
        status: u16,
        expected: bool,
    ) -> Self {
        Self {
            observer,
            reply: answer.reply.clone(),
            meta,
            status,
            expected,
            body: Vec::new(),
            limit: answer.max_frame_size,
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
        if self.body.len().saturating_add(bytes.len()) > self.limit {
            return Flow::Fail(broken(
                "Bedrock's answer is larger than this gateway takes: see bedrock_max_frame_size.",
            ));
        }
        self.body.extend_from_slice(bytes);
        Flow::Hold
    }

    /// The upstream has ended.
    pub fn finish(&mut self, clean: bool, facts: &mut Facts, out: &mut Vec<u8>) -> End {
        if self.status >= 400 {
            return End::Fail(exception::of_answer(
                self.status,
                facts.exception.as_deref(),
                &self.body,
            ));
        }
        if !clean {
            return End::Fail(broken("Bedrock's answer ended early."));
        }
        let written = match std::str::from_utf8(&self.body) {
            Ok(body) if self.expected => self.reply.whole(&self.meta, body, out).is_ok(),
            _ => false,
        };
        if !written {
            out.clear();
            return End::Fail(broken("Bedrock's answer was not what it should be."));
        }
        self.body = Vec::new();
        self.holding = false;
        End::Clean
    }
}
