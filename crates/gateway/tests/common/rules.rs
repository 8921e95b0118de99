//! What Bedrock refuses in a Converse body, as far as reports tell: the names of the rules that a body breaks. botocore's own
//! model is checked by the client tests, each family's by bedrock-sim.

use serde_json::Value;

/// The rules that a body for a model of this family breaks.
pub fn broken(body: &Value, family: &str) -> Vec<String> {
    let mut broken = Vec::new();
    turns(body, &mut broken);
    let claude = family.starts_with("claude-");
    let none = Vec::new();
    for message in body["messages"].as_array().unwrap_or(&none) {
        let content = message["content"].as_array().unwrap_or(&none);
        if content.is_empty() {
            broken.push("a turn says nothing".to_owned());
        }
        for block in content {
            check_block(block, claude, family, &mut broken);
        }
        let has = |name: &str| content.iter().any(|block| block.get(name).is_some());
        if has("document") && !has("text") {
            broken.push("a document without a text".to_owned());
        }
        if has("cachePoint") && !claude && !family.starts_with("nova") {
            broken.push("a cache point where there is no cache".to_owned());
        }
    }
    for tool in body["toolConfig"]["tools"].as_array().unwrap_or(&none) {
        if tool.get("cachePoint").is_some() && !claude {
            broken.push("a cache point among tools".to_owned());
        }
        if let Some(schema) = tool.pointer("/toolSpec/inputSchema/json") {
            if schema["type"] != "object" {
                broken.push("a tool's schema is no object".to_owned());
            }
            if ["oneOf", "anyOf", "allOf", "$ref"]
                .iter()
                .any(|name| schema.get(name).is_some())
            {
                broken.push("alternatives at the root of a tool's schema".to_owned());
            }
        }
    }
    if body.to_string().contains(r#""ttl""#) && !claude {
        broken.push("a ttl".to_owned());
    }
    if let Some(schema) = body.pointer("/outputConfig/textFormat/structure/jsonSchema/schema") {
        let schema: Value = serde_json::from_str(schema.as_str().unwrap()).unwrap();
        check_schema(&schema, &mut broken);
    }
    broken
}

/// Turns begin with a user's, alternate, and answer all calls of the one before.
fn turns(body: &Value, broken: &mut Vec<String>) {
    let none = Vec::new();
    let messages = body["messages"].as_array().unwrap_or(&none);
    let mut called: Vec<&Value> = Vec::new();
    let mut used = false;
    for (index, message) in messages.iter().enumerate() {
        let expected = if index % 2 == 0 { "user" } else { "assistant" };
        if message["role"] != expected {
            broken.push(format!("turn {index} is not the {expected}'s"));
        }
        let content = message["content"].as_array().unwrap_or(&none);
        let ids = |name: &str| -> Vec<&Value> {
            content
                .iter()
                .filter_map(|block| block.pointer(&format!("/{name}/toolUseId")))
                .collect()
        };
        let (calls, results) = (ids("toolUse"), ids("toolResult"));
        used |= !calls.is_empty() || !results.is_empty();
        if results != called {
            broken.push(format!(
                "results of turn {index} are not those of the calls before"
            ));
        }
        called = calls;
    }
    if messages.is_empty() {
        broken.push("no turns".to_owned());
    }
    if used
        && body["toolConfig"]["tools"]
            .as_array()
            .is_none_or(Vec::is_empty)
    {
        broken.push("calls without toolConfig".to_owned());
    }
    if let Some(text) = messages
        .last()
        .and_then(|last| last["content"].as_array()?.last()?["text"].as_str())
        && messages.len().is_multiple_of(2)
        && text.ends_with(char::is_whitespace)
    {
        broken.push("a blank at the end".to_owned());
    }
}

fn check_block(block: &Value, claude: bool, family: &str, broken: &mut Vec<String>) {
    if block["text"]
        .as_str()
        .is_some_and(|text| text.trim().is_empty())
    {
        broken.push("a blank text".to_owned());
    }
    if let Some(result) = block.get("toolResult") {
        let content = result["content"].as_array().unwrap();
        if content.is_empty() {
            broken.push("an empty tool result".to_owned());
        }
        for block in content {
            check_block(block, claude, family, broken);
        }
    }
    if let Some(document) = block.get("document")
        && document["source"].get("text").is_some()
        && document.get("citations").is_none()
    {
        broken.push("a document of text without citations".to_owned());
    }
    for id in ["/toolUse/toolUseId", "/toolResult/toolUseId"] {
        if let Some(id) = block.pointer(id).and_then(Value::as_str) {
            let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
            let right = match family {
                "mistral-2024" | "mistral-2025" | "pixtral" => {
                    id.len() == 9 && id.bytes().all(|byte| byte.is_ascii_alphanumeric())
                }
                _ if claude => id.bytes().all(legal),
                _ => id.bytes().all(|byte| legal(byte) || b".:".contains(&byte)),
            };
            if !right || id.is_empty() || id.len() > 64 {
                broken.push(format!("the id {id}"));
            }
        }
    }
    let reasoning = block.get("reasoningContent");
    let signature = reasoning.and_then(|reasoning| reasoning.pointer("/reasoningText/signature"));
    match (reasoning, claude) {
        (Some(_), false) if signature.is_some() => broken.push("a signature".to_owned()),
        (Some(reasoning), true)
            if signature.is_none() && reasoning.get("redactedContent").is_none() =>
        {
            broken.push("reasoning without a signature".to_owned());
        }
        _ => {}
    }
}

fn check_schema(schema: &Value, broken: &mut Vec<String>) {
    const OUT: [&str; 8] = [
        "minimum",
        "maximum",
        "minLength",
        "maxLength",
        "maxItems",
        "multipleOf",
        "oneOf",
        "patternProperties",
    ];
    let Some(members) = schema.as_object() else {
        return;
    };
    if members.get("type").is_some_and(|kind| kind == "object")
        && members.get("additionalProperties") != Some(&Value::Bool(false))
    {
        broken.push("an open object".to_owned());
    }
    for (name, value) in members {
        if OUT.contains(&name.as_str()) {
            broken.push(format!("{name} in a schema"));
        }
        match (name.as_str(), value) {
            // Names of properties are no words of the schema's.
            ("properties" | "$defs" | "definitions", Value::Object(named)) => {
                named.values().for_each(|value| check_schema(value, broken));
            }
            (_, Value::Array(all)) => all.iter().for_each(|value| check_schema(value, broken)),
            (_, value) => check_schema(value, broken),
        }
    }
}
