//! Tools, and which of them the model may or must call.

use super::changes::Changes;
use super::conversation::Calls;
use super::schema;
use crate::bedrock::converse::{Cached, ConverseRequest, Tool, ToolChoice};
use crate::family::Family;
use crate::family::facts::{Choice, Forced, Tools};
use crate::refusal::Refusal;

/// Fits the tools to those of the family; `calls` is what the conversation has of them.
///
/// # Errors
/// 400: the family has no tools, or none of this kind.
pub fn fit(
    request: &mut ConverseRequest<'_>,
    family: &Family,
    calls: &Calls,
    reasons: bool,
    changes: &mut Changes,
) -> Result<(), Refusal> {
    anthropics_own(request, family)?;
    let Some(tools) = family.tools else {
        return without(request, family);
    };
    if request.tool_choice == Some(ToolChoice::None)
        && !family.claude
        && calls.none()
        && !request.tools.is_empty()
    {
        request.tools.clear();
    }
    for tool in &mut request.tools {
        if tool
            .item
            .description
            .is_some_and(|text| request.strings.is_blank(text))
        {
            tool.item.description = None;
        }
        let json = request.strings.json(tool.item.schema);
        if let Some(fitted) = schema::of_input(&json, tools.schema) {
            tool.item.schema = request.strings.add_json(&fitted);
            changes.change("tools.parameters");
        }
    }
    strict(request, tools, family, changes);
    complete(request, calls, changes);
    choice(request, tools, family, reasons, changes);
    Ok(())
}

/// Tools that only Claude knows go in its own form.
fn anthropics_own(request: &mut ConverseRequest<'_>, family: &Family) -> Result<(), Refusal> {
    if request.anthropic_tools.is_empty() {
        return Ok(());
    }
    if !family.claude {
        return Err(Refusal::parameter(
            "tools",
            "must be of type \"custom\": other tools are Anthropic's own, and only its models know them",
        ));
    }
    let tools = request.anthropic_tools.join(",");
    request
        .native_fields
        .added
        .push(("tools", format!("[{tools}]").into()));
    Ok(())
}

/// For a family without tools.
fn without(request: &mut ConverseRequest<'_>, family: &Family) -> Result<(), Refusal> {
    if request.tool_choice != Some(ToolChoice::None) && !request.tools.is_empty() {
        return Err(Refusal::parameter(
            "tools",
            &format!(
                "cannot be used: models of the family {} have none",
                family.name
            ),
        ));
    }
    request.tools.clear();
    request.tool_choice = None;
    Ok(())
}

/// A tool is held to its schema only where the family does so, and can read the schema.
fn strict(request: &mut ConverseRequest<'_>, tools: Tools, family: &Family, changes: &mut Changes) {
    let mut held = Strict::new(tools, family);
    for tool in request.tools.iter_mut().filter(|tool| tool.item.strict) {
        let json = request.strings.json(tool.item.schema);
        match held.fit(&json) {
            Some(fitted) if fitted != json => {
                tool.item.schema = request.strings.add_json(&fitted);
            }
            Some(_) => {}
            None => {
                tool.item.strict = false;
                changes.leave_out("tools.strict");
            }
        }
    }
}

/// Tools that are to be held to their schemas.
#[derive(Clone, Copy, Debug)]
pub struct Strict {
    left: usize,
}

impl Strict {
    /// For a family with such tools.
    pub fn new(tools: Tools, family: &Family) -> Self {
        let left = match (tools.strict, family.claude) {
            (false, _) => 0,
            (true, true) => MOST_STRICT,
            (true, false) => usize::MAX,
        };
        Self { left }
    }

    /// The schema that the next one is held to; `None`: it cannot be.
    pub fn fit(&mut self, json: &str) -> Option<String> {
        let left = self.left.checked_sub(1)?;
        let fitted = schema::of_answer(json)?;
        self.left = left;
        Some(fitted)
    }
}

/// As many as Claude takes.
const MOST_STRICT: usize = 20;

/// Converse demands tools where the conversation has calls of them: without any, they are made from the names.
fn complete(request: &mut ConverseRequest<'_>, calls: &Calls, changes: &mut Changes) {
    if calls.none() || !request.tools.is_empty() {
        return;
    }
    let own: Vec<String> = request
        .anthropic_tools
        .iter()
        .filter_map(|json| name_of(json))
        .collect();
    let mut names = calls.names(request);
    names.retain(|name| !own.iter().any(|own| *own == request.strings.text(*name)));
    if names.is_empty() {
        names.push(request.strings.constant("unknown_tool"));
    }
    let schema = request.strings.constant_json(NO_PARAMETERS);
    for name in names {
        request.tools.push(Cached::plain(Tool {
            name,
            description: None,
            schema,
            strict: false,
        }));
    }
    // The client gave none, so it waits for no call.
    if request.anthropic_tools.is_empty() {
        request.tool_choice = Some(ToolChoice::None);
    }
    changes.complete("toolConfig");
}

fn name_of(json: &str) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Named {
        name: String,
    }
    serde_json::from_str(json).ok().map(|Named { name }| name)
}

/// What must be called, as far as the family can be told.
fn choice(
    request: &mut ConverseRequest<'_>,
    tools: Tools,
    family: &Family,
    reasons: bool,
    changes: &mut Changes,
) {
    if request.tools.is_empty() && request.anthropic_tools.is_empty() {
        // What Bedrock runs itself is the model's own choice.
        request.tool_choice = None;
        return;
    }
    let refused = match family.reasoning.forced_tool {
        Forced::Never => true,
        Forced::NotWhileReasoning => reasons,
        Forced::Called | Forced::Silences => false,
    };
    let limit = if refused { Choice::Auto } else { tools.choice };
    let fitted = match &request.tool_choice {
        Some(ToolChoice::Tool(_)) if limit == Choice::Any && request.tools.len() == 1 => {
            Some(ToolChoice::Any)
        }
        Some(ToolChoice::Tool(_)) if limit < Choice::Tool => None,
        Some(ToolChoice::Any) if limit < Choice::Any => None,
        _ => request.tool_choice.clone(),
    };
    if fitted.is_none() && request.tool_choice.is_some() {
        changes.leave_out("tool_choice");
    }
    request.tool_choice = fitted;
    if !family.claude {
        if request.one_at_a_time {
            changes.leave_out("parallel_tool_calls");
        }
        return;
    }
    // Claude's own form has words that Converse lacks; beside Converse's a type is refused, so that goes.
    let own = own_choice(request);
    let native = match (&request.tool_choice, request.one_at_a_time) {
        (Some(ToolChoice::None), _) => Some(r#"{"type":"none"}"#.to_owned()),
        (_, false) if own.is_some() => own,
        (_, true) if !tools.one_at_a_time => {
            changes.leave_out("parallel_tool_calls");
            None
        }
        (choice, true) => Some(one_at_a_time(choice.as_ref())),
        (_, false) => None,
    };
    if let Some(native) = native {
        request.tool_choice = None;
        request
            .native_fields
            .added
            .push(("tool_choice", native.into()));
    }
}

/// A choice that is among tools of Anthropic's own, of which Converse knows nothing.
fn own_choice(request: &ConverseRequest<'_>) -> Option<String> {
    let alone = request.tools.is_empty();
    match request.tool_choice.as_ref()? {
        ToolChoice::Any if alone => Some(r#"{"type":"any"}"#.to_owned()),
        ToolChoice::Tool(name) if !request.has_tool(name) => {
            let name = serde_json::Value::from(name.as_ref());
            Some(format!(r#"{{"type":"tool","name":{name}}}"#))
        }
        _ => None,
    }
}

fn one_at_a_time(choice: Option<&ToolChoice<'_>>) -> String {
    let choice = match choice {
        Some(ToolChoice::Any) => r#""type":"any""#.to_owned(),
        Some(ToolChoice::Tool(name)) => {
            let name = serde_json::Value::from(name.as_ref());
            format!(r#""type":"tool","name":{name}"#)
        }
        _ => r#""type":"auto""#.to_owned(),
    };
    format!("{{{choice},\"disable_parallel_tool_use\":true}}")
}

/// The schema of a tool of which only the name is known.
const NO_PARAMETERS: &str = r#"{"type":"object","properties":{}}"#;
