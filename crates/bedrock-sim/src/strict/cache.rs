//! Cache points: where they may stand, how many there may be, how long they may last.

use hyper::StatusCode;
use serde_json::Value;

use super::{
    conversation::{Block, Conversation, blocks, text},
    family::Family,
    faults::Faults,
};
use crate::errors::Refusal;

/// Checks the cache points of a Converse body.
pub fn check(conversation: &Conversation<'_>, faults: &mut Faults) {
    let family = conversation.family;
    let mut points = Vec::new();
    let lists = [(
        "tools",
        "/toolConfig/tools".to_owned(),
        conversation.tools(),
    )]
    .into_iter()
    .chain([(
        "system",
        "/system".to_owned(),
        blocks(conversation.body, "system"),
    )])
    .chain(conversation.turns.iter().map(|turn| {
        (
            "messages",
            format!("/messages/{}/content", turn.number),
            turn.blocks.clone(),
        )
    }));
    for (part, place, blocks) in lists {
        let in_use = blocks
            .iter()
            .any(|block| ["toolUse", "toolResult"].contains(&block.kind));
        for (number, block) in blocks
            .iter()
            .enumerate()
            .filter(|(_, block)| block.kind == "cachePoint")
        {
            let place = format!("{place}/{number}");
            let taken = family.cache.points.iter().any(|point| point == part);
            // Nova takes none beside a call or a result.
            if !taken || (in_use && !family.is_claude()) {
                refuse(family, &place, faults);
            }
            if family.is_claude() {
                after(
                    number.checked_sub(1).and_then(|before| blocks.get(before)),
                    &place,
                    faults,
                );
            }
            points.push(block.value.get("ttl").and_then(Value::as_str));
        }
    }
    times(family, &points, faults);
}

/// A point where the family takes none.
fn refuse(family: &Family, place: &str, faults: &mut Faults) {
    if !family.cache.points.is_empty() {
        faults.extraneous(place, "cachePoint");
    } else if family.is_claude() || family.name.starts_with("kimi-k2") {
        faults.push(Refusal::new(
            StatusCode::FORBIDDEN,
            "AccessDeniedException",
            "You invoked an unsupported model or your request did not allow prompt caching. See the documentation for more \
             information.",
        ));
    } else {
        faults.unsupported("cachePoint");
    }
}

/// What Claude takes no point behind.
fn after(before: Option<&Block<'_>>, place: &str, faults: &mut Faults) {
    let Some(before) = before else { return };
    let cites = before
        .value
        .pointer("/citations/enabled")
        .is_some_and(|enabled| enabled == true);
    match before.kind {
        "reasoningContent" => faults.extra(format!("{place}: thinking.cache_control")),
        "document" if text(before.value, "format") != "pdf" && !cites => {
            faults.model(format!("{place}.type: Field required"));
        }
        _ => {}
    }
}

/// How many points there are, and how long each lasts, in the order tools, system, messages; `None` is the usual time.
pub fn times(family: &Family, points: &[Option<&str>], faults: &mut Faults) {
    let most = family.cache.max_points;
    if most > 0 && points.len() > most {
        faults.model(format!(
            "A maximum of {most} blocks with cache_control may be provided. Found {}.",
            points.len()
        ));
    }
    // Where only five minutes are known, saying so is already the extended form.
    let extended = family.cache.ttl.iter().any(|ttl| ttl == "1h");
    if points.iter().any(Option::is_some) && !extended {
        if family.is_claude() {
            faults.extra("cache_control.ephemeral.ttl");
        } else {
            faults.refuse("Extended TTL prompt caching is only supported for Anthropic models");
        }
    }
    let mut short = points.iter().skip_while(|ttl| **ttl == Some("1h"));
    if short.any(|ttl| *ttl == Some("1h")) {
        faults.model(
            "cache_control.ttl: a ttl='1h' cache_control block must not come after a ttl='5m' cache_control block. Note that \
             blocks are processed in the following order: `tools`, `system`, `messages`.",
        );
    }
}
