//! What must hold whatever comes, as functions of arbitrary bytes: libFuzzer calls them (`fuzz_targets/`), and
//! `tests/corpus.rs` calls them with the inputs that are known.
//!
//! A target panics when something does not hold. Its inputs are: seeds made from `../fixtures`, `regressions/` (inputs that
//! once failed), and `corpus/`, where the fuzzer keeps what it found on this machine.

use std::fs;
use std::path::{Path, PathBuf};

pub mod answers;
pub mod eventstream;
mod frames;
// The stand-in for the server around a relay, and a location's settings, are those of the gateway's own tests.
#[path = "../../crates/gateway/tests/common/mod.rs"]
mod location;
pub mod plan;
// A price file as the tests read it.
#[path = "../../crates/quota/tests/common/mod.rs"]
mod prices;
pub mod quota;
pub mod relay;
#[path = "../../crates/gateway/tests/common/stream.rs"]
#[allow(dead_code, reason = "the tests use more of it")]
mod server;
pub mod translated;
pub mod zone_state;

/// A target.
pub struct Target {
    /// As libFuzzer's binary is called.
    pub name: &'static str,
    /// Tries one input.
    pub run: fn(&[u8]),
    /// Inputs to begin with.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

/// All of them.
pub const TARGETS: [Target; 10] = [
    target("eventstream_raw", eventstream::raw, frames::recorded),
    target("eventstream_mended", eventstream::mended, frames::recorded),
    target(
        "eventstream_headers",
        eventstream::headers,
        eventstream::header_blocks,
    ),
    target(
        "eventstream_round_trip",
        eventstream::round_trip,
        frames::recorded,
    ),
    target("plan", plan::plan, plan::seeds),
    target("relay", relay::relay, relay::seeds),
    target("answers", answers::answers, answers::seeds),
    target("quota", quota::quota, quota::seeds),
    target("translated", translated::translated, translated::seeds),
    target("zone_state", zone_state::zone_state, zone_state::seeds),
];

const fn target(name: &'static str, run: fn(&[u8]), seeds: fn() -> Vec<Vec<u8>>) -> Target {
    Target { name, run, seeds }
}

impl Target {
    /// Where the fuzzer keeps what it finds.
    pub fn corpus(&self) -> PathBuf {
        here().join("corpus").join(self.name)
    }

    /// Every known input, with a name for messages.
    pub fn inputs(&self) -> Vec<(String, Vec<u8>)> {
        let seeds = (self.seeds)().into_iter().enumerate();
        let mut inputs: Vec<_> = seeds
            .map(|(number, seed)| (format!("seed {number}"), seed))
            .collect();
        inputs.extend(files(&here().join("regressions").join(self.name)));
        inputs.extend(files(&self.corpus()));
        inputs
    }
}

/// The files of a directory; none if it does not exist.
fn files(directory: &Path) -> Vec<(String, Vec<u8>)> {
    let Ok(entries) = fs::read_dir(directory) else {
        return Vec::new();
    };
    let mut paths: Vec<_> = entries
        .map(|entry| entry.expect("an entry").path())
        .collect();
    paths.sort();
    let read = |path: PathBuf| {
        let bytes = fs::read(&path).expect("a file");
        (path.display().to_string(), bytes)
    };
    paths.into_iter().map(read).collect()
}

fn here() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
