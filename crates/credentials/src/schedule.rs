//! When to fetch again.

use std::time::{Duration, SystemTime};

/// How long to wait before a credential is fetched again: until five minutes before it expires or half of its life,
/// whichever is earlier, less a random part (`chance`, 0 to 1), so that a fleet started at once does not ask at once.
/// `None` for one that does not expire.
pub fn refresh_in(now: SystemTime, expires: Option<SystemTime>, chance: f64) -> Option<Duration> {
    let life = expires?.duration_since(now).unwrap_or_default();
    let latest = (life / 2).min(life.saturating_sub(AHEAD));
    // A life of less than five minutes still leaves some time between two fetches.
    let latest = latest.max(life / 8);
    Some(
        latest
            .mul_f64(1.0 - JITTER * chance.clamp(0.0, 1.0))
            .max(SHORTEST_RETRY),
    )
}

/// How long to wait after `failures` in a row: doubling, with a random part, and within an eighth of what is left of the
/// credential in force.
pub fn retry_in(
    failures: u32,
    now: SystemTime,
    expires: Option<SystemTime>,
    chance: f64,
) -> Duration {
    let doubled = FIRST_RETRY.saturating_mul(1 << failures.saturating_sub(1).min(16));
    let wait = doubled
        .min(LONGEST_RETRY)
        .mul_f64(1.0 - JITTER * chance.clamp(0.0, 1.0));
    let left = expires.and_then(|expires| expires.duration_since(now).ok());
    match left {
        Some(left) => wait.min(left / 8).max(SHORTEST_RETRY),
        // Requests fail meanwhile.
        None => wait.min(LONGEST_OUTAGE),
    }
}

const AHEAD: Duration = Duration::from_secs(300);
const JITTER: f64 = 0.2;
const FIRST_RETRY: Duration = Duration::from_millis(500);
const SHORTEST_RETRY: Duration = Duration::from_millis(50);
const LONGEST_OUTAGE: Duration = Duration::from_secs(10);
const LONGEST_RETRY: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: u64 = 60;

    fn refresh(life: u64, chance: f64) -> u64 {
        let now = SystemTime::UNIX_EPOCH;
        let expires = now + Duration::from_secs(life);
        refresh_in(now, Some(expires), chance).unwrap().as_secs()
    }

    #[test]
    fn the_earlier_of_five_minutes_before_and_half_of_the_life() {
        assert_eq!(refresh(60 * MINUTE, 0.0), 30 * MINUTE);
        assert_eq!(refresh(8 * MINUTE, 0.0), 3 * MINUTE);
        assert_eq!(refresh(10 * MINUTE, 0.0), 5 * MINUTE);
        assert_eq!(refresh(80, 0.0), 10);
        let now = SystemTime::UNIX_EPOCH;
        assert_eq!(refresh_in(now, Some(now), 1.0), Some(SHORTEST_RETRY));
        assert!(refresh(60 * MINUTE, 1.0) < refresh(60 * MINUTE, 0.5));
        assert!(refresh(60 * MINUTE, 1.0) >= 24 * MINUTE);
        assert_eq!(refresh_in(SystemTime::UNIX_EPOCH, None, 0.0), None);
    }

    #[test]
    fn retries_double_and_stay_within_an_eighth_of_what_is_left() {
        let now = SystemTime::UNIX_EPOCH;
        let waits: Vec<_> = (1..9).map(|n| retry_in(n, now, None, 0.0)).collect();
        assert_eq!(waits.first(), Some(&FIRST_RETRY));
        assert!(waits.windows(2).all(|pair| pair[0] <= pair[1]));
        assert_eq!(waits.last(), Some(&LONGEST_OUTAGE));
        let late = Some(now + Duration::from_secs(3600));
        assert_eq!(retry_in(9, now, late, 0.0), LONGEST_RETRY);
        let soon = Some(now + Duration::from_secs(8));
        assert_eq!(retry_in(9, now, soon, 0.0), Duration::from_secs(1));
    }
}
