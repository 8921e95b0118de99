//! What the blocks of a message hold: texts, files, results, reasoning that comes back.

use serde_json::Value;

use super::{
    conversation::{Block, Conversation, Turn, blocks, items, text},
    faults::Faults,
};

/// Checks the content of all messages.
pub fn check(conversation: &Conversation<'_>, faults: &mut Faults) {
    let mut documents = Vec::new();
    for turn in &conversation.turns {
        for (number, block) in turn.blocks.iter().enumerate() {
            let place = format!("messages.{}.content.{number}", turn.number);
            match block.kind {
                "reasoningContent" => reasoning(conversation, turn, block.value, &place, faults),
                "toolResult" => result(conversation, block.value, &place, &mut documents, faults),
                _ => plain(conversation, *block, &place, &mut documents, faults),
            }
        }
        let has = |kind: &str| turn.blocks.iter().any(|block| block.kind == kind);
        if has("document") && !has("text") {
            faults.refuse("A text block must be included when using documents.");
        }
    }
    if documents.len() > 5 {
        faults.refuse("You can't include more than 5 documents in a request.");
    }
    documents.sort_unstable();
    if documents.windows(2).any(|pair| pair.first() == pair.last()) {
        faults.refuse("Messages can't contain duplicate document names. Rename the document and retry your request.");
    }
}

/// Blocks that a message and a tool's result have in common.
fn plain<'a>(
    conversation: &Conversation<'_>,
    block: Block<'a>,
    place: &str,
    documents: &mut Vec<&'a str>,
    faults: &mut Faults,
) {
    let input = &conversation.family.input;
    match block.kind {
        "text" if block.value.as_str().is_some_and(|text| text.trim().is_empty()) => faults.refuse(format!(
            "The text field in the ContentBlock object at {place} is blank. Add text to the text field, and try again."
        )),
        "image" if !input.image => faults.unsupported("image content block"),
        "video" if !input.video => faults.unsupported("video content block"),
        "audio" if !input.audio => faults.unsupported("audio content block"),
        "document" => {
            if input.document {
                document(conversation, block.value, faults);
            } else {
                faults.unsupported("document content block");
            }
            documents.push(text(block.value, "name"));
        }
        "citationsContent" if !conversation.family.is_claude() => faults.refuse("This model doesn't support citations."),
        "toolAddition" | "toolRemoval" => faults.unsupported(block.kind),
        _ => {}
    }
}

fn document(conversation: &Conversation<'_>, document: &Value, faults: &mut Faults) {
    let name = text(document, "name");
    // Bedrock takes the underscore, though its words do not say so.
    let allowed = |c: char| c.is_ascii_alphanumeric() || " \t\n-()[]_".contains(c);
    if !name.chars().all(allowed) || name.contains("  ") {
        faults.refuse(
            "The document file name can only contain alphanumeric characters, whitespace characters, hyphens, parentheses, \
             and square brackets. The name can't contain more than one consecutive whitespace character.",
        );
    }
    let cites = document
        .pointer("/citations/enabled")
        .is_some_and(|enabled| enabled == true);
    if cites && !conversation.family.is_claude() {
        faults.refuse("This model doesn't support citations.");
    }
    if cites
        && conversation
            .body
            .pointer("/outputConfig/textFormat")
            .is_some()
    {
        faults.model(
            "output_config.format: citations cannot be used together with structured output",
        );
    }
    let source = document.get("source");
    let inline =
        source.is_some_and(|source| source.get("text").or(source.get("content")).is_some());
    if inline && !cites {
        faults.refuse(
            "Documents with a text or content source are only supported with citations enabled.",
        );
    }
}

fn result<'a>(
    conversation: &Conversation<'_>,
    result: &'a Value,
    place: &str,
    documents: &mut Vec<&'a str>,
    faults: &mut Faults,
) {
    let takes = &conversation.family.tool_result;
    if items(result, "content").next().is_none() {
        faults.refuse(format!(
            "The content field in the ToolResultBlock object at {place}.toolResult is empty. Add a ToolResultContentBlock \
             object to the content field and try again."
        ));
    }
    for (number, block) in blocks(result, "content").into_iter().enumerate() {
        let place = format!("{place}.toolResult.content.{number}");
        let document = match &takes.document {
            Value::Bool(taken) => *taken,
            _ => ["csv", "txt"].contains(&text(block.value, "format")),
        };
        match block.kind {
            "image" if !takes.image => faults.unsupported("toolResult.content.image"),
            "document" if !document => faults.unsupported("toolResult.content.document"),
            "document" => documents.push(text(block.value, "name")),
            _ => plain(conversation, block, &place, documents, faults),
        }
    }
}

/// Reasoning of earlier answers, as far as the family wants it back.
fn reasoning(
    conversation: &Conversation<'_>,
    turn: &Turn<'_>,
    block: &Value,
    place: &str,
    faults: &mut Faults,
) {
    let family = conversation.family;
    if turn.role != "assistant" {
        return faults.refuse(
            "User messages cannot contain reasoning content. Please remove the reasoning content and try again.",
        );
    }
    let Some(reasoning) = block.get("reasoningText") else {
        if !family.reasoning.redacted_back {
            faults.unsupported("reasoningContent.redactedContent");
        }
        return;
    };
    let signature = reasoning.get("signature").and_then(Value::as_str);
    match &family.reasoning.send_back[..] {
        "none" => faults.unsupported("reasoningContent"),
        "unsigned" if signature.is_some() => {
            faults.unsupported("reasoningContent.reasoningText.signature")
        }
        "unsigned" => {}
        _ if signature.unwrap_or_default().is_empty() => {
            faults.model(format!("{place}.thinking.signature: Field required"));
        }
        _ => {}
    }
}
