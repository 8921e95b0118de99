//! Reading a text that is known to be JSON into what a dialect knows of it. What is not wanted, or is wanted as it stands, is
//! passed by as fast as memory allows: it was looked at byte by byte when the request was recognised.

use std::borrow::Cow;
use std::fmt;

use serde::de::value::BorrowedStrDeserializer;
use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, forward_to_deserialize_any};

use super::cursor::plain_bytes;
use super::text::Literal;

/// Reads the value that `text` is.
///
/// # Errors
/// It is not what was asked for.
pub fn read<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, Error> {
    let mut reader = Reader::new(text);
    let value = T::deserialize(&mut reader)?;
    match reader.peek() {
        None => Ok(value),
        Some(_) => Err(Error::syntax()),
    }
}

/// A place in a text that is known to be JSON.
#[derive(Debug)]
pub struct Reader<'a> {
    text: &'a str,
    at: usize,
}

/// Why something cannot be read.
#[derive(Debug)]
pub struct Error {
    what: Cow<'static, str>,
    is_data: bool,
}

impl Error {
    /// Whether the text is JSON, but not of the form that was asked for.
    pub fn is_data(&self) -> bool {
        self.is_data
    }

    fn syntax() -> Self {
        Self {
            what: Cow::Borrowed("not JSON"),
            is_data: false,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.what)
    }
}

impl std::error::Error for Error {}

impl serde::de::Error for Error {
    fn custom<T: fmt::Display>(what: T) -> Self {
        Self {
            what: Cow::Owned(what.to_string()),
            is_data: true,
        }
    }
}

impl<'a> Reader<'a> {
    /// At the start of `text`.
    pub fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// The next element of the array that comes, or whose elements come, one after the other; `None`: it has ended.
    ///
    /// # Errors
    /// The element is not what was asked for.
    pub fn element<T: Deserialize<'a>>(&mut self, is_first: bool) -> Result<Option<T>, Error> {
        let mut elements = Items {
            reader: self,
            is_first,
        };
        elements.next_element()
    }

    /// Enters the array that comes next.
    ///
    /// # Errors
    /// Something else does.
    pub fn enter_array(&mut self) -> Result<(), Error> {
        self.take(b'[')
    }

    /// Passes the value that comes next, and gives it as it stands.
    ///
    /// # Errors
    /// None comes.
    pub fn pass(&mut self) -> Result<&'a str, Error> {
        let first = self.peek();
        let start = self.at;
        match first {
            Some(b'"') => {
                self.string()?;
            }
            Some(b'{' | b'[') => self.pass_nested()?,
            Some(_) => {
                let rest = self.text.as_bytes().get(start..).unwrap_or_default();
                let length = rest.iter().position(|byte| !is_of_word(*byte));
                self.at += length.unwrap_or(rest.len());
            }
            None => {}
        }
        match self.text.get(start..self.at) {
            Some(value) if !value.is_empty() => Ok(value),
            _ => Err(Error::syntax()),
        }
    }

    fn pass_nested(&mut self) -> Result<(), Error> {
        let mut depth = 0_usize;
        loop {
            match self.byte() {
                Some(b'"') => {
                    self.string()?;
                    continue;
                }
                Some(b'{' | b'[') => depth += 1,
                Some(b'}' | b']') => depth -= 1,
                Some(_) => {}
                None => return Err(Error::syntax()),
            }
            self.at += 1;
            if depth == 0 {
                return Ok(());
            }
        }
    }

    /// Passes a string: what stands between its quotes, and whether there are escapes in it.
    fn string(&mut self) -> Result<(&'a str, bool), Error> {
        self.take(b'"')?;
        let start = self.at;
        let mut escaped = false;
        loop {
            let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
            self.at += plain_bytes(rest);
            match self.byte() {
                Some(b'"') => break,
                Some(b'\\') => {
                    escaped = true;
                    self.at += 2;
                }
                _ => return Err(Error::syntax()),
            }
        }
        let inside = self.text.get(start..self.at);
        self.at += 1;
        Ok((inside.ok_or_else(Error::syntax)?, escaped))
    }

    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// The byte that comes next; blanks before it are skipped.
    fn peek(&mut self) -> Option<u8> {
        while matches!(self.byte(), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.at += 1;
        }
        self.byte()
    }

    fn take(&mut self, wanted: u8) -> Result<(), Error> {
        match self.peek() {
            Some(found) if found == wanted => {
                self.at += 1;
                Ok(())
            }
            _ => Err(Error::syntax()),
        }
    }

    /// Goes on to the next member or element; `false` if there is none, and what they were in has ended.
    fn goes_on(&mut self, is_first: &mut bool, end: u8) -> Result<bool, Error> {
        let is_first = std::mem::take(is_first);
        match self.peek() {
            Some(found) if found == end => {
                self.at += 1;
                Ok(false)
            }
            Some(b',') if !is_first => {
                self.at += 1;
                Ok(true)
            }
            Some(_) if is_first => Ok(true),
            _ => Err(Error::syntax()),
        }
    }
}

impl<'de> Deserializer<'de> for &mut Reader<'de> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.peek() {
            Some(b'"') => match self.string()? {
                (plain, false) => visitor.visit_borrowed_str(plain),
                (escaped, true) => match Literal::decode_inside(escaped) {
                    Some(text) => visitor.visit_string(text.into_owned()),
                    None => Err(Error::syntax()),
                },
            },
            Some(b'{') => {
                self.at += 1;
                visitor.visit_map(Items {
                    reader: self,
                    is_first: true,
                })
            }
            Some(b'[') => {
                self.at += 1;
                visitor.visit_seq(Items {
                    reader: self,
                    is_first: true,
                })
            }
            _ => {
                let word = self.pass()?;
                match word {
                    "null" => visitor.visit_unit(),
                    "true" => visitor.visit_bool(true),
                    "false" => visitor.visit_bool(false),
                    number => {
                        let number: serde_json::Number =
                            serde_json::from_str(number).map_err(|_| Error::syntax())?;
                        number
                            .deserialize_any(visitor)
                            .map_err(|error: serde_json::Error| {
                                // What serde_json says, without the place, which is none here.
                                let what = error.to_string();
                                Error::custom(what.split(" at line ").next().unwrap_or_default())
                            })
                    }
                }
            }
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.peek();
        let rest = self.text.get(self.at..).unwrap_or_default();
        match rest.starts_with("null") {
            true => {
                self.at += 4;
                visitor.visit_none()
            }
            false => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        match name == RAW_VALUE {
            true => visitor.visit_map(AsItStands(Some(self.pass()?))),
            false => visitor.visit_newtype_struct(self),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.pass()?;
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map struct enum identifier
    }
}

/// The members or elements that come.
struct Items<'r, 'a> {
    reader: &'r mut Reader<'a>,
    is_first: bool,
}

impl<'de> MapAccess<'de> for Items<'_, 'de> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Error> {
        match self.reader.goes_on(&mut self.is_first, b'}')? {
            true => seed.deserialize(&mut *self.reader).map(Some),
            false => Ok(None),
        }
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        self.reader.take(b':')?;
        seed.deserialize(&mut *self.reader)
    }
}

impl<'de> SeqAccess<'de> for Items<'_, 'de> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Error> {
        match self.reader.goes_on(&mut self.is_first, b']')? {
            true => seed.deserialize(&mut *self.reader).map(Some),
            false => Ok(None),
        }
    }
}

/// A `&RawValue`, in the form in which serde_json's own deserializer hands it over.
struct AsItStands<'a>(Option<&'a str>);

impl<'de> MapAccess<'de> for AsItStands<'de> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Error> {
        match self.0 {
            Some(_) => seed
                .deserialize(BorrowedStrDeserializer::new(RAW_VALUE))
                .map(Some),
            None => Ok(None),
        }
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        let text = self.0.take().unwrap_or_default();
        seed.deserialize(BorrowedStrDeserializer::new(text))
    }
}

fn is_of_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'+' | b'.')
}

/// What serde_json calls the struct of a value that is wanted as it stands.
const RAW_VALUE: &str = "$serde_json::private::RawValue";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;
    use serde_json::value::RawValue;

    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    struct Known<'a> {
        #[serde(borrow)]
        name: Cow<'a, str>,
        #[serde(default)]
        flag: Option<bool>,
        #[serde(default)]
        number: Option<u64>,
        #[serde(default)]
        list: Vec<Option<i8>>,
    }

    #[test]
    fn what_is_asked_for_is_read_as_serde_json_reads_it() {
        for text in [
            r#"{"name":"a"}"#,
            r#" { "x" : [ { "y" : "]}" } , "\\\"" ] , "name" : "a\n\u00e9" , "flag" : null , "number" : 7 } "#,
            r#"{"name":"","flag":false,"list":[1,null,-3],"z":{}}"#,
            r#"{"name":7}"#,
            r#"{"name":"a","number":-1}"#,
            r#"{"name":"a","number":1.5}"#,
            r#"{"name":"a","list":[999]}"#,
            r#"{"name":"a","list":{}}"#,
            r#"{"name":"a","name":"b"}"#,
            r#"{"name":null}"#,
            r#"{"flag":true}"#,
            r#"{"name":"\ud800"}"#,
        ] {
            let (ours, theirs) = (read::<Known>(text), serde_json::from_str::<Known>(text));
            match (ours, theirs) {
                (Ok(ours), Ok(theirs)) => assert_eq!(ours, theirs, "{text}"),
                (Err(ours), Err(theirs)) => {
                    assert_eq!(ours.is_data(), theirs.is_data(), "{text}");
                    // What clients are told: all but what stands there instead, and the place.
                    let theirs = theirs.to_string();
                    let ours = ours.to_string();
                    let expected = ours.rsplit("expected ").next().unwrap();
                    assert!(
                        theirs.contains(expected) || ours == "not JSON",
                        "{ours}: {theirs}"
                    );
                }
                (ours, theirs) => panic!("{text}: {ours:?} {theirs:?}"),
            }
        }
    }

    #[test]
    fn what_is_no_json_ends() {
        for text in [
            "", "{", "[", "{\"a\"", "{\"a\":", "\"", "\"\\", "[1", "[1,", "nul", "{]", "]", "}",
            ",", "\"a\"b",
        ] {
            assert!(read::<Value>(text).is_err(), "{text}");
            let _ = read::<&RawValue>(text);
            let _ = read::<serde::de::IgnoredAny>(text);
        }
    }

    proptest! {
        #[test]
        fn any_document_is_read_and_passed(text in r#"(\{"[a-c]":)?\[?("[a-z\\"\]\}é]{0,40}"|-?[0-9]{1,4}(\.[0-9]e[0-9])?|null|true|\{\}|\[\]),? ?"[a-z]{0,90}"?\]?\}?"#) {
            if let Ok(raw) = serde_json::from_str::<&RawValue>(&text) {
                prop_assert_eq!(read::<&RawValue>(&text).unwrap().get(), raw.get());
                let theirs = serde_json::from_str::<Value>(&text).ok();
                prop_assert_eq!(read::<Value>(&text).ok(), theirs);
            } else {
                let _ = read::<Value>(&text);
            }
        }
    }
}
