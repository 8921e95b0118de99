//! The chunks of invoke streams.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use gateway::{Facts, Settings};

use crate::common::settings;
use crate::stream::{Client, Ending, Outcome, fed, frame, stream_relay};

pub const STREAM: Client = Client {
    verb: "invoke-with-response-stream",
    sse: false,
};
pub const START: &str = r#"{"type":"message_start","message":{"content":[],"stop_reason":null,"usage":{"input_tokens":10,"output_tokens":1}}}"#;
pub const TEXT_BLOCK: &str =
    r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#;
pub const TOOL_BLOCK: &str = r#"{"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"t","name":"n","input":{}}}"#;
pub const TEXT: &str =
    r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hi \"é🦀\""}}"#;
pub const INPUT: &str = r#"{"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"{}"}}"#;
pub const BLOCK_END: &str = r#"{"type":"content_block_stop","index":0}"#;
pub const DELTA: &str = r#"{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":20}}"#;
pub const STOP: &str = r#"{"type":"message_stop"}"#;
pub const METRICS: &str = r#"{"type":"message_stop","amazon-bedrock-invocationMetrics":{"inputTokenCount":77,"outputTokenCount":88,
    "cacheReadInputTokenCount":3,"cacheWriteInputTokenCount":4,"invocationLatency":500,"firstByteLatency":200}}"#;

/// What an answer is to tell: input, output, cache read and written; total and latency; stop reason; tools; text.
pub type Told<'t> = (
    [Option<u64>; 4],
    [Option<u64>; 2],
    Option<&'t str>,
    Option<u32>,
    &'t str,
);

pub fn told(facts: &Facts) -> Told<'_> {
    (
        [
            facts.input_tokens,
            facts.output_tokens,
            facts.cache_read_tokens,
            facts.cache_write_tokens,
        ],
        [facts.total_tokens(), facts.latency_ms],
        facts.stop_reason.as_deref(),
        facts.tool_calls,
        &facts.response_text,
    )
}

pub fn keeping() -> Settings<'static> {
    Settings {
        response_text: 100,
        ..settings()
    }
}

/// The frame of a chunk, with the padding before or after its data.
pub fn chunk(json: &str) -> Vec<u8> {
    let bytes = STANDARD.encode(json);
    let payload = match json.len() % 2 {
        0 => format!(r#"{{"bytes":"{bytes}","p":"abc"}}"#),
        _ => format!(
            r#"{{"p":"abcdef","bytes":"{}"}}"#,
            bytes.replace('/', "\\/")
        ),
    };
    event("chunk", &payload)
}

pub fn event(event_type: &str, payload: &str) -> Vec<u8> {
    frame(
        &[(":event-type", event_type), (":message-type", "event")],
        payload,
    )
}

/// The outcome of these frames, however they are cut.
pub fn of_frames(frames: &[Vec<u8>]) -> Outcome {
    let body = frames.concat();
    let feed = |pieces: Vec<&[u8]>| fed(stream_relay(STREAM, &keeping()), pieces, true);
    let whole = feed(vec![&body]);
    for cut in 0..=body.len() {
        let seen = feed(vec![&body[..cut], &body[cut..]]);
        assert_eq!(
            (&seen.facts, &seen.ending),
            (&whole.facts, &whole.ending),
            "cut at {cut}"
        );
    }
    if whole.ending == Ending::Clean {
        assert_eq!(whole.sent, body);
    }
    whole
}

pub fn streamed(chunks: &[&str]) -> Outcome {
    let frames: Vec<_> = chunks.iter().map(|json| chunk(json)).collect();
    of_frames(&frames)
}
