//! bedrock-mantle: OpenAI's and Anthropic's own APIs at a host of their own, with responses that are stored.
//! <https://docs.aws.amazon.com/bedrock/latest/userguide/inference-responses-api.html>

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use hyper::{Response, StatusCode, body::Bytes};
use serde_json::{Value, json};

use crate::{auth, errors::Refusal, operations::Operation, request::Head, server};

/// The name of the service in a signature's scope.
pub const SERVICE: &str = "bedrock-mantle";

/// Whether a request is for this host: it is signed so, or there is no signature and no other host has the path.
pub fn is_for(head: &Head) -> bool {
    match auth::claim(head).service {
        Some(service) => service == SERVICE,
        None => path(head).starts_with("/v1/"),
    }
}

/// What a POST asks a model for.
pub fn operation(head: &Head) -> Option<Operation> {
    let path = path(head);
    Some(match path.strip_prefix("/openai").unwrap_or(path) {
        "/v1/chat/completions" => Operation::OpenAiChat,
        "/v1/responses" => Operation::OpenAiResponses,
        "/anthropic/v1/messages" => Operation::AnthropicMessages,
        _ => return None,
    })
    .filter(|_| head.method == "POST")
}

/// Checks that the path is the one under which the model is served.
pub fn check(head: &Head, model: &str) -> Result<(), Refusal> {
    let path = path(head);
    let expected = OPENAI_V1.iter().any(|prefix| model.starts_with(prefix));
    if path.starts_with("/anthropic/") || path.starts_with("/openai/") == expected {
        return Ok(());
    }
    let message = format!("model `{model}` isn't supported on this route");
    let mut refusal = Refusal::validation(&message);
    refusal.members.insert(
        "error".to_owned(),
        json!({"code": "validation_error", "message": message, "param": null, "type": "invalid_request_error"}),
    );
    Err(refusal)
}

/// Responses by their ids.
#[derive(Debug, Default)]
pub struct Stored(Mutex<BTreeMap<String, Value>>);

impl Stored {
    /// Keeps a response; gives it with its own id, and as it is at first: one in the background is not done.
    pub fn keep(&self, mut response: Value, background: bool) -> Value {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let id = format!("resp_Sim{:04}", all.len() + 1);
        if let Some(members) = response.as_object_mut() {
            members.insert("id".to_owned(), json!(id));
            members.insert("background".to_owned(), json!(background));
        }
        all.insert(id, response.clone());
        if background && let Some(members) = response.as_object_mut() {
            members.insert("status".to_owned(), json!("queued"));
            members.insert("output".to_owned(), json!([]));
            members.remove("usage");
        }
        response
    }

    /// The answer to a request that asks no model for anything; `None` if it does.
    pub fn answer(&self, head: &Head, body: &[u8]) -> Option<Response<Bytes>> {
        if !is_for(head) || operation(head).is_some() {
            return None;
        }
        let path = path(head);
        let bare = path.strip_prefix("/openai").unwrap_or(path);
        let segments: Vec<&str> = bare.split('/').collect();
        let json = match (head.method.as_str(), segments.as_slice()) {
            ("GET" | "HEAD", ["", "v1", "models"]) => {
                let models = ["openai.gpt-oss-120b", "openai.gpt-5.5", "zai.glm-4.7"].map(model);
                Some(json!({"object": "list", "data": models}))
            }
            ("GET", ["", "v1", "models", id]) => Some(model(id)),
            ("POST", ["", "v1", "responses", "input_tokens"]) => counted(body, "model")
                .map(|()| json!({"object": "response.input_tokens", "input_tokens": 42})),
            ("POST", ["", "anthropic", "v1", "messages", "count_tokens"]) => {
                counted(body, "messages").map(|()| json!({"input_tokens": 43}))
            }
            (method, ["", "v1", "responses", id, rest @ ..]) => self.of_stored(method, id, rest),
            _ => None,
        };
        Some(match json {
            Some(json) => server::json(&json),
            None => Refusal::new(
                StatusCode::NOT_FOUND,
                "ResourceNotFoundException",
                "Not found.",
            )
            .response(),
        })
    }

    fn of_stored(&self, method: &str, id: &str, rest: &[&str]) -> Option<Value> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let response = all.get_mut(id)?;
        Some(match (method, rest) {
            ("GET", []) => response.clone(),
            ("GET", ["input_items"]) => {
                json!({"object": "list", "data": [], "has_more": false, "first_id": null, "last_id": null})
            }
            ("POST", ["cancel"]) => {
                let members = response.as_object_mut()?;
                members.insert("status".to_owned(), json!("cancelled"));
                members.remove("usage");
                response.clone()
            }
            ("DELETE", []) => {
                all.remove(id);
                json!({"id": id, "object": "response", "deleted": true})
            }
            _ => return None,
        })
    }
}

fn counted(body: &[u8], required: &str) -> Option<()> {
    let body: Value = serde_json::from_slice(body).ok()?;
    body.get(required).map(|_| ())
}

fn model(id: &str) -> Value {
    json!({"id": id, "object": "model", "created": 1_700_000_000, "owned_by": "system"})
}

fn path(head: &Head) -> &str {
    head.target.split('?').next().unwrap_or_default()
}

/// Models that are served under `/openai/v1/`; all others are under `/v1/`.
const OPENAI_V1: [&str; 5] = [
    "google.gemma-4",
    "openai.gpt-5",
    "openai.gpt-6",
    "openai.gpt-daybreak",
    "xai.grok",
];
