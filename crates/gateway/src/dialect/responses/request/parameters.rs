//! The parameters beside the conversation and its tools.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::asked::{Reasoning, ResponsesRequest, TextOptions};
use crate::bedrock::converse::{ConverseRequest, Schema};
use crate::dialect::parameter::{self, Path};
use crate::dialect::requests::parameters::{self, Own};
use crate::json::strict::Object;
use crate::json::text::Text;
use crate::refusal::Refusal;

/// Puts the parameters into the request, and says whether the client reads what is reasoned.
///
/// # Errors
/// 400: one is wrong, or asks for what cannot be done.
pub fn translate<'a>(
    asked: &ResponsesRequest<'a>,
    request: &mut ConverseRequest<'a>,
) -> Result<bool, Refusal> {
    refuse_what_is_stored(asked)?;
    let inference = &mut request.inference;
    inference.max_tokens = asked.max_output_tokens.map(|limit| limit.0);
    inference.temperature = asked.temperature.as_ref().map(|n| Cow::Borrowed(n.0));
    inference.top_p = asked.top_p.as_ref().map(|n| Cow::Borrowed(n.0));
    request.schema = schema(member("text", asked.text)?)?;
    let reasoning: Reasoning<'a> = member("reasoning", asked.reasoning)?;
    request.reasoning = parameters::reasoning("reasoning.effort", reasoning.effort.as_ref())?;
    request.service_tier = parameters::service_tier(asked.service_tier.as_ref())?;
    request.metadata = parameters::metadata(asked.metadata)?;
    let own = Own {
        guardrail: asked.guardrail,
        performance: asked.performance,
        native_fields: asked.native_fields,
        response_fields: asked.response_fields,
        prompt_variables: asked.prompt_variables,
    };
    own.put_into(request)?;
    let summary = reasoning.summary.or(reasoning.generate_summary);
    Ok(summary.is_some_and(|Text(word)| word != "none"))
}

fn refuse_what_is_stored(asked: &ResponsesRequest<'_>) -> Result<(), Refusal> {
    for (name, given) in [
        ("previous_response_id", asked.previous_response_id.is_some()),
        ("conversation", asked.conversation.is_some()),
    ] {
        if given {
            let what = "is not supported, because this gateway stores nothing: send the whole conversation in \"input\"";
            return Err(Refusal::parameter(name, what));
        }
    }
    if asked.prompt.is_some() {
        let what = "is not supported, because this gateway stores nothing: send its text in \"instructions\" or \"input\"";
        return Err(Refusal::parameter("prompt", what));
    }
    if asked.background == Some(true) {
        let what = "must be false, because this gateway stores nothing: wait for the answer, or have it streamed";
        return Err(Refusal::parameter("background", what));
    }
    Ok(())
}

/// An object among the members; one that says nothing where it is not given.
fn member<'a, T: serde::Deserialize<'a> + Default>(
    name: &str,
    raw: Option<&'a RawValue>,
) -> Result<T, Refusal> {
    let Some(raw) = raw else {
        return Ok(T::default());
    };
    let Object(object) = parameter::parse_at(raw.get(), &Path::Body.member(name))?;
    Ok(object)
}

/// `json_object` has no schema to send, and Bedrock no such mode: the prompt has to ask for JSON, as OpenAI demands, too.
fn schema<'a>(text: TextOptions<'a>) -> Result<Option<Schema<'a>>, Refusal> {
    let Some(Object(format)) = text.format else {
        return Ok(None);
    };
    match format.kind.0.as_ref() {
        "text" | "json_object" => Ok(None),
        "json_schema" => {
            let words = (format.name.as_ref(), format.description.as_ref());
            parameters::schema("text.format.schema", format.schema, words).map(Some)
        }
        _ => Err(Refusal::parameter(
            "text.format.type",
            "must be \"text\", \"json_object\" or \"json_schema\"",
        )),
    }
}
