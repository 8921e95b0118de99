//! How much is to be reasoned, said as the family wants to hear it.

mod claude;
mod said;
mod wish;

use super::changes::Changes;
use crate::bedrock::converse::AskedReasoning;
use crate::family::Family;
use crate::family::facts::{ByDefault, Forced, Level, Switch};
use crate::json::object;
use claude::{adaptive, budget};
pub use said::{Around, Said};
use wish::{Wish, is_off, level, thinking};

/// Says what is asked; `given` are the model's own fields as the client gave them, which are never touched.
pub fn say(
    asked: &AskedReasoning<'_>,
    given: Option<&str>,
    around: Around,
    family: &Family,
    changes: &mut Changes,
) -> Said {
    let own = given.and_then(|given| own_words(given, family));
    if let Some(said) = own {
        if asked.effort.is_some() || asked.thinking.is_some() {
            changes.leave_out("effort");
        }
        return said;
    }
    let wish = Wish::of(asked);
    // A hint gives way to a tool that must be called; what was said in so many words does not.
    let gives_way = family.reasoning.forced_tool == Forced::NotWhileReasoning
        && around.forced
        && asked.thinking.is_none()
        && family.reasoning.default != ByDefault::Always;
    if gives_way && wish.is_some_and(|wish| wish != Wish::None) {
        changes.leave_out("effort");
        return Said::default();
    }
    let said = match family.reasoning.switch {
        Switch::ClaudeBudget => budget(asked, wish, around, family, changes),
        Switch::ClaudeAdaptive => adaptive(asked, wish, around, family, changes),
        _ => field(asked, wish, around, family, changes),
    };
    Said {
        reasons: said.reasons || family.reasoning.default == ByDefault::Always,
        ..said
    }
}

/// All others: one field, or none.
fn field(
    asked: &AskedReasoning<'_>,
    wish: Option<Wish>,
    around: Around,
    family: &Family,
    changes: &mut Changes,
) -> Said {
    let reasoning = family.reasoning;
    let by_default = reasoning.default == ByDefault::On;
    let Some(wish) = wish else {
        return Said {
            reasons: by_default,
            ..Said::default()
        };
    };
    let name = match asked.thinking {
        Some(_) => "thinking",
        None => "effort",
    };
    let word = match level(wish, family) {
        // What is not asked with a word is the family's own choice.
        Level::Word(word) if wish != Wish::Some || reasoning.default == ByDefault::Off => word,
        _ => {
            if reasoning.switch == Switch::None || (wish != Wish::None && wish != Wish::Some) {
                changes.leave_out(name);
            }
            return Said {
                reasons: by_default && wish != Wish::None,
                ..Said::default()
            };
        }
    };
    let bounded = around.is_limited && reasoning.switch == Switch::NovaConfig && word == "high";
    let word = match bounded {
        true => {
            changes.change(name);
            "medium"
        }
        false => word,
    };
    let field = match reasoning.switch {
        Switch::None | Switch::ClaudeBudget | Switch::ClaudeAdaptive => return Said::default(),
        Switch::ClaudeEffort => ("output_config", format!(r#"{{"effort":"{word}"}}"#)),
        Switch::Flat => ("reasoning_effort", format!(r#""{word}""#)),
        Switch::Nested => ("reasoning", format!(r#"{{"effort":"{word}"}}"#)),
        Switch::QwenConfig => ("reasoning_config", format!(r#""{word}""#)),
        Switch::NovaConfig => (
            "reasoningConfig",
            format!(r#"{{"type":"enabled","maxReasoningEffort":"{word}"}}"#),
        ),
    };
    Said {
        fields: vec![field],
        reasons: word != "none",
        budget: None,
        unbounded: reasoning.switch == Switch::NovaConfig && word == "high",
    }
}

/// What follows from what a client says in the model's own fields; `None` if they say nothing of reasoning.
fn own_words(given: &str, family: &Family) -> Option<Said> {
    let object = object::parse(given).ok()?;
    let value = |name: &str| {
        let mut members = object.members.iter();
        let member = members.find(|member| member.name == name)?;
        given.get(member.value.clone())
    };
    if let Some(json) = value("thinking") {
        let thinking = thinking(json);
        return Some(Said {
            reasons: !is_off(&thinking),
            budget: thinking.budget_tokens,
            ..Said::default()
        });
    }
    let names = [
        "output_config",
        "reasoning_effort",
        "reasoning",
        "reasoning_config",
        "reasoningConfig",
    ];
    let said = names.into_iter().find_map(value)?;
    let reasons = !said.contains("\"none\"") && !said.contains("\"disabled\"");
    Some(Said {
        reasons: reasons && !family.claude,
        unbounded: family.reasoning.switch == Switch::NovaConfig && said.contains("\"high\""),
        ..Said::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::family::named;

    fn openai(family: &str, effort: &str, max_tokens: Option<u64>) -> Said {
        let asked = AskedReasoning {
            effort: Some(effort.to_owned().into()),
            effort_switches: true,
            thinking: None,
        };
        let around = Around {
            max_tokens,
            ..Around::default()
        };
        let family = named(family).unwrap();
        say(&asked, None, around, &family, &mut Changes::default())
    }

    fn anthropic(family: &str, thinking: &str, effort: Option<&str>) -> Said {
        let asked = AskedReasoning {
            effort: effort.map(|effort| effort.to_owned().into()),
            effort_switches: false,
            thinking: Some(thinking.to_owned().into()),
        };
        let around = Around {
            max_tokens: Some(8000),
            ..Around::default()
        };
        let family = named(family).unwrap();
        say(&asked, None, around, &family, &mut Changes::default())
    }

    fn fields(said: &Said) -> String {
        let fields = said
            .fields
            .iter()
            .map(|(name, json)| format!("{name}={json}"));
        fields.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn openais_words_are_said_in_each_familys() {
        let adaptive =
            r#"thinking={"type":"adaptive","display":"summarized"} output_config={"effort":"#;
        for (family, effort, said) in [
            (
                "claude-4-5",
                "low",
                r#"thinking={"type":"enabled","budget_tokens":1024}"#.to_owned(),
            ),
            ("claude-4-5", "none", String::new()),
            ("claude-4-6", "xhigh", format!("{adaptive}\"max\"}}")),
            ("claude-4-7", "max", format!("{adaptive}\"xhigh\"}}")),
            ("claude-4-7", "none", String::new()),
            (
                "claude-5",
                "none",
                r#"thinking={"type":"disabled"}"#.to_owned(),
            ),
            (
                "claude-sonnet-5-5",
                "none",
                r#"thinking={"type":"between_tools"}"#.to_owned(),
            ),
            (
                "claude-opus-5-5",
                "none",
                r#"output_config={"effort":"low"}"#.to_owned(),
            ),
            (
                "claude-later",
                "max",
                r#"output_config={"effort":"high"}"#.to_owned(),
            ),
            (
                "nova-2",
                "minimal",
                r#"reasoningConfig={"type":"enabled","maxReasoningEffort":"low"}"#.to_owned(),
            ),
            ("nova-2", "none", String::new()),
            ("nova-1", "high", String::new()),
            ("deepseek-v3", "low", String::new()),
            (
                "deepseek-v3",
                "medium",
                "reasoning_effort=\"high\"".to_owned(),
            ),
            (
                "deepseek-v3",
                "none",
                "reasoning_effort=\"none\"".to_owned(),
            ),
            ("qwen3", "low", "reasoning_config=\"low\"".to_owned()),
            ("gpt-oss", "none", "reasoning_effort=\"low\"".to_owned()),
            ("gpt-6", "max", r#"reasoning={"effort":"max"}"#.to_owned()),
            ("kimi-k2", "high", String::new()),
            ("kimi-k3", "medium", String::new()),
            ("grok", "somewhat", String::new()),
            ("claude-4-6", "somewhat", String::new()),
        ] {
            assert_eq!(
                fields(&openai(family, effort, None)),
                said,
                "{family} {effort}"
            );
        }
    }

    #[test]
    fn a_budget_leaves_room_for_the_answer() {
        assert_eq!(openai("claude-4-5", "high", Some(4000)).budget, Some(2000));
        assert_eq!(openai("claude-4-5", "high", Some(1025)).budget, Some(1024));
        assert!(!openai("claude-4-5", "high", Some(1024)).reasons);
    }

    #[test]
    fn anthropics_thinking_is_said_in_each_familys_words() {
        let enabled = r#"{"type":"enabled","budget_tokens":5000}"#;
        let adaptive = r#"{"type":"adaptive"}"#;
        let disabled = r#"{"type":"disabled"}"#;
        for (family, thinking, effort, said) in [
            ("claude-4-5", enabled, None, format!("thinking={enabled}")),
            (
                "claude-4-5",
                adaptive,
                None,
                r#"thinking={"type":"enabled","budget_tokens":4096}"#.to_owned(),
            ),
            (
                "claude-4-5",
                adaptive,
                Some("low"),
                r#"thinking={"type":"enabled","budget_tokens":1024}"#.to_owned(),
            ),
            ("claude-4-5", disabled, None, String::new()),
            ("claude-4-6", enabled, None, format!("thinking={enabled}")),
            (
                "claude-4-7",
                enabled,
                None,
                r#"thinking={"type":"adaptive"} output_config={"effort":"high"}"#.to_owned(),
            ),
            (
                "claude-4-7",
                adaptive,
                Some("max"),
                r#"thinking={"type":"adaptive"} output_config={"effort":"xhigh"}"#.to_owned(),
            ),
            ("claude-4-6", disabled, None, String::new()),
            (
                "claude-5",
                disabled,
                Some("max"),
                r#"thinking={"type":"disabled"} output_config={"effort":"high"}"#.to_owned(),
            ),
            (
                "claude-opus-5-5",
                disabled,
                None,
                r#"output_config={"effort":"low"}"#.to_owned(),
            ),
            ("claude-later", adaptive, None, String::new()),
            (
                "gpt-oss",
                enabled,
                None,
                "reasoning_effort=\"high\"".to_owned(),
            ),
            ("gpt-oss", adaptive, None, String::new()),
            (
                "deepseek-v3",
                adaptive,
                None,
                "reasoning_effort=\"high\"".to_owned(),
            ),
            ("llama-4", enabled, None, String::new()),
            ("profile-unknown", adaptive, None, String::new()),
        ] {
            assert_eq!(
                fields(&anthropic(family, thinking, effort)),
                said,
                "{family} {thinking} {effort:?}"
            );
        }
    }

    #[test]
    fn what_the_client_says_in_the_models_own_fields_stays() {
        let family = named("claude-4-5").unwrap();
        let asked = AskedReasoning {
            effort: Some("low".into()),
            effort_switches: true,
            thinking: None,
        };
        let given = r#"{"thinking":{"type":"enabled","budget_tokens":2000}}"#;
        let mut changes = Changes::default();
        let said = say(
            &asked,
            Some(given),
            Around::default(),
            &family,
            &mut changes,
        );
        assert_eq!(
            (said.fields.len(), said.reasons, said.budget),
            (0, true, Some(2000))
        );
    }

    #[test]
    fn a_hint_gives_way_to_a_tool_that_must_be_called() {
        let around = Around {
            forced: true,
            ..Around::default()
        };
        let asked = AskedReasoning {
            effort: Some("high".into()),
            effort_switches: true,
            thinking: None,
        };
        for (family, reasons) in [
            ("claude-4-5", false),
            ("deepseek-v3", false),
            ("claude-4-6", true),
            ("gpt-oss", true),
        ] {
            let family = named(family).unwrap();
            let said = say(&asked, None, around, &family, &mut Changes::default());
            assert_eq!(said.reasons, reasons, "{}", family.name);
        }
    }
}
