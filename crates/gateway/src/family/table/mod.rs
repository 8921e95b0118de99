//! The table: one row a family, each written as what sets it apart from another. `fixtures/families.json` has the same facts
//! with their sources; a test holds the two against each other.

mod amazon;
mod claude;
mod openai;
mod others;
mod rows;
mod weights;

use super::facts::Family;
pub use claude::BUDGETS;
pub use others::{IMPORTED, PROFILE_UNKNOWN, UNKNOWN};
pub use rows::TOOLS;

/// The family of a model's own id, without region.
pub fn of_model(model: &str) -> Option<Family> {
    if let Some(claude) = model.strip_prefix("anthropic.claude-") {
        return Some(claude::of(claude));
    }
    lists()
        .flatten()
        .filter(|(prefix, _)| model.starts_with(prefix))
        // The more that a rule says about an id, the better it knows it.
        .max_by_key(|(prefix, _)| prefix.len())
        .map(|(_, family)| *family)
}

/// The family of a name that clients use for a model, where that shows it without the vendor, or with another sign after it.
pub fn of_bare_name(name: &str) -> Option<Family> {
    if let Some(claude) = name.strip_prefix("claude-") {
        return Some(claude::of(claude));
    }
    let begins_with = |model: &str| {
        let model = model.trim_end_matches(['-', '.']);
        let rest = name.strip_prefix(model).filter(|_| !model.is_empty());
        rest.is_some_and(|rest| !rest.starts_with(|next: char| next.is_ascii_alphabetic()))
    };
    let shows = |(prefix, _): &&(&str, Family)| {
        let Some((vendor, model)) = prefix.split_once('.') else {
            return false;
        };
        // `r1` alone may be anything.
        *prefix != ANY_GPT
            && ((model.len() > 3 && begins_with(model))
                || begins_with(&format!("{vendor}-{model}")))
    };
    lists()
        .flatten()
        .filter(shows)
        .max_by_key(|(prefix, _)| prefix.len())
        .map(|(_, family)| *family)
}

/// The family of this name.
pub fn named(name: &str) -> Option<Family> {
    // The first row of a name is the family's, those that follow are members that differ.
    all().find(|family| family.name == name)
}

/// Every row.
pub fn all() -> impl Iterator<Item = Family> {
    let special = [PROFILE_UNKNOWN, IMPORTED, UNKNOWN];
    let listed = lists().flatten().map(|(_, family)| *family);
    claude::ROWS.into_iter().chain(special).chain(listed)
}

/// Rows with the beginning of the ids that they stand for.
fn lists() -> impl Iterator<Item = &'static [(&'static str, Family)]> {
    [amazon::ROWS, openai::ROWS, weights::ROWS, others::ROWS].into_iter()
}

/// Shows nothing where the vendor is missing: clients call other models "gpt-4o".
const ANY_GPT: &str = "openai.gpt-";
