//! Why a limit refuses a request, in words for the client.

use std::fmt;
use std::time::Duration;

use crate::limit::Unit;
use crate::money::Dollars;
use crate::times::GoDuration;
use crate::window::FOR_EVER;

/// A request that a limit refuses. The key never shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal<'a> {
    /// The name of the zone.
    pub zone: &'a str,
    /// What refused.
    pub cause: Cause,
    /// How long until the request may pass, as far as anyone knows; [`FOR_EVER`] if it never will.
    pub wait: Duration,
}

/// What refused a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// A rate.
    Rate(Asked),
    /// A budget that is spent, or that has less left than the request needs.
    Budget(Asked),
    /// So many requests are in progress already.
    Concurrency(u32),
    /// The model has no price, and the limit is in money.
    NoPrice,
    /// The shared store does not answer, and nothing is left to this node.
    Store,
    /// The zone has no room for another key.
    Full,
}

/// What was asked of a rate or a budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    /// What is counted.
    pub unit: Unit,
    /// Units that the request needs.
    pub amount: u64,
    /// Units that are left.
    pub remaining: u64,
    /// Units that the limit allows.
    pub limit: u64,
    /// Whether it would pass if nothing were kept for others.
    pub kept: bool,
}

impl fmt::Display for Refusal<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let zone = self.zone;
        match self.cause {
            Cause::Rate(asked) => write!(f, "Rate limit \"{zone}\" reached: {asked}.")?,
            Cause::Budget(asked) if asked.amount > asked.limit => {
                return write!(
                    f,
                    "Budget \"{zone}\" is too small: {asked}. Ask for less output, or for a larger budget."
                );
            }
            Cause::Budget(asked) => write!(f, "Budget \"{zone}\" exhausted: {asked}.")?,
            Cause::Concurrency(limit) => {
                write!(
                    f,
                    "Limit \"{zone}\" reached: {limit} requests are in progress."
                )?;
            }
            Cause::NoPrice => {
                return write!(
                    f,
                    "Limit \"{zone}\" is in money, and this model has no price here."
                );
            }
            Cause::Store => write!(f, "Limit \"{zone}\" cannot be checked at the moment.")?,
            Cause::Full => write!(
                f,
                "Limit \"{zone}\" has no room for another client at the moment."
            )?,
        }
        match self.wait {
            Duration::ZERO => Ok(()),
            FOR_EVER => f.write_str(" It does not begin anew."),
            wait => {
                let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
                let wait = GoDuration(Duration::from_secs(seconds));
                write!(f, " Try again in {wait}.")
            }
        }
    }
}

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (amount, remaining, limit) = (self.amount, self.remaining, self.limit);
        match self.unit {
            Unit::Usd => {
                let [amount, remaining, limit] = [amount, remaining, limit].map(Dollars);
                write!(
                    f,
                    "the request may cost {amount} USD, {remaining} of {limit} are left"
                )
            }
            Unit::Tokens(_) => {
                write!(
                    f,
                    "the request may take {amount} tokens, {remaining} of {limit} are left"
                )
            }
            Unit::Requests => write!(f, "{remaining} of {limit} requests are left"),
        }?;
        match self.kept {
            true => f.write_str(", and kept for others"),
            false => Ok(()),
        }
    }
}
