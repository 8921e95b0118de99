//! What a request has used takes the place of what was reserved for it.

use gateway::StreamStatus;
use quota::{Counts, Limit, Outcome, Priced, Unit};

use crate::attempt::{Attempt, Followed};
use crate::context::Context;
use crate::directives::MainConf;
use crate::nginx::request::Request;
use crate::prices::counts_of;
use crate::zone::meter::Now;

use super::held::Counting;

/// The request ends, as far as limits are concerned: what was used takes the place of what was reserved.
pub fn settle(context: &mut Context, main: Option<&MainConf>) {
    if context.limits.held.is_empty() {
        return;
    }
    let attempt = &context.attempt;
    let plan = attempt.plan.as_ref();
    let outcome = outcome(attempt, context.owner());
    let facts = attempt.facts();
    let rule = || {
        let pricing = main?.prices.as_ref()?;
        pricing.rule(plan?, facts)
    };
    let priced = Priced {
        rule: rule(),
        region: plan.map_or("", |plan| plan.region.as_str()),
        tier: facts.and_then(|facts| facts.service_tier.as_deref()),
    };
    let now = Now::get();
    let limits = &mut context.limits;
    for Counting { held, limit, taken } in limits.held.drain(..) {
        let (Limit::Rate(unit, _) | Limit::Budget(unit, _)) = &*limit else {
            continue;
        };
        let (amount, charge) = unit.charge(&outcome, taken.amount, &priced);
        held.settle(&limit, taken, amount, now);
        limits.charge = limits.charge.max(Some(charge));
        if *unit == Unit::Requests {
            continue;
        }
        limits.charged.get_or_insert((*unit, amount));
        if let Outcome::Counted(counts) = &outcome
            && facts.is_some()
        {
            held.learn(&limits.prompt, counts);
        }
    }
}

/// How the request ended.
fn outcome(attempt: &Attempt, request: Request) -> Outcome {
    let Some(plan) = &attempt.plan else {
        return Outcome::Nothing;
    };
    let facts = match &attempt.followed {
        // Nothing was used of what costs.
        Some(Followed::FromCache(_)) => return Outcome::Counted(Counts::of(0, 0)),
        Some(Followed::FromBedrock(relay)) => relay.facts(),
        // The model may have worked for a client that has not waited for it.
        None if request.client_is_gone() => return Outcome::Lost,
        None => return Outcome::Nothing,
    };
    let is_error = request.status() >= 300 || facts.exception.is_some();
    if !plan.uses_model() {
        return match is_error {
            true => Outcome::Nothing,
            false => Outcome::Counted(Counts::of(0, 0)),
        };
    }
    let counts = counts_of(facts);
    let is_counted = counts.input.or(counts.search_units).is_some();
    let is_final = facts
        .stream
        .is_none_or(|stream| matches!(stream, StreamStatus::Complete | StreamStatus::Drained));
    match (is_counted && is_final, is_error && !facts.content_started) {
        (true, _) => Outcome::Counted(counts),
        (false, true) => Outcome::Nothing,
        (false, false) => Outcome::Lost,
    }
}
