//! `bedrock_prices FILE`: what models cost, in a file of nginx's own grammar.

use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

use quota::PriceFile;
use quota::grammar::{self, End};

use super::MainConf;
use crate::nginx::conf::Conf;
use crate::nginx::log::Level;
use crate::prices::Pricing;

/// Reads the file.
pub fn read(conf: &mut MainConf, cf: &Conf) -> Result<(), String> {
    if conf.prices.is_some() {
        return Err("is duplicate".to_owned());
    }
    let path = cf.full_path(cf.argument(1));
    let mut file = PriceFile::default();
    read_file(&path, cf, &mut file, 0)?;
    let prices = file
        .finish()
        .map_err(|text| format!("has a wrong file: {text}, in {path}"))?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.unwrap_or_default().as_secs();
    if let Some(days) = prices.age_in_days(now).filter(|days| *days > MOST_DAYS) {
        let text = format!(
            "\"bedrock_prices\" directive has prices that are {days} days old: check them, and set \"date\" in {path}"
        );
        cf.complain_at(Level::Warn, &text, &cf.place());
    }
    conf.prices = Some(Pricing::new(prices));
    Ok(())
}

fn read_file(path: &str, cf: &Conf, file: &mut PriceFile, depth: usize) -> Result<(), String> {
    let text = fs::read_to_string(path)
        .map_err(|error| format!("has a file that cannot be read: {path}: {error}"))?;
    // What an included file is told is complete already.
    let mut of_included = None;
    let read = grammar::directives(&text, |_, words, end| match (words, end) {
        (["include", _], End::Semicolon) if depth == DEEPEST => {
            Err("\"include\" is too deep".to_owned())
        }
        (["include", path], End::Semicolon) => {
            let path = cf.full_path(path);
            read_file(&path, cf, file, depth + 1).map_err(|text| {
                of_included = Some(text);
                String::new()
            })
        }
        (words, End::Semicolon) => file.line(words),
        (words, End::Open) => file.open(words),
        (_, End::Close) => file.close(),
    });
    read.map_err(|wrong| {
        of_included.unwrap_or_else(|| {
            format!("has a wrong file: {}, in {path}:{}", wrong.text, wrong.line)
        })
    })
}

/// Older prices are told of.
const MOST_DAYS: u64 = 90;
/// As deep as files may include each other.
const DEEPEST: usize = 16;
