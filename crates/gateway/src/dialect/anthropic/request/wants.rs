//! What a request wants of Bedrock beside what its beta flags say: its tools show it.

use crate::family::betas::of_tool;
use crate::json::cursor::{Cursor, Wrong};
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
    /// There are safeguards.
    pub safeguards: bool,
}

impl Wants {
    /// Of a request with these `tools`.
    ///
    /// # Errors
    /// 400: one of them is a tool that Anthropic itself would run.
    pub fn of(tools: Option<&str>) -> Result<Self, Refusal> {
        let mut wants = Self::default();
        let mut server_tool = None;
        if let Some(tools) = tools {
            // What is no list of tools is Bedrock's to refuse.
            let _ = wants.read(tools, &mut server_tool);
        }
        match server_tool {
            None => Ok(wants),
            Some(index) => Err(Refusal::parameter(
                format!("tools[{index}].type"),
                "must not be a tool that Anthropic runs itself: Bedrock does not have them",
            )),
        }
    }

    fn read(&mut self, tools: &str, server_tool: &mut Option<usize>) -> Result<(), Wrong> {
        let mut cursor = Cursor::new(tools);
        if !cursor.enter_list()? {
            return Ok(());
        }
        let mut index = 0;
        while cursor.element()? {
            if cursor.enter()? {
                while let Some(name) = cursor.member()? {
                    match name.as_ref() {
                        "type" => {
                            let kind = Literal::of_value(cursor.value()?).unwrap_or_default();
                            if is_server_tool(&kind) {
                                server_tool.get_or_insert(index);
                            }
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
            }
            index += 1;
        }
        Ok(())
    }
}

/// Whether Anthropic itself would run a tool of this type.
pub fn is_server_tool(kind: &str) -> bool {
    SERVER_TOOLS.iter().any(|server| kind.starts_with(server))
}

/// Whether a tool of this type looks for others.
pub fn is_tool_search(kind: &str) -> bool {
    kind.starts_with("tool_search_tool_")
}

const SERVER_TOOLS: [&str; 5] = [
    "web_search_",
    "web_fetch_",
    "code_execution_",
    "advisor_",
    "mcp_toolset",
];
