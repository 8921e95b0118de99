//! What the parts of a schema refer to, and what both kinds of schema need.

use std::borrow::Cow;
use std::cell::Cell;

use crate::json::tree::{MOST, Members, Tree};

/// The definitions of a schema, by their references.
pub struct Definitions<'a> {
    found: Vec<(&'static str, Members<'a>)>,
    /// How many values may yet be looked up: a schema may refer to itself over and over.
    left: Cell<usize>,
}

impl<'a> Definitions<'a> {
    /// Those of this schema.
    pub fn of(schema: &Members<'a>) -> Self {
        let found = |name: &'static str| {
            let members = schema.get(name).and_then(Tree::as_object)?;
            Some((name, members.clone()))
        };
        Self {
            found: DEFINITIONS.into_iter().filter_map(found).collect(),
            left: Cell::new(MOST),
        }
    }

    /// What `#/$defs/Name` stands for.
    pub fn find(&self, target: &str) -> Option<&Tree<'a>> {
        let rest = target.strip_prefix("#/")?;
        let (place, name) = rest.split_once('/')?;
        let (_, found) = self.found.iter().find(|(known, _)| *known == place)?;
        let found = found.get(&name.replace("~1", "/").replace("~0", "~"))?;
        let mut left = self.left.get();
        let enough = count(found, &mut left);
        self.left.set(left);
        enough.then_some(found)
    }
}

/// Takes the number of a tree's values from `left`; `false` if there are more.
fn count(tree: &Tree<'_>, left: &mut usize) -> bool {
    let Some(less) = left.checked_sub(1) else {
        return false;
    };
    *left = less;
    match tree {
        Tree::Object(members) => members.0.iter().all(|(_, value)| count(value, left)),
        Tree::Array(elements) => elements.iter().all(|element| count(element, left)),
        _ => true,
    }
}

/// Adds to a schema's description.
pub fn describe(schema: &mut Members<'_>, notes: &[String]) {
    if notes.is_empty() {
        return;
    }
    let notes = notes.join(", ");
    let text = match schema.get("description").and_then(Tree::as_str) {
        Some(old) if !old.trim().is_empty() => format!("{old} ({notes})"),
        _ => notes,
    };
    schema.set("description", Tree::String(Cow::Owned(text)));
}

/// Whether a regular expression looks around.
pub fn looks_around(pattern: &str) -> bool {
    ["(?=", "(?!", "(?<=", "(?<!"]
        .iter()
        .any(|sign| pattern.contains(sign))
}

/// What is larger is no schema that anybody would hold a model to, and not worth the memory of a tree.
pub const LARGEST: usize = 256 << 10;
/// Where definitions stand.
pub const DEFINITIONS: [&str; 2] = ["$defs", "definitions"];
/// How long a chain of references may be.
pub const DEPTH: usize = 16;
