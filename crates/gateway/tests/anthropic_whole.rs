//! Bedrock's whole answers, and its errors, as Anthropic's clients get them.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod common;
// Half of it is about other clients.
#[allow(dead_code)]
#[path = "common/stream.rs"]
mod stream;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use common::settings;
use gateway::Relay;
use serde_json::{Value, json};
use stream::{Ending, Outcome, fed, relay_of};

const ID: (&str, &str) = ("x-amzn-requestid", "r-1");

fn relay(model: &str, stream: bool, status: u16, headers: &[(&str, &str)]) -> Relay {
    let body = json!({"model": model, "stream": stream, "max_tokens": 9, "messages": [{"role": "user", "content": "x"}],
        "tools": [{"name": "server.tool", "input_schema": {"type": "object"}}]});
    relay_of(
        "/v1/messages",
        "*/*",
        &body.to_string(),
        &settings(),
        status,
        headers,
    )
}

fn whole(model: &str, status: u16, headers: &[(&str, &str)], body: &str) -> Outcome {
    fed(
        relay(model, false, status, headers),
        [body.as_bytes()],
        true,
    )
}

#[test]
fn whole_answers_of_converse() {
    let body = json!({
        "output": {"message": {"role": "assistant", "content": [
            {"reasoningContent": {"reasoningText": {"text": "Hm.", "signature": "c2ln"}}},
            {"reasoningContent": {"redactedContent": STANDARD.encode("Secret==")}},
            {"text": "Hi\n"},
            {"citationsContent": {"content": [{"text": "a\n"}, {"text": "b"}], "citations": [
                {"title": "T", "sourceContent": [{"text": "s"}], "location": {"documentChar": {"documentIndex": 0, "start": 1, "end": 2}}},
                {"title": "nowhere"}]}},
            {"toolUse": {"toolUseId": "t1", "name": "n", "input": {"a": [1.50]}}}]}},
        "stopReason": "stop_sequence", "additionalModelResponseFields": {"stop_sequence": "END"},
        "usage": {"inputTokens": 1, "outputTokens": 2, "totalTokens": 10, "cacheReadInputTokens": 3, "cacheWriteInputTokens": 4,
            "cacheDetails": [{"ttl": "1h", "inputTokens": 3}, {"ttl": "5m", "inputTokens": 1}]},
        "metrics": {"latencyMs": 42},
    });
    let seen = whole(
        "m",
        200,
        &[("content-type", "application/json"), ID],
        &body.to_string(),
    );
    assert_eq!(
        serde_json::from_slice::<Value>(&seen.sent).unwrap(),
        json!({
            "id": "msg_r-1", "type": "message", "role": "assistant", "model": "m",
            "content": [
                {"type": "thinking", "thinking": "Hm.", "signature": "c2ln"},
                {"type": "redacted_thinking", "data": "Secret=="},
                {"type": "text", "text": "Hi\n"},
                {"type": "text", "text": "a\nb", "citations": [{"type": "char_location", "cited_text": "s", "document_title": "T",
                    "document_index": 0, "start_char_index": 1, "end_char_index": 2}]},
                {"type": "tool_use", "id": "t1", "name": "n", "input": {"a": [1.50]}}],
            "stop_reason": "stop_sequence", "stop_sequence": "END",
            "usage": {"input_tokens": 1, "cache_creation_input_tokens": 4, "cache_read_input_tokens": 3, "output_tokens": 2,
                "cache_creation": {"ephemeral_1h_input_tokens": 3, "ephemeral_5m_input_tokens": 1}},
        })
    );
    assert_eq!(seen.facts.cache_read_tokens, Some(3));
}

/// The content and the stop reason of a whole answer of Converse with these blocks.
fn content(blocks: Value, word: &str) -> (Value, Value) {
    let body = json!({"output": {"message": {"role": "assistant", "content": blocks}}, "stopReason": word});
    let seen = whole("m", 200, &[ID], &body.to_string());
    assert_eq!(seen.ending, Ending::Clean, "{body}");
    assert_eq!(seen.facts.stop_reason.as_deref(), Some(word));
    let message: Value = serde_json::from_slice(&seen.sent).unwrap();
    (message["content"].clone(), message["stop_reason"].clone())
}

#[test]
fn every_block_is_shown_or_named() {
    for (blocks, shown) in [
        (
            json!([{"image": {"format": "jpeg", "source": {"bytes": "QUJD"}}}]),
            json!([{"type": "image", "source": {"type": "base64", "media_type": "image/jpeg", "data": "QUJD"}}]),
        ),
        (
            json!([{"image": {"format": "png", "source": {"s3Location": {"uri": "s3://b/k"}}}}]),
            json!([{"type": "image", "source": {"type": "url", "url": "s3://b/k"}}]),
        ),
        (
            json!([{"image": {"format": "png", "error": {"message": "m"}}}]),
            json!([{"type": "text", "text": "[an image that did not come whole]"}]),
        ),
        (
            json!([{"audio": {"format": "mp3", "source": {"bytes": "QUJD"}}}]),
            json!([{"type": "text", "text": "[audio, which this API has no form for]"}]),
        ),
        (
            json!([{"new": {"x": 1}}]),
            json!([{"type": "text", "text": "[content of a kind that this API has no form for]"}]),
        ),
        (
            json!([{"toolUse": {"toolUseId": "s", "name": "g", "input": {}, "type": "server_tool_use"}},
                {"toolResult": {"toolUseId": "s", "content": [{"json": {}}], "type": "g_result"}}, {"text": "a"}]),
            json!([{"type": "text", "text": "a"}]),
        ),
        (
            json!([{"reasoningContent": {"reasoningText": {"signature": "c2ln"}}}]),
            json!([{"type": "thinking", "thinking": "", "signature": "c2ln"}]),
        ),
    ] {
        assert_eq!(content(blocks, "end_turn"), (shown, json!("end_turn")));
    }
}

#[test]
fn sources_without_a_text_belong_to_the_text_before() {
    let cited = |title: &str, texts: Value| {
        json!({"citationsContent": {"content": texts, "citations": [
            {"title": title, "sourceContent": [{"text": "s"}], "location": {"web": {"url": "https://e.com"}}}]}})
    };
    let citation = |title: &str| json!({"type": "web_search_result_location", "url": "https://e.com", "title": title, "encrypted_index": "", "cited_text": "s"});
    let text = json!({"text": "a"});
    for (blocks, shown) in [
        (
            json!([
                text,
                cited("A", json!([])),
                cited("B", json!([{"text": ""}]))
            ]),
            json!([{"type": "text", "text": "a", "citations": [citation("A"), citation("B")]}]),
        ),
        (
            json!([cited("A", json!([])), text]),
            json!([{"type": "text", "text": "a"}]),
        ),
        (
            json!([
                text,
                cited("A", json!([{"text": "b"}])),
                cited("B", json!([]))
            ]),
            json!([{"type": "text", "text": "a"}, {"type": "text", "text": "b", "citations": [citation("A"), citation("B")]}]),
        ),
    ] {
        assert_eq!(content(blocks, "end_turn").0, shown);
    }
}

#[test]
fn a_stop_reason_agrees_with_what_was_said() {
    let call = json!([{"toolUse": {"toolUseId": "", "name": "n", "input": {}}}]);
    let (blocks, reason) = content(call.clone(), "end_turn");
    assert_eq!(
        (&blocks[0]["id"], reason),
        (&json!("call_r-1_0"), json!("tool_use"))
    );
    assert_eq!(content(call.clone(), "max_tokens").1, "max_tokens");
    assert_eq!(content(json!([{"text": "a"}]), "tool_use").1, "end_turn");
    for word in ["malformed_tool_use", "malformed_model_output"] {
        let body = json!({"output": {"message": {"role": "assistant", "content": call}}, "stopReason": word});
        let seen = whole("m", 200, &[ID], &body.to_string());
        assert_eq!(
            seen.ending,
            Ending::Error(424, "ModelErrorException".to_owned())
        );
        assert_eq!(seen.facts.stop_reason.as_deref(), Some(word));
    }
}

#[test]
fn whole_answers_of_invoke_pass_as_they_are() {
    let body = r#"{ "id":"msg_1","type":"message","role":"assistant","content":[{"type":"text","text":"Hi"}],"stop_reason":"end_turn","usage":{"input_tokens":1,"output_tokens":2,"cache_read_input_tokens":3} }"#;
    let seen = whole(
        "anthropic.c",
        200,
        &[("content-type", "application/json"), ID],
        body,
    );
    assert_eq!(seen.sent, body.as_bytes());
    assert_eq!(
        (seen.facts.output_tokens, seen.facts.cache_read_tokens),
        (Some(2), Some(3))
    );
    assert_eq!(seen.facts.stop_reason.as_deref(), Some("end_turn"));
    let cut = fed(
        relay("anthropic.c", false, 200, &[]),
        [&body.as_bytes()[..40]],
        false,
    );
    assert_eq!(cut.ending, Ending::Cut);
}

#[test]
fn errors_before_the_answer_keep_their_status() {
    for model in [
        "anthropic.claude-sonnet-4-6",
        "us.anthropic.claude-haiku-4-5",
    ] {
        for stream in [true, false] {
            let headers = [("x-amzn-errortype", "ThrottlingException:http://x"), ID];
            let relay = relay(model, stream, 429, &headers);
            let seen = fed(relay, [br#"{"message":"Slow down."}"#.as_slice()], true);
            assert_eq!(
                seen.ending,
                Ending::Error(429, "ThrottlingException".to_owned())
            );
        }
    }
    // A 200 that is no stream where one was asked for.
    let seen = fed(
        relay("anthropic.c", true, 200, &[]),
        [b"<html>".as_slice()],
        true,
    );
    assert_eq!(
        seen.ending,
        Ending::Error(502, "InternalServerException".to_owned())
    );
}

#[test]
fn counts() {
    for model in [
        "anthropic.claude-sonnet-4-6",
        "us.anthropic.claude-haiku-4-5",
    ] {
        let body =
            json!({"model": model, "messages": [{"role": "user", "content": "x"}]}).to_string();
        let count = |answer: &str| {
            let relay = relay_of(
                "/v1/messages/count_tokens",
                "*/*",
                &body,
                &settings(),
                200,
                &[],
            );
            fed(relay, [answer.as_bytes()], true)
        };
        let seen = count(r#"{"inputTokens": 17}"#);
        assert_eq!(seen.sent, br#"{"input_tokens":17}"#);
        assert_eq!(seen.facts.input_tokens, Some(17));
        for odd in ["{}", "[17]", r#"{"inputTokens":"17"}"#] {
            assert!(matches!(count(odd).ending, Ending::Error(502, _)));
        }
    }
}
