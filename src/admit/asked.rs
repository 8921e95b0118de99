//! Limits are asked in PRECONTENT, once the call is planned and before anything is signed.
//!
//! A request keeps what it has taken from attempt to attempt. All of a location's limits let it pass, or none has counted it.

use std::time::Duration;

use gateway::{Api, LimitOf, Limited, Measure, Plan, Refusal};
use quota::{Asked, Cause, Counts, Limit, Percent, Priced, Prompt, UNKNOWN_LENGTH, Unit};
use zone::{NotEntered, Said};

use crate::context::Handle;
use crate::directives::MainConf;
use crate::directives::limits::{LimitUse, LimitZone, Reserve};
use crate::directives::location::LocationConf;
use crate::nginx::log::Level;
use crate::nginx::request::Request;
use crate::zone::keys::Held;
use crate::zone::meter::{Now, Taken};

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
    context.limits.calls = planned.plan.map(|plan| Calls {
        model: plan.model.clone(),
        region: plan.region.clone(),
    });
    let passes = ask_each(request, context, conf, main, planned, uses);
    context.limits.calls = None;
    passes
}

fn ask_each(
    request: Request,
    mut context: Handle,
    conf: &LocationConf,
    main: &'static MainConf,
    planned: &Planned<'_>,
    uses: &[LimitUse],
) -> Result<(), Refusal> {
    let asking = Asking {
        request,
        conf,
        main,
        planned,
        prompt: Prompt {
            text: planned.measure.text,
            images: planned.measure.media,
            pages: 0,
        },
        now: Now::get(),
    };
    context.limits.prompt = asking.prompt;
    let (mut taken, mut verdict) = (Vec::new(), Verdict::Passed);
    for limit in uses.iter() {
        let Some(zone) = main.limit(&limit.zone) else {
            return Err(Refusal::misconfigured(format!(
                "there is no zone \"{}\"",
                limit.zone
            )));
        };
        if context
            .limits
            .held
            .iter()
            .any(|one| one.held.is_of(zone.keys))
        {
            continue;
        }
        let (counting, refusal) = match asking.enter(zone, limit) {
            Ok(counting) => (counting, None),
            Err(not_taken) => {
                let (counting, refusal) = *not_taken;
                (counting, Some(refusal))
            }
        };
        let mut said = Said::Passed;
        if let Some(counting) = &counting {
            context.limits.note(counting, asking.now);
            if asking.is_past(zone, limit, counting) {
                said = Said::Soft;
            }
        }
        if said == Said::Soft && verdict == Verdict::Passed {
            verdict = Verdict::Soft;
        }
        if let Some(refusal) = &refusal {
            said = match conf.limit_dry_run {
                Some(true) => Said::RejectedDryRun,
                _ => Said::Rejected,
            };
            let model = planned.plan.and_then(|plan| plan.model.clone());
            context.limits.refused = Some(Refused {
                model: model.unwrap_or_default(),
                wait: refusal.wait(),
            });
        }
        if counting.is_some() || refusal.is_some() {
            zone.keys.tell(said);
        }
        match refusal {
            Some(_) if conf.limit_dry_run == Some(true) => {
                verdict = Verdict::RejectedDryRun(&zone.name);
                request.log(
                    Level::Notice,
                    &format!(
                        "bedrock: limit \"{}\" would refuse this request; dry run",
                        zone.name
                    ),
                );
            }
            Some(refusal) => {
                for Counting { held, limit, taken } in &taken {
                    held.settle(limit, *taken, 0, asking.now);
                }
                context.limits.reserved = None;
                context.limits.verdict = Some(Verdict::Rejected(&zone.name));
                return Err(refusal);
            }
            None => {}
        }
        taken.extend(counting);
    }
    if !taken.is_empty() || verdict != Verdict::Passed {
        context.limits.held.append(&mut taken);
        context.limits.verdict = Some(verdict);
    }
    Ok(())
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
    prompt: Prompt,
    now: Now,
}

/// What a limit that refuses has nevertheless begun to count, in a dry run, and the refusal.
type NotTaken = Box<(Option<Counting>, Refusal)>;

impl Asking<'_> {
    /// Enters a zone, and takes of its limit; `None` if its key is empty.
    fn enter(&self, zone: &LimitZone, of: &LimitUse) -> Result<Option<Counting>, NotTaken> {
        let name = &zone.name;
        let unknown = |what: &str, log: String| {
            let refusal = Refusal {
                log: Some(log),
                ..Refusal::denied(format!(
                    "This gateway does not know {what} for this request."
                ))
            };
            Box::new((None, refusal))
        };
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
        let label = zone
            .label
            .as_ref()
            .and_then(|label| label.bytes(self.request));
        let label = label.unwrap_or_default();
        let held = zone
            .keys
            .enter(&key, &label, &limit, &zone.counted)
            .map_err(|why| Box::new((None, self.not_entered(zone, &limit, why))))?;
        let (Limit::Rate(unit, _) | Limit::Budget(unit, _)) = &*limit else {
            return Ok(Some(Counting {
                held,
                limit,
                taken: Taken::default(),
            }));
        };
        let uses_model = self.planned.plan.is_some_and(Plan::uses_model);
        if *unit != Unit::Requests && !uses_model {
            return Ok(Some(Counting {
                held,
                limit,
                taken: Taken::default(),
            }));
        }
        let amount = self.amount(unit, &held).ok_or_else(|| {
            let refusal = quota::Refusal {
                zone: name,
                cause: Cause::NoPrice,
                wait: Duration::ZERO,
            };
            Box::new((None, Refusal::denied(refusal.to_string())))
        })?;
        match held.take(&limit, amount, keep, self.now) {
            Ok(taken) => Ok(Some(Counting { held, limit, taken })),
            Err(refused) => {
                let asked = Asked {
                    unit: *unit,
                    amount,
                    remaining: refused.remaining,
                    limit: refused.limit,
                    kept: keep != Percent::ZERO && refused.remaining >= amount,
                };
                let (cause, of) = match (&*limit, unit) {
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
                let counting = Counting {
                    held,
                    limit,
                    taken: Taken::default(),
                };
                Err(Box::new((Some(counting), refusal)))
            }
        }
    }

    /// Units that the request may use. `None`: in money, and there is no price.
    fn amount(&self, unit: &Unit, held: &Held) -> Option<u64> {
        if *unit == Unit::Requests {
            return Some(1);
        }
        let Some(plan) = self.planned.plan else {
            return Some(0);
        };
        let pricing = self.main.prices.as_ref();
        let priced = Priced {
            rule: pricing.and_then(|pricing| pricing.rule(plan, None)),
            region: &plan.region,
            tier: None,
        };
        let is_free = self.conf.price_unknown_free == Some(true);
        if *unit == Unit::Usd && priced.rule.is_none() && !is_free {
            return None;
        }
        let reserve = self.conf.limit_reserve.unwrap_or_default();
        if reserve == Reserve::Off {
            return Some(0);
        }
        let counts = self.guess(plan, &priced, held, reserve);
        let amount = match reserve {
            // As AWS does for its own quotas, where the limit counts like them.
            Reserve::Max => unit.at_most(&counts, &priced),
            _ => unit.amount(&counts, &priced),
        };
        match amount {
            None if is_free => Some(0),
            amount => amount,
        }
    }

    /// What the request may use.
    fn guess(&self, plan: &Plan, priced: &Priced<'_>, held: &Held, reserve: Reserve) -> Counts {
        let most = match plan.generates() {
            false => Some(0),
            true => self.most_output(plan, priced),
        };
        let guessed = held.guess(&self.prompt, most).unwrap_or_default();
        let counts = match reserve {
            Reserve::Max => Counts {
                output: most.or(Some(UNKNOWN_LENGTH)),
                ..guessed
            },
            _ => guessed,
        };
        Counts {
            search_units: (plan.api == Api::Cohere).then_some(1),
            ..counts
        }
    }

    /// The most that the model may generate: what the client asks for, but not more than any model can. It would stay charged if nobody
    /// learned what became of the request, and keep others out for as long as the client likes.
    fn most_output(&self, plan: &Plan, priced: &Priced<'_>) -> Option<u64> {
        let Measure {
            max_output,
            answers,
            ..
        } = self.planned.measure;
        let models = priced.rule.and_then(|rule| rule.max_output());
        let models = models.or_else(|| plan.family?.most_output());
        let of_one = match plan.output_limit(max_output) {
            Some(asked) => Some(asked.min(models.unwrap_or(MOST_OUTPUT))),
            None => models,
        };
        Some(of_one?.saturating_mul(answers.clamp(1, MOST_ANSWERS)))
    }

    /// Whether the `soft` part of a limit is used.
    fn is_past(&self, zone: &LimitZone, of: &LimitUse, counting: &Counting) -> bool {
        of.soft.is_some_and(|part| {
            let key = zone.key.bytes(self.request);
            key.is_some_and(|key| zone.keys.is_past(&key, &counting.limit, part, self.now))
        })
    }

    fn not_entered(&self, zone: &LimitZone, limit: &Limit, why: NotEntered) -> Refusal {
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

/// More tokens than any model generates in an answer.
const MOST_OUTPUT: u64 = 1 << 20;
/// More answers than any API gives to one request.
const MOST_ANSWERS: u64 = 128;
/// When one of the requests in progress may have ended.
const A_MOMENT: Duration = Duration::from_secs(1);
