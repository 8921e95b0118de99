//! Price files, and what requests cost by them: each case was computed by hand.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::read;
use quota::{Cost, Counted, Counts, PriceFile, Prices, Unknown};

const FILE: &str = "
currency usd; per 1000000; date 2026-11-28;   # list prices
model global.anthropic.claude-sonnet-4-5-* {
    input 3; output 15; cache_read 0.3; cache_write 3.75; cache_write_1h 6;
    above 200000 { input 6; output 22.5; cache_read 0.6; cache_write 7.5; cache_write_1h 12; }
    max_output 64000; burndown 5;
}
model *anthropic.claude-sonnet-4-5-* { input 3.3; output 16.5; cache_read 0.33; cache_write 4.125; cache_write_1h 6.6; }
model amazon.nova-lite-v1:0 {
    input 0.06; output 0.24; cache_read 0.015; tier flex 0.5; tier priority 1.75;
    region eu-* { input 0.078; output 0.312; }
    region us-gov-* { input 0.072; output 0.288; tier default 1.5; }
}
model google.gemma-3-27b-it {
    input 0.23; output 0.38;
    tier flex { input 0.12; output 0.19; above 1000 { input 0.13; output 0.2; } }
    region us-gov-* { input 0.28; output 0.46; }
}
model amazon.nova-micro-v1:0 { input 0.035; output 0.14; cache_read 0.00875; discount 0%; }
model amazon.titan-embed-text-v2:0 { input 0.02; output 0; }
model cohere.rerank-v3-5:0 { input 0; output 0; per_search_unit 0.002; }
model stability.stable-image-core-v1:1 { input 0; output 0; per_image 0.04; }
model *.nova-* { input 1000000; output 1000000; }
";
const SONNET: &str = "global.anthropic.claude-sonnet-4-5-20250929-v1:0";
const US_SONNET: &str = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";
const LITE: &str = "amazon.nova-lite-v1:0";
const GEMMA: &str = "google.gemma-3-27b-it";

fn prices() -> Prices {
    read(FILE).unwrap()
}

fn cost(
    prices: &Prices,
    model: &str,
    counts: Counts,
    region: &str,
    tier: Option<&str>,
) -> Result<Cost, Unknown> {
    prices.find(model).unwrap().cost(&counts, region, tier)
}

fn cached(read: u64, write: u64, write_1h: u64) -> Counts {
    Counts {
        cache_read: Some(read),
        cache_write: Some(write),
        cache_write_1h: Some(write_1h),
        ..Counts::of(100, 200)
    }
}

#[test]
fn costs_are_exact() {
    let east = "us-east-1";
    // In pico-dollars. 3 USD for a million tokens are 3,000,000 for one.
    for (what, model, counts, region, tier, picodollars, printed) in [
        // 1000 · 3,000,000 + 500 · 15,000,000
        (
            "input and output",
            SONNET,
            Counts::of(1000, 500),
            east,
            None,
            10_500_000_000,
            "0.010500000",
        ),
        // 1000 · 3,300,000 + 500 · 16,500,000
        (
            "another profile",
            US_SONNET,
            Counts::of(1000, 500),
            east,
            None,
            11_550_000_000,
            "0.011550000",
        ),
        // 300,000,000 + 3,000,000,000 + 10,000 · 300,000
        (
            "read from the cache",
            SONNET,
            cached(10_000, 0, 0),
            east,
            None,
            6_300_000_000,
            "0.006300000",
        ),
        // 3,300,000,000 + 8000 · 3,750,000
        (
            "written to the cache",
            SONNET,
            cached(0, 8000, 0),
            east,
            None,
            33_300_000_000,
            "0.033300000",
        ),
        // 3,300,000,000 + 8000 · 6,000,000
        (
            "for an hour",
            SONNET,
            cached(0, 8000, 8000),
            east,
            None,
            51_300_000_000,
            "0.051300000",
        ),
        // 3,300,000,000 + 5000 · 3,750,000 + 3000 · 6,000,000
        (
            "for both times",
            SONNET,
            cached(0, 8000, 3000),
            east,
            None,
            40_050_000_000,
            "0.040050000",
        ),
        // 200,000 · 3,000,000 + 100 · 15,000,000
        (
            "as long as the bound",
            SONNET,
            Counts::of(200_000, 100),
            east,
            None,
            601_500_000_000,
            "0.601500000",
        ),
        // 200,001 · 6,000,000 + 100 · 22,500,000
        (
            "longer",
            SONNET,
            Counts::of(200_001, 100),
            east,
            None,
            1_202_256_000_000,
            "1.202256000",
        ),
        (
            // 1 · 6,000,000 + 10 · 22,500,000 + 150,000 · 600,000 + 40,000 · 7,500,000 + 10,000 · 12,000,000
            "longer by what is cached",
            SONNET,
            Counts {
                input: Some(1),
                output: Some(10),
                ..cached(150_000, 50_000, 10_000)
            },
            east,
            None,
            510_231_000_000,
            "0.510231000",
        ),
        // No `above` here: 300,000 · 3,300,000 + 1 · 16,500,000
        (
            "long without a bound",
            US_SONNET,
            Counts::of(300_000, 1),
            east,
            None,
            990_016_500_000,
            "0.990016500",
        ),
        // 1234 · 60,000 + 567 · 240,000
        (
            "nova",
            LITE,
            Counts::of(1234, 567),
            east,
            None,
            210_120_000,
            "0.000210120",
        ),
        (
            "flex",
            LITE,
            Counts::of(1234, 567),
            east,
            Some("flex"),
            105_060_000,
            "0.000105060",
        ),
        // 210,120,000 · 1.75
        (
            "priority",
            LITE,
            Counts::of(1234, 567),
            east,
            Some("priority"),
            367_710_000,
            "0.000367710",
        ),
        (
            "default",
            LITE,
            Counts::of(1234, 567),
            east,
            Some("default"),
            210_120_000,
            "0.000210120",
        ),
        (
            "standard",
            LITE,
            Counts::of(1234, 567),
            east,
            Some("standard"),
            210_120_000,
            "0.000210120",
        ),
        // 1234 · 78,000 + 567 · 312,000
        (
            "a region",
            LITE,
            Counts::of(1234, 567),
            "eu-west-1",
            None,
            273_156_000,
            "0.000273156",
        ),
        (
            "its tier",
            LITE,
            Counts::of(1234, 567),
            "eu-west-1",
            Some("flex"),
            136_578_000,
            "0.000136578",
        ),
        // (1234 · 72,000 + 567 · 288,000) · 1.5
        (
            "its own tier",
            LITE,
            Counts::of(1234, 567),
            "us-gov-west-1",
            None,
            378_216_000,
            "0.000378216",
        ),
        (
            // 8.75 nano-dollars
            "less than a nano-dollar is rounded",
            "amazon.nova-micro-v1:0",
            Counts {
                cache_read: Some(1),
                ..Counts::of(0, 0)
            },
            east,
            None,
            8750,
            "0.000000009",
        ),
        (
            // 8192 · 20,000; nobody counts its output
            "embedding",
            "amazon.titan-embed-text-v2:0",
            Counts {
                input: Some(8192),
                ..Counts::default()
            },
            east,
            None,
            163_840_000,
            "0.000163840",
        ),
        (
            "rerank",
            "cohere.rerank-v3-5:0",
            Counts {
                search_units: Some(3),
                ..Counts::default()
            },
            east,
            None,
            6_000_000_000,
            "0.006000000",
        ),
        (
            "images",
            "stability.stable-image-core-v1:1",
            Counts {
                images: Some(2),
                ..Counts::default()
            },
            east,
            None,
            80_000_000_000,
            "0.080000000",
        ),
        // 1000 · 120,000 + 100 · 190,000
        (
            "a tier's prices",
            GEMMA,
            Counts::of(1000, 100),
            east,
            Some("flex"),
            139_000_000,
            "0.000139000",
        ),
        // 1001 · 130,000 + 100 · 200,000
        (
            "its longer prompts",
            GEMMA,
            Counts::of(1001, 100),
            east,
            Some("flex"),
            150_130_000,
            "0.000150130",
        ),
        (
            "nothing used",
            SONNET,
            Counts::of(0, 0),
            east,
            None,
            0,
            "0.000000000",
        ),
        // 10^12 · 3,000,000 and 22,500,000: above 200,000
        (
            "very much",
            SONNET,
            Counts::of(1_000_000_000_000, 0),
            east,
            None,
            6_000_000_000_000_000_000,
            "6000000.000000000",
        ),
    ] {
        let cost = cost(&prices(), model, counts, region, tier).expect(what);
        assert_eq!(cost.picodollars(), picodollars, "{what}");
        assert_eq!(cost.to_string(), printed, "{what}");
    }
}

#[test]
fn a_discount_is_for_all_but_those_with_their_own() {
    let prices = read(&format!("{FILE} discount 12.5%;")).unwrap();
    let east = "us-east-1";
    for (model, counts, tier, picodollars, printed) in [
        // 10,500,000,000 · 0.875
        (
            SONNET,
            Counts::of(1000, 500),
            None,
            9_187_500_000,
            "0.009187500",
        ),
        // 210,120,000 · 1.75 · 0.875 = 321,746,250
        (
            LITE,
            Counts::of(1234, 567),
            Some("priority"),
            321_746_250,
            "0.000321746",
        ),
        (
            "amazon.nova-micro-v1:0",
            Counts::of(1_000_000, 0),
            None,
            35_000_000_000,
            "0.035000000",
        ),
    ] {
        let cost = cost(&prices, model, counts, east, tier).unwrap();
        assert_eq!(
            (cost.picodollars(), cost.to_string().as_str()),
            (picodollars, printed),
            "{model}"
        );
    }
}

#[test]
fn what_is_not_known_is_never_nothing() {
    let prices = prices();
    let east = "us-east-1";
    let no_output = Counts {
        output: None,
        ..Counts::of(1, 1)
    };
    let no_input = Counts {
        input: None,
        ..Counts::of(1, 1)
    };
    let read = Counts {
        cache_read: Some(1),
        ..Counts::of(1, 1)
    };
    let write = Counts {
        cache_write: Some(1),
        ..Counts::of(1, 1)
    };
    let wrong_hour = Counts {
        cache_write_1h: Some(2),
        ..write
    };
    let rerank = "cohere.rerank-v3-5:0";
    for (model, counts, region, tier, unknown) in [
        (
            SONNET,
            Counts::default(),
            east,
            None,
            Unknown::Count(Counted::Input),
        ),
        (
            SONNET,
            no_output,
            east,
            None,
            Unknown::Count(Counted::Output),
        ),
        (SONNET, no_input, east, None, Unknown::Count(Counted::Input)),
        (
            US_SONNET,
            no_input,
            east,
            None,
            Unknown::Count(Counted::Input),
        ),
        // The model's price of cache reads is not the region's.
        (
            LITE,
            read,
            "eu-west-1",
            None,
            Unknown::Price(Counted::CacheRead),
        ),
        (LITE, write, east, None, Unknown::Price(Counted::CacheWrite)),
        (
            SONNET,
            wrong_hour,
            east,
            None,
            Unknown::Count(Counted::CacheWrite),
        ),
        // The tier's prices are not the region's.
        (
            GEMMA,
            Counts::of(1, 1),
            "us-gov-west-1",
            Some("flex"),
            Unknown::Tier("flex".to_owned()),
        ),
        (
            LITE,
            Counts::of(1, 1),
            east,
            Some("reserved"),
            Unknown::Tier("reserved".to_owned()),
        ),
        (
            LITE,
            Counts::of(1, 1),
            "us-gov-west-1",
            Some("flex"),
            Unknown::Tier("flex".to_owned()),
        ),
        (
            rerank,
            Counts::default(),
            east,
            None,
            Unknown::Count(Counted::SearchUnit),
        ),
        (
            LITE,
            Counts {
                images: Some(1),
                ..Counts::of(1, 1)
            },
            east,
            None,
            Unknown::Price(Counted::Image),
        ),
        (
            "us.nova-x",
            Counts::of(u64::MAX, u64::MAX),
            east,
            None,
            Unknown::TooLarge,
        ),
    ] {
        assert_eq!(
            cost(&prices, model, counts, region, tier),
            Err(unknown),
            "{model} {counts:?}"
        );
    }
    // What was not used needs no price.
    let none_cached = Counts {
        cache_read: Some(0),
        cache_write: Some(0),
        ..Counts::of(1234, 567)
    };
    let region = cost(&prices, LITE, none_cached, "eu-west-1", None).unwrap();
    assert_eq!(region.picodollars(), 273_156_000);
    let message = Unknown::Price(Counted::CacheWrite1h).to_string();
    assert_eq!(message, "the rule has no price \"cache_write_1h\"");
}

#[test]
fn an_id_goes_before_patterns_and_the_first_pattern_before_others() {
    let prices = prices();
    for (model, rule) in [
        (SONNET, Some("global.anthropic.claude-sonnet-4-5-*")),
        (US_SONNET, Some("*anthropic.claude-sonnet-4-5-*")),
        (LITE, Some(LITE)),
        ("us.nova-lite", Some("*.nova-*")),
        ("amazon.nova-pro-v1:0", Some("*.nova-*")),
        ("meta.llama3-8b", None),
        ("", None),
    ] {
        assert_eq!(
            prices.find(model).map(|rule| rule.pattern()),
            rule,
            "{model}"
        );
    }
    let text = "model *nova* { input 1; } model amazon.nova-lite-v1:0 { input 2; }";
    let prices = read(text).unwrap();
    assert_eq!(prices.find(LITE).unwrap().pattern(), LITE);
    assert_eq!(
        prices.named("*nova*").map(|rule| rule.pattern()),
        Some("*nova*")
    );
    assert!(prices.named("nova").is_none());
    assert_eq!(prices.rules().len(), 2);
}

#[test]
fn a_rule_says_more_than_prices() {
    let prices = prices();
    let sonnet = prices.find(SONNET).unwrap();
    assert_eq!((sonnet.max_output(), sonnet.burndown()), (Some(64_000), 5));
    let lite = prices.find(LITE).unwrap();
    assert_eq!((lite.max_output(), lite.burndown()), (None, 1));
    // 28 November 2026, noon.
    let day = 1_795_824_000 + 43_200;
    assert_eq!(prices.age_in_days(day), Some(0));
    assert_eq!(prices.age_in_days(day + 91 * 86_400), Some(91));
    assert_eq!(prices.age_in_days(0), Some(0));
    assert_eq!(read("model x { input 1; }").unwrap().age_in_days(day), None);
}

#[test]
fn prices_may_be_for_another_number_of_tokens() {
    for (text, picodollars) in [
        ("per 1000; model x { input 0.003; output 0; }", 3_000_000),
        ("per 1; model x { input 0.000003; output 0; }", 3_000_000),
        ("model x { input 0.000001; output 0; }", 1),
    ] {
        let prices = read(text).unwrap();
        let cost = cost(&prices, "x", Counts::of(1, 0), "", None);
        assert_eq!(cost.unwrap().picodollars(), picodollars, "{text}");
    }
}

#[test]
fn what_is_wrong_is_said() {
    for (text, says) in [
        (
            "model x { inptu 3; }",
            "\"inptu\" is not known in \"model\": it must be one of input, output",
        ),
        (
            "input 3;",
            "\"input\" is not known in a price file: it must be one of model, currency",
        ),
        (
            "model x { input 3; model y { input 3; } }",
            "\"model\" is not known in \"model\"",
        ),
        (
            "model x { region eu { max_output 3; } }",
            "\"max_output\" is not known in \"region\"",
        ),
        (
            "model x { above 5 { tier flex 0.5; } }",
            "\"tier\" is not known in \"above\"",
        ),
        ("model x { input; }", "\"input\" takes one value"),
        ("model x { input 3 4; }", "\"input\" takes one value"),
        ("model x { input -3; }", "must be a price in USD"),
        ("model x { input 3,5; }", "must be a price in USD"),
        (
            "model x { input 0.0000001; }",
            "at most 6 digits after the point",
        ),
        (
            "per 1000; model x { input 0.0000000001; }",
            "at most 9 digits after the point",
        ),
        (
            "model x { per_image 0.0000000000001; }",
            "at most 12 digits after the point",
        ),
        ("model x { input 99999999999999999999; }", "is too large"),
        ("model x { input 3; input 4; }", "\"input\" is given twice"),
        (
            "model x { tier flex; }",
            "\"tier\" takes a name and a factor",
        ),
        ("model x { tier flex half; }", "must end in a factor"),
        (
            "model x { input 3; tier flex 0.5; tier flex 0.6; }",
            "\"tier flex\" is given twice",
        ),
        (
            "model x { input 3; tier flex 0.5; tier flex { input 1; } }",
            "\"tier flex\" is given twice",
        ),
        (
            "model x { input 3; tier flex { } }",
            "\"tier flex\" has no price",
        ),
        (
            "model x { input 3; tier flex { tier y 1; } }",
            "\"tier\" is not known in \"tier\"",
        ),
        (
            "model x { input 3; tier flex; }",
            "takes a name and a factor",
        ),
        (
            "model x { burndown 0; }",
            "\"burndown 0\" must be a whole number from 1",
        ),
        (
            "model x { input 3; burndown 1; burndown 2; }",
            "\"burndown\" is given twice",
        ),
        ("model x { max_output many; }", "must be a whole number"),
        ("model x { input 3; discount 12; }", "must be a percentage"),
        (
            "discount 101%; model x { input 3; }",
            "must be a percentage",
        ),
        ("model x { }", "\"model x\" has no price"),
        (
            "model x { input 3; above 200000 { } }",
            "\"above 200000\" has no price",
        ),
        (
            "model x { input 3; region eu-* { above 5 { input 3; } } }",
            "\"region eu-*\" has no price",
        ),
        (
            "model x { input 3; region eu { input 3; } region eu { input 3; } }",
            "\"region eu\" is given twice",
        ),
        (
            "model x { input 3; above 5 { input 3; } above 5 { input 3; } }",
            "\"above 5\" is given twice",
        ),
        (
            "model x { above 0 { input 3; } }",
            "\"above 0\" must be a whole number from 1",
        ),
        (
            "model x { above 200k { input 3; } }",
            "must be a whole number",
        ),
        (
            "model x { input 3; } model x { input 3; }",
            "\"model x\" is given twice",
        ),
        ("model x y { input 3; }", "takes one value before \"{\""),
        ("model { input 3; }", "takes one value before \"{\""),
        ("model m\u{f6}del { input 3; }", "must be made of letters"),
        (
            "model x { input 3; region eu+ { input 3; } }",
            "must be made of letters",
        ),
        ("model x { input { } }", "\"input\" is no block"),
        ("model x;", "\"model x\" is a block"),
        ("currency eur;", "must be usd"),
        ("currency usd; currency usd;", "\"currency\" is given twice"),
        ("per 1500;", "must be how many tokens a price is for"),
        ("per 10000000;", "must be how many tokens a price is for"),
        (
            "model x { input 3; } per 1000;",
            "must stand before the first model",
        ),
        ("date 28.11.2026;", "must be a day"),
        ("date 2026-02-30;", "must be a day"),
        ("model x { input 3;", "unexpected end of file"),
        ("model x { input 3; } }", "ends no block"),
        ("", "has no \"model\""),
        ("date 2026-11-28;", "has no \"model\""),
    ] {
        let error = read(text).err().unwrap_or_default();
        assert!(
            error.contains(says),
            "{text:?}: {error:?} should say {says:?}"
        );
    }
    let mut file = PriceFile::default();
    for nothing in [file.line(&[]), file.open(&[])] {
        let error = nothing.unwrap_err();
        assert!(
            error.starts_with("\"\" is not known in a price file"),
            "{error}"
        );
    }
}
