//! The `expect` of the cases in fixtures/reports: a path into the result, an operator and a value.

use serde_json::Value;

/// Whether an expectation holds of a result.
pub fn holds(expectation: &Value, result: &Value) -> bool {
    let path = expectation["path"].as_str().unwrap();
    let found = find(result, path);
    let wanted = &expectation["value"];
    match expectation["op"].as_str().unwrap() {
        "equals" => found.first().copied() == Some(wanted),
        "list" => found.iter().copied().eq(wanted.as_array().unwrap()),
        "present" => !found.is_empty(),
        "absent" => found.is_empty(),
        "nonempty" => found.iter().any(|value| !is_empty(value)),
        "all_match" => found.iter().all(|value| matches(wanted, value)),
        "none_match" => !found.iter().any(|value| matches(wanted, value)),
        other => panic!("no such operator: {other}"),
    }
}

/// The values that a path leads to: members by `.name`, items by `[0]`, all items by `[*]`.
fn find<'a>(result: &'a Value, path: &str) -> Vec<&'a Value> {
    let steps = path.replace('[', ".[");
    let mut found = vec![result];
    for step in steps.split('.') {
        found = found
            .into_iter()
            .flat_map(|value| {
                match step
                    .strip_prefix('[')
                    .and_then(|step| step.strip_suffix(']'))
                {
                    Some("*") => value
                        .as_array()
                        .map(|items| items.iter().collect())
                        .unwrap_or_default(),
                    Some(number) => value
                        .get(number.parse::<usize>().unwrap())
                        .into_iter()
                        .collect(),
                    None => value.get(step).into_iter().collect::<Vec<_>>(),
                }
            })
            .collect();
    }
    found
}

fn is_empty(value: &Value) -> bool {
    value.is_null() || value == "" || value.as_array().is_some_and(Vec::is_empty)
}

fn matches(pattern: &Value, value: &Value) -> bool {
    let text = value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned);
    regex_lite::Regex::new(pattern.as_str().unwrap())
        .unwrap()
        .is_match(&text)
}
