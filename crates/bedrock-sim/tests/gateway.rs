//! What the gateway makes of clients' requests, for every family of models: the stand-in, whose facts are those of
//! `fixtures/families.json` and not the gateway's table, refuses none of it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use bedrock_sim::{operations::Operation, strict};
use gateway::settings::{Anthropic, Via};
use gateway::{Auth, Plan, Settings, inspect, plan};
use serde_json::{Value, json};

const CHAT: &str = "/v1/chat/completions";
const MESSAGES: &str = "/v1/messages";

#[test]
fn no_family_refuses_what_clients_ask() {
    let mut wrong = Vec::new();
    let (mut seen, mut refused) = (0, 0);
    for model in models() {
        let input = input_of(&model);
        let takes = |kind: &str| kind.is_empty() || input[kind] == true;
        let media = media().into_iter().filter(|(_, _, input, _)| takes(input));
        let media = media.map(|(name, path, _, request)| (name.to_owned(), path, request));
        for (name, path, request) in requests().into_iter().chain(media) {
            let mut body = request.clone();
            body["model"] = json!(model);
            for stream in [false, true] {
                body["stream"] = json!(stream);
                let text = body.to_string();
                let planned = match planned(path, &text) {
                    Ok(plan) => plan,
                    // Refused by name, before anything is sent.
                    Err(refusal) if refusal.contains("models of the family") => {
                        refused += 1;
                        continue;
                    }
                    Err(refusal) => {
                        wrong.push(format!("{model} {name}: {refusal}"));
                        continue;
                    }
                };
                let sent = sent(&planned, &text);
                let operation = match planned.operation {
                    gateway::bedrock::Operation::ConverseStream => Operation::ConverseStream,
                    gateway::bedrock::Operation::Converse => Operation::Converse,
                    other => panic!("{other:?}"),
                };
                seen += 1;
                if let Err(refusal) = strict::check(&model, operation, &sent) {
                    wrong.push(format!(
                        "{model} {name} {operation:?}: {}\n    {sent}",
                        refusal.message
                    ));
                }
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {seen} refused:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert!(seen > 20_000, "only {seen} requests");
    // Tools for those that have none.
    assert!(refused * 10 < seen, "{refused} requests were refused");
}

/// One model, or member that differs, for each family that Converse serves.
fn models() -> Vec<String> {
    let data: Value =
        serde_json::from_str(include_str!("../../../fixtures/families.json")).unwrap();
    let mut models = Vec::new();
    for family in data["families"].as_array().unwrap() {
        let members = family["members"].as_array().into_iter().flatten();
        let patterns = family["match"]
            .as_array()
            .unwrap()
            .iter()
            .chain(members.map(|member| &member["match"]));
        for pattern in patterns.map(|pattern| pattern.as_str().unwrap()) {
            let model = example(pattern);
            if strict::check(&model, Operation::Converse, &plain()).is_ok()
                && !models.contains(&model)
            {
                models.push(model);
            }
        }
    }
    models
}

/// The media that the source says a model takes.
fn input_of(model: &str) -> Value {
    let data: Value =
        serde_json::from_str(include_str!("../../../fixtures/families.json")).unwrap();
    let family = gateway::family::of(model, None, gateway::family::Rules::default());
    let families = data["families"].as_array().unwrap();
    let facts = families
        .iter()
        .find(|facts| facts["family"] == family.name)
        .unwrap();
    let mut input = facts["input"].clone();
    for member in facts["members"].as_array().into_iter().flatten() {
        for (name, value) in member["set"].as_object().unwrap() {
            if let Some(name) = name.strip_prefix("input.")
                && value == false
                && gateway::bedrock::model_id::matches(member["match"].as_str().unwrap(), model)
            {
                input[name] = json!(false);
            }
        }
    }
    input
}

fn example(pattern: &str) -> String {
    let pattern = pattern.replace("arn:*:", "arn:aws:bedrock:us-east-1:123456789012:");
    if let Some(dated) = pattern.strip_suffix("-2*") {
        return format!("{dated}-20250514-v1:0");
    }
    match pattern.as_str() {
        "*" => "somebody.model".to_owned(),
        "anthropic.claude-*" => "anthropic.claude-opus-6".to_owned(),
        "anthropic.claude-fable-5-*" | "anthropic.claude-mythos-5-*" => pattern.replace('*', "1"),
        "anthropic.claude-v*" => "anthropic.claude-v2:1".to_owned(),
        "anthropic.claude-3-5-*" => "anthropic.claude-3-5-sonnet-20241022-v2:0".to_owned(),
        "anthropic.claude-3-7-*" => "anthropic.claude-3-7-sonnet-20250219-v1:0".to_owned(),
        _ => match pattern.strip_suffix('*') {
            Some(prefix) if prefix.ends_with(['-', '.', '/', ':']) => format!("{prefix}x"),
            Some(prefix) => prefix.to_owned(),
            None => pattern,
        },
    }
}

fn plain() -> Value {
    json!({"messages": [{"role": "user", "content": [{"text": "Hi"}]}]})
}

/// What clients ask: each a name, a path, and a body but for its model.
fn requests() -> Vec<(String, &'static str, Value)> {
    let mut all = Vec::new();
    let base = json!({"messages": [{"role": "user", "content": "Hi"}]});
    let mut chat =
        |name: &str, members: Value| all.push((name.to_owned(), CHAT, with(&base, members)));
    chat("plain", json!({}));
    chat(
        "sampling",
        json!({"temperature": 1.7, "top_p": 0.5, "seed": 1}),
    );
    chat("stop", json!({"stop": ["\n", "END", "a", "b", "c", "d"]}));
    for limit in [1, 100_000_000] {
        chat("limit", json!({"max_tokens": limit}));
    }
    for effort in [
        "none", "minimal", "low", "medium", "high", "xhigh", "max", "somewhat",
    ] {
        let members = json!({"reasoning_effort": effort, "temperature": 0.2, "top_p": 0.9, "max_tokens": 3000});
        chat(&format!("effort {effort}"), members.clone());
        chat(
            &format!("effort {effort}, forced"),
            with(
                &members,
                json!({"tools": [tool()], "tool_choice": "required"}),
            ),
        );
        chat(
            &format!("effort {effort}, schema"),
            with(&members, json!({"response_format": format()})),
        );
        chat(
            &format!("effort {effort}, short"),
            json!({"reasoning_effort": effort, "max_tokens": 900}),
        );
        chat(
            &format!("effort {effort}, history"),
            with(&json!({"reasoning_effort": effort}), history()),
        );
    }
    for tier in ["auto", "default", "flex", "priority"] {
        chat(tier, json!({"service_tier": tier}));
    }
    chat(
        "metadata",
        json!({"metadata": {"user": "{\"a\":1}", "team": "qa", "n": 5}}),
    );
    chat("schema", json!({"response_format": format()}));
    let open = json!({"type": "object", "additionalProperties": {"type": "string"}});
    chat(
        "open schema",
        json!({"response_format": {"type": "json_schema", "json_schema": {"name": "p", "schema": open}}}),
    );
    let list = json!({"type": "array", "items": {"type": "string"}});
    chat(
        "list schema",
        json!({"response_format": {"type": "json_schema", "json_schema": {"name": "p", "schema": list}}}),
    );
    chat(
        "schema and tools",
        json!({"response_format": format(), "tools": [tool()]}),
    );
    chat("json", json!({"response_format": {"type": "json_object"}}));
    for choice in [
        json!("auto"),
        json!("none"),
        json!("required"),
        json!({"type": "function", "function": {"name": "bash"}}),
    ] {
        for parallel in [true, false] {
            chat(
                "choice",
                json!({"tools": [tool()], "tool_choice": choice, "parallel_tool_calls": parallel}),
            );
            chat(
                "choice of two",
                json!({"tools": [tool(), other_tool()], "tool_choice": choice, "parallel_tool_calls": parallel}),
            );
        }
    }
    chat(
        "strict",
        json!({"tools": [{"type": "function", "function": {"name": "f", "strict": true, "description": " ",
        "parameters": {"type": "object", "properties": {"n": {"type": "integer", "minimum": 0}}, "required": ["n"]}}}]}),
    );
    chat("schemas", json!({"tools": schemas()}));
    chat(
        "cached tools",
        json!({"tools": [with(&tool(), json!({"cache_control": {"type": "ephemeral", "ttl": "1h"}}))]}),
    );
    chat("history", history());
    chat(
        "history and tools",
        with(&history(), json!({"tools": [tool()]})),
    );
    chat(
        "history, none",
        with(
            &history(),
            json!({"tools": [tool()], "tool_choice": "none"}),
        ),
    );
    chat(
        "system alone",
        json!({"messages": [{"role": "system", "content": "Say hello."}]}),
    );
    chat(
        "system within",
        json!({"messages": [{"role": "system", "content": "a"}, {"role": "user", "content": "b"},
        {"role": "developer", "content": "c"}, {"role": "user", "content": "d"}]}),
    );
    chat(
        "assistant first and last",
        json!({"messages": [{"role": "assistant", "content": "Hello."},
        {"role": "user", "content": "Hi"}, {"role": "assistant", "content": "{\"a\": "}]}),
    );
    for thinking in [
        json!([{"type": "thinking", "thinking": "hm"}]),
        json!([{"type": "thinking", "thinking": "hm", "signature": "c2ln"}]),
        json!([{"type": "thinking", "thinking": "hm", "signature": ""}]),
        json!([{"type": "redacted_thinking", "data": "QUJD"}]),
    ] {
        chat(
            "thinking back",
            json!({"messages": [{"role": "user", "content": "q"},
            {"role": "assistant", "content": "a", "thinking_blocks": thinking}, {"role": "user", "content": "go on"}]}),
        );
        chat(
            "thinking alone",
            json!({"messages": [{"role": "user", "content": "q"},
            {"role": "assistant", "content": "", "thinking_blocks": thinking}, {"role": "user", "content": "go on"}]}),
        );
    }
    chat(
        "reasoning back",
        json!({"messages": [{"role": "user", "content": "q"},
        {"role": "assistant", "content": "a", "reasoning_content": "hm"}, {"role": "user", "content": "go on"}]}),
    );
    messages(&mut all);
    all
}

/// Requests with media, for those that take them: each with what it needs of a family's input.
fn media() -> Vec<(&'static str, &'static str, &'static str, Value)> {
    let image =
        json!({"type": "image_url", "image_url": {"url": format!("data:image/png;base64,{PNG}")}});
    let file = |name: &str| json!({"type": "file", "file": {"filename": name, "file_data": "JVBERi0xLjQgeA=="}});
    let chat = |content: Value| json!({"messages": [{"role": "user", "content": content}]});
    let call = json!({"id": "call_1", "type": "function", "function": {"name": "bash", "arguments": "{}"}});
    let gave = |content: Value| {
        json!({"tools": [tool()], "messages": [{"role": "user", "content": "run"},
            {"role": "assistant", "content": null, "tool_calls": [call]}, {"role": "tool", "tool_call_id": "call_1", "content": content}]})
    };
    let image_block = json!({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}});
    let text_document = json!({"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "Green."},
        "citations": {"enabled": true}});
    let pdf = json!({"type": "document", "context": "Old.", "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0xLjQgeA=="}});
    let result = |content: Value| {
        json!({"max_tokens": 100, "tools": [{"name": "bash", "input_schema": {"type": "object"}}], "messages": [{"role": "user", "content": "run"},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "toolu_1", "name": "bash", "input": {}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": content}]}]})
    };
    let message = |content: Value| json!({"max_tokens": 100, "messages": [{"role": "user", "content": content}]});
    let search = json!({"type": "search_result", "source": "https://example.com", "title": "E", "content": [{"type": "text", "text": "found"}]});
    vec![
        ("image", CHAT, "image", chat(json!([image]))),
        ("image as a result", CHAT, "image", gave(json!([image]))),
        ("file", CHAT, "document", chat(json!([file("a.pdf")]))),
        (
            "file as a result",
            CHAT,
            "document",
            gave(json!([file("a.pdf")])),
        ),
        ("text file", CHAT, "", chat(json!([file("a.md")]))),
        (
            "text document",
            MESSAGES,
            "",
            message(json!([text_document])),
        ),
        (
            "text document as a result",
            MESSAGES,
            "",
            result(json!([text_document])),
        ),
        ("pdf", MESSAGES, "document", message(json!([pdf]))),
        (
            "pdf as a result",
            MESSAGES,
            "document",
            result(json!([pdf])),
        ),
        (
            "image and text as a result",
            MESSAGES,
            "image",
            result(json!([image_block, {"type": "text", "text": "x"}])),
        ),
        ("search result", MESSAGES, "", message(json!([search]))),
        (
            "search result as a result",
            MESSAGES,
            "",
            result(json!([search])),
        ),
    ]
}

const PNG: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

fn messages(all: &mut Vec<(String, &'static str, Value)>) {
    let base = json!({"max_tokens": 4000, "messages": [{"role": "user", "content": "Hi"}]});
    let mut message =
        |name: &str, members: Value| all.push((name.to_owned(), MESSAGES, with(&base, members)));
    let cached = |text: &str, ttl: &str| json!({"type": "text", "text": text, "cache_control": {"type": "ephemeral", "ttl": ttl}});
    message("plain", json!({}));
    message(
        "parameters",
        json!({"temperature": 0.5, "top_p": 0.5, "top_k": 5, "stop_sequences": ["\n", "END"]}),
    );
    for thinking in [
        json!({"type": "enabled", "budget_tokens": 5000}),
        json!({"type": "enabled", "budget_tokens": 1024}),
        json!({"type": "adaptive"}),
        json!({"type": "disabled"}),
    ] {
        for effort in [None, Some("low"), Some("max")] {
            let mut members = json!({"thinking": thinking, "temperature": 1, "top_k": 3});
            if let Some(effort) = effort {
                members["output_config"] = json!({"effort": effort});
            }
            message(&format!("{thinking} {effort:?}"), members.clone());
            let forced = json!({"tools": [{"name": "t", "input_schema": {}}], "tool_choice": {"type": "tool", "name": "t"}});
            message(
                &format!("{thinking} {effort:?} forced"),
                with(&members, forced),
            );
        }
    }
    message("effort", json!({"output_config": {"effort": "xhigh"}}));
    message(
        "cache",
        json!({
            "system": [cached("a", "5m"), cached("b", "1h"), cached("c", "5m")],
            "tools": [{"name": "t", "input_schema": {"type": "object"}, "cache_control": {"type": "ephemeral", "ttl": "5m"}}],
            "messages": [{"role": "user", "content": [cached("d", "5m"), cached("e", "1h")]}, {"role": "assistant", "content": [
                {"type": "tool_use", "id": "toolu_1", "name": "t", "input": {}, "cache_control": {"type": "ephemeral"}}]},
                {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "x",
                    "cache_control": {"type": "ephemeral"}}, cached("f", "5m")]}],
        }),
    );
    message(
        "automatic cache",
        json!({"cache_control": {"type": "ephemeral", "ttl": "1h"}}),
    );
    message(
        "text document",
        json!({"messages": [{"role": "user", "content": [
        {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "The grass is green."},
         "cache_control": {"type": "ephemeral"}}]}]}),
    );
    message(
        "schema",
        json!({"output_config": {"format": {"type": "json_schema", "schema": schema()}}}),
    );
    message(
        "tool result",
        json!({"tools": [{"name": "bash", "input_schema": {"type": "object"}}], "messages": [
        {"role": "user", "content": "run"},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "functions.bash:0", "name": "bash", "input": {"a": 1}}]},
        {"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "functions.bash:0", "is_error": true},
            {"type": "text", "text": "And now?"}]}]}),
    );
    message(
        "interleaved",
        json!({"tools": [{"name": "bash", "input_schema": {"type": "object"}}], "messages": [
        {"role": "user", "content": "q"},
        {"role": "assistant", "content": [
            {"type": "thinking", "thinking": "one", "signature": "c2ln"}, {"type": "text", "text": "First."},
            {"type": "redacted_thinking", "data": "QUJD"},
            {"type": "tool_use", "id": "toolu_1", "name": "bash", "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "x"}]}]}),
    );
}

fn with(base: &Value, members: Value) -> Value {
    let mut body = base.clone();
    body.as_object_mut()
        .unwrap()
        .extend(members.as_object().unwrap().clone());
    body
}

fn tool() -> Value {
    json!({"type": "function", "function": {"name": "bash", "description": "Runs it.",
        "parameters": {"type": "object", "properties": {"cmd": {"type": "string"}}}}})
}

fn other_tool() -> Value {
    json!({"type": "function", "function": {"name": "server.read file", "parameters": {"oneOf": [
        {"type": "object", "properties": {"one": {"type": "string"}}}, {"type": "object", "properties": {"many": {"type": "string"}}}]}}})
}

fn schemas() -> Value {
    let schemas = [
        json!({}),
        json!({"properties": {"a": {"type": "string"}}}),
        json!({"type": "custom"}),
        json!({"type": ["object", "null"]}),
        json!({"$ref": "#/$defs/A", "$defs": {"A": {"type": "object", "properties": {"x": {"$ref": "#/$defs/B"}}}, "B": {"type": "string"}}}),
        json!({"type": "object", "properties": {"p": {"type": "string", "pattern": "^(?!x).*$"}}}),
        json!({"anyOf": [{"type": "object", "properties": {"a": {"type": "string"}}}, {"type": "null"}]}),
    ];
    let named = schemas.iter().enumerate();
    named.map(|(n, schema)| json!({"type": "function", "function": {"name": format!("f{n}"), "parameters": schema}})).collect()
}

fn schema() -> Value {
    json!({"type": "object", "required": ["age", "tags"], "properties": {"age": {"type": "integer", "minimum": 0},
        "tags": {"type": "array", "items": {"type": "string", "minLength": 1}, "maxItems": 3},
        "r": {"type": "object", "properties": {"x": {"oneOf": [{"type": "string"}, {"type": "null"}]}}}}})
}

fn format() -> Value {
    json!({"type": "json_schema", "json_schema": {"name": "p", "strict": true, "schema": schema()}})
}

/// Two calls of tools with ids of other vendors, one without a result to speak of; no tools.
fn history() -> Value {
    let call = |id: &str, name: &str| json!({"id": id, "type": "function", "function": {"name": name, "arguments": "{\"cmd\":\"ls\"}"}});
    json!({"messages": [
        {"role": "user", "content": "list the files"},
        {"role": "assistant", "content": null, "tool_calls": [call("functions.bash:0", "bash"), call("call|2", "server.read file")]},
        {"role": "tool", "tool_call_id": "functions.bash:0", "content": ""},
        {"role": "tool", "tool_call_id": "call|2", "content": "a.txt"},
        {"role": "user", "content": "Summarise the conversation so far."},
    ]})
}

fn planned(path: &str, body: &str) -> Result<Plan, String> {
    let settings = Settings {
        region: "us-east-1",
        endpoint: None,
        service: "bedrock",
        model: None,
        aliases: &[],
        families: gateway::family::Rules::default(),
        allow_models: &[],
        max_output_tokens: None,
        guardrail: None,
        auth: Auth::Sign,
        max_frame_size: 1 << 20,
        response_text: 0,
        hold_headers: true,
        anthropic: Anthropic {
            via: Via::Converse,
            beta: gateway::settings::Betas::default(),
        },
        responses: gateway::settings::ResponsesVia::default(),
    };
    let request = inspect(None, "POST", path, Some(body.as_bytes()))
        .map_err(|refusal| refusal.to_string())?;
    plan(
        &request,
        &settings,
        &[("content-type", "application/json")],
        body.as_bytes(),
    )
    .map_err(|refusal| refusal.to_string())
}

fn sent(plan: &Plan, body: &str) -> Value {
    let bytes: Vec<u8> = plan
        .body
        .pieces(body.as_bytes())
        .flatten()
        .copied()
        .collect();
    serde_json::from_slice(&bytes).unwrap()
}
