//! Members beside the tools and the conversation.

use std::ops::Range;

use serde_json::Value;

use super::walk::{Fate, Fit, Pieces, Walk};
use crate::family::Changes;
use crate::family::betas::Member;
use crate::json::text::Literal;

/// `stop_sequences`: blank ones are refused.
pub fn stop_sequences(
    document: &str,
    place: Range<usize>,
    fit: Fit<'_>,
    changes: &mut Changes,
) -> Pieces {
    let (pieces, ()) = Walk::over(document, place, fit, changes, (), |walk| {
        walk.elements(b"", |walk| {
            match walk
                .next_string()
                .is_some_and(|text| text.trim().is_empty())
            {
                true => Fate::Cut("stop_sequences[]"),
                false => Fate::Keep,
            }
        })
    });
    pieces
}

/// `thinking`
pub fn thinking(
    document: &str,
    place: Range<usize>,
    fit: Fit<'_>,
    changes: &mut Changes,
) -> Pieces {
    let (pieces, ()) = Walk::over(document, place, fit, changes, (), |walk| {
        walk.members(|walk, name| match name {
            "block_binding" if !walk.fit.allows(Member::BlockBinding) => {
                Fate::Cut("thinking.block_binding")
            }
            "display" if walk.next_is("updates") && !walk.fit.allows(Member::DisplayUpdates) => {
                Fate::Cut("thinking.display")
            }
            _ => Fate::Keep,
        })
    });
    pieces
}

/// What becomes of `output_config.format`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// It stays.
    #[default]
    Stays,
    /// It becomes this.
    Becomes(String),
    /// The answer is held to it otherwise.
    Goes,
}

/// `output_config`, in which an effort becomes this one, or goes.
pub fn output_config(
    document: &str,
    place: Range<usize>,
    (fit, effort, format): (Fit<'_>, Option<&str>, &Format),
    changes: &mut Changes,
) -> Pieces {
    let (pieces, ()) = Walk::over(document, place, fit, changes, (), |walk| {
        walk.members(|walk, name| match (name, effort, format) {
            ("task_budget", ..) => Fate::Cut("output_config.task_budget"),
            ("effort", None, _) => Fate::Cut("output_config.effort"),
            ("effort", Some(word), _) if !walk.next_is(word) => {
                Fate::Value("output_config.effort", Value::from(word).to_string())
            }
            ("format", _, Format::Goes) => Fate::Cut("output_config.format"),
            ("format", _, Format::Becomes(json)) => {
                Fate::Value("output_config.format", json.clone())
            }
            _ => Fate::Keep,
        })
    });
    pieces
}

/// `context_management`: whether any of its edits stays, and what becomes of them.
pub fn context_management(
    document: &str,
    place: Range<usize>,
    fit: Fit<'_>,
    changes: &mut Changes,
) -> (bool, Pieces) {
    let (pieces, stays) = Walk::over(document, place, fit, changes, false, |walk| {
        walk.members(|_, name| match name {
            "edits" => Fate::Into(|walk| walk.elements(b"", edit)),
            _ => Fate::Keep,
        })
    });
    (stays, pieces)
}

fn edit<'t, 'f>(walk: &mut Walk<'t, 'f, bool>) -> Fate<'t, 'f, bool> {
    let kind = walk.next_member("type").unwrap_or_default();
    let kind = Literal::of_value(kind).unwrap_or_default();
    let stays = match kind.as_ref() {
        // Bedrock does not know it, whatever flag is sent.
        kind if kind.starts_with("clear_thinking_") => false,
        kind if kind.starts_with("compact_") => walk.fit.allows(Member::Compact),
        _ => walk.fit.allows(Member::ClearToolUses),
    };
    walk.state |= stays;
    match stays {
        true => Fate::Keep,
        false => Fate::Cut("context_management.edits[]"),
    }
}
