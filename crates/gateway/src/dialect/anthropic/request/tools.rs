//! Tools, and which of them the model may or must call.

use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::message::{MessagesRequest, Tool as ClientTool};
use super::messages::cache_point;
use super::wants::{SEARCHES, is_tool_search, server_tool};
use crate::bedrock::converse::names::{Names, name_for_bedrock};
use crate::bedrock::converse::runs::grow;
use crate::bedrock::converse::strings::Strings;
use crate::bedrock::converse::{Cached, ConverseRequest, Tool, ToolChoice, WebSearch};
use crate::dialect::forms::{Elements, Given};
use crate::dialect::parameter::{self, Path};
use crate::family::Changes;
use crate::json::object;
use crate::json::strict::Object;
use crate::json::text::{Literal, Text};
use crate::refusal::Refusal;

/// Puts the tools into the request.
///
/// # Errors
/// 400: a tool, or the choice, is none that Converse knows.
pub fn translate<'a>(
    asked: &MessagesRequest<'a>,
    names: &mut Names,
    request: &mut ConverseRequest<'a>,
    changes: &mut Changes,
) -> Result<(), Refusal> {
    let mut searches = None;
    if let Some(tools) = asked.tools {
        let body = Path::Body;
        let at = body.member("tools");
        let mut own = false;
        tools.each(&at, |Object(tool): Object<ClientTool<'_>>, at| {
            match kind(&tool) {
                "custom" => {}
                // Without it all tools are there from the beginning.
                kind if is_tool_search(kind) => {
                    changes.leave_out("tools[].tool_search_tool");
                    return Ok(());
                }
                kind if let Some(name) = server_tool(kind) => {
                    match name == SEARCHES {
                        true => {
                            search(&tool, request);
                            searches = Some(tool.name.0);
                        }
                        false => changes.leave_out(name),
                    }
                    return Ok(());
                }
                kind if OWN_TOOLS.iter().any(|own| kind.starts_with(own)) => {
                    own = true;
                    return Ok(());
                }
                _ => {
                    return Err(at.member("type").refuse(
                        "must be \"custom\", or a computer, bash or text editor of Anthropic's: Converse has no other tools",
                    ));
                }
            }
            let tool = translate_tool(&tool, names, &mut request.strings, at)?;
            grow(&mut request.tools);
            request.tools.push(tool);
            Ok(())
        })?;
        if own {
            add_own(tools, &at, request)?;
        }
    }
    let Some(choice) = &asked.tool_choice else {
        return Ok(());
    };
    let wanted = match (choice.kind.0.as_ref(), &choice.name) {
        ("auto", _) => ToolChoice::Auto,
        ("any", _) => ToolChoice::Any,
        ("none", _) => ToolChoice::None,
        ("tool", Some(Text(name))) => ToolChoice::Tool(name_for_bedrock(name.clone())),
        ("tool", None) => return Err(Refusal::parameter("tool_choice.name", "is missing")),
        _ => {
            return Err(Refusal::parameter(
                "tool_choice.type",
                "must be \"auto\", \"any\", \"tool\" or \"none\"",
            ));
        }
    };
    let others = !request.tools.is_empty() || !request.anthropic_tools.is_empty();
    match &wanted {
        ToolChoice::None => request.web_search = None,
        ToolChoice::Any if !others && request.must_search("tool_choice") => return Ok(()),
        ToolChoice::Tool(name)
            if searches.is_some_and(|known: Literal<'_>| known.decode() == *name)
                && request.must_search("tool_choice") =>
        {
            return Ok(());
        }
        _ => {}
    }
    if !others {
        return match wanted {
            ToolChoice::Auto | ToolChoice::None => Ok(()),
            _ => Err(Refusal::parameter(
                "tool_choice",
                "asks for a tool, but \"tools\" has none",
            )),
        };
    }
    if let ToolChoice::Tool(name) = &wanted
        && request.anthropic_tools.is_empty()
        && !request.has_tool(name)
    {
        return Err(Refusal::parameter(
            "tool_choice.name",
            "names a tool that \"tools\" does not have",
        ));
    }
    request.tool_choice = Some(wanted);
    request.one_at_a_time = choice.disable_parallel_tool_use == Some(true);
    Ok(())
}

/// A search of the web. It may be told which sites to keep to, and which to pass over.
fn search(tool: &ClientTool<'_>, request: &mut ConverseRequest<'_>) {
    let says = |domains: Option<&RawValue>| {
        let list = domains.map(|domains| serde_json::from_str::<Vec<IgnoredAny>>(domains.get()));
        list.is_some_and(|list| list.map_or(true, |list| !list.is_empty()))
    };
    request.web_search = Some(WebSearch {
        name: SEARCHES,
        must: None,
        narrowed: says(tool.allowed_domains) || says(tool.blocked_domains),
    });
}

fn kind<'t>(tool: &'t ClientTool<'_>) -> &'t str {
    tool.kind
        .as_ref()
        .map_or("custom", |Text(kind)| kind.as_ref())
}

/// Adds the tools of Anthropic's own, as they stand.
fn add_own<'a>(
    tools: Elements<'a>,
    at: &Path<'_>,
    request: &mut ConverseRequest<'a>,
) -> Result<(), Refusal> {
    tools.each(at, |raw: &'a RawValue, at| {
        let Object(tool): Object<ClientTool<'_>> = parameter::parse_at(raw.get(), at)?;
        if OWN_TOOLS.iter().any(|own| kind(&tool).starts_with(own)) {
            grow(&mut request.anthropic_tools);
            request.anthropic_tools.push(raw.get());
        }
        Ok(())
    })
}

/// What Claude knows by itself, and takes through Converse.
const OWN_TOOLS: [&str; 3] = ["computer_", "bash_", "text_editor_"];

fn translate_tool<'a>(
    tool: &ClientTool<'a>,
    names: &mut Names,
    strings: &mut Strings<'a>,
    at: &Path<'_>,
) -> Result<Cached<Tool>, Refusal> {
    let schema = tool.input_schema.map(RawValue::get);
    let schema = schema.ok_or_else(|| at.missing("input_schema"))?;
    let schema = match object::parse(schema) {
        Ok(object) if object.members.is_empty() => strings.constant_json(NO_PARAMETERS),
        Ok(_) => strings.given_json(schema),
        Err(_) => return Err(at.member("input_schema").refuse("must be an object")),
    };
    let name = strings.given(tool.name.0);
    // Bedrock refuses an empty description.
    let description = tool.description.filter(|text| !text.0.is_empty());
    Ok(Cached {
        item: Tool {
            name: names.of_tool(name, strings),
            description: description.map(|Given(text)| strings.given(text)),
            schema,
            strict: tool.strict.unwrap_or(false),
        },
        point: tool.cache_control.as_deref().map(cache_point),
    })
}

/// The schema of a tool without parameters, which Converse wants to see.
const NO_PARAMETERS: &str = r#"{"type":"object","properties":{}}"#;
