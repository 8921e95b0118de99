//! A lock in shared memory that survives whoever holds it: the next one is told that its holder died.

use std::cell::UnsafeCell;
use std::mem::MaybeUninit;

use libc::{
    EBUSY, EOWNERDEAD, PTHREAD_MUTEX_ROBUST, PTHREAD_PROCESS_SHARED, pthread_mutex_consistent,
    pthread_mutex_init, pthread_mutex_lock, pthread_mutex_t, pthread_mutex_trylock,
    pthread_mutex_unlock, pthread_mutexattr_destroy, pthread_mutexattr_init,
    pthread_mutexattr_setpshared, pthread_mutexattr_setrobust, pthread_mutexattr_t,
};
use zone::{Before, Lock};

/// A lock between processes. It is where [`RobustMutex::begin`] has made one, and stays there.
#[derive(Debug)]
#[repr(C, align(64))]
pub struct RobustMutex(UnsafeCell<pthread_mutex_t>);

// SAFETY: a mutex is for several threads, and this one for several processes.
unsafe impl Sync for RobustMutex {}

/// A mutex that is locked by this thread, until this is dropped.
#[derive(Debug)]
pub struct Held<'m> {
    mutex: &'m RobustMutex,
    /// How the one before left it.
    pub before: Before,
}

/// What became of a mutex that was not waited for.
#[derive(Debug)]
pub enum Tried<'m> {
    /// It is ours.
    Held(Held<'m>),
    /// Somebody has it, who is alive.
    Taken,
    /// It is no mutex, or broken.
    Broken,
}

impl RobustMutex {
    /// Makes a mutex of zeroed memory. False if the system cannot.
    ///
    /// # Safety
    /// Nobody else uses it yet, and it is unmapped only when nobody holds it.
    pub unsafe fn begin(&self) -> bool {
        let mut attributes = MaybeUninit::<pthread_mutexattr_t>::uninit();
        // SAFETY: the attributes are initialised by the first call; the mutex is ours alone, as the caller promises.
        unsafe {
            if pthread_mutexattr_init(attributes.as_mut_ptr()) != 0 {
                return false;
            }
            let attributes = attributes.assume_init_mut();
            let begun = pthread_mutexattr_setpshared(attributes, PTHREAD_PROCESS_SHARED) == 0
                && pthread_mutexattr_setrobust(attributes, PTHREAD_MUTEX_ROBUST) == 0
                && pthread_mutex_init(self.0.get(), attributes) == 0;
            pthread_mutexattr_destroy(attributes);
            begun
        }
    }

    /// Waits for it. `None` if it is broken.
    pub fn lock(&self) -> Option<Held<'_>> {
        // SAFETY: shared memory that is mapped as long as this; a mutex, or zeroes, which are one that is not robust.
        let result = unsafe { pthread_mutex_lock(self.0.get()) };
        self.held(result)
    }

    /// Takes it, if nobody has it.
    pub fn try_lock(&self) -> Tried<'_> {
        // SAFETY: as above.
        let result = unsafe { pthread_mutex_trylock(self.0.get()) };
        match self.held(result) {
            Some(held) => Tried::Held(held),
            None if result == EBUSY => Tried::Taken,
            None => Tried::Broken,
        }
    }

    fn held(&self, result: i32) -> Option<Held<'_>> {
        let before = match result {
            0 => Before::Done,
            EOWNERDEAD => {
                // SAFETY: this thread has it. Should it die now, the next one is told the same.
                unsafe { pthread_mutex_consistent(self.0.get()) };
                Before::Died
            }
            _ => return None,
        };
        Some(Held {
            mutex: self,
            before,
        })
    }
}

impl Lock for RobustMutex {
    fn alone<T>(&self, work: impl FnOnce(Before) -> T) -> Option<T> {
        let held = self.lock()?;
        Some(work(held.before))
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        // SAFETY: this thread has it.
        unsafe { pthread_mutex_unlock(self.mutex.0.get()) };
    }
}
