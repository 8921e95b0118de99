//! What a client wants, in OpenAI's words, whoever's it said it in.

use serde::Deserialize;

use crate::bedrock::converse::AskedReasoning;
use crate::family::Family;
use crate::family::facts::{Level, WORDS};
use crate::json::text::Text;

/// Anthropic's `thinking`.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Thinking<'a> {
    #[serde(borrow, rename = "type")]
    pub kind: Text<'a>,
    pub budget_tokens: Option<u64>,
}

/// What a client wants, in OpenAI's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    None,
    /// To reason as much as the model likes.
    Some,
    /// The word with this place in [`WORDS`].
    Word(usize),
    /// Somebody's own word.
    Unknown,
}

impl Wish {
    /// What is asked.
    pub fn of(asked: &AskedReasoning<'_>) -> Option<Self> {
        let thinking = asked.thinking.as_deref().map(thinking);
        let word = asked.effort.as_deref().map(|effort| {
            let place = WORDS.iter().position(|word| *word == effort);
            place.map_or(Self::Unknown, |place| match place {
                0 => Self::None,
                place => Self::Word(place),
            })
        });
        match thinking {
            Some(thinking) if is_off(&thinking) => Some(Self::None),
            Some(Thinking {
                budget_tokens: Some(budget),
                ..
            }) if word.is_none() => Some(Self::Word(place_of(budget))),
            Some(_) => word.or(Some(Self::Some)),
            None => word,
        }
    }
}

/// Reads it; what is none says nothing.
pub fn thinking(json: &str) -> Thinking<'_> {
    serde_json::from_str(json).unwrap_or_default()
}

/// Whether it says that nothing is to be thought.
pub fn is_off(thinking: &Thinking<'_>) -> bool {
    matches!(thinking.kind.0.as_ref(), "disabled" | "between_tools")
}

/// The place in [`WORDS`] that a budget comes to.
fn place_of(budget: u64) -> usize {
    match budget {
        8192.. => 5,
        4096.. => 4,
        2048.. => 3,
        _ => 2,
    }
}

/// The family's level for a wish; `Some` is that of "medium".
pub fn level(wish: Wish, family: &Family) -> Level {
    let place = match wish {
        Wish::None => 0,
        Wish::Some => 3,
        Wish::Word(place) => place,
        Wish::Unknown => return Level::Out,
    };
    let levels = family.reasoning.levels;
    levels.get(place).copied().unwrap_or(Level::Out)
}
