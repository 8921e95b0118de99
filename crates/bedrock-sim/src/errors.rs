//! The errors that are answered with an HTTP status, in the shape AWS gives them.

use hyper::{Response, StatusCode, body::Bytes, header};
use serde_json::{Map, Value, json};

/// An error answer: a status, the exception's name and a message, as JSON with `x-amzn-ErrorType`.
#[derive(Debug, Clone)]
pub struct Refusal {
    /// The HTTP status.
    pub status: StatusCode,
    /// The exception's name, such as `ValidationException`.
    pub exception: String,
    /// What the `message` member says.
    pub message: String,
    /// Modelled members beside `message`.
    pub members: Map<String, Value>,
    /// Further response headers.
    pub headers: Vec<(&'static str, String)>,
}

impl Refusal {
    /// An error with that status, name and message.
    pub fn new(status: StatusCode, exception: &str, message: impl Into<String>) -> Self {
        Self {
            status,
            exception: exception.to_owned(),
            message: message.into(),
            members: Map::new(),
            headers: Vec::new(),
        }
    }

    /// 400 `ValidationException`.
    pub fn validation(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "ValidationException", message)
    }

    /// 403 with that exception: the answer to a bad signature or key.
    pub fn forbidden(exception: &str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, exception, message)
    }

    /// 404 `UnknownOperationException`.
    pub fn unknown_operation() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "UnknownOperationException",
            "The requested operation is not recognized by the service.",
        )
    }

    /// The same for a known path with another method than POST: 405.
    pub fn method_not_allowed() -> Self {
        Self {
            status: StatusCode::METHOD_NOT_ALLOWED,
            headers: vec![("Allow", "POST".to_owned())],
            ..Self::unknown_operation()
        }
    }

    /// The error that Bedrock's model knows under a short lower-case name: `throttling`, `modelerror`, `expiredtoken`…
    /// An unknown name gives an exception of that name.
    pub fn named(status: StatusCode, name: &str) -> Self {
        let (exception, message) = match name {
            "throttling" => (
                "ThrottlingException",
                "Too many requests, please wait before trying again.",
            ),
            "validation" => ("ValidationException", "The provided request is not valid."),
            "accessdenied" => (
                "AccessDeniedException",
                "You don't have access to the model with the specified model ID.",
            ),
            "resourcenotfound" => (
                "ResourceNotFoundException",
                "Could not resolve the foundation model from the provided model identifier.",
            ),
            "modeltimeout" => (
                "ModelTimeoutException",
                "The model took too long to answer.",
            ),
            "modelerror" => (
                "ModelErrorException",
                "The model failed to process the request.",
            ),
            "modelstreamerror" => (
                "ModelStreamErrorException",
                "The model failed while it was streaming.",
            ),
            "modelnotready" => (
                "ModelNotReadyException",
                "The model is not ready for inference. Try again.",
            ),
            "internalserver" => (
                "InternalServerException",
                "The system encountered an unexpected error during processing. Try your request again.",
            ),
            "serviceunavailable" => (
                "ServiceUnavailableException",
                "Bedrock is unable to process your request.",
            ),
            "servicequotaexceeded" => (
                "ServiceQuotaExceededException",
                "A service quota is exceeded.",
            ),
            "expiredtoken" => (
                "ExpiredTokenException",
                "The security token included in the request is expired",
            ),
            "unrecognizedclient" => (
                "UnrecognizedClientException",
                "The security token included in the request is invalid.",
            ),
            other => {
                let mut letters = other.chars();
                let first = letters.next().map(|c| c.to_ascii_uppercase());
                let name: String = first.into_iter().chain(letters).collect();
                return Self::new(status, &format!("{name}Exception"), "A scripted error.");
            }
        };
        let mut refusal = Self::new(status, exception, message);
        if name == "modelerror" || name == "modelstreamerror" {
            refusal
                .members
                .insert("originalStatusCode".to_owned(), json!(500));
        }
        refusal
    }

    /// The JSON body.
    pub fn body(&self) -> String {
        let mut members = self.members.clone();
        members.insert("message".to_owned(), json!(self.message));
        Value::Object(members).to_string()
    }

    /// The HTTP answer, but for the headers that every answer has.
    pub fn response(&self) -> Response<Bytes> {
        let mut response = Response::new(Bytes::from(self.body()));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            header::HeaderValue::from_static("application/json"),
        );
        let own = self
            .headers
            .iter()
            .map(|(name, value)| (*name, value.as_str()));
        for (name, value) in own.chain([("x-amzn-ErrorType", self.exception.as_str())]) {
            if let (Ok(name), Ok(value)) = (
                header::HeaderName::try_from(name),
                header::HeaderValue::try_from(value),
            ) {
                headers.insert(name, value);
            }
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_have_the_shape_of_aws() {
        let refusal = Refusal::named(StatusCode::TOO_MANY_REQUESTS, "throttling");
        let response = refusal.response();
        assert_eq!(response.status(), 429);
        assert_eq!(
            response.headers()["x-amzn-errortype"],
            "ThrottlingException"
        );
        assert_eq!(
            response.body(),
            r#"{"message":"Too many requests, please wait before trying again."}"#
        );
    }

    #[test]
    fn an_unknown_name_becomes_an_exception_of_that_name() {
        let refusal = Refusal::named(StatusCode::IM_A_TEAPOT, "teapot");
        assert_eq!(refusal.exception, "TeapotException");
    }
}
