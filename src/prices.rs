//! What a request cost, by the price file.

use std::collections::HashMap;
use std::sync::Mutex;

use gateway::bedrock::Operation;
use gateway::{Facts, Plan};
use quota::{Cost, Counts, Prices, Rule};

/// The price file, and which rule each model has.
pub struct Pricing {
    prices: Prices,
    /// Places of rules by model id; a pattern is looked for once. The file does not change.
    found: Mutex<HashMap<String, Option<usize>>>,
}

impl Pricing {
    /// With nothing looked for yet.
    pub fn new(prices: Prices) -> Self {
        Self {
            prices,
            found: Mutex::new(HashMap::new()),
        }
    }

    /// The rule for a call, if there is one; `facts` of its answer say what a prompt router chose.
    pub fn rule(&self, plan: &Plan, facts: Option<&Facts>) -> Option<&Rule> {
        let invoked = facts.and_then(|facts| facts.invoked_model.as_deref());
        let id = plan.priced_id(invoked)?;
        let Ok(mut found) = self.found.lock() else {
            return self.prices.find(id);
        };
        let place = match found.get(id) {
            Some(place) => *place,
            None => {
                let rule = self.prices.find(id);
                let mut rules = self.prices.rules().iter();
                let place = rule.and_then(|rule| rules.position(|one| std::ptr::eq(one, rule)));
                // Ids that clients make up must not fill the memory.
                if found.len() == MOST_FOUND {
                    found.clear();
                }
                found.insert(id.to_owned(), place);
                place
            }
        };
        self.prices.rules().get(place?)
    }

    /// The file, for people.
    pub fn file(&self) -> metrics::PriceFile {
        metrics::PriceFile {
            date: self.prices.date(),
            rules: self.prices.rules().len(),
        }
    }

    /// What a call cost whose answer says `facts`; `None` if that is not known. Counting costs nothing.
    pub fn cost(&self, plan: &Plan, facts: &Facts) -> Option<Cost> {
        let counts = match plan.operation {
            Operation::CountTokens => true,
            Operation::VendorApi { api, .. } => api.counts(),
            _ => false,
        };
        if counts {
            return Some(Cost::ZERO);
        }
        let rule = self.rule(plan, Some(facts))?;
        let tier = facts.service_tier.as_deref();
        rule.cost(&counts_of(plan, facts), &plan.region, tier).ok()
    }
}

/// What the answer to a call counts. Where it does not say for how long the cache keeps what was written, it is for as long as the client
/// has asked for.
pub fn counts_of(plan: &Plan, facts: &Facts) -> Counts {
    let is_split = facts
        .cache_write_5m_tokens
        .or(facts.cache_write_1h_tokens)
        .is_some();
    let for_an_hour = match plan.caches_for_an_hour && !is_split {
        true => facts.cache_write_tokens,
        false => facts.cache_write_1h_tokens,
    };
    Counts {
        input: facts.input_tokens,
        output: facts.output_tokens,
        cache_read: facts.cache_read_tokens,
        cache_write: facts.cache_write_tokens,
        cache_write_1h: for_an_hour,
        // No answer tells how many it has.
        images: None,
        search_units: facts.search_units,
    }
}

/// More models than any location calls.
const MOST_FOUND: usize = 4096;
