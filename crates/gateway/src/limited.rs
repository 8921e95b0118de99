//! What a limit of this gateway tells a client that it refuses.

use std::time::Duration;

/// What a limit says to who is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limited {
    /// What there is too much of.
    pub of: LimitOf,
    /// When it is worth coming back.
    pub wait: Duration,
}

/// What a limit counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitOf {
    /// Requests.
    Requests,
    /// Tokens, or what they cost, in a time.
    Tokens,
    /// What may be spent in a window of time: another request will not pass before that ends.
    Quota,
}

impl LimitOf {
    /// As OpenAI's errors call it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Tokens => "tokens",
            Self::Quota => "insufficient_quota",
        }
    }
}

impl Limited {
    /// The headers that tell SDKs when to come back. They sleep for as long as `Retry-After` says, an hour too, so a long wait tells
    /// them not to; the first millisecond header is OpenAI's and Anthropic's, the other AWS's.
    pub(crate) fn headers(self, milliseconds: &'static str) -> Vec<(&'static str, String)> {
        let wait = self.wait.as_millis();
        let mut headers = vec![("Retry-After", wait.div_ceil(1000).to_string())];
        if self.wait < SHORT {
            headers.push((milliseconds, wait.to_string()));
        }
        if self.wait > LONG {
            headers.push(("x-should-retry", "false".to_owned()));
        }
        headers
    }
}

/// Below this, SDKs may wait to the millisecond.
const SHORT: Duration = Duration::from_secs(10);
/// Above this, they shall not wait.
const LONG: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_sdks_are_told_depends_on_the_wait() {
        let headers = |milliseconds| {
            let limited = Limited {
                of: LimitOf::Requests,
                wait: Duration::from_millis(milliseconds),
            };
            let headers = limited.headers("retry-after-ms");
            let lines: Vec<String> = headers
                .into_iter()
                .map(|(name, value)| format!("{name}: {value}"))
                .collect();
            lines.join(", ")
        };
        assert_eq!(headers(1), "Retry-After: 1, retry-after-ms: 1");
        assert_eq!(headers(1000), "Retry-After: 1, retry-after-ms: 1000");
        assert_eq!(headers(9_999), "Retry-After: 10, retry-after-ms: 9999");
        assert_eq!(headers(10_000), "Retry-After: 10");
        assert_eq!(headers(60_000), "Retry-After: 60");
        assert_eq!(headers(60_001), "Retry-After: 61, x-should-retry: false");
    }
}
