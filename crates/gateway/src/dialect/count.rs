//! Counting the tokens of a request, as every dialect that can ask for it does.
//! <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_CountTokens.html>

use crate::bedrock::converse::{ConverseRequest, Inference, NativeFields};
use crate::family::Family;
use crate::family::facts::Count;
use crate::json::writer::Writer;
use crate::refusal::Refusal;

/// Bedrock counts for some families only.
///
/// # Errors
/// 400: not for this one.
pub fn check_counts(family: &Family) -> Result<(), Refusal> {
    let where_else = match family.count {
        Count::Runtime | Count::Unknown => return Ok(()),
        Count::Mantle => "of its family they are counted by bedrock-mantle only",
        Count::None => "not of its family",
    };
    Err(Refusal::parameter(
        "model",
        &format!(
            "has no count of tokens: Bedrock's CountTokens counts those of Claude 3 to 4.6, {where_else} ({})",
            family.name
        ),
    ))
}

/// Writes what would be sent to Converse, as far as it counts.
///
/// # Errors
/// A sentence for the client, as from [`ConverseRequest::write`].
pub fn of_converse<'a>(
    request: ConverseRequest<'a>,
    writer: &mut Writer<'a>,
) -> Result<(), String> {
    let request = ConverseRequest {
        inference: Inference::default(),
        schema: None,
        response_fields: None,
        guardrail: None,
        native_fields: NativeFields {
            given: None,
            ..request.native_fields
        },
        ..request
    };
    writer.open('{');
    writer.key("input").open('{');
    writer.key("converse");
    request.write(writer)?;
    writer.close('}');
    writer.close('}');
    Ok(())
}
