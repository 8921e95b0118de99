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

    /// Whether its escapes are Unicode: halves of characters come in pairs.
    pub fn is_unicode(self) -> bool {
        let mut rest = self.0.as_bytes();
        let mut high = false;
        while let Some(at) = memchr(b'\\', rest) {
            if high && at > 0 {
                return false;
            }
            let digits = rest.get(at + 2..at + 6).unwrap_or_default();
            let (length, half) = match (rest.get(at + 1), digits) {
                (Some(b'u'), [b'd' | b'D', b'8' | b'9' | b'a' | b'b' | b'A' | b'B', ..]) => (6, 1),
                (Some(b'u'), [b'd' | b'D', b'c'..=b'f' | b'C'..=b'F', ..]) => (6, 2),
                (Some(b'u'), _) => (6, 0),
                _ => (2, 0),
            };
            if high != (half == 2) {
                return false;
            }
            high = half == 1;
            rest = rest.get(at + length..).unwrap_or_default();
        }
        !high
    }
}

impl<'a> Literal<'a> {
    /// How many characters the string has that it stands for.
    pub fn characters(self) -> usize {
        let inside = self.inside();
        match memchr(b'\\', inside.as_bytes()) {
            None => inside.chars().count(),
            Some(_) => self.decode().chars().count(),
        }
    }

    /// What stands between the quotes.
    pub fn inside(self) -> &'a str {
        self.0
            .get(1..self.0.len().saturating_sub(1))
            .unwrap_or_default()
    }

    /// The string it stands for; `None` if its escapes are not Unicode.
    pub fn decode_strict(self) -> Option<Cow<'a, str>> {
        let inside = self.0.get(1..self.0.len().saturating_sub(1))?;
        if memchr(b'\\', inside.as_bytes()).is_none() {
            return Some(Cow::Borrowed(inside));
        }
        unescape(inside).map(Cow::Owned)
    }

    /// The string that `inside` stands for between quotes; `None` if it has none there, or its escapes are not Unicode.
    pub fn decode_inside(inside: &'a str) -> Option<Cow<'a, str>> {
        if memchr(b'\\', inside.as_bytes()).is_none() {
            return Some(Cow::Borrowed(inside));
        }
        unescape(inside).map(Cow::Owned)
    }

    /// The string that a value is; `None` if it is another value, or no Unicode.
    pub fn of_value(value: &'a str) -> Option<Cow<'a, str>> {
        value
            .starts_with('"')
            .then_some(Self(value))?
            .decode_strict()
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

/// What stands between a string's quotes, without escapes, in no more memory than that takes; `None` if they are not
/// Unicode.
fn unescape(inside: &str) -> Option<String> {
    let mut text = String::with_capacity(inside.len());
    let mut rest = inside;
    while let Some(at) = memchr(b'\\', rest.as_bytes()) {
        text.push_str(rest.get(..at)?);
        let (character, length) = match *rest.as_bytes().get(at + 1)? {
            same @ (b'"' | b'\\' | b'/') => (char::from(same), 2),
            b'b' => ('\u{8}', 2),
            b'f' => ('\u{c}', 2),
            b'n' => ('\n', 2),
            b'r' => ('\r', 2),
            b't' => ('\t', 2),
            b'u' => unicode(rest.get(at + 2..)?)?,
            _ => return None,
        };
        text.push(character);
        rest = rest.get(at + length..)?;
    }
    text.push_str(rest);
    Some(text)
}

/// The character that begins with these digits of `\u`, and how many bytes its escapes have.
fn unicode(digits: &str) -> Option<(char, usize)> {
    let unit = |digits: &str| {
        let digits = digits.get(..4)?;
        let hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        u32::from_str_radix(digits, 16).ok().filter(|_| hex)
    };
    let first = unit(digits)?;
    if !(0xd800..0xdc00).contains(&first) {
        return char::from_u32(first).map(|character| (character, 6));
    }
    let second = unit(digits.get(4..)?.strip_prefix("\\u")?)?;
    let low = second.checked_sub(0xdc00).filter(|low| *low < 0x400)?;
    char::from_u32(0x10000 + ((first - 0xd800) << 10) + low).map(|character| (character, 12))
}

/// A document as it came, but for line breaks between its tokens (none is in a string): in a server-sent event they would
/// end the line.
pub fn one_line(json: &str) -> Cow<'_, str> {
    match memchr2(b'\n', b'\r', json.as_bytes()) {
        None => Cow::Borrowed(json),
        Some(_) => Cow::Owned(json.split(['\n', '\r']).collect()),
    }
}

/// JSON text without the blanks between its tokens.
pub fn compact(json: &str) -> String {
    let mut compact = String::with_capacity(json.len());
    let (mut in_string, mut escaped) = (false, false);
    for character in json.chars() {
        let blank = matches!(character, ' ' | '\n' | '\r' | '\t');
        if in_string || !blank {
            compact.push(character);
        }
        if in_string {
            in_string = escaped || character != '"';
            escaped = !escaped && character == '\\';
        } else {
            in_string = character == '"';
        }
    }
    compact
}

/// Where `piece` stands in `source`, if it was borrowed from there.
pub fn place(source: &str, piece: &str) -> Option<Range<usize>> {
    let start = piece.as_ptr().addr().checked_sub(source.as_ptr().addr())?;
    let end = start.checked_add(piece.len())?;
    (end <= source.len()).then_some(start..end)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_string_is_decoded_as_serde_json_decodes_it(inside in r#"([ a-zé]|\\\\["\\\\/bfnrtu]|\\\\u(d[89a-f]|[0-9a-fA-F]{2})[0-9a-f]{2}){0,6}"#) {
            let literal = format!("\"{inside}\"");
            if serde_json::from_str::<&RawValue>(&literal).is_ok() {
                let decoded = serde_json::from_str::<String>(&literal).ok();
                prop_assert_eq!(Literal(&literal).decode_strict().map(Cow::into_owned), decoded);
            }
        }
    }

    #[test]
    fn halves_of_characters_come_in_pairs() {
        for literal in [
            r#""""#,
            r#""a\\n\u00e9\\u""#,
            r#""\ud83d\ude00""#,
            r#""\ud83d""#,
            r#""\ude00""#,
            r#""\ud83d\ud83d""#,
            r#""\ud83dx\ude00""#,
            r#""\ud83d\n""#,
            r#""\uD83D\uDE00 \uD83D\uDE00""#,
            r#""\\ud83d""#,
            r#""\uDfff""#,
            r#""\ud7ff\ue000""#,
        ] {
            let decoded = serde_json::from_str::<String>(literal);
            assert_eq!(Literal(literal).is_unicode(), decoded.is_ok(), "{literal}");
            let strict = Literal(literal).decode_strict();
            assert_eq!(strict.as_deref(), decoded.as_deref().ok(), "{literal}");
            assert_eq!(
                Literal::decode_inside(Literal(literal).inside()).is_some(),
                decoded.is_ok()
            );
            assert_eq!(
                Literal(literal).characters(),
                decoded.map_or(0, |text| text.chars().count())
            );
        }
    }

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

    #[test]
    fn blanks_between_tokens_go_and_those_in_strings_stay() {
        assert_eq!(
            compact("{ \"a b\" : [ 1 ,\n \"c \\\" d\\\\\" ] , \"é\":{ } }"),
            r#"{"a b":[1,"c \" d\\"],"é":{}}"#
        );
    }
}
