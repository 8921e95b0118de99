//! A whole answer of Converse, put into the shape that was asked for: another whole one, or a stream.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::fence::json_of;
use crate::bedrock::converse::answer::{ContentBlock, ConverseAnswer, Media};
use crate::bedrock::event::{
    ContentBlockDelta, ContentBlockStart, ContentBlockStop, Delta, Event, ImageStart, MessageStop,
    Metadata, ReasoningDelta, Start, ToolUseStart,
};
use crate::dialect::{EventWriter, Incoming};
use crate::family::{ANSWER_TOOL, AnswerText};
use crate::json::edit::Edit;
use crate::json::object;
use crate::json::strict::Object;
use crate::json::text::{Literal, compact};

/// The answer `body`, with its text where a client looks for it. `None`: it is no answer of Converse.
pub fn reshaped(body: &str, text: AnswerText) -> Option<String> {
    #[derive(Deserialize)]
    struct Answer<'a> {
        #[serde(borrow)]
        output: Output<'a>,
    }
    #[derive(Deserialize)]
    struct Output<'a> {
        #[serde(borrow)]
        message: Message<'a>,
    }
    #[derive(Deserialize)]
    struct Message<'a> {
        #[serde(borrow)]
        content: Vec<&'a RawValue>,
    }
    let answer: Answer<'_> = serde_json::from_str(body).ok()?;
    let read = |raw: &'_ RawValue| {
        serde_json::from_str::<ContentBlock<'_>>(raw.get())
            .ok()
            .map(Kind::of)
    };
    let blocks = answer.output.message.content;
    let kinds: Option<Vec<Kind>> = blocks.iter().map(|raw| read(raw)).collect();
    let kinds = kinds?;
    let in_tool =
        text == AnswerText::Tool && kinds.iter().any(|kind| matches!(kind, Kind::Answer(_)));
    let mut content = Vec::new();
    for (raw, kind) in blocks.iter().zip(&kinds) {
        match kind {
            Kind::Answer(input) if in_tool => content.push(text_block(&compact(input))),
            Kind::Text(_) if in_tool => {}
            Kind::Text(text) => content.push(text_block(json_of(text))),
            _ => content.push(raw.get().to_owned()),
        }
    }
    let object = object::parse(body).ok()?;
    let mut edit = Edit::new(&object);
    let content = content.join(",");
    edit.set(
        "output",
        &format!(r#"{{"message":{{"role":"assistant","content":[{content}]}}}}"#),
    );
    let calls = kinds.iter().any(|kind| matches!(kind, Kind::Call));
    let stop = object
        .only("stopReason")
        .ok()?
        .and_then(|member| body.get(member.value.clone()));
    if in_tool && !calls && stop == Some("\"tool_use\"") {
        edit.set("stopReason", "\"end_turn\"");
    }
    let changed = edit.into_body(body.len());
    let bytes = changed.pieces(body.as_bytes()).flatten().copied().collect();
    String::from_utf8(bytes).ok()
}

/// What a block is to the answer's text.
enum Kind {
    Text(String),
    Answer(String),
    Call,
    Other,
}

impl Kind {
    fn of(block: ContentBlock<'_>) -> Self {
        if let Some(text) = block.text {
            return Self::Text(text.decode().into_owned());
        }
        match block.tool_use {
            Some(call) if call.name.0 == ANSWER_TOOL => {
                Self::Answer(call.input.map_or("{}", RawValue::get).to_owned())
            }
            Some(_) => Self::Call,
            None => Self::Other,
        }
    }
}

fn text_block(text: &str) -> String {
    format!(r#"{{"text":{}}}"#, serde_json::Value::from(text))
}

/// Writes the whole answer `body` as the events that it would have come in.
///
/// # Errors
/// It is no answer of Converse.
pub fn write_events(
    body: &str,
    writer: &mut dyn EventWriter,
    out: &mut Vec<u8>,
) -> Result<(), serde_json::Error> {
    let Object(answer): Object<ConverseAnswer<'_>> = serde_json::from_str(body)?;
    let mut to = Writes { writer, out };
    to.event("messageStart", Event::MessageStart);
    for (index, block) in (0..).zip(answer.output.message.content) {
        write_block(index, block, &mut to);
        let stop = ContentBlockStop {
            content_block_index: index,
        };
        to.event("contentBlockStop", Event::ContentBlockStop(stop));
    }
    let stop = MessageStop {
        stop_reason: answer.stop_reason,
        additional_model_response_fields: answer.additional_model_response_fields,
    };
    to.event("messageStop", Event::MessageStop(stop));
    let metadata = Metadata {
        usage: answer.usage,
        metrics: None,
        service_tier: answer.service_tier,
        trace: None,
    };
    to.event("metadata", Event::Metadata(Box::new(metadata)));
    to.writer.end(to.out);
    Ok(())
}

/// Where events go.
struct Writes<'w> {
    writer: &'w mut dyn EventWriter,
    out: &'w mut Vec<u8>,
}

impl Writes<'_> {
    fn event(&mut self, name: &str, event: Event<'_>) {
        let incoming = Incoming {
            name,
            payload: b"{}",
            event,
        };
        self.writer.event(&incoming, self.out);
    }

    fn delta(&mut self, index: u64, delta: Delta<'_>) {
        let event = ContentBlockDelta {
            content_block_index: index,
            delta,
        };
        self.event("contentBlockDelta", Event::ContentBlockDelta(Some(event)));
    }

    fn text(&mut self, index: u64, text: Literal<'_>) {
        let delta = Delta {
            text: Some(text),
            ..Delta::default()
        };
        self.delta(index, delta);
    }
}

fn write_image(index: u64, image: &Media<'_>, to: &mut Writes<'_>) {
    let start = ContentBlockStart {
        content_block_index: index,
        start: Start {
            image: Some(ImageStart {
                format: image.format.clone(),
            }),
            ..Start::default()
        },
    };
    to.event("contentBlockStart", Event::ContentBlockStart(start));
    let place = image
        .source
        .s3_location
        .as_ref()
        .and_then(|place| place.uri);
    let source = match (image.source.bytes, place) {
        (Some(Literal(bytes)), _) => format!(r#"{{"source":{{"bytes":{bytes}}}}}"#),
        (None, Some(Literal(uri))) => format!(r#"{{"source":{{"s3Location":{{"uri":{uri}}}}}}}"#),
        (None, None) => return,
    };
    if let Ok(source) = RawValue::from_string(source) {
        let delta = Delta {
            image: Some(&source),
            ..Delta::default()
        };
        to.delta(index, delta);
    }
}

fn write_block(index: u64, block: ContentBlock<'_>, to: &mut Writes<'_>) {
    if block.is_unknown() || block.audio.is_some() {
        let delta = Delta {
            unknown: true,
            ..Delta::default()
        };
        to.delta(index, delta);
    }
    if let Some(said) = block.text {
        to.text(index, said);
    }
    if let Some(cited) = block.citations_content {
        for said in cited.content.iter().filter_map(|piece| piece.text) {
            to.text(index, said);
        }
        let citations = cited.citations.map_or("[]", RawValue::get);
        let citations: Vec<&RawValue> = serde_json::from_str(citations).unwrap_or_default();
        for citation in citations {
            let delta = Delta {
                citation: Some(citation),
                ..Delta::default()
            };
            to.delta(index, delta);
        }
    }
    if let Some(image) = &block.image {
        write_image(index, image, to);
    }
    if let Some(reasoning) = block.reasoning_content {
        let (shown, signature) = match reasoning.reasoning_text {
            Some(shown) => (shown.text, shown.signature),
            None => (None, None),
        };
        for part in [
            ReasoningDelta {
                text: shown,
                redacted_content: reasoning.redacted_content,
                ..ReasoningDelta::default()
            },
            ReasoningDelta {
                signature,
                ..ReasoningDelta::default()
            },
        ] {
            let delta = Delta {
                reasoning_content: Some(part),
                ..Delta::default()
            };
            to.delta(index, delta);
        }
    }
    if let Some(call) = block.tool_use {
        let input = call.input.map_or("{}", RawValue::get);
        let input = serde_json::Value::from(compact(input)).to_string();
        let start = ContentBlockStart {
            content_block_index: index,
            start: Start {
                tool_use: Some(ToolUseStart {
                    tool_use_id: call.tool_use_id,
                    name: call.name,
                    kind: call.kind,
                }),
                ..Start::default()
            },
        };
        to.event("contentBlockStart", Event::ContentBlockStart(start));
        let delta = Delta {
            tool_input: Some(Literal(&input)),
            ..Delta::default()
        };
        to.delta(index, delta);
    }
}
