//! Whole answers: Converse's as a message, CountTokens' as a count. Invoke's pass as they are.
//! <https://docs.claude.com/en/api/messages#response-id>

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Reply, Route, citation, stop_reason, write_usage};
use crate::bedrock::converse::answer::{ContentBlock, ConverseAnswer, ReasoningContent};
use crate::bedrock::stop::Stop;
use crate::dialect::shown::{AUDIO, NO_PICTURE, Picture, UNKNOWN, call_id};
use crate::dialect::{Meta, Unwritable};
use crate::json::strict::Object;
use crate::json::text::{Literal, Text};
use crate::json::writer::Writer;

/// Writes the answer `body`.
///
/// # Errors
/// It is none of what was asked for, or none that is whole.
pub(crate) fn write(
    reply: &Reply,
    meta: &Meta,
    body: &str,
    out: &mut Vec<u8>,
) -> Result<(), Unwritable> {
    match reply.route {
        Route::Invoke => out.extend_from_slice(body.as_bytes()),
        Route::Converse => write_message(reply, meta, body, out)?,
        Route::CountTokens => {
            let Object(Counted { input_tokens }) = serde_json::from_str(body)?;
            out.extend_from_slice(format!("{{\"input_tokens\":{input_tokens}}}").as_bytes());
        }
    }
    Ok(())
}

/// CountTokens' answer.
#[derive(Deserialize)]
struct Counted {
    #[serde(rename = "inputTokens")]
    input_tokens: u64,
}

fn write_message(
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
    open_message(reply, meta, &mut w);
    w.key("content").open('[');
    for (place, block) in blocks.iter().enumerate() {
        let following = blocks.get(place + 1..).unwrap_or_default();
        write_block(reply, meta, (place, block), following, &mut w);
    }
    w.close(']');
    write_stop(stop, answer.additional_model_response_fields, &mut w);
    write_usage(&answer.usage.unwrap_or_default(), &mut w);
    w.close('}');
    w.write_to(out);
    Ok(())
}

/// Writes what every message begins with.
pub(super) fn open_message(reply: &Reply, meta: &Meta, w: &mut Writer<'_>) {
    w.key("id").value(&format!("msg_{}", meta.id));
    w.key("type").value("message");
    w.key("role").value("assistant");
    w.key("model").value(&reply.model);
}

/// Writes why generation ended; Converse tells the sequence that ended it only in the model's own fields.
pub(super) fn write_stop(stop: Stop, fields: Option<&RawValue>, w: &mut Writer<'_>) {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Fields<'a> {
        #[serde(borrow)]
        stop_sequence: Option<Literal<'a>>,
        #[serde(borrow)]
        delta: Option<Delta<'a>>,
    }
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Delta<'a> {
        #[serde(borrow)]
        stop_sequence: Option<Literal<'a>>,
    }
    let fields: Fields = fields
        .and_then(|fields| serde_json::from_str(fields.get()).ok())
        .unwrap_or_default();
    w.key("stop_reason").value(stop_reason(stop));
    let in_delta = || fields.delta?.stop_sequence;
    let sequence = fields
        .stop_sequence
        .or_else(in_delta)
        .filter(|_| stop == Stop::Sequence);
    w.key("stop_sequence")
        .json(sequence.map_or("null", |sequence| sequence.0));
}

/// Writes the block in this place, with the citations of those that follow and have no text of their own.
fn write_block<'a>(
    reply: &Reply,
    meta: &Meta,
    (place, block): (usize, &'a ContentBlock<'a>),
    following: &[ContentBlock<'a>],
    w: &mut Writer<'a>,
) {
    if let Some(call) = block.call() {
        let (Text(id), Text(name)) = (&call.tool_use_id, &call.name);
        w.item().open('{');
        w.key("type").value("tool_use");
        w.key("id").string(&call_id(id, meta, place));
        w.key("name").value(reply.tools.for_client(name));
        w.key("input")
            .json(call.input.map_or("{}", |input| input.get()));
        w.close('}');
    } else if let Some(reasoning) = &block.reasoning_content {
        write_reasoning(reasoning, w);
    } else if block.text.is_some() || block.citations_content.is_some() {
        write_text(block, following, w);
    } else if let Some(picture) = block.image.as_ref().and_then(Picture::of) {
        w.item().open('{');
        w.key("type").value("image");
        w.key("source");
        picture.write_source(w);
        w.close('}');
    } else {
        let named = match block {
            block if block.image.is_some() => NO_PICTURE,
            block if block.audio.is_some() => AUDIO,
            block if block.is_unknown() => UNKNOWN,
            // What Bedrock's own tools were called with and gave.
            _ => return,
        };
        w.item().open('{');
        w.key("type").value("text");
        w.key("text").json(named.0);
        w.close('}');
    }
}

fn write_reasoning<'a>(reasoning: &ReasoningContent<'a>, w: &mut Writer<'a>) {
    if let Some(shown) = &reasoning.reasoning_text {
        let or_empty = |text: Option<Literal<'a>>| text.map_or("\"\"", |text| text.0);
        w.item().open('{');
        w.key("type").value("thinking");
        w.key("thinking").json(or_empty(shown.text));
        w.key("signature").json(or_empty(shown.signature));
        w.close('}');
    } else if let Some(data) = reasoning.redacted_content {
        w.item().open('{');
        w.key("type").value("redacted_thinking");
        w.key("data").value(&super::stream::redacted(data));
        w.close('}');
    }
}

/// Anthropic refuses an empty text when it comes back, so citations that stand alone go to the text before them.
fn write_text<'a>(block: &ContentBlock<'a>, following: &[ContentBlock<'a>], w: &mut Writer<'a>) {
    if cites_only(block) {
        return;
    }
    w.item().open('{');
    w.key("type").value("text");
    w.key("text").open('"');
    for text in texts(block) {
        w.inside_string(text);
    }
    w.close('"');
    let alone = following.iter().take_while(|block| cites_only(block));
    let citations: Vec<&RawValue> = [block]
        .into_iter()
        .chain(alone)
        .flat_map(citations)
        .collect();
    if !citations.is_empty() {
        w.key("citations").open('[');
        for one in citations {
            citation::write(one, w);
        }
        w.close(']');
    }
    w.close('}');
}

fn texts<'a>(block: &ContentBlock<'a>) -> impl Iterator<Item = Literal<'a>> {
    let cited = block
        .citations_content
        .iter()
        .flat_map(|cited| &cited.content);
    let cited = cited.filter_map(|piece| piece.text);
    block.text.into_iter().chain(cited)
}

fn citations<'a>(block: &ContentBlock<'a>) -> Vec<&'a RawValue> {
    let citations = block
        .citations_content
        .as_ref()
        .and_then(|cited| cited.citations);
    citations
        .and_then(|citations| serde_json::from_str(citations.get()).ok())
        .unwrap_or_default()
}

/// Whether a block has sources, and nothing that was said.
fn cites_only(block: &ContentBlock<'_>) -> bool {
    block.citations_content.is_some() && texts(block).all(Literal::is_empty)
}
