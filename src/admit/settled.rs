//! What a request has used takes the place of what was reserved for it.

use gateway::bedrock::Operation;
use gateway::{Plan, Relay, StreamStatus};
use quota::{Charge, Counts, Limit, Outcome, Priced, Prompt, Rule, Unit};

use crate::attempt::{Attempt, Followed};
use crate::context::Context;
use crate::directives::MainConf;
use crate::nginx::request::Request;
use crate::prices::counts_of;
use crate::zone::learned::{Estimates, Ratios};
use crate::zone::meter::Now;

use super::held::{Counting, Limits};

/// How an attempt ended, and what its price depends on.
pub(super) struct Ended {
    outcome: Outcome,
    rule: Option<&'static Rule>,
    unknown_is_free: bool,
    region: String,
    tier: Option<String>,
}

/// An attempt is over, and something else answers: what Bedrock said that it used is charged in the end.
pub fn leave(context: &mut Context, main: Option<&'static MainConf>) {
    if context.limits.held.is_empty() {
        return;
    }
    let ended = Ended::of(&context.attempt, &context.limits, context.owner(), main);
    if matches!(ended.outcome, Outcome::Counted(_)) {
        context.limits.earlier.push(ended);
    }
}

/// The request ends, as far as limits are concerned: what was used takes the place of what was reserved.
pub fn settle(context: &mut Context, main: Option<&'static MainConf>) {
    if context.limits.held.is_empty() {
        return;
    }
    let (request, attempt, limits) = (context.owner(), &context.attempt, &mut context.limits);
    let ended = Ended::of(attempt, limits, request, main);
    let learned = ended.learn(attempt, &limits.prompt, main);
    let now = Now::get();
    for Counting {
        held,
        zone,
        limit,
        taken,
    } in limits.held.drain(..)
    {
        let (Limit::Rate(unit, _) | Limit::Budget(unit, _)) = &*limit else {
            continue;
        };
        let taken = taken.unwrap_or_default();
        let (mut amount, mut charge) = ended.charge(unit, taken.amount);
        // However often it was tried, it is one request.
        if *unit != Unit::Requests {
            for earlier in &limits.earlier {
                let (more, how_sure) = earlier.charge(unit, taken.amount);
                amount = amount.saturating_add(more);
                charge = charge.max(how_sure);
            }
            limits.charged.get_or_insert((*unit, amount));
            if let Some((estimates, model, output)) = learned {
                estimates.learn_length(zone, model, output);
            }
        }
        held.settle(&limit, taken, amount, now);
        limits.charge = limits.charge.max(Some(charge));
    }
}

impl Ended {
    /// Of the attempt that the request is at.
    fn of(
        attempt: &Attempt,
        limits: &Limits,
        request: Request,
        main: Option<&'static MainConf>,
    ) -> Self {
        let plan = attempt.plan.as_ref();
        let facts = attempt.facts();
        let rule = || main?.prices.as_ref()?.rule(plan?, facts);
        Self {
            outcome: match plan {
                Some(plan) => outcome(attempt, plan, &limits.prompt, request, main),
                None => Outcome::Nothing,
            },
            rule: rule(),
            unknown_is_free: limits.unknown_is_free,
            region: plan.map_or_else(String::new, |plan| plan.region.clone()),
            tier: facts.and_then(|facts| facts.service_tier.clone()),
        }
    }

    /// What it is charged in this unit, and how sure that is.
    fn charge(&self, unit: &Unit, reserved: u64) -> (u64, Charge) {
        let priced = Priced {
            rule: self.rule,
            unknown_is_free: self.unknown_is_free,
            region: &self.region,
            tier: self.tier.as_deref(),
        };
        unit.charge(&self.outcome, reserved, &priced)
    }

    /// Learns what a byte is in tokens, from counts that Bedrock gave; what is still to be learned then, for each zone: how many tokens the
    /// model's answer had.
    fn learn<'a>(
        &self,
        attempt: &'a Attempt,
        prompt: &Prompt,
        main: Option<&MainConf>,
    ) -> Option<(Estimates, &'a str, u64)> {
        let estimates = main?.estimates?;
        let plan = attempt.plan.as_ref();
        let model = plan.filter(|plan| plan.uses_model())?.model.as_deref()?;
        let facts = attempt.facts()?;
        let Outcome::Counted(counts) = &self.outcome else {
            return None;
        };
        estimates.learn_ratios(model, prompt, facts.generated, counts);
        Some((estimates, model, counts.output?))
    }
}

/// How the call ended.
fn outcome(
    attempt: &Attempt,
    plan: &Plan,
    prompt: &Prompt,
    request: Request,
    main: Option<&MainConf>,
) -> Outcome {
    let relay = match &attempt.followed {
        // Nothing was used of what costs.
        Some(Followed::FromCache(_)) => return Outcome::Counted(Counts::of(0, 0)),
        Some(Followed::FromBedrock(relay)) => relay,
        // The model may have worked for a client that has not waited for it.
        None if request.client_is_gone() => return Outcome::Lost,
        None => return Outcome::Nothing,
    };
    let facts = relay.facts();
    let counts = counts_of(plan, facts);
    let failed = request.status() >= 300 || facts.exception.is_some();
    if !plan.uses_model() {
        // An agent of Bedrock's says what the models used that it called.
        let is_agents = plan.operation == Operation::Other && counts.prompt().is_some();
        return match (is_agents, failed) {
            (true, _) => Outcome::Counted(counts),
            (false, true) => Outcome::Nothing,
            (false, false) => Outcome::Counted(Counts::of(0, 0)),
        };
    }
    let is_counted = counts.input.or(counts.search_units).is_some();
    if is_counted && is_final(relay, &counts) {
        return Outcome::Counted(counts);
    }
    if failed && !facts.content_started {
        return Outcome::Nothing;
    }
    match relay.is_stream() {
        true => {
            let known = || Some(main?.estimates?.ratios(plan.model.as_deref()?));
            let ratios: Ratios = known().unwrap_or_default();
            let input = ratios.prompt.prompt(prompt);
            let generated = ratios.generated;
            Outcome::Estimated(generated.unfinished(&counts, input, facts.generated))
        }
        // It was worked on as a whole, and only part of it came.
        false => Outcome::Lost,
    }
}

/// Whether nothing is to come that would change the counts: of a stream, those of a message that is not at its end are counts so far.
fn is_final(relay: &Relay, counts: &Counts) -> bool {
    let facts = relay.facts();
    let has_ended = facts.stop_reason.is_some()
        || matches!(
            facts.stream,
            Some(StreamStatus::Complete | StreamStatus::Drained)
        );
    !relay.is_stream() || (has_ended && counts.output.is_some())
}
