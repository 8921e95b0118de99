//! Money: exact until it is printed.

use std::fmt;

use crate::percent::{Percent, WHOLE};

/// Pico-dollars (10^-12 USD) in a dollar. Prices and budgets are whole numbers of pico-dollars: a price of 1 USD for a million
/// tokens is 1,000,000 of them for a token, and a `u64` of them is 18 million dollars.
pub const PICODOLLARS: u64 = 1_000_000_000_000;

/// What a request cost, in 10^-24 USD, exactly: a price in pico-dollars times a tier's factor in millionths times what a discount
/// leaves in millionths. A `u128` of them is 340 million million dollars.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cost(u128);

/// How many of the cost's unit are a pico-dollar.
const UNITS: u128 = 1_000_000_000_000;

impl Cost {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// `picodollars` at a tier's `factor` (in millionths) and less a discount; `None` if it does not fit.
    pub(crate) fn new(picodollars: u128, factor: u64, discount: Percent) -> Option<Self> {
        let left = discount.rest().millionths();
        picodollars
            .checked_mul(u128::from(factor))?
            .checked_mul(u128::from(left))
            .map(Self)
    }

    /// To the nearest pico-dollar, a half up: what a budget is charged. More than fits is `u64::MAX`.
    pub fn picodollars(self) -> u64 {
        u64::try_from(rounded(self.0, UNITS)).unwrap_or(u64::MAX)
    }

    /// Both together, for failover and for sums in tests.
    #[must_use]
    pub fn saturating_add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

/// In USD with nine digits after the point, rounded once, a half up: `0.004500000`.
impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = rounded(self.0, UNITS * 1000);
        let (dollars, rest) = (nanos / 1_000_000_000, nanos % 1_000_000_000);
        write!(f, "{dollars}.{rest:09}")
    }
}

/// So many pico-dollars as a person reads them: `25`, `0.5`, `0.000000000001`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dollars(pub u64);

impl fmt::Display for Dollars {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (dollars, rest) = (self.0 / PICODOLLARS, self.0 % PICODOLLARS);
        match rest {
            0 => write!(f, "{dollars}"),
            rest => {
                let digits = format!("{rest:012}");
                write!(f, "{dollars}.{}", digits.trim_end_matches('0'))
            }
        }
    }
}

fn rounded(number: u128, unit: u128) -> u128 {
    let (whole, rest) = (number / unit, number % unit);
    whole + u128::from(rest >= unit - rest)
}

/// A factor of one, in millionths.
pub(crate) const ONE: u64 = WHOLE as u64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cost_is_rounded_once() {
        let cost = |picodollars| Cost::new(picodollars, ONE, Percent::ZERO).unwrap();
        for (picodollars, printed) in [
            (0, "0.000000000"),
            (499, "0.000000000"),
            (500, "0.000000001"),
            (4_500_000_000, "0.004500000"),
            (25 * u128::from(PICODOLLARS), "25.000000000"),
            (1_999_999_999_499, "1.999999999"),
            (1_999_999_999_500, "2.000000000"),
        ] {
            assert_eq!(cost(picodollars).to_string(), printed);
        }
        // 499.999... pico-dollars would be 500 if they were rounded in between, and then a nano-dollar.
        let discount = Percent::read("0.0001%").unwrap();
        let almost = Cost::new(500, ONE, discount).unwrap();
        assert_eq!(almost.picodollars(), 500);
        assert_eq!(almost.to_string(), "0.000000000");
    }

    #[test]
    fn what_does_not_fit_is_not_wrong() {
        assert_eq!(Cost::new(u128::MAX, ONE, Percent::ZERO), None);
        let most = Cost::new(u128::from(u64::MAX) + 1, ONE, Percent::ZERO).unwrap();
        assert_eq!(most.picodollars(), u64::MAX);
        assert_eq!(most.saturating_add(Cost(u128::MAX)), Cost(u128::MAX));
        assert!(Cost(u128::MAX).to_string().starts_with("340282366920938."));
    }

    #[test]
    fn dollars_as_a_person_reads_them() {
        for (picodollars, printed) in [
            (0, "0"),
            (PICODOLLARS * 25, "25"),
            (PICODOLLARS / 2, "0.5"),
            (1, "0.000000000001"),
        ] {
            assert_eq!(Dollars(picodollars).to_string(), printed);
        }
    }
}
