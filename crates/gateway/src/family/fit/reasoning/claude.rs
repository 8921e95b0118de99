//! Reasoning as Claude wants to hear it: a budget, or as much as it takes with an effort beside.

use super::said::{Around, Said};
use super::wish::{Wish, is_off, level, thinking};
use crate::bedrock::converse::AskedReasoning;
use crate::family::Family;
use crate::family::facts::{ByDefault, Level, Off, WORDS};
use crate::family::fit::changes::Changes;

/// Claude until 4.5: a number of tokens, less than the answer may have.
pub fn budget(
    asked: &AskedReasoning<'_>,
    wish: Option<Wish>,
    around: Around,
    family: &Family,
    changes: &mut Changes,
) -> Said {
    let own = asked.thinking.as_deref().map(thinking).unwrap_or_default();
    let wanted = match (own.budget_tokens, wish) {
        _ if asked.thinking.is_some() && is_off(&own) => None,
        (Some(budget), _) => Some(budget),
        // Anthropic's effort is not a wish to reason.
        (None, _) if asked.thinking.is_none() && !asked.effort_switches => None,
        (None, Some(wish)) => match level(wish, family) {
            Level::Tokens(tokens) => Some(u64::from(tokens)),
            _ => None,
        },
        (None, None) => None,
    };
    if asked.effort.is_some()
        && (asked.thinking.is_some() || wanted.is_none())
        && wish != Some(Wish::None)
    {
        changes.leave_out("effort");
    }
    let Some(wanted) = wanted else {
        return Said::default();
    };
    let Some(fits) = fitting(wanted, around, family).filter(|_| !around.calls_without_reasoning)
    else {
        changes.leave_out("thinking");
        return Said::default();
    };
    let json = match (&asked.thinking, own.kind.0.as_ref()) {
        (Some(given), "enabled") if fits == wanted => given.clone().into_owned(),
        _ => {
            if asked.thinking.is_some() {
                changes.change("thinking");
            }
            format!(r#"{{"type":"enabled","budget_tokens":{fits}}}"#)
        }
    };
    Said {
        fields: vec![("thinking", json)],
        reasons: true,
        budget: Some(fits),
        unbounded: false,
    }
}

/// A budget below the limit of the answer, the client's or else the family's: half of that, so that something is left for the
/// answer. `None`: there is no room.
fn fitting(wanted: u64, around: Around, family: &Family) -> Option<u64> {
    let limits = [around.max_tokens, family.max_tokens.limit];
    match limits.into_iter().flatten().min() {
        Some(limit) if limit <= LEAST => None,
        Some(limit) if wanted >= limit => Some((limit / 2).max(LEAST)),
        _ => Some(wanted).filter(|wanted| *wanted >= LEAST),
    }
}

/// The smallest budget.
const LEAST: u64 = 1024;

/// Claude from 4.6: as much as it takes, and an effort beside that.
pub fn adaptive(
    asked: &AskedReasoning<'_>,
    wish: Option<Wish>,
    around: Around,
    family: &Family,
    changes: &mut Changes,
) -> Said {
    let reasoning = family.reasoning;
    let mut said = Said {
        reasons: reasoning.default == ByDefault::On,
        ..Said::default()
    };
    let Some(wish) = wish else {
        return said;
    };
    let own = asked.thinking.as_deref().map(thinking).unwrap_or_default();
    let is_budget = own.kind.0 == "enabled";
    let mut effort = match (wish, level(wish, family)) {
        (Wish::Some, _) | (_, Level::Out) => None,
        (_, Level::Word(word)) => Some(word),
        _ => None,
    };
    match wish {
        Wish::None => {
            said.reasons = false;
            let off = match reasoning.off {
                Off::Silence => None,
                Off::Disabled => Some("disabled"),
                Off::BetweenTools => Some("between_tools"),
            };
            if off.is_none() && asked.thinking.is_some() {
                changes.leave_out("thinking");
            }
            if let Some(off) = off {
                said.fields
                    .push(("thinking", format!(r#"{{"type":"{off}"}}"#)));
            }
            // An effort beside "disabled" says how much is done without.
            let beside = asked.thinking.as_ref().and(asked.effort.as_deref());
            if let Some(place) =
                beside.and_then(|word| WORDS.iter().position(|known| *known == word))
            {
                effort = match level(Wish::Word(place.clamp(1, 4)), family) {
                    Level::Word(word) => Some(word),
                    _ => None,
                };
            }
        }
        _ => {
            said.reasons = true;
            match &asked.thinking {
                // Its budget is a number of its own; an effort beside it is the client's.
                Some(given) if is_budget && reasoning.budget => {
                    if asked.effort.is_none() {
                        effort = None;
                    }
                    let wanted = own.budget_tokens.unwrap_or_default();
                    said.budget = fitting(wanted, around, family);
                    match said.budget {
                        Some(fits) if fits == wanted => {
                            said.fields.push(("thinking", given.clone().into_owned()));
                        }
                        Some(fits) => {
                            changes.change("thinking");
                            let json = format!(r#"{{"type":"enabled","budget_tokens":{fits}}}"#);
                            said.fields.push(("thinking", json));
                        }
                        None => {
                            changes.leave_out("thinking");
                            said.reasons = false;
                        }
                    }
                }
                Some(_) if is_budget => {
                    changes.change("thinking");
                    said.fields
                        .push(("thinking", r#"{"type":"adaptive"}"#.to_owned()));
                }
                Some(given) => said.fields.push(("thinking", given.clone().into_owned())),
                None if !asked.effort_switches => said.reasons = reasoning.default == ByDefault::On,
                None if effort.is_none() => said.reasons = reasoning.default == ByDefault::On,
                // Without this word the reasoning that comes is empty.
                None => said.fields.push((
                    "thinking",
                    r#"{"type":"adaptive","display":"summarized"}"#.to_owned(),
                )),
            }
        }
    }
    match effort {
        Some(word) => said
            .fields
            .push(("output_config", format!(r#"{{"effort":"{word}"}}"#))),
        None if asked.effort.is_some() && wish != Wish::None => changes.leave_out("effort"),
        None => {}
    }
    said
}
