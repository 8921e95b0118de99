//! The system prompt, whose turn it is, and results that belong to calls.

use std::collections::HashSet;

use super::{
    conversation::{Conversation, Turn, items, text},
    faults::Faults,
};

/// Checks how a conversation goes.
pub fn check(conversation: &Conversation<'_>, faults: &mut Faults) {
    let family = conversation.family;
    if !family.system && items(conversation.body, "system").next().is_some() {
        faults.refuse(
            "This model doesn't support system messages. Try again without a system message or use a model that supports \
             system messages.",
        );
    }
    if conversation.turns.is_empty() {
        faults.constraint(
            "messages",
            "Member must have length greater than or equal to 1",
        );
    }
    roles(conversation, faults);
    end(conversation, faults);
    for turn in &conversation.turns {
        if turn.blocks.is_empty() {
            faults.refuse(format!(
                "The content field in the Message object at messages.{} is empty. Add a ContentBlock object to the content \
                 field and try again.",
                turn.number
            ));
        }
    }
    results(conversation, faults);
}

fn roles(conversation: &Conversation<'_>, faults: &mut Faults) {
    let family = conversation.family;
    let is_system = |turn: &&Turn<'_>| turn.role == "system";
    if !family.turns.system_role_in_messages
        && let Some(turn) = conversation.turns.iter().find(is_system)
    {
        let place = format!("messages.{}.member.role", turn.number + 1);
        faults.constraint(
            &place,
            "Member must satisfy enum value set: [user, assistant]",
        );
    }
    let spoken: Vec<&Turn<'_>> = conversation
        .turns
        .iter()
        .filter(|turn| !is_system(turn))
        .collect();
    if !family.turns.leading_assistant
        && spoken.first().is_some_and(|turn| turn.role == "assistant")
    {
        faults.refuse(
            "A conversation must start with a user message. Try again with a conversation that starts with a user message.",
        );
    }
    let pairs = spoken.iter().zip(spoken.iter().skip(1));
    if pairs.into_iter().any(|(one, next)| one.role == next.role) {
        faults.refuse(
            "A conversation must alternate between user and assistant roles. Make sure the conversation alternates between \
             user and assistant roles and try again.",
        );
    }
}

/// The last word is the user's, but for the Claudes that go on from a beginning.
fn end(conversation: &Conversation<'_>, faults: &mut Faults) {
    let family = conversation.family;
    let Some(last) = conversation
        .turns
        .last()
        .filter(|turn| turn.role == "assistant")
    else {
        return;
    };
    if !family.turns.prefill {
        return faults.refuse(if family.is_claude() {
            "The model returned the following errors: This model does not support assistant message prefill. The \
             conversation must end with a user message."
        } else {
            "A conversation must end with a user message. Try again with a conversation that ends with a user message."
        });
    }
    let text = last.blocks.last().filter(|block| block.kind == "text");
    if text
        .and_then(|block| block.value.as_str())
        .is_some_and(|text| text.ends_with(char::is_whitespace))
    {
        faults.model("messages: final assistant content cannot end with trailing whitespace");
    }
}

/// Every call has its result in the next turn, and every result its call in the turn before.
fn results(conversation: &Conversation<'_>, faults: &mut Faults) {
    let mut before: Vec<&str> = Vec::new();
    for turn in &conversation.turns {
        let number = turn.number;
        let results = turn.ids("toolResult");
        if turn.role != "user" && !results.is_empty() {
            faults.refuse(
                "Assistant messages cannot contain tool results. Remove them and try again.",
            );
        }
        if turn.role != "assistant" && !turn.ids("toolUse").is_empty() {
            faults.refuse("User messages cannot contain tool uses. Remove them and try again.");
        }
        if let Some(twice) = first_twice(&results) {
            faults.refuse(format!(
                "The toolResult blocks at messages.{number}.content contain duplicate Ids: {twice}"
            ));
        }
        if results.len() > before.len() {
            faults.refuse(format!(
                "The number of toolResult blocks at messages.{number}.content exceeds the number of toolUse blocks of \
                 previous turn."
            ));
        } else if before.iter().any(|id| !results.contains(id)) {
            faults.refuse(format!(
                "Expected toolResult blocks at messages.{number}.content for the following Ids: {}",
                before.join(", ")
            ));
        }
        beside_results(conversation, turn, faults);
        before = turn.ids("toolUse");
        if let Some(twice) = first_twice(&before) {
            faults.refuse(format!(
                "The toolUse blocks at messages.{number}.content contain duplicate Ids: {twice}"
            ));
        }
    }
}

/// What may share a turn with a result.
fn beside_results(conversation: &Conversation<'_>, turn: &Turn<'_>, faults: &mut Faults) {
    let family = conversation.family;
    let place = format!("messages.{}.content", turn.number);
    let is_result = |kind: &str| kind == "toolResult";
    if !turn.blocks.iter().any(|block| is_result(block.kind)) {
        return;
    }
    let others = turn
        .blocks
        .iter()
        .filter(|block| !is_result(block.kind) && block.kind != "cachePoint");
    for other in others {
        let kind = if other.kind == "guardContent" {
            "text"
        } else {
            other.kind
        };
        if family.turns.beside_tool_result.is_empty() {
            return faults.refuse(format!(
                "{place}: Conversation blocks and tool result blocks cannot be provided in the same turn."
            ));
        }
        if !family
            .turns
            .beside_tool_result
            .iter()
            .any(|allowed| allowed == kind)
        {
            faults.refuse(format!(
                "{place}: {kind} blocks and tool result blocks cannot be provided in the same turn."
            ));
        }
    }
    let after = turn
        .blocks
        .iter()
        .skip_while(|block| is_result(block.kind) || block.kind == "cachePoint");
    if family.is_claude() && after.into_iter().any(|block| is_result(block.kind)) {
        faults.model(format!(
            "messages.{}: `tool_use` ids were found without `tool_result` blocks immediately after. Each `tool_use` block \
             must have a corresponding `tool_result` block at the beginning of the next message.",
            turn.number
        ));
    }
    let place = |number: usize| {
        format!(
            "messages.{}.content.{number}.toolResult.status",
            turn.number
        )
    };
    for (number, block) in turn
        .blocks
        .iter()
        .enumerate()
        .filter(|(_, block)| is_result(block.kind))
    {
        let said = !text(block.value, "status").is_empty();
        if said && family.tool_result.status == "never" {
            faults.refuse(format!(
                "This model doesn't support the status field. Remove status and try again. ({})",
                place(number)
            ));
        }
    }
}

fn first_twice<'a>(ids: &[&'a str]) -> Option<&'a str> {
    let mut seen = HashSet::new();
    ids.iter().copied().find(|id| !seen.insert(*id))
}
