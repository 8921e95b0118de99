//! Bedrock's operations: which one a request asks for, and its answer.

use std::collections::HashMap;

use hyper::{
    Response,
    body::Bytes,
    header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER},
};
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use crate::{
    answers::{Answer, Request},
    converse,
    embeddings::Family,
    errors::Refusal,
    invoke::{self, Vendor},
    request::{Head, Received},
    script::{Delivery, Fault, FaultKind, Http, Kind, Outcome, Script},
    server::{self, Answered},
    stream::{self, Frames, Step, Steps, StreamBody},
    vendor_apis,
};

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

/// A route and the body sent to it, read and checked.
#[derive(Debug)]
pub struct Asked {
    /// The operation and the model.
    pub route: Route,
    /// The JSON body.
    body: Value,
    /// Its top-level keys in the order of the wire.
    keys: Vec<String>,
}

impl Asked {
    /// Reads and checks a body.
    pub fn new(mut route: Route, bytes: &[u8]) -> Result<Self, Refusal> {
        let free = matches!(route.operation, Operation::Invoke | Operation::InvokeStream);
        let body = match serde_json::from_slice(bytes) {
            Ok(body) => body,
            Err(_) if free && !bytes.is_empty() => Value::Null,
            Err(fault) => {
                return Err(Refusal::validation(format!(
                    "Malformed input request, please reformat your input and try again: {fault}"
                )));
            }
        };
        match route.operation {
            Operation::Converse | Operation::ConverseStream => {
                converse::check(&body, &route.model_id)?
            }
            Operation::Invoke | Operation::InvokeStream => match Family::of(&route.model_id) {
                Some(family) => family.check(&body)?,
                None => Vendor::of(&route.model_id).check(&body)?,
            },
            operation if operation.is_vendor_api() => {
                vendor_apis::check(operation, &body)?;
                let model = body.get("model").and_then(Value::as_str);
                route.model_id = model.unwrap_or_default().to_owned();
            }
            Operation::CountTokens => required(&body, &["input"])?,
            Operation::ApplyGuardrail => required(&body, &["source", "content"])?,
            _ => required(&body, &[])?,
        }
        let keys = keys_in_order(bytes);
        Ok(Self { route, body, keys })
    }
}

impl Asked {
    /// Whether the answer is a stream.
    pub fn streams(&self) -> bool {
        let in_body = || self.body.get("stream").is_some_and(|stream| stream == true);
        let operation = self.route.operation;
        operation.streams() || (operation.is_vendor_api() && in_body())
    }
}

/// Whether the script wants no answer at all: a stall where there is no stream to fall silent in.
pub fn is_silent(asked: &Asked, script: &Script) -> bool {
    let stall = matches!(&script.outcome, Outcome::Answer(_, Some(fault)) if fault.what == FaultKind::Stall);
    stall && !asked.streams()
}

/// The answer of the script.
pub fn perform(
    asked: &Asked,
    script: Script,
    request: &Received,
    recordings: &HashMap<String, Bytes>,
) -> Response<Answered> {
    let (kind, fault) = match script.outcome {
        Outcome::Http(http) => return http_answer(&http).map(server::whole),
        Outcome::Answer(kind, fault) => (kind, fault),
        Outcome::Recorded(name) => match recordings.get(&name) {
            Some(recording) if asked.route.operation.streams() => {
                let recording = recording.clone();
                let frames = || stream::recorded(recording.clone());
                return stream_answer(asked, frames, None, &script.delivery);
            }
            Some(_) => (Kind::Text, None),
            None => {
                let refusal = Refusal::validation(format!("There is no recording {name}."));
                return refusal.response().map(server::whole);
            }
        },
    };
    let answer = Answer::new(
        &kind,
        &Request {
            body: &asked.body,
            keys: &asked.keys,
        },
    );
    let vendor = Vendor::of(&asked.route.model_id);
    let operation = asked.route.operation;
    if operation.is_vendor_api() && asked.streams() {
        let frames = || {
            let model = &asked.route.model_id;
            vendor_apis::events(
                operation,
                answer.clone(),
                &asked.body,
                model,
                fault.as_ref(),
            )
        };
        let left = vendor_apis::fault_of_bytes(fault.clone());
        let mut response = stream_answer(asked, frames, left, &script.delivery);
        let content_type = HeaderValue::from_static("text/event-stream; charset=utf-8");
        response.headers_mut().insert(CONTENT_TYPE, content_type);
        return response;
    }
    let whole = match operation {
        Operation::ConverseStream => {
            let frames = || stream::frames(converse::events(answer.clone(), &asked.body));
            return stream_answer(asked, frames, fault, &script.delivery);
        }
        Operation::InvokeStream => {
            let frames = || stream::frames(vendor.events(answer.clone()));
            return stream_answer(asked, frames, fault, &script.delivery);
        }
        Operation::Converse => server::json(&converse::json(&answer, &asked.body)),
        Operation::Invoke if kind == Kind::Echo => echo(request),
        Operation::Invoke => match Family::of(&asked.route.model_id) {
            Some(family) => {
                let (json, tokens) = family.answer(&asked.body);
                let mut response = server::json(&json);
                let name = HeaderName::from_static("x-amzn-bedrock-input-token-count");
                response
                    .headers_mut()
                    .insert(name, HeaderValue::from(tokens));
                response
            }
            None => with_counts(server::json(&vendor.json(&answer)), &answer),
        },
        Operation::CountTokens => server::json(&json!({"inputTokens": 42})),
        Operation::ApplyGuardrail => server::json(&guardrail()),
        Operation::GuardrailChecks => server::json(&json!({"results": []})),
        Operation::OpenAiChat | Operation::OpenAiResponses | Operation::AnthropicMessages => {
            server::json(&vendor_apis::json(
                operation,
                &answer,
                &asked.route.model_id,
            ))
        }
    };
    spoilt(whole, fault.as_ref())
}

fn stream_answer(
    asked: &Asked,
    frames: impl Fn() -> Frames,
    fault: Option<Fault>,
    delivery: &Delivery,
) -> Response<Answered> {
    let cuts_off = |what: &FaultKind| {
        matches!(
            what,
            FaultKind::Truncated | FaultKind::Reset | FaultKind::Stall
        )
    };
    let length = delivery.length.then(|| {
        let promised = fault.clone().filter(|fault| !cuts_off(&fault.what));
        let sizes = stream::steps(frames(), promised).map(|step| match step {
            Step::Bytes(bytes) => bytes.len() as u64,
            Step::Stall | Step::Reset => 0,
        });
        sizes.sum()
    });
    let body = StreamBody::new(stream::steps(frames(), fault), delivery, length);
    let mut response = Response::new(Answered::Right(body));
    let headers = response.headers_mut();
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("application/vnd.amazon.eventstream"),
    );
    if asked.route.operation == Operation::InvokeStream {
        let name = HeaderName::from_static("x-amzn-bedrock-content-type");
        headers.insert(name, HeaderValue::from_static("application/json"));
    }
    response
}

/// A whole answer, spoilt by a stream's fault as far as that makes sense: exceptions become HTTP errors, and what breaks
/// a stream off breaks this off in its middle.
fn spoilt(response: Response<Bytes>, fault: Option<&Fault>) -> Response<Answered> {
    let Some(fault) = fault else {
        return response.map(server::whole);
    };
    if let Some(refusal) = stream::fault_as_error(&fault.what) {
        return refusal.response().map(server::whole);
    }
    if !matches!(fault.what, FaultKind::Reset | FaultKind::Truncated) {
        return response.map(server::whole);
    }
    let (mut parts, body) = response.into_parts();
    parts
        .headers
        .insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
    let half = body.get(..body.len() / 2).unwrap_or_default().to_vec();
    let steps: Steps = Box::new([Step::Bytes(half), Step::Reset].into_iter());
    let body = StreamBody::new(steps, &Delivery::default(), None);
    Response::from_parts(parts, Answered::Right(body))
}

fn http_answer(http: &Http) -> Response<Bytes> {
    let mut response = match http.name.as_str() {
        "html" => server::text(
            "text/html",
            format!(
                "<html><head><title>{0}</title></head><body><h1>{0}</h1></body></html>\n",
                http.status
            ),
        ),
        "empty" => Response::new(Bytes::new()),
        name => {
            let mut refusal = Refusal::named(http.status, name);
            if http.coral {
                refusal
                    .exception
                    .push_str(":http://internal.amazon.com/coral/com.amazon.bedrock/");
            }
            refusal.response()
        }
    };
    *response.status_mut() = http.status;
    if let Some(seconds) = http.retry_after {
        response
            .headers_mut()
            .insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

fn echo(request: &Received) -> Response<Bytes> {
    let mut response = Response::new(request.body.clone());
    let content_type = request.head.values("content-type").next();
    if let Some(Ok(value)) = content_type.map(HeaderValue::from_bytes) {
        response.headers_mut().insert(CONTENT_TYPE, value);
    }
    response
}

fn with_counts(mut response: Response<Bytes>, answer: &Answer) -> Response<Bytes> {
    for (name, count) in invoke::count_headers(answer) {
        if let Ok(name) = HeaderName::try_from(name) {
            response
                .headers_mut()
                .insert(name, HeaderValue::from(count));
        }
    }
    response
}

fn guardrail() -> Value {
    json!({
        "usage": {
            "topicPolicyUnits": 0,
            "contentPolicyUnits": 0,
            "wordPolicyUnits": 0,
            "sensitiveInformationPolicyUnits": 0,
            "sensitiveInformationPolicyFreeUnits": 0,
            "contextualGroundingPolicyUnits": 0,
            "contentPolicyImageUnits": 0,
            "automatedReasoningPolicyUnits": 0,
        },
        "action": "NONE",
        "outputs": [],
        "assessments": [],
    })
}

fn required(body: &Value, names: &[&str]) -> Result<(), Refusal> {
    if !body.is_object() {
        return Err(Refusal::validation("The body must be a JSON object."));
    }
    match names.iter().find(|name| body.get(**name).is_none()) {
        None => Ok(()),
        Some(name) => Err(Refusal::validation(format!(
            "1 validation error detected: Value at '{name}' failed to satisfy constraint: Member must not be null"
        ))),
    }
}

/// The top-level keys of a JSON object in their own order, which `serde_json::Value` does not keep.
fn keys_in_order(bytes: &[u8]) -> Vec<String> {
    struct Keys(Vec<String>);

    impl<'de> serde::de::Deserialize<'de> for Keys {
        fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            deserializer.deserialize_map(Keys(Vec::new()))
        }
    }

    impl<'de> serde::de::Visitor<'de> for Keys {
        type Value = Self;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: serde::de::MapAccess<'de>>(mut self, mut map: A) -> Result<Self, A::Error> {
            while let Some((key, _)) = map.next_entry::<String, serde::de::IgnoredAny>()? {
                self.0.push(key);
            }
            Ok(self)
        }
    }

    serde_json::from_slice::<Keys>(bytes)
        .map(|keys| keys.0)
        .unwrap_or_default()
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

    #[test]
    fn keys_keep_their_order() {
        assert_eq!(keys_in_order(br#"{"b":{"z":1},"a":[2]}"#), ["b", "a"]);
        assert_eq!(keys_in_order(b"[1]"), Vec::<String>::new());
    }
}
