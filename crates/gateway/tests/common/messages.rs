//! Messages requests, planned.
// No test needs all of it.
#![allow(dead_code)]

use gateway::settings::{Anthropic, Via};
use gateway::{Plan, Refusal, Settings};
use serde_json::{Value, json};

use crate::common::settings;
use crate::planning::{planned, sent};

pub const CLAUDE: &str = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";
pub const MESSAGES: &str = "/v1/messages";
pub const COUNT: &str = "/v1/messages/count_tokens";

pub fn by_converse() -> Settings<'static> {
    Settings {
        anthropic: Anthropic {
            via: Via::Converse,
            ..Anthropic::default()
        },
        ..settings()
    }
}

/// What is sent for a Messages request.
pub fn asked(body: &Value, settings: &Settings<'_>, headers: &[(&str, &str)]) -> (Plan, Value) {
    let body = body.to_string();
    let plan = planned(MESSAGES, settings, headers, &body).unwrap();
    let sent = serde_json::from_str(&sent(&plan, &body)).unwrap();
    (plan, sent)
}

/// The Converse body for a request to this model, which has only what `with` says beside model and limit.
pub fn converse(model: &str, with: Value) -> Value {
    let mut body =
        json!({"model": model, "max_tokens": 10, "messages": [{"role": "user", "content": "Hi"}]});
    body.as_object_mut()
        .unwrap()
        .extend(with.as_object().unwrap().clone());
    asked(&body, &by_converse(), &[]).1
}

pub fn refused(body: &Value, settings: &Settings<'_>) -> Refusal {
    planned(MESSAGES, settings, &[], &body.to_string()).unwrap_err()
}
