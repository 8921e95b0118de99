//! What models cost: rules by model id, and the cost of one request by the rule.

use std::collections::HashMap;
use std::fmt;

use jiff::civil::Date;

use crate::counts::{Counted, Counts};
use crate::money::{Cost, ONE};
use crate::percent::Percent;

/// The rules of a price file; [`PriceFile`](crate::PriceFile) reads one.
#[derive(Debug)]
pub struct Prices {
    /// In the order of the file.
    rules: Vec<Rule>,
    /// Places of the rules that name one id.
    exact: HashMap<String, usize>,
    /// Places of the others.
    patterns: Vec<usize>,
    date: Option<Date>,
}

/// What one model costs, or all that a pattern fits.
#[derive(Debug, Default)]
pub struct Rule {
    pub(crate) pattern: String,
    /// Where no region is named that fits.
    pub(crate) list: List,
    /// Regions with lists of their own; the first that fits counts.
    pub(crate) regions: Vec<(String, List)>,
    pub(crate) discount: Option<Percent>,
    pub(crate) max_output: Option<u64>,
    pub(crate) burndown: Option<u64>,
}

/// Prices of one model in one place.
#[derive(Debug, Default)]
pub(crate) struct List {
    /// Of the default tier.
    pub rates: Rates,
    pub tiers: Vec<(String, Tier)>,
}

/// Prices of one model, in one place and one tier.
#[derive(Debug, Default)]
pub(crate) struct Rates {
    pub prices: Class,
    /// Prices of requests whose prompt is longer than so many tokens, in rising order.
    above: Vec<(u64, Class)>,
}

/// What a service tier costs.
#[derive(Debug)]
pub(crate) enum Tier {
    /// So many millionths of the default tier.
    Factor(u64),
    /// Prices of its own.
    Rates(Rates),
}

/// Prices in pico-dollars for one of what is counted.
#[derive(Debug, Default)]
pub(crate) struct Class([Option<u64>; Counted::ALL.len()]);

/// Why a cost is not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unknown {
    /// The answer did not say how many.
    Count(Counted),
    /// The rule has no price for these, and there were some.
    Price(Counted),
    /// The rule does not know the service tier.
    Tier(String),
    /// The counts are no counts that a request could have.
    TooLarge,
}

impl Prices {
    /// No two rules have the same pattern.
    pub(crate) fn new(rules: Vec<Rule>, date: Option<Date>) -> Self {
        let mut exact = HashMap::new();
        let mut patterns = Vec::new();
        for (place, rule) in rules.iter().enumerate() {
            match patterns::is_exact(&rule.pattern) {
                true => drop(exact.insert(rule.pattern.clone(), place)),
                false => patterns.push(place),
            }
        }
        Self {
            rules,
            exact,
            patterns,
            date,
        }
    }

    /// The rule for a model: the one that names this id, else the first in the file whose pattern fits. An id behind an ARN is the
    /// caller's to find. Takes the time of a hash for an id that is named, of a scan of the patterns for others: keep what it finds.
    pub fn find(&self, model: &str) -> Option<&Rule> {
        let place = self.exact.get(model).or_else(|| {
            let fits = |place: &&usize| {
                let rule = self.rules.get(**place);
                rule.is_some_and(|rule| patterns::matches(&rule.pattern, model))
            };
            self.patterns.iter().find(fits)
        })?;
        self.rules.get(*place)
    }

    /// The rule whose pattern is written so in the file.
    pub fn named(&self, pattern: &str) -> Option<&Rule> {
        self.rules.iter().find(|rule| rule.pattern == pattern)
    }

    /// The rules, in the order of the file.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// The file's date, as it stands there.
    pub fn date(&self) -> Option<String> {
        self.date.map(|date| date.to_string())
    }

    /// How many days ago, at `now` (seconds since 1970), the file's date was; `None` without a date. A date to come is 0 days ago.
    pub fn age_in_days(&self, now: u64) -> Option<u64> {
        let days = now / 86_400;
        let dated = self
            .date?
            .duration_since(Date::constant(1970, 1, 1))
            .as_hours()
            / 24;
        Some(days.saturating_sub(u64::try_from(dated).unwrap_or(0)))
    }
}

impl Rule {
    /// The id or pattern that the rule is for: `$bedrock_price`.
    pub fn pattern(&self) -> &str {
        &self.pattern
    }

    /// The most tokens that the model generates, if the file says so.
    pub fn max_output(&self) -> Option<u64> {
        self.max_output
    }

    /// How many tokens of AWS's quota one generated token takes; 1 where the file does not say.
    /// <https://docs.aws.amazon.com/bedrock/latest/userguide/quotas-token-burndown.html>
    pub fn burndown(&self) -> u64 {
        self.burndown.unwrap_or(1)
    }

    /// What a request cost that used `counts`, was signed for `region` and served by `tier` (as the answer says; `None` if it says
    /// nothing).
    ///
    /// - A prompt, cached tokens included, that is longer than an `above` bound puts the whole request at that class.
    /// - Tokens written to the cache are split: those for an hour, and the rest.
    /// - A count is needed if it has a price that is not 0; a price is needed if the count is not 0. Of input and output one of the two is
    ///   needed in any case: an embedding's rule says `output 0`, because nobody counts its output.
    /// - The tier has prices of its own, or its factor is applied to the sum, and so is the discount. A region's list stands alone, but has
    ///   the model's factors if it names no tier.
    ///
    /// # Errors
    /// What is not known; it is never taken for 0.
    pub fn cost(&self, counts: &Counts, region: &str, tier: Option<&str>) -> Result<Cost, Unknown> {
        let (rates, factor) = self.rates(region, tier.unwrap_or(DEFAULT))?;
        let class = rates.class(counts)?;
        let mut sum: u128 = 0;
        for counted in Counted::ALL {
            // At most seven products of 64 bits each.
            sum = sum.saturating_add(class.price(counted, of(counts, counted)?)?);
        }
        Cost::new(sum, factor, self.discount.unwrap_or_default()).ok_or(Unknown::TooLarge)
    }

    /// The prices in this region and tier, and a factor for them in millionths.
    fn rates(&self, region: &str, tier: &str) -> Result<(&Rates, u64), Unknown> {
        let list = self.list(region);
        match (list.tier(tier), self.list.tier(tier)) {
            (Some(Tier::Rates(rates)), _) => Ok((rates, ONE)),
            (Some(Tier::Factor(factor)), _) => Ok((&list.rates, *factor)),
            // A factor of the model's holds everywhere, prices only where they were said.
            (None, Some(Tier::Factor(factor))) if list.tiers.is_empty() => {
                Ok((&list.rates, *factor))
            }
            // Anthropic has another word for the default.
            _ if [DEFAULT, "standard"].contains(&tier) => Ok((&list.rates, ONE)),
            _ => Err(Unknown::Tier(tier.to_owned())),
        }
    }

    fn list(&self, region: &str) -> &List {
        let mut regions = self.regions.iter();
        let own = regions.find(|(pattern, _)| patterns::matches(pattern, region));
        own.map_or(&self.list, |(_, list)| list)
    }
}

impl List {
    fn tier(&self, name: &str) -> Option<&Tier> {
        let tier = self.tiers.iter().find(|(known, _)| known == name);
        tier.map(|(_, tier)| tier)
    }

    /// Adds a tier; whether it is not there yet.
    pub fn add_tier(&mut self, name: &str, tier: Tier) -> bool {
        let is_new = self.tier(name).is_none();
        self.tiers.push((name.to_owned(), tier));
        is_new
    }
}

impl Rates {
    /// Adds the prices of longer prompts; whether there were none for this bound.
    pub fn add_above(&mut self, bound: u64, class: Class) -> bool {
        let place = self.above.partition_point(|(known, _)| *known < bound);
        let next = self.above.get(place);
        let is_new = next.is_none_or(|(known, _)| *known != bound);
        self.above.insert(place, (bound, class));
        is_new
    }

    fn class(&self, counts: &Counts) -> Result<&Class, Unknown> {
        if self.above.is_empty() {
            return Ok(&self.prices);
        }
        let prompt = counts.prompt().ok_or(Unknown::Count(Counted::Input))?;
        let mut longest_first = self.above.iter().rev();
        let class = longest_first.find(|(bound, _)| prompt > *bound);
        Ok(class.map_or(&self.prices, |(_, class)| class))
    }
}

impl Class {
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(Option::is_none)
    }

    /// Sets a price; whether there was none.
    pub fn set(&mut self, counted: Counted, picodollars: u64) -> bool {
        let price = self.0.get_mut(counted as usize);
        price.is_some_and(|price| price.replace(picodollars).is_none())
    }

    fn price(&self, counted: Counted, count: Option<u64>) -> Result<u128, Unknown> {
        let price = self.0.get(counted as usize).copied().flatten();
        match (price, count) {
            (Some(0), _) | (_, Some(0)) => Ok(0),
            (Some(price), Some(count)) => Ok(u128::from(price) * u128::from(count)),
            (Some(_), None) => Err(Unknown::Count(counted)),
            // Nothing is counted there unless it is made.
            (None, None) if matches!(counted, Counted::Image | Counted::SearchUnit) => Ok(0),
            (None, _) => Err(Unknown::Price(counted)),
        }
    }
}

/// How many of these there were; what is not said of the cache is 0.
fn of(counts: &Counts, counted: Counted) -> Result<Option<u64>, Unknown> {
    let for_an_hour = counts.cache_write_1h.unwrap_or(0);
    Ok(match counted {
        Counted::Input => counts.input,
        Counted::Output => counts.output,
        Counted::CacheRead => Some(counts.cache_read.unwrap_or(0)),
        Counted::CacheWrite => {
            let rest = counts.cache_write.unwrap_or(0).checked_sub(for_an_hour);
            Some(rest.ok_or(Unknown::Count(Counted::CacheWrite))?)
        }
        Counted::CacheWrite1h => Some(for_an_hour),
        Counted::Image => counts.images,
        Counted::SearchUnit => counts.search_units,
    })
}

/// As Bedrock calls the tier of a request that asks for none.
const DEFAULT: &str = "default";

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(counted) => {
                write!(f, "the answer has no count for \"{}\"", counted.as_str())
            }
            Self::Price(counted) => write!(f, "the rule has no price \"{}\"", counted.as_str()),
            Self::Tier(tier) => write!(f, "the rule has no \"tier {tier}\""),
            Self::TooLarge => write!(f, "the counts are too large"),
        }
    }
}
