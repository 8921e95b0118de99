//! How a family answers: its ids for calls, its proof of reasoning, the tool that it is made to call.

use serde_json::Value;

use crate::{
    answers::{Answer, Block, SIGNATURE, Text},
    strict::family::Family,
};

/// The answer as a model of the family gives it to that request. Of an id that names no model it stays as it is.
pub fn of_family(family: &Family, request: &Value, answer: Answer) -> Answer {
    let answer = forced(request, answer);
    if family.is_unknown() {
        return answer;
    }
    let blocks = answer.blocks.into_iter().filter_map(|block| match block {
        Block::Reasoning(text, signature) => reasoning(family, request, text, signature),
        Block::Tool { id, name, input } => {
            let id = id_of(family, id, &name);
            Some(Block::Tool { id, name, input })
        }
        other => Some(other),
    });
    Answer {
        blocks: blocks.collect(),
        ..answer
    }
}

/// A model that must call one tool calls it with what it has to say, if that is JSON.
fn forced(request: &Value, mut answer: Answer) -> Answer {
    let converse = request.pointer("/toolConfig/toolChoice/tool/name");
    let anthropic = request.pointer("/tool_choice/name");
    let only = request
        .pointer("/toolConfig/toolChoice/any")
        .and(request.pointer("/toolConfig/tools/0/toolSpec/name"));
    let Some(name) = converse.or(anthropic).or(only).and_then(Value::as_str) else {
        return answer;
    };
    if let [Block::Text(text)] = answer.blocks.as_slice()
        && text.whole().starts_with('{')
    {
        answer.blocks = vec![Block::Tool {
            id: "tooluse_Sim0005".to_owned(),
            name: name.to_owned(),
            input: text.clone(),
        }];
        answer.stop_reason = "tool_use";
    }
    answer
}

fn id_of(family: &Family, id: String, name: &str) -> String {
    // The digits at the end tell the stand-in's calls from each other.
    let digits = id.get(id.len().saturating_sub(4)..).unwrap_or_default();
    if family.tools.id.contains("functions.name") {
        let number: u64 = digits.parse().unwrap_or_default();
        format!("functions.{name}:{}", number.saturating_sub(1))
    } else if family.tools.id.starts_with("^[a-zA-Z0-9]{9}") {
        format!("Sim00{digits}")
    } else {
        id
    }
}

/// Claude proves what it thought, and shows it where it is asked to; the GPTs hide it; other models that reason just say it.
fn reasoning(
    family: &Family,
    request: &Value,
    text: Text,
    signature: Option<&'static str>,
) -> Option<Block> {
    let switch = family.reasoning.switch.as_str();
    let silent = switch == "none" && !family.reasoning.default.starts_with("always");
    if family.is_claude() {
        let thinking = request
            .get("thinking")
            .or(request.pointer("/additionalModelRequestFields/thinking"));
        let says = |name: &str, word: &str| {
            thinking
                .and_then(|thinking| thinking.get(name))
                .is_some_and(|said| said == word)
        };
        let hidden = says("type", "adaptive") && !says("display", "summarized");
        let text = if hidden { Text::new(&[]) } else { text };
        return (!silent).then_some(Block::Reasoning(text, signature));
    }
    match switch {
        "reasoning.effort" => Some(Block::Redacted(SIGNATURE)),
        // Nova writes it into its text.
        _ if silent && family.name.starts_with("nova-") => {
            let text = format!("<thinking>{}</thinking>\n\n", text.whole());
            Some(Block::Text(Text::new(&[&text])))
        }
        _ if silent => None,
        _ => Some(Block::Reasoning(text, None)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{answers::Request, script::Kind};

    fn blocks(model: &str, kind: &Kind, body: &Value) -> Vec<Block> {
        let answer = Answer::new(kind, &Request { body, keys: &[] });
        of_family(&Family::of(model), body, answer).blocks
    }

    #[test]
    fn calls_have_the_familys_ids() {
        for (model, wanted) in [
            ("sim.tools", ["tooluse_Sim0001", "tooluse_Sim0002"]),
            (
                "anthropic.claude-sonnet-4-6",
                ["tooluse_Sim0001", "tooluse_Sim0002"],
            ),
            (
                "mistral.mistral-large-2402-v1:0",
                ["Sim000001", "Sim000002"],
            ),
            (
                "moonshotai.kimi-k2-thinking",
                ["functions.get_weather:0", "functions.get_time:1"],
            ),
        ] {
            let blocks = blocks(model, &Kind::Tools, &Value::Null);
            let ids = blocks.iter().filter_map(|block| match block {
                Block::Tool { id, .. } => Some(id.as_str()),
                _ => None,
            });
            assert_eq!(ids.collect::<Vec<_>>(), wanted, "{model}");
        }
    }

    #[test]
    fn reasoning_is_proved_said_hidden_or_not_there() {
        let first = |model: &str, body: &Value| blocks(model, &Kind::Reasoning, body).remove(0);
        let adaptive = json!({"additionalModelRequestFields": {"thinking": {"type": "adaptive"}}});
        let Block::Reasoning(text, signature) = first("anthropic.claude-sonnet-4-6", &adaptive)
        else {
            panic!("no reasoning");
        };
        assert_eq!((text.whole(), signature), (String::new(), Some(SIGNATURE)));
        assert!(matches!(
            first("anthropic.claude-3-7-sonnet-20250219-v1:0", &Value::Null),
            Block::Reasoning(_, Some(_))
        ));
        assert!(matches!(
            first("openai.gpt-oss-20b-1:0", &Value::Null),
            Block::Reasoning(_, None)
        ));
        assert!(matches!(
            first("deepseek.r1-v1:0", &Value::Null),
            Block::Reasoning(_, None)
        ));
        assert!(matches!(
            first("openai.gpt-6-sol", &Value::Null),
            Block::Redacted(_)
        ));
        assert_eq!(
            blocks(
                "meta.llama3-3-70b-instruct-v1:0",
                &Kind::Reasoning,
                &Value::Null
            )
            .len(),
            1
        );
        let Block::Text(text) = first("amazon.nova-pro-v1:0", &Value::Null) else {
            panic!("no text");
        };
        assert!(text.whole().starts_with("<thinking>The user"));
    }

    #[test]
    fn a_forced_tool_is_called_with_what_is_said() {
        for body in [
            json!({"toolConfig": {"toolChoice": {"tool": {"name": "json"}}}}),
            json!({"toolConfig": {"tools": [{"toolSpec": {"name": "json"}}], "toolChoice": {"any": {}}}}),
            json!({"tool_choice": {"type": "tool", "name": "json"}}),
        ] {
            let blocks = blocks("sim.json", &Kind::Json, &body);
            assert!(
                matches!(&blocks[..], [Block::Tool { name, .. }] if name == "json"),
                "{body}"
            );
        }
        let free = json!({"toolConfig": {"toolChoice": {"auto": {}}}});
        assert!(matches!(
            blocks("sim.json", &Kind::Json, &free)[..],
            [Block::Text(_)]
        ));
    }
}
