//! What earlier answers show of a model, in memory that all workers have. It is only for estimates: it begins with nothing when nginx is
//! started, and what is forgotten is learned again.

use std::sync::atomic::Ordering::Relaxed;

use quota::{Counts, Lengths, Prompt, Ratio};
use zone::{Learned, Name, Row};

use crate::nginx::conf::Conf;
use crate::nginx::shared::{Began, SharedZone, Tag};

/// The zone, which has one size: a reload keeps what it holds.
#[derive(Clone, Copy)]
pub struct Estimates(&'static SharedZone<Learned<'static>>);

static TAG: Tag = Tag::new();

/// How many tokens a model makes of a byte, whoever asks.
#[derive(Clone, Copy, Default)]
pub struct Ratios {
    /// Of the client's.
    pub prompt: Ratio,
    /// Of its own.
    pub generated: Ratio,
}

impl Estimates {
    /// Adds the zone.
    ///
    /// # Errors
    /// What is wrong.
    pub fn add(cf: &Conf) -> Result<Self, String> {
        let zone = SharedZone::add(cf, &TAG, "bedrock_estimates", SIZE, |began, _| {
            let (Began::New(mut pages) | Began::Kept(mut pages) | Began::Resized(mut pages, _)) =
                began;
            // The first may have to be aligned.
            let count = (pages.left() / size_of::<Row>()).saturating_sub(1);
            pages.take(count).map(Learned)
        });
        zone.map(Self)
    }

    /// What is known of a model's tokens.
    pub fn ratios(self, model: &str) -> Ratios {
        let row = self.0.get().and_then(|all| all.find(of_model(model)));
        row.map(ratios_of).unwrap_or_default()
    }

    /// How long a model's answers are to those whom a zone limits.
    pub fn lengths(self, zone: &str, model: &str) -> Lengths {
        let name = of_answers(zone, model);
        let row = self.0.get().and_then(|all| all.find(name));
        row.map(lengths_of).unwrap_or_default()
    }

    /// Learns of a model's tokens from an answer; `generated`: bytes of it, where they were measured.
    pub fn learn_ratios(self, model: &str, prompt: &Prompt, generated: u64, counts: &Counts) {
        let row = || self.0.get()?.find_or_make(of_model(model));
        let Some(row) = row() else { return };
        let known = ratios_of(row);
        let [prompts, answers, ..] = &row.numbers;
        if let Some(tokens) = counts.prompt() {
            prompts.store(known.prompt.learn(prompt, tokens).to_bits(), Relaxed);
        }
        if let Some(tokens) = counts.output {
            let learned = known.generated.learn_generated(generated, tokens);
            answers.store(learned.to_bits(), Relaxed);
        }
    }

    /// Learns how long an answer was.
    pub fn learn_length(self, zone: &str, model: &str, output: u64) {
        let row = || self.0.get()?.find_or_make(of_answers(zone, model));
        let Some(row) = row() else { return };
        let Lengths(learned) = lengths_of(row).learn(output);
        for (number, value) in row.numbers.iter().zip(learned) {
            number.store(value, Relaxed);
        }
    }
}

fn of_model(model: &str) -> Name {
    Name::of(&[model.as_bytes()])
}

fn of_answers(zone: &str, model: &str) -> Name {
    Name::of(&[model.as_bytes(), zone.as_bytes()])
}

fn ratios_of(row: &Row) -> Ratios {
    let [prompts, answers, ..] = &row.numbers;
    Ratios {
        prompt: Ratio::from_bits(prompts.load(Relaxed)),
        generated: Ratio::from_bits(answers.load(Relaxed)),
    }
}

fn lengths_of(row: &Row) -> Lengths {
    let [a, b, c, d, ..] = &row.numbers;
    Lengths([a, b, c, d].map(|number| number.load(Relaxed)))
}

/// Bytes: some nine hundred rows.
const SIZE: usize = 64 << 10;
