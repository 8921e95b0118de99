//! Limits are asked in PRECONTENT, once the call is planned and before anything is signed.
//!
//! A request keeps what it has taken from attempt to attempt. All of a location's limits let it pass, or none has counted it.

use std::time::Duration;

use gateway::{Api, LimitOf, Limited, Measure, Plan, Refusal};
use quota::{Asked, Cause, Limit, Percent, Prompt, Unit};
use zone::{NotEntered, Said};

use crate::context::Handle;
use crate::directives::MainConf;
use crate::directives::limits::{LimitUse, LimitZone};
use crate::directives::location::LocationConf;
use crate::nginx::log::Level;
use crate::nginx::request::Request;
use crate::zone::meter::Now;

use super::estimate::Estimate;
use super::held::{Calls, Counting, Refused, Verdict};

/// A request that is about to be sent.
pub struct Planned<'a> {
    /// The call; `None` for what is answered here.
    pub plan: Option<&'a Plan>,
    /// What its body shows.
    pub measure: Measure,
}

impl Planned<'_> {
    /// A request that is answered here.
    pub const LOCAL: Self = Self {
        plan: None,
        measure: Measure {
            text: 0,
            media: 0,
            max_output: None,
            answers: 1,
        },
    };
}

/// Whether a limit of the location's has to know how large a request is.
pub fn measures(conf: &LocationConf, main: &MainConf) -> bool {
    let mut uses = conf.limits.iter().flat_map(|limits| limits.iter());
    uses.any(|limit| main.limit(&limit.zone).is_some_and(LimitZone::counts_size))
}

/// Asks the location's limits; what an earlier attempt has taken is kept.
///
/// # Errors
/// One of them refuses. This is final: no `error_page` is to lead to another attempt.
pub fn ask(
    request: Request,
    mut context: Handle,
    conf: &LocationConf,
    main: &'static MainConf,
    planned: &Planned<'_>,
) -> Result<(), Refusal> {
    let Some(uses) = &conf.limits else {
        return Ok(());
    };
    let limits = &mut context.limits;
    limits.prompt = Prompt {
        text: planned.measure.text,
        images: planned.measure.media,
        pages: 0,
    };
    limits.unknown_is_free = conf.price_unknown_free == Some(true);
    limits.reserved = None;
    limits.standings = Default::default();
    let asking = Asking {
        request,
        conf,
        main,
        planned,
        estimate: Estimate::new(planned, limits, conf, main),
        now: Now::get(),
    };
    context.limits.calls = planned.plan.map(|plan| Calls {
        model: plan.model.clone(),
        region: plan.region.clone(),
    });
    // Apart, because variables of ours may be read meanwhile.
    let mut held = std::mem::take(&mut context.limits.held);
    let asked = asking.all(uses, &mut held, context);
    context.limits.held = held;
    context.limits.calls = None;
    asked
}

/// Names of the location's zones of which the request's key has used the `soft` part, with blanks between them.
pub fn soft(request: Request, conf: &LocationConf, main: &MainConf) -> String {
    let now = Now::get();
    let is_past = |limit: &&LimitUse| {
        let part = limit.soft?;
        let zone = main.limit(&limit.zone)?;
        let key = zone.key.bytes(request).filter(|key| !key.is_empty())?;
        Some(
            zone.keys
                .is_past(&key, &*zone.limit(request).ok()?, part, now),
        )
    };
    let uses = conf.limits.iter().flat_map(|limits| limits.iter());
    let past = uses.filter(|limit| is_past(limit) == Some(true));
    past.map(|limit| limit.zone.as_str())
        .collect::<Vec<_>>()
        .join(" ")
}

struct Asking<'a> {
    request: Request,
    conf: &'a LocationConf,
    main: &'static MainConf,
    planned: &'a Planned<'a>,
    estimate: Option<Estimate<'a>>,
    now: Now,
}

impl Asking<'_> {
    /// Asks all limits; what they give is added to what is `held` once all have given it.
    fn all(
        &self,
        uses: &[LimitUse],
        held: &mut Vec<Counting>,
        mut context: Handle,
    ) -> Result<(), Refusal> {
        let (mut taken, mut verdict) = (Vec::new(), Verdict::Passed);
        for limit in uses {
            let Some(zone) = self.main.limit(&limit.zone) else {
                let what = format!("there is no zone \"{}\"", limit.zone);
                return Err(Refusal::misconfigured(what));
            };
            let known = held.iter_mut().find(|one| one.held.is_of(zone.keys));
            // A later attempt is the same request.
            let is_new = known.is_none();
            let entered;
            let (counting, refusal) = match known {
                Some(known) => {
                    let refusal = self.take(zone, limit, known).err();
                    (Some(&*known), refusal)
                }
                None => {
                    let refusal;
                    (entered, refusal) = self.enter(zone, limit);
                    taken.extend(entered);
                    (
                        taken.last().filter(|one| one.held.is_of(zone.keys)),
                        refusal,
                    )
                }
            };
            let mut said = Said::Passed;
            let is_counted = counting.is_some() && is_new;
            if let Some(counting) = counting {
                context.limits.note(counting, self.now);
                if self.is_past(zone, limit, counting) {
                    said = Said::Soft;
                }
            }
            if said == Said::Soft && verdict == Verdict::Passed {
                verdict = Verdict::Soft;
            }
            if let Some(refusal) = &refusal {
                said = match self.conf.limit_dry_run {
                    Some(true) => Said::RejectedDryRun,
                    _ => Said::Rejected,
                };
                let model = self.planned.plan.and_then(|plan| plan.model.clone());
                context.limits.refused = Some(Refused {
                    model: model.unwrap_or_default(),
                    wait: refusal.wait(),
                });
            }
            if is_counted || refusal.is_some() {
                zone.keys.tell(said);
            }
            match refusal {
                Some(_) if self.conf.limit_dry_run == Some(true) => {
                    verdict = Verdict::RejectedDryRun(&zone.name);
                    let text = format!(
                        "bedrock: limit \"{}\" would refuse this request; dry run",
                        zone.name
                    );
                    self.request.log(Level::Notice, &text);
                }
                Some(refusal) => {
                    for Counting {
                        held, limit, taken, ..
                    } in &taken
                    {
                        held.settle(limit, taken.unwrap_or_default(), 0, self.now);
                    }
                    context.limits.reserved = None;
                    context.limits.verdict = Some(Verdict::Rejected(&zone.name));
                    return Err(*refusal);
                }
                None => {}
            }
        }
        if !taken.is_empty() || verdict != Verdict::Passed {
            held.append(&mut taken);
            context.limits.verdict = Some(verdict);
        }
        Ok(())
    }

    /// Enters a zone, and takes of its limit. Nothing is counted if its key is empty, or where nobody is let in; what refuses for another
    /// reason counts the request as one in progress, in a dry run.
    fn enter(
        &self,
        zone: &'static LimitZone,
        of: &LimitUse,
    ) -> (Option<Counting>, Option<Box<Refusal>>) {
        match self.counting(zone) {
            Ok(None) => (None, None),
            Ok(Some(mut counting)) => {
                let refusal = self.take(zone, of, &mut counting).err();
                (Some(counting), refusal)
            }
            Err(refusal) => (None, Some(refusal)),
        }
    }

    fn counting(&self, zone: &'static LimitZone) -> Result<Option<Counting>, Box<Refusal>> {
        let name = &zone.name;
        let key = zone.key.bytes(self.request).ok_or_else(|| {
            unknown(
                "whom a limit is for",
                format!("the key of zone \"{name}\" could not be evaluated"),
            )
        })?;
        if key.is_empty() {
            return Ok(None);
        }
        let limit = zone
            .limit(self.request)
            .map_err(|what| unknown("what a limit is", format!("zone \"{name}\": {what}")))?;
        let label = zone
            .label
            .as_ref()
            .and_then(|label| label.bytes(self.request));
        let label = label.unwrap_or_default();
        let held = zone
            .keys
            .enter(&key, &label, &limit, &zone.counted)
            .map_err(|why| Box::new(self.not_entered(zone, &limit, why)))?;
        Ok(Some(Counting {
            held,
            zone: &zone.name,
            limit,
            taken: None,
        }))
    }

    /// Takes of a limit what the request may use, in place of what it took for an earlier attempt.
    fn take(
        &self,
        zone: &'static LimitZone,
        of: &LimitUse,
        counting: &mut Counting,
    ) -> Result<(), Box<Refusal>> {
        let (Limit::Rate(unit, _) | Limit::Budget(unit, _)) = &*counting.limit else {
            return Ok(());
        };
        let name = &zone.name;
        let keep = match &of.keep {
            None => Percent::ZERO,
            Some(value) => {
                let text = value.evaluate(self.request).unwrap_or_default();
                let text = text.escape_debug().to_string();
                Percent::read(&text).map_err(|what| {
                    unknown(
                        "what a limit keeps",
                        format!("zone \"{name}\": keep: {what}"),
                    )
                })?
            }
        };
        let amount = match (unit, &self.estimate) {
            (Unit::Requests, _) => 1,
            (_, Some(estimate)) => estimate.amount(unit, name).ok_or_else(|| {
                let refusal = quota::Refusal {
                    zone: name,
                    cause: Cause::NoPrice,
                    wait: Duration::ZERO,
                };
                Box::new(Refusal::denied(refusal.to_string()))
            })?,
            // No model works on it.
            (_, None) if counting.taken.is_none() => return Ok(()),
            (_, None) => 0,
        };
        let before = counting.taken;
        match (counting.held).take(&counting.limit, before, amount, keep, self.now) {
            Ok(taken) => counting.taken = Some(taken),
            Err(refused) => {
                let asked = Asked {
                    unit: *unit,
                    amount,
                    remaining: refused.remaining,
                    limit: refused.limit,
                    kept: keep != Percent::ZERO && refused.remaining >= amount,
                };
                let (cause, of) = match (&*counting.limit, unit) {
                    (Limit::Budget(..), _) => (Cause::Budget(asked), LimitOf::Quota),
                    (_, Unit::Requests) => (Cause::Rate(asked), LimitOf::Requests),
                    _ => (Cause::Rate(asked), LimitOf::Tokens),
                };
                let refusal = quota::Refusal {
                    zone: name,
                    cause,
                    wait: refused.wait,
                };
                let refusal = self.limited(refusal.to_string(), of, refused.wait);
                return Err(Box::new(refusal));
            }
        }
        Ok(())
    }

    /// Whether the `soft` part of a limit is used.
    fn is_past(&self, zone: &'static LimitZone, of: &LimitUse, counting: &Counting) -> bool {
        of.soft.is_some_and(|part| {
            let key = zone.key.bytes(self.request);
            key.is_some_and(|key| zone.keys.is_past(&key, &counting.limit, part, self.now))
        })
    }

    fn not_entered(&self, zone: &'static LimitZone, limit: &Limit, why: NotEntered) -> Refusal {
        let name = &zone.name;
        match why {
            NotEntered::Busy(_) => {
                let most = limit.at_once();
                let requests = if most == 1 { "request" } else { "requests" };
                let text = format!(
                    "The limit \"{name}\" allows {most} {requests} at a time, and as many are in progress. Try again in a moment."
                );
                self.limited(text, LimitOf::Requests, A_MOMENT)
            }
            NotEntered::NoSlot | NotEntered::NoRoom => {
                if zone.keys.is_time_to_complain() {
                    let what = match why {
                        NotEntered::NoSlot => "requests",
                        _ => "keys",
                    };
                    let text = format!(
                        "bedrock: zone \"{name}\" has no room for more {what}, so requests are refused with 503: enlarge it; this is said \
                         once a minute"
                    );
                    self.request.log(Level::Alert, &text);
                }
                Refusal::from_status(503)
            }
            NotEntered::Broken => Refusal {
                log: Some(format!("zone \"{name}\" cannot be used: start nginx anew")),
                ..Refusal::from_status(503)
            },
        }
    }

    fn limited(&self, text: String, of: LimitOf, wait: Duration) -> Refusal {
        let api = self.planned.plan.map_or(Api::OpenAi, |plan| plan.api);
        let random = fastrand::u32(..);
        Refusal::limited(api, text, Limited { of, wait, random })
    }
}

/// The refusal of a request of which something is not known; `log` says what.
fn unknown(what: &str, log: String) -> Box<Refusal> {
    Box::new(Refusal {
        log: Some(log),
        ..Refusal::denied(format!(
            "This gateway does not know {what} for this request."
        ))
    })
}

/// When one of the requests in progress may have ended.
const A_MOMENT: Duration = Duration::from_secs(1);
