//! What was counted is what is shown.

use metrics::{
    Counters, Ended, Format, Header, Labels, ModelRecord, Parts, Present, Recent, Refusal, Series,
    Sizes, Slot, Snapshot, Tokens, Under, UsageUnknown, document, text,
};
use zone::{Before, Lock, Owner};

struct Free;

impl Lock for Free {
    fn alone<T>(&self, work: impl FnOnce(Before) -> T) -> Option<T> {
        Some(work(Before::Done))
    }
}

/// Memory with room for so many label sets; it is never given back.
fn counters(series: usize) -> Counters<'static, Free> {
    fn leak<T: Default>(count: usize) -> &'static [T] {
        Box::leak((0..count).map(|_| T::default()).collect())
    }
    let sizes = Sizes::of(series);
    let header = Box::leak(Box::<Header>::default());
    header.begin(sizes, 1000);
    assert_eq!(header.sizes(), Some(sizes));
    let parts = Parts {
        header,
        recent: Box::leak(Box::<Recent>::default()),
        present: leak::<Present>(4),
        series_slots: leak::<Slot>(2 * sizes.series),
        series: leak::<Series>(sizes.series + 1),
        model_slots: leak::<Slot>(2 * sizes.models),
        models: leak::<ModelRecord>(sizes.models + 1),
    };
    Counters::new(parts, Free)
}

fn labels(model: &str, team: &str) -> Labels {
    let mut labels = Labels::new(model, "openai", "converse");
    labels.add("team", team);
    labels
}

fn ended(labels: Labels, status: u16) -> Ended {
    Ended {
        labels,
        is_known: status < 400,
        status,
        duration: 30_000,
        time_to_first_token: None,
        time_per_output_token: None,
        tokens: None,
        cost: None,
        price_is_missing: false,
        stream: None,
        exception: None,
        usage_unknown: None,
        day: 20_000,
    }
}

fn snapshot(counters: &Counters<'_, Free>) -> Snapshot {
    Snapshot {
        version: "1.2.3".to_owned(),
        nginx: "1.22.1".to_owned(),
        time: 20_000 * 86_400_000 + 1,
        labels: vec!["team".to_owned()],
        counted: counters.read(|_| false),
        today: Some(counters.spent(20_000)),
        prices: Some(metrics::PriceFile::default()),
        ..Snapshot::default()
    }
}

fn lines(counters: &Counters<'_, Free>, beginning: &str) -> Vec<String> {
    let text = text(&snapshot(counters), Format::Prometheus);
    let lines = text.lines().filter(|line| line.starts_with(beginning));
    lines.map(str::to_owned).collect()
}

#[test]
fn a_request_is_counted_once_everywhere() {
    let counters = counters(16);
    counters.count(&Ended {
        tokens: Some(Tokens {
            input: 10,
            output: 5,
            cache_read: 3,
            cache_write: 2,
            cache_write_1h: 1,
        }),
        cost: Some(1_500_000_000_001),
        time_to_first_token: Some(250_000),
        time_per_output_token: Some(20_000),
        stream: Some("complete"),
        ..ended(labels("nova", "a\"b\\c"), 200)
    });
    let metrics = text(&snapshot(&counters), Format::Prometheus);
    for line in [
        r#"bedrock_requests_total{model="nova",api="openai",operation="converse",team="a\"b\\c",status="200"} 1"#,
        r#"bedrock_tokens_total{model="nova",api="openai",operation="converse",team="a\"b\\c",type="input"} 10"#,
        r#"bedrock_tokens_total{model="nova",api="openai",operation="converse",team="a\"b\\c",type="cache_write_1h"} 1"#,
        r#"bedrock_cost_usd_total{model="nova",api="openai",operation="converse",team="a\"b\\c"} 1.500000000001"#,
        r#"bedrock_request_duration_seconds_bucket{model="nova",le="0.02"} 0"#,
        r#"bedrock_request_duration_seconds_bucket{model="nova",le="0.04"} 1"#,
        r#"bedrock_request_duration_seconds_bucket{model="nova",le="+Inf"} 1"#,
        r#"bedrock_request_duration_seconds_sum{model="nova"} 0.03"#,
        r#"bedrock_time_to_first_token_seconds_bucket{model="nova",le="0.25"} 1"#,
        r#"bedrock_time_per_output_token_seconds_count{model="nova"} 1"#,
        r#"bedrock_request_tokens_sum{model="nova",type="input"} 16"#,
        r#"bedrock_streams_total{model="nova",status="complete"} 1"#,
        r#"bedrock_streams_total{model="nova",status="aborted"} 0"#,
    ] {
        assert!(metrics.lines().any(|one| one == line), "{line}\n{metrics}");
    }
    let json = document(&snapshot(&counters));
    assert_eq!(json["statuses"]["200"], 1);
    assert_eq!(json["models"][0]["tokens"]["cache_read"], 3);
    assert_eq!(json["groups"][0]["labels"]["team"], "a\"b\\c");
    assert_eq!(json["cost"]["total"], "1.500000000001");
    assert_eq!(json["cost"]["today"], "1.500000000001");
    assert_eq!(json["cost"]["day"], "2024-10-04");
    assert_eq!(json["streams"]["complete"], 1);
    assert_eq!(json["latency"]["time_to_first_token"]["count"], 1);
}

#[test]
fn both_formats_name_counters_as_they_want_them() {
    let counters = counters(16);
    counters.count(&ended(labels("nova", "a"), 200));
    let snapshot = snapshot(&counters);
    let prometheus = text(&snapshot, Format::Prometheus);
    let open = text(&snapshot, Format::OpenMetrics);
    assert!(prometheus.contains("# TYPE bedrock_requests_total counter\n"));
    assert!(open.contains("# TYPE bedrock_requests counter\nbedrock_requests_total{"));
    assert!(open.contains("# TYPE bedrock_build info\nbedrock_build_info{"));
    assert!(open.ends_with("# EOF\n") && !prometheus.contains("# EOF"));
    for (accept, format) in [
        ("", Format::Prometheus),
        ("*/*", Format::Prometheus),
        ("text/plain;version=0.0.4", Format::Prometheus),
        (
            "application/openmetrics-text;version=1.0.0;q=0.8,text/plain;q=0.5",
            Format::OpenMetrics,
        ),
    ] {
        assert_eq!(Format::accepted(accept), format, "{accept}");
    }
}

#[test]
fn made_up_models_get_no_counters_of_their_own() {
    let counters = counters(16);
    for number in 0..100_000 {
        counters.count(&ended(labels(&format!("made-up-{number}"), "x"), 404));
    }
    let counted = lines(&counters, "bedrock_requests_total");
    assert_eq!(
        counted,
        [
            r#"bedrock_requests_total{model="other",api="openai",operation="converse",team="other",status="404"} 100000"#
        ]
    );
    assert_eq!(
        lines(&counters, "bedrock_series_overflow_total"),
        ["bedrock_series_overflow_total 0"]
    );
}

#[test]
fn errors_of_people_who_are_known_are_theirs() {
    let counters = counters(16);
    counters.count(&ended(labels("nova", "search"), 200));
    counters.count(&ended(labels("nova", "search"), 429));
    counters.count(&ended(labels("typo", "search"), 400));
    counters.count(&ended(labels("", "search"), 400));
    assert_eq!(
        lines(&counters, "bedrock_requests_total"),
        [
            r#"bedrock_requests_total{model="",api="openai",operation="converse",team="search",status="400"} 1"#,
            r#"bedrock_requests_total{model="nova",api="openai",operation="converse",team="search",status="200"} 1"#,
            r#"bedrock_requests_total{model="nova",api="openai",operation="converse",team="search",status="429"} 1"#,
            r#"bedrock_requests_total{model="other",api="openai",operation="converse",team="search",status="400"} 1"#,
        ]
    );
}

#[test]
fn what_there_is_no_room_for_is_counted_as_other() {
    let counters = counters(16);
    for number in 0..1000 {
        counters.count(&Ended {
            tokens: Some(Tokens {
                input: 1,
                ..Tokens::default()
            }),
            ..ended(labels(&format!("model-{number}"), "x"), 200)
        });
    }
    let counted = snapshot(&counters).counted;
    assert_eq!(counted.used, 16);
    let requests: u64 = counted.series.iter().map(|series| series.requests()).sum();
    let tokens: u64 = counted
        .series
        .iter()
        .map(|series| series.tokens.input)
        .sum();
    assert_eq!((requests, tokens), (1000, 1000));
    let durations: u64 = counted
        .models
        .iter()
        .map(|model| model.duration.count())
        .sum();
    assert_eq!(durations, 1000);
    let other = counted
        .series
        .iter()
        .find(|series| series.api == "other")
        .unwrap();
    assert_eq!(other.requests(), counted.overflow);
}

#[test]
fn another_size_takes_over_all_counts() {
    for (from, to) in [(16, 64), (64, 16)] {
        let before = counters(from);
        for number in 0..40 {
            before.count(&Ended {
                cost: Some(7),
                exception: Some("throttlingException".to_owned()),
                usage_unknown: Some(UsageUnknown::Aborted),
                ..ended(labels(&format!("model-{number}"), "x"), 200)
            });
        }
        before.refused(&Refusal {
            time: 1,
            zone: "tpm".to_owned(),
            model: "nova".to_owned(),
            status: 429,
            retry_after: 1,
            dry_run: false,
        });
        let after = counters(to);
        after.take_over(&before);
        let counted = after.read(|_| false);
        let requests: u64 = counted.series.iter().map(|series| series.requests()).sum();
        let cost: u128 = counted.series.iter().map(|series| series.cost).sum();
        assert_eq!((requests, cost, after.spent(20_000)), (40, 280, 280));
        assert_eq!(counted.exceptions, [("ThrottlingException", 40)]);
        assert_eq!(counted.usage_unknown[0], ("aborted", 40));
        assert_eq!(counted.refusals.len(), 1);
        assert_eq!(counted.since, 1000);
    }
}

#[test]
fn a_day_begins_with_nothing_spent() {
    let counters = counters(16);
    let spend = |day| {
        counters.count(&Ended {
            cost: Some(5),
            day,
            ..ended(labels("nova", "a"), 200)
        });
    };
    spend(100);
    spend(101);
    spend(100);
    assert_eq!((counters.spent(100), counters.spent(101)), (10, 5));
    spend(102);
    assert_eq!(
        (
            counters.spent(100),
            counters.spent(101),
            counters.spent(102)
        ),
        (0, 5, 5)
    );
    // A clock that has stepped back.
    spend(100);
    assert_eq!((counters.spent(100), counters.spent(102)), (0, 5));
}

#[test]
fn what_dead_workers_had_is_not_under_way() {
    let counters = counters(16);
    let workers = [0, 1].map(|place| Owner::new(place, 1).unwrap());
    for worker in workers {
        counters.join(worker);
        counters.under_way(worker, Under::Request, 1);
        counters.under_way(worker, Under::Request, 1);
        counters.under_way(worker, Under::Stream, 1);
    }
    counters.under_way(workers[0], Under::Request, -1);
    let counted = counters.read(|_| false);
    assert_eq!(
        (counted.workers, counted.in_flight, counted.open_streams),
        (2, 3, 2)
    );
    let counted = counters.read(|owner| owner == workers[1]);
    assert_eq!(
        (counted.workers, counted.in_flight, counted.open_streams),
        (1, 1, 1)
    );
    let next = Owner::new(1, 2).unwrap();
    counters.join(next);
    counters.leave(workers[0]);
    let counted = counters.read(|_| false);
    assert_eq!(
        (counted.workers, counted.in_flight, counted.open_streams),
        (1, 0, 0)
    );
}

#[test]
fn as_many_series_as_fit() {
    for bytes in [100_000, 1 << 20, 10 << 20] {
        let sizes = Sizes::that_fit(bytes);
        assert!(sizes.bytes() <= bytes);
        assert!(Sizes::of(sizes.series + 1).bytes() > bytes, "{bytes}");
    }
    assert_eq!(Sizes::that_fit(0).series, 0);
    assert!(
        Sizes::of(1000).bytes() < (5 << 20) / 2,
        "{}",
        Sizes::of(1000).bytes()
    );
}
