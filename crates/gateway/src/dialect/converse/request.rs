//! Requests that name model and stream in the body: those two members go, the rest stays byte for byte.

use crate::body::Body;
use crate::dialect::body::{object, text};
use crate::dialect::limits::limit_converse;
use crate::json::edit::Edit;
use crate::refusal::Refusal;
use crate::settings::Settings;

/// The body for Bedrock.
///
/// # Errors
/// As for a native Converse request.
pub fn body(model: Option<&str>, settings: &Settings<'_>, body: &[u8]) -> Result<Body, Refusal> {
    let object = object(body)?;
    let mut edit = Edit::new(&object);
    edit.remove("model");
    edit.remove("stream");
    let text = text(body)?;
    limit_converse(&mut edit, &object, text, model, settings)?;
    Ok(edit.into_body(body.len()))
}
