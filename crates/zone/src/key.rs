//! What stands for a key: a hash that nobody can foresee who does not know the zone's seed.

use std::hash::Hasher;

use siphasher::sip128::{Hash128, Hasher128, SipHasher13};

/// What the hashes of a zone depend on; random, and the same for all processes and as long as the zone lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seed(pub u64, pub u64);

/// A key's hash, never all zero. Two keys with the same one are not met with in practice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    pub(crate) low: u64,
    pub(crate) high: u64,
}

impl Key {
    /// The hash of these bytes (SipHash-1-3 with 128 bits). What is counted in another way, another `kind`, is another key.
    pub fn new(seed: Seed, kind: u8, bytes: &[u8]) -> Self {
        let mut hasher = SipHasher13::new_with_keys(seed.0, seed.1);
        hasher.write(&[kind]);
        hasher.write(bytes);
        let Hash128 { h1, h2 } = hasher.finish128();
        Self::of(h1, h2)
    }

    /// The key that these halves are. Zero stands for no key, so one that is takes the next number.
    pub fn of(low: u64, high: u64) -> Self {
        match (low, high) {
            (0, 0) => Self { low: 1, high: 0 },
            _ => Self { low, high },
        }
    }

    /// Its two halves.
    pub fn halves(self) -> (u64, u64) {
        (self.low, self.high)
    }

    /// The two of so many buckets that it may be in. With one alone, the first bucket would be full when the zone is at a third.
    pub(crate) fn buckets(self, buckets: usize) -> [usize; 2] {
        [self.high, self.low].map(|half| {
            let scaled = (u128::from(half) * buckets as u128) >> 64;
            usize::try_from(scaled).unwrap_or(0)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_depend_on_the_seed_the_kind_and_on_every_byte() {
        let seed = Seed(1, 2);
        let key = Key::new(seed, 1, b"team");
        assert_eq!(key, Key::new(seed, 1, b"team"));
        assert_ne!(key, Key::new(Seed(1, 3), 1, b"team"));
        assert_ne!(key, Key::new(seed, 2, b"team"));
        assert_ne!(key, Key::new(seed, 1, b"teal"));
        assert_ne!(key, Key::new(seed, 1, b"team\0"));
        assert_ne!(Key::new(seed, 0, b"").halves(), (0, 0));
    }

    #[test]
    fn every_bucket_is_some_keys() {
        let seed = Seed(7, 7);
        let mut met = [0_u32; 5];
        for number in 0..1000_u32 {
            for bucket in Key::new(seed, 0, &number.to_be_bytes()).buckets(5) {
                met[bucket] += 1;
            }
        }
        assert!(
            met.iter().all(|count| (300..500).contains(count)),
            "{met:?}"
        );
        assert_eq!(Key::of(0, u64::MAX).buckets(5), [4, 0]);
    }
}
