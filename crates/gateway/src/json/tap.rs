//! Reading a few members of a JSON document that passes by in pieces.
//!
//! A tap keeps no more than the names it is in and the values it was asked to keep. It does not judge the document: what
//! is not JSON is simply not understood.

use std::borrow::Cow;

use memchr::{memchr, memchr2};

/// Who is told of the members that pass by. A path is the names from the outermost object inwards, joined by `.`;
/// elements of an array have the array's path. Escapes in names are undone.
pub trait Listener {
    /// Whether the value at this path is wanted. Called before each member's value and each element of an array.
    fn wants(&mut self, path: &str) -> bool;
    /// The text of a value that was wanted: all of it, or if not `whole`, as much as the limit allows.
    fn value(&mut self, path: &str, text: &[u8], whole: bool);
}

/// An incremental reader of one document, which is an object: of another nothing is told. Work per byte is constant, however the
/// document is cut.
#[derive(Debug)]
pub struct Tap {
    state: State,
    /// Open containers, innermost last: whether it is an object, and how long the path was before it.
    open: Vec<Open>,
    /// Those in the innermost of them that are too deep to have a path: whether each is an object.
    deep: Vec<bool>,
    path: String,
    /// A member's name, or the value that is kept, as far as it came.
    kept: Vec<u8>,
    /// How many containers were open where the kept value began; `None` while nothing is kept.
    keeping: Option<usize>,
    limit: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Before a value.
    Value,
    /// Before a member's name or the end of the object.
    Name,
    /// In a name; the flag says that the byte before was a backslash.
    InName { escaped: bool },
    /// After a name.
    Colon,
    /// In a string value.
    InString { escaped: bool },
    /// In a number, `true`, `false` or `null`.
    InWord,
    /// After a value.
    After,
    /// The document is over, or was none.
    Done,
}

#[derive(Clone, Copy, Debug)]
struct Open {
    object: bool,
    path_before: usize,
}

impl Tap {
    /// A tap that keeps at most `limit` bytes of one value.
    pub fn new(limit: usize) -> Self {
        Self {
            state: State::Value,
            open: Vec::new(),
            deep: Vec::new(),
            path: String::new(),
            kept: Vec::new(),
            keeping: None,
            limit,
        }
    }

    /// Takes the next piece of the document.
    pub fn push(&mut self, mut bytes: &[u8], listener: &mut impl Listener) {
        while let Some((&byte, rest)) = bytes.split_first() {
            match self.state {
                State::InString { escaped: false } | State::InName { escaped: false } => {
                    // The bulk of any document is inside strings.
                    let plain = memchr2(b'"', b'\\', bytes).unwrap_or(bytes.len());
                    let (plain, after) = bytes.split_at_checked(plain).unwrap_or((bytes, &[]));
                    self.keep(plain);
                    bytes = after;
                    if let Some((&byte, rest)) = after.split_first() {
                        self.step(byte, listener);
                        bytes = rest;
                    }
                }
                State::InWord => {
                    // A list of numbers is the bulk of an embedding.
                    let ends = |byte: &u8| is_space(*byte) || matches!(byte, b',' | b'}' | b']');
                    let word = bytes.iter().position(ends).unwrap_or(bytes.len());
                    let (word, after) = bytes.split_at_checked(word).unwrap_or((bytes, &[]));
                    self.keep(word);
                    bytes = after;
                    if !after.is_empty() {
                        self.value_ended(listener);
                    }
                }
                State::Done => return,
                _ => {
                    self.step(byte, listener);
                    bytes = rest;
                }
            }
        }
    }

    /// Takes one byte.
    fn step(&mut self, byte: u8, listener: &mut impl Listener) {
        let space = is_space(byte);
        match self.state {
            State::InString { escaped } | State::InName { escaped } => {
                let in_name = matches!(self.state, State::InName { .. });
                if !escaped && byte == b'"' {
                    if in_name {
                        self.enter_name();
                        self.state = State::Colon;
                    } else {
                        self.keep(b"\"");
                        self.value_ended(listener);
                    }
                    return;
                }
                self.keep(&[byte]);
                let escaped = !escaped && byte == b'\\';
                self.state = match in_name {
                    true => State::InName { escaped },
                    false => State::InString { escaped },
                };
            }
            _ if space => {}
            State::Value => self.value_begins(byte, listener),
            State::Name => match byte {
                b'"' => {
                    if self.keeping.is_some() {
                        self.keep(b"\"");
                    } else {
                        self.kept.clear();
                    }
                    self.state = State::InName { escaped: false };
                }
                b'}' => self.close(b'}', listener),
                _ => self.state = State::Done,
            },
            State::Colon => {
                self.keep_if_keeping(b":");
                self.state = if byte == b':' {
                    State::Value
                } else {
                    State::Done
                };
            }
            State::After => match byte {
                b',' => {
                    self.keep_if_keeping(b",");
                    let open = self.open.last().map(|open| open.object);
                    let in_object = self.deep.last().copied().or(open);
                    self.state = if in_object == Some(true) {
                        State::Name
                    } else {
                        State::Value
                    };
                }
                b'}' | b']' => self.close(byte, listener),
                _ => self.state = State::Done,
            },
            State::InWord | State::Done => {}
        }
    }

    fn value_begins(&mut self, byte: u8, listener: &mut impl Listener) {
        if byte == b']' {
            return self.close(byte, listener);
        }
        if self.open.is_empty() && byte != b'{' {
            self.state = State::Done;
            return;
        }
        if self.keeping.is_none()
            && !self.open.is_empty()
            && self.deep.is_empty()
            && listener.wants(&self.path)
        {
            self.keeping = Some(self.open.len());
            self.kept.clear();
        }
        self.keep_if_keeping(&[byte]);
        self.state = match byte {
            b'{' | b'[' => {
                let object = byte == b'{';
                if self.open.len() < MAX_DEPTH {
                    self.open.push(Open {
                        object,
                        path_before: self.path.len(),
                    });
                } else {
                    self.deep.push(object);
                }
                if object { State::Name } else { State::Value }
            }
            b'"' => State::InString { escaped: false },
            _ => State::InWord,
        };
    }

    fn close(&mut self, byte: u8, listener: &mut impl Listener) {
        if let Some(object) = self.deep.pop() {
            if object != (byte == b'}') {
                self.state = State::Done;
                return;
            }
            self.keep_if_keeping(&[byte]);
            return self.value_ended(listener);
        }
        match self.open.pop() {
            Some(open) if open.object == (byte == b'}') => {
                self.path.truncate(open.path_before);
                self.keep_if_keeping(&[byte]);
                self.value_ended(listener);
            }
            _ => self.state = State::Done,
        }
    }

    fn value_ended(&mut self, listener: &mut impl Listener) {
        if self.deep.is_empty() && self.keeping == Some(self.open.len()) {
            self.keeping = None;
            let whole = self.kept.len() <= self.limit;
            self.kept.truncate(self.limit);
            listener.value(&self.path, &self.kept, whole);
            self.kept.clear();
        }
        self.state = if self.open.is_empty() {
            State::Done
        } else {
            State::After
        };
    }

    fn enter_name(&mut self) {
        if self.keeping.is_some() {
            return self.keep(b"\"");
        }
        if self.deep.is_empty() {
            if let Some(open) = self.open.last() {
                self.path.truncate(open.path_before);
            }
            if !self.path.is_empty() {
                self.path.push('.');
            }
            self.path.push_str(&name(&self.kept));
        }
        self.kept.clear();
    }

    fn keep_if_keeping(&mut self, bytes: &[u8]) {
        if self.keeping.is_some() {
            self.keep(bytes);
        }
    }

    /// Keeps bytes of a name or of a wanted value; one byte over the limit marks a value as too long.
    fn keep(&mut self, bytes: &[u8]) {
        let in_name = matches!(self.state, State::InName { .. });
        if self.keeping.is_some() || in_name {
            let limit = match self.keeping {
                Some(_) => self.limit + 1,
                None => LONGEST_NAME,
            };
            let room = limit.saturating_sub(self.kept.len());
            self.kept.extend(bytes.iter().take(room));
        }
    }
}

/// A member's name as it stands between its quotes, for a path: escapes undone, and a `.` of its own none that joins.
fn name(raw: &[u8]) -> Cow<'_, str> {
    let decoded = match memchr(b'\\', raw) {
        None => None,
        Some(_) => serde_json::from_slice::<String>(&[b"\"", raw, b"\""].concat()).ok(),
    };
    let name = decoded.map_or_else(|| String::from_utf8_lossy(raw), Cow::Owned);
    match name.contains('.') {
        true => name.replace('.', "\0").into(),
        false => name,
    }
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\n' | b'\r' | b'\t')
}

/// Bedrock's answers are a handful deep; what is deeper than this is only passed.
const MAX_DEPTH: usize = 64;
/// Longer than any name that is wanted, every character of it escaped.
const LONGEST_NAME: usize = 512;

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Heard {
        wanted: &'static [&'static str],
        values: Vec<(String, String)>,
    }

    impl Listener for Heard {
        fn wants(&mut self, path: &str) -> bool {
            self.wanted.contains(&path)
        }
        fn value(&mut self, path: &str, text: &[u8], whole: bool) {
            let mut text = String::from_utf8(text.to_vec()).unwrap();
            if !whole {
                text.push('…');
            }
            self.values.push((path.to_owned(), text));
        }
    }

    const DOCUMENT: &str = r#" {"output": {"message":{"content":[{"text":"a \"}]{[ b\\"},{"toolUse":{"input":{"usage":[1]}}}],
        "role":"assistant"}}, "usage" : {"inputTokens": 13,"x":"}","outputTokens":5 }, "stopReason":"end_turn","n":-1.5 ,"e":[],"f":{},"last":true} "#;

    fn heard(document: &str, cut: usize, wanted: &'static [&'static str]) -> Vec<(String, String)> {
        let mut heard = Heard {
            wanted,
            ..Heard::default()
        };
        let mut tap = Tap::new(64);
        for piece in document.as_bytes().chunks(cut) {
            tap.push(piece, &mut heard);
        }
        heard.values
    }

    #[test]
    fn wanted_values_are_told_however_the_document_is_cut() {
        let wanted = &[
            "usage",
            "stopReason",
            "n",
            "output.message.content.text",
            "e",
            "f",
            "last",
        ];
        let whole = heard(DOCUMENT, DOCUMENT.len(), wanted);
        let expected = [
            ("output.message.content.text", r#""a \"}]{[ b\\""#),
            ("usage", r#"{"inputTokens":13,"x":"}","outputTokens":5}"#),
            ("stopReason", r#""end_turn""#),
            ("n", "-1.5"),
            ("e", "[]"),
            ("f", "{}"),
            ("last", "true"),
        ];
        let expected: Vec<_> = expected
            .iter()
            .map(|(path, text)| ((*path).to_owned(), (*text).to_owned()))
            .collect();
        assert_eq!(whole, expected);
        for cut in 1..DOCUMENT.len() {
            assert_eq!(heard(DOCUMENT, cut, wanted), expected, "pieces of {cut}");
        }
    }

    #[test]
    fn each_element_of_an_array_is_told() {
        let values = heard(r#"{"a":[1,{"b":2},[3]]}"#, 5, &["a.b", "a"]);
        // The array itself is wanted first, and what is inside a kept value is not told again.
        assert_eq!(values, [("a".to_owned(), r#"[1,{"b":2},[3]]"#.to_owned())]);
        let values = heard(r#"{"a":[{"b":1},{"c":0},{"b":2}]}"#, 5, &["a.b"]);
        assert_eq!(values.len(), 2);
    }

    #[test]
    fn a_name_is_what_its_escapes_stand_for() {
        let wanted = &["usage", "a.b"];
        for cut in 1..20 {
            let json = r#"{"us\u0061ge":1,"\u0075\u0073\u0061\u0067\u0065":2,"a":{"\u0062":3},"a.b":4,"usage\"":5,"usage\ud800":6}"#;
            let values = heard(json, cut, wanted);
            let values: Vec<_> = values.iter().map(|(_, text)| text.as_str()).collect();
            assert_eq!(values, ["1", "2", "3"]);
        }
        let long = format!(r#"{{"{}usage":1,"usage":2}}"#, "x".repeat(5000));
        assert_eq!(heard(&long, 100, wanted).len(), 1);
    }

    #[test]
    fn only_an_object_is_read_and_however_deep_it_is_to_its_end() {
        for other in [
            r#"[{"usage":1}]"#,
            r#""usage""#,
            r#"[[{"usage":1}]]"#,
            r#"1{"usage":1}"#,
        ] {
            assert_eq!(heard(other, 3, &["usage"]), [], "{other}");
        }
        for (open, close) in [("[", "]"), (r#"{"usage":"#, "}")] {
            let deep = format!("{}1{}", open.repeat(2000), close.repeat(2000));
            let json = format!(r#"{{"a":{deep},"usage":7}}"#);
            let values = heard(&json, 11, &["usage"]);
            assert_eq!(values, [("usage".to_owned(), "7".to_owned())]);
        }
    }

    #[test]
    fn long_values_and_other_bytes_do_no_harm() {
        let long = format!("{{\"usage\":\"{}\",\"n\":1}}", "x".repeat(1000));
        let values = heard(&long, 7, &["usage", "n"]);
        assert_eq!(values[0].1, format!("\"{}…", "x".repeat(63)));
        assert_eq!(values[1].1, "1");
        let deep = "[".repeat(100_000);
        for other in ["<html>", "", "{]", "}", "{\"a\" 1}", "[1}", deep.as_str()] {
            assert_eq!(heard(other, 3, &["usage"]), []);
        }
    }
}
