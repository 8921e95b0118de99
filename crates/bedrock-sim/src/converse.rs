//! Converse and ConverseStream: what a request must look like, and an answer in their shape.

use serde_json::{Map, Value, json};

use crate::{
    answers::{Answer, Block, Search, Usage},
    errors::Refusal,
    stream::{Event, Events},
};

/// Checks what Bedrock checks first of a body.
pub fn check(body: &Value, model_id: &str) -> Result<(), Refusal> {
    let members = body
        .as_object()
        .ok_or_else(|| Refusal::validation("The body must be a JSON object."))?;
    for name in ["model", "stream"] {
        if members.contains_key(name) {
            return Err(Refusal::validation(format!(
                "Malformed input request: extraneous key [{name}] is not permitted, please reformat your input and \
                 try again."
            )));
        }
    }
    let messages = match members.get("messages") {
        None if model_id.contains(":prompt/") => return Ok(()),
        None => return Err(constraint("messages", "Member must not be null")),
        Some(messages) => messages.as_array().map(Vec::as_slice).unwrap_or_default(),
    };
    if messages.is_empty() {
        return Err(constraint(
            "messages",
            "Member must have length greater than or equal to 1",
        ));
    }
    for (number, message) in (1..).zip(messages) {
        if !message.get("role").is_some_and(Value::is_string) {
            return Err(constraint(
                &format!("messages.{number}.member.role"),
                "Member must not be null",
            ));
        }
        if !message.get("content").is_some_and(Value::is_array) {
            return Err(constraint(
                &format!("messages.{number}.member.content"),
                "Member must not be null",
            ));
        }
    }
    Ok(())
}

fn constraint(place: &str, rule: &str) -> Refusal {
    Refusal::validation(format!(
        "1 validation error detected: Value at '{place}' failed to satisfy constraint: {rule}"
    ))
}

/// The answer as Converse's JSON. `request` is the request's body.
pub fn json(answer: &Answer, request: &Value) -> Value {
    let mut members = Map::new();
    let message = json!({"role": "assistant", "content": answer.blocks.iter().map(content).collect::<Vec<_>>()});
    members.insert("output".to_owned(), json!({"message": message}));
    members.insert("stopReason".to_owned(), json!(answer.stop_reason));
    members.extend(additional_fields(answer, request));
    if answer.metadata {
        members.insert("metrics".to_owned(), json!({"latencyMs": LATENCY_MS}));
    }
    if let Some(usage) = &answer.usage {
        members.insert("usage".to_owned(), usage_json(usage));
    }
    Value::Object(members)
}

/// The answer as ConverseStream's events.
pub fn events(answer: Answer, request: &Value) -> Events {
    let mut stop = Map::new();
    stop.insert("stopReason".to_owned(), json!(answer.stop_reason));
    stop.extend(additional_fields(&answer, request));
    let mut metadata = Map::new();
    metadata.insert("metrics".to_owned(), json!({"latencyMs": LATENCY_MS}));
    if let Some(usage) = &answer.usage {
        metadata.insert("usage".to_owned(), usage_json(usage));
    }
    let unknown = answer.unknown_event;
    let start = Event::new("messageStart", &json!({"role": "assistant"}));
    let blocks = (0..)
        .zip(answer.blocks)
        .flat_map(|(index, block)| block_events(index, block));
    Box::new(
        std::iter::once(start)
            .chain(unknown.then(Event::unknown))
            .chain(blocks)
            .chain(std::iter::once(Event::new(
                "messageStop",
                &Value::Object(stop),
            )))
            .chain(
                answer
                    .metadata
                    .then(|| Event::new("metadata", &Value::Object(metadata))),
            ),
    )
}

/// A block's events: text and reasoning have no `contentBlockStart`.
fn block_events(index: u64, block: Block) -> Events {
    let delta = move |delta: Value| {
        Event::new(
            "contentBlockDelta",
            &json!({"contentBlockIndex": index, "delta": delta}),
        )
    };
    let start = |start: Value| {
        Event::new(
            "contentBlockStart",
            &json!({"contentBlockIndex": index, "start": start}),
        )
    };
    let stop = Event::new("contentBlockStop", &json!({"contentBlockIndex": index}));
    match block {
        Block::Text(text) => {
            let deltas = text
                .pieces()
                .map(move |piece| delta(json!({"text": piece})));
            Box::new(deltas.chain([stop]))
        }
        Block::Reasoning(text, signature) => {
            let reasoning = move |part: Value| delta(json!({"reasoningContent": part}));
            let deltas = text
                .pieces()
                .map(move |piece| reasoning(json!({"text": piece})));
            let signature = signature.map(|signature| reasoning(json!({"signature": signature})));
            Box::new(deltas.chain(signature).chain([stop]))
        }
        Block::Redacted(bytes) => {
            let redacted = json!({"reasoningContent": {"redactedContent": bytes}});
            Box::new([delta(redacted), stop].into_iter())
        }
        Block::Tool { id, name, input } => {
            let tool = json!({"toolUse": {"toolUseId": id, "name": name}});
            let deltas = input
                .pieces()
                .map(move |piece| delta(json!({"toolUse": {"input": piece}})));
            Box::new(std::iter::once(start(tool)).chain(deltas).chain([stop]))
        }
        Block::Search(Search::Call(query)) => {
            let input = json!({"query": query}).to_string();
            let tool = json!({"toolUse": {"toolUseId": SEARCH, "name": "nova_grounding", "type": "server_tool_use"}});
            let input = delta(json!({"toolUse": {"input": input}}));
            Box::new([start(tool), input, stop].into_iter())
        }
        Block::Search(Search::Result) => {
            let result = json!({"toolResult": {"toolUseId": SEARCH, "status": "success", "type": "nova_grounding_result"}});
            let hidden = delta(json!({"toolResult": [{"text": "[HIDDEN]"}]}));
            Box::new([start(result), hidden, stop].into_iter())
        }
        Block::Search(Search::Sources(pages)) => {
            let deltas = pages
                .iter()
                .map(move |page| delta(json!({"citation": source(page)})));
            Box::new(deltas.chain([stop]))
        }
    }
}

/// A block of a whole answer.
fn content(block: &Block) -> Value {
    match block {
        Block::Text(text) => json!({"text": text.whole()}),
        Block::Reasoning(text, signature) => {
            let reasoning = match signature {
                Some(signature) => json!({"text": text.whole(), "signature": signature}),
                None => json!({"text": text.whole()}),
            };
            json!({"reasoningContent": {"reasoningText": reasoning}})
        }
        Block::Redacted(bytes) => json!({"reasoningContent": {"redactedContent": bytes}}),
        Block::Tool { id, name, input } => {
            let input: Value = serde_json::from_str(&input.whole()).unwrap_or_default();
            json!({"toolUse": {"toolUseId": id, "name": name, "input": input}})
        }
        Block::Search(Search::Call(query)) => json!({"toolUse": {
            "toolUseId": SEARCH, "name": "nova_grounding", "input": {"query": query}, "type": "server_tool_use",
        }}),
        Block::Search(Search::Result) => json!({"toolResult": {
            "toolUseId": SEARCH, "content": [{"text": "[HIDDEN]"}], "status": "success", "type": "nova_grounding_result",
        }}),
        Block::Search(Search::Sources(pages)) => {
            let sources: Vec<Value> = pages.iter().map(source).collect();
            json!({"citationsContent": {"citations": sources}})
        }
    }
}

fn source((url, domain): &(&str, &str)) -> Value {
    json!({"location": {"web": {"url": url, "domain": domain}}})
}

/// The id of Bedrock's own search.
const SEARCH: &str = "tooluse_Sim0006";

/// The stop sequence, for a request that asks for it.
fn additional_fields(answer: &Answer, request: &Value) -> Option<(String, Value)> {
    let paths = request
        .get("additionalModelResponseFieldPaths")?
        .as_array()?;
    let asked = paths.iter().any(|path| path == "/stop_sequence");
    let sequence = answer.stop_sequence.filter(|_| asked)?;
    Some((
        "additionalModelResponseFields".to_owned(),
        json!({"stop_sequence": sequence}),
    ))
}

fn usage_json(usage: &Usage) -> Value {
    let Some(cache) = usage.cache else {
        return json!({
            "inputTokens": usage.input, "outputTokens": usage.output, "totalTokens": usage.input + usage.output,
        });
    };
    let written = cache.write_1h + cache.write_5m;
    json!({
        "inputTokens": usage.input,
        "outputTokens": usage.output,
        "totalTokens": usage.input + usage.output + cache.read + written,
        "cacheReadInputTokens": cache.read,
        "cacheWriteInputTokens": written,
        "cacheDetails": [
            {"ttl": "1h", "inputTokens": cache.write_1h},
            {"ttl": "5m", "inputTokens": cache.write_5m},
        ],
    })
}

/// The latency every answer claims.
pub const LATENCY_MS: u64 = 42;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{answers::Request, script::Kind};

    fn answer(kind: &Kind) -> Answer {
        Answer::new(
            kind,
            &Request {
                body: &Value::Null,
                keys: &[],
            },
        )
    }

    #[test]
    fn bodies_are_checked() {
        let good = json!({"messages": [{"role": "user", "content": [{"text": "Hi"}]}]});
        check(&good, "m").unwrap();
        check(
            &json!({"promptVariables": {}}),
            "arn:aws:bedrock:us-east-1:123456789012:prompt/ABCDE12345:3",
        )
        .unwrap();
        for (body, text) in [
            (json!([]), "must be a JSON object"),
            (json!({}), "'messages' failed"),
            (json!({"messages": []}), "length greater than"),
            (
                json!({"messages": [{"content": []}]}),
                "'messages.1.member.role'",
            ),
            (
                json!({"messages": [{"role": "user", "content": "Hi"}]}),
                "'messages.1.member.content'",
            ),
            (
                json!({"model": "m", "messages": good["messages"]}),
                "extraneous key [model] is not permitted",
            ),
            (
                json!({"stream": true, "messages": good["messages"]}),
                "extraneous key [stream] is not permitted",
            ),
        ] {
            let message = check(&body, "m").unwrap_err().message;
            assert!(message.contains(text), "{message}");
        }
    }

    #[test]
    fn a_whole_answer_has_usage_and_metrics() {
        let expected = json!({
            "output": {"message": {"role": "assistant", "content": [{"text": "Hello from the Bedrock stand-in."}]}},
            "stopReason": "end_turn",
            "usage": {"inputTokens": 25, "outputTokens": 12, "totalTokens": 37},
            "metrics": {"latencyMs": 42},
        });
        assert_eq!(json(&answer(&Kind::Text), &Value::Null), expected);
        assert_eq!(
            json(&answer(&Kind::Cached), &Value::Null)["usage"]["totalTokens"],
            1230
        );
    }

    #[test]
    fn a_tool_call_is_streamed_in_pieces() {
        let events: Vec<Event> = events(answer(&Kind::Tool), &Value::Null).collect();
        let kinds: Vec<&str> = events.iter().map(|event| event.kind).collect();
        let delta = "contentBlockDelta";
        let expected = [
            "messageStart",
            "contentBlockStart",
            delta,
            delta,
            delta,
            delta,
            "contentBlockStop",
            "messageStop",
            "metadata",
        ];
        assert_eq!(kinds, expected);
        assert_eq!(
            events[3].payload,
            r#"{"contentBlockIndex":0,"delta":{"toolUse":{"input":"{\"ci"}}}"#
        );
    }

    #[test]
    fn the_stop_sequence_is_told_when_asked_for() {
        let request = json!({"additionalModelResponseFieldPaths": ["/stop_sequence"]});
        let stopped = answer(&Kind::Stop("stop_sequence"));
        let field = "additionalModelResponseFields";
        assert_eq!(
            json(&stopped, &request)[field],
            json!({"stop_sequence": "END"})
        );
        assert!(json(&stopped, &Value::Null).get(field).is_none());
    }
}
