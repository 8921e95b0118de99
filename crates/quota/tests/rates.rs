//! Rates, against a bucket that is slow and obvious: a level that rises, in fractions of a unit that are whole numbers.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::num::NonZeroU64;
use std::time::Duration;

use proptest::prelude::*;
use quota::{Per, Percent, Rate};

const SECOND: u64 = 1_000_000_000;

fn rate(amount: u64, per: Per, burst: u64) -> Rate {
    let number = |number| NonZeroU64::new(number).unwrap();
    Rate::new(number(amount), per, Some(number(burst))).unwrap()
}

fn nanoseconds(per: Per) -> i128 {
    i128::from(SECOND)
        * match per {
            Per::Second => 1,
            Per::Minute => 60,
            Per::Hour => 3600,
            Per::Day => 86_400,
        }
}

/// So many at once, one after another, until one is refused.
fn at_once(rate: &Rate, now: u64, amount: u64, keep: Percent) -> u64 {
    let (mut arrival, mut passed) = (0, 0);
    while let Ok(next) = rate.admit(arrival, now, amount, keep) {
        arrival = next;
        passed += 1;
    }
    passed
}

#[test]
fn exactly_the_burst_passes_at_once() {
    let now = 1_000 * SECOND;
    for (amount, per, burst) in [
        (7, Per::Second, 7),
        (60, Per::Minute, 60),
        (61, Per::Minute, 61),
        (3, Per::Day, 100),
        (1, Per::Day, 1),
        (1, Per::Day, 36_499),
        (99_991, Per::Minute, 99_991),
        (1_000_000_000, Per::Second, 1000),
        (30_000_001, Per::Second, 30),
    ] {
        let rate = rate(amount, per, burst);
        assert_eq!(at_once(&rate, now, 1, Percent::ZERO), burst, "{rate:?}");
        assert_eq!(at_once(&rate, 0, 1, Percent::ZERO), burst, "{rate:?} at 0");
    }
}

#[test]
fn what_comes_back_comes_at_the_rate() {
    let rate = rate(60, Per::Minute, 10);
    let now = 5 * SECOND;
    let empty = rate.admit(0, now, 10, Percent::ZERO).unwrap();
    assert_eq!(rate.remaining(empty, now), 0);
    assert_eq!(rate.standing(empty, now).reset, Duration::from_secs(10));
    assert_eq!(
        rate.admit(empty, now, 1, Percent::ZERO),
        Err(Duration::from_secs(1))
    );
    assert_eq!(
        rate.admit(empty, now, 4, Percent::ZERO),
        Err(Duration::from_secs(4))
    );
    assert_eq!(rate.remaining(empty, now + SECOND * 5 / 2), 2);
    assert!(
        rate.admit(empty, now + 4 * SECOND - 1, 4, Percent::ZERO)
            .is_err()
    );
    assert!(
        rate.admit(empty, now + 4 * SECOND, 4, Percent::ZERO)
            .is_ok()
    );
    // Another worker's clock lags a little: it only waits longer.
    assert_eq!(
        rate.admit(empty, now - SECOND, 1, Percent::ZERO),
        Err(Duration::from_secs(2))
    );
    assert_eq!(rate.remaining(0, now), 10);
    assert_eq!(rate.standing(0, now).reset, Duration::ZERO);
}

#[test]
fn what_is_larger_than_the_burst_passes_when_the_bucket_is_full() {
    let rate = rate(60, Per::Minute, 10);
    let now = SECOND;
    let debt = rate.admit(0, now, 100, Percent::ZERO).unwrap();
    assert_eq!(rate.standing(debt, now).reset, Duration::from_secs(100));
    assert_eq!(
        rate.admit(debt, now, 1, Percent::ZERO),
        Err(Duration::from_secs(91))
    );
    assert_eq!(
        rate.admit(debt, now, 11, Percent::ZERO),
        Err(Duration::from_secs(100))
    );
    assert_eq!(
        rate.admit(debt, now, 0, Percent::ZERO),
        Err(Duration::from_nanos(90 * SECOND + 1))
    );
    assert!(
        rate.admit(debt, now + 100 * SECOND, 11, Percent::ZERO)
            .is_ok()
    );
}

#[test]
fn keep_leaves_a_part_to_others() {
    let rate = rate(60, Per::Minute, 10);
    let keep = |text| Percent::read(text).unwrap();
    for (text, passed) in [("0%", 10), ("30%", 7), ("50%", 5), ("95%", 1), ("100%", 1)] {
        assert_eq!(at_once(&rate, SECOND, 1, keep(text)), passed, "{text}");
    }
    let half = rate.admit(0, SECOND, 5, Percent::ZERO).unwrap();
    assert_eq!(
        rate.admit(half, SECOND, 1, keep("50%")),
        Err(Duration::from_secs(1))
    );
    assert!(rate.is_past(half, SECOND, keep("50%")));
    assert!(!rate.is_past(half, SECOND, keep("51%")));
}

#[test]
fn settling_gives_back_or_leaves_a_debt() {
    let rate = rate(60, Per::Minute, 100);
    let now = SECOND;
    let reserved = rate.admit(0, now, 80, Percent::ZERO).unwrap();
    assert_eq!(rate.remaining(rate.settle(reserved, now, 80, 30), now), 70);
    assert_eq!(rate.settle(reserved, now, 80, 80), reserved);
    let debt = rate.settle(reserved, now, 80, 130);
    assert_eq!(rate.remaining(debt, now), 0);
    assert_eq!(
        rate.admit(debt, now, 1, Percent::ZERO),
        Err(Duration::from_secs(31))
    );
    assert_eq!(rate.charge(0, now, 130), debt);
    // Nothing makes it fuller than full.
    let late = now + 1000 * SECOND;
    let full = rate.settle(reserved, late, 80, 0);
    assert_eq!(
        (rate.remaining(full, late), rate.standing(full, late).reset),
        (100, Duration::ZERO)
    );
    // Nor does a debt begin in the past.
    let debt = rate.settle(reserved, late, 80, 110);
    assert_eq!(rate.remaining(debt, late), 70);
}

#[test]
fn slow_and_fast_rates_both_fit() {
    let slow = rate(1, Per::Day, 36_499);
    // 27,000 years come to 100.
    let debt = slow.admit(0, SECOND, 10_000_000, Percent::ZERO).unwrap();
    let back = slow.settle(debt, SECOND, 10_000_000, 10);
    assert_eq!(
        slow.standing(debt, SECOND).reset.as_secs() / 86_400 / 365,
        100
    );
    assert_eq!(slow.charge(u64::MAX, SECOND, u64::MAX), u64::MAX);
    assert_eq!(slow.remaining(back, SECOND), 36_489);
    // 25 dollars a day, in pico-dollars, and 1,000,000 dollars a second.
    let cheap = rate(25_000_000_000_000, Per::Day, 500_000_000_000);
    assert_eq!(at_once(&cheap, SECOND, 5_000_000_000, Percent::ZERO), 100);
    let dear = rate(
        1_000_000_000_000_000_000,
        Per::Second,
        1_000_000_000_000_000_000,
    );
    assert_eq!(
        at_once(&dear, SECOND, 10_000_000_000_000_000, Percent::ZERO),
        100
    );
    for (amount, per, burst, is_right) in [
        (1, Per::Day, None, true),
        (1, Per::Day, Some(36_500), false),
        (1, Per::Second, Some(u64::MAX), false),
        (u64::MAX, Per::Second, Some(u64::MAX), true),
        (u64::MAX, Per::Second, None, true),
        (1, Per::Hour, None, true),
    ] {
        let number = |number| NonZeroU64::new(number).unwrap();
        let rate = Rate::new(number(amount), per, burst.map(number));
        assert_eq!(rate.is_ok(), is_right, "{amount} {per:?} {burst:?}");
    }
}

#[test]
fn a_burst_is_a_minutes_worth_if_nothing_is_said() {
    for (amount, per, burst) in [
        (60, Per::Minute, 60),
        (10, Per::Second, 600),
        (100, Per::Hour, 2),
        (1, Per::Day, 1),
    ] {
        let rate = Rate::new(NonZeroU64::new(amount).unwrap(), per, None).unwrap();
        assert_eq!(
            (rate.amount(), rate.per(), rate.burst()),
            (amount, per, burst)
        );
    }
}

/// A bucket whose level is in units times the period's nanoseconds: each nanosecond brings `amount` of these.
struct Bucket {
    amount: i128,
    unit: i128,
    full: i128,
    level: i128,
    at: u64,
}

impl Bucket {
    fn new(rate: &Rate) -> Self {
        let unit = nanoseconds(rate.per());
        let full = i128::from(rate.burst()) * unit;
        Self {
            amount: rate.amount().into(),
            unit,
            full,
            level: full,
            at: 0,
        }
    }

    fn to(&mut self, now: u64) {
        let passed = i128::from(now - self.at);
        self.level = self.full.min(self.level + passed * self.amount);
        self.at = now;
    }

    fn take(&mut self, units: i128) {
        self.level = self.full.min(self.level - units * self.unit);
    }
}

fn per() -> impl Strategy<Value = Per> {
    prop_oneof![
        Just(Per::Second),
        Just(Per::Minute),
        Just(Per::Hour),
        Just(Per::Day)
    ]
}

fn any_rate() -> impl Strategy<Value = Rate> {
    let amounts = prop_oneof![
        1_u64..100,
        1_u64..1_000_000,
        Just(1_000_000_000),
        Just(25_000_000_000_000)
    ];
    (amounts, per(), 1_u64..1_000_000).prop_filter_map("takes 100 years", |(amount, per, burst)| {
        Rate::new(NonZeroU64::new(amount)?, per, NonZeroU64::new(burst)).ok()
    })
}

/// Wait so long, then ask for so much and use so much in the end, after so many more requests.
type Step = (u64, u64, u64, usize);

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let wait = prop_oneof![Just(0_u64), 0..SECOND, 0..10_000 * SECOND];
    let amount = prop_oneof![0_u64..10, 0_u64..100_000, 0_u64..2_000_000];
    let step = (wait, amount.clone(), amount, 0_usize..5);
    prop::collection::vec(step, 1..60)
}

proptest! {
    #[test]
    fn a_rate_does_what_the_bucket_does(rate in any_rate(), steps in steps()) {
        let mut bucket = Bucket::new(&rate);
        let (mut arrival, mut now) = (0, 0);
        let mut open: Vec<(usize, u64, u64)> = Vec::new();
        // Each step rounds by less than a nanosecond.
        let mut rounded = 0;
        for (number, (wait, reserve, used, later)) in steps.into_iter().enumerate() {
            now += wait;
            bucket.to(now);
            let need = i128::from(reserve.max(1)) * bucket.unit;
            let error = rounded * bucket.amount;
            match rate.admit(arrival, now, reserve, Percent::ZERO) {
                Ok(next) => {
                    // Less than one unit too much, and what a nanosecond brings for each time that was rounded; but when full.
                    prop_assert!(bucket.level + error > need - bucket.unit || bucket.level + error >= bucket.full, "too much");
                    arrival = next;
                    bucket.take(reserve.into());
                    open.push((number + later, reserve, used));
                }
                Err(wait) => {
                    prop_assert!(bucket.level < need + error + bucket.amount, "refused");
                    prop_assert!(bucket.level + error + bucket.amount > 0 || wait > Duration::ZERO);
                    // After the wait it passes, and not before.
                    let then = now + u64::try_from(wait.as_nanos()).unwrap();
                    prop_assert!(rate.admit(arrival, then, reserve, Percent::ZERO).is_ok());
                    prop_assert!(rate.admit(arrival, then - 1, reserve, Percent::ZERO).is_err());
                }
            }
            rounded += 1;
            for (_, reserve, used) in open.extract_if(.., |(end, ..)| *end <= number) {
                arrival = rate.settle(arrival, now, reserve, used);
                bucket.take(i128::from(used) - i128::from(reserve));
                rounded += 2;
            }
            let left = i128::from(rate.remaining(arrival, now));
            let error = rounded * bucket.amount + bucket.unit;
            prop_assert!((left * bucket.unit - bucket.level.max(0)).abs() <= error, "left {left}");
        }
    }

    /// What was used and what is reserved is at most the burst and what the rate brought since the bucket was first used.
    #[test]
    fn never_over(rate in any_rate(), steps in steps(), start in 0..100_000 * SECOND) {
        let (mut arrival, mut now) = (0, start);
        let (unit, amount) = (nanoseconds(rate.per()), i128::from(rate.amount()));
        let mut taken = 0;
        let mut open: Vec<(usize, u64, u64)> = Vec::new();
        for (number, (wait, reserve, used, later)) in steps.into_iter().enumerate() {
            now += wait;
            let reserve = reserve.min(rate.burst());
            if let Ok(next) = rate.admit(arrival, now, reserve, Percent::ZERO) {
                arrival = next;
                taken += i128::from(reserve);
                open.push((number + later, reserve, used.min(reserve)));
                let brought = i128::from(now - start) * amount;
                let most = (i128::from(rate.burst()) + 1) * unit + brought;
                prop_assert!(taken * unit < most, "{taken}");
            }
            for (_, reserve, used) in open.extract_if(.., |(end, ..)| *end <= number) {
                arrival = rate.settle(arrival, now, reserve, used);
                taken -= i128::from(reserve - used);
            }
        }
    }

    #[test]
    fn nothing_overflows(
        amount in 1_u64.., per in per(), burst in 1_u64..,
        arrival: u64, now: u64, one: u64, other: u64, keep in 0_u32..=100,
    ) {
        let number = |number| NonZeroU64::new(number).unwrap();
        let keep = Percent::read(&format!("{keep}%")).unwrap();
        if let Ok(rate) = Rate::new(number(amount), per, Some(number(burst))) {
            let next = rate.admit(arrival, now, one, keep);
            prop_assert!(next.is_err() || next.unwrap() >= arrival.min(now));
            prop_assert!(rate.charge(arrival, now, one) >= arrival);
            let _ = rate.settle(arrival, now, one, other);
            prop_assert!(rate.remaining(arrival, now) <= burst);
            let _ = (rate.standing(arrival, now).reset, rate.is_past(arrival, now, keep));
        }
    }
}
