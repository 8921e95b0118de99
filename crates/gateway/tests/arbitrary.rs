//! Whatever comes: nothing panics, and how it is cut makes no difference.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod common;
#[path = "common/stream.rs"]
mod stream;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use common::settings;
use gateway::{Api, Auth, Guardrail, Settings, inspect, plan};
use proptest::collection::{hash_map, vec};
use proptest::prelude::*;
use serde_json::{Map, Value};
use stream::{Client, SDK, SSE, fed, frame, relay, stream_relay};

const INVOKE: Client = Client {
    verb: "invoke-with-response-stream",
    sse: false,
};
const INVOKE_WHOLE: Client = Client {
    verb: "invoke",
    sse: false,
};
const CONVERSE: Client = Client {
    verb: "converse",
    sse: false,
};

/// An event's frame.
fn event(event_type: &str, payload: &str) -> Vec<u8> {
    frame(
        &[(":event-type", event_type), (":message-type", "event")],
        payload,
    )
}

/// A chunk of an invoke stream: in any vendor's form, in none, and with members that are not what they should be.
fn chunk() -> impl Strategy<Value = Vec<u8>> {
    let name = prop::sample::select(vec![
        "type",
        "message",
        "usage",
        "delta",
        "text",
        "generation",
        "outputs",
        "choices",
        "content_block",
        "stop_reason",
        "messageStop",
        "metadata",
        "contentBlockStart",
        "contentBlockDelta",
        "amazon-bedrock-invocationMetrics",
    ]);
    let value = prop_oneof![
        "\\PC{0,9}".prop_map(|text| Value::from(text).to_string()),
        prop::sample::select(vec![
            r#""message_start""#,
            r#""message_stop""#,
            r#""error""#,
            r#"{"usage":{"input_tokens":1}}"#,
            r#"{"inputTokenCount":2,"output_tokens":-1}"#,
            r#"{"delta":{"text":"é🦀"},"type":"tool_use","text":"é🦀","stop_reason":"x"}"#,
            r#"[{"text":"a"},7]"#,
            "[",
        ])
        .prop_map(str::to_owned),
        json(2),
    ];
    let members = vec((name, Just(""), value, Just("")), 0..4);
    let members = members.prop_map(|members| {
        let members: Vec<_> = members
            .into_iter()
            .map(|(name, before, value, after)| (name.to_owned(), before, value, after))
            .collect();
        object(&members).into_bytes()
    });
    let inner = prop_oneof![4 => members, 1 => vec(any::<u8>(), 0..9)];
    inner.prop_map(|inner| {
        let payload = format!(r#"{{"bytes":"{}"}}"#, STANDARD.encode(inner));
        event("chunk", &payload)
    })
}

/// Frames good and bad, in any order, and bytes that are none.
fn body() -> impl Strategy<Value = Vec<u8>> {
    let payload = prop_oneof![
        "[{}\"a-z:,0-9\\\\]{0,40}",
        Just("{}".to_owned()),
        Just(r#"{"stopReason":"end_turn"}"#.to_owned()),
        Just(r#"{"delta":{"text":"é🦀"}}"#.to_owned()),
        Just(r#"{"start":{"toolUse":{}}}"#.to_owned()),
        Just("{\"usage\":{\"inputTokens\":1,\"outputTokens\":2},\r\n\"metrics\":null}".to_owned()),
    ];
    let name = prop::sample::select(vec![
        "messageStart",
        "contentBlockStart",
        "contentBlockDelta",
        "messageStop",
        "metadata",
        "initial-response",
        "chunk",
        "a\nb",
    ]);
    let good = (name, payload.clone()).prop_map(|(name, payload)| event(name, &payload));
    let exception = ("[a-zA-Z\r\n]{0,12}", payload.clone()).prop_map(|(name, payload)| {
        frame(
            &[(":message-type", "exception"), (":exception-type", &name)],
            &payload,
        )
    });
    let headers = hash_map(":?[a-z-]{1,12}", "[a-z]{0,9}", 0..4);
    let odd = (headers, payload).prop_map(|(headers, payload)| {
        let headers: Vec<_> = headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        frame(&headers, &payload)
    });
    let piece = prop_oneof![4 => good, 4 => chunk(), 1 => exception, 1 => odd, 1 => vec(any::<u8>(), 0..40)];
    let flips = vec((any::<prop::sample::Index>(), 0..8u8), 0..2);
    (vec(piece, 0..8), flips).prop_map(|(pieces, flips)| {
        let mut body = pieces.concat();
        for (at, bit) in flips {
            if !body.is_empty() {
                let at = at.index(body.len());
                body[at] ^= 1 << bit;
            }
        }
        body
    })
}

/// A body in pieces of these lengths, over and over.
fn pieces<'b>(mut body: &'b [u8], lengths: &[usize]) -> Vec<&'b [u8]> {
    let mut pieces = Vec::new();
    for length in lengths.iter().cycle() {
        if body.is_empty() {
            break;
        }
        let (piece, rest) = body.split_at((*length).min(body.len()));
        pieces.push(piece);
        body = rest;
    }
    pieces
}

/// JSON text with white space, escapes and number spellings that a rewrite would lose.
fn json(depth: u32) -> impl Strategy<Value = String> {
    let space = prop::sample::select(vec!["", "", " ", "\n\t", "\r\n  "]);
    let leaf = prop::sample::select(vec![
        "null",
        "true",
        "false",
        "0",
        "-1.50e+1",
        "1E2",
        "12345678901234567890",
        "\"\"",
        r#""a\"b\\""#,
        r#""\u00e9\/""#,
        "\"é🦀\"",
        "\"m\"",
        "50",
    ]);
    leaf.prop_map(str::to_owned)
        .prop_recursive(depth, 24, 5, move |inner| {
            let members = vec(
                (member_name(), space.clone(), inner.clone(), space.clone()),
                0..5,
            );
            prop_oneof![
                members.prop_map(|members| object(&members)),
                vec(inner, 0..4).prop_map(|items| format!("[{}]", items.join(" ,"))),
            ]
        })
}

fn member_name() -> impl Strategy<Value = String> {
    let known = vec![
        "model",
        "stream",
        "messages",
        "inferenceConfig",
        "maxTokens",
        "max_tokens",
        "guardrailConfig",
        "additionalModelRequestFields",
        "textGenerationConfig",
    ];
    prop_oneof![
        prop::sample::select(known).prop_map(str::to_owned),
        "[a-zé ]{0,3}"
    ]
}

fn object(members: &[(String, &str, String, &str)]) -> String {
    let members: Vec<String> = members
        .iter()
        .map(|(name, before, value, after)| {
            format!("{before}\"{name}\"{after}:{before}{value}{after}")
        })
        .collect();
    format!("{{{}}}", members.join(","))
}

/// A request in the plain form: model and stream, as a rule once and of the right type, among any other members.
fn request() -> impl Strategy<Value = String> {
    let member = |names: Vec<&'static str>, values: Vec<&'static str>| {
        let names = prop::sample::select(names).prop_map(str::to_owned);
        let values = prop::sample::select(values).prop_map(str::to_owned);
        (names, Just(" "), values, Just("\n"))
    };
    let model = member(vec!["model", "mod\\u0065l"], vec!["\"m\"", "null"]);
    let stream = member(vec!["stream"], vec!["true", "false", "null"]);
    let space = prop::sample::select(vec!["", " ", "\n"]);
    let others = vec((member_name(), space, json(3), Just("")), 0..6);
    (vec(model, 0..2), vec(stream, 0..2), others)
        .prop_map(|(model, stream, others)| [model, stream, others].concat())
        .prop_shuffle()
        .prop_map(|members| object(&members))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1000) })]

    #[test]
    fn a_stream_means_the_same_however_it_is_cut(
        body in body(),
        lengths in vec(1..200usize, 1..6),
        clean: bool,
        hold_headers: bool,
        max_frame_size in prop_oneof![Just(24 << 20), 0..200usize],
        response_text in 0..5usize,
    ) {
        let settings = Settings { hold_headers, max_frame_size, response_text, ..settings() };
        for client in [SDK, INVOKE, SSE] {
            let whole = fed(stream_relay(client, &settings), [body.as_slice()], clean);
            let cut = fed(stream_relay(client, &settings), pieces(&body, &lengths), clean);
            prop_assert_eq!(&cut.facts, &whole.facts);
            prop_assert_eq!(&cut.ending, &whole.ending);
            if client.sse {
                prop_assert_eq!(cut.sent, whole.sent);
            } else {
                prop_assert!(body.starts_with(&whole.sent) && body.starts_with(&cut.sent));
            }
        }
    }

    #[test]
    fn an_answer_means_the_same_however_it_is_cut(
        body in prop_oneof![vec(any::<u8>(), 0..200), json(4).prop_map(String::into_bytes), "[\\[\\]{}\",:a\\\\]{0,60}".prop_map(String::into_bytes)],
        lengths in vec(1..50usize, 1..4),
        status in prop::sample::select(vec![200u16, 204, 400, 429, 503]),
    ) {
        let settings = Settings { response_text: 20, ..settings() };
        for client in [CONVERSE, INVOKE_WHOLE, SSE] {
            let feed = |pieces: Vec<&[u8]>| fed(relay(client, &settings, status, &[]), pieces, true);
            let whole = feed(vec![&body]);
            prop_assert_eq!(&whole.sent, &body);
            prop_assert_eq!(feed(pieces(&body, &lengths)), whole);
        }
    }

    #[test]
    fn the_plain_form_loses_two_members_and_stays_the_same_json(
        request in request(),
        tail in "[ \n]{0,2}",
    ) {
        let body = request + &tail;
        let operators = Settings { model: Some("m"), ..settings() };
        let Ok(request) = inspect(Some(Api::Converse), "POST", "/", Some(body.as_bytes())) else {
            return Ok(());
        };
        let plan = plan(&request, &operators, &[], body.as_bytes()).unwrap();
        let out: Vec<u8> = plan.body.pieces(body.as_bytes()).flatten().copied().collect();
        prop_assert_eq!(out.len(), plan.body.len(body.len()));
        let mut expected: Map<String, Value> = serde_json::from_str(&body).unwrap();
        expected.remove("model");
        expected.remove("stream");
        prop_assert_eq!(serde_json::from_slice::<Map<String, Value>>(&out).unwrap(), expected);
    }

    #[test]
    fn the_operators_limits_hold_whatever_is_sent(
        body in request(),
        target in prop::sample::select(vec!["/model/m/converse", "/chat", "/model/anthropic.c/invoke", "/model/amazon.nova-x/invoke", "/model/amazon.titan-text-x/invoke"]),
    ) {
        let guardrail = Guardrail { id: "g".into(), version: "1".into(), trace: None };
        let rules = Settings { max_output_tokens: Some(9), guardrail: Some(&guardrail), ..settings() };
        let planned = inspect(None, "POST", target, Some(body.as_bytes()))
            .and_then(|request| plan(&request, &rules, &[], body.as_bytes()));
        let Ok(plan) = planned else { return Ok(()) };
        let out: Vec<u8> = plan.body.pieces(body.as_bytes()).flatten().copied().collect();
        let out: Value = serde_json::from_slice(&out).unwrap();
        let limit = match target {
            _ if plan.operation.is_converse() => "/inferenceConfig/maxTokens",
            "/model/amazon.nova-x/invoke" => "/inferenceConfig/maxTokens",
            "/model/amazon.titan-text-x/invoke" => "/textGenerationConfig/maxTokenCount",
            _ if out.get("messages").is_some() => "/max_tokens",
            _ => "/max_tokens_to_sample",
        };
        let limit = out.pointer(limit).and_then(Value::as_u64);
        prop_assert!(limit.is_some_and(|limit| (1..=9).contains(&limit)), "{}", out);
        let guarded = out.pointer("/guardrailConfig/guardrailIdentifier").and_then(Value::as_str);
        prop_assert!(plan.operation.is_invoke() || guarded == Some("g"));
    }

    #[test]
    fn nothing_a_client_sends_panics_or_bends_a_line(
        target in prop_oneof!["\\PC{0,40}", "(/model/|/guardrail/|/version/|%[0-9a-f]{2}|[a-z.:/%?]|/converse|/invoke|/apply){0,8}"],
        method in prop_oneof![Just("POST"), Just("GET"), Just("")],
        body in prop_oneof![vec(any::<u8>(), 0..100), json(4).prop_map(String::into_bytes)],
        headers in vec((prop::sample::select(vec!["content-type", "accept", "authorization", "x-amz-date", "host"]), "\\PC{0,20}"), 0..4),
        auth in prop::sample::select(vec![Auth::Sign, Auth::Bearer, Auth::Client]),
        api in prop::option::of(prop::sample::select(vec![Api::Native, Api::Converse])),
        region in "\\PC{0,10}|us-east-1",
        endpoint in prop::option::of("[a-z:/\\[\\]0-9\r\n]{0,12}"),
    ) {
        let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let settings = Settings { auth, region: &region, endpoint: endpoint.as_deref(), ..settings() };
        let _ = inspect(api, method, &target, None);
        let planned = inspect(api, method, &target, Some(&body))
            .and_then(|request| plan(&request, &settings, &headers, &body));
        match planned {
            Ok(plan) => {
                prop_assert!(plan.target.starts_with('/') && !plan.host.contains(['\r', '\n', '/', ' ']));
                let unsafe_in_target = |c: char| c.is_control() || c == ' ';
                prop_assert!(auth == Auth::Client || !plan.target.contains(unsafe_in_target));
            }
            Err(refusal) => prop_assert!((400..600).contains(&refusal.status)),
        }
    }
}
