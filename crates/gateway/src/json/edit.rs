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
    /// New members, as text, to come after the last.
    added: Vec<Vec<Segment>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Change {
    Keep,
    Remove,
    Replace(Vec<Segment>),
}

impl<'o, 'a> Edit<'o, 'a> {
    /// No changes yet.
    pub fn new(object: &'o Object<'a>) -> Self {
        Self {
            object,
            changes: vec![Change::Keep; object.members.len()],
            added: Vec::new(),
        }
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
    pub fn set_to(&mut self, name: &str, value: String) {
        self.set_pieces(name, vec![Segment::New(value.into_bytes())]);
    }

    /// The same with a value that is made of pieces of the old text and new ones.
    pub fn set_pieces(&mut self, name: &str, value: Vec<Segment>) {
        let mut value = Some(value);
        for (member, change) in self.object.members.iter().zip(&mut self.changes) {
            if member.name == name {
                *change = value.take().map_or(Change::Remove, Change::Replace);
            }
        }
        if let Some(value) = value {
            let name = format!("{}:", serde_json::Value::from(name));
            let mut member = vec![Segment::New(name.into_bytes())];
            member.extend(value);
            self.added.push(member);
        }
    }

    /// The new text, for an old one of `length` bytes.
    pub fn into_body(self, length: usize) -> Body {
        let unchanged = self.changes.iter().all(|change| *change == Change::Keep);
        if unchanged && self.added.is_empty() {
            return Body::Unchanged;
        }
        let mut pieces = Pieces(Vec::new());
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
                        pieces.add_all(value);
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
            pieces.add_all(member);
        }
        pieces.keep(after..length);
        Body::Spliced(pieces.0)
    }
}

struct Pieces(Vec<Segment>);

impl Pieces {
    fn keep(&mut self, range: Range<usize>) {
        if let Some(Segment::Kept(last)) = self.0.last_mut()
            && last.end == range.start
        {
            last.end = range.end;
        } else if !range.is_empty() {
            self.0.push(Segment::Kept(range));
        }
    }

    fn add_all(&mut self, segments: Vec<Segment>) {
        for segment in segments {
            match segment {
                Segment::Kept(range) => self.keep(range),
                Segment::New(bytes) => self.add(bytes),
            }
        }
    }

    fn add(&mut self, bytes: Vec<u8>) {
        if let Some(Segment::New(last)) = self.0.last_mut()
            && bytes.len() < LONG
        {
            last.extend(bytes);
        } else {
            self.0.push(Segment::New(bytes));
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
    fn a_value_may_be_made_of_pieces() {
        let text = r#"{"a":[1,2,3],"b":"xyz","c":4}"#;
        let pieces = || {
            vec![
                Segment::Kept(5..8),
                Segment::New(b"7".to_vec()),
                Segment::Kept(11..12),
            ]
        };
        let new = edited(text, |edit| {
            edit.set_pieces("a", pieces());
            edit.remove("c");
        });
        assert_eq!(new, r#"{"a":[1,7],"b":"xyz"}"#);
        let new = edited(text, |edit| edit.set_pieces("d", pieces()));
        assert_eq!(new, r#"{"a":[1,2,3],"b":"xyz","c":4,"d":[1,7]}"#);
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
