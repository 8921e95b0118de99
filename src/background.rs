//! What a worker does beside the event loop, and the one way back onto it: threads have news, and the loop is woken to take them.

use std::cell::{OnceCell, RefCell};

use crate::directives::MainConf;
use crate::nginx::guard::guard;
use crate::nginx::wakeup::Wakeup;
use crate::{credentials, resolve, zone};

thread_local! {
    static WAKEUP: RefCell<Option<Wakeup>> = const { RefCell::new(None) };
}

/// Begins what the configuration asks for.
pub fn start(main: &MainConf) {
    // Made for the first that wants one.
    let wakeup = OnceCell::new();
    let announcer = || {
        let wakeup: &Option<Wakeup> = wakeup.get_or_init(|| Wakeup::new(take_news));
        wakeup.as_ref().map(Wakeup::announcer)
    };
    // First, as it changes the environment, which other threads read.
    if !main.switches.is_empty() {
        let wanted = |index| main.wants_source(index);
        credentials::start(&main.sources, main.vault, wanted, announcer);
    }
    if let Some(following) = &main.following {
        resolve::start(following, announcer());
    }
    if let Some(zones) = &main.zones {
        zone::start(zones);
    }
    WAKEUP.set(wakeup.into_inner().flatten());
}

/// Ends all of it: a few milliseconds. A thread that is inside the system's resolver is left to itself: it holds nothing of
/// nginx's, and the module stays in memory until the process has ended.
pub fn stop() {
    credentials::stop();
    resolve::stop();
    zone::stop();
    WAKEUP.take();
}

fn take_news() {
    guard((), credentials::take_updates);
    guard((), resolve::take_answers);
}
