//! Changing members of an object while every other byte of its text stays.

use std::ops::Range;

use super::object::Object;
use crate::body::{Body, Segment};

/// Changes to one object, collected and then turned into the pieces of the new text.
#[derive(Debug)]
pub struct Edit<'o, 'a> {
    object: &'o Object<'a>,
    /// One for each member.
    changes: Vec<Change>,
    /// New members, name and value, to come after the last.
    added: Vec<[Vec<u8>; 2]>,
    /// Parts of the old text that go, wherever they are, in the order in which they stand.
    cuts: Vec<Range<usize>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Change {
    Keep,
    Remove,
    Replace(Vec<u8>),
}

impl<'o, 'a> Edit<'o, 'a> {
    /// No changes yet.
    pub fn new(object: &'o Object<'a>) -> Self {
        Self {
            object,
            changes: vec![Change::Keep; object.members.len()],
            added: Vec::new(),
            cuts: Vec::new(),
        }
    }

    /// Takes out a part of the text that is inside a member's value. Cuts come in the order in which they stand.
    pub fn cut(&mut self, range: Range<usize>) {
        self.cuts.push(range);
    }

    /// Takes out every member called `name`.
    pub fn remove(&mut self, name: &str) {
        self.retain(|member| member != name);
    }

    /// Takes out every member whose name is not wanted.
    pub fn retain(&mut self, wanted: impl Fn(&str) -> bool) {
        for (member, change) in self.object.members.iter().zip(&mut self.changes) {
            if !wanted(&member.name) {
                *change = Change::Remove;
            }
        }
    }

    /// Gives the member called `name` this value (JSON text); adds it where there is none, and keeps only the first
    /// where there are several.
    pub fn set(&mut self, name: &str, value: &str) {
        self.set_to(name, value.to_owned());
    }

    /// The same with a value that may be long, and need not be copied.
    pub fn set_to(&mut self, name: &str, mut value: String) {
        let mut done = false;
        for (member, change) in self.object.members.iter().zip(&mut self.changes) {
            if member.name == name {
                *change = match done {
                    false => Change::Replace(std::mem::take(&mut value).into_bytes()),
                    true => Change::Remove,
                };
                done = true;
            }
        }
        if !done {
            let name = format!("{}:", serde_json::Value::from(name));
            self.added.push([name, value].map(String::into_bytes));
        }
    }

    /// The new text, for an old one of `length` bytes.
    pub fn into_body(self, length: usize) -> Body {
        let unchanged = self.changes.iter().all(|change| *change == Change::Keep);
        if unchanged && self.added.is_empty() && self.cuts.is_empty() {
            return Body::Unchanged;
        }
        let mut pieces = Pieces {
            segments: Vec::new(),
            cuts: self.cuts,
        };
        // Where the old text goes on: after the opening brace, or after the member before.
        let first = self.object.members.first();
        let mut after = first.map_or(self.object.close, |first| first.whole.start);
        pieces.keep(0..after);
        let mut any = false;
        for (member, change) in self.object.members.iter().zip(self.changes) {
            let whole = member.whole.clone();
            if change != Change::Remove {
                if any {
                    pieces.keep(after..whole.start);
                }
                any = true;
                match change {
                    Change::Replace(value) => {
                        pieces.keep(whole.start..member.value.start);
                        pieces.add(value);
                    }
                    _ => pieces.keep(whole.clone()),
                }
            }
            after = whole.end;
        }
        for member in self.added {
            if any {
                pieces.add(b",".to_vec());
            }
            any = true;
            for piece in member {
                pieces.add(piece);
            }
        }
        pieces.keep(after..length);
        Body::Spliced(pieces.segments)
    }
}

struct Pieces {
    segments: Vec<Segment>,
    cuts: Vec<Range<usize>>,
}

impl Pieces {
    fn keep(&mut self, range: Range<usize>) {
        let mut next = self.cuts.partition_point(|cut| cut.start < range.start);
        let mut start = range.start;
        while let Some(cut) = self.cuts.get(next).filter(|cut| cut.end <= range.end) {
            let cut = cut.clone();
            self.keep_whole(start..cut.start);
            start = cut.end;
            next += 1;
        }
        self.keep_whole(start..range.end);
    }

    fn keep_whole(&mut self, range: Range<usize>) {
        if let Some(Segment::Kept(last)) = self.segments.last_mut()
            && last.end == range.start
        {
            last.end = range.end;
        } else if !range.is_empty() {
            self.segments.push(Segment::Kept(range));
        }
    }

    fn add(&mut self, bytes: Vec<u8>) {
        if let Some(Segment::New(last)) = self.segments.last_mut()
            && bytes.len() < LONG
        {
            last.extend(bytes);
        } else {
            self.segments.push(Segment::New(bytes));
        }
    }
}

/// What is longer is a piece of its own: it need not be copied.
const LONG: usize = 512;

#[cfg(test)]
mod tests {
    use super::super::object::parse;
    use super::*;

    fn edited(text: &str, change: impl Fn(&mut Edit)) -> String {
        let found = parse(text).unwrap();
        let mut edit = Edit::new(&found);
        change(&mut edit);
        let body = edit.into_body(text.len());
        let bytes = body.pieces(text.as_bytes()).flatten().copied().collect();
        let new = String::from_utf8(bytes).unwrap();
        assert!(parse(&new).is_ok(), "{new}");
        new
    }

    #[test]
    fn removal_takes_one_comma_with_it() {
        let without = |text| {
            edited(text, |edit| {
                edit.remove("model");
                edit.remove("stream");
            })
        };
        for (text, left) in [
            (r#"{"model":"x","a":1}"#, r#"{"a":1}"#),
            (r#"{ "a" : 1 , "model": "x" }"#, r#"{ "a" : 1 }"#),
            (r#"{"a":1, "model":"x",  "b":2}"#, r#"{"a":1,  "b":2}"#),
            (r#"{"model":"x"}"#, "{}"),
            (r#"{"model":"x","stream":true}"#, "{}"),
            (
                r#"{"stream":true,"a":[ 1.0 ],"model":"x"}"#,
                r#"{"a":[ 1.0 ]}"#,
            ),
            (
                r#"{"model":"x","a":1,"stream":true,"b":2,"model":"y"}"#,
                r#"{"a":1,"b":2}"#,
            ),
            ("{\"a\":1}\n", "{\"a\":1}\n"),
        ] {
            assert_eq!(without(text), left);
        }
    }

    #[test]
    fn setting_replaces_the_first_or_adds() {
        let set = |text| edited(text, |edit| edit.set("g", "{}"));
        assert_eq!(set(r#"{"g" : 1,"a":2}"#), r#"{"g" : {},"a":2}"#);
        assert_eq!(set(r#"{"a":2 }"#), r#"{"a":2,"g":{} }"#);
        assert_eq!(set("{}"), r#"{"g":{}}"#);
        assert_eq!(set(" { } "), r#" { "g":{}} "#);
        assert_eq!(set(r#"{"g":1,"g":2}"#), r#"{"g":{}}"#);
    }

    #[test]
    fn cuts_take_parts_of_what_stays() {
        let text = r#"{"a":[1,2,3],"b":"xyz","c":4}"#;
        let new = edited(text, |edit| {
            edit.cut(7..9);
            edit.cut(19..20);
            edit.remove("c");
        });
        assert_eq!(new, r#"{"a":[1,3],"b":"xz"}"#);
        assert_eq!(
            edited(text, |edit| edit.cut(6..8)),
            r#"{"a":[2,3],"b":"xyz","c":4}"#
        );
    }

    #[test]
    fn only_what_is_wanted_stays() {
        let new = edited(r#"{"x":1,"a":2,"y":3,"a":4,"z":5}"#, |edit| {
            edit.retain(|name| name == "a");
        });
        assert_eq!(new, r#"{"a":2,"a":4}"#);
    }

    #[test]
    fn all_at_once() {
        let new = edited(r#"{"model":"x"}"#, |edit| {
            edit.remove("model");
            edit.set("a", "1");
            edit.set("b", "2");
        });
        assert_eq!(new, r#"{"a":1,"b":2}"#);
    }
}
