//! Writes the seeds of every target to its corpus, where libFuzzer reads them.

use std::fs;

fn main() -> std::io::Result<()> {
    for target in fuzz::TARGETS {
        fs::create_dir_all(target.corpus())?;
        for (number, seed) in (target.seeds)().into_iter().enumerate() {
            fs::write(target.corpus().join(format!("seed-{number:03}")), seed)?;
        }
    }
    Ok(())
}
