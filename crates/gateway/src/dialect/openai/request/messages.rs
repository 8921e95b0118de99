//! The conversation: OpenAI's list of messages into Converse's turns, which alternate and keep to an order of their own.

use std::borrow::Cow;

use super::chat::{CacheControl, Message as ClientMessage, Part, ThinkingBlock, ToolCall};
use super::media;

use crate::bedrock::converse::media::make_document_names_unique;
use crate::bedrock::converse::names::{Names, id_for_bedrock};
use crate::bedrock::converse::turns::{add_text, end_with};
use crate::bedrock::converse::{Block, CachePoint, Cached, ConverseRequest, Role};
use crate::dialect::forms::OneOf;
use crate::json::object;
use crate::json::strict::Object;
use crate::json::text::Text;
use crate::refusal::Refusal;

type Blocks<'a> = Vec<Cached<Block<'a>>>;

/// Puts the messages into the request.
///
/// # Errors
/// 400 that names the message, and what in it Converse cannot take.
pub fn translate<'a>(
    messages: Vec<Object<ClientMessage<'a>>>,
    names: &mut Names,
    request: &mut ConverseRequest<'a>,
) -> Result<(), Refusal> {
    for (index, Object(message)) in messages.into_iter().enumerate() {
        let at = format!("messages[{index}]");
        let role = message.role.0.clone();
        let point = message.cache_control.as_deref().map(cache_point);
        let (role, mut blocks) = match role.as_ref() {
            "system" | "developer" => {
                let blocks = content(message.content, &at)?;
                add_system(blocks, point, &at, request)?;
                continue;
            }
            "user" => (Role::User, content(message.content, &at)?),
            "assistant" => (Role::Assistant, assistant(message, names, &at)?),
            "tool" => (Role::User, vec![tool_result(message, &at)?]),
            "function" => {
                return Err(Refusal::parameter(
                    format!("{at}.role"),
                    "must not be \"function\", which is no longer supported: use \"tool\"",
                ));
            }
            _ => {
                return Err(Refusal::parameter(
                    format!("{at}.role"),
                    "must be \"system\", \"developer\", \"user\", \"assistant\" or \"tool\"",
                ));
            }
        };
        end_with(point, &mut blocks);
        request.say(role, blocks);
    }
    request.put_in_order();
    make_document_names_unique(&mut request.messages);
    Ok(())
}

/// A cache point where a client put Anthropic's mark.
pub fn cache_point(control: &CacheControl<'_>) -> CachePoint {
    CachePoint::lasting(control.ttl.as_ref().map(|Text(ttl)| ttl.as_ref()))
}

fn add_system<'a>(
    mut blocks: Blocks<'a>,
    point: Option<CachePoint>,
    at: &str,
    request: &mut ConverseRequest<'a>,
) -> Result<(), Refusal> {
    end_with(point, &mut blocks);
    for block in blocks {
        let Block::Text(text) = block.item else {
            return Err(Refusal::parameter(
                format!("{at}.content"),
                "must be text: instructions hold nothing else",
            ));
        };
        request.system.push(Cached {
            item: text,
            point: block.point,
        });
    }
    Ok(())
}

fn assistant<'a>(
    message: ClientMessage<'a>,
    names: &mut Names,
    at: &str,
) -> Result<Blocks<'a>, Refusal> {
    if message.function_call.is_some() {
        return Err(Refusal::parameter(
            format!("{at}.function_call"),
            "is no longer supported: use \"tool_calls\"",
        ));
    }
    let mut blocks = reasoning(message.thinking_blocks, message.reasoning_content);
    blocks.extend(content(message.content, at)?);
    if let Some(Text(refusal)) = message.refusal {
        add_text(refusal, &mut blocks);
    }
    for (index, Object(call)) in message.tool_calls.into_iter().flatten().enumerate() {
        let call = tool_use(call, names, &format!("{at}.tool_calls[{index}]"))?;
        blocks.push(Cached::plain(call));
    }
    Ok(blocks)
}

/// Reasoning that the model signed, and so wants to see again. A stream gives the text and the signature apart, so a block
/// may lack the text; then it is that of the whole message, and empty where the model kept it to itself.
fn reasoning<'a>(
    given: Option<Vec<Object<ThinkingBlock<'a>>>>,
    whole: Option<Text<'a>>,
) -> Blocks<'a> {
    let given = given.unwrap_or_default();
    let whole = whole.unwrap_or_default();
    let shown = given.iter().filter(|block| block.kind.0 == "thinking");
    let single = shown.count() == 1;
    let mut blocks = Vec::new();
    for Object(block) in given {
        let text = match block.thinking {
            Some(text) if !text.0.is_empty() => Some(text),
            _ if single && !whole.0.is_empty() => Some(whole.clone()),
            None if single => Some(Text::default()),
            empty => empty,
        };
        let found = match (block.kind.0.as_ref(), text, block.signature, block.data) {
            ("redacted_thinking", _, _, Some(Text(data))) => Block::Redacted(data),
            ("thinking", Some(Text(text)), signature, _)
                if signature.is_some() || !text.is_empty() =>
            {
                Block::Reasoning {
                    text,
                    signature: signature.map(|Text(signature)| signature),
                }
            }
            _ => continue,
        };
        blocks.push(Cached::plain(found));
    }
    blocks
}

fn tool_use<'a>(call: ToolCall<'a>, names: &mut Names, at: &str) -> Result<Block<'a>, Refusal> {
    if call.kind.is_some_and(|Text(kind)| kind != "function") {
        return Err(Refusal::parameter(
            format!("{at}.type"),
            "must be \"function\": Bedrock has no other tools",
        ));
    }
    let missing = |name: &str| Refusal::parameter(format!("{at}.{name}"), "is missing");
    let Text(id) = call.id.ok_or_else(|| missing("id"))?;
    let Object(function) = call.function.ok_or_else(|| missing("function"))?;
    let input = match function.arguments {
        Some(Text(arguments)) if !arguments.trim().is_empty() => arguments,
        _ => Cow::Borrowed("{}"),
    };
    if object::parse(&input).is_err() {
        return Err(Refusal::parameter(
            format!("{at}.function.arguments"),
            "must be a JSON object as text",
        ));
    }
    Ok(Block::ToolUse {
        id: id_for_bedrock(id),
        name: names.for_bedrock(function.name.0),
        input,
    })
}

fn tool_result<'a>(message: ClientMessage<'a>, at: &str) -> Result<Cached<Block<'a>>, Refusal> {
    let Some(Text(id)) = message.tool_call_id else {
        return Err(Refusal::parameter(
            format!("{at}.tool_call_id"),
            "is missing",
        ));
    };
    let blocks = content(message.content, at)?;
    let point = blocks.iter().rev().find_map(|block| block.point);
    Ok(Cached {
        item: Block::ToolResult {
            id: id_for_bedrock(id),
            content: blocks.into_iter().map(|block| block.item).collect(),
            failed: false,
        },
        point,
    })
}

/// What a message says. Bedrock refuses blank text, so that is left out.
fn content<'a>(
    content: Option<OneOf<Text<'a>, Vec<Object<Part<'a>>>>>,
    at: &str,
) -> Result<Blocks<'a>, Refusal> {
    let mut blocks = Vec::new();
    match content {
        None => {}
        Some(OneOf::Short(Text(text))) => add_text(text, &mut blocks),
        Some(OneOf::Long(parts)) => {
            for (index, Object(part)) in parts.into_iter().enumerate() {
                let at = format!("{at}.content[{index}]");
                let point = part.cache_control.as_deref().map(cache_point);
                add_part(part, &mut blocks, &at)?;
                // The point of a part that is left out stands after what came before it.
                end_with(point, &mut blocks);
            }
        }
    }
    Ok(blocks)
}

fn add_part<'a>(part: Part<'a>, blocks: &mut Blocks<'a>, at: &str) -> Result<(), Refusal> {
    let missing = |name: &str| Refusal::parameter(format!("{at}.{name}"), "is missing");
    let block = match part.kind.0.as_ref() {
        "text" => {
            let Text(text) = part.text.ok_or_else(|| missing("text"))?;
            add_text(text, blocks);
            return Ok(());
        }
        "refusal" => {
            let Text(text) = part.refusal.ok_or_else(|| missing("refusal"))?;
            add_text(text, blocks);
            return Ok(());
        }
        "image_url" => {
            let image = part.image_url.ok_or_else(|| missing("image_url"))?;
            let (url, at) = match image {
                OneOf::Short(Text(url)) => (url, format!("{at}.image_url")),
                OneOf::Long(Object(image)) => (image.url.0, format!("{at}.image_url.url")),
            };
            media::image(url, &at)?
        }
        "input_audio" => {
            let Object(audio) = part.input_audio.ok_or_else(|| missing("input_audio"))?;
            media::audio(audio, &format!("{at}.input_audio"))?
        }
        "file" => {
            let Object(file) = part.file.ok_or_else(|| missing("file"))?;
            media::file(file, &format!("{at}.file"))?
        }
        _ => {
            return Err(Refusal::parameter(
                format!("{at}.type"),
                "must be \"text\", \"image_url\", \"input_audio\", \"file\" or \"refusal\"",
            ));
        }
    };
    blocks.push(Cached::plain(block));
    Ok(())
}
