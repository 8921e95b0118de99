//! Why a request, or an answer, is turned into an error.

use std::borrow::Cow;
use std::time::Duration;

use crate::bedrock::exception;
use crate::dialect::Api;
use crate::limited::{LimitOf, Limited};

/// An error for the client: an HTTP status, the exception's name as Bedrock spells it, and a sentence that says what to
/// do. Never holds a secret, a prompt or an answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{status} {exception}: {message}")]
pub struct Refusal {
    /// HTTP status for the client.
    pub status: u16,
    /// Exception name in HTTP form, e.g. `ValidationException`.
    pub exception: Cow<'static, str>,
    /// What is wrong and what to do.
    pub message: Cow<'static, str>,
    /// The parameter that is wrong, as the client's dialect names it.
    pub param: Option<Box<str>>,
    /// A code for clients whose dialect has codes, where the exception's name is none.
    pub code: Option<&'static str>,
    /// It is a limit of this gateway that refuses.
    pub limited: Option<Box<Limited>>,
    /// What the operator should read in the error log, where that is not for the client to see.
    pub log: Option<String>,
}

impl Refusal {
    /// The request is wrong: 400 `ValidationException`.
    pub fn validation(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(400, "ValidationException", message)
    }

    /// A parameter of the request is wrong: 400, and a message that names it. `what` goes on from the name.
    pub fn parameter(param: impl Into<String>, what: &str) -> Self {
        let param = param.into();
        Self {
            message: format!("\"{param}\" {what}.").into(),
            param: Some(param.into()),
            ..Self::validation("")
        }
    }

    /// A rule of this gateway forbids it: 403 `AccessDeniedException`.
    pub fn denied(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(403, "AccessDeniedException", message)
    }

    /// The gateway is configured wrongly. The client learns no more than that; `log` is for the operator.
    pub fn misconfigured(log: impl Into<String>) -> Self {
        Self {
            log: Some(log.into()),
            ..Self::new(
                500,
                "InternalServerException",
                "The gateway is not configured correctly; its error log says more.",
            )
        }
    }

    /// An error that the server around us made itself (413, 502, limit_req …), in Bedrock's terms.
    pub fn from_status(status: u16) -> Self {
        let (exception, message) = exception::for_status(status);
        Self::new(status, exception, message)
    }

    /// A limit of this gateway refuses a client that speaks `api`: 429 `ThrottlingException`. AWS's SDKs and Cohere's would come back
    /// for a spent quota, too, if that were 429: for them it is `ServiceQuotaExceededException`, natively with 400, and in Cohere's API
    /// with 402, which Cohere itself has for an account that may spend no more.
    pub fn limited(api: Api, message: impl Into<Cow<'static, str>>, limited: Limited) -> Self {
        let is_quota = limited.of == LimitOf::Quota;
        let (status, exception) = match api {
            Api::Native | Api::Converse | Api::Aws if is_quota => {
                (400, "ServiceQuotaExceededException")
            }
            Api::Cohere if is_quota => (402, "ServiceQuotaExceededException"),
            _ => (429, "ThrottlingException"),
        };
        Self {
            code: Some(match is_quota {
                true => "insufficient_quota",
                false => "rate_limit_exceeded",
            }),
            limited: Some(Box::new(limited)),
            ..Self::new(status, exception, message)
        }
    }

    /// How long a limit has the client wait; 0 where none refuses.
    pub fn wait(&self) -> Duration {
        self.limited
            .as_ref()
            .map_or(Duration::ZERO, |limited| limited.wait)
    }

    /// Any status and exception name.
    pub fn new(
        status: u16,
        exception: impl Into<Cow<'static, str>>,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            status,
            exception: exception.into(),
            message: message.into(),
            param: None,
            code: None,
            limited: None,
            log: None,
        }
    }
}

/// An error as it goes to the client, in the client's dialect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorAnswer {
    /// Value for `Content-Type`.
    pub content_type: &'static str,
    /// Further headers.
    pub headers: Vec<(&'static str, String)>,
    /// The whole body.
    pub body: Vec<u8>,
}
