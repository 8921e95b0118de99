//! A copy of all counters as plain values, with what else is known at that moment.

use crate::ended::Tokens;
use crate::histogram::Distribution;
use crate::recent::Refusal;

/// All that is known.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// This module's version.
    pub version: String,
    /// nginx's.
    pub nginx: String,
    /// Now, in milliseconds since 1970.
    pub time: u64,
    /// The operator's labels, by name.
    pub labels: Vec<String>,
    /// What was counted.
    pub counted: Counted,
    /// What was spent today; `None` where there are no prices.
    pub today: Option<u128>,
    /// The price file.
    pub prices: Option<PriceFile>,
    /// The zones of limits.
    pub limits: Vec<LimitZone>,
    /// The sources of credentials that this worker fetches.
    pub credentials: Vec<Credentials>,
}

/// What was counted.
#[derive(Clone, Debug, Default)]
pub struct Counted {
    /// Since when, in milliseconds since 1970.
    pub since: u64,
    /// Workers that are alive.
    pub workers: u64,
    /// Requests under way.
    pub in_flight: u64,
    /// Streamed answers under way.
    pub open_streams: u64,
    /// By label set.
    pub series: Vec<SeriesCounts>,
    /// By model.
    pub models: Vec<ModelCounts>,
    /// By exception, those that occurred.
    pub exceptions: Vec<(&'static str, u64)>,
    /// By reason.
    pub usage_unknown: Vec<(&'static str, u64)>,
    /// Label sets that have counters of their own.
    pub used: usize,
    /// How many may have.
    pub capacity: usize,
    /// Requests that were counted as others for want of room.
    pub overflow: u64,
    /// The last refusals of limits, newest first.
    pub refusals: Vec<Refusal>,
}

/// What was counted for a label set.
#[derive(Clone, Debug, Default)]
pub struct SeriesCounts {
    /// The model that was called.
    pub model: String,
    /// What the client spoke.
    pub api: String,
    /// Bedrock's operation.
    pub operation: String,
    /// The operator's labels.
    pub labels: Vec<(String, String)>,
    /// Requests by status, those that occurred; 0 is any other.
    pub statuses: Vec<(u16, u64)>,
    /// What was used.
    pub tokens: Tokens,
    /// Pico-dollars.
    pub cost: u128,
    /// Requests that have no price.
    pub price_missing: u64,
}

impl SeriesCounts {
    /// All requests.
    pub fn requests(&self) -> u64 {
        self.statuses.iter().map(|(_, count)| count).sum()
    }

    /// Those with a status from 400.
    pub fn errors(&self) -> u64 {
        let errors = self.statuses.iter().filter(|(status, _)| *status >= 400);
        errors.map(|(_, count)| count).sum()
    }
}

/// What was counted for a model.
#[derive(Clone, Debug, Default)]
pub struct ModelCounts {
    /// The model.
    pub model: String,
    /// Microseconds.
    pub duration: Distribution,
    /// Microseconds.
    pub time_to_first_token: Distribution,
    /// Microseconds.
    pub time_per_output_token: Distribution,
    /// Tokens of a prompt, cached ones too.
    pub prompt: Distribution,
    /// Tokens of an answer.
    pub answer: Distribution,
    /// How streams ended.
    pub streams: Vec<(&'static str, u64)>,
}

/// The price file.
#[derive(Clone, Debug, Default)]
pub struct PriceFile {
    /// Its date, as it stands there.
    pub date: Option<String>,
    /// How many rules it has.
    pub rules: usize,
}

/// A zone of limits.
#[derive(Clone, Debug)]
pub struct LimitZone {
    /// Its name.
    pub name: String,
    /// What it limits.
    pub kind: LimitKind,
    /// In what.
    pub unit: LimitUnit,
    /// What it said.
    pub results: LimitResults,
    /// How many keys it has.
    pub keys: usize,
    /// How many it may have.
    pub capacity: usize,
    /// Keys that were forgotten while they counted.
    pub evictions: u64,
    /// The keys that have used most of it.
    pub top: Vec<KeyUse>,
}

/// What a limit is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitKind {
    /// So much in a time.
    Rate,
    /// So much in a window of the calendar.
    Budget,
    /// So many at a time.
    Concurrency,
}

impl LimitKind {
    /// As the document has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rate => "rate",
            Self::Budget => "budget",
            Self::Concurrency => "concurrency",
        }
    }
}

/// What a limit counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitUnit {
    /// Tokens.
    Tokens,
    /// Requests.
    Requests,
    /// Pico-dollars.
    Usd,
}

impl LimitUnit {
    /// As the document has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tokens => "tokens",
            Self::Requests => "requests",
            Self::Usd => "usd",
        }
    }
}

/// What limits have said in a zone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LimitResults {
    /// It let pass.
    pub passed: u64,
    /// It let pass, and the soft part was used.
    pub soft: u64,
    /// It refused.
    pub rejected: u64,
    /// It would have, but for the dry run.
    pub rejected_dry_run: u64,
}

impl LimitResults {
    pub(crate) fn all(self) -> [(&'static str, u64); 4] {
        [
            ("passed", self.passed),
            ("soft", self.soft),
            ("rejected", self.rejected),
            ("rejected_dry_run", self.rejected_dry_run),
        ]
    }
}

/// How a key stands.
#[derive(Clone, Debug)]
pub struct KeyUse {
    /// What it is shown as.
    pub label: String,
    /// Units that are used.
    pub used: u64,
    /// Units that the limit allows.
    pub limit: u64,
    /// Requests under way.
    pub in_flight: u32,
    /// Milliseconds until nothing is used any more.
    pub resets_in: Option<u64>,
}

impl KeyUse {
    /// The part that is used: 1 is all.
    pub fn ratio(&self) -> f64 {
        match self.limit {
            0 => 1.0,
            limit => self.used as f64 / limit as f64,
        }
    }
}

/// A source of credentials.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// Its name.
    pub name: String,
    /// How it stands.
    pub state: CredentialsState,
    /// Seconds until what there is expires, if it does.
    pub expires_in: Option<f64>,
}

/// How a source of credentials stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CredentialsState {
    /// There are some.
    Good,
    /// There may be some, but the last attempt to fetch others has failed.
    Failing,
    /// There are none yet.
    None,
}

impl CredentialsState {
    /// As the document has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Failing => "failing",
            Self::None => "none",
        }
    }
}
