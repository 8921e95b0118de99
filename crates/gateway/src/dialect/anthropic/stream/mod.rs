//! Answers as server-sent events: `invoke` has what a model of Anthropic's streams itself, `converse` the events of Converse.
//! <https://docs.claude.com/en/docs/build-with-claude/streaming>

mod blocks;
mod converse;
mod invoke;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{Reply, Route, error};
use crate::dialect::{EventWriter, Meta};
use crate::json::text::Literal;
use crate::refusal::Refusal;

/// What writes the answer to a request that said `reply`.
pub(crate) fn writer(reply: &Reply, meta: &Meta) -> Box<dyn EventWriter> {
    match reply.route {
        Route::Invoke => Box::new(invoke::Stream::new(meta)),
        Route::Converse | Route::CountTokens => Box::new(converse::Stream::new(reply, meta)),
    }
}

/// Redacted reasoning for the client: Converse has it in base64 once more than the model.
pub(super) fn redacted(content: Literal<'_>) -> String {
    let content = content.decode();
    let data = STANDARD.decode(content.as_bytes());
    data.ok()
        .and_then(|data| String::from_utf8(data).ok())
        .unwrap_or_else(|| content.into_owned())
}

/// Appends an event that says nothing but that the stream is alive.
fn write_ping(out: &mut Vec<u8>) {
    out.extend_from_slice(b"event: ping\ndata: {\"type\":\"ping\"}\n\n");
}

/// Appends an error, after which nothing may follow.
fn write_error(refusal: &Refusal, request_id: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(b"event: error\ndata: ");
    out.extend_from_slice(&error::json(refusal, Some(request_id)));
    out.extend_from_slice(b"\n\n");
}
