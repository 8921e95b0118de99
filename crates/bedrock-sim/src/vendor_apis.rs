//! The APIs of OpenAI and Anthropic that Bedrock has itself: an answer in their shapes, whole or as server-sent events.

use serde_json::{Value, json};

use crate::{
    answers::{Answer, Block, Usage},
    anthropic,
    errors::Refusal,
    operations::Operation,
    script::{Fault, FaultKind},
    stream::{Frames, fault_as_error},
};

/// Checks a body as far as the API is known for refusing it.
pub fn check(operation: Operation, body: &Value) -> Result<(), Refusal> {
    let required: &[&str] = match operation {
        Operation::OpenAiResponses => &["model", "input"],
        Operation::AnthropicMessages => &["model", "messages", "max_tokens"],
        _ => &["model", "messages"],
    };
    match required.iter().find(|name| body.get(**name).is_none()) {
        None => Ok(()),
        Some(name) => Err(Refusal::validation(format!("{name}: Field required"))),
    }
}

/// The whole answer.
pub fn json(operation: Operation, answer: &Answer, model: &str) -> Value {
    match operation {
        Operation::OpenAiResponses => response(answer, model),
        Operation::AnthropicMessages => anthropic::message(answer),
        _ => completion(answer, model),
    }
}

/// The answer in events; a fault that is one takes the place of the event it is at.
pub fn events(
    operation: Operation,
    answer: Answer,
    body: &Value,
    model: &str,
    fault: Option<&Fault>,
) -> Frames {
    let frames: Frames = match operation {
        Operation::OpenAiResponses => response_events(&answer, model),
        Operation::AnthropicMessages => {
            Box::new(anthropic::chunks(answer).map(|mut chunk| {
                // What invoke adds is its own.
                if let Some(members) = chunk.as_object_mut() {
                    members.remove("amazon-bedrock-invocationMetrics");
                }
                named(&chunk)
            }))
        }
        _ => {
            let counted = body
                .pointer("/stream_options/include_usage")
                .is_some_and(|wanted| wanted == true);
            chat_events(&answer, model, counted)
        }
    };
    let error = fault.and_then(|fault| Some((fault.at, fault_as_error(&fault.what)?)));
    match error {
        None => frames,
        Some((at, refusal)) => {
            let at = usize::try_from(at).unwrap_or(usize::MAX);
            let error = error_event(operation, &refusal);
            Box::new(frames.take(at).chain([error]))
        }
    }
}

/// What is left of a fault for the bytes of the stream: there are no checksums, and errors are events.
pub fn fault_of_bytes(fault: Option<Fault>) -> Option<Fault> {
    let cuts_off = |what: &FaultKind| {
        matches!(
            what,
            FaultKind::Truncated | FaultKind::Reset | FaultKind::Stall
        )
    };
    fault.filter(|fault| cuts_off(&fault.what))
}

fn data(event: &Value) -> Vec<u8> {
    format!("data: {event}\n\n").into_bytes()
}

fn named(event: &Value) -> Vec<u8> {
    let name = event
        .get("type")
        .and_then(Value::as_str)
        .unwrap_or_default();
    format!("event: {name}\ndata: {event}\n\n").into_bytes()
}

fn error_event(operation: Operation, refusal: &Refusal) -> Vec<u8> {
    let (kind, message) = (&refusal.exception, &refusal.message);
    match operation {
        Operation::OpenAiResponses => {
            named(&json!({"type": "error", "code": kind, "message": message, "param": null}))
        }
        Operation::AnthropicMessages => {
            named(&json!({"type": "error", "error": {"type": kind, "message": message}}))
        }
        _ => data(&json!({"error": {"message": message, "type": "server_error", "code": kind}})),
    }
}

fn finish_reason(stop_reason: &str) -> &str {
    match stop_reason {
        "tool_use" => "tool_calls",
        "max_tokens" => "length",
        "content_filtered" | "guardrail_intervened" => "content_filter",
        "end_turn" | "stop_sequence" => "stop",
        other => other,
    }
}

/// Input with the cached tokens in it, and how many of them are.
fn input(usage: &Usage) -> (u64, u64) {
    let read = usage.cache.map_or(0, |cache| cache.read);
    (usage.input + read, read)
}

fn chat_usage(usage: &Usage) -> Value {
    let (input, read) = input(usage);
    json!({
        "prompt_tokens": input, "completion_tokens": usage.output, "total_tokens": input + usage.output,
        "prompt_tokens_details": {"cached_tokens": read},
    })
}

fn tool_call(index: usize, id: &str, name: &str, arguments: &str) -> Value {
    json!({"index": index, "id": id, "type": "function", "function": {"name": name, "arguments": arguments}})
}

fn completion(answer: &Answer, model: &str) -> Value {
    let calls: Vec<Value> = calls(answer)
        .enumerate()
        .map(|(index, (id, name, input))| tool_call(index, id, name, &input))
        .collect();
    let text: String = answer.clone().text_pieces().collect();
    let mut message = json!({"role": "assistant", "content": text});
    if let (false, Some(members)) = (calls.is_empty(), message.as_object_mut()) {
        members.insert("tool_calls".to_owned(), json!(calls));
    }
    json!({
        "id": "chatcmpl-Sim0001", "object": "chat.completion", "created": 1, "model": model,
        "choices": [{"index": 0, "message": message, "finish_reason": finish_reason(answer.stop_reason)}],
        "usage": answer.usage.as_ref().map(chat_usage),
    })
}

fn chat_events(answer: &Answer, model: &str, counted: bool) -> Frames {
    let model = model.to_owned();
    let chunk = move |choices: Value, usage: Value| {
        data(&json!({
            "id": "chatcmpl-Sim0001", "object": "chat.completion.chunk", "created": 1, "model": model,
            "choices": choices, "usage": usage,
        }))
    };
    let choice = |delta: Value, finish: Value| json!([{"index": 0, "delta": delta, "finish_reason": finish}]);
    let calls: Vec<Value> = calls(answer)
        .enumerate()
        .flat_map(|(index, (id, name, input))| {
            let start = tool_call(index, id, name, "");
            let more = json!({"index": index, "function": {"arguments": input}});
            [
                json!({"tool_calls": [start]}),
                json!({"tool_calls": [more]}),
            ]
        })
        .collect();
    let finish = choice(json!({}), json!(finish_reason(answer.stop_reason)));
    let usage = answer.usage.filter(|_| counted);
    let deltas = std::iter::once(json!({"role": "assistant", "content": ""}))
        .chain(
            answer
                .clone()
                .text_pieces()
                .map(|text| json!({"content": text})),
        )
        .chain(calls);
    let choices = deltas
        .map(move |delta| (choice(delta, Value::Null), Value::Null))
        .chain([(finish, Value::Null)])
        .chain(usage.map(|usage| (json!([]), chat_usage(&usage))));
    Box::new(
        choices
            .map(move |(choices, usage)| chunk(choices, usage))
            .chain([b"data: [DONE]\n\n".to_vec()]),
    )
}

fn response(answer: &Answer, model: &str) -> Value {
    let text: String = answer.clone().text_pieces().collect();
    let mut output = Vec::new();
    if !text.is_empty() {
        output.push(json!({
            "type": "message", "id": "msg_Sim0001", "role": "assistant", "status": "completed",
            "content": [{"type": "output_text", "text": text, "annotations": []}],
        }));
    }
    output.extend(calls(answer).map(|(id, name, input)| function_call(id, name, &input)));
    let incomplete = answer.stop_reason == "max_tokens";
    let mut response = envelope(
        model,
        if incomplete {
            "incomplete"
        } else {
            "completed"
        },
    );
    if let Some(members) = response.as_object_mut() {
        members.insert("output".to_owned(), json!(output));
        if incomplete {
            members.insert(
                "incomplete_details".to_owned(),
                json!({"reason": "max_output_tokens"}),
            );
        }
        if let Some(usage) = &answer.usage {
            let (input, read) = input(usage);
            members.insert(
                "usage".to_owned(),
                json!({
                    "input_tokens": input, "input_tokens_details": {"cached_tokens": read},
                    "output_tokens": usage.output, "output_tokens_details": {"reasoning_tokens": 0},
                    "total_tokens": input + usage.output,
                }),
            );
        }
    }
    response
}

fn function_call(id: &str, name: &str, arguments: &str) -> Value {
    json!({
        "type": "function_call", "id": format!("fc_{id}"), "call_id": id, "name": name, "arguments": arguments,
        "status": "completed",
    })
}

fn envelope(model: &str, status: &str) -> Value {
    json!({
        "id": "resp_Sim0001", "object": "response", "created_at": 1, "model": model, "status": status,
        "error": null, "incomplete_details": null, "output": [], "parallel_tool_calls": true, "tool_choice": "auto",
        "tools": [], "usage": null,
    })
}

fn response_events(answer: &Answer, model: &str) -> Frames {
    let whole = response(answer, model);
    let last = format!(
        "response.{}",
        whole
            .get("status")
            .and_then(Value::as_str)
            .unwrap_or_default()
    );
    let items = whole
        .get("output")
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    let mut events =
        vec![json!({"type": "response.created", "response": envelope(model, "in_progress")})];
    for (index, item) in items.into_iter().enumerate() {
        let id = item.get("id").cloned().unwrap_or_default();
        let delta = |kind: &str, text: &str| {
            json!({
                "type": kind, "output_index": index, "item_id": id, "content_index": 0, "delta": text,
                "logprobs": [],
            })
        };
        let is_message = item.get("type").is_some_and(|kind| kind == "message");
        // An item begins with nothing in it yet.
        let mut added = item.clone();
        if let Some(members) = added.as_object_mut() {
            members.insert("status".to_owned(), json!("in_progress"));
            match is_message {
                true => members.insert("content".to_owned(), json!([])),
                false => members.insert("arguments".to_owned(), json!("")),
            };
        }
        events.push(
            json!({"type": "response.output_item.added", "output_index": index, "item": added}),
        );
        if is_message {
            let part = |text: &str| json!({"type": "output_text", "text": text, "annotations": []});
            let of_part = |kind: &str, text: &str| {
                json!({
                    "type": kind, "output_index": index, "item_id": id, "content_index": 0, "part": part(text),
                })
            };
            let text: String = answer.clone().text_pieces().collect();
            events.push(of_part("response.content_part.added", ""));
            events.extend(
                answer
                    .clone()
                    .text_pieces()
                    .map(|text| delta("response.output_text.delta", &text)),
            );
            events.push(json!({
                "type": "response.output_text.done", "output_index": index, "item_id": id, "content_index": 0,
                "text": text, "logprobs": [],
            }));
            events.push(of_part("response.content_part.done", &text));
        } else {
            let arguments = item
                .get("arguments")
                .and_then(Value::as_str)
                .unwrap_or_default();
            events.push(delta("response.function_call_arguments.delta", arguments));
            events.push(json!({
                "type": "response.function_call_arguments.done", "output_index": index, "item_id": id,
                "arguments": arguments,
            }));
        }
        events.push(
            json!({"type": "response.output_item.done", "output_index": index, "item": item}),
        );
    }
    events.push(json!({"type": last, "response": whole}));
    let numbered = events.into_iter().enumerate().map(|(number, mut event)| {
        if let Some(members) = event.as_object_mut() {
            members.insert("sequence_number".to_owned(), json!(number));
        }
        named(&event)
    });
    Box::new(numbered)
}

/// The calls of tools: id, name and input.
fn calls(answer: &Answer) -> impl Iterator<Item = (&str, &str, String)> {
    answer.blocks.iter().filter_map(|block| match block {
        Block::Tool { id, name, input } => Some((id.as_str(), name.as_str(), input.whole())),
        Block::Text(_) | Block::Reasoning(..) | Block::Redacted(_) | Block::Search(_) => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{answers::Request, script::Kind};

    const APIS: [Operation; 3] = [
        Operation::OpenAiChat,
        Operation::OpenAiResponses,
        Operation::AnthropicMessages,
    ];

    fn answer(kind: &Kind) -> Answer {
        let body = &Value::Null;
        Answer::new(kind, &Request { body, keys: &[] })
    }

    fn streamed(operation: Operation, kind: &Kind, fault: Option<&Fault>) -> String {
        let body = json!({"stream_options": {"include_usage": true}});
        let frames = events(operation, answer(kind), &body, "m", fault);
        String::from_utf8(frames.flatten().collect()).unwrap()
    }

    #[test]
    fn each_stream_ends_as_its_api_has_it_and_tells_the_counts() {
        for (operation, end, counts) in [
            (
                Operation::OpenAiChat,
                "data: [DONE]\n\n",
                "\"prompt_tokens\":1010",
            ),
            (Operation::OpenAiResponses, "\n\n", "\"input_tokens\":1010"),
            (
                Operation::AnthropicMessages,
                "data: {\"type\":\"message_stop\"}\n\n",
                "\"input_tokens\":10,",
            ),
        ] {
            let stream = streamed(operation, &Kind::Cached, None);
            assert!(stream.ends_with(end), "{stream}");
            assert!(stream.contains(counts), "{stream}");
        }
        let responses = streamed(Operation::OpenAiResponses, &Kind::Tools, None);
        let last = responses.rsplit("event: ").next().unwrap();
        assert!(last.starts_with("response.completed\n"), "{last}");
        assert_eq!(
            responses
                .matches("response.function_call_arguments.done\n")
                .count(),
            2
        );
    }

    #[test]
    fn a_fault_is_an_error_event_and_the_last() {
        let what = FaultKind::Exception("throttling".to_owned());
        let fault = Fault { at: 2, what };
        for operation in APIS {
            let stream = streamed(operation, &Kind::Text, Some(&fault));
            let events: Vec<&str> = stream.trim_end().split("\n\n").collect();
            assert_eq!(events.len(), 3, "{stream}");
            assert!(events[2].contains("ThrottlingException"), "{stream}");
        }
        assert_eq!(fault_of_bytes(Some(fault)), None);
    }

    #[test]
    fn what_an_api_needs_is_missed() {
        for operation in APIS {
            assert!(check(operation, &json!({"model": "m"})).is_err());
            let whole = json!({"model": "m", "messages": [], "input": "", "max_tokens": 1});
            assert!(check(operation, &whole).is_ok());
        }
    }
}
