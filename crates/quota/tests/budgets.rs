//! Windows of wall time, and what is used in them.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::num::NonZeroU64;
use std::time::Duration;

use jiff::Timestamp;
use proptest::prelude::*;
use quota::{Budget, Calendar, Exhausted, FOR_EVER, Percent, Period, Spent, Window, zone};

fn at(text: &str) -> u64 {
    text.parse::<Timestamp>().unwrap().as_second() as u64
}

fn calendar(period: Period, name: &str) -> Calendar {
    Calendar::new(period, zone(name).unwrap())
}

#[test]
fn windows_end_by_the_zones_clock() {
    use Period::*;
    for (period, name, now, end) in [
        (Hour, "UTC", "2026-11-28T23:07:18Z", "2026-11-29T00:00:00Z"),
        (Hour, "UTC", "2026-11-28T23:00:00Z", "2026-11-29T00:00:00Z"),
        (
            Hour,
            "+05:30",
            "2026-11-28T23:07:18Z",
            "2026-11-28T23:30:00Z",
        ),
        (
            Hour,
            "-03:30",
            "2026-11-28T23:47:18Z",
            "2026-11-29T00:30:00Z",
        ),
        (Day, "UTC", "2026-11-28T23:07:18Z", "2026-11-29T00:00:00Z"),
        (
            Day,
            "+01:00",
            "2026-11-28T23:07:18Z",
            "2026-11-29T23:00:00Z",
        ),
        (
            Day,
            "-08:00",
            "2026-11-28T07:59:59Z",
            "2026-11-28T08:00:00Z",
        ),
        (
            Day,
            "America/New_York",
            "2026-11-28T23:07:18Z",
            "2026-11-29T05:00:00Z",
        ),
        (Week, "UTC", "2026-11-28T23:07:18Z", "2026-11-30T00:00:00Z"),
        (Week, "UTC", "2026-11-30T00:00:00Z", "2026-12-07T00:00:00Z"),
        (Month, "UTC", "2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z"),
        (
            Month,
            "Asia/Tokyo",
            "2028-02-29T14:59:59Z",
            "2028-02-29T15:00:00Z",
        ),
        // Days of 23 and of 25 hours.
        (
            Day,
            "Europe/Berlin",
            "2026-03-28T23:00:00Z",
            "2026-03-29T22:00:00Z",
        ),
        (
            Day,
            "Europe/Berlin",
            "2026-10-24T22:00:00Z",
            "2026-10-25T23:00:00Z",
        ),
        (
            Week,
            "Europe/Berlin",
            "2026-10-25T12:00:00Z",
            "2026-10-25T23:00:00Z",
        ),
        (
            Month,
            "Europe/Berlin",
            "2026-10-25T12:00:00Z",
            "2026-10-31T23:00:00Z",
        ),
        // An hour that the clock shows twice is two windows.
        (
            Hour,
            "Europe/Berlin",
            "2026-10-25T00:30:00Z",
            "2026-10-25T01:00:00Z",
        ),
        (
            Hour,
            "Europe/Berlin",
            "2026-10-25T01:30:00Z",
            "2026-10-25T02:00:00Z",
        ),
        // There is no midnight: the day begins at one.
        (
            Day,
            "Asia/Beirut",
            "2026-03-28T12:00:00Z",
            "2026-03-28T22:00:00Z",
        ),
        (
            Day,
            "Asia/Beirut",
            "2026-03-28T22:00:00Z",
            "2026-03-29T21:00:00Z",
        ),
        (
            Day,
            "Africa/Cairo",
            "2026-04-23T12:00:00Z",
            "2026-04-23T22:00:00Z",
        ),
        // Midnight comes twice: the day begins with the first.
        (
            Day,
            "America/Havana",
            "2026-10-31T12:00:00Z",
            "2026-11-01T04:00:00Z",
        ),
        (
            Day,
            "America/Havana",
            "2026-11-01T04:30:00Z",
            "2026-11-02T05:00:00Z",
        ),
        // A day that never was.
        (
            Day,
            "Pacific/Apia",
            "2011-12-30T09:00:00Z",
            "2011-12-30T10:00:00Z",
        ),
        // A clock that is set by half an hour.
        (
            Hour,
            "Australia/Lord_Howe",
            "2026-04-04T14:10:00Z",
            "2026-04-04T15:00:00Z",
        ),
        (
            Hour,
            "Australia/Lord_Howe",
            "2026-04-04T15:10:00Z",
            "2026-04-04T15:30:00Z",
        ),
        (
            Hour,
            "Australia/Lord_Howe",
            "2026-10-03T15:10:00Z",
            "2026-10-03T16:00:00Z",
        ),
    ] {
        let window = calendar(period, name).at(at(now));
        let end = at(end);
        assert_eq!(
            window.end,
            end,
            "{period:?} {name} {now}: ends {}",
            Timestamp::from_second(window.end as i64).unwrap()
        );
    }
    let forever = calendar(Total, "UTC").at(at("2026-11-28T23:07:18Z"));
    assert_eq!(
        forever,
        Window {
            number: 0,
            end: u64::MAX
        }
    );
    assert_eq!(forever.rest(at("2026-11-28T23:07:18Z")), FOR_EVER);
    let window = calendar(Day, "UTC").at(at("2026-11-28T23:07:18Z"));
    assert_eq!(
        window.rest(at("2026-11-28T23:07:18Z")),
        Duration::from_secs(52 * 60 + 42)
    );
}

#[test]
fn numbers_of_windows_fit_in_little() {
    for (period, number) in [
        (Period::Hour, 498_815),
        (Period::Day, 20_783),
        (Period::Week, 2969),
        (Period::Month, 682),
        (Period::Total, 0),
    ] {
        let window = calendar(period, "UTC").at(at("2026-11-26T23:07:18Z"));
        assert_eq!(window.number, number, "{period:?}");
    }
}

#[test]
fn a_calendar_knows_the_window_however_its_clock_steps() {
    for period in [Period::Hour, Period::Day, Period::Week, Period::Month] {
        let one = calendar(period, "Europe/Berlin");
        let noon = at("2026-11-28T12:30:00Z");
        let window = one.at(noon);
        for moment in [
            noon,
            noon + 1,
            window.end - 1,
            window.end,
            noon,
            noon - 40 * 86_400,
            window.end + 400 * 86_400,
            noon + 1,
            noon - 3600,
            // Beyond 32 bits.
            at("2200-01-01T12:00:00Z"),
            noon,
        ] {
            // Another one knows nothing yet.
            assert_eq!(
                one.at(moment),
                one.clone().at(moment),
                "{period:?} {moment}"
            );
        }
    }
}

#[test]
fn a_clock_that_steps_back_stays_in_the_later_window() {
    let days = calendar(Period::Day, "UTC");
    let noon = at("2026-11-28T12:00:00Z");
    let today = days.at(noon);
    let tomorrow = days.at(today.end);
    assert_eq!(tomorrow.number, today.number + 1);

    let spent = Spent {
        window: tomorrow.number,
        used: 7,
    };
    assert_eq!(spent.in_window(today.number), spent);
    assert_eq!(spent.in_window(tomorrow.number + 1).used, 0);
}

#[test]
fn zones_have_names_and_offsets() {
    for wrong in [
        "",
        "Europe/Atlantis",
        "+1",
        "+01",
        "+1:00",
        "+01:60",
        "+15:00",
        "+01:00:00",
        "+0a:00",
        "01:00",
        "-+1:00",
        "+ 1:00",
    ] {
        let error = zone(wrong).unwrap_err();
        assert!(error.contains("such as Europe/Berlin"), "{wrong}: {error}");
    }
    for right in [
        "+00:00",
        "-12:00",
        "+14:00",
        "UTC",
        "Europe/Berlin",
        "America/Argentina/Buenos_Aires",
    ] {
        assert!(zone(right).is_ok(), "{right}");
    }
}

fn budget(amount: u64) -> Budget {
    Budget {
        amount: NonZeroU64::new(amount).unwrap(),
        calendar: calendar(Period::Day, "UTC"),
    }
}

#[test]
fn a_budget_is_spent_to_the_last() {
    let budget = budget(100);
    let none = Spent::default();
    let spent = budget.admit(none, 5, 60, Percent::ZERO).unwrap();
    assert_eq!(
        spent,
        Spent {
            window: 5,
            used: 60
        }
    );
    assert_eq!(budget.remaining(spent, 5), 40);
    assert_eq!(budget.admit(spent, 5, 41, Percent::ZERO), Err(Exhausted));
    let all = budget.admit(spent, 5, 40, Percent::ZERO).unwrap();
    assert_eq!(budget.remaining(all, 5), 0);
    for amount in [0, 1, u64::MAX] {
        assert_eq!(budget.admit(all, 5, amount, Percent::ZERO), Err(Exhausted));
    }
    // A reservation that is larger than the budget never passes.
    assert_eq!(budget.admit(none, 5, 101, Percent::ZERO), Err(Exhausted));
    // The next window is whole, and an earlier one is not gone back to.
    assert_eq!(budget.remaining(all, 6), 100);
    assert_eq!(budget.admit(all, 4, 1, Percent::ZERO), Err(Exhausted));
    assert!(budget.admit(all, 6, 100, Percent::ZERO).is_ok());
    // Debt.
    let over = all.charge(50);
    assert_eq!((over.used, budget.remaining(over, 5)), (150, 0));
    assert_eq!(over.charge(u64::MAX).used, u64::MAX);
}

#[test]
fn keep_and_soft_are_parts_of_the_budget() {
    let budget = budget(100);
    let percent = |text| Percent::read(text).unwrap();
    let spent = Spent {
        window: 5,
        used: 70,
    };
    assert!(budget.admit(spent, 5, 10, percent("20%")).is_ok());
    assert_eq!(budget.admit(spent, 5, 11, percent("20%")), Err(Exhausted));
    assert_eq!(
        budget.admit(Spent::default(), 5, 0, percent("100%")),
        Err(Exhausted)
    );
    assert!(budget.is_past(spent, 5, percent("70%")));
    assert!(!budget.is_past(spent, 5, percent("71%")));
    assert!(!budget.is_past(spent, 6, percent("1%")));
}

#[test]
fn what_was_used_is_in_the_window_of_the_requests_end() {
    let spent = Spent {
        window: 5,
        used: 60,
    };
    for (window, reserved_in, result) in [
        // 60 with 40 reserved; 25 used.
        (
            5,
            5,
            Spent {
                window: 5,
                used: 45,
            },
        ),
        // Reserved yesterday: gone with yesterday.
        (
            6,
            5,
            Spent {
                window: 6,
                used: 25,
            },
        ),
        // The key has gone on meanwhile; this one's reservation is not in it.
        (
            5,
            4,
            Spent {
                window: 5,
                used: 85,
            },
        ),
        // A clock that stepped back.
        (
            4,
            5,
            Spent {
                window: 5,
                used: 45,
            },
        ),
    ] {
        assert_eq!(
            spent.settle(window, 40, reserved_in, 25),
            result,
            "{window} {reserved_in}"
        );
    }
    // More than is there is never taken away.
    assert_eq!(spent.settle(5, 100, 5, 0).used, 0);
}

const ZONES: [&str; 12] = [
    "UTC",
    "+05:45",
    "-09:30",
    "Europe/Berlin",
    "America/New_York",
    "Asia/Beirut",
    "Africa/Cairo",
    "America/Havana",
    "Australia/Lord_Howe",
    "America/Sao_Paulo",
    "Asia/Kolkata",
    "Pacific/Chatham",
];

proptest! {
    #[test]
    fn a_window_ends_where_the_next_begins(
        now in 946_684_800_u64..2_500_000_000, name in prop::sample::select(&ZONES[..]),
        period in prop::sample::select(&[Period::Hour, Period::Day, Period::Week, Period::Month][..]),
    ) {
        let calendar = calendar(period, name);
        let window = calendar.at(now);
        prop_assert!(window.end > now);
        prop_assert_eq!(calendar.at(window.end - 1), window);
        let next = calendar.at(window.end);
        prop_assert!(next.number > window.number);
        prop_assert_eq!(calendar.numbered(window.number), window);
        prop_assert!(next.number < 1 << 20);
        let longest = match period {
            Period::Hour => 5400,
            Period::Day => 25 * 3600,
            Period::Week => 8 * 86_400,
            _ => 32 * 86_400,
        };
        prop_assert!(window.end - now <= longest);
    }

    #[test]
    fn any_time_has_a_window(now: u64, name in prop::sample::select(&ZONES[..])) {
        for period in [Period::Hour, Period::Day, Period::Week, Period::Month, Period::Total] {
            let _ = calendar(period, name).at(now);
            let _ = calendar(period, name).numbered(now);
        }
    }

    /// Reserved, settled, windows going on: the sum is that of the requests in the window.
    #[test]
    fn a_window_holds_what_its_requests_used(
        steps in prop::collection::vec((0_u64..3, 1_u64..500, 0_u64..800, 0_usize..6), 1..80)
    ) {
        let budget = budget(1000);
        let (mut spent, mut window) = (Spent::default(), 0);
        let (mut open, mut used, mut in_window) = (Vec::new(), 0_u64, 0_u64);
        for (number, (pass, reserve, actual, later)) in steps.into_iter().enumerate() {
            if pass == 2 {
                window += 1;
                (used, in_window) = (0, 0);
            }
            match budget.admit(spent, window, reserve, Percent::ZERO) {
                Ok(next) => {
                    prop_assert!(used + in_window + reserve <= 1000);
                    spent = next;
                    in_window += reserve;
                    open.push((number + later, reserve, window, actual));
                }
                Err(Exhausted) => prop_assert!(used + in_window + reserve > 1000),
            }
            for (_, reserve, reserved_in, actual) in open.extract_if(.., |(end, ..)| *end <= number) {
                spent = spent.settle(window, reserve, reserved_in, actual);
                used += actual;
                in_window -= if reserved_in == window { reserve } else { 0 };
            }
            prop_assert_eq!(spent.in_window(window).used, used + in_window);
        }
    }
}
