//! What `bedrock_limit_zone` may say.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::num::{NonZeroU32, NonZeroU64};

use quota::{Budget, Calendar, Counts, Limit, Parameters, Per, Period, Rate, Unit, Weights, zone};

fn read(text: &str) -> Result<Limit, String> {
    let words: Vec<&str> = text.split(' ').filter(|word| !word.is_empty()).collect();
    Parameters::read(&words)?.limit()
}

fn rate(unit: Unit, amount: u64, per: Per, burst: Option<u64>) -> Limit {
    let rate = Rate::new(
        NonZeroU64::new(amount).unwrap(),
        per,
        burst.and_then(NonZeroU64::new),
    );
    Limit::Rate(unit, rate.unwrap())
}

fn budget(unit: Unit, amount: u64, period: Period, tz: &str) -> Limit {
    let budget = Budget {
        amount: NonZeroU64::new(amount).unwrap(),
        calendar: Calendar::new(period, zone(tz).unwrap()),
    };
    Limit::Budget(unit, budget)
}

#[test]
fn what_is_right_is_understood() {
    let tokens = Unit::Tokens(Weights::default());
    for (text, limit) in [
        (
            "rate=100kt/m",
            rate(tokens, 100_000, Per::Minute, Some(100_000)),
        ),
        (
            "rate=100kt/m burst=1Mt",
            rate(tokens, 100_000, Per::Minute, Some(1_000_000)),
        ),
        (
            "rate=2Mt/m weights=aws",
            rate(Unit::Tokens(Weights::Aws), 2_000_000, Per::Minute, None),
        ),
        (
            "rate=1.5kt/s",
            rate(tokens, 1500, Per::Second, Some(90_000)),
        ),
        (
            "rate=60r/m",
            rate(Unit::Requests, 60, Per::Minute, Some(60)),
        ),
        (
            "burst=5r rate=1r/d",
            rate(Unit::Requests, 1, Per::Day, Some(5)),
        ),
        (
            "rate=0.5usd/h",
            rate(Unit::Usd, 500_000_000_000, Per::Hour, None),
        ),
        (
            "budget=25usd/day tz=+01:00",
            budget(Unit::Usd, 25_000_000_000_000, Period::Day, "+01:00"),
        ),
        (
            "budget=1kusd/month tz=Europe/Berlin",
            budget(
                Unit::Usd,
                1_000_000_000_000_000,
                Period::Month,
                "Europe/Berlin",
            ),
        ),
        (
            "budget=0.000000000001usd/total",
            budget(Unit::Usd, 1, Period::Total, "UTC"),
        ),
        (
            "budget=18446744usd/total",
            budget(Unit::Usd, 18_446_744_000_000_000_000, Period::Total, "UTC"),
        ),
        (
            "budget=1000r/hour",
            budget(Unit::Requests, 1000, Period::Hour, "UTC"),
        ),
        (
            "budget=5Mt/week weights=output:5",
            budget(
                Unit::Tokens(Weights::Linear {
                    input: 1000,
                    output: 5000,
                    cache_read: 0,
                    cache_write: 1000,
                }),
                5_000_000,
                Period::Week,
                "UTC",
            ),
        ),
        (
            "concurrency=10",
            Limit::Concurrency(NonZeroU32::new(10).unwrap()),
        ),
    ] {
        assert_eq!(read(text), Ok(limit), "{text}");
    }
}

#[test]
fn what_is_wrong_is_said() {
    for (text, says) in [
        (
            "",
            "says no limit: add \"rate=\", \"budget=\" or \"concurrency=\"",
        ),
        ("burst=5r", "says no limit"),
        ("rate=60r/m budget=5r/day", "more than one of"),
        ("rate=60r/m concurrency=5", "more than one of"),
        (
            "budget=5r/day burst=5r",
            "\"burst=\" goes with \"rate=\" only",
        ),
        (
            "concurrency=5 burst=5r",
            "\"burst=\" goes with \"rate=\" only",
        ),
        ("rate=60r/m tz=UTC", "\"tz=\" goes with \"budget=\" only"),
        ("concurrency=5 tz=UTC", "\"tz=\" goes with \"budget=\" only"),
        ("concurrency=5 weights=aws", "\"weights=\" goes with"),
        (
            "rate=60r/m weights=aws",
            "\"weights=\" goes with a limit in tokens only",
        ),
        (
            "budget=5usd/day weights=aws",
            "\"weights=\" goes with a limit in tokens only",
        ),
        ("rate=60r/m rate=61r/m", "\"rate\" is given twice"),
        ("rate=", "\"rate\" needs a value"),
        ("rate", "\"rate\" needs a value"),
        ("rato=60r/m", "unknown parameter \"rato=60r/m\""),
        ("rate=60r", "\"rate=60r\" must end in /s, /m, /h, /d"),
        ("rate=25usd/day", "must end in /s, /m, /h, /d"),
        ("rate=60/m", "its unit: t for tokens, r for requests or usd"),
        ("rate=/m", "its unit"),
        ("rate=t/m", "must begin with an amount"),
        ("rate=kt/m", "must begin with an amount"),
        ("rate=1kkt/m", "must begin with an amount"),
        ("rate=1Kt/m", "must begin with an amount"),
        ("rate=-5t/m", "must begin with an amount"),
        ("rate=1e3t/m", "must begin with an amount"),
        ("rate=0t/m", "must be above 0"),
        (
            "rate=1.5t/m",
            "must be a whole number of tokens or requests",
        ),
        ("rate=99999999999999999999t/m", "is too large"),
        (
            "rate=60r/m burst=5t",
            "\"burst=5t\" must be in the unit of the rate",
        ),
        ("rate=60r/m burst=0r", "\"burst=0r\" must be above 0"),
        ("rate=1t/d burst=1Mt", "100 years"),
        (
            "budget=25usd/d",
            "\"budget=25usd/d\" must end in /hour, /day, /week, /month, /total",
        ),
        ("budget=25/day", "its unit"),
        ("budget=0.0000000000001usd/day", "at most twelve digits"),
        ("budget=18446745usd/total", "the most are 18446744usd"),
        (
            "budget=25usd/day tz=Berlin",
            "\"tz\": \"Berlin\" must be an offset",
        ),
        ("budget=25usd/day tz=+25:00", "must be an offset"),
        ("concurrency=0", "must be a whole number from 1"),
        ("concurrency=many", "must be a whole number from 1"),
        ("concurrency=-1", "must be a whole number from 1"),
        (
            "rate=1t/m weights=input",
            "\"weights\": \"input\" must be aws, or weights",
        ),
        ("rate=1t/m weights=inptu:1", "must be aws, or weights"),
        ("rate=1t/m weights=input:1001", "from 0 to 1000"),
        ("rate=1t/m weights=input:0.0001", "at most three digits"),
        ("rate=1t/m weights=input:1,input:2", "has input twice"),
        (
            "rate=1t/m weights=input:0,output:0,cache_read:0,cache_write:0",
            "counts nothing",
        ),
    ] {
        let error = read(text).err().unwrap_or_default();
        assert!(
            error.contains(says),
            "{text:?}: {error:?} should say {says:?}"
        );
    }
}

#[test]
fn values_may_come_from_variables() {
    let parameters = Parameters::read(&["rate=$tpm", "burst=100kt", "weights=aws"]).unwrap();
    assert!(parameters.limit().is_err());
    let owned = parameters
        .try_map(|text| Ok::<_, String>(text.to_owned()))
        .unwrap();
    let filled_in = owned
        .as_ref()
        .try_map(|text| Ok::<_, String>(text.replace("$tpm", "50kt/m")));
    let limit = filled_in.unwrap().limit().unwrap();
    assert_eq!(
        limit,
        rate(
            Unit::Tokens(Weights::Aws),
            50_000,
            Per::Minute,
            Some(100_000)
        )
    );
    for words in [
        &["budget=$b", "tz=$z"][..],
        &["concurrency=$c"],
        &["rate=$r"],
    ] {
        let parameters = Parameters::read(words).unwrap();
        let failed = parameters
            .as_ref()
            .try_map(|text| match text.starts_with('$') {
                true => Err("no such variable"),
                false => Ok(*text),
            });
        assert_eq!(failed, Err("no such variable"));
    }
}

#[test]
fn tokens_count_by_their_weights() {
    let counts = Counts {
        cache_read: Some(5000),
        cache_write: Some(300),
        cache_write_1h: Some(100),
        ..Counts::of(100, 20)
    };
    for (text, burndown, tokens) in [
        ("input:1", 1, 100 + 20 + 300),
        ("aws", 1, 420),
        ("aws", 5, 100 + 100 + 300),
        ("output:5,cache_read:0.1", 1, 100 + 100 + 500 + 300),
        ("input:0,output:0,cache_write:0,cache_read:0.001", 1, 5),
        // 0.333 · 100 and 20 and 300 are 353.3.
        ("input:0.333", 1, 354),
    ] {
        let weights = Weights::read(text).unwrap();
        assert_eq!(weights.weigh(&counts, burndown), tokens, "{text}");
    }
    // AWS's own example: 3000 + 1000 + 5 · 1000; and before the answer, with a limit of 32,000, 36,000.
    let example = Counts {
        cache_read: Some(4000),
        cache_write: Some(1000),
        ..Counts::of(3000, 1000)
    };
    assert_eq!(Weights::Aws.weigh(&example, 5), 9000);
    let before = Counts {
        output: Some(32_000),
        ..example
    };
    assert_eq!(Weights::Aws.weigh(&before, 1), 36_000);
    let most = Counts {
        cache_write: Some(u64::MAX),
        ..Counts::of(u64::MAX, u64::MAX)
    };
    assert_eq!(Weights::Aws.weigh(&most, u64::MAX), u64::MAX);
    assert_eq!(Weights::default().weigh(&Counts::default(), 1), 0);
}
