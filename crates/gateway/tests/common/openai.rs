//! OpenAI's dialect in the tests: what a Chat Completions request becomes.
#![allow(dead_code, reason = "each file of tests uses a part of it")]

use gateway::{Refusal, Settings};
use serde_json::Value;

use crate::common::settings;
use crate::planning::{JSON, planned, sent};

pub const CHAT: &str = "/v1/chat/completions";
/// What no message may repeat: it stands in the requests that are refused.
pub const SECRET: &str = "S3CRET";

/// The body for Bedrock, as it is spelt.
pub fn spelt(body: &str) -> String {
    spelt_for(&settings(), body)
}

/// The same in a location of these settings.
pub fn spelt_for(settings: &Settings<'_>, body: &str) -> String {
    let plan = planned(CHAT, settings, &[JSON], body)
        .unwrap_or_else(|refusal| panic!("{refusal} for {body}"));
    sent(&plan, body)
}

/// The body for Bedrock.
pub fn converse(body: &str) -> Value {
    serde_json::from_str(&spelt(body)).unwrap()
}

/// The refusal of a request, which is the client's fault and repeats nothing of what it sent.
pub fn refused(body: &str) -> Refusal {
    let refusal = match planned(CHAT, &settings(), &[JSON], body) {
        Err(refusal) => refusal,
        Ok(plan) => panic!("{body} became {}", sent(&plan, body)),
    };
    assert_eq!(refusal.status, 400, "{body}");
    assert_eq!(refusal.exception, "ValidationException");
    assert!(!refusal.to_string().contains(SECRET), "{refusal}");
    assert!(!format!("{:?}", refusal.param).contains(SECRET));
    refusal
}

/// Which parameter is wrong, and how.
pub fn wrong(body: &str) -> (String, String) {
    let refusal = refused(body);
    (
        refusal.param.unwrap_or_default().into(),
        refusal.message.into_owned(),
    )
}
