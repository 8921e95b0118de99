//! What requests reserve, use and are told.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::cell::RefCell;
use std::num::NonZeroU64;
use std::time::Duration;

use proptest::prelude::*;
use quota::*;

const TEXT: Prompt = Prompt {
    text: 3000,
    images: 0,
    pages: 0,
};

#[test]
fn the_first_prompts_are_guessed() {
    let nothing = Ratio::default();
    assert_eq!(nothing.tokens(0), 0);
    assert_eq!(nothing.tokens(1), 1);
    assert_eq!(nothing.tokens(3000), 1000);
    let media = Prompt {
        images: 2,
        pages: 3,
        ..TEXT
    };
    assert_eq!(nothing.prompt(&media), 1000 + 2 * 1600 + 3 * 3000);
    // "Hi", with ten tokens that the service adds, does not make a long text a million tokens.
    let learned = nothing.learn(&Prompt { text: 2, ..TEXT }, 12);
    assert!(
        (100_000..101_000).contains(&learned.tokens(300_000)),
        "{}",
        learned.tokens(300_000)
    );
}

#[test]
fn a_models_tokens_are_learned() {
    let mut ratio = Ratio::default();
    for _ in 0..100 {
        ratio = ratio.learn(
            &Prompt {
                text: 40_000,
                ..TEXT
            },
            8_000,
        );
    }
    assert!(
        (995..1010).contains(&ratio.tokens(5000)),
        "{}",
        ratio.tokens(5000)
    );
    // Another kind of text: what is older counts less and less.
    for _ in 0..100 {
        ratio = ratio.learn(
            &Prompt {
                text: 40_000,
                ..TEXT
            },
            16_000,
        );
    }
    assert!(
        (1950..2010).contains(&ratio.tokens(5000)),
        "{}",
        ratio.tokens(5000)
    );
    assert_eq!(Ratio::from_bits(ratio.to_bits()), ratio);
    // Two answers, of a kilobyte each and four bytes for a token, are a measure of others; of prompts they are not yet.
    let two = Ratio::default()
        .learn_generated(4000, 1000)
        .learn_generated(4000, 1000);
    assert!((1000..1050).contains(&two.tokens_generated(4000)));
    assert!(two.tokens(4000) > 1140);
    let generated = Ratio::default().learn_generated(40_000, 8_000);
    assert_eq!(
        generated,
        Ratio::default().learn(
            &Prompt {
                text: 40_000,
                ..TEXT
            },
            8_000
        )
    );
    for (prompt, tokens) in [
        (Prompt { images: 1, ..TEXT }, 3000),
        (Prompt { pages: 1, ..TEXT }, 3000),
        (Prompt { text: 0, ..TEXT }, 10),
        (TEXT, 4001),
        (
            Prompt {
                text: 1 << 30,
                ..TEXT
            },
            1000,
        ),
    ] {
        assert_eq!(ratio.learn(&prompt, tokens), ratio, "{prompt:?} {tokens}");
    }
}

#[test]
fn answers_are_reserved_by_what_nine_of_ten_had() {
    let mut lengths = Lengths::default();
    assert_eq!(lengths.reserve(Some(64_000)), 64_000);
    assert_eq!(lengths.reserve(None), UNKNOWN_LENGTH);
    for number in 0..200_u64 {
        // From 100 to 1095 tokens.
        lengths = lengths.learn(100 + number * 7919 % 200 * 5);
    }
    let ninth_tenth = lengths.reserve(None);
    assert!((900..1100).contains(&ninth_tenth), "{ninth_tenth}");
    assert_eq!(lengths.reserve(Some(300)), 300);
    assert_eq!(lengths.reserve(Some(64_000)), ninth_tenth);
    // Longer answers from now on.
    for _ in 0..500 {
        lengths = lengths.learn(8000);
    }
    let longer = lengths.reserve(None);
    assert!((7900..=8192).contains(&longer), "{longer}");
}

#[test]
fn a_stream_without_usage_is_charged_what_was_seen_at_least() {
    let ratio = Ratio::default();
    let seen = Counts {
        input: Some(120),
        cache_read: Some(7),
        output: Some(500),
        ..Counts::default()
    };
    for (seen, generated, input, output) in [
        (Counts::default(), 300, 1000, 100),
        (Counts::default(), 0, 1000, 0),
        (seen, 300, 120, 500),
        (seen, 3000, 120, 1000),
    ] {
        let charged = ratio.unfinished(&seen, 1000, generated);
        let expected = Counts {
            input: Some(input),
            output: Some(output),
            ..seen
        };
        assert_eq!(charged, expected, "{generated}");
    }
}

#[test]
fn a_charge_is_by_the_unit_and_says_how_sure_it_is() {
    let prices =
        common::read("model a { input 3; output 15; burndown 5; } model b { input 3; }").unwrap();
    let priced = |rule| Priced {
        rule,
        unknown_is_free: false,
        region: "us-east-1",
        tier: None,
    };
    let (a, b) = (priced(prices.find("a")), priced(prices.find("b")));
    // What is taken before the answer: AWS takes the most output once, whatever it burns afterwards.
    for (unit, at_most, amount) in [
        (Unit::Tokens(Weights::Aws), 1100, 1500),
        (Unit::Tokens(Weights::read("output:2").unwrap()), 1200, 1200),
        (Unit::Usd, 4_500_000_000, 4_500_000_000),
        (Unit::Requests, 1, 1),
    ] {
        let counts = Counts::of(1000, 100);
        assert_eq!(unit.at_most(&counts, &a), Some(at_most));
        assert_eq!(unit.amount(&counts, &a), Some(amount));
    }
    let unknown = priced(None);
    let free = Priced {
        unknown_is_free: true,
        ..unknown
    };
    let counts = Counts {
        cache_read: Some(0),
        ..Counts::of(1000, 100)
    };
    let tokens = Unit::Tokens(Weights::default());
    let aws = Unit::Tokens(Weights::Aws);
    let ranked = Outcome::Counted(Counts {
        search_units: Some(1),
        ..Counts::default()
    });
    for (unit, outcome, priced, charge) in [
        (
            Unit::Requests,
            Outcome::Counted(counts),
            a,
            (1, Charge::Exact),
        ),
        (
            Unit::Requests,
            Outcome::Counted(Counts::of(0, 0)),
            a,
            (1, Charge::Exact),
        ),
        (Unit::Requests, Outcome::Nothing, a, (0, Charge::None)),
        (Unit::Requests, Outcome::Lost, a, (77, Charge::Reserved)),
        (tokens, Outcome::Counted(counts), a, (1100, Charge::Exact)),
        (
            tokens,
            Outcome::Estimated(counts),
            a,
            (1100, Charge::Estimated),
        ),
        (
            tokens,
            Outcome::Counted(Counts::of(0, 0)),
            a,
            (0, Charge::Exact),
        ),
        (tokens, Outcome::Nothing, a, (0, Charge::None)),
        (tokens, Outcome::Lost, a, (77, Charge::Reserved)),
        // An answer without any count is not free.
        (
            tokens,
            Outcome::Counted(Counts::default()),
            a,
            (77, Charge::Reserved),
        ),
        (tokens, ranked, a, (0, Charge::Exact)),
        (aws, Outcome::Counted(counts), a, (1500, Charge::Exact)),
        (aws, Outcome::Counted(counts), free, (1100, Charge::Exact)),
        (
            Unit::Usd,
            Outcome::Counted(counts),
            a,
            (4_500_000_000, Charge::Exact),
        ),
        (
            Unit::Usd,
            Outcome::Estimated(counts),
            a,
            (4_500_000_000, Charge::Estimated),
        ),
        // A price is missing: it is not free.
        (
            Unit::Usd,
            Outcome::Counted(counts),
            b,
            (77, Charge::Reserved),
        ),
        (
            Unit::Usd,
            Outcome::Counted(counts),
            unknown,
            (77, Charge::Reserved),
        ),
        (
            Unit::Usd,
            Outcome::Counted(Counts::of(0, 0)),
            unknown,
            (0, Charge::Exact),
        ),
        (
            Unit::Usd,
            Outcome::Counted(counts),
            free,
            (0, Charge::Exact),
        ),
        (Unit::Usd, Outcome::Nothing, a, (0, Charge::None)),
    ] {
        assert_eq!(
            unit.charge(&outcome, 77, &priced),
            charge,
            "{unit:?} {outcome:?}"
        );
    }
    assert_eq!(Unit::Usd.amount(&counts, &b), None);
    let words = [
        Charge::None,
        Charge::Exact,
        Charge::Estimated,
        Charge::Reserved,
    ]
    .map(Charge::as_str);
    assert_eq!(words, ["none", "exact", "estimated", "reserved"]);
    assert!(Charge::Estimated > Charge::Exact);
}

/// A budget whose number is kept here.
struct Kept<'a> {
    budget: &'a Budget,
    amount: u64,
    spent: &'a RefCell<Spent>,
}

impl Allowance for Kept<'_> {
    type Taken = u64;
    type Refused = (Exhausted, u64);

    fn take(&self) -> Result<u64, Self::Refused> {
        let mut spent = self.spent.borrow_mut();
        let next = self.budget.admit(*spent, 1, self.amount, Percent::ZERO);
        *spent = next.map_err(|why| (why, self.amount))?;
        Ok(self.amount)
    }

    fn give_back(&self, taken: u64) {
        let spent = self.spent.borrow().settle(1, taken, 1, 0);
        self.spent.replace(spent);
    }
}

#[test]
fn all_limits_are_taken_of_or_none() {
    let budget = Budget {
        amount: NonZeroU64::new(100).unwrap(),
        calendar: Calendar::new(Period::Day, zone("UTC").unwrap()),
    };
    let spent = [RefCell::default(), RefCell::default(), RefCell::default()];
    let ask = |amounts: [u64; 3]| {
        let kept: Vec<Kept<'_>> = amounts
            .iter()
            .zip(&spent)
            .map(|(amount, spent)| Kept {
                budget: &budget,
                amount: *amount,
                spent,
            })
            .collect();
        all_or_none(&kept)
    };
    let used = || spent.each_ref().map(|spent| spent.borrow().used);
    assert_eq!(ask([10, 20, 30]), Ok(vec![10, 20, 30]));
    assert_eq!(used(), [10, 20, 30]);
    assert_eq!(ask([10, 20, 71]), Err((Exhausted, 71)));
    assert_eq!(used(), [10, 20, 30]);
    assert_eq!(ask([91, 81, 1]), Err((Exhausted, 91)));
    assert_eq!(used(), [10, 20, 30]);
    let none: [Kept<'_>; 0] = [];
    assert_eq!(all_or_none(&none), Ok(Vec::new()));
}

#[test]
fn the_tighter_limit_speaks() {
    let standing = |limit, remaining| Standing {
        limit,
        remaining,
        reset: Duration::from_secs(limit),
    };
    let (half, third) = (standing(10, 5), standing(300, 100));
    assert_eq!(half.tighter(third), third);
    assert_eq!(third.tighter(half), third);
    assert_eq!(half.tighter(standing(20, 10)), half);
    assert_eq!(standing(0, 0).tighter(half).limit, 0);
    let most = standing(u64::MAX, u64::MAX);
    assert_eq!(most.tighter(half), half);
}

#[test]
fn a_refusal_says_which_limit_and_how_much() {
    let asked = |unit, amount, remaining, limit| Asked {
        unit,
        amount,
        remaining,
        limit,
        kept: false,
    };
    let tokens = Unit::Tokens(Weights::default());
    for (cause, wait, says) in [
        (
            Cause::Rate(asked(tokens, 12_000, 3000, 100_000)),
            Duration::from_millis(5400),
            "Rate limit \"z\" reached: the request may take 12000 tokens, 3000 of 100000 are left. Try again in 6s.",
        ),
        (
            Cause::Rate(asked(Unit::Requests, 1, 0, 60)),
            Duration::from_secs(1),
            "Rate limit \"z\" reached: 0 of 60 requests are left. Try again in 1s.",
        ),
        (
            Cause::Budget(asked(
                Unit::Usd,
                20_000_000_000,
                12_500_000_000,
                25_000_000_000_000,
            )),
            Duration::from_secs(7260),
            "Budget \"z\" exhausted: the request may cost 0.02 USD, 0.0125 of 25 are left. Try again in 2h1m0s.",
        ),
        (
            Cause::Budget(asked(tokens, 500, 100, 100)),
            Duration::from_secs(7260),
            "Budget \"z\" is too small: the request may take 500 tokens, 100 of 100 are left. Ask for less output, or for a larger budget.",
        ),
        (
            Cause::Rate(Asked {
                kept: true,
                ..asked(Unit::Requests, 1, 3, 60)
            }),
            Duration::from_secs(1),
            "Rate limit \"z\" reached: 3 of 60 requests are left, and kept for others. Try again in 1s.",
        ),
        (
            Cause::Budget(asked(Unit::Requests, 1, 0, 5)),
            FOR_EVER,
            "Budget \"z\" exhausted: 0 of 5 requests are left. It does not begin anew.",
        ),
        (
            Cause::Concurrency(10),
            Duration::from_secs(1),
            "Limit \"z\" reached: 10 requests are in progress. Try again in 1s.",
        ),
        (
            Cause::NoPrice,
            Duration::from_secs(1),
            "Limit \"z\" is in money, and this model has no price here.",
        ),
        (
            Cause::Store,
            Duration::ZERO,
            "Limit \"z\" cannot be checked at the moment.",
        ),
        (
            Cause::Full,
            Duration::from_secs(60),
            "Limit \"z\" has no room for another client at the moment. Try again in 1m0s.",
        ),
    ] {
        assert_eq!(
            Refusal {
                zone: "z",
                cause,
                wait
            }
            .to_string(),
            says
        );
    }
}

proptest! {
    /// Whatever a dead worker left in the words, they are legal.
    #[test]
    fn any_bits_are_learned_from(bits: u64, words: [u64; 4], prompt: (u64, u64, u64), tokens: u64, most: Option<u64>) {
        let prompt = Prompt { text: prompt.0, images: prompt.1, pages: prompt.2 };
        let ratio = Ratio::from_bits(bits).learn(&prompt, tokens);
        let _ = (ratio.prompt(&prompt), ratio.learn(&TEXT, 1000).tokens(tokens));
        let lengths = Lengths(words).learn(tokens);
        prop_assert!(most.is_none_or(|most| lengths.reserve(Some(most)) <= most));
    }

    /// Nine of ten answers fit into what is reserved, give or take the width of a class.
    #[test]
    fn the_estimate_is_the_ninth_tenth(lengths in prop::collection::vec(prop_oneof![1_u64..100, 1_u64..100_000], 30..200)) {
        let learned = lengths.iter().fold(Lengths::default(), |learned, tokens| learned.learn(*tokens));
        let mut sorted = lengths.clone();
        sorted.sort_unstable();
        let exact = sorted[(sorted.len() * 9).div_ceil(10) - 1];
        let guess = learned.reserve(None);
        prop_assert!(guess <= exact * 3 / 2 + 16 && exact <= guess * 3 / 2 + 16, "{guess} for {exact}");
    }
}
