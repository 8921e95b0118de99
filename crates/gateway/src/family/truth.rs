//! The table against `fixtures/families.json`, which has the facts with their sources.

use serde_json::{Value, json};

use super::facts::*;
use super::{Rules, of, table};

#[test]
fn every_fact_is_as_its_source_has_it() {
    let (mut checked, mut wrong) = (0, Vec::new());
    for family in families() {
        for pattern in strings(&family["match"]) {
            let id = example(pattern);
            let found = of(&id, None, Rules::default());
            let mut facts = family.clone();
            // A member has a row of its own: the family's facts, but for some.
            for member in family["members"].as_array().into_iter().flatten() {
                if model_id_matches(member["match"].as_str().unwrap(), &id) {
                    overlay(&mut facts, &member["set"]);
                }
            }
            compare(&id, &facts, &found, &mut wrong);
            checked += 1;
        }
        for member in family["members"].as_array().into_iter().flatten() {
            let id = example(member["match"].as_str().unwrap());
            let mut facts = family.clone();
            overlay(&mut facts, &member["set"]);
            compare(&id, &facts, &of(&id, None, Rules::default()), &mut wrong);
            checked += 1;
        }
        let name = family["family"].as_str().unwrap();
        assert_eq!(table::named(name).map(|family| family.name), Some(name));
    }
    assert!(
        wrong.is_empty(),
        "{} wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert!(checked > 130, "only {checked} ids were looked at");
}

#[test]
fn no_row_is_without_a_source() {
    let known: Vec<String> = families()
        .iter()
        .map(|family| family["family"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(known.len(), 58);
    for family in table::all() {
        assert!(
            known.iter().any(|name| name == family.name),
            "{}",
            family.name
        );
    }
}

fn compare(id: &str, facts: &Value, found: &Family, wrong: &mut Vec<String>) {
    let name = facts["family"].as_str().unwrap();
    if found.name != name {
        return wrong.push(format!("{id}: {}, not {name}", found.name));
    }
    for (fact, expected, got) in columns(facts, found) {
        if expected != got {
            wrong.push(format!("{name} ({id}): {fact}: {got}, not {expected}"));
        }
    }
}

/// Every column: its name, what the source has, and what the table has.
fn columns(facts: &Value, found: &Family) -> Vec<(&'static str, Value, Value)> {
    let at = |pointer: &str| {
        let path = pointer.replace('.', "/");
        facts
            .pointer(&format!("/{path}"))
            .cloned()
            .unwrap_or(Value::Null)
    };
    let Reasoning {
        switch,
        levels,
        default,
        off,
        drops_sampling,
        forced_tool,
        back,
        budget,
        bound,
    } = found.reasoning;
    let mut columns = vec![
        (
            "served.converse",
            at("served.converse"),
            json!(found.converse),
        ),
        (
            "claude",
            json!(facts["family"].as_str().unwrap().starts_with("claude-")),
            json!(found.claude),
        ),
        ("system", at("system"), json!(found.system)),
        (
            "web_search",
            json!(at("web_search") == true),
            json!(found.web_search),
        ),
        (
            "input",
            at("input"),
            json!({"image": found.input.image, "document": found.input.document,
            "video": found.input.video, "audio": found.input.audio}),
        ),
        (
            "turns.leading_assistant",
            at("turns.leading_assistant"),
            json!(found.turns.assistant_first),
        ),
        (
            "turns.prefill",
            at("turns.prefill"),
            json!(found.turns.prefill),
        ),
        (
            "turns.system_role_in_messages",
            at("turns.system_role_in_messages"),
            json!(found.turns.system_within),
        ),
        (
            "turns.tool_result_alone",
            at("turns.tool_result_alone"),
            json!(found.turns.beside_result == Beside::Nothing),
        ),
        (
            "turns.beside_tool_result",
            at("turns.beside_tool_result"),
            match found.turns.beside_result {
                Beside::Nothing => json!([]),
                Beside::Text => json!(["text"]),
                Beside::TextAndImages => json!(["text", "image"]),
                Beside::All => json!(["text", "image", "document", "video"]),
            },
        ),
        (
            "tool_result.image",
            at("tool_result.image"),
            json!(found.result.image),
        ),
        (
            "tool_result.document",
            at("tool_result.document"),
            match found.result.document {
                Documents::None => json!(false),
                Documents::Text => json!("text formats only"),
                Documents::All => json!(true),
            },
        ),
        (
            "tool_result.status",
            at("tool_result.status"),
            json!(if found.result.status {
                "error_only"
            } else {
                "never"
            }),
        ),
        ("tools.use", at("tools.use"), json!(found.tools.is_some())),
        (
            "cache",
            json!([at("cache.points"), at("cache.ttl")]),
            match found.cache {
                Cache::None => json!([[], []]),
                Cache::Messages => json!([["system", "messages"], []]),
                Cache::All => json!([["system", "messages", "tools"], ["5m"]]),
                Cache::AllAndHour => json!([["system", "messages", "tools"], ["5m", "1h"]]),
            },
        ),
        (
            "cache.max_points",
            at("cache.max_points"),
            json!(if found.cache == Cache::None { 0 } else { 4 }),
        ),
        (
            "reasoning.field",
            at("reasoning.field"),
            match switch {
                // Whether the field is taken is not known, and no effort leads to it.
                Switch::None if facts["family"] == "kimi-k2" => {
                    json!("additional.reasoning_effort")
                }
                Switch::None => Value::Null,
                Switch::ClaudeBudget => json!("additional.thinking={type:enabled,budget_tokens:N}"),
                Switch::ClaudeAdaptive => {
                    json!("additional.thinking={type:adaptive} + additional.output_config.effort")
                }
                Switch::ClaudeEffort => json!("additional.output_config.effort"),
                Switch::Flat => json!("additional.reasoning_effort"),
                Switch::Nested => json!("additional.reasoning={effort:E}"),
                Switch::QwenConfig => json!("additional.reasoning_config"),
                Switch::NovaConfig => {
                    json!("additional.reasoningConfig={type:enabled,maxReasoningEffort:E}")
                }
            },
        ),
        (
            "reasoning.default",
            match at("reasoning.default") {
                none if none == "none" => json!("unknown"),
                always if always == "always (K2 Thinking)" => json!("always"),
                other => other,
            },
            match default {
                ByDefault::Off => json!("off"),
                ByDefault::On => json!("on"),
                ByDefault::Always => json!("always"),
                ByDefault::Unknown => json!("unknown"),
            },
        ),
        (
            "reasoning.off",
            json!(
                at("reasoning.off")
                    .as_str()
                    .is_some_and(|off| off.starts_with("additional.thinking={type:"))
            ),
            json!(off != Off::Silence),
        ),
        (
            "reasoning.drops_sampling",
            at("reasoning.drops_sampling"),
            json!(drops_sampling),
        ),
        (
            "reasoning.forced_tool",
            match at("reasoning.forced_tool").as_str().unwrap() {
                // Where it is not known, a request must not fail on it.
                "refused_while_reasoning" | "unknown: auto" => json!("not while reasoning"),
                ok if ok.starts_with("ok") => json!("ok"),
                other => json!(other),
            },
            match forced_tool {
                Forced::Called => json!("ok"),
                Forced::Silences => json!("silences_reasoning"),
                Forced::NotWhileReasoning => json!("not while reasoning"),
                Forced::Never => json!("refused"),
            },
        ),
        (
            "reasoning.send_back",
            json!([at("reasoning.send_back"), at("reasoning.redacted_back")]),
            match back {
                Back::None => json!(["none", false]),
                Back::Signed => json!(["signed", true]),
                Back::SignedText => json!(["as_it_came_signed_only", false]),
                Back::Unsigned => json!(["unsigned", false]),
            },
        ),
        (
            "reasoning.legacy_budget",
            at("reasoning.legacy_budget"),
            json!(budget),
        ),
        // FAMILIES 4.9, which the data have in a note only.
        (
            "bound",
            json!(BOUND.contains(&facts["family"].as_str().unwrap())),
            json!(bound),
        ),
        (
            "structured.native",
            json!([at("structured.native"), at("structured.stream")]),
            match found.structured.native {
                Native::No => json!([false, true]),
                Native::Yes => json!([true, true]),
                Native::Unstreamed => json!([true, false]),
            },
        ),
        (
            "structured.fallback",
            match at("structured.fallback") {
                any if any == "forced_tool_any" => json!("forced_tool"),
                other => other,
            },
            match found.structured.fallback {
                Fallback::Tool => json!("forced_tool"),
                Fallback::Instruction => json!("instruction"),
            },
        ),
        (
            "sampling",
            json!([
                at("sampling.temperature"),
                at("sampling.top_p"),
                at("sampling.both")
            ]),
            match found.sampling.of {
                Samples::None => json!([false, false, false]),
                Samples::One => json!([true, true, false]),
                Samples::Both => json!([true, true, true]),
            },
        ),
        (
            "sampling.top_k",
            at("sampling.top_k"),
            match found.sampling.top_k {
                TopK::None => Value::Null,
                TopK::Claude => json!("additional.top_k"),
                TopK::Nova => json!("additional.inferenceConfig.topK"),
            },
        ),
        (
            "stop",
            match at("stop.ok") == true {
                true => at("stop.max"),
                false => json!(0),
            },
            json!(found.stop),
        ),
        (
            "max_tokens",
            json!([at("max_tokens.min"), at("max_tokens.limit")]),
            json!([found.max_tokens.min, found.max_tokens.limit]),
        ),
        (
            "tiers",
            at("tiers"),
            match found.tiers {
                Tiers::None => json!(["default"]),
                Tiers::Priority => json!(["default", "priority"]),
                Tiers::PriorityAndFlex => json!(["default", "priority", "flex"]),
            },
        ),
        (
            "count_tokens",
            json!(at("count_tokens").as_str().unwrap().trim_end_matches('?')),
            match found.count {
                // The data have no count where nothing at all is known.
                Count::None | Count::Unknown => json!("none"),
                Count::Runtime => json!("runtime"),
                Count::Mantle => json!("mantle"),
            },
        ),
    ];
    let words = at("reasoning.efforts");
    for (word, level) in WORDS.into_iter().zip(levels) {
        // A family without a place for an effort has no levels.
        let expected = words.get(word).cloned().unwrap_or(json!("leave out"));
        columns.push((
            "reasoning.efforts",
            expected,
            match level {
                Level::Out => json!("leave out"),
                Level::Quiet => json!("off"),
                Level::Tokens(tokens) => json!(tokens),
                Level::Word(word) => json!(word),
            },
        ));
    }
    if let Some(tools) = found.tools {
        let id = at("tools.id");
        let schema = at("tools.schema");
        columns.extend([
            ("tools.stream", at("tools.stream"), json!(tools.stream)),
            (
                "tools.choice",
                at("tools.choice"),
                match tools.choice {
                    Choice::Auto => json!(["auto"]),
                    Choice::Any => json!(["auto", "any"]),
                    Choice::Tool => json!(["auto", "any", "tool"]),
                },
            ),
            ("tools.strict", at("tools.strict"), json!(tools.strict)),
            (
                "tools.parallel_off",
                json!(at("tools.parallel_off").is_string()),
                json!(tools.one_at_a_time),
            ),
            (
                "tools.id",
                json!(id.as_str().unwrap().split(' ').next()),
                json!(match tools.ids {
                    Ids::Converse => "^[a-zA-Z0-9_.:-]{1,64}$",
                    Ids::Claude => "^[a-zA-Z0-9_-]{1,64}$",
                    Ids::Nine => "^[a-zA-Z0-9]{9}$",
                }),
            ),
            (
                "tools.schema",
                schema.clone(),
                match tools.schema {
                    SchemaLimits::Common => {
                        json!("root type object, no oneOf/anyOf/allOf/$ref at the root")
                    }
                    SchemaLimits::NoLookaround => json!("no regex lookaround"),
                    SchemaLimits::NoReferences => {
                        json!("inline $defs: the model does not see them")
                    }
                },
            ),
        ]);
    }
    columns
}

const BOUND: [&str; 5] = [
    "claude-fable-mythos-5-1",
    "claude-opus-5-5",
    "claude-sonnet-5-5",
    "claude-haiku-5-5",
    "claude-later",
];

fn families() -> Vec<Value> {
    let data: Value =
        serde_json::from_str(include_str!("../../../../fixtures/families.json")).unwrap();
    data["families"].as_array().unwrap().clone()
}

fn strings(list: &Value) -> Vec<&str> {
    list.as_array()
        .unwrap()
        .iter()
        .map(|text| text.as_str().unwrap())
        .collect()
}

/// An id, or ARN, that a pattern of the data stands for.
fn example(pattern: &str) -> String {
    let pattern = pattern.replace("arn:*:", "arn:aws:bedrock:us-east-1:123456789012:");
    if let Some(dated) = pattern.strip_suffix("-2*") {
        return format!("{dated}-20250514-v1:0");
    }
    match pattern.as_str() {
        "*" => "somebody.model".to_owned(),
        "anthropic.claude-*" => "anthropic.claude-opus-6".to_owned(),
        // One minor version of the line that has a row.
        "anthropic.claude-fable-5-*" | "anthropic.claude-mythos-5-*" => pattern.replace('*', "1"),
        "anthropic.claude-v*" => "anthropic.claude-v2:1".to_owned(),
        "anthropic.claude-3-5-*" => "anthropic.claude-3-5-sonnet-20241022-v2:0".to_owned(),
        "anthropic.claude-3-7-*" => "anthropic.claude-3-7-sonnet-20250219-v1:0".to_owned(),
        _ => match pattern.strip_suffix('*') {
            Some(prefix) if prefix.ends_with(['-', '.', '/', ':']) => format!("{prefix}x"),
            Some(prefix) => prefix.to_owned(),
            None => pattern,
        },
    }
}

fn model_id_matches(pattern: &str, id: &str) -> bool {
    crate::bedrock::model_id::matches(pattern, id)
}

/// `{"a.b": value}` into the facts.
fn overlay(facts: &mut Value, set: &Value) {
    for (path, value) in set.as_object().unwrap() {
        let mut place = &mut *facts;
        for name in path.split('.') {
            place = &mut place[name];
        }
        *place = value.clone();
    }
}

#[test]
fn every_family_has_a_line_in_the_docs() {
    let docs = include_str!("../../../../docs/models.md");
    for family in table::all() {
        let row = format!("| `{}` |", family.name);
        assert!(docs.contains(&row), "{}", family.name);
    }
}
