//! Whole answers of Converse as a response: what their events would have come to.

use super::Reply;
use super::stream::Stream;
use crate::dialect::{Meta, Unwritable, shaped};
use crate::json::writer::Writer;

/// Writes the answer `body`.
///
/// # Errors
/// It is no answer of Converse.
pub(crate) fn write(
    reply: &Reply,
    meta: &Meta,
    body: &str,
    out: &mut Vec<u8>,
) -> Result<(), Unwritable> {
    let mut stream = Stream::silent(reply.clone(), meta);
    shaped::write_events(body, &mut stream, &mut Vec::new())?;
    let mut w = Writer::new("");
    stream.write_answer(&mut w);
    w.write_to(out);
    Ok(())
}

/// What CountTokens counts.
#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct Counted {
    input_tokens: u64,
}

/// Writes an answer of CountTokens.
///
/// # Errors
/// It is none.
pub(crate) fn write_count(body: &str, out: &mut Vec<u8>) -> Result<(), Unwritable> {
    let counted: Counted = serde_json::from_str(body)?;
    let mut w = Writer::new("");
    w.open('{');
    w.key("object").value("response.input_tokens");
    w.key("input_tokens").value(&counted.input_tokens);
    w.close('}');
    w.write_to(out);
    Ok(())
}
