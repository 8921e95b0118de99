//! Tools: whether there may be any, their names and schemas, the choice, and the calls of the history.

use serde_json::{Value, json};

use super::{
    conversation::{Conversation, text},
    family::Family,
    faults::Faults,
    schema, shape,
};

/// Checks the tools and the calls in the history.
pub fn check(conversation: &Conversation<'_>, faults: &mut Faults) {
    let family = conversation.family;
    let tools = conversation.tools();
    let called = conversation.turns.iter().any(|turn| {
        turn.blocks
            .iter()
            .any(|block| ["toolUse", "toolResult"].contains(&block.kind))
    });
    if !family.tools.used && (called || !tools.is_empty()) {
        return faults.refuse("This model doesn't support tool use.");
    }
    if called && tools.is_empty() {
        faults.refuse("The toolConfig field must be defined when using toolUse and toolResult content blocks.");
    }
    if conversation.streams && !tools.is_empty() && !family.tools.stream {
        faults.refuse("This model doesn't support tool use in streaming mode.");
    }
    let mut names = Vec::new();
    for (number, tool) in tools.iter().enumerate() {
        match tool.kind {
            "toolSpec" => spec(family, number, tool.value, faults),
            "systemTool" if !family.web_search => faults.unsupported("toolConfig.tools.systemTool"),
            _ => continue,
        }
        let name = text(tool.value, "name");
        if names.contains(&name) {
            faults.model("tools: Tool names must be unique.");
        }
        names.push(name);
    }
    choice(conversation, &names, faults);
    ids(conversation, faults);
}

fn spec(family: &Family, number: usize, spec: &Value, faults: &mut Faults) {
    if spec
        .get("description")
        .and_then(Value::as_str)
        .is_some_and(|text| text.trim().is_empty())
    {
        faults.refuse(format!(
            "The description field in the ToolSpecification object at toolConfig.tools.{number} is blank. Add text to the \
             description field, and try again."
        ));
    }
    let schema = spec.pointer("/inputSchema/json").unwrap_or(&Value::Null);
    if schema.get("type") != Some(&json!("object")) {
        faults.refuse(format!(
            "The value at toolConfig.tools.{number}.toolSpec.inputSchema.json.type must be one of the following: object."
        ));
    }
    for combinator in ["oneOf", "anyOf", "allOf", "$ref"] {
        if family.tools.schema.contains("no oneOf") && schema.get(combinator).is_some() {
            faults.model(format!(
                "tools.{number}.custom.input_schema: input_schema does not support oneOf, allOf, or anyOf at the top level \
                 ({combinator})"
            ));
        }
    }
    if family.tools.schema.contains("lookaround") && schema::looks_around(schema) {
        faults.model(format!(
            "tools.{number}: regular expressions with lookaround are not supported"
        ));
    }
    match spec.get("strict") {
        None => {}
        Some(Value::Bool(true)) if family.tools.strict => {
            let place = format!("tools.{number}.custom.input_schema");
            schema::check(schema, &place, faults);
        }
        Some(_) if family.tools.strict => {}
        Some(_) if family.is_claude() => faults.extra(format!("tools.{number}.custom.strict")),
        Some(_) => faults.unsupported("toolConfig.tools.toolSpec.strict"),
    }
}

fn choice(conversation: &Conversation<'_>, names: &[&str], faults: &mut Faults) {
    let family = conversation.family;
    let Some(choice) = conversation.tool_choice() else {
        return;
    };
    // What Bedrock runs itself cannot be forced.
    let tools = conversation.tools();
    if choice != "auto" && tools.iter().all(|tool| tool.kind == "systemTool") {
        faults.unsupported(format!("toolConfig.toolChoice.{choice}"));
    }
    if !family.tools.choice.iter().any(|allowed| allowed == choice) {
        if family.is_claude() {
            faults
                .model("tool_choice: type \"tool\" and \"any\" are not supported for this model.");
        } else {
            faults.unsupported(format!("toolConfig.toolChoice.{choice}"));
        }
    }
    if let Some(name) = conversation
        .body
        .pointer("/toolConfig/toolChoice/tool/name")
        .and_then(Value::as_str)
        && !names.contains(&name)
    {
        faults.refuse(format!(
            "The tool {name} in toolConfig.toolChoice is not in toolConfig.tools."
        ));
    }
}

/// Every family has its own idea of an id.
fn ids(conversation: &Conversation<'_>, faults: &mut Faults) {
    // Some patterns of the file have a remark behind them.
    let pattern = conversation
        .family
        .tools
        .id
        .split([' ', '|'])
        .next()
        .unwrap_or_default();
    for turn in &conversation.turns {
        for (number, block) in turn.blocks.iter().enumerate() {
            let id = match block.kind {
                "toolUse" | "toolResult" => text(block.value, "toolUseId"),
                _ => continue,
            };
            if shape::matches_whole(pattern, id) {
                continue;
            }
            if pattern.contains("{9}") {
                faults.model(format!(
                    "Tool call id was {id} but must be a-z, A-Z, 0-9, with a length of 9."
                ));
            } else {
                faults.model(format!(
                    "messages.{}.content.{number}.tool_use.id: String should match pattern '{pattern}'",
                    turn.number
                ));
            }
        }
    }
}
