//! Bedrock's operations, and which one a request asks for.

use percent_encoding::percent_decode_str;

use crate::{errors::Refusal, mantle, request::Head};

/// An operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Operation {
    Converse,
    ConverseStream,
    Invoke,
    InvokeStream,
    CountTokens,
    ApplyGuardrail,
    GuardrailChecks,
    OpenAiChat,
    OpenAiResponses,
    AnthropicMessages,
}

impl Operation {
    /// Whether the answer is an event stream.
    pub fn streams(self) -> bool {
        matches!(self, Self::ConverseStream | Self::InvokeStream)
    }

    /// Whether the model and the wish for a stream are in the body.
    pub fn is_vendor_api(self) -> bool {
        matches!(
            self,
            Self::OpenAiChat | Self::OpenAiResponses | Self::AnthropicMessages
        )
    }
}

/// An operation and the model it is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The operation.
    pub operation: Operation,
    /// The model's id (or the guardrail's), decoded; of a vendor's API, known once the body is read.
    pub model_id: String,
}

impl Route {
    /// What a request asks for. The raw target is read, for there a `/` in an id is `%2F`.
    pub fn of(head: &Head) -> Result<Self, Refusal> {
        if mantle::is_for(head) {
            let operation = mantle::operation(head).ok_or_else(Refusal::unknown_operation)?;
            return Ok(Self {
                operation,
                model_id: String::new(),
            });
        }
        let path = head.target.split('?').next().unwrap_or_default();
        let segments: Vec<&str> = path.split('/').collect();
        let (operation, id) = match segments.as_slice() {
            ["", "model", id, "converse"] => (Operation::Converse, *id),
            ["", "model", id, "converse-stream"] => (Operation::ConverseStream, *id),
            ["", "model", id, "invoke"] => (Operation::Invoke, *id),
            ["", "model", id, "invoke-with-response-stream"] => (Operation::InvokeStream, *id),
            ["", "model", id, "count-tokens"] => (Operation::CountTokens, *id),
            ["", "guardrail", id, "version", version, "apply"] if !version.is_empty() => {
                (Operation::ApplyGuardrail, *id)
            }
            ["", "guardrail-checks", "invoke"] => (Operation::GuardrailChecks, "-"),
            ["", "openai", "v1", "chat", "completions"] => (Operation::OpenAiChat, "-"),
            ["", "openai", "v1", "responses"] => (Operation::OpenAiResponses, "-"),
            ["", "anthropic", "v1", "messages"] => (Operation::AnthropicMessages, "-"),
            _ => return Err(Refusal::unknown_operation()),
        };
        if id.is_empty() {
            return Err(Refusal::unknown_operation());
        }
        if head.method != "POST" {
            return Err(Refusal::method_not_allowed());
        }
        let model_id = percent_decode_str(id)
            .decode_utf8()
            .map_err(|_| Refusal::validation("The provided model identifier is invalid."))?
            .into_owned();
        Ok(Self {
            operation,
            model_id,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(method: &str, target: &str) -> Result<Route, Refusal> {
        Route::of(&Head {
            method: method.to_owned(),
            target: target.to_owned(),
            headers: Vec::new(),
        })
    }

    #[test]
    fn the_id_is_one_segment_decoded_once() {
        let found = route(
            "POST",
            "/model/arn%3Aaws%3Abedrock%3A%3A%3Aprofile%2Fus.x-v1:0/converse-stream",
        )
        .unwrap();
        assert_eq!(found.operation, Operation::ConverseStream);
        assert_eq!(found.model_id, "arn:aws:bedrock:::profile/us.x-v1:0");
        let found = route("POST", "/model/a%253Ab/invoke").unwrap();
        assert_eq!(found.model_id, "a%3Ab");
    }

    #[test]
    fn other_paths_and_methods_are_refused() {
        for target in [
            "/model/arn/x/converse",
            "/model//converse",
            "/model/x/converse/",
            "/",
            "/guardrail/g/version//apply",
        ] {
            assert_eq!(route("POST", target).unwrap_err().status, 404, "{target}");
        }
        let refusal = route("GET", "/model/x/converse").unwrap_err();
        assert_eq!(
            (refusal.status.as_u16(), refusal.exception.as_str()),
            (405, "UnknownOperationException")
        );
        assert_eq!(
            route("POST", "/model/%ff/converse").unwrap_err().status,
            400
        );
    }
}
