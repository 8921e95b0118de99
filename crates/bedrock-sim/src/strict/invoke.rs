//! Anthropic's Messages as InvokeModel takes them: the body's members and what hangs on a beta flag. The messages are in
//! [`super::messages`].

use serde_json::{Map, Value};

use super::{
    beta, cache,
    conversation::{items, text},
    family::{self, Family},
    faults::Faults,
    messages, reasoning, schema,
};

/// Checks a body; `model` is the id that is called.
pub fn check(family: &Family, model: &str, body: &Value, faults: &mut Faults) {
    let Some(members) = body.as_object() else {
        return faults.refuse("Malformed input request, please reformat your input and try again.");
    };
    let flags = beta::flags(members.get("anthropic_beta"));
    beta::check(family, "invoke", &flags, faults);
    let mut required = vec!["anthropic_version", "max_tokens", "messages"];
    required.retain(|name| !members.contains_key(*name));
    for name in required {
        faults.model(format!("{name}: Field required"));
    }
    for name in members.keys() {
        if !is_known(family, model, name, &flags) {
            faults.extra(name);
        }
    }
    let max_tokens = members
        .get("max_tokens")
        .and_then(Value::as_u64)
        .unwrap_or(u64::MAX);
    reasoning::claude(family, members, &flags, max_tokens, faults);
    sampling(family, members, faults);
    limits(family, members, faults);
    tools(family, members, &flags, faults);
    context(members, &flags, faults);
    output(members, faults);
    cache_points(family, members, faults);
    messages::check(family, members, faults);
}

/// Members of the body: those of the file's list, three of them only beside their flag.
fn is_known(family: &Family, model: &str, name: &str, flags: &[&str]) -> bool {
    let has = |flag: &str| flags.contains(&flag);
    match name {
        "cache_control" => family.is_at_least("claude-4-7") && !model.contains("-v1"),
        "safeguards" => has("dangerous-tool-use-2026-09-03"),
        "compaction" => has("compact-2026-09-04"),
        "context_management" => has("context-management-2025-06-27") || has("compact-2026-01-12"),
        name => items(family::beta(), "invoke_top_level").any(|known| known == name),
    }
}

fn sampling(family: &Family, members: &Map<String, Value>, faults: &mut Faults) {
    let temperature = members.get("temperature").and_then(Value::as_f64);
    let has = |name: &str| members.contains_key(name);
    if !family.sampling.temperature && temperature.is_some_and(|t| t != 1.0) {
        faults.model("`temperature` is deprecated for this model.");
    }
    if !family.sampling.top_p && has("top_p") {
        faults.model("`top_p` is deprecated for this model.");
    }
    if family.sampling.top_k.is_none() && has("top_k") {
        faults.model("`top_k` is deprecated for this model.");
    }
    if family.sampling.temperature && !family.sampling.both && temperature.is_some() && has("top_p")
    {
        faults.model("`temperature` and `top_p` cannot both be specified for this model. Please use only one.");
    }
    let thinking = members
        .get("thinking")
        .map(|thinking| text(thinking, "type"));
    if !["enabled", "adaptive"].contains(&thinking.unwrap_or_default()) {
        return;
    }
    if family.sampling.temperature && temperature.is_some_and(|t| t != 1.0) {
        faults.model("`temperature` may only be set to 1 when thinking is enabled.");
    }
    for name in ["top_p", "top_k"].into_iter().filter(|name| has(name)) {
        if family.sampling.temperature {
            faults.model(format!("`{name}` must be unset when thinking is enabled."));
        }
    }
    let choice = members
        .get("tool_choice")
        .map(|choice| text(choice, "type"));
    let forced = ["any", "tool"].contains(&choice.unwrap_or_default());
    if forced && family.reasoning.forced_tool == "refused_while_reasoning" {
        faults.model("Thinking may not be enabled when tool_choice forces tool use.");
    }
}

fn limits(family: &Family, members: &Map<String, Value>, faults: &mut Faults) {
    let wanted = members.get("max_tokens").and_then(Value::as_u64);
    if let (Some(wanted), Some(limit)) = (wanted, family.max_tokens.limit)
        && wanted > limit
    {
        faults.model(format!(
            "max_tokens: {wanted} > {limit}, which is the maximum allowed number of output tokens for {}",
            family.name
        ));
    }
    if wanted == Some(0) {
        faults.model("max_tokens: Input should be greater than or equal to 1");
    }
    let sequences = members.get("stop_sequences").and_then(Value::as_array);
    let blank = |sequence: &Value| sequence.as_str().is_some_and(|text| text.trim().is_empty());
    if sequences.is_some_and(|sequences| sequences.iter().any(blank)) {
        faults.model("stop_sequences: each stop sequence must contain non-whitespace");
    }
    for name in members
        .get("metadata")
        .and_then(Value::as_object)
        .into_iter()
        .flat_map(Map::keys)
    {
        if name != "user_id" {
            faults.extra(format!("metadata.{name}"));
        }
    }
}

fn tools(family: &Family, members: &Map<String, Value>, flags: &[&str], faults: &mut Faults) {
    let tools = members
        .get("tools")
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default();
    let mut names = Vec::new();
    for (number, tool) in tools.iter().enumerate() {
        let kind = text(tool, "type");
        if !["", "custom"].contains(&kind) {
            beta::server_tool(family, kind, flags, faults);
        } else {
            custom(family, number, tool, flags, faults);
        }
        let name = text(tool, "name");
        if names.contains(&name) {
            faults.model("tools: Tool names must be unique.");
        }
        names.push(name);
    }
    if !tools.is_empty()
        && tools.iter().all(|tool| {
            tool.get("defer_loading")
                .is_some_and(|deferred| deferred == true)
        })
    {
        faults.model("At least one tool must have defer_loading=false.");
    }
    let Some(choice) = members.get("tool_choice") else {
        return;
    };
    let kind = text(choice, "type");
    if ["any", "tool"].contains(&kind) && !family.tools.choice.iter().any(|allowed| allowed == kind)
    {
        faults.model("tool_choice: type \"tool\" and \"any\" are not supported for this model.");
    }
    if kind == "tool" && !names.contains(&text(choice, "name")) {
        faults.model(format!(
            "Tool '{}' not found in provided tools",
            text(choice, "name")
        ));
    }
    if tools.is_empty() && kind != "none" {
        faults.model("tool_choice may only be specified while providing tools.");
    }
}

fn custom(family: &Family, number: usize, tool: &Value, flags: &[&str], faults: &mut Faults) {
    let has = |flag: &str| flags.contains(&flag);
    let searches = has("tool-search-tool-2025-10-19");
    for name in tool.as_object().into_iter().flat_map(Map::keys) {
        let taken = match name.as_str() {
            "type" | "name" | "description" | "input_schema" | "cache_control" => true,
            "defer_loading" => searches,
            "input_examples" => searches || has("tool-examples-2025-10-29"),
            "strict" => family.tools.strict,
            _ => false,
        };
        if !taken {
            faults.extra(format!("tools.{number}.custom.{name}"));
        }
    }
    if !super::shape::matches_whole("[a-zA-Z0-9_-]{1,128}", text(tool, "name")) {
        faults.model(format!(
            "tools.{number}.custom.name: String should match pattern '^[a-zA-Z0-9_-]{{1,128}}$'"
        ));
    }
    let schema = tool.get("input_schema").unwrap_or(&Value::Null);
    if text(schema, "type") != "object" {
        faults.model(format!(
            "tools.{number}.custom.input_schema.type: Input should be 'object'"
        ));
    }
    if ["oneOf", "anyOf", "allOf"]
        .iter()
        .any(|name| schema.get(name).is_some())
    {
        faults.model(format!(
            "tools.{number}.custom.input_schema: input_schema does not support oneOf, allOf, or anyOf at the top level"
        ));
    }
    if tool.get("strict").is_some_and(|strict| strict == true) && family.tools.strict {
        schema::check(
            schema,
            &format!("tools.{number}.custom.input_schema"),
            faults,
        );
    }
}

/// Each edit of the context hangs on a flag of its own.
fn context(members: &Map<String, Value>, flags: &[&str], faults: &mut Faults) {
    let Some(management) = members.get("context_management") else {
        return;
    };
    for edit in items(management, "edits") {
        let kind = text(edit, "type");
        let flag = match kind {
            "clear_tool_uses_20250919" => "context-management-2025-06-27",
            "compact_20260112" => "compact-2026-01-12",
            // clear_thinking_20251015, too.
            _ => "",
        };
        if !flags.contains(&flag) {
            faults.extra(format!("context_management.edits.{kind}"));
        }
    }
    if members.contains_key("compaction") {
        faults.model("compaction: cannot be used together with context_management");
    }
}

fn output(members: &Map<String, Value>, faults: &mut Faults) {
    if let Some(schema) = members
        .get("output_config")
        .and_then(|config| config.pointer("/format/schema"))
    {
        schema::check(schema, "output_config.format.schema", faults);
    }
}

/// All of the body's `cache_control`, in the order in which Claude reads it.
fn cache_points(family: &Family, members: &Map<String, Value>, faults: &mut Faults) {
    let mut points = Vec::new();
    for name in ["tools", "system", "messages", "cache_control"] {
        match members.get(name) {
            Some(control) if name == "cache_control" => points.push(control),
            Some(part) => controls(part, &mut points),
            None => {}
        }
    }
    for control in &points {
        for name in control.as_object().into_iter().flat_map(Map::keys) {
            if !["type", "ttl"].contains(&name.as_str()) {
                faults.extra(format!("cache_control.ephemeral.{name}"));
            }
        }
    }
    if family.cache.points.is_empty() && !points.is_empty() {
        faults.extra("cache_control");
    }
    let times: Vec<_> = points
        .iter()
        .map(|control| control.get("ttl").and_then(Value::as_str))
        .collect();
    cache::times(family, &times, faults);
}

/// `cache_control` of a tool, of a block, or of a block in a tool's result; what a schema or an input holds is no part of it.
fn controls<'a>(part: &'a Value, found: &mut Vec<&'a Value>) {
    for item in part.as_array().into_iter().flatten() {
        controls(item.get("content").unwrap_or(&Value::Null), found);
        found.extend(
            item.get("cache_control")
                .filter(|control| !control.is_null()),
        );
    }
}
