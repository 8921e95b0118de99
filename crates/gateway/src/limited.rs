//! What a limit of this gateway tells a client that it refuses.

use std::time::Duration;

/// What a limit says to who is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limited {
    /// What there is too much of.
    pub of: LimitOf,
    /// When it is worth coming back.
    pub wait: Duration,
    /// Any number: by how much clients are told to come back later than that.
    pub random: u32,
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
    /// them not to.
    pub(crate) fn headers(self, sdks: Sdks) -> Vec<(&'static str, String)> {
        let is_long = self.wait > LONG;
        let wait = self.spread(if is_long { LONGEST } else { LONG });
        let wait = wait.as_nanos().div_ceil(1_000_000);
        let mut headers = Vec::new();
        if !is_long || sdks != Sdks::Cohere {
            headers.push(("Retry-After", wait.div_ceil(1000).to_string()));
        }
        if wait < SHORT.as_millis() {
            let name = match sdks {
                Sdks::Aws => "x-amz-retry-after",
                Sdks::Vendors | Sdks::Cohere => "retry-after-ms",
            };
            headers.push((name, wait.to_string()));
        }
        if is_long {
            headers.push(("x-should-retry", "false".to_owned()));
        }
        headers
    }

    /// The wait and up to a tenth more, so that those who are refused together do not come back together. Never less: who comes too
    /// early is refused once more, and SDKs come back only twice.
    fn spread(self, most: Duration) -> Duration {
        let wait = self.wait.clamp(Duration::from_millis(1), most);
        let part = f64::from(self.random) / f64::from(u32::MAX);
        wait.mul_f64(1.0 + 0.1 * part).min(most)
    }
}

/// Who is told, which decides what is obeyed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sdks {
    /// AWS's: a header of milliseconds alone.
    Aws,
    /// OpenAI's and Anthropic's.
    Vendors,
    /// Cohere's: no header makes it give up, and it sleeps a minute before each attempt if `Retry-After` says more.
    Cohere,
}

/// Below this, SDKs may wait to the millisecond.
const SHORT: Duration = Duration::from_secs(10);
/// Above this, they shall not wait.
const LONG: Duration = Duration::from_secs(60);
/// Nobody is told more.
const LONGEST: Duration = Duration::from_secs(86_400);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_sdks_are_told_depends_on_the_wait() {
        let told = |sdks, milliseconds, random| {
            let limited = Limited {
                of: LimitOf::Requests,
                wait: Duration::from_millis(milliseconds),
                random,
            };
            let headers = limited.headers(sdks);
            let lines: Vec<String> = headers
                .into_iter()
                .map(|(name, value)| format!("{name}: {value}"))
                .collect();
            lines.join(", ")
        };
        let headers = |milliseconds, random| told(Sdks::Vendors, milliseconds, random);
        assert_eq!(headers(0, 0), "Retry-After: 1, retry-after-ms: 1");
        assert_eq!(headers(1, 0), "Retry-After: 1, retry-after-ms: 1");
        assert_eq!(headers(1000, 0), "Retry-After: 1, retry-after-ms: 1000");
        assert_eq!(headers(9_999, 0), "Retry-After: 10, retry-after-ms: 9999");
        assert_eq!(headers(10_000, 0), "Retry-After: 10");
        assert_eq!(headers(60_000, 0), "Retry-After: 60");
        assert_eq!(headers(60_001, 0), "Retry-After: 61, x-should-retry: false");
        assert_eq!(
            headers(u64::MAX, 0),
            "Retry-After: 86400, x-should-retry: false"
        );
        // A tenth more, but who may come back is never told more than a minute.
        assert_eq!(
            headers(1000, u32::MAX),
            "Retry-After: 2, retry-after-ms: 1100"
        );
        assert_eq!(headers(9_999, u32::MAX), "Retry-After: 11");
        assert_eq!(headers(60_000, u32::MAX), "Retry-After: 60");
        assert_eq!(
            headers(100_000, u32::MAX),
            "Retry-After: 110, x-should-retry: false"
        );
        assert_eq!(
            headers(86_400_000, u32::MAX),
            "Retry-After: 86400, x-should-retry: false"
        );
        assert_eq!(
            told(Sdks::Aws, 1000, 0),
            "Retry-After: 1, x-amz-retry-after: 1000"
        );
        assert_eq!(
            told(Sdks::Cohere, 1000, 0),
            "Retry-After: 1, retry-after-ms: 1000"
        );
        assert_eq!(told(Sdks::Cohere, 60_001, 0), "x-should-retry: false");
    }
}
