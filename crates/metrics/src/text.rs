//! A snapshot as metrics: which there are, and with which labels. docs/metrics.md describes them.

use std::fmt::{self, Display};

use crate::document::token_counts;
use crate::exposition::{Format, Kind, Writer};
use crate::histogram::{
    DURATION, Distribution, TIME_PER_OUTPUT_TOKEN, TIME_TO_FIRST_TOKEN, TOKENS,
};
use crate::labels::OTHER;
use crate::snapshot::{CredentialsState, LimitZone, ModelCounts, SeriesCounts, Snapshot};

/// The text.
pub fn text(snapshot: &Snapshot, format: Format) -> String {
    let mut writer = Writer::new(format);
    // Writing into a string does not fail.
    let _ = write_all(&mut writer, snapshot);
    writer.end()
}

/// Pico-dollars as dollars.
pub(crate) struct Dollars(pub u128);

impl Display for Dollars {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const ONE: u128 = quota::PICODOLLARS as u128;
        let digits = format!("{:012}", self.0 % ONE);
        match digits.trim_end_matches('0') {
            "" => write!(f, "{}", self.0 / ONE),
            rest => write!(f, "{}.{rest}", self.0 / ONE),
        }
    }
}

fn write_all(w: &mut Writer, snapshot: &Snapshot) -> fmt::Result {
    let counted = &snapshot.counted;
    w.family(
        "build",
        Kind::Info,
        "This module and the nginx that it runs in.",
    )?;
    w.sample(
        "build_info",
        &[&[("version", &snapshot.version), ("nginx", &snapshot.nginx)]],
        1,
    )?;
    gauge(w, "workers", "Workers that are alive.", counted.workers)?;
    gauge(
        w,
        "requests_in_flight",
        "Requests to gateways that are under way.",
        counted.in_flight,
    )?;
    gauge(
        w,
        "streams_open",
        "Streamed answers that are under way.",
        counted.open_streams,
    )?;
    write_series(w, &counted.series)?;
    write_models(w, &counted.models)?;
    w.family(
        "exceptions",
        Kind::Counter,
        "Exceptions of Bedrock's and errors of AWS's, by name.",
    )?;
    for (name, count) in &counted.exceptions {
        w.sample("exceptions_total", &[&[("exception", name)]], count)?;
    }
    w.family(
        "usage_unknown",
        Kind::Counter,
        "Answers of models that do not tell what they have used, by reason.",
    )?;
    for (reason, count) in &counted.usage_unknown {
        w.sample("usage_unknown_total", &[&[("reason", reason)]], count)?;
    }
    write_limits(w, &snapshot.limits)?;
    write_credentials(w, snapshot)?;
    gauge(
        w,
        "series",
        "Label sets that have counters of their own.",
        counted.used as u64,
    )?;
    gauge(
        w,
        "series_capacity",
        "How many label sets may have counters of their own.",
        counted.capacity as u64,
    )?;
    w.family(
        "series_overflow",
        Kind::Counter,
        "Requests that were counted as \"other\" because there was no room for their label set.",
    )?;
    w.sample("series_overflow_total", &[], counted.overflow)
}

fn gauge(w: &mut Writer, name: &str, help: &str, value: u64) -> fmt::Result {
    w.family(name, Kind::Gauge, help)?;
    w.sample(name, &[], value)
}

fn write_series(w: &mut Writer, all: &[SeriesCounts]) -> fmt::Result {
    let rows: Vec<_> = all.iter().map(|series| (series, labels(series))).collect();
    w.family(
        "requests",
        Kind::Counter,
        "Requests to gateways that have ended, by the status in the access log.",
    )?;
    for (series, labels) in &rows {
        for (status, count) in &series.statuses {
            let status = match status {
                0 => OTHER.to_owned(),
                status => status.to_string(),
            };
            w.sample("requests_total", &[labels, &[("status", &status)]], count)?;
        }
    }
    // What never got as far as a model has used nothing.
    let rows = || rows.iter().filter(|(series, _)| !series.model.is_empty());
    w.family(
        "tokens",
        Kind::Counter,
        "Tokens that Bedrock has counted, by type; none is counted twice.",
    )?;
    for (series, labels) in rows() {
        for (kind, count) in token_counts(&series.tokens) {
            w.sample("tokens_total", &[labels, &[("type", kind)]], count)?;
        }
    }
    w.family("cost_usd", Kind::Counter, "Cost by the price file, in USD.")?;
    for (series, labels) in rows() {
        w.sample("cost_usd_total", &[labels], Dollars(series.cost))?;
    }
    w.family(
        "price_missing",
        Kind::Counter,
        "Requests that have used what costs, and that no price is known for.",
    )?;
    for (series, labels) in rows() {
        w.sample("price_missing_total", &[labels], series.price_missing)?;
    }
    Ok(())
}

fn labels(series: &SeriesCounts) -> Vec<(&str, &str)> {
    let own = series
        .labels
        .iter()
        .map(|(name, value)| (&**name, &**value));
    let ours = [
        ("model", &*series.model),
        ("api", &*series.api),
        ("operation", &*series.operation),
    ];
    ours.into_iter().chain(own).collect()
}

fn write_models(w: &mut Writer, models: &[ModelCounts]) -> fmt::Result {
    const SECOND: f64 = 1e6;
    type Of = fn(&ModelCounts) -> &Distribution;
    let timings: [(&str, &str, &[u64], Of); 3] = [
        (
            "request_duration_seconds",
            "Time from the first byte of a request to its end.",
            &DURATION,
            |of| &of.duration,
        ),
        (
            "time_to_first_token_seconds",
            "Time from the first byte of a request to the first content of its stream.",
            &TIME_TO_FIRST_TOKEN,
            |of| &of.time_to_first_token,
        ),
        (
            "time_per_output_token_seconds",
            "Time between two tokens of a stream.",
            &TIME_PER_OUTPUT_TOKEN,
            |of| &of.time_per_output_token,
        ),
    ];
    for (name, help, bounds, of) in timings {
        w.family(name, Kind::Histogram, help)?;
        for model in models.iter().filter(|model| of(model).count() > 0) {
            w.histogram(name, &[("model", &model.model)], bounds, SECOND, of(model))?;
        }
    }
    let models = || models.iter().filter(|model| !model.model.is_empty());
    w.family(
        "request_tokens",
        Kind::Histogram,
        "Tokens of a request: of its prompt, cached ones too, and of its answer.",
    )?;
    for model in models() {
        for (kind, of) in [("input", &model.prompt), ("output", &model.answer)] {
            let labels = [("model", &*model.model), ("type", kind)];
            w.histogram("request_tokens", &labels, &TOKENS, 1.0, of)?;
        }
    }
    w.family(
        "streams",
        Kind::Counter,
        "Streamed answers that have ended, by how.",
    )?;
    for model in models() {
        for (status, count) in &model.streams {
            let labels = [("model", &*model.model), ("status", status)];
            w.sample("streams_total", &[&labels], count)?;
        }
    }
    Ok(())
}

fn write_limits(w: &mut Writer, zones: &[LimitZone]) -> fmt::Result {
    w.family(
        "limit_requests",
        Kind::Counter,
        "What limits have said, by zone.",
    )?;
    for zone in zones {
        for (result, count) in zone.results.all() {
            w.sample(
                "limit_requests_total",
                &[&[("zone", &zone.name), ("result", result)]],
                count,
            )?;
        }
    }
    type Of = fn(&LimitZone) -> u64;
    let gauges: [(&str, &str, Of); 2] = [
        ("limit_zone_keys", "Keys in a zone.", |zone| {
            zone.keys as u64
        }),
        (
            "limit_zone_capacity",
            "How many keys a zone has room for.",
            |zone| zone.capacity as u64,
        ),
    ];
    for (name, help, of) in gauges {
        w.family(name, Kind::Gauge, help)?;
        for zone in zones {
            w.sample(name, &[&[("zone", &zone.name)]], of(zone))?;
        }
    }
    w.family(
        "limit_zone_evictions",
        Kind::Counter,
        "Keys that were forgotten while they counted, for want of room.",
    )?;
    for zone in zones {
        w.sample(
            "limit_zone_evictions_total",
            &[&[("zone", &zone.name)]],
            zone.evictions,
        )?;
    }
    w.family(
        "limit_used_ratio",
        Kind::Gauge,
        "Used part of a limit, of the keys that have used most: 1 is all.",
    )?;
    for zone in zones {
        for (place, key) in zone.top.iter().enumerate() {
            // Keys that are shown alike, where an operator gives them one label, have one sample: the fullest.
            if !zone
                .top
                .iter()
                .take(place)
                .any(|fuller| fuller.label == key.label)
            {
                w.sample(
                    "limit_used_ratio",
                    &[&[("zone", &zone.name), ("key", &key.label)]],
                    key.ratio(),
                )?;
            }
        }
    }
    Ok(())
}

fn write_credentials(w: &mut Writer, snapshot: &Snapshot) -> fmt::Result {
    w.family(
        "credentials_expiry_seconds",
        Kind::Gauge,
        "Seconds until credentials expire.",
    )?;
    for source in &snapshot.credentials {
        if let Some(seconds) = source.expires_in {
            w.sample(
                "credentials_expiry_seconds",
                &[&[("name", &source.name)]],
                seconds,
            )?;
        }
    }
    w.family(
        "credentials_failing",
        Kind::Gauge,
        "1 where the last attempt to fetch credentials has failed.",
    )?;
    for source in &snapshot.credentials {
        let failing = u8::from(source.state == CredentialsState::Failing);
        w.sample("credentials_failing", &[&[("name", &source.name)]], failing)?;
    }
    Ok(())
}
