//! Budgets: so much in each window of wall time.
//!
//! What is kept of a key is the number of its window and what is used in it, the reserved included. All functions are pure, from the
//! old value to the new one.

use std::num::NonZeroU64;

use crate::percent::Percent;
use crate::standing::Standing;
use crate::window::{Calendar, Window};

/// So many units in each window.
#[derive(Clone, Debug, PartialEq)]
pub struct Budget {
    /// Units in a window.
    pub amount: NonZeroU64,
    /// The windows.
    pub calendar: Calendar,
}

/// What a key has used. The default, all zeros, is a key of which nothing is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    /// The number of the window.
    pub window: u64,
    /// Units used and reserved in it.
    pub used: u64,
}

/// The budget has less left than a request needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exhausted;

impl Budget {
    /// Takes `amount` units in the window with this number, and leaves at least `keep` of the budget for others. An amount of 0 passes
    /// while at least something is left.
    ///
    /// # Errors
    /// Less is left. In the next window it is whole again.
    pub fn admit(
        &self,
        spent: Spent,
        window: u64,
        amount: u64,
        keep: Percent,
    ) -> Result<Spent, Exhausted> {
        let spent = spent.in_window(window);
        let room = keep.rest().of(self.amount.get());
        match spent.used.checked_add(amount.max(1)) {
            Some(used) if used <= room => Ok(spent.charge(amount)),
            _ => Err(Exhausted),
        }
    }

    /// How many units are left in the window with this number.
    pub fn remaining(&self, spent: Spent, window: u64) -> u64 {
        self.amount
            .get()
            .saturating_sub(spent.in_window(window).used)
    }

    /// How a key stands in this window at `now` (seconds since 1970).
    pub fn standing(&self, spent: Spent, window: Window, now: u64) -> Standing {
        Standing {
            limit: self.amount.get(),
            remaining: self.remaining(spent, window.number),
            reset: window.rest(now),
        }
    }

    /// Whether this part of the budget, or more, is used.
    pub fn is_past(&self, spent: Spent, window: u64, part: Percent) -> bool {
        spent.in_window(window).used >= part.of(self.amount.get())
    }
}

impl Spent {
    /// The same in the window with this number: what was used in an earlier one is over. An earlier window than the key's own is one
    /// that the clock has stepped back to: the key stays in the later.
    #[must_use]
    pub fn in_window(self, window: u64) -> Self {
        match window > self.window {
            true => Self { window, used: 0 },
            false => self,
        }
    }

    /// Adds `amount` units to this window, whether or not they are left.
    #[must_use]
    pub fn charge(self, amount: u64) -> Self {
        Self {
            used: self.used.saturating_add(amount),
            ..self
        }
    }

    /// Puts what was used, `actual`, into the window at the request's end, in place of what was reserved in the window `reserved_in`. The
    /// reservation of a window that is over went with it.
    #[must_use]
    pub fn settle(self, window: u64, reserved: u64, reserved_in: u64, actual: u64) -> Self {
        let now = self.in_window(window);
        let held = match now.window == reserved_in {
            true => reserved,
            false => 0,
        };
        Self {
            used: now.used.saturating_sub(held),
            ..now
        }
        .charge(actual)
    }
}
