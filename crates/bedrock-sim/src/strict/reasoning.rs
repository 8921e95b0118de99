//! Reasoning: which field asks for it, with which words, and what may not be asked for beside it.
//!
//! Claude's own members are checked by [`claude`] for Converse (in `additionalModelRequestFields`) and invoke alike.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::{
    beta,
    conversation::{Conversation, Turn, text},
    family::Family,
    faults::Faults,
};

/// Checks `additionalModelRequestFields`.
pub fn check(conversation: &Conversation<'_>, faults: &mut Faults) {
    let family = conversation.family;
    let Some(fields) = conversation.fields() else {
        return conflicts(conversation, faults);
    };
    if family.is_unknown() {
        return;
    }
    if family.is_claude() {
        claude_fields(conversation, fields, faults);
    } else {
        other_fields(family, fields, conversation, faults);
    }
    conflicts(conversation, faults);
}

fn claude_fields(
    conversation: &Conversation<'_>,
    fields: &Map<String, Value>,
    faults: &mut Faults,
) {
    let family = conversation.family;
    // AWS's own examples for Claude 3.7 call it so.
    let mut fields = fields.clone();
    if let Some(config) = fields.remove("reasoning_config") {
        fields.insert("thinking".to_owned(), config);
    }
    let flags = beta::flags(fields.get("anthropic_beta"));
    beta::check(family, "converse", &flags, faults);
    for (name, value) in &fields {
        match name.as_str() {
            "thinking" | "output_config" | "anthropic_beta" => {}
            "top_k" => {
                if family.sampling.top_k.is_none() {
                    faults.model("`top_k` is deprecated for this model.");
                }
            }
            "tools" => beta::server_tools(family, value, &flags, faults),
            "tool_choice" => {
                let kind = text(value, "type");
                if !kind.is_empty() && conversation.tool_choice().is_some() {
                    faults
                        .model("tool_choice: a type beside toolConfig.toolChoice is not permitted");
                }
                if ["any", "tool"].contains(&kind)
                    && !family.tools.choice.iter().any(|allowed| allowed == kind)
                {
                    faults.model(
                        "tool_choice: type \"tool\" and \"any\" are not supported for this model.",
                    );
                }
                if value.get("disable_parallel_tool_use").is_some()
                    && family.tools.parallel_off.is_none()
                {
                    faults.extraneous("/tool_choice", "disable_parallel_tool_use");
                }
            }
            other => faults.extra(other),
        }
    }
    let max_tokens = match conversation.inference("maxTokens").and_then(Value::as_u64) {
        _ if conversation.counts => u64::MAX,
        Some(max_tokens) => max_tokens,
        None => CONVERSE_DEFAULT,
    };
    claude(family, &fields, &flags, max_tokens, faults);
}

/// Claude's `thinking` and `output_config`.
pub fn claude(
    family: &Family,
    members: &Map<String, Value>,
    flags: &[&str],
    max_tokens: u64,
    faults: &mut Faults,
) {
    let reasoning = &family.reasoning;
    let thinking = members.get("thinking");
    let kind = thinking.map(|thinking| text(thinking, "type"));
    let refuse = |kind: &str, faults: &mut Faults| {
        faults.model(format!(
            "\"thinking.type.{kind}\" is not supported for this model."
        ));
    };
    let adaptive = ["claude_adaptive", "claude_effort_only"].contains(&&reasoning.switch[..]);
    match kind {
        None => {}
        Some(_) if reasoning.switch == "none" => faults.extra("thinking"),
        Some("enabled") if reasoning.switch == "claude_budget" || reasoning.legacy_budget => {
            budget(thinking, max_tokens, faults);
        }
        Some("enabled") => faults.model(
            "\"thinking.type.enabled\" is not supported for this model. Use \"thinking.type.adaptive\" and \
             \"output_config.effort\" to control thinking behavior.",
        ),
        Some("adaptive") if adaptive => {}
        Some("disabled") if reasoning.default == "off" => {}
        Some(kind @ ("disabled" | "between_tools"))
            if reasoning.off.as_ref().is_some_and(|off| off.contains(&format!("type:{kind}"))) => {}
        Some(kind) => refuse(kind, faults),
    }
    for name in thinking
        .and_then(Value::as_object)
        .into_iter()
        .flat_map(Map::keys)
    {
        match name.as_str() {
            "type" => {}
            "budget_tokens" if kind == Some("enabled") => {}
            "display" if kind != Some("disabled") => {}
            "block_binding" if flags.contains(&"thinking-binding-controls-2026-08-01") => {}
            other => faults.extra(format!("thinking.{}.{other}", kind.unwrap_or_default())),
        }
    }
    let updates = thinking.is_some_and(|thinking| text(thinking, "display") == "updates");
    if updates && !flags.contains(&"thinking-display-updates-2026-08-18") {
        faults.model("thinking.display: Input should be 'summarized' or 'omitted'");
    }
    for (name, value) in members
        .get("output_config")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
    {
        match name.as_str() {
            "effort" => effort(family, value, kind, flags, faults),
            "format" if family.structured.native => {}
            other => faults.extra(format!("output_config.{other}")),
        }
    }
}

fn budget(thinking: Option<&Value>, max_tokens: u64, faults: &mut Faults) {
    match thinking.and_then(|thinking| thinking.get("budget_tokens")).and_then(Value::as_u64) {
        None => faults.model("thinking.enabled.budget_tokens: Field required"),
        Some(budget) if budget < 1024 => {
            faults.model("thinking.enabled.budget_tokens: Input should be greater than or equal to 1024");
        }
        Some(budget) if budget >= max_tokens => faults.model(
            "`max_tokens` must be greater than `thinking.budget_tokens`. Please consult our documentation at \
             https://docs.claude.com/en/docs/build-with-claude/extended-thinking#max-tokens-and-context-window-size",
        ),
        Some(_) => {}
    }
}

fn effort(
    family: &Family,
    value: &Value,
    thinking: Option<&str>,
    flags: &[&str],
    faults: &mut Faults,
) {
    let flagged = family.name == "claude-opus-4-5" && flags.contains(&"effort-2025-11-24");
    let words: BTreeSet<&str> = if flagged {
        BTreeSet::from(["low", "medium", "high"])
    } else if ["claude_adaptive", "claude_effort_only"].contains(&&family.reasoning.switch[..]) {
        words(family)
    } else {
        return faults.model("This model does not support the effort parameter.");
    };
    let word = value.as_str().unwrap_or_default();
    if !words.contains(word) {
        faults.model(format!(
            "output_config.effort: Input should be one of {words:?}"
        ));
    }
    let off = ["disabled", "between_tools"].contains(&thinking.unwrap_or_default());
    if off && ["xhigh", "max"].contains(&word) {
        faults.model("output_config.effort: must be at most \"high\" while thinking is disabled");
    }
}

/// The words that the family takes for its effort.
fn words(family: &Family) -> BTreeSet<&str> {
    let words = family.reasoning.efforts.values().filter_map(Value::as_str);
    words
        .filter(|word| !["off", "leave out"].contains(word))
        .collect()
}

/// The fields of everybody but Claude: what the family's row names, and nothing else.
fn other_fields(
    family: &Family,
    fields: &Map<String, Value>,
    conversation: &Conversation<'_>,
    faults: &mut Faults,
) {
    let switch = family.reasoning.switch.as_str();
    let effort = |value: Option<&Value>, name: &str, faults: &mut Faults| {
        let word = value.and_then(Value::as_str).unwrap_or_default();
        let known = words(family);
        if !known.contains(word) {
            faults.model(format!("{name}: Input should be one of {known:?}"));
        }
    };
    for (name, value) in fields {
        match name.as_str() {
            "reasoning_effort" if switch == "reasoning_effort" => effort(Some(value), name, faults),
            "reasoning_config" if switch == "qwen_reasoning_config" => {
                effort(Some(value), name, faults)
            }
            "reasoning" if switch == "reasoning.effort" => {
                effort(value.get("effort"), "reasoning.effort", faults)
            }
            "reasoningConfig" if switch == "nova_reasoning_config" => {
                nova(value, conversation, faults)
            }
            "reasoningConfig" if family.name.starts_with("nova-") => {
                faults.refuse("the provided reasoning config value is invalid");
            }
            "inferenceConfig" if family.sampling.top_k.is_some() => {
                for name in value
                    .as_object()
                    .into_iter()
                    .flat_map(Map::keys)
                    .filter(|name| *name != "topK")
                {
                    faults.extraneous("/inferenceConfig", name);
                }
            }
            "text" if family.structured.strict_member.is_some() => {}
            other => faults.extraneous("", other),
        }
    }
}

fn nova(config: &Value, conversation: &Conversation<'_>, faults: &mut Faults) {
    let effort = text(config, "maxReasoningEffort");
    let right = match text(config, "type") {
        "enabled" => words(conversation.family).contains(effort),
        "disabled" => true,
        _ => false,
    };
    if !right {
        faults.refuse("the provided reasoning config value is invalid");
    }
    let unset = conversation
        .family
        .reasoning
        .drops_max_tokens
        .as_str()
        .is_some_and(|when| when.ends_with(effort));
    if !effort.is_empty() && unset && conversation.inference("maxTokens").is_some() {
        faults.refuse("maxTokens must be unset when maxReasoningEffort is set to high.");
    }
}

/// What may not be asked for while the model reasons.
fn conflicts(conversation: &Conversation<'_>, faults: &mut Faults) {
    let family = conversation.family;
    if !reasons(conversation) {
        return;
    }
    let one = json!(1);
    let warm = conversation
        .inference("temperature")
        .is_some_and(|t| t.as_f64() != one.as_f64());
    let top_k = conversation
        .field("top_k")
        .or(conversation.field("inferenceConfig"));
    if family.reasoning.drops_sampling {
        if family.sampling.temperature && warm {
            faults.model("`temperature` may only be set to 1 when thinking is enabled.");
        }
        if family.sampling.top_p && conversation.inference("topP").is_some() {
            faults.model("`top_p` must be unset when thinking is enabled.");
        }
        if family.sampling.top_k.is_some() && top_k.is_some() {
            faults.model("`top_k` must be unset when thinking is enabled.");
        }
    }
    let forced = ["any", "tool"].contains(&conversation.tool_choice().unwrap_or_default());
    if forced && family.reasoning.forced_tool == "refused_while_reasoning" {
        faults.model("Thinking may not be enabled when tool_choice forces tool use.");
    }
    if conversation
        .field("thinking")
        .is_some_and(|thinking| text(thinking, "type") == "enabled")
    {
        unthought_call(&conversation.turns, faults);
    }
}

/// Whether the request itself switches reasoning on.
fn reasons(conversation: &Conversation<'_>) -> bool {
    let thinking = conversation
        .field("thinking")
        .map(|thinking| text(thinking, "type"));
    let nova = conversation
        .field("reasoningConfig")
        .map(|config| text(config, "type"));
    let effort = conversation
        .field("reasoning_effort")
        .and_then(Value::as_str);
    ["enabled", "adaptive"].contains(&thinking.unwrap_or_default())
        || nova == Some("enabled")
        || effort.is_some_and(|effort| effort != "none")
}

/// With a budget, the turn whose calls are being answered must begin with its thinking.
fn unthought_call(turns: &[Turn<'_>], faults: &mut Faults) {
    let Some(last) = turns.iter().rev().find(|turn| turn.role == "assistant") else {
        return;
    };
    let first = last.blocks.first().map_or("", |block| block.kind);
    if last.of_kind("toolUse").next().is_some() && first != "reasoningContent" {
        let found = if first == "toolUse" {
            "tool_use"
        } else {
            first
        };
        faults.model(format!(
            "messages.{}.content.0.type: Expected `thinking` or `redacted_thinking`, but found `{found}`. When `thinking` is \
             enabled, a final `assistant` message must start with a thinking block (preceeding the lastmost set of \
             `tool_use` and `tool_result` blocks).",
            last.number
        ));
    }
}

/// What Converse takes for maxTokens of a Claude when nothing is said.
const CONVERSE_DEFAULT: u64 = 4096;
