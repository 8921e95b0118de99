//! What a request may use, guessed before it is sent.

use gateway::{Measure, Plan};
use quota::{Counts, Priced, Rule, UNKNOWN_LENGTH, Unit};

use crate::directives::MainConf;
use crate::directives::limits::Reserve;
use crate::directives::location::LocationConf;

use super::asked::Planned;
use super::held::Limits;

/// What a call may use on which a model works.
pub(super) struct Estimate<'a> {
    plan: &'a Plan,
    main: &'static MainConf,
    priced: Priced<'a>,
    reserve: Reserve,
    /// Tokens of the prompt.
    input: u64,
    /// The most tokens of the answer, if anybody says.
    most: Option<u64>,
}

impl<'a> Estimate<'a> {
    /// For a call; `None` if no model works on it.
    pub fn new(
        planned: &Planned<'a>,
        limits: &Limits,
        conf: &LocationConf,
        main: &'static MainConf,
    ) -> Option<Self> {
        let plan = planned.plan.filter(|plan| plan.uses_model())?;
        let pricing = main.prices.as_ref();
        let rule = pricing.and_then(|pricing| pricing.rule(plan, None));
        let most = match plan.generates() {
            false => Some(0),
            true => most_output(plan, rule, &planned.measure),
        };
        let ratios = main.estimates.zip(plan.model.as_deref());
        let ratios = ratios.map(|(estimates, model)| estimates.ratios(model));
        Some(Self {
            plan,
            main,
            priced: Priced {
                rule,
                unknown_is_free: limits.unknown_is_free,
                region: &plan.region,
                tier: None,
            },
            reserve: conf.limit_reserve.unwrap_or_default(),
            input: ratios.unwrap_or_default().prompt.prompt(&limits.prompt),
            most,
        })
    }

    /// Units of a zone's limit that the call may use. `None`: in money, and there is no price.
    pub fn amount(&self, unit: &Unit, zone: &str) -> Option<u64> {
        let is_free = self.priced.unknown_is_free;
        if *unit == Unit::Usd && self.priced.rule.is_none() && !is_free {
            return None;
        }
        let output = match self.reserve {
            Reserve::Off => return Some(0),
            Reserve::Max => self.most.unwrap_or(UNKNOWN_LENGTH),
            Reserve::Learned => {
                let learned = self.main.estimates.zip(self.plan.model.as_deref());
                let learned = learned.map(|(estimates, model)| estimates.lengths(zone, model));
                learned.unwrap_or_default().reserve(self.most)
            }
        };
        let counts = Counts {
            search_units: self.plan.search_units(),
            ..Counts::of(self.input, output)
        };
        let amount = match self.reserve {
            // As AWS does for its own quotas, where the limit counts like them.
            Reserve::Max => unit.at_most(&counts, &self.priced),
            _ => unit.amount(&counts, &self.priced),
        };
        match amount {
            None if is_free => Some(0),
            amount => amount,
        }
    }
}

/// The most that the model may generate: what the client asks for, but not more than any model can. It would stay charged if nobody
/// learned what became of the request, and keep others out for as long as the client likes.
fn most_output(plan: &Plan, rule: Option<&Rule>, measure: &Measure) -> Option<u64> {
    let models = rule.and_then(Rule::max_output);
    let models = models.or_else(|| plan.family?.most_output());
    let of_one = match plan.output_limit(measure.max_output) {
        Some(asked) => Some(asked.min(models.unwrap_or(MOST_OUTPUT))),
        None => models,
    };
    Some(of_one?.saturating_mul(measure.answers.clamp(1, MOST_ANSWERS)))
}

/// More tokens than any model generates in an answer.
const MOST_OUTPUT: u64 = 1 << 20;
/// More answers than any API gives to one request.
const MOST_ANSWERS: u64 = 128;
