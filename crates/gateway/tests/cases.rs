//! Requests of real clients that real models refused: what is planned for each is what Bedrock takes.
//! `fixtures/reports` says of each where it was reported, and what must hold.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod common;
#[allow(dead_code)]
#[path = "common/planning.rs"]
mod planning;
#[path = "common/rules.rs"]
mod rules;

use common::settings;
use gateway::Settings;
use gateway::settings::{Anthropic, Via};
use planning::{planned, sent};
use serde_json::{Value, json};

#[test]
fn every_case_is_taken() {
    let mut seen = 0;
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/reports");
    for entry in std::fs::read_dir(directory).unwrap() {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        let case: Value = serde_json::from_str(&text).unwrap();
        // Those that have an answer, or no body, are about something else than what is planned.
        if case.get("upstream").is_some() || case["request"].get("body").is_none() {
            continue;
        }
        seen += usize::from(check(&case));
    }
    assert!(seen >= 20, "only {seen} cases");
}

/// `false` if it goes by another operation than Converse.
fn check(case: &Value) -> bool {
    let id = case["id"].as_str().unwrap();
    let body = case["request"]["body"].to_string();
    let headers: Vec<(&str, &str)> = case["request"]["headers"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, value)| (name.as_str(), value.as_str().unwrap()))
        .collect();
    let aliases = aliases(case);
    let location = location(case, &aliases);
    let path = case["request"]["path"].as_str().unwrap();
    let plan = planned(path, &location, &headers, &body)
        .unwrap_or_else(|refusal| panic!("{id}: {refusal}"));
    let sent: Value = serde_json::from_str(&sent(&plan, &body)).unwrap();
    let by_converse = plan.target.contains("/converse");
    let rules = match by_converse {
        true => rules::broken(&sent, plan.family.unwrap().name),
        // Those are Converse's.
        false => Vec::new(),
    };
    let result = json!({"client": {"status": 200}, "upstream": {"auth": "ok", "body": sent, "rules": rules}});
    for expected in case["expect"].as_array().unwrap() {
        let path = expected["path"].as_str().unwrap();
        let values = at(&result, path);
        let value = &expected["value"];
        let fits = |text: &Value| matches(value.as_str().unwrap(), &text.to_string());
        let holds = match expected["op"].as_str().unwrap() {
            "equals" => values == [value],
            "list" => {
                values.iter().map(|one| (*one).clone()).collect::<Vec<_>>()
                    == *value.as_array().unwrap()
            }
            "present" => !values.is_empty(),
            "absent" => values.is_empty(),
            "all_match" => !values.is_empty() && values.iter().all(|one| fits(one)),
            "none_match" => !values.iter().any(|one| fits(one)),
            other => panic!("{id}: {other}"),
        };
        assert!(
            holds,
            "{id}: {path} is {values:?}, expected {expected}\nsent {sent}",
            sent = result["upstream"]["body"]
        );
    }
    by_converse
}

/// The directives that the cases have.
fn location<'a>(case: &Value, aliases: &'a [(String, String)]) -> Settings<'a> {
    let directives = case["directives"].as_str().unwrap_or_default();
    let via = match directives.contains("bedrock_anthropic_via converse;") {
        true => Via::Converse,
        false => Via::Auto,
    };
    Settings {
        aliases,
        anthropic: Anthropic {
            via,
            ..settings().anthropic
        },
        ..settings()
    }
}

fn aliases(case: &Value) -> Vec<(String, String)> {
    let directives = case["directives"].as_str().unwrap_or_default();
    directives
        .split(';')
        .filter_map(|directive| directive.trim().strip_prefix("bedrock_alias "))
        .filter_map(|alias| alias.split_once(' '))
        .map(|(name, model)| (name.to_owned(), model.to_owned()))
        .collect()
}

/// The values at a path such as `a.b[0].c[*].d`.
fn at<'v>(value: &'v Value, path: &str) -> Vec<&'v Value> {
    let mut found = vec![value];
    for step in path.split('.').flat_map(|step| step.split('[')) {
        found = match step.strip_suffix(']') {
            Some("*") => found
                .into_iter()
                .filter_map(Value::as_array)
                .flatten()
                .collect(),
            Some(index) => {
                let index: usize = index.parse().unwrap();
                found
                    .into_iter()
                    .filter_map(|value| value.get(index))
                    .collect()
            }
            None => found
                .into_iter()
                .filter_map(|value| value.get(step))
                .collect(),
        };
    }
    found
}

/// The patterns that the cases have: alternatives, perhaps of beginnings.
fn matches(pattern: &str, text: &str) -> bool {
    match pattern.strip_prefix('^') {
        Some(beginnings) => beginnings
            .trim_matches(['(', ')'])
            .split('|')
            .any(|beginning| text.trim_matches('"').starts_with(beginning)),
        None => pattern.split('|').any(|part| text.contains(part)),
    }
}
