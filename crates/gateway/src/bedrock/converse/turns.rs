//! Converse's rules for turns: they alternate, and what is in one keeps to an order.

use super::{Block, Cached, ConverseRequest, Message, Role, ToolChoice};

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

    /// Whether a call of a tool, or what one gave, stands in the conversation: then `toolConfig` must be there.
    pub fn has_tool_blocks(&self) -> bool {
        self.messages
            .iter()
            .flat_map(|message| &message.content)
            .any(|block| matches!(block.item, Block::ToolUse { .. } | Block::ToolResult { .. }))
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

fn rank(block: &Block<'_>) -> u8 {
    match block {
        Block::ToolResult { .. } | Block::Reasoning { .. } | Block::Redacted(_) => 0,
        Block::ToolUse { .. } => 2,
        _ => 1,
    }
}
