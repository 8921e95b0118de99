//! Messages requests into what Bedrock takes.

mod betas;
mod converse;
mod count;
mod fit;
mod invoke;
mod message;
mod messages;
mod settle;
mod tools;
mod wants;

use super::{Reply, Route, invokes};
use crate::bedrock::converse::names::Names;
use crate::bedrock::{Operation, model_id};
use crate::body::{Body, Sink};
use crate::dialect::body::{object, text};
use crate::dialect::called::Called;
use crate::dialect::count::check_counts;
use crate::family::Fitted;
use crate::plan::Headers;
use crate::refusal::Refusal;
use crate::request::Request;
use crate::settings::Settings;

/// A request, and whom it is for.
#[derive(Clone, Copy)]
struct Whole<'a, 'r> {
    /// The client's body.
    text: &'a str,
    /// Its headers.
    headers: Headers<'r>,
    /// The model that will be called.
    called: Called<'r>,
}

/// A request on its way to Bedrock.
#[derive(Debug)]
pub(crate) struct Translated {
    /// What is called.
    pub operation: Operation,
    /// Of which model.
    pub model: String,
    /// With which body.
    pub body: Body,
    /// What the answer has to know.
    pub reply: Reply,
    /// What became of the request on the way.
    pub fitted: Fitted,
}

/// What is to be translated, but for its body.
pub(crate) struct Asked<'r> {
    /// The request.
    pub request: &'r Request,
    /// The model that will be called.
    pub called: Called<'r>,
    /// The client's headers.
    pub headers: Headers<'r>,
}

/// Translates a request; `sink` takes what is too much for memory.
///
/// # Errors
/// 400 that names the parameter which is wrong, or cannot be done; 403 where a limit of the operator's cannot be enforced.
pub(crate) fn translate<'a>(
    asked: &Asked<'_>,
    settings: &Settings<'_>,
    body: &'a [u8],
    sink: Option<&'a mut dyn Sink>,
) -> Result<Translated, Refusal> {
    let Asked {
        request,
        called,
        headers,
    } = *asked;
    let counts = request.operation == Some(Operation::CountTokens);
    if counts {
        check_counts(called.family)?;
    }
    let invokes = invokes(called.model, request.requested_model.as_deref(), settings);
    let text = text(body)?;
    let whole = Whole {
        text,
        headers,
        called,
    };
    let (mut tools, mut fitted) = (Names::default(), Fitted::default());
    let new_body = match (invokes, counts) {
        (true, false) => invoke::body(&object(body)?, whole, settings, &mut fitted)?,
        (true, true) => {
            let changes = &mut fitted.changes;
            count::of_invoke(&object(body)?, whole, settings, changes, sink)?
        }
        (false, _) => {
            let body;
            (body, tools, fitted) = converse::body(whole, counts, settings, sink)?;
            body
        }
    };
    let streams = request.stream && !fitted.shape.is_whole;
    let (route, operation) = match (counts, invokes, streams) {
        (true, _, _) => (Route::CountTokens, Operation::CountTokens),
        (false, true, true) => (Route::Invoke, Operation::InvokeStream),
        (false, true, false) => (Route::Invoke, Operation::Invoke),
        (false, false, true) => (Route::Converse, Operation::ConverseStream),
        (false, false, false) => (Route::Converse, Operation::Converse),
    };
    // CountTokens takes models, not their profiles.
    let model = match counts {
        true => model_id::foundation_model(called.model).unwrap_or(called.model),
        false => called.model,
    };
    Ok(Translated {
        operation,
        model: model.to_owned(),
        body: new_body,
        reply: Reply {
            route,
            model: request
                .requested_model
                .clone()
                .unwrap_or_else(|| called.model.to_owned()),
            tools,
        },
        fitted,
    })
}
