//! Chat Completions requests into Converse.

mod chat;
mod messages;
mod parameters;
mod tools;

use crate::bedrock::converse::ConverseRequest;
use crate::bedrock::converse::names::Names;
use crate::body::{Body, Sink};
use crate::dialect::called::Called;
use crate::dialect::custom::Customs;
use crate::dialect::parameter;
use crate::family::Fitted;
use crate::json::writer::Writer;
use crate::refusal::Refusal;
use crate::settings::Settings;

use super::Reply;
use chat::ChatRequest;

/// The body for Bedrock, what the answer has to know of the request, and what became of that on the way. `sink` takes what is
/// too much for memory.
///
/// # Errors
/// 400 that names the parameter which is wrong, or cannot be done; 403 where a limit of the operator's cannot be enforced.
pub(crate) fn translate<'a>(
    text: &'a str,
    requested_model: Option<&str>,
    called: &Called<'_>,
    settings: &Settings<'_>,
    sink: Option<&'a mut dyn Sink>,
) -> Result<(Body, Reply, Fitted), Refusal> {
    let chat: ChatRequest = parameter::parse(text)?;
    let mut names = Names::default();
    let mut request = ConverseRequest::new(text)?;
    let include_usage = chat
        .stream_options
        .as_ref()
        .and_then(|options| options.include_usage)
        .unwrap_or(false);
    parameters::translate(&chat, &mut request)?;
    let mut customs = Customs::default();
    tools::translate(&chat, (&mut names, &mut customs), &mut request)?;
    names.settle();
    customs.settle();
    messages::translate(chat.messages, &mut request)?;
    let fitted = called.fit(&mut request, settings)?;
    let mut writer = Writer::spilling(text, sink);
    request
        .write(&mut writer)
        .map_err(|_| Refusal::parameter("additionalModelRequestFields", "must be an object"))?;
    let reply = Reply {
        model: requested_model.unwrap_or(called.model).to_owned(),
        include_usage,
        tools: names,
        customs,
    };
    Ok((writer.into_body(), reply, fitted))
}
