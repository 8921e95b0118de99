//! Searching the web in the three dialects: the tool of Bedrock's own, where the model has it, and the sources of an answer.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod common;
#[path = "common/planning.rs"]
#[allow(dead_code, reason = "each file of tests uses a part of it")]
mod planning;
#[path = "common/stream.rs"]
#[allow(dead_code, reason = "each file of tests uses a part of it")]
mod stream;

use common::settings;
use gateway::{Refusal, Settings};
use planning::{JSON, planned, sent};
use serde_json::{Value, json};
use stream::{Ending, Outcome, fed, frame, relay_of};

const NOVA: &str = "us.amazon.nova-2-lite-v1:0";
const OTHERS: [&str; 3] = [
    "amazon.nova-lite-v1:0",
    "openai.gpt-oss-20b-1:0",
    "us.meta.llama3-3-70b-instruct-v1:0",
];
const CHAT: &str = "/v1/chat/completions";
const RESPONSES: &str = "/v1/responses";
const MESSAGES: &str = "/v1/messages";

fn merged(mut body: Value, members: &Value) -> String {
    let object = body.as_object_mut().unwrap();
    object.extend(members.as_object().unwrap().clone());
    body.to_string()
}

fn body(path: &str, model: &str, members: &Value) -> String {
    let hi = json!([{"role": "user", "content": "hi"}]);
    let body = match path {
        RESPONSES => json!({"model": model, "input": "hi"}),
        MESSAGES => json!({"model": model, "max_tokens": 9, "messages": hi}),
        _ => json!({"model": model, "messages": hi}),
    };
    merged(body, members)
}

/// `toolConfig` of what goes out, and the line for the log.
fn tool_config(
    settings: &Settings<'_>,
    path: &str,
    model: &str,
    members: &Value,
) -> Result<(Value, Option<String>), Refusal> {
    let body = body(path, model, members);
    let plan = planned(path, settings, &[JSON], &body)?;
    let sent: Value = serde_json::from_str(&sent(&plan, &body)).unwrap();
    Ok((sent["toolConfig"].clone(), plan.note))
}

fn function(path: &str) -> Value {
    let schema = json!({"type": "object", "properties": {}});
    match path {
        RESPONSES => json!({"type": "function", "name": "f", "parameters": schema}),
        MESSAGES => json!({"name": "f", "input_schema": schema}),
        _ => json!({"type": "function", "function": {"name": "f", "parameters": schema}}),
    }
}

fn search(path: &str) -> Value {
    match path {
        RESPONSES => {
            json!({"type": "web_search", "external_web_access": true, "search_context_size": "low", "user_location": {"type": "approximate"}})
        }
        _ => json!({"type": "web_search_20250305", "name": "web_search", "max_uses": 8}),
    }
}

fn grounding() -> Value {
    json!({"systemTool": {"name": "nova_grounding"}})
}

fn offered(config: &Value) -> Vec<&str> {
    let tools = config["tools"].as_array().into_iter().flatten();
    tools
        .map(|tool| {
            let tool = tool.get("toolSpec").or(tool.get("systemTool")).unwrap();
            tool["name"].as_str().unwrap()
        })
        .collect()
}

#[test]
fn it_is_a_tool_of_bedrocks_own_where_the_model_has_it() {
    for (path, members) in [
        (CHAT, json!({"web_search_options": {}})),
        (
            CHAT,
            json!({"web_search_options": {"search_context_size": "high", "user_location": null}}),
        ),
        (RESPONSES, json!({"tools": [search(RESPONSES)]})),
        (
            RESPONSES,
            json!({"tools": [{"type": "web_search_preview", "filters": null}], "tool_choice": "auto"}),
        ),
        (
            RESPONSES,
            json!({"tools": [{"type": "web_search_2025_08_26"}]}),
        ),
        (MESSAGES, json!({"tools": [search(MESSAGES)]})),
        (
            MESSAGES,
            json!({"tools": [{"type": "web_search_20260209", "name": "web_search", "allowed_domains": []}], "tool_choice": {"type": "auto"}}),
        ),
    ] {
        for model in [
            NOVA,
            "us.amazon.nova-premier-v1:0",
            "amazon.nova-2-pro-v1:0",
        ] {
            let (config, note) = tool_config(&settings(), path, model, &members).unwrap();
            assert_eq!(
                config,
                json!({"tools": [grounding()]}),
                "{model} {path} {members}"
            );
            assert_eq!(note, None);
        }
    }
    for path in [RESPONSES, MESSAGES] {
        let members = json!({"tools": [search(path), function(path)]});
        let (config, _) = tool_config(&settings(), path, NOVA, &members).unwrap();
        assert_eq!(offered(&config), ["f", "nova_grounding"]);
    }
    let members =
        json!({"tools": [function(CHAT)], "web_search_options": {}, "tool_choice": "required"});
    let (config, _) = tool_config(&settings(), CHAT, NOVA, &members).unwrap();
    assert_eq!(offered(&config), ["f", "nova_grounding"]);
    assert_eq!(config["toolChoice"], json!({"any": {}}));
}

#[test]
fn where_the_model_decides_it_does_without() {
    for model in OTHERS {
        for (path, name) in [
            (RESPONSES, "tools.web_search"),
            (MESSAGES, "tools[].web_search"),
        ] {
            for tools in [json!([search(path)]), json!([search(path), function(path)])] {
                let (config, note) =
                    tool_config(&settings(), path, model, &json!({"tools": tools})).unwrap();
                assert!(!offered(&config).contains(&"nova_grounding"));
                assert!(note.unwrap().contains(&format!("left out {name}")));
            }
        }
    }
    // Nor does it search where the client would have it keep to some sites, or to what is known already.
    for (path, tool) in [
        (
            RESPONSES,
            json!({"type": "web_search", "filters": {"allowed_domains": ["e.com"]}}),
        ),
        (
            RESPONSES,
            json!({"type": "web_search", "external_web_access": false}),
        ),
        (
            MESSAGES,
            json!({"type": "web_search_20250305", "name": "web_search", "blocked_domains": ["e.com"]}),
        ),
        (
            MESSAGES,
            json!({"type": "web_search_20250305", "name": "web_search", "allowed_domains": ["e.com"]}),
        ),
    ] {
        let (config, note) =
            tool_config(&settings(), path, NOVA, &json!({"tools": [tool]})).unwrap();
        assert_eq!(config, Value::Null, "{tool}");
        assert!(note.unwrap().contains("left out tools"));
    }
}

#[test]
fn where_the_model_must_search_it_is_refused_with_the_reason() {
    let function = |path| json!([search(path), function(path)]);
    let alone = |path| json!([search(path)]);
    for model in OTHERS {
        for (path, members, param) in [
            (
                CHAT,
                json!({"web_search_options": {}}),
                "web_search_options",
            ),
            (
                RESPONSES,
                json!({"tools": function(RESPONSES), "tool_choice": {"type": "web_search"}}),
                "tool_choice",
            ),
            (
                RESPONSES,
                json!({"tools": alone(RESPONSES), "tool_choice": "required"}),
                "tool_choice",
            ),
            (
                RESPONSES,
                json!({"tools": function(RESPONSES), "tool_choice": {"type": "allowed_tools", "mode": "required", "tools": [{"type": "web_search_preview"}]}}),
                "tool_choice",
            ),
            (
                MESSAGES,
                json!({"tools": function(MESSAGES), "tool_choice": {"type": "tool", "name": "web_search"}}),
                "tool_choice",
            ),
            (
                MESSAGES,
                json!({"tools": alone(MESSAGES), "tool_choice": {"type": "any"}}),
                "tool_choice",
            ),
        ] {
            let refusal = tool_config(&settings(), path, model, &members).unwrap_err();
            assert_eq!(refusal.status, 400);
            assert_eq!(refusal.param.as_deref(), Some(param));
            assert!(refusal.message.contains("web search"), "{refusal}");
            assert!(
                refusal.message.contains("models of the family"),
                "{refusal}"
            );
            // Nova decides by itself, and that is told.
            let (config, note) = tool_config(&settings(), path, NOVA, &members).unwrap();
            assert!(offered(&config).contains(&"nova_grounding"), "{members}");
            assert_eq!(config.get("toolChoice"), None);
            let told = note.is_some_and(|note| note.contains("left out tool_choice"));
            assert_eq!(told, param == "tool_choice", "{members}");
        }
    }
    let narrowed = json!({"type": "web_search", "filters": {"allowed_domains": ["S3CRET.com"]}});
    let members = json!({"tools": [narrowed], "tool_choice": {"type": "web_search"}});
    let refusal = tool_config(&settings(), RESPONSES, NOVA, &members).unwrap_err();
    assert_eq!(refusal.param.as_deref(), Some("tool_choice"));
    assert!(refusal.message.contains("some sites"), "{refusal}");
    assert!(!refusal.message.contains("S3CRET"));
    let members = json!({"tools": [function(RESPONSES)[1]], "tool_choice": {"type": "web_search"}});
    let refusal = tool_config(&settings(), RESPONSES, NOVA, &members).unwrap_err();
    assert!(refusal.message.contains("\"tools\" has none"), "{refusal}");
}

#[test]
fn who_says_no_tool_says_no_search() {
    for (path, members) in [
        (
            RESPONSES,
            json!({"tools": [search(RESPONSES)], "tool_choice": "none"}),
        ),
        (
            RESPONSES,
            json!({"tools": [search(RESPONSES), function(RESPONSES)], "tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "f"}]}}),
        ),
        (
            MESSAGES,
            json!({"tools": [search(MESSAGES)], "tool_choice": {"type": "none"}}),
        ),
    ] {
        let (config, _) = tool_config(&settings(), path, NOVA, &members).unwrap();
        assert!(!offered(&config).contains(&"nova_grounding"), "{members}");
    }
}

#[test]
fn the_operator_knows_better() {
    let mut on = gateway::family::Feature::new("meta.*".to_owned());
    on.add("web_search=on").unwrap();
    let mut off = gateway::family::Feature::new("amazon.*".to_owned());
    off.add("web_search=off").unwrap();
    let features = [on, off];
    let settings = Settings {
        families: gateway::family::Rules {
            features: &features,
            ..Default::default()
        },
        ..settings()
    };
    let members = json!({"tools": [search(RESPONSES)]});
    let (config, _) = tool_config(&settings, RESPONSES, OTHERS[2], &members).unwrap();
    assert_eq!(offered(&config), ["nova_grounding"]);
    let (config, note) = tool_config(&settings, RESPONSES, NOVA, &members).unwrap();
    assert_eq!(config, Value::Null);
    assert!(note.unwrap().contains("tools.web_search"));
}

#[test]
fn a_schema_is_asked_for_in_words_so_that_the_model_may_search() {
    let format = json!({"type": "json_schema", "json_schema": {"name": "s", "schema": {"type": "object", "properties": {}}}});
    let members = json!({"web_search_options": {}, "response_format": format});
    let (config, _) = tool_config(&settings(), CHAT, NOVA, &members).unwrap();
    assert_eq!(offered(&config), ["nova_grounding"]);
}

/// What Bedrock's own search leaves: calls and results that are nobody's, and sources behind the text that they are of.
fn blocks() -> Value {
    let page = |url: &str| json!({"location": {"web": {"url": url, "domain": "e.com"}}});
    json!([
        {"toolUse": {"toolUseId": "t", "name": "nova_grounding", "input": {"query": "q"}, "type": "server_tool_use"}},
        {"toolResult": {"toolUseId": "t", "content": [{"text": "[HIDDEN]"}], "status": "success", "type": "nova_grounding_result"}},
        {"text": "Gr\u{fc}\u{df}e \"a\""},
        {"citationsContent": {"citations": [page("https://e.com/1"), page("https://e.com/2")]}},
        {"citationsContent": {"citations": [{"title": "T", "location": {"web": {"url": "https://e.com/3"}}}]}},
        {"text": ". \u{1f980}"},
        {"text": " b"},
        {"citationsContent": {"citations": [page("https://e.com/1")]}},
        {"text": "."},
    ])
}

fn whole(path: &str) -> Outcome {
    let request = body(path, NOVA, &json!({}));
    let answer = json!({
        "output": {"message": {"role": "assistant", "content": blocks()}}, "stopReason": "end_turn",
        "usage": {"inputTokens": 1, "outputTokens": 2, "totalTokens": 3, "serverToolUsage": {}},
    })
    .to_string();
    let relay = relay_of(path, "*/*", &request, &settings(), 200, &[JSON]);
    let seen = fed(relay, [answer.as_bytes()], true);
    assert_eq!(seen.ending, Ending::Clean);
    assert_eq!(seen.facts.tool_calls, Some(0));
    seen
}

/// The same as events, as Bedrock sends them.
fn streamed(path: &str) -> Vec<Value> {
    let request = body(path, NOVA, &json!({"stream": true}));
    let mut bytes = event("messageStart", &json!({"role": "assistant"}));
    for (index, block) in blocks().as_array().unwrap().iter().enumerate() {
        let mut delta = |delta: Value| {
            bytes.extend(event(
                "contentBlockDelta",
                &json!({"contentBlockIndex": index, "delta": delta}),
            ));
        };
        if let Some(call) = block.get("toolUse") {
            let start =
                json!({"toolUse": {"toolUseId": "t", "name": call["name"], "type": call["type"]}});
            bytes.extend(event(
                "contentBlockStart",
                &json!({"contentBlockIndex": index, "start": start}),
            ));
            let input = json!({"contentBlockIndex": index, "delta": {"toolUse": {"input": call["input"].to_string()}}});
            bytes.extend(event("contentBlockDelta", &input));
        } else if let Some(result) = block.get("toolResult") {
            let start = json!({"toolResult": {"toolUseId": "t", "type": result["type"], "status": "success"}});
            bytes.extend(event(
                "contentBlockStart",
                &json!({"contentBlockIndex": index, "start": start}),
            ));
            let given =
                json!({"contentBlockIndex": index, "delta": {"toolResult": result["content"]}});
            bytes.extend(event("contentBlockDelta", &given));
        } else if let Some(text) = block.get("text").and_then(Value::as_str) {
            let (first, rest) = text.split_at(text.char_indices().nth(1).map_or(0, |at| at.0));
            delta(json!({"text": first}));
            delta(json!({"text": rest}));
        } else {
            for citation in block["citationsContent"]["citations"].as_array().unwrap() {
                delta(json!({"citation": citation}));
            }
        }
        bytes.extend(event(
            "contentBlockStop",
            &json!({"contentBlockIndex": index}),
        ));
    }
    bytes.extend(event("messageStop", &json!({"stopReason": "end_turn"})));
    let usage = json!({"usage": {"inputTokens": 1, "outputTokens": 2, "totalTokens": 3}, "metrics": {"latencyMs": 1}});
    bytes.extend(event("metadata", &usage));
    let headers = [
        ("content-type", "application/vnd.amazon.eventstream"),
        ("x-amzn-requestid", "r-1"),
    ];
    let feed = |size: usize| {
        let relay = relay_of(path, "*/*", &request, &settings(), 200, &headers);
        fed(relay, bytes.chunks(size), true)
    };
    let seen = feed(bytes.len());
    for size in [1, 7, 100] {
        assert_eq!(feed(size), seen);
    }
    assert_eq!(seen.ending, Ending::Clean);
    assert_eq!(seen.facts.tool_calls, Some(0));
    let text = String::from_utf8(seen.sent).unwrap();
    let data = text.lines().filter_map(|line| line.strip_prefix("data: "));
    data.filter(|data| *data != "[DONE]")
        .map(|data| serde_json::from_str(data).unwrap())
        .collect()
}

fn event(name: &str, payload: &Value) -> Vec<u8> {
    let headers = [
        (":message-type", "event"),
        (":event-type", name),
        (":content-type", "application/json"),
    ];
    frame(&headers, &payload.to_string())
}

const TEXT: &str = "Gr\u{fc}\u{df}e \"a\". \u{1f980} b.";

/// What each source is of, and which it is.
fn chat_annotations() -> Vec<Value> {
    let note = |start: usize, end: usize, url: &str, title: &str| json!({"type": "url_citation", "url_citation": {"start_index": start, "end_index": end, "url": url, "title": title}});
    vec![
        note(0, 9, "https://e.com/1", "e.com"),
        note(0, 9, "https://e.com/2", "e.com"),
        note(0, 9, "https://e.com/3", "T"),
        note(12, 14, "https://e.com/1", "e.com"),
    ]
}

#[test]
fn chat_has_annotations_of_the_message() {
    let seen = whole(CHAT);
    let answer: Value = serde_json::from_slice(&seen.sent).unwrap();
    let choice = &answer["choices"][0];
    assert_eq!(choice["message"]["content"], TEXT);
    assert_eq!(choice["message"]["annotations"], json!(chat_annotations()));
    assert_eq!(choice["message"].get("tool_calls"), None);
    assert_eq!(choice["finish_reason"], "stop");

    let (mut text, mut found) = (String::new(), Vec::new());
    for chunk in streamed(CHAT) {
        let delta = &chunk["choices"][0]["delta"];
        text.push_str(delta["content"].as_str().unwrap_or(""));
        assert_eq!(delta.get("tool_calls"), None);
        found.extend(
            delta["annotations"]
                .as_array()
                .into_iter()
                .flatten()
                .cloned(),
        );
    }
    assert_eq!(text, TEXT);
    for (number, note) in found.iter_mut().enumerate() {
        let index = note.as_object_mut().unwrap().remove("index");
        assert_eq!(index, Some(json!(number)));
    }
    assert_eq!(found, chat_annotations());
}

#[test]
fn responses_have_annotations_of_each_text() {
    let note = |end: usize, url: &str, title: &str| json!({"type": "url_citation", "start_index": 0, "end_index": end, "url": url, "title": title});
    let expected = json!([
        [
            "Gr\u{fc}\u{df}e \"a\"",
            [
                note(9, "https://e.com/1", "e.com"),
                note(9, "https://e.com/2", "e.com"),
                note(9, "https://e.com/3", "T")
            ]
        ],
        [". \u{1f980}", []],
        [" b", [note(2, "https://e.com/1", "e.com")]],
        [".", []],
    ]);
    let parts = |response: &Value| -> Value {
        let output = response["output"].as_array().unwrap();
        assert_eq!(output.len(), 1, "{response}");
        let parts = output[0]["content"].as_array().unwrap().iter();
        parts
            .map(|part| json!([part["text"], part["annotations"]]))
            .collect()
    };
    let seen = whole(RESPONSES);
    let response: Value = serde_json::from_slice(&seen.sent).unwrap();
    assert_eq!(parts(&response), expected);
    let events = streamed(RESPONSES);
    assert_eq!(parts(&events.last().unwrap()["response"]), expected);
    let added: Vec<&Value> = events
        .iter()
        .filter(|event| event["type"] == "response.output_text.annotation.added")
        .collect();
    let place = |event: &&Value| {
        (
            event["content_index"].as_u64().unwrap(),
            event["annotation_index"].as_u64().unwrap(),
        )
    };
    let places: Vec<(u64, u64)> = added.iter().map(place).collect();
    assert_eq!(places, [(0, 0), (0, 1), (0, 2), (2, 0)]);
}

#[test]
fn messages_have_citations_of_each_text() {
    let cited = |url: &str, title: Value| json!({"type": "web_search_result_location", "url": url, "title": title, "encrypted_index": "", "cited_text": ""});
    let expected = json!([
        {"type": "text", "text": "Gr\u{fc}\u{df}e \"a\"", "citations": [
            cited("https://e.com/1", json!("e.com")), cited("https://e.com/2", json!("e.com")), cited("https://e.com/3", json!("T"))]},
        {"type": "text", "text": ". \u{1f980}"},
        {"type": "text", "text": " b", "citations": [cited("https://e.com/1", json!("e.com"))]},
        {"type": "text", "text": "."},
    ]);
    let seen = whole(MESSAGES);
    let message: Value = serde_json::from_slice(&seen.sent).unwrap();
    assert_eq!(message["content"], expected);
    assert_eq!(message["stop_reason"], "end_turn");

    let mut content: Vec<Value> = Vec::new();
    for event in streamed(MESSAGES) {
        match event["type"].as_str().unwrap() {
            "content_block_start" => {
                assert_eq!(event["index"], content.len());
                content.push(event["content_block"].clone());
            }
            "content_block_delta" => {
                let block = content[usize::try_from(event["index"].as_u64().unwrap()).unwrap()]
                    .as_object_mut()
                    .unwrap();
                let delta = &event["delta"];
                match delta["type"].as_str().unwrap() {
                    "text_delta" => {
                        let said = format!(
                            "{}{}",
                            block["text"].as_str().unwrap(),
                            delta["text"].as_str().unwrap()
                        );
                        block.insert("text".to_owned(), json!(said));
                    }
                    "citations_delta" => {
                        let citations = block.entry("citations").or_insert_with(|| json!([]));
                        citations
                            .as_array_mut()
                            .unwrap()
                            .push(delta["citation"].clone());
                    }
                    other => panic!("{other}"),
                }
            }
            _ => {}
        }
    }
    assert_eq!(json!(content), expected);
}

#[test]
fn an_answer_goes_back_as_it_came() {
    let turns = |path: &str, said: Value| {
        let user = |text: &str| json!({"role": "user", "content": text});
        let name = if path == RESPONSES {
            "input"
        } else {
            "messages"
        };
        let request = body(
            path,
            NOVA,
            &json!({name: [user("hi"), said, user("thanks")]}),
        );
        let plan = planned(path, &settings(), &[JSON], &request).unwrap();
        let sent: Value = serde_json::from_str(&sent(&plan, &request)).unwrap();
        sent["messages"][1]["content"].clone()
    };
    let texts = |content: Value| -> String {
        let blocks = content.as_array().unwrap().iter();
        blocks
            .map(|block| block["text"].as_str().unwrap())
            .collect()
    };
    let answer = |path| serde_json::from_slice::<Value>(&whole(path).sent).unwrap();
    let chat = answer(CHAT)["choices"][0]["message"].clone();
    assert_eq!(texts(turns(CHAT, chat)), TEXT);
    let item = answer(RESPONSES)["output"][0].clone();
    assert_eq!(texts(turns(RESPONSES, item)), TEXT);
    let content = answer(MESSAGES)["content"].clone();
    let said = json!({"role": "assistant", "content": content});
    assert_eq!(texts(turns(MESSAGES, said)), TEXT);
}
