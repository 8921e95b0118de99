//! A snapshot as JSON, for the page and for programs. docs/metrics.md describes it; `schema` changes when a member changes its meaning.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::ended::Tokens;
use crate::histogram::{DURATION, Distribution, TIME_PER_OUTPUT_TOKEN, TIME_TO_FIRST_TOKEN};
use crate::record::TOKEN_TYPES;
use crate::snapshot::{KeyUse, LimitUnit, LimitZone, ModelCounts, SeriesCounts, Snapshot};
use crate::text::Dollars;

/// Which document it is.
const SCHEMA: u32 = 1;

/// The document.
pub fn document(snapshot: &Snapshot) -> Value {
    let counted = &snapshot.counted;
    let is_priced = snapshot.prices.is_some();
    let total: u128 = counted.series.iter().map(|series| series.cost).sum();
    let cost = snapshot.today.map(|today| {
        json!({
            "total": Dollars(total).to_string(),
            "today": Dollars(today).to_string(),
            "day": day(snapshot.time / A_DAY),
        })
    });
    json!({
        "schema": SCHEMA,
        "version": snapshot.version,
        "nginx": snapshot.nginx,
        "time": seconds(snapshot.time),
        "since": seconds(counted.since),
        "workers": counted.workers,
        "labels": snapshot.labels,
        "in_flight": counted.in_flight,
        "open_streams": counted.open_streams,
        "statuses": statuses(&counted.series),
        "models": sums(&counted.series, is_priced, |series| series.model.clone(), |model| ("model", json!(model))),
        "groups": groups(snapshot, is_priced),
        "cost": cost,
        "latency": latency(&counted.models),
        "streams": streams(&counted.models),
        "exceptions": object(counted.exceptions.iter().copied()),
        "usage_unknown": object(counted.usage_unknown.iter().copied()),
        "limits": snapshot.limits.iter().map(limit).collect::<Vec<_>>(),
        "refusals": refusals(snapshot),
        "credentials": credentials(snapshot),
        "prices": snapshot.prices.as_ref().map(|prices| json!({"date": prices.date, "models": prices.rules})),
        "series": {"used": counted.used, "capacity": counted.capacity, "overflow": counted.overflow},
        "pools": [],
        "store": null,
    })
}

/// Tokens by type.
pub(crate) fn token_counts(tokens: &Tokens) -> [(&'static str, u64); 5] {
    let Tokens {
        input,
        output,
        cache_read,
        cache_write,
        cache_write_1h,
    } = *tokens;
    let [a, b, c, d, e] = TOKEN_TYPES;
    [
        (a, input),
        (b, output),
        (c, cache_read),
        (d, cache_write),
        (e, cache_write_1h),
    ]
}

fn object(counts: impl Iterator<Item = (&'static str, u64)>) -> Value {
    counts
        .map(|(name, count)| (name.to_owned(), Value::from(count)))
        .collect::<Map<_, _>>()
        .into()
}

fn statuses(all: &[SeriesCounts]) -> Value {
    let mut sums = BTreeMap::<u16, u64>::new();
    for (status, count) in all.iter().flat_map(|series| &series.statuses) {
        *sums.entry(*status).or_default() += count;
    }
    let name = |status: u16| {
        if status == 0 {
            "other".to_owned()
        } else {
            status.to_string()
        }
    };
    sums.into_iter()
        .map(|(status, count)| (name(status), Value::from(count)))
        .collect::<Map<_, _>>()
        .into()
}

/// Sums of the series that have the same key, most requests first.
fn sums<K: Ord>(
    all: &[SeriesCounts],
    is_priced: bool,
    key: impl Fn(&SeriesCounts) -> K,
    show: impl Fn(&K) -> (&'static str, Value),
) -> Value {
    let mut sums = BTreeMap::<K, (u64, u64, [u64; 5], u128, u64)>::new();
    for series in all {
        let (requests, errors, tokens, cost, missing) = sums.entry(key(series)).or_default();
        *requests += series.requests();
        *errors += series.errors();
        for (sum, (_, count)) in tokens.iter_mut().zip(token_counts(&series.tokens)) {
            *sum += count;
        }
        *cost += series.cost;
        *missing += series.price_missing;
    }
    let mut sums: Vec<_> = sums.into_iter().collect();
    sums.sort_by_key(|(_, (requests, ..))| std::cmp::Reverse(*requests));
    let shown = sums
        .iter()
        .map(|(key, (requests, errors, tokens, cost, missing))| {
            let (name, key) = show(key);
            json!({
                name: key,
                "requests": requests,
                "errors": errors,
                "tokens": object(TOKEN_TYPES.into_iter().zip(*tokens)),
                "cost": is_priced.then(|| Dollars(*cost).to_string()),
                "price_missing": missing,
            })
        });
    shown.collect()
}

fn groups(snapshot: &Snapshot, is_priced: bool) -> Value {
    if snapshot.labels.is_empty() {
        return json!([]);
    }
    let labelled: Vec<_> = snapshot
        .counted
        .series
        .iter()
        .filter(|series| !series.labels.is_empty())
        .cloned()
        .collect();
    sums(
        &labelled,
        is_priced,
        |series| series.labels.clone(),
        |labels| {
            let labels: Map<_, _> = labels
                .iter()
                .map(|(name, value)| (name.clone(), json!(value)))
                .collect();
            ("labels", labels.into())
        },
    )
}

fn latency(models: &[ModelCounts]) -> Value {
    let sum = |of: fn(&ModelCounts) -> &Distribution, bounds: &[u64]| {
        let mut sum = Distribution {
            counts: vec![0; bounds.len() + 1],
            sum: 0,
        };
        models.iter().for_each(|model| sum.add(of(model)));
        json!({
            "le": bounds.iter().map(|bound| *bound as f64 / 1e6).collect::<Vec<_>>(),
            "counts": sum.cumulative().collect::<Vec<_>>(),
            "sum": sum.sum as f64 / 1e6,
            "count": sum.count(),
        })
    };
    json!({
        "duration": sum(|model| &model.duration, &DURATION),
        "time_to_first_token": sum(|model| &model.time_to_first_token, &TIME_TO_FIRST_TOKEN),
        "time_per_output_token": sum(|model| &model.time_per_output_token, &TIME_PER_OUTPUT_TOKEN),
    })
}

fn streams(models: &[ModelCounts]) -> Value {
    let count = |status: &str| {
        let all = models.iter().flat_map(|model| &model.streams);
        all.filter(|(known, _)| *known == status)
            .map(|(_, count)| count)
            .sum()
    };
    object(
        crate::record::STREAMS
            .into_iter()
            .map(|status| (status, count(status))),
    )
}

fn limit(zone: &LimitZone) -> Value {
    json!({
        "zone": zone.name,
        "kind": zone.kind.as_str(),
        "unit": zone.unit.as_str(),
        "results": object(zone.results.all().into_iter()),
        "keys": zone.keys,
        "capacity": zone.capacity,
        "evictions": zone.evictions,
        "top": zone.top.iter().map(|key| key_use(key, zone.unit)).collect::<Vec<_>>(),
    })
}

fn key_use(key: &KeyUse, unit: LimitUnit) -> Value {
    let amount = |amount: u64| match unit {
        LimitUnit::Usd => json!(Dollars(amount.into()).to_string()),
        LimitUnit::Tokens | LimitUnit::Requests => json!(amount),
    };
    json!({
        "key": key.label,
        "used": amount(key.used),
        "limit": amount(key.limit),
        "used_ratio": key.ratio(),
        "in_flight": key.in_flight,
        "resets_in": key.resets_in.map(seconds),
    })
}

fn refusals(snapshot: &Snapshot) -> Vec<Value> {
    let refusals = snapshot.counted.refusals.iter();
    refusals
        .map(|refusal| {
            json!({
                "time": seconds(refusal.time),
                "zone": refusal.zone,
                "model": refusal.model,
                "status": refusal.status,
                "retry_after": seconds(refusal.retry_after),
                "dry_run": refusal.dry_run,
            })
        })
        .collect()
}

fn credentials(snapshot: &Snapshot) -> Vec<Value> {
    let sources = snapshot.credentials.iter();
    sources
        .map(|source| json!({"name": source.name, "state": source.state.as_str(), "expires_in": source.expires_in}))
        .collect()
}

fn seconds(milliseconds: u64) -> f64 {
    milliseconds as f64 / 1e3
}

/// A day since 1970 as `2026-11-29`. <https://howardhinnant.github.io/date_algorithms.html#civil_from_days>
fn day(days: u64) -> String {
    let days = days + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year + era * 400 + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

const A_DAY: u64 = 86_400_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_have_dates() {
        for (days, date) in [
            (0, "1970-01-01"),
            (59, "1970-03-01"),
            (11_016, "2000-02-29"),
            (20_786, "2026-11-29"),
        ] {
            assert_eq!(day(days), date);
        }
    }
}
