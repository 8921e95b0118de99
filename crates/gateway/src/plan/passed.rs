//! Calls that pass as they are: anything of AWS's where `bedrock_api aws` says so, and the paths of bedrock-mantle that name no
//! model.

use super::headers::passed_headers;
use super::{Answer, Headers, Plan, checked_host};
use crate::bedrock::endpoint::Service;
use crate::bedrock::path::{decode_form, parameters, spelt};
use crate::bedrock::{Operation, VendorApi};
use crate::body::Body;
use crate::dialect::{Api, Reply};
use crate::facts::Wanted;
use crate::family::Shape;
use crate::refusal::Refusal;
use crate::request::Request;
use crate::settings::{Auth, Settings};

/// Plans such a call.
///
/// # Errors
/// 400: what is asked cannot be signed as everyone reads it. 403: the operator has rules that cannot hold here.
pub fn plan(
    request: &Request,
    operation: Operation,
    settings: &Settings<'_>,
    headers: Headers<'_>,
) -> Result<Plan, Refusal> {
    let host = checked_host(settings)?;
    let generates = generates(request);
    if has_rules(settings) && (request.api == Api::Aws || generates) {
        return Err(Refusal::denied(
            "This gateway has rules about models, and cannot hold this request to them.",
        ));
    }
    let query = request.target.query();
    let signs_twice = |pair: &str| {
        let name = decode_form(pair.split('=').next().unwrap_or_default()).unwrap_or_default();
        OF_SIGNED_URLS
            .iter()
            .any(|known| name.eq_ignore_ascii_case(known))
    };
    if settings.auth != Auth::Client
        && query.is_some_and(|query| parameters(query).any(signs_twice))
    {
        return Err(Refusal::validation(
            "This gateway signs the request: send it without the signature that its query has.",
        ));
    }
    let path = request.target.path();
    // What others answer may mean something else by the same words.
    let on_mantle = Service::of(settings.service) == Service::Mantle;
    let plan = Plan {
        api: request.api,
        operation,
        method: request.method.clone(),
        model: request.requested_model.clone(),
        family: request
            .requested_model
            .as_deref()
            .map(|model| settings.family(model, None)),
        directed_id: None,
        max_output_tokens: None,
        caches_for_an_hour: false,
        note: None,
        region: settings.region.to_owned(),
        host,
        target: spelt(path.get(request.prefix..).unwrap_or_default(), query)?,
        headers: passed_headers(request.api, headers)?,
        body: Body::Unchanged,
        service: settings.service.to_owned(),
        answer: Answer {
            operation,
            reply: Reply::AsSent,
            shape: Shape::default(),
            max_frame_size: settings.max_frame_size,
            wanted: Wanted {
                text: settings.response_text,
                length: false,
            },
            hold: settings.hold_headers,
            search_units: None,
            events: match operation {
                Operation::VendorApi { api, .. } => Some(api),
                _ if on_mantle && fetches_response(path) => Some(VendorApi::OpenAiResponses),
                _ => None,
            },
            spends: on_mantle && generates,
            own: settings.auth != Auth::Client,
        },
    };
    match settings.auth {
        Auth::Sign | Auth::Bearer => Ok(plan),
        Auth::Client => plan.with_clients_authorization(request, settings, headers),
    }
}

/// Whether the operator has rules about models.
fn has_rules(settings: &Settings<'_>) -> bool {
    settings.model.is_some_and(|model| !model.is_empty())
        || !settings.allow_models.is_empty()
        || settings.max_output_tokens.is_some()
        || settings.guardrail.is_some()
}

/// Whether a model may work on this: not where it is only asked for what is there, or told to stop.
fn generates(request: &Request) -> bool {
    match request.method.as_ref() {
        "GET" | "HEAD" | "DELETE" => false,
        "POST" => !cancels(request.target.path()),
        _ => true,
    }
}

/// Whether a path is `…/responses/{id}/cancel`, or the same of a batch.
fn cancels(path: &str) -> bool {
    let Some(path) = path.strip_suffix("/cancel") else {
        return false;
    };
    let mut segments = path.rsplit('/');
    let (id, of) = (segments.next(), segments.next());
    id.is_some_and(is_id) && matches!(of, Some("responses" | "batches"))
}

/// Whether a path is `…/responses/{id}`.
fn fetches_response(path: &str) -> bool {
    let mut segments = path.rsplit('/');
    segments.next().is_some_and(is_id) && segments.next() == Some("responses")
}

/// Whether a segment is an id, in the one way to write it.
fn is_id(segment: &str) -> bool {
    let of_ids = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    !segment.is_empty() && segment.bytes().all(of_ids)
}

/// What stands in the query of a URL that is signed beforehand.
const OF_SIGNED_URLS: [&str; 4] = [
    "x-amz-algorithm",
    "x-amz-credential",
    "x-amz-security-token",
    "x-amz-signature",
];
