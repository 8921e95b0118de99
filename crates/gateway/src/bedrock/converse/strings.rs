//! The strings of a request. A body of many small ones must not cost many times its size, so what refers to a string takes
//! eight bytes: a place in the client's body, or in one buffer for all that is new. Each is kept as JSON spells it, escapes
//! included, so that what the client wrote goes out as it came.

use std::borrow::Cow;
use std::num::NonZeroU32;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::runs::make_room;
use crate::json::cursor::plain_bytes;
use crate::json::text::{Literal, place};

/// A string of a request, to be looked up in its [`Strings`].
#[derive(Clone, Copy, Debug)]
pub struct Str(Span);

/// A JSON value of a request, to be looked up in its [`Strings`].
#[derive(Clone, Copy, Debug)]
pub struct Json(Span);

/// Bytes of the client's body, and behind those, of what is new. The end is one more than it is, so that there is no 0.
#[derive(Clone, Copy, Debug)]
struct Span {
    from: u32,
    end: NonZeroU32,
}

/// All strings of a request.
#[derive(Clone, Debug, Default)]
pub struct Strings<'a> {
    source: &'a str,
    new: String,
    constants: Vec<(&'static str, Span)>,
}

impl<'a> Strings<'a> {
    /// None yet. `source` is the client's body, of at most [`MOST`] bytes.
    pub fn new(source: &'a str) -> Self {
        Self {
            source,
            new: String::new(),
            constants: Vec::new(),
        }
    }

    /// The client's body.
    pub fn source(&self) -> &'a str {
        self.source
    }

    /// A string of the client's, which is not copied.
    pub fn given(&mut self, literal: Literal<'_>) -> Str {
        Str(self.keep(literal.inside()))
    }

    /// A new string.
    pub fn add(&mut self, text: &str) -> Str {
        self.add_joined(&[Part::New(text)])
    }

    /// A new string out of these, one after the other. Nothing of their size is needed besides.
    pub fn add_joined(&mut self, parts: &[Part<'_>]) -> Str {
        let from = self.new.len();
        for part in parts {
            self.push_part(*part);
        }
        Str(self.added(from))
    }

    /// Adds to a string, which must be the one that was added last.
    pub fn extend(&mut self, string: &mut Str, part: Part<'_>) {
        self.push_part(part);
        let end = self.added(self.new.len());
        string.0.end = end.end;
    }

    fn push_part(&mut self, part: Part<'_>) {
        match part {
            Part::New(text) => self.push_text(text),
            Part::Of(Str(span)) => self.push_again(span, 0, true),
            Part::Spelt(Json(span)) => match self.find(span).starts_with('"') {
                // The client gave it as text: what is between the quotes is spelt as a string's already.
                true => self.push_again(span, 1, true),
                false => self.push_again(span, 0, false),
            },
        }
    }

    fn push_text(&mut self, text: &str) {
        for piece in pieces(text) {
            if plain_bytes(piece.as_bytes()) == piece.len() {
                make_room(&mut self.new, piece.len());
                self.new.push_str(piece);
            } else {
                let json = serde_json::Value::from(piece).to_string();
                let escaped = Literal(&json).inside();
                make_room(&mut self.new, escaped.len());
                self.new.push_str(escaped);
            }
        }
    }

    /// Pushes what is there already, but for so many bytes at both ends; `escaped`: as it stands.
    fn push_again(&mut self, span: Span, ends: usize, escaped: bool) {
        let mut at = ends;
        loop {
            let whole = self.find(span);
            let inside = whole.get(at..whole.len().saturating_sub(ends));
            let Some(piece) = inside.and_then(|inside| pieces(inside).next()) else {
                return;
            };
            let piece = piece.to_owned();
            at += piece.len();
            match escaped {
                true => {
                    make_room(&mut self.new, piece.len());
                    self.new.push_str(&piece);
                }
                false => self.push_text(&piece),
            }
        }
    }

    /// A new string: these bytes in base64.
    pub fn add_base64(&mut self, bytes: &[u8]) -> Str {
        let from = self.new.len();
        make_room(&mut self.new, bytes.len().div_ceil(3).saturating_mul(4));
        STANDARD.encode_string(bytes, &mut self.new);
        Str(self.added(from))
    }

    /// One that is always the same, without anything to escape: it is kept once, however often it is asked for.
    pub fn constant(&mut self, text: &'static str) -> Str {
        Str(self.constant_span(text))
    }

    /// What a string says.
    pub fn text(&self, string: Str) -> Cow<'_, str> {
        Literal::decode_inside(self.find(string.0)).unwrap_or_default()
    }

    /// A string as JSON spells it, without the quotes.
    pub fn escaped(&self, string: Str) -> &str {
        self.find(string.0)
    }

    /// Whether it says nothing but blanks.
    pub fn is_blank(&self, string: Str) -> bool {
        let escaped = self.find(string.0);
        match escaped.trim_start().as_bytes().first() {
            None => true,
            Some(b'\\') => self.text(string).trim().is_empty(),
            Some(_) => false,
        }
    }

    /// Whether two say the same.
    pub fn same(&self, one: Str, other: Str) -> bool {
        self.find(one.0) == self.find(other.0) || self.text(one) == self.text(other)
    }

    /// The rest of a string after its first bytes, as it stands.
    #[must_use]
    pub fn after(&self, string: Str, bytes: usize) -> Str {
        let Span { from, end } = string.0;
        let from = from
            .saturating_add(number(bytes))
            .min(end.get().saturating_sub(1));
        Str(Span { from, end })
    }

    /// A value of the client's, which is not copied.
    pub fn given_json(&mut self, json: &str) -> Json {
        Json(self.keep(json))
    }

    /// A value that the client gave as text: a string which holds JSON.
    pub fn given_json_text(&mut self, literal: Literal<'_>) -> Json {
        Json(self.keep(literal.0))
    }

    /// A new value.
    pub fn add_json(&mut self, json: &str) -> Json {
        Json(self.push(json))
    }

    /// A value that is always the same: it is kept once.
    pub fn constant_json(&mut self, json: &'static str) -> Json {
        Json(self.constant_span(json))
    }

    /// A value's text.
    pub fn json(&self, json: Json) -> Cow<'_, str> {
        // No value of a request is a string itself.
        match self.find(json.0) {
            text if text.starts_with('"') => Literal(text).decode(),
            text => Cow::Borrowed(text),
        }
    }

    fn find(&self, span: Span) -> &str {
        let (from, end) = (span.from as usize, span.end.get() as usize - 1);
        let found = match from.checked_sub(self.source.len()) {
            Some(from) if end >= self.source.len() => self.new.get(from..end - self.source.len()),
            _ => self.source.get(from..end),
        };
        found.unwrap_or_default()
    }

    fn keep(&mut self, piece: &str) -> Span {
        match place(self.source, piece) {
            Some(range) => span(range.start, range.end),
            None => self.push(piece),
        }
    }

    fn push(&mut self, piece: &str) -> Span {
        let from = self.new.len();
        make_room(&mut self.new, piece.len());
        self.new.push_str(piece);
        self.added(from)
    }

    fn added(&self, from: usize) -> Span {
        let source = self.source.len();
        span(source + from, source + self.new.len())
    }

    fn constant_span(&mut self, text: &'static str) -> Span {
        let known = self.constants.iter().find(|(known, _)| *known == text);
        if let Some((_, span)) = known {
            return *span;
        }
        let span = self.push(text);
        self.constants.push((text, span));
        span
    }
}

fn span(from: usize, end: usize) -> Span {
    Span {
        from: number(from),
        end: NonZeroU32::MIN.saturating_add(number(end)),
    }
}

fn number(place: usize) -> u32 {
    u32::try_from(place).unwrap_or(u32::MAX)
}

/// A part of a string that is put together.
#[derive(Clone, Copy, Debug)]
pub enum Part<'p> {
    /// New text.
    New(&'p str),
    /// A string of the request.
    Of(Str),
    /// A value of the request, as JSON spells it.
    Spelt(Json),
}

/// A text in pieces of whole characters.
fn pieces(mut text: &str) -> impl Iterator<Item = &str> {
    std::iter::from_fn(move || {
        let (piece, rest) = text.split_at(text.floor_char_boundary(PIECE));
        text = rest;
        (!piece.is_empty()).then_some(piece)
    })
}

/// How much is escaped at once: what is long needs no second buffer of its size.
const PIECE: usize = 4096;

/// How large a body may be whose strings are kept so: with what is added, four times as much has a place. Bedrock takes a
/// fortieth of it.
pub const MOST: usize = 1 << 30;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_found_again() {
        let source = r#"["plain","a\n\"b\"",{"x":1},"{\"y\":2}"]"#;
        let mut strings = Strings::new(source);
        let plain = strings.given(Literal(&source[1..8]));
        let escaped = strings.given(Literal(&source[9..19]));
        let new = strings.add("new");
        let other = strings.add("a\n\"b\"");
        let elsewhere = strings.given(Literal(r#""e\t""#));
        assert_eq!(strings.text(plain), "plain");
        assert!(matches!(strings.text(plain), Cow::Borrowed(_)));
        assert_eq!(strings.text(escaped), "a\n\"b\"");
        assert_eq!(strings.escaped(escaped), r#"a\n\"b\""#);
        assert_eq!(strings.text(new), "new");
        assert_eq!(strings.escaped(other), r#"a\n\"b\""#);
        assert_eq!(strings.text(elsewhere), "e\t");
        assert!(strings.same(escaped, other));
        assert!(!strings.same(plain, other));
        assert_eq!(strings.text(strings.after(plain, 2)), "ain");
        assert_eq!(strings.text(strings.after(new, 9)), "");
        let value = strings.given_json(&source[20..27]);
        let text = strings.given_json_text(Literal(&source[28..39]));
        let added = strings.add_json("[3]");
        assert_eq!(strings.json(value), r#"{"x":1}"#);
        assert_eq!(strings.json(text), r#"{"y":2}"#);
        assert_eq!(strings.json(added), "[3]");
    }

    #[test]
    fn strings_are_put_together() {
        let long = "\u{e9}\"".repeat(3000);
        let source = format!(
            r#"["a\n",{{"k":"v"}},"{{\"x\":1}}",{}]"#,
            serde_json::json!(long)
        );
        let mut strings = Strings::new(&source);
        let text = strings.given(Literal(&source[1..6]));
        let value = strings.given_json(&source[7..16]);
        let as_text = strings.given_json_text(Literal(&source[17..28]));
        let long_one = strings.given(Literal(&source[29..source.len() - 1]));
        let joined = strings.add_joined(&[
            Part::New("<\""),
            Part::Of(text),
            Part::Spelt(value),
            Part::Spelt(as_text),
            Part::Of(long_one),
        ]);
        let expected = format!("<\"a\n{{\"k\":\"v\"}}{{\"x\":1}}{long}");
        assert_eq!(strings.text(joined), expected);
        let mut longer = strings.add("x");
        strings.extend(&mut longer, Part::Of(text));
        assert_eq!(strings.text(longer), "xa\n");
        let copied = strings.add(&long);
        assert!(strings.same(copied, long_one));
    }

    #[test]
    fn a_constant_is_kept_once() {
        let mut strings = Strings::new("");
        for _ in 0..1000 {
            let one = strings.constant("document");
            assert_eq!(strings.text(one), "document");
        }
        assert_eq!(strings.new, "document");
    }

    #[test]
    fn blank_is_what_says_nothing() {
        let mut strings = Strings::new("");
        for (literal, blank) in [
            (r#""""#, true),
            (r#"" \n\t ""#, true),
            (r#""\u00a0 ""#, true),
            (r#""\u0041""#, false),
            (r#"" x""#, false),
            (r#""\n x""#, false),
        ] {
            let string = strings.given(Literal(literal));
            assert_eq!(strings.is_blank(string), blank, "{literal}");
        }
    }

    #[test]
    fn a_reference_takes_eight_bytes() {
        assert_eq!(size_of::<Option<Str>>(), 8);
        assert_eq!(size_of::<Option<Json>>(), 8);
    }
}
