//! Limits and prices: whatever an operator writes and however requests come, nothing panics, and no limit gives more than it has.

use std::num::NonZeroU64;

use quota::{Cost, Counts, Lengths, Limit, Parameters, Per, Percent, Prompt, Rate, Ratio, Spent};

use super::prices;

/// The first byte says what the rest is: words of a limit and steps against it, a price file, or numbers that a worker left.
pub fn quota(data: &[u8]) {
    let Some((kind, rest)) = data.split_first() else {
        return;
    };
    match kind % 3 {
        0 => {
            let (words, steps) = split(rest, b'\n');
            limit(&String::from_utf8_lossy(words), steps);
        }
        1 => price_file(&String::from_utf8_lossy(rest)),
        _ => numbers(rest),
    }
}

/// Words of `bedrock_limit_zone`; if they are right, requests come.
fn limit(words: &str, steps: &[u8]) {
    let words: Vec<&str> = words.split(' ').collect();
    let Ok(parameters) = Parameters::read(&words) else {
        return;
    };
    match parameters.limit() {
        Ok(Limit::Rate(_, rate)) => never_over(&rate, steps),
        Ok(Limit::Budget(_, budget)) => {
            let (mut spent, mut now) = (Spent::default(), 1_700_000_000);
            let mut window = budget.calendar.at(now);
            for (wait, reserve, used) in requests(steps) {
                now += wait;
                let next = budget.calendar.at(now);
                assert!(next.number >= window.number && next.end > now);
                window = next;
                let Ok(taken) = budget.admit(spent, window.number, reserve, Percent::ZERO) else {
                    continue;
                };
                assert!(taken.used <= budget.amount.get());
                spent = taken.settle(window.number, reserve, window.number, used);
                assert_eq!(spent.used, (taken.used - reserve).saturating_add(used));
            }
        }
        Ok(Limit::Concurrency(_)) => {}
        Err(what) => assert!(!what.is_empty()),
    }
}

/// What was taken, less what came back, is at most the burst and what the rate brought, and less than a unit more.
fn never_over(rate: &Rate, steps: &[u8]) {
    let second = 1_000_000_000;
    let period = match rate.per() {
        Per::Second => second,
        Per::Minute => 60 * second,
        Per::Hour => 3600 * second,
        Per::Day => 86_400 * second,
    };
    let (mut arrival, mut now, mut taken) = (0, 0_u64, 0_u128);
    for (wait, reserve, used) in requests(steps) {
        now = now.saturating_add(wait * 1_000_000);
        let reserve = reserve.min(rate.burst());
        let Ok(next) = rate.admit(arrival, now, reserve, Percent::ZERO) else {
            continue;
        };
        taken += u128::from(reserve);
        let brought = u128::from(now) * u128::from(rate.amount());
        let most = (u128::from(rate.burst()) + 1) * period + brought;
        assert!(taken.checked_mul(period).is_none_or(|taken| taken <= most));
        let used = used.min(reserve);
        arrival = rate.settle(next, now, reserve, used);
        taken -= u128::from(reserve - used);
    }
    assert!(rate.remaining(arrival, now) <= rate.burst());
}

/// A price file; if it is right, each rule prices whatever came.
fn price_file(text: &str) {
    let Ok(prices) = prices::read(text) else {
        return;
    };
    for rule in prices.rules() {
        for (input, output) in [(0, 0), (1000, 10), (u64::MAX, u64::MAX)] {
            let counts = Counts {
                search_units: Some(1),
                images: Some(0),
                ..Counts::of(input, output)
            };
            let Ok(cost) = rule.cost(&counts, "us-east-1", Some("flex")) else {
                continue;
            };
            let _ = (cost.picodollars(), cost.to_string());
        }
        let found = prices.find(rule.pattern());
        assert!(found.is_some(), "{} finds no rule", rule.pattern());
        // Where one token costs something, not knowing how many there were is not free.
        let one = rule.cost(&Counts::of(1, 0), "us-east-1", None);
        if one.is_ok_and(|cost| cost > Cost::ZERO) {
            let unknown = Counts {
                input: None,
                ..Counts::of(1, 0)
            };
            assert!(rule.cost(&unknown, "us-east-1", None).is_err());
        }
    }
}

/// Whatever a worker that died has left, it is learned from and read.
fn numbers(data: &[u8]) {
    let mut numbers = data.chunks(8).map(number);
    let mut next = || numbers.next().unwrap_or(0);
    let prompt = Prompt {
        text: next(),
        images: next() % 4,
        pages: next() % 4,
    };
    let ratio = Ratio::from_bits(next()).learn(&prompt, next());
    let _ = (ratio.prompt(&prompt), ratio.tokens(next()));
    let lengths = Lengths([next(), next(), next(), next()]).learn(next());
    let most = next();
    assert!(lengths.reserve(Some(most)) <= most);
    let amount = NonZeroU64::new(next()).unwrap_or(NonZeroU64::MIN);
    if let Ok(rate) = Rate::new(amount, Per::Day, NonZeroU64::new(next())) {
        let (arrival, now, reserve) = (next(), next(), next());
        if let Err(wait) = rate.admit(arrival, now, reserve, Percent::ZERO) {
            assert!(!wait.is_zero());
        }
        let _ = rate.settle(rate.charge(arrival, now, reserve), now, reserve, next());
    }
}

/// Steps of eight bytes: how long to wait, how much to reserve, how much to use.
fn requests(steps: &[u8]) -> impl Iterator<Item = (u64, u64, u64)> {
    steps.chunks_exact(8).map(|step| {
        let (wait, rest) = step.split_at(2);
        let (reserve, used) = rest.split_at(3);
        (number(wait), number(reserve), number(used))
    })
}

fn number(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0, |number, byte| number << 8 | u64::from(*byte))
}

fn split(bytes: &[u8], at: u8) -> (&[u8], &[u8]) {
    match bytes.iter().position(|byte| *byte == at) {
        Some(end) => (&bytes[..end], &bytes[end + 1..]),
        None => (bytes, &[]),
    }
}

/// Inputs to begin with.
pub fn seeds() -> Vec<Vec<u8>> {
    let steps: Vec<u8> = (0..120_u32)
        .flat_map(|n| (n * 77_777).to_le_bytes())
        .collect();
    let limits = [
        "rate=100kt/m burst=1Mt weights=aws",
        "rate=7r/s",
        "rate=1t/d burst=36499t",
        "rate=0.5usd/h",
        "budget=25usd/day tz=Europe/Berlin",
        "budget=5Mt/hour tz=+05:30 weights=input:1,output:5,cache_read:0.1",
        "budget=100r/month",
        "concurrency=10",
    ];
    let mut seeds: Vec<Vec<u8>> = limits
        .iter()
        .map(|words| [b"\0", words.as_bytes(), b"\n", &steps].concat())
        .collect();
    seeds.push([b"\x01", PRICES.as_bytes()].concat());
    seeds.push([b"\x02", &steps[..]].concat());
    seeds
}

const PRICES: &str = "currency usd; per 1000000; date 2026-11-28;
model global.a-* { input 3; output 15; cache_read 0.3; above 200000 { input 6; output 22.5; } max_output 64000; burndown 5; }
model b { input 0.06; output 0.24; tier flex 0.5; region eu-* { input 0.078; output 0.312; } discount 3%; }
model c { input 0; output 0; per_search_unit 0.002; } discount 12.5%;
";
