//! The conversation: OpenAI's list of messages into Converse's turns, which alternate and keep to an order of their own.

use super::chat::{CacheControl, Message as ClientMessage, Part, ThinkingBlock, ToolCall};
use crate::bedrock::converse::media::make_document_names_unique;
use crate::bedrock::converse::turns::Said;
use crate::bedrock::converse::{Block, CachePoint, ConverseRequest, Role};
use crate::dialect::forms::{Elements, Given, OneOf};
use crate::dialect::parameter::Path;
use crate::dialect::requests::{calls, media};
use crate::json::strict::Object;
use crate::json::text::Text;
use crate::refusal::Refusal;

/// Puts the messages into the request.
///
/// # Errors
/// 400 that names the message, and what in it Converse cannot take.
pub fn translate<'a>(
    messages: Elements<'a>,
    request: &mut ConverseRequest<'a>,
) -> Result<(), Refusal> {
    let at = Path::Body;
    messages.each(&at.member("messages"), |Object(message), at| {
        translate_message(message, request, at)
    })?;
    request.put_in_order();
    make_document_names_unique(request);
    Ok(())
}

fn translate_message<'a>(
    message: ClientMessage<'a>,
    request: &mut ConverseRequest<'a>,
    at: &Path<'_>,
) -> Result<(), Refusal> {
    let mut said = request.begin_turn();
    let point = message.cache_control.as_deref().map(cache_point);
    let role = match message.role.0.as_ref() {
        "system" | "developer" => {
            content(message.content, request, &mut said, at)?;
            request.end_with(point, &mut said);
            if request.messages.is_empty() {
                return add_system(said, at, request);
            }
            if !request.is_text(said) {
                return Err(not_text(at));
            }
            request.say(Role::System, said.run);
            return Ok(());
        }
        "user" => {
            content(message.content, request, &mut said, at)?;
            Role::User
        }
        "assistant" => {
            assistant(message, request, &mut said, at)?;
            Role::Assistant
        }
        "tool" => {
            tool_result(&message, request, &mut said, at)?;
            Role::User
        }
        "function" => {
            return Err(at
                .member("role")
                .refuse("must not be \"function\", which is no longer supported: use \"tool\""));
        }
        _ => {
            return Err(at
                .member("role")
                .refuse("must be \"system\", \"developer\", \"user\", \"assistant\" or \"tool\""));
        }
    };
    request.end_with(point, &mut said);
    request.say(role, said.run);
    Ok(())
}

/// A cache point where a client put Anthropic's mark.
pub fn cache_point(control: &CacheControl<'_>) -> CachePoint {
    CachePoint::lasting(control.ttl.as_ref().map(|Text(ttl)| ttl.as_ref()))
}

fn add_system(said: Said, at: &Path<'_>, request: &mut ConverseRequest<'_>) -> Result<(), Refusal> {
    match request.instruct(said) {
        true => Ok(()),
        false => Err(not_text(at)),
    }
}

fn not_text(at: &Path<'_>) -> Refusal {
    at.member("content")
        .refuse("must be text: instructions hold nothing else")
}

fn assistant<'a>(
    message: ClientMessage<'a>,
    request: &mut ConverseRequest<'a>,
    said: &mut Said,
    at: &Path<'_>,
) -> Result<(), Refusal> {
    if message.function_call.is_some() {
        return Err(at
            .member("function_call")
            .refuse("is no longer supported: use \"tool_calls\""));
    }
    match (message.thinking_blocks, message.reasoning_content) {
        (Some(given), whole) => reasoning(given, whole, request, said, at)?,
        (None, Some(Given(text))) if !text.is_empty() => {
            let text = request.strings.given(text);
            request.push(
                said,
                Block::Reasoning {
                    text,
                    signature: None,
                },
            );
        }
        (None, _) => {}
    }
    content(message.content, request, said, at)?;
    if let Some(Given(refusal)) = message.refusal {
        let refusal = request.strings.given(refusal);
        request.push_text(said, refusal);
    }
    let Some(calls) = message.tool_calls else {
        return Ok(());
    };
    calls.each(&at.member("tool_calls"), |Object(call), at| {
        let call = tool_use(&call, request, at)?;
        request.push(said, call);
        Ok(())
    })
}

/// Reasoning that the model signed, and so wants to see again. A stream gives the text and the signature apart, so a block
/// may lack the text; then it is that of the whole message, and empty where the model kept it to itself.
fn reasoning<'a>(
    given: Elements<'a>,
    whole: Option<Given<'a>>,
    request: &mut ConverseRequest<'a>,
    said: &mut Said,
    at: &Path<'_>,
) -> Result<(), Refusal> {
    let at = at.member("thinking_blocks");
    let whole = whole.filter(|Given(whole)| !whole.is_empty());
    let mut shown = 0;
    given.each(&at, |Object(block): Object<ThinkingBlock<'_>>, _| {
        shown += usize::from(block.kind.0 == "thinking");
        Ok(())
    })?;
    let single = shown == 1;
    given.each(&at, |Object(block): Object<ThinkingBlock<'_>>, _| {
        let strings = &mut request.strings;
        let mut string = |given: Option<Given<'_>>| given.map(|Given(text)| strings.given(text));
        let (signature, data) = (string(block.signature), string(block.data));
        let text = match block.thinking {
            Some(text) if !text.0.is_empty() => string(Some(text)),
            _ if single && whole.is_some() => string(whole),
            None if single => Some(request.strings.constant("")),
            empty => string(empty),
        };
        let found = match (block.kind.0.as_ref(), text, signature, data) {
            ("redacted_thinking", _, _, Some(data)) => Block::Redacted(data),
            ("thinking", Some(text), signature, _)
                if signature.is_some() || !request.strings.escaped(text).is_empty() =>
            {
                Block::Reasoning { text, signature }
            }
            _ => return Ok(()),
        };
        request.push(said, found);
        Ok(())
    })
}

fn tool_use<'a>(
    call: &ToolCall<'a>,
    request: &mut ConverseRequest<'a>,
    at: &Path<'_>,
) -> Result<Block, Refusal> {
    let Given(id) = call.id.ok_or_else(|| at.missing("id"))?;
    let strings = &mut request.strings;
    match call.kind.as_ref().map_or("function", |Text(kind)| kind) {
        "function" => {
            let Some(Object(function)) = &call.function else {
                return Err(at.missing("function"));
            };
            let name = strings.given(function.name.0);
            let at = at.member("function");
            calls::of_function(
                (id, name),
                function.arguments,
                strings,
                &at.member("arguments"),
            )
        }
        "custom" => {
            let Some(Object(custom)) = &call.custom else {
                return Err(at.missing("custom"));
            };
            let name = strings.given(custom.name.0);
            Ok(calls::of_custom((id, name), custom.input.0, strings))
        }
        _ => Err(at
            .member("type")
            .refuse("must be \"function\" or \"custom\": Bedrock has no other tools")),
    }
}

fn tool_result<'a>(
    message: &ClientMessage<'a>,
    request: &mut ConverseRequest<'a>,
    said: &mut Said,
    at: &Path<'_>,
) -> Result<(), Refusal> {
    let Some(Given(id)) = message.tool_call_id else {
        return Err(at.missing("tool_call_id"));
    };
    let mut given = request.begin_result();
    content(message.content, request, &mut given, at)?;
    let id = request.strings.given(id);
    let result = Block::ToolResult {
        id,
        content: given.run,
        failed: false,
    };
    request.push(said, result);
    request.end_with(given.point, said);
    Ok(())
}

/// What a message says. Bedrock refuses blank text, so that is left out.
fn content<'a>(
    content: Option<OneOf<'a>>,
    request: &mut ConverseRequest<'a>,
    said: &mut Said,
    at: &Path<'_>,
) -> Result<(), Refusal> {
    match content {
        None => Ok(()),
        Some(OneOf::Short(Given(text))) => {
            let text = request.strings.given(text);
            request.push_text(said, text);
            Ok(())
        }
        Some(OneOf::Long(parts)) => {
            let at = at.member("content");
            let parts = parts.elements(&at)?;
            parts.each(&at, |Object(part): Object<Part<'a>>, at| {
                add_part(&part, request, said, at)?;
                // The point of a part that is left out stands after what came before it.
                request.end_with(part.cache_control.as_deref().map(cache_point), said);
                Ok(())
            })
        }
    }
}

fn add_part<'a>(
    part: &Part<'a>,
    request: &mut ConverseRequest<'a>,
    said: &mut Said,
    at: &Path<'_>,
) -> Result<(), Refusal> {
    let strings = &mut request.strings;
    let block = match part.kind.0.as_ref() {
        kind @ ("text" | "refusal") => {
            let text = if kind == "text" {
                part.text
            } else {
                part.refusal
            };
            let Given(text) = text.ok_or_else(|| at.missing(kind))?;
            let text = strings.given(text);
            request.push_text(said, text);
            return Ok(());
        }
        "image_url" => {
            let at = at.member("image_url");
            match part.image_url.ok_or_else(|| at.refuse("is missing"))? {
                OneOf::Short(Given(url)) => media::image(url, strings, &at)?,
                OneOf::Long(image) => {
                    let image: media::ImageUrl<'_> = image.object(&at)?;
                    media::image(image.url.0, strings, &at.member("url"))?
                }
            }
        }
        "input_audio" => {
            let at = at.member("input_audio");
            let audio = part.input_audio.as_deref();
            let audio = audio.ok_or_else(|| at.refuse("is missing"))?;
            media::audio((audio.data.0, audio.format.0), strings, &at)?
        }
        "file" => {
            let at = at.member("file");
            let file = part.file.as_deref();
            let file = file.ok_or_else(|| at.refuse("is missing"))?;
            let (data, name) = (file.file_data, file.filename.as_ref());
            media::file(data, name, strings, &at.member("file_data"))?
        }
        _ => {
            return Err(at.member("type").refuse(
                "must be \"text\", \"image_url\", \"input_audio\", \"file\" or \"refusal\"",
            ));
        }
    };
    request.push(said, block);
    Ok(())
}
