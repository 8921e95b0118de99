//! Paths of the vendors' APIs that this gateway does not serve. Without this list a request to one would be taken for plain
//! Converse, which may have any path, and its client would read a misleading error, or a wrong answer.

use memchr::memchr_iter;

use super::Api;
use crate::refusal::Refusal;

/// Whose API a path belongs to and what it names there, if that is not served.
pub fn of(path: &str) -> Option<(Api, &'static str)> {
    let path = path.strip_suffix('/').unwrap_or(path);
    let find = |api, list: &[&'static str]| {
        let mut versions = versions(path);
        versions.find_map(|rest| {
            let named = list.iter().find(|name| begins(rest, name))?;
            Some((api, *named))
        })
    };
    find(Api::Anthropic, &ANTHROPIC).or_else(|| find(Api::OpenAi, &OPENAI))
}

/// The answer to a request for it: 404.
pub fn refusal(what: &str) -> Refusal {
    Refusal::new(
        404,
        "UnknownOperationException",
        format!("This gateway does not serve {what}."),
    )
}

/// What of the path begins with an API's version: `/v1/…`.
fn versions(path: &str) -> impl Iterator<Item = &str> {
    let segments = memchr_iter(b'/', path.as_bytes()).filter_map(|at| path.get(at..));
    segments.filter(|rest| rest.starts_with("/v"))
}

/// Whether a path begins with `name`, and this ends at its end or before an id.
fn begins(path: &str, name: &str) -> bool {
    let rest = path.strip_prefix(name);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// <https://docs.claude.com/en/api/overview>
const ANTHROPIC: [&str; 6] = [
    "/v1/messages/batches",
    "/v1/complete",
    "/v1/skills",
    "/v1/organizations",
    "/v1/agents",
    "/v1/environments",
];

/// <https://platform.openai.com/docs/api-reference>, and what others serve in its form.
const OPENAI: [&str; 25] = [
    "/v1/conversations",
    "/v1/completions",
    "/v1/images/generations",
    "/v1/images/edits",
    "/v1/images/variations",
    "/v1/audio/speech",
    "/v1/audio/transcriptions",
    "/v1/audio/translations",
    "/v1/audio/voices",
    "/v1/videos",
    "/v1/moderations",
    "/v1/files",
    "/v1/uploads",
    "/v1/batches",
    "/v1/fine_tuning",
    "/v1/evals",
    "/v1/containers",
    "/v1/vector_stores",
    "/v1/assistants",
    "/v1/threads",
    "/v1/realtime",
    "/v1/chatkit",
    "/v1/organization",
    "/v1/engines",
    "/v1/score",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_served_belongs_to_an_api() {
        for (path, api) in [
            ("/v1/images/generations", Api::OpenAi),
            ("/llm/v1/audio/speech/", Api::OpenAi),
            ("/v1/completions", Api::OpenAi),
            ("/v1/score", Api::OpenAi),
            ("/v1/v1/files/file-1", Api::OpenAi),
            ("/v1/messages/batches", Api::Anthropic),
            ("/v1/messages/batches/b1/results", Api::Anthropic),
            ("/v1/complete", Api::Anthropic),
        ] {
            assert_eq!(of(path).map(|(api, _)| api), Some(api), "{path}");
        }
    }

    #[test]
    fn what_is_served_or_nobodys_is_none() {
        for path in [
            "/v1/chat/completions",
            "/v1/messages",
            "/v1/messages/count_tokens",
            "/v1/embeddings",
            "/v1/rerank",
            "/v2/rerank",
            "/v1/models/a",
            "/chat",
            "/",
            "/v1/filesystem",
            "/v1/completionsx",
        ] {
            assert_eq!(of(path), None, "{path}");
        }
    }
}
