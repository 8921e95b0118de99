//! An answer that has to be whole before it can be written in the client's form.

use super::{Answer, End, Flow, broken};
use crate::bedrock::{exception, verdict};
use crate::dialect::native::response::Observer;
use crate::dialect::{Meta, Reply, Unwritable};
use crate::facts::Facts;
use crate::family::Shape;
use crate::refusal::Refusal;

/// One answer, as far as it has come.
#[derive(Debug)]
pub struct Collected {
    observer: Observer,
    /// `None` once it was given away.
    whole: Option<Whole>,
    limit: usize,
    /// Whether it is written as a stream.
    streams: bool,
}

/// An answer that is whole, to be written in the client's form. How long that takes goes by its length, and it needs nothing
/// else, so that a thread can do it.
#[derive(Debug)]
pub struct Whole {
    reply: Reply,
    shape: Shape,
    meta: Meta,
    status: u16,
    /// What its headers or its body call it, if it is an error.
    exception: Option<String>,
    /// Whether this is the kind of answer that was asked for.
    expected: bool,
    body: Vec<u8>,
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
        let whole = Whole {
            reply: answer.reply.clone(),
            shape: answer.shape,
            meta,
            status,
            exception: None,
            expected,
            body: Vec::new(),
        };
        Self {
            observer,
            whole: Some(whole),
            limit: answer.max_frame_size,
            streams: answer.shape.is_whole,
        }
    }

    /// Whether the answer's header still waits for the whole.
    pub fn holds(&self) -> bool {
        self.whole.is_some()
    }

    /// What the answer is written as.
    pub fn content_type(&self) -> &'static str {
        match self.streams {
            true => "text/event-stream",
            false => "application/json",
        }
    }

    /// Takes the next bytes.
    pub fn push(&mut self, bytes: &[u8], facts: &mut Facts) -> Flow {
        let Some(whole) = &mut self.whole else {
            return Flow::Go;
        };
        self.observer.push(bytes, facts);
        if whole.body.len().saturating_add(bytes.len()) > self.limit {
            return Flow::Fail(broken(
                "Bedrock's answer is larger than this gateway takes: see bedrock_max_frame_size.",
            ));
        }
        whole.body.extend_from_slice(bytes);
        Flow::Hold
    }

    /// The upstream has ended cleanly, and the answer has more than `size` bytes: gives it away, to be written elsewhere.
    pub fn take(&mut self, size: usize, facts: &Facts) -> Option<Whole> {
        let mut whole = self.whole.take_if(|whole| whole.body.len() > size)?;
        whole.learn(facts);
        Some(whole)
    }

    /// The upstream has ended.
    pub fn finish(&mut self, clean: bool, facts: &Facts, out: &mut Vec<u8>) -> End {
        let Some(whole) = &mut self.whole else {
            return End::Clean;
        };
        if !clean && whole.status < 400 {
            return End::Fail(broken("Bedrock's answer ended early."));
        }
        whole.learn(facts);
        match whole.write() {
            Ok(mut written) => {
                out.append(&mut written);
                self.whole = None;
                End::Clean
            }
            Err(refusal) => End::Fail(refusal),
        }
    }
}

impl Whole {
    /// Takes what its own body has told by its end.
    fn learn(&mut self, facts: &Facts) {
        self.exception.clone_from(&facts.exception);
        self.meta.search_units = facts.search_units;
    }

    /// The answer in the client's form.
    ///
    /// # Errors
    /// What the client gets instead: the exception that it is, or 502 if it is not what Bedrock should have sent.
    pub fn write(&self) -> Result<Vec<u8>, Refusal> {
        if self.status >= 400 {
            let name = self.exception.as_deref();
            // Only who may use the gateway's own credentials has a dialect that is translated.
            let hidden = verdict::hidden(self.status, name, &self.body);
            return Err(
                hidden.unwrap_or_else(|| exception::of_answer(self.status, name, &self.body))
            );
        }
        let mut written = Vec::new();
        let result = match std::str::from_utf8(&self.body) {
            Ok(body) if self.expected => {
                self.reply.whole(self.shape, &self.meta, body, &mut written)
            }
            _ => Err(Unwritable::Unexpected),
        };
        match result {
            Ok(()) => Ok(written),
            Err(Unwritable::Failed(refusal)) => Err(*refusal),
            Err(Unwritable::Unexpected) => {
                Err(broken("Bedrock's answer was not what it should be."))
            }
        }
    }
}
