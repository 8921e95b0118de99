//! Tools that are offered, and which of them the model may or must call.

use serde_json::value::RawValue;

use crate::bedrock::converse::names::Names;
use crate::bedrock::converse::strings::{Str, Strings};
use crate::bedrock::converse::{ConverseRequest, Tool, ToolChoice};
use crate::dialect::custom::{SCHEMA, described};
use crate::dialect::forms::Given;
use crate::dialect::parameter::Path;
use crate::json::object;
use crate::refusal::Refusal;

/// What a client says of a function.
#[derive(Clone, Copy, Debug)]
pub struct Function<'a> {
    /// Its name.
    pub name: Str,
    /// What it is for.
    pub description: Option<Given<'a>>,
    /// JSON schema of its arguments.
    pub parameters: Option<&'a RawValue>,
    /// Whether these must keep to it.
    pub strict: bool,
}

/// A function as Bedrock's tool; `at` is where its parameters stand.
///
/// # Errors
/// 400: these are no object.
pub fn function<'a>(
    function: Function<'a>,
    names: &mut Names,
    strings: &mut Strings<'a>,
    at: &Path<'_>,
) -> Result<Tool, Refusal> {
    let schema = function.parameters.map_or("{}", RawValue::get);
    let schema = match object::parse(schema) {
        Ok(object) if object.members.is_empty() => strings.constant_json(NO_PARAMETERS),
        Ok(_) => strings.given_json(schema),
        Err(_) => return Err(at.refuse("must be an object")),
    };
    // Bedrock refuses empty descriptions.
    let description = function.description.filter(|text| !text.0.is_empty());
    Ok(Tool {
        name: names.of_tool(function.name, strings),
        description: description.map(|Given(text)| strings.given(text)),
        schema,
        strict: function.strict,
    })
}

/// A tool whose input is text, which may have to keep to a grammar: its syntax and definition.
pub fn custom(
    name: Str,
    description: Option<Given<'_>>,
    grammar: Option<(&str, &str)>,
    names: &mut Names,
    strings: &mut Strings<'_>,
) -> Tool {
    let description = description.filter(|text| !text.0.is_empty());
    let description = match (grammar, description) {
        (None, description) => description.map(|Given(text)| strings.given(text)),
        (Some(grammar), description) => {
            let description = description.map(|Given(text)| text.decode());
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

/// What a client says of the choice among its tools.
#[derive(Debug, Default)]
pub struct Choice<'a> {
    /// What must be called.
    pub choice: Option<ToolChoice<'a>>,
    /// What may be called; all where nothing is said.
    pub allowed: Option<Allowed>,
    /// Whether one tool is to be called at a time.
    pub one_at_a_time: bool,
}

impl<'a> Choice<'a> {
    /// Puts it into a request that has its tools.
    ///
    /// # Errors
    /// 400: it asks for a tool that there is not.
    pub fn put_into(self, request: &mut ConverseRequest<'a>) -> Result<(), Refusal> {
        let declined = self.choice == Some(ToolChoice::None);
        let allows = |allowed: &Allowed| allowed.search;
        if declined || !self.allowed.as_ref().is_none_or(allows) {
            // What must be searched is asked for elsewhere.
            request.web_search.take_if(|search| search.must.is_none());
        }
        if let Some(allowed) = self.allowed {
            let strings = &request.strings;
            request
                .tools
                .retain(|tool| allowed.has(tool.item.name, strings));
        }
        if request.tools.is_empty() {
            return match self.choice {
                Some(ToolChoice::Any) if request.must_search("tool_choice") => Ok(()),
                Some(ToolChoice::Any | ToolChoice::Tool(_)) => Err(Refusal::parameter(
                    "tool_choice",
                    "asks for a tool, but \"tools\" has none",
                )),
                _ => Ok(()),
            };
        }
        if let Some(ToolChoice::Tool(name)) = &self.choice
            && !request.has_tool(name)
        {
            return Err(Refusal::parameter(
                "tool_choice",
                "names a tool that \"tools\" does not have",
            ));
        }
        request.tool_choice = self.choice;
        request.one_at_a_time = self.one_at_a_time;
        Ok(())
    }
}

/// The tools that may be called.
#[derive(Debug)]
pub struct Allowed {
    /// In the order of their names.
    names: Vec<Str>,
    /// Whether the web may be searched.
    search: bool,
}

impl Allowed {
    /// Those with these names, as Bedrock has them.
    pub fn new(mut names: Vec<Str>, strings: &Strings<'_>) -> Self {
        names.sort_unstable_by(|one, other| strings.text(*one).cmp(&strings.text(*other)));
        Self {
            names,
            search: false,
        }
    }

    /// The same, and the web if that may be searched.
    #[must_use]
    pub fn and_search(self, search: bool) -> Self {
        Self { search, ..self }
    }

    fn has(&self, name: Str, strings: &Strings<'_>) -> bool {
        let name = strings.text(name);
        let found = self
            .names
            .binary_search_by(|known| strings.text(*known).cmp(&name));
        found.is_ok()
    }
}

/// A choice that is a word; `at` is where it stands.
///
/// # Errors
/// 400: it is another word.
pub fn word(word: &str, at: &Path<'_>) -> Result<ToolChoice<'static>, Refusal> {
    match word {
        "none" => Ok(ToolChoice::None),
        word => mode(word, at),
    }
}

/// How one is to be chosen among those that are allowed.
///
/// # Errors
/// 400: it is another word.
pub fn mode(word: &str, at: &Path<'_>) -> Result<ToolChoice<'static>, Refusal> {
    match word {
        "auto" => Ok(ToolChoice::Auto),
        "required" => Ok(ToolChoice::Any),
        _ => Err(at.refuse("must be \"none\", \"auto\", \"required\" or a tool")),
    }
}

/// The schema of a tool without parameters, which Converse wants to see.
const NO_PARAMETERS: &str = r#"{"type":"object","properties":{}}"#;
