//! Whole answers of Converse as a `chat.completion`.
//! <https://platform.openai.com/docs/api-reference/chat/object>

use super::{Reply, finish_reason, write_service_tier, write_usage};
use crate::bedrock::converse::answer::{ContentBlock, ConverseAnswer, ReasoningContent};
use crate::dialect::Meta;
use crate::json::strict::Object;
use crate::json::text::{Literal, Text, compact};
use crate::json::writer::Writer;

/// Writes the answer `body`.
///
/// # Errors
/// It is no answer of Converse.
pub(crate) fn write(
    reply: &Reply,
    meta: &Meta,
    body: &str,
    out: &mut Vec<u8>,
) -> Result<(), serde_json::Error> {
    let Object(answer): Object<ConverseAnswer> = serde_json::from_str(body)?;
    let blocks = &answer.output.message.content;
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
    write_thinking_blocks(blocks, &mut w);
    write_tool_calls(reply, blocks, &mut w);
    w.close('}');
    w.key("logprobs").json("null");
    let stop_reason = answer.stop_reason.as_deref().unwrap_or_default();
    w.key("finish_reason").value(finish_reason(stop_reason));
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
    block.text.into_iter().chain(cited)
}

fn reasoning<'a>(block: &ContentBlock<'a>) -> Option<Literal<'a>> {
    let reasoning = block.reasoning_content.as_ref()?;
    reasoning.reasoning_text.as_ref().map(|shown| shown.text)
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
            w.key("thinking").json(shown.text.0);
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

fn write_tool_calls<'a>(reply: &Reply, blocks: &[ContentBlock<'a>], w: &mut Writer<'a>) {
    let mut calls = blocks
        .iter()
        .filter_map(|block| block.tool_use.as_ref())
        .peekable();
    if calls.peek().is_none() {
        return;
    }
    w.key("tool_calls").open('[');
    for call in calls {
        let (Text(id), Text(name)) = (&call.tool_use_id, &call.name);
        let input = call.input.map_or("{}", |input| input.get());
        w.item().open('{');
        w.key("id").string(id);
        w.key("type").value("function");
        w.key("function").open('{');
        w.key("name").value(reply.tools.for_client(name));
        w.key("arguments").value(&compact(input));
        w.close('}');
        w.close('}');
    }
    w.close(']');
}
