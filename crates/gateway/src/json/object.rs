//! Where the members of a JSON object stand in its text.

use std::borrow::Cow;
use std::ops::Range;

use super::cursor::{Cursor, Wrong};

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
    read(text).map_err(|wrong| wrong.to_string())
}

fn read(text: &str) -> Result<Object<'_>, Wrong> {
    let mut cursor = Cursor::new(text);
    let mut members = Vec::new();
    cursor.open()?;
    while let Some(name) = cursor.member()? {
        if members.len() == MAX_MEMBERS {
            return Err(cursor.wrong("more members than any request has"));
        }
        let start = cursor.mark();
        let from = cursor.position();
        let value = from..from + cursor.value()?.len();
        members.push(Member {
            name,
            whole: start..value.end,
            value,
        });
    }
    let close = cursor.mark();
    cursor.end()?;
    Ok(Object { members, close })
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
