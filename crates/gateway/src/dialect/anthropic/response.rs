//! Whole answers: Converse's as a message, CountTokens' as a count. Invoke's pass as they are.
//! <https://docs.claude.com/en/api/messages#response-id>

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Reply, Route, citation, stop_reason, write_usage};
use crate::bedrock::converse::answer::{
    CitationsContent, ContentBlock, ConverseAnswer, ReasoningContent,
};
use crate::dialect::Meta;
use crate::json::strict::Object;
use crate::json::text::{Literal, Text};
use crate::json::writer::Writer;

/// Writes the answer `body`.
///
/// # Errors
/// It is none of what was asked for.
pub(crate) fn write(
    reply: &Reply,
    meta: &Meta,
    body: &str,
    out: &mut Vec<u8>,
) -> Result<(), serde_json::Error> {
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
) -> Result<(), serde_json::Error> {
    let Object(answer): Object<ConverseAnswer> = serde_json::from_str(body)?;
    let mut w = Writer::new(body);
    w.open('{');
    open_message(reply, meta, &mut w);
    w.key("content").open('[');
    for block in &answer.output.message.content {
        write_block(reply, block, &mut w);
    }
    w.close(']');
    let word = answer.stop_reason.as_deref().unwrap_or_default();
    write_stop(word, answer.additional_model_response_fields, &mut w);
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
pub(super) fn write_stop(word: &str, fields: Option<&RawValue>, w: &mut Writer<'_>) {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Fields<'a> {
        #[serde(borrow)]
        stop_sequence: Option<Literal<'a>>,
    }
    let fields: Fields = fields
        .and_then(|fields| serde_json::from_str(fields.get()).ok())
        .unwrap_or_default();
    w.key("stop_reason").value(stop_reason(word));
    let sequence = fields.stop_sequence.filter(|_| word == "stop_sequence");
    w.key("stop_sequence")
        .json(sequence.map_or("null", |sequence| sequence.0));
}

fn write_block<'a>(reply: &Reply, block: &ContentBlock<'a>, w: &mut Writer<'a>) {
    if let Some(text) = block.text {
        w.item().open('{');
        w.key("type").value("text");
        w.key("text").json(text.0);
        w.close('}');
    } else if let Some(call) = &block.tool_use {
        let (Text(id), Text(name)) = (&call.tool_use_id, &call.name);
        w.item().open('{');
        w.key("type").value("tool_use");
        w.key("id").string(id);
        w.key("name").value(reply.tools.for_client(name));
        w.key("input")
            .json(call.input.map_or("{}", |input| input.get()));
        w.close('}');
    } else if let Some(reasoning) = &block.reasoning_content {
        write_reasoning(reasoning, w);
    } else if let Some(cited) = &block.citations_content {
        write_cited(cited, w);
    }
}

fn write_reasoning<'a>(reasoning: &ReasoningContent<'a>, w: &mut Writer<'a>) {
    if let Some(shown) = &reasoning.reasoning_text {
        w.item().open('{');
        w.key("type").value("thinking");
        w.key("thinking").json(shown.text.0);
        let signature = shown.signature.map_or("\"\"", |signature| signature.0);
        w.key("signature").json(signature);
        w.close('}');
    } else if let Some(data) = reasoning.redacted_content {
        w.item().open('{');
        w.key("type").value("redacted_thinking");
        w.key("data").value(&super::stream::redacted(data));
        w.close('}');
    }
}

fn write_cited<'a>(cited: &CitationsContent<'a>, w: &mut Writer<'a>) {
    w.item().open('{');
    w.key("type").value("text");
    w.key("text").open('"');
    for text in cited.content.iter().filter_map(|piece| piece.text) {
        w.inside_string(text);
    }
    w.close('"');
    let citations: Vec<&'a RawValue> = cited
        .citations
        .and_then(|citations| serde_json::from_str(citations.get()).ok())
        .unwrap_or_default();
    if !citations.is_empty() {
        w.key("citations").open('[');
        for one in citations {
            citation::write(one, w);
        }
        w.close(']');
    }
    w.close('}');
}
