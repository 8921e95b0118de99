//! Calls of tools in a conversation.

use crate::bedrock::converse::Block;
use crate::bedrock::converse::names::name_in_request;
use crate::bedrock::converse::strings::{Json, Str, Strings};
use crate::dialect::custom::wrapped;
use crate::dialect::forms::Given;
use crate::dialect::parameter::Path;
use crate::json::object;
use crate::json::text::Literal;
use crate::refusal::Refusal;

/// A call of a function; `at` is where its arguments stand.
///
/// # Errors
/// 400: these are no JSON object.
pub fn of_function(
    (id, name): (Literal<'_>, Str),
    arguments: Option<Given<'_>>,
    strings: &mut Strings<'_>,
    at: &Path<'_>,
) -> Result<Block, Refusal> {
    let input = match arguments {
        Some(Given(arguments)) => {
            let decoded = arguments.decode();
            match (decoded.trim().is_empty(), object::parse(&decoded)) {
                (true, _) => strings.constant_json("{}"),
                (false, Ok(_)) => strings.given_json_text(arguments),
                (false, Err(_)) => return Err(at.refuse("must be a JSON object as text")),
            }
        }
        None => strings.constant_json("{}"),
    };
    Ok(called(id, name, input, strings))
}

/// A call of a tool whose input is text.
pub fn of_custom(
    (id, name): (Literal<'_>, Str),
    input: Literal<'_>,
    strings: &mut Strings<'_>,
) -> Block {
    let input = strings.add_json(&wrapped(input));
    called(id, name, input, strings)
}

/// A call with this JSON object.
pub fn called(id: Literal<'_>, name: Str, input: Json, strings: &mut Strings<'_>) -> Block {
    Block::ToolUse {
        id: strings.given(id),
        name: name_in_request(name, strings),
        input,
    }
}
