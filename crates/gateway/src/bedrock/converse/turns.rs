//! Converse's rules for turns: they alternate, and what is in one keeps to an order.

use std::borrow::Cow;

use super::{Block, CachePoint, Cached, ConverseRequest, Message, Role, ToolChoice};
use crate::refusal::Refusal;

impl<'a> ConverseRequest<'a> {
    /// Adds what one side says. Turns alternate, so what the same side says next belongs to the same turn.
    pub fn say(&mut self, role: Role, blocks: Vec<Cached<Block<'a>>>) {
        if blocks.is_empty() {
            return;
        }
        match self.messages.last_mut() {
            Some(last) if last.role == role => last.content.extend(blocks),
            _ => self.messages.push(Message {
                role,
                content: blocks,
            }),
        }
    }

    /// Puts each turn in order: within one Bedrock wants results before all else, and what calls a tool after all else.
    pub fn put_in_order(&mut self) {
        for message in &mut self.messages {
            message.content.sort_by_key(|block| rank(&block.item));
        }
    }

    /// Converse demands tools where the conversation has calls of them; it has no choice for "none", so tools that the model
    /// may not call go, unless they are demanded.
    ///
    /// # Errors
    /// 400: there are calls, but no tools.
    pub fn settle_tools(&mut self, may_be_called: bool) -> Result<(), Refusal> {
        let used = self
            .messages
            .iter()
            .flat_map(|message| &message.content)
            .any(|block| matches!(block.item, Block::ToolUse { .. } | Block::ToolResult { .. }));
        if used && self.tools.is_empty() {
            return Err(Refusal::parameter(
                "tools",
                "is missing: the messages have calls of tools, so the tools must be given, too",
            ));
        }
        if !may_be_called && !used {
            self.tools.clear();
        }
        Ok(())
    }

    /// Has Claude call one tool at a time. Converse has no member for this, so the whole choice goes in Claude's own form.
    pub fn call_one_at_a_time(&mut self, choice: Option<&ToolChoice<'a>>) {
        let choice = match choice {
            Some(ToolChoice::Any) => r#"{"type":"any","#.to_owned(),
            Some(ToolChoice::Tool(name)) => {
                let name = serde_json::Value::from(name.as_ref());
                format!(r#"{{"type":"tool","name":{name},"#)
            }
            Some(ToolChoice::Auto) | None => r#"{"type":"auto","#.to_owned(),
        };
        let choice = format!("{choice}\"disable_parallel_tool_use\":true}}");
        self.native_fields
            .added
            .push(("tool_choice", choice.into()));
    }
}

/// Adds text, unless it is blank: Bedrock refuses that.
pub fn add_text<'a>(text: Cow<'a, str>, blocks: &mut Vec<Cached<Block<'a>>>) {
    if !text.trim().is_empty() {
        blocks.push(Cached::plain(Block::Text(text)));
    }
}

/// Puts a cache point after the last block.
pub fn end_with(point: Option<CachePoint>, blocks: &mut [Cached<Block<'_>>]) {
    if let (Some(point), Some(last)) = (point, blocks.last_mut()) {
        last.point = Some(point);
    }
}

fn rank(block: &Block<'_>) -> u8 {
    match block {
        Block::ToolResult { .. } | Block::Reasoning { .. } | Block::Redacted(_) => 0,
        Block::ToolUse { .. } => 2,
        _ => 1,
    }
}
