//! Shared memory -> plain values.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use zone::{Lock, Owner};

use crate::counters::{Counters, others};
use crate::ended::{Tokens, UsageUnknown};
use crate::labels::Parts;
use crate::record::{EXCEPTIONS, ModelRecord, STATUSES, STREAMS, Series};
use crate::snapshot::{Counted, ModelCounts, SeriesCounts};

impl<L: Lock> Counters<'_, L> {
    /// What was counted up to now. Requests of processes that are dead are not under way.
    pub fn read(&self, is_dead: impl Fn(Owner) -> bool) -> Counted {
        let header = self.parts.header;
        let own = self.series.all().map(|series| (series.text(), series));
        let others = others();
        let rest = self.parts.series.first().into_iter();
        let rest =
            rest.map(|series| (String::from_utf8_lossy(others.bytes()).into_owned(), series));
        let series: Vec<_> = own
            .map(|(text, series)| series_counts(&text, series))
            .collect();
        let used = series.len();
        let rest = rest.map(|(text, series)| series_counts(&text, series));
        let models = self
            .models
            .all()
            .map(|model| model_counts(model.text(), model));
        let other_models = self.parts.models.first().into_iter();
        let other_models = other_models.map(|model| model_counts(others.model().to_owned(), model));
        let present = self
            .parts
            .present
            .iter()
            .filter_map(|present| present.read());
        let alive = present.filter(|(owner, ..)| !is_dead(*owner));
        let (workers, in_flight, open_streams) = alive
            .fold((0, 0, 0), |sum, (_, requests, streams)| {
                (sum.0 + 1, sum.1 + requests, sum.2 + streams)
            });
        let mut counted = Counted {
            since: header.since.load(Relaxed),
            workers,
            in_flight,
            open_streams,
            series: series
                .into_iter()
                .chain(rest)
                .filter(|series| !series.statuses.is_empty())
                .collect(),
            models: models
                .chain(other_models.filter(|model| model.duration.count() > 0))
                .collect(),
            exceptions: occurred(&EXCEPTIONS, &header.exceptions).collect(),
            usage_unknown: UsageUnknown::ALL
                .map(UsageUnknown::as_str)
                .into_iter()
                .zip(header.usage_unknown.iter().map(|word| word.load(Relaxed)))
                .collect(),
            used,
            capacity: self.parts.series.len().saturating_sub(1),
            overflow: header.overflow.load(Relaxed),
            refusals: self.parts.recent.read(),
        };
        counted.series.sort_by(|a, b| {
            (&a.model, &a.api, &a.operation, &a.labels).cmp(&(
                &b.model,
                &b.api,
                &b.operation,
                &b.labels,
            ))
        });
        // Those that have none of their own may be there as `other` already.
        counted.models.sort_by(|a, b| a.model.cmp(&b.model));
        counted.models.dedup_by(|again, first| {
            again.model == first.model && {
                first.add(again);
                true
            }
        });
        counted
    }

    /// What was spent on a day, in days since 1970, UTC; in pico-dollars.
    pub fn spent(&self, day: u64) -> u128 {
        self.spent_on(day)
    }
}

impl ModelCounts {
    fn add(&mut self, other: &Self) {
        self.duration.add(&other.duration);
        self.time_to_first_token.add(&other.time_to_first_token);
        self.time_per_output_token.add(&other.time_per_output_token);
        self.prompt.add(&other.prompt);
        self.answer.add(&other.answer);
        for ((_, count), (_, other)) in self.streams.iter_mut().zip(&other.streams) {
            *count += other;
        }
    }
}

fn series_counts(text: &str, series: &Series) -> SeriesCounts {
    let parts = Parts::of(text);
    let load = |word: &AtomicU64| word.load(Relaxed);
    let [input, output, cache_read, cache_write, cache_write_1h] = &series.tokens;
    let statuses = STATUSES
        .into_iter()
        .chain([0])
        .zip(series.statuses.iter().map(load));
    SeriesCounts {
        model: parts.model.to_owned(),
        api: parts.api.to_owned(),
        operation: parts.operation.to_owned(),
        labels: parts
            .own
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
        statuses: statuses.filter(|(_, count)| *count > 0).collect(),
        tokens: Tokens {
            input: load(input),
            output: load(output),
            cache_read: load(cache_read),
            cache_write: load(cache_write),
            cache_write_1h: load(cache_write_1h),
        },
        cost: series.cost.read(),
        price_missing: load(&series.price_missing),
    }
}

fn model_counts(model: String, record: &ModelRecord) -> ModelCounts {
    ModelCounts {
        model,
        duration: record.duration.read(),
        time_to_first_token: record.time_to_first_token.read(),
        time_per_output_token: record.time_per_output_token.read(),
        prompt: record.prompt.read(),
        answer: record.answer.read(),
        streams: STREAMS
            .into_iter()
            .zip(record.streams.iter().map(|word| word.load(Relaxed)))
            .collect(),
    }
}

fn occurred<'a>(
    names: &'a [&'static str],
    counts: &'a [AtomicU64],
) -> impl Iterator<Item = (&'static str, u64)> + 'a {
    let counts = counts.iter().map(|count| count.load(Relaxed));
    names
        .iter()
        .copied()
        .zip(counts)
        .filter(|(_, count)| *count > 0)
}
