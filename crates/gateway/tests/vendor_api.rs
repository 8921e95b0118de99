//! The vendors' own APIs at Bedrock: requests that pass but for the operator's rules, answers that pass and are read.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod common;
#[path = "common/planning.rs"]
#[allow(dead_code)]
mod planning;
#[path = "common/stream.rs"]
#[allow(dead_code)]
mod stream;

use common::settings;
use gateway::bedrock::Operation;
use gateway::{
    Api, Auth, Body, End, Facts, Flow, Guardrail, Plan, Refusal, Relay, Settings, StreamStatus,
    inspect, plan,
};
use planning::{JSON, header, sent};
use stream::{Ending, fed, now};

const CHAT: &str = "/openai/v1/chat/completions";
const RESPONSES: &str = "/openai/v1/responses";
const MESSAGES: &str = "/anthropic/v1/messages";

fn natively(
    target: &str,
    settings: &Settings<'_>,
    headers: &[(&str, &str)],
    body: &str,
) -> Result<Plan, Refusal> {
    let request = inspect(Some(Api::Native), "POST", target, Some(body.as_bytes()))?;
    plan(&request, settings, headers, body.as_bytes())
}

#[test]
fn the_path_passes_without_its_prefix_and_the_body_as_it_is() {
    for (path, word) in [
        (CHAT, "openai_chat"),
        (RESPONSES, "openai_responses"),
        (MESSAGES, "anthropic_messages"),
    ] {
        for stream in [true, false] {
            let body = format!(r#" {{"model" : "m.1", "stream":{stream},"x":1.50}} "#);
            let target = format!("/team-a{path}?beta=true");
            let seen = inspect(Some(Api::Native), "POST", &target, None).unwrap();
            assert!(seen.needs_body());
            let headers = [
                JSON,
                ("accept", "*/*"),
                ("user-agent", "u"),
                ("anthropic-version", "2023-06-01"),
                ("anthropic-beta", "b"),
                ("x-api-key", "secret"),
                ("x-stainless-lang", "python"),
                ("authorization", "Bearer secret"),
            ];
            let plan = natively(&target, &settings(), &headers, &body).unwrap();
            assert_eq!((plan.api, plan.target.as_str()), (Api::Native, path));
            assert_eq!(plan.operation.as_str(), word);
            assert_eq!(plan.operation.streams(), stream);
            if path == CHAT && stream {
                let asks = r#" {"model" : "m.1", "stream":true,"x":1.50,"stream_options":{"include_usage":true}} "#;
                assert_eq!(sent(&plan, &body), asks);
            } else {
                assert_eq!(plan.body, Body::Unchanged);
            }
            assert_eq!(plan.model.as_deref(), Some("m.1"));
            let accepted = if stream {
                "text/event-stream"
            } else {
                "application/json"
            };
            assert_eq!(header(&plan, "accept"), Some(accepted));
            assert_eq!(header(&plan, "accept-encoding"), Some("identity"));
            let to_anthropic = path == MESSAGES;
            assert_eq!(header(&plan, "anthropic-version").is_some(), to_anthropic);
            assert_eq!(header(&plan, "anthropic-beta").is_some(), to_anthropic);
            for name in ["x-api-key", "x-stainless-lang", "authorization"] {
                assert_eq!(header(&plan, name), None);
            }
        }
    }
}

#[test]
fn a_chat_stream_tells_the_log_its_usage_and_the_client_what_it_asked_for() {
    let told = |options: &str| {
        let body = format!(r#"{{"model":"m","stream":true{options}}}"#);
        let plan = natively(CHAT, &settings(), &[JSON], &body).unwrap();
        let wanted = sent(&plan, &body);
        let events = [
            r#"data: {"choices":[{"delta":{"content":"Hi"}}],"usage":null}"#,
            ": a comment\r\nevent: x\r\n:one within\r\ndata: {}",
            r#"data: {"choices":[{"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}"#,
            // Two that are no events.
            "id: 7",
            r#"data: {"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":7,"total_tokens":12}}"#,
            "retry: 8\r\n\r\n: of nobody",
            "data: [DONE]",
        ];
        let stream: String = events.iter().map(|event| format!("{event}\n\n")).collect();
        let mut answers = Vec::new();
        for cut in [1, 2, 3, 7, 50, 1000] {
            let header = |name: &str| (name == "content-type").then(|| "text/event-stream".into());
            let mut relay = plan.relay(200, header, now());
            let rewrites = relay.rewrites_as().is_some();
            let mut out = Vec::new();
            for bytes in stream.as_bytes().chunks(cut) {
                let flow = relay.push(bytes, &mut out);
                if !rewrites && flow == Flow::Go {
                    out.extend_from_slice(bytes);
                }
            }
            assert_eq!(relay.finish(true, &mut out), End::Clean);
            assert_eq!(
                (relay.facts().input_tokens, relay.facts().output_tokens),
                (Some(5), Some(7))
            );
            if rewrites {
                answers.push(String::from_utf8(out).unwrap());
            }
        }
        (wanted, stream, answers)
    };
    for options in [
        "",
        r#","stream_options":null"#,
        r#","stream_options":{"include_usage":false}"#,
    ] {
        let (wanted, stream, answers) = told(options);
        assert!(wanted.contains(r#""include_usage":true"#), "{wanted}");
        let usage = stream.find(r#"data: {"choices":[],"#).unwrap();
        let expected = format!("{}data: [DONE]\n\n", &stream[..usage]);
        let expected = expected
            .replace(": a comment\r\n", "")
            .replace(":one within\r\n", "")
            .replace("id: 7\n\n", "");
        assert_eq!(answers, vec![expected; 6]);
    }
    let (wanted, _, answers) = told(r#","stream_options":{"include_usage":true}"#);
    assert_eq!(
        wanted,
        r#"{"model":"m","stream":true,"stream_options":{"include_usage":true}}"#
    );
    assert_eq!(answers, Vec::<String>::new());
    // What a client has signed stays as it is.
    let own = Settings {
        auth: Auth::Client,
        ..settings()
    };
    let body = r#"{"model":"m","stream":true}"#;
    let plan = natively(CHAT, &own, &[JSON, ("authorization", "Bearer k")], body).unwrap();
    assert_eq!(plan.body, Body::Unchanged);
}

#[test]
fn by_itself_each_is_translated() {
    let seen = |target| inspect(None, "POST", target, Some(br#"{"model":"m"}"#)).unwrap();
    assert_eq!(seen("/x/openai/v1/responses").api, Api::Responses);
    assert_eq!(seen(CHAT).api, Api::OpenAi);
    assert_eq!(seen(CHAT).operation, Some(Operation::Converse));
    assert_ne!(seen(MESSAGES).api, Api::Native);
    let refusal = inspect(None, "GET", RESPONSES, None).unwrap_err();
    assert_eq!(refusal.status, 405);
}

#[test]
fn only_the_model_changes_where_the_operator_has_another() {
    let settings = Settings {
        aliases: &[("small".to_owned(), "openai.gpt-oss-20b-1:0".to_owned())],
        allow_models: &["openai.*".to_owned()],
        ..settings()
    };
    for (body, goes_on) in [
        (
            r#"{"a":1.0, "model": "small","b":[ ]}"#,
            r#"{"a":1.0, "model": "openai.gpt-oss-20b-1:0","b":[ ]}"#,
        ),
        (
            r#"{"model":"openai.gpt-oss-20b-1%3A0"}"#,
            r#"{"model":"openai.gpt-oss-20b-1:0"}"#,
        ),
    ] {
        let plan = natively(CHAT, &settings, &[JSON], body).unwrap();
        assert_eq!(sent(&plan, body), goes_on);
        assert_eq!(plan.model.as_deref(), Some("openai.gpt-oss-20b-1:0"));
    }
    let forced = Settings {
        model: Some("openai.other"),
        ..settings.clone()
    };
    let plan = natively(RESPONSES, &forced, &[JSON], "{}").unwrap();
    assert_eq!(sent(&plan, "{}"), r#"{"model":"openai.other"}"#);
    for (body, status) in [
        (r#"{"model":"anthropic.x"}"#, 403),
        ("{}", 400),
        (r#"{"model":"a","model":"b"}"#, 400),
        (r#"{"model":"a/../b"}"#, 400),
        ("x", 400),
    ] {
        let refusal = natively(CHAT, &settings, &[JSON], body).unwrap_err();
        assert_eq!(refusal.status, status, "{body}");
    }
}

#[test]
fn the_limit_of_tokens_goes_into_each_apis_own_field() {
    let capped = Settings {
        max_output_tokens: Some(100),
        ..settings()
    };
    for (path, members, expected) in [
        (CHAT, "", r#","max_completion_tokens":100"#),
        (CHAT, r#","max_tokens":500"#, r#","max_tokens":100"#),
        (CHAT, r#","max_tokens":50"#, r#","max_tokens":50"#),
        (
            CHAT,
            r#","max_completion_tokens":1e9"#,
            r#","max_completion_tokens":100"#,
        ),
        (
            CHAT,
            r#","max_completion_tokens":7,"max_tokens":101"#,
            r#","max_completion_tokens":7,"max_tokens":100"#,
        ),
        (CHAT, r#","max_tokens":null"#, r#","max_tokens":100"#),
        (
            RESPONSES,
            r#","max_tokens":5"#,
            r#","max_tokens":5,"max_output_tokens":100"#,
        ),
        (
            RESPONSES,
            r#","max_output_tokens":101"#,
            r#","max_output_tokens":100"#,
        ),
        (MESSAGES, r#","max_tokens":4096"#, r#","max_tokens":100"#),
        (MESSAGES, r#","max_tokens":1"#, r#","max_tokens":1"#),
    ] {
        let body = format!(r#"{{"model":"m"{members}}}"#);
        let plan = natively(path, &capped, &[JSON], &body).unwrap();
        let expected = format!(r#"{{"model":"m"{expected}}}"#);
        assert_eq!(sent(&plan, &body), expected, "{path} {members}");
    }
    let twice = r#"{"model":"m","max_tokens":1,"max_tokens":999}"#;
    let refusal = natively(MESSAGES, &capped, &[JSON], twice).unwrap_err();
    assert_eq!(refusal.status, 400);
}

#[test]
fn a_guardrail_goes_where_it_can_and_nothing_goes_without_it() {
    let guardrail = Guardrail {
        id: "g".into(),
        version: "1".into(),
        trace: Some("enabled".into()),
    };
    let guarded = Settings {
        guardrail: Some(&guardrail),
        ..settings()
    };
    let body = r#"{"model":"m"}"#;
    let own = [JSON, ("x-amzn-bedrock-guardrailidentifier", "mine")];
    let plan = natively(CHAT, &guarded, &own, body).unwrap();
    assert_eq!(
        header(&plan, "x-amzn-bedrock-guardrailidentifier"),
        Some("g")
    );
    assert_eq!(header(&plan, "x-amzn-bedrock-guardrailversion"), Some("1"));
    assert_eq!(header(&plan, "x-amzn-bedrock-trace"), Some("ENABLED"));
    let plan = natively(CHAT, &settings(), &own, body).unwrap();
    assert_eq!(
        header(&plan, "x-amzn-bedrock-guardrailidentifier"),
        Some("mine")
    );
    for path in [RESPONSES, MESSAGES] {
        assert_eq!(
            natively(path, &guarded, &[JSON], body).unwrap_err().status,
            403
        );
    }
}

#[test]
fn a_client_that_authorizes_itself_is_sent_on_if_nothing_changes() {
    let off = Settings {
        auth: Auth::Client,
        ..settings()
    };
    let signed = [JSON, ("authorization", "Bearer key"), ("accept", "x/y")];
    let body = r#"{"model":"m"}"#;
    let plan = natively("/p/openai/v1/responses?a=1", &off, &signed, body).unwrap();
    assert_eq!(plan.target, "/openai/v1/responses?a=1");
    assert_eq!(header(&plan, "authorization"), Some("Bearer key"));
    assert_eq!(natively(CHAT, &off, &[JSON], body).unwrap_err().status, 403);
    let guardrail = Guardrail {
        id: "g".into(),
        version: "1".into(),
        trace: None,
    };
    for changing in [
        Settings {
            model: Some("other"),
            ..off.clone()
        },
        Settings {
            max_output_tokens: Some(5),
            ..off.clone()
        },
        Settings {
            guardrail: Some(&guardrail),
            ..off.clone()
        },
    ] {
        assert_eq!(
            natively(CHAT, &changing, &signed, body).unwrap_err().status,
            403
        );
    }
}

fn relay(
    path: &str,
    stream: bool,
    settings: &Settings<'_>,
    status: u16,
    content_type: &str,
) -> Relay {
    let asks = r#""stream_options":{"include_usage":true}"#;
    relay_asked(path, stream, asks, settings, status, content_type)
}

fn relay_asked(
    path: &str,
    stream: bool,
    asks: &str,
    settings: &Settings<'_>,
    status: u16,
    content_type: &str,
) -> Relay {
    let body = format!(r#"{{"model":"m","stream":{stream},{asks}}}"#);
    let header = |name: &str| (name == "content-type").then(|| content_type.to_owned());
    natively(path, settings, &[JSON], &body)
        .unwrap()
        .relay(status, header, now())
}

fn keeping() -> Settings<'static> {
    Settings {
        response_text: 100,
        ..settings()
    }
}

/// What a stream of these events tells, the same wherever it is cut; and how it ends for the client.
fn streamed(path: &str, events: &[&str], clean: bool) -> (Facts, Ending) {
    let body: String = events.iter().map(|event| format!("{event}\n\n")).collect();
    let bytes = body.as_bytes();
    let feed = |pieces: Vec<&[u8]>| {
        let relay = relay(
            path,
            true,
            &keeping(),
            200,
            "text/event-stream; charset=utf-8",
        );
        assert!(relay.is_stream() && relay.rewrites_as().is_none());
        assert_eq!(relay.holds(), keeping().hold_headers);
        fed(relay, pieces, clean)
    };
    let whole = feed(vec![bytes]);
    assert_eq!(whole.sent, bytes);
    for cut in 0..=bytes.len() {
        assert_eq!(
            feed(vec![&bytes[..cut], &bytes[cut..]]),
            whole,
            "cut at {cut}"
        );
    }
    assert_eq!(feed(bytes.chunks(1).collect()), whole);
    let crlf = body.replace('\n', "\r\n");
    let with_returns = feed(crlf.as_bytes().chunks(5).collect());
    assert_eq!(
        (&with_returns.facts, &with_returns.ending),
        (&whole.facts, &whole.ending)
    );
    (whole.facts, whole.ending)
}

fn counts(facts: &Facts) -> [Option<u64>; 5] {
    [
        facts.input_tokens,
        facts.output_tokens,
        facts.cache_read_tokens,
        facts.cache_write_tokens,
        facts.total_tokens(),
    ]
}

const ROLE: &str = r#"data: {"choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}],"usage":null}"#;
const HELLO: &str = r#"data: {"choices":[{"index":0,"delta":{"content":"H\u00e9 "}}]}"#;
const CALL: &str = r#"data: {"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"c1","type":"function","function":{"name":"f","arguments":""}}]}}]}"#;
const ARGUMENTS: &str = r#"data: {"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{}"}}]}}]}"#;
const TWO_CALLS: &str = r#"data: {"choices":[{"index":0,"delta":{"tool_calls":[{"index":1,"id":"c2"},{"index":2,"id":"c3"}]}}]}"#;
const FINISH: &str = r#"data: {"choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}"#;
const USAGE: &str = r#"data: {"choices":[],"usage":{"prompt_tokens":30,"completion_tokens":5,"total_tokens":35,"prompt_tokens_details":{"cached_tokens":10}}}"#;
const DONE: &str = "data: [DONE]";

#[test]
fn a_chat_stream_tells_all_there_is_to_know() {
    let events = [
        ": ping", ROLE, HELLO, HELLO, CALL, ARGUMENTS, TWO_CALLS, FINISH, USAGE, DONE,
    ];
    let (facts, ending) = streamed(CHAT, &events, true);
    assert_eq!(ending, Ending::Clean);
    assert_eq!(
        counts(&facts),
        [Some(20), Some(5), Some(10), None, Some(35)]
    );
    assert_eq!(facts.stream, Some(StreamStatus::Complete));
    assert_eq!(facts.stop_reason.as_deref(), Some("tool_calls"));
    assert_eq!(facts.tool_calls, Some(3));
    assert_eq!(facts.response_text, "Hé Hé ");
    assert!(facts.content_started);
}

#[test]
fn the_first_content_is_not_the_first_event() {
    let mut out = Vec::new();
    for (path, before, content) in [
        (CHAT, ROLE, HELLO),
        (
            CHAT,
            ROLE,
            r#"data: {"choices":[{"delta":{"reasoning":"x"}}]}"#,
        ),
        (CHAT, ROLE, CALL),
        (
            RESPONSES,
            CREATED,
            r#"data: {"type":"response.reasoning_text.delta","delta":"x"}"#,
        ),
        (RESPONSES, CREATED, DELTA),
        (MESSAGES, START, TEXT),
    ] {
        let mut relay = relay(path, true, &settings(), 200, "text/event-stream");
        relay.push(format!("{before}\n\n").as_bytes(), &mut out);
        assert!(!relay.facts().content_started, "{path}");
        relay.push(format!("{content}\n").as_bytes(), &mut out);
        assert!(!relay.facts().content_started, "{path}");
        relay.push(b"\n", &mut out);
        assert!(relay.facts().content_started, "{path}");
        assert_eq!(relay.facts().response_text, "");
    }
}

const CREATED: &str = "event: response.created\ndata: {\"type\":\"response.created\",\"response\":{\"status\":\"in_progress\",\"usage\":null}}";
const DELTA: &str = "event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"delta\":\"Hi\"}";
const COMPLETED: &str = r#"data: {"type":"response.completed","response":{"status":"completed","incomplete_details":null,"error":null,"usage":{"input_tokens":30,"input_tokens_details":{"cached_tokens":10},"output_tokens":5,"output_tokens_details":{"reasoning_tokens":1},"total_tokens":35}}}"#;

#[test]
fn a_responses_stream_ends_in_each_of_its_ways() {
    let call =
        r#"data: {"type":"response.output_item.added","item":{"type":"function_call","name":"f"}}"#;
    let message = r#"data: {"type":"response.output_item.added","item":{"type":"message"}}"#;
    let (facts, ending) = streamed(RESPONSES, &[CREATED, message, DELTA, call, COMPLETED], true);
    assert_eq!(ending, Ending::Clean);
    assert_eq!(
        counts(&facts),
        [Some(20), Some(5), Some(10), None, Some(35)]
    );
    assert_eq!(facts.stream, Some(StreamStatus::Complete));
    assert_eq!(facts.stop_reason.as_deref(), Some("completed"));
    assert_eq!(
        (facts.tool_calls, facts.response_text.as_str()),
        (Some(1), "Hi")
    );
    let cut_short = r#"data: {"type":"response.incomplete","response":{"status":"incomplete","incomplete_details":{"reason":"max_output_tokens"}}}"#;
    let (facts, ending) = streamed(RESPONSES, &[CREATED, cut_short], true);
    assert_eq!(
        (facts.stream, ending),
        (Some(StreamStatus::Complete), Ending::Clean)
    );
    assert_eq!(facts.stop_reason.as_deref(), Some("max_output_tokens"));
    let failed = r#"data: {"type":"response.failed","response":{"status":"failed","error":{"code":"server_error","message":"x"}}}"#;
    let (facts, ending) = streamed(RESPONSES, &[CREATED, failed], true);
    assert_eq!(
        (facts.stream, ending),
        (Some(StreamStatus::Complete), Ending::Clean)
    );
    assert_eq!(facts.stop_reason.as_deref(), Some("failed"));
    assert_eq!(facts.exception.as_deref(), Some("server_error"));
}

const START: &str = r#"data: {"type":"message_start","message":{"usage":{"input_tokens":20,"cache_read_input_tokens":10,"cache_creation_input_tokens":4,"output_tokens":1}}}"#;
const TEXT: &str =
    r#"data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hi"}}"#;

#[test]
fn a_messages_stream_is_read_as_that_of_invoke() {
    let tool = r#"data: {"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"t","name":"f","input":{}}}"#;
    let delta = r#"data: {"type":"message_delta","delta":{"stop_reason":"tool_use"},"usage":{"output_tokens":7}}"#;
    let stop = "event: message_stop\ndata: {\"type\":\"message_stop\"}";
    let events = [
        START,
        "event: ping\ndata: {\"type\": \"ping\"}",
        TEXT,
        tool,
        delta,
        stop,
    ];
    let (facts, ending) = streamed(MESSAGES, &events, true);
    assert_eq!(ending, Ending::Clean);
    assert_eq!(
        counts(&facts),
        [Some(20), Some(7), Some(10), Some(4), Some(41)]
    );
    assert_eq!(facts.stream, Some(StreamStatus::Complete));
    assert_eq!(facts.stop_reason.as_deref(), Some("tool_use"));
    assert_eq!(
        (facts.tool_calls, facts.response_text.as_str()),
        (Some(1), "Hi")
    );
}

#[test]
fn a_stream_without_its_last_event_never_ends_cleanly() {
    for (path, events) in [
        (CHAT, &[ROLE, HELLO, FINISH, USAGE][..]),
        (RESPONSES, &[CREATED, DELTA]),
        (MESSAGES, &[START, TEXT]),
        (CHAT, &[]),
        // Its SDKs look for events, not for what stands in their texts.
        (
            CHAT,
            &[
                r#"data: {"x":"[DONE]"}"#,
                ": [DONE]",
                "event: x\ndata: <html>",
            ],
        ),
    ] {
        for clean in [true, false] {
            let (facts, ending) = streamed(path, events, clean);
            assert_eq!(
                (facts.stream, ending),
                (Some(StreamStatus::Truncated), Ending::Cut)
            );
        }
    }
    // The end came, but the connection broke: the client must see that, and the counts are final.
    let (facts, ending) = streamed(CHAT, &[USAGE, DONE], false);
    assert_eq!(
        (facts.stream, ending),
        (Some(StreamStatus::Complete), Ending::Cut)
    );
    assert_eq!(facts.output_tokens, Some(5));
}

#[test]
fn an_error_in_the_stream_is_the_exception() {
    for (path, error, name) in [
        (
            CHAT,
            r#"data: {"error":{"message":"m","type":"server_error","code":"rate_limit_exceeded"}}"#,
            "rate_limit_exceeded",
        ),
        (
            CHAT,
            r#"data: {"error":{"message":"m","type":"server_error","code":null}}"#,
            "server_error",
        ),
        (CHAT, r#"data: {"error":{}}"#, "error"),
        (
            RESPONSES,
            r#"data: {"type":"error","code":"rate_limit","message":"m"}"#,
            "rate_limit",
        ),
        (
            RESPONSES,
            r#"data: {"type":"error","error":{"type":"server_error"}}"#,
            "server_error",
        ),
        (
            MESSAGES,
            r#"data: {"type":"error","error":{"type":"overloaded_error","message":"m"}}"#,
            "overloaded_error",
        ),
    ] {
        let (facts, ending) = streamed(path, &[error], true);
        assert_eq!(facts.stream, Some(StreamStatus::Exception), "{path}");
        assert_eq!(facts.exception.as_deref(), Some(name), "{path}");
        assert_eq!(ending, Ending::Clean);
        let mut relay = relay(path, true, &settings(), 200, "text/event-stream");
        relay.push(format!("{error}\n\n").as_bytes(), &mut Vec::new());
        assert!(relay.complaint().unwrap().contains(name));
    }
}

#[test]
fn an_event_above_the_limit_cuts_the_connection() {
    let small = Settings {
        max_frame_size: 200,
        ..settings()
    };
    let long = format!("data: {}", "x".repeat(200));
    let body = format!("{HELLO}\n\n{long}\n\n{DONE}\n\n");
    let seen = fed(
        relay(CHAT, true, &small, 200, "text/event-stream"),
        [body.as_bytes()],
        true,
    );
    assert_eq!(seen.ending, Ending::Cut);
    assert_eq!(seen.sent, format!("{HELLO}\n\n").as_bytes());
    assert_eq!(seen.facts.stream, Some(StreamStatus::Corrupt));
}

/// What a whole answer tells, the same wherever it is cut.
fn whole(path: &str, status: u16, json: &str) -> Facts {
    let feed = |pieces: Vec<&[u8]>| {
        let relay = relay(path, false, &keeping(), status, "application/json");
        assert!(!relay.is_stream() && relay.holds());
        let seen = fed(relay, pieces, true);
        assert_eq!(
            (seen.sent.as_slice(), seen.ending),
            (json.as_bytes(), Ending::Clean)
        );
        seen.facts
    };
    let bytes = json.as_bytes();
    let facts = feed(vec![bytes]);
    for cut in 0..=bytes.len() {
        assert_eq!(
            feed(vec![&bytes[..cut], &bytes[cut..]]),
            facts,
            "cut at {cut}"
        );
    }
    assert_eq!(facts.stream, None);
    facts
}

#[test]
fn whole_answers_tell_the_same() {
    let chat = r#"{"id":"x","choices":[{"index":0,"message":{"role":"assistant","content":"Hi","tool_calls":[{"id":"a","function":{"name":"f","arguments":"{\"id\":1}"}},{"id":"b"}]},
        "finish_reason":"tool_calls"}],"usage":{"prompt_tokens":30,"completion_tokens":5,"total_tokens":35,"prompt_tokens_details":{"cached_tokens":10}}}"#;
    let responses = r#"{"status":"completed","error":null,"incomplete_details":null,"output":[{"type":"message","content":[{"type":"output_text","text":"Hi"}]},
        {"type":"function_call"},{"type":"function_call"}],"usage":{"input_tokens":30,"input_tokens_details":{"cached_tokens":10},"output_tokens":5,"total_tokens":35}}"#;
    for (path, json, stop) in [
        (CHAT, chat, "tool_calls"),
        (RESPONSES, responses, "completed"),
    ] {
        let facts = whole(path, 200, json);
        assert_eq!(
            counts(&facts),
            [Some(20), Some(5), Some(10), None, Some(35)],
            "{path}"
        );
        assert_eq!(facts.stop_reason.as_deref(), Some(stop));
        assert_eq!(
            (facts.tool_calls, facts.response_text.as_str()),
            (Some(2), "Hi"),
            "{path}"
        );
        assert_eq!(facts.exception, None);
    }
    let message = r#"{"type":"message","content":[{"type":"text","text":"Hi"},{"type":"tool_use","input":{"usage":1}}],"stop_reason":"tool_use",
        "usage":{"input_tokens":20,"cache_read_input_tokens":10,"cache_creation_input_tokens":0,"output_tokens":5}}"#;
    let facts = whole(MESSAGES, 200, message);
    assert_eq!(
        counts(&facts),
        [Some(20), Some(5), Some(10), Some(0), Some(35)]
    );
    assert_eq!(
        (facts.tool_calls, facts.response_text.as_str()),
        (Some(1), "Hi")
    );
    for json in [
        r#"{"status":"incomplete","incomplete_details":{"reason":"max_output_tokens"}}"#,
        r#"{"incomplete_details":{"reason":"max_output_tokens"},"status":"incomplete"}"#,
    ] {
        let facts = whole(RESPONSES, 200, json);
        assert_eq!(facts.stop_reason.as_deref(), Some("max_output_tokens"));
    }
    let failed = r#"{"status":"failed","error":{"code":"server_error","message":"x"}}"#;
    assert_eq!(
        whole(RESPONSES, 200, failed).exception.as_deref(),
        Some("server_error")
    );
}

#[test]
fn an_errors_name_is_found_in_its_body() {
    for (path, json, name) in [
        (
            CHAT,
            r#"{"error":{"message":"m","type":"rate_limit_error","code":null}}"#,
            "rate_limit_error",
        ),
        (
            MESSAGES,
            r#"{"type":"error","error":{"type":"overloaded_error","message":"m"}}"#,
            "overloaded_error",
        ),
        (
            RESPONSES,
            r#"{"__type":"a#ThrottlingException","message":"m"}"#,
            "ThrottlingException",
        ),
    ] {
        assert_eq!(whole(path, 429, json).exception.as_deref(), Some(name));
    }
}

#[test]
fn an_event_that_is_an_array_counts_nothing() {
    for (api, event) in [
        (
            CHAT,
            r#"[[{"index":0}],{"prompt_tokens":5,"completion_tokens":6}]"#,
        ),
        (
            RESPONSES,
            r#"["response.completed",{"usage":{"input_tokens":5,"output_tokens":6}}]"#,
        ),
        (
            RESPONSES,
            r#"{"type":"response.completed","response":["completed",null,null,{"input_tokens":5,"output_tokens":6}]}"#,
        ),
    ] {
        let body = format!("data: {event}\n\n");
        let relay = relay(api, true, &settings(), 200, "text/event-stream");
        let seen = fed(relay, [body.as_bytes()], true);
        assert_eq!(
            (seen.facts.input_tokens, seen.facts.output_tokens),
            (None, None),
            "{event}"
        );
    }
    let escaped = r#"{"us\u0061ge":{"prompt_t\u006fkens":5,"completion_tokens":6},"choices":[]}"#;
    let body = format!("data: {escaped}\n\ndata: [DONE]\n\n");
    let relay = relay(CHAT, true, &settings(), 200, "text/event-stream");
    let seen = fed(relay, [body.as_bytes()], true);
    assert_eq!(
        (seen.facts.input_tokens, seen.facts.output_tokens),
        (Some(5), Some(6))
    );
}

/// Whether any of it reached the client, however the answer was cut.
fn leaks(target: &str, before: &str, bad: &str, cut: usize) -> (bool, Ending, Option<String>) {
    let asked = leaks_asked(
        target,
        r#""stream_options":{"include_usage":true}"#,
        before,
        bad,
        cut,
    );
    // Where the gateway has asked for the usage, and writes the events anew.
    assert_eq!(leaks_asked(target, r#""x":1"#, before, bad, cut), asked);
    asked
}

fn leaks_asked(
    target: &str,
    asks: &str,
    before: &str,
    bad: &str,
    cut: usize,
) -> (bool, Ending, Option<String>) {
    let relay = || relay_asked(target, true, asks, &settings(), 200, "text/event-stream");
    let text = format!("{before}{bad}");
    let seen = fed(relay(), text.as_bytes().chunks(cut), true);
    let sent = String::from_utf8_lossy(&seen.sent);
    let leaks = ["SECRET", "123456789012", "assumed-role"]
        .iter()
        .any(|secret| sent.contains(secret));
    let mut again = relay();
    for piece in text.as_bytes().chunks(cut) {
        again.push(piece, &mut Vec::new());
    }
    (leaks, seen.ending, again.complaint())
}

#[test]
fn what_aws_says_of_the_gateway_is_cut_out_of_events_in_any_form() {
    let signature = r#"{"code":"SignatureDoesNotMatch","message":"Canonical String\nx-amz-security-token:SECRET"}"#;
    let identity = r#"{"code":"AccessDeniedException","message":"User: arn:aws:sts::123456789012:assumed-role/G/i is not"}"#;
    for error in [signature, identity] {
        for bad in [
            format!("event: error\ndata: {{\"type\":\"error\",\"error\":{error}}}\n\n"),
            format!("data: {{\"error\":{error}}}\n\n"),
            format!("data: {{\"error\":{error}}}\r\r"),
            format!("data: {{\"error\":\ndata: {error}}}\n\n"),
            format!("data: {{\"error\":{error}}}"),
            format!("data: {error}\r\n\r\n"),
            format!("data: AWS said {error}\n\n"),
            format!(": {error}\n\n"),
            format!("event: x\n:{error}\ndata: {{}}\n\n"),
            format!(
                "data: {{\"type\":\"response.failed\",\"response\":{{\"error\":{error}}}}}\n\n"
            ),
        ] {
            for target in [CHAT, RESPONSES, MESSAGES] {
                let failed = bad.contains("response.failed");
                if failed && target != RESPONSES {
                    continue;
                }
                let good = match target {
                    CHAT => "data: {\"id\":\"c\",\"choices\":[]}\n\n",
                    RESPONSES => {
                        "data: {\"type\":\"response.created\",\"response\":{\"id\":\"r\",\"error\":null}}\n\n"
                    }
                    _ => {
                        "data: {\"type\":\"message_start\",\"message\":{\"id\":\"m\",\"content\":[]}}\n\n"
                    }
                };
                let status = if error == signature { 502 } else { 500 };
                for cut in [1, 7, 30, 4096] {
                    let (leaked, ending, _) = leaks(target, "", &bad, cut);
                    let is_error = matches!(ending, Ending::Error(sent, _) if sent == status);
                    assert!(!leaked && is_error, "{target} {cut} {bad}: {ending:?}");
                    let (leaked, ending, line) = leaks(target, good, &bad, cut);
                    assert!(
                        !leaked && ending == Ending::Cut,
                        "{target} {cut} {bad}: {ending:?}"
                    );
                    assert!(line.unwrap().contains("AWS "), "{target} {bad}");
                }
            }
        }
    }
}

#[test]
fn a_model_may_write_of_signatures() {
    let text = "Canonical String x-amz-security-token: arn:aws:sts::123456789012:assumed-role/x";
    for (target, event) in [
        (
            CHAT,
            format!(r#"{{"id":"c","choices":[{{"delta":{{"content":"{text}"}}}}]}}"#),
        ),
        (
            RESPONSES,
            format!(r#"{{"type":"response.output_text.delta","delta":"{text}"}}"#),
        ),
        (
            MESSAGES,
            format!(
                r#"{{"type":"content_block_delta","delta":{{"type":"text_delta","text":"{text}"}}}}"#
            ),
        ),
    ] {
        for cut in [1, 7, 4096] {
            let (passed, ending, _) = leaks(target, "", &format!("data: {event}\n\n"), cut);
            assert!(
                passed && !matches!(ending, Ending::Error(..)),
                "{target} {ending:?}"
            );
        }
    }
}
