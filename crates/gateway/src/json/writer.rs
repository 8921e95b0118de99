//! Writing a new document out of pieces of an old one: what is long is kept where it stands, not copied.

use serde::Serialize;

use super::text::{Literal, place};
use crate::body::{Body, Segment};

/// A document in the making. Commas come by themselves: [`Writer::key`] and [`Writer::item`] put them.
#[derive(Debug)]
pub struct Writer<'a> {
    source: &'a str,
    segments: Vec<Segment>,
    /// New text that follows the segments.
    new: Vec<u8>,
    /// Whether a value stands before the next member or element.
    follows: bool,
}

impl<'a> Writer<'a> {
    /// Empty; pieces may come from `source`.
    pub fn new(source: &'a str) -> Self {
        Self {
            source,
            segments: Vec::new(),
            new: Vec::new(),
            follows: false,
        }
    }

    /// Opens an object or array.
    pub fn open(&mut self, bracket: char) {
        self.push(bracket);
        self.follows = false;
    }

    /// Closes it.
    pub fn close(&mut self, bracket: char) {
        self.push(bracket);
        self.follows = true;
    }

    /// Begins a member; `name` needs no escapes.
    pub fn key(&mut self, name: &str) -> &mut Self {
        self.item();
        self.push('"');
        self.new.extend_from_slice(name.as_bytes());
        self.new.extend_from_slice(b"\":");
        self
    }

    /// Begins an element.
    pub fn item(&mut self) -> &mut Self {
        if std::mem::take(&mut self.follows) {
            self.push(',');
        }
        self
    }

    /// A value that is small.
    pub fn value(&mut self, value: &(impl Serialize + ?Sized)) {
        // Writing to memory does not fail, and no value here has keys that are no strings.
        let _ = serde_json::to_writer(&mut self.new, value);
        self.follows = true;
    }

    /// A value as JSON text.
    pub fn json(&mut self, json: &str) {
        self.verbatim(json);
        self.follows = true;
    }

    /// A string. One that was borrowed from the source has no escapes there, and needs none here.
    pub fn string(&mut self, text: &str) {
        if place(self.source, text).is_none() {
            return self.value(text);
        }
        self.push('"');
        self.verbatim(text);
        self.push('"');
        self.follows = true;
    }

    /// A string, given as it is to stand between the quotes.
    pub fn spelt(&mut self, escaped: &str) {
        self.push('"');
        self.verbatim(escaped);
        self.push('"');
        self.follows = true;
    }

    /// More of a string that was opened with its quote: what stands between another one's.
    pub fn inside_string(&mut self, literal: Literal<'_>) {
        self.verbatim(literal.0.get(1..literal.0.len() - 1).unwrap_or_default());
    }

    /// The document, for a body that `source` is.
    pub fn into_body(mut self) -> Body {
        self.flush();
        Body::Spliced(self.segments)
    }

    /// The document as text.
    pub fn into_text(self) -> String {
        let mut text = Vec::new();
        self.write_to(&mut text);
        // All that was written was text.
        String::from_utf8(text).unwrap_or_default()
    }

    /// The document, appended to `out`.
    pub fn write_to(self, out: &mut Vec<u8>) {
        let source = self.source.as_bytes();
        let body = self.into_body();
        out.reserve(body.len(source.len()));
        for piece in body.pieces(source) {
            out.extend_from_slice(piece);
        }
    }

    fn push(&mut self, character: char) {
        let mut buffer = [0; 4];
        self.new
            .extend_from_slice(character.encode_utf8(&mut buffer).as_bytes());
    }

    fn verbatim(&mut self, text: &str) {
        match place(self.source, text).filter(|_| text.len() >= WORTH_KEEPING) {
            Some(range) => {
                self.flush();
                self.segments.push(Segment::Kept(range));
            }
            None => self.new.extend_from_slice(text.as_bytes()),
        }
    }

    fn flush(&mut self) {
        if !self.new.is_empty() {
            self.segments
                .push(Segment::New(std::mem::take(&mut self.new)));
        }
    }
}

/// Shorter pieces cost less copied than as a buffer of their own.
const WORTH_KEEPING: usize = 512;

#[cfg(test)]
mod tests {
    use super::*;

    fn written<'a>(source: &'a str, write: impl FnOnce(&mut Writer<'a>)) -> (Body, String) {
        let mut writer = Writer::new(source);
        write(&mut writer);
        let body = writer.into_body();
        let bytes = body.pieces(source.as_bytes()).flatten().copied().collect();
        (body, String::from_utf8(bytes).unwrap())
    }

    #[test]
    fn commas_stand_between_members_and_elements() {
        let (_, json) = written("", |w| {
            w.open('{');
            w.key("a").open('[');
            w.close(']');
            w.key("b").open('[');
            w.item().value("x\n");
            w.item().json("1.50");
            w.close(']');
            w.key("c").value(&3);
            w.close('}');
        });
        assert_eq!(json, r#"{"a":[],"b":["x\n",1.50],"c":3}"#);
    }

    #[test]
    fn long_pieces_of_the_source_are_not_copied() {
        let long = "A".repeat(1000);
        let source = format!("{{\"data\":\"{long}\",\"short\":\"b\"}}");
        let data = &source[9..1009];
        let (body, json) = written(&source, |w| {
            w.open('[');
            w.item().string(data);
            w.item().string("a \"literal\" elsewhere");
            w.item().string(&long);
            w.close(']');
        });
        let Body::Spliced(segments) = body else {
            panic!()
        };
        assert_eq!(segments[1], Segment::Kept(9..1009));
        assert_eq!(
            json,
            format!(r#"["{long}","a \"literal\" elsewhere","{long}"]"#)
        );
    }
}
