//! What limits have to do with a request: what it has taken of them, and what they said.

use std::sync::Arc;
use std::time::Duration;

use quota::{Charge, Dollars, Limit, Prompt, Standing, Unit};

use crate::zone::keys::Held;
use crate::zone::meter::{Now, Taken};

use super::settled::Ended;

/// What limits have to do with a request.
#[derive(Default)]
pub struct Limits {
    /// What is about to be called, as long as they are asked: it may be part of their keys.
    pub calls: Option<Calls>,
    pub(super) held: Vec<Counting>,
    /// What earlier attempts used.
    pub(super) earlier: Vec<Ended>,
    /// What was planned last, for what is learned of it.
    pub(super) prompt: Prompt,
    /// Whether a model without a price is free where that is sent from.
    pub(super) unknown_is_free: bool,
    /// What they said.
    pub verdict: Option<Verdict>,
    /// What was refused, if anything.
    pub refused: Option<Refused>,
    /// How the tightest of them stand: for requests, and for tokens.
    pub(super) standings: [Option<Standing>; 2],
    /// What was taken of the first that counts tokens or money, and what was charged in the end.
    pub(super) reserved: Option<(Unit, u64)>,
    pub(super) charged: Option<(Unit, u64)>,
    pub(super) charge: Option<Charge>,
}

/// A call that a limit has refused.
pub struct Refused {
    /// The model that was to be called; empty if none was.
    pub model: String,
    /// How long the client is to wait.
    pub wait: Duration,
}

/// A call that is planned.
pub struct Calls {
    /// The model, where there is one.
    pub model: Option<String>,
    /// The region.
    pub region: String,
}

/// A limit that counts a request.
pub(super) struct Counting {
    pub held: Held,
    /// The zone's name.
    pub zone: &'static str,
    pub limit: Arc<Limit>,
    /// What was taken of it, if it was asked for something.
    pub taken: Option<Taken>,
}

/// What limits said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// All let it pass.
    Passed,
    /// They let it pass, and one of them is used up to its `soft` part.
    Soft,
    /// The zone with this name did not.
    Rejected(&'static str),
    /// It would not have, but for the dry run.
    RejectedDryRun(&'static str),
}

impl Verdict {
    /// As `$bedrock_limit_status` has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "PASSED",
            Self::Soft => "SOFT",
            Self::Rejected(_) => "REJECTED",
            Self::RejectedDryRun(_) => "REJECTED_DRY_RUN",
        }
    }

    /// The zone that refused.
    pub fn zone(self) -> Option<&'static str> {
        match self {
            Self::Passed | Self::Soft => None,
            Self::Rejected(zone) | Self::RejectedDryRun(zone) => Some(zone),
        }
    }
}

impl Limits {
    /// What was reserved, for the log.
    pub fn reserved(&self) -> Option<String> {
        self.reserved.map(shown)
    }

    /// What was charged, for the log.
    pub fn charged(&self) -> Option<String> {
        self.charged.map(shown)
    }

    /// How sure the charge is.
    pub fn charge(&self) -> Option<&'static str> {
        self.charge.map(Charge::as_str)
    }

    /// What is left of the tightest limit.
    pub fn standing(&self) -> Option<Standing> {
        let [requests, tokens] = self.standings;
        tokens.or(requests)
    }

    /// Notes how a limit stands that has been asked: of requests, of tokens or of money.
    pub(super) fn note(&mut self, counting: &Counting, now: Now) {
        let Counting {
            held, limit, taken, ..
        } = counting;
        let (Limit::Rate(unit, _) | Limit::Budget(unit, _)) = &**limit else {
            return;
        };
        let place = match unit {
            Unit::Requests => 0,
            Unit::Tokens(_) => 1,
            Unit::Usd => return self.note_reserved(*unit, *taken),
        };
        if let (Some(slot), Some(standing)) =
            (self.standings.get_mut(place), held.standing(limit, now))
        {
            *slot = Some(slot.map_or(standing, |known| known.tighter(standing)));
        }
        if place == 1 {
            self.note_reserved(*unit, *taken);
        }
    }

    fn note_reserved(&mut self, unit: Unit, taken: Option<Taken>) {
        let amount = taken.unwrap_or_default().amount;
        self.reserved.get_or_insert((unit, amount));
    }
}

fn shown((unit, amount): (Unit, u64)) -> String {
    match unit {
        Unit::Usd => Dollars(amount).to_string(),
        Unit::Requests | Unit::Tokens(_) => amount.to_string(),
    }
}
