//! Calls that pass as they are: anything of AWS's where `bedrock_api aws` says so, and the paths of bedrock-mantle that name no
//! model.

use super::headers::passed_headers;
use super::{Answer, Headers, Plan, checked_host};
use crate::bedrock::Operation;
use crate::bedrock::path::{parameters, spelt};
use crate::body::Body;
use crate::dialect::{Api, Reply};
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
    if has_rules(settings) && (request.api == Api::Aws || generates(request)) {
        return Err(Refusal::denied(
            "This gateway has rules about models, and cannot hold this request to them.",
        ));
    }
    let query = request.target.query();
    let signs_twice = |pair: &str| {
        let name = pair.split('=').next().unwrap_or_default();
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
        note: None,
        region: settings.region.to_owned(),
        host,
        target: spelt(path.get(request.prefix..).unwrap_or_default(), query)?,
        headers: passed_headers(headers)?,
        body: Body::Unchanged,
        service: settings.service.to_owned(),
        answer: Answer {
            operation,
            reply: Reply::AsSent,
            shape: Shape::default(),
            max_frame_size: settings.max_frame_size,
            response_text: settings.response_text,
            hold: settings.hold_headers,
            search_units: None,
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
    let reads = matches!(request.method.as_ref(), "GET" | "HEAD" | "DELETE");
    !reads && !request.target.path().ends_with("/cancel")
}

/// What stands in the query of a URL that is signed beforehand.
const OF_SIGNED_URLS: [&str; 4] = [
    "x-amz-algorithm",
    "x-amz-credential",
    "x-amz-security-token",
    "x-amz-signature",
];
