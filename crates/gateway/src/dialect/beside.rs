//! Models that a request names beside the one that it is sent to: a tool's that asks another model, fallbacks, a router's.
//! <https://platform.claude.com/docs/en/agents-and-tools/tool-use/advisor-tool>

use super::Api;
use crate::bedrock::{Operation, model_id};
use crate::json::values::{Kind, strings_by_member};
use crate::refusal::Refusal;
use crate::request::Request;
use crate::settings::Settings;

/// Holds all models that the body of a request names against those that the operator allows. `called` is allowed already;
/// `translated`: of the body's members only those go on that a dialect knows.
///
/// # Errors
/// 403: one is not allowed.
pub fn check(
    request: &Request,
    translated: bool,
    called: Option<&str>,
    settings: &Settings<'_>,
    body: &[u8],
) -> Result<(), Refusal> {
    if settings.allow_models.is_empty() {
        return Ok(());
    }
    let replaced = request.api != Api::Native
        || matches!(request.operation, Some(Operation::VendorApi { .. }));
    let kind = |name: &str, depth| match kind_of(name) {
        // The gateway puts the model that it calls in its place.
        Kind::Wanted if depth == 1 && replaced && name == "model" => Kind::PassedOver,
        // No such member goes on.
        Kind::Wanted if depth == 1 && translated => Kind::PassedOver,
        kind => kind,
    };
    let body = String::from_utf8_lossy(body);
    let denied = strings_by_member(&body, kind, |is_model, value| {
        // A name that is no Unicode is no model's.
        let named = value.decode();
        let counts = is_model || is_arn_of_model(&named);
        let allowed = || called == Some(&*named) || allows(&named, settings);
        (counts && !allowed()).then(|| refusal(&named))
    });
    denied.map_or(Ok(()), Err)
}

fn allows(named: &str, settings: &Settings<'_>) -> bool {
    let bare = model_id::without_tail(named);
    settings.allows(settings.model_of_alias(bare).unwrap_or(bare))
}

fn refusal(named: &str) -> Refusal {
    Refusal::denied(match model_id::check(named) {
        Ok(()) => format!(
            "This gateway does not allow the model {named}, which the request names beside its own."
        ),
        Err(_) => {
            "The request names a model beside its own that this gateway does not allow.".into()
        }
    })
}

/// What a member may say of models, whatever the API: `model`, `models`, `fallbacks`, `modelId`, `fallback_model` …
fn kind_of(name: &str) -> Kind {
    if CONTENT.contains(&name) {
        return Kind::PassedOver;
    }
    let plain: String = name
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|c| c.to_ascii_lowercase())
        .collect();
    if NAMES_MODELS.iter().any(|ending| plain.ends_with(ending)) {
        return Kind::Wanted;
    }
    match PARTS.contains(&plain.as_str()) {
        true => Kind::Part,
        false => Kind::Other,
    }
}

/// Whether this is the ARN of something that answers.
fn is_arn_of_model(value: &str) -> bool {
    let mut parts = value.splitn(6, ':');
    let (arn, service, resource) = (parts.next(), parts.nth(1), parts.nth(2));
    let kind = resource.and_then(|resource| resource.split(['/', ':']).next());
    arn == Some("arn")
        && matches!(service, Some("bedrock" | "sagemaker"))
        && kind.is_some_and(|kind| MODELS_RESOURCES.contains(&kind))
}

/// How the names of members end that name models.
const NAMES_MODELS: [&str; 11] = [
    "model",
    "models",
    "modelid",
    "modelids",
    "modelarn",
    "modelarns",
    "modelname",
    "modelnames",
    "modelidentifier",
    "fallbacks",
    "promptrouter",
];

/// Where an object stands for a model, its members that name it.
const PARTS: [&str; 4] = ["arn", "id", "identifier", "name"];

/// Resources of Bedrock, and of its marketplace, that take the place of a model's id.
const MODELS_RESOURCES: [&str; 12] = [
    "application-inference-profile",
    "custom-model",
    "custom-model-deployment",
    "default-prompt-router",
    "endpoint",
    "foundation-model",
    "imported-model",
    "inference-profile",
    "marketplace",
    "prompt",
    "prompt-router",
    "provisioned-model",
];

/// Members in which names and texts are the client's own: conversations, schemas, labels. No API looks for models there.
const CONTENT: [&str; 39] = [
    "arguments",
    "chat_history",
    "content",
    "description",
    "documents",
    "examples",
    "images",
    "input",
    "inputSchema",
    "inputText",
    "input_examples",
    "input_schema",
    "inputs",
    "instructions",
    "jsonSchema",
    "json_schema",
    "labels",
    "logit_bias",
    "message",
    "messages",
    "metadata",
    "outputConfig",
    "output_config",
    "output_format",
    "parameter_definitions",
    "parameters",
    "preamble",
    "prompt",
    "promptVariables",
    "requestMetadata",
    "response_format",
    "schema",
    "stop",
    "stop_sequences",
    "system",
    "text",
    "texts",
    "tool_choice",
    "tool_results",
];
