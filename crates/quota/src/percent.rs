//! A part of a whole, as `soft=80%` and `discount 12.5%` say it.

use crate::decimal::scaled;

/// From 0 to 100 percent, in millionths of the whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Percent(u32);

/// So many millionths are the whole.
pub(crate) const WHOLE: u32 = 1_000_000;

impl Percent {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// Reads `80%` or `12.5%`: at most four digits after the point.
    ///
    /// # Errors
    /// A sentence that says what is right.
    pub fn read(text: &str) -> Result<Self, String> {
        text.strip_suffix('%')
            .and_then(|number| scaled(number, 4).ok())
            .and_then(|millionths| u32::try_from(millionths).ok())
            .filter(|millionths| *millionths <= WHOLE)
            .map(Self)
            .ok_or_else(|| {
                format!(
                    "\"{text}\" must be a percentage from 0% to 100%, such as 80% or 12.5%, with at most four \
                     digits after the point"
                )
            })
    }

    /// This part of `whole`, rounded down.
    pub fn of(self, whole: u64) -> u64 {
        let part = u128::from(whole) * u128::from(self.0) / u128::from(WHOLE);
        u64::try_from(part).unwrap_or(whole)
    }

    /// What is left of the whole.
    #[must_use]
    pub fn rest(self) -> Self {
        Self(WHOLE.saturating_sub(self.0))
    }

    /// In millionths.
    pub(crate) fn millionths(self) -> u32 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentages() {
        for (text, of_a_million) in [
            ("0%", 0),
            ("80%", 800_000),
            ("12.5%", 125_000),
            ("0.0001%", 1),
            ("100%", 1_000_000),
        ] {
            let percent = Percent::read(text).unwrap();
            assert_eq!(percent.of(1_000_000), of_a_million, "{text}");
            assert_eq!(percent.rest().of(1_000_000), 1_000_000 - of_a_million);
        }
        assert_eq!(Percent::read("100%").unwrap().of(u64::MAX), u64::MAX);
        for wrong in [
            "",
            "%",
            "80",
            "101%",
            "100.0001%",
            "-1%",
            "1e1%",
            "0.00001%",
        ] {
            let error = Percent::read(wrong).unwrap_err();
            assert!(error.contains("from 0% to 100%"), "{wrong}: {error}");
        }
    }
}
