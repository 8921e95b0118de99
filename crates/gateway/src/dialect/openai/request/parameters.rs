//! The parameters beside the conversation and its tools.

use std::borrow::Cow;

use super::chat::{ChatRequest, ResponseFormat};
use crate::bedrock::converse::{ConverseRequest, Schema, WebSearch};
use crate::dialect::forms::{Given, OneOf};
use crate::dialect::limits::stop_sequences;
use crate::dialect::parameter::Path;
use crate::dialect::requests::parameters::{self, Own};
use crate::json::text::Text;
use crate::refusal::Refusal;

/// Puts the parameters into the request.
///
/// # Errors
/// 400: one is wrong, or asks for what Converse cannot do.
pub fn translate<'a>(
    chat: &ChatRequest<'a>,
    request: &mut ConverseRequest<'a>,
) -> Result<(), Refusal> {
    refuse_what_cannot_be_done(chat)?;
    let inference = &mut request.inference;
    inference.max_tokens = chat
        .max_completion_tokens
        .or(chat.max_tokens)
        .map(|limit| limit.0);
    inference.temperature = chat.temperature.as_ref().map(|n| Cow::Borrowed(n.0));
    inference.top_p = chat.top_p.as_ref().map(|n| Cow::Borrowed(n.0));
    let at = &Path::Body;
    inference.stop_sequences = match chat.stop {
        None => Vec::new(),
        Some(OneOf::Short(Given(text))) if text.is_empty() => Vec::new(),
        Some(OneOf::Short(Given(text))) => vec![text.decode()],
        Some(OneOf::Long(texts)) => {
            let at = at.member("stop");
            stop_sequences(texts.elements(&at)?, &at)?
        }
    };
    request.schema = match &chat.response_format {
        None => None,
        Some(format) => schema(format)?,
    };
    request.reasoning = parameters::reasoning("reasoning_effort", chat.reasoning_effort.as_ref())?;
    request.service_tier = parameters::service_tier(chat.service_tier.as_ref())?;
    request.metadata = parameters::metadata(chat.metadata)?;
    request.web_search = chat.web_search_options.map(|_| WebSearch {
        name: "web_search_options",
        must: Some("web_search_options"),
        narrowed: false,
    });
    let own = Own {
        guardrail: chat.guardrail,
        performance: chat.performance,
        native_fields: chat.native_fields,
        response_fields: chat.response_fields,
        prompt_variables: chat.prompt_variables,
    };
    own.put_into(request)
}

fn refuse_what_cannot_be_done(chat: &ChatRequest<'_>) -> Result<(), Refusal> {
    let mut speaks = false;
    if let Some(modalities) = chat.modalities {
        modalities.each(&Path::Body.member("modalities"), |Text(modality), _| {
            speaks |= modality != "text";
            Ok(())
        })?;
    }
    for (name, asked, what) in [
        (
            "n",
            chat.n.is_some_and(|n| n.0 > 1),
            "must be 1: Bedrock gives one answer to a request",
        ),
        (
            "modalities",
            speaks,
            "must be [\"text\"]: models on Bedrock answer in text only",
        ),
        (
            "audio",
            chat.audio.is_some(),
            "is not supported: models on Bedrock answer in text only",
        ),
        (
            "functions",
            chat.functions.is_some(),
            "is no longer supported: use \"tools\"",
        ),
        (
            "function_call",
            chat.function_call.is_some(),
            "is no longer supported: use \"tool_choice\"",
        ),
    ] {
        if asked {
            return Err(Refusal::parameter(name, what));
        }
    }
    Ok(())
}

/// `json_object` has no schema to send, and Bedrock no such mode: the prompt has to ask for JSON, as OpenAI demands, too.
fn schema<'a>(format: &ResponseFormat<'a>) -> Result<Option<Schema<'a>>, Refusal> {
    match format.kind.0.as_ref() {
        "text" | "json_object" => Ok(None),
        "json_schema" => {
            let given = format.json_schema.as_deref();
            let schema = parameters::schema(
                "response_format.json_schema.schema",
                given.and_then(|given| given.schema),
                (
                    given.and_then(|given| given.name.as_ref()),
                    given.and_then(|given| given.description.as_ref()),
                ),
            )?;
            Ok(Some(schema))
        }
        _ => Err(Refusal::parameter(
            "response_format.type",
            "must be \"text\", \"json_object\" or \"json_schema\"",
        )),
    }
}
