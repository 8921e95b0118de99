//! Anthropic's Messages as InvokeModel gives them.

use serde_json::{Map, Value, json};

use crate::{
    answers::{Answer, Block, Usage},
    invoke::{Chunks, Vendor, with_metrics},
};

/// The whole answer.
pub fn message(answer: &Answer) -> Value {
    let vendor = Vendor::Anthropic { named: true };
    let mut message = envelope(answer.turn);
    message.insert(
        "content".to_owned(),
        answer.blocks.iter().map(content).collect(),
    );
    message.insert(
        "stop_reason".to_owned(),
        json!(vendor.stop_word(answer.stop_reason)),
    );
    message.insert("stop_sequence".to_owned(), json!(answer.stop_sequence));
    if let Some(usage) = &answer.usage {
        message.insert("usage".to_owned(), usage_json(usage, usage.output));
    }
    Value::Object(message)
}

/// The message that a stream begins with: nothing said yet.
fn envelope(turn: usize) -> Map<String, Value> {
    let mut message = Map::new();
    for (name, value) in [
        ("id", json!(format!("msg_bdrk_Sim{turn:04}"))),
        ("type", json!("message")),
        ("role", json!("assistant")),
        ("model", json!("claude-bedrock-sim")),
        ("content", json!([])),
        ("stop_reason", Value::Null),
        ("stop_sequence", Value::Null),
    ] {
        message.insert(name.to_owned(), value);
    }
    message
}

fn content(block: &Block) -> Value {
    match block {
        Block::Text(text) => json!({"type": "text", "text": text.whole()}),
        Block::Reasoning(text, signature) => {
            json!({"type": "thinking", "thinking": text.whole(), "signature": signature})
        }
        Block::Redacted(data) => json!({"type": "redacted_thinking", "data": data}),
        Block::Tool { id, name, input } => {
            let input: Value = serde_json::from_str(&input.whole()).unwrap_or_default();
            json!({"type": "tool_use", "id": id, "name": name, "input": input})
        }
        // Only Converse's answers have that.
        Block::Search(_) => Value::Null,
    }
}

/// The answer as the events of Anthropic's own API, the metrics on the last.
pub fn chunks(answer: Answer) -> Chunks {
    let stop_reason = Vendor::Anthropic { named: true }.stop_word(answer.stop_reason);
    let mut message = envelope(answer.turn);
    let mut stop = json!({
        "type": "message_delta",
        "delta": {"stop_reason": stop_reason, "stop_sequence": answer.stop_sequence},
    });
    if let Some(usage) = &answer.usage {
        message.insert("usage".to_owned(), usage_json(usage, 1));
        if let Some(stop) = stop.as_object_mut() {
            stop.insert("usage".to_owned(), json!({"output_tokens": usage.output}));
        }
    }
    let start = json!({"type": "message_start", "message": message});
    let end = with_metrics(
        json!({"type": "message_stop"}),
        answer.usage,
        answer.metadata,
    );
    let blocks = (0..)
        .zip(answer.blocks)
        .flat_map(|(index, block)| block_chunks(index, block));
    Box::new(std::iter::once(start).chain(blocks).chain([stop, end]))
}

fn block_chunks(index: u64, block: Block) -> Chunks {
    let start = |content: Value| json!({"type": "content_block_start", "index": index, "content_block": content});
    let delta =
        move |delta: Value| json!({"type": "content_block_delta", "index": index, "delta": delta});
    let stop = json!({"type": "content_block_stop", "index": index});
    match block {
        Block::Text(text) => {
            let deltas = text
                .pieces()
                .map(move |piece| delta(json!({"type": "text_delta", "text": piece})));
            Box::new(
                std::iter::once(start(json!({"type": "text", "text": ""})))
                    .chain(deltas)
                    .chain([stop]),
            )
        }
        Block::Reasoning(text, signature) => {
            let start = start(json!({"type": "thinking", "thinking": "", "signature": ""}));
            let deltas = text
                .pieces()
                .map(move |piece| delta(json!({"type": "thinking_delta", "thinking": piece})));
            let signature = signature
                .map(|signature| delta(json!({"type": "signature_delta", "signature": signature})));
            Box::new(
                std::iter::once(start)
                    .chain(deltas)
                    .chain(signature)
                    .chain([stop]),
            )
        }
        Block::Redacted(data) => {
            let start = start(json!({"type": "redacted_thinking", "data": data}));
            Box::new([start, stop].into_iter())
        }
        Block::Tool { id, name, input } => {
            let start = start(json!({"type": "tool_use", "id": id, "name": name, "input": {}}));
            let deltas = input.pieces().map(move |piece| {
                delta(json!({"type": "input_json_delta", "partial_json": piece}))
            });
            Box::new(std::iter::once(start).chain(deltas).chain([stop]))
        }
        Block::Search(_) => Box::new(std::iter::empty()),
    }
}

fn usage_json(usage: &Usage, output: u64) -> Value {
    match usage.cache {
        None => json!({"input_tokens": usage.input, "output_tokens": output}),
        Some(cache) => json!({
            "input_tokens": usage.input,
            "output_tokens": output,
            "cache_read_input_tokens": cache.read,
            "cache_creation_input_tokens": cache.write_5m + cache.write_1h,
            "cache_creation": {
                "ephemeral_5m_input_tokens": cache.write_5m,
                "ephemeral_1h_input_tokens": cache.write_1h,
            },
        }),
    }
}
