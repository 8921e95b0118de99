//! What is to be counted of Claude, in its own of CountTokens' two forms.
//! <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_CountTokens.html>

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{Whole, invoke};
use crate::body::{Body, Sink};
use crate::family::Changes;
use crate::json::object::Object;
use crate::json::writer::Writer;
use crate::refusal::Refusal;
use crate::settings::Settings;

/// For Claude: what would be sent to invoke.
///
/// # Errors
/// As for invoke.
pub fn of_invoke<'a>(
    object: &Object<'_>,
    whole: Whole<'a, '_>,
    settings: &Settings<'_>,
    changes: &mut Changes,
    sink: Option<&'a mut dyn Sink>,
) -> Result<Body, Refusal> {
    let text = whole.text;
    let mut edited = invoke::edit(object, whole, settings, None, changes)?;
    let mut members = object.members.iter();
    if !members.any(|member| member.name == "max_tokens") {
        // Invoke demands a limit, above what is to be thought, though it counts nothing.
        let limit = edited.budget.unwrap_or_default().saturating_add(1024);
        edited.edit.set("max_tokens", &limit.to_string());
    }
    let body = edited.edit.into_body(text.len());
    let mut w = Writer::spilling(text, sink);
    for name in ["input", "invokeModel"] {
        w.open('{');
        w.key(name);
    }
    w.open('{');
    w.key("body").plain(base64_of(body.pieces(text.as_bytes())));
    for _ in 0..3 {
        w.close('}');
    }
    Ok(w.into_body())
}

/// The bytes in base64, a piece at a time.
fn base64_of<'p>(pieces: impl Iterator<Item = &'p [u8]>) -> impl Iterator<Item = String> {
    let mut chunks = pieces.flat_map(|piece| piece.chunks(PIECE));
    let mut pending: Vec<u8> = Vec::with_capacity(2 * PIECE);
    std::iter::from_fn(move || {
        for chunk in chunks.by_ref() {
            pending.extend_from_slice(chunk);
            if pending.len() >= PIECE {
                let rest = pending.split_off(pending.len() - pending.len() % 3);
                let encoded = STANDARD.encode(std::mem::replace(&mut pending, rest));
                return Some(encoded);
            }
        }
        let last = std::mem::take(&mut pending);
        (!last.is_empty()).then(|| STANDARD.encode(last))
    })
}

/// How much is encoded at once.
const PIECE: usize = 48 << 10;
