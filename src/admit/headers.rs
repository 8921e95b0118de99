//! The headers in which SDKs and people look for how they stand: OpenAI's and Anthropic's own.

use std::time::{SystemTime, UNIX_EPOCH};

use gateway::Api;
use quota::{FOR_EVER, GoDuration, Rfc3339};

use super::held::Limits;

/// The headers in which SDKs and people look for how they stand.
pub fn headers(limits: &Limits, api: Api) -> Vec<(&'static str, String)> {
    let [requests, tokens] = limits.standings;
    let names = match api {
        Api::OpenAi | Api::Responses => [OPENAI_REQUESTS, OPENAI_TOKENS],
        Api::Anthropic => [ANTHROPIC_REQUESTS, ANTHROPIC_TOKENS],
        _ => return Vec::new(),
    };
    let mut headers = Vec::new();
    for (names, standing) in names.into_iter().zip([requests, tokens]) {
        let Some(standing) = standing else { continue };
        let reset = match (standing.reset, api) {
            (FOR_EVER, _) => None,
            (reset, Api::Anthropic) => {
                Some(Rfc3339(wall_seconds().saturating_add(reset.as_secs())).to_string())
            }
            (reset, _) => Some(GoDuration(reset).to_string()),
        };
        let values = [
            Some(standing.limit.to_string()),
            Some(standing.remaining.to_string()),
            reset,
        ];
        let named = names.into_iter().zip(values);
        headers.extend(named.filter_map(|(name, value)| Some((name, value?))));
    }
    headers
}

fn wall_seconds() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.unwrap_or_default().as_secs()
}

const OPENAI_REQUESTS: [&str; 3] = [
    "x-ratelimit-limit-requests",
    "x-ratelimit-remaining-requests",
    "x-ratelimit-reset-requests",
];
const OPENAI_TOKENS: [&str; 3] = [
    "x-ratelimit-limit-tokens",
    "x-ratelimit-remaining-tokens",
    "x-ratelimit-reset-tokens",
];
const ANTHROPIC_REQUESTS: [&str; 3] = [
    "anthropic-ratelimit-requests-limit",
    "anthropic-ratelimit-requests-remaining",
    "anthropic-ratelimit-requests-reset",
];
const ANTHROPIC_TOKENS: [&str; 3] = [
    "anthropic-ratelimit-tokens-limit",
    "anthropic-ratelimit-tokens-remaining",
    "anthropic-ratelimit-tokens-reset",
];
