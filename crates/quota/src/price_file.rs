//! A price file, read one line at a time: whoever knows nginx's grammar gives the words.
//!
//! ```text
//! currency usd; per 1000000; date 2026-11-28;                      line(["currency", "usd"]) …
//! model global.anthropic.claude-sonnet-4-5-* {                     open(["model", "global.…"])
//!     input 3; output 15; cache_read 0.3; cache_write 3.75;        line(["input", "3"]) …
//!     above 200000 { input 6; output 22.5; }                       open(["above", "200000"]) … close()
//!     tier flex 0.5; max_output 64000; burndown 5;
//! }                                                                close()
//! discount 12%;
//! ```

use jiff::civil::Date;

use crate::counts::Counted;
use crate::decimal::{Flaw, scaled};
use crate::percent::Percent;
use crate::price::{Class, List, Prices, Rates, Rule, Tier};

/// A price file that is being read.
#[derive(Debug, Default)]
pub struct PriceFile {
    rules: Vec<Rule>,
    /// The blocks that are open, the outermost first.
    open: Vec<Block>,
    currency: Option<()>,
    per: Option<Per>,
    date: Option<Date>,
    discount: Option<Percent>,
}

#[derive(Debug)]
enum Block {
    Model(Rule),
    Region(String, List),
    Tier(String, Rates),
    Above(u64, Class),
}

/// How many tokens a price is for, as the number of its zeros.
#[derive(Clone, Copy, Debug)]
struct Per(u32);

impl PriceFile {
    /// Reads a line that ends in `;`.
    ///
    /// # Errors
    /// A sentence that says what is right; the file and line are the caller's to add.
    pub fn line(&mut self, words: &[&str]) -> Result<(), String> {
        let name = self.known(words)?;
        if name == "tier" {
            return match words {
                [_, tier, factor] => self.factor(tier, factor),
                _ => {
                    Err("\"tier\" takes a name and a factor, such as \"tier flex 0.5;\"".to_owned())
                }
            };
        }
        let [_, value] = words else {
            return Err(format!("\"{name}\" takes one value"));
        };
        let is_new = match (name, self.open.last_mut()) {
            ("model" | "region" | "above", _) => {
                return Err(format!("\"{name} {value}\" is a block: add \"{{\""));
            }
            ("currency", _) if *value != "usd" => {
                return Err(format!("\"currency {value}\" must be usd"));
            }
            ("currency", _) => set(&mut self.currency, ()),
            ("per", _) if !self.rules.is_empty() => {
                return Err("\"per\" must stand before the first model".to_owned());
            }
            ("per", _) => set(&mut self.per, Per::read(value)?),
            ("date", _) => set(&mut self.date, date(value)?),
            ("discount", None) => set(&mut self.discount, Percent::read(value)?),
            ("discount", Some(Block::Model(rule))) => {
                set(&mut rule.discount, Percent::read(value)?)
            }
            ("max_output", Some(Block::Model(rule))) => {
                set(&mut rule.max_output, whole(name, value)?)
            }
            ("burndown", Some(Block::Model(rule))) => set(&mut rule.burndown, whole(name, value)?),
            _ => self.price(name, value)?,
        };
        once(is_new, name)
    }

    /// Reads a line that ends in `{`.
    ///
    /// # Errors
    /// As of [`PriceFile::line`].
    pub fn open(&mut self, words: &[&str]) -> Result<(), String> {
        let name = self.known(words)?;
        if !["model", "region", "tier", "above"].contains(&name) {
            return Err(format!("\"{name}\" is no block: end it with \";\""));
        }
        let [_, value] = words else {
            return Err(format!("\"{name}\" takes one value before \"{{\""));
        };
        if !patterns::is_pattern(value) {
            return Err(format!(
                "\"{name} {value}\" must be made of letters, digits and -._:/ with * for any characters and ? for one"
            ));
        }
        let value = (*value).to_owned();
        self.open.push(match name {
            "model" => Block::Model(Rule {
                pattern: value,
                ..Rule::default()
            }),
            "region" => Block::Region(value, List::default()),
            "tier" => Block::Tier(value, Rates::default()),
            _ => Block::Above(whole(name, &value)?, Class::default()),
        });
        Ok(())
    }

    /// Ends the innermost block.
    ///
    /// # Errors
    /// It is not complete, it was there before, or there is none.
    pub fn close(&mut self) -> Result<(), String> {
        let Some(mut block) = self.open.pop() else {
            return Err("\"}\" ends no block".to_owned());
        };
        let name = block.name();
        let has_regions = matches!(&block, Block::Model(rule) if !rule.regions.is_empty());
        if block.class().is_empty() && !has_regions {
            return Err(format!(
                "\"{name}\" has no price: add \"input\" and \"output\""
            ));
        }
        let parent = self.open.last_mut();
        let is_new = match block {
            Block::Model(rule) => {
                let is_new = self.rules.iter().all(|known| known.pattern != rule.pattern);
                self.rules.push(rule);
                is_new
            }
            Block::Region(pattern, list) => {
                parent.is_some_and(|parent| parent.add_region(pattern, list))
            }
            Block::Tier(tier, rates) => parent
                .and_then(Block::list)
                .is_some_and(|list| list.add_tier(&tier, Tier::Rates(rates))),
            Block::Above(bound, class) => parent
                .and_then(Block::rates)
                .is_some_and(|rates| rates.add_above(bound, class)),
        };
        once(is_new, &name)
    }

    /// The rules, once the file has ended.
    ///
    /// # Errors
    /// A block is still open, or there is no rule.
    pub fn finish(mut self) -> Result<Prices, String> {
        if !self.open.is_empty() {
            return Err("unexpected end of file, expecting \"}\"".to_owned());
        }
        if self.rules.is_empty() {
            return Err("has no \"model\"".to_owned());
        }
        for rule in &mut self.rules {
            rule.discount = rule.discount.or(self.discount);
        }
        Ok(Prices::new(self.rules, self.date))
    }

    /// The line's name, if there is one of that name in this block.
    fn known<'w>(&self, words: &[&'w str]) -> Result<&'w str, String> {
        let prices = Counted::ALL.map(Counted::as_str);
        let (place, others): (_, &[&str]) = match self.open.last() {
            None => (
                "a price file",
                &["model", "currency", "per", "date", "discount"],
            ),
            Some(Block::Model(_)) => (
                "\"model\"",
                &[
                    "tier",
                    "region",
                    "above",
                    "max_output",
                    "burndown",
                    "discount",
                ],
            ),
            Some(Block::Region(..)) => ("\"region\"", &["tier", "above"]),
            Some(Block::Tier(..)) => ("\"tier\"", &["above"]),
            Some(Block::Above(..)) => ("\"above\"", &[]),
        };
        let prices = prices.iter().filter(|_| !self.open.is_empty());
        let known: Vec<&str> = prices.chain(others).copied().collect();
        match words.first() {
            Some(name) if known.contains(name) => Ok(name),
            name => Err(format!(
                "\"{}\" is not known in {place}: it must be one of {}",
                name.unwrap_or(&""),
                known.join(", ")
            )),
        }
    }

    fn price(&mut self, name: &str, value: &str) -> Result<bool, String> {
        let Some(counted) = Counted::ALL.into_iter().find(|one| one.as_str() == name) else {
            return Ok(true);
        };
        let zeros = match counted {
            Counted::Image | Counted::SearchUnit => 0,
            _ => self.per.map_or(6, |Per(zeros)| zeros),
        };
        let digits = 12_u32.saturating_sub(zeros);
        let price = scaled(value, digits).map_err(|flaw| match flaw {
            Flaw::NotANumber => {
                format!("\"{name} {value}\" must be a price in USD, such as 3 or 0.06")
            }
            Flaw::TooFine => {
                format!("\"{name} {value}\" must have at most {digits} digits after the point")
            }
            Flaw::TooLarge => format!("\"{name} {value}\" is too large"),
        })?;
        let block = self.open.last_mut();
        Ok(block.is_none_or(|block| block.class().set(counted, price)))
    }

    fn factor(&mut self, tier: &str, factor: &str) -> Result<(), String> {
        let factor = scaled(factor, 6).map_err(|_| {
            format!(
                "\"tier {tier} {factor}\" must end in a factor of the prices, such as 0.5 or 1.75, with at most six \
                 digits after the point"
            )
        })?;
        let list = self.open.last_mut().and_then(Block::list);
        let is_new = list.is_none_or(|list| list.add_tier(tier, Tier::Factor(factor)));
        once(is_new, &format!("tier {tier}"))
    }
}

impl Block {
    fn name(&self) -> String {
        match self {
            Self::Model(rule) => format!("model {}", rule.pattern),
            Self::Region(pattern, _) => format!("region {pattern}"),
            Self::Tier(tier, _) => format!("tier {tier}"),
            Self::Above(bound, _) => format!("above {bound}"),
        }
    }

    fn add_region(&mut self, pattern: String, list: List) -> bool {
        let Self::Model(rule) = self else {
            return false;
        };
        let is_new = rule.regions.iter().all(|(known, _)| *known != pattern);
        rule.regions.push((pattern, list));
        is_new
    }

    fn list(&mut self) -> Option<&mut List> {
        match self {
            Self::Model(rule) => Some(&mut rule.list),
            Self::Region(_, list) => Some(list),
            Self::Tier(..) | Self::Above(..) => None,
        }
    }

    fn rates(&mut self) -> Option<&mut Rates> {
        match self {
            Self::Model(rule) => Some(&mut rule.list.rates),
            Self::Region(_, list) => Some(&mut list.rates),
            Self::Tier(_, rates) => Some(rates),
            Self::Above(..) => None,
        }
    }

    /// The prices that stand in the block itself.
    fn class(&mut self) -> &mut Class {
        match self {
            Self::Model(rule) => &mut rule.list.rates.prices,
            Self::Region(_, list) => &mut list.rates.prices,
            Self::Tier(_, rates) => &mut rates.prices,
            Self::Above(_, class) => class,
        }
    }
}

impl Per {
    fn read(value: &str) -> Result<Self, String> {
        let zeros = value
            .strip_prefix('1')
            .filter(|zeros| zeros.len() <= 6 && zeros.bytes().all(|digit| digit == b'0'))
            .and_then(|zeros| u32::try_from(zeros.len()).ok());
        zeros.map(Self).ok_or_else(|| {
            format!("\"per {value}\" must be how many tokens a price is for: 1, 1000 or 1000000")
        })
    }
}

fn date(value: &str) -> Result<Date, String> {
    Date::strptime("%Y-%m-%d", value)
        .map_err(|_| format!("\"date {value}\" must be a day, such as 2026-11-28"))
}

/// A number of tokens from 1.
fn whole(name: &str, value: &str) -> Result<u64, String> {
    let number = scaled(value, 0).ok().filter(|number| *number > 0);
    number.ok_or_else(|| format!("\"{name} {value}\" must be a whole number from 1"))
}

/// Sets what is set once; whether it was not set before.
fn set<T>(known: &mut Option<T>, value: T) -> bool {
    known.replace(value).is_none()
}

fn once(is_new: bool, name: &str) -> Result<(), String> {
    match is_new {
        true => Ok(()),
        false => Err(format!("\"{name}\" is given twice")),
    }
}
