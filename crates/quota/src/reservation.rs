//! What is taken before an answer, and what becomes of it afterwards.

use crate::counts::Counts;
use crate::limit::Unit;
use crate::price::Rule;

/// How sure a charge is: `$bedrock_charge`. The greater, the less sure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Charge {
    /// Nothing was used, and all goes back.
    None,
    /// By the counts of the service.
    Exact,
    /// By what was learned from others, because the answer has no counts.
    Estimated,
    /// As was reserved, because nothing better is known.
    Reserved,
}

impl Charge {
    /// The word in `$bedrock_charge`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Exact => "exact",
            Self::Estimated => "estimated",
            Self::Reserved => "reserved",
        }
    }
}

/// How a request ended, for those who counted on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// An error without content: it is as if it had never been.
    Nothing,
    /// It was answered, and the service said what was used. A cached answer of the proxy's is a request that used nothing.
    Counted(Counts),
    /// It was answered in part, and the service did not say; these are estimates (see [`Ratio::unfinished`](crate::Ratio::unfinished)).
    Estimated(Counts),
    /// Nobody knows: the worker that had it died.
    Lost,
}

/// What a limit in money needs of the request.
#[derive(Clone, Copy, Debug)]
pub struct Priced<'a> {
    /// The model's rule, if it has one.
    pub rule: Option<&'a Rule>,
    /// Whether a model without one is free.
    pub unknown_is_free: bool,
    /// The region that the request is signed for.
    pub region: &'a str,
    /// The service tier: that of the answer, before it that of the request.
    pub tier: Option<&'a str>,
}

impl Unit {
    /// How many units a request is that uses `counts`; `None` if that is not known.
    pub fn amount(&self, counts: &Counts, priced: &Priced<'_>) -> Option<u64> {
        self.weighed(counts, priced, priced.rule.map_or(1, Rule::burndown))
    }

    /// The same for a request that uses `counts` at most: AWS takes the most output once, and only when it knows how much there was, it
    /// counts that as often as it burns the quota down.
    pub fn at_most(&self, counts: &Counts, priced: &Priced<'_>) -> Option<u64> {
        self.weighed(counts, priced, 1)
    }

    fn weighed(&self, counts: &Counts, priced: &Priced<'_>, burndown: u64) -> Option<u64> {
        match (self, priced.rule) {
            (Self::Requests, _) => Some(1),
            // Nothing costs nothing, whatever a price is.
            _ if *counts == Counts::of(0, 0) => Some(0),
            (Self::Tokens(weights), _) => {
                // Embeddings have no count of output, ranking none of tokens; but one of something there must be.
                let tokens = counts.input.or(counts.output);
                tokens.or(counts.search_units).or(counts.images)?;
                Some(weights.weigh(counts, burndown))
            }
            (Self::Usd, None) => priced.unknown_is_free.then_some(0),
            (Self::Usd, Some(rule)) => {
                let cost = rule.cost(counts, priced.region, priced.tier).ok()?;
                Some(cost.picodollars())
            }
        }
    }

    /// How many units are charged in the end for a request that `reserved` so many.
    pub fn charge(&self, outcome: &Outcome, reserved: u64, priced: &Priced<'_>) -> (u64, Charge) {
        let (counts, charge) = match outcome {
            Outcome::Nothing => return (0, Charge::None),
            Outcome::Lost => return (reserved, Charge::Reserved),
            Outcome::Counted(counts) => (counts, Charge::Exact),
            Outcome::Estimated(counts) => (counts, Charge::Estimated),
        };
        match self.amount(counts, priced) {
            Some(amount) => (amount, charge),
            None => (reserved, Charge::Reserved),
        }
    }
}

/// Something that may be taken of a limit, wherever that is kept.
pub trait Allowance {
    /// What was taken: what is needed to settle it, or to give it back.
    type Taken;
    /// Why nothing is taken.
    type Refused;

    /// Takes it.
    ///
    /// # Errors
    /// The limit does not allow it, and nothing was taken.
    fn take(&self) -> Result<Self::Taken, Self::Refused>;

    /// Gives back all of it.
    fn give_back(&self, taken: Self::Taken);
}

/// Takes of several limits in order: of all or, if one refuses, of none. What was taken is given back then; a neighbour may be refused
/// for it meanwhile, but never gets too much.
///
/// # Errors
/// The first refusal.
pub fn all_or_none<A: Allowance>(allowances: &[A]) -> Result<Vec<A::Taken>, A::Refused> {
    let mut all = Vec::with_capacity(allowances.len());
    for allowance in allowances {
        match allowance.take() {
            Ok(taken) => all.push(taken),
            Err(refused) => {
                for (allowance, taken) in allowances.iter().zip(all) {
                    allowance.give_back(taken);
                }
                return Err(refused);
            }
        }
    }
    Ok(all)
}
