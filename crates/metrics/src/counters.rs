//! All that is counted: a request that has ended is counted in one call, without a lock.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use zone::{Lock, Owner};

use crate::ended::{Ended, UsageUnknown};
use crate::histogram::{DURATION, TIME_PER_OUTPUT_TOKEN, TIME_TO_FIRST_TOKEN, TOKENS};
use crate::labels::{Labels, OTHER};
use crate::present::{Present, Under};
use crate::recent::{Recent, Refusal};
use crate::record::{
    EXCEPTIONS, ModelRecord, Money, STREAMS, Series, add, exception_place, status_place,
};
use crate::table::{Slot, Table};

/// What the memory begins with. All zero, it is empty.
#[derive(Debug, Default)]
#[repr(C, align(64))]
pub struct Header {
    /// How many label sets the memory is divided for.
    series: AtomicU64,
    /// When counting began, in milliseconds since 1970.
    pub(crate) since: AtomicU64,
    /// Requests that were counted as others because there was no room for their labels.
    pub(crate) overflow: AtomicU64,
    pub(crate) exceptions: [AtomicU64; EXCEPTIONS.len()],
    pub(crate) usage_unknown: [AtomicU64; UsageUnknown::ALL.len()],
    /// What was spent on the last even and the last odd day.
    days: [Day; 2],
}

impl Header {
    /// How the memory is divided; `None` if nobody has said so yet.
    pub fn sizes(&self) -> Option<Sizes> {
        let series = usize::try_from(self.series.load(Relaxed)).ok()?;
        (series > 0).then(|| Sizes::of(series))
    }

    /// Says how, once, before anybody else sees the memory; and when counting begins, in milliseconds since 1970.
    pub fn begin(&self, sizes: Sizes, now: u64) {
        self.series.store(sizes.series as u64, Relaxed);
        self.since.store(now, Relaxed);
    }
}

/// What was spent on a day.
#[derive(Debug, Default)]
#[repr(C)]
struct Day {
    /// Days since 1970, in UTC.
    number: AtomicU64,
    spent: Money,
}

/// What the counters stand in.
#[derive(Clone, Copy, Debug)]
pub struct Parts<'m> {
    /// The beginning.
    pub header: &'m Header,
    /// The ring of refusals.
    pub recent: &'m Recent,
    /// A place for each process.
    pub present: &'m [Present],
    /// Where series stand.
    pub series_slots: &'m [Slot],
    /// The first is for all that have none of their own.
    pub series: &'m [Series],
    /// Where models stand.
    pub model_slots: &'m [Slot],
    /// The first is for all that have none of their own.
    pub models: &'m [ModelRecord],
}

/// How many records there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// Label sets.
    pub series: usize,
    /// Models: a quarter as many, but no less than 16.
    pub models: usize,
}

impl Sizes {
    /// For so many label sets.
    pub const fn of(series: usize) -> Self {
        let models = series / 4;
        Self {
            series,
            models: if models < 16 { 16 } else { models },
        }
    }

    /// As many label sets as there is room for in so many bytes; 0 if there is none.
    pub fn that_fit(bytes: usize) -> Self {
        let one = Self::of(4).bytes() - Self::of(0).bytes();
        let about = bytes.saturating_sub(Self::of(0).bytes()) * 4 / one.max(1);
        let fits = |series: &usize| Self::of(*series).bytes() <= bytes;
        Self::of((0..=about + 4).rev().find(fits).unwrap_or(0))
    }

    /// Bytes of all of it but the places of processes.
    pub const fn bytes(self) -> usize {
        let series = (self.series + 1) * size_of::<Series>() + self.series * 2 * size_of::<Slot>();
        let models =
            (self.models + 1) * size_of::<ModelRecord>() + self.models * 2 * size_of::<Slot>();
        size_of::<Header>() + size_of::<Recent>() + series + models + ALIGNMENTS
    }
}

/// Bytes between the parts.
const ALIGNMENTS: usize = 512;

/// The counters.
#[derive(Debug)]
pub struct Counters<'m, L> {
    pub(crate) parts: Parts<'m>,
    lock: L,
    pub(crate) series: Table<'m, Series>,
    pub(crate) models: Table<'m, ModelRecord>,
}

impl<'m, L: Lock> Counters<'m, L> {
    /// In this memory. `lock` is for whoever adds label sets.
    pub fn new(parts: Parts<'m>, lock: L) -> Self {
        let series = Table {
            slots: parts.series_slots,
            records: parts.series.get(1..).unwrap_or_default(),
        };
        let models = Table {
            slots: parts.model_slots,
            records: parts.models.get(1..).unwrap_or_default(),
        };
        Self {
            parts,
            lock,
            series,
            models,
        }
    }

    /// Counts a request.
    pub fn count(&self, ended: &Ended) {
        let (series, model) = self.records(&ended.labels, ended.is_known);
        if let Some(series) = series {
            count(series.statuses.get(status_place(ended.status)));
            for (word, tokens) in series
                .tokens
                .iter()
                .zip(ended.tokens.unwrap_or_default().all())
            {
                word.fetch_add(tokens, Relaxed);
            }
            series.cost.add(ended.cost.unwrap_or(0));
            count(ended.price_is_missing.then_some(&series.price_missing));
        }
        if let Some(model) = model {
            model.duration.count(&DURATION, ended.duration);
            if let Some(time) = ended.time_to_first_token {
                model.time_to_first_token.count(&TIME_TO_FIRST_TOKEN, time);
            }
            if let Some(time) = ended.time_per_output_token {
                model
                    .time_per_output_token
                    .count(&TIME_PER_OUTPUT_TOKEN, time);
            }
            if let Some(tokens) = ended.tokens {
                model.prompt.count(&TOKENS, tokens.prompt());
                model.answer.count(&TOKENS, tokens.output);
            }
            let place = ended
                .stream
                .and_then(|stream| STREAMS.iter().position(|known| *known == stream));
            count(place.and_then(|place| model.streams.get(place)));
        }
        let header = self.parts.header;
        if let Some(exception) = &ended.exception {
            count(header.exceptions.get(exception_place(exception)));
        }
        if let Some(why) = ended.usage_unknown {
            count(header.usage_unknown.get(why as usize));
        }
        if let Some(cost) = ended.cost.filter(|cost| *cost > 0) {
            self.spend(cost, ended.day);
        }
    }

    /// Where a request is counted.
    fn records(
        &self,
        labels: &Labels,
        is_known: bool,
    ) -> (Option<&'m Series>, Option<&'m ModelRecord>) {
        let own = self.series.find(labels.bytes());
        let series = own.or_else(|| match is_known {
            true => {
                // So that a later request of the same people is theirs, whatever model it is for.
                if let Some(own) = labels.own() {
                    self.series.find_or_add(own.bytes(), &self.lock);
                }
                self.series.find_or_add(labels.bytes(), &self.lock)
            }
            false => {
                let known = |own: &Labels| self.series.find(own.bytes()).is_some();
                let others = labels.others(labels.own().is_some_and(|own| known(&own)));
                self.series.find_or_add(others.bytes(), &self.lock)
            }
        });
        let series = series.or_else(|| {
            self.parts.header.overflow.fetch_add(1, Relaxed);
            self.parts.series.first()
        });
        let model = labels.model().as_bytes();
        let model = match is_known || model.is_empty() {
            true => self.models.find_or_add(model, &self.lock),
            false => self.models.find(model),
        };
        (series, model.or_else(|| self.parts.models.first()))
    }

    fn spend(&self, cost: u64, today: u64) {
        let Some(day) = self.day(today) else {
            return;
        };
        if day.number.load(Acquire) != today {
            self.lock.alone(|_| {
                if day.number.load(Relaxed) < today {
                    day.spent.clear();
                    day.number.store(today, Release);
                }
            });
        }
        // A clock that has stepped back by two days finds a later one there.
        if day.number.load(Acquire) == today {
            day.spent.add(cost);
        }
    }

    /// What was spent on a day, in pico-dollars, if it is one of the last two.
    pub(crate) fn spent_on(&self, today: u64) -> u128 {
        let day = self
            .day(today)
            .filter(|day| day.number.load(Acquire) == today);
        day.map_or(0, |day| day.spent.read())
    }

    fn day(&self, today: u64) -> Option<&'m Day> {
        self.parts.header.days.get(usize::from(today % 2 == 1))
    }

    /// Notes that a limit has refused.
    pub fn refused(&self, refusal: &Refusal) {
        self.parts.recent.add(refusal);
    }

    /// A process begins.
    pub fn join(&self, owner: Owner) {
        if let Some(present) = self.present(owner) {
            present.begin(owner);
        }
    }

    /// It ends.
    pub fn leave(&self, owner: Owner) {
        if let Some(present) = self.present(owner) {
            present.end(owner);
        }
    }

    /// Requests or streams of a process begin, or end where `count` is negative.
    pub fn under_way(&self, owner: Owner, what: Under, count: i64) {
        if let Some(present) = self.present(owner) {
            present.change(what, count);
        }
    }

    /// A process's place; the first if it is the only process.
    fn present(&self, owner: Owner) -> Option<&'m Present> {
        let place = owner.place().map_or(0, |(place, _)| place);
        self.parts.present.get(place)
    }

    /// Takes over what another one has counted, which stays as it is: label sets that there is no room for are added to the others.
    /// This one is empty, and seen by nobody else.
    pub fn take_over<O: Lock>(&self, other: &Counters<'_, O>) {
        let (to, from) = (self.parts.header, other.parts.header);
        to.since.store(from.since.load(Relaxed), Relaxed);
        to.overflow.store(from.overflow.load(Relaxed), Relaxed);
        add(&to.exceptions, &from.exceptions);
        add(&to.usage_unknown, &from.usage_unknown);
        for (to, from) in to.days.iter().zip(&from.days) {
            to.number.store(from.number.load(Relaxed), Relaxed);
            to.spent.take_over(&from.spent);
        }
        for from in other.series.all() {
            let to = self.series.find_or_add(from.text().as_bytes(), &self.lock);
            if let Some(to) = to.or(self.parts.series.first()) {
                to.take_over(from);
            }
        }
        for from in other.models.all() {
            let to = self.models.find_or_add(from.text().as_bytes(), &self.lock);
            if let Some(to) = to.or(self.parts.models.first()) {
                to.take_over(from);
            }
        }
        for (to, from) in self
            .parts
            .series
            .first()
            .into_iter()
            .zip(other.parts.series)
        {
            to.take_over(from);
        }
        for (to, from) in self
            .parts
            .models
            .first()
            .into_iter()
            .zip(other.parts.models)
        {
            to.take_over(from);
        }
        for refusal in other.parts.recent.read().iter().rev() {
            self.parts.recent.add(refusal);
        }
    }
}

/// The labels of all that have no counters of their own.
pub(crate) fn others() -> Labels {
    Labels::new(OTHER, OTHER, OTHER)
}

/// Counts in a word that is there.
fn count(word: Option<&AtomicU64>) {
    if let Some(word) = word {
        word.fetch_add(1, Relaxed);
    }
}
