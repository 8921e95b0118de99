//! Anthropic's beta flags: what Bedrock calls each, which families take it there, and which members of a request hang on it.
//! Bedrock answers a flag that it does not know with 400 for the whole request. `fixtures/families.json` has the same with its
//! sources.

use super::facts::{Cache, Family, Switch};
use Member::*;
use Takers::{From, FromBut, Only};

/// A flag that some family takes.
#[derive(Clone, Copy, Debug)]
pub struct Flag {
    /// What clients call it.
    names: &'static [&'static str],
    /// What Bedrock calls it.
    pub sent: &'static str,
    /// Who takes it.
    takers: Takers,
    /// Whether Converse takes it, too.
    converse: bool,
    /// What it allows in a request.
    members: &'static [Member],
}

/// Who takes a flag.
#[derive(Clone, Copy, Debug)]
enum Takers {
    /// Every Claude from this version on.
    From(u8),
    /// The same, but for one family.
    FromBut(u8, &'static str),
    /// These families; `FAMILY WORD`: those of its models that have the word in their ids.
    Only(&'static [&'static str]),
}

impl Takers {
    fn have(self, family: &Family, id: &str) -> bool {
        match self {
            Self::From(version) => family.version >= version,
            Self::FromBut(version, but) => family.version >= version && family.name != but,
            Self::Only(families) => families.iter().any(|row| match row.split_once(' ') {
                Some((name, word)) => name == family.name && id.contains(word),
                None => *row == family.name,
            }),
        }
    }
}

/// A part of a request that is refused without its flag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Member {
    /// `context_management.edits[].type` `clear_tool_uses_…`
    ClearToolUses,
    /// `context_management.edits[].type` `compact_…`
    Compact,
    /// `compaction`
    Compaction,
    /// `output_config.effort`, of a family that does not take it by itself
    Effort,
    /// `tools[].defer_loading`, tools `tool_search_tool_…`, and what they leave in a conversation
    ToolSearch,
    /// `tools[].input_examples`
    InputExamples,
    /// `thinking.block_binding`
    BlockBinding,
    /// `thinking.display` `updates`
    DisplayUpdates,
    /// `messages[].output_config`
    TurnConfig,
    /// `safeguards`
    Safeguards,
}

impl Flag {
    /// The flag that a client calls so.
    pub fn named(name: &str) -> Option<&'static Self> {
        FLAGS
            .iter()
            .find(|flag| flag.names.contains(&name) || flag.sent == name)
    }

    /// The same, or an earlier or later version of it.
    pub fn like(name: &str) -> Option<&'static Self> {
        let stem = without_date(name);
        let is_like = |known: &&str| without_date(known) == stem;
        Self::named(name).or_else(|| {
            let mut flags = FLAGS.iter().rev();
            flags.find(|flag| flag.names.iter().any(is_like))
        })
    }

    /// Whether the model `id` of this family takes it, through Converse or invoke.
    pub fn is_taken(&self, family: &Family, id: &str, converse: bool) -> bool {
        (self.converse || !converse) && self.takers.have(family, id)
    }

    /// Whether it allows this.
    pub fn allows(&self, member: Member) -> bool {
        self.members.contains(&member)
    }
}

impl Family {
    /// Whether invoke takes `cache_control.ttl`.
    pub fn takes_ttl(&self) -> bool {
        self.cache == Cache::AllAndHour
    }

    /// Whether it takes `strict` of a tool.
    pub fn takes_strict(&self) -> bool {
        self.tools.is_some_and(|tools| tools.strict)
    }

    /// Whether it takes `output_config.effort` by itself.
    pub fn takes_effort(&self) -> bool {
        let switch = self.reasoning.switch;
        matches!(switch, Switch::ClaudeAdaptive | Switch::ClaudeEffort)
    }
}

/// The flag that a tool of Anthropic's own needs: it has the tool's date.
pub fn of_tool(kind: &str) -> Option<&'static str> {
    TOOLS
        .iter()
        .find(|(_, kinds)| kinds.contains(&kind))
        .map(|(flag, _)| *flag)
}

/// `…-2026-01-12` or `…-20260112` without the date.
fn without_date(name: &str) -> &str {
    name.trim_end_matches(|last: char| last == '-' || last.is_ascii_digit())
}

/// A tool's input comes as it is written, not checked first.
pub const EAGER: &str = "fine-grained-tool-streaming-2025-05-14";
/// Tools are loaded when they are looked for.
pub const TOOL_SEARCH: &str = "tool-search-tool-2025-10-19";
/// Tools come with examples of their input.
pub const EXAMPLES: &str = "tool-examples-2025-10-29";
/// Is refused without the member that it is for.
pub const SAFEGUARDS: &str = "dangerous-tool-use-2026-09-03";

const COMPACTS: &[&str] = &[
    "claude-4-6",
    "claude-4-7",
    "claude-4-8",
    "claude-5",
    "claude-fable-mythos-5",
    "claude-fable-mythos-5-1",
    "claude-opus-5-5",
];
const CHANGES_TOOLS: &[&str] = &[
    "claude-4-8",
    "claude-5 opus",
    "claude-fable-mythos-5",
    "claude-fable-mythos-5-1",
    "claude-opus-5-5",
];
const INLINE_TOOLS: &[&str] = &[
    "claude-4-8",
    "claude-5 opus",
    "claude-fable-mythos-5",
    "claude-fable-mythos-5-1",
    "claude-opus-5-5",
    "claude-haiku-5-5",
];
const BINDS: &[&str] = &[
    "claude-fable-mythos-5-1",
    "claude-opus-5-5",
    "claude-sonnet-5-5",
    "claude-haiku-5-5",
];

const fn flag(
    names: &'static [&'static str],
    takers: Takers,
    converse: bool,
    members: &'static [Member],
) -> Flag {
    Flag {
        names,
        // The first of them; evaluated when the crate is compiled.
        sent: match names {
            [first, ..] => first,
            [] => "",
        },
        takers,
        converse,
        members,
    }
}

/// What is not here goes nowhere: Bedrock does not know it, needs no flag for it, or it does nothing there.
#[rustfmt::skip]
const FLAGS: &[Flag] = &[
    flag(&["computer-use-2024-10-22"],               Only(&["claude-3-5"]), true,  &[]),
    // Made for the families up to 4.5; later ones take it, too.
    flag(&["computer-use-2025-01-24"],               From(37), true,  &[]),
    flag(&["computer-use-2025-11-24"],               Only(&["claude-opus-4-5", "claude-4-6", "claude-4-7", "claude-4-8", "claude-5", "claude-opus-5-5"]), true, &[]),
    // Adaptive reasoning, which the later families have, interleaves by itself.
    flag(&["interleaved-thinking-2025-05-14"],       Only(&["claude-4", "claude-4-5", "claude-opus-4-5"]), true, &[]),
    flag(&["output-128k-2025-02-19"],                Only(&["claude-3-7"]), false, &[]),
    flag(&["context-1m-2025-08-07"],                 Only(&["claude-4 sonnet", "claude-4-6"]), true, &[]),
    flag(&["context-management-2025-06-27"],         Only(&["claude-4", "claude-4-5", "claude-opus-4-5"]), false, &[ClearToolUses]),
    flag(&["compact-2026-01-12"],                    From(46), false, &[Compact]),
    flag(&["compact-2026-09-04"],                    Only(COMPACTS), false, &[Compaction]),
    flag(&["effort-2025-11-24"],                     Only(&["claude-opus-4-5"]), true, &[Effort]),
    flag(&[TOOL_SEARCH, "advanced-tool-use-2025-11-20"], From(45), false, &[ToolSearch]),
    flag(&[EXAMPLES],                                Only(&["claude-opus-4-5"]), false, &[InputExamples]),
    flag(&[EAGER],                                   FromBut(40, "claude-opus-4-5"), true, &[]),
    flag(&["thinking-binding-controls-2026-08-01"],  Only(BINDS), true, &[BlockBinding]),
    flag(&["thinking-display-updates-2026-08-18"],   From(50), true, &[DisplayUpdates]),
    flag(&["per-turn-control-2026-07-01", "mid-conversation-output-config-2026-07-01", "mid-conversation-effort-2026-08-01",
           "per-message-effort-2026-07-01"],         Only(&["claude-fable-mythos-5-1"]), false, &[TurnConfig]),
    flag(&["mid-conversation-tool-changes-2026-07-01"], Only(CHANGES_TOOLS), false, &[]),
    flag(&["inline-tools-2026-09-15"],               Only(INLINE_TOOLS), false, &[]),
    flag(&[SAFEGUARDS],                              From(47), false, &[Safeguards]),
];

/// Tools of Anthropic's own that the client runs, by the flag that they need.
const TOOLS: &[(&str, &[&str])] = &[
    (
        "computer-use-2024-10-22",
        &["computer_20241022", "bash_20241022", "text_editor_20241022"],
    ),
    (
        "computer-use-2025-01-24",
        &["computer_20250124", "bash_20250124", "text_editor_20250124"],
    ),
    ("computer-use-2025-11-24", &["computer_20251124"]),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::family;

    #[test]
    fn the_table_says_what_the_facts_say() {
        let facts: serde_json::Value =
            serde_json::from_str(include_str!("../../../../fixtures/families.json")).unwrap();
        for fact in facts["beta"]["flags"].as_array().unwrap() {
            let name = fact["flag"].as_str().unwrap();
            let safe = fact["safe"].as_str().unwrap_or_default();
            let passes = !fact["bedrock"].is_null() && !safe.starts_with("drop");
            assert_eq!(Flag::named(name).is_some(), passes, "{name}");
            let Some(flag) = Flag::named(name).filter(|_| passes) else {
                continue;
            };
            let expected = match fact["bedrock"].as_str() {
                Some("same") => name,
                other => other.unwrap(),
            };
            assert_eq!(flag.sent, expected, "{name}");
            let converse = fact["converse"] == true
                || fact["converse"] == "same"
                || name == "effort-2025-11-24";
            assert_eq!(flag.converse, converse, "{name}");
            for family in fact["families"].as_array().unwrap() {
                // Families by their name; what is said in words is written out above.
                let family = family.as_str().unwrap();
                if let Some(family) = family::named(family) {
                    assert!(flag.is_taken(&family, "", false), "{name} {}", family.name);
                }
            }
            for alias in fact["aliases"].as_array().into_iter().flatten() {
                assert_eq!(Flag::named(alias.as_str().unwrap()).unwrap().sent, expected);
            }
        }
    }

    #[test]
    fn families_and_versions() {
        let taken = |flag: &str, id: &str, converse: bool| {
            let family = family::of(id, None, family::Rules::default());
            Flag::named(flag).is_some_and(|flag| flag.is_taken(&family, id, converse))
        };
        for (flag, id, invoke, converse) in [
            (
                "interleaved-thinking-2025-05-14",
                "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
                true,
                true,
            ),
            (
                "interleaved-thinking-2025-05-14",
                "us.anthropic.claude-sonnet-4-6",
                false,
                false,
            ),
            (
                "context-1m-2025-08-07",
                "anthropic.claude-sonnet-4-20250514-v1:0",
                true,
                true,
            ),
            (
                "context-1m-2025-08-07",
                "anthropic.claude-opus-4-20250514-v1:0",
                false,
                false,
            ),
            (
                "context-1m-2025-08-07",
                "anthropic.claude-sonnet-4-5-20250929-v1:0",
                false,
                false,
            ),
            (
                "advanced-tool-use-2025-11-20",
                "global.anthropic.claude-opus-5",
                true,
                false,
            ),
            (
                "advanced-tool-use-2025-11-20",
                "anthropic.claude-sonnet-4-20250514-v1:0",
                false,
                false,
            ),
            (
                "mid-conversation-tool-changes-2026-07-01",
                "anthropic.claude-opus-5",
                true,
                false,
            ),
            (
                "mid-conversation-tool-changes-2026-07-01",
                "anthropic.claude-sonnet-5",
                false,
                false,
            ),
            (
                "claude-code-20250219",
                "anthropic.claude-opus-5",
                false,
                false,
            ),
        ] {
            assert_eq!(
                (taken(flag, id, false), taken(flag, id, true)),
                (invoke, converse),
                "{flag} {id}"
            );
        }
        let like = |name: &str| Flag::like(name).map(|flag| flag.sent);
        assert_eq!(like("compact-2026-01-12"), Some("compact-2026-01-12"));
        assert_eq!(like("compact-2027-01-01"), Some("compact-2026-09-04"));
        assert_eq!(like("advanced-tool-use-20270101"), Some(TOOL_SEARCH));
        assert_eq!(like("compactor-2026-01-12"), None);
    }
}
