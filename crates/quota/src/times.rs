//! Times, in the forms in which headers have them.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;

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

/// The last second of the year 9999 by any clock.
const LAST: Timestamp = Timestamp::constant(253_402_207_200, 0);

#[cfg(test)]
mod tests {
    use super::*;

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
