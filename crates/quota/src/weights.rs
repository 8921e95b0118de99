//! How many tokens a request counts for, of those that it used.

use crate::counts::Counts;
use crate::decimal::scaled;

/// What one token of each kind counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weights {
    /// So many thousandths of a token.
    Linear {
        /// For each token of the prompt that has to do with no cache.
        input: u32,
        /// For each token generated.
        output: u32,
        /// For each token read from the prompt cache.
        cache_read: u32,
        /// For each token written to it.
        cache_write: u32,
    },
    /// As AWS counts for its quotas of tokens a minute: input and cache writes once, cache reads not at all, output as often as the price
    /// file's `burndown` for the model says. Before the answer AWS takes input and the request's limit of output, once: see
    /// [`Unit::at_most`](crate::Unit::at_most).
    /// <https://docs.aws.amazon.com/bedrock/latest/userguide/quotas-token-burndown.html>
    Aws,
}

impl Default for Weights {
    /// Each token once, but those read from the cache not at all.
    fn default() -> Self {
        Self::Linear {
            input: ONCE,
            output: ONCE,
            cache_read: 0,
            cache_write: ONCE,
        }
    }
}

impl Weights {
    /// Reads `aws`, or `input:1,output:1,cache_read:0,cache_write:1`; what is not named keeps its weight.
    ///
    /// # Errors
    /// A sentence that says what is right.
    pub fn read(text: &str) -> Result<Self, String> {
        if text == "aws" {
            return Ok(Self::Aws);
        }
        let names = ["input", "output", "cache_read", "cache_write"];
        let mut weights = [None; 4];
        for part in text.split(',') {
            let (name, weight) = part.split_once(':').unwrap_or((part, ""));
            let place = names.iter().position(|known| *known == name);
            let place = place.and_then(|place| weights.get_mut(place));
            let weight = scaled(weight, 3).ok().filter(|weight| *weight <= MOST);
            let weight = weight.and_then(|weight| u32::try_from(weight).ok());
            let (Some(place), Some(weight)) = (place, weight) else {
                return Err(format!(
                    "\"{text}\" must be aws, or weights from 0 to 1000 with at most three digits after the point, such as \
                     input:1,output:5,cache_read:0.1,cache_write:1.25"
                ));
            };
            if place.replace(weight).is_some() {
                return Err(format!("\"{text}\" has {name} twice"));
            }
        }
        let [input, output, cache_read, cache_write] = weights;
        if weights.iter().flatten().all(|weight| *weight == 0) && !weights.contains(&None) {
            return Err(format!(
                "\"{text}\" counts nothing: one weight must be above 0"
            ));
        }
        Ok(Self::Linear {
            input: input.unwrap_or(ONCE),
            output: output.unwrap_or(ONCE),
            cache_read: cache_read.unwrap_or(0),
            cache_write: cache_write.unwrap_or(ONCE),
        })
    }

    /// How many tokens `counts` are, rounded up; `burndown` is the price rule's, 1 without one. What is not said counts as 0.
    pub fn weigh(self, counts: &Counts, burndown: u64) -> u64 {
        let (input, output, cache_read, cache_write) = match self {
            Self::Linear {
                input,
                output,
                cache_read,
                cache_write,
            } => (input, u64::from(output), cache_read, cache_write),
            Self::Aws => (ONCE, burndown.saturating_mul(u64::from(ONCE)), 0, ONCE),
        };
        let of =
            |count: Option<u64>, weight: u64| u128::from(count.unwrap_or(0)) * u128::from(weight);
        let sum = of(counts.input, input.into())
            .saturating_add(of(counts.output, output))
            .saturating_add(of(counts.cache_read, cache_read.into()))
            .saturating_add(of(counts.cache_write, cache_write.into()));
        u64::try_from(sum.div_ceil(u128::from(ONCE))).unwrap_or(u64::MAX)
    }
}

/// A weight of one.
const ONCE: u32 = 1000;
const MOST: u64 = 1000 * ONCE as u64;
