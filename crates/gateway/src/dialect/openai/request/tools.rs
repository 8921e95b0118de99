//! Tools, and which of them the model may or must call.

use std::borrow::Cow;
use std::collections::HashSet;

use serde_json::value::RawValue;

use super::chat::{
    AllowedTools, ChatRequest, Function, Tool as ClientTool, ToolChoice as ClientChoice,
};
use super::messages::cache_point;
use super::parameters::not_empty;
use crate::bedrock::converse::names::Names;
use crate::bedrock::converse::{Cached, ConverseRequest, Tool, ToolChoice};
use crate::bedrock::model_id::Vendor;
use crate::dialect::forms::OneOf;
use crate::json::object;
use crate::json::text::Text;
use crate::refusal::Refusal;

/// What `tool_choice` comes to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Choice<'a> {
    /// Nothing was said.
    #[default]
    Unsaid,
    /// No tool is to be called.
    None,
    /// One of these.
    Some(ToolChoice<'a>),
}

/// Puts the tools into the request.
///
/// # Errors
/// 400: a tool, or the choice, is none that Converse knows.
pub fn translate<'a>(
    chat: &ChatRequest<'a>,
    called: &str,
    names: &mut Names,
    request: &mut ConverseRequest<'a>,
) -> Result<Choice<'a>, Refusal> {
    let (choice, allowed) = choice(chat, names)?;
    for (index, tool) in chat.tools.iter().flatten().enumerate() {
        let tool = translate_tool(index, tool, names)?;
        let is_allowed = |allowed: &HashSet<Cow<'_, str>>| allowed.contains(&tool.item.name);
        if allowed.as_ref().is_none_or(is_allowed) {
            request.tools.push(tool);
        }
    }
    if request.tools.is_empty() {
        return match choice {
            Choice::Some(ToolChoice::Any | ToolChoice::Tool(_)) => Err(Refusal::parameter(
                "tool_choice",
                "asks for a tool, but \"tools\" has none",
            )),
            _ => Ok(Choice::Unsaid),
        };
    }
    if let Choice::Some(ToolChoice::Tool(name)) = &choice
        && !request.tools.iter().any(|tool| tool.item.name == *name)
    {
        return Err(Refusal::parameter(
            "tool_choice",
            "names a tool that \"tools\" does not have",
        ));
    }
    let one_at_a_time =
        chat.parallel_tool_calls == Some(false) && Vendor::of(called) == Some(Vendor::Anthropic);
    match (&choice, one_at_a_time) {
        (Choice::None, _) => {}
        (_, true) => {
            let choice = match &choice {
                Choice::Some(choice) => Some(choice),
                _ => None,
            };
            request.call_one_at_a_time(choice);
        }
        (Choice::Some(choice), false) => request.tool_choice = Some(choice.clone()),
        (Choice::Unsaid, false) => {}
    }
    Ok(choice)
}

fn translate_tool<'a>(
    index: usize,
    tool: &ClientTool<'a>,
    names: &mut Names,
) -> Result<Cached<Tool<'a>>, Refusal> {
    let function = match (tool.kind.0.as_ref(), &tool.function) {
        ("function", Some(function)) => function,
        ("function", None) => {
            return Err(Refusal::parameter(
                format!("tools[{index}].function"),
                "is missing",
            ));
        }
        _ => {
            return Err(Refusal::parameter(
                format!("tools[{index}].type"),
                "must be \"function\": Bedrock has no other tools",
            ));
        }
    };
    let schema = function.parameters.map_or("{}", RawValue::get);
    let schema = match object::parse(schema) {
        Ok(schema) if schema.members.is_empty() => NO_PARAMETERS,
        Ok(_) => schema,
        Err(_) => {
            return Err(Refusal::parameter(
                format!("tools[{index}].function.parameters"),
                "must be an object",
            ));
        }
    };
    let point = tool
        .cache_control
        .as_deref()
        .or(function.cache_control.as_deref());
    Ok(Cached {
        item: Tool {
            name: name(function, names),
            description: not_empty(function.description.as_ref()),
            schema: Cow::Borrowed(schema),
            strict: function.strict.unwrap_or(false),
        },
        point: point.map(cache_point),
    })
}

fn name<'a>(function: &Function<'a>, names: &mut Names) -> Cow<'a, str> {
    let Text(name) = &function.name;
    names.for_bedrock(name.clone())
}

type Allowed<'a> = Option<HashSet<Cow<'a, str>>>;

fn choice<'a>(
    chat: &ChatRequest<'a>,
    names: &mut Names,
) -> Result<(Choice<'a>, Allowed<'a>), Refusal> {
    match &chat.tool_choice {
        None => Ok((Choice::Unsaid, None)),
        Some(OneOf::Short(Text(word))) => match word.as_ref() {
            "none" => Ok((Choice::None, None)),
            word => mode(word, "tool_choice").map(|choice| (Choice::Some(choice), None)),
        },
        Some(OneOf::Long(choice)) => long_choice(choice, names),
    }
}

fn long_choice<'a>(
    choice: &ClientChoice<'a>,
    names: &mut Names,
) -> Result<(Choice<'a>, Allowed<'a>), Refusal> {
    match (
        choice.kind.0.as_ref(),
        &choice.function,
        choice.allowed_tools.as_deref(),
    ) {
        ("function", Some(function), _) => {
            let name = names.for_bedrock(function.name.0.clone());
            Ok((Choice::Some(ToolChoice::Tool(name)), None))
        }
        ("allowed_tools", _, Some(AllowedTools { mode: word, tools })) => {
            let choice = mode(&word.0, "tool_choice.allowed_tools.mode")?;
            let allowed = tools
                .iter()
                .filter_map(|tool| tool.function.as_ref())
                .map(|function| names.for_bedrock(function.name.0.clone()))
                .collect();
            Ok((Choice::Some(choice), Some(allowed)))
        }
        ("function", None, _) => Err(Refusal::parameter("tool_choice.function", "is missing")),
        ("allowed_tools", _, None) => Err(Refusal::parameter(
            "tool_choice.allowed_tools",
            "is missing",
        )),
        _ => Err(Refusal::parameter(
            "tool_choice.type",
            "must be \"function\" or \"allowed_tools\"",
        )),
    }
}

fn mode(word: &str, param: &str) -> Result<ToolChoice<'static>, Refusal> {
    match word {
        "auto" => Ok(ToolChoice::Auto),
        "required" => Ok(ToolChoice::Any),
        _ => Err(Refusal::parameter(
            param,
            "must be \"none\", \"auto\", \"required\" or a tool",
        )),
    }
}

/// The schema of a tool without parameters, which Converse wants to see.
const NO_PARAMETERS: &str = r#"{"type":"object","properties":{}}"#;
