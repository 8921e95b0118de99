//! The price file that is shipped: what it must have, and what it is known not to have.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod common;

use std::fs;
use std::path::Path;

use quota::{Counts, Prices};
use serde_json::Value;

fn file(path: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    fs::read_to_string(root.join(path)).unwrap()
}

fn shipped() -> Prices {
    common::read(&file("nginx-conf/bedrock_prices")).unwrap()
}

/// In pico-dollars.
fn cost(prices: &Prices, model: &str, counts: Counts, region: &str) -> Option<u64> {
    let cost = prices.find(model)?.cost(&counts, region, None);
    Some(cost.unwrap().picodollars())
}

#[test]
fn each_rule_prices_a_request() {
    let prices = shipped();
    assert!(prices.rules().len() > 300);
    for rule in prices.rules() {
        let tokens = Counts::of(1000, 1000);
        let image = Counts {
            images: Some(1),
            ..tokens
        };
        let ranked = Counts {
            search_units: Some(1),
            ..tokens
        };
        let regions = [
            "us-east-1",
            "eu-central-1",
            "ap-northeast-1",
            "us-gov-west-1",
        ];
        // Some are for one kind of thing, and some for one region.
        let costs: Vec<_> = regions
            .iter()
            .flat_map(|region| {
                [tokens, image, ranked].map(|counts| rule.cost(&counts, region, None))
            })
            .flatten()
            .collect();
        assert!(!costs.is_empty(), "{}", rule.pattern());
        for cost in costs {
            // Not a price for a thousand or for one token in place of one for a million.
            let dollars = 1_000_000_000_000;
            assert!(cost.picodollars() > 0, "{}", rule.pattern());
            assert!(cost.picodollars() < dollars, "{}: {cost}", rule.pattern());
        }
        assert_eq!(
            prices.find(rule.pattern()).map(|rule| rule.pattern()),
            Some(rule.pattern())
        );
    }
    assert!(
        prices
            .age_in_days(1_795_910_400)
            .is_some_and(|days| days < 2)
    );
}

#[test]
fn families_have_prices_but_for_some() {
    let prices = shipped();
    let families: Value = serde_json::from_str(&file("fixtures/families.json")).unwrap();
    let mut without = Vec::new();
    for family in families["families"].as_array().unwrap() {
        let name = family["family"].as_str().unwrap();
        let mut patterns = family["match"].as_array().unwrap().iter();
        let has_price = patterns.any(|pattern| {
            let pattern = pattern.as_str().unwrap();
            let mut rules = prices.rules().iter();
            let profile = format!("*.{pattern}");
            let fits = |id| patterns::matches(pattern, id) || patterns::matches(&profile, id);
            rules.any(|rule| pattern != "*" && fits(rule.pattern()))
        });
        if !has_price {
            without.push(name);
        }
    }
    assert_eq!(
        without,
        [
            // Not in the map any more: Command R and its kind are retired.
            "cohere-command-r",
            // It is paid by the second of video, which nobody counts.
            "pegasus",
            // What an ARN hides: `bedrock_model_family` says what it is.
            "profile-unknown",
            "imported",
            "unknown",
        ]
    );
}

#[test]
fn what_the_map_has_wrong_is_right_here() {
    let prices = shipped();
    let million = |model: &str, region| cost(&prices, model, Counts::of(1_000_000, 0), region);
    let million_of = |model: &str, counts| cost(&prices, model, counts, "us-east-1");
    let usd = |text: &str| {
        let (whole, rest) = text.split_once('.').unwrap_or((text, ""));
        let picodollars: u64 = format!("{whole}{rest:0<12}").parse().unwrap();
        Some(picodollars)
    };
    // In a region of their own, models are a tenth dearer than through a global profile.
    for (model, price) in [
        ("anthropic.claude-sonnet-4-5-20250929-v1:0", "3.3"),
        ("global.anthropic.claude-sonnet-4-5-20250929-v1:0", "3"),
        ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", "3.3"),
        ("anthropic.claude-haiku-4-5", "1.1"),
        ("anthropic.claude-opus-5-5", "4.4"),
        ("amazon.nova-2-lite-v1:0", "0.33"),
        // Older ones are not.
        ("anthropic.claude-opus-4-1-20250805-v1:0", "15"),
        ("amazon.nova-lite-v1:0", "0.06"),
    ] {
        // The longer prompts of some are dearer.
        let counts = Counts::of(100_000, 0);
        let tenth = cost(&prices, model, counts, "us-east-1").map(|cost| cost * 10);
        assert_eq!(tenth, usd(price), "{model}");
    }
    for (region, price) in [
        ("us-east-1", "0.06"),
        ("eu-west-1", "0.078"),
        ("ap-southeast-1", "0.063"),
        ("us-gov-west-1", "0.072"),
    ] {
        assert_eq!(
            million("amazon.nova-lite-v1:0", region),
            usd(price),
            "{region}"
        );
    }
    // Writes for an hour have their own price everywhere, and nothing of the cache is for nothing.
    let hour = Counts {
        cache_write: Some(1_000_000),
        cache_write_1h: Some(1_000_000),
        ..Counts::of(0, 0)
    };
    assert_eq!(
        million_of("apac.anthropic.claude-haiku-4-5-20251001-v1:0", hour),
        usd("2.2")
    );
    for rule in prices.rules() {
        let read = Counts {
            cache_read: Some(1_000_000),
            ..Counts::of(0, 0)
        };
        let cost = rule.cost(&read, "us-east-1", None);
        assert!(
            cost.is_err() || cost.unwrap().picodollars() > 0,
            "{}",
            rule.pattern()
        );
    }
    // Long prompts.
    let gov = "anthropic.claude-sonnet-4-5-20250929-v1:0";
    assert_eq!(million(gov, "us-gov-west-1"), usd("7.2"));
    assert_eq!(
        prices
            .find(gov)
            .map(|rule| (rule.burndown(), rule.max_output())),
        Some((5, Some(64_000)))
    );
}
