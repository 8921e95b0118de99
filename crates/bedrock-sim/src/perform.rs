//! The answer of a script, in the shape of the operation that was asked for.

use std::collections::HashMap;

use hyper::{
    Response,
    body::Bytes,
    header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER},
};
use serde_json::{Value, json};

use crate::{
    answers::{Answer, Request},
    asked::Asked,
    bills::Bill,
    converse, embeddings,
    errors::Refusal,
    invoke::{self, Vendor},
    manner,
    operations::Operation,
    request::Received,
    reranking,
    script::{Delivery, Fault, FaultKind, Http, Kind, Outcome, Script},
    server::{self, Answered},
    stream::{self, Frames, Step, Steps, StreamBody},
    strict::family::Family,
    vendor_apis,
};

/// Whether the script wants no answer at all: a stall where there is no stream to fall silent in.
pub fn is_silent(asked: &Asked, script: &Script) -> bool {
    let stall = matches!(&script.outcome, Outcome::Answer(_, Some(fault)) if fault.what == FaultKind::Stall);
    stall && !asked.streams()
}

/// The answer of the script, with its [`Bill`] among the extensions where it is charged for.
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
    let answer = manner::of_family(&Family::of(&asked.route.model_id), &asked.body, answer);
    let vendor = Vendor::of(&asked.route.model_id);
    let operation = asked.route.operation;
    let bill = answer.usage.map(Bill::Tokens);
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
        return billed(response, bill);
    }
    let whole = match operation {
        Operation::ConverseStream => {
            let frames = || stream::frames(converse::events(answer.clone(), &asked.body));
            return billed(stream_answer(asked, frames, fault, &script.delivery), bill);
        }
        Operation::InvokeStream => {
            let frames = || stream::frames(vendor.events(answer.clone()));
            return billed(stream_answer(asked, frames, fault, &script.delivery), bill);
        }
        Operation::Converse => billed(server::json(&converse::json(&answer, &asked.body)), bill),
        Operation::Invoke if kind == Kind::Echo => echo(request),
        Operation::Invoke => {
            let id = &asked.route.model_id;
            if let Some(family) = embeddings::Family::of(id) {
                embedded(family, &asked.body)
            } else if reranking::Family::of(id).is_some() {
                let bill = Bill::SearchUnits(reranking::search_units(&asked.body));
                billed(server::json(&reranking::answer(&asked.body)), Some(bill))
            } else {
                let whole = with_counts(server::json(&vendor.json(&answer)), &answer);
                billed(whole, bill)
            }
        }
        Operation::CountTokens => server::json(&json!({"inputTokens": 42})),
        Operation::ApplyGuardrail => server::json(&guardrail()),
        Operation::GuardrailChecks => server::json(&json!({"results": []})),
        Operation::OpenAiChat | Operation::OpenAiResponses | Operation::AnthropicMessages => {
            let json = vendor_apis::json(operation, &answer, &asked.route.model_id);
            billed(server::json(&json), bill)
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

fn embedded(family: embeddings::Family, body: &Value) -> Response<Bytes> {
    let (json, tokens) = family.answer(body);
    let mut response = server::json(&json);
    let name = HeaderName::from_static("x-amzn-bedrock-input-token-count");
    response
        .headers_mut()
        .insert(name, HeaderValue::from(tokens));
    billed(response, Some(Bill::of_input(tokens)))
}

fn billed<B>(mut response: Response<B>, bill: Option<Bill>) -> Response<B> {
    if let Some(bill) = bill {
        response.extensions_mut().insert(bill);
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
