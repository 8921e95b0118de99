//! What a request will use, guessed from what earlier ones used: kept in a few whole numbers that fit in shared memory.
//!
//! Any value of these numbers is a legal one, so that a worker that dies while it writes them does no harm.

use crate::counts::Counts;

/// What is known of a prompt before it is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Prompt {
    /// Bytes of text: instructions, messages, tools. Media in base64 is not text.
    pub text: u64,
    /// Images, at a flat sum of [`TOKENS_OF_IMAGE`] each.
    pub images: u64,
    /// Pages of documents, at a flat sum of [`TOKENS_OF_PAGE`] each; a document of unknown length is one.
    pub pages: u64,
}

/// A large image: Claude scales down to about so many.
/// <https://docs.anthropic.com/en/docs/build-with-claude/vision>
pub const TOKENS_OF_IMAGE: u64 = 1600;
/// A page of a document, as text and as an image.
/// <https://docs.anthropic.com/en/docs/build-with-claude/pdf-support>
pub const TOKENS_OF_PAGE: u64 = 3000;

/// How many tokens a model makes of a byte of text: decayed sums of both, of about the last megabyte. The default knows nothing, and
/// guesses a token for three bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ratio {
    bytes: u32,
    tokens: u32,
}

impl Ratio {
    /// From the number that [`Ratio::to_bits`] gave.
    pub fn from_bits(bits: u64) -> Self {
        Self {
            bytes: (bits >> 32) as u32,
            tokens: bits as u32,
        }
    }

    /// In one number.
    pub fn to_bits(self) -> u64 {
        u64::from(self.bytes) << 32 | u64::from(self.tokens)
    }

    /// Learns that the prompt was `tokens` long, cached tokens included. A prompt with media teaches nothing about text, and neither
    /// does a count that no text can have.
    #[must_use]
    pub fn learn(self, prompt: &Prompt, tokens: u64) -> Self {
        let is_text = prompt.images == 0 && prompt.pages == 0 && prompt.text > 0;
        // A token is a byte at least, but each request has some that the service adds.
        if !is_text || prompt.text > MOST_LEARNED || tokens > prompt.text.saturating_add(ADDED) {
            return self;
        }
        let mut sums = (
            u64::from(self.bytes).saturating_add(prompt.text),
            u64::from(self.tokens).saturating_add(tokens),
        );
        while sums.0.max(sums.1) > REMEMBERED {
            sums = (sums.0 / 2, sums.1 / 2);
        }
        let whole = |sum| u32::try_from(sum).unwrap_or(u32::MAX);
        Self {
            bytes: whole(sums.0),
            tokens: whole(sums.1),
        }
    }

    /// Tokens of so many bytes of text, rounded up.
    pub fn tokens(self, bytes: u64) -> u64 {
        // What is known counts beside a few kilobytes of what is guessed: the first prompt, of three words, is no measure of long ones.
        self.tokens_beside(GUESS, bytes)
    }

    /// The same of generated text, to which the service adds nothing: a few answers are a measure.
    pub fn tokens_generated(self, bytes: u64) -> u64 {
        self.tokens_beside(GUESS_GENERATED, bytes)
    }

    fn tokens_beside(self, guess: u64, bytes: u64) -> u64 {
        let known_bytes = u128::from(self.bytes) + u128::from(guess * BYTES_OF_TOKEN);
        let known_tokens = u128::from(self.tokens) + u128::from(guess);
        let tokens = (u128::from(bytes) * known_tokens).div_ceil(known_bytes);
        u64::try_from(tokens).unwrap_or(u64::MAX)
    }

    /// Tokens of a whole prompt.
    pub fn prompt(self, prompt: &Prompt) -> u64 {
        self.tokens(prompt.text)
            .saturating_add(prompt.images.saturating_mul(TOKENS_OF_IMAGE))
            .saturating_add(prompt.pages.saturating_mul(TOKENS_OF_PAGE))
    }

    /// Learns that so many bytes of generated text were `tokens` long.
    #[must_use]
    pub fn learn_generated(self, bytes: u64, tokens: u64) -> Self {
        let generated = Prompt {
            text: bytes,
            ..Prompt::default()
        };
        self.learn(&generated, tokens)
    }

    /// What a request is charged that was sent, and whose usage never came: a stream that was given up or broke. The input is what
    /// the service said, else `input`, the guess from its prompt; the output what the text that came makes by this ratio, and not less
    /// than the service said so far.
    pub fn unfinished(self, seen: &Counts, input: u64, generated: u64) -> Counts {
        Counts {
            input: Some(seen.input.unwrap_or(input)),
            output: Some(
                seen.output
                    .unwrap_or(0)
                    .max(self.tokens_generated(generated)),
            ),
            ..*seen
        }
    }
}

/// How long the answers of one model are for one zone: how many of about the last 200 fell into each of 32 classes of length, two for
/// each doubling from 16 tokens on. A byte of these words for each class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lengths(pub [u64; 4]);

const CLASSES: usize = 32;

impl Lengths {
    /// Learns that an answer was `tokens` long.
    #[must_use]
    pub fn learn(self, tokens: u64) -> Self {
        let mut counts = self.counts();
        if let Some(count) = counts.get_mut(class(tokens)) {
            *count = count.saturating_add(1);
        }
        if sum(&counts) > MOST_ANSWERS {
            // The sums up to each class are halved, so that the shape stays also where a class has one.
            let (mut before, mut halved) = (0_u32, 0);
            for count in &mut counts {
                before += u32::from(*count);
                let kept = before / 2 - halved;
                halved += kept;
                *count = u8::try_from(kept).unwrap_or(u8::MAX);
            }
        }
        Self::of(counts)
    }

    /// How many tokens to reserve for an answer: what nine of ten did not exceed, but at most `most`: the request's limit, or the
    /// model's where it has none. As long as few answers are known it is `most`, and without that [`UNKNOWN_LENGTH`].
    pub fn reserve(self, most: Option<u64>) -> u64 {
        let counts = self.counts();
        let total = sum(&counts);
        if total < FEW_ANSWERS {
            return most.unwrap_or(UNKNOWN_LENGTH);
        }
        most.unwrap_or(u64::MAX).min(ninth_tenth(&counts, total))
    }

    fn counts(self) -> [u8; CLASSES] {
        let mut counts = [0; CLASSES];
        let bytes = self.0.iter().flat_map(|word| word.to_le_bytes());
        for (count, byte) in counts.iter_mut().zip(bytes) {
            *count = byte;
        }
        counts
    }

    fn of(counts: [u8; CLASSES]) -> Self {
        let (words, _) = counts.as_chunks();
        let mut result = Self::default();
        for (word, bytes) in result.0.iter_mut().zip(words) {
            *word = u64::from_le_bytes(*bytes);
        }
        result
    }
}

/// The length that nine of ten do not exceed, between the bounds of its class.
fn ninth_tenth(counts: &[u8; CLASSES], total: u32) -> u64 {
    let wanted = (total * 9).div_ceil(10);
    let mut before = 0;
    for (class, count) in counts.iter().enumerate() {
        let count = u32::from(*count);
        if before + count >= wanted {
            let (from, width) = bounds(class);
            let part = u64::from(wanted - before);
            return from + (width * part).div_ceil(u64::from(count));
        }
        before += count;
    }
    u64::MAX
}

fn class(tokens: u64) -> usize {
    match tokens.checked_ilog2() {
        Some(doubling @ 4..) => {
            let upper_half = tokens >> (doubling - 1) & 1;
            let class = 1 + u64::from(doubling - 4) * 2 + upper_half;
            usize::try_from(class).unwrap_or(CLASSES).min(CLASSES - 1)
        }
        _ => 0,
    }
}

/// Where a class begins, and how wide it is.
fn bounds(class: usize) -> (u64, u64) {
    match class.checked_sub(1) {
        None => (0, 16),
        Some(half) => {
            let width = 8 << (half / 2);
            (width * (2 + half as u64 % 2), width)
        }
    }
}

fn sum(counts: &[u8; CLASSES]) -> u32 {
    counts.iter().map(|count| u32::from(*count)).sum()
}

/// What an answer is taken for as long as nothing is known of the model.
pub const UNKNOWN_LENGTH: u64 = 4096;
const FEW_ANSWERS: u32 = 8;
const MOST_ANSWERS: u32 = 240;
const BYTES_OF_TOKEN: u64 = 3;
/// So many tokens are guessed beside what is known.
const GUESS: u64 = 2048;
const GUESS_GENERATED: u64 = 256;
const REMEMBERED: u64 = 1 << 20;
/// A longer prompt would be all that is remembered; and it may be more than text.
const MOST_LEARNED: u64 = 16 << 20;
const ADDED: u64 = 1000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_follow_one_another() {
        let mut next = 0;
        for class_number in 0..CLASSES {
            let (from, width) = bounds(class_number);
            assert_eq!(from, next);
            assert_eq!(
                (class(from), class(from + width - 1)),
                (class_number, class_number)
            );
            next = from + width;
        }
        assert_eq!(next, 786_432);
        assert_eq!(class(u64::MAX), CLASSES - 1);
    }

    #[test]
    fn halving_keeps_the_shape() {
        let mut lengths = Lengths::default();
        for round in 0..10_000_u64 {
            lengths = lengths.learn(16 << (round % 15));
        }
        let counts = lengths.counts();
        assert!((121..=MOST_ANSWERS).contains(&sum(&counts)), "{counts:?}");
        let used = counts
            .iter()
            .filter(|count| (4..=20).contains(*count))
            .count();
        assert_eq!(used, 15, "{counts:?}");
    }
}
