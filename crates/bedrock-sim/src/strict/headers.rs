//! What Bedrock must never see from a gateway: headers that were meant for it, and single headers twice.

use crate::{errors::Refusal, request::Head};

/// Refuses a request whose headers a gateway should have removed, and names the header.
pub fn check(head: &Head) -> Result<(), Refusal> {
    for (name, _) in &head.headers {
        let lower = name.to_ascii_lowercase();
        let is_anthropics_own =
            head.target.starts_with("/anthropic/") && ANTHROPICS.contains(&lower.as_str());
        let is_openais_own = lower == "openai-project" && head.target.contains("/v1/");
        if is_anthropics_own || is_openais_own {
            continue;
        }
        if FORBIDDEN.contains(&lower.as_str())
            || PREFIXES.iter().any(|prefix| lower.starts_with(prefix))
        {
            return Err(Refusal::validation(format!(
                "The header {name} should not have come this far."
            )));
        }
    }
    for name in ["content-length", "authorization", "host"] {
        if head.values(name).nth(1).is_some() {
            return Err(Refusal::validation(format!(
                "There is more than one {name} header."
            )));
        }
    }
    Ok(())
}

const FORBIDDEN: [&str; 6] = [
    "cookie",
    "x-forwarded-for",
    "x-api-key",
    "expect",
    "te",
    "amz-sdk-invocation-id",
];
/// What Anthropic's own API takes.
const ANTHROPICS: [&str; 2] = ["anthropic-version", "anthropic-beta"];
const PREFIXES: [&str; 3] = ["openai-", "anthropic-", "x-stainless-"];

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(headers: &[&str]) -> Option<String> {
        let headers = headers
            .iter()
            .map(|name| ((*name).to_owned(), b"1".to_vec()))
            .collect();
        let head = Head {
            method: "POST".to_owned(),
            target: "/".to_owned(),
            headers,
        };
        check(&head).err().map(|refusal| refusal.message)
    }

    #[test]
    fn headers_are_refused_by_name() {
        assert_eq!(
            refusal(&["Host", "Content-Length", "Authorization", "Accept"]),
            None
        );
        for name in [
            "Cookie",
            "x-API-key",
            "TE",
            "OpenAI-Beta",
            "anthropic-version",
            "X-Stainless-Lang",
        ] {
            assert!(refusal(&["Host", name]).unwrap().contains(name));
        }
        assert_eq!(
            refusal(&["Host", "host"]).unwrap(),
            "There is more than one host header."
        );
    }
}
