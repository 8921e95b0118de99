//! The zone of counters, for metrics and the status page.

use std::time::{SystemTime, UNIX_EPOCH};

use metrics::{Counted, Counters, Ended, Header, Parts, Present, Refusal, Sizes, Under};
use zone::Owner;

use super::living::{self, Living};
use crate::nginx::conf::Conf;
use crate::nginx::log::Level;
use crate::nginx::robust::RobustMutex;
use crate::nginx::shared::{Began, Pages, Say, SharedZone, Tag};

/// The zone in a configuration, which lives as long as that.
#[derive(Clone, Copy)]
pub struct Counting(&'static SharedZone<Memory>);

type Memory = Counters<'static, &'static RobustMutex>;

static TAG: Tag = Tag::new();

/// What a thread may read the counters from, as long as a request keeps their configuration alive.
#[derive(Clone, Copy)]
pub struct Reader {
    memory: &'static Memory,
    living: Option<&'static crate::nginx::lives::Lives<'static>>,
}

/// Something that is under way until this is dropped.
pub struct UnderWay {
    counting: Counting,
    owner: Owner,
    what: Under,
}

impl Counting {
    /// Adds a zone of `size` bytes, with room for so many label sets, or as many as fit.
    ///
    /// # Errors
    /// What is wrong with its name or size.
    pub fn add(cf: &Conf, name: &str, size: usize, series: Option<usize>) -> Result<Self, String> {
        let own_name = name.to_owned();
        let begin =
            move |began: Began<'_, Memory>, say: Say<'_>| begin(began, say, &own_name, series);
        SharedZone::add(cf, &TAG, name, size, begin).map(Self)
    }

    /// A worker begins.
    pub fn start(self) {
        if let Some(memory) = self.0.get() {
            memory.join(living::owner());
        }
    }

    /// It ends.
    pub fn stop(self) {
        if let Some(memory) = self.0.get() {
            memory.leave(living::owner());
        }
    }

    /// Counts a request that has ended.
    pub fn count(self, ended: &Ended) {
        if let Some(memory) = self.0.get() {
            memory.count(ended);
        }
    }

    /// Notes that a limit has refused.
    pub fn refused(self, refusal: &Refusal) {
        if let Some(memory) = self.0.get() {
            memory.refused(refusal);
        }
    }

    /// Something begins.
    pub fn begin(self, what: Under) -> UnderWay {
        let owner = living::owner();
        if let Some(memory) = self.0.get() {
            memory.under_way(owner, what, 1);
        }
        UnderWay {
            counting: self,
            owner,
            what,
        }
    }

    /// For whoever reads the counters. `None` if the memory is gone with its configuration.
    pub fn reader(self, living: &'static Living) -> Option<Reader> {
        Some(Reader {
            memory: self.0.get()?,
            living: living.get(),
        })
    }
}

impl Reader {
    /// What was counted up to now.
    pub fn read(self) -> Counted {
        self.memory
            .read(|owner| self.living.is_some_and(|lives| lives.is_dead(owner)))
    }

    /// What was spent on a day, in days since 1970, UTC; in pico-dollars.
    pub fn spent(self, day: u64) -> u128 {
        self.memory.spent(day)
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        // A worker that has ended has given its place to another one.
        if let Some(memory) = self.counting.0.get()
            && living::owner() == self.owner
        {
            memory.under_way(self.owner, self.what, -1);
        }
    }
}

fn begin(
    began: Began<'_, Memory>,
    say: Say<'_>,
    name: &str,
    series: Option<usize>,
) -> Option<Memory> {
    match began {
        Began::Kept(mut pages) => {
            let header = header(&mut pages)?;
            let sizes = header.sizes()?;
            if series.is_some_and(|series| series != sizes.series) {
                let text = format!(
                    "bedrock: zone \"{name}\" keeps its {} series: \"series=\" counts when nginx starts anew, or when the size changes",
                    sizes.series
                );
                say(Level::Warn, &text);
            }
            divide(pages, header, sizes)
        }
        Began::New(pages) => divide_new(pages, say, name, series),
        Began::Resized(pages, before) => {
            let memory = divide_new(pages, say, name, series)?;
            memory.take_over(before);
            Some(memory)
        }
    }
}

fn divide_new(mut pages: Pages, say: Say<'_>, name: &str, series: Option<usize>) -> Option<Memory> {
    let left = pages.left().saturating_sub(PRESENT);
    let sizes = series.map_or_else(|| Sizes::that_fit(left), Sizes::of);
    if sizes.series < FEWEST || sizes.bytes() > left {
        let least = Sizes::of(series.unwrap_or(FEWEST)).bytes() + PRESENT + OF_NGINX;
        let text = format!(
            "bedrock: zone \"{name}\" is too small for {} series: make it {}k or more",
            series.unwrap_or(FEWEST),
            least.div_ceil(1024)
        );
        say(Level::Emerg, &text);
        return None;
    }
    let header = header(&mut pages)?;
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    header.begin(sizes, u64::try_from(now.as_millis()).unwrap_or(0));
    divide(pages, header, sizes)
}

fn header(pages: &mut Pages) -> Option<&'static Header> {
    pages.take(1)?.first()
}

fn divide(mut pages: Pages, header: &'static Header, sizes: Sizes) -> Option<Memory> {
    let mutex = pages.mutex;
    let parts = Parts {
        header,
        recent: pages.take(1)?.first()?,
        present: pages.take(living::PLACES)?,
        series_slots: pages.take(sizes.series * 2)?,
        series: pages.take(sizes.series + 1)?,
        model_slots: pages.take(sizes.models * 2)?,
        models: pages.take(sizes.models + 1)?,
    };
    Some(Counters::new(parts, mutex))
}

/// Label sets that a zone has room for at least.
pub const FEWEST: usize = 16;
/// Bytes of the places of workers.
const PRESENT: usize = living::PLACES * size_of::<Present>();
/// Bytes that nginx keeps in a zone for itself, generously.
const OF_NGINX: usize = 64 << 10;
