//! The messages of Anthropic's own API.

use serde_json::{Map, Value};

use super::{conversation::text, family::Family, faults::Faults, shape};

/// Checks the messages of a body.
pub fn check(family: &Family, members: &Map<String, Value>, faults: &mut Faults) {
    let messages = members
        .get("messages")
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default();
    if messages.is_empty() {
        return faults.model("messages: at least one message is required");
    }
    let mut called: Vec<&str> = Vec::new();
    for (number, message) in messages.iter().enumerate() {
        let place = format!("messages.{number}");
        let role = text(message, "role");
        for name in message.as_object().into_iter().flat_map(Map::keys) {
            if !["role", "content"].contains(&name.as_str()) {
                faults.extra(format!("{place}.{name}"));
            }
        }
        let system = role == "system" && family.turns.system_role_in_messages;
        if !system && !["user", "assistant"].contains(&role) {
            faults.model(format!(
                "{place}.role: Input should be 'user' or 'assistant'"
            ));
        }
        let blocks = match message.get("content") {
            Some(Value::Array(blocks)) => blocks.as_slice(),
            Some(Value::String(text)) if !text.trim().is_empty() => &[],
            Some(Value::String(_)) => {
                faults.model("messages: text content blocks must be non-empty");
                &[]
            }
            _ => {
                faults.model(format!("{place}.content: Field required"));
                &[]
            }
        };
        let results = ids(blocks, "tool_result", "tool_use_id");
        if let Some(orphan) = results.iter().find(|id| !called.contains(id)) {
            faults.model(format!(
                "{place}.content.0: unexpected `tool_use_id` found in `tool_result` blocks: {orphan}. Each `tool_result` block \
                 must have a corresponding `tool_use` block in the previous message."
            ));
        }
        if let Some(missing) = called.iter().find(|id| !results.contains(id)) {
            faults.model(format!(
                "{place}: `tool_use` ids were found without `tool_result` blocks immediately after: {missing}. Each `tool_use` \
                 block must have a corresponding `tool_result` block in the next message."
            ));
        }
        for (number, block) in blocks.iter().enumerate() {
            check_block(block, &format!("{place}.content.{number}"), role, faults);
        }
        called = ids(blocks, "tool_use", "id");
    }
    end(family, messages.last().unwrap_or(&Value::Null), faults);
    if members
        .get("thinking")
        .is_some_and(|thinking| text(thinking, "type") == "enabled")
    {
        unthought_call(messages, faults);
    }
}

fn ids<'a>(blocks: &'a [Value], kind: &str, name: &str) -> Vec<&'a str> {
    blocks
        .iter()
        .filter(|block| text(block, "type") == kind)
        .map(|block| text(block, name))
        .collect()
}

fn check_block(block: &Value, place: &str, role: &str, faults: &mut Faults) {
    let kind = text(block, "type");
    if !BLOCKS.contains(&kind) {
        faults.model(format!(
            "{place}: Input tag '{kind}' found using 'type' does not match any of the expected tags"
        ));
    }
    match kind {
        "text" if text(block, "text").trim().is_empty() => {
            faults.model("messages: text content blocks must be non-empty");
        }
        "tool_use" => {
            if !shape::matches_whole("[a-zA-Z0-9_-]+", text(block, "id")) {
                faults.model(format!(
                    "{place}.tool_use.id: String should match pattern '^[a-zA-Z0-9_-]+$'"
                ));
            }
            if block.get("caller").is_some() {
                faults.extra(format!("{place}.tool_use.caller"));
            }
        }
        "thinking" if text(block, "signature").is_empty() => {
            faults.model(format!("{place}.thinking.signature: Field required"));
        }
        "thinking" | "redacted_thinking" if role != "assistant" => {
            faults.model(format!(
                "{place}: thinking blocks may only be in `assistant` messages"
            ));
        }
        "thinking" | "redacted_thinking" if block.get("cache_control").is_some() => {
            faults.extra(format!("{place}.{kind}.cache_control"));
        }
        _ => {}
    }
}

fn end(family: &Family, last: &Value, faults: &mut Faults) {
    if text(last, "role") != "assistant" {
        return;
    }
    if !family.turns.prefill {
        return faults.model(
            "This model does not support assistant message prefill. The conversation must end with a user message.",
        );
    }
    let content = last.get("content");
    let block = content
        .and_then(Value::as_array)
        .and_then(|blocks| blocks.last());
    let said = content
        .and_then(Value::as_str)
        .or(block.map(|block| text(block, "text")));
    if said.is_some_and(|text| text.ends_with(char::is_whitespace)) {
        faults.model("messages: final assistant content cannot end with trailing whitespace");
    }
}

fn unthought_call(messages: &[Value], faults: &mut Faults) {
    let last = messages
        .iter()
        .rev()
        .find(|message| text(message, "role") == "assistant");
    let blocks = last.and_then(|message| message.get("content")?.as_array());
    let Some(blocks) = blocks.filter(|blocks| !ids(blocks, "tool_use", "id").is_empty()) else {
        return;
    };
    let first = blocks.first().map_or("", |block| text(block, "type"));
    if !["thinking", "redacted_thinking"].contains(&first) {
        faults.model(format!(
            "messages: Expected `thinking` or `redacted_thinking`, but found `{first}`."
        ));
    }
}

const BLOCKS: [&str; 12] = [
    "text",
    "image",
    "document",
    "search_result",
    "tool_use",
    "tool_result",
    "thinking",
    "redacted_thinking",
    "server_tool_use",
    "tool_search_tool_result",
    "tool_reference",
    "compaction",
];
