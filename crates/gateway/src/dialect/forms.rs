//! Forms that members have in what clients of every dialect send.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::json::text::Text;

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

/// A member that clients send in either of two forms: a string, or what is more than that.
#[derive(Debug)]
pub enum OneOf<S, M> {
    /// The string.
    Short(S),
    /// The object or array.
    Long(M),
}

impl<'de: 'a, 'a, M: Deserialize<'de>> Deserialize<'de> for OneOf<Text<'a>, M> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(EitherForm(PhantomData))
    }
}

struct EitherForm<'a, M>(PhantomData<(&'a (), M)>);

impl<'de: 'a, 'a, M: Deserialize<'de>> Visitor<'de> for EitherForm<'a, M> {
    type Value = OneOf<Text<'a>, M>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a string, or what the API documents in its place")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(OneOf::Short(Text(Cow::Borrowed(text))))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(OneOf::Short(Text(Cow::Owned(text.to_owned()))))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, array: A) -> Result<Self::Value, A::Error> {
        M::deserialize(SeqAccessDeserializer::new(array)).map(OneOf::Long)
    }

    fn visit_map<A: MapAccess<'de>>(self, object: A) -> Result<Self::Value, A::Error> {
        M::deserialize(MapAccessDeserializer::new(object)).map(OneOf::Long)
    }
}
