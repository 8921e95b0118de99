//! Tools in Chat Completions requests, and their calls and results in the messages.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod common;
#[path = "common/openai.rs"]
mod openai;
#[path = "common/planning.rs"]
#[allow(dead_code, reason = "each file of tests uses a part of it")]
mod planning;

use openai::{converse, spelt, wrong};
use serde_json::{Value, json};

/// A request with these members, of a Claude that takes most of what there is, unless it names another model.
fn with(members: &str) -> String {
    let model = match members.contains(r#""model""#) {
        true => "",
        false => r#""model":"anthropic.claude-sonnet-4-5-20250929-v1:0","#,
    };
    let messages = match members.contains(r#""messages""#) {
        true => "",
        false => r#""messages":[{"role":"user","content":"hi"}],"#,
    };
    format!("{{{model}{messages}{members}}}")
}

const TOOL: &str = r#"{"type":"function","function":{"name":"f","parameters":{"type":"object"}}}"#;
/// A conversation in which a tool was called.
const CALLED: &str = r#""messages":[{"role":"user","content":"hi"},
    {"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":"{}"}}]},
    {"role":"tool","tool_call_id":"c1","content":"r"}]"#;

fn tool_spec() -> Value {
    json!({"toolSpec": {"name": "f", "inputSchema": {"json": {"type": "object"}}}})
}

#[test]
fn each_tool_becomes_its_specification() {
    let empty = json!({"type": "object", "properties": {}});
    for (function, spec) in [
        (
            r#"{"name":"f","description":"d","parameters":{"type":"object","properties":{"a":{"type":"string"}}},"strict":true}"#,
            json!({"name": "f", "description": "d", "strict": true,
                "inputSchema": {"json": {"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": false}}}),
        ),
        (
            r#"{"name":"f","description":"","strict":false}"#,
            json!({"name": "f", "inputSchema": {"json": empty}}),
        ),
        (
            r#"{"name":"f","description":null,"parameters":null,"strict":null}"#,
            json!({"name": "f", "inputSchema": {"json": empty}}),
        ),
        (
            r#"{"name":"f","parameters":{ }}"#,
            json!({"name": "f", "inputSchema": {"json": empty}}),
        ),
    ] {
        let body = converse(&with(&format!(
            r#""tools":[{{"type":"function","function":{function}}}]"#
        )));
        assert_eq!(
            body["toolConfig"],
            json!({"tools": [{"toolSpec": spec}]}),
            "{function}"
        );
    }
    // A schema goes on as it is spelt.
    let schema = r#"{ "type" : "object", "minimum" : 1.50e3, "x":"\u00e9\/" }"#;
    assert!(
        spelt(&with(&format!(
            r#""tools":[{{"type":"function","function":{{"name":"f","parameters":{schema}}}}}]"#
        )))
        .contains(&format!(r#""inputSchema":{{"json":{schema}}}"#))
    );
    for none in ["null", "[]"] {
        assert_eq!(
            converse(&with(&format!(r#""tools":{none},"tool_choice":"auto""#)))["toolConfig"],
            Value::Null
        );
    }
}

#[test]
fn tools_may_be_cached() {
    let body = converse(&with(
        r#""tools":[
            {"type":"function","function":{"name":"f","parameters":{"type":"object"}},"cache_control":{"type":"ephemeral","ttl":"1h"}},
            {"type":"function","function":{"name":"f","parameters":{"type":"object"},"cache_control":{"type":"ephemeral"}}}]"#,
    ));
    assert_eq!(
        body["toolConfig"]["tools"],
        json!([
            tool_spec(), {"cachePoint": {"type": "default", "ttl": "1h"}},
            tool_spec(), {"cachePoint": {"type": "default"}},
        ])
    );
}

#[test]
fn each_choice_has_its_word() {
    for (choice, word) in [
        ("null", Value::Null),
        (r#""auto""#, json!({"auto": {}})),
        (r#""required""#, json!({"any": {}})),
        (
            r#"{"type":"function","function":{"name":"f"}}"#,
            json!({"tool": {"name": "f"}}),
        ),
        (
            r#"{"type":"allowed_tools","allowed_tools":{"mode":"required","tools":[{"type":"function","function":{"name":"f"}}]}}"#,
            json!({"any": {}}),
        ),
    ] {
        let body = converse(&with(&format!(
            r#""tools":[{TOOL}],"tool_choice":{choice}"#
        )));
        assert_eq!(body["toolConfig"]["toolChoice"], word, "{choice}");
        assert_eq!(body["toolConfig"]["tools"], json!([tool_spec()]));
    }
    // Only what is allowed is shown to the model.
    let body = converse(&with(&format!(
        r#""tools":[{TOOL},{{"type":"function","function":{{"name":"g"}}}}],
           "tool_choice":{{"type":"allowed_tools","allowed_tools":{{"mode":"auto","tools":[{{"type":"function","function":{{"name":"f"}}}}]}}}}"#
    )));
    assert_eq!(
        body["toolConfig"],
        json!({"tools": [tool_spec()], "toolChoice": {"auto": {}}})
    );
}

#[test]
fn none_leaves_the_tools_out_unless_they_were_called() {
    let nova = r#""model":"amazon.nova-pro-v1:0""#;
    let body = converse(&with(&format!(
        r#"{nova},"tools":[{TOOL}],"tool_choice":"none""#
    )));
    assert_eq!(body.get("toolConfig"), None);
    let body = converse(&with(&format!(
        r#"{nova},"tools":[{TOOL}],"tool_choice":"none",{CALLED}"#
    )));
    assert_eq!(body["toolConfig"], json!({"tools": [tool_spec()]}));
    // Claude has a word of its own, and what is cached stays as it is.
    let body = converse(&with(&format!(r#""tools":[{TOOL}],"tool_choice":"none""#)));
    assert_eq!(body["toolConfig"], json!({"tools": [tool_spec()]}));
    assert_eq!(
        body["additionalModelRequestFields"]["tool_choice"],
        json!({"type": "none"})
    );
}

#[test]
fn one_call_at_a_time_is_claudes_own_choice() {
    for (choice, native) in [
        (
            r#""auto""#,
            json!({"type": "auto", "disable_parallel_tool_use": true}),
        ),
        (
            "null",
            json!({"type": "auto", "disable_parallel_tool_use": true}),
        ),
        (
            r#""required""#,
            json!({"type": "any", "disable_parallel_tool_use": true}),
        ),
        (
            r#"{"type":"function","function":{"name":"f"}}"#,
            json!({"type": "tool", "name": "f", "disable_parallel_tool_use": true}),
        ),
    ] {
        let rest =
            format!(r#""tools":[{TOOL}],"tool_choice":{choice},"parallel_tool_calls":false"#);
        let claude = converse(&with(&format!(
            r#"{rest},"additionalModelRequestFields":{{"top_k":5}}"#
        )));
        assert_eq!(
            claude["toolConfig"],
            json!({"tools": [tool_spec()]}),
            "{choice}"
        );
        assert_eq!(
            claude["additionalModelRequestFields"],
            json!({"top_k": 5, "tool_choice": native})
        );
        let other = converse(&with(&format!(r#""model":"amazon.nova-pro-v1:0",{rest}"#)));
        assert_eq!(other.get("additionalModelRequestFields"), None);
    }
    for said in ["true", "null"] {
        let body = converse(&with(&format!(
            r#""model":"anthropic.claude-x","tools":[{TOOL}],"parallel_tool_calls":{said}"#
        )));
        assert_eq!(body.get("additionalModelRequestFields"), None);
    }
    // There is nothing to choose from.
    let body = converse(&with(
        r#""model":"anthropic.claude-x","parallel_tool_calls":false"#,
    ));
    assert_eq!(body.get("additionalModelRequestFields"), None);
    let none = format!(
        r#""model":"anthropic.claude-x","tools":[{TOOL}],"tool_choice":"none","parallel_tool_calls":false"#
    );
    assert_eq!(
        converse(&with(&none))["additionalModelRequestFields"],
        json!({"tool_choice": {"type": "none"}})
    );
}

#[test]
fn calls_and_results_make_turns() {
    let body = converse(&with(&format!(
        r#""tools":[{TOOL}],"messages":[
            {{"role":"user","content":"hi"}},
            {{"role":"assistant","content":"wait","tool_calls":[
                {{"id":"c1","type":"function","function":{{"name":"f","arguments":"{{\"a\": [1, \"\\u00e9\"]}}"}}}},
                {{"id":"c2","function":{{"name":"f","arguments":""}}}},
                {{"id":"c3","type":null,"function":{{"name":"f","arguments":null}}}},
                {{"id":"c4","function":{{"name":"f"}}}}]}},
            {{"role":"tool","tool_call_id":"c1","name":"f","content":"one"}},
            {{"role":"user","content":"and?"}},
            {{"role":"tool","tool_call_id":"c2","content":[{{"type":"text","text":"two"}},{{"type":"text","text":""}},
                {{"type":"image_url","image_url":{{"url":"data:image/png;base64,AAAA"}}}}]}},
            {{"role":"tool","tool_call_id":"c3","content":""}},
            {{"role":"tool","tool_call_id":"c4","content":null}},
            {{"role":"assistant","tool_calls":[{{"id":"c5","type":"function","function":{{"name":"f","arguments":" "}}}}]}},
            {{"role":"assistant","content":"late"}},
            {{"role":"tool","tool_call_id":"c5","content":[{{"type":"text","text":"x","cache_control":{{"type":"ephemeral"}}}}]}}]"#
    )));
    let called =
        |id: &str, input: Value| json!({"toolUse": {"toolUseId": id, "name": "f", "input": input}});
    let result =
        |id: &str, content: Value| json!({"toolResult": {"toolUseId": id, "content": content}});
    assert_eq!(
        body["messages"],
        json!([
            {"role": "user", "content": [{"text": "hi"}]},
            {"role": "assistant", "content": [
                {"text": "wait"},
                called("c1", json!({"a": [1, "é"]})),
                called("c2", json!({})),
                called("c3", json!({})),
                called("c4", json!({})),
            ]},
            {"role": "user", "content": [
                result("c1", json!([{"text": "one"}])),
                result("c2", json!([{"text": "two"}, {"image": {"format": "png", "source": {"bytes": "AAAA"}}}])),
                result("c3", json!([{"text": "(no output)"}])),
                result("c4", json!([{"text": "(no output)"}])),
                {"text": "and?"},
            ]},
            {"role": "assistant", "content": [{"text": "late"}, called("c5", json!({}))]},
            {"role": "user", "content": [
                result("c5", json!([{"text": "x"}])), {"cachePoint": {"type": "default"}},
            ]},
        ])
    );
}

#[test]
fn arguments_keep_their_spelling() {
    let body = with(&CALLED.replace(
        r#""{}""#,
        r#""{ \"n\": 1.50e1,\"big\":12345678901234567890,\"n\":\"\\ud800\" }""#,
    ))
    .replacen('{', &format!(r#"{{"tools":[{TOOL}],"#), 1);
    let input = r#""input":{ "n": 1.50e1,"big":12345678901234567890,"n":"\ud800" }"#;
    assert!(spelt(&body).contains(input), "{}", spelt(&body));
}

#[test]
fn ids_and_names_become_legal() {
    let body = converse(&with(
        r#""tools":[{"type":"function","function":{"name":"ns.f","parameters":{"type":"object"}}}],
           "tool_choice":{"type":"function","function":{"name":"ns.f"}},
           "messages":[{"role":"user","content":"hi"},
            {"role":"assistant","tool_calls":[{"id":"call|1","type":"function","function":{"name":"ns.f","arguments":"{}"}}]},
            {"role":"tool","tool_call_id":"call|1","content":"r"}]"#,
    ));
    // echo -n 'call|1' | sha256sum; echo -n 'ns.f' | sha256sum
    let (id, name) = ("call_1_c26e9779", "ns_f_611c07cd");
    assert_eq!(
        body["messages"][1]["content"][0]["toolUse"],
        json!({"toolUseId": id, "name": name, "input": {}})
    );
    assert_eq!(
        body["messages"][2]["content"][0]["toolResult"]["toolUseId"],
        id
    );
    assert_eq!(body["toolConfig"]["tools"][0]["toolSpec"]["name"], name);
    assert_eq!(
        body["toolConfig"]["toolChoice"],
        json!({"tool": {"name": name}})
    );
}

#[test]
fn what_is_no_tool_is_refused() {
    let call = |call: &str| {
        format!(
            r#""tools":[{TOOL}],"messages":[{{"role":"user","content":"x"}},{{"role":"assistant","tool_calls":[{call}]}}]"#
        )
    };
    let function =
        |function: &str| format!(r#""tools":[{TOOL},{{"type":"function","function":{function}}}]"#);
    let choice = |choice: &str| format!(r#""tools":[{TOOL}],"tool_choice":{choice}"#);
    let arguments = |text: &str| {
        call(&format!(
            r#"{{"id":"i","type":"function","function":{{"name":"f","arguments":{text}}}}}"#
        ))
    };
    for (members, param) in [
        (r#""tools":{"S3CRET":1}"#.to_owned(), "tools"),
        (r#""tools":["S3CRET"]"#.to_owned(), "tools[0]"),
        (
            r#""tools":[["function",{"name":"S3CRET"}]]"#.to_owned(),
            "tools[0]",
        ),
        (
            r#""tools":[{"type":"custom","function":{"name":"S3CRET"}}]"#.to_owned(),
            "tools[0].custom",
        ),
        (
            r#""tools":[{"type":"custom","custom":{"name":7}}]"#.to_owned(),
            "tools[0].custom.name",
        ),
        (
            format!(
                r#""tools":[{TOOL}],"tool_choice":{{"type":"custom","function":{{"name":"f"}}}}"#
            ),
            "tool_choice.custom",
        ),
        (
            r#""tools":[{"type":"web_search"}]"#.to_owned(),
            "tools[0].type",
        ),
        (
            r#""tools":[{"function":{"name":"S3CRET"}}]"#.to_owned(),
            "tools[0].type",
        ),
        (
            r#""tools":[{"type":"function"}]"#.to_owned(),
            "tools[0].function",
        ),
        (
            function(r#"{"description":"S3CRET"}"#),
            "tools[1].function.name",
        ),
        (function(r#"["S3CRET"]"#), "tools[1].function"),
        (
            function(r#"{"name":"f","parameters":"S3CRET"}"#),
            "tools[1].function.parameters",
        ),
        (
            function(r#"{"name":"f","parameters":["S3CRET"]}"#),
            "tools[1].function.parameters",
        ),
        (
            function(r#"{"name":"f","description":["S3CRET"]}"#),
            "tools[1].function.description",
        ),
        (
            function(r#"{"name":"f","strict":"S3CRET"}"#),
            "tools[1].function.strict",
        ),
        (r#""functions":[{"name":"S3CRET"}]"#.to_owned(), "functions"),
        (r#""function_call":"auto""#.to_owned(), "function_call"),
        (choice(r#""S3CRET""#), "tool_choice"),
        (choice("7"), "tool_choice"),
        (choice(r#"["function",{"name":"f"}]"#), "tool_choice"),
        (choice(r#"{"type":"S3CRET"}"#), "tool_choice.type"),
        (choice(r#"{"type":"function"}"#), "tool_choice.function"),
        (
            choice(r#"{"type":"function","function":{"name":"S3CRET"}}"#),
            "tool_choice",
        ),
        (
            choice(r#"{"type":"allowed_tools"}"#),
            "tool_choice.allowed_tools",
        ),
        (
            choice(r#"{"type":"allowed_tools","allowed_tools":{"mode":"S3CRET","tools":[]}}"#),
            "tool_choice.allowed_tools.mode",
        ),
        (r#""tool_choice":"required""#.to_owned(), "tool_choice"),
        (
            r#""tool_choice":{"type":"function","function":{"name":"S3CRET"}}"#.to_owned(),
            "tool_choice",
        ),
        (
            r#""parallel_tool_calls":"S3CRET""#.to_owned(),
            "parallel_tool_calls",
        ),
        (
            call(r#"{"type":"function","function":{"name":"f","arguments":"{}"}}"#),
            "messages[1].tool_calls[0].id",
        ),
        (
            call(r#"{"id":null,"function":{"name":"f","arguments":"{}"}}"#),
            "messages[1].tool_calls[0].id",
        ),
        (call(r#"{"id":"i"}"#), "messages[1].tool_calls[0].function"),
        (
            call(r#"{"id":"i","type":"custom","custom":{"name":"f","input":{"S3CRET":1}}}"#),
            "messages[1].tool_calls[0].custom.input",
        ),
        (
            call(r#"{"id":"i","type":"S3CRET","custom":{"name":"f","input":"x"}}"#),
            "messages[1].tool_calls[0].type",
        ),
        (
            call(r#"{"id":"i","function":{"arguments":"S3CRET"}}"#),
            "messages[1].tool_calls[0].function.name",
        ),
        (call(r#""S3CRET""#), "messages[1].tool_calls[0]"),
        (
            arguments(r#""S3CRET""#),
            "messages[1].tool_calls[0].function.arguments",
        ),
        (
            arguments(r#""[\"S3CRET\"]""#),
            "messages[1].tool_calls[0].function.arguments",
        ),
        (
            arguments(r#""{\"a\":1}{\"b\":\"S3CRET\"}""#),
            "messages[1].tool_calls[0].function.arguments",
        ),
        (
            arguments(r#""{\"a\":\"S3CRET""#),
            "messages[1].tool_calls[0].function.arguments",
        ),
        (
            arguments(r#"{"a":"S3CRET"}"#),
            "messages[1].tool_calls[0].function.arguments",
        ),
        (
            r#""messages":[{"role":"tool","content":"S3CRET"}]"#.to_owned(),
            "messages[0].tool_call_id",
        ),
    ] {
        let (found, message) = wrong(&with(&members));
        assert_eq!(found, param, "{members}: {message}");
        assert!(message.starts_with(&format!("\"{param}\" ")), "{message}");
    }
}

const CUSTOM: &str = r#"{"type":"custom","custom":{"name":"apply_patch","description":"Edits files.",
    "format":{"type":"grammar","grammar":{"syntax":"lark","definition":"start: \"a\"\n"}}}}"#;

#[test]
fn a_tool_whose_input_is_text_becomes_one_with_one_text() {
    let schema = json!({"type": "object", "properties": {"input": {"type": "string"}}, "required": ["input"]});
    for (custom, description) in [
        (
            CUSTOM,
            json!(
                "Edits files.\n\nThe input is text that keeps to this grammar (lark):\nstart: \"a\"\n"
            ),
        ),
        (
            r#"{"type":"custom","custom":{"name":"apply_patch","description":"Edits files.","format":{"type":"text"}}}"#,
            json!("Edits files."),
        ),
        (
            r#"{"type":"custom","custom":{"name":"apply_patch"}}"#,
            Value::Null,
        ),
        (
            r#"{"type":"custom","custom":{"name":"apply_patch","description":"","format":{"type":"grammar","grammar":{"syntax":"regex","definition":"a+"}}}}"#,
            json!("The input is text that keeps to this grammar (regex):\na+"),
        ),
    ] {
        let body = converse(&with(&format!(r#""tools":[{TOOL},{custom}]"#)));
        let spec = &body["toolConfig"]["tools"][1]["toolSpec"];
        assert_eq!(spec["name"], "apply_patch");
        assert_eq!(spec["inputSchema"]["json"], schema);
        assert_eq!(
            spec.get("description").cloned().unwrap_or_default(),
            description
        );
    }
    let choice = |choice: &str| {
        let body = converse(&with(&format!(
            r#""tools":[{TOOL},{CUSTOM}],"tool_choice":{choice}"#
        )));
        body["toolConfig"].clone()
    };
    let forced = choice(r#"{"type":"custom","custom":{"name":"apply_patch"}}"#);
    assert_eq!(
        forced["toolChoice"],
        json!({"tool": {"name": "apply_patch"}})
    );
    let allowed = choice(
        r#"{"type":"allowed_tools","allowed_tools":{"mode":"auto","tools":[{"type":"custom","custom":{"name":"apply_patch"}}]}}"#,
    );
    assert_eq!(allowed["tools"].as_array().unwrap().len(), 1);
    assert_eq!(allowed["tools"][0]["toolSpec"]["name"], "apply_patch");
}

#[test]
fn a_call_with_text_and_its_result() {
    let body = converse(&with(&format!(
        r#""tools":[{CUSTOM}],"messages":[{{"role":"user","content":"hi"}},
        {{"role":"assistant","content":null,"tool_calls":[{{"id":"c1","type":"custom","custom":{{"name":"apply_patch","input":"*** \"é\"\n\u0041"}}}}]}},
        {{"role":"tool","tool_call_id":"c1","content":"Done."}}]"#
    )));
    assert_eq!(
        body["messages"][1]["content"],
        json!([{"toolUse": {"toolUseId": "c1", "name": "apply_patch", "input": {"input": "*** \"é\"\nA"}}}])
    );
    assert_eq!(
        body["messages"][2]["content"][0]["toolResult"]["content"],
        json!([{"text": "Done."}])
    );
}

#[test]
fn what_copilot_sends_by_default_is_taken() {
    let asked = include_str!("../../../fixtures/clients/copilot-1.0.102-chat.json");
    let body = converse(asked);
    let tools = body["toolConfig"]["tools"].as_array().unwrap();
    assert_eq!(tools.len(), 16);
    let patch = tools
        .iter()
        .find(|tool| tool["toolSpec"]["name"] == "apply_patch")
        .unwrap();
    let description = patch["toolSpec"]["description"].as_str().unwrap();
    assert!(description.contains("<577 characters>"), "{description}");
}
