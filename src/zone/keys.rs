//! A zone of keys: what is counted for each, and which requests use it.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use metrics::{KeyUse, LimitResults};
use quota::{Limit, Percent, Standing};
use zone::{Asks, Entry, Lost, NotEntered, Parts, Place, Said, Seed, Sizes, Tenant, Writer, Zone};

use super::living::{self, Living};
use super::meter::{self, Now, Refused, Taken};
use super::state::{self, Keeper};
use crate::nginx::conf::Conf;
use crate::nginx::guard::guard;
use crate::nginx::is_alone;
use crate::nginx::log::{Level, cycle_log};
use crate::nginx::robust::RobustMutex;
use crate::nginx::shared::{Began, Pages, Say, SharedZone, Tag};
use crate::nginx::timer::Instant;
use crate::nginx::wakeup::without_signals;
use crate::nginx::workers::Workers;

/// A zone in a configuration, which lives as long as that.
#[derive(Clone, Copy)]
pub struct Keys(&'static SharedZone<Memory>);

/// What looks after the memory.
pub type Memory = Zone<'static, &'static RobustMutex>;

static TAG: Tag = Tag::new();

/// A request that uses a key. It lets go of it when it is dropped.
pub struct Held {
    keys: Keys,
    place: Place,
}

impl Held {
    /// Takes `amount` units of a limit, in place of what was taken `before`.
    ///
    /// # Errors
    /// They are not there, and nothing has changed.
    pub fn take(
        &self,
        limit: &Limit,
        before: Option<Taken>,
        amount: u64,
        keep: Percent,
        now: Now,
    ) -> Result<Taken, Refused> {
        match self.entry() {
            Some((memory, entry)) => {
                meter::take(entry, limit, before, amount, keep, now, &|work| {
                    memory.exclusively(work).is_some()
                })
            }
            // The memory is gone with its configuration.
            None => Ok(Taken::default()),
        }
    }

    /// Puts what was used in the place of what was taken.
    pub fn settle(&self, limit: &Limit, taken: Taken, actual: u64, now: Now) {
        if let Some((memory, entry)) = self.entry() {
            meter::settle(entry, limit, taken, actual, now, &|work| {
                memory.exclusively(work).is_some()
            });
        }
    }

    /// How its key stands.
    pub fn standing(&self, limit: &Limit, now: Now) -> Option<Standing> {
        meter::standing(self.entry()?.1, limit, now)
    }

    fn entry(&self) -> Option<(&'static Memory, &'static Entry)> {
        let memory = self.keys.0.get()?;
        Some((memory, memory.entry(self.place)?))
    }
}

impl Keys {
    /// Adds a zone of `size` bytes, which begins with what `keeper` has of it.
    ///
    /// # Errors
    /// What is wrong with its name or size.
    pub fn add(
        cf: &Conf,
        name: &str,
        size: usize,
        tenant: impl Tenant + 'static,
        keeper: Option<Arc<Keeper>>,
    ) -> Result<Self, String> {
        let (own_name, workers) = (name.to_owned(), Workers::of(cf));
        let begin = move |began: Began<'_, Memory>, say: Say<'_>| {
            let keeper = keeper.as_deref();
            if keeper.is_some_and(|keeper| !keeper.can_be_kept(workers, say)) {
                return None;
            }
            begin(began, say, &own_name, &tenant, keeper)
        };
        SharedZone::add(cf, &TAG, name, size, begin).map(Self)
    }

    /// Lets a request in, if the limit allows one more that uses its key, which is shown as `label`.
    ///
    /// # Errors
    /// Why not.
    pub fn enter(
        self,
        key: &[u8],
        label: &[u8],
        limit: &Limit,
        tenant: &impl Tenant,
    ) -> Result<Held, NotEntered> {
        let memory = self.0.get().ok_or(NotEntered::Broken)?;
        let asks = Asks {
            key: memory.key(limit.kind(), key),
            label,
            most: limit.at_once(),
            now: Instant::now().milliseconds(),
        };
        let place = memory.enter(asks, living::owner(), tenant)?;
        if let Some(entry) = memory.entry(place) {
            meter::mark(entry, limit);
        }
        Ok(Held { keys: self, place })
    }

    /// Whether a key has used this part of a limit, or more.
    pub fn is_past(self, key: &[u8], limit: &Limit, part: Percent, now: Now) -> bool {
        let entry = || {
            let memory = self.0.get()?;
            memory.look_up(memory.key(limit.kind(), key))
        };
        entry().is_some_and(|entry| meter::is_past(entry, limit, part, now))
    }

    /// Counts what a request was told.
    pub fn tell(self, said: Said) {
        if let Some(memory) = self.0.get() {
            memory.header().tell(said);
        }
    }

    /// For whoever reads all of it. `None` if the memory is gone with its configuration.
    pub fn reader(self) -> Option<Reader> {
        self.0.get().map(Reader)
    }

    /// Begins in a worker, which may stand in for one that was killed.
    pub fn start(self, living: &Living, name: &str) {
        if let Some(memory) = self.0.get() {
            memory.begin_at(living::owner());
            heal(memory, living, name);
        }
    }

    /// Lets out the requests of workers that are dead, if no other worker has just looked.
    pub fn look(self, living: &Living, name: &str) {
        let turn = Instant::now().milliseconds() / TURN;
        if let Some(memory) = self.0.get()
            && memory.header().is_turn_to_look(turn)
        {
            heal(memory, living, name);
        }
    }

    /// Has the zone's state written by a thread, if no other worker has just begun to.
    pub fn begin_to_write(self, keeper: &Arc<Keeper>) -> Option<JoinHandle<()>> {
        let memory = self.0.get()?;
        let now = keeper.clocks();
        let turn = Instant::now().milliseconds() / WRITE_TURN;
        if !memory.header().is_turn_to_write(turn) {
            return None;
        }
        let (keeper, owner) = (Arc::clone(keeper), living::owner());
        let work = move || guard((), || keeper.sync(memory, owner, &now));
        // A reload of a process without siblings takes the memory away.
        if is_alone() {
            work();
            return None;
        }
        let name = "bedrock state".to_owned();
        let thread = without_signals(|| thread::Builder::new().name(name).spawn(work));
        // The next turn is soon.
        thread.ok()
    }

    /// Writes the zone's state: the worker ends.
    pub fn write(self, keeper: &Keeper) {
        if let Some(memory) = self.0.get() {
            keeper.sync(memory, living::owner(), &keeper.clocks());
        }
    }

    /// Lets out the requests that this worker has: it ends.
    pub fn stop(self) {
        if let Some(memory) = self.0.get() {
            memory.leave_all(living::owner());
        }
    }

    /// Whether nobody of all workers has complained for a minute.
    pub fn is_time_to_complain(self) -> bool {
        let minute = Instant::now().milliseconds() / A_MINUTE;
        let memory = self.0.get();
        memory.is_none_or(|memory| memory.header().is_turn_to_complain(minute))
    }
}

/// What a thread may read a zone from, as long as a request keeps its configuration alive.
#[derive(Clone, Copy)]
pub struct Reader(&'static Memory);

impl Reader {
    /// How much each key has used, where it is known what it may. What another kind of limit has counted, before a reload, is left out.
    pub fn shares(self, limit: Option<&Limit>, now: Now) -> impl Iterator<Item = Option<KeyUse>> {
        let is_of = move |entry: &&Entry| limit.is_none_or(|limit| meter::is_of(entry, limit));
        self.0.entries().filter(is_of).map(move |entry| {
            let share = meter::share(entry, limit?, now);
            Some(KeyUse {
                label: shown(entry),
                used: share.used,
                limit: share.limit,
                in_flight: entry.in_flight(),
                resets_in: share
                    .reset
                    .map(|reset| u64::try_from(reset.as_millis()).unwrap_or(u64::MAX)),
            })
        })
    }

    /// What requests were told.
    pub fn results(self) -> LimitResults {
        let [passed, soft, rejected, rejected_dry_run] = self.0.header().told();
        LimitResults {
            passed,
            soft,
            rejected,
            rejected_dry_run,
        }
    }

    /// How many keys there is room for.
    pub fn capacity(self) -> usize {
        self.0.capacity()
    }

    /// How many keys were forgotten that still counted.
    pub fn evictions(self) -> u64 {
        self.0.header().forgotten()
    }
}

/// A key's label, or a number that nobody can tell the key from.
fn shown(entry: &Entry) -> String {
    match entry.label() {
        label if !label.is_empty() => label,
        _ => {
            let number = entry.key().map_or(0, |key| key.halves().0);
            format!("#{:08x}", number as u32)
        }
    }
}

impl Held {
    /// Whether it is a key of this zone.
    pub fn is_of(&self, keys: Keys) -> bool {
        std::ptr::eq(self.keys.0, keys.0)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(memory) = self.keys.0.get() {
            memory.leave(self.place);
        }
    }
}

fn heal(memory: &Memory, living: &Living, name: &str) {
    let Some(lives) = living.get() else {
        return;
    };
    let count = memory.heal(|owner| lives.is_dead(owner));
    if count > 0 {
        let text = format!(
            "bedrock: zone \"{name}\": {count} requests of workers that died do not count as in progress any more"
        );
        cycle_log(Level::Warn, &text);
    }
}

fn begin(
    began: Began<'_, Memory>,
    say: Say<'_>,
    name: &str,
    tenant: &impl Tenant,
    keeper: Option<&Keeper>,
) -> Option<Memory> {
    match began {
        Began::Kept(pages) => divide(pages),
        Began::New(pages) => {
            let memory = divide(pages)?;
            let state = match keeper {
                Some(keeper) => keeper.read(say)?,
                None => None,
            };
            memory.header().set_writer(Writer {
                instance: state::wall(),
                memory: 0,
            });
            let seed = state.as_ref().map_or_else(seed, |state| state.seed);
            memory.header().set_seed(seed);
            if let (Some(keeper), Some(state)) = (keeper, state) {
                keeper.restore(&memory, state, say);
            }
            Some(memory)
        }
        Began::Resized(pages, before) => {
            let memory = divide(pages)?;
            memory.header().set_seed(before.header().seed());
            let writer = before.header().writer();
            memory.header().set_writer(Writer {
                memory: writer.memory + 1,
                ..writer
            });
            let lost = memory.take_over(before, Instant::now().milliseconds(), tenant);
            if lost != Lost::default() {
                let text = format!(
                    "bedrock: zone \"{name}\" is too small for what it had before: {} keys and {} requests are not counted any more",
                    lost.keys, lost.requests
                );
                say(Level::Warn, &text);
            }
            Some(memory)
        }
    }
}

fn divide(mut pages: Pages) -> Option<Memory> {
    let header = pages.take(1)?.first()?;
    let sizes = Sizes::of(pages.left());
    let parts = Parts {
        header,
        slots: pages.take(sizes.slots)?,
        buckets: pages.take(sizes.buckets)?,
    };
    Some(Zone::new(parts, pages.mutex))
}

/// What nobody can foresee.
fn seed() -> Seed {
    let random = || RandomState::new().build_hasher().finish();
    Seed(random(), random())
}

/// In this many milliseconds one worker looks for the dead.
pub const TURN: u64 = 500;
/// In this many milliseconds one worker writes the state.
const WRITE_TURN: u64 = 5_000;
const A_MINUTE: u64 = 60_000;
