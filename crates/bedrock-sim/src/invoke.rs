//! InvokeModel and its stream: an answer in the shape of the vendor that the model id names.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use crate::{
    answers::{Answer, Usage},
    anthropic,
    converse::{self, LATENCY_MS},
    errors::Refusal,
    stream::{Event, Events},
};

/// Whose model it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Vendor {
    /// Anthropic's Messages; `named` when the id says so, for an id that names no vendor is taken for it.
    Anthropic {
        /// Whether the id names the vendor, so that the body can be checked.
        named: bool,
    },
    /// Amazon Nova.
    Nova,
    /// Amazon Titan Text.
    Titan,
    /// Meta Llama.
    Llama,
    /// Mistral.
    Mistral,
    /// Cohere Command.
    Cohere,
}

impl Vendor {
    /// The vendor of a model id.
    pub fn of(model_id: &str) -> Self {
        [
            ("anthropic.", Self::Anthropic { named: true }),
            ("amazon.nova", Self::Nova),
            ("amazon.titan-text", Self::Titan),
            ("meta.llama", Self::Llama),
            ("mistral.", Self::Mistral),
            ("cohere.command", Self::Cohere),
        ]
        .into_iter()
        .find_map(|(part, vendor)| model_id.contains(part).then_some(vendor))
        .unwrap_or(Self::Anthropic { named: false })
    }

    /// Checks a body as far as its vendor is known for refusing it.
    pub fn check(self, body: &Value) -> Result<(), Refusal> {
        if self != (Self::Anthropic { named: true }) {
            return Ok(());
        }
        for name in ["model", "stream"] {
            if body.get(name).is_some() {
                return Err(Refusal::validation(format!(
                    "{name}: Extra inputs are not permitted"
                )));
            }
        }
        for name in ["anthropic_version", "max_tokens", "messages"] {
            if body.get(name).is_none() {
                return Err(Refusal::validation(format!("{name}: Field required")));
            }
        }
        Ok(())
    }

    /// The whole answer as the vendor's JSON.
    pub fn json(self, answer: &Answer) -> Value {
        let text = || answer.clone().text_pieces().collect::<String>();
        let usage = answer.usage;
        match self {
            Self::Anthropic { .. } => anthropic::message(answer),
            Self::Nova => converse::json(answer, &Value::Null),
            Self::Titan => json!({
                "inputTextTokenCount": usage.map(|u| u.input),
                "results": [{
                    "outputText": text(),
                    "tokenCount": usage.map(|u| u.output),
                    "completionReason": self.stop_word(answer.stop_reason),
                }],
            }),
            Self::Llama => json!({
                "generation": text(),
                "prompt_token_count": usage.map(|u| u.input),
                "generation_token_count": usage.map(|u| u.output),
                "stop_reason": self.stop_word(answer.stop_reason),
            }),
            Self::Mistral => json!({
                "outputs": [{"text": text(), "stop_reason": self.stop_word(answer.stop_reason)}],
            }),
            Self::Cohere => json!({
                "response_id": "00000000-0000-4000-8000-000000000000",
                "text": text(),
                "finish_reason": self.stop_word(answer.stop_reason),
            }),
        }
    }

    /// The answer as the chunks of a stream.
    pub fn events(self, answer: Answer) -> Events {
        let unknown = answer.unknown_event;
        let mut chunks = self.chunks(answer).map(|json| {
            let bytes = STANDARD.encode(type_first(json));
            Event::new("chunk", &json!({"bytes": bytes}))
        });
        let first = chunks.next();
        Box::new(
            first
                .into_iter()
                .chain(unknown.then(Event::unknown))
                .chain(chunks),
        )
    }

    fn chunks(self, answer: Answer) -> Chunks {
        let (usage, metadata) = (answer.usage, answer.metadata);
        let stop = self.stop_word(answer.stop_reason);
        let with_metrics = move |last: Value| with_metrics(last, usage, metadata);
        let input = usage.map(|u| u.input);
        let output = usage.map(|u| u.output);
        let pieces = |answer: Answer| answer.text_pieces();
        match self {
            Self::Anthropic { .. } => anthropic::chunks(answer),
            Self::Nova => Box::new(
                converse::events(
                    Answer {
                        unknown_event: false,
                        ..answer
                    },
                    &Value::Null,
                )
                .map(move |event| {
                    let payload: Value = serde_json::from_str(&event.payload).unwrap_or_default();
                    let keyed = json!({event.kind: payload});
                    if event.kind == "metadata" {
                        with_metrics(keyed)
                    } else {
                        keyed
                    }
                }),
            ),
            Self::Titan => {
                let chunk = move |text: &str, total: Option<u64>, reason: Option<&str>| {
                    json!({
                        "outputText": text, "index": 0, "inputTextTokenCount": input,
                        "totalOutputTextTokenCount": total, "completionReason": reason,
                    })
                };
                let last = with_metrics(chunk("", output, Some(stop)));
                Box::new(
                    pieces(answer)
                        .map(move |text| chunk(&text, None, None))
                        .chain([last]),
                )
            }
            Self::Llama => {
                let chunk = move |text: &str,
                                  input: Option<u64>,
                                  output: Option<u64>,
                                  reason: Option<&str>| {
                    json!({
                        "generation": text, "prompt_token_count": input, "generation_token_count": output,
                        "stop_reason": reason,
                    })
                };
                let last = with_metrics(chunk("", None, output, Some(stop)));
                let numbered = pieces(answer).enumerate();
                let chunks = numbered
                    .map(move |(n, text)| chunk(&text, input.filter(|_| n == 0), None, None));
                Box::new(chunks.chain([last]))
            }
            Self::Mistral => {
                let chunk = |text: &str, reason: Option<&str>| json!({"outputs": [{"text": text, "stop_reason": reason}]});
                let last = with_metrics(chunk("", Some(stop)));
                Box::new(
                    pieces(answer)
                        .map(move |text| chunk(&text, None))
                        .chain([last]),
                )
            }
            Self::Cohere => {
                let chunk = |text: String| json!({"text": text, "is_finished": false, "event_type": "text-generation"});
                let end =
                    json!({"is_finished": true, "finish_reason": stop, "event_type": "stream-end"});
                Box::new(pieces(answer).map(chunk).chain([with_metrics(end)]))
            }
        }
    }

    /// The vendor's word for a stop reason of Converse.
    pub fn stop_word(self, reason: &'static str) -> &'static str {
        match (self, reason) {
            (Self::Titan, "end_turn") => "FINISH",
            (Self::Titan, "max_tokens") => "LENGTH",
            (Self::Titan, "content_filtered") => "CONTENT_FILTERED",
            (Self::Llama | Self::Mistral, "end_turn") => "stop",
            (Self::Llama | Self::Mistral, "max_tokens") => "length",
            (Self::Cohere, "end_turn") => "COMPLETE",
            (Self::Cohere, "max_tokens") => "MAX_TOKENS",
            (Self::Anthropic { .. }, "content_filtered") => "refusal",
            (Self::Anthropic { .. }, "guardrail_intervened") => "end_turn",
            (_, other) => other,
        }
    }
}

/// The JSON of a stream's chunks, made as they are asked for.
pub type Chunks = Box<dyn Iterator<Item = Value> + Send>;

/// Adds the metrics that Bedrock puts on a stream's last chunk.
pub fn with_metrics(mut last: Value, usage: Option<Usage>, metadata: bool) -> Value {
    let (Some(usage), true, Some(members)) = (usage, metadata, last.as_object_mut()) else {
        return last;
    };
    let mut metrics = json!({
        "inputTokenCount": usage.input, "outputTokenCount": usage.output,
        "invocationLatency": LATENCY_MS, "firstByteLatency": LATENCY_MS / 2,
    });
    if let (Some(cache), Some(metrics)) = (usage.cache, metrics.as_object_mut()) {
        metrics.insert("cacheReadInputTokenCount".to_owned(), json!(cache.read));
        metrics.insert(
            "cacheWriteInputTokenCount".to_owned(),
            json!(cache.write_5m + cache.write_1h),
        );
    }
    members.insert("amazon-bedrock-invocationMetrics".to_owned(), metrics);
    last
}

/// The headers in which a whole answer tells its token counts.
pub fn count_headers(answer: &Answer) -> Vec<(&'static str, u64)> {
    let Some(usage) = answer.usage else {
        return Vec::new();
    };
    let mut headers = vec![
        ("X-Amzn-Bedrock-Input-Token-Count", usage.input),
        ("X-Amzn-Bedrock-Output-Token-Count", usage.output),
        ("X-Amzn-Bedrock-Invocation-Latency", LATENCY_MS),
    ];
    if let Some(cache) = usage.cache {
        headers.push(("X-Amzn-Bedrock-Cache-Read-Input-Token-Count", cache.read));
        headers.push((
            "X-Amzn-Bedrock-Cache-Write-Input-Token-Count",
            cache.write_5m + cache.write_1h,
        ));
    }
    headers
}

/// The JSON with its `type` in front, as Anthropic's events have it.
fn type_first(mut json: Value) -> String {
    let kind = json
        .as_object_mut()
        .and_then(|members| members.remove("type"));
    let text = json.to_string();
    match (kind, text.strip_prefix('{')) {
        (Some(kind), Some("}")) => format!("{{\"type\":{kind}}}"),
        (Some(kind), Some(rest)) => format!("{{\"type\":{kind},{rest}"),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{answers::Request, script::Kind};

    #[test]
    fn the_type_stands_in_front() {
        assert_eq!(
            type_first(json!({"a": 1, "type": "t"})),
            r#"{"type":"t","a":1}"#
        );
        assert_eq!(type_first(json!({"type": "t"})), r#"{"type":"t"}"#);
        assert_eq!(type_first(json!({"a": 1})), r#"{"a":1}"#);
    }

    fn answer(kind: &Kind) -> Answer {
        Answer::new(
            kind,
            &Request {
                body: &Value::Null,
                keys: &[],
            },
        )
    }

    fn chunks(vendor: Vendor, kind: &Kind) -> Vec<Value> {
        vendor
            .events(answer(kind))
            .map(|event| {
                let payload: Value = serde_json::from_str(&event.payload).unwrap();
                serde_json::from_slice(
                    &STANDARD.decode(payload["bytes"].as_str().unwrap()).unwrap(),
                )
                .unwrap()
            })
            .collect()
    }

    #[test]
    fn the_vendor_is_in_the_id() {
        assert_eq!(
            Vendor::of("us.anthropic.sim.text"),
            Vendor::Anthropic { named: true }
        );
        assert_eq!(Vendor::of("amazon.nova-sim.text"), Vendor::Nova);
        assert_eq!(Vendor::of("sim.text"), Vendor::Anthropic { named: false });
    }

    #[test]
    fn anthropic_bodies_are_checked() {
        let vendor = Vendor::Anthropic { named: true };
        let good =
            json!({"anthropic_version": "bedrock-2023-05-31", "max_tokens": 9, "messages": []});
        vendor.check(&good).unwrap();
        let mut bad = good.clone();
        bad["model"] = json!("m");
        assert_eq!(
            vendor.check(&bad).unwrap_err().message,
            "model: Extra inputs are not permitted"
        );
        assert_eq!(
            vendor.check(&json!({})).unwrap_err().message,
            "anthropic_version: Field required"
        );
        Vendor::Llama.check(&json!({})).unwrap();
    }

    #[test]
    fn an_anthropic_stream_is_the_first_partys_with_metrics() {
        let chunks = chunks(Vendor::of("anthropic.x"), &Kind::Cached);
        let kinds: Vec<&str> = chunks
            .iter()
            .map(|chunk| chunk["type"].as_str().unwrap())
            .collect();
        assert_eq!(
            kinds[..3],
            [
                "message_start",
                "content_block_start",
                "content_block_delta"
            ]
        );
        assert_eq!(
            kinds[kinds.len() - 3..],
            ["content_block_stop", "message_delta", "message_stop"]
        );
        assert_eq!(
            chunks[0]["message"]["usage"]["cache_read_input_tokens"],
            1000
        );
        let metrics = &chunks.last().unwrap()["amazon-bedrock-invocationMetrics"];
        assert_eq!(
            (
                &metrics["inputTokenCount"],
                &metrics["cacheWriteInputTokenCount"]
            ),
            (&json!(10), &json!(200))
        );
    }

    #[test]
    fn every_vendor_streams_the_sentence_and_ends_with_metrics() {
        let places = [
            ("amazon.nova-x", "/contentBlockDelta/delta/text"),
            ("amazon.titan-text-x", "/outputText"),
            ("meta.llama3", "/generation"),
            ("mistral.x", "/outputs/0/text"),
            ("cohere.command-x", "/text"),
            ("anthropic.x", "/delta/text"),
        ];
        for (id, place) in places {
            let chunks = chunks(Vendor::of(id), &Kind::Text);
            let text: String = chunks
                .iter()
                .filter_map(|chunk| chunk.pointer(place)?.as_str())
                .collect();
            assert_eq!(text, "Hello from the Bedrock stand-in.", "{id}");
            let metrics = &chunks.last().unwrap()["amazon-bedrock-invocationMetrics"];
            assert_eq!(metrics["outputTokenCount"], 12, "{id}");
            let whole = Vendor::of(id).json(&answer(&Kind::Text)).to_string();
            assert!(whole.contains("Hello from the Bedrock stand-in."), "{id}");
        }
    }
}
