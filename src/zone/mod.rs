//! What the workers know together, in shared memory, which outlives each of them, and reloads. Whoever is killed, what he held is let
//! go within a second.

mod carried;
pub mod counting;
mod file;
pub mod keys;
pub mod learned;
pub mod living;
pub mod meter;
mod state;
pub mod vault;

pub use self::carried::Kind;
pub use self::file::{Found, StateFile};
pub use self::state::{Keeper, NOT_OURS};

use std::cell::RefCell;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use self::counting::Counting;
use self::keys::Keys;
use self::living::Living;
use crate::nginx::conf::Conf;
use crate::nginx::ffi::ngx_event_t;
use crate::nginx::guard::guard;
use crate::nginx::log::cycle_log_of;
use crate::nginx::timer::Timer;

/// The zones of a configuration.
#[derive(Clone)]
pub struct Zones {
    /// Which workers are alive.
    pub living: &'static Living,
    list: Vec<One>,
    counting: Option<Counting>,
}

/// One of them.
#[derive(Clone)]
pub struct One {
    /// Its name.
    pub name: String,
    /// Its keys.
    pub keys: Keys,
    /// What keeps its state, if that outlives nginx.
    pub keeper: Option<Arc<Keeper>>,
}

/// What a worker keeps.
struct Worker {
    living: &'static Living,
    zones: Vec<Looked>,
    counting: Option<Counting>,
    timer: Option<Timer>,
}

/// A zone that a worker looks after.
struct Looked {
    one: One,
    /// Writes its state.
    writing: Option<JoinHandle<()>>,
}

thread_local! {
    static WORKER: RefCell<Option<Worker>> = const { RefCell::new(None) };
}

impl Zones {
    /// Looks after these; `None` if there are none.
    ///
    /// # Errors
    /// What is wrong.
    pub fn add(
        cf: &Conf,
        list: Vec<One>,
        counting: Option<Counting>,
    ) -> Result<Option<Self>, String> {
        if list.is_empty() && counting.is_none() {
            return Ok(None);
        }
        let living = living::add(cf)?;
        Ok(Some(Self {
            living,
            list,
            counting,
        }))
    }
}

/// Begins in a worker.
pub fn start(zones: &Zones) {
    #[cfg(feature = "forced-deaths")]
    crate::nginx::deaths::begin();
    living::join(zones.living);
    for One { name, keys, .. } in &zones.list {
        keys.start(zones.living, name);
    }
    if let Some(counting) = zones.counting {
        counting.start();
    }
    let look_after = |one: &One| Looked {
        one: one.clone(),
        writing: None,
    };
    let worker = Worker {
        living: zones.living,
        zones: zones.list.iter().map(look_after).collect(),
        counting: zones.counting,
        timer: None,
    };
    WORKER.with_borrow_mut(|slot| slot.insert(worker).wait());
}

/// The worker ends: what it still holds is let go, and what is counted is written.
pub fn stop() {
    if let Some(worker) = WORKER.take() {
        for Looked { one, writing } in worker.zones {
            if let Some(thread) = writing {
                let _ = thread.join();
            }
            one.keys.stop();
            if let Some(keeper) = &one.keeper {
                one.keys.write(keeper);
            }
        }
        if let Some(counting) = worker.counting {
            counting.stop();
        }
    }
    living::leave();
}

unsafe extern "C" fn on_timer(_event: *mut ngx_event_t) {
    guard((), || {
        WORKER.with_borrow_mut(|worker| {
            if let Some(worker) = worker {
                worker.wait();
                for zone in &mut worker.zones {
                    zone.one.keys.look(worker.living, &zone.one.name);
                    zone.write();
                }
            }
        });
    });
}

impl Looked {
    /// Has its state written, if it is time, and the one before is.
    fn write(&mut self) {
        if let Some(keeper) = &self.one.keeper
            && self.writing.as_ref().is_none_or(JoinHandle::is_finished)
        {
            self.writing = self.one.keys.begin_to_write(keeper);
        }
    }
}

impl Worker {
    /// Looks around after a while.
    fn wait(&mut self) {
        let timer = Timer::that_nobody_waits_for(TICK, on_timer, cycle_log_of());
        self.timer = Some(timer);
    }
}

/// How often a worker wakes up to look for the dead, and whether it is time to write; what another worker has just done it does not.
const TICK: Duration = Duration::from_millis(250);
