//! Every member in a JSON value, however deep it stands.

use std::borrow::Cow;

use memchr::{memchr, memchr2};

use super::text::{Literal, place};

/// The members of all objects in a JSON value, in the order in which they stand: each name, escapes undone, and the text
/// from its value on. Walks the text once, without recursion; what is no JSON ends the walk.
#[derive(Debug)]
pub struct Members<'a> {
    rest: &'a str,
}

impl<'a> Members<'a> {
    /// Those in `json`, which is known to be JSON.
    pub fn of(json: &'a str) -> Self {
        Self { rest: json }
    }
}

impl<'a> Iterator for Members<'a> {
    type Item = (Cow<'a, str>, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let start = memchr(b'"', self.rest.as_bytes())?;
            let literal = string_at(self.rest.get(start..)?)?;
            self.rest = self.rest.get(start + literal.len()..)?;
            if let Some(value) = trimmed(self.rest).strip_prefix(':') {
                // A name that is no Unicode is none that anybody looks for.
                let name = Literal(literal).decode_strict().unwrap_or_default();
                return Some((name, trimmed(value)));
            }
        }
    }
}

/// All strings in `json`, names of members among them, quotes included.
pub fn strings(json: &str) -> impl Iterator<Item = &str> {
    let mut rest = json;
    std::iter::from_fn(move || {
        let literal = rest
            .get(memchr(b'"', rest.as_bytes())?..)
            .and_then(string_at)?;
        let end = place(rest, literal)?.end;
        rest = rest.get(end..)?;
        Some(literal)
    })
}

/// The string, number or word that `text` begins with; of an object or an array no more than its bracket.
pub fn scalar(text: &str) -> &str {
    if text.starts_with('"') {
        return string_at(text).unwrap_or(text);
    }
    if text.starts_with(['{', '[']) {
        return text.get(..1).unwrap_or_default();
    }
    let end = text.find([',', '}', ']', ' ', '\t', '\r', '\n']);
    end.and_then(|end| text.get(..end)).unwrap_or(text)
}

/// The string that `text` begins with, quotes included.
pub(super) fn string_at(text: &str) -> Option<&str> {
    let bytes = text.as_bytes();
    let mut at = 1;
    loop {
        at += memchr2(b'"', b'\\', bytes.get(at..)?)?;
        match bytes.get(at)? {
            b'"' => return text.get(..=at),
            _ => at += 2,
        }
    }
}

pub(super) fn trimmed(text: &str) -> &str {
    text.trim_start_matches([' ', '\t', '\r', '\n'])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(json: &str) -> Vec<(String, String)> {
        Members::of(json)
            .map(|(name, value)| (name.into_owned(), scalar(value).to_owned()))
            .collect()
    }

    #[test]
    fn members_are_found_at_any_depth() {
        let json =
            r#"{"a":[1,{"b\u0063" : "x\"y:" , "d":{}}],"e" :-1.5e3,"f":["g","h:"],"i\\":null}"#;
        let all = [
            ("a", "["),
            ("bc", r#""x\"y:""#),
            ("d", "{"),
            ("e", "-1.5e3"),
            ("f", "["),
            ("i\\", "null"),
        ];
        let all: Vec<_> = all.map(|(a, b)| (a.to_owned(), b.to_owned())).to_vec();
        assert_eq!(found(json), all);
        let deep = format!("{}{json}{}", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(found(&deep), all);
    }

    #[test]
    fn what_is_no_object_has_none() {
        for json in ["", "1", r#""a":1"#, "[]", r#"["a","b"]"#, "\"", "\"\\", "{"] {
            assert_eq!(found(json).len(), usize::from(json.contains(':')), "{json}");
        }
    }
}
