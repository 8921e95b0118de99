//! Server-sent events of the vendors' own APIs, which pass as they are: what they say. They reach the SDKs that know them,
//! so what is not understood here is no fault of theirs.

use sse::Event;

use super::invoke::Chunks;
use crate::bedrock::VendorApi;
use crate::bedrock::invoke::First;
use crate::bedrock::openai::{ChatChunk, ResponseEvent, is_call};
use crate::bedrock::usage::keep;
use crate::facts::{Facts, StreamStatus, Wanted};
use crate::json::strict::Object;
use crate::json::text::Text;

/// Follows the events of one stream.
#[derive(Debug)]
pub struct Observer {
    content: Content,
    wanted: Wanted,
}

/// Whose events they are.
#[derive(Debug)]
enum Content {
    /// With the id of the call that was counted last.
    Chat(String),
    Responses,
    Messages(Chunks),
}

impl Observer {
    /// For a stream of `api`.
    pub fn new(api: VendorApi, wanted: Wanted) -> Self {
        let content = match api {
            VendorApi::OpenAiChat => Content::Chat(String::new()),
            VendorApi::OpenAiResponses | VendorApi::OpenAiInputTokens => Content::Responses,
            VendorApi::AnthropicMessages | VendorApi::AnthropicCountTokens => {
                Content::Messages(Chunks::new(wanted))
            }
        };
        Self { content, wanted }
    }

    /// Takes one event.
    pub fn event(&mut self, event: &Event<'_>, facts: &mut Facts) {
        let limit = self.wanted.text;
        match &mut self.content {
            Content::Chat(_) if *event.data == *b"[DONE]" => {
                facts.stream.get_or_insert(StreamStatus::Complete);
            }
            Content::Chat(last_call) => {
                if let Ok(Object(chunk)) = serde_json::from_slice(&event.data) {
                    chat(&chunk, last_call, limit, facts);
                }
            }
            Content::Responses => {
                if let Ok(Object(event)) = serde_json::from_slice(&event.data) {
                    response(&event, limit, facts);
                }
            }
            Content::Messages(chunks) => {
                // What cannot be read says nothing.
                let _ = chunks.json(&event.data, facts);
            }
        }
    }
}

fn chat(chunk: &ChatChunk<'_>, last_call: &mut String, limit: usize, facts: &mut Facts) {
    if let Some(fault) = &chunk.error {
        failed(fault.name(), facts);
    }
    if let Some(usage) = &chunk.usage {
        usage.tell(facts);
    }
    served_by(chunk.service_tier.as_ref(), facts);
    let first = chunk.choices.as_ref();
    if let Some(choice) = first.and_then(|First(choice)| choice.as_ref()) {
        facts.tool_calls.get_or_insert(0);
        if let Some(Text(word)) = &choice.finish_reason {
            facts.stop_reason = Some(word.clone().into_owned());
        }
        let Some(delta) = &choice.delta else { return };
        facts.content_started |= delta.says_something();
        facts.measure(delta.length());
        if let Some(text) = delta.content {
            facts.keep_text(&text.decode(), limit);
        }
        for Text(id) in delta.tool_calls.iter().flat_map(|calls| &calls.ids) {
            // Some servers say it once, some with each piece of the call.
            if id.as_ref() != last_call {
                facts.count_tool_call();
                id.as_ref().clone_into(last_call);
            }
        }
    }
}

fn response(event: &ResponseEvent<'_>, limit: usize, facts: &mut Facts) {
    let Some(Text(kind)) = &event.kind else {
        return;
    };
    if let Some(usage) = event.response.as_ref().and_then(|response| response.usage) {
        usage.tell(facts);
    }
    let response = event.response.as_ref();
    served_by(
        response.and_then(|response| response.service_tier.as_ref()),
        facts,
    );
    match kind.as_ref() {
        "response.created" => {
            facts.tool_calls.get_or_insert(0);
        }
        "response.output_item.added" => {
            let item = event.item.as_ref();
            if item.is_some_and(|item| item.kind.as_ref().is_some_and(|Text(kind)| is_call(kind))) {
                facts.count_tool_call();
            }
        }
        "response.completed" | "response.incomplete" | "response.failed" => {
            let response = event.response.as_ref();
            let reason = response
                .and_then(|response| response.incomplete_details.as_ref()?.reason.as_ref())
                .or_else(|| response?.status.as_ref());
            keep(
                &mut facts.stop_reason,
                reason.map(|Text(word)| word.clone().into_owned()),
            );
            let fault = response.and_then(|response| response.error.as_ref());
            keep(
                &mut facts.exception,
                fault.map(|fault| fault.name().to_owned()),
            );
            facts.stream.get_or_insert(StreamStatus::Complete);
        }
        "error" => {
            let code = event.code.as_ref().map(|Text(code)| code.as_ref());
            let name = code.or_else(|| Some(event.error.as_ref()?.name()));
            failed(name.unwrap_or("error"), facts);
        }
        kind if kind.ends_with(".delta") => {
            facts.content_started = true;
            if let Some(added) = event.delta {
                facts.measure(added.inside().len());
                if kind == "response.output_text.delta" {
                    facts.keep_text(&added.decode(), limit);
                }
            }
        }
        _ => {}
    }
}

/// The last word counts: an answer that only begins repeats what was asked for.
fn served_by(tier: Option<&Text<'_>>, facts: &mut Facts) {
    keep(
        &mut facts.service_tier,
        tier.map(|Text(tier)| tier.clone().into_owned()),
    );
}

fn failed(name: &str, facts: &mut Facts) {
    facts.stream = Some(StreamStatus::Exception);
    facts.exception = Some(name.to_owned());
}
