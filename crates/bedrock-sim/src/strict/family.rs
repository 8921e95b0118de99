//! The table of families in `fixtures/families.json`, and the way from a model id to its row.

use std::{collections::BTreeMap, sync::LazyLock};

use serde::Deserialize;
use serde_json::{Map, Value};

/// A family's facts. The names are those of the file, whose members that nothing here asks for are left out.
#[derive(Debug, Clone, Deserialize)]
#[allow(missing_docs)]
pub struct Family {
    #[serde(rename = "family")]
    pub name: String,
    pub served: Served,
    pub system: bool,
    pub input: Input,
    pub turns: Turns,
    pub tool_result: ToolResult,
    #[serde(default)]
    pub web_search: bool,
    pub tools: Tools,
    pub cache: Cache,
    pub reasoning: Reasoning,
    pub structured: Structured,
    pub sampling: Sampling,
    pub stop: Stop,
    pub max_tokens: MaxTokens,
    pub tiers: Vec<String>,
    pub count_tokens: String,
}

/// Which operations serve it.
#[derive(Debug, Clone, Deserialize)]
#[allow(missing_docs)]
pub struct Served {
    pub converse: bool,
    pub invoke_format: Option<String>,
}

/// What a turn may hold beside text.
#[derive(Debug, Clone, Deserialize)]
#[allow(missing_docs)]
pub struct Input {
    pub image: bool,
    pub document: bool,
    pub video: bool,
    pub audio: bool,
}

/// How turns follow each other.
#[derive(Debug, Clone, Deserialize)]
#[allow(missing_docs)]
pub struct Turns {
    pub leading_assistant: bool,
    pub beside_tool_result: Vec<String>,
    pub system_role_in_messages: bool,
    pub prefill: bool,
}

/// What a tool's result may be.
#[derive(Debug, Clone, Deserialize)]
#[allow(missing_docs)]
pub struct ToolResult {
    pub status: String,
    pub image: bool,
    /// `true`, `false`, or that only text formats are taken.
    pub document: Value,
}

/// Tools.
#[derive(Debug, Clone, Deserialize)]
#[allow(missing_docs)]
pub struct Tools {
    #[serde(rename = "use")]
    pub used: bool,
    pub stream: bool,
    pub choice: Vec<String>,
    pub strict: bool,
    pub id: String,
    pub parallel_off: Option<String>,
    pub schema: String,
}

/// Cache points.
#[derive(Debug, Clone, Deserialize)]
#[allow(missing_docs)]
pub struct Cache {
    pub points: Vec<String>,
    pub ttl: Vec<String>,
    pub max_points: usize,
}

/// Reasoning.
#[derive(Debug, Clone, Deserialize)]
#[allow(missing_docs)]
pub struct Reasoning {
    pub switch: String,
    /// What OpenAI's words become: their values are what the family takes.
    pub efforts: BTreeMap<String, Value>,
    pub default: String,
    pub off: Option<String>,
    pub drops_sampling: bool,
    /// `false`, or with which effort maxTokens must be unset.
    pub drops_max_tokens: Value,
    pub forced_tool: String,
    pub send_back: String,
    pub redacted_back: bool,
    pub legacy_budget: bool,
}

/// Structured output.
#[derive(Debug, Clone, Deserialize)]
#[allow(missing_docs)]
pub struct Structured {
    pub native: bool,
    pub strict_member: Option<String>,
    pub stream: bool,
}

/// Sampling.
#[derive(Debug, Clone, Deserialize)]
#[allow(missing_docs)]
pub struct Sampling {
    pub temperature: bool,
    pub top_p: bool,
    pub both: bool,
    pub top_k: Option<String>,
}

/// Stop sequences.
#[derive(Debug, Clone, Deserialize)]
#[allow(missing_docs)]
pub struct Stop {
    pub ok: bool,
    pub max: usize,
    pub blank: bool,
}

/// How long an answer may be.
#[derive(Debug, Clone, Deserialize)]
#[allow(missing_docs)]
pub struct MaxTokens {
    pub min: u64,
    pub limit: Option<u64>,
}

impl Family {
    /// The family of a model id or ARN: the row with the longest pattern that fits.
    pub fn of(model: &str) -> Self {
        let id = bare(model);
        let patterns = TABLE.rows.iter().flat_map(|row| {
            let patterns = row.patterns.iter();
            patterns.map(move |pattern| (pattern, row))
        });
        let found = patterns
            .filter(|(pattern, _)| fits(pattern, id) || fits(pattern, model))
            .max_by_key(|(pattern, _)| pattern.len());
        let row = found.map_or(&TABLE.unknown, |(_, row)| row);
        let member = row.members.iter().find(|(pattern, _)| fits(pattern, id));
        member.map_or(&row.family, |(_, family)| family).clone()
    }

    /// Whether it is one of Anthropic's.
    pub fn is_claude(&self) -> bool {
        self.name.starts_with("claude-")
    }

    /// Whether its invoke body is Anthropic's Messages.
    pub fn is_claude_messages(&self) -> bool {
        self.served.invoke_format.as_deref() == Some("anthropic")
    }

    /// Whether the id does not show which model it is. What such a model takes in `additionalModelRequestFields` is its
    /// owner's business.
    pub fn is_unknown(&self) -> bool {
        ["unknown", "imported", "profile-unknown"].contains(&self.name.as_str())
    }

    /// Whether it stands at or below another in the table, whose Claudes are in the order of their age.
    pub fn is_at_least(&self, other: &str) -> bool {
        position(&self.name) >= position(other) && position(other).is_some()
    }
}

/// Whether a name is a family's.
pub fn exists(name: &str) -> bool {
    position(name).is_some()
}

/// The names of all families, in the order of the file.
pub fn names() -> impl Iterator<Item = &'static str> {
    TABLE.rows.iter().map(|row| row.family.name.as_str())
}

/// Whether the id stands for the model in more than one region, which CountTokens does not take.
pub fn is_in_other_regions(model: &str) -> bool {
    model.contains(":inference-profile/") || without_region(last_part(model)) != last_part(model)
}

/// The part of the file that is about beta flags.
pub fn beta() -> &'static Value {
    &TABLE.beta
}

/// The part of the file that is about the schemas of structured output.
pub fn schema_subset() -> &'static Value {
    &TABLE.schema_subset
}

fn position(name: &str) -> Option<usize> {
    TABLE.rows.iter().position(|row| row.family.name == name)
}

/// An id without what does not name the model: an ARN's beginning, a region, a context's size, a script of the stand-in's.
fn bare(model: &str) -> &str {
    let id = last_part(model);
    let id = id.split(".sim.").next().unwrap_or(id);
    let id = id.split('[').next().unwrap_or(id);
    without_region(id)
}

fn last_part(model: &str) -> &str {
    [":inference-profile/", ":foundation-model/"]
        .iter()
        .find_map(|kind| Some(model.split_once(kind)?.1))
        .unwrap_or(model)
}

/// Takes off any first label that a known vendor follows.
fn without_region(id: &str) -> &str {
    let vendor = |id: &str| id.split('.').next().unwrap_or_default().to_owned();
    match id.split_once('.') {
        Some((_, rest)) if rest.contains('.') && TABLE.vendors.contains(&vendor(rest)) => rest,
        _ => id,
    }
}

/// Whether a pattern with `*` fits a whole text.
fn fits(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else {
        return false;
    };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else {
        return rest.is_empty();
    };
    for part in middle {
        match rest.split_once(part) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    rest.ends_with(last)
}

struct Table {
    rows: Vec<Row>,
    unknown: Row,
    vendors: Vec<String>,
    beta: Value,
    schema_subset: Value,
}

#[derive(Clone)]
struct Row {
    patterns: Vec<String>,
    family: Family,
    /// Members of the family that differ from it.
    members: Vec<(String, Family)>,
}

// A fault of the file shows in every test, and there is nothing to serve without it.
#[allow(clippy::expect_used)]
static TABLE: LazyLock<Table> = LazyLock::new(|| {
    let file: Value = serde_json::from_str(FILE).expect("families.json is JSON");
    let rows: Vec<Row> = list(&file, "families").map(row).collect();
    let unknown = rows
        .iter()
        .find(|row| row.family.name == "unknown")
        .expect("families.json has the row of unknown models")
        .clone();
    let vendors = file
        .get("matching")
        .map(|matching| strings(matching, "vendors"));
    Table {
        rows,
        unknown,
        vendors: vendors.unwrap_or_default(),
        beta: file.get("beta").cloned().unwrap_or_default(),
        schema_subset: file.get("schema_subset").cloned().unwrap_or_default(),
    }
});

#[allow(clippy::expect_used)]
fn row(row: &Value) -> Row {
    let read =
        |row: &Value| Family::deserialize(row).expect("a row of families.json has its columns");
    let members = list(row, "members").map(|member| {
        let pattern = member.get("match").and_then(Value::as_str);
        let mut changed = row.clone();
        for (path, value) in member
            .get("set")
            .and_then(Value::as_object)
            .unwrap_or(&Map::new())
        {
            let pointer = format!("/{}", path.replace('.', "/"));
            if let Some(place) = changed.pointer_mut(&pointer) {
                *place = value.clone();
            }
        }
        (pattern.unwrap_or_default().to_owned(), read(&changed))
    });
    Row {
        patterns: strings(row, "match"),
        family: read(row),
        members: members.collect(),
    }
}

fn list<'a>(value: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> + use<'a> {
    value
        .get(name)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
}

fn strings(value: &Value, name: &str) -> Vec<String> {
    list(value, name)
        .filter_map(|item| item.as_str().map(str::to_owned))
        .collect()
}

const FILE: &str = include_str!("../../../../fixtures/families.json");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_fall_into_their_families() {
        for (id, family) in [
            ("anthropic.claude-3-haiku-20240307-v1:0", "claude-3"),
            ("us.anthropic.claude-sonnet-4-20250514-v1:0", "claude-4"),
            ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", "claude-4-5"),
            ("in.anthropic.claude-opus-5", "claude-5"),
            ("anthropic.claude-opus-5-5[1m]", "claude-opus-5-5"),
            (
                "anthropic.claude-fable-5-1.sim.tool",
                "claude-fable-mythos-5-1",
            ),
            ("anthropic.claude-x", "claude-later"),
            ("amazon.nova-2-lite-v1:0", "nova-2"),
            ("eu.amazon.nova-pro-v1:0:300k", "nova-1"),
            ("meta.llama3-2-1b-instruct-v1:0", "llama-no-tools"),
            ("us.meta.llama3-3-70b-instruct-v1:0", "llama-3"),
            ("qwen.qwen3-coder-30b-a3b-v1:0", "qwen3-coder"),
            ("openai.gpt-oss-20b-1:0", "gpt-oss"),
            ("openai.gpt-9", "gpt-later"),
            ("zai.glm-5.3", "glm-5-3"),
            ("xai.grok-4.6", "grok"),
            (
                "arn:aws:bedrock:us-east-1:1:inference-profile/us.zai.glm-5",
                "glm",
            ),
            (
                "arn:aws:bedrock:us-east-1:1:application-inference-profile/x",
                "profile-unknown",
            ),
            ("arn:aws:bedrock:us-east-1:1:imported-model/x", "imported"),
            ("any.sim.text", "unknown"),
            ("sim.text", "unknown"),
        ] {
            assert_eq!(Family::of(id).name, family, "{id}");
        }
    }

    #[test]
    fn members_differ_from_their_family() {
        let old = Family::of("anthropic.claude-3-5-sonnet-20240620-v1:0");
        assert_eq!(
            (old.cache.points.len(), old.max_tokens.limit),
            (0, Some(4096))
        );
        assert_eq!(
            Family::of("anthropic.claude-3-5-sonnet-20241022-v2:0")
                .cache
                .points
                .len(),
            3
        );
    }

    #[test]
    fn regions_are_told_from_vendors() {
        assert!(is_in_other_regions("us.anthropic.claude-sonnet-4-6"));
        assert!(is_in_other_regions(
            "arn:aws:bedrock:us-east-1:1:inference-profile/x"
        ));
        assert!(!is_in_other_regions("anthropic.claude-sonnet-4-6"));
        assert!(!is_in_other_regions("moonshotai.kimi-k2.5"));
    }
}
