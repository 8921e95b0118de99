//! Texts of a stream that wait for what else comes: whether they are the answer, or stand around it.

use super::fence::{is_json, json_of};
use crate::family::AnswerText;

/// What waits.
#[derive(Debug)]
pub struct Held {
    answer: AnswerText,
    text: String,
    /// The block that it stands in.
    block: u64,
    passes: bool,
}

/// What becomes of a text.
#[derive(Debug, PartialEq, Eq)]
pub enum Fate {
    /// It goes on.
    Passes,
    /// It waits.
    Waits,
    /// What waited goes on with it.
    Goes(String),
}

impl Held {
    /// Nothing yet, of an answer whose text will be there.
    pub fn new(answer: AnswerText) -> Self {
        Self {
            answer,
            text: String::new(),
            block: 0,
            passes: false,
        }
    }

    /// More text, in this block.
    pub fn take(&mut self, block: u64, text: &str) -> Fate {
        if self.passes {
            return Fate::Passes;
        }
        if self.text.is_empty() {
            self.block = block;
        }
        self.text.push_str(text);
        // What begins as it should will go on so.
        if self.answer == AnswerText::Fence && is_json(self.text.trim_start()) {
            self.passes = true;
            return Fate::Goes(std::mem::take(&mut self.text).trim_start().to_owned());
        }
        Fate::Waits
    }

    /// The answer is whole: its text, and the block that it stands in. `in_tool`: the answer came by its tool.
    pub fn end(&mut self, in_tool: bool) -> Option<(u64, String)> {
        let text = std::mem::take(&mut self.text);
        // Texts beside the tool are none of the answer.
        let is_answer = !(self.answer == AnswerText::Tool && in_tool);
        let text = json_of(&text);
        (is_answer && !text.is_empty()).then(|| (self.block, text.to_owned()))
    }

    /// The block that waits, or has passed.
    pub fn block(&self) -> u64 {
        self.block
    }
}
