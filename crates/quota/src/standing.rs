//! How a key stands with a limit: what headers, variables and the status page show.

use std::time::Duration;

/// How a key stands with a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Units that the limit allows: a burst, a window's budget, requests at once.
    pub limit: u64,
    /// Units that are left.
    pub remaining: u64,
    /// How long until all of them are; [`FOR_EVER`](crate::FOR_EVER) if they never will be.
    pub reset: Duration,
}

impl Standing {
    /// The one of two limits on the same unit that has the smaller part left, `self` where they are alike.
    #[must_use]
    pub fn tighter(self, other: Self) -> Self {
        let part = |one: &Self, whole: &Self| u128::from(one.remaining) * u128::from(whole.limit);
        match part(&other, &self) < part(&self, &other) {
            true => other,
            false => self,
        }
    }
}
