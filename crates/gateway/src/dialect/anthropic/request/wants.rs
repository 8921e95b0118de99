//! What a request wants of Bedrock beside what its beta flags say: its tools show it.

use std::borrow::Cow;

use crate::family::betas::of_tool;
use crate::json::cursor::{Cursor, Wrong, member_of};
use crate::json::text::Literal;
use crate::refusal::Refusal;

/// What a request wants.
#[derive(Debug, Default)]
pub struct Wants {
    /// The flags without which tools of Anthropic's own are refused, each with the place of the first tool that needs it.
    pub flags: Vec<(&'static str, usize)>,
    /// A tool's input is to come as it is written.
    pub eager: bool,
    /// Tools are looked for by a tool of Anthropic's own.
    pub tool_search: bool,
    /// A tool has examples of its input.
    pub examples: bool,
    /// There are tools that the model can be given.
    pub tools: bool,
    /// There are tools, and Anthropic itself would run all of them.
    pub only_servers: bool,
    /// There are safeguards.
    pub safeguards: bool,
}

impl Wants {
    /// Of a request with these `tools`, and this `tool_choice`.
    ///
    /// # Errors
    /// 400: the model must call a tool that Anthropic itself would run. Where it may call others, or none, it does without.
    pub fn of(tools: Option<&str>, choice: Option<&str>) -> Result<Self, Refusal> {
        let mut wants = Self::default();
        let mut servers = Servers::default();
        if let Some(tools) = tools {
            // What is no list of tools is Bedrock's to refuse.
            let _ = wants.read(tools, &mut servers);
        }
        wants.tools = servers.others;
        wants.only_servers = servers.first.is_some() && !servers.others;
        let string = |name| choice.and_then(|choice| Literal::of_value(member_of(choice, name)?));
        let must = match string("type").as_deref() {
            Some("any") if !servers.others => servers.first,
            Some("tool") => {
                let name = string("name").unwrap_or_default();
                let mut named = servers.named.iter();
                named
                    .find(|(known, _)| *known == name)
                    .map(|(_, place)| *place)
            }
            _ => None,
        };
        match must {
            None => Ok(wants),
            Some(index) => Err(Refusal::parameter(
                format!("tools[{index}].type"),
                "must not be a tool that Anthropic runs itself, where the model has to call it: Bedrock does not have them",
            )),
        }
    }

    fn read<'t>(&mut self, tools: &'t str, servers: &mut Servers<'t>) -> Result<(), Wrong> {
        let mut cursor = Cursor::new(tools);
        if !cursor.enter_list()? {
            return Ok(());
        }
        let mut index = 0;
        while cursor.element()? {
            let name = cursor.next_member("name").and_then(Literal::of_value);
            if cursor.enter()? {
                let mut is_server = false;
                while let Some(name) = cursor.member()? {
                    match name.as_ref() {
                        "type" => {
                            let kind = Literal::of_value(cursor.value()?).unwrap_or_default();
                            is_server = server_tool(&kind).is_some();
                            self.tool_search |= is_tool_search(&kind);
                            let new =
                                |flag: &&str| !self.flags.iter().any(|(known, _)| known == flag);
                            if let Some(flag) = of_tool(&kind).filter(new) {
                                self.flags.push((flag, index));
                            }
                        }
                        "eager_input_streaming" => self.eager |= cursor.value()? == "true",
                        "input_examples" => {
                            cursor.skip()?;
                            self.examples = true;
                        }
                        _ => cursor.skip()?,
                    }
                }
                match is_server {
                    true => servers.add(name, index),
                    false => servers.others = true,
                }
            }
            index += 1;
        }
        Ok(())
    }
}

/// Tools that Anthropic itself would run.
#[derive(Default)]
struct Servers<'t> {
    /// The place of the first.
    first: Option<usize>,
    /// Their names and places.
    named: Vec<(Cow<'t, str>, usize)>,
    /// Whether there are others.
    others: bool,
}

impl<'t> Servers<'t> {
    fn add(&mut self, name: Option<Cow<'t, str>>, place: usize) {
        self.first.get_or_insert(place);
        if self.named.len() < MOST {
            self.named.push((name.unwrap_or_default(), place));
        }
    }
}

/// More of them than there are.
const MOST: usize = 64;

/// How the log names a tool of this type, if Anthropic itself would run it.
pub fn server_tool(kind: &str) -> Option<&'static str> {
    let mut servers = SERVER_TOOLS.iter();
    servers
        .find(|(server, _)| kind.starts_with(server))
        .map(|(_, name)| *name)
}

/// Whether a tool of this type looks for others.
pub fn is_tool_search(kind: &str) -> bool {
    kind.starts_with("tool_search_tool_")
}

/// Whether a block of this type tells of a tool that Anthropic runs itself: in the messages of a conversation that it had part in.
pub fn is_left_by_server_tool(kind: &str) -> bool {
    ["server_tool_use", "mcp_tool_use", "container_upload"].contains(&kind)
        || (kind.ends_with("_tool_result") && kind != "tool_result")
}

/// How the log names such blocks.
pub const LEFT_BY_SERVER_TOOLS: &str = "what a tool of Anthropic's own left in the messages";

/// How the log names a search of the web.
pub const SEARCHES: &str = "tools[].web_search";
const SERVER_TOOLS: [(&str, &str); 5] = [
    ("web_search_", SEARCHES),
    ("web_fetch_", "tools[].web_fetch"),
    ("code_execution_", "tools[].code_execution"),
    ("advisor_", "tools[].advisor"),
    ("mcp_toolset", "tools[].mcp_toolset"),
];
