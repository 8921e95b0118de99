//! Answers that are no event stream: JSON that passes while it is read, errors, and strange bodies.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod common;
#[path = "common/stream.rs"]
mod stream;

use common::settings;
use gateway::{Api, Auth, Facts, Flow, Refusal, Settings};
use stream::{Client, Ending, SDK, SSE, fed, frame, relay, stream_relay};

const CONVERSE: Client = Client {
    verb: "converse",
    sse: false,
};
const INVOKE: Client = Client {
    verb: "invoke",
    sse: false,
};
const COUNT: Client = Client {
    verb: "count-tokens",
    sse: false,
};
const JSON: (&str, &str) = ("content-type", "application/json");

/// The facts of an answer that passes as it is, the same wherever it is cut.
fn passing(
    client: Client,
    settings: &Settings<'_>,
    status: u16,
    headers: &[(&str, &str)],
    body: &str,
) -> Facts {
    let bytes = body.as_bytes();
    let feed = |pieces: Vec<&[u8]>| {
        let relay = relay(client, settings, status, headers);
        // It waits until it is sure that it is no error about the gateway.
        assert!(relay.holds());
        assert!(!relay.is_stream() && relay.rewrites_as().is_none());
        let seen = fed(relay, pieces, true);
        assert_eq!((seen.sent.as_slice(), seen.ending), (bytes, Ending::Clean));
        assert_eq!(seen.facts.stream, None);
        seen.facts
    };
    let whole = feed(vec![bytes]);
    for cut in 0..=bytes.len() {
        assert_eq!(
            feed(vec![&bytes[..cut], &bytes[cut..]]),
            whole,
            "cut at {cut}"
        );
    }
    assert_eq!(feed(bytes.chunks(1).collect()), whole);
    whole
}

#[test]
fn a_json_answer_tells_its_usage_wherever_it_is_cut() {
    let json = r#"{ "usage" : {"inputTokens":12,"outputTokens":34,"totalTokens":1050,"cacheReadInputTokens":900,
        "cacheWriteInputTokenCount":100} ,"output":{"message":{"role":"assistant","content":[{"text":"na\u00efve \"é\" 🦀\\"},
        {"toolUse":{"toolUseId":"t","name":"n","input":{"usage":{"inputTokens":9},"stopReason":"x","toolUse":{}}}}]}},
        "stopReason":"tool_use","metrics":{"latencyMs":551}}"#;
    let keep = Settings {
        response_text: 100,
        ..settings()
    };
    let facts = passing(
        CONVERSE,
        &keep,
        200,
        &[JSON, ("x-amzn-requestid", "r-1")],
        json,
    );
    let counts = [
        facts.input_tokens,
        facts.output_tokens,
        facts.cache_read_tokens,
        facts.cache_write_tokens,
    ];
    assert_eq!(counts, [Some(12), Some(34), Some(900), Some(100)]);
    assert_eq!(
        (facts.total_tokens(), facts.latency_ms),
        (Some(1050), Some(551))
    );
    assert_eq!(
        (facts.stop_reason.as_deref(), facts.tool_calls),
        (Some("tool_use"), Some(1))
    );
    assert_eq!(facts.response_text, "naïve \"é\" 🦀\\");
    assert_eq!(facts.request_id.as_deref(), Some("r-1"));
    assert_eq!(facts.exception, None);
    assert_eq!(
        passing(COUNT, &keep, 200, &[JSON], r#"{"inputTokens":7}"#).input_tokens,
        Some(7)
    );
}

#[test]
fn who_served_it_what_was_thought_and_what_a_guardrail_did() {
    let told = |client: Client, headers: &[(&str, &str)], json: &str| {
        let facts = passing(client, &settings(), 200, headers, json);
        (
            facts.service_tier,
            facts.invoked_model,
            facts.guardrail_action,
            [facts.cache_write_1h_tokens, facts.reasoning_tokens],
            facts.tool_calls,
        )
    };
    let text = |text: &str| Some(text.to_owned());
    let tier = ("x-amzn-bedrock-service-tier", "flex");
    assert_eq!(
        told(
            CONVERSE,
            &[JSON],
            r#"{"serviceTier":{"type":"priority"},"trace":{"guardrail":{"inputAssessment":{"type":"x"},"actionReason":"No action."},
                "promptRouter":{"invokedModelId":"arn:aws:bedrock:us-east-1:1:inference-profile/us.a"}},
                "usage":{"cacheDetails":[{"ttl":"1h","inputTokens":7}]},
                "additionalModelResponseFields":{"usage":{"output_tokens_details":{"thinking_tokens":9}}},
                "output":{"message":{"content":[{"toolUse":{"name":"a","type":"server_tool_use"}},{"toolUse":{"name":"b"}},
                {"toolUse":{"type":"server_tool_use","input":{"type":"server_tool_use"}}}]}},"stopReason":"end_turn"}"#
        ),
        (
            text("priority"),
            text("arn:aws:bedrock:us-east-1:1:inference-profile/us.a"),
            Some("NONE"),
            [Some(7), Some(9)],
            Some(1)
        )
    );
    for json in [
        r#"{"stopReason":"guardrail_intervened","trace":{"guardrail":{}}}"#,
        r#"{"trace":{"guardrail":{}},"stopReason":"guardrail_intervened"}"#,
        r#"{"stopReason":"guardrail_intervened"}"#,
    ] {
        assert_eq!(
            told(CONVERSE, &[JSON], json).2,
            Some("GUARDRAIL_INTERVENED")
        );
    }
    let claude = r#"{"content":[],"usage":{"input_tokens":1,"output_tokens":2,"output_tokens_details":{"thinking_tokens":3},
        "cache_creation":{"ephemeral_1h_input_tokens":4}},"amazon-bedrock-guardrailAction":"INTERVENED"}"#;
    assert_eq!(
        told(INVOKE, &[JSON, tier], claude),
        (
            text("flex"),
            None,
            Some("GUARDRAIL_INTERVENED"),
            [Some(4), Some(3)],
            Some(0)
        )
    );
    let passed = claude.replace("INTERVENED", "NONE");
    assert_eq!(told(INVOKE, &[JSON], &passed).2, Some("NONE"));
    let nothing =
        r#"{"serviceTier":{"type":7},"trace":{"promptRouter":{}},"stopReason":"end_turn"}"#;
    assert_eq!(
        told(CONVERSE, &[JSON], nothing),
        (None, None, None, [None, None], None)
    );
}

#[test]
fn a_stream_tells_the_same() {
    let event = |name: &str, payload: &str| {
        frame(
            &[(":event-type", name), (":message-type", "event")],
            payload,
        )
    };
    let facts = |stop: &str, metadata: &str| {
        let body = [
            event("messageStart", r#"{"role":"assistant"}"#),
            event("contentBlockStart", r#"{"contentBlockIndex":0,"start":{"toolUse":{"toolUseId":"t","name":"n","type":"server_tool_use"}}}"#),
            event("messageStop", stop),
            event("metadata", metadata),
        ]
        .concat();
        let facts = fed(stream_relay(SDK, &settings()), [body.as_slice()], true).facts;
        assert_eq!(
            (facts.stream, facts.tool_calls),
            (Some(gateway::StreamStatus::Complete), Some(0))
        );
        facts
    };
    let seen = facts(
        r#"{"stopReason":"end_turn","additionalModelResponseFields":{"usage":{"output_tokens_details":{"thinking_tokens":9}}}}"#,
        r#"{"serviceTier":{"type":"flex"},"trace":{"guardrail":{"actionReason":"x"},"promptRouter":{"invokedModelId":"m"}},
            "usage":{"inputTokens":1,"cacheDetails":[{"ttl":"1h","inputTokens":7}]}}"#,
    );
    assert_eq!(
        (seen.service_tier.as_deref(), seen.invoked_model.as_deref()),
        (Some("flex"), Some("m"))
    );
    assert_eq!(
        (seen.cache_write_1h_tokens, seen.reasoning_tokens),
        (Some(7), Some(9))
    );
    assert_eq!(seen.guardrail_action, Some("NONE"));
    let seen = facts(
        r#"{"stopReason":"guardrail_intervened"}"#,
        r#"{"trace":{"guardrail":{}}}"#,
    );
    assert_eq!(seen.guardrail_action, Some("GUARDRAIL_INTERVENED"));
    let seen = facts(
        r#"{"stopReason":"end_turn"}"#,
        r#"{"trace":null,"serviceTier":null}"#,
    );
    assert_eq!(
        (seen.guardrail_action, seen.service_tier, seen.invoked_model),
        (None, None, None)
    );
}

#[test]
fn invoke_tells_its_counts_in_headers() {
    let headers = [
        JSON,
        ("x-amzn-bedrock-input-token-count", "10"),
        ("x-amzn-bedrock-output-token-count", "20"),
        ("x-amzn-bedrock-cache-read-input-token-count", "-1"),
        ("x-amzn-bedrock-invocation-latency", "30"),
    ];
    // What a model says of itself is no exception of Bedrock's.
    let facts = passing(
        INVOKE,
        &settings(),
        200,
        &headers,
        r#"{"__type":"ThrottlingException"}"#,
    );
    assert_eq!(
        (facts.input_tokens, facts.output_tokens, facts.latency_ms),
        (Some(10), Some(20), Some(30))
    );
    assert_eq!((facts.cache_read_tokens, facts.exception), (None, None));
}

#[test]
fn an_http_error_passes_and_tells_its_exception() {
    let of_header = "ThrottlingException:http://internal.amazon.com/coral/com.amazon.bedrock/";
    let of_body = r#"{"message":"x","__type":"com.amazon.coral.service#ThrottlingException"}"#;
    for client in [SDK, SSE, CONVERSE, INVOKE, COUNT] {
        for (headers, body, exception) in [
            (
                vec![JSON, ("x-amzn-errortype", of_header)],
                r#"{"message":"slow down"}"#,
                Some("ThrottlingException"),
            ),
            (vec![JSON], of_body, Some("ThrottlingException")),
            (
                vec![("x-amzn-errortype", "ValidationException")],
                of_body,
                Some("ValidationException"),
            ),
            (
                vec![("content-type", "text/html")],
                "<html>too many</html>",
                None,
            ),
            (
                vec![("content-type", "application/vnd.amazon.eventstream")],
                "",
                None,
            ),
        ] {
            let facts = passing(client, &settings(), 429, &headers, body);
            assert_eq!(facts.exception.as_deref(), exception, "{client:?} {body}");
            assert_eq!(facts.total_tokens(), None);
        }
    }
}

/// What AWS says of a signature, with the token that it quotes.
const QUOTED: &str = r#"{"message":"The request signature we calculated does not match the signature you provided.\n\nThe Canonical String for this request should have been\n'POST\nx-amz-security-token:SECRET"}"#;

#[test]
fn what_aws_says_of_the_gateways_credentials_reaches_nobody() {
    let own = settings();
    let clients = Settings {
        auth: Auth::Client,
        ..settings()
    };
    let denied = r#"{"message":"User: arn:aws:sts::123456789012:assumed-role/Gateway/x is not authorized to perform: bedrock:InvokeModel"}"#;
    for client in [SDK, SSE, CONVERSE, INVOKE, COUNT] {
        for (status, name, body, gets) in [
            (403, Some("InvalidSignatureException"), QUOTED, 502),
            (403, None, QUOTED, 502),
            (403, Some("SignatureDoesNotMatch:http://x/"), "{}", 502),
            (403, Some("UnrecognizedClientException"), "{}", 502),
            (403, Some("ExpiredTokenException"), "{}", 502),
            (400, Some("IncompleteSignature"), "{}", 502),
            (403, Some("InvalidClientTokenId"), "{}", 502),
            (403, Some("AccessDeniedException"), QUOTED, 502),
            (403, Some("MissingAuthenticationToken"), "", 502),
            (
                403,
                None,
                r#"{"__type":"x#InvalidSignatureException"}"#,
                502,
            ),
            (401, None, "<html>", 502),
            (403, Some("AccessDeniedException"), denied, 403),
        ] {
            let mut headers = vec![JSON];
            headers.extend(name.map(|name| ("x-amzn-errortype", name)));
            for cut in [1, 7, 4096] {
                let relay = relay(client, &own, status, &headers);
                let seen = fed(relay, body.as_bytes().chunks(cut), true);
                let Ending::Error(sent, exception) = seen.ending else {
                    panic!("{client:?} {name:?} {body}: {:?}", seen.ending);
                };
                assert_eq!((sent, seen.sent.as_slice()), (gets, &b""[..]), "{body}");
                assert!(!exception.contains("Signature"), "{exception}");
            }
            if client.sse {
                continue;
            }
            let relay = relay(client, &clients, status, &headers);
            assert!(!relay.holds());
            let seen = fed(relay, [body.as_bytes()], true);
            let passed = (seen.sent.as_slice(), seen.ending);
            assert_eq!(passed, (body.as_bytes(), Ending::Clean));
        }
    }
}

/// The gateway's identity, as permission errors tell it.
const IDENTITY: &str = "User: arn:aws:sts::123456789012:assumed-role/Gateway/i-1 is not authorized to perform: bedrock:InvokeModel";

fn tells_identity(text: &[u8]) -> bool {
    let text = String::from_utf8_lossy(text);
    text.contains("assumed-role") || text.contains("123456789012")
}

#[test]
fn the_gateways_identity_is_hidden_wherever_an_error_tells_it() {
    let escaped = IDENTITY.replace("arn", "\\u0061rn");
    for body in [
        format!(r#"{{"message":"no","detail":"{IDENTITY}"}}"#),
        format!(r#"{{"message":"no","detail":"{escaped}"}}"#),
        format!(r#"{{"errors":["{IDENTITY}"]}}"#),
        format!(r#"["{IDENTITY}"]"#),
        format!(r#"{{"message":"fine","Message":"{IDENTITY}"}}"#),
        format!(r#"{{"{IDENTITY}":1}}"#),
        format!(r#"{{"message":"\ud800","x":"user={IDENTITY}"}}"#),
        format!(r#"{{"message":"{IDENTITY}"#),
        format!("<html>{IDENTITY}</html>"),
        IDENTITY.to_owned(),
    ] {
        for client in [SDK, SSE, CONVERSE, INVOKE, COUNT] {
            let mut relay = relay(client, &settings(), 403, &[JSON]);
            let mut out = Vec::new();
            assert_eq!(relay.push(body.as_bytes(), &mut out), Flow::Hold);
            let gateway::End::Fail(refusal) = relay.finish(true, &mut out) else {
                panic!("{client:?} {body}");
            };
            assert_eq!(refusal.status, 403);
            assert!(!tells_identity(refusal.message.as_bytes()), "{refusal}");
            assert!(refusal.log.unwrap().contains("assumed-role"), "{body}");
        }
    }
}

#[test]
fn the_gateways_identity_is_hidden_in_a_stream() {
    let exception = |name: &str, payload: &str| {
        frame(
            &[(":message-type", "exception"), (":exception-type", name)],
            payload,
        )
    };
    let error = |code: &str, message: &str| {
        frame(
            &[
                (":message-type", "error"),
                (":error-code", code),
                (":error-message", message),
            ],
            "",
        )
    };
    let start = frame(
        &[(":message-type", "event"), (":event-type", "messageStart")],
        r#"{"role":"assistant"}"#,
    );
    let message = format!(r#"{{"message":"{IDENTITY}"}}"#);
    let detail = format!(r#"{{"message":"no","detail":"{IDENTITY}"}}"#);
    for (bad, status) in [
        (exception("accessDeniedException", &message), 403),
        (exception("accessDeniedException", &detail), 403),
        (exception("validationException", &message), 400),
        (exception("accessDeniedException", IDENTITY), 403),
        (error("AccessDenied", IDENTITY), 500),
        (error("AccessDenied", &message), 500),
    ] {
        for client in [SDK, SSE] {
            let mut first = stream_relay(client, &settings());
            let Flow::Fail(refusal) = first.push(&bad, &mut Vec::new()) else {
                panic!("{client:?}");
            };
            assert_eq!(refusal.status, status);
            assert!(!tells_identity(refusal.message.as_bytes()), "{refusal}");
            assert!(refusal.log.unwrap().contains("assumed-role"));
            let mut later = stream_relay(client, &settings());
            let mut written = Vec::new();
            let flow = later.push(&[start.clone(), bad.clone()].concat(), &mut written);
            assert!(!tells_identity(&written));
            match client.sse {
                true => assert!(!written.is_empty()),
                false => assert_eq!(flow, Flow::Cut(start.len())),
            }
            let line = later.complaint().unwrap();
            assert!(line.contains("assumed-role"), "{line}");
        }
    }
}

#[test]
fn an_exception_about_the_gateway_is_cut_out_of_a_stream() {
    let event = |kind: &str, name: &str, payload: &str| {
        let kinds = match kind {
            "event" => ("event", ":event-type"),
            _ => ("exception", ":exception-type"),
        };
        frame(&[(":message-type", kinds.0), (kinds.1, name)], payload)
    };
    let start = event("event", "messageStart", r#"{"role":"assistant"}"#);
    for (name, payload) in [
        ("invalidSignatureException", r#"{"message":"x"}"#),
        ("accessDeniedException", QUOTED),
        ("somethingNew", QUOTED),
    ] {
        let bad = event("exception", name, payload);
        for client in [SDK, SSE] {
            let stream = stream_relay(client, &settings());
            let seen = fed(stream, [bad.as_slice()], true);
            let neutral = "ServiceUnavailableException".to_owned();
            assert_eq!(seen.ending, Ending::Error(502, neutral), "{name}");
            let both = [start.clone(), bad.clone()].concat();
            let mut stream = stream_relay(client, &settings());
            let mut written = Vec::new();
            let flow = stream.push(&both, &mut written);
            let written = String::from_utf8_lossy(&written);
            assert!(
                !written.contains("ignature") && !written.contains("SECRET"),
                "{written}"
            );
            match client.sse {
                true => assert!(
                    written.contains("serverException") || written.contains("ServerException"),
                    "{written}"
                ),
                false => assert_eq!(flow, Flow::Cut(start.len())),
            }
            let line = stream.complaint().unwrap();
            assert!(
                line.contains("AWS does not accept") && !line.contains("SECRET"),
                "{line}"
            );
        }
    }
}

#[test]
fn an_exception_about_the_gateway_shows_in_no_part_of_a_native_stream() {
    let start = frame(
        &[(":event-type", "messageStart"), (":message-type", "event")],
        r#"{"role":"assistant"}"#,
    );
    let kinds = [(":exception-type", "x"), (":message-type", "exception")];
    let error = |message| {
        let kinds = [
            (":error-code", "AccessDenied"),
            (":error-message", message),
            (":message-type", "error"),
        ];
        frame(&kinds, "")
    };
    let message = format!(r#"{{"message":"{IDENTITY}"}}"#);
    for bad in [
        frame(&kinds, QUOTED),
        frame(&kinds, &message),
        error(IDENTITY),
    ] {
        let stream = [start.clone(), bad.clone(), start.clone()].concat();
        for hold_headers in [true, false] {
            let settings = Settings {
                hold_headers,
                ..settings()
            };
            for cut in 1..stream.len() {
                let pieces = [&stream[..cut], &stream[cut..]];
                // The upstream may break in the middle of it.
                let broken = &stream[..cut.min(start.len() + bad.len() - 1)];
                for (pieces, clean) in [
                    (pieces.to_vec(), true),
                    (stream.chunks(cut).collect(), true),
                    (vec![broken], false),
                    (broken.chunks(7).collect(), false),
                ] {
                    let seen = fed(stream_relay(SDK, &settings), pieces, clean);
                    assert!(matches!(seen.ending, Ending::Cut | Ending::Error(..)));
                    // Up to where its first header is none of an event's.
                    assert!(stream.starts_with(&seen.sent) && seen.sent.len() < start.len() + 16);
                }
            }
        }
    }
}

#[test]
fn what_may_pass_of_a_native_stream_passes_however_it_is_cut() {
    let start = frame(
        &[(":event-type", "messageStart"), (":message-type", "event")],
        r#"{"role":"assistant"}"#,
    );
    let kinds = [
        (":exception-type", "throttlingException"),
        (":message-type", "exception"),
    ];
    let throttled = frame(&kinds, r#"{"message":"slow down"}"#);
    let stream = [start.clone(), start.clone(), throttled].concat();
    for cut in 1..stream.len() {
        for pieces in [
            vec![&stream[..cut], &stream[cut..]],
            stream.chunks(cut).collect(),
        ] {
            let seen = fed(stream_relay(SDK, &settings()), pieces, true);
            assert_eq!((seen.sent, seen.ending), (stream.clone(), Ending::Clean));
        }
    }
    // No byte of an event waits. One with a header that is not known waits for the others.
    let new = [
        (":new", "x"),
        (":event-type", "y"),
        (":message-type", "event"),
    ];
    let new = frame(&new, "{}");
    for (event, waits) in [(&start, 0..0), (&new, 12..new.len() - 6 - 1)] {
        let mut relay = stream_relay(SDK, &settings());
        let mut kept = Vec::new();
        assert_eq!(relay.push(&start, &mut kept), Flow::Go);
        for (at, byte) in event.iter().enumerate() {
            let expected = match waits.contains(&at) {
                true => Flow::Keep(0),
                false => Flow::Go,
            };
            assert_eq!(relay.push(&[*byte], &mut kept), expected, "byte {at}");
        }
        assert_eq!(kept, event[waits]);
    }
}

#[test]
fn an_exception_that_is_too_large_to_be_looked_at_breaks_the_stream() {
    let start = frame(
        &[(":event-type", "messageStart"), (":message-type", "event")],
        r#"{"role":"assistant"}"#,
    );
    let kinds = [(":exception-type", "x"), (":message-type", "exception")];
    let bad = frame(
        &kinds,
        &format!(r#"{{"message":"{}"}}"#, "a".repeat(1 << 20)),
    );
    let settings = Settings {
        max_frame_size: 4 << 20,
        ..settings()
    };
    let stream = [start.clone(), bad].concat();
    for cut in [50, 4096, stream.len()] {
        let seen = fed(stream_relay(SDK, &settings), stream.chunks(cut), true);
        assert_eq!(seen.ending, Ending::Cut);
        assert!(stream.starts_with(&seen.sent) && seen.sent.len() < start.len() + 16);
        let corrupt = Some(gateway::StreamStatus::Corrupt);
        assert_eq!(seen.facts.stream, corrupt, "{cut}");
    }
}

#[test]
fn a_strange_body_with_200_passes() {
    for client in [SDK, SSE, CONVERSE] {
        for body in [
            "<html>sorry</html>",
            "",
            "{",
            "[1,2",
            r#"{"usage":7}"#,
            "\0\u{7f}",
            r#""""#,
        ] {
            for headers in [&[][..], &[("content-type", "text/html")], &[JSON]] {
                let facts = passing(client, &settings(), 200, headers, body);
                assert_eq!(facts.total_tokens(), None);
            }
        }
    }
    let broken = fed(
        relay(CONVERSE, &settings(), 200, &[JSON]),
        [&b"{"[..]],
        false,
    );
    assert_eq!(broken.ending, Ending::Cut);
}

#[test]
fn no_header_or_log_line_can_be_bent_by_an_exception() {
    let evil = "bad\r\nSet-Cookie: x\u{1b}é";
    let body = frame(
        &[(":exception-type", evil), (":message-type", "exception")],
        r#"{"message":"a\r\nb"}"#,
    );
    let mut relay = stream_relay(SDK, &settings());
    let flow = relay.push(&body, &mut Vec::new());
    let Flow::Fail(refusal) = flow else {
        unreachable!("{flow:?}")
    };
    // Behind a good event it goes to a plain client as an event of its own.
    let behind = [
        frame(
            &[(":event-type", "a\r\nb"), (":message-type", "event")],
            "{}",
        ),
        body,
    ]
    .concat();
    let seen = fed(stream_relay(SSE, &settings()), [behind.as_slice()], true);
    let text = String::from_utf8(seen.sent).unwrap();
    let field = |line: &str| {
        ["event: ", "data: "]
            .iter()
            .any(|name| line.starts_with(name))
    };
    assert!(
        text.split_inclusive('\n')
            .all(|line| line == "\n" || field(line)),
        "{text:?}"
    );
    assert!(!text.contains('\r'), "{text:?}");
    let complaint = relay.complaint().unwrap();
    assert!(!complaint.contains(|c: char| c.is_control()), "{complaint}");
    for refusal in [refusal, Refusal::new(500, evil, "x")] {
        for api in [Api::Native, Api::Converse] {
            for (_, value) in api.error(&refusal, None).headers {
                assert!(
                    value.bytes().all(|byte| byte.is_ascii_graphic()),
                    "{value:?}"
                );
            }
        }
    }
}

#[test]
fn what_the_client_is_told_of_usage_is_in_the_log_and_nothing_else() {
    let counted = r#"{"us\u0061ge":{"input\u0054okens":12,"outputTokens":34}}"#;
    let facts = passing(CONVERSE, &settings(), 200, &[JSON], counted);
    assert_eq!(
        (facts.input_tokens, facts.output_tokens),
        (Some(12), Some(34))
    );
    let anthropic = r#"{"\u0075sage":{"\u0069nput_tokens":12,"output_tokens":34}}"#;
    let facts = passing(INVOKE, &settings(), 200, &[JSON], anthropic);
    assert_eq!(
        (facts.input_tokens, facts.output_tokens),
        (Some(12), Some(34))
    );
    let deep = format!(
        r#"{{"output":{{"message":{{"content":[{{"toolUse":{{"input":{{"a":{}{}}}}}}}]}}}},"usage":{{"inputTokens":12,"outputTokens":34}}}}"#,
        "[".repeat(1000),
        "]".repeat(1000)
    );
    let facts = fed(
        relay(CONVERSE, &settings(), 200, &[JSON]),
        [deep.as_bytes()],
        true,
    )
    .facts;
    assert_eq!(
        (facts.input_tokens, facts.output_tokens),
        (Some(12), Some(34))
    );
    // No answer is an array, and an error costs nothing.
    let plain =
        r#"{"usage":{"inputTokens":12,"outputTokens":34},"inputTokens":12,"prompt_token_count":3}"#;
    let count = ("x-amzn-bedrock-input-token-count", "12");
    for client in [CONVERSE, INVOKE, COUNT] {
        let facts = passing(client, &settings(), 200, &[JSON], &format!("[{plain}]"));
        assert_eq!((facts.input_tokens, facts.output_tokens), (None, None));
        for status in [307, 400, 429, 500] {
            let headers = [JSON, ("x-amzn-errortype", "ModelErrorException"), count];
            let facts = passing(client, &settings(), status, &headers, plain);
            assert_eq!((facts.input_tokens, facts.output_tokens), (None, None));
        }
    }
    for odd in [
        "-1",
        "1.0",
        "1e2",
        "\"1\"",
        "99999999999999999999",
        "[1]",
        "null",
    ] {
        let json = format!(
            r#"{{"usage":{{"inputTokens":{odd},"outputTokens":{odd}}},"inputTokens":{odd}}}"#
        );
        for client in [CONVERSE, INVOKE, COUNT] {
            let facts = passing(client, &settings(), 200, &[JSON], &json);
            assert_eq!(
                (facts.input_tokens, facts.output_tokens),
                (None, None),
                "{json}"
            );
        }
    }
}

#[test]
fn an_error_about_the_gateway_is_hidden_whatever_its_status() {
    for client in [SDK, SSE, CONVERSE, INVOKE, COUNT] {
        for status in [200, 302, 307] {
            for body in [
                QUOTED.to_owned(),
                r#"{"__type":"InvalidSignatureException","message":"SECRET"}"#.to_owned(),
                r#"{"error":{"code":"SignatureDoesNotMatch","message":"SECRET"}}"#.to_owned(),
                "<Error><Code>SignatureDoesNotMatch</Code></Error>".to_owned(),
                format!(r#"{{"message":"{IDENTITY}"}}"#),
            ] {
                for cut in [1, 7, 4096] {
                    let relay = relay(client, &settings(), status, &[JSON]);
                    let seen = fed(relay, body.as_bytes().chunks(cut), true);
                    let is_error = matches!(seen.ending, Ending::Error(500..=502, _));
                    assert!(
                        seen.sent.is_empty() && is_error,
                        "{client:?} {status} {body}"
                    );
                }
            }
        }
    }
}

#[test]
fn an_answer_that_cannot_be_read_is_a_neutral_error() {
    let gzip = ("content-encoding", "gzip");
    let named = ("x-amzn-errortype", "ThrottlingException");
    for client in [SDK, SSE, CONVERSE, INVOKE, COUNT] {
        for (status, headers, gets) in [
            (403, vec![JSON, gzip], (403, "AccessDeniedException")),
            (400, vec![gzip], (400, "ValidationException")),
            (429, vec![JSON, gzip, named], (429, "ThrottlingException")),
            (401, vec![gzip], (502, "ServiceUnavailableException")),
            (302, vec![gzip], (502, "ServiceUnavailableException")),
            (200, vec![JSON, gzip], (502, "ServiceUnavailableException")),
            (
                200,
                vec![("content-type", "application/vnd.amazon.eventstream"), gzip],
                (502, "ServiceUnavailableException"),
            ),
            (
                403,
                vec![("content-encoding", "identity, x-new")],
                (403, "AccessDeniedException"),
            ),
        ] {
            let relay = || relay(client, &settings(), status, &headers);
            for pieces in [vec![], vec![&b"\x1f\x8b\x08"[..], b"SECRET"]] {
                let seen = fed(relay(), pieces, true);
                let (status, name) = gets;
                let expected = Ending::Error(status, name.to_owned());
                assert_eq!((seen.sent, seen.ending), (vec![], expected), "{client:?}");
            }
        }
        let plain = [JSON, ("content-encoding", "identity")];
        let seen = fed(relay(client, &settings(), 200, &plain), [&b"{}"[..]], true);
        assert_eq!(seen.sent, b"{}");
    }
    // What the client has asked for in its own name, it gets.
    let clients = Settings {
        auth: Auth::Client,
        ..settings()
    };
    let seen = fed(
        relay(CONVERSE, &clients, 403, &[gzip]),
        [&b"\x1f"[..]],
        true,
    );
    assert_eq!((seen.sent, seen.ending), (b"\x1f".to_vec(), Ending::Clean));
    let wide: Vec<u8> = QUOTED.encode_utf16().flat_map(u16::to_le_bytes).collect();
    for status in [200, 403] {
        let seen = fed(
            relay(CONVERSE, &settings(), status, &[JSON]),
            [&wide[..]],
            true,
        );
        assert!(matches!(seen.ending, Ending::Error(502, _)) && seen.sent.is_empty());
    }
}

#[test]
fn a_good_answer_passes_with_the_bytes_that_show_it() {
    let body = format!(r#"{{"output":{{"message":{{"content":[{{"text":"{IDENTITY}"}}]}}}}}}"#);
    let mut relay = relay(CONVERSE, &settings(), 200, &[JSON]);
    let flow = relay.push(&body.as_bytes()[..12], &mut Vec::new());
    assert_eq!((flow, relay.holds()), (Flow::Go, false));
    passing(CONVERSE, &settings(), 200, &[JSON], &body);
}
