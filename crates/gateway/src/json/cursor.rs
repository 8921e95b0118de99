//! One walk over a JSON document: every value is checked and stays where it stands, and nothing is built.
//!
//! The strings and whole numbers that nearly all of an event consists of are read here; what is nested or rare, by serde_json.

use std::borrow::Cow;

use serde::de::IgnoredAny;

use super::text::Literal;

/// A place in a document.
#[derive(Clone, Debug)]
pub struct Cursor<'a> {
    text: &'a str,
    at: usize,
    /// Where what [`Cursor::member`] found last stands: a name, or the closing brace.
    mark: usize,
    /// Whether a member stands before, so that a comma has to come.
    follows: bool,
}

/// What is not JSON, or not what was asked for, and the byte at which that shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} at byte {at}")]
pub struct Wrong {
    what: &'static str,
    at: usize,
}

impl<'a> Cursor<'a> {
    /// At the start of `text`.
    pub fn new(text: &'a str) -> Self {
        Self {
            text,
            at: 0,
            mark: 0,
            follows: false,
        }
    }

    /// The byte that comes next; blanks before it are skipped.
    #[inline(always)]
    pub fn position(&mut self) -> usize {
        // Between two tokens there is nothing, as a rule.
        while self.byte().is_some_and(|byte| byte <= b' ') && self.is_blank() {
            self.at += 1;
        }
        self.at
    }

    fn is_blank(&self) -> bool {
        matches!(self.byte(), Some(b' ' | b'\n' | b'\r' | b'\t'))
    }

    /// Where the name that [`Cursor::member`] gave last begins, or the brace that it ended at.
    pub fn mark(&self) -> usize {
        self.mark
    }

    /// Where what was read last ends.
    pub fn end_of_last(&self) -> usize {
        self.at
    }

    /// Enters the object that comes next.
    ///
    /// # Errors
    /// Something else does.
    pub fn open(&mut self) -> Result<(), Wrong> {
        if self.peek() != Some(b'{') {
            return Err(self.wrong("expected `{`"));
        }
        self.at += 1;
        self.follows = false;
        Ok(())
    }

    /// Enters the object that comes next; `false` if it is another value, which is then passed by.
    ///
    /// # Errors
    /// It is no value.
    pub fn enter(&mut self) -> Result<bool, Wrong> {
        if self.peek() == Some(b'{') {
            self.open().map(|()| true)
        } else {
            self.value().map(|_| false)
        }
    }

    /// The name of the next member of the object that was entered last, escapes undone; its value comes next. `None`: that
    /// object has ended.
    ///
    /// # Errors
    /// Neither comes.
    #[inline(always)]
    pub fn member(&mut self) -> Result<Option<Cow<'a, str>>, Wrong> {
        match self.peek() {
            Some(b'}') => {
                self.mark = self.at;
                self.at += 1;
                self.follows = true;
                return Ok(None);
            }
            Some(b',') if self.follows => {
                self.at += 1;
                self.peek();
            }
            _ if self.follows => return Err(self.wrong("expected `,` or `}`")),
            _ => {}
        }
        if self.byte() != Some(b'"') {
            return Err(self.wrong("expected a member name"));
        }
        self.mark = self.at;
        let escaped = self.string()?;
        let name = self
            .text
            .get(self.mark + 1..self.at - 1)
            .unwrap_or_default();
        let name = match escaped {
            false => Cow::Borrowed(name),
            true => self.unescaped_name()?,
        };
        if self.peek() != Some(b':') {
            return Err(self.wrong("expected `:`"));
        }
        self.at += 1;
        Ok(Some(name))
    }

    /// The value of this member of the object that comes next, which is not passed; `None` if there is none.
    pub fn next_member(&self, wanted: &str) -> Option<&'a str> {
        let mut ahead = self.clone();
        if !ahead.enter().ok()? {
            return None;
        }
        while let Some(name) = ahead.member().ok()? {
            let value = ahead.value().ok()?;
            if name == wanted {
                return Some(value);
            }
        }
        None
    }

    /// Enters the array that comes next; `false` if it is another value, which is then passed by.
    ///
    /// # Errors
    /// It is no value.
    pub fn enter_list(&mut self) -> Result<bool, Wrong> {
        if self.peek() != Some(b'[') {
            return self.value().map(|_| false);
        }
        self.at += 1;
        self.follows = false;
        Ok(true)
    }

    /// Whether the array that was entered last has another element, which comes next then.
    ///
    /// # Errors
    /// Neither an element nor the end comes.
    pub fn element(&mut self) -> Result<bool, Wrong> {
        match self.peek() {
            Some(b']') => {
                self.at += 1;
                self.follows = true;
                return Ok(false);
            }
            Some(b',') if self.follows => {
                self.at += 1;
                if self.peek() == Some(b']') {
                    return Err(self.wrong("expected a value"));
                }
            }
            _ if self.follows => return Err(self.wrong("expected `,` or `]`")),
            _ => {}
        }
        self.follows = false;
        Ok(true)
    }

    /// The value that comes next, as it stands.
    ///
    /// # Errors
    /// None does.
    #[inline(always)]
    pub fn value(&mut self) -> Result<&'a str, Wrong> {
        let start = self.position();
        if self.byte() == Some(b'"') {
            self.string()?;
        } else {
            self.other()?;
        }
        self.follows = true;
        Ok(self.text.get(start..self.at).unwrap_or_default())
    }

    /// Passes the value that comes next.
    ///
    /// # Errors
    /// None does.
    pub fn skip(&mut self) -> Result<(), Wrong> {
        self.value().map(|_| ())
    }

    /// The string that comes next; `None` for `null`.
    ///
    /// # Errors
    /// It is another value, or none.
    #[inline(always)]
    pub fn string_or_null(&mut self) -> Result<Option<Literal<'a>>, Wrong> {
        match self.value()? {
            text if text.starts_with('"') => Ok(Some(Literal(text))),
            "null" => Ok(None),
            _ => Err(self.wrong("expected a string before")),
        }
    }

    /// The whole number from 0 that comes next.
    ///
    /// # Errors
    /// It is another value, or none.
    #[inline(always)]
    pub fn number(&mut self) -> Result<u64, Wrong> {
        let text = self.value()?;
        text.parse()
            .map_err(|_| self.wrong("expected a whole number before"))
    }

    /// Checks that nothing follows.
    ///
    /// # Errors
    /// Something does.
    pub fn end(&mut self) -> Result<(), Wrong> {
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(self.wrong("trailing characters")),
        }
    }

    #[inline(always)]
    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    #[inline(always)]
    fn peek(&mut self) -> Option<u8> {
        self.position();
        self.byte()
    }

    #[cold]
    fn unescaped_name(&self) -> Result<Cow<'a, str>, Wrong> {
        let literal = Literal(self.text.get(self.mark..self.at).unwrap_or_default());
        literal
            .decode_strict()
            .ok_or_else(|| self.wrong("a member name is not Unicode"))
    }

    /// Reads a string, whose opening quote comes next; whether there are escapes in it.
    #[inline(always)]
    fn string(&mut self) -> Result<bool, Wrong> {
        let mut escaped = false;
        self.at += 1;
        loop {
            self.at += plain_bytes(self.text.as_bytes().get(self.at..).unwrap_or_default());
            match self.byte() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(escaped);
                }
                Some(b'\\') => {
                    self.escape()?;
                    escaped = true;
                }
                Some(_) => return Err(self.wrong("a control character in a string")),
                None => return Err(ended(self.at)),
            }
        }
    }

    fn escape(&mut self) -> Result<(), Wrong> {
        let rest = self.text.as_bytes().get(self.at + 1..);
        self.at += match rest.unwrap_or_default() {
            [b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't', ..] => 2,
            [b'u', a, b, c, d, ..] if [a, b, c, d].iter().all(|d| d.is_ascii_hexdigit()) => 6,
            [] => return Err(ended(self.at)),
            _ => return Err(self.wrong("an escape that there is not")),
        };
        Ok(())
    }

    /// Passes what is no string.
    fn other(&mut self) -> Result<(), Wrong> {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        // Whole numbers, which indexes and counts are: what comes next shows that there is no more of them.
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let one_number = digits == 1 || (digits > 1 && rest.first() != Some(&b'0'));
        if one_number && matches!(rest.get(digits), Some(b',' | b'}' | b']')) {
            self.at += digits;
            return Ok(());
        }
        self.any()
    }

    /// Passes a value of any kind, without recursion.
    #[inline(never)]
    fn any(&mut self) -> Result<(), Wrong> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let mut values = serde_json::Deserializer::from_str(rest).into_iter::<IgnoredAny>();
        match values.next() {
            Some(Ok(_)) => {
                self.at += values.byte_offset();
                Ok(())
            }
            Some(Err(error)) if error.is_eof() => Err(ended(self.text.len())),
            Some(Err(_)) => Err(self.wrong("not a JSON value")),
            None => Err(ended(self.text.len())),
        }
    }

    /// An error at this place.
    #[cold]
    pub fn wrong(&self, what: &'static str) -> Wrong {
        Wrong { what, at: self.at }
    }
}

#[cold]
fn ended(at: usize) -> Wrong {
    Wrong {
        what: "the text ends inside a value",
        at,
    }
}

/// The value of this member of an object.
pub fn member_of<'j>(object: &'j str, wanted: &str) -> Option<&'j str> {
    Cursor::new(object).next_member(wanted)
}

/// How many bytes there are before the first quote, backslash or control character.
#[inline(always)]
pub fn plain_bytes(bytes: &[u8]) -> usize {
    let mut plain = 0;
    // What is long is looked at in blocks, without a way out in between: a compiler makes vector code of that.
    if bytes.len() >= 2 * BLOCK && plain_word(bytes) {
        let (blocks, _) = bytes.as_chunks::<BLOCK>();
        let is_plain = |block: &&[u8; BLOCK]| {
            block
                .iter()
                .fold(true, |so_far, byte| so_far & !is_special(*byte))
        };
        plain = BLOCK * blocks.iter().take_while(is_plain).count();
    }
    let (words, rest) = bytes.get(plain..).unwrap_or_default().as_chunks::<8>();
    for word in words {
        let found = specials(u64::from_le_bytes(*word));
        if found != 0 {
            // The lowest mark is right; those above may be one too many.
            return plain + found.trailing_zeros() as usize / 8;
        }
        plain += 8;
    }
    plain
        + rest
            .iter()
            .position(|byte| is_special(*byte))
            .unwrap_or(rest.len())
}

#[inline(always)]
fn is_special(byte: u8) -> bool {
    (byte == b'"') | (byte == b'\\') | (byte < 0x20)
}

/// Whether the first eight bytes are plain: most strings are short.
#[inline(always)]
fn plain_word(bytes: &[u8]) -> bool {
    let word = bytes.first_chunk().copied();
    word.is_some_and(|word| specials(u64::from_le_bytes(word)) == 0)
}

const BLOCK: usize = 64;

/// Marks, in the top bit of each byte, the first of eight that is a quote, a backslash or a control character.
#[inline(always)]
fn specials(word: u64) -> u64 {
    const LOW: u64 = 0x0101_0101_0101_0101;
    const TOP: u64 = 0x8080_8080_8080_8080;
    // A byte below N borrows when N is taken from it; one above 0x7f is no candidate.
    let below = |word: u64, limit: u64| word.wrapping_sub(LOW * limit) & !word & TOP;
    let quote = word ^ (LOW * 0x22);
    let backslash = word ^ (LOW * 0x5c);
    below(word, 0x20) | below(quote, 1) | below(backslash, 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::value::RawValue;

    use super::*;

    #[test]
    fn special_bytes_are_found_wherever_they_are() {
        for special in 0..=u8::MAX {
            let wanted = matches!(special, b'"' | b'\\' | 0..0x20);
            for length in (0..40).chain([120, 128, 150, 200]) {
                for at in 0..length {
                    let mut bytes = vec![b'~'; length];
                    bytes[at] = special;
                    let expected = if wanted { at } else { length };
                    assert_eq!(
                        plain_bytes(&bytes),
                        expected,
                        "{special} at {at} of {length}"
                    );
                }
            }
        }
    }

    #[test]
    fn objects_are_entered_and_left() {
        let mut cursor =
            Cursor::new(r#" {"a":{"b":1,"c":{}} , "d" : [1,{"x":2}], "\u0065":null} "#);
        let mut seen = Vec::new();
        cursor.open().unwrap();
        while let Some(name) = cursor.member().unwrap() {
            seen.push(name.to_string());
            if name == "a" {
                assert!(cursor.enter().unwrap());
                assert_eq!(cursor.member().unwrap().unwrap(), "b");
                assert_eq!(cursor.number(), Ok(1));
                assert_eq!(cursor.member().unwrap().unwrap(), "c");
                assert_eq!(cursor.value(), Ok("{}"));
                assert_eq!(cursor.member(), Ok(None));
            } else {
                assert!(!cursor.enter().unwrap());
            }
        }
        assert_eq!(seen, ["a", "d", "e"]);
        cursor.end().unwrap();
    }

    #[test]
    fn arrays_are_entered_and_left() {
        let mut cursor = Cursor::new(r#" [1 , {"a":[]},[ ],"x", [2,[3]]] "#);
        let mut seen = Vec::new();
        assert_eq!(cursor.enter_list(), Ok(true));
        while cursor.element().unwrap() {
            let start = cursor.position();
            if cursor.clone().enter_list().unwrap() {
                cursor.enter_list().unwrap();
                while cursor.element().unwrap() {
                    seen.push(cursor.value().unwrap());
                }
            } else {
                seen.push(cursor.value().unwrap());
            }
            assert!(start < cursor.position());
        }
        assert_eq!(seen, ["1", r#"{"a":[]}"#, r#""x""#, "2", "[3]"]);
        cursor.end().unwrap();
        let mut other = Cursor::new("{}");
        assert_eq!(other.enter_list(), Ok(false));
        other.end().unwrap();
        for text in ["[1", "[1,", "[1,]", "[,1]", "[1 2]", "[}", "["] {
            let mut cursor = Cursor::new(text);
            let mut walk = || -> Result<(), Wrong> {
                cursor.enter_list()?;
                while cursor.element()? {
                    cursor.skip()?;
                }
                cursor.end()
            };
            assert!(walk().is_err(), "{text}");
        }
    }

    #[test]
    fn numbers_in_an_object_are_what_serde_json_takes_for_such() {
        for number in [
            "0",
            "7",
            "12",
            "1234567890",
            "00",
            "01",
            "012",
            "-1",
            "-01",
            "1.5",
            "1e3",
            "12e",
            "1.",
            "0.1",
            "0x1",
            "1 ",
            "12 ",
            "1a",
            "",
        ] {
            for after in [",\"b\":[34]}", "}", " }", "]", ""] {
                let text = format!(r#"{{"a":{number}{after}"#);
                let mut cursor = Cursor::new(&text);
                let mut walk = || {
                    cursor.open()?;
                    while cursor.member()?.is_some() {
                        cursor.skip()?;
                    }
                    cursor.end()
                };
                assert_eq!(walk().is_ok(), is_value(&text), "{text}");
            }
        }
    }

    /// What serde_json takes for one value, and nothing after it.
    fn is_value(text: &str) -> bool {
        serde_json::from_str::<&RawValue>(text).is_ok()
    }

    fn walks(text: &str) -> bool {
        let mut cursor = Cursor::new(text);
        cursor.value().is_ok() && cursor.end().is_ok()
    }

    #[test]
    fn values_are_what_serde_json_takes_for_such() {
        for text in [
            "",
            " ",
            "0",
            "01",
            "-",
            "-1",
            "1.5e3",
            "1.",
            "1e",
            "00",
            "12 ",
            "1x",
            "\"",
            "\"a",
            "\"a\"",
            "\"\\n\"",
            "\"\\x\"",
            "\"\\u12\"",
            "\"\\u12g4\"",
            "\"\\ud800\"",
            "\"\n\"",
            "\"\u{7f}é\"",
            "tru",
            "true",
            "nul",
            "null",
            "[",
            "[1,]",
            "[1]",
            "{}",
            "{\"a\":1}",
            "{\"a\":1,}",
            "{a:1}",
            "1 2",
            "\"a\"b",
            "\"\\",
            "\"\\\"",
        ] {
            assert_eq!(walks(text), is_value(text), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_taken_as_serde_json_takes_it(text in r#"[\[\]{}:,"\\ 0-9a-fnrtu.eE+\-é\n]{0,12}"#) {
            prop_assert_eq!(walks(&text), is_value(&text));
        }

        #[test]
        fn any_object_is_walked_as_serde_json_walks_it(text in r#"\{("[a-c\\n]{0,3}":("[a-c\\"n]{0,9}"|[0-9]{1,3}|null|\{\}),? ?){0,3}\}"#) {
            let mut cursor = Cursor::new(&text);
            let mut walk = || -> Result<(), Wrong> {
                cursor.open()?;
                while cursor.member()?.is_some() {
                    cursor.value()?;
                }
                cursor.end()
            };
            prop_assert_eq!(walk().is_ok(), is_value(&text), "{}", text);
        }
    }
}
