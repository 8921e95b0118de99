//! The table: one row a family, each written as what sets it apart from another. `fixtures/families.json` has the same facts
//! with their sources; a test holds the two against each other.

mod amazon;
mod claude;
mod openai;
mod others;
mod rows;
mod weights;

use std::cmp::Reverse;
use std::sync::LazyLock;

use super::facts::Family;
pub use claude::BUDGETS;
pub use others::{IMPORTED, PROFILE_UNKNOWN, UNKNOWN};
pub use rows::TOOLS;

/// The family of a model's own id, without region.
pub fn of_model(model: &str) -> Option<Family> {
    if let Some(claude) = model.strip_prefix("anthropic.claude-") {
        return Some(claude::of(claude));
    }
    let mut rules = RULES.iter();
    rules
        .find(|rule| alike(model, rule.prefix) && model.starts_with(rule.prefix))
        .map(|rule| *rule.family)
}

/// The family of a name that clients use for a model, where that shows it without the vendor, or with another sign after it.
pub fn of_bare_name(name: &str) -> Option<Family> {
    if let Some(claude) = name.strip_prefix("claude-") {
        return Some(claude::of(claude));
    }
    let mut rules = RULES.iter();
    rules.find(|rule| rule.shows(name)).map(|rule| *rule.family)
}

/// A row of the lists, read for the search.
struct Rule {
    prefix: &'static str,
    vendor: &'static str,
    /// What follows the vendor, without a sign at its end.
    model: &'static str,
    /// Whether that alone shows the model: `r1` may be anything.
    is_known: bool,
    family: &'static Family,
}

/// The rows of the lists, in the order in which they count: the more that one says about an id, the better it knows it.
static RULES: LazyLock<Vec<Rule>> = LazyLock::new(|| {
    let rows = lists().flatten();
    let mut rules: Vec<Rule> = rows
        .map(|(prefix, family)| {
            let (vendor, series) = prefix.split_once('.').unwrap_or((prefix, ""));
            Rule {
                prefix,
                vendor,
                model: series.trim_end_matches(['-', '.']),
                is_known: series.len() > 3,
                family,
            }
        })
        .collect();
    rules.sort_by_key(|rule| Reverse(rule.prefix.len()));
    rules
});

impl Rule {
    fn shows(&self, name: &str) -> bool {
        // What follows is no other word.
        let ends = |rest: &str| !rest.starts_with(|next: char| next.is_ascii_alphabetic());
        let begins = |name: &str| name.strip_prefix(self.model).is_some_and(ends);
        let by_vendor = || match name.strip_prefix(self.vendor) {
            Some(rest) if self.model.is_empty() => ends(rest),
            Some(rest) => rest.strip_prefix('-').is_some_and(begins),
            None => false,
        };
        self.prefix != ANY_GPT
            && ((self.is_known && alike(name, self.model) && begins(name))
                || (alike(name, self.vendor) && by_vendor()))
    }
}

/// Whether both begin with the same byte, which tells most rules apart.
fn alike(one: &str, other: &str) -> bool {
    one.as_bytes().first() == other.as_bytes().first()
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
