//! The schema of a tool's input: its root must be an object.

use super::definitions::{DEFINITIONS, DEPTH, Definitions, LARGEST, describe, looks_around};
use crate::family::facts::SchemaLimits;
use crate::json::object;
use crate::json::tree::{Members, Tree};

/// A tool's schema that the family takes; `None` if it takes this one.
///
/// Alternatives at the root are merged into one object.
pub fn of_input(json: &str, limits: SchemaLimits) -> Option<String> {
    let suspicious = match limits {
        SchemaLimits::Common => false,
        SchemaLimits::NoLookaround => json.contains("(?"),
        SchemaLimits::NoReferences => json.contains("\"$ref\""),
    };
    // A schema as large as a book goes as it is: Bedrock says what it thinks of it.
    if json.len() > LARGEST || (!suspicious && is_plain_object(json)) {
        return None;
    }
    let Some(Tree::Object(mut schema)) = Tree::read(json) else {
        return None;
    };
    let definitions = Definitions::of(&schema);
    make_object(&mut schema, &definitions, 0);
    match limits {
        SchemaLimits::Common => {}
        SchemaLimits::NoLookaround => drop_lookaround(&mut schema),
        SchemaLimits::NoReferences => {
            for name in DEFINITIONS {
                schema.remove(name);
            }
            inline(&mut schema, &definitions, 0);
        }
    }
    Some(Tree::Object(schema).write())
}

/// Whether a schema's root is an object, with no alternatives beside it.
fn is_plain_object(json: &str) -> bool {
    let Ok(root) = object::parse(json) else {
        return true;
    };
    let mut is_object = false;
    for member in &root.members {
        match member.name.as_ref() {
            "type" => is_object = json.get(member.value.clone()) == Some("\"object\""),
            name if ALTERNATIVES.contains(&name) || name == "$ref" => return false,
            _ => {}
        }
    }
    is_object
}

const ALTERNATIVES: [&str; 3] = ["oneOf", "anyOf", "allOf"];

/// Makes one object of what stands at the root.
fn make_object<'a>(schema: &mut Members<'a>, definitions: &Definitions<'a>, depth: usize) {
    let mut depth = depth;
    while let Some(Tree::String(target)) = schema.remove("$ref") {
        depth += 1;
        match definitions.find(&target) {
            Some(Tree::Object(found)) if depth < DEPTH => merge(schema, &found.clone()),
            _ => break,
        }
    }
    for name in ALTERNATIVES {
        let Some(Tree::Array(alternatives)) = schema.remove(name).filter(|_| depth < DEPTH) else {
            continue;
        };
        let mut merged: Option<Members<'a>> = None;
        for alternative in alternatives {
            let Tree::Object(mut alternative) = alternative else {
                continue;
            };
            make_object(&mut alternative, definitions, depth + 1);
            match &mut merged {
                None => merged = Some(alternative),
                Some(merged) => unite(merged, alternative, name == "allOf"),
            }
        }
        if let Some(mut merged) = merged {
            merged.remove("type");
            merge(schema, &merged);
        }
    }
    if is_scalar(schema) {
        let value = std::mem::take(schema);
        let properties = Members(vec![("value".into(), Tree::Object(value))]);
        schema.set("type", "object".into());
        schema.set("properties", Tree::Object(properties));
        return schema.set("required", Tree::Array(vec!["value".into()]));
    }
    match schema.get("type") {
        Some(_) => schema.set("type", "object".into()),
        None => schema.0.insert(0, ("type".into(), "object".into())),
    }
    if schema.get("properties").is_none() {
        schema.set("properties", Tree::Object(Members::default()));
    }
}

/// Whether a schema is that of something which is no object.
fn is_scalar(schema: &Members<'_>) -> bool {
    let other = match schema.get("type") {
        Some(Tree::String(word)) => !["object", "custom", "null", ""].contains(&word.as_ref()),
        Some(Tree::Array(words)) => !words.iter().any(|word| word.as_str() == Some("object")),
        _ => false,
    };
    other && schema.get("properties").is_none()
}

/// Adds to a schema what it does not say itself; properties are united.
fn merge<'a>(schema: &mut Members<'a>, more: &Members<'a>) {
    for (name, value) in &more.0 {
        match (schema.get_mut(name), value) {
            (Some(Tree::Object(known)), Tree::Object(value)) if name == "properties" => {
                for (name, value) in &value.0 {
                    if known.get(name).is_none() {
                        known.0.push((name.clone(), value.clone()));
                    }
                }
            }
            (Some(Tree::Array(known)), Tree::Array(value)) if name == "required" => {
                let new: Vec<_> = value
                    .iter()
                    .filter(|one| !known.contains(one))
                    .cloned()
                    .collect();
                known.extend(new);
            }
            (Some(_), _) => {}
            (None, _) => schema.0.push((name.clone(), value.clone())),
        }
    }
}

/// Unites two alternatives: the properties of both, and of what is demanded only what both demand, or, where both hold, all.
fn unite<'a>(one: &mut Members<'a>, mut other: Members<'a>, both_hold: bool) {
    let mut required = demanded(one);
    let others = demanded(&other);
    match both_hold {
        true => {
            let new: Vec<_> = others
                .into_iter()
                .filter(|name| !required.contains(name))
                .collect();
            required.extend(new);
        }
        false => required.retain(|name| others.contains(name)),
    }
    let kind = if both_hold { "allOf" } else { "anyOf" };
    if let (Some(Tree::Object(known)), Some(Tree::Object(more))) =
        (one.get_mut("properties"), other.get_mut("properties"))
    {
        for (name, value) in std::mem::take(&mut more.0) {
            match known.get_mut(&name) {
                Some(same) if *same == value => {}
                Some(different) => join(kind, different, value),
                None => known.0.push((name, value)),
            }
        }
    }
    merge(one, &other);
    one.remove("required");
    if !required.is_empty() {
        one.set("required", Tree::Array(required));
    }
}

fn demanded<'a>(schema: &Members<'a>) -> Vec<Tree<'a>> {
    match schema.get("required") {
        Some(Tree::Array(names)) => names.clone(),
        _ => Vec::new(),
    }
}

/// Makes `{"anyOf":[one, other]}` of two schemas, or adds to such a one.
fn join<'a>(kind: &'static str, one: &mut Tree<'a>, other: Tree<'a>) {
    if let Tree::Object(Members(members)) = one
        && let [(name, Tree::Array(known))] = members.as_mut_slice()
        && name == kind
    {
        return known.push(other);
    }
    let old = std::mem::replace(one, Tree::Null);
    let both = Tree::Array(vec![old, other]);
    *one = Tree::Object(Members(vec![(kind.into(), both)]));
}

/// Puts definitions in the place of references; what is within itself ends after a few rounds.
fn inline<'a>(schema: &mut Members<'a>, definitions: &Definitions<'a>, depth: usize) {
    if let Some(Tree::String(target)) = schema.get("$ref").cloned() {
        schema.remove("$ref");
        if let Some(Tree::Object(found)) = definitions.find(&target).filter(|_| depth < ROUNDS) {
            merge(schema, &found.clone());
            return inline(schema, definitions, depth + 1);
        }
    }
    for (_, value) in &mut schema.0 {
        inline_below(value, definitions, depth);
    }
}

fn inline_below<'a>(value: &mut Tree<'a>, definitions: &Definitions<'a>, depth: usize) {
    match value {
        Tree::Object(members) => inline(members, definitions, depth),
        Tree::Array(elements) => {
            for element in elements {
                inline_below(element, definitions, depth);
            }
        }
        _ => {}
    }
}

/// How often a definition may be put in its own place.
const ROUNDS: usize = 4;

/// Says patterns with lookaround in the description instead.
fn drop_lookaround(schema: &mut Members<'_>) {
    let pattern = schema.get("pattern").and_then(Tree::as_str);
    if let Some(pattern) = pattern.filter(|pattern| looks_around(pattern)) {
        let note = format!("pattern: {pattern}");
        schema.remove("pattern");
        describe(schema, &[note]);
    }
    for (_, value) in &mut schema.0 {
        drop_below(value);
    }
}

fn drop_below(value: &mut Tree<'_>) {
    match value {
        Tree::Object(members) => drop_lookaround(members),
        Tree::Array(elements) => elements.iter_mut().for_each(drop_below),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn input(schema: Value, limits: SchemaLimits) -> Value {
        match of_input(&schema.to_string(), limits) {
            Some(fitted) => serde_json::from_str(&fitted).unwrap(),
            None => json!("as it was"),
        }
    }

    fn common(schema: Value) -> Value {
        input(schema, SchemaLimits::Common)
    }

    #[test]
    fn roots_become_objects() {
        let empty = json!({"type": "object", "properties": {}});
        let within = json!({"type": "object", "$defs": {"A": {"anyOf": []}}});
        assert_eq!(common(within), json!("as it was"));
        for schema in [
            json!({}),
            json!({"type": "custom"}),
            json!({"type": null}),
            json!({"type": ["object", "null"]}),
        ] {
            assert_eq!(common(schema), empty);
        }
        assert_eq!(
            common(json!({"type": "string"})),
            json!({"type": "object", "properties": {"value": {"type": "string"}}, "required": ["value"]})
        );
        let definition = json!({"A": {"type": "object", "properties": {"x": {"type": "string"}}}});
        assert_eq!(
            common(json!({"$ref": "#/$defs/A", "$defs": definition})),
            json!({"$defs": definition, "type": "object", "properties": {"x": {"type": "string"}}})
        );
        let circle = json!({"$ref": "#/$defs/A", "$defs": {"A": {"$ref": "#/$defs/A"}}});
        assert_eq!(common(circle)["type"], "object");
    }

    #[test]
    fn alternatives_at_the_root_are_merged() {
        let a = json!({"type": "object", "properties": {"x": {"type": "string"}, "n": {"type": "string"}},
            "required": ["x", "n"]});
        let b = json!({"type": "object", "properties": {"y": {"type": "string"}, "n": {"type": "integer"}},
            "required": ["y", "n"]});
        let merged = |kind: &str, required: Value| {
            json!({"type": "object", "required": required, "properties": {"x": {"type": "string"},
                "n": {kind: [{"type": "string"}, {"type": "integer"}]}, "y": {"type": "string"}}})
        };
        for (kind, result) in [
            ("oneOf", merged("anyOf", json!(["n"]))),
            ("anyOf", merged("anyOf", json!(["n"]))),
            ("allOf", merged("allOf", json!(["x", "n", "y"]))),
        ] {
            assert_eq!(common(json!({kind: [a, b]})), result);
        }
    }

    #[test]
    fn what_some_families_cannot_read_goes() {
        let schema = json!({"type": "object", "properties": {
            "a": {"$ref": "#/$defs/A", "description": "d"}, "p": {"type": "string", "pattern": "^(?!x)"}},
            "$defs": {"A": {"type": "object", "properties": {"self": {"$ref": "#/$defs/A"}, "n": {"type": "string"}}}}});
        let fitted = input(schema.clone(), SchemaLimits::NoReferences);
        assert!(!fitted.to_string().contains("$ref") && !fitted.to_string().contains("$defs"));
        assert_eq!(
            fitted["properties"]["a"]["properties"]["n"]["type"],
            "string"
        );
        assert_eq!(fitted["properties"]["a"]["description"], "d");
        let fitted = input(schema.clone(), SchemaLimits::NoLookaround);
        assert_eq!(
            fitted["properties"]["p"],
            json!({"type": "string", "description": "pattern: ^(?!x)"})
        );
        assert_eq!(common(schema), json!("as it was"));
    }

    #[test]
    fn a_schema_that_multiplies_itself_costs_little() {
        let many = vec![json!({"$ref": "#/$defs/A"}); 1000];
        let bomb = json!({"type": "object", "anyOf": many, "properties": {"a": {"$ref": "#/$defs/A"}},
            "$defs": {"A": {"anyOf": many, "type": "object"}}});
        for limits in [SchemaLimits::Common, SchemaLimits::NoReferences] {
            assert!(of_input(&bomb.to_string(), limits).unwrap().len() < 2_000_000);
        }
    }
}
