//! nginx's grammar, as far as a price file needs it. The module leaves this to nginx.

use quota::{PriceFile, Prices};

/// Reads a price file.
///
/// # Errors
/// What is wrong, with its line.
pub fn read(text: &str) -> Result<Prices, String> {
    let mut file = PriceFile::default();
    let mut words: Vec<String> = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.split('#').next().unwrap_or("");
        for part in line.split_inclusive([';', '{', '}', ' ', '\t']) {
            let word = part.trim_end_matches([';', '{', '}', ' ', '\t']);
            if !word.is_empty() {
                words.push(word.to_owned());
            }
            let line: Vec<&str> = words.iter().map(String::as_str).collect();
            let done = match part.as_bytes().last() {
                Some(b';') => file.line(&line),
                Some(b'{') => file.open(&line),
                Some(b'}') if line.is_empty() => file.close(),
                Some(b'}') => Err("a line does not end in \";\"".to_owned()),
                _ => continue,
            };
            done.map_err(|what| format!("{what} in line {}", number + 1))?;
            words.clear();
        }
    }
    match words.is_empty() {
        true => file.finish(),
        false => Err("the last line does not end".to_owned()),
    }
}
