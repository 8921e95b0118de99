//! What Bedrock refuses, by model family, in Bedrock's own words as far as they are known.
//!
//! The rules are read from `fixtures/families.json` and `fixtures/converse.json`, not from the gateway's own table, so that
//! one checks the other. Where a family's row says that something is not known, it is not refused.
//!
//! [`check`] is a pure function of model, operation and body, so that a test of a translation can ask it without a server.

pub mod beta;
pub mod cache;
pub mod content;
pub mod conversation;
pub mod converse;
pub mod family;
pub mod faults;
pub mod headers;
pub mod inference;
pub mod invoke;
pub mod messages;
pub mod reasoning;
pub mod schema;
pub mod shape;
pub mod tools;
pub mod turns;

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::Value;

use crate::{errors::Refusal, operations::Operation};
use family::Family;
use faults::Faults;

/// Refuses a body as Bedrock would: with the first of its [`faults`]. `model` is the id or ARN that is called, decoded.
pub fn check(model: &str, operation: Operation, body: &Value) -> Result<(), Refusal> {
    match faults(model, operation, body).into_iter().next() {
        None => Ok(()),
        Some(refusal) => Err(refusal),
    }
}

/// Everything that Bedrock would refuse in a body, in the order in which it is looked for.
///
/// Only Converse, ConverseStream, CountTokens and the two invoke operations of Claude have rules.
pub fn faults(model: &str, operation: Operation, body: &Value) -> Vec<Refusal> {
    let family = Family::of(model);
    let mut faults = Faults::default();
    match operation {
        // A prompt of Prompt Management brings its own messages.
        Operation::Converse | Operation::ConverseStream if model.contains(":prompt/") => {}
        Operation::Converse => converse::check(&family, "ConverseRequest", body, &mut faults),
        Operation::ConverseStream => {
            converse::check(&family, "ConverseStreamRequest", body, &mut faults)
        }
        Operation::Invoke | Operation::InvokeStream if family.is_claude_messages() => {
            invoke::check(&family, model, body, &mut faults)
        }
        Operation::CountTokens => count_tokens(&family, model, body, &mut faults),
        _ => {}
    }
    faults.into_refusals()
}

/// CountTokens exists for the ids of some Claudes in one region, and reads the body of the real call.
fn count_tokens(family: &Family, model: &str, body: &Value, faults: &mut Faults) {
    if !shape::check("CountTokensRequest", body, faults) {
        return;
    }
    // Of families that nobody knows nothing is known here either.
    let counts = family.count_tokens.starts_with("runtime") || family.is_unknown();
    if !counts || family::is_in_other_regions(model) {
        faults.refuse("The provided model doesn't support counting tokens.");
        return;
    }
    if let Some(converse) = body.pointer("/input/converse") {
        converse::check(family, "ConverseTokensRequest", converse, faults);
    }
    if let Some(bytes) = body
        .pointer("/input/invokeModel/body")
        .and_then(Value::as_str)
    {
        let whole = STANDARD
            .decode(bytes)
            .ok()
            .and_then(|bytes| serde_json::from_slice(&bytes).ok());
        match whole {
            Some(whole) if family.is_claude_messages() => {
                invoke::check(family, model, &whole, faults)
            }
            Some(_) => {}
            None => {
                faults.refuse("Malformed input request, please reformat your input and try again.")
            }
        }
    }
}
