#![allow(dead_code, missing_docs, clippy::indexing_slicing)]
//! Memory that forked processes share, as nginx's workers do, and the module's own locks in it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::SeqCst;

use zone::{Bucket, Entry, Header, Parts, Seed, Slot, Tenant, Zone};

#[path = "../../../../src/nginx/lives.rs"]
pub mod lives;
#[path = "../../../../src/nginx/robust.rs"]
pub mod robust;

use lives::{Life, Lives};
use robust::RobustMutex;

/// Shared memory, until the test's process ends.
pub struct Memory {
    next: *mut u8,
    end: *mut u8,
}

impl Memory {
    pub fn new(bytes: usize) -> Self {
        let (rights, kind) = (
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_SHARED | libc::MAP_ANONYMOUS,
        );
        // SAFETY: a new mapping, which nothing unmaps.
        let start = unsafe { libc::mmap(ptr::null_mut(), bytes, rights, kind, -1, 0) };
        assert_ne!(start, libc::MAP_FAILED);
        let next: *mut u8 = start.cast();
        Self {
            next,
            end: next.wrapping_add(bytes),
        }
    }

    /// So many of these, all zero. They consist of atomics.
    pub fn slice<T>(&mut self, count: usize) -> &'static [T] {
        let begin = self
            .next
            .wrapping_add(self.next.align_offset(align_of::<T>()));
        self.next = begin.wrapping_add(count * size_of::<T>());
        assert!(self.next <= self.end);
        // SAFETY: it is in the mapping, aligned, and given to nobody else.
        unsafe { std::slice::from_raw_parts(begin.cast(), count) }
    }

    pub fn one<T>(&mut self) -> &'static T {
        &self.slice(1)[0]
    }

    pub fn mutex(&mut self) -> &'static RobustMutex {
        let mutex: &RobustMutex = self.one();
        // SAFETY: nobody uses it yet, and it is never unmapped.
        assert!(unsafe { mutex.begin() });
        mutex
    }

    pub fn lives(&mut self, count: usize) -> Lives<'static> {
        Lives {
            door: self.mutex(),
            places: self.slice::<Life>(count),
        }
    }

    pub fn parts(&mut self, slots: usize, buckets: usize) -> Parts<'static> {
        let header: &Header = self.one();
        header.set_seed(Seed(11, 22));
        Parts {
            header,
            slots: self.slice::<Slot>(slots),
            buckets: self.slice::<Bucket>(buckets),
        }
    }

    pub fn zone(&mut self, slots: usize, buckets: usize) -> SharedZone {
        let parts = self.parts(slots, buckets);
        Zone::new(parts, self.mutex())
    }

    pub fn counter(&mut self) -> &'static AtomicU64 {
        self.one()
    }
}

pub type SharedZone = Zone<'static, &'static RobustMutex>;

/// A tenant to whom every key is idle that nobody uses.
pub struct Idle;

impl Tenant for Idle {
    fn is_idle(&self, _: &Entry, _: u64) -> bool {
        true
    }

    fn may_forget(&self) -> bool {
        false
    }
}

/// A tenant to whom a key is idle if its first word is 0.
pub struct Counting {
    pub may_forget: bool,
}

impl Tenant for Counting {
    fn is_idle(&self, entry: &Entry, _: u64) -> bool {
        entry.words[0].load(SeqCst) == 0
    }

    fn may_forget(&self) -> bool {
        self.may_forget
    }
}

/// A process that does `work`, and ends as one that is killed: nothing is dropped.
pub fn fork(work: impl FnOnce()) -> libc::pid_t {
    // SAFETY: the child runs `work` and ends itself. The test's other threads are not in it: it uses no lock of theirs.
    unsafe {
        match libc::fork() {
            0 => {
                // Should the test fail, nobody would end it.
                libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
                let ran = catch_unwind(AssertUnwindSafe(work));
                libc::_exit(i32::from(ran.is_err()))
            }
            child => {
                assert!(child > 0);
                child
            }
        }
    }
}

/// How a process has ended.
#[derive(Debug, PartialEq, Eq)]
pub enum End {
    /// Its work is done.
    Done,
    /// Its work panicked.
    Panicked,
    /// `kill -9`.
    Killed,
}

/// Waits for a process.
pub fn wait(child: libc::pid_t) -> End {
    let mut status = 0;
    // SAFETY: the status is ours.
    unsafe {
        assert_eq!(libc::waitpid(child, &raw mut status, 0), child);
    }
    match status {
        0 => End::Done,
        status if libc::WIFSIGNALED(status) => End::Killed,
        _ => End::Panicked,
    }
}

pub fn kill(process: libc::pid_t) {
    // SAFETY: a child of ours that has not been waited for, so the number is still its own.
    unsafe {
        libc::kill(process, libc::SIGKILL);
    }
}

/// Holds processes while `look` looks at what they share. They may hold its lock.
pub fn while_stopped<T>(processes: &[libc::pid_t], look: impl FnOnce() -> T) -> T {
    for process in processes {
        let mut status = 0;
        // SAFETY: children of ours that have not been waited for; the status is ours.
        unsafe {
            libc::kill(*process, libc::SIGSTOP);
            assert_eq!(
                libc::waitpid(*process, &raw mut status, libc::WUNTRACED),
                *process
            );
        }
        assert!(libc::WIFSTOPPED(status), "a process has ended: {status:#x}");
    }
    let seen = look();
    for process in processes {
        // SAFETY: as above.
        unsafe {
            libc::kill(*process, libc::SIGCONT);
        }
    }
    seen
}

/// Ends this process as `kill -9` does.
pub fn die() {
    // SAFETY: the signal is for this process alone.
    unsafe {
        libc::raise(libc::SIGKILL);
    }
}
