//! The subset of JSON Schema that structured output and strict tools take (`schema_subset` in families.json).

use std::sync::LazyLock;

use serde_json::{Map, Value, json};

use super::{family, faults::Faults};
use crate::errors::Refusal;

/// Checks a schema; `place` is how messages name it.
pub fn check(schema: &Value, place: &str, faults: &mut Faults) {
    if schema.get("type") != Some(&json!("object")) {
        faults.model(format!(
            "{place}: the root of a schema must be of type object"
        ));
    }
    let mut limits = Limits::default();
    node(schema, schema, &mut Vec::new(), place, &mut limits, faults);
    if limits.optional > 24 {
        faults.model(format!("{place}: Schemas contains too many optional parameters ({}), which would make grammar compilation inefficient. The limit is 24.", limits.optional));
    }
    if limits.unions > 16 {
        faults.model(format!(
            "{place}: Schemas contains too many parameters with union types ({}). The limit is 16.",
            limits.unions
        ));
    }
}

#[derive(Debug, Default)]
struct Limits {
    optional: usize,
    unions: usize,
}

fn node<'a>(
    root: &'a Value,
    value: &'a Value,
    way: &mut Vec<&'a str>,
    place: &str,
    limits: &mut Limits,
    faults: &mut Faults,
) {
    let Some(members) = value.as_object() else {
        return faults.model(format!("{place}: a schema must be an object"));
    };
    let kind = members.get("type");
    for name in SUBSET.removed.iter() {
        if members.contains_key(name) {
            let kind = kind.and_then(Value::as_str).unwrap_or("any");
            faults.model(format!(
                "{place}: For '{kind}' type, property '{name}' is not supported"
            ));
        }
    }
    if members.contains_key("oneOf") {
        faults.model(format!("{place}: Schema type 'oneOf' is not supported"));
    }
    if members
        .get("minItems")
        .and_then(Value::as_u64)
        .is_some_and(|least| least > 1)
    {
        faults.model(format!(
            "{place}: For 'array' type, 'minItems' values other than 0 or 1 are not supported"
        ));
    }
    if members
        .get("format")
        .and_then(Value::as_str)
        .is_some_and(|format| !SUBSET.formats.iter().any(|known| known == format))
    {
        faults.model(format!(
            "{place}: For 'string' type, this 'format' is not supported"
        ));
    }
    let scalar = |value: &Value| !value.is_object() && !value.is_array();
    if !members
        .get("enum")
        .and_then(Value::as_array)
        .is_none_or(|words| words.iter().all(scalar))
    {
        faults.model(format!("{place}: 'enum' must contain only scalar values"));
    }
    if members
        .get("pattern")
        .and_then(Value::as_str)
        .is_some_and(is_hard)
    {
        faults.model(format!(
            "{place}: For 'string' type, 'pattern' must be without lookaround and back references"
        ));
    }
    let says = ["type", "enum", "const", "anyOf", "allOf", "oneOf", "$ref"];
    if !says.iter().any(|name| members.contains_key(*name)) {
        faults.model(format!(
            "{place}: Schema must have a 'type', '$ref', 'anyOf' or 'enum'"
        ));
    }
    if kind.is_some_and(Value::is_array) || members.contains_key("anyOf") {
        limits.unions += 1;
    }
    if is_object(kind) {
        object(members, place, limits, faults);
    }
    if let Some(reference) = members.get("$ref").and_then(Value::as_str) {
        follow(root, reference, way, place, faults);
    }
    inside(root, members, way, place, limits, faults);
}

fn is_object(kind: Option<&Value>) -> bool {
    kind.is_some_and(|kind| {
        kind == "object"
            || kind
                .as_array()
                .is_some_and(|kinds| kinds.contains(&json!("object")))
    })
}

fn object(members: &Map<String, Value>, place: &str, limits: &mut Limits, faults: &mut Faults) {
    if members.get("additionalProperties") != Some(&json!(false)) {
        faults.model(format!(
            "{place}: For 'object' type, 'additionalProperties' must be explicitly set to false"
        ));
    }
    let required = members
        .get("required")
        .and_then(Value::as_array)
        .map_or(0, Vec::len);
    let properties = members
        .get("properties")
        .and_then(Value::as_object)
        .map_or(0, Map::len);
    limits.optional += properties.saturating_sub(required);
}

/// Looks for a loop on the way that a reference leads; what its target says is looked at where it stands.
fn follow<'a>(
    root: &'a Value,
    reference: &'a str,
    way: &mut Vec<&'a str>,
    place: &str,
    faults: &mut Faults,
) {
    if way.contains(&reference) {
        return faults.model(format!("{place}: Recursive schemas are not supported"));
    }
    let Some(target) = reference
        .strip_prefix('#')
        .and_then(|pointer| root.pointer(pointer))
    else {
        return faults.model(format!(
            "{place}: External schema references are not supported: {reference}"
        ));
    };
    way.push(reference);
    let mut found = Faults::default();
    node(root, target, way, place, &mut Limits::default(), &mut found);
    let is_loop = |refusal: &Refusal| refusal.message.contains("Recursive");
    if let Some(refusal) = found.into_refusals().into_iter().find(is_loop) {
        faults.push(refusal);
    }
    way.pop();
}

fn inside<'a>(
    root: &'a Value,
    members: &'a Map<String, Value>,
    way: &mut Vec<&'a str>,
    place: &str,
    limits: &mut Limits,
    faults: &mut Faults,
) {
    for name in ["properties", "$defs", "definitions"] {
        for (key, value) in members
            .get(name)
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
        {
            node(
                root,
                value,
                way,
                &format!("{place}.{name}.{key}"),
                limits,
                faults,
            );
        }
    }
    for name in ["anyOf", "allOf", "oneOf"] {
        for value in members
            .get(name)
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            node(root, value, way, &format!("{place}.{name}"), limits, faults);
        }
    }
    if let Some(value) = members.get("items") {
        node(root, value, way, &format!("{place}.items"), limits, faults);
    }
}

/// Whether a pattern anywhere in a schema looks around.
pub fn looks_around(schema: &Value) -> bool {
    match schema {
        Value::Object(members) => members.iter().any(|(name, value)| match value.as_str() {
            Some(pattern) if name == "pattern" => is_hard(pattern),
            _ => looks_around(value),
        }),
        Value::Array(items) => items.iter().any(looks_around),
        _ => false,
    }
}

fn is_hard(pattern: &str) -> bool {
    let back = pattern
        .as_bytes()
        .windows(2)
        .any(|pair| matches!(pair, [b'\\', b'1'..=b'9']));
    back || ["(?=", "(?!", "(?<=", "(?<!"]
        .iter()
        .any(|look| pattern.contains(look))
}

/// The words of the file.
struct Subset {
    removed: Vec<String>,
    formats: Vec<String>,
}

static SUBSET: LazyLock<Subset> = LazyLock::new(|| {
    let subset = family::schema_subset();
    let words = |name: &str| {
        let words = subset
            .get(name)
            .and_then(Value::as_array)
            .into_iter()
            .flatten();
        words.filter_map(Value::as_str)
    };
    let formats = words("allowed").filter_map(|word| word.strip_prefix("format: "));
    Subset {
        // `minItems>1` is a value's rule, not a member's.
        removed: words("remove_to_description")
            .filter(|word| !word.contains('>'))
            .map(str::to_owned)
            .collect(),
        formats: formats
            .flat_map(str::split_whitespace)
            .map(str::to_owned)
            .collect(),
    }
});

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(schema: Value) -> Option<String> {
        let mut faults = Faults::default();
        check(&schema, "s", &mut faults);
        faults
            .into_refusals()
            .first()
            .map(|refusal| refusal.message.clone())
    }

    fn with(property: Value) -> Value {
        json!({"type": "object", "properties": {"x": property}, "required": ["x"], "additionalProperties": false})
    }

    #[test]
    fn the_subset_is_taken() {
        for property in [
            json!({"type": "string", "format": "uuid", "pattern": "^a+$"}),
            json!({"type": "array", "items": {"type": "integer"}, "minItems": 1}),
            json!({"anyOf": [{"type": "null"}, {"const": 1}]}),
            json!({"enum": ["a", 1, null]}),
        ] {
            assert_eq!(fault(with(property)), None);
        }
        // A property may have a keyword's name.
        let named = json!({"type": "object", "properties": {"minimum": {"type": "string"}}, "additionalProperties": false});
        assert_eq!(fault(named), None);
        let mut shared = with(json!({"$ref": "#/$defs/p"}));
        shared["$defs"] = json!({"p": {"type": "string"}});
        assert_eq!(fault(shared), None);
    }

    #[test]
    fn the_rest_is_refused() {
        for (property, wanted) in [
            (
                json!({"type": "integer", "minimum": 0}),
                "property 'minimum' is not supported",
            ),
            (
                json!({"type": "array", "items": {"type": "integer", "maximum": 1}}),
                "'maximum'",
            ),
            (json!({"type": "array", "minItems": 2}), "'minItems'"),
            (
                json!({"type": "object", "properties": {}}),
                "'additionalProperties' must be explicitly set to false",
            ),
            (json!({"oneOf": [{"type": "string"}]}), "'oneOf'"),
            (json!({"type": "string", "format": "binary"}), "'format'"),
            (json!({"type": "string", "pattern": "(?=a)"}), "lookaround"),
            (json!({"enum": [{}]}), "scalar"),
            (json!({}), "must have a 'type'"),
            (json!({"$ref": "https://example.com/s"}), "External"),
        ] {
            let found = fault(with(property)).unwrap_or_default();
            assert!(found.contains(wanted), "{found}");
        }
        let mut looped = with(json!({"$ref": "#/$defs/p"}));
        looped["$defs"] = json!({"p": with(json!({"$ref": "#/$defs/p"}))});
        assert!(fault(looped).unwrap_or_default().contains("Recursive"));
        assert!(
            fault(json!({"type": "array", "items": {"type": "string"}}))
                .unwrap_or_default()
                .contains("root")
        );
    }
}
