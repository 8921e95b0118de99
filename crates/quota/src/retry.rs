//! When a refused client may come back, in the forms that clients obey.
//!
//! `Retry-After` alone is a trap: the SDKs of Anthropic, and OpenAI's for JavaScript, sleep as long as it says, an hour if need be.
//! `x-should-retry: false` stops them, and OpenAI's for Python. AWS's SDKs obey `x-amz-retry-after` alone, up to some seconds.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;

/// When to come back: values of headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryAfter {
    milliseconds: u64,
    is_long: bool,
}

impl RetryAfter {
    /// After `wait`, a tenth more or less, by `random`: refused together, clients are not to come back together.
    pub fn new(wait: Duration, random: u32) -> Self {
        let milliseconds = wait.as_nanos().div_ceil(1_000_000);
        // In millionths: from 900,000 to 1,100,000.
        let factor = 900_000 + u128::from(random) * 200_000 / u128::from(u32::MAX);
        let milliseconds = milliseconds.saturating_mul(factor) / 1_000_000;
        Self {
            milliseconds: u64::try_from(milliseconds)
                .map_or(LONGEST, |wait| wait.clamp(1, LONGEST)),
            is_long: wait > LONG,
        }
    }

    /// `Retry-After`: whole seconds, from 1 to 86400.
    pub fn seconds(self) -> u64 {
        self.milliseconds.div_ceil(1000)
    }

    /// `retry-after-ms`, where it is below 10 seconds.
    pub fn milliseconds(self) -> Option<u64> {
        Some(self.milliseconds).filter(|wait| *wait < 10_000)
    }

    /// `x-amz-retry-after`: milliseconds.
    pub fn amazon(self) -> u64 {
        self.milliseconds
    }

    /// Whether to say `x-should-retry: false`: nobody is to sleep for more than a minute.
    pub fn is_long(self) -> bool {
        self.is_long
    }
}

/// A time as Go writes it, and OpenAI's headers: `6m0s`, `1.5s`, `20ms`. To the millisecond, rounded up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GoDuration(pub Duration);

impl fmt::Display for GoDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let milliseconds = self.0.as_nanos().div_ceil(1_000_000);
        let (seconds, rest) = (milliseconds / 1000, milliseconds % 1000);
        if seconds == 0 && rest > 0 {
            return write!(f, "{rest}ms");
        }
        let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
        if hours > 0 {
            write!(f, "{hours}h")?;
        }
        if hours > 0 || minutes > 0 {
            write!(f, "{minutes}m")?;
        }
        write!(f, "{}", seconds % 60)?;
        if rest > 0 {
            let digits = format!("{rest:03}");
            write!(f, ".{}", digits.trim_end_matches('0'))?;
        }
        f.write_str("s")
    }
}

/// A time, in seconds since 1970, as Anthropic's headers have it: `2026-11-28T23:07:18Z`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rfc3339(pub u64);

impl fmt::Display for Rfc3339 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = i64::try_from(self.0).unwrap_or(i64::MAX);
        let time = Timestamp::from_second(seconds).unwrap_or(LAST);
        write!(f, "{time}")
    }
}

/// A day in milliseconds.
const LONGEST: u64 = 86_400_000;
const LONG: Duration = Duration::from_secs(60);
/// The last second of the year 9999 by any clock.
const LAST: Timestamp = Timestamp::constant(253_402_207_200, 0);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_are_told_when_to_come_back() {
        let middle = 1 << 31;
        for (wait, random, seconds, milliseconds, amazon, is_long) in [
            (0, middle, 1, Some(1), 1, false),
            (1, middle, 1, Some(1), 1, false),
            (1000, middle, 1, Some(1000), 1000, false),
            (1001, middle, 2, Some(1001), 1001, false),
            (1000, 0, 1, Some(900), 900, false),
            (1000, u32::MAX, 2, Some(1100), 1100, false),
            (9_999, middle, 10, Some(9_999), 9_999, false),
            (10_000, middle, 10, None, 10_000, false),
            (60_000, u32::MAX, 66, None, 66_000, false),
            (60_001, middle, 61, None, 60_001, true),
            (86_400_000, u32::MAX, 86_400, None, 86_400_000, true),
            (u64::MAX, middle, 86_400, None, 86_400_000, true),
        ] {
            let after = RetryAfter::new(Duration::from_millis(wait), random);
            assert_eq!(after.seconds(), seconds, "{wait}");
            assert_eq!(after.milliseconds(), milliseconds, "{wait}");
            assert_eq!(after.amazon(), amazon, "{wait}");
            assert_eq!(after.is_long(), is_long, "{wait}");
        }
        assert_eq!(RetryAfter::new(Duration::MAX, u32::MAX).seconds(), 86_400);
    }

    #[test]
    fn times_as_go_writes_them() {
        for (wait, text) in [
            (Duration::ZERO, "0s"),
            (Duration::from_nanos(1), "1ms"),
            (Duration::from_millis(20), "20ms"),
            (Duration::from_millis(1500), "1.5s"),
            (Duration::from_millis(8640), "8.64s"),
            (Duration::from_micros(1_000_001), "1.001s"),
            (Duration::from_secs(360), "6m0s"),
            (Duration::from_secs(3600), "1h0m0s"),
            (Duration::from_millis(90_061_001), "25h1m1.001s"),
        ] {
            assert_eq!(GoDuration(wait).to_string(), text);
        }
        assert!(GoDuration(Duration::MAX).to_string().ends_with('s'));
    }

    #[test]
    fn times_as_anthropic_writes_them() {
        assert_eq!(Rfc3339(1_795_907_238).to_string(), "2026-11-28T23:07:18Z");
        assert_eq!(Rfc3339(u64::MAX).to_string(), "9999-12-30T22:00:00Z");
    }
}
