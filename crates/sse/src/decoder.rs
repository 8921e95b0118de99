//! From bytes to events, however the bytes are cut.

use std::fmt;

use memchr::memchr2;

use crate::event::Event;

/// Decodes one stream.
#[derive(Debug)]
pub struct Decoder {
    /// The bytes of an event that is not whole yet; or, where `given`, of the event that was given out last.
    kept: Vec<u8>,
    given: bool,
    limit: usize,
    /// Whether the line that has begun has no bytes yet: if it ends so, it ends the event.
    line_is_empty: bool,
    /// Whether the byte before was a carriage return: a line feed after it ends no other line.
    after_return: bool,
    /// Whether nothing of the stream was read yet, so that a byte order mark may come.
    at_start: bool,
}

impl Decoder {
    /// A decoder that takes no event of more than `limit` bytes, comments and line ends included.
    pub fn new(limit: usize) -> Self {
        Self {
            kept: Vec::new(),
            given: false,
            limit,
            line_is_empty: true,
            after_return: false,
            at_start: true,
        }
    }

    /// Takes the next event off `input`; `None` once all of it is read.
    ///
    /// # Errors
    /// An event is larger than the limit. Nothing that follows is understood.
    pub fn next<'b, 'i: 'b>(
        &'b mut self,
        input: &mut &'i [u8],
    ) -> Result<Option<Event<'b>>, TooLarge> {
        if std::mem::take(&mut self.given) {
            self.kept.clear();
        }
        loop {
            let end = self.end_of_event(input);
            let (block, rest) = input
                .split_at_checked(end.unwrap_or(input.len()))
                .unwrap_or((input, &[]));
            if self.kept.len().saturating_add(block.len()) > self.limit {
                return Err(TooLarge);
            }
            *input = rest;
            if end.is_none() {
                self.kept.extend_from_slice(block);
                return Ok(None);
            }
            if self.kept.is_empty() {
                if let Some(event) = Event::parse(self.without_mark(block)) {
                    return Ok(Some(event));
                }
                continue;
            }
            self.kept.extend_from_slice(block);
            if self.at_start && self.kept.starts_with(BYTE_ORDER_MARK) {
                self.kept.drain(..BYTE_ORDER_MARK.len());
            }
            self.at_start = false;
            if Event::parse(&self.kept).is_some() {
                self.given = true;
                return Ok(Event::parse(&self.kept));
            }
            self.kept.clear();
        }
    }

    /// The bytes of the event that is not whole yet, once all input is read.
    pub fn unfinished(&self) -> &[u8] {
        match self.given {
            true => &[],
            false => &self.kept,
        }
    }

    fn without_mark<'b>(&mut self, block: &'b [u8]) -> &'b [u8] {
        let start = std::mem::take(&mut self.at_start);
        block
            .strip_prefix(BYTE_ORDER_MARK)
            .filter(|_| start)
            .unwrap_or(block)
    }

    /// Where the event ends whose next bytes these are, which is after an empty line.
    fn end_of_event(&mut self, input: &[u8]) -> Option<usize> {
        let mut at = 0;
        while let Some(rest) = input.get(at..).filter(|rest| !rest.is_empty()) {
            if std::mem::take(&mut self.after_return) && rest.first() == Some(&b'\n') {
                at += 1;
                continue;
            }
            let Some(length) = memchr2(b'\r', b'\n', rest) else {
                self.line_is_empty = false;
                return None;
            };
            self.after_return = rest.get(length) == Some(&b'\r');
            at += length + 1;
            let was_empty = self.line_is_empty && length == 0;
            self.line_is_empty = true;
            if was_empty {
                return Some(at);
            }
        }
        None
    }
}

/// An event is larger than the decoder takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLarge;

impl fmt::Display for TooLarge {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a server-sent event is larger than the limit")
    }
}

impl std::error::Error for TooLarge {}

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
