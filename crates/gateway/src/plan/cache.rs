//! What a request asks of the prompt cache.

use memchr::memmem;

/// Whether a body has a `ttl` of an hour: Anthropic's `cache_control`, or a `cachePoint` of Converse. It is looked for as it stands
/// there: inside of a text, its quotes would be escaped.
pub fn asks_for_an_hour(body: &[u8]) -> bool {
    memmem::find_iter(body, HOUR).any(|at| {
        let before = body.get(..at).unwrap_or_default().trim_ascii_end();
        let name = before.strip_suffix(b":").map(<[u8]>::trim_ascii_end);
        name.is_some_and(|name| name.ends_with(NAME))
    })
}

const HOUR: &[u8] = br#""1h""#;
const NAME: &[u8] = br#""ttl""#;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hour_is_a_member_and_no_text() {
        for (body, asks) in [
            (r#"{"cache_control":{"type":"ephemeral","ttl":"1h"}}"#, true),
            ("{\"cachePoint\":{\"ttl\" :\n \"1h\"}}", true),
            (r#"{"text":"1h","cachePoint":{"ttl":"1h"}}"#, true),
            (r#"{"cachePoint":{"ttl":"5m"}}"#, false),
            (r#"{"text":"1h"}"#, false),
            (r#"{"text":"\"ttl\":\"1h\""}"#, false),
            (r#"["ttl","1h"]"#, false),
            ("", false),
        ] {
            assert_eq!(asks_for_an_hour(body.as_bytes()), asks, "{body}");
        }
    }
}
