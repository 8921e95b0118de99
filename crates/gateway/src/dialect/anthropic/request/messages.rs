//! The conversation: messages and instructions into Converse's turns.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::message::{
    Block as ClientBlock, CacheControl, Content, MediaSource, Message, MessagesRequest,
};
use crate::bedrock::converse::media::{
    document_format, document_name, image_format, is_base64, make_document_names_unique,
};
use crate::bedrock::converse::names::{Names, id_for_bedrock};
use crate::bedrock::converse::turns::{add_text, end_with};
use crate::bedrock::converse::{Block, CachePoint, Cached, ConverseRequest, Role, Source};
use crate::dialect::forms::OneOf;
use crate::json::object;
use crate::json::strict::Object;
use crate::json::text::Text;
use crate::json::writer::Writer;
use crate::refusal::Refusal;

type Blocks<'a> = Vec<Cached<Block<'a>>>;

/// Puts instructions and messages into the request.
///
/// # Errors
/// 400 that names the block, and what in it Converse cannot take.
pub fn translate<'a>(
    asked: MessagesRequest<'a>,
    names: &mut Names,
    request: &mut ConverseRequest<'a>,
) -> Result<(), Refusal> {
    if let Some(system) = asked.system {
        add_system(system, "system", names, request)?;
    }
    for (index, Object(Message { role, content })) in asked.messages.into_iter().enumerate() {
        let at = format!("messages[{index}].content");
        let role = match role.0.as_ref() {
            "user" => Role::User,
            "assistant" => Role::Assistant,
            "system" => {
                add_system(content, &at, names, request)?;
                continue;
            }
            _ => {
                return Err(Refusal::parameter(
                    format!("messages[{index}].role"),
                    "must be \"user\", \"assistant\" or \"system\"",
                ));
            }
        };
        let blocks = blocks(content, &at, names)?;
        request.say(role, blocks);
    }
    if request.messages.is_empty() {
        return Err(Refusal::parameter("messages", "says nothing"));
    }
    request.put_in_order();
    make_document_names_unique(&mut request.messages);
    Ok(())
}

/// A cache point where the client put its mark.
pub fn cache_point(control: &CacheControl<'_>) -> CachePoint {
    CachePoint::lasting(control.ttl.as_ref().map(|Text(ttl)| ttl.as_ref()))
}

fn add_system<'a>(
    content: Content<'a>,
    at: &str,
    names: &mut Names,
    request: &mut ConverseRequest<'a>,
) -> Result<(), Refusal> {
    for Cached { item, point } in blocks(content, at, names)? {
        let Block::Text(text) = item else {
            return Err(Refusal::parameter(
                at,
                "must be text: instructions hold nothing else",
            ));
        };
        request.system.push(Cached { item: text, point });
    }
    Ok(())
}

/// What a message says. Bedrock refuses blank text, so that is left out.
fn blocks<'a>(content: Content<'a>, at: &str, names: &mut Names) -> Result<Blocks<'a>, Refusal> {
    let mut blocks = Vec::new();
    match content {
        OneOf::Short(Text(text)) => add_text(text, &mut blocks),
        OneOf::Long(parts) => {
            for (index, Object(part)) in parts.into_iter().enumerate() {
                let at = format!("{at}[{index}]");
                let point = part.cache_control.as_deref().map(cache_point);
                match block(part, &at, names)? {
                    Block::Text(text) => add_text(text, &mut blocks),
                    block => blocks.push(Cached::plain(block)),
                }
                // The point of a text that is left out stands after what came before it.
                end_with(point, &mut blocks);
            }
        }
    }
    Ok(blocks)
}

fn block<'a>(part: ClientBlock<'a>, at: &str, names: &mut Names) -> Result<Block<'a>, Refusal> {
    let missing = |name: &str| Refusal::parameter(format!("{at}.{name}"), "is missing");
    Ok(match part.kind.0.as_ref() {
        "text" => Block::Text(part.text.ok_or_else(|| missing("text"))?.0),
        "image" => match part.source {
            Some(OneOf::Long(Object(source))) => image(source, &format!("{at}.source"))?,
            _ => return Err(missing("source")),
        },
        "document" => document(part, at)?,
        "search_result" => search_result(part, at)?,
        "tool_use" => {
            let input = part.input.map_or("{}", RawValue::get);
            if object::parse(input).is_err() {
                return Err(Refusal::parameter(
                    format!("{at}.input"),
                    "must be an object",
                ));
            }
            Block::ToolUse {
                id: id_for_bedrock(part.id.ok_or_else(|| missing("id"))?.0),
                name: names.for_bedrock(part.name.ok_or_else(|| missing("name"))?.0),
                input: input.into(),
            }
        }
        "tool_result" => {
            let id = part.tool_use_id.ok_or_else(|| missing("tool_use_id"))?;
            let content = match part.content {
                Some(content) => blocks(*content, &format!("{at}.content"), names)?,
                None => Vec::new(),
            };
            Block::ToolResult {
                id: id_for_bedrock(id.0),
                content: content.into_iter().map(|block| block.item).collect(),
                failed: part.is_error.unwrap_or(false),
            }
        }
        "thinking" => Block::Reasoning {
            text: part.thinking.ok_or_else(|| missing("thinking"))?.0,
            signature: part.signature.map(|Text(signature)| signature),
        },
        // Converse has in base64 what is text to the model, and base64 itself to all who look at it.
        "redacted_thinking" => {
            let Text(data) = part.data.ok_or_else(|| missing("data"))?;
            Block::Redacted(STANDARD.encode(data.as_bytes()).into())
        }
        _ => {
            return Err(Refusal::parameter(
                format!("{at}.type"),
                "must be \"text\", \"image\", \"document\", \"search_result\", \"tool_use\", \"tool_result\", \
                 \"thinking\" or \"redacted_thinking\": Converse has no other blocks",
            ));
        }
    })
}

fn image<'a>(source: MediaSource<'a>, at: &str) -> Result<Block<'a>, Refusal> {
    let (media_type, data) = base64_of(source, at)?;
    let format = image_format(&media_type).ok_or_else(|| {
        Refusal::parameter(
            format!("{at}.media_type"),
            "must be that of a png, jpeg, gif or webp image",
        )
    })?;
    Ok(Block::Image {
        format,
        source: Source::Bytes(data),
    })
}

fn document<'a>(part: ClientBlock<'a>, at: &str) -> Result<Block<'a>, Refusal> {
    let source_at = format!("{at}.source");
    let Some(OneOf::Long(Object(source))) = part.source else {
        return Err(Refusal::parameter(source_at, "is missing"));
    };
    let (format, source) = match source.kind.0.as_ref() {
        "text" | "content" => ("txt", Source::Text(text_of(source, &source_at)?)),
        _ => {
            let (media_type, data) = base64_of(source, &source_at)?;
            let format = document_format(&media_type).ok_or_else(|| {
                Refusal::parameter(
                    format!("{source_at}.media_type"),
                    "must be that of a pdf, csv, doc, docx, xls, xlsx, html, txt or md document",
                )
            })?;
            (format, Source::Bytes(data))
        }
    };
    let title = part.title.as_ref().map(|Text(title)| title.as_ref());
    Ok(Block::Document {
        format,
        name: document_name(title),
        source,
        context: part
            .context
            .map(|Text(context)| context)
            .filter(|context| !context.is_empty()),
        cite: enables_citations(part.citations),
    })
}

fn base64_of<'a>(
    source: MediaSource<'a>,
    at: &str,
) -> Result<(Cow<'a, str>, Cow<'a, str>), Refusal> {
    if source.kind.0 != "base64" {
        return Err(Refusal::parameter(
            format!("{at}.type"),
            "must be \"base64\": this gateway fetches nothing, and Bedrock keeps no files",
        ));
    }
    let missing = |name: &str| Refusal::parameter(format!("{at}.{name}"), "is missing");
    let Text(media_type) = source.media_type.ok_or_else(|| missing("media_type"))?;
    let Text(data) = source.data.ok_or_else(|| missing("data"))?;
    match is_base64(&data) {
        true => Ok((media_type, data)),
        false => Err(Refusal::parameter(format!("{at}.data"), "must be base64")),
    }
}

/// The text of a document that is given as such, or in blocks.
fn text_of<'a>(source: MediaSource<'a>, at: &str) -> Result<Cow<'a, str>, Refusal> {
    if source.kind.0 == "text" {
        let missing = || Refusal::parameter(format!("{at}.data"), "is missing");
        return source.data.map(|Text(data)| data).ok_or_else(missing);
    }
    match source.content.map(|content| *content) {
        Some(OneOf::Short(Text(text))) => Ok(text),
        Some(OneOf::Long(blocks)) => {
            let texts: Option<Vec<Cow<str>>> = blocks
                .into_iter()
                .map(|Object(block)| block.text.map(|Text(text)| text))
                .collect();
            let texts = texts
                .ok_or_else(|| Refusal::parameter(format!("{at}.content"), "must be text only"))?;
            Ok(texts.join("\n").into())
        }
        None => Err(Refusal::parameter(format!("{at}.content"), "is missing")),
    }
}

fn search_result<'a>(part: ClientBlock<'a>, at: &str) -> Result<Block<'a>, Refusal> {
    let missing = |name: &str| Refusal::parameter(format!("{at}.{name}"), "is missing");
    let Some(OneOf::Short(Text(source))) = part.source else {
        return Err(missing("source"));
    };
    let Text(title) = part.title.ok_or_else(|| missing("title"))?;
    let Some(OneOf::Long(content)) = part.content.map(|content| *content) else {
        return Err(missing("content"));
    };
    let mut w = Writer::new("");
    w.open('{');
    w.key("source").value(&source);
    w.key("title").value(&title);
    w.key("content").open('[');
    for Text(text) in content.into_iter().filter_map(|Object(block)| block.text) {
        w.item().open('{');
        w.key("text").value(&text);
        w.close('}');
    }
    w.close(']');
    if enables_citations(part.citations) {
        w.key("citations").json(r#"{"enabled":true}"#);
    }
    w.close('}');
    let mut json = Vec::new();
    w.write_to(&mut json);
    let json = String::from_utf8(json).map_err(|_| missing("content"))?;
    Ok(Block::SearchResult(json.into()))
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
