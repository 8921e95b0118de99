//! Claude's budget for thinking, below the operator's limit: a budget that is not below the limit of the answer makes the
//! request invalid.
//! <https://docs.claude.com/en/docs/build-with-claude/extended-thinking>

use std::borrow::Cow;

use super::body::twice;
use super::fields::{excess_in, refuse, within};
use crate::json::cursor::Cursor;
use crate::json::edit::Edit;
use crate::json::object::{self, Object};
use crate::json::text::Literal;
use crate::refusal::Refusal;

/// What becomes of a member that sets a budget.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fitted<'a> {
    /// It goes on so.
    As(Cow<'a, str>),
    /// There is no room for it.
    Out,
}

/// Fits the member's value into an answer of `max_tokens`, which are at most `cap`.
///
/// A budget below the cap is the client's own business: with interleaved thinking it may be more than the answer's limit.
pub fn fitted(thinking: &str, max_tokens: u64, cap: u64) -> Fitted<'_> {
    let unchanged = Fitted::As(Cow::Borrowed(thinking));
    let Ok(object) = object::parse(thinking) else {
        return unchanged;
    };
    let budget = match object.only(BUDGET) {
        Ok(None) => return unchanged,
        Ok(Some(member)) => thinking.get(member.value.clone()),
        // Of two neither is trusted.
        Err(_) => None,
    };
    if within(budget, cap.saturating_sub(1)).is_some() {
        return unchanged;
    }
    if max_tokens <= LEAST {
        return Fitted::Out;
    }
    // Half of it, so that something is left for the answer.
    let lower = (max_tokens / 2).max(LEAST);
    let mut edit = Edit::new(&object);
    edit.set(BUDGET, &lower.to_string());
    let body = edit.into_body(thinking.len());
    let bytes = body.pieces(thinking.as_bytes()).flatten().copied();
    String::from_utf8(bytes.collect()).map_or(Fitted::Out, |text| Fitted::As(text.into()))
}

/// Fits what an object of Claude's native fields says of thinking; if it goes, what makes no sense without it goes, too.
///
/// # Errors
/// 400: a member occurs twice; 403: it asks for more in another way.
pub fn fit(
    edit: &mut Edit<'_, '_>,
    object: &Object<'_>,
    text: &str,
    max_tokens: u64,
    cap: u64,
) -> Result<(), Refusal> {
    let value = |member: &object::Member<'_>| text.get(member.value.clone()).unwrap_or_default();
    let mut taken_out = false;
    for name in NAMES {
        let Some(member) = object.only(name).map_err(twice)? else {
            continue;
        };
        match fitted(value(member), max_tokens, cap) {
            Fitted::As(thinking) => {
                refuse(excess_in(&thinking, cap))?;
                if let Cow::Owned(new) = thinking {
                    edit.set(name, &new);
                }
            }
            Fitted::Out => {
                edit.remove(name);
                taken_out = true;
            }
        }
    }
    if taken_out && let Some(member) = object.only(MANAGEMENT).map_err(twice)? {
        match without_clearing(value(member)) {
            Some(new) => edit.set_to(MANAGEMENT, new),
            None => edit.remove(MANAGEMENT),
        }
    }
    Ok(())
}

/// `context_management` without the edits that need thinking; `None` if nothing is left. Read one edit at a time: there may be
/// as many as fit into a body.
fn without_clearing(management: &str) -> Option<String> {
    let object = object::parse(management).ok()?;
    let edits = object.only("edits").ok()??;
    let list = edits.value.clone();
    let mut left = String::with_capacity(management.len());
    left.push_str(management.get(..list.start)?);
    left.push('[');
    let before = left.len();
    let mut cursor = Cursor::new(management.get(list.clone())?);
    if !cursor.enter_list().ok()? {
        return None;
    }
    while cursor.element().ok()? {
        let edit = cursor.value().ok()?;
        if clears_thinking(edit) {
            continue;
        }
        if left.len() > before {
            left.push(',');
        }
        left.push_str(edit);
    }
    if left.len() == before {
        return None;
    }
    left.push(']');
    left.push_str(management.get(list.end..)?);
    Some(left)
}

fn clears_thinking(edit: &str) -> bool {
    let mut cursor = Cursor::new(edit);
    if cursor.open().is_ok() {
        while let Ok(Some(name)) = cursor.member() {
            let Ok(value) = cursor.value() else { break };
            let kind = (name == "type").then(|| Literal::of_value(value)).flatten();
            if kind.is_some_and(|kind| kind.starts_with(CLEARS_THINKING)) {
                return true;
            }
        }
    }
    false
}

/// Claude's own name, and the one in AWS's examples for Converse.
pub const NAMES: [&str; 2] = ["thinking", "reasoning_config"];
const BUDGET: &str = "budget_tokens";
/// The least budget that Claude takes.
const LEAST: u64 = 1024;
const MANAGEMENT: &str = "context_management";
const CLEARS_THINKING: &str = "clear_thinking";

#[cfg(test)]
mod tests {
    use super::*;

    fn fits(thinking: &str, max_tokens: u64, cap: u64) -> Option<String> {
        match fitted(thinking, max_tokens, cap) {
            Fitted::As(text) => Some(text.into_owned()),
            Fitted::Out => None,
        }
    }

    #[test]
    fn a_budget_is_lowered_or_goes() {
        let budget = |budget: &str| format!(r#"{{"type":"enabled","budget_tokens":{budget}}}"#);
        for (asked, max_tokens, cap, goes_on) in [
            ("5000", 4096, 4096, Some("2048")),
            ("4096", 4096, 4096, Some("2048")),
            ("4095", 4096, 4096, Some("4095")),
            ("5000", 1500, 4096, Some("1024")),
            // With interleaved thinking.
            ("4000", 3000, 4096, Some("4000")),
            ("5000", 1025, 1025, Some("1024")),
            ("5000", 1024, 1024, None),
            ("1024", 100, 100, None),
            ("5000", 50, 100, None),
            ("\"1e9\"", 4096, 4096, Some("2048")),
            ("1e9", 4096, 4096, Some("2048")),
            ("-1", 4096, 4096, Some("2048")),
        ] {
            let found = fits(&budget(asked), max_tokens, cap);
            assert_eq!(found, goes_on.map(budget), "{asked} {max_tokens} {cap}");
        }
        let twice = r#"{"budget_tokens":1024,"budget_tokens":99999}"#;
        assert_eq!(
            fits(twice, 4096, 4096).unwrap(),
            r#"{"budget_tokens":2048}"#
        );
        for none in [
            r#"{"type":"adaptive"}"#,
            r#"{"type":"disabled"}"#,
            r#""high""#,
            "null",
        ] {
            assert_eq!(fits(none, 100, 100).as_deref(), Some(none));
        }
    }

    #[test]
    fn what_clears_thinking_goes_with_it() {
        let cleared = r#"{"edits":[{"type":"clear_thinking_20251015"}]}"#;
        assert_eq!(without_clearing(cleared), None);
        let more =
            r#"{"edits":[{"type":"clear_thinking_20251015"},{"type":"clear_tool_uses_20250919"}]}"#;
        assert_eq!(
            without_clearing(more).unwrap(),
            r#"{"edits":[{"type":"clear_tool_uses_20250919"}]}"#
        );
        let others = r#"{"a":1, "edits" : [ 1, {"x":[1, 2]}, {"ty\u0070e":"clear_thinking_x","a":2}, {"b":3} ] ,"c":2}"#;
        assert_eq!(
            without_clearing(others).unwrap(),
            r#"{"a":1, "edits" : [1,{"x":[1, 2]},{"b":3}] ,"c":2}"#
        );
        for nothing in [
            "[]",
            r#"{"edits":1}"#,
            r#"{"edits":[]}"#,
            r#"{"edits":[],"edits":[1]}"#,
        ] {
            assert_eq!(without_clearing(nothing), None, "{nothing}");
        }
    }
}
