//! Which fields of a model's own request format say how much it may generate. Every vendor has names of its own for that, and
//! some take more than they document, so fields are known by what their names are made of, in whatever spelling and place.

use std::fmt;

use crate::json::cursor::{Cursor, Wrong};
use crate::json::members::{Members, scalar};
use crate::json::object::{self, Object};
use crate::refusal::Refusal;

/// What a field asks for that a limit does not allow; its name is the client's, as far as it can be shown.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Excess {
    /// More than the limit, or something that cannot be compared with it.
    #[error("{0} asks for more output tokens")]
    Tokens(String),
    /// More answers than one, each of them up to the limit.
    #[error("{0} asks for more than one answer")]
    Answers(String),
    /// Another model, whose tokens the limit does not count.
    #[error("a tool asks another model without max_tokens")]
    OtherModel,
    /// Reasoning with which the model takes no limit.
    #[error("{0} asks for reasoning that takes no limit")]
    Reasoning(String),
}

/// The refusal of what asks for too much.
///
/// # Errors
/// 403: something does.
pub fn refuse(excess: Option<Excess>) -> Result<(), Refusal> {
    excess.map_or(Ok(()), |excess| Err(unenforceable(excess)))
}

/// 403: the limit cannot be made to hold.
pub fn unenforceable(why: impl fmt::Display) -> Refusal {
    Refusal::denied(format!(
        "This gateway limits output tokens, and cannot do so here: {why}."
    ))
}

/// A value that is a whole number from 1 to `cap`. Anything else in its place might be read as more.
pub fn within(value: Option<&str>, cap: u64) -> Option<u64> {
    let value = value?.parse().ok()?;
    (1..=cap).contains(&value).then_some(value)
}

/// Looks through a request in a model's own format, but for the conversation, what describes tools and answers, and the
/// members that `passed_over` names: those are dealt with otherwise.
pub fn excess(object: &Object<'_>, text: &str, cap: u64, passed_over: &[&str]) -> Option<Excess> {
    let members = object.members.iter();
    let mut members = members.filter(|member| !passed_over.contains(&&*member.name));
    members.find_map(|member| {
        let value = text.get(member.value.clone()).unwrap_or_default();
        match member.name.as_ref() {
            "tools" => of_tools(value, cap),
            name if CONTENT.contains(&name) => None,
            name => of_field(name, value, cap).or_else(|| excess_in(value, cap)),
        }
    })
}

/// What tools ask for that ask a model of their own, as Anthropic's `advisor` does.
fn of_tools(tools: &str, cap: u64) -> Option<Excess> {
    let mut cursor = Cursor::new(tools);
    let mut read = || -> Result<Option<Excess>, Wrong> {
        if !cursor.enter_list()? {
            return Ok(None);
        }
        while cursor.element()? {
            if !cursor.enter()? {
                continue;
            }
            let (mut asks, mut limited) = (false, false);
            while let Some(name) = cursor.member()? {
                let value = cursor.value()?;
                match plain(&name).as_str() {
                    "model" => asks = true,
                    "maxtokens" | "maxcompletiontokens" | "maxoutputtokens" => {
                        limited = within(Some(value), cap).is_some();
                        if !limited {
                            return Ok(Some(Excess::Tokens(format!("tools[].{}", shown(&name)))));
                        }
                    }
                    _ => {}
                }
            }
            if asks && !limited {
                return Ok(Some(Excess::OtherModel));
            }
        }
        Ok(None)
    };
    // What is no JSON is not sent.
    read().ok().flatten()
}

/// Looks through all of a value.
pub fn excess_in(json: &str, cap: u64) -> Option<Excess> {
    Members::of(json).find_map(|(name, value)| of_field(&name, value, cap))
}

/// Whether a value has a member whose name `fits`, at any depth.
pub fn has_member(json: &str, fits: impl Fn(&str) -> bool) -> bool {
    Members::of(json).any(|(name, _)| fits(&name))
}

/// The object that `json` is.
///
/// # Errors
/// It is none, or has more members than can be looked through.
pub fn object_of<'a>(json: &'a str, name: &str) -> Result<Object<'a>, String> {
    object::parse(json).map_err(|what| format!("{name} cannot be read: {what}"))
}

/// Whether Bedrock itself, and not the model, reads a member of a model's native request.
pub fn is_bedrocks(name: &str) -> bool {
    let prefix = name.get(..BEDROCKS.len()).unwrap_or_default();
    prefix.eq_ignore_ascii_case(BEDROCKS)
}

fn of_field(name: &str, value: &str, cap: u64) -> Option<Excess> {
    let plain = plain(name);
    let value = scalar(value);
    let exceeds = within(Some(value), cap).is_none();
    let is_number = value.starts_with(|c: char| c.is_ascii_digit() || c == '-');
    if exceeds && (limits_tokens(&plain) || (is_number && MAY_LIMIT.contains(&plain.as_str()))) {
        return Some(Excess::Tokens(shown(name)));
    }
    if multiplies(&plain) && !matches!(value, "1" | "null") {
        return Some(Excess::Answers(shown(name)));
    }
    let bounded = |value: &str| matches!(value, "\"low\"" | "\"medium\"" | "null");
    // Nova takes no limit beside the highest effort.
    (plain == "maxreasoningeffort" && !bounded(value)).then(|| Excess::Reasoning(shown(name)))
}

/// A name's letters and digits, in lower case.
fn plain(name: &str) -> String {
    name.chars()
        .filter(char::is_ascii_alphanumeric)
        .take(LONGEST_NAME)
        .map(|c| c.to_ascii_lowercase())
        .collect()
}

/// The name as an error may have it.
fn shown(name: &str) -> String {
    match plain(name).len() {
        1..LONGEST_NAME if name.bytes().all(|byte| byte.is_ascii_graphic()) => name.to_owned(),
        _ => "a field".to_owned(),
    }
}

/// `max_tokens`, `maxTokenCount`, `max_new_tokens`, `max_gen_len`, `budget_tokens`, `num_predict`, `output_length` …
fn limits_tokens(plain: &str) -> bool {
    let has = |part: &str| plain.contains(part);
    let any = |parts: &[&str]| parts.iter().any(|part| has(part));
    has("budget")
        || has("predict")
        || (has("tok") && (any(&["max", "min", "limit", "new", "num", "gen"]) || any(&GENERATED)))
        || (has("max") && !any(&["effort", "timeout"]) && (any(&["len", "out"]) || any(&GENERATED)))
        || (has("len") && (has("gen") || any(&GENERATED)))
}

/// What is generated, in names that say how much.
const GENERATED: [&str; 8] = [
    "answer",
    "completion",
    "generat",
    "output",
    "reason",
    "response",
    "sampl",
    "think",
];

/// Names that say how much, of whatever: `{"reasoning":{"max":9999}}`. Where they have a number, it is held against the limit.
const MAY_LIMIT: [&str; 6] = [
    "len",
    "length",
    "max",
    "sequencelength",
    "tokencount",
    "tokens",
];

/// `n`, `best_of`, `num_generations`, `candidate_count` …
fn multiplies(plain: &str) -> bool {
    let numbered = ["numberof", "num", "n"]
        .iter()
        .find_map(|prefix| plain.strip_prefix(prefix))
        .and_then(|what| what.strip_suffix('s'));
    let counted = plain.strip_suffix("count");
    let is_answer = |what: Option<&str>| what.is_some_and(|what| ANSWERS.contains(&what));
    matches!(plain, "n" | "bestof") || is_answer(numbered) || is_answer(counted)
}

const ANSWERS: [&str; 11] = [
    "answer",
    "candidate",
    "choice",
    "completion",
    "generation",
    "output",
    "response",
    "result",
    "returnsequence",
    "sample",
    "sequence",
];

/// Members in which names are the client's own: conversations, tools, schemas, labels.
const CONTENT: [&str; 22] = [
    "chat_history",
    "documents",
    "functions",
    "input",
    "inputText",
    "instructions",
    "logit_bias",
    "message",
    "messages",
    "metadata",
    "outputConfig",
    "output_config",
    "preamble",
    "prompt",
    "response_format",
    "stop",
    "stop_sequences",
    "system",
    "text",
    "toolConfig",
    "tool_choice",
    "tool_results",
];

/// Longer than any name that is looked for.
const LONGEST_NAME: usize = 64;
const BEDROCKS: &str = "amazon-bedrock-";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_known_in_every_spelling() {
        for name in [
            "max_tokens",
            "MAX_TOKENS",
            "max-tokens",
            "maxTokens",
            "maxTokenCount",
            "max_new_tokens",
            "maxNewTokens",
            "max_completion_tokens",
            "max_output_tokens",
            "max_tokens_to_sample",
            "max_gen_len",
            "max_length",
            "max_generation_length",
            "min_tokens",
            "budget_tokens",
            "thinking_budget",
            "n_predict",
            "num_predict",
            "token_limit",
            "max_out",
            "maxOutLen",
            "output_length",
            "outputLength",
            "output_tokens",
            "response_length",
            "generation_length",
            "gen_len",
            "gen_tokens",
            "completion_tokens",
            "tokens_to_generate",
            "tokens_to_sample",
            "reasoning_tokens",
            "max_thinking_length",
            "max_reasoning",
        ] {
            let json = format!(r#"{{"a":[{{"{name}":101}}]}}"#);
            let found = excess_in(&json, 100);
            assert_eq!(found, Some(Excess::Tokens(name.to_owned())), "{name}");
            assert_eq!(excess_in(&json, 101), None, "{name}");
            for value in [
                "-1", "0", "1e3", "1.5", "\"9\"", "[9]", "{}", "null", "true",
            ] {
                let json = format!(r#"{{"{name}":{value}}}"#);
                assert!(excess_in(&json, 100).is_some(), "{json}");
            }
        }
        for name in [
            "temperature",
            "top_k",
            "top_p",
            "stop",
            "skip_special_tokens",
            "seed",
            "stream",
            "n_words",
            "maximum",
            "anthropic_beta",
            "trigger",
            "max_timeout",
            "length_penalty",
            "stop_token_ids",
            "add_generation_prompt",
            "include_reasoning",
        ] {
            assert_eq!(excess_in(&format!(r#"{{"{name}":9999}}"#), 100), None);
        }
    }

    #[test]
    fn a_name_that_may_limit_anything_counts_where_it_has_a_number() {
        for name in ["max", "length", "tokens", "len", "token_count"] {
            for (value, fine) in [("100", true), ("101", false), ("-1", false), ("1e9", false)] {
                let json = format!(r#"{{"reasoning":{{"{name}":{value}}}}}"#);
                assert_eq!(excess_in(&json, 100).is_none(), fine, "{json}");
            }
            for value in ["\"long\"", "true", "null", "[9999]", "{}"] {
                let json = format!(r#"{{"{name}":{value}}}"#);
                assert_eq!(excess_in(&json, 100), None, "{json}");
            }
        }
    }

    #[test]
    fn a_tool_that_asks_another_model_has_a_limit_of_its_own() {
        for (tools, expected) in [
            (r#"[{"model":"m","max_tokens":100}]"#, None),
            (
                r#"[{"input_schema":{"properties":{"model":{},"max_tokens":{"maxLength":9999}}}}]"#,
                None,
            ),
            (
                r#"[{"type":"web_fetch","max_content_tokens":9999,"max_uses":200}]"#,
                None,
            ),
            (r#"[1,[],{}]"#, None),
            (r#"{"a":1}"#, None),
            (
                r#"[{"max_tokens":101}]"#,
                Some(Excess::Tokens("tools[].max_tokens".to_owned())),
            ),
            (
                r#"[{"model":"m","max_tokens":null}]"#,
                Some(Excess::Tokens("tools[].max_tokens".to_owned())),
            ),
            (r#"[{},{"model":"m"}]"#, Some(Excess::OtherModel)),
        ] {
            let text = format!(r#"{{"tools":{tools}}}"#);
            let object = object::parse(&text).unwrap();
            assert_eq!(excess(&object, &text, 100, &[]), expected, "{tools}");
        }
    }

    #[test]
    fn several_answers_are_more_than_one_limit() {
        for name in [
            "n",
            "N",
            "best_of",
            "num_generations",
            "numResults",
            "num_return_sequences",
            "candidate_count",
            "candidateCount",
            "numberOfResponses",
            "n_choices",
        ] {
            for (value, fine) in [("1", true), ("null", true), ("2", false), ("1.0", false)] {
                let json = format!(r#"{{"{name}":{value}}}"#);
                assert_eq!(excess_in(&json, 100).is_none(), fine, "{json}");
            }
        }
    }

    #[test]
    fn the_conversation_and_schemas_are_the_clients_own() {
        let text = r#"{"messages":[{"max_tokens":999}],"tools":[{"properties":{"n":{}}}],"system":{"n":2},
            "output_config":{"budget":{}},"x":{"n":2}}"#;
        let object = object::parse(text).unwrap();
        let found = excess(&object, text, 100, &[]);
        assert_eq!(found, Some(Excess::Answers("n".to_owned())));
        assert_eq!(excess(&object, text, 100, &["x"]), None);
    }
}
