//! Tools, and which of them the model may or must call.

use serde_json::value::RawValue;

use super::super::tools::{Offer, Place, SEARCH, full_name};
use super::asked::{AllowedTool, Tool, ToolChoice as ClientChoice};
use crate::bedrock::converse::names::{name_for_bedrock, name_in_request};
use crate::bedrock::converse::runs::grow;
use crate::bedrock::converse::strings::{Str, Strings};
use crate::bedrock::converse::{Cached, ConverseRequest, ToolChoice, WebSearch};
use crate::dialect::forms::{Elements, Given, OneOf};
use crate::dialect::parameter::Path;
use crate::dialect::requests::tools::{self, Allowed, Choice, mode, word};
use crate::family::Changes;
use crate::json::object;
use crate::json::strict::Object;
use crate::refusal::Refusal;

/// Where a list of tools is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum From {
    /// The request's own: each of its tools is another one.
    Request,
    /// The conversation, in which a tool may have been found twice.
    Conversation,
}

/// What tools are put into.
pub struct Into<'i, 'a> {
    /// The request.
    pub request: &'i mut ConverseRequest<'a>,
    /// Their names.
    pub offer: &'i mut Offer,
    /// What is left out.
    pub changes: &'i mut Changes,
}

/// Puts tools into the request.
///
/// # Errors
/// 400: one is none that Converse knows, or has another one's name.
pub fn add<'a>(
    list: Elements<'a>,
    from: From,
    into: &mut Into<'_, 'a>,
    at: &Path<'_>,
) -> Result<(), Refusal> {
    list.each(at, |Object(tool): Object<Tool<'a>>, at| {
        add_tool(&tool, None, from, into, at)
    })
}

fn add_tool<'a>(
    tool: &Tool<'a>,
    namespace: Option<Str>,
    from: From,
    into: &mut Into<'_, 'a>,
    at: &Path<'_>,
) -> Result<(), Refusal> {
    let strings = &mut into.request.strings;
    match tool.kind.0.as_ref() {
        "function" | "custom" => {
            let Given(name) = tool.name.ok_or_else(|| at.missing("name"))?;
            let name = strings.given(name);
            let name = full_name(namespace, name, strings);
            put(tool, (namespace, name), from, into, at)
        }
        "namespace" if namespace.is_none() => {
            let Given(name) = tool.name.ok_or_else(|| at.missing("name"))?;
            let name = strings.given(name);
            let tools = tool.tools.ok_or_else(|| at.missing("tools"))?;
            let at = at.member("tools");
            tools.each(&at, |Object(tool): Object<Tool<'a>>, at| {
                add_tool(&tool, Some(name), from, into, at)
            })
        }
        "tool_search"
            if tool
                .execution
                .as_ref()
                .is_some_and(|word| word.0 == "client") =>
        {
            let name = strings.constant(SEARCH);
            into.offer.tools.searches = true;
            put(tool, (None, name), from, into, at)
        }
        kind => match hosted(kind) {
            Some(SEARCHES) => {
                search(tool, into.request);
                Ok(())
            }
            Some(name) => {
                into.changes.leave_out(name);
                Ok(())
            }
            None => Err(no_such_tool(kind, at)),
        },
    }
}

/// A search of the web. It may be told which sites to keep to, and to look at none anew.
fn search(tool: &Tool<'_>, request: &mut ConverseRequest<'_>) {
    let filters = tool.filters.map_or("{}", RawValue::get);
    let filtered = object::parse(filters).map_or(true, |filters| !filters.members.is_empty());
    let search = request.web_search.get_or_insert(WebSearch {
        name: SEARCHES,
        must: None,
        narrowed: false,
    });
    search.narrowed |= filtered || tool.external_web_access == Some(false);
}

fn put<'a>(
    tool: &Tool<'a>,
    (namespace, name): (Option<Str>, Str),
    from: From,
    into: &mut Into<'_, 'a>,
    at: &Path<'_>,
) -> Result<(), Refusal> {
    let (strings, offer) = (&mut into.request.strings, &mut *into.offer);
    match (offer.take(namespace, name, strings), from) {
        (Place::Free, _) => {}
        (Place::Again, From::Conversation) => return Ok(()),
        (Place::Again | Place::Taken, _) => {
            return Err(at.member("name").refuse(
                "is another tool's, too: names must differ, also from \"namespace__name\"",
            ));
        }
    }
    let names = &mut offer.tools.names;
    let item = if tool.kind.0 == "custom" {
        let format = tool.format.as_deref();
        let grammar = format.and_then(|format| {
            Some((
                format.syntax.as_ref()?.0.as_ref(),
                format.definition.as_ref()?.0.as_ref(),
            ))
        });
        let item = tools::custom(name, tool.description, grammar, names, strings);
        offer.tools.customs.add(&strings.text(item.name));
        item
    } else {
        let function = tools::Function {
            name,
            description: tool.description,
            parameters: tool.parameters,
            strict: tool.strict.unwrap_or(false),
        };
        tools::function(function, names, strings, &at.member("parameters"))?
    };
    grow(&mut into.request.tools);
    into.request.tools.push(Cached::plain(item));
    Ok(())
}

/// Tools that OpenAI runs itself. Of them Bedrock has but the search of the web, for some models: a client that lets the model
/// choose does without.
fn hosted(kind: &str) -> Option<&'static str> {
    let known = HOSTED
        .iter()
        .find(|(prefix, _)| kind.starts_with(prefix))
        .map(|(_, name)| *name);
    known.filter(|_| !kind.ends_with("_call"))
}

const SEARCHES: &str = "tools.web_search";
const HOSTED: [(&str, &str); 7] = [
    ("web_search", SEARCHES),
    ("file_search", "tools.file_search"),
    ("code_interpreter", "tools.code_interpreter"),
    ("image_generation", "tools.image_generation"),
    ("computer", "tools.computer"),
    ("mcp", "tools.mcp"),
    ("tool_search", "tools.tool_search"),
];

fn no_such_tool(kind: &str, at: &Path<'_>) -> Refusal {
    let at = at.member("type");
    match kind {
        "local_shell" | "shell" | "apply_patch" => at.refuse(&format!(
            "must not be \"{kind}\": Bedrock's models do not know this tool, so offer it as a function or as a custom tool"
        )),
        _ => at.refuse(
            "must be \"function\", \"custom\", \"namespace\" or \"tool_search\": Bedrock has no other tools",
        ),
    }
}

/// Puts what must or may be called into the request, which has all of its tools by now.
///
/// # Errors
/// 400: the choice is none that Converse knows, or asks for what there is not.
pub fn choose<'a>(
    given: Option<OneOf<'a>>,
    one_at_a_time: bool,
    request: &mut ConverseRequest<'a>,
) -> Result<(), Refusal> {
    let at = Path::Body;
    let at = at.member("tool_choice");
    let (choice, allowed) = match given {
        None => (None, None),
        Some(OneOf::Short(Given(text))) => (Some(word(&text.decode(), &at)?), None),
        Some(OneOf::Long(choice)) => long_choice(choice.object(&at)?, request, &at)?,
    };
    let choice = Choice {
        choice,
        allowed,
        one_at_a_time,
    };
    choice.put_into(request)
}

fn long_choice<'a>(
    choice: ClientChoice<'a>,
    request: &mut ConverseRequest<'a>,
    at: &Path<'_>,
) -> Result<(Option<ToolChoice<'a>>, Option<Allowed>), Refusal> {
    let strings = &mut request.strings;
    match choice.kind.0.as_ref() {
        "function" | "custom" => {
            let name = choice.name.ok_or_else(|| at.missing("name"))?;
            let name = named(choice.namespace, name, strings);
            let name = name_for_bedrock(strings.text(name)).into_owned();
            Ok((Some(ToolChoice::Tool(name.into())), None))
        }
        SEARCH => Ok((Some(ToolChoice::Tool(SEARCH.into())), None)),
        "allowed_tools" => {
            let tools = choice.tools.ok_or_else(|| at.missing("tools"))?;
            let how = choice.mode.ok_or_else(|| at.missing("mode"))?;
            let how = mode(&how.0, &at.member("mode"))?;
            let (mut allowed, mut searches) = (Vec::new(), false);
            tools.each(&at.member("tools"), |Object(tool): Object<AllowedTool<'_>>, _| {
                let name = match (tool.kind.as_ref().map(|kind| kind.0.as_ref()), tool.name) {
                    (Some(SEARCH), _) => strings.constant(SEARCH),
                    (_, Some(name)) => named(tool.namespace, name, strings),
                    // One that OpenAI runs itself.
                    (kind, None) => {
                        searches |= kind.and_then(hosted) == Some(SEARCHES);
                        return Ok(());
                    }
                };
                grow(&mut allowed);
                allowed.push(name_in_request(name, strings));
                Ok(())
            })?;
            let allowed = Allowed::new(allowed, strings).and_search(searches);
            Ok((Some(how), Some(allowed)))
        }
        kind if hosted(kind) == Some(SEARCHES) => match request.must_search("tool_choice") {
            true => Ok((None, None)),
            false => Err(at.refuse("asks for a web search, but \"tools\" has none")),
        },
        kind if hosted(kind).is_some() => Err(at.refuse(
            "asks for a tool that OpenAI runs itself, and Bedrock has none of these: let the model choose, or offer a function",
        )),
        kind => Err(no_such_tool(kind, at)),
    }
}

fn named(namespace: Option<Given<'_>>, name: Given<'_>, strings: &mut Strings<'_>) -> Str {
    let namespace = namespace.map(|Given(namespace)| strings.given(namespace));
    let name = strings.given(name.0);
    full_name(namespace, name, strings)
}
