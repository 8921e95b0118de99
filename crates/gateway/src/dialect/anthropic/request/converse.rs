//! For other models, and where invoke must not be used: Converse.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::super::is_claude;
use super::message::{MessagesRequest, OutputConfig};
use super::{count, messages, tools, with_bodys_betas};
use crate::bedrock::converse::names::Names;
use crate::bedrock::converse::{ConverseRequest, Schema};
use crate::body::{Body, Sink};
use crate::dialect::limits::{guardrail_config, limit_request, stop_sequences};
use crate::dialect::parameter::{self, Path};
use crate::json::text::Text;
use crate::json::writer::Writer;
use crate::plan::Headers;
use crate::refusal::Refusal;
use crate::settings::{Guardrail, Settings};

/// A request, and what is to be done with it.
pub struct Whole<'a, 'r> {
    /// The client's body.
    pub text: &'a str,
    /// The model that will be called.
    pub called: &'r str,
    /// Whether it is only to be counted.
    pub counts: bool,
}

/// The body, and the tools whose names Bedrock would not take.
///
/// # Errors
/// 400 that names the parameter which is wrong, or cannot be done; 403 where a limit of the operator's cannot be enforced.
pub fn body<'a>(
    whole: &Whole<'a, '_>,
    betas: &[Cow<'_, str>],
    settings: &Settings<'_>,
    headers: Headers<'_>,
    sink: Option<&'a mut dyn Sink>,
) -> Result<(Body, Names), Refusal> {
    let asked: MessagesRequest = parameter::parse(whole.text)?;
    let claude = is_claude(whole.called);
    let mut names = Names::default();
    let mut request = ConverseRequest::new(whole.text)?;
    parameters(&asked, claude, &mut request)?;
    if claude {
        let in_body = asked.anthropic_beta.map(RawValue::get);
        let flags = with_bodys_betas(in_body, betas, settings)?;
        if !flags.is_empty() {
            let flags = serde_json::Value::from(flags).to_string();
            request
                .native_fields
                .added
                .push(("anthropic_beta", flags.into()));
        }
    }
    let calls = tools::translate(&asked, claude, &mut names, &mut request)?;
    names.settle();
    messages::translate(&asked, &mut request)?;
    request.settle_tools(calls == tools::Calls::Allowed)?;
    request.guardrail = guardrail(headers).map(|guardrail| guardrail_config(&guardrail).into());
    let mut writer = Writer::spilling(whole.text, sink);
    let written = match whole.counts {
        true => count::of_converse(request, &mut writer),
        false => {
            limit_request(&mut request, whole.called, settings)?;
            request.write(&mut writer)
        }
    };
    written.map_err(Refusal::validation)?;
    Ok((writer.into_body(), names))
}

/// What stands beside the conversation and its tools.
fn parameters<'a>(
    asked: &MessagesRequest<'a>,
    claude: bool,
    request: &mut ConverseRequest<'a>,
) -> Result<(), Refusal> {
    let inference = &mut request.inference;
    inference.max_tokens = asked.max_tokens.map(|limit| limit.0);
    inference.temperature = asked.temperature.as_ref().map(|n| Cow::Borrowed(n.0));
    inference.top_p = asked.top_p.as_ref().map(|n| Cow::Borrowed(n.0));
    if let Some(texts) = asked.stop_sequences {
        inference.stop_sequences = stop_sequences(texts, &Path::Body.member("stop_sequences"))?;
    }
    if let Some(config) = &asked.output_config {
        output(config, request)?;
    }
    if !claude {
        return Ok(());
    }
    if !request.inference.stop_sequences.is_empty() {
        request.response_fields = Some(r#"["/stop_sequence"]"#.into());
    }
    if let Some(top_k) = &asked.top_k {
        request.native_fields.added.push(("top_k", top_k.0.into()));
    }
    if let Some(thinking) = asked.thinking {
        let thinking = thinking.get();
        request
            .native_fields
            .added
            .push(("thinking", thinking.into()));
    }
    Ok(())
}

fn output<'a>(config: &OutputConfig<'a>, request: &mut ConverseRequest<'a>) -> Result<(), Refusal> {
    request.effort = config.effort.as_ref().map(|Text(word)| word.clone());
    let Some(format) = &config.format else {
        return Ok(());
    };
    if format.kind.0 != "json_schema" {
        return Err(Refusal::parameter(
            "output_config.format.type",
            "must be \"json_schema\"",
        ));
    }
    let schema = format
        .schema
        .ok_or_else(|| Refusal::parameter("output_config.format.schema", "is missing"))?;
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
