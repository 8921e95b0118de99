//! A document as a tree, in the order in which it came: for what is small and has to be changed all over, such as a schema.

use std::borrow::Cow;
use std::fmt;

use serde::de::{self, DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Deserializer, Serialize, Serializer};
use serde_json::Number;

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub enum Tree<'a> {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number.
    Number(Number),
    /// A string.
    String(Cow<'a, str>),
    /// An array.
    Array(Vec<Tree<'a>>),
    /// An object.
    Object(Members<'a>),
}

/// The members of an object, in order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Members<'a>(pub Vec<(Cow<'a, str>, Tree<'a>)>);

impl<'a> Tree<'a> {
    /// Reads a document; `None` if it is none, is nested more deeply than 128 values, or has more than [`MOST`] of them.
    pub fn read(json: &'a str) -> Option<Self> {
        let mut left = MOST;
        let mut deserializer = serde_json::Deserializer::from_str(json);
        let tree = Seed(&mut left).deserialize(&mut deserializer).ok()?;
        deserializer.end().is_ok().then_some(tree)
    }

    /// The document.
    pub fn write(&self) -> String {
        // Names are strings, and memory does not fail.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Its text, if it is a string.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// Its members, if it is an object.
    pub fn as_object(&self) -> Option<&Members<'a>> {
        match self {
            Self::Object(members) => Some(members),
            _ => None,
        }
    }

    /// Its elements, if it is an array.
    pub fn as_array(&self) -> Option<&[Self]> {
        match self {
            Self::Array(elements) => Some(elements),
            _ => None,
        }
    }
}

impl<'a> Members<'a> {
    /// The member of this name.
    pub fn get(&self, name: &str) -> Option<&Tree<'a>> {
        let mut members = self.0.iter();
        members
            .find(|(known, _)| known == name)
            .map(|(_, value)| value)
    }

    /// The member of this name, to be changed.
    pub fn get_mut(&mut self, name: &str) -> Option<&mut Tree<'a>> {
        let mut members = self.0.iter_mut();
        members
            .find(|(known, _)| known == name)
            .map(|(_, value)| value)
    }

    /// Gives the member of this name a value, where it stands or else at the end.
    pub fn set(&mut self, name: &'static str, value: Tree<'a>) {
        match self.get_mut(name) {
            Some(old) => *old = value,
            None => self.0.push((name.into(), value)),
        }
    }

    /// Takes a member out.
    pub fn remove(&mut self, name: &str) -> Option<Tree<'a>> {
        let place = self.0.iter().position(|(known, _)| known == name)?;
        Some(self.0.remove(place).1)
    }
}

impl<'a> From<&'a str> for Tree<'a> {
    fn from(text: &'a str) -> Self {
        Self::String(text.into())
    }
}

/// How many values a tree may have: each costs more memory than its text.
pub const MOST: usize = 20_000;

struct Seed<'l>(&'l mut usize);

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Tree<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Tree<'de>, D::Error> {
        *self.0 = self
            .0
            .checked_sub(1)
            .ok_or_else(|| de::Error::custom("too many values"))?;
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Tree<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Tree<'de>, E> {
        Ok(Tree::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Tree<'de>, E> {
        Ok(Tree::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Tree<'de>, E> {
        Ok(Tree::Number(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Tree<'de>, E> {
        Ok(Tree::Number(value.into()))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Tree<'de>, E> {
        let number = Number::from_f64(value).ok_or_else(|| E::custom("no number"))?;
        Ok(Tree::Number(number))
    }

    fn visit_borrowed_str<E>(self, value: &'de str) -> Result<Tree<'de>, E> {
        Ok(Tree::String(value.into()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Tree<'de>, E> {
        Ok(Tree::String(value.to_owned().into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Tree<'de>, A::Error> {
        let mut found = Vec::new();
        while let Some(element) = elements.next_element_seed(Seed(self.0))? {
            found.push(element);
        }
        Ok(Tree::Array(found))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Tree<'de>, A::Error> {
        let mut found = Members::default();
        while let Some(name) = members.next_key::<crate::json::text::Text<'de>>()? {
            let value = members.next_value_seed(Seed(self.0))?;
            found.0.push((name.0, value));
        }
        Ok(Tree::Object(found))
    }
}

impl Serialize for Tree<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Number(number) => number.serialize(serializer),
            Self::String(text) => serializer.serialize_str(text),
            Self::Array(elements) => {
                let mut sequence = serializer.serialize_seq(Some(elements.len()))?;
                for element in elements {
                    sequence.serialize_element(element)?;
                }
                sequence.end()
            }
            Self::Object(members) => {
                let mut map = serializer.serialize_map(Some(members.0.len()))?;
                for (name, value) in &members.0 {
                    map.serialize_entry(name.as_ref(), value)?;
                }
                map.end()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_is_written() {
        let json = r#"{"b":[1,-2,1.5,true,null],"a":{"é\n":"x"},"":[]}"#;
        assert_eq!(
            Tree::read(json).map(|tree| tree.write()).as_deref(),
            Some(json)
        );
    }

    #[test]
    fn what_is_too_large_is_not_read() {
        let wide = |values: usize| format!("[{}1]", "1,".repeat(values - 2));
        assert!(Tree::read(&wide(MOST)).is_some());
        assert!(Tree::read(&wide(MOST + 1)).is_none());
        assert!(Tree::read(&"[".repeat(1000)).is_none());
        assert!(Tree::read("{} {}").is_none());
    }
}
