//! A client's request: whatever it holds, it is refused or becomes a request that keeps to the operator's rules.

use gateway::bedrock::Operation;
use gateway::{Api, Auth, Guardrail, Plan, Refusal, Settings, inspect};
use serde_json::{Map, Value};

use crate::location::settings;

/// What may be asked, by API and path; a new dialect is one more line. The empty path is taken from the input.
const CALLS: [(Option<Api>, &str); 24] = [
    (None, ""),
    (Some(Api::Native), ""),
    (Some(Api::Converse), ""),
    (Some(Api::Converse), "/chat"),
    (Some(Api::Native), "/model/m/converse"),
    (Some(Api::Native), "/model/m/converse-stream"),
    (Some(Api::Native), "/model/anthropic.c/invoke"),
    (
        Some(Api::Native),
        "/model/amazon.nova-x/invoke-with-response-stream",
    ),
    (Some(Api::Native), "/model/amazon.titan-text-x/invoke"),
    (Some(Api::Native), "/model/meta.llama/invoke"),
    (Some(Api::Native), "/model/cohere.command-r/invoke"),
    (Some(Api::Native), "/model/m/count-tokens"),
    (Some(Api::Native), "/guardrail/g/version/1/apply"),
    (Some(Api::Native), "/openai/v1/chat/completions"),
    (Some(Api::Native), "/openai/v1/responses"),
    (Some(Api::Native), "/anthropic/v1/messages"),
    (Some(Api::OpenAi), "/v1/chat/completions"),
    (Some(Api::OpenAi), "/v1/embeddings"),
    (Some(Api::Anthropic), "/v1/messages"),
    (Some(Api::Anthropic), "/v1/messages/count_tokens"),
    (Some(Api::Responses), "/v1/responses"),
    (Some(Api::Responses), "/v1/responses/input_tokens"),
    (Some(Api::Cohere), "/v1/rerank"),
    (Some(Api::Native), "/model/amazon.rerank-v1:0/invoke"),
];

/// Any request.
pub fn plan(data: &[u8]) {
    let Some((&[call, rules], rest)) = data.split_first_chunk() else {
        return;
    };
    let (api, path) = CALLS[usize::from(call) % CALLS.len()];
    let (path, body) = match path {
        "" => first_line(rest),
        path => (path.to_owned(), rest),
    };
    let bit = |bit: u8| rules >> bit & 1 == 1;
    let guardrail = Guardrail {
        id: "g".into(),
        version: "1".into(),
        trace: bit(4).then(|| "enabled".into()),
    };
    let settings = Settings {
        max_output_tokens: bit(0).then_some(LIMIT),
        guardrail: bit(1).then_some(&guardrail),
        model: bit(2).then_some("operators.model"),
        auth: match bit(3) {
            false => Auth::Sign,
            true => Auth::Client,
        },
        ..settings()
    };
    let planned = planned(api, &path, &settings, body);
    let plan = match planned {
        Ok(plan) => plan,
        Err(refusal) => return assert!((400..600).contains(&refusal.status), "{refusal}"),
    };
    assert!(plan.target.starts_with('/') && !plan.host.contains(['\r', '\n', '/', ' ']));
    let one_line = |text: &str| !text.contains(|c: char| c.is_control());
    assert!(
        one_line(&plan.target) || settings.auth == Auth::Client,
        "{:?}",
        plan.target
    );
    assert!(
        plan.headers
            .iter()
            .all(|(name, value)| one_line(name) && one_line(value))
    );

    let sent: Vec<u8> = plan.body.pieces(body).flatten().copied().collect();
    assert_eq!(sent.len(), plan.body.len(body.len()));
    if settings.auth == Auth::Client {
        assert_eq!(sent, body, "what the client signed must not change");
        return;
    }
    if matches!(plan.operation, Operation::VendorApi { .. }) {
        // Its model is in the body, so that it is another request without its path's prefix.
        return;
    }
    // A plan is a request of Bedrock's own, and nothing is left to change in it.
    let again = planned_again(&plan, &settings, &sent);
    assert_eq!(
        (&again.target, &again.model, again.operation),
        (&plan.target, &plan.model, plan.operation)
    );
    assert!(
        again.body.pieces(&sent).flatten().eq(&sent),
        "planned twice, a body is another"
    );

    // The rest is about documents that a parser takes which builds a tree.
    let Ok(mut expected) = serde_json::from_slice::<Map<String, Value>>(body) else {
        return;
    };
    let sent: Map<String, Value> = serde_json::from_slice(&sent).expect("JSON stays JSON");
    if settings.max_output_tokens.is_some() && plan.operation.is_converse() {
        let limit = sent
            .get("inferenceConfig")
            .and_then(|config| config.get("maxTokens")?.as_u64());
        assert!(
            limit.is_some_and(|limit| (1..=LIMIT).contains(&limit)),
            "{limit:?}"
        );
    }
    if settings.guardrail.is_some() && plan.operation.is_converse() {
        let id = sent
            .get("guardrailConfig")
            .and_then(|config| config.get("guardrailIdentifier")?.as_str());
        assert_eq!(id, Some("g"));
    }
    if matches!(plan.api, Api::OpenAi | Api::Responses | Api::Anthropic) {
        return;
    }
    if plan.api == Api::Converse {
        expected.remove("model");
        expected.remove("stream");
    }
    let rules = [
        "inferenceConfig",
        "guardrailConfig",
        "textGenerationConfig",
        "max_tokens",
        "max_tokens_to_sample",
        "max_gen_len",
    ];
    let changed = |name: &str| (bit(0) || bit(1)) && rules.contains(&name);
    let others = |members: Map<String, Value>| {
        members
            .into_iter()
            .filter(|(name, _)| !changed(name))
            .collect::<Map<_, _>>()
    };
    assert_eq!(others(sent), others(expected));
}

/// Each call with bodies as clients send them.
pub fn seeds() -> Vec<Vec<u8>> {
    let bodies = [
        r#"{"messages":[{"role":"user","content":[{"text":"Hi"}]}],"inferenceConfig":{"maxTokens":50,"temperature":0.5}}"#,
        r#"{ "model": "a.b-v1:0", "stream": true, "messages": [], "guardrailConfig": {"guardrailIdentifier": "x"} }"#,
        r#"{"anthropic_version":"bedrock-2023-05-31","max_tokens":100,"messages":[{"role":"user","content":"Hi"}]}"#,
        r#"{"inputText":"Hi","textGenerationConfig":{"maxTokenCount":100},"additionalModelRequestFields":{"max_tokens":1}}"#,
        r#"{"prompt":"Hi","max_gen_len":64,"mod\u0065l":"\ud83d\ude00","n":-1.5e+3,"deep":[[[{"a":[]}]]],"b":null}"#,
        r#"{"guardrailConfig":{},"guardrailConfig":{"guardrailIdentifier":"x"},"messages":[],"x":1,"x":2}"#,
        r#"{"model":"m","messages":[{"role":"system","content":"s"},{"role":"user","content":[{"type":"text","text":"Hi"},{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"}}]},{"role":"assistant","content":null,"tool_calls":[{"id":"a|b","type":"function","function":{"name":"f","arguments":"{}"}}]},{"role":"tool","tool_call_id":"a|b","content":"x"}],"tools":[{"type":"function","function":{"name":"f"}}],"tool_choice":"auto","response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{}}},"stop":["x"],"max_tokens":5}"#,
        r#"{"model":"anthropic.c","max_tokens":9,"system":[{"type":"text","text":"s","cache_control":{"type":"ephemeral"}}],"messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":[{"type":"thinking","thinking":"t","signature":"s"},{"type":"tool_use","id":"t1","name":"f","input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"t1","content":"x","is_error":true}]}],"tools":[{"name":"f","input_schema":{"type":"object"}}],"thinking":{"type":"enabled","budget_tokens":1024}}"#,
        r#"{"model":"cohere.embed-x","input":["a","b"],"encoding_format":"base64"}"#,
        "",
    ];
    let mut seeds = Vec::new();
    for (call, (_, path)) in (0..).zip(CALLS) {
        let line = if path.is_empty() {
            "/model/arn%3Aaws%2Fx/converse?a=b\n"
        } else {
            ""
        };
        for rules in [0, 0b111] {
            seeds.extend(
                bodies.map(|body| [&[call, rules], line.as_bytes(), body.as_bytes()].concat()),
            );
        }
    }
    seeds
}

fn planned(
    api: Option<Api>,
    path: &str,
    settings: &Settings<'_>,
    body: &[u8],
) -> Result<Plan, Refusal> {
    let request = inspect(api, "POST", path, Some(body))?;
    gateway::plan(&request, settings, &HEADERS, body)
}

fn planned_again(plan: &Plan, settings: &Settings<'_>, sent: &[u8]) -> Plan {
    planned(Some(Api::Native), &plan.target, settings, sent)
        .expect("what is planned can be planned")
}

/// A path, up to the first line's end, and the rest.
fn first_line(data: &[u8]) -> (String, &[u8]) {
    let end = data
        .iter()
        .position(|byte| *byte == b'\n')
        .unwrap_or(data.len());
    let path = String::from_utf8_lossy(&data[..end]).into_owned();
    (path, data.get(end + 1..).unwrap_or_default())
}

const HEADERS: [(&str, &str); 3] = [
    ("content-type", "application/json"),
    ("accept", "text/event-stream"),
    (
        "authorization",
        "AWS4-HMAC-SHA256 Credential=a/20260101/us-east-1/bedrock/aws4_request, SignedHeaders=host, Signature=0",
    ),
];
const LIMIT: u64 = 9;
