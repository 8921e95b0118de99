//! Time as signatures write it: `20260115T123456Z`.

use std::time::{SystemTime, UNIX_EPOCH};

/// Seconds since the epoch, now.
pub fn now() -> i64 {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(now.as_secs()).unwrap_or_default()
}

/// `20260115T123456Z` as seconds since the epoch.
pub fn epoch(time: &str) -> Option<i64> {
    let (date, clock) = time.strip_suffix('Z')?.split_once('T')?;
    if date.len() != 8 || clock.len() != 6 || !time.is_ascii() {
        return None;
    }
    let number = |text: &str, range: std::ops::Range<usize>| {
        text.get(range)?.parse::<u32>().ok().map(i64::from)
    };
    let (year, month, day) = (
        number(date, 0..4)?,
        number(date, 4..6)?,
        number(date, 6..8)?,
    );
    let (hour, minute, second) = (
        number(clock, 0..2)?,
        number(clock, 2..4)?,
        number(clock, 4..6)?,
    );
    let in_range = (1..=12).contains(&month) && (1..=31).contains(&day);
    // Days from the civil date, with the year beginning in March.
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let days =
        365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1 - 719_468;
    (in_range && hour < 24 && minute < 60 && second < 61)
        .then_some(days * 86_400 + hour * 3600 + minute * 60 + second)
}

/// Seconds since the epoch (not before it) as `20260115T123456Z`.
pub fn iso8601(at: i64) -> String {
    let (days, second) = (at.div_euclid(86_400) + 719_468, at.rem_euclid(86_400));
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let march_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 {
        march_month + 3
    } else {
        march_month - 9
    };
    let year = era * 400 + year + i64::from(month <= 2);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_and_written() {
        for bad in [
            "",
            "20260115",
            "20261315T123456Z",
            "20260115T1234Z",
            "2026é115T12345Z",
        ] {
            assert_eq!(epoch(bad), None, "{bad}");
        }
        assert_eq!(epoch("19700101T000000Z"), Some(0));
        assert_eq!(epoch("20240229T235959Z"), Some(1_709_251_199));
        assert_eq!(iso8601(1_709_251_199), "20240229T235959Z");
    }
}
