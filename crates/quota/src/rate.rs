//! Rates: a bucket that fills up at a steady rate, kept as one number (GCRA).
//!
//! What is kept of a key is its *arrival time*: when the bucket will be full again, in nanoseconds of a clock that does not step.
//! 0, or any time that has passed, is a full bucket. Taking moves it on by as long as the rate needs for the amount; giving back
//! moves it back. A request passes if the bucket would then be full again within the time that a whole burst takes.
//!
//! All functions are pure, from the old arrival time to the new one: the caller may exchange it in shared memory by
//! compare-and-swap, and try again with what it finds there.
//!
//! A `u64` of nanoseconds is 584 years. At 1,000,000,000 tokens a second a token takes one of them, at 1 token a day 86,400,000,000,000.
//! Times of amounts are rounded up, so that the rate is never exceeded. Where that rounds at all, a burst has as much slack as the
//! roundings add up to, but less than one unit's time: exactly the burst passes at once. An amount that takes more than 100 years counts as 100 years.

use std::num::NonZeroU64;
use std::time::Duration;

use crate::percent::Percent;
use crate::standing::Standing;

/// So many units for each period, and so many at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    amount: NonZeroU64,
    per: Per,
    burst: NonZeroU64,
}

/// The period of a rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Per {
    /// `/s`
    Second,
    /// `/m`
    Minute,
    /// `/h`
    Hour,
    /// `/d`
    Day,
}

impl Per {
    fn nanoseconds(self) -> u64 {
        let seconds: u64 = match self {
            Self::Second => 1,
            Self::Minute => 60,
            Self::Hour => 3600,
            Self::Day => 86_400,
        };
        seconds * 1_000_000_000
    }
}

impl Rate {
    /// `amount` units for each `per`, and at most `burst` at once; by default what comes in a minute, and at least one unit.
    ///
    /// # Errors
    /// The burst would take more than 100 years to come back; the sentence says so.
    pub fn new(amount: NonZeroU64, per: Per, burst: Option<NonZeroU64>) -> Result<Self, String> {
        let minute = u128::from(amount.get()) * u128::from(Per::Minute.nanoseconds());
        let minute = minute.div_ceil(u128::from(per.nanoseconds()));
        let minute = u64::try_from(minute).unwrap_or(u64::MAX);
        let burst = burst.or(NonZeroU64::new(minute)).unwrap_or(NonZeroU64::MIN);
        let rate = Self { amount, per, burst };
        match rate.time(burst.get()) < LONGEST {
            true => Ok(rate),
            false => Err(
                "a burst that takes 100 years to come back is none: lower it, or raise the rate"
                    .to_owned(),
            ),
        }
    }

    /// Units for each period.
    pub fn amount(&self) -> u64 {
        self.amount.get()
    }

    /// The period.
    pub fn per(&self) -> Per {
        self.per
    }

    /// Units at once.
    pub fn burst(&self) -> u64 {
        self.burst.get()
    }

    /// Takes `amount` units at `now` (nanoseconds) from a bucket with this arrival time, and leaves at least `keep` of the burst for
    /// others. Gives the new arrival time.
    ///
    /// What is larger than the burst, or larger than what is not kept, passes when the bucket is full: else it never could. An amount of
    /// 0 passes while at least something is left.
    ///
    /// # Errors
    /// It does not pass: so long until it would, if nobody else takes.
    pub fn admit(
        &self,
        arrival: u64,
        now: u64,
        amount: u64,
        keep: Percent,
    ) -> Result<u64, Duration> {
        let debt = arrival.saturating_sub(now);
        let time = self.time(amount);
        let room = keep.rest().of(self.capacity());
        let wanted = time.max(1);
        if debt == 0 || debt.saturating_add(wanted) <= room {
            return Ok(now.saturating_add(debt).saturating_add(time));
        }
        Err(Duration::from_nanos(
            debt.saturating_sub(room.saturating_sub(wanted)),
        ))
    }

    /// Takes `amount` units whether or not there is room: what was used without a reservation. It may leave a debt, which is repaid
    /// before anything passes again.
    #[must_use]
    pub fn charge(&self, arrival: u64, now: u64, amount: u64) -> u64 {
        arrival.max(now).saturating_add(self.time(amount))
    }

    /// Of what `reserved` units took, gives back what was not used; takes what was used above it, which may leave a debt. The rate must
    /// be the one that the reservation was made with.
    ///
    /// What comes back never makes the bucket fuller than full. Over any time since the bucket was first used, what was used and what
    /// is reserved is at most the burst and what the rate brought; what comes back late, from a reservation that the rate has made good
    /// meanwhile, may be used again at once.
    #[must_use]
    pub fn settle(&self, arrival: u64, now: u64, reserved: u64, actual: u64) -> u64 {
        let (reserved, actual) = (self.time(reserved), self.time(actual));
        match actual.checked_sub(reserved) {
            None => arrival.saturating_sub(reserved.saturating_sub(actual)),
            Some(0) => arrival,
            Some(more) => arrival.max(now).saturating_add(more),
        }
    }

    /// How many units would pass at `now`.
    pub fn remaining(&self, arrival: u64, now: u64) -> u64 {
        let room = self.capacity().saturating_sub(arrival.saturating_sub(now));
        let units =
            u128::from(room) * u128::from(self.amount.get()) / u128::from(self.per.nanoseconds());
        u64::try_from(units).map_or(self.burst(), |units| units.min(self.burst()))
    }

    /// How many units are taken at `now`, and have not come back, rounded up; more than the burst is a debt.
    pub fn used(&self, arrival: u64, now: u64) -> u64 {
        let debt = u128::from(arrival.saturating_sub(now)) * u128::from(self.amount.get());
        let units = debt.div_ceil(u128::from(self.per.nanoseconds()));
        u64::try_from(units).unwrap_or(u64::MAX)
    }

    /// How a key stands at `now`.
    pub fn standing(&self, arrival: u64, now: u64) -> Standing {
        Standing {
            limit: self.burst(),
            remaining: self.remaining(arrival, now),
            reset: Duration::from_nanos(arrival.saturating_sub(now)),
        }
    }

    /// Whether this part of the burst, or more, is taken.
    pub fn is_past(&self, arrival: u64, now: u64, part: Percent) -> bool {
        arrival.saturating_sub(now) >= part.of(self.time(self.burst()))
    }

    /// The time that a whole burst takes, with its slack.
    fn capacity(&self) -> u64 {
        let (one, rest) = (
            self.per.nanoseconds() / self.amount,
            self.per.nanoseconds() % self.amount,
        );
        let slack = match rest {
            0 => 0,
            _ => self.burst().min(one.saturating_sub(2)),
        };
        self.time(self.burst()).saturating_add(slack)
    }

    /// How long the rate needs for this amount, in nanoseconds, rounded up.
    fn time(&self, amount: u64) -> u64 {
        let product = u128::from(amount) * u128::from(self.per.nanoseconds());
        let time = product.div_ceil(u128::from(self.amount.get()));
        u64::try_from(time).map_or(LONGEST, |time| time.min(LONGEST))
    }
}

/// 100 years in nanoseconds.
const LONGEST: u64 = 100 * 365 * 86_400 * 1_000_000_000;
