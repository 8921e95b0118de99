//! What a limit counts in the words of a key's entry. The arithmetic is the crate quota's; here it is done so that several workers may do
//! it at once, and any of them may die meanwhile.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use quota::{Budget, FOR_EVER, Limit, Percent, Rate, Spent, Standing, Window};
use zone::{Entry, Tenant};

use crate::nginx::timer::Instant;

/// Both clocks.
#[derive(Clone, Copy)]
pub struct Now {
    /// Nanoseconds of a clock that does not step.
    steady: u64,
    /// Seconds since 1970.
    wall: u64,
}

impl Now {
    /// The moment of this turn of the event loop.
    pub fn get() -> Self {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH);
        Self {
            steady: Instant::now().milliseconds().saturating_mul(1_000_000),
            wall: wall.unwrap_or_default().as_secs(),
        }
    }
}

/// What a request has taken of a limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// Units.
    pub amount: u64,
    /// The window they were taken in.
    window: u64,
}

/// A limit does not allow it.
#[derive(Clone, Copy, Debug)]
pub struct Refused {
    /// How long until it may.
    pub wait: Duration,
    /// Units that are left.
    pub remaining: u64,
    /// Units that the limit allows.
    pub limit: u64,
}

/// Does something that nobody else who changes windows does meanwhile; false if that is not possible any more.
pub type Alone<'a> = &'a dyn Fn(&dyn Fn()) -> bool;

/// Takes `amount` units, in place of what was taken `before`: no more than that are not asked for again.
///
/// # Errors
/// They are not there, and nothing has changed.
pub fn take(
    entry: &Entry,
    limit: &Limit,
    before: Option<Taken>,
    amount: u64,
    keep: Percent,
    now: Now,
    alone: Alone<'_>,
) -> Result<Taken, Refused> {
    let held = before.unwrap_or_default();
    let is_admitted = before.is_some_and(|before| amount <= before.amount);
    let window = match limit {
        Limit::Concurrency(_) => return Ok(Taken::default()),
        Limit::Rate(_, rate) => {
            let take = |arrival| match is_admitted {
                true => Ok(rate.settle(arrival, now.steady, held.amount, amount)),
                false => {
                    let arrival = rate.settle(arrival, now.steady, held.amount, 0);
                    rate.admit(arrival, now.steady, amount, keep)
                }
            };
            change(arrival_of(entry), take).map_err(|wait| Refused {
                wait,
                ..standing_of_rate(entry, rate, now).into()
            })?;
            0
        }
        Limit::Budget(_, budget) => {
            let window = window_of(entry, budget, now, alone);
            let settled = |used, actual| {
                let spent = Spent {
                    window: window.number,
                    used,
                };
                spent.settle(window.number, held.amount, held.window, actual)
            };
            let take = |used| match is_admitted {
                true => Ok(settled(used, amount).used),
                false => {
                    let admitted = budget.admit(settled(used, 0), window.number, amount, keep);
                    admitted.map(|spent| spent.used)
                }
            };
            let refused = |_| Refused::from(standing_of_budget(entry, budget, window, now));
            change(used_of(entry), take).map_err(refused)?;
            window.number
        }
    };
    Ok(Taken { amount, window })
}

/// Puts what was used, `actual`, in the place of what was taken.
pub fn settle(entry: &Entry, limit: &Limit, taken: Taken, actual: u64, now: Now, alone: Alone<'_>) {
    match limit {
        Limit::Concurrency(_) => {}
        Limit::Rate(_, rate) => {
            let settle =
                |arrival| Ok::<_, ()>(rate.settle(arrival, now.steady, taken.amount, actual));
            let _ = change(arrival_of(entry), settle);
        }
        Limit::Budget(_, budget) => {
            let window = window_of(entry, budget, now, alone);
            let settle = |used| {
                let spent = Spent {
                    window: window.number,
                    used,
                };
                let spent = spent.settle(window.number, taken.amount, taken.window, actual);
                Ok::<_, ()>(spent.used)
            };
            let _ = change(used_of(entry), settle);
        }
    }
}

/// How a key stands; `None` for what has no standing.
pub fn standing(entry: &Entry, limit: &Limit, now: Now) -> Option<Standing> {
    Some(match limit {
        Limit::Concurrency(_) => return None,
        Limit::Rate(_, rate) => standing_of_rate(entry, rate, now),
        Limit::Budget(_, budget) => {
            let window = latest(entry, budget, budget.calendar.at(now.wall));
            standing_of_budget(entry, budget, window, now)
        }
    })
}

/// How much of a limit a key has used.
pub struct Share {
    /// Units that are used, or reserved. They may be more than the limit allows.
    pub used: u64,
    /// Units that the limit allows.
    pub limit: u64,
    /// How long until none is used any more; nobody knows when requests end, and some budgets are for ever.
    pub reset: Option<Duration>,
}

/// How much of a limit a key has used.
pub fn share(entry: &Entry, limit: &Limit, now: Now) -> Share {
    let (used, limit) = match limit {
        Limit::Concurrency(most) => {
            return Share {
                used: entry.in_flight().into(),
                limit: most.get().into(),
                reset: None,
            };
        }
        Limit::Rate(_, rate) => {
            let used = rate.used(arrival_of(entry).load(Acquire), now.steady);
            (used, limit)
        }
        Limit::Budget(_, budget) => {
            let window = budget.calendar.at(now.wall).number;
            (spent_of(entry).in_window(window).used, limit)
        }
    };
    let standing = standing(entry, limit, now);
    let reset = standing.map(|standing| standing.reset);
    Share {
        used,
        limit: standing.map_or(0, |standing| standing.limit),
        reset: reset.filter(|reset| *reset != FOR_EVER),
    }
}

/// Notes of which kind of limit an entry is, where that is new.
pub fn mark(entry: &Entry, limit: &Limit) {
    let kind = word(entry, KIND);
    if kind.load(Relaxed) == 0 {
        kind.fetch_max(u64::from(limit.kind()) << KIND_FROM, Relaxed);
    }
}

/// Whether an entry is of this kind of limit.
pub fn is_of(entry: &Entry, limit: &Limit) -> bool {
    word(entry, KIND).load(Relaxed) >> KIND_FROM == u64::from(limit.kind())
}

/// Whether this part of the limit, or more, is used.
pub fn is_past(entry: &Entry, limit: &Limit, part: Percent, now: Now) -> bool {
    match limit {
        Limit::Concurrency(most) => u64::from(entry.in_flight()) >= part.of(u64::from(most.get())),
        Limit::Rate(_, rate) => rate.is_past(arrival_of(entry).load(Acquire), now.steady, part),
        Limit::Budget(_, budget) => {
            let window = budget.calendar.at(now.wall);
            budget.is_past(spent_of(entry), window.number, part)
        }
    }
}

/// What is counted for keys of a zone.
#[derive(Clone, Copy)]
pub struct Counted {
    /// Whether a key that counts may be forgotten for a new one: not money, and not a budget.
    pub may_forget: bool,
}

impl Tenant for Counted {
    fn is_idle(&self, entry: &Entry, now: u64) -> bool {
        let now = Now {
            steady: now.saturating_mul(1_000_000),
            ..Now::get()
        };
        // The entry may be of a limit that is no more, or that only a request can tell.
        match word(entry, KIND).load(Relaxed) & LAST {
            0 => arrival_of(entry).load(Acquire) <= now.steady,
            until => until <= now.wall,
        }
    }

    fn may_forget(&self) -> bool {
        self.may_forget
    }
}

/// The window that it is, which the entry has then, too.
fn window_of(entry: &Entry, budget: &Budget, now: Now, alone: Alone<'_>) -> Window {
    let window = budget.calendar.at(now.wall);
    let known = word(entry, WINDOW);
    if known.load(Acquire) < window.number {
        alone(&|| {
            if known.load(Acquire) < window.number {
                // In this order: who dies between the two has only forgotten a window that is over.
                used_of(entry).store(0, Relaxed);
                word(entry, SYNCED).store(0, Relaxed);
                known.store(window.number, std::sync::atomic::Ordering::Release);
            }
        });
    }
    let kind = word(entry, KIND);
    let before = kind.load(Relaxed);
    let until = before & !LAST | window.end.min(LAST);
    if before < until {
        kind.fetch_max(until, Relaxed);
    }
    latest(entry, budget, window)
}

/// This window; or the later one that the entry has, if the clock has stepped back.
fn latest(entry: &Entry, budget: &Budget, window: Window) -> Window {
    match word(entry, WINDOW).load(Acquire) {
        known if known > window.number => budget.calendar.numbered(known),
        _ => window,
    }
}

pub(super) fn change<E>(word: &AtomicU64, to: impl Fn(u64) -> Result<u64, E>) -> Result<(), E> {
    let mut before = word.load(Acquire);
    loop {
        match word.compare_exchange_weak(before, to(before)?, AcqRel, Acquire) {
            Ok(_) => return Ok(()),
            Err(now) => before = now,
        }
    }
}

fn standing_of_rate(entry: &Entry, rate: &Rate, now: Now) -> Standing {
    rate.standing(arrival_of(entry).load(Acquire), now.steady)
}

fn standing_of_budget(entry: &Entry, budget: &Budget, window: Window, now: Now) -> Standing {
    budget.standing(spent_of(entry), window, now.wall)
}

impl From<Standing> for Refused {
    fn from(standing: Standing) -> Self {
        Self {
            wait: standing.reset,
            remaining: standing.remaining,
            limit: standing.limit,
        }
    }
}

fn spent_of(entry: &Entry) -> Spent {
    Spent {
        window: word(entry, WINDOW).load(Acquire),
        used: used_of(entry).load(Acquire),
    }
}

pub(super) fn arrival_of(entry: &Entry) -> &AtomicU64 {
    word(entry, WINDOW)
}

pub(super) fn used_of(entry: &Entry) -> &AtomicU64 {
    word(entry, USED)
}

pub(super) fn word(entry: &Entry, place: usize) -> &AtomicU64 {
    // Places are below zone::WORDS, so the other one is never taken.
    entry.words.get(place).unwrap_or(&NOWHERE)
}

static NOWHERE: AtomicU64 = AtomicU64::new(0);

// Places of words: of a rate the arrival time; of a budget the window, and what is used; the kind of limit, with it of a budget when (in
// seconds since 1970) the window ends; and what a budget has used by the file that it is kept in, as far as that is known.
pub(super) const WINDOW: usize = 0;
pub(super) const USED: usize = 1;
pub(super) const KIND: usize = 2;
pub(super) const SYNCED: usize = 3;
/// The kind stands in the bits from this one on.
const KIND_FROM: u32 = 56;
/// The last second that can be said.
const LAST: u64 = (1 << KIND_FROM) - 1;
