//! What `--strict` refuses, family by family, and in which words.

// clippy.toml lets #[test] functions unwrap and index; their helpers here are tests too.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use base64::{Engine, engine::general_purpose::STANDARD};
use bedrock_sim::{operations::Operation, strict};
use serde_json::{Value, json};

const SONNET_4_6: &str = "us.anthropic.claude-sonnet-4-6";
const SONNET_4_5: &str = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";
const OPUS_4_7: &str = "anthropic.claude-opus-4-7";
const OPUS_5_5: &str = "us.anthropic.claude-opus-5-5";
const NOVA: &str = "us.amazon.nova-pro-v1:0";
const NOVA_2: &str = "us.amazon.nova-2-lite-v1:0";
const LLAMA: &str = "us.meta.llama3-3-70b-instruct-v1:0";
const MISTRAL: &str = "mistral.mistral-large-2402-v1:0";
const KIMI: &str = "moonshotai.kimi-k2-thinking";
const GPT_OSS: &str = "openai.gpt-oss-120b-1:0";

fn refusal(operation: Operation, model: &str, body: &Value) -> String {
    let found = strict::check(model, operation, body).err();
    found.map_or_else(String::new, |refusal| refusal.message)
}

/// Every row: the model, what the body has besides one user turn, and a part of the refusal; nothing where it is taken.
fn converse(rows: &[(&str, Value, &str)]) {
    check(Operation::Converse, rows);
}

fn check(operation: Operation, rows: &[(&str, Value, &str)]) {
    for (model, members, wanted) in rows {
        let mut body = json!({"messages": [{"role": "user", "content": [{"text": "Hi"}]}]});
        if matches!(operation, Operation::Invoke) {
            body = json!({"anthropic_version": "bedrock-2023-05-31", "max_tokens": 2000, "messages": [{"role": "user", "content": "Hi"}]});
        }
        for (name, value) in members.as_object().unwrap() {
            body[name] = value.clone();
        }
        let found = refusal(operation, model, &body);
        let right = if wanted.is_empty() {
            found.is_empty()
        } else {
            found.contains(wanted)
        };
        assert!(
            right,
            "{model} {members}\n wanted: {wanted}\n found: {found}"
        );
    }
}

fn user(content: Value) -> Value {
    json!({"role": "user", "content": content})
}

fn assistant(content: Value) -> Value {
    json!({"role": "assistant", "content": content})
}

fn tools() -> Value {
    json!({"tools": [{"toolSpec": {"name": "bash", "inputSchema": {"json": {"type": "object"}}}}]})
}

/// A conversation with one call, whose result is that content.
fn called(id: &str, result: Value) -> Value {
    json!([
        user(json!([{"text": "run"}])),
        assistant(json!([{"toolUse": {"toolUseId": id, "name": "bash", "input": {}}}])),
        user(json!([{"toolResult": {"toolUseId": id, "content": result}}])),
    ])
}

fn schema(schema: Value) -> Value {
    json!({"textFormat": {"type": "json_schema", "structure": {"jsonSchema": {"schema": schema.to_string()}}}})
}

#[test]
fn every_family_takes_one_plain_turn() {
    for (model, taken) in [
        ("anthropic.claude-v2:1", true),
        ("anthropic.claude-3-haiku-20240307-v1:0", true),
        ("anthropic.claude-haiku-5-5", true),
        ("anthropic.claude-next-9", true),
        ("amazon.titan-text-lite-v1", true),
        ("ai21.jamba-1-5-large-v1:0", true),
        ("deepseek.r1-v1:0", true),
        ("qwen.qwen3-32b-v1:0", true),
        ("minimax.minimax-m2", true),
        ("zai.glm-5", true),
        ("xai.grok-4.6", true),
        ("xai.grok-4.3", false),
        ("openai.gpt-5.4", false),
        ("writer.palmyra-x5-v1:0", true),
        ("google.gemma-3-27b-it", true),
        ("nvidia.nemotron-nano-9b-v2", true),
        ("twelvelabs.pegasus-1-2-v1:0", false),
        (
            "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc",
            true,
        ),
        ("sim.text", true),
    ] {
        let body = json!({"messages": [user(json!([{"text": "Hi"}]))]});
        let found = refusal(Operation::Converse, model, &body);
        assert_eq!(found.is_empty(), taken, "{model}: {found}");
    }
}

#[test]
fn system_and_turns() {
    let alternate = "A conversation must alternate";
    converse(&[
        (NOVA, json!({"system": [{"text": "s"}]}), ""),
        (
            "mistral.mistral-7b-instruct-v0:2",
            json!({"system": [{"text": "s"}]}),
            "This model doesn't support system messages.",
        ),
        (NOVA, json!({"messages": []}), "'messages' failed"),
        (
            NOVA,
            json!({"messages": [user(json!([]))]}),
            "The content field in the Message object at messages.0 is empty.",
        ),
        (
            NOVA,
            json!({"messages": [user(json!([{"text": " "}]))]}),
            "at messages.0.content.0 is blank.",
        ),
        (
            NOVA,
            json!({"messages": [user(json!([{"text": "a"}])), user(json!([{"text": "b"}]))]}),
            alternate,
        ),
        (
            NOVA,
            json!({"messages": [assistant(json!([{"text": "a"}])), user(json!([{"text": "b"}]))]}),
            "must start with a user message",
        ),
        (
            SONNET_4_6,
            json!({"messages": [assistant(json!([{"text": "a"}])), user(json!([{"text": "b"}]))]}),
            "",
        ),
        (
            NOVA,
            json!({"messages": [user(json!([{"text": "a"}])), assistant(json!([{"text": "b"}]))]}),
            "must end with a user message",
        ),
        (
            SONNET_4_6,
            json!({"messages": [user(json!([{"text": "a"}])), assistant(json!([{"text": "b"}]))]}),
            "assistant message prefill",
        ),
        (
            SONNET_4_5,
            json!({"messages": [user(json!([{"text": "a"}])), assistant(json!([{"text": "b"}]))]}),
            "",
        ),
        (
            SONNET_4_5,
            json!({"messages": [user(json!([{"text": "a"}])), assistant(json!([{"text": "b "}]))]}),
            "trailing whitespace",
        ),
        (
            NOVA,
            json!({"messages": [{"role": "system", "content": [{"text": "s"}]}, user(json!([{"text": "a"}]))]}),
            "[user, assistant]",
        ),
    ]);
}

#[test]
fn calls_and_results() {
    let result = json!([{"text": "x"}]);
    let two = json!([
        user(json!([{"text": "run"}])),
        assistant(json!([
            {"toolUse": {"toolUseId": "a", "name": "bash", "input": {}}},
            {"toolUse": {"toolUseId": "b", "name": "bash", "input": {}}},
        ])),
        user(json!([{"toolResult": {"toolUseId": "a", "content": [{"text": "x"}]}}])),
    ]);
    let mut beside = called("tooluse_1", result.clone());
    beside[2]["content"]
        .as_array_mut()
        .unwrap()
        .push(json!({"text": "go on"}));
    let mut before = beside.clone();
    before[2]["content"].as_array_mut().unwrap().reverse();
    let mut document = beside.clone();
    document[2]["content"]
        .as_array_mut()
        .unwrap()
        .push(json!({"document": {"format": "pdf", "name": "d", "source": {"bytes": "AA=="}}}));
    let mut status = called("tooluse_1", result.clone());
    status[2]["content"][0]["toolResult"]["status"] = json!("error");
    let orphan = json!([user(
        json!([{"toolResult": {"toolUseId": "a", "content": [{"text": "x"}]}}])
    )]);
    converse(&[
        (
            SONNET_4_6,
            json!({"messages": called("tooluse_1", result.clone()), "toolConfig": tools()}),
            "",
        ),
        (
            SONNET_4_6,
            json!({"messages": called("tooluse_1", result.clone())}),
            "The toolConfig field must be defined",
        ),
        (
            SONNET_4_6,
            json!({"messages": two, "toolConfig": tools()}),
            "Expected toolResult blocks at messages.2.content for the following Ids: a, b",
        ),
        (
            SONNET_4_6,
            json!({"messages": orphan, "toolConfig": tools()}),
            "exceeds the number of toolUse blocks of previous turn",
        ),
        (
            SONNET_4_6,
            json!({"messages": called("tooluse_1", json!([])), "toolConfig": tools()}),
            "messages.2.content.0.toolResult is empty",
        ),
        (
            SONNET_4_6,
            json!({"messages": called("tooluse_1", json!([{"text": ""}])), "toolConfig": tools()}),
            "is blank",
        ),
        (
            SONNET_4_6,
            json!({"messages": beside, "toolConfig": tools()}),
            "",
        ),
        (
            SONNET_4_6,
            json!({"messages": before, "toolConfig": tools()}),
            "at the beginning of the next message",
        ),
        (
            SONNET_4_6,
            json!({"messages": document, "toolConfig": tools()}),
            "cannot be provided in the same turn",
        ),
        (
            LLAMA,
            json!({"messages": beside, "toolConfig": tools()}),
            "Conversation blocks and tool result blocks cannot be provided in the same turn.",
        ),
        (
            LLAMA,
            json!({"messages": called("tooluse_1", result.clone()), "toolConfig": tools()}),
            "",
        ),
        (
            "writer.palmyra-x5-v1:0",
            json!({"messages": status, "toolConfig": tools()}),
            "This model doesn't support the status field.",
        ),
        (
            SONNET_4_6,
            json!({"messages": status, "toolConfig": tools()}),
            "",
        ),
        (
            SONNET_4_6,
            json!({"messages": called("functions.bash:0", result.clone()), "toolConfig": tools()}),
            "tool_use.id: String should match pattern",
        ),
        (
            KIMI,
            json!({"messages": called("functions.bash:0", result.clone()), "toolConfig": tools()}),
            "",
        ),
        (
            MISTRAL,
            json!({"messages": called("tooluse_1", result.clone()), "toolConfig": tools()}),
            "Tool call id was tooluse_1 but must be a-z, A-Z, 0-9, with a length of 9.",
        ),
        (
            MISTRAL,
            json!({"messages": called("abcDEF123", result), "toolConfig": tools()}),
            "",
        ),
        (
            "deepseek.r1-v1:0",
            json!({"toolConfig": tools()}),
            "This model doesn't support tool use.",
        ),
    ]);
}

#[test]
fn tools_and_choices() {
    let spec = |spec: Value| {
        let mut tool = json!({"name": "bash", "inputSchema": {"json": {"type": "object"}}});
        tool.as_object_mut()
            .unwrap()
            .extend(spec.as_object().unwrap().clone());
        json!({"toolConfig": {"tools": [{"toolSpec": tool}]}})
    };
    let choice = |choice: Value| {
        let mut config = tools();
        config["toolChoice"] = choice;
        json!({"toolConfig": config})
    };
    let any = || choice(json!({"any": {}}));
    let grounding = |choice: Value, more: &[Value]| {
        let search = json!({"systemTool": {"name": "nova_grounding"}});
        let tools = [std::slice::from_ref(&search), more].concat();
        let mut config = json!({"tools": tools});
        if choice != Value::Null {
            config["toolChoice"] = choice;
        }
        json!({"toolConfig": config})
    };
    let spec_of_bash =
        json!({"toolSpec": {"name": "bash", "inputSchema": {"json": {"type": "object"}}}});
    converse(&[
        (
            GPT_OSS,
            spec(json!({"inputSchema": {"json": {"oneOf": []}}})),
            "must be one of the following: object.",
        ),
        (
            SONNET_4_6,
            spec(json!({"inputSchema": {"json": {"type": "object", "anyOf": []}}})),
            "at the top level",
        ),
        (SONNET_4_6, spec(json!({"description": " "})), "is blank"),
        (SONNET_4_6, spec(json!({"strict": false})), ""),
        (
            SONNET_4_6,
            spec(json!({"strict": true})),
            "'additionalProperties' must be explicitly set to false",
        ),
        (
            OPUS_4_7,
            spec(json!({"strict": true})),
            "tools.0.custom.strict: Extra inputs are not permitted",
        ),
        (
            NOVA,
            spec(json!({"strict": true})),
            "doesn't support the toolConfig.tools.toolSpec.strict field",
        ),
        (
            NOVA,
            spec(json!({"name": "a.b"})),
            "regular expression pattern",
        ),
        (
            "xai.grok-4.6",
            spec(
                json!({"inputSchema": {"json": {"type": "object", "properties": {"x": {"pattern": "(?!a)"}}}}}),
            ),
            "lookaround",
        ),
        (NOVA_2, grounding(Value::Null, &[]), ""),
        (NOVA_2, grounding(json!({"auto": {}}), &[]), ""),
        (
            NOVA_2,
            grounding(json!({"any": {}}), std::slice::from_ref(&spec_of_bash)),
            "",
        ),
        (
            NOVA_2,
            grounding(json!({"any": {}}), &[]),
            "toolConfig.toolChoice.any",
        ),
        (
            NOVA_2,
            grounding(json!({"tool": {"name": "nova_grounding"}}), &[]),
            "toolConfig.toolChoice.tool",
        ),
        (
            NOVA,
            grounding(Value::Null, &[]),
            "toolConfig.tools.systemTool",
        ),
        (
            SONNET_4_6,
            grounding(Value::Null, &[]),
            "toolConfig.tools.systemTool",
        ),
        (NOVA, any(), ""),
        (NOVA, choice(json!({"tool": {"name": "bash"}})), ""),
        (NOVA, choice(json!({"tool": {"name": "other"}})), "other"),
        (
            LLAMA,
            any(),
            "This model doesn't support the toolConfig.toolChoice.any field. Remove toolConfig.toolChoice.any and try again.",
        ),
        (
            OPUS_5_5,
            any(),
            "tool_choice: type \"tool\" and \"any\" are not supported for this model.",
        ),
    ]);
    check(
        Operation::ConverseStream,
        &[
            (
                LLAMA,
                json!({"toolConfig": tools()}),
                "This model doesn't support tool use in streaming mode.",
            ),
            (NOVA, json!({"toolConfig": tools()}), ""),
        ],
    );
}

#[test]
fn cache_points() {
    let point = json!({"cachePoint": {"type": "default"}});
    let hour = json!({"cachePoint": {"type": "default", "ttl": "1h"}});
    let system = |points: &[&Value]| {
        let mut blocks = vec![json!({"text": "s"})];
        blocks.extend(points.iter().map(|point| (*point).clone()));
        json!({"system": blocks})
    };
    let in_tools = || {
        let mut config = tools();
        config["tools"].as_array_mut().unwrap().push(point.clone());
        json!({"toolConfig": config})
    };
    let mut in_turn = called("tooluse_1", json!([{"text": "x"}]));
    in_turn[2]["content"]
        .as_array_mut()
        .unwrap()
        .push(point.clone());
    let text = json!({"messages": [user(json!([
        {"text": "t"}, {"document": {"format": "txt", "name": "d", "source": {"bytes": "AA=="}}}, point.clone()
    ]))]});
    let mut late = system(&[&point]);
    late["messages"] = json!([user(json!([{"text": "t"}, hour.clone()]))]);
    converse(&[
        (SONNET_4_6, system(&[&point]), ""),
        (SONNET_4_6, system(&[&hour]), ""),
        (SONNET_4_6, in_tools(), ""),
        (SONNET_4_6, late, "must not come after a ttl='5m'"),
        (SONNET_4_6, text, "type: Field required"),
        (
            SONNET_4_6,
            system(&[&point, &point, &point, &point, &point]),
            "A maximum of 4 blocks",
        ),
        (NOVA, system(&[&point]), ""),
        (
            NOVA,
            system(&[&hour]),
            "Extended TTL prompt caching is only supported for Anthropic models",
        ),
        (
            NOVA,
            in_tools(),
            "Malformed input request: #/toolConfig/tools/1: extraneous key [cachePoint] is not permitted",
        ),
        (
            NOVA,
            json!({"messages": in_turn, "toolConfig": tools()}),
            "extraneous key [cachePoint]",
        ),
        (
            KIMI,
            system(&[&point]),
            "your request did not allow prompt caching",
        ),
        (
            GPT_OSS,
            system(&[&point]),
            "This model doesn't support the cachePoint field.",
        ),
        (
            "anthropic.claude-3-haiku-20240307-v1:0",
            system(&[&point]),
            "did not allow prompt caching",
        ),
        (
            "us.anthropic.claude-sonnet-4-20250514-v1:0",
            system(&[&json!({"cachePoint": {"type": "default", "ttl": "5m"}})]),
            "ttl: Extra inputs",
        ),
    ]);
    let found = strict::check(KIMI, Operation::Converse, &{
        let mut body = json!({"messages": [user(json!([{"text": "Hi"}]))]});
        body["system"] = system(&[&point])["system"].clone();
        body
    });
    assert_eq!(found.unwrap_err().status, 403);
}

#[test]
fn reasoning_fields() {
    let named = json!({"additionalModelRequestFields": {"reasoning_config": {"type": "enabled", "budget_tokens": 1024}}});
    converse(&[
        (
            "anthropic.claude-3-7-sonnet-20250219-v1:0",
            named.clone(),
            "",
        ),
        (OPUS_4_7, named, "thinking.type.enabled"),
    ]);
    let fields = |fields: Value| json!({"additionalModelRequestFields": fields});
    let with = |value: Value, members: Value| {
        let mut body = fields(value);
        body.as_object_mut()
            .unwrap()
            .extend(members.as_object().unwrap().clone());
        body
    };
    let budget = |tokens: u64| json!({"thinking": {"type": "enabled", "budget_tokens": tokens}});
    let adaptive = |effort: &str| json!({"thinking": {"type": "adaptive"}, "output_config": {"effort": effort}});
    let tokens = |count: u64| json!({"inferenceConfig": {"maxTokens": count}});
    let forced = json!({"toolConfig": {"tools": tools()["tools"], "toolChoice": {"any": {}}}});
    converse(&[
        (SONNET_4_5, with(budget(1024), tokens(2000)), ""),
        (
            SONNET_4_5,
            with(budget(1023), tokens(2000)),
            "greater than or equal to 1024",
        ),
        (
            SONNET_4_5,
            with(budget(2000), tokens(2000)),
            "`max_tokens` must be greater than `thinking.budget_tokens`",
        ),
        (
            SONNET_4_5,
            fields(budget(4096)),
            "`max_tokens` must be greater",
        ),
        (
            SONNET_4_5,
            fields(adaptive("low")),
            "\"thinking.type.adaptive\" is not supported",
        ),
        (
            SONNET_4_5,
            fields(json!({"output_config": {"effort": "low"}})),
            "This model does not support the effort parameter.",
        ),
        (
            SONNET_4_5,
            with(
                budget(1024),
                json!({"inferenceConfig": {"maxTokens": 2000, "temperature": 0.5}}),
            ),
            "`temperature` may only be set to 1",
        ),
        (
            SONNET_4_5,
            with(budget(1024), forced.clone()),
            "Thinking may not be enabled when tool_choice forces tool use.",
        ),
        (SONNET_4_6, with(budget(1024), tokens(2000)), ""),
        (SONNET_4_6, with(adaptive("max"), forced), ""),
        (
            SONNET_4_6,
            fields(adaptive("xhigh")),
            "output_config.effort: Input should be one of",
        ),
        (
            OPUS_4_7,
            with(budget(1024), tokens(2000)),
            "Use \"thinking.type.adaptive\"",
        ),
        (OPUS_4_7, fields(adaptive("xhigh")), ""),
        (
            OPUS_4_7,
            fields(json!({"thinking": {"type": "disabled"}})),
            "",
        ),
        (
            OPUS_5_5,
            fields(json!({"thinking": {"type": "disabled"}})),
            "\"thinking.type.disabled\" is not supported",
        ),
        (
            "anthropic.claude-opus-5",
            fields(json!({"thinking": {"type": "disabled"}, "output_config": {"effort": "max"}})),
            "at most \"high\"",
        ),
        (
            "anthropic.claude-sonnet-5-5",
            fields(json!({"thinking": {"type": "between_tools"}})),
            "",
        ),
        (
            "anthropic.claude-3-5-sonnet-20241022-v2:0",
            fields(budget(1024)),
            "thinking: Extra inputs",
        ),
        (GPT_OSS, fields(json!({"reasoning_effort": "high"})), ""),
        (
            GPT_OSS,
            fields(json!({"reasoning_effort": "minimal"})),
            "reasoning_effort: Input should be one of",
        ),
        (
            GPT_OSS,
            fields(json!({"reasoning": {"effort": "high"}})),
            "extraneous key [reasoning]",
        ),
        (
            NOVA,
            fields(json!({"reasoningConfig": {"type": "enabled", "maxReasoningEffort": "low"}})),
            "the provided reasoning config value is invalid",
        ),
        (
            "us.amazon.nova-2-lite-v1:0",
            fields(json!({"reasoningConfig": {"type": "enabled", "maxReasoningEffort": "low"}})),
            "",
        ),
        (
            "us.amazon.nova-2-lite-v1:0",
            with(
                json!({"reasoningConfig": {"type": "enabled", "maxReasoningEffort": "high"}}),
                tokens(9),
            ),
            "maxTokens must be unset",
        ),
        (
            "qwen.qwen3-32b-v1:0",
            fields(json!({"reasoning_config": "high"})),
            "",
        ),
        (
            "openai.gpt-5.6-sol",
            fields(json!({"reasoning": {"effort": "none"}})),
            "",
        ),
        (
            "openai.gpt-6-astra",
            fields(json!({"reasoning": {"effort": "none"}})),
            "reasoning.effort: Input should be one of",
        ),
        (
            "xai.grok-4.6",
            fields(json!({"reasoning_effort": "low"})),
            "extraneous key [reasoning_effort]",
        ),
        ("any.thing", fields(json!({"anything": 1})), ""),
        (
            SONNET_4_5,
            fields(json!({"anything": 1})),
            "anything: Extra inputs are not permitted",
        ),
        (SONNET_4_5, fields(json!({"top_k": 5})), ""),
        (LLAMA, fields(json!({"top_k": 5})), "extraneous key [top_k]"),
        (NOVA, fields(json!({"inferenceConfig": {"topK": 5}})), ""),
        (
            SONNET_4_6,
            fields(json!({"anthropic_beta": ["context-1m-2025-08-07"]})),
            "",
        ),
        (
            SONNET_4_6,
            fields(json!({"anthropic_beta": ["oauth-2025-04-20"]})),
            "invalid beta flag",
        ),
        (
            SONNET_4_6,
            fields(json!({"tool_choice": {"type": "none"}})),
            "",
        ),
        (
            "anthropic.claude-3-7-sonnet-20250219-v1:0",
            fields(json!({"tool_choice": {"type": "auto", "disable_parallel_tool_use": true}})),
            "extraneous key [disable_parallel_tool_use]",
        ),
    ]);
}

#[test]
fn reasoning_that_comes_back() {
    let back = |reasoning: Value| {
        json!({"messages": [
            user(json!([{"text": "q"}])),
            assistant(json!([{"reasoningContent": reasoning}, {"text": "a"}])),
            user(json!([{"text": "go on"}])),
        ]})
    };
    let signed = || back(json!({"reasoningText": {"text": "hm", "signature": "s"}}));
    let unsigned = || back(json!({"reasoningText": {"text": "hm"}}));
    let empty = || back(json!({"reasoningText": {"text": "hm", "signature": ""}}));
    let redacted = || back(json!({"redactedContent": "AA=="}));
    let signature = "doesn't support the reasoningContent.reasoningText.signature field";
    converse(&[
        (SONNET_4_6, signed(), ""),
        (SONNET_4_6, unsigned(), "thinking.signature: Field required"),
        (SONNET_4_6, redacted(), ""),
        (GPT_OSS, unsigned(), ""),
        (GPT_OSS, signed(), signature),
        (GPT_OSS, empty(), signature),
        (
            GPT_OSS,
            redacted(),
            "doesn't support the reasoningContent.redactedContent field",
        ),
        (
            LLAMA,
            unsigned(),
            "doesn't support the reasoningContent field",
        ),
        (
            SONNET_4_6,
            json!({"messages": [user(json!([{"reasoningContent": {"reasoningText": {"text": "hm", "signature": "s"}}}]))]}),
            "User messages cannot contain reasoning content",
        ),
    ]);
    let mut unthought = called("tooluse_1", json!([{"text": "x"}]));
    let thinking = json!({"thinking": {"type": "enabled", "budget_tokens": 1024}});
    let body = |messages: &Value| json!({"messages": messages, "toolConfig": tools(), "additionalModelRequestFields": thinking});
    let plain = body(&unthought);
    unthought[1]["content"].as_array_mut().unwrap().insert(
        0,
        json!({"reasoningContent": {"reasoningText": {"text": "hm", "signature": "s"}}}),
    );
    converse(&[
        (
            SONNET_4_5,
            plain,
            "Expected `thinking` or `redacted_thinking`, but found `tool_use`",
        ),
        (SONNET_4_5, body(&unthought), ""),
    ]);
}

#[test]
fn sampling_stops_and_limits() {
    let inference = |members: Value| json!({"inferenceConfig": members});
    converse(&[
        (
            SONNET_4_5,
            inference(json!({"temperature": 0.5, "topP": 0.9})),
            "`temperature` and `top_p` cannot both be specified",
        ),
        (
            NOVA,
            inference(json!({"temperature": 0.5, "topP": 0.9})),
            "",
        ),
        (
            OPUS_4_7,
            inference(json!({"temperature": 0.5})),
            "`temperature` is deprecated for this model.",
        ),
        (OPUS_4_7, inference(json!({"temperature": 1})), ""),
        (
            "xai.grok-4.6",
            inference(json!({"temperature": 1})),
            "This model doesn't support the temperature field. Remove temperature and try again.",
        ),
        (
            SONNET_4_5,
            inference(json!({"stopSequences": ["\n"]})),
            "each stop sequence must contain non-whitespace",
        ),
        (
            NOVA,
            inference(json!({"stopSequences": ["a", "b", "c", "d", "e"]})),
            "length less than or equal to 4",
        ),
        (
            "qwen.qwen3-32b-v1:0",
            inference(json!({"stopSequences": ["a"]})),
            "This model doesn't support the stopSequences field. Remove stopSequences and try again.",
        ),
        (
            "qwen.qwen3-32b-v1:0",
            inference(json!({"stopSequences": []})),
            "",
        ),
        (
            NOVA,
            inference(json!({"maxTokens": 10001})),
            "The maximum tokens you requested exceeds the model limit of 10000.",
        ),
        (
            "xai.grok-4.6",
            inference(json!({"maxTokens": 15})),
            "Expected a value >= 16",
        ),
        (NOVA, json!({"serviceTier": {"type": "flex"}}), ""),
        (
            SONNET_4_5,
            json!({"serviceTier": {"type": "flex"}}),
            "The service tier flex is not supported",
        ),
        (
            NOVA,
            json!({"requestMetadata": {"user": "{\"a\":1}"}}),
            "regular expression pattern",
        ),
    ]);
}

#[test]
fn structured_output() {
    let closed =
        || schema(json!({"type": "object", "properties": {}, "additionalProperties": false}));
    converse(&[
        (SONNET_4_5, json!({"outputConfig": closed()}), ""),
        (
            SONNET_4_5,
            json!({"outputConfig": schema(json!({"type": "object", "properties": {}}))}),
            "'additionalProperties' must be explicitly set to false",
        ),
        (
            OPUS_4_7,
            json!({"outputConfig": closed()}),
            "output_config.format: Extra inputs are not permitted",
        ),
        (
            LLAMA,
            json!({"outputConfig": closed()}),
            "This model doesn't support the outputConfig field.",
        ),
        (
            SONNET_4_6,
            json!({"outputConfig": {"effort": "low"}}),
            "doesn't support the outputConfig.effort field",
        ),
        (
            "openai.gpt-6-sol",
            json!({"outputConfig": closed()}),
            "text.format.strict",
        ),
        (
            "openai.gpt-6-sol",
            json!({"outputConfig": closed(), "additionalModelRequestFields": {"text": {"format": {"strict": true}}}}),
            "",
        ),
    ]);
    let strict = json!({"outputConfig": closed(), "additionalModelRequestFields": {"text": {"format": {"strict": true}}}});
    check(
        Operation::ConverseStream,
        &[("openai.gpt-6-sol", strict, "streaming mode")],
    );
}

#[test]
fn files() {
    let pdf = |name: &str| json!({"document": {"format": "pdf", "name": name, "source": {"bytes": "AA=="}}});
    let turn = |blocks: Value| json!({"messages": [user(blocks)]});
    let inline = json!({"document": {"name": "d", "source": {"text": "The grass is green."}}});
    let mut cited = inline.clone();
    cited["document"]["citations"] = json!({"enabled": true});
    converse(&[
        (SONNET_4_6, turn(json!([pdf("a b"), {"text": "?"}])), ""),
        (
            SONNET_4_6,
            turn(json!([pdf("a")])),
            "A text block must be included when using documents.",
        ),
        (
            SONNET_4_6,
            turn(json!([pdf("a.pdf"), {"text": "?"}])),
            "The document file name can only contain",
        ),
        (
            SONNET_4_6,
            turn(json!([pdf("a"), pdf("a"), {"text": "?"}])),
            "Messages can't contain duplicate document names.",
        ),
        (
            SONNET_4_6,
            turn(json!([inline, {"text": "?"}])),
            "with citations enabled",
        ),
        (SONNET_4_6, turn(json!([cited, {"text": "?"}])), ""),
        (
            NOVA,
            turn(json!([cited, {"text": "?"}])),
            "This model doesn't support citations.",
        ),
        (
            GPT_OSS,
            turn(json!([pdf("a"), {"text": "?"}])),
            "document content block",
        ),
        (
            SONNET_4_6,
            turn(json!([{"video": {"format": "mp4", "source": {"bytes": "AA=="}}}])),
            "This model doesn't support the video content block field.",
        ),
        (
            NOVA,
            turn(json!([{"video": {"format": "mp4", "source": {"bytes": "AA=="}}}])),
            "",
        ),
        (
            LLAMA,
            turn(json!([{"image": {"format": "png", "source": {"bytes": "AA=="}}}])),
            "image content block",
        ),
        (
            KIMI,
            json!({"messages": called("tooluse_1", json!([{"image": {"format": "png", "source": {"bytes": "AA=="}}}])), "toolConfig": tools()}),
            "toolResult.content.image",
        ),
    ]);
}

#[test]
fn anthropics_messages() {
    let tool = |members: Value| {
        let mut tool = json!({"name": "bash", "input_schema": {"type": "object"}});
        tool.as_object_mut()
            .unwrap()
            .extend(members.as_object().unwrap().clone());
        json!({"tools": [tool]})
    };
    let flagged = |flags: Value, members: Value| {
        let mut body = members;
        body["anthropic_beta"] = flags;
        body
    };
    let edits = |kind: &str| json!({"context_management": {"edits": [{"type": kind}]}});
    let cached = |control: Value| json!({"system": [{"type": "text", "text": "s", "cache_control": control}]});
    let search = json!({"tools": [
        {"type": "tool_search_tool_regex_20251119", "name": "tool_search_tool_regex"},
        {"name": "bash", "input_schema": {"type": "object"}, "defer_loading": true},
    ]});
    let thought = |block: Value| {
        json!({"messages": [
            {"role": "user", "content": "q"},
            {"role": "assistant", "content": [block, {"type": "text", "text": "a"}]},
            {"role": "user", "content": "go on"},
        ]})
    };
    check(
        Operation::Invoke,
        &[
            (SONNET_4_6, json!({}), ""),
            (
                SONNET_4_6,
                json!({"stream": true}),
                "stream: Extra inputs are not permitted",
            ),
            (
                SONNET_4_6,
                json!({"speed": "fast"}),
                "speed: Extra inputs are not permitted",
            ),
            (
                SONNET_4_6,
                json!({"output_format": {}}),
                "output_format: Extra inputs are not permitted",
            ),
            (
                SONNET_4_6,
                json!({"anthropic_beta": ["claude-code-20250219"]}),
                "invalid beta flag",
            ),
            (
                SONNET_4_6,
                flagged(json!(["context-management-2025-06-27"]), json!({})),
                "invalid beta flag",
            ),
            (
                SONNET_4_5,
                edits("clear_tool_uses_20250919"),
                "context_management: Extra inputs",
            ),
            (
                SONNET_4_5,
                flagged(
                    json!(["context-management-2025-06-27"]),
                    edits("clear_tool_uses_20250919"),
                ),
                "",
            ),
            (
                SONNET_4_5,
                flagged(
                    json!(["context-management-2025-06-27"]),
                    edits("clear_thinking_20251015"),
                ),
                "clear_thinking_20251015: Extra inputs",
            ),
            (
                SONNET_4_6,
                tool(json!({"eager_input_streaming": true})),
                "tools.0.custom.eager_input_streaming: Extra inputs are not permitted",
            ),
            (
                SONNET_4_6,
                tool(json!({"custom": {}})),
                "tools.0.custom.custom: Extra inputs",
            ),
            (
                SONNET_4_6,
                tool(json!({"input_schema": {}})),
                "input_schema.type",
            ),
            (
                SONNET_4_6,
                tool(json!({"cache_control": {"type": "ephemeral", "scope": "global"}})),
                "cache_control.ephemeral.scope: Extra inputs",
            ),
            (
                SONNET_4_6,
                search.clone(),
                "does not support tool types: tool_search_tool_regex_20251119",
            ),
            (
                SONNET_4_6,
                flagged(json!(["tool-search-tool-2025-10-19"]), search),
                "",
            ),
            (
                SONNET_4_6,
                json!({"tools": [{"type": "web_search_20250305", "name": "web_search"}]}),
                "does not support tool types: web_search_20250305",
            ),
            (OPUS_4_7, json!({"top_k": 5}), "`top_k` is deprecated"),
            (
                OPUS_4_7,
                json!({"cache_control": {"type": "ephemeral"}}),
                "",
            ),
            (
                SONNET_4_5,
                json!({"cache_control": {"type": "ephemeral"}}),
                "cache_control: Extra inputs",
            ),
            (
                SONNET_4_6,
                cached(json!({"type": "ephemeral", "ttl": "1h"})),
                "",
            ),
            (
                "us.anthropic.claude-sonnet-4-20250514-v1:0",
                cached(json!({"type": "ephemeral", "ttl": "5m"})),
                "ttl: Extra inputs",
            ),
            (
                SONNET_4_5,
                json!({"thinking": {"type": "adaptive"}}),
                "\"thinking.type.adaptive\" is not supported",
            ),
            (
                SONNET_4_6,
                json!({"thinking": {"type": "adaptive"}, "top_k": 5}),
                "`top_k` must be unset",
            ),
            (
                SONNET_4_6,
                json!({"output_config": {"task_budget": 1}}),
                "output_config.task_budget: Extra inputs",
            ),
            (
                SONNET_4_6,
                json!({"metadata": {"user_id": "u", "team": "t"}}),
                "metadata.team",
            ),
            (
                SONNET_4_6,
                thought(json!({"type": "thinking", "thinking": "hm", "signature": "s"})),
                "",
            ),
            (
                SONNET_4_6,
                thought(json!({"type": "thinking", "thinking": "hm", "signature": ""})),
                "signature: Field required",
            ),
            (
                SONNET_4_6,
                json!({"messages": [{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "x"}]}]}),
                "unexpected `tool_use_id`",
            ),
            (
                SONNET_4_6,
                json!({"messages": [{"role": "user", "content": [{"type": "text", "text": ""}]}]}),
                "text content blocks must be non-empty",
            ),
            (
                SONNET_4_6,
                json!({"messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "Hi"}]}),
                "Input should be 'user' or 'assistant'",
            ),
            (
                "anthropic.claude-opus-4-8",
                json!({"messages": [{"role": "user", "content": "Hi"}, {"role": "system", "content": "s"}]}),
                "",
            ),
            (
                SONNET_4_6,
                json!({"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "{"}]}),
                "prefill",
            ),
        ],
    );
    let without = json!({"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 5});
    assert!(
        refusal(Operation::Invoke, SONNET_4_6, &without)
            .contains("anthropic_version: Field required")
    );
}

#[test]
fn counting() {
    let converse = json!({"input": {"converse": {"messages": [user(json!([{"text": "Hi"}]))]}}});
    let body = STANDARD.encode(json!({"anthropic_version": "bedrock-2023-05-31", "max_tokens": 1, "messages": [{"role": "user", "content": "Hi"}], "betas": []}).to_string());
    let invoke = json!({"input": {"invokeModel": {"body": body}}});
    for (model, body, wanted) in [
        ("anthropic.claude-sonnet-4-6", &converse, ""),
        (
            SONNET_4_6,
            &converse,
            "The provided model doesn't support counting tokens.",
        ),
        (
            "anthropic.claude-opus-4-7",
            &converse,
            "doesn't support counting",
        ),
        (
            "amazon.nova-pro-v1:0",
            &converse,
            "doesn't support counting",
        ),
        (
            "anthropic.claude-sonnet-4-6",
            &invoke,
            "betas: Extra inputs",
        ),
        (
            "anthropic.claude-sonnet-4-6",
            &json!({"input": {}}),
            "Exactly one member",
        ),
    ] {
        let found = refusal(Operation::CountTokens, model, body);
        let right = if wanted.is_empty() {
            found.is_empty()
        } else {
            found.contains(wanted)
        };
        assert!(right, "{model} {body}: {found}");
    }
}
