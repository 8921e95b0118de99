//! Writing a new document out of pieces of an old one: what is long is kept where it stands, not copied.

use ring::digest::{Context, SHA256};
use serde::Serialize;

use super::text::{Literal, place};
use crate::body::{Body, Segment, Sink, hex_of};

/// A document in the making. Commas come by themselves: [`Writer::key`] and [`Writer::item`] put them.
pub struct Writer<'a> {
    source: &'a str,
    segments: Vec<Segment>,
    /// New text that follows the segments.
    new: Vec<u8>,
    /// How much there is of it in the segments.
    new_before: usize,
    /// Whether a value stands before the next member or element.
    follows: bool,
    /// Takes what is too much for memory.
    sink: Option<&'a mut dyn Sink>,
    /// What it has taken.
    written: Option<Written>,
}

struct Written {
    length: usize,
    hash: Context,
}

impl<'a> Writer<'a> {
    /// Empty; pieces may come from `source`.
    pub fn new(source: &'a str) -> Self {
        Self::spilling(source, None)
    }

    /// Empty; pieces may come from `source`, and where too much is new, all goes into the sink.
    pub fn spilling(source: &'a str, sink: Option<&'a mut dyn Sink>) -> Self {
        Self {
            source,
            segments: Vec::new(),
            new: Vec::new(),
            new_before: 0,
            follows: false,
            sink,
            written: None,
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
        self.make_room(0);
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
            return self.text(text);
        }
        self.push('"');
        self.verbatim(text);
        self.push('"');
        self.follows = true;
    }

    /// A string that is new, of any length.
    pub fn text(&mut self, mut text: &str) {
        self.push('"');
        while !text.is_empty() {
            let (piece, rest) = text.split_at(text.floor_char_boundary(PIECE));
            let start = self.new.len();
            // The quotes around each piece go: the last one, and then the first.
            let _ = serde_json::to_writer(&mut self.new, piece);
            self.new.pop();
            self.new.remove(start);
            self.make_room(0);
            text = rest;
        }
        self.push('"');
        self.follows = true;
    }

    /// A string that needs no escapes, in pieces.
    pub fn plain<P: AsRef<str>>(&mut self, pieces: impl IntoIterator<Item = P>) {
        self.push('"');
        for piece in pieces {
            self.verbatim(piece.as_ref());
        }
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
        if self.written.is_some() {
            self.spill();
        }
        match self.written {
            Some(Written { length, hash }) => Body::Written {
                length,
                sha256: hex_of(hash),
            },
            None => {
                self.flush();
                Body::Spliced(self.segments)
            }
        }
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
            None if self.make_room(text.len()) => self.write(text.as_bytes()),
            None => self.new.extend_from_slice(text.as_bytes()),
        }
    }

    fn flush(&mut self) {
        if !self.new.is_empty() {
            self.new_before += self.new.len();
            self.segments
                .push(Segment::New(std::mem::take(&mut self.new)));
        }
    }

    /// Makes room for more new text; `true` if it belongs into the sink at once.
    fn make_room(&mut self, more: usize) -> bool {
        let most = match self.written {
            Some(_) => PIECE,
            None => MOST_IN_MEMORY,
        };
        let too_much = self.new_before + self.new.len() + more > most;
        if too_much && self.sink.is_some() {
            self.spill();
            return more > PIECE;
        }
        false
    }

    /// Gives the sink all there is.
    #[cold]
    fn spill(&mut self) {
        let mut new = std::mem::take(&mut self.new);
        let source = self.source.as_bytes();
        for segment in std::mem::take(&mut self.segments) {
            match segment {
                Segment::Kept(range) => self.write(source.get(range).unwrap_or_default()),
                Segment::New(bytes) => self.write(&bytes),
            }
        }
        self.write(&new);
        self.new_before = 0;
        // What grew until now is given back.
        new.clear();
        new.shrink_to(2 * PIECE);
        self.new = new;
    }

    fn write(&mut self, bytes: &[u8]) {
        if let Some(sink) = &mut self.sink {
            let written = self.written.get_or_insert_with(|| Written {
                length: 0,
                hash: Context::new(&SHA256),
            });
            written.length += bytes.len();
            written.hash.update(bytes);
            sink.write(bytes);
        }
    }
}

/// Shorter pieces cost less copied than as a buffer of their own.
const WORTH_KEEPING: usize = 512;
/// New text is written in pieces of about this size.
const PIECE: usize = 64 << 10;
/// More new text than this goes into the sink, if there is one.
const MOST_IN_MEMORY: usize = 1 << 20;

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

    /// A sink that keeps all in memory.
    #[derive(Default)]
    struct Kept(Vec<u8>);

    impl Sink for Kept {
        fn write(&mut self, bytes: &[u8]) {
            self.0.extend_from_slice(bytes);
        }
    }

    #[test]
    fn what_is_too_much_for_memory_goes_into_the_sink() {
        let long = "A\u{e9}".repeat(50_000);
        let source = format!("\"{long}\"");
        let write = |w: &mut Writer<'_>, times: usize| {
            w.open('[');
            for _ in 0..times {
                w.item().string(source.get(1..source.len() - 1).unwrap());
                w.item().text(&"a \"quoted\" \u{e9}\n".repeat(10_000));
                w.item().json("[1,2]");
            }
            w.close(']');
        };
        for times in [1, 20] {
            let mut sink = Kept::default();
            let mut writer = Writer::spilling(&source, Some(&mut sink));
            write(&mut writer, times);
            let spilled = writer.into_body();
            let mut writer = Writer::new(&source);
            write(&mut writer, times);
            let whole = writer.into_body();
            let joined = whole.joined(source.as_bytes());
            assert!(serde_json::from_slice::<Vec<serde_json::Value>>(&joined).is_ok());
            assert_eq!(spilled.len(source.len()), joined.len());
            assert_eq!(
                spilled.sha256_hex(source.as_bytes()),
                whole.sha256_hex(source.as_bytes())
            );
            match times {
                1 => assert_eq!(spilled, whole),
                _ => assert_eq!(sink.0, joined),
            }
        }
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
