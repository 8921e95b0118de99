//! Chunks of an invoke stream: the model's own events, which want their `event:` lines back. Counts of the cache that only the
//! last event or Bedrock's metrics tell go into the event before it, where clients look for them.

use super::{write_error, write_ping};
use crate::bedrock::event::{Event, ModelEvent};
use crate::bedrock::usage::Usage;
use crate::dialect::converse::stream::write;
use crate::dialect::{EventWriter, Incoming, Meta};
use crate::json::edit::Edit;
use crate::json::object;
use crate::json::text::one_line;
use crate::refusal::Refusal;

/// Writes one answer.
#[derive(Debug)]
pub struct Stream {
    request_id: String,
    /// What the client has been told of tokens.
    told: Usage,
    /// `message_delta`, which waits for what follows it.
    delta: Option<String>,
    /// The message is whole, or the client knows that it never will be.
    done: bool,
}

impl Stream {
    /// For the answer that `meta` is about.
    pub fn new(meta: &Meta) -> Self {
        Self {
            request_id: meta.id.clone(),
            told: Usage::default(),
            delta: None,
            done: false,
        }
    }

    /// Writes `message_delta` with the counts that came after it.
    fn write_delta(&mut self, later: Usage, out: &mut Vec<u8>) {
        if let Some(json) = self.delta.take() {
            let counts = untold(&self.told, &later);
            write("message_delta", with_counts(json, &counts).as_bytes(), out);
        }
    }
}

impl EventWriter for Stream {
    fn event(&mut self, incoming: &Incoming<'_>, out: &mut Vec<u8>) {
        let Event::Model(ModelEvent { kind, json, counts }) = &incoming.event else {
            return;
        };
        if self.done {
            return;
        }
        let metrics = counts.as_ref().and_then(|counts| counts.metrics);
        if self.delta.is_some() {
            // The model's own counts win.
            let mut later = metrics.unwrap_or_default();
            later.merge(
                &counts
                    .as_ref()
                    .map_or_else(Usage::default, |counts| counts.own),
            );
            self.write_delta(later, out);
        }
        // What has no type is none of the model's events: metrics in a chunk of their own.
        let Some(kind) = kind else {
            return;
        };
        if let Some(counts) = counts {
            self.told.merge(&counts.own);
        }
        self.done = matches!(kind.as_ref(), "message_stop" | "error");
        let json = one_line(json);
        match (kind.as_ref(), metrics) {
            ("message_delta", None) => self.delta = Some(json.into_owned()),
            (kind, Some(_)) => write(kind, &without_metrics(&json), out),
            (kind, None) => write(kind, json.as_bytes(), out),
        }
    }

    fn end(&mut self, out: &mut Vec<u8>) -> bool {
        let whole = self.done;
        if !whole {
            let refusal = Refusal::new(
                502,
                "InternalServerException",
                "This model does not answer in Anthropic's form: it must be called through Converse.",
            );
            self.error("", &refusal, out);
        }
        whole
    }

    fn error(&mut self, _: &str, refusal: &Refusal, out: &mut Vec<u8>) {
        self.write_delta(Usage::default(), out);
        if !std::mem::replace(&mut self.done, true) {
            write_error(refusal, &self.request_id, out);
        }
    }

    fn ping(&mut self, out: &mut Vec<u8>) {
        write_ping(out);
    }

    fn tells_errors(&self) -> bool {
        true
    }
}

/// Counts of the prompt that are known now and were not told, or only as zero.
fn untold(told: &Usage, later: &Usage) -> Vec<(&'static str, u64)> {
    let counts = [
        ("input_tokens", told.input, later.input),
        (
            "cache_creation_input_tokens",
            told.cache_write,
            later.cache_write,
        ),
        ("cache_read_input_tokens", told.cache_read, later.cache_read),
    ];
    let is_news = |(name, told, later): (&'static str, Option<u64>, Option<u64>)| {
        let later = later.filter(|later| *later > told.unwrap_or(0))?;
        (told.unwrap_or(0) == 0).then_some((name, later))
    };
    counts.into_iter().filter_map(is_news).collect()
}

/// `message_delta` with these counts in its `usage`.
fn with_counts(json: String, counts: &[(&'static str, u64)]) -> String {
    let Ok(event) = object::parse(&json) else {
        return json;
    };
    let usage = event.members.iter().find(|member| member.name == "usage");
    let usage = usage
        .and_then(|usage| json.get(usage.value.clone()))
        .unwrap_or("{}");
    let Ok(known) = object::parse(usage) else {
        return json;
    };
    if counts.is_empty() {
        return json;
    }
    let mut edit = Edit::new(&known);
    for (name, count) in counts {
        edit.set(name, &count.to_string());
    }
    let usage = spelt(edit, usage);
    let mut edit = Edit::new(&event);
    edit.set("usage", &usage);
    spelt(edit, &json)
}

fn spelt(edit: Edit<'_, '_>, json: &str) -> String {
    let body = edit.into_body(json.len());
    let bytes: Vec<u8> = body.pieces(json.as_bytes()).flatten().copied().collect();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// An event without what Bedrock put into it; there is one such in a stream.
fn without_metrics(json: &str) -> Vec<u8> {
    let Ok(object) = object::parse(json) else {
        return json.as_bytes().to_vec();
    };
    let mut edit = Edit::new(&object);
    edit.remove("amazon-bedrock-invocationMetrics");
    spelt(edit, json).into_bytes()
}
