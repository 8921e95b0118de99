//! `anthropic_beta`: the flags that Bedrock knows for a family, and the tools that need one.

use serde_json::Value;

use super::{
    conversation::{items, text},
    family::{self, Family},
    faults::Faults,
};

/// The flags in a list.
pub fn flags(list: Option<&Value>) -> Vec<&str> {
    let flags = list.and_then(Value::as_array).into_iter().flatten();
    flags.filter_map(Value::as_str).collect()
}

/// Refuses the whole request for one flag that is not known. `way` is `invoke` or `converse`.
pub fn check(family: &Family, way: &str, flags: &[&str], faults: &mut Faults) {
    if flags.iter().any(|flag| !is_known(family, way, flag)) {
        faults.refuse("invalid beta flag");
    }
}

fn is_known(family: &Family, way: &str, flag: &str) -> bool {
    if way == "invoke" && is_sent(family, flag) {
        return true;
    }
    let mut before: Vec<&str> = Vec::new();
    for row in items(family::beta(), "flags") {
        let families: Vec<&str> = items(row, "families").filter_map(Value::as_str).collect();
        let names = [text(row, "flag")]
            .into_iter()
            .chain(items(row, "aliases").filter_map(Value::as_str));
        let named = names.into_iter().any(|name| name == flag);
        // A name of which Bedrock has another is not known itself.
        if named && text(row, "bedrock") == "same" && goes(row, way) {
            return families.iter().any(|words| covers(words, &before, family))
                || is_older_tool(family, flag);
        }
        before = families;
    }
    false
}

/// Whether the flag goes this way at all: `false` in the file, or a word about for whom.
fn goes(row: &Value, way: &str) -> bool {
    !matches!(row.get(way), None | Some(Value::Null | Value::Bool(false)))
}

/// Whether the file's words for some families mean this one.
fn covers(words: &str, before: &[&str], family: &Family) -> bool {
    let own = |name: &str| {
        let name = name.trim();
        if family::exists(name) {
            name.to_owned()
        } else {
            format!("claude-{}", name.replace('.', "-"))
        }
    };
    if words == "as the line above" {
        return before.iter().any(|words| covers(words, &[], family));
    }
    if let Some(first) = words.strip_suffix(" and later") {
        return family.is_at_least(&own(first)) && family.is_claude();
    }
    if let Some((first, last)) = words.split_once(" ... ") {
        return family.is_at_least(&own(first))
            && (family.name == own(last) || !family.is_at_least(&own(last)));
    }
    match words {
        "Sonnet 4" => family.name == "claude-4",
        "Opus 5" => family.name == "claude-5",
        name => family.name == name,
    }
}

/// What Claude Code 2.1.330, as Bedrock's client, has in its bodies for a family, whatever the file says.
fn is_sent(family: &Family, flag: &str) -> bool {
    match flag {
        "claude-code-20250219" => family.name == "claude-3-7",
        "interleaved-thinking-2025-05-14" | "tool-search-tool-2025-10-19" => {
            family.is_at_least("claude-4")
        }
        "thinking-token-count-2026-05-13" => family.is_at_least("claude-4-7"),
        _ => false,
    }
}

/// The file names for each computer tool the families that it was made for; later ones are seen to take it, too.
fn is_older_tool(family: &Family, flag: &str) -> bool {
    flag == "computer-use-2025-01-24" && family.is_at_least("claude-4-5")
}

/// Tools that Anthropic defines, in the `tools` of a body.
pub fn server_tools(family: &Family, tools: &Value, flags: &[&str], faults: &mut Faults) {
    for tool in tools.as_array().into_iter().flatten() {
        server_tool(family, text(tool, "type"), flags, faults);
    }
}

/// One of them, by its type.
pub fn server_tool(family: &Family, kind: &str, flags: &[&str], faults: &mut Faults) {
    let has = |flag: &str| flags.contains(&flag);
    let taken = match kind {
        "computer_20241022" => has("computer-use-2024-10-22"),
        "computer_20250124" => has("computer-use-2025-01-24"),
        "computer_20251124" => has("computer-use-2025-11-24"),
        "bash_20241022" | "text_editor_20241022" => has("computer-use-2024-10-22"),
        kind if kind.starts_with("bash_") || kind.starts_with("text_editor_") => true,
        kind if kind.starts_with("memory_") => has("context-management-2025-06-27"),
        kind if kind.starts_with("tool_search_tool_") => has("tool-search-tool-2025-10-19"),
        _ => false,
    };
    if !taken {
        faults.model(format!(
            "'{}' does not support tool types: {kind}",
            family.name
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn knows(model: &str, way: &str, flag: &str) -> bool {
        is_known(&Family::of(model), way, flag)
    }

    #[test]
    fn flags_are_known_by_family_and_way() {
        let (old, new) = (
            "anthropic.claude-sonnet-4-20250514-v1:0",
            "anthropic.claude-sonnet-4-6",
        );
        assert!(knows(old, "invoke", "interleaved-thinking-2025-05-14"));
        assert!(knows(new, "invoke", "interleaved-thinking-2025-05-14"));
        assert!(!knows(new, "converse", "interleaved-thinking-2025-05-14"));
        assert!(knows(
            "anthropic.claude-opus-5-5",
            "invoke",
            "thinking-token-count-2026-05-13"
        ));
        assert!(!knows(new, "invoke", "thinking-token-count-2026-05-13"));
        assert!(knows(new, "invoke", "tool-search-tool-2025-10-19"));
        assert!(!knows(new, "converse", "tool-search-tool-2025-10-19"));
        // Bedrock's name for it is another.
        assert!(!knows(new, "invoke", "advanced-tool-use-2025-11-20"));
        assert!(knows(old, "invoke", "context-1m-2025-08-07"));
        assert!(knows(new, "converse", "context-1m-2025-08-07"));
        assert!(!knows(
            "anthropic.claude-opus-4-7",
            "invoke",
            "context-1m-2025-08-07"
        ));
        for (model, taken) in [
            ("anthropic.claude-sonnet-4-5-20250929-v1:0", false),
            (new, true),
            ("anthropic.claude-opus-5-5", true),
            ("anthropic.claude-sonnet-5-5", false),
        ] {
            assert_eq!(
                knows(model, "invoke", "compact-2026-09-04"),
                taken,
                "{model}"
            );
        }
        assert!(knows(
            "anthropic.claude-haiku-5-5",
            "invoke",
            "inline-tools-2026-09-15"
        ));
        assert!(knows(
            "anthropic.claude-opus-4-8",
            "invoke",
            "inline-tools-2026-09-15"
        ));
        assert!(!knows(new, "invoke", "inline-tools-2026-09-15"));
        for flag in [
            "claude-code-20250219",
            "oauth-2025-04-20",
            "made-up-2026-01-01",
        ] {
            assert!(!knows(new, "invoke", flag), "{flag}");
        }
    }
}
