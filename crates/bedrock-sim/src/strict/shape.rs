//! Bodies against AWS's service model, as `fixtures/converse.json` has it: members, lengths, patterns, words.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{LazyLock, Mutex, PoisonError},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use regex_lite::Regex;
use serde::Deserialize;
use serde_json::Value;

use super::faults::Faults;

/// Checks a value against a shape by its name; whether it is without fault.
pub fn check(shape: &str, value: &Value, faults: &mut Faults) -> bool {
    let mut place = Place::default();
    let mut found = Faults::default();
    walk(shape, value, &mut place, &mut found);
    let clean = found.is_empty();
    for refusal in found.into_refusals() {
        faults.push(refusal);
    }
    clean
}

/// Where in the body: Coral counts lists from 1 and calls their items members, the JSON reader writes a pointer.
#[derive(Debug, Default)]
struct Place(Vec<Step>);

#[derive(Debug)]
enum Step {
    Member(String),
    Item(usize),
}

impl Place {
    fn pointer(&self) -> String {
        let step = |step: &Step| match step {
            Step::Member(name) => format!("/{name}"),
            Step::Item(number) => format!("/{number}"),
        };
        self.0.iter().map(step).collect()
    }

    fn member(&self) -> String {
        let step = |step: &Step| match step {
            Step::Member(name) => name.clone(),
            Step::Item(number) => format!("{}.member", number + 1),
        };
        self.0.iter().map(step).collect::<Vec<_>>().join(".")
    }
}

fn walk(name: &str, value: &Value, place: &mut Place, faults: &mut Faults) {
    let Some(shape) = SHAPES.get(name).filter(|_| !faults.is_many()) else {
        return;
    };
    match &shape.kind[..] {
        "object" | "union" => structure(shape, value, place, faults),
        "list" => list(shape, value, place, faults),
        "map" => map(shape, value, place, faults),
        "string" => match value.as_str() {
            Some(text) => string(shape, text, place, faults),
            None => wrong_type("String", value, place, faults),
        },
        "blob" => match value.as_str().map(|text| STANDARD.decode(text)) {
            Some(Ok(bytes)) => length(shape, bytes.len(), place, faults),
            _ => wrong_type("a base64 String", value, place, faults),
        },
        "integer" if value.as_f64().is_none_or(|number| number.fract() != 0.0) => {
            wrong_type("Integer", value, place, faults)
        }
        "number" if !value.is_number() => wrong_type("Number", value, place, faults),
        "boolean" if !value.is_boolean() => wrong_type("Boolean", value, place, faults),
        "integer" | "number" => range(shape, value, place, faults),
        _ => {}
    }
}

fn structure(shape: &Shape, value: &Value, place: &mut Place, faults: &mut Faults) {
    let Some(members) = value.as_object() else {
        return wrong_type("JSONObject", value, place, faults);
    };
    for (name, value) in members {
        match shape.members.get(name) {
            Some(inner) => {
                place.0.push(Step::Member(name.clone()));
                walk(inner, value, place, faults);
                place.0.pop();
            }
            None => faults.extraneous(&place.pointer(), name),
        }
    }
    for name in &shape.required {
        if !members.contains_key(name) {
            place.0.push(Step::Member(name.clone()));
            faults.constraint(&place.member(), "Member must not be null");
            place.0.pop();
        }
    }
    if shape.kind == "union" && members.len() != 1 {
        let rule = "Exactly one member of the union must be set";
        faults.constraint(&place.member(), rule);
    }
}

fn list(shape: &Shape, value: &Value, place: &mut Place, faults: &mut Faults) {
    let Some(items) = value.as_array() else {
        return wrong_type("JSONArray", value, place, faults);
    };
    length(shape, items.len(), place, faults);
    for (number, item) in items.iter().enumerate() {
        place.0.push(Step::Item(number));
        walk(&shape.of, item, place, faults);
        place.0.pop();
    }
}

fn map(shape: &Shape, value: &Value, place: &mut Place, faults: &mut Faults) {
    let Some(members) = value.as_object() else {
        return wrong_type("JSONObject", value, place, faults);
    };
    length(shape, members.len(), place, faults);
    if shape.max.is_some_and(|max| members.len() as f64 > max) {
        return;
    }
    for (name, item) in members {
        place.0.push(Step::Member(name.clone()));
        walk(&shape.key, &Value::String(name.clone()), place, faults);
        walk(&shape.of, item, place, faults);
        place.0.pop();
    }
}

fn string(shape: &Shape, text: &str, place: &Place, faults: &mut Faults) {
    length(shape, text.chars().count(), place, faults);
    if !shape.words.is_empty() && !shape.words.iter().any(|word| word == text) {
        let words = shape.words.join(", ");
        faults.constraint(
            &place.member(),
            format!("Member must satisfy enum value set: [{words}]"),
        );
    }
    if let Some(pattern) = &shape.pattern
        && !matches_whole(pattern, text)
    {
        let rule = format!("Member must satisfy regular expression pattern: {pattern}");
        faults.constraint(&place.member(), rule);
    }
}

fn length(shape: &Shape, length: usize, place: &Place, faults: &mut Faults) {
    let length = length as f64;
    if shape.min.is_some_and(|min| length < min) {
        let rule = format!(
            "Member must have length greater than or equal to {}",
            shape.min.unwrap_or_default()
        );
        faults.constraint(&place.member(), rule);
    }
    if shape.max.is_some_and(|max| length > max) {
        let rule = format!(
            "Member must have length less than or equal to {}",
            shape.max.unwrap_or_default()
        );
        faults.constraint(&place.member(), rule);
    }
}

fn range(shape: &Shape, value: &Value, place: &Place, faults: &mut Faults) {
    let value = value.as_f64().unwrap_or_default();
    if shape.min.is_some_and(|min| value < min) {
        let rule = format!(
            "Member must have value greater than or equal to {}",
            shape.min.unwrap_or_default()
        );
        faults.constraint(&place.member(), rule);
    }
    if shape.max.is_some_and(|max| value > max) {
        let rule = format!(
            "Member must have value less than or equal to {}",
            shape.max.unwrap_or_default()
        );
        faults.constraint(&place.member(), rule);
    }
}

fn wrong_type(wanted: &str, value: &Value, place: &Place, faults: &mut Faults) {
    let found = match value {
        Value::Null => "Null",
        Value::Bool(_) => "Boolean",
        Value::Number(_) => "Number",
        Value::String(_) => "String",
        Value::Array(_) => "JSONArray",
        Value::Object(_) => "JSONObject",
    };
    faults.refuse(format!(
        "Malformed input request: #{}: expected type: {wanted}, found: {found}, please reformat your input and try again.",
        place.pointer()
    ));
}

/// Whether a regular expression of the fixtures fits a whole text.
pub fn matches_whole(pattern: &str, text: &str) -> bool {
    // A body may hold a hundred thousand texts, the fixtures hold a dozen patterns.
    static KNOWN: Mutex<BTreeMap<String, Option<Regex>>> = Mutex::new(BTreeMap::new());
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if !known.contains_key(pattern) {
        let regex = Regex::new(&format!("^(?:{pattern})$")).ok();
        known.insert(pattern.to_owned(), regex);
    }
    let regex = known.get(pattern).and_then(Option::as_ref);
    regex.is_some_and(|regex| regex.is_match(text))
}

#[derive(Debug, Deserialize)]
struct Shape {
    kind: String,
    #[serde(default)]
    members: HashMap<String, String>,
    #[serde(default)]
    required: Vec<String>,
    #[serde(default)]
    of: String,
    #[serde(default)]
    key: String,
    min: Option<f64>,
    max: Option<f64>,
    pattern: Option<String>,
    #[serde(default, rename = "enum")]
    words: Vec<String>,
}

// A fault of the file shows in every test, and there is nothing to check by without it.
#[allow(clippy::expect_used)]
static SHAPES: LazyLock<HashMap<String, Shape>> =
    LazyLock::new(|| serde_json::from_str(FILE).expect("converse.json holds shapes"));

const FILE: &str = include_str!("../../../../fixtures/converse.json");

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fault(body: Value) -> Option<String> {
        let mut faults = Faults::default();
        check("ConverseRequest", &body, &mut faults);
        faults
            .into_refusals()
            .first()
            .map(|refusal| refusal.message.clone())
    }

    #[test]
    fn every_kind_of_shape_is_checked() {
        let message = |content: Value| json!({"messages": [{"role": "user", "content": content}]});
        assert_eq!(fault(message(json!([{"text": "Hi"}]))), None);
        assert_eq!(fault(json!({"requestMetadata": {"team": "qa 1"}})), None);
        for (body, wanted) in [
            (json!([]), "#: expected type: JSONObject, found: JSONArray"),
            (json!({"x": 1}), "#: extraneous key [x] is not permitted"),
            (
                message(json!("Hi")),
                "#/messages/0/content: expected type: JSONArray, found: String",
            ),
            (
                message(json!([{"text": "a", "cachePoint": {"type": "default"}}])),
                "Exactly one member",
            ),
            (
                message(json!([{"cachePoint": {}}])),
                "'messages.1.member.content.1.member.cachePoint.type'",
            ),
            (
                message(json!([{"image": {"format": "bmp", "source": {"bytes": "AA=="}}}])),
                "enum value set: [png, jpeg, gif, webp]",
            ),
            (
                message(json!([{"image": {"format": "png", "source": {"bytes": "?"}}}])),
                "expected type: a base64 String",
            ),
            (
                json!({"inferenceConfig": {"temperature": 1.5}}),
                "less than or equal to 1",
            ),
            (
                json!({"inferenceConfig": {"maxTokens": 1.5}}),
                "expected type: Integer",
            ),
            (
                json!({"toolConfig": {"tools": []}}),
                "length greater than or equal to 1",
            ),
            (
                json!({"requestMetadata": {"user": "{}"}}),
                "regular expression pattern",
            ),
            (
                json!({"requestMetadata": {"user": "a".repeat(257)}}),
                "length less than or equal to 256",
            ),
        ] {
            let found = fault(body.clone()).unwrap_or_default();
            assert!(found.contains(wanted), "{body}: {found}");
        }
    }
}
