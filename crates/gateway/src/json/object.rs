//! Where the members of a JSON object stand in its text.

use std::borrow::Cow;
use std::ops::Range;

use serde::de::IgnoredAny;

/// One member: positions in the text it was read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member<'a> {
    /// The name, escapes undone.
    pub name: Cow<'a, str>,
    /// From the name's quote to the end of the value.
    pub whole: Range<usize>,
    /// The value.
    pub value: Range<usize>,
}

/// An object, by the positions of its parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object<'a> {
    /// In the order they came.
    pub members: Vec<Member<'a>>,
    /// Where the closing brace stands.
    pub close: usize,
}

/// Reads the object that `text` is. The whole text is checked to be one JSON document; values are walked once, without
/// recursion and without building anything.
///
/// # Errors
/// A sentence for the client that says what is wrong, and where.
pub fn parse(text: &str) -> Result<Object<'_>, String> {
    let mut cursor = Cursor { text, at: 0 };
    let mut members = Vec::new();
    cursor.expect(b'{')?;
    if cursor.peek() != Some(b'}') {
        loop {
            if members.len() == MAX_MEMBERS {
                return Err(format!("more than {MAX_MEMBERS} members"));
            }
            let start = cursor.skip_space();
            let name = cursor.name()?;
            cursor.expect(b':')?;
            let value = cursor.value()?;
            members.push(Member {
                name,
                whole: start..value.end,
                value,
            });
            match cursor.peek() {
                Some(b',') => cursor.at += 1,
                Some(b'}') => break,
                _ => return Err(cursor.wrong("expected `,` or `}`")),
            }
        }
    }
    let close = cursor.at;
    cursor.at += 1;
    match cursor.peek() {
        None => Ok(Object { members, close }),
        Some(_) => Err(cursor.wrong("trailing characters")),
    }
}

impl<'a> Object<'a> {
    /// The member called `name`.
    ///
    /// # Errors
    /// The name occurs twice: parsers disagree on which one counts, so neither does.
    pub fn only(&self, name: &str) -> Result<Option<&Member<'a>>, String> {
        let mut found = self.members.iter().filter(|member| member.name == name);
        let first = found.next();
        match found.next() {
            None => Ok(first),
            Some(_) => Err(format!("\"{name}\" occurs twice")),
        }
    }
}

struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn skip_space(&mut self) -> usize {
        let space = |byte: &u8| matches!(byte, b' ' | b'\n' | b'\r' | b'\t');
        self.at += self.rest().bytes().take_while(space).count();
        self.at
    }

    fn peek(&mut self) -> Option<u8> {
        self.skip_space();
        self.rest().bytes().next()
    }

    fn expect(&mut self, byte: u8) -> Result<(), String> {
        if self.peek() != Some(byte) {
            return Err(self.wrong(&format!("expected `{}`", char::from(byte))));
        }
        self.at += 1;
        Ok(())
    }

    fn name(&mut self) -> Result<Cow<'a, str>, String> {
        if self.peek() != Some(b'"') {
            return Err(self.wrong("expected a member name"));
        }
        let text = self.text;
        let range = self.value()?;
        let quoted = text.get(range.clone()).unwrap_or_default();
        let inner = quoted.get(1..quoted.len().saturating_sub(1));
        match inner {
            Some(plain) if !plain.contains('\\') => Ok(Cow::Borrowed(plain)),
            _ => serde_json::from_str(quoted)
                .map(Cow::Owned)
                .map_err(|_| self.wrong("a member name is not Unicode")),
        }
    }

    fn value(&mut self) -> Result<Range<usize>, String> {
        let start = self.skip_space();
        let mut values = serde_json::Deserializer::from_str(self.rest()).into_iter::<IgnoredAny>();
        match values.next() {
            Some(Ok(_)) => {
                self.at += values.byte_offset();
                Ok(start..self.at)
            }
            Some(Err(error)) => Err(if error.is_eof() {
                "the text ends inside a value".to_owned()
            } else {
                self.wrong("not a JSON value")
            }),
            None => Err("the text ends where a value should be".to_owned()),
        }
    }

    fn wrong(&self, what: &str) -> String {
        format!("{what} at byte {}", self.at)
    }
}

/// No request has a hundred; without a bound, a body of tiny members would cost many times its size in memory.
const MAX_MEMBERS: usize = 10_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_found_where_they_stand() {
        let text = r#" { "a" : [1, {"b":2}] ,"mod\u0065l":"x" , "n":-1.5e3 } "#;
        let found = parse(text).unwrap().members;
        let shown: Vec<_> = found
            .iter()
            .map(|m| (m.name.as_ref(), &text[m.value.clone()]))
            .collect();
        assert_eq!(
            shown,
            [
                ("a", r#"[1, {"b":2}]"#),
                ("model", r#""x""#),
                ("n", "-1.5e3")
            ]
        );
        assert_eq!(&text[found[0].whole.clone()], r#""a" : [1, {"b":2}]"#);
        assert_eq!(parse("{}").unwrap().members, []);
    }

    #[test]
    fn what_is_not_one_object_is_refused() {
        for text in [
            "",
            " ",
            "[]",
            "1",
            "null",
            "{",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1",
            "{\"a\":1,}",
            "{a:1}",
            "{\"a\":1}x",
            "{\"a\":1}{}",
            "{\"a\":01}",
            "{\"a\":NaN}",
            "{\"a\":1 2}",
            "{\"a\":\"\n\"}",
            "{\"a\":tru}",
            "{,}",
            "{\"\\ud800\":1}",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn depth_and_size_cost_neither_stack_nor_much_time() {
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(parse(&deep).unwrap().members.len(), 1);
        let wide = |members: usize| {
            let wide: String = (1..members).map(|i| format!("\"k{i}\":{i},")).collect();
            format!("{{{wide}\"model\":\"x\"}}")
        };
        let most = wide(MAX_MEMBERS);
        let found = parse(&most).unwrap();
        assert_eq!(found.members.len(), MAX_MEMBERS);
        assert!(found.only("model").unwrap().is_some());
        assert!(parse(&wide(MAX_MEMBERS + 1)).is_err());
    }

    #[test]
    fn a_name_that_counts_occurs_once() {
        let found = parse(r#"{"model":"a","mod\u0065l":"b","x":1,"x":2}"#).unwrap();
        assert!(found.only("model").is_err());
        assert_eq!(found.only("y"), Ok(None));
    }
}
