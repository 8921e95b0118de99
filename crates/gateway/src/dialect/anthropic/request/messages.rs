//! The conversation: messages and instructions into Converse's turns.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::message::{Block as ClientBlock, CacheControl, MediaSource, Message, MessagesRequest};
use super::wants::{LEFT_BY_SERVER_TOOLS, is_left_by_server_tool};
use crate::bedrock::converse::media::{
    DocumentFormat, document_format, document_name, image_format, is_base64,
    make_document_names_unique,
};
use crate::bedrock::converse::names::name_in_request;
use crate::bedrock::converse::strings::{Str, Strings};
use crate::bedrock::converse::turns::Said;
use crate::bedrock::converse::{Block, CachePoint, ConverseRequest, Place, Role};
use crate::dialect::forms::{Given, OneOf};
use crate::dialect::parameter::Path;
use crate::family::Changes;
use crate::json::object;
use crate::json::strict::Object;
use crate::json::text::Text;
use crate::json::writer::Writer;
use crate::refusal::Refusal;

/// Puts instructions and messages into the request.
///
/// # Errors
/// 400 that names the block, and what in it Converse cannot take.
pub fn translate<'a>(
    asked: &MessagesRequest<'a>,
    request: &mut ConverseRequest<'a>,
    changes: &mut Changes,
) -> Result<(), Refusal> {
    let body = Path::Body;
    if let Some(system) = asked.system {
        add_system(system, &body.member("system"), request, changes)?;
    }
    let at = body.member("messages");
    asked.messages.each(&at, |Object(message), at| {
        let message: Message<'_> = message;
        let content_at = at.member("content");
        let role = match message.role.0.as_ref() {
            "user" => Role::User,
            "assistant" => Role::Assistant,
            "system" if request.messages.is_empty() => {
                return add_system(message.content, &content_at, request, changes);
            }
            "system" => Role::System,
            _ => {
                return Err(at
                    .member("role")
                    .refuse("must be \"user\", \"assistant\" or \"system\""));
            }
        };
        let mut said = request.begin_turn();
        blocks(message.content, &content_at, request, &mut said, changes)?;
        if role == Role::System && !request.is_text(said) {
            return Err(content_at.refuse(ONLY_TEXT));
        }
        request.say(role, said.run);
        Ok(())
    })?;
    if request.messages.is_empty() && request.system.is_empty() {
        return Err(at.refuse("says nothing"));
    }
    if let (Some(control), Some(last)) = (&asked.cache_control, request.messages.last())
        && let Some(block) = request.blocks.get_mut(last.content).last_mut()
    {
        // Of the whole request: so all of it is to be cached.
        block.point.get_or_insert(cache_point(control));
    }
    request.put_in_order();
    make_document_names_unique(request);
    Ok(())
}

/// A cache point where the client put its mark.
pub fn cache_point(control: &CacheControl<'_>) -> CachePoint {
    CachePoint::lasting(control.ttl.as_ref().map(|Text(ttl)| ttl.as_ref()))
}

fn add_system<'a>(
    content: OneOf<'a>,
    at: &Path<'_>,
    request: &mut ConverseRequest<'a>,
    changes: &mut Changes,
) -> Result<(), Refusal> {
    let mut said = request.begin_turn();
    blocks(content, at, request, &mut said, changes)?;
    match request.instruct(said) {
        true => Ok(()),
        false => Err(at.refuse(ONLY_TEXT)),
    }
}

const ONLY_TEXT: &str = "must be text: instructions hold nothing else";

/// What a message says. Bedrock refuses blank text, so that is left out.
fn blocks<'a>(
    content: OneOf<'a>,
    at: &Path<'_>,
    request: &mut ConverseRequest<'a>,
    said: &mut Said,
    changes: &mut Changes,
) -> Result<(), Refusal> {
    match content {
        OneOf::Short(Given(text)) => {
            let text = request.strings.given(text);
            request.push_text(said, text);
            Ok(())
        }
        OneOf::Long(parts) => {
            let parts = parts.elements(at)?;
            parts.each(at, |Object(part): Object<ClientBlock<'_>>, at| {
                if is_left_by_server_tool(&part.kind.0) {
                    changes.leave_out(LEFT_BY_SERVER_TOOLS);
                } else {
                    match block(&part, at, request, said, changes)? {
                        Block::Text(text) => request.push_text(said, text),
                        block => request.push(said, block),
                    }
                }
                // The point of a text that is left out stands after what came before it.
                request.end_with(part.cache_control.as_deref().map(cache_point), said);
                Ok(())
            })
        }
    }
}

/// One block of what is said.
fn block<'a>(
    part: &ClientBlock<'a>,
    at: &Path<'_>,
    request: &mut ConverseRequest<'a>,
    said: &Said,
    changes: &mut Changes,
) -> Result<Block, Refusal> {
    let strings = &mut request.strings;
    let demanded = |name: &str, given: Option<Given<'a>>| match given {
        Some(Given(literal)) => Ok(literal),
        None => Err(at.missing(name)),
    };
    Ok(match part.kind.0.as_ref() {
        "text" => Block::Text(strings.given(demanded("text", part.text)?)),
        "image" => image(&source(part, at)?, strings, &at.member("source"))?,
        "document" => document(part, strings, at)?,
        "search_result" => search_result(part, strings, at)?,
        "tool_use" => {
            let input = part.input.map_or("{}", RawValue::get);
            if object::parse(input).is_err() {
                return Err(at.member("input").refuse("must be an object"));
            }
            let id = strings.given(demanded("id", part.id)?);
            let name = strings.given(demanded("name", part.name)?);
            Block::ToolUse {
                id,
                name: name_in_request(name, strings),
                input: match part.input {
                    Some(input) => strings.given_json(input.get()),
                    None => strings.constant_json("{}"),
                },
            }
        }
        "tool_result" if said.is_result() => {
            return Err(at
                .member("type")
                .refuse("must not be \"tool_result\" within another one"));
        }
        "tool_result" => {
            let id = strings.given(demanded("tool_use_id", part.tool_use_id)?);
            let mut given = request.begin_result();
            if let Some(content) = part.content {
                blocks(content, &at.member("content"), request, &mut given, changes)?;
            }
            Block::ToolResult {
                id,
                content: given.run,
                failed: part.is_error.unwrap_or(false),
            }
        }
        "thinking" => Block::Reasoning {
            text: strings.given(demanded("thinking", part.thinking)?),
            signature: part
                .signature
                .map(|Given(signature)| strings.given(signature)),
        },
        // What a client found when it looked for tools: Converse has loaded all of them.
        "tool_reference" => Block::Text(strings.given(demanded("tool_name", part.tool_name)?)),
        // Converse has in base64 what is text to the model, and base64 itself to all who look at it.
        "redacted_thinking" => {
            let data = demanded("data", part.data)?.decode();
            Block::Redacted(strings.add_base64(data.as_bytes()))
        }
        _ => {
            return Err(at.member("type").refuse(
                "must be \"text\", \"image\", \"document\", \"search_result\", \"tool_use\", \"tool_result\", \
                 \"thinking\" or \"redacted_thinking\": Converse has no other blocks",
            ));
        }
    })
}

/// The object that says where a block's media are.
fn source<'a>(part: &ClientBlock<'a>, at: &Path<'_>) -> Result<MediaSource<'a>, Refusal> {
    match part.source {
        Some(OneOf::Long(source)) => source.object(&at.member("source")),
        _ => Err(at.missing("source")),
    }
}

fn image(
    source: &MediaSource<'_>,
    strings: &mut Strings<'_>,
    at: &Path<'_>,
) -> Result<Block, Refusal> {
    let (media_type, data) = base64_of(source, strings, at)?;
    let format = image_format(media_type).ok_or_else(|| {
        at.member("media_type")
            .refuse("must be that of a png, jpeg, gif or webp image")
    })?;
    Ok(Block::Image {
        format,
        place: Place::Bytes,
        source: data,
    })
}

fn document(
    part: &ClientBlock<'_>,
    strings: &mut Strings<'_>,
    at: &Path<'_>,
) -> Result<Block, Refusal> {
    let given = source(part, at)?;
    let at = at.member("source");
    let (format, place, source) = match given.kind.0.as_ref() {
        "text" | "content" => (
            DocumentFormat::Txt,
            Place::Text,
            text_of(&given, strings, &at)?,
        ),
        _ => {
            let (media_type, data) = base64_of(&given, strings, &at)?;
            let format = document_format(media_type).ok_or_else(|| {
                at.member("media_type").refuse(
                    "must be that of a pdf, csv, doc, docx, xls, xlsx, html, txt or md document",
                )
            })?;
            (format, Place::Bytes, data)
        }
    };
    let title = part.title.map(|Given(title)| title.decode());
    let context = part.context.filter(|context| !context.0.is_empty());
    Ok(Block::Document {
        format,
        name: document_name(title.as_deref(), strings),
        place,
        source,
        context: context.map(|Given(context)| strings.given(context)),
        cite: enables_citations(part.citations),
    })
}

fn base64_of<'s>(
    source: &'s MediaSource<'_>,
    strings: &mut Strings<'_>,
    at: &Path<'_>,
) -> Result<(&'s str, Str), Refusal> {
    if source.kind.0 != "base64" {
        return Err(at.member("type").refuse(
            "must be \"base64\": this gateway fetches nothing, and Bedrock keeps no files",
        ));
    }
    let media_type = source.media_type.as_ref();
    let Text(media_type) = media_type.ok_or_else(|| at.missing("media_type"))?;
    let Given(data) = source.data.ok_or_else(|| at.missing("data"))?;
    match is_base64(&data.decode()) {
        true => Ok((media_type, strings.given(data))),
        false => Err(at.member("data").refuse("must be base64")),
    }
}

/// The text of a document that is given as such, or in blocks.
fn text_of(
    source: &MediaSource<'_>,
    strings: &mut Strings<'_>,
    at: &Path<'_>,
) -> Result<Str, Refusal> {
    if source.kind.0 == "text" {
        let Given(data) = source.data.ok_or_else(|| at.missing("data"))?;
        return Ok(strings.given(data));
    }
    match source.content {
        Some(OneOf::Short(Given(text))) => Ok(strings.given(text)),
        Some(OneOf::Long(blocks)) => {
            let at = at.member("content");
            let mut joined = String::new();
            let blocks = blocks.elements(&at)?;
            blocks.each(&at, |Object(block): Object<ClientBlock<'_>>, element| {
                let Given(text) = block.text.ok_or_else(|| at.refuse("must be text only"))?;
                if !matches!(element, Path::Element(_, 0)) {
                    joined.push('\n');
                }
                joined.push_str(&text.decode());
                Ok(())
            })?;
            Ok(strings.add(&joined))
        }
        None => Err(at.missing("content")),
    }
}

fn search_result(
    part: &ClientBlock<'_>,
    strings: &mut Strings<'_>,
    at: &Path<'_>,
) -> Result<Block, Refusal> {
    let Some(OneOf::Short(Given(source))) = part.source else {
        return Err(at.missing("source"));
    };
    let Given(title) = part.title.ok_or_else(|| at.missing("title"))?;
    let Some(OneOf::Long(content)) = part.content else {
        return Err(at.missing("content"));
    };
    let mut w = Writer::new("");
    w.open('{');
    w.key("source").json(source.0);
    w.key("title").json(title.0);
    w.key("content").open('[');
    let at = at.member("content");
    let content = content.elements(&at)?;
    content.each(&at, |Object(block): Object<ClientBlock<'_>>, _| {
        if let Some(Given(text)) = block.text {
            w.item().open('{');
            w.key("text").json(text.0);
            w.close('}');
        }
        Ok(())
    })?;
    w.close(']');
    if enables_citations(part.citations) {
        w.key("citations").json(r#"{"enabled":true}"#);
    }
    w.close('}');
    Ok(Block::SearchResult(strings.add_json(&w.into_text())))
}

fn enables_citations(citations: Option<&RawValue>) -> bool {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Citations {
        enabled: bool,
    }
    let citations = citations.and_then(|raw| serde_json::from_str::<Citations>(raw.get()).ok());
    citations.unwrap_or_default().enabled
}
