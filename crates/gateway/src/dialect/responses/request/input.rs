//! The conversation: OpenAI's list of items into Converse's turns. What is said, reasoned and called stands there side by
//! side; in Converse it is one turn until the other side speaks.

use super::super::encrypted;
use super::super::tools::{SEARCH, full_name};
use super::asked::{Item, Part};
use super::content;
use super::pairs::Pairs;
use super::tools::{self, From, Into};
use crate::bedrock::converse::media::make_document_names_unique;
use crate::bedrock::converse::strings::Str;
use crate::bedrock::converse::turns::Said;
use crate::bedrock::converse::{Block, Role};
use crate::dialect::forms::{Elements, Given, OneOf};
use crate::dialect::parameter::{self, Path};
use crate::dialect::requests::calls;
use crate::json::object;
use crate::json::strict::Object;
use crate::json::text::{Literal, Text};
use crate::refusal::Refusal;

/// Puts `instructions` and `input` into the request.
///
/// # Errors
/// 400 that names the item, and what in it Converse cannot take.
pub fn translate<'a>(
    instructions: Option<Given<'a>>,
    input: Option<OneOf<'a>>,
    into: &mut Into<'_, 'a>,
) -> Result<(), Refusal> {
    let at = Path::Body;
    let request = &mut *into.request;
    if let Some(Given(text)) = instructions {
        let mut said = request.begin_turn();
        let text = request.strings.given(text);
        request.push_text(&mut said, text);
        request.instruct(said);
    }
    let items = match input {
        None => return Err(at.missing("input")),
        Some(text @ OneOf::Short(_)) => {
            let mut said = request.begin_turn();
            content::add(Some(text), request, &mut said, &at.member("input"))?;
            request.say(Role::User, said.run);
            return Ok(());
        }
        Some(OneOf::Long(items)) => items.elements(&at.member("input"))?,
    };
    let mut conversation = Conversation {
        into,
        pairs: Pairs::default(),
        element: 0,
    };
    items.each(&at.member("input"), |Object(item): Object<Item<'a>>, at| {
        conversation.add(item, at)?;
        conversation.element += 1;
        Ok(())
    })?;
    let pairs = conversation.pairs;
    let request = &mut *into.request;
    pairs.settle(request)?;
    request.put_in_order();
    make_document_names_unique(request);
    Ok(())
}

struct Conversation<'c, 'i, 'a> {
    into: &'c mut Into<'i, 'a>,
    pairs: Pairs,
    /// Which item it is.
    element: usize,
}

impl<'a> Conversation<'_, '_, 'a> {
    fn add(&mut self, item: Item<'a>, at: &Path<'_>) -> Result<(), Refusal> {
        let is_clients = || {
            let execution = item.execution.as_ref();
            execution.is_none_or(|Text(word)| word == "client")
        };
        match item.kind.as_ref().map_or("message", |Text(kind)| kind) {
            "message" => self.message(item, at),
            "reasoning" => self.reasoning(item, at),
            "function_call" => {
                let (id, name) = self.call_of(&item, at)?;
                let arguments = string_in(item.arguments, &at.member("arguments"))?;
                let strings = &mut self.into.request.strings;
                let at = at.member("arguments");
                let call = calls::of_function((id, name), arguments, strings, &at)?;
                self.call(id, call);
                Ok(())
            }
            "custom_tool_call" => {
                let (id, name) = self.call_of(&item, at)?;
                let input = string_in(item.input, &at.member("input"))?;
                let Given(input) = input.ok_or_else(|| at.missing("input"))?;
                let call = calls::of_custom((id, name), input, &mut self.into.request.strings);
                self.call(id, call);
                Ok(())
            }
            "function_call_output" | "custom_tool_call_output" => {
                let Given(id) = item.call_id.ok_or_else(|| at.missing("call_id"))?;
                let mut given = self.into.request.begin_result();
                let at = at.member("output");
                content::add(item.output, self.into.request, &mut given, &at)?;
                self.gave(id, given);
                Ok(())
            }
            "tool_search_call" if is_clients() => self.search(&item, at),
            "tool_search_output" => {
                if let Some(found) = item.tools {
                    let at = at.member("tools");
                    tools::add(found, From::Conversation, self.into, &at)?;
                }
                if !is_clients() {
                    return Ok(());
                }
                let Given(id) = item.call_id.ok_or_else(|| at.missing("call_id"))?;
                let request = &mut *self.into.request;
                let mut given = request.begin_result();
                let found = request.strings.add(item.tools.map_or("[]", Elements::as_json));
                request.push_text(&mut given, found);
                self.gave(id, given);
                Ok(())
            }
            "additional_tools" => {
                let found = item.tools.ok_or_else(|| at.missing("tools"))?;
                let at = at.member("tools");
                tools::add(found, From::Conversation, self.into, &at)
            }
            "item_reference" => Err(at.member("type").refuse(
                "must not be \"item_reference\", because this gateway stores nothing: send the item itself",
            )),
            "compaction" | "compaction_summary" => Err(at.refuse(
                "is a compaction, which only the service that made it can read: send the conversation itself",
            )),
            kind @ ("local_shell_call" | "local_shell_call_output" | "shell_call" | "shell_call_output"
            | "apply_patch_call" | "apply_patch_call_output") => Err(at.member("type").refuse(&format!(
                "must not be \"{kind}\": Bedrock's models do not know this tool, so offer it as a function or as a custom tool"
            ))),
            kind => match HOSTED.iter().find(|(known, _)| *known == kind) {
                Some((_, name)) => {
                    self.into.changes.leave_out(*name);
                    Ok(())
                }
                None => Err(at.member("type").refuse(
                    "must be \"message\", \"reasoning\", \"function_call\", \"function_call_output\", \
                     \"custom_tool_call\" or \"custom_tool_call_output\"",
                )),
            },
        }
    }

    fn message(&mut self, item: Item<'a>, at: &Path<'_>) -> Result<(), Refusal> {
        let request = &mut *self.into.request;
        let mut said = request.begin_turn();
        let place = at.member("content");
        content::add(item.content, request, &mut said, &place)?;
        let role = item.role.ok_or_else(|| at.missing("role"))?;
        let role = match role.0.as_ref() {
            "user" => Role::User,
            "assistant" => Role::Assistant,
            "system" | "developer" => {
                let not_text = || place.refuse("must be text: instructions hold nothing else");
                if request.messages.is_empty() {
                    return match request.instruct(said) {
                        true => Ok(()),
                        false => Err(not_text()),
                    };
                }
                match request.is_text(said) {
                    true => Role::System,
                    false => return Err(not_text()),
                }
            }
            _ => {
                return Err(at
                    .member("role")
                    .refuse("must be \"user\", \"assistant\", \"system\" or \"developer\""));
            }
        };
        request.say(role, said.run);
        Ok(())
    }

    /// Reasoning goes back as it came. What another service has encrypted says nothing here, and what is damaged is not sent.
    fn reasoning(&mut self, item: Item<'a>, at: &Path<'_>) -> Result<(), Refusal> {
        let request = &mut *self.into.request;
        let mut said = request.begin_turn();
        match item.encrypted_content {
            Some(Given(content)) if !content.is_empty() => {
                match encrypted::opened(&content.decode(), &mut request.strings) {
                    Some(blocks) => {
                        for block in blocks {
                            request.push(&mut said, block);
                        }
                    }
                    None => self.into.changes.leave_out("reasoning"),
                }
            }
            _ => {
                let content = match item.content {
                    Some(OneOf::Long(content)) => Some(content.elements(&at.member("content"))?),
                    _ => None,
                };
                let (parts, name) = match content {
                    Some(content) if content.as_json() != "[]" => (Some(content), "content"),
                    _ => (item.summary, "summary"),
                };
                let Some(parts) = parts else {
                    return Ok(());
                };
                parts.each(&at.member(name), |Object(part): Object<Part<'a>>, _| {
                    if let Some(Given(text)) = part.text.filter(|text| !text.0.is_empty()) {
                        let text = request.strings.given(text);
                        let block = Block::Reasoning {
                            text,
                            signature: None,
                        };
                        request.push(&mut said, block);
                    }
                    Ok(())
                })?;
            }
        }
        self.into.request.say(Role::Assistant, said.run);
        Ok(())
    }

    /// The id of a call, and the name of its tool.
    fn call_of(&mut self, item: &Item<'a>, at: &Path<'_>) -> Result<(Literal<'a>, Str), Refusal> {
        let Given(id) = item.call_id.ok_or_else(|| at.missing("call_id"))?;
        let Given(name) = item.name.ok_or_else(|| at.missing("name"))?;
        let strings = &mut self.into.request.strings;
        let namespace = item.namespace.map(|Given(space)| strings.given(space));
        let name = strings.given(name);
        Ok((id, full_name(namespace, name, strings)))
    }

    fn search(&mut self, item: &Item<'a>, at: &Path<'_>) -> Result<(), Refusal> {
        let Given(id) = item.call_id.ok_or_else(|| at.missing("call_id"))?;
        let strings = &mut self.into.request.strings;
        let arguments = item.arguments.map_or("{}", |arguments| arguments.get());
        let input = match object::parse(arguments) {
            Ok(_) => strings.given_json(arguments),
            Err(_) => return Err(at.member("arguments").refuse("must be an object")),
        };
        let name = strings.constant(SEARCH);
        let call = calls::called(id, name, input, strings);
        self.call(id, call);
        Ok(())
    }

    fn call(&mut self, id: Literal<'_>, call: Block) {
        let request = &mut *self.into.request;
        let mut said = request.begin_turn();
        request.push(&mut said, call);
        request.say(Role::Assistant, said.run);
        self.pairs.called(&id.decode(), self.element, request);
    }

    fn gave(&mut self, id: Literal<'_>, given: Said) {
        let request = &mut *self.into.request;
        let result = Block::ToolResult {
            id: request.strings.given(id),
            content: given.run,
            failed: false,
        };
        let mut said = request.begin_turn();
        request.push(&mut said, result);
        self.pairs
            .gave(&id.decode(), self.element, said.run, request);
    }
}

/// The string that a member must be; `at` is where it stands.
fn string_in<'a>(
    raw: Option<&'a serde_json::value::RawValue>,
    at: &Path<'_>,
) -> Result<Option<Given<'a>>, Refusal> {
    raw.map(|raw| parameter::parse_at(raw.get(), at))
        .transpose()
}

/// Items of tools that OpenAI runs itself: they are its own business.
const HOSTED: [(&str, &str); 11] = [
    ("web_search_call", "web_search_call"),
    ("file_search_call", "file_search_call"),
    ("code_interpreter_call", "code_interpreter_call"),
    ("image_generation_call", "image_generation_call"),
    ("computer_call", "computer_call"),
    ("computer_call_output", "computer_call"),
    ("mcp_list_tools", "mcp_list_tools"),
    ("mcp_call", "mcp_call"),
    ("mcp_approval_request", "mcp_approval_request"),
    ("mcp_approval_response", "mcp_approval_request"),
    ("tool_search_call", "tool_search_call"),
];
