//! Responses requests into Converse.

mod asked;
mod content;
mod input;
mod pairs;
mod parameters;
mod tools;

use super::Reply;
use super::object;
use super::tools::Offer;
use crate::bedrock::converse::ConverseRequest;
use crate::body::{Body, Sink};
use crate::dialect::called::Called;
use crate::dialect::count;
use crate::dialect::forms::{Elements, OneOf};
use crate::dialect::parameter::{self, Path};
use crate::family::{Changes, Fitted};
use crate::json::writer::Writer;
use crate::refusal::Refusal;
use crate::settings::Settings;
use asked::ResponsesRequest;
use serde_json::value::RawValue;

/// A request, but for its body.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked<'r> {
    /// The model as the client called it.
    pub model: Option<&'r str>,
    /// The model that will be called.
    pub called: &'r Called<'r>,
    /// Whether its tokens are to be counted, and no more.
    pub counts: bool,
}

/// The body for Bedrock, what the answer has to know of the request, and what became of that on the way. `sink` takes what is
/// too much for memory.
///
/// # Errors
/// 400 that names the parameter which is wrong, or cannot be done; 403 where a limit of the operator's cannot be enforced.
pub(crate) fn translate<'a>(
    asked: &Asked<'_>,
    text: &'a str,
    settings: &Settings<'_>,
    sink: Option<&'a mut dyn Sink>,
) -> Result<(Body, Reply, Fitted), Refusal> {
    let Asked {
        model,
        called,
        counts,
    } = *asked;
    if counts {
        count::check_counts(called.family)?;
    }
    let asked: ResponsesRequest = parameter::parse(text)?;
    let mut request = ConverseRequest::new(text)?;
    let shows_reasoning = parameters::translate(&asked, &mut request)?;
    let (mut offer, mut changes) = (Offer::default(), Changes::default());
    let mut into = tools::Into {
        request: &mut request,
        offer: &mut offer,
        changes: &mut changes,
    };
    if let Some(list) = asked.tools {
        let at = Path::Body;
        tools::add(list, tools::From::Request, &mut into, &at.member("tools"))?;
    }
    input::translate(asked.instructions, asked.input, &mut into)?;
    let one_at_a_time = asked.parallel_tool_calls == Some(false);
    tools::choose(asked.tool_choice, one_at_a_time, &mut request)?;
    let tools = offer.settled();
    let mut fitted = called.fit(&mut request, settings)?;
    changes.join(fitted.changes);
    fitted.changes = changes;
    let mut writer = Writer::spilling(text, sink);
    let written = write(request, counts, &mut writer);
    written.map_err(|_| Refusal::parameter("additionalModelRequestFields", "must be an object"))?;
    // Only now: of a million tools the request and this need not be there at once.
    let echo = match counts {
        true => String::new(),
        false => echo(&asked),
    };
    let reply = Reply {
        model: model.unwrap_or(called.model).to_owned(),
        echo,
        shows_reasoning,
        tools,
        most: settings.max_frame_size,
    };
    Ok((writer.into_body(), reply, fitted))
}

/// Writes the request, and lets it go.
fn write<'a>(
    request: ConverseRequest<'a>,
    counts: bool,
    writer: &mut Writer<'a>,
) -> Result<(), String> {
    match counts {
        true => count::of_converse(request, writer),
        false => request.write(writer),
    }
}

fn echo(asked: &ResponsesRequest<'_>) -> String {
    let asked = object::Asked {
        max_output_tokens: asked.max_output_tokens.map(|limit| limit.0),
        metadata: asked.metadata.map(RawValue::get),
        parallel_tool_calls: asked.parallel_tool_calls,
        reasoning: asked.reasoning.map(RawValue::get),
        temperature: asked.temperature.as_ref().map(|number| number.0),
        text: asked.text.map(RawValue::get),
        tool_choice: asked.tool_choice.map(OneOf::as_json),
        tools: asked.tools.map(Elements::as_json),
        top_p: asked.top_p.as_ref().map(|number| number.0),
    };
    asked.echo()
}
