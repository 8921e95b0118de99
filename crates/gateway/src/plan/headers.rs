//! The headers of a call: which of the client's go on, and which the signature covers.

use std::borrow::Cow;

use super::{Headers, is_models_own};
use crate::bedrock::{Operation, VendorApi};
use crate::dialect::{Api, native};
use crate::refusal::Refusal;
use crate::settings::Settings;

/// Converse takes JSON only; invoke takes whatever the model does.
pub(super) fn check_content_type(is_models_own: bool, headers: Headers<'_>) -> Result<(), Refusal> {
    match is_models_own || says_json(headers) {
        true => Ok(()),
        false => Err(Refusal::from_status(415)),
    }
}

/// Whether the body is JSON by what the client says, or does not say.
pub(super) fn says_json(headers: Headers<'_>) -> bool {
    value(headers, "content-type").is_none_or(|sent| {
        let essence = sent.split(';').next().unwrap_or_default();
        essence.trim().eq_ignore_ascii_case("application/json")
    })
}

/// The only client headers that go on, and what the gateway says itself.
pub(super) fn headers_to_send(
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
    match vendor_api {
        Some(VendorApi::AnthropicMessages | VendorApi::AnthropicCountTokens) => {
            pass("anthropic-version")?;
            pass("anthropic-beta")?;
        }
        Some(_) => pass(OPENAI_PROJECT)?,
        None => {}
    }
    if vendor_api.is_some() {
        let accept = match operation.streams() {
            true => "text/event-stream",
            false => "application/json",
        };
        sent.push(("accept".into(), accept.to_owned()));
    }
    if takes_guardrail_headers(operation, settings)
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

/// The client's headers that go on with a call that passes as it is: what AWS's operations are documented to take.
pub(super) fn passed_headers(
    api: Api,
    headers: Headers<'_>,
) -> Result<Vec<(Cow<'static, str>, String)>, Refusal> {
    let mut sent: Vec<(Cow<'static, str>, String)> =
        vec![("accept-encoding".into(), "identity".to_owned())];
    for (name, _) in headers {
        let name = name.to_ascii_lowercase();
        // Only there the body is still as the client has encoded it.
        let is_undone = name == "content-encoding" && api != Api::Aws;
        if is_undone || !passes(&name) || sent.iter().any(|(known, _)| *known == name) {
            continue;
        }
        let value = match is_signed(&name) {
            true => to_sign(headers, &name)?,
            false => to_send(headers, &name)?,
        };
        sent.extend(value.map(|value| (name.into(), value.to_owned())));
    }
    Ok(sent)
}

fn passes(name: &str) -> bool {
    let is_of_aws = name.starts_with("x-amz-") || name.starts_with("x-amzn-");
    PASSED_HEADERS.contains(&name) || (is_of_aws && !OF_SIGNATURES.contains(&name))
}

/// Whether the signature covers a header. What a proxy on the way may change stays out of it.
pub(super) fn is_signed(name: &str) -> bool {
    name == "content-type" || (name.starts_with("x-amz") && name != "x-amzn-trace-id")
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
pub(super) fn can_be_sent(value: &str) -> bool {
    let odd = |c: char| (c.is_control() && c != '\t') || c == char::REPLACEMENT_CHARACTER;
    !value.contains(odd)
}

pub(super) fn bad_header(name: &str) -> Refusal {
    Refusal::validation(format!(
        "The header {name} is given twice, or has a character that it must not have."
    ))
}

/// Whether a guardrail is named in headers.
pub(super) fn takes_guardrail_headers(operation: Operation, settings: &Settings<'_>) -> bool {
    match operation {
        Operation::VendorApi { api, .. } => native::vendor::takes_guardrail(api, settings),
        _ => operation.is_invoke(),
    }
}

/// The first header called `name` (in lower case).
pub(super) fn value<'a>(headers: Headers<'a>, name: &str) -> Option<&'a str> {
    headers
        .iter()
        .find(|(known, _)| known.eq_ignore_ascii_case(name))
        .map(|(_, value)| *value)
}

/// The names in the `SignedHeaders` of a SigV4 authorization; none for a bearer key.
pub(super) fn signed_headers(authorization: &str) -> impl Iterator<Item = &str> + Clone {
    let list = authorization
        .split_once("SignedHeaders=")
        .and_then(|(_, rest)| rest.split([',', ' ']).next())
        .unwrap_or_default();
    list.split(';')
}

/// What the connection to Bedrock has its own of: never the client's, even if it signed them (which no SDK does but for
/// `host` and `content-length`; with a `transfer-encoding` of its own a client could smuggle a second request).
pub(super) const OF_THE_CONNECTION: [&str; 12] = [
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
const INVOKE_HEADERS: [&str; 8] = [
    "x-amzn-bedrock-accept",
    "x-amzn-bedrock-trace",
    "x-amzn-bedrock-guardrailidentifier",
    "x-amzn-bedrock-guardrailversion",
    "x-amzn-bedrock-performanceconfig-latency",
    "x-amzn-bedrock-service-tier",
    "x-amzn-bedrock-request-metadata",
    "x-amzn-bedrock-projectidentifier",
];

/// Whose project pays, in OpenAI's APIs.
/// <https://docs.aws.amazon.com/bedrock/latest/userguide/projects.html>
const OPENAI_PROJECT: &str = "openai-project";

/// Headers that operations of AWS's are documented to take, beside its own `x-amz-` and `x-amzn-`; the last of them AgentCore's.
/// <https://docs.aws.amazon.com/bedrock-agentcore/latest/APIReference/API_InvokeAgentRuntime.html>
const PASSED_HEADERS: [&str; 14] = [
    "accept",
    "anthropic-beta",
    "anthropic-version",
    "content-encoding",
    "content-type",
    "if-match",
    "if-none-match",
    OPENAI_PROJECT,
    "user-agent",
    "baggage",
    "mcp-protocol-version",
    "mcp-session-id",
    "traceparent",
    "tracestate",
];

/// Headers of a signature, which is the gateway's, not the client's.
const OF_SIGNATURES: [&str; 4] = [
    "x-amz-content-sha256",
    "x-amz-date",
    "x-amz-region-set",
    "x-amz-security-token",
];

const GUARDRAIL_HEADERS: [&str; 3] = [
    "x-amzn-bedrock-guardrailidentifier",
    "x-amzn-bedrock-guardrailversion",
    "x-amzn-bedrock-trace",
];
