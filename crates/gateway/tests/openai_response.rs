//! Whole answers and errors as OpenAI's clients read them.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod common;
#[path = "common/openai.rs"]
mod openai;
#[path = "common/planning.rs"]
#[allow(dead_code, reason = "each file of tests uses a part of it")]
mod planning;
#[path = "common/stream.rs"]
#[allow(dead_code, reason = "each file of tests uses a part of it")]
mod stream;

use common::settings;
use gateway::{Api, End, Flow, Refusal, Relay, Settings};
use openai::CHAT;
use serde_json::{Value, json};
use stream::{Ending, fed, relay_of};

const ASKED: &str = r#"{"model":"m","messages":[]}"#;
const JSON: (&str, &str) = ("content-type", "application/json");

fn chat_relay(asked: &str, status: u16, headers: &[(&str, &str)]) -> Relay {
    let headers = [&[JSON, ("x-amzn-requestid", "r-1")], headers].concat();
    let relay = relay_of(
        CHAT,
        "application/json",
        asked,
        &settings(),
        status,
        &headers,
    );
    assert_eq!(relay.rewrites_as(), Some("application/json"));
    assert!(relay.holds());
    relay
}

/// What an answer becomes, the same wherever it is cut.
fn spelt(asked: &str, body: &str) -> String {
    let bytes = body.as_bytes();
    let feed = |pieces: Vec<&[u8]>| fed(chat_relay(asked, 200, &[]), pieces, true);
    let whole = feed(vec![bytes]);
    assert_eq!(whole.ending, Ending::Clean, "{body}");
    for cut in 0..=bytes.len() {
        assert_eq!(
            feed(vec![&bytes[..cut], &bytes[cut..]]),
            whole,
            "cut at {cut}"
        );
    }
    String::from_utf8(whole.sent).unwrap()
}

/// The refusal that an answer becomes.
fn refusal(
    asked: &str,
    status: u16,
    headers: &[(&str, &str)],
    body: &[u8],
    clean: bool,
) -> Refusal {
    let mut relay = chat_relay(asked, status, headers);
    let mut out = Vec::new();
    assert_eq!(relay.push(body, &mut out), Flow::Hold);
    let end = relay.finish(clean, &mut out);
    assert!(out.is_empty());
    match end {
        End::Fail(refusal) => refusal,
        other => panic!("{other:?}"),
    }
}

/// The error object that the client gets.
fn error_object(refusal: &Refusal) -> Value {
    let answer = Api::OpenAi.error(refusal, Some("r-1"));
    assert_eq!(answer.headers, [("x-request-id", "r-1".to_owned())]);
    let mut body: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(body.as_object().unwrap().len(), 1);
    body["error"].take()
}

/// An answer of this content and, if any, these further members.
fn answer(content: &str, members: &str) -> String {
    format!(
        r#"{{"output":{{"message":{{"role":"assistant","content":{content}}}}},"stopReason":"end_turn"{members}}}"#
    )
}

/// `choices[0]` of what an answer becomes.
fn choice(content: &str) -> Value {
    let mut body: Value = serde_json::from_str(&spelt(ASKED, &answer(content, ""))).unwrap();
    body["choices"][0].take()
}

#[test]
fn a_whole_answer_to_the_letter() {
    let body = r#"{"metrics":{"latencyMs":5},"output":{"message":{"content":[{"text":"Hi \"\u00e9🦀\""}],"role":"assistant"}},
        "stopReason":"end_turn","usage":{"inputTokens":3,"outputTokens":2,"totalTokens":5}}"#;
    assert_eq!(
        spelt(ASKED, body),
        concat!(
            r#"{"id":"chatcmpl-r-1","object":"chat.completion","created":1700000000,"model":"m","choices":[{"index":0,"#,
            r#""message":{"role":"assistant","content":"Hi \"\u00e9🦀\"","refusal":null},"logprobs":null,"finish_reason":"stop"}],"#,
            r#""usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}}"#
        )
    );
}

#[test]
fn each_block_has_its_place() {
    let message = |members: Value| {
        let mut message = json!({"role": "assistant", "refusal": null, "content": null});
        message
            .as_object_mut()
            .unwrap()
            .extend(members.as_object().unwrap().clone());
        message
    };
    for (content, expected) in [
        ("[]", message(json!({}))),
        (r#"[{"text":""}]"#, message(json!({"content": ""}))),
        (
            r#"[{"text":"a\n"},{"text":"\u00e9"}]"#,
            message(json!({"content": "a\né"})),
        ),
        (
            r#"[{"text":"a "},{"new":{"text":"x"}}]"#,
            message(json!({"content": "a [content of a kind that this API has no form for]"})),
        ),
        (
            r#"[{"image":{"format":"png","source":{"bytes":"QUJD"}}},{"text":"a"},{"image":{"format":"webp","source":{"s3Location":{"uri":"s3://b/k"}}}}]"#,
            message(json!({"content": "a", "images": [
                {"index": 0, "type": "image_url", "image_url": {"url": "data:image/png;base64,QUJD"}},
                {"index": 1, "type": "image_url", "image_url": {"url": "s3://b/k"}},
            ]})),
        ),
        (
            r#"[{"image":{"format":"png","error":{"message":"m"}}}]"#,
            message(json!({"content": "[an image that did not come whole]"})),
        ),
        (
            r#"[{"audio":{"format":"mp3","source":{"bytes":"QUJD"}}}]"#,
            message(
                json!({"audio": {"id": "audio_r-1", "data": "QUJD", "expires_at": 1_700_000_000, "transcript": ""}}),
            ),
        ),
        (
            r#"[{"audio":{"format":"mp3","source":{"s3Location":{"uri":"s3://b/k"}}}}]"#,
            message(json!({"content": "[audio, which this API has no form for]"})),
        ),
        (
            r#"[{"toolUse":{"toolUseId":"s","name":"g","input":{},"type":"server_tool_use"}},
                {"toolResult":{"toolUseId":"s","content":[],"type":"g_result"}},{"text":"a"}]"#,
            message(json!({"content": "a"})),
        ),
        (
            r#"[{"reasoningContent":{"reasoningText":{"signature":"sig"}}},{"text":"x"}]"#,
            message(
                json!({"content": "x", "thinking_blocks": [{"type": "thinking", "thinking": "", "signature": "sig"}]}),
            ),
        ),
        (
            r#"[{"citationsContent":{"content":[{"text":"a"},{"text":"b"}],"citations":[{"title":"t"}]}},{"text":"c"}]"#,
            message(json!({"content": "abc"})),
        ),
        (
            r#"[{"reasoningContent":{"reasoningText":{"text":"why","signature":"sig"}}},{"reasoningContent":{"redactedContent":"QUJD"}},{"text":"x"}]"#,
            message(json!({
                "content": "x",
                "reasoning_content": "why",
                "thinking_blocks": [
                    {"type": "thinking", "thinking": "why", "signature": "sig"},
                    {"type": "redacted_thinking", "data": "QUJD"},
                ],
            })),
        ),
        (
            r#"[{"text":"x"},{"toolUse":{"toolUseId":"t-0","name":"f","input":{ "a" : [ 1.50, "b c\n" ] }}},
                {"toolUse":{"toolUseId":"","name":"g","input":{},"type":"new_kind"}},{"toolUse":{"toolUseId":"t-2","name":"g"}}]"#,
            message(json!({
                "content": "x",
                "tool_calls": [
                    {"id": "t-0", "type": "function", "function": {"name": "f", "arguments": r#"{"a":[1.50,"b c\n"]}"#}},
                    {"id": "call_r-1_1", "type": "function", "function": {"name": "g", "arguments": "{}"}},
                    {"id": "t-2", "type": "function", "function": {"name": "g", "arguments": "{}"}},
                ],
            })),
        ),
    ] {
        let reason = match expected.get("tool_calls") {
            Some(_) => "tool_calls",
            None => "stop",
        };
        let expected =
            json!({"index": 0, "message": expected, "logprobs": null, "finish_reason": reason});
        assert_eq!(choice(content), expected, "{content}");
    }
    let long = "x\\n".repeat(1000);
    assert!(
        spelt_once(&answer(&format!(r#"[{{"text":"{long}"}}]"#), ""))
            .contains(&format!(r#""content":"{long}""#))
    );
}

#[test]
fn a_call_of_a_tool_with_text_comes_back_as_text() {
    let asked = r#"{"model":"m","messages":[],"tools":[{"type":"custom","custom":{"name":"apply.patch"}},{"type":"function","function":{"name":"f"}}]}"#;
    // echo -n apply.patch | sha256sum
    let name = "apply_patch_43d978a7";
    let content = format!(
        r#"[{{"toolUse":{{"toolUseId":"a","name":"{name}","input":{{"input":"*** \"é\"\n\ud83e\udd80"}}}}}},
            {{"toolUse":{{"toolUseId":"b","name":"f","input":{{"input":"x"}}}}}},
            {{"toolUse":{{"toolUseId":"c","name":"{name}","input":{{"patch":[1]}}}}}}]"#
    );
    let body: Value = serde_json::from_str(&spelt(asked, &answer(&content, ""))).unwrap();
    assert_eq!(
        body["choices"][0]["message"]["tool_calls"],
        json!([
            {"id": "a", "type": "custom", "custom": {"name": "apply.patch", "input": "*** \"é\"\n🦀"}},
            {"id": "b", "type": "function", "function": {"name": "f", "arguments": r#"{"input":"x"}"#}},
            {"id": "c", "type": "custom", "custom": {"name": "apply.patch", "input": r#"{"patch":[1]}"#}},
        ])
    );
    assert_eq!(body["choices"][0]["finish_reason"], "tool_calls");
}

/// As [`spelt`], for what is too long to cut everywhere.
fn spelt_once(body: &str) -> String {
    let seen = fed(chat_relay(ASKED, 200, &[]), [body.as_bytes()], true);
    String::from_utf8(seen.sent).unwrap()
}

#[test]
fn every_stop_reason_has_its_word() {
    for (reason, word) in [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("tool_use", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("content_filtered", "content_filter"),
        ("guardrail_intervened", "content_filter"),
        ("something_new", "stop"),
    ] {
        let body = answer("[]", "").replace("end_turn", reason);
        let body: Value = serde_json::from_str(&spelt(ASKED, &body)).unwrap();
        assert_eq!(body["choices"][0]["finish_reason"], word, "{reason}");
    }
    let called = r#"[{"toolUse":{"toolUseId":"t","name":"f","input":{}}}]"#;
    for (reason, word) in [
        ("end_turn", "tool_calls"),
        ("tool_use", "tool_calls"),
        ("max_tokens", "length"),
    ] {
        let body = answer(called, "").replace("end_turn", reason);
        let body: Value = serde_json::from_str(&spelt(ASKED, &body)).unwrap();
        assert_eq!(body["choices"][0]["finish_reason"], word, "{reason}");
    }
    for reason in ["malformed_model_output", "malformed_tool_use"] {
        let body = answer(called, "").replace("end_turn", reason);
        let refusal = refusal(ASKED, 200, &[], body.as_bytes(), true);
        assert_eq!(
            (refusal.status, refusal.exception.as_ref()),
            (424, "ModelErrorException")
        );
        assert_eq!(error_object(&refusal)["type"], "server_error");
    }
}

#[test]
fn usage_and_what_else_the_answer_says() {
    let end = |members: &str| {
        let spelt = spelt(ASKED, &answer("[]", members));
        let (_, end) = spelt.split_once(r#""finish_reason":"stop"}]"#).unwrap();
        end.to_owned()
    };
    for (members, expected) in [
        ("", "}"),
        (r#","usage":{"inputTokens":3}"#, "}"),
        (r#","usage":{"inputTokens":"3","outputTokens":-1}"#, "}"),
        (
            r#","usage":{"inputTokens":3,"outputTokens":2,"totalTokens":9,"cacheReadInputTokens":4,"cacheWriteInputTokens":0}"#,
            r#","usage":{"prompt_tokens":7,"completion_tokens":2,"total_tokens":9,"prompt_tokens_details":{"cached_tokens":4,"cache_write_tokens":0}}}"#,
        ),
        (
            r#","serviceTier":{"type":"priority"},"trace":{"guardrail":{}},"additionalModelResponseFields":{"stop_sequence":"END"}"#,
            r#","service_tier":"priority","additionalModelResponseFields":{"stop_sequence":"END"}}"#,
        ),
    ] {
        assert_eq!(end(members), expected, "{members}");
    }
}

#[test]
fn a_renamed_tool_and_the_models_own_name_come_back() {
    // echo -n 'a.b' | sha256sum
    let asked = r#"{"model":"gpt \"4\"","messages":[],"tools":[{"type":"function","function":{"name":"a.b"}}]}"#;
    let aliases = [("gpt \"4\"".to_owned(), "amazon.nova-x".to_owned())];
    let settings = Settings {
        aliases: &aliases,
        ..settings()
    };
    let relay = relay_of(
        CHAT,
        "*/*",
        asked,
        &settings,
        200,
        &[JSON, ("x-amzn-requestid", "r-1")],
    );
    let body = answer(
        r#"[{"toolUse":{"toolUseId":"t","name":"a_b_2e7336dc","input":{}}}]"#,
        "",
    );
    let seen = fed(relay, [body.as_bytes()], true);
    let seen: Value = serde_json::from_slice(&seen.sent).unwrap();
    assert_eq!(seen["model"], "gpt \"4\"");
    assert_eq!(
        seen["choices"][0]["message"]["tool_calls"][0]["function"]["name"],
        "a.b"
    );
}

#[test]
fn errors_keep_their_status_and_words() {
    for (status, exception, kind) in [
        (400, "ValidationException", "invalid_request_error"),
        (
            400,
            "ServiceQuotaExceededException",
            "invalid_request_error",
        ),
        (403, "AccessDeniedException", "permission_error"),
        (404, "ResourceNotFoundException", "not_found_error"),
        (408, "ModelTimeoutException", "timeout_error"),
        (424, "ModelErrorException", "server_error"),
        (429, "ThrottlingException", "rate_limit_error"),
        (429, "ModelNotReadyException", "rate_limit_error"),
        (500, "InternalServerException", "server_error"),
        (503, "ServiceUnavailableException", "server_error"),
    ] {
        let header = format!("{exception}:http://internal.amazon.com/coral/");
        for (header, body) in [
            (
                Some(header.as_str()),
                r#"{"message":"say \"why\""}"#.to_owned(),
            ),
            (
                Some(exception),
                r#"{"Message":"say \"why\"","x":1}"#.to_owned(),
            ),
            (
                Some(exception),
                r#"{"Message":null,"message":"say \"why\""}"#.to_owned(),
            ),
            (
                None,
                format!(r#"{{"__type":"com.amazon.coral#{exception}","message":"say \"why\""}}"#),
            ),
        ] {
            let headers: Vec<_> = header
                .map(|header| ("x-amzn-errortype", header))
                .into_iter()
                .collect();
            let refusal = refusal(ASKED, status, &headers, body.as_bytes(), true);
            assert_eq!(refusal.status, status);
            assert_eq!(
                error_object(&refusal),
                json!({"message": "say \"why\"", "type": kind, "param": null, "code": exception}),
                "{body}"
            );
        }
    }
}

#[test]
fn errors_without_words_get_some() {
    for body in [
        "",
        "<html>go away</html>",
        "{}",
        "[]",
        r#"{"message":""}"#,
        r#"{"message":7}"#,
        "\u{feff}{",
        r#"{"message":"#,
    ] {
        for (status, code) in [
            (429, "ThrottlingException"),
            (503, "ServiceUnavailableException"),
        ] {
            for clean in [true, false] {
                let refusal = refusal(ASKED, status, &[], body.as_bytes(), clean);
                assert_eq!(refusal.status, status, "{body}");
                let error = error_object(&refusal);
                assert_eq!(error["code"], code);
                let message = error["message"].as_str().unwrap();
                assert!(!message.is_empty() && !message.contains("html"));
            }
        }
    }
    // Not UTF-8.
    assert_eq!(
        refusal(ASKED, 500, &[], b"{\"message\":\"\xff\"}", true).status,
        500
    );
}

#[test]
fn what_aws_says_of_the_gateways_credentials_is_not_the_clients() {
    for exception in [
        "ExpiredTokenException",
        "IncompleteSignatureException",
        "InvalidSignatureException",
        "MissingAuthenticationTokenException",
        "UnrecognizedClientException",
    ] {
        for asked in [ASKED, r#"{"model":"m","messages":[],"stream":true}"#] {
            let body = format!(r#"{{"__type":"{exception}","message":"the key AKIA… and more"}}"#);
            let refusal = refusal(
                asked,
                403,
                &[("x-amzn-errortype", exception)],
                body.as_bytes(),
                true,
            );
            assert_eq!(refusal.status, 502);
            assert!(
                refusal
                    .log
                    .as_ref()
                    .is_some_and(|log| log.contains(exception) && !log.contains("AKIA"))
            );
            let error = error_object(&refusal).to_string();
            assert!(
                !error.contains("AKIA") && !error.contains(exception),
                "{error}"
            );
        }
    }
}

#[test]
fn a_200_that_is_no_answer_is_a_502() {
    for body in [
        "",
        "<html>",
        "null",
        "[]",
        "[[[[]]]]",
        "{}",
        r#"{"message":"hello"}"#,
        r#"{"output":null}"#,
        r#"{"output":{}}"#,
        r#"{"output":{"message":{}}}"#,
        r#"{"output":{"message":{"content":null}},"stopReason":"end_turn"}"#,
        r#"{"output":{"message":{"content":"x"}},"stopReason":"end_turn"}"#,
        r#"{"output":{"message":{"content":[{"text":7}]}},"stopReason":"end_turn"}"#,
        r#"{"output":{"message":{"content":[{"text":"x"}]}},"stopReason":"end_turn"}x"#,
    ] {
        let refusal = refusal(ASKED, 200, &[], body.as_bytes(), true);
        assert_eq!(
            (refusal.status, error_object(&refusal)["type"].as_str()),
            (502, Some("server_error")),
            "{body}"
        );
    }
    assert_eq!(
        refusal(ASKED, 200, &[], b"{\"output\":\"\xff\"}", true).status,
        502
    );
    for status in [204, 302] {
        assert_eq!(refusal(ASKED, status, &[], b"", true).status, 502);
    }
    // JSON where a stream was asked for.
    let body = answer(r#"[{"text":"x"}]"#, "");
    let asked = r#"{"model":"m","messages":[],"stream":true}"#;
    assert_eq!(refusal(asked, 200, &[], body.as_bytes(), true).status, 502);
}

#[test]
fn an_answer_cut_at_any_byte_is_a_502() {
    let body = answer(
        r#"[{"text":"é"},{"toolUse":{"toolUseId":"t","name":"f","input":{"a":[1]}}}]"#,
        r#","usage":{"inputTokens":3,"outputTokens":2}"#,
    );
    for length in 0..body.len() {
        for clean in [true, false] {
            let refusal = refusal(ASKED, 200, &[], &body.as_bytes()[..length], clean);
            assert_eq!(refusal.status, 502, "{length}");
        }
    }
    assert_eq!(refusal(ASKED, 200, &[], body.as_bytes(), false).status, 502);
}

#[test]
fn a_large_answer_can_be_written_elsewhere() {
    let good = r#"{"output":{"message":{"role":"assistant","content":[{"text":"Hi"}]}},"stopReason":"end_turn","usage":{"inputTokens":1,"outputTokens":2,"totalTokens":3}}"#;
    let taken = |status, body: &str, size| {
        let mut relay = chat_relay(ASKED, status, &[]);
        let mut out = Vec::new();
        assert_eq!(relay.push(body.as_bytes(), &mut out), Flow::Hold);
        let whole = relay.take_whole(size);
        assert_eq!(relay.holds(), whole.is_none());
        whole.map(|whole| whole.write())
    };
    assert!(taken(200, good, good.len()).is_none());
    let written = taken(200, good, good.len() - 1).unwrap().unwrap();
    assert_eq!(String::from_utf8(written).unwrap(), spelt(ASKED, good));
    let refusal = taken(200, "{\"a\":1}", 0).unwrap().unwrap_err();
    assert_eq!(refusal.status, 502);
    let throttled = r#"{"__type":"ThrottlingException","message":"Slow down."}"#;
    let refusal = taken(429, throttled, 0).unwrap().unwrap_err();
    assert_eq!((refusal.status, &*refusal.message), (429, "Slow down."));
    // Streams, and what passes as it is, do not wait.
    let mut relay = relay_of("/model/m/converse", "*/*", "{}", &settings(), 200, &[JSON]);
    relay.push(good.as_bytes(), &mut Vec::new());
    assert!(relay.take_whole(0).is_none());
}
