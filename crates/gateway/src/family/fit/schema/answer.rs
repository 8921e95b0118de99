//! The schema of an answer, in the subset that Bedrock can hold a model to.
//! <https://docs.aws.amazon.com/bedrock/latest/userguide/structured-output.html>

use super::definitions::{DEFINITIONS, DEPTH, Definitions, LARGEST, describe, looks_around};
use crate::json::tree::{Members, Tree};

/// The schema in the subset; what that cannot say of a value is said in its description. `None`: it cannot say this schema.
pub fn of_answer(json: &str) -> Option<String> {
    if json.len() > LARGEST {
        return None;
    }
    let given = Tree::read(json)?;
    let Tree::Object(mut schema) = given.clone() else {
        return None;
    };
    let definitions = Definitions::of(&schema);
    if let Some(target) = schema.get("$ref").and_then(Tree::as_str) {
        let Tree::Object(found) = definitions.find(target)?.clone() else {
            return None;
        };
        schema.remove("$ref");
        for (name, value) in found.0 {
            if schema.get(&name).is_none() {
                schema.0.push((name, value));
            }
        }
    }
    match schema.get("type") {
        Some(kind) if kind.as_str() == Some("object") => {}
        None if schema.get("properties").is_some() => schema.set("type", "object".into()),
        _ => return None,
    }
    let alternatives = ["anyOf", "oneOf", "allOf"];
    if alternatives.iter().any(|name| schema.get(name).is_some()) {
        return None;
    }
    let ends = schema
        .0
        .iter()
        .all(|(_, value)| is_finite(value, &definitions, &mut Vec::new()));
    let mut counts = Counts::default();
    if !ends {
        return None;
    }
    restrict(&mut schema, &mut counts)?;
    let fitted = Tree::Object(schema);
    counts.within_limits().then(|| match fitted == given {
        true => json.to_owned(),
        false => fitted.write(),
    })
}

/// How many properties of a schema may be missing, at any depth; `None` if that is not known.
pub fn optional_properties(json: &str) -> Option<usize> {
    fn count(value: &Tree<'_>) -> usize {
        match value {
            Tree::Object(members) => {
                let named = members
                    .get("properties")
                    .and_then(Tree::as_object)
                    .map_or(0, |names| names.0.len());
                let required = members
                    .get("required")
                    .and_then(Tree::as_array)
                    .map_or(0, <[_]>::len);
                let below: usize = members.0.iter().map(|(_, value)| count(value)).sum();
                below + named.saturating_sub(required)
            }
            Tree::Array(elements) => elements.iter().map(count).sum(),
            _ => 0,
        }
    }
    Tree::read(json).map(|tree| count(&tree))
}

/// Whether a schema ends: no reference leads into itself, or out of the document.
fn is_finite<'a>(
    value: &Tree<'a>,
    definitions: &Definitions<'a>,
    within: &mut Vec<String>,
) -> bool {
    match value {
        Tree::Object(members) => members.0.iter().all(|(name, value)| match value {
            Tree::String(target) if name == "$ref" => {
                if within.iter().any(|known| known == target) || within.len() >= DEPTH {
                    return false;
                }
                within.push(target.to_string());
                let finite = definitions
                    .find(target)
                    .is_some_and(|found| is_finite(found, definitions, within));
                within.pop();
                finite
            }
            value => is_finite(value, definitions, within),
        }),
        Tree::Array(elements) => elements
            .iter()
            .all(|element| is_finite(element, definitions, within)),
        _ => true,
    }
}

/// Puts a schema, and all below it, into the subset.
fn restrict(schema: &mut Members<'_>, counts: &mut Counts) -> Option<()> {
    if let Some(alternatives) = schema.remove("oneOf") {
        schema.set("anyOf", alternatives);
    }
    let notes = take_out_what_cannot_be_said(schema);
    if let Some(reference) = schema.get("$ref") {
        return reference.as_str()?.starts_with("#/").then_some(());
    }
    let has_properties = schema.get("properties").is_some();
    if names_type(schema, "object") || (schema.get("type").is_none() && has_properties) {
        restrict_object(schema, counts)?;
    }
    if names_type(schema, "array") {
        restrict_one(schema.get_mut("items")?, counts)?;
    }
    for name in ["anyOf", "allOf"] {
        let Some(alternatives) = schema.get_mut(name) else {
            continue;
        };
        let Tree::Array(alternatives) = alternatives else {
            return None;
        };
        counts.unions += usize::from(name == "anyOf");
        for alternative in alternatives {
            restrict_one(alternative, counts)?;
        }
    }
    for name in DEFINITIONS {
        if let Some(Tree::Object(definitions)) = schema.get_mut(name) {
            for (_, definition) in &mut definitions.0 {
                restrict_one(definition, counts)?;
            }
        }
    }
    counts.unions += usize::from(matches!(schema.get("type"), Some(Tree::Array(_))));
    let says_a_type = ["type", "enum", "const", "anyOf", "allOf"];
    let is_typed = says_a_type.iter().any(|name| schema.get(name).is_some());
    describe(schema, &notes);
    is_typed.then_some(())
}

fn restrict_one(value: &mut Tree<'_>, counts: &mut Counts) -> Option<()> {
    match value {
        Tree::Object(schema) => restrict(schema, counts),
        _ => None,
    }
}

/// Takes out the words that the subset does not have, and gives back what they say.
fn take_out_what_cannot_be_said(schema: &mut Members<'_>) -> Vec<String> {
    let mut notes = Vec::new();
    schema.0.retain(|(name, value)| {
        let is_kept = match name.as_ref() {
            "minItems" => {
                matches!(value, Tree::Number(number) if matches!(number.as_u64(), Some(0 | 1)))
            }
            "format" => value
                .as_str()
                .is_some_and(|format| FORMATS.contains(&format)),
            "pattern" => value.as_str().is_some_and(is_simple_pattern),
            name => KEPT.contains(&name),
        };
        if !is_kept && !SAYS_NOTHING.contains(&name.as_ref()) {
            notes.push(format!("{name}: {}", value.write()));
        }
        is_kept
    });
    notes
}

/// Every object says all that it may have.
fn restrict_object(schema: &mut Members<'_>, counts: &mut Counts) -> Option<()> {
    let is_closed = schema.get("additionalProperties") == Some(&Tree::Bool(false));
    let open = match schema.get("additionalProperties") {
        Some(Tree::Object(_)) => return None,
        Some(Tree::Bool(true)) => true,
        _ => false,
    };
    let is_empty = match schema.get("properties") {
        Some(Tree::Object(properties)) => properties.0.is_empty(),
        Some(_) => return None,
        None => true,
    };
    // Any object fits, and the empty one alone would be another schema.
    if open || (is_empty && !is_closed) {
        return None;
    }
    schema.set("additionalProperties", Tree::Bool(false));
    if schema.get("type").is_none() {
        schema.set("type", "object".into());
    }
    let required = schema
        .get("required")
        .and_then(Tree::as_array)
        .map_or(0, <[_]>::len);
    if let Some(Tree::Object(properties)) = schema.get_mut("properties") {
        counts.optional += properties.0.len().saturating_sub(required);
        for (_, property) in &mut properties.0 {
            restrict_one(property, counts)?;
        }
    }
    Some(())
}

fn names_type(schema: &Members<'_>, wanted: &str) -> bool {
    match schema.get("type") {
        Some(Tree::String(kind)) => kind == wanted,
        Some(Tree::Array(kinds)) => kinds.iter().any(|kind| kind.as_str() == Some(wanted)),
        _ => false,
    }
}

/// What may be there too often for a schema to be compiled.
#[derive(Default)]
struct Counts {
    optional: usize,
    unions: usize,
}

impl Counts {
    fn within_limits(&self) -> bool {
        self.optional <= 24 && self.unions <= 16
    }
}

/// No lookaround, and nothing that refers back.
fn is_simple_pattern(pattern: &str) -> bool {
    let mut escaped = false;
    let refers_back = pattern.bytes().any(|byte| {
        let refers = escaped && (byte.is_ascii_digit() || matches!(byte, b'k' | b'b' | b'B'));
        escaped = !escaped && byte == b'\\';
        refers
    });
    !refers_back && !looks_around(pattern)
}

/// What a schema may say.
#[rustfmt::skip]
const KEPT: [&str; 15] = [
    "$defs", "$ref", "additionalProperties", "allOf", "anyOf", "const", "default", "definitions", "description", "enum",
    "items", "properties", "required", "title", "type",
];
/// What can go without being said elsewhere.
#[rustfmt::skip]
const SAYS_NOTHING: [&str; 8] = [
    "$schema", "$id", "$comment", "examples", "deprecated", "readOnly", "writeOnly", "strict",
];
#[rustfmt::skip]
const FORMATS: [&str; 10] = [
    "date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid",
];

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn answer(schema: Value) -> Option<Value> {
        of_answer(&schema.to_string()).map(|json| serde_json::from_str(&json).unwrap())
    }

    #[test]
    fn answers_keep_to_the_subset() {
        let fitted = answer(
            json!({"$schema": "s", "type": "object", "required": ["age"], "properties": {
            "age": {"type": "integer", "minimum": 0, "maximum": 150, "description": "Years."},
            "tags": {"type": "array", "items": {"type": "string", "minLength": 1}, "maxItems": 3, "minItems": 1},
            "minimum": {"oneOf": [{"type": "string", "format": "date"}, {"type": "string", "format": "phone"}]},
            "r": {"type": ["object", "null"], "properties": {"x": {"const": 1}}}}}),
        );
        let expected = json!({"type": "object", "additionalProperties": false, "required": ["age"], "properties": {
            "age": {"type": "integer", "description": "Years. (maximum: 150, minimum: 0)"},
            "tags": {"type": "array", "minItems": 1, "items": {"type": "string", "description": "minLength: 1"},
                     "description": "maxItems: 3"},
            "minimum": {"anyOf": [{"type": "string", "format": "date"}, {"type": "string", "description": "format: \"phone\""}]},
            "r": {"type": ["object", "null"], "properties": {"x": {"const": 1}}, "additionalProperties": false}}});
        assert_eq!(fitted, Some(expected));
    }

    #[test]
    fn what_cannot_be_said_is_not() {
        let object = |property: Value| json!({"type": "object", "properties": {"a": property}});
        for schema in [
            json!({"type": "array", "items": {"type": "string"}}),
            json!({"type": "object"}),
            json!({"type": "object", "additionalProperties": {"type": "string"}}),
            json!({"anyOf": [{"type": "object", "properties": {}}]}),
            json!(true),
            object(json!({})),
            object(json!({"description": "anything"})),
            object(json!({"type": "array"})),
            object(json!({"type": "object", "additionalProperties": true})),
            object(
                json!({"type": "object", "additionalProperties": true, "properties": {"a": {"type": "string"}}}),
            ),
            object(json!({"$ref": "https://example.com/a"})),
            object(json!({"$ref": "#/$defs/missing"})),
            json!({"type": "object", "properties": {"a": {"$ref": "#/$defs/A"}},
                   "$defs": {"A": {"type": "object", "properties": {"a": {"$ref": "#/$defs/A"}}}}}),
        ] {
            assert_eq!(answer(schema.clone()), None, "{schema}");
        }
        let many: serde_json::Map<String, Value> = (0..25)
            .map(|n| (format!("p{n}"), json!({"type": "string"})))
            .collect();
        assert_eq!(answer(json!({"type": "object", "properties": many})), None);
        let referred = json!({"$ref": "#/definitions/A",
            "definitions": {"A": {"type": "object", "properties": {"a": {"type": "null"}}}}});
        assert!(answer(referred).is_some());
    }

    #[test]
    fn a_schema_that_multiplies_itself_costs_little() {
        let of =
            |name: &str| json!({"anyOf": vec![json!({"$ref": format!("#/$defs/{name}")}); 1000]});
        let bomb = json!({"type": "object", "properties": {"a": {"$ref": "#/$defs/A"}},
            "$defs": {"A": of("B"), "B": of("C"), "C": of("D"), "D": {"type": "string"}}});
        assert_eq!(answer(bomb), None);
    }
}
