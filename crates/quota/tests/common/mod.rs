//! A price file as the module reads it.

use quota::grammar::{self, End};
use quota::{PriceFile, Prices};

/// Reads a price file.
///
/// # Errors
/// What is wrong, with its line.
pub fn read(text: &str) -> Result<Prices, String> {
    let mut file = PriceFile::default();
    grammar::directives(text, |_, words, end| match end {
        End::Semicolon => file.line(words),
        End::Open => file.open(words),
        End::Close => file.close(),
    })
    .map_err(|wrong| format!("{} in line {}", wrong.text, wrong.line))?;
    file.finish()
}
