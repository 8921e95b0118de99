//! Searching the web: by a tool that Bedrock runs itself, where the family has it.
//! <https://docs.aws.amazon.com/nova/latest/nova2-userguide/web-grounding.html>

use super::changes::Changes;
use crate::bedrock::converse::ConverseRequest;
use crate::family::Family;
use crate::refusal::Refusal;

/// Offers the tool, or leaves the search out where the model may do without.
///
/// # Errors
/// 400: the model must search, and cannot, or not as it must.
pub fn fit(
    request: &mut ConverseRequest<'_>,
    family: &Family,
    changes: &mut Changes,
) -> Result<(), Refusal> {
    let Some(asked) = request.web_search.take() else {
        return Ok(());
    };
    match asked.must {
        must if family.web_search && !asked.narrowed => {
            request.system_tool = Some(GROUNDING);
            // It is the model that decides: such a tool cannot be forced.
            if must == Some("tool_choice") {
                changes.leave_out("tool_choice");
            }
            Ok(())
        }
        None => {
            changes.leave_out(asked.name);
            Ok(())
        }
        Some(parameter) if family.web_search => Err(Refusal::parameter(
            parameter,
            "asks for a web search that keeps to some sites, or to pages that are known already: Bedrock's cannot be told so",
        )),
        Some(parameter) => Err(Refusal::parameter(
            parameter,
            &format!(
                "asks for a web search, which Bedrock does not have for models of the family {}",
                family.name
            ),
        )),
    }
}

const GROUNDING: &str = "nova_grounding";
