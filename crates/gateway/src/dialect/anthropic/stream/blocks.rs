//! The blocks of a message in events: their numbers, which are open, and how an event of each is written.

use crate::dialect::MOST_OPEN;
use crate::json::text::Literal;
use crate::json::writer::Writer;

/// The blocks of one message.
#[derive(Debug)]
pub struct Blocks {
    /// The number of the next block.
    next: u64,
    /// What a delta begins with, up to its kind, and the number of its block; most follow one of the same block.
    head: (u64, Vec<u8>),
    /// Blocks that have begun and not ended.
    open: Vec<Open>,
}

#[derive(Debug)]
struct Open {
    /// Its number at Bedrock.
    block: u64,
    /// Its number here.
    index: u64,
    kind: Kind,
}

/// What a block is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Text,
    Thinking,
    /// One that is given as a whole.
    Whole,
    ToolUse,
}

impl Default for Blocks {
    fn default() -> Self {
        Self {
            next: 0,
            head: (0, head_of(0)),
            open: Vec::new(),
        }
    }
}

impl Blocks {
    /// Writes a delta of the block with this number; `kind` is its type and the name of its value.
    pub fn delta(&mut self, index: u64, kind: &[u8], value: Literal<'_>, out: &mut Vec<u8>) {
        if self.head.0 != index {
            self.head = (index, head_of(index));
        }
        let (_, head) = &self.head;
        out.reserve(head.len() + kind.len() + value.0.len() + 4);
        for piece in [head, kind, value.0.as_bytes(), b"}}\n\n"] {
            out.extend_from_slice(piece);
        }
    }

    /// The number of this block, if it is open and of this kind.
    pub fn find(&self, block: u64, kind: Kind) -> Option<u64> {
        self.open
            .iter()
            .find(|open| open.block == block && open.kind == kind)
            .map(|open| open.index)
    }

    /// Begins a block, which is called `block` at Bedrock, with this content; gives its number.
    pub fn open(&mut self, block: u64, kind: Kind, content: Writer<'_>, out: &mut Vec<u8>) -> u64 {
        let index = self.next;
        self.next += 1;
        self.open.push(Open { block, index, kind });
        write_indexed("content_block_start", index, out);
        out.extend_from_slice(b",\"content_block\":");
        content.write_to(out);
        out.extend_from_slice(b"}\n\n");
        index
    }

    /// Ends the block that is called so at Bedrock, if it is open.
    pub fn close(&mut self, block: u64, out: &mut Vec<u8>) {
        let Some(place) = self.open.iter().position(|open| open.block == block) else {
            return;
        };
        let closed = self.open.remove(place);
        write_indexed("content_block_stop", closed.index, out);
        out.extend_from_slice(b"}\n\n");
    }

    /// The block that has been open for the longest time, as Bedrock calls it.
    pub fn first(&self) -> Option<u64> {
        self.open.first().map(|open| open.block)
    }

    /// Whether no more may be open at once.
    pub fn are_full(&self) -> bool {
        self.open.len() >= MOST_OPEN
    }
}

/// Writes an event that has these members beside its type.
pub fn write(name: &str, members: Writer<'_>, out: &mut Vec<u8>) {
    for piece in ["event: ", name, "\ndata: {\"type\":\"", name, "\","] {
        out.extend_from_slice(piece.as_bytes());
    }
    members.write_to(out);
    out.extend_from_slice(b"}\n\n");
}

/// Writes an event about a block, up to what more it says.
fn write_indexed(name: &str, index: u64, out: &mut Vec<u8>) {
    let index = index.to_string();
    for piece in [
        "event: ",
        name,
        "\ndata: {\"type\":\"",
        name,
        "\",\"index\":",
        &index,
    ] {
        out.extend_from_slice(piece.as_bytes());
    }
}

fn head_of(index: u64) -> Vec<u8> {
    let mut head = Vec::new();
    write_indexed("content_block_delta", index, &mut head);
    head.extend_from_slice(b",\"delta\":{\"type\":");
    head
}
