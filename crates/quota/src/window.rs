//! Windows of wall time for budgets: the hour, the day, the week, the month, all time.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use jiff::civil::Date;
use jiff::tz::{Offset, TimeZone};
use jiff::{Span, Timestamp, ToSpan};

/// How long a window is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Period {
    /// From a full hour to the next.
    Hour,
    /// From midnight to midnight: 23 or 25 hours where summer time begins or ends.
    Day,
    /// From Monday to Monday.
    Week,
    /// From the first of a month to the first of the next.
    Month,
    /// For ever.
    Total,
}

/// Which windows there are: a period, in a time zone.
#[derive(Debug)]
pub struct Calendar {
    period: Period,
    zone: TimeZone,
    /// The window that was looked for last.
    last: Last,
}

/// One window. Windows of one calendar are told apart by their numbers, which rise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Hours, days, weeks or months since 1970 by the zone's clock; 0 for all time. It fits in 32 bits.
    pub number: u64,
    /// When it ends, in seconds since 1970; `u64::MAX` for all time.
    pub end: u64,
}

impl Calendar {
    /// Windows of this length by the clock of `zone`.
    pub fn new(period: Period, zone: TimeZone) -> Self {
        Self {
            period,
            zone,
            last: Last::default(),
        }
    }

    /// The length of its windows.
    pub fn period(&self) -> Period {
        self.period
    }

    /// The window that `now` (seconds since 1970) is in. To look at the calendar takes some hundred nanoseconds, so the window is kept
    /// for as long as it lasts.
    pub fn at(&self, now: u64) -> Window {
        self.last.at(now).unwrap_or_else(|| {
            let window = self.look_up(now);
            self.last.keep(window, now);
            window
        })
    }

    fn look_up(&self, now: u64) -> Window {
        match self.period {
            Period::Total => Window {
                number: 0,
                end: u64::MAX,
            },
            Period::Hour => Window {
                number: self.hour(now),
                end: self.end_of_hour(now),
            },
            Period::Day | Period::Week | Period::Month => {
                let date = self.zone.to_datetime(timestamp(now)).date();
                Window {
                    number: self.number_of_date(date),
                    end: self.end_of_date(date).unwrap_or(u64::MAX),
                }
            }
        }
    }

    /// The window with this number: for someone who knows that it has begun, whatever a clock says that has stepped back.
    pub fn numbered(&self, number: u64) -> Window {
        let end = match self.period {
            Period::Total => None,
            Period::Hour => {
                let full = number.saturating_mul(HOUR);
                let offset = self.zone.to_offset(timestamp(full)).seconds();
                Some(self.end_of_hour(full.saturating_sub(beyond_full_hour(offset))))
            }
            Period::Day | Period::Week | Period::Month => {
                let date = self.date_of_number(number);
                date.and_then(|date| self.end_of_date(date))
            }
        };
        Window {
            number,
            end: end.unwrap_or(u64::MAX),
        }
    }

    /// Hours are counted from where the zone's clock shows a full one, so they stay an hour long when that clock is set by one.
    fn hour(&self, at: u64) -> u64 {
        let offset = self.zone.to_offset(timestamp(at)).seconds();
        at.saturating_add(beyond_full_hour(offset)) / HOUR
    }

    /// The end of the hour that `now` is in.
    fn end_of_hour(&self, now: u64) -> u64 {
        let next = self.hour(now).saturating_add(1).saturating_mul(HOUR);
        let end_by = |offset: Offset| next.saturating_sub(beyond_full_hour(offset.seconds()));
        let end = end_by(self.zone.to_offset(timestamp(now)));
        // Where a clock is set by half an hour, the hour that this falls in is a shorter or longer one.
        let change = self.zone.following(timestamp(now)).next();
        match change.map(|change| (seconds(change.timestamp()), change.offset())) {
            Some((at, offset)) if at <= end => end_by(offset).max(at),
            _ => end,
        }
    }

    fn number_of_date(&self, date: Date) -> u64 {
        let days = date.duration_since(EPOCH).as_hours() / 24;
        let number = match self.period {
            // 1 January 1970 was a Thursday.
            Period::Week => (days + 3).div_euclid(7),
            Period::Month => (i64::from(date.year()) - 1970) * 12 + i64::from(date.month()) - 1,
            _ => days,
        };
        u64::try_from(number).unwrap_or(0)
    }

    /// A date in the day, week or month with this number.
    fn date_of_number(&self, number: u64) -> Option<Date> {
        let number = i64::try_from(number).ok()?;
        let date = match self.period {
            Period::Month => {
                let year = i16::try_from(1970 + number / 12).ok()?;
                Date::new(year, i8::try_from(number % 12 + 1).ok()?, 1)
            }
            // Each week has a Thursday, as 1 January 1970 was.
            Period::Week => EPOCH.checked_add(days(number.checked_mul(7)?)?),
            _ => EPOCH.checked_add(days(number)?),
        };
        date.ok()
    }

    /// Where the day, week or month after this date begins: also where there is no midnight, because the clock is set then.
    fn end_of_date(&self, date: Date) -> Option<u64> {
        let next = match self.period {
            Period::Week => {
                let days = i64::from(date.weekday().to_monday_zero_offset());
                date.checked_add((7 - days).days())
            }
            Period::Month => date.last_of_month().tomorrow(),
            _ => date.tomorrow(),
        };
        let next = next.ok()?.to_zoned(self.zone.clone()).ok()?;
        Some(seconds(next.start_of_day().ok()?.timestamp()))
    }
}

impl Clone for Calendar {
    fn clone(&self) -> Self {
        Self::new(self.period, self.zone.clone())
    }
}

impl PartialEq for Calendar {
    fn eq(&self, other: &Self) -> bool {
        (self.period, &self.zone) == (other.period, &other.zone)
    }
}

/// A window, and a moment in it, in words that any thread may change: who mixes those of two threads gets a window that is one of the
/// calendar's.
#[derive(Debug, Default)]
struct Last {
    /// The number in the upper half, the end in the lower; 0 if there is none, or if it does not fit.
    window: AtomicU64,
    /// The earliest moment at which it was the window. Before that, a clock has stepped back.
    from: AtomicU64,
}

impl Last {
    fn at(&self, now: u64) -> Option<Window> {
        let (window, from) = (self.window.load(Relaxed), self.from.load(Relaxed));
        let window = Window {
            number: window >> 32,
            end: window & u64::from(u32::MAX),
        };
        (from <= now && now < window.end).then_some(window)
    }

    fn keep(&self, window: Window, now: u64) {
        let halves = (u32::try_from(window.number), u32::try_from(window.end));
        if let (Ok(number), Ok(end)) = halves {
            self.window.store(0, Relaxed);
            self.from.store(now, Relaxed);
            self.window
                .store(u64::from(number) << 32 | u64::from(end), Relaxed);
        }
    }
}

impl Window {
    /// How long it lasts from `now` (seconds since 1970); [`FOR_EVER`] for all time.
    pub fn rest(self, now: u64) -> Duration {
        match self.end {
            u64::MAX => FOR_EVER,
            end => Duration::from_secs(end.saturating_sub(now)),
        }
    }
}

/// Reads `+01:00`, `-03:30` or a name of the time zone database such as `Europe/Berlin`: the system's, or the one that is built in where
/// the system has none. It may read a file, so it is for the start and not for each request.
///
/// # Errors
/// A sentence that says what is right.
pub fn zone(text: &str) -> Result<TimeZone, String> {
    let wrong = || {
        format!(
            "\"{text}\" must be an offset such as +01:00, or the name of a time zone such as Europe/Berlin"
        )
    };
    if text.starts_with(['+', '-']) {
        return offset(text).map(TimeZone::fixed).ok_or_else(wrong);
    }
    TimeZone::get(text).map_err(|_| wrong())
}

fn offset(text: &str) -> Option<Offset> {
    let (hours, minutes) = text.get(1..)?.split_once(':')?;
    let two = |digits: &str, most: i32| {
        let is_right = digits.len() == 2 && digits.bytes().all(|digit| digit.is_ascii_digit());
        let number: i32 = is_right.then(|| digits.parse().ok())??;
        (number <= most).then_some(number)
    };
    let seconds = two(hours, 14)? * 3600 + two(minutes, 59)? * 60;
    let sign = if text.starts_with('-') { -1 } else { 1 };
    Offset::from_seconds(sign * seconds).ok()
}

fn days(number: i64) -> Option<Span> {
    Span::new().try_days(number).ok()
}

/// How far the zone's clock is beyond UTC's in its hour.
fn beyond_full_hour(offset: i32) -> u64 {
    u64::from(offset.rem_euclid(3600).unsigned_abs())
}

fn timestamp(seconds: u64) -> Timestamp {
    let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
    Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX)
}

fn seconds(timestamp: Timestamp) -> u64 {
    u64::try_from(timestamp.as_second()).unwrap_or(0)
}

/// How long a window lasts that does not end. Nobody is told to come back then.
pub const FOR_EVER: Duration = Duration::MAX;
const HOUR: u64 = 3600;
const EPOCH: Date = Date::constant(1970, 1, 1);
