//! The counters of a label set, and those of a model.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use crate::histogram::{DURATION, Histogram, TIME_PER_OUTPUT_TOKEN, TIME_TO_FIRST_TOKEN, TOKENS};
use crate::table::{Name, Named};

/// What is counted for a label set. All zero, it is empty.
#[derive(Debug)]
#[repr(C)]
pub struct Series {
    name: Name,
    /// Requests, by [`STATUSES`]; the last is any other.
    pub(crate) statuses: [AtomicU64; STATUSES.len() + 1],
    /// Tokens, by [`TOKEN_TYPES`].
    pub(crate) tokens: [AtomicU64; TOKEN_TYPES.len()],
    pub(crate) cost: Money,
    /// Requests that have used what costs, and have no price.
    pub(crate) price_missing: AtomicU64,
}

impl Default for Series {
    fn default() -> Self {
        Self {
            name: Name::default(),
            statuses: [const { AtomicU64::new(0) }; STATUSES.len() + 1],
            tokens: Default::default(),
            cost: Money::default(),
            price_missing: AtomicU64::new(0),
        }
    }
}

impl Named for Series {
    fn name(&self) -> &Name {
        &self.name
    }
}

/// What is counted for a model. All zero, it is empty.
#[derive(Debug, Default)]
#[repr(C)]
pub struct ModelRecord {
    name: Name,
    pub(crate) duration: Histogram<{ DURATION.len() + 2 }>,
    pub(crate) time_to_first_token: Histogram<{ TIME_TO_FIRST_TOKEN.len() + 2 }>,
    pub(crate) time_per_output_token: Histogram<{ TIME_PER_OUTPUT_TOKEN.len() + 2 }>,
    pub(crate) prompt: Histogram<{ TOKENS.len() + 2 }>,
    pub(crate) answer: Histogram<{ TOKENS.len() + 2 }>,
    /// Streams, by [`STREAMS`].
    pub(crate) streams: [AtomicU64; STREAMS.len()],
}

impl Named for ModelRecord {
    fn name(&self) -> &Name {
        &self.name
    }
}

/// Money in two words, so that neither can be full: neither sum reaches 2^64 before there are 10^13 requests.
#[derive(Debug, Default)]
#[repr(C)]
pub(crate) struct Money {
    /// Micro-dollars.
    micros: AtomicU64,
    /// The pico-dollars below a micro-dollar of each amount.
    picos: AtomicU64,
}

impl Money {
    pub fn add(&self, picodollars: u64) {
        self.micros.fetch_add(picodollars / A_MICRO, Relaxed);
        self.picos.fetch_add(picodollars % A_MICRO, Relaxed);
    }

    /// In pico-dollars.
    pub fn read(&self) -> u128 {
        let micros = u128::from(self.micros.load(Relaxed));
        micros * u128::from(A_MICRO) + u128::from(self.picos.load(Relaxed))
    }

    pub fn clear(&self) {
        self.micros.store(0, Relaxed);
        self.picos.store(0, Relaxed);
    }

    pub fn take_over(&self, from: &Self) {
        self.micros.fetch_add(from.micros.load(Relaxed), Relaxed);
        self.picos.fetch_add(from.picos.load(Relaxed), Relaxed);
    }
}

const A_MICRO: u64 = 1_000_000;

impl Series {
    pub(crate) fn text(&self) -> String {
        self.name.text()
    }

    /// Adds what another one has counted.
    pub(crate) fn take_over(&self, from: &Self) {
        add(&self.statuses, &from.statuses);
        add(&self.tokens, &from.tokens);
        self.cost.take_over(&from.cost);
        self.price_missing
            .fetch_add(from.price_missing.load(Relaxed), Relaxed);
    }
}

impl ModelRecord {
    pub(crate) fn text(&self) -> String {
        self.name.text()
    }

    /// Adds what another one has counted.
    pub(crate) fn take_over(&self, from: &Self) {
        self.duration.take_over(&from.duration);
        self.time_to_first_token
            .take_over(&from.time_to_first_token);
        self.time_per_output_token
            .take_over(&from.time_per_output_token);
        self.prompt.take_over(&from.prompt);
        self.answer.take_over(&from.answer);
        add(&self.streams, &from.streams);
    }
}

/// Adds counts to others.
pub(crate) fn add(to: &[AtomicU64], from: &[AtomicU64]) {
    for (to, from) in to.iter().zip(from) {
        to.fetch_add(from.load(Relaxed), Relaxed);
    }
}

/// The statuses that are counted each by itself.
pub(crate) const STATUSES: [u16; 47] = [
    101, 200, 201, 202, 204, 206, 301, 302, 303, 304, 307, 308, 400, 401, 402, 403, 404, 405, 406,
    408, 409, 410, 411, 412, 413, 414, 415, 416, 417, 422, 424, 426, 429, 431, 444, 494, 495, 496,
    497, 499, 500, 501, 502, 503, 504, 507, 529,
];

/// The place of a status in [`Series`]: the last is for those that are not in the list.
pub fn status_place(status: u16) -> usize {
    STATUSES.binary_search(&status).unwrap_or(STATUSES.len())
}

/// Kinds of tokens; none is counted twice.
pub(crate) const TOKEN_TYPES: [&str; 5] = [
    "input",
    "output",
    "cache_read",
    "cache_write",
    "cache_write_1h",
];

/// How streams end.
pub(crate) const STREAMS: [&str; 6] = [
    "complete",
    "exception",
    "truncated",
    "corrupt",
    "aborted",
    "drained",
];

/// Exceptions of Bedrock's and of AWS's, as HTTP errors have them; the last is any other.
pub(crate) const EXCEPTIONS: [&str; 19] = [
    "ThrottlingException",
    "ValidationException",
    "AccessDeniedException",
    "ResourceNotFoundException",
    "ModelErrorException",
    "ModelStreamErrorException",
    "ModelTimeoutException",
    "ModelNotReadyException",
    "InternalServerException",
    "ServiceUnavailableException",
    "ServiceQuotaExceededException",
    "ConflictException",
    "UnrecognizedClientException",
    "InvalidSignatureException",
    "ExpiredTokenException",
    "IncompleteSignatureException",
    "MissingAuthenticationTokenException",
    "UnknownOperationException",
    "other",
];

/// The place of an exception; in a stream its name begins with a small letter.
pub fn exception_place(name: &str) -> usize {
    let is = |known: &&str| known.eq_ignore_ascii_case(name);
    EXCEPTIONS
        .iter()
        .position(is)
        .unwrap_or(EXCEPTIONS.len() - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_have_places() {
        assert!(STATUSES.is_sorted());
        assert_eq!(STATUSES[status_place(429)], 429);
        assert_eq!(status_place(299), STATUSES.len());
    }

    #[test]
    fn exceptions_have_one_name() {
        assert_eq!(exception_place("throttlingException"), 0);
        assert_eq!(exception_place("ThrottlingException"), 0);
        assert_eq!(EXCEPTIONS[exception_place("made up")], "other");
    }

    #[test]
    fn money_is_exact() {
        let money = Money::default();
        money.add(u64::MAX);
        money.add(u64::MAX);
        money.add(1);
        assert_eq!(money.read(), 2 * u128::from(u64::MAX) + 1);
    }
}
