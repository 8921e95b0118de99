//! Keys for Bedrock from everywhere AWS keeps them, kept fresh in a thread of their own.
//!
//! ```text
//! parameters of a block ── Source::read ──> Source      what the operator asked for, checked
//! Source ── Source::constant ──> Credential             known at once and for good, no thread needed
//! Sources ── Keeper::start ──> Update, Update, …        fetched, and fetched again before they expire
//!                 Board                                   by one of several processes, for all of them
//! ```
//!
//! No web server in it, and nothing that waits: updates come through a channel, announced by a call of the user's own.
#![forbid(unsafe_code)]

#[cfg(feature = "aws")]
mod aws;
mod block;
mod board;
#[cfg(feature = "aws")]
mod chain;
mod keeper;
#[cfg(feature = "aws")]
mod process;
mod schedule;
mod secret;
mod source;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use zeroize::Zeroizing;

pub use board::{Board, Identity, Lock, Slot};
pub use keeper::{Failure, Keeper, Kept, Update};
pub use secret::Given;
pub use source::{Kind, Role, Source};

/// What authorizes requests to Bedrock.
#[derive(Debug)]
pub enum Credential {
    /// Keys for SigV4.
    Keys(Credentials),
    /// A Bedrock API key. <https://docs.aws.amazon.com/bedrock/latest/userguide/api-keys.html>
    ApiKey(ApiKey),
}

/// An API key; never shown.
pub struct ApiKey(Zeroizing<String>);

impl ApiKey {
    /// Takes a key.
    pub fn new(key: Zeroizing<String>) -> Self {
        Self(key)
    }

    /// The key, for a header.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ApiKey(…)")
    }
}

/// A credential in force.
#[derive(Clone, Debug)]
pub struct Current {
    /// The credential.
    pub credential: Arc<Credential>,
    /// When AWS stops accepting it; `None` for one that does not expire.
    pub expires: Option<SystemTime>,
}

impl Current {
    /// Whether it is still accepted.
    pub fn is_valid(&self, now: SystemTime) -> bool {
        self.expires.is_none_or(|expires| now < expires)
    }

    /// How long it will be accepted; `None` for one that does not expire.
    pub fn lifetime(&self, now: SystemTime) -> Option<Duration> {
        self.expires
            .map(|expires| expires.duration_since(now).unwrap_or_default())
    }
}

/// The environment as it was when the configuration was read: nginx empties that of its workers.
#[derive(Clone, Default)]
pub struct Environment(HashMap<String, Zeroizing<String>>);

impl Environment {
    /// The variables that AWS's providers look at.
    pub fn capture() -> Self {
        let relevant = std::env::vars_os().filter_map(|(name, value)| {
            let (name, value) = (name.into_string().ok()?, value.into_string().ok()?);
            (is_relevant(&name) && !value.is_empty()).then(|| (name, Zeroizing::new(value)))
        });
        Self(relevant.collect())
    }

    /// With variables that nginx.conf gives a value: they win, the first of two of one name, and an empty one is none.
    #[must_use]
    pub fn with(mut self, variables: impl IntoIterator<Item = (String, String)>) -> Self {
        let mut variables: Vec<_> = variables.into_iter().collect();
        variables.reverse();
        for (name, value) in variables {
            if value.is_empty() {
                self.0.remove(&name);
            } else if is_relevant(&name) {
                self.0.insert(name, Zeroizing::new(value));
            }
        }
        self
    }

    /// The value of a variable; empty ones do not count.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|value| value.as_str())
    }

    /// All variables.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

/// Whether AWS's providers look at a variable of this name.
#[must_use]
pub fn is_relevant(name: &str) -> bool {
    name.starts_with("AWS_") || name == "HOME"
}

impl<const N: usize> From<[(&str, &str); N]> for Environment {
    fn from(variables: [(&str, &str); N]) -> Self {
        let owned =
            |(name, value): (&str, &str)| (name.to_owned(), Zeroizing::new(value.to_owned()));
        Self(variables.into_iter().map(owned).collect())
    }
}
