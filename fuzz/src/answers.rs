//! Answers that are no event stream, to vendors' clients: a whole one that is written anew, or a vendor's own server-sent events,
//! which pass as they are, but for a usage that the client did not ask for. The same however they are cut, and never clean when the upstream's end was not.

use gateway::{Api, Settings, inspect, plan};
use serde::de::IgnoredAny;

use crate::frames::pieces;
use crate::location::settings;
use crate::server::{Ending, Outcome, fed, now};

/// Who asks (target and body), what the answer says it is, and whether it is written anew. What is not goes to Bedrock's own
/// path of that name.
const CLIENTS: [(&str, &str, &str, bool); 9] = [
    (
        "/v1/chat/completions",
        r#"{"model":"m","messages":[]}"#,
        JSON,
        true,
    ),
    (
        "/v1/messages",
        r#"{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"Hi"}]}"#,
        JSON,
        true,
    ),
    (
        "/v1/embeddings",
        r#"{"model":"amazon.titan-embed-text-v2:0","input":"a"}"#,
        JSON,
        true,
    ),
    (
        "/v1/embeddings",
        r#"{"model":"cohere.embed-v4:0","input":["a","b"],"encoding_format":"base64"}"#,
        JSON,
        true,
    ),
    (
        "/openai/v1/responses",
        r#"{"model":"m","stream":true,"input":"Hi"}"#,
        SSE,
        false,
    ),
    (
        "/openai/v1/chat/completions",
        r#"{"model":"m","stream":true,"messages":[]}"#,
        SSE,
        false,
    ),
    (
        "/openai/v1/chat/completions",
        r#"{"model":"m","stream":true,"stream_options":{"include_usage":true},"messages":[]}"#,
        SSE,
        false,
    ),
    (
        "/anthropic/v1/messages",
        r#"{"model":"m","stream":true,"max_tokens":9,"messages":[]}"#,
        SSE,
        false,
    ),
    (
        "/v1/rerank",
        r#"{"model":"amazon.rerank-v1:0","query":"q","documents":["a",{"text":"b"}],"return_documents":true}"#,
        JSON,
        true,
    ),
];
const CHAT: &str = "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\ndata: {\"choices\":[],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2}}\n\ndata: [DONE]\n\n";
const JSON: &str = "application/json";
const SSE: &str = "text/event-stream";

/// Any bytes from upstream.
pub fn answers(data: &[u8]) {
    let Some((&[client, how, first, second, third], body)) = data.split_first_chunk() else {
        return;
    };
    let (target, request, content_type, rewritten) = CLIENTS[usize::from(client) % CLIENTS.len()];
    let bit = |bit: u8| how >> bit & 1 == 1;
    let (clean, holds) = (!bit(0), !bit(1));
    let status = if bit(2) { 429 } else { 200 };
    let settings = Settings {
        response_text: 20,
        hold_headers: holds,
        ..settings()
    };
    let relay = || {
        let api = (!rewritten).then_some(Api::Native);
        let asked = inspect(api, "POST", target, Some(request.as_bytes())).expect("understood");
        let plan = plan(&asked, &settings, &[], request.as_bytes()).expect("planned");
        let header = |name: &str| (name == "content-type").then(|| content_type.to_owned());
        plan.relay(status, header, now())
    };
    let feed = |pieces: Vec<&[u8]>| fed(relay(), pieces, clean);
    let whole = feed(vec![body]);
    let cut = feed(pieces(body, &[first, second, third]));
    assert_eq!(
        (&cut.facts, &cut.ending, &cut.sent),
        (&whole.facts, &whole.ending, &whole.sent)
    );
    assert!(
        clean || whole.ending != Ending::Clean,
        "a clean end after an upstream that broke"
    );
    if clean {
        let mut relay = relay();
        relay.push(body, &mut Vec::new());
        if let Some(taken) = relay.take_whole(0) {
            check_written(taken.write(), &whole);
        }
    }
    if let Ending::Error(status, _) = whole.ending {
        assert!(status >= 400 && whole.sent.is_empty());
    } else if rewritten && whole.ending == Ending::Clean {
        assert!(
            serde_json::from_slice::<IgnoredAny>(&whole.sent).is_ok(),
            "what is written is JSON"
        );
    } else if target.ends_with("/chat/completions") && !request.contains("include_usage") {
        let mut rest = body.iter();
        let is_part = whole.sent.iter().all(|byte| rest.any(|one| one == byte));
        assert!(is_part, "what passes is as it came, without the usage");
    } else {
        assert!(body.starts_with(&whole.sent), "what passes is as it came");
    }
}

/// What is written elsewhere is what would have been written here.
fn check_written(written: Result<Vec<u8>, gateway::Refusal>, whole: &Outcome) {
    match written {
        Ok(written) => {
            assert_eq!((&Ending::Clean, &written), (&whole.ending, &whole.sent));
        }
        Err(refusal) => {
            assert!(matches!(&whole.ending, Ending::Error(status, _) if *status == refusal.status));
        }
    }
}

/// An answer for each client.
pub fn seeds() -> Vec<Vec<u8>> {
    let converse = r#"{"output":{"message":{"role":"assistant","content":[{"text":"Hi"},{"toolUse":{"toolUseId":"t","name":"n","input":{}}}]}},"stopReason":"tool_use","usage":{"inputTokens":1,"outputTokens":2,"totalTokens":3}}"#;
    let bodies = [
        converse,
        converse,
        r#"{"embedding":[0.5,1e-3],"inputTextTokenCount":1}"#,
        r#"{"embeddings":{"float":[[0.5],[1]]}}"#,
        "event: response.created\ndata: {\"type\":\"response.created\"}\n\nevent: response.completed\ndata: {\"type\":\"response.completed\",\"response\":{\"usage\":{\"input_tokens\":1,\"output_tokens\":2}}}\n\n",
        CHAT,
        CHAT,
        "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":1}}}\n\nevent: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":2}}\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
        r#"{"results":[{"index":1,"relevance_score":0.5},{"index":0,"relevance_score":1e-3}]}"#,
    ];
    (0..)
        .zip(bodies)
        .flat_map(|(client, body)| {
            let with = |how| [&[client, how, 7, 0, 1], body.as_bytes()].concat();
            [with(0), with(1), with(2), with(4)]
        })
        .collect()
}
