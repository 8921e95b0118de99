//! Responses requests into Converse (rules R1 to R11 and C1 to C5 of the translation).
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod common;
#[path = "common/planning.rs"]
#[allow(dead_code, reason = "each file of tests uses a part of it")]
mod planning;
#[path = "common/responses.rs"]
mod responses;
#[path = "common/stream.rs"]
#[allow(dead_code, reason = "each file of tests uses a part of it")]
mod stream;

use common::settings;
use gateway::bedrock::{Operation, VendorApi};
use gateway::settings::ResponsesVia;
use gateway::{Api, Guardrail, Settings, inspect};
use planning::{JSON, planned, sent};
use responses::{RESPONSES, SECRET, asked, converse, converse_in, refused, wrong};
use serde_json::{Value, json};

const NOVA: &str = "amazon.nova-pro-v1:0";

fn user(text: &str) -> Value {
    json!({"role": "user", "content": [{"text": text}]})
}

fn call(id: &str) -> Value {
    json!({"type": "function_call", "call_id": id, "name": "f", "arguments": "{\"a\":1}"})
}

fn output(id: &str) -> Value {
    json!({"type": "function_call_output", "call_id": id, "output": format!("out {id}")})
}

fn tool_use(id: &str) -> Value {
    json!({"toolUse": {"toolUseId": id, "name": "f", "input": {"a": 1}}})
}

fn result(id: &str) -> Value {
    json!({"toolResult": {"toolUseId": id, "content": [{"text": format!("out {id}")}]}})
}

#[test]
fn instructions_come_first_and_a_string_is_a_users_message() {
    let body = converse(json!({"instructions": "I \"q\"\n", "input": "hi"}));
    assert_eq!(body["system"], json!([{"text": "I \"q\"\n"}]));
    assert_eq!(body["messages"], json!([user("hi")]));
    let body = converse(json!({"instructions": "I", "input": [
        {"role": "system", "content": "S"},
        {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "D1"}, {"type": "input_text", "text": "D2"}]},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]},
    ]}));
    assert_eq!(
        body["system"],
        json!([{"text": "I"}, {"text": "S"}, {"text": "D1"}, {"text": "D2"}])
    );
    assert_eq!(body["messages"], json!([user("hi")]));
}

#[test]
fn messages_with_all_that_they_may_hold() {
    let body = converse(json!({"input": [
        {"role": "user", "content": [
            {"type": "input_text", "text": "look"},
            {"type": "input_image", "image_url": "data:image/png;base64,QUJD", "detail": "auto"},
            {"type": "input_image", "image_url": "s3://b/k.jpg", "detail": "low"},
            {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,QUJD"},
        ]},
        {"type": "message", "role": "assistant", "id": "msg_1", "status": "completed", "phase": "final_answer", "content": [
            {"type": "output_text", "text": "seen", "annotations": [], "logprobs": []},
            {"type": "refusal", "refusal": "no"},
        ]},
        {"role": "assistant", "content": ""},
        {"role": "user", "content": "more"},
    ]}));
    assert_eq!(
        body["messages"],
        json!([
            {"role": "user", "content": [
                {"text": "look"},
                {"image": {"format": "png", "source": {"bytes": "QUJD"}}},
                {"image": {"format": "jpeg", "source": {"s3Location": {"uri": "s3://b/k.jpg"}}}},
                {"document": {"format": "pdf", "name": "a", "source": {"bytes": "QUJD"}}},
            ]},
            {"role": "assistant", "content": [{"text": "seen"}, {"text": "no"}]},
            user("more"),
        ])
    );
}

#[test]
fn what_is_not_in_the_request_is_refused_by_name() {
    for (part, param) in [
        (
            json!({"type": "input_image", "file_id": SECRET}),
            "input[0].content[1].file_id",
        ),
        (
            json!({"type": "input_image", "image_url": format!("https://{SECRET}")}),
            "input[0].content[1].image_url",
        ),
        (
            json!({"type": "input_image"}),
            "input[0].content[1].image_url",
        ),
        (
            json!({"type": "input_file", "file_id": SECRET}),
            "input[0].content[1].file_id",
        ),
        (
            json!({"type": "input_file", "file_url": SECRET}),
            "input[0].content[1].file_url",
        ),
        (
            json!({"type": "input_file"}),
            "input[0].content[1].file_data",
        ),
        (json!({"type": "input_video"}), "input[0].content[1].type"),
        (json!({"type": "input_text"}), "input[0].content[1].text"),
        (json!({"text": SECRET}), "input[0].content[1].type"),
    ] {
        let input =
            json!([{"role": "user", "content": [{"type": "input_text", "text": "a"}, part]}]);
        assert_eq!(wrong(json!({"input": input})).0, param);
    }
    for (item, param) in [
        (
            json!({"type": "message", "content": SECRET}),
            "input[0].role",
        ),
        (json!({"role": SECRET, "content": "a"}), "input[0].role"),
        (json!({"type": SECRET}), "input[0].type"),
        (
            json!({"type": "function_call", "name": "f", "arguments": "{}"}),
            "input[0].call_id",
        ),
        (
            json!({"type": "function_call", "call_id": "c", "arguments": "{}"}),
            "input[0].name",
        ),
        (
            json!({"type": "function_call", "call_id": "c", "name": "f", "arguments": SECRET}),
            "input[0].arguments",
        ),
        (
            json!({"type": "function_call", "call_id": "c", "name": "f", "arguments": {}}),
            "input[0].arguments",
        ),
        (
            json!({"type": "custom_tool_call", "call_id": "c", "name": "f"}),
            "input[0].input",
        ),
        (
            json!({"type": "function_call_output", "output": "x"}),
            "input[0].call_id",
        ),
        (json!("S3CRET"), "input[0]"),
    ] {
        assert_eq!(wrong(json!({"input": [item]})).0, param);
    }
    assert_eq!(wrong(json!({"input": null})).0, "input");
    assert_eq!(wrong(json!({"input": {}})).0, "input");
    assert_eq!(wrong(json!({"input": 7})).0, "input");
}

#[test]
fn calls_and_outputs_are_paired_whatever_their_order() {
    let plain = json!([
        user("hi"),
        {"role": "assistant", "content": [tool_use("a"), tool_use("b")]},
        {"role": "user", "content": [result("a"), result("b")]},
    ]);
    let said = json!({"role": "user", "content": "hi"});
    for (items, results) in [
        ([call("a"), call("b"), output("a"), output("b")], ["a", "b"]),
        ([call("a"), call("b"), output("b"), output("a")], ["b", "a"]),
        // What came before its call stands behind the others.
        ([output("a"), call("a"), call("b"), output("b")], ["b", "a"]),
        ([output("a"), output("b"), call("a"), call("b")], ["a", "b"]),
    ] {
        let items: Vec<Value> = [said.clone()].into_iter().chain(items).collect();
        let messages = &converse(json!({"input": items}))["messages"];
        assert_eq!(
            messages.as_array().unwrap()[..2],
            plain.as_array().unwrap()[..2]
        );
        assert_eq!(
            messages[2],
            json!({"role": "user", "content": results.map(result)})
        );
    }
    // One after the other is two turns.
    let body = converse(json!({"input": [said, call("a"), output("a"), call("b"), output("b")]}));
    assert_eq!(
        body["messages"],
        json!([
            user("hi"),
            {"role": "assistant", "content": [tool_use("a")]},
            {"role": "user", "content": [result("a")]},
            {"role": "assistant", "content": [tool_use("b")]},
            {"role": "user", "content": [result("b")]},
        ])
    );
    // What came late goes where it belongs, whoever has spoken since.
    for between in [
        json!({"role": "assistant", "content": "m"}),
        json!({"role": "developer", "content": "d"}),
    ] {
        let body = converse(json!({"input": [
            said, call("a"), call("b"), output("a"), between, {"role": "user", "content": "x"}, output("b"),
        ]}));
        assert_eq!(body["messages"][1], plain[1]);
        assert_eq!(
            body["messages"][2]["content"].as_array().unwrap()[..2],
            [result("a"), result("b")]
        );
    }
    let body = converse(json!({"input": [
        said, call("a"), {"role": "developer", "content": "d"}, output("a"), {"role": "user", "content": "x"},
    ]}));
    assert_eq!(
        body["messages"][2],
        json!({"role": "user", "content": [result("a"), {"text": "d"}, {"text": "x"}]})
    );
    // An id may be used again.
    let body = converse(json!({"input": [
        said, call("a"), output("a"), {"role": "user", "content": "x"}, call("a"), output("a"),
    ]}));
    assert_eq!(body["messages"].as_array().unwrap().len(), 5);
}

#[test]
fn many_late_outputs_take_no_longer_than_their_number() {
    let mut items = vec![json!({"role": "user", "content": "hi"})];
    let count = 20_000;
    for number in 0..count {
        items.push(call(&format!("c{number}")));
        items.push(json!({"role": "user", "content": "x"}));
    }
    items.extend((0..count).map(|number| output(&format!("c{number}"))));
    let started = std::time::Instant::now();
    let body = converse(json!({"input": items}));
    assert!(started.elapsed().as_secs() < 20);
    let messages = body["messages"].as_array().unwrap();
    for (number, pair) in messages[1..].chunks(2).enumerate() {
        assert_eq!(
            pair[0]["content"][0]["toolUse"]["toolUseId"],
            format!("c{number}")
        );
        assert_eq!(
            pair[1]["content"][0]["toolResult"]["toolUseId"],
            format!("c{number}")
        );
    }
}

#[test]
fn a_call_without_an_output_and_the_reverse_are_refused() {
    let said = json!({"role": "user", "content": "hi"});
    assert_eq!(
        wrong(json!({"input": [said, call("a"), call("b"), output("b")]})),
        (
            "input[1]".to_owned(),
            "\"input[1]\" is a call without an output: send what the tool gave, or leave the call out.".to_owned()
        )
    );
    assert_eq!(
        wrong(json!({"input": [said, output("a")]})).0,
        "input[1].call_id"
    );
}

#[test]
fn an_output_is_text_or_parts() {
    let with = |output: Value| {
        let item = json!({"type": "function_call_output", "call_id": "a", "output": output});
        let body = converse(json!({"input": [{"role": "user", "content": "hi"}, call("a"), item]}));
        body["messages"][2]["content"][0]["toolResult"]["content"].clone()
    };
    assert_eq!(with(json!("r")), json!([{"text": "r"}]));
    assert_eq!(
        with(
            json!([{"type": "input_text", "text": "r"}, {"type": "input_image", "image_url": "data:image/png;base64,QUJD"}])
        ),
        json!([{"text": "r"}, {"image": {"format": "png", "source": {"bytes": "QUJD"}}}])
    );
    assert_eq!(with(json!("")), json!([{"text": "(no output)"}]));
    assert_eq!(with(Value::Null), json!([{"text": "(no output)"}]));
}

#[test]
fn calls_in_the_history_need_no_tools() {
    let body = converse(
        json!({"model": NOVA, "input": [{"role": "user", "content": "hi"}, call("a"), output("a")]}),
    );
    assert_eq!(
        body["toolConfig"],
        json!({"tools": [{"toolSpec": {"name": "f", "inputSchema": {"json": {"type": "object", "properties": {}}}}}]})
    );
}

#[test]
fn a_custom_tool_has_one_string() {
    let body = converse(json!({
        "tools": [
            {"type": "custom", "name": "patch", "description": "Edits.", "format": {"type": "grammar", "syntax": "lark", "definition": "start: a"}},
            {"type": "custom", "name": "free", "format": {"type": "text"}},
        ],
        "input": [
            {"role": "user", "content": "hi"},
            {"type": "custom_tool_call", "id": "ctc_1", "call_id": "a", "name": "patch", "input": "*** \"x\"\n"},
            {"type": "custom_tool_call_output", "call_id": "a", "output": "done"},
        ],
    }));
    let schema = json!({"json": {"type": "object", "properties": {"input": {"type": "string"}}, "required": ["input"]}});
    assert_eq!(
        body["toolConfig"]["tools"],
        json!([
            {"toolSpec": {"name": "patch", "inputSchema": schema,
                "description": "Edits.\n\nThe input is text that keeps to this grammar (lark):\nstart: a"}},
            {"toolSpec": {"name": "free", "inputSchema": schema}},
        ])
    );
    assert_eq!(
        body["messages"][1]["content"],
        json!([{"toolUse": {"toolUseId": "a", "name": "patch", "input": {"input": "*** \"x\"\n"}}}])
    );
    assert_eq!(
        body["messages"][2]["content"],
        json!([{"toolResult": {"toolUseId": "a", "content": [{"text": "done"}]}}])
    );
}

fn offered(body: &Value) -> Vec<&str> {
    let tools = body["toolConfig"]["tools"].as_array().unwrap();
    tools
        .iter()
        .map(|tool| tool["toolSpec"]["name"].as_str().unwrap())
        .collect()
}

#[test]
fn namespaces_are_part_of_their_tools_names() {
    let space = json!({"type": "namespace", "name": "crm", "description": "d", "tools": [
        {"type": "function", "name": "find", "defer_loading": true, "parameters": {"type": "object"}}]});
    let body = converse(json!({
        "tools": [space, {"type": "function", "name": "find"}],
        "tool_choice": {"type": "function", "name": "find", "namespace": "crm"},
        "input": [
            {"role": "user", "content": "hi"},
            {"type": "additional_tools", "role": "developer", "tools": [{"type": "function", "name": "late"}, space]},
            {"type": "function_call", "call_id": "a", "namespace": "crm", "name": "find", "arguments": "{}"},
            output("a"),
        ],
    }));
    assert_eq!(offered(&body), ["crm__find", "find", "late"]);
    assert_eq!(
        body["toolConfig"]["toolChoice"],
        json!({"tool": {"name": "crm__find"}})
    );
    assert_eq!(
        body["messages"][1]["content"][0]["toolUse"]["name"],
        "crm__find"
    );
    // Two tools of one name cannot be told apart.
    for other in [
        json!({"type": "function", "name": "crm__find"}),
        json!({"type": "namespace", "name": "crm", "tools": [{"type": "function", "name": "find"}]}),
        json!({"type": "custom", "name": "crm__find"}),
    ] {
        let param = match other["type"] == "namespace" {
            true => "tools[1].tools[0].name",
            false => "tools[1].name",
        };
        assert_eq!(wrong(json!({"tools": [space, other]})).0, param);
    }
    assert_eq!(
        wrong(json!({"tools": [{"type": "namespace", "name": "a", "tools": [space]}]})).0,
        "tools[0].tools[0].type"
    );
    assert_eq!(
        wrong(json!({"tools": [{"type": "tool_search", "execution": "client"}, {"type": "function", "name": "tool_search"}]})).0,
        "tools[1].name"
    );
}

#[test]
fn the_clients_search_for_tools_is_a_function() {
    let search = json!({"type": "tool_search", "execution": "client", "description": "Finds.", "parameters": {"type": "object", "properties": {"q": {"type": "string"}}}});
    let body = converse(json!({
        "tools": [search],
        "input": [
            {"role": "user", "content": "hi"},
            {"type": "tool_search_call", "call_id": "a", "execution": "client", "status": "completed", "arguments": {"q": "x"}},
            {"type": "tool_search_output", "call_id": "a", "execution": "client", "status": "completed",
                "tools": [{"type": "function", "name": "found", "parameters": {"type": "object"}}]},
            {"role": "user", "content": "use it"},
        ],
    }));
    assert_eq!(offered(&body), ["tool_search", "found"]);
    assert_eq!(
        body["messages"][1]["content"],
        json!([{"toolUse": {"toolUseId": "a", "name": "tool_search", "input": {"q": "x"}}}])
    );
    let found = body["messages"][2]["content"][0]["toolResult"]["content"][0]["text"]
        .as_str()
        .unwrap();
    assert_eq!(
        serde_json::from_str::<Value>(found).unwrap()[0]["name"],
        "found"
    );
    // One that OpenAI runs is left out, and what it found stays.
    let body = converse(json!({
        "tools": [{"type": "tool_search"}, {"type": "function", "name": "f"}],
        "input": [
            {"role": "user", "content": "hi"},
            {"type": "tool_search_call", "call_id": null, "execution": "server", "arguments": {"paths": []}},
            {"type": "tool_search_output", "call_id": null, "execution": "server", "tools": [{"type": "function", "name": "found"}]},
        ],
    }));
    assert_eq!(offered(&body), ["f", "found"]);
    assert_eq!(body["messages"], json!([user("hi")]));
}

#[test]
fn tools_that_openai_runs_are_left_out_unless_they_must_be_called() {
    for kind in [
        "web_search",
        "web_search_preview",
        "file_search",
        "code_interpreter",
        "image_generation",
        "computer_use_preview",
        "computer",
        "mcp",
    ] {
        let tools = json!([{"type": kind, "x": 1}, {"type": "function", "name": "f"}]);
        for choice in [json!(null), json!("auto"), json!("required"), json!("none")] {
            let body = asked(json!({"tools": tools, "tool_choice": choice}));
            let plan = planned(RESPONSES, &settings(), &[JSON], &body).unwrap();
            let sent: Value = serde_json::from_str(&sent(&plan, &body)).unwrap();
            assert_eq!(offered(&sent), ["f"], "{kind}");
            // A search that the client itself declines is not missed.
            let declined = kind.starts_with("web_search") && choice == "none";
            let note = plan.note.unwrap_or_default();
            assert_eq!(note.contains("left out tools."), !declined, "{kind}");
        }
        let refusal = wrong(json!({"tools": tools, "tool_choice": {"type": kind}}));
        assert_eq!(refusal.0, "tool_choice");
        let reason = match kind.starts_with("web_search") {
            true => "a web search, which Bedrock does not have for models of the family",
            false => "OpenAI runs itself",
        };
        assert!(refusal.1.contains(reason), "{}", refusal.1);
        let alone = json!([{"type": kind}]);
        assert_eq!(converse(json!({"tools": alone})).get("toolConfig"), None);
        assert_eq!(
            wrong(json!({"tools": alone, "tool_choice": "required"})).0,
            "tool_choice"
        );
    }
    // What they did is their own business.
    let body = converse(json!({"input": [
        {"role": "user", "content": "hi"},
        {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search", "query": "x"}},
        {"type": "image_generation_call", "id": "ig_1", "result": "QUJD"},
        {"type": "mcp_call", "id": "m", "name": "n", "arguments": "{}", "output": "o"},
        {"role": "assistant", "content": "found"},
        {"role": "user", "content": "thanks"},
    ]}));
    assert_eq!(
        body["messages"],
        json!([user("hi"), {"role": "assistant", "content": [{"text": "found"}]}, user("thanks")])
    );
}

#[test]
fn built_in_tools_are_refused_by_name() {
    for kind in ["local_shell", "shell", "apply_patch"] {
        let refusal = wrong(json!({"tools": [{"type": "function", "name": "f"}, {"type": kind}]}));
        assert_eq!(refusal.0, "tools[1].type");
        assert!(refusal.1.contains(kind));
        let refusal = wrong(json!({"tool_choice": {"type": kind}}));
        assert_eq!(refusal.0, "tool_choice.type");
        for item in ["call", "call_output"] {
            let kind = format!("{kind}_{item}");
            let refusal = wrong(json!({"input": [{"type": kind, "call_id": "a"}]}));
            assert_eq!(refusal.0, "input[0].type");
            assert!(refusal.1.contains(&kind));
        }
    }
    let refusal = wrong(json!({"tools": [{"type": "hologram"}]}));
    assert_eq!(refusal.0, "tools[0].type");
}

#[test]
fn each_choice_has_its_word() {
    let tools = json!([{"type": "function", "name": "f"}, {"type": "custom", "name": "g"}]);
    for (choice, word, left) in [
        (json!(null), Value::Null, 2),
        (json!("auto"), json!({"auto": {}}), 2),
        (json!("required"), json!({"any": {}}), 2),
        (
            json!({"type": "function", "name": "f"}),
            json!({"tool": {"name": "f"}}),
            2,
        ),
        (
            json!({"type": "custom", "name": "g"}),
            json!({"tool": {"name": "g"}}),
            2,
        ),
        (
            json!({"type": "allowed_tools", "mode": "required", "tools": [{"type": "custom", "name": "g"}, {"type": "web_search"}]}),
            json!({"any": {}}),
            1,
        ),
    ] {
        let body = converse(json!({"tools": tools, "tool_choice": choice, "max_tool_calls": 3}));
        assert_eq!(body["toolConfig"]["toolChoice"], word, "{choice}");
        assert_eq!(offered(&body).len(), left);
    }
    let body = converse(json!({"tools": tools, "parallel_tool_calls": false}));
    assert_eq!(
        body["additionalModelRequestFields"]["tool_choice"],
        json!({"type": "auto", "disable_parallel_tool_use": true})
    );
    for (choice, param) in [
        (json!("sometimes"), "tool_choice"),
        (json!({"type": "function", "name": "h"}), "tool_choice"),
        (json!({"type": "function"}), "tool_choice.name"),
        (
            json!({"type": "allowed_tools", "tools": []}),
            "tool_choice.mode",
        ),
    ] {
        assert_eq!(
            wrong(json!({"tools": tools, "tool_choice": choice})).0,
            param
        );
    }
}

#[test]
fn reasoning_that_is_not_ours_or_damaged_is_left_out() {
    for content in ["RU5DUllQVEVE", "gAAAAABofoo", "é"] {
        let body = converse(json!({"input": [
            {"role": "user", "content": "hi"},
            {"type": "reasoning", "id": "rs_0", "summary": [{"type": "summary_text", "text": "shown"}], "content": null, "encrypted_content": content},
            {"role": "assistant", "content": "a"},
            {"role": "user", "content": "b"},
        ]}));
        assert_eq!(
            body["messages"],
            json!([user("hi"), {"role": "assistant", "content": [{"text": "a"}]}, user("b")])
        );
    }
    // Without any, what is shown is what there is, for models that take it unsigned.
    let input = json!([
        {"role": "user", "content": "hi"},
        {"type": "reasoning", "id": "rs_0", "summary": [], "content": [{"type": "reasoning_text", "text": "shown"}]},
        {"role": "assistant", "content": "a"},
        {"role": "user", "content": "b"},
    ]);
    let body = converse(json!({"model": "openai.gpt-oss-120b-1:0", "input": input}));
    assert_eq!(
        body["messages"][1]["content"],
        json!([{"reasoningContent": {"reasoningText": {"text": "shown"}}}, {"text": "a"}])
    );
    let body = converse(json!({"input": input}));
    assert_eq!(body["messages"][1]["content"], json!([{"text": "a"}]));
}

#[test]
fn parameters_are_those_of_chat() {
    let body = converse(json!({
        "max_output_tokens": 5000, "temperature": 0.50, "metadata": {"k": "v"},
        "text": {"format": {"type": "json_schema", "name": "n", "strict": true,
            "schema": {"type": "object", "properties": {}, "additionalProperties": false}}, "verbosity": "low"},
        "truncation": "auto", "stream_options": {"include_obfuscation": false}, "include": ["reasoning.encrypted_content"],
        "store": true, "prompt_cache_key": "k", "client_metadata": {"a": 1}, "user": "u", "max_tool_calls": 1,
        "background": false, "previous_response_id": null, "conversation": null, "prompt": null, "service_tier": "auto",
        "context_management": [{"type": "compaction"}],
    }));
    assert_eq!(
        body["inferenceConfig"],
        json!({"maxTokens": 5000, "temperature": 0.5})
    );
    assert_eq!(body["requestMetadata"], json!({"k": "v"}));
    let format = &body["outputConfig"]["textFormat"];
    assert_eq!(format["structure"]["jsonSchema"]["name"], "n");
    let body = converse(
        json!({"reasoning": {"effort": "high", "summary": "auto"}, "max_output_tokens": 20000}),
    );
    assert_eq!(
        body["additionalModelRequestFields"]["thinking"]["type"],
        "enabled"
    );
    for (members, param) in [
        (json!({"reasoning": {"effort": ""}}), "reasoning.effort"),
        (json!({"reasoning": SECRET}), "reasoning"),
        (
            json!({"text": {"format": {"type": "json_schema"}}}),
            "text.format.schema",
        ),
        (
            json!({"text": {"format": {"type": SECRET}}}),
            "text.format.type",
        ),
        (json!({"max_output_tokens": 0}), "max_output_tokens"),
        (json!({"temperature": SECRET}), "temperature"),
        (json!({"service_tier": SECRET}), "service_tier"),
        (json!({"metadata": []}), "metadata"),
        (json!({"tools": {}}), "tools"),
        (json!({"instructions": 1}), "instructions"),
    ] {
        assert_eq!(wrong(members).0, param);
    }
}

#[test]
fn nothing_is_stored() {
    for (members, param) in [
        (
            json!({"previous_response_id": "resp_1"}),
            "previous_response_id",
        ),
        (json!({"conversation": "conv_1"}), "conversation"),
        (json!({"conversation": {"id": "conv_1"}}), "conversation"),
        (json!({"prompt": {"id": "pmpt_1"}}), "prompt"),
        (json!({"background": true}), "background"),
        (
            json!({"input": [{"type": "item_reference", "id": "msg_1"}]}),
            "input[0].type",
        ),
    ] {
        let refusal = refused(members);
        assert_eq!(refusal.param.as_deref(), Some(param));
        assert!(refusal.message.contains("stores nothing"), "{refusal}");
    }
    for path in [
        "/v1/responses/resp_1",
        "/v1/responses/resp_1/cancel",
        "/openai/v1/responses/resp_1/input_items",
    ] {
        for method in ["GET", "DELETE", "POST"] {
            let refusal = inspect(None, method, path, None).unwrap_err();
            assert_eq!(refusal.status, 404, "{method} {path}");
            assert!(refusal.message.contains("stored"));
        }
    }
    let refusal = inspect(None, "POST", "/v1/responses/compact", None).unwrap_err();
    assert_eq!(refusal.status, 404);
    assert_eq!(
        inspect(None, "GET", "/v1/responses", None)
            .unwrap_err()
            .status,
        405
    );
}

#[test]
fn the_operators_rules_hold() {
    let guardrail = Guardrail {
        id: "g".to_owned(),
        version: "1".to_owned(),
        trace: None,
    };
    let ruled = Settings {
        max_output_tokens: Some(100),
        guardrail: Some(&guardrail),
        ..settings()
    };
    let body = converse_in(&ruled, json!({"max_output_tokens": 5000}));
    assert_eq!(body["inferenceConfig"]["maxTokens"], 100);
    assert_eq!(body["guardrailConfig"]["guardrailIdentifier"], "g");
    let aliases = [("gpt-5".to_owned(), NOVA.to_owned())];
    let allowed = [NOVA.to_owned()];
    let named = Settings {
        aliases: &aliases,
        allow_models: &allowed,
        ..settings()
    };
    let body = asked(json!({"model": "gpt-5"}));
    let plan = planned(RESPONSES, &named, &[JSON], &body).unwrap();
    assert_eq!(plan.model.as_deref(), Some(NOVA));
    assert_eq!(plan.target, "/model/amazon.nova-pro-v1%3A0/converse");
    let body = asked(json!({}));
    let refusal = planned(RESPONSES, &named, &[JSON], &body).unwrap_err();
    assert_eq!(refusal.status, 403);
}

#[test]
fn a_model_that_is_at_home_in_bedrocks_own_api_is_called_there() {
    let native = Operation::VendorApi {
        api: VendorApi::OpenAiResponses,
        stream: false,
    };
    let via = |via| Settings {
        responses: via,
        ..settings()
    };
    for (model, how, operation) in [
        ("openai.gpt-5.4", ResponsesVia::Auto, native),
        ("us.openai.gpt-5.5", ResponsesVia::Auto, native),
        ("openai.gpt-5.6-sol", ResponsesVia::Auto, native),
        ("openai.gpt-6-sol", ResponsesVia::Auto, native),
        ("openai.gpt-7", ResponsesVia::Auto, native),
        ("xai.grok-4.3", ResponsesVia::Auto, native),
        (
            "openai.gpt-oss-120b-1:0",
            ResponsesVia::Auto,
            Operation::Converse,
        ),
        (NOVA, ResponsesVia::Auto, Operation::Converse),
        (NOVA, ResponsesVia::Native, native),
        (
            "openai.gpt-5.6-sol",
            ResponsesVia::Converse,
            Operation::Converse,
        ),
    ] {
        for path in [RESPONSES, "/openai/v1/responses"] {
            let body = json!({"model": model, "input": "hi", "store": false}).to_string();
            let plan = planned(path, &via(how), &[JSON], &body).unwrap();
            assert_eq!(plan.operation, operation, "{model} {how:?} {path}");
            assert_eq!(plan.api, Api::Responses);
            if operation == native {
                assert_eq!(plan.target, "/openai/v1/responses");
                assert_eq!(sent(&plan, &body), body);
            }
        }
    }
    // Chat Completions go there, too, where Converse has not got the model; Messages cannot.
    let body = r#"{"model":"openai.gpt-5.4","messages":[{"role":"user","content":"hi"}],"max_tokens":20,"stream":true}"#;
    let plan = planned("/v1/chat/completions", &settings(), &[JSON], body).unwrap();
    assert_eq!(plan.target, "/openai/v1/chat/completions");
    assert!(plan.operation.streams());
    // For the log; the client, which has not asked, does not see it.
    let asks = r#""stream":true,"stream_options":{"include_usage":true}}"#;
    assert_eq!(sent(&plan, body), body.replace(r#""stream":true}"#, asks));
    let refusal = planned("/v1/messages", &settings(), &[JSON], body).unwrap_err();
    assert_eq!(refusal.status, 400);
    assert!(
        refusal.message.contains("/openai/v1/responses"),
        "{refusal}"
    );
    // What goes there as it is may name no other model that is not allowed; what is translated has no such member.
    let allowed = ["openai.gpt-5.4".to_owned(), NOVA.to_owned()];
    let ruled = Settings {
        allow_models: &allowed,
        ..settings()
    };
    for (model, status) in [("openai.gpt-5.4", Some(403)), (NOVA, None)] {
        for (path, said) in [
            (RESPONSES, r#""input":"hi""#),
            (
                "/v1/chat/completions",
                r#""messages":[{"role":"user","content":"hi"}]"#,
            ),
        ] {
            let body = format!(r#"{{"model":"{model}","fallbacks":["openai.gpt-5.5"],{said}}}"#);
            let refusal = planned(path, &ruled, &[JSON], &body).err();
            assert_eq!(refusal.map(|refusal| refusal.status), status, "{body}");
        }
    }
    // A rule that cannot be kept there.
    let guardrail = Guardrail {
        id: "g".to_owned(),
        version: "1".to_owned(),
        trace: None,
    };
    let ruled = Settings {
        guardrail: Some(&guardrail),
        ..settings()
    };
    let body = r#"{"model":"openai.gpt-5.4","input":"hi"}"#;
    assert_eq!(
        planned(RESPONSES, &ruled, &[JSON], body)
            .unwrap_err()
            .status,
        403
    );
}

#[test]
fn tokens_of_an_input_are_counted() {
    let body = asked(json!({"instructions": "I", "max_output_tokens": 5}));
    let plan = planned("/v1/responses/input_tokens", &settings(), &[JSON], &body).unwrap();
    assert_eq!(plan.operation, Operation::CountTokens);
    let sent: Value = serde_json::from_str(&sent(&plan, &body)).unwrap();
    assert_eq!(
        sent,
        json!({"input": {"converse": {"messages": [user("hi")], "system": [{"text": "I"}]}}})
    );
    let relay = plan.relay(
        200,
        |name| (name == "content-type").then(|| "application/json".to_owned()),
        stream::now(),
    );
    let outcome = stream::fed(relay, [&br#"{"inputTokens":7}"#[..]], true);
    assert_eq!(
        String::from_utf8(outcome.sent).unwrap(),
        r#"{"object":"response.input_tokens","input_tokens":7}"#
    );
    let body = asked(json!({"model": NOVA}));
    let refusal = planned("/v1/responses/input_tokens", &settings(), &[JSON], &body).unwrap_err();
    assert_eq!(
        (refusal.status, refusal.param.as_deref()),
        (400, Some("model"))
    );
}

#[test]
fn what_codex_sends_becomes_a_conversation() {
    let turn = |number: u32| -> Value {
        let path = format!(
            "{}/../../fixtures/clients/codex-0.171-turn{number}.json",
            env!("CARGO_MANIFEST_DIR")
        );
        let case: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        let mut body = case["body"].clone();
        body["model"] = responses::CLAUDE.into();
        body
    };
    let body = converse(turn(1));
    assert_eq!(body["system"].as_array().unwrap().len(), 4);
    assert_eq!(
        offered(&body),
        [
            "exec_command",
            "write_stdin",
            "request_user_input",
            "apply_patch",
            "view_image",
            "get_goal",
            "create_goal",
            "update_goal",
            "tool_search"
        ]
    );
    let body = converse(turn(3));
    let kinds: Vec<Vec<String>> = body["messages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|message| {
            let blocks = message["content"].as_array().unwrap().iter();
            blocks
                .map(|block| block.as_object().unwrap().keys().next().unwrap().clone())
                .collect()
        })
        .collect();
    assert_eq!(
        kinds,
        [
            vec!["text", "text"],
            vec!["toolUse", "toolUse"],
            vec!["toolResult", "toolResult"],
            vec!["text", "toolUse"],
            vec!["toolResult"],
        ]
    );
    assert_eq!(
        body["messages"][3]["content"][1]["toolUse"]["input"]["input"],
        "*** Begin Patch\n*** Add File: a.txt\n+hello\n*** End Patch\n"
    );
}
