//! Converse's rules for turns: they alternate, and what is in one keeps to an order.

use super::runs::{Run, grow};
use super::strings::Str;
use super::{Block, CachePoint, Cached, ConverseRequest, Message, Role};

/// What is being said: blocks that are added one after the other.
#[derive(Clone, Copy, Debug)]
pub struct Said {
    /// The blocks so far.
    pub run: Run,
    /// Where they are.
    level: Level,
    /// The last cache point that a tool's result asked for, which has none within.
    pub point: Option<CachePoint>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Level {
    /// In a turn: [`ConverseRequest::blocks`].
    Turn,
    /// In what a tool gave: [`ConverseRequest::results`].
    Result,
}

impl Said {
    /// Whether this is what a tool gave, rather than a turn.
    pub fn is_result(&self) -> bool {
        self.level == Level::Result
    }
}

impl<'a> ConverseRequest<'a> {
    /// Begins what is said in a turn.
    pub fn begin_turn(&self) -> Said {
        Said {
            run: self.blocks.start(),
            level: Level::Turn,
            point: None,
        }
    }

    /// Begins what a tool gave.
    pub fn begin_result(&self) -> Said {
        Said {
            run: self.results.start(),
            level: Level::Result,
            point: None,
        }
    }

    /// Adds a block.
    pub fn push(&mut self, said: &mut Said, block: Block) {
        match said.level {
            Level::Turn => self.blocks.push(&mut said.run, Cached::plain(block)),
            Level::Result => self.results.push(&mut said.run, block),
        }
    }

    /// Adds text, unless it is blank: Bedrock refuses that.
    pub fn push_text(&mut self, said: &mut Said, text: Str) {
        if !self.strings.is_blank(text) {
            self.push(said, Block::Text(text));
        }
    }

    /// Puts a cache point after the last block.
    pub fn end_with(&mut self, point: Option<CachePoint>, said: &mut Said) {
        let Some(point) = point.filter(|_| !said.run.is_empty()) else {
            return;
        };
        match said.level {
            Level::Turn => {
                if let Some(last) = self.blocks.get_mut(said.run).last_mut() {
                    last.point = Some(point);
                }
            }
            Level::Result => said.point = Some(point),
        }
    }

    /// Whether what is said is text and nothing else.
    pub fn is_text(&self, said: Said) -> bool {
        let mut blocks = self.blocks.get(said.run).iter();
        blocks.all(|block| matches!(block.item, Block::Text(_)))
    }

    /// Makes instructions of what is said; `false` if there is more than text in it, for instructions hold nothing else.
    pub fn instruct(&mut self, said: Said) -> bool {
        for Cached { item, point } in self.blocks.get(said.run) {
            let Block::Text(text) = *item else {
                return false;
            };
            grow(&mut self.system);
            self.system.push(Cached {
                item: text,
                point: *point,
            });
        }
        self.blocks.take_back(said.run);
        true
    }

    /// Adds what one side says. Turns alternate, so what the same side says next belongs to the same turn.
    pub fn say(&mut self, role: Role, content: Run) {
        if content.is_empty() {
            return;
        }
        match self.messages.last_mut() {
            Some(last) if last.role == role => self.blocks.append(&mut last.content, content),
            _ => {
                grow(&mut self.messages);
                self.messages.push(Message { role, content });
            }
        }
    }

    /// Puts each turn in order: within one Bedrock wants results before all else, and what calls a tool after all else. Where
    /// the model has reasoned the order is the model's: its reasoning belongs to what follows it.
    pub fn put_in_order(&mut self) {
        for message in &self.messages {
            let blocks = self.blocks.get_mut(message.content);
            let reasons = |block: &Cached<Block>| {
                matches!(block.item, Block::Reasoning { .. } | Block::Redacted(_))
            };
            if blocks.is_sorted_by_key(|block| rank(&block.item)) || blocks.iter().any(reasons) {
                continue;
            }
            let results = to_front(blocks, |block| rank(&block.item) == 0);
            let rest = blocks.get_mut(results..).unwrap_or_default();
            to_front(rest, |block| rank(&block.item) == 1);
        }
    }

    /// Whether there is a tool of this name.
    pub fn has_tool(&self, name: &str) -> bool {
        let mut names = self.tools.iter().map(|tool| tool.item.name);
        names.any(|known| self.strings.text(known) == name)
    }
}

/// Moves those that are wanted before the others, in their order, and says how many they are. Takes no memory: there may be
/// a million blocks in a turn.
fn to_front<T>(items: &mut [T], wanted: impl Fn(&T) -> bool + Copy) -> usize {
    if let [only] = items {
        return usize::from(wanted(only));
    }
    let middle = items.len() / 2;
    let (left, right) = items.split_at_mut(middle);
    if left.is_empty() {
        return 0;
    }
    let (before, after) = (to_front(left, wanted), to_front(right, wanted));
    if let Some(between) = items.get_mut(before..middle + after) {
        between.rotate_left(middle - before);
    }
    before + after
}

fn rank(block: &Block) -> u8 {
    match block {
        Block::ToolResult { .. } => 0,
        Block::ToolUse { .. } => 2,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wanted_comes_first_in_its_order() {
        for length in 0..40 {
            let items: Vec<usize> = (0..length).map(|at| at * 7 % 11).collect();
            let mut sorted = items.clone();
            let count = to_front(&mut sorted, |item| item % 3 == 0);
            let (wanted, others): (Vec<usize>, Vec<usize>) =
                items.iter().partition(|item| *item % 3 == 0);
            assert_eq!(count, wanted.len());
            assert_eq!(sorted, [wanted, others].concat());
        }
    }
}
