//! What clients send, one feature at a time and in sessions of several turns, in each dialect.

use serde_json::{Value, json};

/// The requests by name, without a model.
pub fn all() -> Vec<(String, Value)> {
    let openai = openai().into_iter().map(|(name, members)| {
        let mut body = json!({"messages": [{"role": "user", "content": "hi"}]});
        extend(&mut body, &members);
        (
            format!("chat {name}"),
            json!({"path": "/v1/chat/completions", "body": body}),
        )
    });
    let anthropic = anthropic().into_iter().map(|(name, members)| {
        let mut body = json!({"max_tokens": 2000, "messages": [{"role": "user", "content": "hi"}]});
        extend(&mut body, &members);
        (
            format!("messages {name}"),
            json!({"path": "/v1/messages", "body": body}),
        )
    });
    openai.chain(anthropic).collect()
}

fn extend(body: &mut Value, members: &Value) {
    body.as_object_mut()
        .unwrap()
        .extend(members.as_object().unwrap().clone());
}

fn openai() -> Vec<(&'static str, Value)> {
    let function = |name: &str, parameters: Value| json!({"type": "function", "function": {"name": name, "description": "Does it.", "parameters": parameters}});
    let bash = || {
        function(
            "bash",
            json!({"type": "object", "properties": {"cmd": {"type": "string"}}}),
        )
    };
    let call = |id: &str| json!({"role": "assistant", "content": null, "tool_calls": [{"id": id, "type": "function", "function": {"name": "bash", "arguments": "{\"cmd\":\"ls\"}"}}]});
    let result = |id: &str| json!({"role": "tool", "tool_call_id": id, "content": "a.txt"});
    let user = |text: &str| json!({"role": "user", "content": text});
    let closed = |properties: Value, required: Value| json!({"type": "object", "properties": properties, "required": required, "additionalProperties": false});
    let format = |schema: Value| json!({"response_format": {"type": "json_schema", "json_schema": {"name": "p", "strict": true, "schema": schema}}});
    let effort = |word: &str, more: Value| {
        let mut body = json!({"reasoning_effort": word});
        extend(&mut body, &more);
        body
    };
    let pixel = "data:image/png;base64,iVBORw0KGgo=";
    let session = json!([
        {"role": "system", "content": "You help."},
        user("list the files"),
        {"role": "assistant", "content": "I look.", "tool_calls": [
            {"id": "call_abcdefghijklmnopqrstuv", "type": "function", "function": {"name": "bash", "arguments": "{\"cmd\":\"ls\"}"}},
            {"id": "call_abcdefghijklmnopqrstuw", "type": "function", "function": {"name": "bash", "arguments": "{}"}},
        ]},
        {"role": "tool", "tool_call_id": "call_abcdefghijklmnopqrstuv", "content": ""},
        {"role": "tool", "tool_call_id": "call_abcdefghijklmnopqrstuw", "content": "b.txt"},
        user("and the next"),
        call("call_3"),
        result("call_3"),
        {"role": "assistant", "content": "Done.", "reasoning_content": "It is done."},
        user("thanks"),
    ]);
    let mut rows = vec![
        ("plain", json!({})),
        (
            "system",
            json!({"messages": [{"role": "system", "content": "You help."}, user("hi")]}),
        ),
        (
            "developer",
            json!({"messages": [{"role": "developer", "content": "You help."}, user("hi")]}),
        ),
        (
            "system alone",
            json!({"messages": [{"role": "system", "content": "You help."}]}),
        ),
        (
            "system in the middle",
            json!({"messages": [user("hi"), {"role": "assistant", "content": "yes?"}, {"role": "system", "content": "Be brief."}, user("go on")]}),
        ),
        ("two users", json!({"messages": [user("a"), user("b")]})),
        (
            "empty texts",
            json!({"messages": [user("a"), {"role": "assistant", "content": ""}, user(" "), user("b")]}),
        ),
        (
            "assistant first",
            json!({"messages": [{"role": "assistant", "content": "Hello."}, user("hi")]}),
        ),
        (
            "assistant last",
            json!({"messages": [user("Say JSON"), {"role": "assistant", "content": "{\"a\": "}]}),
        ),
        ("temperature", json!({"temperature": 0.2})),
        ("hot", json!({"temperature": 1.8})),
        (
            "temperature and top_p",
            json!({"temperature": 0.2, "top_p": 0.9}),
        ),
        ("top_p", json!({"top_p": 0.9})),
        ("few tokens", json!({"max_tokens": 1})),
        ("many tokens", json!({"max_completion_tokens": 1_000_000})),
        ("stop", json!({"stop": ["END", "\n\n", "a", "b", "c"]})),
        (
            "penalties and seed",
            json!({"presence_penalty": 0.5, "frequency_penalty": 0.5, "seed": 1, "logit_bias": {"1": 1}}),
        ),
        ("tier", json!({"service_tier": "flex"})),
        ("tier priority", json!({"service_tier": "priority"})),
        (
            "user and metadata",
            json!({"user": "u 1", "metadata": {"user": "{\"a\":1}", "team": "qa"}, "store": false}),
        ),
        ("tools", json!({"tools": [bash()]})),
        (
            "tools, forced",
            json!({"tools": [bash()], "tool_choice": "required"}),
        ),
        (
            "tools, one forced",
            json!({"tools": [bash()], "tool_choice": {"type": "function", "function": {"name": "bash"}}}),
        ),
        (
            "tools, none",
            json!({"tools": [bash()], "tool_choice": "none"}),
        ),
        (
            "tools, not parallel",
            json!({"tools": [bash()], "parallel_tool_calls": false}),
        ),
        (
            "tools, forced and not parallel",
            json!({"tools": [bash()], "tool_choice": "required", "parallel_tool_calls": false}),
        ),
        (
            "tool, strict",
            json!({"tools": [{"type": "function", "function": {"name": "bash", "strict": true, "parameters": {"type": "object", "properties": {"n": {"type": "integer", "minimum": 1}}}}}]}),
        ),
        (
            "tool, odd schemas",
            json!({"tools": [
                function("a", json!({})),
                function("b", json!({"anyOf": [{"type": "object", "properties": {"x": {"type": "string"}}}, {"type": "object", "properties": {"y": {"type": "string"}}}]})),
                function("c", json!({"$ref": "#/$defs/c", "$defs": {"c": {"type": "object", "properties": {"p": {"type": "string", "pattern": "^(?!a)"}}}}})),
            ]}),
        ),
        (
            "tool, odd names",
            json!({"tools": [function("mcp.files/read file", json!({"type": "object"})), function(&"x".repeat(80), json!({"type": "object"}))]}),
        ),
        (
            "tool with a cache point",
            json!({"tools": [{"type": "function", "function": {"name": "bash", "parameters": {"type": "object"}}, "cache_control": {"type": "ephemeral", "ttl": "1h"}}]}),
        ),
        ("session", json!({"tools": [bash()], "messages": session})),
        ("session without tools", json!({"messages": session})),
        (
            "session, tools none",
            json!({"messages": session, "tools": [bash()], "tool_choice": "none"}),
        ),
        (
            "session, user beside a result",
            json!({"tools": [bash()], "messages": [user("a"), call("call_1"), result("call_1"), user("go on")]}),
        ),
        (
            "session, image in a result",
            json!({"tools": [bash()], "messages": [user("a"), call("call_1"), {"role": "tool", "tool_call_id": "call_1", "content": [{"type": "text", "text": "see"}, {"type": "image_url", "image_url": {"url": pixel}}]}]}),
        ),
        (
            "session, ids of Kimi",
            json!({"tools": [bash()], "messages": [user("a"), call("functions.bash:0"), result("functions.bash:0"), user("b"), call("functions.bash:1"), result("functions.bash:1")]}),
        ),
        (
            "session, ids that are long",
            json!({"tools": [bash()], "messages": [user("a"), call(&"c".repeat(90)), result(&"c".repeat(90))]}),
        ),
        (
            "session, unsigned thinking",
            json!({"messages": [user("q"), {"role": "assistant", "content": "a", "reasoning_content": "hm", "thinking_blocks": [{"type": "thinking", "thinking": "hm"}]}, user("go on")]}),
        ),
        (
            "session, signed thinking",
            json!({"messages": [user("q"), {"role": "assistant", "content": "a", "thinking_blocks": [{"type": "thinking", "thinking": "hm", "signature": "c2ln"}]}, user("go on")]}),
        ),
        (
            "session, redacted thinking",
            json!({"messages": [user("q"), {"role": "assistant", "content": "a", "thinking_blocks": [{"type": "redacted_thinking", "data": "c2ln"}]}, user("go on")]}),
        ),
        (
            "image",
            json!({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": pixel}}]}]}),
        ),
        (
            "file",
            json!({"messages": [{"role": "user", "content": [{"type": "file", "file": {"filename": "a b.c.pdf", "file_data": "data:application/pdf;base64,JVBERi0xLjQgeA=="}}]}]}),
        ),
        (
            "two files",
            json!({"messages": [{"role": "user", "content": [
                {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERi0xLjQgeA=="}},
                {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERi0xLjQgeA=="}},
                {"type": "text", "text": "Compare."},
            ]}]}),
        ),
        (
            "cache points",
            json!({"messages": [
                {"role": "system", "content": [{"type": "text", "text": "You help.", "cache_control": {"type": "ephemeral"}}]},
                {"role": "user", "content": [{"type": "text", "text": "hi", "cache_control": {"type": "ephemeral", "ttl": "1h"}}]},
            ]}),
        ),
        (
            "many cache points",
            json!({"messages": [{"role": "user", "content": (0..6).map(|n| json!({"type": "text", "text": format!("t{n}"), "cache_control": {"type": "ephemeral"}})).collect::<Vec<_>>()}]}),
        ),
        (
            "json object",
            json!({"response_format": {"type": "json_object"}}),
        ),
        (
            "schema",
            format(closed(json!({"n": {"type": "string"}}), json!(["n"]))),
        ),
        (
            "schema with limits",
            format(closed(
                json!({"n": {"type": "integer", "minimum": 0}, "a": {"type": "array", "items": {"type": "string", "maxLength": 3}, "maxItems": 3}}),
                json!(["n", "a"]),
            )),
        ),
        (
            "schema, open",
            format(
                json!({"type": "object", "properties": {"r": {"type": "object", "properties": {"x": {"type": "string"}}}}}),
            ),
        ),
        (
            "schema, a map",
            format(
                json!({"type": "object", "properties": {"m": {"type": "object", "additionalProperties": {"type": "string"}}}}),
            ),
        ),
        (
            "schema, a choice",
            format(closed(
                json!({"c": {"oneOf": [{"type": "string"}, {"type": "null"}]}}),
                json!(["c"]),
            )),
        ),
        (
            "schema, recursive",
            format(
                json!({"type": "object", "properties": {"n": {"$ref": "#/$defs/n"}}, "required": ["n"], "additionalProperties": false, "$defs": {"n": {"type": "object", "properties": {"next": {"$ref": "#/$defs/n"}}, "additionalProperties": false}}}),
            ),
        ),
        (
            "schema, an array",
            format(json!({"type": "array", "items": {"type": "string"}})),
        ),
        ("schema and tools", {
            let mut body = format(closed(json!({"n": {"type": "string"}}), json!(["n"])));
            extend(&mut body, &json!({"tools": [bash()]}));
            body
        }),
        ("schema, thinking", {
            let mut body = format(closed(json!({"n": {"type": "string"}}), json!(["n"])));
            extend(
                &mut body,
                &json!({"reasoning_effort": "high", "max_tokens": 9000}),
            );
            body
        }),
        (
            "thinks little, few tokens",
            effort("high", json!({"max_tokens": 500})),
        ),
        (
            "thinks, cold",
            effort(
                "medium",
                json!({"temperature": 0, "top_p": 0.5, "max_tokens": 8000}),
            ),
        ),
        (
            "thinks, forced",
            effort(
                "medium",
                json!({"max_tokens": 8000, "tools": [bash()], "tool_choice": "required"}),
            ),
        ),
        (
            "thinks, session",
            effort(
                "medium",
                json!({"max_tokens": 8000, "tools": [bash()], "messages": [user("a"), call("call_1"), result("call_1")]}),
            ),
        ),
    ];
    for word in ["none", "minimal", "low", "medium", "high", "xhigh", "max"] {
        rows.push((word, effort(word, json!({}))));
    }
    rows
}

fn anthropic() -> Vec<(&'static str, Value)> {
    let bash = || json!({"name": "bash", "description": "Runs it.", "input_schema": {"type": "object", "properties": {"cmd": {"type": "string"}}}});
    let user = |content: Value| json!({"role": "user", "content": content});
    let assistant = |content: Value| json!({"role": "assistant", "content": content});
    let tool_use =
        |id: &str| json!({"type": "tool_use", "id": id, "name": "bash", "input": {"cmd": "ls"}});
    let thinking =
        |signature: &str| json!({"type": "thinking", "thinking": "hm", "signature": signature});
    let cached = |ttl: Option<&str>| match ttl {
        Some(ttl) => json!({"type": "ephemeral", "ttl": ttl}),
        None => json!({"type": "ephemeral"}),
    };
    let pixel = || json!({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}});
    let session = |id: &str| {
        json!([
            user(json!("list")),
            assistant(json!([{"type": "text", "text": "I look."}, tool_use(id)])),
            user(
                json!([{"type": "tool_result", "tool_use_id": id, "content": "a.txt"}, {"type": "text", "text": "<reminder>"}])
            ),
            assistant(json!([{"type": "text", "text": "Done."}])),
            user(json!("thanks")),
        ])
    };
    vec![
        ("plain", json!({})),
        ("system", json!({"system": "You help."})),
        (
            "role system",
            json!({"messages": [user(json!("hi")), assistant(json!("yes?")), {"role": "system", "content": "Be brief."}, user(json!("go on"))]}),
        ),
        (
            "assistant first",
            json!({"messages": [assistant(json!("Hello.")), user(json!("hi"))]}),
        ),
        (
            "assistant last",
            json!({"messages": [user(json!("Say JSON")), assistant(json!("{\"a\": "))]}),
        ),
        (
            "two users",
            json!({"messages": [user(json!("a")), user(json!("b"))]}),
        ),
        (
            "sampling",
            json!({"temperature": 0.2, "top_p": 0.9, "top_k": 5}),
        ),
        ("temperature", json!({"temperature": 0.2})),
        ("top_k", json!({"top_k": 5})),
        (
            "stops",
            json!({"stop_sequences": ["END", "\n", "a", "b", "c"]}),
        ),
        ("many tokens", json!({"max_tokens": 1_000_000})),
        (
            "metadata",
            json!({"metadata": {"user_id": "user_abc_account__session_{\"x\":1}"}}),
        ),
        ("tier", json!({"service_tier": "auto"})),
        ("tools", json!({"tools": [bash()]})),
        (
            "tools, any",
            json!({"tools": [bash()], "tool_choice": {"type": "any"}}),
        ),
        (
            "tools, one",
            json!({"tools": [bash()], "tool_choice": {"type": "tool", "name": "bash", "disable_parallel_tool_use": true}}),
        ),
        (
            "tools, none",
            json!({"tools": [bash()], "tool_choice": {"type": "none"}}),
        ),
        (
            "tools, not parallel",
            json!({"tools": [bash()], "tool_choice": {"type": "auto", "disable_parallel_tool_use": true}}),
        ),
        (
            "tool, eager and strict",
            json!({"tools": [{"name": "bash", "input_schema": {"type": "object"}, "eager_input_streaming": true, "strict": true, "allowed_callers": ["direct"], "defer_loading": false}]}),
        ),
        (
            "tool, odd schemas",
            json!({"tools": [
                {"name": "a", "input_schema": {"type": "object", "oneOf": [{"properties": {"x": {"type": "string"}}}]}},
                {"name": "b", "input_schema": {}},
                {"name": "c", "description": "", "input_schema": {"type": "custom"}},
            ]}),
        ),
        (
            "session",
            json!({"tools": [bash()], "messages": session("toolu_01abcdefghijklmnop")}),
        ),
        (
            "session, ids of Kimi",
            json!({"tools": [bash()], "messages": session("functions.bash:0")}),
        ),
        (
            "session without tools",
            json!({"messages": session("toolu_01abcdefghijklmnop")}),
        ),
        (
            "session, result without content",
            json!({"tools": [bash()], "messages": [user(json!("run")), assistant(json!([tool_use("toolu_1")])), user(json!([{"type": "tool_result", "tool_use_id": "toolu_1"}]))]}),
        ),
        (
            "session, result with an error",
            json!({"tools": [bash()], "messages": [user(json!("run")), assistant(json!([tool_use("toolu_1")])), user(json!([{"type": "tool_result", "tool_use_id": "toolu_1", "content": "no", "is_error": true}]))]}),
        ),
        (
            "session, result with an image",
            json!({"tools": [bash()], "messages": [user(json!("run")), assistant(json!([tool_use("toolu_1")])), user(json!([{"type": "tool_result", "tool_use_id": "toolu_1", "content": [pixel()]}]))]}),
        ),
        (
            "session, a cached result",
            json!({"tools": [bash()], "messages": [user(json!("run")), assistant(json!([tool_use("toolu_1")])), user(json!([{"type": "tool_result", "tool_use_id": "toolu_1", "content": "x", "cache_control": cached(None)}]))]}),
        ),
        (
            "session, signed thinking",
            json!({"messages": [user(json!("q")), assistant(json!([thinking("c2ln"), {"type": "text", "text": "a"}])), user(json!("go on"))]}),
        ),
        (
            "session, empty signature",
            json!({"messages": [user(json!("q")), assistant(json!([thinking(""), {"type": "text", "text": "a"}])), user(json!("go on"))]}),
        ),
        (
            "session, redacted",
            json!({"messages": [user(json!("q")), assistant(json!([{"type": "redacted_thinking", "data": "c2ln"}, {"type": "text", "text": "a"}])), user(json!("go on"))]}),
        ),
        (
            "session, only thinking",
            json!({"messages": [user(json!("q")), assistant(json!([thinking("")])), user(json!("go on"))]}),
        ),
        (
            "thinking",
            json!({"thinking": {"type": "enabled", "budget_tokens": 1024}}),
        ),
        (
            "thinking, cold",
            json!({"thinking": {"type": "enabled", "budget_tokens": 1024}, "temperature": 0, "top_k": 5}),
        ),
        (
            "thinking, forced",
            json!({"thinking": {"type": "enabled", "budget_tokens": 1024}, "tools": [bash()], "tool_choice": {"type": "any"}}),
        ),
        (
            "thinking, adaptive",
            json!({"thinking": {"type": "adaptive"}}),
        ),
        (
            "thinking, adaptive with effort",
            json!({"thinking": {"type": "adaptive", "display": "summarized"}, "output_config": {"effort": "max"}}),
        ),
        ("thinking, off", json!({"thinking": {"type": "disabled"}})),
        (
            "thinking, off with effort",
            json!({"thinking": {"type": "disabled"}, "output_config": {"effort": "xhigh"}}),
        ),
        ("effort", json!({"output_config": {"effort": "medium"}})),
        (
            "format",
            json!({"output_config": {"format": {"type": "json_schema", "schema": {"type": "object", "properties": {"n": {"type": "integer", "minimum": 0}}}}}}),
        ),
        (
            "format, old",
            json!({"output_format": {"type": "json_schema", "schema": {"type": "object", "properties": {}, "additionalProperties": false}}}),
        ),
        (
            "cached",
            json!({
                "system": [{"type": "text", "text": "You help.", "cache_control": cached(None)}],
                "tools": [{"name": "bash", "input_schema": {"type": "object"}, "cache_control": cached(None)}],
                "messages": [user(json!([{"type": "text", "text": "hi", "cache_control": cached(None)}]))],
            }),
        ),
        (
            "cached, late hour",
            json!({
                "system": [{"type": "text", "text": "You help.", "cache_control": cached(Some("5m"))}],
                "messages": [user(json!([{"type": "text", "text": "hi", "cache_control": {"type": "ephemeral", "ttl": "1h", "scope": "global"}}]))],
            }),
        ),
        ("cached by itself", json!({"cache_control": cached(None)})),
        (
            "cached too often",
            json!({"messages": [user((0..6).map(|n| json!({"type": "text", "text": format!("t{n}"), "cache_control": cached(None)})).collect())]}),
        ),
        ("image", json!({"messages": [user(json!([pixel()]))]})),
        (
            "document",
            json!({"messages": [user(json!([{"type": "document", "title": "a.b", "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0xLjQgeA=="}}]))]}),
        ),
        (
            "document of text",
            json!({"messages": [user(json!([{"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "The grass is green."}, "cache_control": cached(None)}, {"type": "text", "text": "?"}]))]}),
        ),
        (
            "document, cited",
            json!({"messages": [user(json!([{"type": "document", "citations": {"enabled": true}, "source": {"type": "text", "media_type": "text/plain", "data": "The grass is green."}}, {"type": "text", "text": "?"}]))]}),
        ),
        (
            "Claude Code's members",
            json!({"context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]}, "betas": ["a"], "speed": "fast", "container": "x", "mcp_servers": []}),
        ),
    ]
}
