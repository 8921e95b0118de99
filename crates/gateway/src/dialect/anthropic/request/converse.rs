//! For other models, and where invoke must not be used: Converse.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::betas::{Betas, Taker};
use super::fit::{self, Fit, Survey};
use super::message::{MessagesRequest, OutputFormat};
use super::wants::Wants;
use super::{Whole, messages, tools};
use crate::bedrock::converse::names::Names;
use crate::bedrock::converse::{AskedReasoning, ConverseRequest, Schema};
use crate::body::{Body, Sink};
use crate::dialect::count;
use crate::dialect::forms::{Elements, Number};
use crate::dialect::limits::{guardrail_config, stop_sequences};
use crate::dialect::parameter::{self, Path};
use crate::family::{Changes, Fitted};
use crate::json::text::Text;
use crate::json::writer::Writer;
use crate::plan::Headers;
use crate::refusal::Refusal;
use crate::settings::{Guardrail, Settings};

/// The body, the tools whose names Bedrock would not take, and what became of the request on the way.
///
/// # Errors
/// 400 that names the parameter which is wrong, or cannot be done; 403 where a limit of the operator's cannot be enforced.
pub fn body<'a>(
    whole: Whole<'a, '_>,
    counts: bool,
    settings: &Settings<'_>,
    sink: Option<&'a mut dyn Sink>,
) -> Result<(Body, Names, Fitted), Refusal> {
    let asked: MessagesRequest = parameter::parse(whole.text)?;
    let mut names = Names::default();
    let mut request = ConverseRequest::new(whole.text)?;
    let mut changes = Changes::default();
    parameters(&asked, &mut request)?;
    if whole.called.family.claude {
        claudes_own(&asked, whole, settings, &mut request, &mut changes)?;
    }
    tools::translate(&asked, &mut names, &mut request, &mut changes)?;
    names.settle();
    messages::translate(&asked, &mut request, &mut changes)?;
    request.guardrail =
        guardrail(whole.headers).map(|guardrail| guardrail_config(&guardrail).into());
    let mut fitted = whole.called.fit(&mut request, settings)?;
    changes.join(fitted.changes);
    fitted.changes = changes;
    let mut writer = Writer::spilling(whole.text, sink);
    let written = match counts {
        true => count::of_converse(request, &mut writer),
        false => request.write(&mut writer),
    };
    written.map_err(Refusal::validation)?;
    Ok((writer.into_body(), names, fitted))
}

/// What Converse has no members for: beta flags, and what hangs on them.
fn claudes_own<'a>(
    asked: &MessagesRequest<'a>,
    whole: Whole<'a, '_>,
    settings: &Settings<'_>,
    request: &mut ConverseRequest<'a>,
    changes: &mut Changes,
) -> Result<(), Refusal> {
    let called = whole.called;
    if called.streams && !request.inference.stop_sequences.is_empty() {
        // A whole answer has it in another place than the events of a stream.
        request.response_fields = Some(STREAMED_STOP.into());
    }
    let wants = Wants::of(asked.tools.map(Elements::as_json), None)?;
    let taker = Taker {
        family: called.family,
        id: called.model,
        converse: true,
    };
    let in_body = asked.anthropic_beta.map(RawValue::get);
    let choice = settings.anthropic.beta;
    let betas = Betas::choose(in_body, whole.headers, choice, taker, &wants, changes)?;
    if let Some(flags) = betas.json() {
        request
            .native_fields
            .added
            .push(("anthropic_beta", flags.into()));
    }
    if let Some(thinking) = asked.thinking.map(RawValue::get) {
        let fit = Fit {
            betas: &betas,
            family: called.family,
            survey: &Survey::default(),
        };
        let fitted = fit::thinking(thinking, 0..thinking.len(), fit, changes);
        request.reasoning.thinking = Some(match fitted {
            Some(pieces) => fit::spelt(thinking, pieces).into(),
            None => thinking.into(),
        });
    }
    Ok(())
}

/// Where Claude tells which stop sequence came.
const STREAMED_STOP: &str = r#"["/stop_sequence","/delta/stop_sequence"]"#;

/// What stands beside the conversation and its tools.
fn parameters<'a>(
    asked: &MessagesRequest<'a>,
    request: &mut ConverseRequest<'a>,
) -> Result<(), Refusal> {
    let inference = &mut request.inference;
    let number =
        |number: &Option<Number<'a>>| number.as_ref().map(|number| Cow::Borrowed(number.0));
    inference.max_tokens = asked.max_tokens.map(|limit| limit.0);
    inference.temperature = number(&asked.temperature);
    inference.top_p = number(&asked.top_p);
    inference.top_k = number(&asked.top_k);
    if let Some(texts) = asked.stop_sequences {
        inference.stop_sequences = stop_sequences(texts, &Path::Body.member("stop_sequences"))?;
    }
    request.tells_stop = true;
    let config = asked.output_config.as_deref();
    let effort = config.and_then(|config| config.effort.as_ref());
    request.reasoning = AskedReasoning {
        effort: effort.map(|Text(word)| word.clone()),
        effort_switches: false,
        thinking: asked.thinking.map(|thinking| thinking.get().into()),
    };
    let format = config.and_then(|config| config.format.as_deref());
    // The older place.
    match (format, asked.output_format.as_deref()) {
        (Some(format), _) => schema(format, "output_config.format", request),
        (None, Some(format)) => schema(format, "output_format", request),
        (None, None) => Ok(()),
    }
}

fn schema<'a>(
    format: &OutputFormat<'a>,
    name: &str,
    request: &mut ConverseRequest<'a>,
) -> Result<(), Refusal> {
    let body = Path::Body;
    let at = body.member(name);
    if format.kind.0 != "json_schema" {
        return Err(at.member("type").refuse("must be \"json_schema\""));
    }
    let schema = format.schema.ok_or_else(|| at.missing("schema"))?;
    if !schema.get().starts_with('{') {
        return Err(at.member("schema").refuse("must be an object"));
    }
    request.schema = Some(Schema {
        schema: schema.get().into(),
        name: None,
        description: None,
    });
    Ok(())
}

/// The guardrail that a client asks for in invoke's headers, as Claude Code can be told to.
fn guardrail(headers: Headers<'_>) -> Option<Guardrail> {
    let value = |wanted: &str| {
        let found = headers
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(wanted));
        found.map(|(_, value)| (*value).to_owned())
    };
    Some(Guardrail {
        id: value("x-amzn-bedrock-guardrailidentifier")?,
        version: value("x-amzn-bedrock-guardrailversion")?,
        trace: value("x-amzn-bedrock-trace").map(|trace| trace.to_ascii_lowercase()),
    })
}
