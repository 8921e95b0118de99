//! A loop of tools as a body of Converse's or Anthropic's tells it: what the results say, and which call is next.

use serde_json::{Map, Value};

/// How an answer begins that ends a loop.
pub const SAID: &str = "The tool said: ";

/// A call.
#[derive(Debug, PartialEq)]
pub struct Call {
    /// Its id, of which there is no other in the conversation.
    pub id: String,
    /// The tool.
    pub name: String,
    /// What the tool's schema requires.
    pub input: Value,
}

/// What the results of a message say, in their order.
pub fn results(message: &Value) -> impl Iterator<Item = String> {
    blocks(message).filter_map(|block| {
        let anthropic = block.get("type").is_some_and(|kind| kind == "tool_result");
        let result = if anthropic {
            Some(block)
        } else {
            block.get("toolResult")
        };
        result?.get("content").map(said)
    })
}

/// What the results say that came since a loop ended.
pub fn open_results(body: &Value) -> Vec<String> {
    let mut open = Vec::new();
    for message in items(body.get("messages")) {
        let mut texts = blocks(message).filter_map(|block| block.get("text")?.as_str());
        if message.get("role").is_some_and(|role| role == "assistant") {
            if texts.any(|text| text.contains(SAID)) {
                open.clear();
            }
        } else {
            open.extend(results(message));
        }
    }
    open
}

/// The next call of a loop of `calls`, unless it is at its end or there is nothing to call. At the end of a loop that is
/// `called` or of a request that forces a call, there is one more: of the tool that is forced, else of the last.
pub fn next_call(body: &Value, calls: usize, called: bool) -> Option<Call> {
    let mut tools = tools(body);
    let done = open_results(body).len();
    let (name, schema) = match forced(body).or(called.then_some(None)) {
        Some(named) => {
            let last = match named {
                Some(name) => tools.iter().position(|(tool, _)| *tool == name)?,
                None => tools.len().checked_sub(1)?,
            };
            let last = tools.remove(last);
            if done % (calls + 1) == calls {
                last
            } else {
                favourite(&tools).unwrap_or(last)
            }
        }
        None if done < calls => favourite(&tools)?,
        None => return None,
    };
    let messages = items(body.get("messages"));
    let earlier = messages.flat_map(blocks).filter(|block| {
        block.get("toolUse").is_some() || block.get("type").is_some_and(|kind| kind == "tool_use")
    });
    Some(Call {
        id: format!("tooluse_Sim{:04}", earlier.count() + 1),
        name: name.to_owned(),
        input: value_of(name, schema),
    })
}

/// A shell, as agents call theirs, else the first.
fn favourite<'a>(tools: &[(&'a str, &'a Value)]) -> Option<(&'a str, &'a Value)> {
    let shell = |(name, _): &&(&str, &Value)| SHELLS.contains(&name.to_ascii_lowercase().as_str());
    tools.iter().find(shell).or(tools.first()).copied()
}

/// Whether a tool must be called, and which.
fn forced(body: &Value) -> Option<Option<&str>> {
    if let Some(choice) = body.pointer("/toolConfig/toolChoice") {
        let named = choice.pointer("/tool/name").and_then(Value::as_str);
        return (named.is_some() || choice.get("any").is_some()).then_some(named);
    }
    let choice = body.get("tool_choice")?;
    match choice.get("type")?.as_str()? {
        "tool" => choice.get("name").and_then(Value::as_str).map(Some),
        "any" => Some(None),
        _ => None,
    }
}

fn tools(body: &Value) -> Vec<(&str, &Value)> {
    let converse = items(body.pointer("/toolConfig/tools")).filter_map(|tool| {
        let tool = tool.get("toolSpec")?;
        Some((
            tool.get("name")?.as_str()?,
            tool.pointer("/inputSchema/json")?,
        ))
    });
    let anthropic = items(body.get("tools"))
        .filter_map(|tool| Some((tool.get("name")?.as_str()?, tool.get("input_schema")?)));
    converse.chain(anthropic).collect()
}

/// A value that a schema takes, of a member of that name.
fn value_of(name: &str, schema: &Value) -> Value {
    let given = ["const", "default"]
        .iter()
        .find_map(|word| schema.get(*word));
    if let Some(value) = given.or(items(schema.get("enum")).next()) {
        return value.clone();
    }
    let choices = ["anyOf", "oneOf"].iter();
    if let Some(first) = choices
        .flat_map(|word| items(schema.get(*word)))
        .find(|choice| choice.get("type").is_none_or(|kind| kind != "null"))
    {
        return value_of(name, first);
    }
    let kind = match schema.get("type") {
        Some(Value::Array(kinds)) => kinds.iter().find(|kind| *kind != "null"),
        kind => kind,
    };
    match kind.and_then(Value::as_str).unwrap_or_default() {
        "object" => {
            let members = items(schema.get("required")).filter_map(|member| {
                let member = member.as_str()?;
                let schema = schema.get("properties").and_then(|all| all.get(member));
                let value = value_of(member, schema.unwrap_or(&Value::Null));
                Some((member.to_owned(), value))
            });
            Value::Object(members.collect::<Map<_, _>>())
        }
        "array" => {
            let items = schema.get("items").unwrap_or(&Value::Null);
            Value::Array(vec![value_of(name, items)])
        }
        "integer" | "number" => Value::from(18),
        "boolean" => Value::Bool(false),
        _ if name.contains("command") => Value::from("echo shell-$((6*7))"),
        _ if name.contains("city") => Value::from("Paris"),
        _ => Value::from("as the stand-in says"),
    }
}

/// What a result's content says.
fn said(content: &Value) -> String {
    let of_part = |part: &Value| match part.get("text").and_then(Value::as_str) {
        Some(text) => text.to_owned(),
        None => part.get("json").unwrap_or(part).to_string(),
    };
    match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts.iter().map(of_part).collect::<Vec<_>>().join(" "),
        other => other.to_string(),
    }
}

fn blocks(message: &Value) -> impl Iterator<Item = &Value> {
    items(message.get("content"))
}

fn items(list: Option<&Value>) -> impl Iterator<Item = &Value> {
    list.and_then(Value::as_array).into_iter().flatten()
}

/// The shells of agents.
const SHELLS: [&str; 6] = [
    "bash",
    "shell",
    "execute_command",
    "run_command",
    "run_commands",
    "exec_command",
];

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn converse(choice: &Value, messages: &Value) -> Value {
        let spec = |name: &str, properties: Value, required: Value| json!({"toolSpec": {"name": name, "inputSchema": {"json": {"type": "object", "properties": properties, "required": required}}}});
        json!({
            "messages": messages,
            "toolConfig": {
                "tools": [
                    spec("read_bash", json!({}), json!([])),
                    spec("bash", json!({"commands": {"type": "array", "items": {"type": "string"}}, "why": {"type": ["null", "string"]}}), json!(["commands"])),
                    spec("final_result", json!({"city": {"type": "string"}, "degrees": {"type": "integer"}}), json!(["city", "degrees"])),
                ],
                "toolChoice": choice,
            },
        })
    }

    fn result(text: &str) -> Value {
        json!({"role": "user", "content": [{"toolResult": {"toolUseId": "x", "content": [{"text": text}]}}]})
    }

    fn call() -> Value {
        json!({"role": "assistant", "content": [{"toolUse": {"toolUseId": "x", "name": "bash", "input": {}}}]})
    }

    #[test]
    fn a_loop_ends_after_its_calls_and_begins_anew_with_the_next_question() {
        let auto = json!({"auto": {}});
        let question = json!({"role": "user", "content": [{"text": "Go"}]});
        let reminder = json!({"role": "user", "content": [{"text": "<reminder>"}]});
        let end = json!({"role": "assistant", "content": [{"text": format!("{SAID}2")}]});
        let next = |messages: Value| next_call(&converse(&auto, &messages), 2, false);
        let first = next(json!([question])).unwrap();
        assert_eq!(
            (first.id.as_str(), first.name.as_str()),
            ("tooluse_Sim0001", "bash")
        );
        assert_eq!(first.input, json!({"commands": ["echo shell-$((6*7))"]}));
        let second = next(json!([question, call(), result("1"), reminder])).unwrap();
        assert_eq!(second.id, "tooluse_Sim0002");
        let done = json!([question, call(), result("1"), call(), result("2")]);
        assert_eq!(next(done.clone()), None);
        assert_eq!(open_results(&json!({"messages": done})), ["1", "2"]);
        let again = json!([
            question,
            call(),
            result("1"),
            call(),
            result("2"),
            end,
            question
        ]);
        assert_eq!(next(again).unwrap().id, "tooluse_Sim0003");
    }

    #[test]
    fn what_is_forced_is_called_at_the_end() {
        for choice in [
            json!({"any": {}}),
            json!({"tool": {"name": "final_result"}}),
        ] {
            let next =
                |messages: Value| next_call(&converse(&choice, &messages), 1, false).unwrap();
            assert_eq!(next(json!([])).name, "bash");
            let last = next(json!([call(), result("1")]));
            assert_eq!(last.name, "final_result");
            assert_eq!(last.input, json!({"city": "Paris", "degrees": 18}));
        }
        let body = converse(&json!({"auto": {}}), &json!([call(), result("1")]));
        assert_eq!(next_call(&body, 1, true).unwrap().name, "final_result");
    }

    #[test]
    fn anthropics_body_is_read_too() {
        let tools = json!([{"type": "computer_20251124", "name": "computer"}, {"name": "look", "input_schema": {"type": "object"}}]);
        let result = json!({"role": "user", "content": [{"type": "tool_result", "content": "18"}]});
        let body = json!({"tools": tools, "messages": [result]});
        assert_eq!(next_call(&body, 2, false).unwrap().name, "look");
        assert_eq!(next_call(&body, 1, false), None);
        assert_eq!(next_call(&json!({"messages": []}), 1, false), None);
    }
}
