//! What the processes of one nginx know of a source together, in memory that all of them have: one fetches, all have what it got, and
//! those that come later have it at once.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_credential_types::Credentials;
use zeroize::Zeroizing;

use crate::{Credential, Current, Environment, Source};

/// Lets one process at a time do something.
pub trait Lock: Send + Sync {
    /// Does it; `false` if that is not possible any more. A process that has died while it did so has left its work undone.
    fn hold(&self, work: &mut dyn FnMut()) -> bool;
}

/// Where a source's credential is kept. All zero it is empty.
#[repr(C)]
pub struct Slot {
    /// Of which source: [`Identity`].
    identity: [AtomicU64; 2],
    /// Until when somebody has the right to fetch, or nobody shall, in milliseconds since 1970.
    claimed: AtomicU64,
    /// How many fetches have failed since one has not.
    failures: AtomicU32,
    /// Length of what is in `bytes`; 0 while they are written.
    length: AtomicU32,
    /// When the credential expires, in milliseconds since 1970.
    expires: AtomicU64,
    bytes: [AtomicU8; ROOM],
}

/// Two sources have the same if they are configured alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity([u64; 2]);

impl Identity {
    /// Of a source in an environment.
    pub fn of(source: &Source, environment: &Environment) -> Self {
        let mut variables: Vec<_> = environment.iter().collect();
        variables.sort_unstable();
        Self([1_u8, 2].map(|half| {
            let mut hasher = DefaultHasher::new();
            (half, source, &variables).hash(&mut hasher);
            // 0 is an empty slot's.
            hasher.finish() | 1
        }))
    }
}

/// The slot of one source, as long as it is that source's: whoever finds no other may take one whose credential has expired.
#[derive(Clone)]
pub struct Board {
    slot: &'static Slot,
    identity: Identity,
    lock: Arc<dyn Lock>,
}

/// What another process has got.
#[derive(Clone, Debug)]
pub enum Known {
    /// A credential that is in force.
    Fetched(Current),
    /// Nothing: it has tried, so many times.
    Failed(u32),
    /// Nothing yet.
    Nothing,
}

impl Board {
    /// Finds the slot of a source; else one that is empty, or the one whose credential has expired for the longest time. `None` if all are
    /// in use.
    pub fn find(slots: &'static [Slot], lock: Arc<dyn Lock>, identity: Identity) -> Option<Self> {
        let mut found = None;
        lock.hold(&mut || {
            found = slots.iter().find(|slot| slot.identity() == identity.0);
            if found.is_none() {
                let now = milliseconds(SystemTime::now());
                let is_free = |slot: &&Slot| {
                    slot.identity() == [0, 0]
                        || slot
                            .expires
                            .load(Ordering::Relaxed)
                            .max(slot.claimed.load(Ordering::Relaxed))
                            < now
                };
                let free = slots.iter().filter(is_free);
                // One that was just taken has fetched nothing yet, and has expired no later than an empty one.
                found = free.min_by_key(|slot| {
                    let is_taken = slot.identity() != [0, 0];
                    (is_taken, slot.expires.load(Ordering::Relaxed))
                });
                if let Some(slot) = found {
                    slot.wipe();
                    for (half, value) in slot.identity.iter().zip(identity.0) {
                        half.store(value, Ordering::Relaxed);
                    }
                }
            }
        });
        found.map(|slot| Self {
            slot,
            identity,
            lock,
        })
    }

    /// What is known.
    pub fn read(&self, now: SystemTime) -> Known {
        let known =
            self.with_slot(
                |slot| match slot.read().filter(|current| current.is_valid(now)) {
                    Some(current) => Known::Fetched(current),
                    None => match slot.failures.load(Ordering::Relaxed) {
                        0 => Known::Nothing,
                        failures => Known::Failed(failures),
                    },
                },
            );
        known.unwrap_or(Known::Nothing)
    }

    /// Takes the right to fetch, for so long at the most; `false` if another has it, or has failed just now. Where nothing can be known
    /// together, everybody has it.
    pub fn claim(&self, now: SystemTime, longest: Duration) -> bool {
        let is_claimed = self.with_slot(|slot| {
            let now = milliseconds(now);
            let until = slot.claimed.load(Ordering::Relaxed);
            // A time too far off was written by a clock that has been set back since.
            let is_claimed = until <= now || until > now.saturating_add(LONGEST_CLAIM);
            if is_claimed {
                let until = now.saturating_add(in_milliseconds(longest));
                slot.claimed.store(until, Ordering::Relaxed);
            }
            is_claimed
        });
        is_claimed.unwrap_or(true)
    }

    /// Has the right to fetch for longer.
    pub fn claim_on(&self, now: SystemTime, longest: Duration) {
        self.with_slot(|slot| {
            let until = milliseconds(now).saturating_add(in_milliseconds(longest));
            slot.claimed.store(until, Ordering::Relaxed);
        });
    }

    /// Keeps what was fetched, for those whose credentials expire.
    pub fn keep(&self, current: &Current) {
        self.with_slot(|slot| {
            slot.write(current);
            slot.failures.store(0, Ordering::Relaxed);
            slot.claimed.store(0, Ordering::Relaxed);
        });
    }

    /// A fetch has failed: nobody shall try for so long. Gives how many have failed in a row, as far as that is known together.
    pub fn failed(&self, now: SystemTime, wait: impl Fn(u32) -> Duration) -> Option<u32> {
        self.with_slot(|slot| {
            let failures = slot.failures.load(Ordering::Relaxed).saturating_add(1);
            slot.failures.store(failures, Ordering::Relaxed);
            let until = milliseconds(now).saturating_add(in_milliseconds(wait(failures)));
            slot.claimed.store(until, Ordering::Relaxed);
            failures
        })
    }

    /// Does something with the slot that nobody else does at the same time. `None`: that is not possible any more, or another source has
    /// it by now.
    fn with_slot<T>(&self, work: impl Fn(&Slot) -> T) -> Option<T> {
        let mut done = None;
        self.lock.hold(&mut || {
            if self.slot.identity() == self.identity.0 {
                done = Some(work(self.slot));
            }
        });
        done
    }
}

impl Default for Slot {
    fn default() -> Self {
        Self {
            identity: Default::default(),
            claimed: AtomicU64::new(0),
            failures: AtomicU32::new(0),
            length: AtomicU32::new(0),
            expires: AtomicU64::new(0),
            bytes: [const { AtomicU8::new(0) }; ROOM],
        }
    }
}

impl Slot {
    /// Takes the credential out of memory.
    pub fn wipe(&self) {
        self.length.store(0, Ordering::Release);
        self.failures.store(0, Ordering::Relaxed);
        self.claimed.store(0, Ordering::Relaxed);
        self.expires.store(0, Ordering::Relaxed);
        for half in &self.identity {
            half.store(0, Ordering::Relaxed);
        }
        for byte in &self.bytes {
            byte.store(0, Ordering::Relaxed);
        }
    }

    fn identity(&self) -> [u64; 2] {
        self.identity
            .each_ref()
            .map(|half| half.load(Ordering::Relaxed))
    }

    fn write(&self, current: &Current) {
        self.length.store(0, Ordering::Release);
        let encoded = encoded(&current.credential);
        let expires = current.expires.map(milliseconds);
        let (Some(expires), true) = (expires, encoded.len() <= ROOM) else {
            return;
        };
        for (place, byte) in self
            .bytes
            .iter()
            .zip(encoded.iter().chain(std::iter::repeat(&0)))
        {
            place.store(*byte, Ordering::Relaxed);
        }
        self.expires.store(expires, Ordering::Relaxed);
        let length = u32::try_from(encoded.len()).unwrap_or(0);
        self.length.store(length, Ordering::Release);
    }

    fn read(&self) -> Option<Current> {
        let length = usize::try_from(self.length.load(Ordering::Acquire)).ok()?;
        let bytes = self.bytes.get(..length).filter(|bytes| !bytes.is_empty())?;
        let bytes = bytes.iter().map(|byte| byte.load(Ordering::Relaxed));
        let credential = decoded(&Zeroizing::new(bytes.collect::<Vec<u8>>()))?;
        let expires = Duration::from_millis(self.expires.load(Ordering::Relaxed));
        Some(Current {
            credential: Arc::new(credential),
            expires: UNIX_EPOCH.checked_add(expires),
        })
    }
}

/// The parts of a credential, each with its length before it.
fn encoded(credential: &Credential) -> Zeroizing<Vec<u8>> {
    let parts: &[&str] = match credential {
        Credential::ApiKey(key) => &[key.as_str()],
        Credential::Keys(keys) => &[
            keys.access_key_id(),
            keys.secret_access_key(),
            keys.session_token().unwrap_or_default(),
        ],
    };
    // What a growing list leaves behind would not be wiped.
    let mut bytes = Zeroizing::new(Vec::with_capacity(
        parts.iter().map(|part| part.len() + 4).sum(),
    ));
    for part in parts {
        let length = u32::try_from(part.len()).unwrap_or(u32::MAX);
        bytes.extend(length.to_le_bytes());
        bytes.extend(part.as_bytes());
    }
    bytes
}

fn decoded(mut bytes: &[u8]) -> Option<Credential> {
    let mut next = || {
        let (length, rest) = bytes.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
        let (part, rest) = rest.split_at_checked(length)?;
        bytes = rest;
        std::str::from_utf8(part).ok()
    };
    let first = next()?;
    let Some(secret) = next() else {
        let key = Zeroizing::new(first.to_owned());
        return Some(Credential::ApiKey(crate::ApiKey::new(key)));
    };
    let token = next()?;
    let token = Some(token.to_owned()).filter(|token| !token.is_empty());
    Some(Credential::Keys(Credentials::new(
        first, secret, token, None, "shared",
    )))
}

fn milliseconds(time: SystemTime) -> u64 {
    in_milliseconds(time.duration_since(UNIX_EPOCH).unwrap_or_default())
}

fn in_milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Session tokens have some kilobytes.
const ROOM: usize = 16 << 10;
/// In milliseconds.
const LONGEST_CLAIM: u64 = 120_000;

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::{ApiKey, Kind};

    struct Alone(Mutex<()>);

    impl Lock for Alone {
        fn hold(&self, work: &mut dyn FnMut()) -> bool {
            let _guard = self.0.lock().unwrap();
            work();
            true
        }
    }

    fn slots(count: usize) -> &'static [Slot] {
        let slots: Vec<Slot> = (0..count).map(|_| Slot::default()).collect();
        slots.leak()
    }

    fn board(slots: &'static [Slot], command: &str) -> Option<Board> {
        let source = Source {
            kind: Kind::Process(command.to_owned()),
            ..Source::default_chain()
        };
        let lock = Arc::new(Alone(Mutex::new(())));
        Board::find(slots, lock, Identity::of(&source, &Environment::default()))
    }

    fn keys(id: &str, life: Duration) -> Current {
        let token = Some("T".repeat(5000));
        Current {
            credential: Arc::new(Credential::Keys(Credentials::new(
                id, "secret", token, None, "test",
            ))),
            expires: Some(SystemTime::now() + life),
        }
    }

    fn id(known: &Known) -> Option<String> {
        let Known::Fetched(current) = known else {
            return None;
        };
        Some(match current.credential.as_ref() {
            Credential::Keys(keys) => {
                assert_eq!(
                    (
                        keys.secret_access_key(),
                        keys.session_token().unwrap().len()
                    ),
                    ("secret", 5000)
                );
                keys.access_key_id().to_owned()
            }
            Credential::ApiKey(key) => key.as_str().to_owned(),
        })
    }

    #[test]
    fn what_one_keeps_all_have() {
        let slots = slots(2);
        let (one, other) = (board(slots, "a").unwrap(), board(slots, "a").unwrap());
        let now = SystemTime::now();
        assert!(matches!(other.read(now), Known::Nothing));
        one.keep(&keys("A", Duration::from_secs(60)));
        assert_eq!(id(&other.read(now)).as_deref(), Some("A"));
        assert!(matches!(
            other.read(now + Duration::from_secs(61)),
            Known::Nothing
        ));
        assert!(matches!(
            board(slots, "b").unwrap().read(now),
            Known::Nothing
        ));
        let key = Credential::ApiKey(ApiKey::new(Zeroizing::new("K".to_owned())));
        let current = Current {
            credential: Arc::new(key),
            ..keys("", Duration::from_secs(60))
        };
        one.keep(&current);
        assert_eq!(id(&other.read(now)).as_deref(), Some("K"));
        // No part of the longer one is left.
        assert!(
            slots[0].bytes[5..]
                .iter()
                .all(|byte| byte.load(Ordering::Relaxed) == 0)
        );
        // What does not expire is not kept: it comes from where all can read it.
        one.keep(&Current {
            expires: None,
            ..current
        });
        assert!(matches!(other.read(now), Known::Nothing));
    }

    #[test]
    fn one_fetches_at_a_time_and_nobody_right_after_a_failure() {
        let slots = slots(1);
        let (one, other) = (board(slots, "a").unwrap(), board(slots, "a").unwrap());
        let now = SystemTime::now();
        let second = Duration::from_secs(1);
        assert!(one.claim(now, 20 * second));
        assert!(!other.claim(now, 20 * second));
        // It died meanwhile.
        assert!(other.claim(now + 21 * second, 20 * second));
        assert_eq!(other.failed(now, |_| 5 * second), Some(1));
        assert!(matches!(one.read(now), Known::Failed(1)));
        assert!(!one.claim(now + 4 * second, second));
        assert!(one.claim(now + 6 * second, second));
        one.keep(&keys("A", 60 * second));
        assert!(other.claim(now, second));
        // The clock was set back by an hour.
        assert!(one.claim(now - 3600 * second, second));
    }

    #[test]
    fn who_has_fetched_nothing_yet_keeps_its_slot_while_there_are_empty_ones() {
        let slots = slots(2);
        let (one, other) = (board(slots, "a").unwrap(), board(slots, "b").unwrap());
        one.keep(&keys("A", Duration::from_secs(60)));
        other.keep(&keys("B", Duration::from_secs(60)));
        let now = SystemTime::now();
        assert_eq!(id(&one.read(now)).as_deref(), Some("A"));
        assert_eq!(id(&other.read(now)).as_deref(), Some("B"));
    }

    #[test]
    fn slots_are_given_to_others_when_they_are_free() {
        let slots = slots(1);
        let one = board(slots, "a").unwrap();
        one.keep(&keys("A", Duration::from_secs(60)));
        assert!(board(slots, "b").is_none());
        one.keep(&keys("A", Duration::ZERO));
        std::thread::sleep(Duration::from_millis(2));
        let other = board(slots, "b").unwrap();
        assert!(matches!(other.read(SystemTime::now()), Known::Nothing));
        assert!(
            slots[0]
                .bytes
                .iter()
                .all(|byte| byte.load(Ordering::Relaxed) == 0)
        );
    }

    #[test]
    fn who_has_lost_the_slot_to_another_source_leaves_it_alone() {
        let slots = slots(1);
        let one = board(slots, "a").unwrap();
        one.keep(&keys("A", Duration::ZERO));
        std::thread::sleep(Duration::from_millis(2));
        let other = board(slots, "b").unwrap();
        let (now, second) = (SystemTime::now(), Duration::from_secs(1));
        // Another account's keys would sign for this one.
        one.keep(&keys("A", 60 * second));
        assert!(matches!(other.read(now), Known::Nothing));
        assert_eq!(one.failed(now, |_| 60 * second), None);
        one.claim_on(now, 60 * second);
        assert!(other.claim(now, second));
        assert!(one.claim(now, second));
        other.keep(&keys("B", 60 * second));
        assert!(matches!(one.read(now), Known::Nothing));
        assert_eq!(id(&other.read(now)).as_deref(), Some("B"));
    }
}
