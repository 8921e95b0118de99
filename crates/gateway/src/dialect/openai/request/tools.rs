//! Tools, and which of them the model may or must call.

use super::chat::{
    AllowedTool, AllowedTools, ChatRequest, Custom, Function, Tool as ClientTool,
    ToolChoice as ClientChoice,
};
use super::messages::cache_point;
use crate::bedrock::converse::names::{Names, name_for_bedrock, name_in_request};
use crate::bedrock::converse::runs::grow;
use crate::bedrock::converse::strings::Strings;
use crate::bedrock::converse::{Cached, ConverseRequest, Tool, ToolChoice};
use crate::dialect::custom::Customs;
use crate::dialect::forms::{Given, OneOf};
use crate::dialect::parameter::Path;
use crate::dialect::requests::tools::{self, Allowed, Choice, mode, word};
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
    let choice = Choice {
        one_at_a_time: chat.parallel_tool_calls == Some(false),
        ..choice(chat, &mut request.strings)?
    };
    if let Some(list) = chat.tools {
        let at = Path::Body;
        list.each(
            &at.member("tools"),
            |Object(tool): Object<ClientTool<'_>>, at| {
                let strings = &mut request.strings;
                let (item, marked) = match (tool.kind.0.as_ref(), &tool.custom, &tool.function) {
                    ("custom", Some(Object(custom)), _) => {
                        let tool = custom_tool(custom, names, strings);
                        customs.add(&strings.text(tool.name));
                        (tool, None)
                    }
                    ("custom", None, _) => return Err(at.missing("custom")),
                    ("function", _, Some(Object(function))) => (
                        function_tool(function, names, strings, at)?,
                        function.cache_control.as_deref(),
                    ),
                    ("function", _, None) => return Err(at.missing("function")),
                    _ => {
                        return Err(at.member("type").refuse(
                            "must be \"function\" or \"custom\": Bedrock has no other tools",
                        ));
                    }
                };
                let point = tool.cache_control.as_deref().or(marked).map(cache_point);
                grow(&mut request.tools);
                request.tools.push(Cached { item, point });
                Ok(())
            },
        )?;
    }
    choice.put_into(request)
}

fn function_tool<'a>(
    function: &Function<'a>,
    names: &mut Names,
    strings: &mut Strings<'a>,
    at: &Path<'_>,
) -> Result<Tool, Refusal> {
    let said = tools::Function {
        name: strings.given(function.name.0),
        description: function.description,
        parameters: function.parameters,
        strict: function.strict.unwrap_or(false),
    };
    let at = at.member("function");
    tools::function(said, names, strings, &at.member("parameters"))
}

fn custom_tool<'a>(custom: &Custom<'a>, names: &mut Names, strings: &mut Strings<'a>) -> Tool {
    let name = strings.given(custom.name.0);
    let grammar = custom
        .format
        .as_deref()
        .and_then(|format| format.grammar.as_deref())
        .map(|grammar| (grammar.syntax.0.as_ref(), grammar.definition.0.as_ref()));
    tools::custom(name, custom.description, grammar, names, strings)
}

fn choice<'a>(chat: &ChatRequest<'a>, strings: &mut Strings<'a>) -> Result<Choice<'a>, Refusal> {
    let at = Path::Body;
    let at = at.member("tool_choice");
    let (choice, allowed) = match chat.tool_choice {
        None => (None, None),
        Some(OneOf::Short(Given(text))) => (Some(word(&text.decode(), &at)?), None),
        Some(OneOf::Long(choice)) => long_choice(choice.object(&at)?, strings, &at)?,
    };
    Ok(Choice {
        choice,
        allowed,
        ..Choice::default()
    })
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
