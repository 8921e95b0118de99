//! Turns: where instructions stand, who begins and who ends, and what stands in one turn with the result of a tool.

use super::changes::Changes;
use crate::bedrock::converse::runs::{Runs, grow};
use crate::bedrock::converse::{Block, Cached, ConverseRequest, Message, Role};
use crate::family::Family;
use crate::family::facts::Beside;

/// Instructions in the midst of a conversation: of Claude's a user's turn where they stand, for what stood before is cached;
/// else with the others. A family without any has them in front of what the user says first.
pub fn place_instructions(
    request: &mut ConverseRequest<'_>,
    family: &Family,
    changes: &mut Changes,
) {
    if request
        .messages
        .iter()
        .any(|message| message.role == Role::System)
    {
        for message in &mut request.messages {
            if message.role != Role::System {
                continue;
            }
            message.role = Role::User;
            if !family.claude {
                let said = std::mem::take(&mut message.content);
                for Cached { item, point } in request.blocks.get(said) {
                    if let Block::Text(text) = *item {
                        request.system.push(Cached {
                            item: text,
                            point: *point,
                        });
                    }
                }
            }
            changes.change("system");
        }
        request
            .messages
            .retain(|message| !message.content.is_empty());
        close_gaps(&mut request.messages, &mut request.blocks);
    }
    if family.system || request.system.is_empty() {
        return;
    }
    changes.change("system");
    let mut content = request.blocks.start();
    for Cached { item, .. } in std::mem::take(&mut request.system) {
        let text = Cached::plain(Block::Text(item));
        request.blocks.push(&mut content, text);
    }
    match request.messages.first_mut() {
        Some(first) if first.role == Role::User => {
            request.blocks.append(&mut content, first.content);
            first.content = content;
        }
        _ => {
            let role = Role::User;
            request.messages.insert(0, Message { role, content });
        }
    }
}

/// Takes out turns that say nothing any more, and joins their neighbours, for turns alternate.
pub fn close_gaps(messages: &mut Vec<Message>, blocks: &mut Runs<Cached<Block>>) {
    let mut kept = 0_usize;
    for index in 0..messages.len() {
        let Some(message) = messages
            .get(index)
            .copied()
            .filter(|message| !message.content.is_empty())
        else {
            continue;
        };
        let before = kept
            .checked_sub(1)
            .and_then(|before: usize| messages.get_mut(before));
        match before {
            Some(before) if before.role == message.role => {
                blocks.append(&mut before.content, message.content);
            }
            _ => {
                if let Some(place) = messages.get_mut(kept) {
                    *place = message;
                }
                kept += 1;
            }
        }
    }
    messages.truncate(kept);
}

/// Where a result takes nothing of the kind beside it, what else the user says is a turn of its own, with one of the model's
/// between the two.
pub fn separate_results(request: &mut ConverseRequest<'_>, family: &Family, changes: &mut Changes) {
    let level = family.turns.beside_result;
    if level == Beside::All {
        return;
    }
    let fits = |block: &Cached<Block>| match block.item {
        Block::ToolResult { .. } => true,
        Block::Text(_) => level >= Beside::Text,
        Block::Image { .. } | Block::SearchResult(_) => level >= Beside::TextAndImages,
        _ => false,
    };
    // How many results a turn begins with, if what follows them must not stand there.
    let results = |message: &Message, blocks: &Runs<Cached<Block>>| {
        let blocks = blocks.get(message.content);
        let is_result = |block: &Cached<Block>| matches!(block.item, Block::ToolResult { .. });
        let results = blocks.iter().take_while(|block| is_result(block)).count();
        let mixed = message.role == Role::User && results > 0 && !blocks.iter().all(fits);
        mixed.then_some(results)
    };
    let mixed = |message: &Message| results(message, &request.blocks).is_some();
    // As a rule there are none.
    if !request.messages.iter().any(mixed) {
        return;
    }
    changes.complete("a turn between a tool's result and what follows");
    let text = request.strings.constant(BETWEEN);
    let between = Message {
        role: Role::Assistant,
        content: request.blocks.add([Cached::plain(Block::Text(text))]),
    };
    let mut turns = Vec::with_capacity(request.messages.len());
    for message in std::mem::take(&mut request.messages) {
        let separated =
            results(&message, &request.blocks).map(|count| message.content.split_at(count));
        let Some((before, after)) = separated else {
            grow(&mut turns);
            turns.push(message);
            continue;
        };
        for turn in [
            Message {
                content: before,
                ..message
            },
            between,
            Message {
                content: after,
                ..message
            },
        ] {
            grow(&mut turns);
            turns.push(turn);
        }
    }
    request.messages = turns;
}

/// The first turn and the last one.
pub fn begin_and_end(request: &mut ConverseRequest<'_>, family: &Family, changes: &mut Changes) {
    let turn = |text: &'static str, request: &mut ConverseRequest<'_>| {
        let text = request.strings.constant(text);
        let content = request.blocks.add([Cached::plain(Block::Text(text))]);
        Message {
            role: Role::User,
            content,
        }
    };
    match request.messages.first() {
        Some(first) if first.role == Role::Assistant && !family.turns.assistant_first => {
            let first = turn(BEGIN, request);
            request.messages.insert(0, first);
            changes.complete("a first turn of the user's");
        }
        None if !request.system.is_empty() => {
            let only = turn(BEGIN, request);
            request.messages.push(only);
            changes.complete("a first turn of the user's");
        }
        _ => {}
    }
    let Some(last) = request
        .messages
        .last()
        .copied()
        .filter(|last| last.role == Role::Assistant)
    else {
        return;
    };
    let calls = request
        .blocks
        .get(last.content)
        .iter()
        .any(|block| matches!(block.item, Block::ToolUse { .. }));
    if !family.turns.prefill && !calls {
        let more = turn(GO_ON, request);
        request.messages.push(more);
        return changes.complete("a last turn of the user's");
    }
    let Some(Cached {
        item: Block::Text(text),
        ..
    }) = request.blocks.get_mut(last.content).last_mut()
    else {
        return;
    };
    let said = request.strings.text(*text).into_owned();
    let trimmed = said.trim_end();
    if trimmed.len() < said.len() {
        *text = request.strings.add(trimmed);
        changes.change("blanks at the end");
    }
}

const BETWEEN: &str = "Understood.";
const BEGIN: &str = "Begin.";
/// What the user says last where a family does not go on with what it has begun.
pub const GO_ON: &str = "Continue.";
