//! What `bedrock_limit_zone` says, as typed values: what is limited, and how.

use std::num::{NonZeroU32, NonZeroU64};

use jiff::tz::TimeZone;

use crate::budget::Budget;
use crate::decimal::{Flaw, scaled};
use crate::money::PICODOLLARS;
use crate::rate::{Per, Rate};
use crate::weights::Weights;
use crate::window::{self, Calendar, Period};

/// A limit of one zone.
#[derive(Clone, Debug, PartialEq)]
pub enum Limit {
    /// So much in a time, and so much at once.
    Rate(Unit, Rate),
    /// So much in each window of wall time.
    Budget(Unit, Budget),
    /// So many requests in progress.
    Concurrency(NonZeroU32),
}

impl Limit {
    /// A number, not 0, for what is kept of a key under this limit: what one kind has counted means nothing to another, an amount of a day
    /// nothing to a month. Limits that differ in numbers and weights only are of one kind.
    pub fn kind(&self) -> u8 {
        let (kind, unit) = match self {
            Self::Concurrency(_) => return 1,
            Self::Rate(unit, _) => (1, unit),
            Self::Budget(unit, budget) => (2 + budget.calendar.period() as u8, unit),
        };
        let unit = match unit {
            Unit::Requests => 1,
            Unit::Tokens(_) => 2,
            Unit::Usd => 3,
        };
        kind * 4 + unit
    }

    /// How many requests of a key may be in progress.
    pub fn at_once(&self) -> u32 {
        match self {
            Self::Concurrency(most) => most.get(),
            Self::Rate(..) | Self::Budget(..) => u32::MAX,
        }
    }
}

/// What a rate or a budget counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Requests.
    Requests,
    /// Tokens, as these weights count them.
    Tokens(Weights),
    /// Pico-dollars.
    Usd,
}

/// The parameters of `bedrock_limit_zone` that are a limit, before they are understood: as text, or as what text is made from for
/// each request.
///
/// ```
/// # fn main() -> Result<(), String> {
/// use quota::{Limit, Parameters, Unit};
///
/// let parameters = Parameters::read(&["budget=${dollars}usd/day", "tz=+01:00"])?;   // when nginx starts
/// let filled_in = parameters.try_map(|text| Ok::<_, String>(text.replace("${dollars}", "25")))?;   // for a request
/// assert!(matches!(filled_in.limit()?, Limit::Budget(Unit::Usd, _)));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parameters<T> {
    /// `rate=` and what goes with it.
    Rate {
        /// `rate=`
        rate: T,
        /// `burst=`
        burst: Option<T>,
        /// `weights=`
        weights: Option<T>,
    },
    /// `budget=` and what goes with it.
    Budget {
        /// `budget=`
        budget: T,
        /// `tz=`
        tz: Option<T>,
        /// `weights=`
        weights: Option<T>,
    },
    /// `concurrency=`
    Concurrency(T),
}

impl<'a> Parameters<&'a str> {
    /// Reads the words `NAME=VALUE` of the directive, without its key and the parameters that are no limit.
    ///
    /// # Errors
    /// A sentence that says which parameter is unknown, missing, or does not go with another.
    pub fn read(words: &[&'a str]) -> Result<Self, String> {
        let names = ["rate", "burst", "budget", "tz", "concurrency", "weights"];
        let mut values = [None; 6];
        for word in words {
            let (name, value) = word.split_once('=').unwrap_or((word, ""));
            let place = names.iter().position(|known| *known == name);
            let Some(place) = place.and_then(|place| values.get_mut(place)) else {
                return Err(format!("unknown parameter \"{word}\""));
            };
            if value.is_empty() {
                return Err(format!("\"{name}\" needs a value: \"{name}=…\""));
            }
            if place.replace(value).is_some() {
                return Err(format!("\"{name}\" is given twice"));
            }
        }
        match values {
            [Some(rate), burst, None, None, None, weights] => Ok(Self::Rate {
                rate,
                burst,
                weights,
            }),
            [None, None, Some(budget), tz, None, weights] => Ok(Self::Budget {
                budget,
                tz,
                weights,
            }),
            [None, None, None, None, Some(concurrency), None] => {
                Ok(Self::Concurrency(concurrency))
            }
            [None, _, None, _, None, _] => Err(
                "says no limit: add \"rate=\", \"budget=\" or \"concurrency=\"".to_owned(),
            ),
            [rate, _, budget, _, concurrency, _]
                if [rate, budget, concurrency].iter().flatten().count() > 1 =>
            {
                Err("has more than one of \"rate=\", \"budget=\" and \"concurrency=\": make a zone for each".to_owned())
            }
            [None, Some(_), ..] => Err("\"burst=\" goes with \"rate=\" only".to_owned()),
            [_, _, None, Some(_), ..] => Err("\"tz=\" goes with \"budget=\" only".to_owned()),
            _ => Err("\"weights=\" goes with \"rate=\" and \"budget=\" in tokens only".to_owned()),
        }
    }
}

impl<T> Parameters<T> {
    /// Makes something else of each value.
    ///
    /// # Errors
    /// Those of `make`.
    pub fn try_map<U, E>(
        self,
        mut make: impl FnMut(T) -> Result<U, E>,
    ) -> Result<Parameters<U>, E> {
        let mut perhaps = |value: Option<T>| value.map(&mut make).transpose();
        Ok(match self {
            Self::Rate {
                rate,
                burst,
                weights,
            } => Parameters::Rate {
                burst: perhaps(burst)?,
                weights: perhaps(weights)?,
                rate: make(rate)?,
            },
            Self::Budget {
                budget,
                tz,
                weights,
            } => Parameters::Budget {
                tz: perhaps(tz)?,
                weights: perhaps(weights)?,
                budget: make(budget)?,
            },
            Self::Concurrency(requests) => Parameters::Concurrency(make(requests)?),
        })
    }

    /// The same, of references.
    pub fn as_ref(&self) -> Parameters<&T> {
        match self {
            Self::Rate {
                rate,
                burst,
                weights,
            } => Parameters::Rate {
                rate,
                burst: burst.as_ref(),
                weights: weights.as_ref(),
            },
            Self::Budget {
                budget,
                tz,
                weights,
            } => Parameters::Budget {
                budget,
                tz: tz.as_ref(),
                weights: weights.as_ref(),
            },
            Self::Concurrency(requests) => Parameters::Concurrency(requests),
        }
    }
}

impl<T: AsRef<str>> Parameters<T> {
    /// The limit that they say.
    ///
    /// # Errors
    /// A sentence that names the parameter and says what would be right.
    pub fn limit(&self) -> Result<Limit, String> {
        match self {
            Self::Rate {
                rate,
                burst,
                weights,
            } => {
                let text = rate.as_ref();
                let wrong = |what: &str| format!("\"rate={text}\" {what}");
                let (amount, per) = amount_per(text, &RATES).map_err(|what| wrong(&what))?;
                let burst = burst.as_ref().map(|burst| {
                    let text = burst.as_ref();
                    let wrong = |what: &str| format!("\"burst={text}\" {what}");
                    let burst = Amount::read(text).map_err(|what| wrong(&what))?;
                    match burst.of == amount.of {
                        true => Ok(burst.number),
                        false => Err(wrong("must be in the unit of the rate")),
                    }
                });
                let rate = Rate::new(amount.number, per, burst.transpose()?)
                    .map_err(|what| wrong(&what))?;
                Ok(Limit::Rate(amount.unit(weights.as_ref())?, rate))
            }
            Self::Budget {
                budget,
                tz,
                weights,
            } => {
                let text = budget.as_ref();
                let (amount, period) = amount_per(text, &BUDGETS)
                    .map_err(|what| format!("\"budget={text}\" {what}"))?;
                let zone = match tz {
                    None => TimeZone::UTC,
                    Some(text) => {
                        window::zone(text.as_ref()).map_err(|what| format!("\"tz\": {what}"))?
                    }
                };
                let budget = Budget {
                    amount: amount.number,
                    calendar: Calendar::new(period, zone),
                };
                Ok(Limit::Budget(amount.unit(weights.as_ref())?, budget))
            }
            Self::Concurrency(text) => {
                let text = text.as_ref();
                let number = text.parse().map(Limit::Concurrency);
                number.map_err(|_| {
                    format!(
                        "\"concurrency={text}\" must be a whole number from 1 to {}",
                        u32::MAX
                    )
                })
            }
        }
    }
}

/// `100kt`: how many of what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Amount {
    number: NonZeroU64,
    of: Of,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Of {
    Requests,
    Tokens,
    Usd,
}

impl Amount {
    /// # Errors
    /// What it must be: the end of a sentence that begins with the text.
    fn read(text: &str) -> Result<Self, String> {
        let of = [("usd", Of::Usd), ("t", Of::Tokens), ("r", Of::Requests)];
        let unit = of
            .iter()
            .find_map(|(name, of)| Some((text.strip_suffix(name)?, *of)));
        let (number, of) = unit.ok_or_else(must_be_amount)?;
        let thousands = [("k", 3), ("M", 6)];
        let scale = thousands
            .iter()
            .find_map(|(name, zeros)| Some((number.strip_suffix(name)?, *zeros)));
        let (number, zeros) = scale.unwrap_or((number, 0));
        let digits = match of {
            Of::Usd => PICODOLLARS.ilog10(),
            Of::Requests | Of::Tokens => 0,
        };
        let number = scaled(number, digits + zeros).map_err(|flaw| match flaw {
            Flaw::NotANumber => must_be_amount(),
            Flaw::TooFine if of == Of::Usd => {
                "must have at most twelve digits after the point".to_owned()
            }
            Flaw::TooFine => "must be a whole number of tokens or requests".to_owned(),
            Flaw::TooLarge => format!(
                "is too large: the most are {}usd and {}t",
                u64::MAX / PICODOLLARS,
                u64::MAX
            ),
        })?;
        let number = NonZeroU64::new(number).ok_or("must be above 0")?;
        Ok(Self { number, of })
    }

    fn unit<T: AsRef<str>>(self, weights: Option<T>) -> Result<Unit, String> {
        let weights = weights.map(|text| {
            Weights::read(text.as_ref()).map_err(|what| format!("\"weights\": {what}"))
        });
        match (self.of, weights.transpose()?) {
            (Of::Tokens, weights) => Ok(Unit::Tokens(weights.unwrap_or_default())),
            (_, Some(_)) => Err("\"weights=\" goes with a limit in tokens only".to_owned()),
            (Of::Requests, None) => Ok(Unit::Requests),
            (Of::Usd, None) => Ok(Unit::Usd),
        }
    }
}

/// `100kt/m`: how many of what, in which of these times.
fn amount_per<P: Copy>(text: &str, times: &[(&str, P)]) -> Result<(Amount, P), String> {
    let (amount, time) = text.split_once('/').unwrap_or((text, ""));
    let known = times.iter().find(|(name, _)| *name == time);
    match known {
        Some((_, time)) => Ok((Amount::read(amount)?, *time)),
        None => {
            let names: Vec<String> = times.iter().map(|(name, _)| format!("/{name}")).collect();
            Err(format!("must end in {}", names.join(", ")))
        }
    }
}

fn must_be_amount() -> String {
    "must begin with an amount and its unit: t for tokens, r for requests or usd, such as 100kt, 2Mt, 60r or 0.5usd".to_owned()
}

const RATES: [(&str, Per); 4] = [
    ("s", Per::Second),
    ("m", Per::Minute),
    ("h", Per::Hour),
    ("d", Per::Day),
];
const BUDGETS: [(&str, Period); 5] = [
    ("hour", Period::Hour),
    ("day", Period::Day),
    ("week", Period::Week),
    ("month", Period::Month),
    ("total", Period::Total),
];
