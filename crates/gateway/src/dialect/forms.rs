//! Forms that members have in what clients of every dialect send.

use serde::de::Error;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::parameter::{self, Path};
use crate::json::known::Reader;
use crate::json::strict::Object;
use crate::json::text::Literal;
use crate::refusal::Refusal;

/// A string of a client's as it stands in its body: it is Unicode, and goes out as it came.
#[derive(Clone, Copy, Debug)]
pub struct Given<'a>(pub Literal<'a>);

impl<'de: 'a, 'a> Deserialize<'de> for Given<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let literal = Literal::deserialize(deserializer)?;
        match literal.is_unicode() {
            true => Ok(Self(literal)),
            false => Err(D::Error::custom(NOT_UNICODE)),
        }
    }
}

/// An array as it stands in its body. Its elements are read one at a time: of tiny ones there may be a million.
#[derive(Clone, Copy, Debug)]
pub struct Elements<'a>(&'a str);

impl<'de: 'a, 'a> Deserialize<'de> for Elements<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <&'de RawValue>::deserialize(deserializer)?.get();
        match raw.starts_with('[') {
            true => Ok(Self(raw)),
            false => Err(D::Error::custom("invalid value, expected a sequence")),
        }
    }
}

impl<'a> Elements<'a> {
    /// The array as it stands.
    pub fn as_json(self) -> &'a str {
        self.0
    }

    /// Reads one element after the other, and has `use_it` use each, whose path it is told. `at` is the array's own.
    ///
    /// # Errors
    /// 400 that names the first element which is not what it should be; what `use_it` says.
    pub fn each<T: Deserialize<'a>>(
        self,
        at: &Path<'_>,
        mut use_it: impl FnMut(T, &Path<'_>) -> Result<(), Refusal>,
    ) -> Result<(), Refusal> {
        let mut reader = Reader::new(self.0);
        let mut index = 0;
        let mut next = match reader.enter_array() {
            Ok(()) => reader.element(true),
            Err(error) => Err(error),
        };
        loop {
            match next {
                Ok(Some(element)) => use_it(element, &at.element(index))?,
                Ok(None) => return Ok(()),
                Err(_) => return Err(self.refusal::<T>(at, index)),
            }
            index += 1;
            next = reader.element(false);
        }
    }

    /// Why the element with this index cannot be read.
    fn refusal<T: Deserialize<'a>>(self, at: &Path<'_>, wrong: usize) -> Refusal {
        let mut reader = Reader::new(self.0);
        let entered = reader.enter_array();
        for index in (0..).take_while(|_| entered.is_ok()) {
            match reader.element::<&RawValue>(index == 0) {
                Ok(Some(element)) if index == wrong => {
                    let read = parameter::parse_at::<T>(element.get(), &at.element(index));
                    return read.err().unwrap_or_else(|| at.refuse("is not valid"));
                }
                Ok(Some(_)) => {}
                _ => break,
            }
        }
        at.refuse("is not valid JSON")
    }
}

/// A member that clients send in either of two forms: a string, or what is more than that.
#[derive(Clone, Copy, Debug)]
pub enum OneOf<'a> {
    /// The string.
    Short(Given<'a>),
    /// The object or array.
    Long(Long<'a>),
}

impl<'a> OneOf<'a> {
    /// It as it stands.
    pub fn as_json(self) -> &'a str {
        match self {
            Self::Short(Given(Literal(json))) | Self::Long(Long(json)) => json,
        }
    }
}

/// An object or array as it stands in its body, in the place of a string.
#[derive(Clone, Copy, Debug)]
pub struct Long<'a>(&'a str);

impl<'a> Long<'a> {
    /// The elements of the array that it must be; `at` is where it stands.
    ///
    /// # Errors
    /// 400: it is an object.
    pub fn elements(self, at: &Path<'_>) -> Result<Elements<'a>, Refusal> {
        match self.0.starts_with('[') {
            true => Ok(Elements(self.0)),
            false => Err(at.refuse(&format!("must be {EITHER_FORM}"))),
        }
    }

    /// The object that it must be.
    ///
    /// # Errors
    /// 400 that names what is wrong in it.
    pub fn object<T: Deserialize<'a>>(self, at: &Path<'_>) -> Result<T, Refusal> {
        let Object(object) = parameter::parse_at(self.0, at)?;
        Ok(object)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for OneOf<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <&'de RawValue>::deserialize(deserializer)?.get();
        match raw.as_bytes().first() {
            Some(b'"') if Literal(raw).is_unicode() => Ok(Self::Short(Given(Literal(raw)))),
            Some(b'"') => Err(D::Error::custom(NOT_UNICODE)),
            Some(b'[' | b'{') => Ok(Self::Long(Long(raw))),
            _ => Err(D::Error::custom(format_args!(
                "invalid type, expected {EITHER_FORM}"
            ))),
        }
    }
}

const EITHER_FORM: &str = "a string, or what the API documents in its place";
/// As a string that serde_json itself reads would be refused.
const NOT_UNICODE: &str = "expected valid JSON";

/// A number, spelt as the client did.
#[derive(Debug)]
pub struct Number<'a>(pub &'a str);

impl<'de: 'a, 'a> Deserialize<'de> for Number<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <&'de RawValue>::deserialize(deserializer)?.get();
        match raw.starts_with(|first: char| first == '-' || first.is_ascii_digit()) {
            true => Ok(Self(raw)),
            false => Err(D::Error::custom("invalid value, expected a number")),
        }
    }
}

/// A whole number from 1.
#[derive(Clone, Copy, Debug)]
pub struct Positive(pub u64);

impl<'de> Deserialize<'de> for Positive {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <&'de RawValue>::deserialize(deserializer)?.get();
        raw.parse()
            .ok()
            .filter(|number| *number > 0)
            .map(Self)
            .ok_or_else(|| D::Error::custom("invalid value, expected a whole number from 1"))
    }
}
