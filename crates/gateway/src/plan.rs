//! From a request and the operator's settings to what is sent to Bedrock.

use std::borrow::Cow;
use std::time::SystemTime;

use aws_credential_types::Credentials;

use crate::bedrock::signing::{self, Signable};
use crate::bedrock::{Operation, VendorApi, endpoint, model_id, path};
use crate::body::{Body, Sink};
use crate::dialect::body::{text, without_mark};
use crate::dialect::called::Called;
use crate::dialect::{Api, Reply, anthropic, beside, converse, native, openai, responses};
use crate::family::{Family, Fitted};
use crate::refusal::Refusal;
use crate::relay::{Answer, Relay};
use crate::request::{Request, SESSION_ID, is_name};
use crate::settings::{Auth, Settings};

/// Headers as name and value, in the order they came.
pub type Headers<'a> = &'a [(&'a str, &'a str)];

/// What will be sent to Bedrock.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What the client speaks.
    pub api: Api,
    /// What is called.
    pub operation: Operation,
    /// The model that is called, decoded.
    pub model: Option<String>,
    /// The family that it belongs to.
    pub family: Option<Family>,
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
    endpoint::check_region(settings.region)?;
    endpoint::check_service(settings.service)?;
    let host = match settings.endpoint {
        Some(host) => {
            endpoint::check_host(host)
                .map_err(|what| Refusal::misconfigured(format!("bedrock_endpoint: {what}")))?;
            host.to_owned()
        }
        None => endpoint::host_of(settings.region),
    };
    let length = body.len();
    let body = match is_models_own(request.api, operation) && !says_json(headers) {
        true => body,
        false => without_mark(body),
    };
    let start = length - body.len();
    let own = own_api(request, operation, &family, settings);
    let translated =
        own.is_none() && matches!(request.api, Api::OpenAi | Api::Responses | Api::Anthropic);
    beside::check(request, translated, model.as_deref(), settings, body)?;
    let accepts_sse = value(headers, "accept")
        .is_some_and(|accept| accept.to_ascii_lowercase().contains("text/event-stream"));
    let mut fitted = Fitted::default();
    if let Some(api) = own {
        operation = api.operation()(request.stream);
    }
    let (body, reply) = match request.api {
        _ if let Some(api) = own => {
            let model = model.as_deref().unwrap_or_default();
            (
                native::vendor::body(api, model, settings, body)?,
                Reply::AsSent,
            )
        }
        Api::Native => (
            native::request::body(operation, model.as_deref(), settings, body)?,
            Reply::AsSent,
        ),
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
    };
    let target = match (&model, &request.guardrail) {
        (Some(_), _) if let Operation::VendorApi { api, .. } = operation => api.path().to_owned(),
        (Some(model), _) => path::of_model(operation, model),
        (None, Some((id, version))) => {
            model_id::check(id)?;
            model_id::check(version)?;
            path::of_guardrail(id, version)
        }
        (None, None) => return Err(Refusal::validation("The path names nothing to call.")),
    };
    let plan = Plan {
        api: request.api,
        operation,
        family: model.as_ref().map(|_| family),
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
            response_text: settings.response_text,
            hold: settings.hold_headers,
            own: settings.auth != Auth::Client,
        },
    };
    match settings.auth {
        Auth::Sign | Auth::Bearer => Ok(plan),
        Auth::Client => plan.with_clients_authorization(request, settings, headers),
    }
}

impl Plan {
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
                method: "POST",
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

    /// The client signed for itself, so nothing it signed may change.
    fn with_clients_authorization(
        mut self,
        request: &Request,
        settings: &Settings<'_>,
        headers: Headers<'_>,
    ) -> Result<Self, Refusal> {
        let Some(authorization) = value(headers, "authorization") else {
            return Err(Refusal::new(
                403,
                "MissingAuthenticationTokenException",
                "Missing Authentication Token",
            ));
        };
        let changed = self.body != Body::Unchanged
            || (settings.guardrail.is_some() && takes_guardrail_headers(self.operation))
            || self.model != request.requested_model;
        let prefix = match self.operation {
            Operation::VendorApi { api, .. } => {
                let prefix = request.target.path().strip_suffix(api.path());
                prefix.map(str::len)
            }
            _ => (request.api == Api::Native).then_some(request.prefix),
        };
        let Some(prefix) = prefix.filter(|_| !changed) else {
            return Err(Refusal::denied(
                "This gateway does not sign, so it cannot change this request as its rules demand.",
            ));
        };
        let target = request.target.from(prefix);
        if !target.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Refusal::validation(
                "The path or the query has characters that must be percent-encoded.",
            ));
        }
        target.clone_into(&mut self.target);
        let signed = signed_headers(authorization);
        if signed.clone().any(|name| name.eq_ignore_ascii_case("host"))
            && let Some(host) = value(headers, "host")
            && endpoint::check_host(host).is_ok()
        {
            host.clone_into(&mut self.host);
        }
        for (name, value) in headers {
            let lower = name.to_ascii_lowercase();
            let sent = lower == "authorization"
                || lower.starts_with("x-amz-")
                || signed.clone().any(|name| name.eq_ignore_ascii_case(&lower));
            if sent && !OF_THE_CONNECTION.contains(&lower.as_str()) {
                if !can_be_sent(value) {
                    return Err(bad_header(&lower));
                }
                self.headers.retain(|(known, _)| *known != lower);
                self.headers.push((lower.into(), (*value).to_owned()));
            }
        }
        Ok(self)
    }
}

fn model_to_call(request: &Request, settings: &Settings<'_>) -> Result<String, Refusal> {
    let named = settings.model.filter(|model| !model.is_empty());
    let asked = request.requested_model.as_deref();
    let model = named
        .or_else(|| asked.map(|asked| model_named(asked, settings)))
        .filter(|model| !model.is_empty())
        .ok_or_else(|| Refusal {
            param: Some("model".to_owned()),
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

/// Bedrock's own API that a request of OpenAI's goes to as it is, because its model is at home there.
fn own_api(
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

/// Converse takes JSON only; invoke takes whatever the model does.
fn check_content_type(is_models_own: bool, headers: Headers<'_>) -> Result<(), Refusal> {
    match is_models_own || says_json(headers) {
        true => Ok(()),
        false => Err(Refusal::from_status(415)),
    }
}

/// Whether the body is JSON by what the client says, or does not say.
fn says_json(headers: Headers<'_>) -> bool {
    value(headers, "content-type").is_none_or(|sent| {
        let essence = sent.split(';').next().unwrap_or_default();
        essence.trim().eq_ignore_ascii_case("application/json")
    })
}

/// The only client headers that go on, and what the gateway says itself.
fn headers_to_send(
    api: Api,
    operation: Operation,
    settings: &Settings<'_>,
    headers: Headers<'_>,
) -> Result<Vec<(Cow<'static, str>, String)>, Refusal> {
    let mut sent: Vec<(Cow<'static, str>, String)> = Vec::new();
    let is_models_own = is_models_own(api, operation);
    let content_type = match is_models_own {
        true => to_sign(headers, "content-type")?,
        false => None,
    };
    let content_type = content_type.unwrap_or("application/json").to_owned();
    sent.push(("content-type".into(), content_type));
    // A compressed stream would arrive in one burst, and could not be read here.
    sent.push(("accept-encoding".into(), "identity".to_owned()));
    let mut pass = |name: &'static str| -> Result<(), Refusal> {
        let value = match is_signed(name) {
            true => to_sign(headers, name)?,
            false => to_send(headers, name)?,
        };
        sent.extend(value.map(|value| (name.into(), value.to_owned())));
        Ok(())
    };
    pass("user-agent")?;
    if is_models_own {
        pass("accept")?;
    }
    let vendor_api = match operation {
        Operation::VendorApi { api, .. } => Some(api),
        _ => None,
    };
    let messages_over_invoke = api == Api::Anthropic && operation.is_invoke();
    if is_models_own || messages_over_invoke || vendor_api.is_some() {
        for name in INVOKE_HEADERS {
            pass(name)?;
        }
    }
    if vendor_api == Some(VendorApi::AnthropicMessages) {
        pass("anthropic-version")?;
        pass("anthropic-beta")?;
    }
    if vendor_api.is_some() {
        let accept = match operation.streams() {
            true => "text/event-stream",
            false => "application/json",
        };
        sent.push(("accept".into(), accept.to_owned()));
    }
    if takes_guardrail_headers(operation)
        && let Some(guardrail) = settings.guardrail
    {
        sent.retain(|(name, _)| !GUARDRAIL_HEADERS.contains(&name.as_ref()));
        let [id, version, trace] = GUARDRAIL_HEADERS;
        sent.push((id.into(), guardrail.id.clone()));
        sent.push((version.into(), guardrail.version.clone()));
        if let Some(value) = &guardrail.trace {
            sent.push((trace.into(), value.to_ascii_uppercase()));
        }
    }
    Ok(sent)
}

/// Whether the signature covers a header. What a proxy on the way may change stays out of it.
fn is_signed(name: &str) -> bool {
    name == "content-type" || name.starts_with("x-amzn-bedrock-")
}

/// The client's header `name`, which is going to be signed. Signers do not agree on what a tab, a byte above 0x7f or a second
/// header of the name come to.
///
/// # Errors
/// 400: it has one of these.
fn to_sign<'a>(headers: Headers<'a>, name: &str) -> Result<Option<&'a str>, Refusal> {
    let mut found = headers
        .iter()
        .filter(|(known, _)| known.eq_ignore_ascii_case(name))
        .map(|(_, value)| *value);
    let first = found.next();
    let plain = |value: &str| value.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    match first.is_none_or(plain) && found.next().is_none() {
        true => Ok(first),
        false => Err(bad_header(name)),
    }
}

/// The client's header `name`, which goes on without being signed.
///
/// # Errors
/// 400: it holds what no header may.
fn to_send<'a>(headers: Headers<'a>, name: &str) -> Result<Option<&'a str>, Refusal> {
    let value = value(headers, name);
    match value.is_none_or(can_be_sent) {
        true => Ok(value),
        false => Err(bad_header(name)),
    }
}

/// Whether a value is text without control characters.
fn can_be_sent(value: &str) -> bool {
    let odd = |c: char| (c.is_control() && c != '\t') || c == char::REPLACEMENT_CHARACTER;
    !value.contains(odd)
}

fn bad_header(name: &str) -> Refusal {
    Refusal::validation(format!(
        "The header {name} is given twice, or has a character that it must not have."
    ))
}

/// Whether a guardrail is named in headers.
fn takes_guardrail_headers(operation: Operation) -> bool {
    match operation {
        Operation::VendorApi { api, .. } => native::vendor::takes_guardrail(api),
        _ => operation.is_invoke(),
    }
}

/// The first header called `name` (in lower case).
fn value<'a>(headers: Headers<'a>, name: &str) -> Option<&'a str> {
    headers
        .iter()
        .find(|(known, _)| known.eq_ignore_ascii_case(name))
        .map(|(_, value)| *value)
}

/// The names in the `SignedHeaders` of a SigV4 authorization; none for a bearer key.
fn signed_headers(authorization: &str) -> impl Iterator<Item = &str> + Clone {
    let list = authorization
        .split_once("SignedHeaders=")
        .and_then(|(_, rest)| rest.split([',', ' ']).next())
        .unwrap_or_default();
    list.split(';')
}

/// What the connection to Bedrock has its own of: never the client's, even if it signed them (which no SDK does but for
/// `host` and `content-length`; with a `transfer-encoding` of its own a client could smuggle a second request).
const OF_THE_CONNECTION: [&str; 12] = [
    "connection",
    "content-length",
    "cookie",
    "expect",
    "host",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Headers of InvokeModel and InvokeModelWithResponseStream.
/// <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_InvokeModel.html>
const INVOKE_HEADERS: [&str; 7] = [
    "x-amzn-bedrock-accept",
    "x-amzn-bedrock-trace",
    "x-amzn-bedrock-guardrailidentifier",
    "x-amzn-bedrock-guardrailversion",
    "x-amzn-bedrock-performanceconfig-latency",
    "x-amzn-bedrock-service-tier",
    "x-amzn-bedrock-request-metadata",
];

const GUARDRAIL_HEADERS: [&str; 3] = [
    "x-amzn-bedrock-guardrailidentifier",
    "x-amzn-bedrock-guardrailversion",
    "x-amzn-bedrock-trace",
];
