//! What keeps processes from doing something at the same time.

/// How the one before left what the lock is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Before {
    /// It was through with it.
    Done,
    /// It died in the middle.
    Died,
}

/// A lock that survives its holders. None of them keeps it for longer than a few dozen operations on integers.
pub trait Lock {
    /// Runs `work`, which no other process does meanwhile. `None`: the lock is broken, and nothing was run.
    fn alone<T>(&self, work: impl FnOnce(Before) -> T) -> Option<T>;
}

impl<L: Lock> Lock for &L {
    fn alone<T>(&self, work: impl FnOnce(Before) -> T) -> Option<T> {
        (**self).alone(work)
    }
}
