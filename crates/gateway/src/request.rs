//! The first look at a request: what is asked, of which model.

use crate::bedrock::{Operation, path};
use crate::dialect::{Api, converse};
use crate::refusal::Refusal;

/// A request as understood so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// What the client speaks.
    pub api: Api,
    /// What it wants; known from the path, or once the body has been read.
    pub operation: Option<Operation>,
    /// The model it named, decoded, before any alias.
    pub requested_model: Option<String>,
    /// The guardrail of an ApplyGuardrail request: id and version, decoded.
    pub guardrail: Option<(String, String)>,
    /// Whether it asked for a stream.
    pub stream: bool,
    /// The path and query exactly as they came.
    pub target: String,
}

impl Request {
    /// Whether the body has to be read to know model and operation.
    pub fn needs_body(&self) -> bool {
        self.operation.is_none()
    }
}

/// Recognises a request by `path` (raw, with query), and where the path does not say all, by its `body`.
///
/// Called without a body it never fails for want of one: see [`Request::needs_body`].
///
/// # Errors
/// A wrong method, a model id that cannot be decoded, a body that is not what the dialect asks for.
pub fn inspect(
    api: Option<Api>,
    method: &str,
    target: &str,
    body: Option<&[u8]>,
) -> Result<Request, Refusal> {
    // nginx takes what follows `#` for no part of the path either.
    let path = target.split(['?', '#']).next().unwrap_or_default();
    let native = match api {
        None | Some(Api::Native) => path::recognise(path)?,
        Some(_) => None,
    };
    let request = match (native, api) {
        (Some(found), _) => Request {
            api: Api::Native,
            operation: Some(found.operation),
            requested_model: found.model,
            guardrail: found.guardrail,
            stream: found.operation.streams(),
            target: target.to_owned(),
        },
        (None, Some(Api::Native)) => {
            return Err(Refusal::new(
                404,
                "UnknownOperationException",
                "This path is none of Bedrock's: use /model/{id}/converse, /converse-stream, /invoke, \
                 /invoke-with-response-stream or /count-tokens.",
            ));
        }
        (None, _) => converse::request::inspect(target, body)?,
    };
    if method != "POST" {
        return Err(Refusal::new(
            405,
            "UnknownOperationException",
            "This operation takes POST requests only.",
        ));
    }
    Ok(request)
}
