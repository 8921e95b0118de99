//! The one place where a conversation is fitted to a family: what it does not take is left out if it is a hint, said
//! otherwise if there is a way, and what leaving out breaks is completed.

pub(crate) mod cache;
pub(crate) mod calls;
mod changes;
mod conversation;
pub(crate) mod ids;
mod parameters;
pub(crate) mod reasoning;
pub(crate) mod schema;
mod search;
pub(crate) mod structured;
pub(crate) mod tools;
pub(crate) mod turns;

use super::Family;
use super::shape::Shape;
use crate::bedrock::converse::{ConverseRequest, ToolChoice};
use crate::refusal::Refusal;
pub use changes::Changes;

/// What came of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Fitted {
    /// What its answer will be like.
    pub shape: Shape,
    /// What was left out, put otherwise, or completed.
    pub changes: Changes,
}

/// What is to become of a request.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Purpose {
    /// The client wants a stream.
    pub streams: bool,
    /// The operator limits how many tokens the answer has.
    pub is_limited: bool,
}

/// Fits a request to the family of the model that is called.
///
/// # Errors
/// 400 that names what the family cannot do, where it changes the answer.
pub(crate) fn fit(
    request: &mut ConverseRequest<'_>,
    family: &Family,
    purpose: Purpose,
) -> Result<Fitted, Refusal> {
    let Purpose {
        streams,
        is_limited,
    } = purpose;
    if !family.converse {
        return Err(Refusal::parameter(
            "model",
            &format!(
                "is not served by Converse, to which this request is translated: models of the family {} are called by \
                 Bedrock's own paths, such as /openai/v1/responses",
                family.name
            ),
        ));
    }
    let mut changes = Changes::default();
    let calls = conversation::fit(request, family, &mut changes);
    let said = reasoning::say(
        &std::mem::take(&mut request.reasoning),
        request.native_fields.given.as_deref(),
        reasoning::Around {
            max_tokens: request.inference.max_tokens,
            forced: matches!(
                request.tool_choice,
                Some(ToolChoice::Any | ToolChoice::Tool(_))
            ),
            calls_without_reasoning: calls.without_reasoning,
            is_limited,
        },
        family,
        &mut changes,
    );
    search::fit(request, family, &mut changes)?;
    tools::fit(request, family, &calls, said.reasons, &mut changes)?;
    let around = structured::Around {
        streams,
        reasons: said.reasons,
        cites: calls.cites,
        tools: !calls.none()
            || !request.tools.is_empty()
            || !request.anthropic_tools.is_empty()
            || request.system_tool.is_some(),
    };
    let text = structured::fit(request, family, around, &mut changes);
    parameters::fit(request, family, &said, &mut changes);
    for (name, json) in said.fields {
        request.native_fields.added.push((name, json.into()));
    }
    cache::fit(request, family, calls.points, &mut changes);
    let unstreamed = family.tools.is_some_and(|tools| !tools.stream) && !request.tools.is_empty();
    if unstreamed && streams {
        changes.change("stream");
    }
    Ok(Fitted {
        shape: Shape {
            text,
            is_whole: streams && unstreamed,
        },
        changes,
    })
}
