//! Strings of a document, without copying them where that can be avoided.

use std::borrow::Cow;
use std::ops::Range;

use memchr::{memchr, memchr2};
use serde::de::Error;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// A string, borrowed if it has no escapes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Text<'a>(#[serde(borrow)] pub Cow<'a, str>);

/// A string as it stands in its document, quotes and escapes included: what goes into another document as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Literal<'a>(pub &'a str);

impl Literal<'_> {
    /// Whether there is nothing between the quotes.
    pub fn is_empty(self) -> bool {
        self.0.len() <= 2
    }
}

impl<'a> Literal<'a> {
    /// The string it stands for; `None` if its escapes are not Unicode.
    pub fn decode_strict(self) -> Option<Cow<'a, str>> {
        let inside = self.0.get(1..self.0.len().saturating_sub(1))?;
        if memchr(b'\\', inside.as_bytes()).is_none() {
            return Some(Cow::Borrowed(inside));
        }
        serde_json::from_str::<Text<'a>>(self.0)
            .ok()
            .map(|Text(text)| text)
    }

    /// The string it stands for; empty if its escapes are not Unicode.
    pub fn decode(self) -> Cow<'a, str> {
        self.decode_strict().unwrap_or_default()
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Literal<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <&'de RawValue>::deserialize(deserializer)?.get();
        match raw.starts_with('"') {
            true => Ok(Self(raw)),
            false => Err(D::Error::custom("expected a string")),
        }
    }
}

/// A document as it came, but for line breaks between its tokens (none is in a string): in a server-sent event they would
/// end the line.
pub fn one_line(json: &str) -> Cow<'_, str> {
    match memchr2(b'\n', b'\r', json.as_bytes()) {
        None => Cow::Borrowed(json),
        Some(_) => Cow::Owned(json.split(['\n', '\r']).collect()),
    }
}

/// Where `piece` stands in `source`, if it was borrowed from there.
pub fn place(source: &str, piece: &str) -> Option<Range<usize>> {
    let start = piece.as_ptr().addr().checked_sub(source.as_ptr().addr())?;
    let end = start.checked_add(piece.len())?;
    (end <= source.len()).then_some(start..end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_literal_keeps_its_escapes() {
        let literal: Literal = serde_json::from_str(r#" "a\n\u00e9" "#).unwrap();
        assert_eq!(literal.0, r#""a\n\u00e9""#);
        assert_eq!(literal.decode(), "a\né");
        assert!(!literal.is_empty());
        assert!(serde_json::from_str::<Literal>("\"\"").unwrap().is_empty());
        assert!(serde_json::from_str::<Literal>("7").is_err());
        assert!(serde_json::from_str::<Literal>("\"\n\"").is_err());
    }
}
