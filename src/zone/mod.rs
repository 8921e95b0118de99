//! What the workers know together, in shared memory, which outlives each of them, and reloads. Whoever is killed, what he held is let
//! go within a second.

pub mod counting;
pub mod keys;
pub mod learned;
pub mod living;
pub mod meter;
pub mod vault;

use std::cell::RefCell;
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
    /// With their names.
    keys: Vec<(String, Keys)>,
    counting: Option<Counting>,
}

/// What a worker keeps.
struct Worker {
    zones: Zones,
    timer: Option<Timer>,
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
        keys: Vec<(String, Keys)>,
        counting: Option<Counting>,
    ) -> Result<Option<Self>, String> {
        if keys.is_empty() && counting.is_none() {
            return Ok(None);
        }
        let living = living::add(cf)?;
        Ok(Some(Self {
            living,
            keys,
            counting,
        }))
    }
}

/// Begins in a worker.
pub fn start(zones: &Zones) {
    #[cfg(feature = "forced-deaths")]
    crate::nginx::deaths::begin();
    living::join(zones.living);
    for (name, keys) in &zones.keys {
        keys.start(zones.living, name);
    }
    if let Some(counting) = zones.counting {
        counting.start();
    }
    let worker = Worker {
        zones: zones.clone(),
        timer: None,
    };
    WORKER.with_borrow_mut(|slot| slot.insert(worker).wait());
}

/// The worker ends: what it still holds is let go.
pub fn stop() {
    if let Some(worker) = WORKER.take() {
        for (_, keys) in worker.zones.keys {
            keys.stop();
        }
        if let Some(counting) = worker.zones.counting {
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
                for (name, keys) in &worker.zones.keys {
                    keys.look(worker.zones.living, name);
                }
            }
        });
    });
}

impl Worker {
    /// Looks around after a while.
    fn wait(&mut self) {
        let timer = Timer::that_nobody_waits_for(TICK, on_timer, cycle_log_of());
        self.timer = Some(timer);
    }
}

/// How often a worker wakes up to look for the dead; if another has looked within [`keys::TURN`], it does not.
const TICK: Duration = Duration::from_millis(250);
