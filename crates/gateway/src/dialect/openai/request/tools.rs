//! Tools, and which of them the model may or must call.

use serde_json::value::RawValue;

use super::chat::{
    AllowedTool, AllowedTools, ChatRequest, Custom, Tool as ClientTool, ToolChoice as ClientChoice,
};
use super::messages::cache_point;
use crate::bedrock::converse::names::{Names, name_for_bedrock, name_in_request};
use crate::bedrock::converse::runs::grow;
use crate::bedrock::converse::strings::{Str, Strings};
use crate::bedrock::converse::{Cached, ConverseRequest, Tool, ToolChoice};
use crate::dialect::custom::{Customs, SCHEMA, described};
use crate::dialect::forms::{Given, OneOf};
use crate::dialect::parameter::Path;
use crate::json::object;
use crate::json::strict::Object;
use crate::refusal::Refusal;

/// Puts the tools into the request.
///
/// # Errors
/// 400: a tool, or the choice, is none that Converse knows.
pub fn translate<'a>(
    chat: &ChatRequest<'a>,
    (names, customs): (&mut Names, &mut Customs),
    request: &mut ConverseRequest<'a>,
) -> Result<(), Refusal> {
    let (choice, allowed) = choice(chat, &mut request.strings)?;
    if let Some(tools) = chat.tools {
        let at = Path::Body;
        tools.each(
            &at.member("tools"),
            |Object(tool): Object<ClientTool<'_>>, at| {
                let strings = &mut request.strings;
                let tool = match (tool.kind.0.as_ref(), &tool.custom) {
                    ("custom", Some(Object(custom))) => {
                        let point = tool.cache_control.as_deref().map(cache_point);
                        let tool = custom_tool(custom, names, strings);
                        customs.add(&strings.text(tool.name));
                        Cached { item: tool, point }
                    }
                    ("custom", None) => return Err(at.missing("custom")),
                    _ => translate_tool(&tool, names, strings, at)?,
                };
                let is_allowed = |allowed: &Allowed| allowed.has(tool.item.name, &request.strings);
                if allowed.as_ref().is_none_or(is_allowed) {
                    grow(&mut request.tools);
                    request.tools.push(tool);
                }
                Ok(())
            },
        )?;
    }
    if request.tools.is_empty() {
        return match choice {
            Some(ToolChoice::Any | ToolChoice::Tool(_)) => Err(Refusal::parameter(
                "tool_choice",
                "asks for a tool, but \"tools\" has none",
            )),
            _ => Ok(()),
        };
    }
    if let Some(ToolChoice::Tool(name)) = &choice
        && !request.has_tool(name)
    {
        return Err(Refusal::parameter(
            "tool_choice",
            "names a tool that \"tools\" does not have",
        ));
    }
    request.tool_choice = choice;
    request.one_at_a_time = chat.parallel_tool_calls == Some(false);
    Ok(())
}

fn translate_tool<'a>(
    tool: &ClientTool<'a>,
    names: &mut Names,
    strings: &mut Strings<'a>,
    at: &Path<'_>,
) -> Result<Cached<Tool>, Refusal> {
    let function = match (tool.kind.0.as_ref(), &tool.function) {
        ("function", Some(function)) => function,
        ("function", None) => return Err(at.missing("function")),
        _ => {
            return Err(at
                .member("type")
                .refuse("must be \"function\" or \"custom\": Bedrock has no other tools"));
        }
    };
    let schema = function.parameters.map_or("{}", RawValue::get);
    let schema = match object::parse(schema) {
        Ok(object) if object.members.is_empty() => strings.constant_json(NO_PARAMETERS),
        Ok(_) => strings.given_json(schema),
        Err(_) => {
            let function = at.member("function");
            return Err(function.member("parameters").refuse("must be an object"));
        }
    };
    let point = tool
        .cache_control
        .as_deref()
        .or(function.cache_control.as_deref());
    let name = strings.given(function.name.0);
    // Bedrock refuses empty descriptions.
    let description = function.description.filter(|text| !text.0.is_empty());
    Ok(Cached {
        item: Tool {
            name: names.of_tool(name, strings),
            description: description.map(|Given(text)| strings.given(text)),
            schema,
            strict: function.strict.unwrap_or(false),
        },
        point: point.map(cache_point),
    })
}

/// A tool whose input is text.
fn custom_tool<'a>(custom: &Custom<'a>, names: &mut Names, strings: &mut Strings<'a>) -> Tool {
    let name = strings.given(custom.name.0);
    let grammar = custom
        .format
        .as_deref()
        .and_then(|format| format.grammar.as_deref());
    let description = custom.description.filter(|text| !text.0.is_empty());
    let description = match (grammar, description) {
        (None, description) => description.map(|Given(text)| strings.given(text)),
        (Some(grammar), description) => {
            let description = description.map(|Given(text)| text.decode());
            let grammar = (grammar.syntax.0.as_ref(), grammar.definition.0.as_ref());
            let text = described(description.as_deref().unwrap_or_default(), Some(grammar));
            Some(strings.add(&text))
        }
    };
    Tool {
        name: names.of_tool(name, strings),
        description,
        schema: strings.constant_json(SCHEMA),
        strict: false,
    }
}

/// The tools that may be called, in the order of their names.
struct Allowed(Vec<Str>);

impl Allowed {
    fn new(mut names: Vec<Str>, strings: &Strings<'_>) -> Self {
        names.sort_unstable_by(|one, other| strings.text(*one).cmp(&strings.text(*other)));
        Self(names)
    }

    fn has(&self, name: Str, strings: &Strings<'_>) -> bool {
        let name = strings.text(name);
        let found = self
            .0
            .binary_search_by(|known| strings.text(*known).cmp(&name));
        found.is_ok()
    }
}

fn choice<'a>(
    chat: &ChatRequest<'a>,
    strings: &mut Strings<'a>,
) -> Result<(Option<ToolChoice<'a>>, Option<Allowed>), Refusal> {
    let at = Path::Body;
    let at = at.member("tool_choice");
    match chat.tool_choice {
        None => Ok((None, None)),
        Some(OneOf::Short(Given(word))) => match word.decode().as_ref() {
            "none" => Ok((Some(ToolChoice::None), None)),
            word => mode(word, &at).map(|choice| (Some(choice), None)),
        },
        Some(OneOf::Long(choice)) => long_choice(choice.object(&at)?, strings, &at),
    }
}

fn long_choice<'a>(
    choice: ClientChoice<'a>,
    strings: &mut Strings<'a>,
    at: &Path<'_>,
) -> Result<(Option<ToolChoice<'a>>, Option<Allowed>), Refusal> {
    let named = match choice.kind.0.as_ref() {
        "custom" => choice.custom,
        _ => choice.function,
    };
    match (
        choice.kind.0.as_ref(),
        named,
        choice.allowed_tools.as_deref(),
    ) {
        ("function" | "custom", Some(Object(named)), _) => {
            let name = name_for_bedrock(named.name.0.decode());
            Ok((Some(ToolChoice::Tool(name)), None))
        }
        ("allowed_tools", _, Some(AllowedTools { mode: word, tools })) => {
            let at = at.member("allowed_tools");
            let choice = mode(&word.0, &at.member("mode"))?;
            let mut allowed = Vec::new();
            tools.each(
                &at.member("tools"),
                |Object(tool): Object<AllowedTool<'_>>, _| {
                    if let Some(Object(named)) = tool.function.or(tool.custom) {
                        let name = strings.given(named.name.0);
                        grow(&mut allowed);
                        allowed.push(name_in_request(name, strings));
                    }
                    Ok(())
                },
            )?;
            Ok((Some(choice), Some(Allowed::new(allowed, strings))))
        }
        ("function", None, _) => Err(at.missing("function")),
        ("custom", None, _) => Err(at.missing("custom")),
        ("allowed_tools", _, None) => Err(at.missing("allowed_tools")),
        _ => Err(at
            .member("type")
            .refuse("must be \"function\", \"custom\" or \"allowed_tools\"")),
    }
}

fn mode(word: &str, at: &Path<'_>) -> Result<ToolChoice<'static>, Refusal> {
    match word {
        "auto" => Ok(ToolChoice::Auto),
        "required" => Ok(ToolChoice::Any),
        _ => Err(at.refuse("must be \"none\", \"auto\", \"required\" or a tool")),
    }
}

/// The schema of a tool without parameters, which Converse wants to see.
const NO_PARAMETERS: &str = r#"{"type":"object","properties":{}}"#;
