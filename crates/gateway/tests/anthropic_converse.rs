//! Messages requests that are translated to Converse.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod common;
#[path = "common/messages.rs"]
mod messages;
#[allow(dead_code)]
#[path = "common/planning.rs"]
mod planning;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use common::settings;
use messages::{CLAUDE, converse, refused};
use serde_json::{Value, json};

#[test]
fn a_conversation_in_converse() {
    let sent = converse(
        CLAUDE,
        json!({
            "system": [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}, {"type": "text", "text": " "}],
            "temperature": 0.5, "top_p": 0.90, "top_k": 3, "stop_sequences": ["END", ""], "metadata": {"user_id": "u"},
            "thinking": {"type": "enabled", "budget_tokens": 1024}, "context_management": {}, "container": "c",
            "tools": [
                {"name": "get_weather", "description": "Tells.", "input_schema": {"type": "object"}, "strict": true,
                 "cache_control": {"type": "ephemeral", "ttl": "1h"}},
                {"type": "custom", "name": "none", "description": "", "input_schema": {}}],
            "tool_choice": {"type": "any"},
            "messages": [
                {"role": "user", "content": "Hi"},
                {"role": "user", "content": [{"type": "text", "text": "there", "cache_control": {"type": "ephemeral", "ttl": "5m"}}]},
                {"role": "system", "content": "Now in French."},
                {"role": "assistant", "content": [
                    {"type": "thinking", "thinking": "Hm.", "signature": "c2ln"},
                    {"type": "redacted_thinking", "data": "EncryptedData=="},
                    {"type": "text", "text": ""},
                    {"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": {"city": "Paris"}}]},
                {"role": "user", "content": [
                    {"type": "text", "text": "Go on."},
                    {"type": "tool_result", "tool_use_id": "toolu_1", "is_error": true, "content": "18 C"}]},
                {"role": "assistant", "content": [{"type": "tool_use", "id": "a|b", "name": "none", "input": {}},
                    {"type": "tool_use", "id": "toolu_9", "name": "none", "input": {}}]},
                {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a|b", "content": [
                    {"type": "text", "text": "y"},
                    {"type": "image", "source": {"type": "base64", "media_type": "image/jpeg", "data": "AAAA"}}]},
                    {"type": "tool_result", "tool_use_id": "toolu_9"}]},
            ],
        }),
    );
    let id = sent["messages"][3]["content"][0]["toolUse"]["toolUseId"].clone();
    assert!(id.as_str().unwrap().starts_with("a_b_"), "{id}");
    let cache = json!({"cachePoint": {"type": "default"}});
    assert_eq!(
        sent,
        json!({
            "system": [{"text": "Be brief."}, cache],
            "inferenceConfig": {"maxTokens": 10, "temperature": 0.5, "stopSequences": ["END"]},
            "additionalModelRequestFields": {"top_k": 3},
            "additionalModelResponseFieldPaths": ["/stop_sequence"],
            "toolConfig": {
                "tools": [
                    {"toolSpec": {"name": "get_weather", "description": "Tells.", "inputSchema": {"json": {"type": "object"}}}},
                    {"cachePoint": {"type": "default", "ttl": "1h"}},
                    {"toolSpec": {"name": "none", "inputSchema": {"json": {"type": "object", "properties": {}}}}}],
                "toolChoice": {"any": {}}},
            "messages": [
                {"role": "user", "content": [{"text": "Hi"}, {"text": "there"}, cache, {"text": "Now in French."}]},
                {"role": "assistant", "content": [
                    {"reasoningContent": {"reasoningText": {"text": "Hm.", "signature": "c2ln"}}},
                    {"reasoningContent": {"redactedContent": STANDARD.encode("EncryptedData==")}},
                    {"toolUse": {"toolUseId": "toolu_1", "name": "get_weather", "input": {"city": "Paris"}}}]},
                {"role": "user", "content": [
                    {"toolResult": {"toolUseId": "toolu_1", "content": [{"text": "18 C"}], "status": "error"}},
                    {"text": "Go on."}]},
                {"role": "assistant", "content": [{"toolUse": {"toolUseId": id, "name": "none", "input": {}}},
                    {"toolUse": {"toolUseId": "toolu_9", "name": "none", "input": {}}}]},
                {"role": "user", "content": [
                    {"toolResult": {"toolUseId": id, "content": [{"text": "y"}, {"image": {"format": "jpeg", "source": {"bytes": "AAAA"}}}]}},
                    {"toolResult": {"toolUseId": "toolu_9", "content": [{"text": "(no output)"}]}}]},
            ],
        })
    );
}

#[test]
fn what_only_claude_has_goes_into_its_own_fields() {
    let with = json!({
        "max_tokens": 2000, "thinking": {"type": "enabled", "budget_tokens": 1024}, "top_k": 3, "stop_sequences": ["END"],
        "tools": [{"name": "t", "input_schema": {"type": "object", "properties": {}}}],
        "tool_choice": {"type": "tool", "name": "t", "disable_parallel_tool_use": true}, "anthropic_beta": ["interleaved-thinking-2025-05-14"],
    });
    let sent = converse(CLAUDE, with.clone());
    assert_eq!(
        sent["additionalModelRequestFields"],
        json!({
            "thinking": {"type": "enabled", "budget_tokens": 1024}, "anthropic_beta": ["interleaved-thinking-2025-05-14"],
            "tool_choice": {"type": "auto", "disable_parallel_tool_use": true},
        })
    );
    assert_eq!(
        sent["additionalModelResponseFieldPaths"],
        json!(["/stop_sequence"])
    );
    let streamed = converse(CLAUDE, json!({"stream": true, "stop_sequences": ["END"]}));
    assert_eq!(
        streamed["additionalModelResponseFieldPaths"],
        json!(["/stop_sequence", "/delta/stop_sequence"])
    );
    assert_eq!(sent["toolConfig"].get("toolChoice"), None);
    let sent = converse("amazon.nova-pro-v1:0", with);
    assert_eq!(
        sent["additionalModelRequestFields"],
        json!({"inferenceConfig": {"topK": 3}})
    );
    assert_eq!(sent.get("additionalModelResponseFieldPaths"), None);
    assert_eq!(
        sent["toolConfig"]["toolChoice"],
        json!({"tool": {"name": "t"}})
    );
}

#[test]
fn a_choice_of_no_tool_leaves_the_tools_out_unless_they_were_used() {
    let tools = json!([{"name": "t", "input_schema": {"type": "object", "properties": {}}}]);
    let none = json!({"type": "none"});
    let sent = converse("m", json!({"tools": tools, "tool_choice": none}));
    assert_eq!(sent.get("toolConfig"), None);
    let used = json!([
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "t", "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a", "content": "x"}]}]);
    let sent = converse(
        "m",
        json!({"tools": tools, "tool_choice": none, "messages": used}),
    );
    assert_eq!(sent["toolConfig"]["tools"][0]["toolSpec"]["name"], "t");
    assert_eq!(sent["toolConfig"].get("toolChoice"), None);
    // Bedrock wants some where there are calls, so they are made from these.
    let sent = converse("m", json!({"messages": used}));
    assert_eq!(
        sent["toolConfig"],
        json!({"tools": [{"toolSpec": {"name": "t", "inputSchema": {"json": {"type": "object", "properties": {}}}}}]})
    );
}

#[test]
fn output_is_configured_as_converse_does() {
    let schema = json!({"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": false});
    let format = json!({"type": "json_schema", "schema": schema});
    for with in [
        json!({"output_config": {"effort": "high", "format": format}}),
        json!({"output_format": format}),
    ] {
        let sent = converse(CLAUDE, with);
        let config = &sent["outputConfig"];
        assert_eq!(config.get("effort"), None);
        let text = config["textFormat"]["structure"]["jsonSchema"]["schema"]
            .as_str()
            .unwrap();
        assert_eq!(serde_json::from_str::<Value>(text).unwrap(), schema);
    }
}

#[test]
fn documents_and_search_results() {
    let mut sent = converse(
        CLAUDE,
        json!({"messages": [{"role": "user", "content": "Look."},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "t", "input": {}}]},
        {"role": "user", "content": [
            {"type": "document", "title": "A report (v1).pdf", "context": "Old.", "citations": {"enabled": true},
             "source": {"type": "base64", "media_type": "application/pdf", "data": "AAAA"}},
            {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "Plain."}},
            {"type": "document", "title": "document", "source": {"type": "content", "content": [
                {"type": "text", "text": "one"}, {"type": "text", "text": "two"}]}},
            {"type": "search_result", "source": "https://e.com", "title": "E", "citations": {"enabled": true},
             "content": [{"type": "text", "text": "found"}]},
            {"type": "text", "text": "Sum up."},
        ]}, {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": [
            {"type": "document", "source": {"type": "text", "data": "x"}}]}]}],
        "tools": [{"name": "t", "input_schema": {"type": "object"}}]}),
    );
    assert_eq!(
        sent["messages"][2]["content"]
            .as_array_mut()
            .unwrap()
            .remove(0),
        json!({"toolResult": {"toolUseId": "t", "content": [
            {"document": {"format": "txt", "name": "document", "source": {"bytes": STANDARD.encode("x")}}}]}})
    );
    assert_eq!(
        sent["messages"][4]["content"],
        json!([
            {"document": {"format": "pdf", "name": "A report (v1)", "source": {"bytes": "AAAA"}, "context": "Old.", "citations": {"enabled": true}}},
            {"document": {"format": "txt", "name": "document (2)", "source": {"bytes": STANDARD.encode("Plain.")}}},
            {"document": {"format": "txt", "name": "document (3)", "source": {"bytes": STANDARD.encode("one\ntwo")}}},
            {"searchResult": {"source": "https://e.com", "title": "E", "content": [{"text": "found"}], "citations": {"enabled": true}}},
            {"text": "Sum up."},
        ])
    );
}

#[test]
fn what_converse_cannot_take_is_refused_by_name() {
    let message = |content: Value| json!({"messages": [{"role": "user", "content": content}]});
    for (with, param) in [
        (json!({"messages": []}), "messages"),
        (json!({"messages": [["user", "x"]]}), "messages[0]"),
        (
            json!({"messages": [{"role": "user", "content": [["text", null, "x"]]}]}),
            "messages[0].content[0]",
        ),
        (
            json!({"messages": [{"role": "user", "content": 7}]}),
            "messages[0].content",
        ),
        (
            json!({"messages": [{"role": "user", "content": " "}]}),
            "messages",
        ),
        (
            json!({"messages": [{"role": "tool", "content": "x"}]}),
            "messages[0].role",
        ),
        (
            json!({"messages": [{"role": "user"}]}),
            "messages[0].content",
        ),
        (json!({"max_tokens": 0}), "max_tokens"),
        (json!({"temperature": "hot"}), "temperature"),
        (json!({"tool_choice": {"type": "any"}}), "tool_choice"),
        (json!({"tool_choice": {"type": "must"}}), "tool_choice.type"),
        (json!({"tool_choice": {"type": "tool"}}), "tool_choice.name"),
        (json!({"tools": [{"name": "t"}]}), "tools[0].input_schema"),
        (
            json!({"tools": [{"name": "t", "input_schema": []}]}),
            "tools[0].input_schema",
        ),
        (
            json!({"output_config": {"format": {"type": "xml"}}}),
            "output_config.format.type",
        ),
        (
            message(
                json!([{"type": "image", "source": {"type": "url", "url": "https://e.com/a.png"}}]),
            ),
            "messages[0].content[0].source.type",
        ),
        (
            message(json!([{"type": "image", "source": {"type": "file", "file_id": "f"}}])),
            "messages[0].content[0].source.type",
        ),
        (
            message(
                json!([{"type": "image", "source": {"type": "base64", "media_type": "image/tiff", "data": "AAAA"}}]),
            ),
            "messages[0].content[0].source.media_type",
        ),
        (
            message(
                json!([{"type": "text", "text": "x"}, {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "A-"}}]),
            ),
            "messages[0].content[1].source.data",
        ),
        (
            message(json!([{"type": "tool_use", "id": "a", "name": "b", "input": [1]}])),
            "messages[0].content[0].input",
        ),
        (
            message(json!([{"type": "fallback", "id": "a"}])),
            "messages[0].content[0].type",
        ),
        (
            message(json!([{"type": "tool_result"}])),
            "messages[0].content[0].tool_use_id",
        ),
    ] {
        let mut body =
            json!({"model": "m", "max_tokens": 1, "messages": [{"role": "user", "content": "x"}]});
        body.as_object_mut()
            .unwrap()
            .extend(with.as_object().unwrap().clone());
        let refusal = refused(&body, &settings());
        assert_eq!(
            (refusal.status, refusal.param.as_deref()),
            (400, Some(param)),
            "{with}"
        );
    }
}

#[test]
fn what_tools_of_anthropics_own_left_is_left_out() {
    let sent = converse(
        "amazon.nova-pro-v1:0",
        json!({"messages": [
            {"role": "user", "content": "News?"},
            {"role": "assistant", "content": [
                {"type": "text", "text": "I look."},
                {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "news"}},
                {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": [
                    {"type": "web_search_result", "url": "https://e.com", "title": "t", "encrypted_content": "x"}]},
                {"type": "server_tool_use", "id": "srvtoolu_2", "name": "web_search", "input": {}},
                {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_2",
                 "content": {"type": "web_search_tool_result_error", "error_code": "unavailable"}},
                {"type": "mcp_tool_use", "id": "mcptoolu_1", "name": "a", "server_name": "b", "input": {}},
                {"type": "mcp_tool_result", "tool_use_id": "mcptoolu_1", "is_error": false, "content": [{"type": "text", "text": "c"}]},
                {"type": "text", "text": "None.", "citations": [{"type": "web_search_result_location", "url": "https://e.com",
                    "title": "t", "cited_text": "n", "encrypted_index": "x"}]}]},
            {"role": "user", "content": [{"type": "container_upload", "file_id": "f"}, {"type": "text", "text": "Thanks."}]},
        ]}),
    );
    assert_eq!(
        sent["messages"],
        json!([
            {"role": "user", "content": [{"text": "News?"}]},
            {"role": "assistant", "content": [{"text": "I look."}, {"text": "None."}]},
            {"role": "user", "content": [{"text": "Thanks."}]},
        ])
    );
}
