//! A request that has ended, as far as it is counted.

use crate::labels::Labels;

/// A request that has ended.
#[derive(Clone, Debug)]
pub struct Ended {
    /// What it is counted for.
    pub labels: Labels,
    /// Whether its labels get counters of their own if they have none yet: a client's word alone makes none.
    pub is_known: bool,
    /// As the access log has it.
    pub status: u16,
    /// Microseconds from its first byte to its end.
    pub duration: u64,
    /// Microseconds to the first content of a stream.
    pub time_to_first_token: Option<u64>,
    /// Microseconds between two tokens of a stream.
    pub time_per_output_token: Option<u64>,
    /// What was used, where that is known.
    pub tokens: Option<Tokens>,
    /// Pico-dollars, where they are known.
    pub cost: Option<u64>,
    /// It used what costs, and there is no price for it.
    pub price_is_missing: bool,
    /// How a stream ended.
    pub stream: Option<&'static str>,
    /// Bedrock's exception.
    pub exception: Option<String>,
    /// Why what was used is not known.
    pub usage_unknown: Option<UsageUnknown>,
    /// The day on which it ended, in days since 1970, UTC.
    pub day: u64,
}

/// Tokens of a request; none is counted twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tokens {
    /// Read, without the cached ones.
    pub input: u64,
    /// Generated.
    pub output: u64,
    /// Read from the prompt cache.
    pub cache_read: u64,
    /// Written to it for five minutes.
    pub cache_write: u64,
    /// Written to it for an hour.
    pub cache_write_1h: u64,
}

impl Tokens {
    pub(crate) fn all(self) -> [u64; 5] {
        [
            self.input,
            self.output,
            self.cache_read,
            self.cache_write,
            self.cache_write_1h,
        ]
    }

    /// Tokens of the prompt, cached ones too.
    pub(crate) fn prompt(self) -> u64 {
        let [input, _, rest @ ..] = self.all();
        rest.iter()
            .fold(input, |sum, tokens| sum.saturating_add(*tokens))
    }
}

/// Why what an answer has used is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UsageUnknown {
    /// The client went away.
    Aborted,
    /// It broke off, or was damaged.
    Truncated,
    /// An error ended it after it had begun.
    Error,
    /// It was whole, and did not say.
    Absent,
}

impl UsageUnknown {
    pub(crate) const ALL: [Self; 4] = [Self::Aborted, Self::Truncated, Self::Error, Self::Absent];

    /// As the metrics have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Aborted => "aborted",
            Self::Truncated => "truncated",
            Self::Error => "error",
            Self::Absent => "absent",
        }
    }
}
