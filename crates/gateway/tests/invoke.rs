//! What models say in invoke answers, whole and streamed: each vendor's own form passes as it is and is understood.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

#[path = "common/chunks.rs"]
mod chunks;
mod common;
#[path = "common/stream.rs"]
mod stream;

use chunks::{
    BLOCK_END, DELTA, INPUT, METRICS, START, STOP, TEXT, TEXT_BLOCK, TOOL_BLOCK, Told, keeping,
    streamed, told,
};
use gateway::{Facts, StreamStatus};
use stream::{Client, Ending, SDK, SSE, fed, relay};

const WHOLE: Client = Client {
    verb: "invoke",
    sse: false,
};

fn whole(headers: &[(&str, &str)], json: &str) -> Facts {
    let feed = |pieces: Vec<&[u8]>| {
        let seen = fed(relay(WHOLE, &keeping(), 200, headers), pieces, true);
        assert_eq!(
            (seen.sent.as_slice(), seen.ending),
            (json.as_bytes(), Ending::Clean)
        );
        assert_eq!(seen.facts.stream, None);
        seen.facts
    };
    let facts = feed(vec![json.as_bytes()]);
    for cut in 0..=json.len() {
        let (before, after) = json.as_bytes().split_at(cut);
        assert_eq!(feed(vec![before, after]), facts, "cut at {cut}");
    }
    facts
}

#[test]
fn every_vendors_stream_is_understood() {
    let metrics = r#""amazon-bedrock-invocationMetrics":{"inputTokenCount":77,"outputTokenCount":88,"invocationLatency":500}"#;
    let with = |json: &str| format!("{},{metrics}}}", json.strip_suffix('}').unwrap());
    let cases: [(&str, Vec<String>, Told<'_>); 8] = [
        (
            "anthropic",
            [START, r#"{"type":"ping"}"#, TEXT_BLOCK, TEXT, BLOCK_END, TOOL_BLOCK, INPUT, BLOCK_END, DELTA, METRICS]
                .map(str::to_owned)
                .to_vec(),
            ([Some(10), Some(20), Some(3), Some(4)], [Some(37), Some(500)], Some("end_turn"), Some(1), "Hi \"é🦀\""),
        ),
        (
            "nova",
            vec![
                r#"{"messageStart":{"role":"assistant"}}"#.to_owned(),
                r#"{"contentBlockDelta":{"contentBlockIndex":0,"delta":{"text":"Hi"}}}"#.to_owned(),
                r#"{"contentBlockStop":{"contentBlockIndex":0}}"#.to_owned(),
                r#"{"contentBlockStart":{"contentBlockIndex":1,"start":{"toolUse":{"toolUseId":"t","name":"n"}}}}"#.to_owned(),
                r#"{"messageStop":{"stopReason":"tool_use"}}"#.to_owned(),
                with(r#"{"metadata":{"usage":{"inputTokens":10,"outputTokens":20,"cacheReadInputTokenCount":5},"metrics":{}}}"#),
            ],
            ([Some(10), Some(20), Some(5), None], [Some(35), Some(500)], Some("tool_use"), Some(1), "Hi"),
        ),
        (
            "titan",
            vec![
                r#"{"outputText":"H","index":0,"totalOutputTextTokenCount":null,"completionReason":null,"inputTextTokenCount":10}"#.to_owned(),
                with(r#"{"outputText":"i","index":0,"totalOutputTextTokenCount":20,"completionReason":"FINISH","inputTextTokenCount":null}"#),
            ],
            ([Some(10), Some(20), None, None], [Some(30), Some(500)], Some("FINISH"), None, "Hi"),
        ),
        (
            "llama",
            vec![
                r#"{"generation":"H","prompt_token_count":10,"generation_token_count":1,"stop_reason":null}"#.to_owned(),
                with(r#"{"generation":"i","prompt_token_count":null,"generation_token_count":20,"stop_reason":"stop"}"#),
            ],
            ([Some(10), Some(20), None, None], [Some(30), Some(500)], Some("stop"), None, "Hi"),
        ),
        (
            "mistral",
            vec![
                r#"{"outputs":[{"text":"Hi","stop_reason":null}]}"#.to_owned(),
                with(r#"{"outputs":[{"text":"","stop_reason":"stop"},{"text":"other"}]}"#),
            ],
            ([Some(77), Some(88), None, None], [Some(165), Some(500)], Some("stop"), None, "Hi"),
        ),
        (
            "mistral's messages",
            vec![
                r#"{"choices":[{"index":0,"message":{"role":"assistant","content":"Hi"},"stop_reason":null}]}"#.to_owned(),
                with(r#"{"choices":[{"index":0,"message":{"content":""},"stop_reason":"length"}]}"#),
            ],
            ([Some(77), Some(88), None, None], [Some(165), Some(500)], Some("length"), None, "Hi"),
        ),
        (
            "OpenAI's form",
            vec![
                r#"{"choices":[{"index":0,"delta":{"role":"assistant","content":"Hi"}}]}"#.to_owned(),
                with(r#"{"choices":[{"delta":{},"finish_reason":"stop"}]}"#),
                r#"{"choices":[],"usage":{"prompt_tokens":15,"completion_tokens":20,"total_tokens":35,"prompt_tokens_details":{"cached_tokens":5}}}"#.to_owned(),
            ],
            ([Some(10), Some(20), Some(5), None], [Some(35), Some(500)], Some("stop"), None, "Hi"),
        ),
        (
            "cohere",
            vec![
                r#"{"event_type":"stream-start","is_finished":false}"#.to_owned(),
                r#"{"text":"Hi","is_finished":false,"event_type":"text-generation"}"#.to_owned(),
                with(r#"{"is_finished":true,"finish_reason":"COMPLETE","event_type":"stream-end","response":{"text":"Hi"}}"#),
            ],
            ([Some(77), Some(88), None, None], [Some(165), Some(500)], Some("COMPLETE"), None, "Hi"),
        ),
    ];
    for (vendor, chunks, expected) in cases {
        let chunks: Vec<_> = chunks.iter().map(String::as_str).collect();
        let seen = streamed(&chunks);
        assert_eq!(told(&seen.facts), expected, "{vendor}");
        assert!(seen.facts.content_started, "{vendor}");
        assert_eq!(seen.facts.stream, Some(StreamStatus::Complete), "{vendor}");
        assert_eq!(seen.ending, Ending::Clean, "{vendor}");
    }
}

#[test]
fn every_vendors_whole_answer_is_understood() {
    let headers = [
        ("content-type", "application/json"),
        ("x-amzn-bedrock-input-token-count", "77"),
        ("x-amzn-bedrock-output-token-count", "88"),
        ("x-amzn-bedrock-invocation-latency", "500"),
    ];
    let own = [Some(10), Some(20), None, None];
    let of_headers = [Some(77), Some(88), None, None];
    let (own_total, header_total) = ([Some(30), Some(500)], [Some(165), Some(500)]);
    let cases: [(&str, Told<'_>); 11] = [
        (
            r#"{"type":"message","content":[{"type":"thinking","thinking":"hm"},{"type":"text","text":"Hi \u00e9"},
                {"type":"tool_use","id":"t","name":"n","input":{"type":"tool_use","text":"no"}},{"input":{},"type":"tool_use"}],
                "stop_reason":"tool_use","usage":{"input_tokens":10,"output_tokens":20,"cache_creation_input_tokens":4,"cache_read_input_tokens":3}}"#,
            (
                [Some(10), Some(20), Some(3), Some(4)],
                [Some(37), Some(500)],
                Some("tool_use"),
                Some(2),
                "Hi é",
            ),
        ),
        (
            r#"{"output":{"message":{"content":[{"text":"Hi"},{"toolUse":{"input":{}}}],"role":"assistant"}},"stopReason":"tool_use",
                "usage":{"inputTokens":10,"outputTokens":20,"totalTokens":30}}"#,
            (own, own_total, Some("tool_use"), Some(1), "Hi"),
        ),
        (
            r#"{"inputTextTokenCount":10,"results":[{"tokenCount":20,"outputText":"Hi","completionReason":"FINISH"}]}"#,
            (own, own_total, Some("FINISH"), None, "Hi"),
        ),
        (
            r#"{"generation":"Hi","prompt_token_count":10,"generation_token_count":20,"stop_reason":"stop"}"#,
            (own, own_total, Some("stop"), None, "Hi"),
        ),
        (
            r#"{"outputs":[{"text":"Hi","stop_reason":"stop"}]}"#,
            (of_headers, header_total, Some("stop"), None, "Hi"),
        ),
        (
            r#"{"choices":[{"message":{"role":"assistant","content":"Hi"},"finish_reason":"stop"}],
                "usage":{"prompt_tokens":10,"completion_tokens":20}}"#,
            (own, own_total, Some("stop"), None, "Hi"),
        ),
        (
            r#"{"text":"Hi","finish_reason":"COMPLETE","response_id":"x"}"#,
            (of_headers, header_total, Some("COMPLETE"), None, "Hi"),
        ),
        (
            r#"{"outputs":[{"text":"Hi","stop_reason":"stop"},{"stop_reason":null}]}"#,
            (of_headers, header_total, Some("stop"), None, "Hi"),
        ),
        // An embedding has no output.
        (
            r#"{"embedding":[0.1,-2e-3],"inputTextTokenCount":10}"#,
            (
                [Some(10), Some(88), None, None],
                [Some(98), Some(500)],
                None,
                None,
                "",
            ),
        ),
        // What is no count, and what is not there, leaves the headers alone.
        (
            r#"{"usage":{"input_tokens":-10,"output_tokens":1e1},"prompt_token_count":"10","stop_reason":null}"#,
            (of_headers, header_total, None, None, ""),
        ),
        (
            r#"["usage",{"text":7}]"#,
            (of_headers, header_total, None, None, ""),
        ),
    ];
    for (json, expected) in cases {
        assert_eq!(told(&whole(&headers, json)), expected, "{json}");
    }
    // Answers to other operations have no such members.
    let count = Client {
        verb: "count-tokens",
        sse: false,
    };
    for client in [SDK, SSE, count] {
        let json = br#"{"stop_reason":"x","text":"y","prompt_token_count":1,"content":[{"type":"tool_use"}]}"#;
        let seen = fed(relay(client, &keeping(), 200, &[]), [&json[..]], true);
        assert_eq!(seen.facts, Facts::default());
    }
}

#[test]
fn usage_is_merged_from_wherever_it_comes() {
    let cached = r#"{"type":"message_start","message":{"usage":{"input_tokens":10,"output_tokens":1,
        "cache_read_input_tokens":3,"cache_creation_input_tokens":4}}}"#;
    let bare = r#"{"type":"message_start","message":{}}"#;
    let delta_all = r#"{"type":"message_delta","delta":{},"usage":{"input_tokens":11,"output_tokens":20,
        "cache_read_input_tokens":5,"cache_creation_input_tokens":null}}"#;
    let delta_none = r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"}}"#;
    let stop_usage = r#"{"type":"message_stop","usage":{"cache_read_input_tokens":3,"cache_creation_input_tokens":4}}"#;
    let no_counts = r#"{"type":"message_stop","amazon-bedrock-invocationMetrics":{"inputTokenCount":-1,"outputTokenCount":"9",
        "invocationLatency":1.5}}"#;
    let metrics_first = r#"{"type":"ping","amazon-bedrock-invocationMetrics":{"inputTokenCount":1,"outputTokenCount":2}}"#;
    for (what, chunks, counts) in [
        (
            "the cache in message_start only",
            vec![cached, DELTA, STOP],
            [Some(10), Some(20), Some(3), Some(4)],
        ),
        (
            "… in message_stop only",
            vec![START, DELTA, stop_usage],
            [Some(10), Some(20), Some(3), Some(4)],
        ),
        (
            "… in the metrics only",
            vec![START, DELTA, METRICS],
            [Some(10), Some(20), Some(3), Some(4)],
        ),
        (
            "later replaces, unknown does not",
            vec![cached, delta_all, STOP],
            [Some(11), Some(20), Some(5), Some(4)],
        ),
        (
            "metrics alone",
            vec![bare, delta_none, METRICS],
            [Some(77), Some(88), Some(3), Some(4)],
        ),
        (
            "the first token is no total",
            vec![START, delta_none, METRICS],
            [Some(10), Some(88), Some(3), Some(4)],
        ),
        (
            "… even if nothing else is known",
            vec![START, delta_none, STOP],
            [Some(10), None, None, None],
        ),
        (
            "the last metrics count",
            vec![bare, metrics_first, METRICS],
            [Some(77), Some(88), Some(3), Some(4)],
        ),
        (
            "the model's own win, if earlier or later",
            vec![metrics_first, START, DELTA, STOP],
            [Some(10), Some(20), None, None],
        ),
        (
            "no counts at all",
            vec![bare, delta_none, no_counts],
            [None; 4],
        ),
        (
            "no counts erase nothing",
            vec![START, DELTA, no_counts],
            [Some(10), Some(20), None, None],
        ),
    ] {
        let seen = streamed(&chunks);
        assert_eq!(told(&seen.facts).0, counts, "{what}");
        assert_eq!(seen.facts.stream, Some(StreamStatus::Complete), "{what}");
    }
    assert_eq!(streamed(&[bare, no_counts]).facts.latency_ms, None);
    // The same for who has no events.
    let metrics = r#"{"generation":"","amazon-bedrock-invocationMetrics":{"inputTokenCount":77,"outputTokenCount":88}}"#;
    let own = r#"{"generation":"x","prompt_token_count":10}"#;
    for chunks in [[metrics, own], [own, metrics]] {
        let counts = [Some(10), Some(88), None, None];
        assert_eq!(told(&streamed(&chunks).facts).0, counts);
    }
}
