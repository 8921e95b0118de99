//! Whole answers of Converse as a `chat.completion`.
//! <https://platform.openai.com/docs/api-reference/chat/object>

use serde_json::value::RawValue;

use super::citation::{self, Cited};
use super::{Reply, finish_reason, write_service_tier, write_usage};
use crate::bedrock::converse::answer::{ContentBlock, ConverseAnswer, Media, ReasoningContent};
use crate::bedrock::stop::Stop;
use crate::dialect::custom;
use crate::dialect::shown::{AUDIO, NO_PICTURE, Picture, UNKNOWN, call_id};
use crate::dialect::{Meta, Unwritable};
use crate::json::strict::Object;
use crate::json::text::{Literal, Text, compact};
use crate::json::writer::Writer;

/// Writes the answer `body`.
///
/// # Errors
/// It is no answer of Converse, or none that is whole.
pub(crate) fn write(
    reply: &Reply,
    meta: &Meta,
    body: &str,
    out: &mut Vec<u8>,
) -> Result<(), Unwritable> {
    let Object(answer): Object<ConverseAnswer> = serde_json::from_str(body)?;
    let blocks = &answer.output.message.content;
    let calls = blocks.iter().any(|block| block.call().is_some());
    let stop = Stop::of(answer.stop_reason.as_deref().unwrap_or_default(), calls);
    if let Some(failure) = stop.failure() {
        return Err(failure.into());
    }
    let mut w = Writer::new(body);
    w.open('{');
    w.key("id").value(&format!("chatcmpl-{}", meta.id));
    w.key("object").value("chat.completion");
    w.key("created").value(&meta.created);
    w.key("model").value(&reply.model);
    w.key("choices").open('[');
    w.item().open('{');
    w.key("index").value(&0);
    w.key("message").open('{');
    w.key("role").value("assistant");
    w.key("content");
    write_joined(blocks.iter().flat_map(texts), &mut w);
    w.key("refusal").json("null");
    if blocks.iter().any(|block| reasoning(block).is_some()) {
        w.key("reasoning_content");
        write_joined(blocks.iter().filter_map(reasoning), &mut w);
    }
    write_annotations(blocks, &mut w);
    write_thinking_blocks(blocks, &mut w);
    write_images(blocks, &mut w);
    write_audio(meta, blocks, &mut w);
    write_tool_calls(reply, meta, blocks, &mut w);
    w.close('}');
    w.key("logprobs").json("null");
    w.key("finish_reason").value(finish_reason(stop));
    w.close('}');
    w.close(']');
    write_usage(answer.usage.as_ref(), &mut w);
    write_service_tier(answer.service_tier.as_ref(), &mut w);
    if let Some(fields) = answer.additional_model_response_fields {
        w.key("additionalModelResponseFields").json(fields.get());
    }
    w.close('}');
    w.write_to(out);
    Ok(())
}

fn texts<'a, 'b>(block: &'b ContentBlock<'a>) -> impl Iterator<Item = Literal<'a>> + 'b {
    let cited = block
        .citations_content
        .iter()
        .flat_map(|cited| cited.content.iter().filter_map(|piece| piece.text));
    let named = match block {
        block if block.image.is_some() && picture(block).is_none() => Some(NO_PICTURE),
        block if block.audio.is_some() && sound(block).is_none() => Some(AUDIO),
        block if block.is_unknown() => Some(UNKNOWN),
        _ => None,
    };
    block.text.into_iter().chain(cited).chain(named)
}

fn picture<'a>(block: &'a ContentBlock<'a>) -> Option<Picture<'a>> {
    block.image.as_ref().and_then(Picture::of)
}

/// Sound that is here, in base64.
fn sound<'a>(block: &ContentBlock<'a>) -> Option<Literal<'a>> {
    let Media { source, .. } = block.audio.as_ref()?;
    source.bytes.filter(|data| !data.is_empty())
}

fn reasoning<'a>(block: &ContentBlock<'a>) -> Option<Literal<'a>> {
    let reasoning = block.reasoning_content.as_ref()?;
    reasoning.reasoning_text.as_ref()?.text
}

/// Writes several texts as one string, `null` if there are none.
fn write_joined<'a>(texts: impl Iterator<Item = Literal<'a>>, w: &mut Writer<'a>) {
    let texts: Vec<Literal> = texts.collect();
    match texts.as_slice() {
        [] => w.json("null"),
        [only] => w.json(only.0),
        several => {
            let inner = |literal: &Literal<'a>| literal.0.get(1..literal.0.len() - 1);
            let joined: String = several.iter().filter_map(inner).collect();
            w.json(&format!("\"{joined}\""));
        }
    }
}

/// Pages that are cited, with what of the message each is cited for.
fn write_annotations<'a>(blocks: &[ContentBlock<'a>], w: &mut Writer<'a>) {
    if !blocks.iter().any(|block| block.citations_content.is_some()) {
        return;
    }
    let (mut cited, mut annotations) = (Cited::default(), Writer::new(""));
    let mut some = false;
    for (number, block) in (0..).zip(blocks) {
        let said: usize = texts(block).map(Literal::characters).sum();
        // Sources that stand alone are those of the text before them.
        if said > 0 {
            cited.say(number, said);
        }
        for source in sources(block) {
            some |= citation::write(source.get(), &cited.range(), None, &mut annotations);
        }
    }
    if some {
        w.key("annotations").open('[');
        w.json(&annotations.into_text());
        w.close(']');
    }
}

fn sources<'a>(block: &ContentBlock<'a>) -> Vec<&'a RawValue> {
    let cited = block.citations_content.as_ref();
    cited
        .and_then(|cited| serde_json::from_str(cited.citations?.get()).ok())
        .unwrap_or_default()
}

/// What a client has to send back with the results of tools, or Claude refuses them: the reasoning and its signature, in
/// the form that LiteLLM made common.
fn write_thinking_blocks<'a>(blocks: &[ContentBlock<'a>], w: &mut Writer<'a>) {
    let found: Vec<&ReasoningContent> = blocks
        .iter()
        .filter_map(|block| block.reasoning_content.as_ref())
        .collect();
    if found.is_empty() {
        return;
    }
    w.key("thinking_blocks").open('[');
    for block in found {
        if let Some(shown) = &block.reasoning_text {
            w.item().open('{');
            w.key("type").value("thinking");
            w.key("thinking")
                .json(shown.text.map_or("\"\"", |text| text.0));
            if let Some(signature) = shown.signature {
                w.key("signature").json(signature.0);
            }
            w.close('}');
        } else if let Some(data) = block.redacted_content {
            w.item().open('{');
            w.key("type").value("redacted_thinking");
            w.key("data").json(data.0);
            w.close('}');
        }
    }
    w.close(']');
}

/// Pictures stand beside the text, in the form that OpenRouter and LiteLLM made common.
fn write_images<'a>(blocks: &'a [ContentBlock<'a>], w: &mut Writer<'a>) {
    let mut pictures = blocks.iter().filter_map(picture).enumerate().peekable();
    if pictures.peek().is_none() {
        return;
    }
    w.key("images").open('[');
    for (index, picture) in pictures {
        w.item();
        write_image(index, &picture, w);
    }
    w.close(']');
}

/// Writes one of `images`.
pub(super) fn write_image<'a>(index: usize, picture: &Picture<'a>, w: &mut Writer<'a>) {
    w.open('{');
    w.key("index").value(&index);
    w.key("type").value("image_url");
    w.key("image_url").open('{');
    w.key("url");
    picture.write_url(w);
    w.close('}');
    w.close('}');
}

/// A message has one sound.
fn write_audio<'a>(meta: &Meta, blocks: &[ContentBlock<'a>], w: &mut Writer<'a>) {
    let Some(data) = blocks.iter().find_map(sound) else {
        return;
    };
    w.key("audio").open('{');
    w.key("id").value(&format!("audio_{}", meta.id));
    w.key("data").json(data.0);
    // Nothing is kept here that could be asked for by its id.
    w.key("expires_at").value(&meta.created);
    w.key("transcript").value("");
    w.close('}');
}

fn write_tool_calls<'a>(
    reply: &Reply,
    meta: &Meta,
    blocks: &[ContentBlock<'a>],
    w: &mut Writer<'a>,
) {
    let mut calls = blocks
        .iter()
        .filter_map(ContentBlock::call)
        .enumerate()
        .peekable();
    if calls.peek().is_none() {
        return;
    }
    w.key("tool_calls").open('[');
    for (number, call) in calls {
        let (Text(id), Text(name)) = (&call.tool_use_id, &call.name);
        let input = call.input.map_or("{}", |input| input.get());
        w.item().open('{');
        w.key("id").string(&call_id(id, meta, number));
        let (kind, member, input) = match reply.customs.has(name) {
            true => ("custom", "input", custom::text_of(input)),
            false => ("function", "arguments", compact(input)),
        };
        w.key("type").value(kind);
        w.key(kind).open('{');
        w.key("name").value(reply.tools.for_client(name));
        w.key(member).value(&input);
        w.close('}');
        w.close('}');
    }
    w.close(']');
}
