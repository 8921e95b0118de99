//! How often a value was within which bounds.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

/// Counts of values by bounds, in shared memory. `WORDS` is one more than there are bounds, and one for the sum. All zero, it is empty.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Histogram<const WORDS: usize>([AtomicU64; WORDS]);

impl<const WORDS: usize> Default for Histogram<WORDS> {
    fn default() -> Self {
        Self([const { AtomicU64::new(0) }; WORDS])
    }
}

impl<const WORDS: usize> Histogram<WORDS> {
    /// Counts a value: it is in the first bucket whose bound is not below it.
    pub fn count(&self, bounds: &[u64], value: u64) {
        let place = bounds.partition_point(|bound| *bound < value);
        let Some((sum, counts)) = self.0.split_last() else {
            return;
        };
        if let Some(count) = counts.get(place) {
            count.fetch_add(1, Relaxed);
            sum.fetch_add(value, Relaxed);
        }
    }

    /// What was counted.
    pub fn read(&self) -> Distribution {
        let Some((sum, counts)) = self.0.split_last() else {
            return Distribution::default();
        };
        Distribution {
            counts: counts.iter().map(|count| count.load(Relaxed)).collect(),
            sum: sum.load(Relaxed),
        }
    }

    /// Adds what another one has counted.
    pub fn take_over(&self, from: &Self) {
        for (to, from) in self.0.iter().zip(&from.0) {
            to.fetch_add(from.load(Relaxed), Relaxed);
        }
    }
}

/// What a histogram has counted: for each bound, and above all of them, how many values it was the lowest bound for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Distribution {
    /// By bound.
    pub counts: Vec<u64>,
    /// Of all values.
    pub sum: u64,
}

impl Distribution {
    /// How many values there were up to each bound, and in all.
    pub fn cumulative(&self) -> impl Iterator<Item = u64> {
        self.counts.iter().scan(0, |sum: &mut u64, count| {
            *sum = sum.saturating_add(*count);
            Some(*sum)
        })
    }

    /// How many values there were.
    pub fn count(&self) -> u64 {
        self.cumulative().last().unwrap_or(0)
    }

    /// Both together.
    pub fn add(&mut self, other: &Self) {
        if self.counts.len() < other.counts.len() {
            self.counts.resize(other.counts.len(), 0);
        }
        for (count, other) in self.counts.iter_mut().zip(&other.counts) {
            *count += other;
        }
        self.sum += other.sum;
    }
}

/// Bounds in microseconds: 0.01 s times a power of two.
pub(crate) const DURATION: [u64; 15] = {
    let mut bounds = [10_000; 15];
    let mut index = 1;
    while index < bounds.len() {
        // Evaluated when the crate is compiled.
        #[allow(clippy::indexing_slicing)]
        {
            bounds[index] = bounds[index - 1] * 2;
        }
        index += 1;
    }
    bounds
};

/// Bounds in microseconds: those of OpenTelemetry's `gen_ai.server.time_to_first_token`, and 20 s and 40 s.
pub(crate) const TIME_TO_FIRST_TOKEN: [u64; 18] = [
    1_000, 5_000, 10_000, 20_000, 40_000, 60_000, 80_000, 100_000, 250_000, 500_000, 750_000,
    1_000_000, 2_500_000, 5_000_000, 7_500_000, 10_000_000, 20_000_000, 40_000_000,
];

/// Bounds in microseconds: those of OpenTelemetry's `gen_ai.server.time_per_output_token`.
pub(crate) const TIME_PER_OUTPUT_TOKEN: [u64; 13] = [
    10_000, 25_000, 50_000, 75_000, 100_000, 150_000, 200_000, 300_000, 400_000, 500_000, 750_000,
    1_000_000, 2_500_000,
];

/// Bounds in tokens: those of OpenTelemetry's `gen_ai.client.token.usage`.
pub(crate) const TOKENS: [u64; 14] = [
    1, 4, 16, 64, 256, 1024, 4096, 16_384, 65_536, 262_144, 1_048_576, 4_194_304, 16_777_216,
    67_108_864,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_below_its_bound_or_at_it() {
        let histogram = Histogram::<5>::default();
        for value in [0, 10, 11, 20, 21, 30, 31] {
            histogram.count(&[10, 20, 30], value);
        }
        let read = histogram.read();
        assert_eq!(read.counts, [2, 2, 2, 1]);
        assert_eq!(read.cumulative().collect::<Vec<_>>(), [2, 4, 6, 7]);
        assert_eq!((read.count(), read.sum), (7, 123));
    }

    #[test]
    fn bounds_rise() {
        assert!(DURATION.is_sorted() && TOKENS.is_sorted());
        assert!(TIME_TO_FIRST_TOKEN.is_sorted() && TIME_PER_OUTPUT_TOKEN.is_sorted());
        assert_eq!(DURATION.last(), Some(&163_840_000));
        assert!((0..14).all(|power| TOKENS[power as usize] == 4_u64.pow(power)));
    }

    #[test]
    fn distributions_are_added_up() {
        let mut sum = Distribution::default();
        let one = Distribution {
            counts: vec![1, 2],
            sum: 5,
        };
        sum.add(&one);
        sum.add(&one);
        assert_eq!(
            sum,
            Distribution {
                counts: vec![2, 4],
                sum: 10
            }
        );
    }
}
