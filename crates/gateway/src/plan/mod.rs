//! From a request and the operator's settings to what is sent to Bedrock.

mod cache;
mod clients;
mod headers;
mod passed;

use std::borrow::Cow;
use std::time::SystemTime;

use aws_credential_types::Credentials;

use crate::bedrock::endpoint::Service;
use crate::bedrock::signing::{self, Signable};
use crate::bedrock::{Operation, VendorApi, endpoint, model_id, path, rerank};
use crate::body::{Body, Sink};
use crate::dialect::body::{text, without_mark};
use crate::dialect::called::Called;
use crate::dialect::{Api, Reply, anthropic, beside, cohere, converse, native, openai, responses};
use crate::facts::Wanted;
use crate::family::{Family, Fitted};
use crate::refusal::Refusal;
use crate::relay::{Answer, Relay};
use crate::request::{Request, SESSION_ID, is_name, not_on_mantle};
use crate::settings::{Auth, Settings};
use headers::{bad_header, check_content_type, headers_to_send, is_signed, says_json, value};

/// Headers as name and value, in the order they came.
pub type Headers<'a> = &'a [(&'a str, &'a str)];

/// What will be sent to Bedrock.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What the client speaks.
    pub api: Api,
    /// What is called.
    pub operation: Operation,
    /// The method to send.
    pub method: Cow<'static, str>,
    /// The model that is called, decoded.
    pub model: Option<String>,
    /// The family that it belongs to.
    pub family: Option<Family>,
    /// The id of the model that the operator says it is; an application profile's ARN shows none.
    pub directed_id: Option<String>,
    /// Signing region.
    pub region: String,
    /// `Host` to send.
    pub host: String,
    /// Path and query to send.
    pub target: String,
    /// Headers to send, without `Host`, `Content-Length` and authorization; in [`Auth::Client`] with the client's own.
    pub headers: Vec<(Cow<'static, str>, String)>,
    /// Body to send.
    pub body: Body,
    /// The most tokens that the operator lets a request generate.
    pub max_output_tokens: Option<u64>,
    /// Whether the client asks for something to be kept in the prompt cache for an hour.
    pub caches_for_an_hour: bool,
    /// A line for the log: what was left out of the request, put otherwise or completed, because of the model's family. It
    /// names members, and never says what stood there.
    pub note: Option<String>,
    service: String,
    answer: Answer,
}

/// Plans the call for `request`; `headers` and `body` are the client's.
///
/// # Errors
/// The refusal for the client: what it sent is wrong (400), is not allowed (403), or the gateway is misconfigured (500).
pub fn plan(
    request: &Request,
    settings: &Settings<'_>,
    headers: Headers<'_>,
    body: &[u8],
) -> Result<Plan, Refusal> {
    plan_large(request, settings, headers, body, None)
}

/// The same for a body of any size: where too much of the new one would be in memory, `sink` takes it
/// ([`Body::Written`]).
///
/// # Errors
/// As for [`plan`].
pub fn plan_large<'a>(
    request: &Request,
    settings: &Settings<'_>,
    headers: Headers<'_>,
    body: &'a [u8],
    sink: Option<&'a mut dyn Sink>,
) -> Result<Plan, Refusal> {
    let mut operation = request
        .operation
        .ok_or_else(|| Refusal::validation("The request body is missing."))?;
    if request.api == Api::Aws || operation == Operation::Other {
        return passed::plan(request, operation, settings, headers);
    }
    check_content_type(is_models_own(request.api, operation), headers)?;
    let mut model = match operation {
        Operation::ApplyGuardrail => None,
        _ => Some(model_to_call(request, settings)?),
    };
    if value(headers, SESSION_ID).is_some_and(|id| !is_name(id)) {
        return Err(bad_header(SESSION_ID));
    }
    let family = settings.family(
        model.as_deref().unwrap_or_default(),
        request.requested_model.as_deref(),
    );
    let directed = settings.directed(
        model.as_deref().unwrap_or_default(),
        request.requested_model.as_deref(),
    );
    let directed_id = directed.and_then(|directed| directed.id.clone());
    let host = checked_host(settings)?;
    let length = body.len();
    let body = match is_models_own(request.api, operation) && !says_json(headers) {
        true => body,
        false => without_mark(body),
    };
    let start = length - body.len();
    let given = body;
    let own = own_api(request, operation, &family, settings)?;
    let translated = own.is_none() && request.api.is_translated();
    beside::check(request, translated, model.as_deref(), settings, body)?;
    let accepts_sse = value(headers, "accept")
        .is_some_and(|accept| accept.to_ascii_lowercase().contains("text/event-stream"));
    let mut fitted = Fitted::default();
    let mut search_units = None;
    if let Some(api) = own {
        operation = api.operation()(request.stream);
    }
    let (body, reply) = match request.api {
        _ if let Some(api) = own => {
            let model = model.as_deref().unwrap_or_default();
            native::vendor::translate(api, model, request.stream, settings, body)?
        }
        Api::Native => {
            if operation == Operation::Invoke
                && let (Some(model), Ok(body)) = (model.as_deref(), std::str::from_utf8(body))
            {
                search_units = rerank::units_of(model, body);
            }
            (
                native::request::body(operation, model.as_deref(), settings, body)?,
                Reply::AsSent,
            )
        }
        Api::Converse => (
            converse::request::body(model.as_deref(), settings, body)?,
            match request.stream && accepts_sse {
                true => Reply::ConverseEvents,
                false => Reply::AsSent,
            },
        ),
        Api::OpenAi => {
            let called = model.as_deref().unwrap_or_default();
            let requested = request.requested_model.as_deref();
            let text = text(body)?;
            if operation.is_invoke() {
                let (body, reply) = openai::embeddings::translate(text, requested, called)?;
                (body, Reply::Embeddings(reply))
            } else {
                let called = called_by(model.as_deref(), &family, request);
                let translated =
                    openai::request::translate(text, requested, &called, settings, sink)?;
                let (body, reply);
                (body, reply, fitted) = translated;
                if fitted.shape.is_whole {
                    operation = Operation::Converse;
                }
                (body, Reply::OpenAi(reply))
            }
        }
        Api::Responses => {
            let called = called_by(model.as_deref(), &family, request);
            let counts = operation == Operation::CountTokens;
            let asked = responses::request::Asked {
                model: request.requested_model.as_deref(),
                called: &called,
                counts,
            };
            let translated = responses::request::translate(&asked, text(body)?, settings, sink)?;
            let (body, reply);
            (body, reply, fitted) = translated;
            if fitted.shape.is_whole {
                operation = Operation::Converse;
            }
            match counts {
                true => {
                    // CountTokens takes models, not their profiles.
                    let counted = model.as_deref().and_then(model_id::foundation_model);
                    model = counted.map(str::to_owned).or(model);
                    (body, Reply::InputTokens)
                }
                false => (body, Reply::Responses(Box::new(reply))),
            }
        }
        // They have been planned.
        Api::Aws => (Body::Unchanged, Reply::AsSent),
        Api::Anthropic => {
            let asked = anthropic::request::Asked {
                request,
                called: called_by(model.as_deref(), &family, request),
                headers,
            };
            let message = anthropic::request::translate(&asked, settings, body, sink)?;
            (operation, model, fitted) = (message.operation, Some(message.model), message.fitted);
            (message.body, Reply::Anthropic(message.reply))
        }
        Api::Cohere => {
            let called = model.as_deref().unwrap_or_default();
            let path = request.target.path();
            let ranked = cohere::request::translate(text(body)?, path, called, sink)?;
            fitted.changes = ranked.changes;
            search_units = Some(ranked.search_units);
            (ranked.body, Reply::Rerank(ranked.reply))
        }
    };
    let target = match (&model, &request.guardrail) {
        (Some(_), _) if let Operation::VendorApi { api, .. } = operation => {
            match Service::of(settings.service) {
                Service::Runtime => api.path().to_owned(),
                Service::Mantle => family.mantle.path(api, request.target.path()).to_owned(),
            }
        }
        (Some(model), _) => path::of_model(operation, model),
        (None, Some((id, version))) => {
            model_id::check(id)?;
            model_id::check(version)?;
            path::of_guardrail(id, version)
        }
        (None, None) => return Err(Refusal::validation("The path names nothing to call.")),
    };
    let caches_for_an_hour = cache::asks_for_an_hour(given);
    let plan = Plan {
        api: request.api,
        operation,
        method: request.method.clone(),
        family: model.as_ref().map(|_| family),
        directed_id,
        max_output_tokens: settings.max_output_tokens,
        caches_for_an_hour,
        note: fitted.changes.line(family.name),
        model,
        region: settings.region.to_owned(),
        host,
        target,
        headers: headers_to_send(request.api, operation, settings, headers)?,
        body: body.within(start, length),
        service: settings.service.to_owned(),
        answer: Answer {
            operation,
            reply,
            shape: fitted.shape,
            max_frame_size: settings.max_frame_size,
            wanted: Wanted {
                text: settings.response_text,
                length: false,
            },
            hold: settings.hold_headers,
            search_units,
            events: match operation {
                Operation::VendorApi { api, stream: true } => Some(api),
                _ => None,
            },
            spends: true,
            own: settings.auth != Auth::Client,
        },
    };
    match settings.auth {
        Auth::Sign | Auth::Bearer => Ok(plan),
        Auth::Client => plan.with_clients_authorization(request, settings, headers),
    }
}

impl Plan {
    /// The id by which the model is priced: of the one that a prompt router chose, as the answer says; else what the operator says;
    /// else its own, without the ARN around it. An application profile's ARN has none.
    pub fn priced_id<'p>(&'p self, invoked: Option<&'p str>) -> Option<&'p str> {
        let invoked = invoked.and_then(model_id::profile_or_model);
        invoked
            .or(self.directed_id.as_deref())
            .or_else(|| model_id::profile_or_model(self.model.as_deref()?))
    }

    /// Whether a model works on it: not where tokens are only counted, a guardrail is asked, or something else of AWS's is called.
    pub fn uses_model(&self) -> bool {
        match self.operation {
            Operation::CountTokens
            | Operation::ApplyGuardrail
            | Operation::ListModels
            | Operation::Other => false,
            Operation::VendorApi { api, .. } => !api.counts(),
            _ => true,
        }
    }

    /// Whether the model generates tokens: not where it embeds or ranks.
    pub fn generates(&self) -> bool {
        let embeds = self.operation.is_invoke()
            && match self.api {
                Api::OpenAi | Api::Cohere => true,
                _ => {
                    let vendor = self.model.as_deref().and_then(model_id::Vendor::of);
                    vendor == Some(model_id::Vendor::Tokenless)
                }
            };
        self.uses_model() && !embeds
    }

    /// The most tokens that are generated, where the client has `asked` for so many at the most; `None` if nobody says.
    pub fn output_limit(&self, asked: Option<u64>) -> Option<u64> {
        [asked, self.max_output_tokens].into_iter().flatten().min()
    }

    /// The search units that a good answer is billed by, as far as the request tells.
    pub fn search_units(&self) -> Option<u64> {
        self.answer.search_units
    }

    /// The same, with what is generated measured as it comes: see [`Facts::generated`](crate::Facts::generated).
    #[must_use]
    pub fn measured(mut self) -> Self {
        self.answer.wanted.length = true;
        self
    }

    /// Whether the gateway authorizes the request, so that what AWS says of that is not for the client.
    pub fn is_authorized_by_gateway(&self) -> bool {
        self.answer.own
    }

    /// What is still needed when the request has body and headers: how to read the answer, and what the log says.
    #[must_use]
    pub fn for_answer(self) -> Self {
        Self {
            headers: Vec::new(),
            body: Body::Unchanged,
            ..self
        }
    }

    /// The headers that authorize the request: SigV4 over host, date, content type and the `x-amzn-bedrock-*` headers.
    ///
    /// # Errors
    /// Text for the error log; it holds no secret.
    pub fn sign(
        &self,
        credentials: &Credentials,
        body_hash: &str,
        now: SystemTime,
    ) -> Result<Vec<(&'static str, String)>, String> {
        let headers: Vec<(&str, &str)> = self
            .headers
            .iter()
            .map(|(name, value)| (name.as_ref(), value.as_str()))
            .filter(|(name, _)| is_signed(name))
            .collect();
        signing::sign(
            &Signable {
                method: &self.method,
                host: &self.host,
                target: &self.target,
                headers: &headers,
                body_hash,
                region: &self.region,
                service: &self.service,
            },
            credentials,
            now,
        )
    }

    /// Follows the answer, by what the upstream really sent: `header` looks up one of its headers. `now` is when it came.
    pub fn relay(
        &self,
        status: u16,
        header: impl Fn(&str) -> Option<String>,
        now: SystemTime,
    ) -> Relay {
        Relay::new(&self.answer, status, header, now)
    }

    /// Whether an answer may go on otherwise than Bedrock sent it.
    pub fn may_change_answer(&self) -> bool {
        self.answer.reply != Reply::AsSent || self.answer.own
    }
}

fn model_to_call(request: &Request, settings: &Settings<'_>) -> Result<String, Refusal> {
    let named = settings.model.filter(|model| !model.is_empty());
    let asked = request.requested_model.as_deref();
    let model = named
        .or_else(|| asked.map(|asked| model_named(asked, settings)))
        .filter(|model| !model.is_empty())
        .ok_or_else(|| Refusal {
            param: Some("model".into()),
            ..Refusal::validation("The request names no model: put \"model\" into the body.")
        })?;
    model_id::check(model)?;
    if !settings.allows(model) {
        return Err(Refusal::denied(format!(
            "This gateway does not allow the model {model}."
        )));
    }
    Ok(model.to_owned())
}

/// The host that is called.
///
/// # Errors
/// 500: region, service or endpoint are not what such things are.
fn checked_host(settings: &Settings<'_>) -> Result<String, Refusal> {
    endpoint::check_region(settings.region)?;
    endpoint::check_service(settings.service)?;
    Ok(match settings.endpoint {
        Some(host) => {
            endpoint::check_host(host)
                .map_err(|what| Refusal::misconfigured(format!("bedrock_endpoint: {what}")))?;
            host.to_owned()
        }
        None => endpoint::host_of(settings.service, settings.region),
    })
}

/// Bedrock's own API that a request of OpenAI's or Anthropic's goes to as it is: because its model is at home there, or because
/// the service has no other.
///
/// # Errors
/// 404: the service has no such operation.
fn own_api(
    request: &Request,
    operation: Operation,
    family: &Family,
    settings: &Settings<'_>,
) -> Result<Option<VendorApi>, Refusal> {
    let counts = operation == Operation::CountTokens;
    match (Service::of(settings.service), operation) {
        (_, Operation::VendorApi { api, .. }) => Ok(Some(api)),
        (Service::Runtime, _) => Ok(own_api_of_runtime(request, operation, family, settings)),
        // Only now it is known which service this is.
        (Service::Mantle, _) if operation.is_converse() || counts => match request.api {
            Api::OpenAi => Ok(Some(VendorApi::OpenAiChat)),
            Api::Responses if counts => Ok(Some(VendorApi::OpenAiInputTokens)),
            Api::Responses => Ok(Some(VendorApi::OpenAiResponses)),
            Api::Anthropic if counts => Ok(Some(VendorApi::AnthropicCountTokens)),
            Api::Anthropic => Ok(Some(VendorApi::AnthropicMessages)),
            Api::Native | Api::Converse | Api::Cohere | Api::Aws => Err(not_on_mantle()),
        },
        (Service::Mantle, _) => Err(not_on_mantle()),
    }
}

fn own_api_of_runtime(
    request: &Request,
    operation: Operation,
    family: &Family,
    settings: &Settings<'_>,
) -> Option<VendorApi> {
    match request.api {
        Api::OpenAi if operation.is_converse() && !family.converse && family.own_responses => {
            Some(VendorApi::OpenAiChat)
        }
        Api::Responses
            if operation.is_converse() && responses::goes_natively(settings.responses, family) =>
        {
            Some(VendorApi::OpenAiResponses)
        }
        _ => None,
    }
}

fn called_by<'c>(model: Option<&'c str>, family: &'c Family, request: &Request) -> Called<'c> {
    Called {
        model: model.unwrap_or_default(),
        family,
        streams: request.stream,
    }
}

/// What a client means by a name: an alias' model, or the id that it is. Claude Code may put `[1m]` behind either.
fn model_named<'a>(asked: &'a str, settings: &'a Settings<'_>) -> &'a str {
    let bare = model_id::without_tail(asked);
    settings
        .model_of_alias(asked)
        .or_else(|| settings.model_of_alias(bare))
        .unwrap_or(bare)
}

/// Whether the body is the model's own, of whatever type: only who speaks Bedrock's own form sends such.
fn is_models_own(api: Api, operation: Operation) -> bool {
    api == Api::Native && operation.is_invoke()
}
