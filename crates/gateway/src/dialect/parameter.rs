//! Reading a client's JSON into what a dialect knows of it, with errors that name the parameter.

use std::fmt;

use serde::Deserialize;

use crate::json::known::{self, Reader};
use crate::refusal::Refusal;

/// Where in a body something stands, as errors name it.
#[derive(Clone, Copy, Debug)]
pub enum Path<'p> {
    /// The body itself.
    Body,
    /// A member of an object.
    Member(&'p Path<'p>, &'p str),
    /// An element of an array.
    Element(&'p Path<'p>, usize),
}

impl Path<'_> {
    /// The member of this name.
    pub fn member<'p>(&'p self, name: &'p str) -> Path<'p> {
        Path::Member(self, name)
    }

    /// The element at this index.
    pub fn element(&self, index: usize) -> Path<'_> {
        Path::Element(self, index)
    }

    /// 400: what stands here is wrong. `what` goes on from its name.
    pub fn refuse(&self, what: &str) -> Refusal {
        Refusal::parameter(self.to_string(), what)
    }

    /// 400: a member is missing here.
    pub fn missing(&self, name: &str) -> Refusal {
        self.member(name).refuse("is missing")
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Body => Ok(()),
            Self::Member(Path::Body, name) => formatter.write_str(name),
            Self::Member(parent, name) => write!(formatter, "{parent}.{name}"),
            Self::Element(parent, index) => write!(formatter, "{parent}[{index}]"),
        }
    }
}

/// Reads a body.
///
/// # Errors
/// 400 that names the first parameter that is not what it should be, and never what stands there instead: it may be a
/// prompt.
pub fn parse<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, Refusal> {
    parse_at(text, &Path::Body)
}

/// Reads what stands at this place.
///
/// # Errors
/// As for a body.
pub fn parse_at<'a, T: Deserialize<'a>>(text: &'a str, at: &Path<'_>) -> Result<T, Refusal> {
    known::read(text).map_err(|_| refusal::<T>(text, at))
}

/// Reads again, this time keeping in mind where.
fn refusal<'a, T: Deserialize<'a>>(text: &'a str, at: &Path<'_>) -> Refusal {
    let mut json = Reader::new(text);
    let Err(error) = serde_path_to_error::deserialize::<_, T>(&mut json) else {
        return Refusal::validation("The request body cannot be read.");
    };
    let inside = error.path().to_string();
    let (member, what) = describe(error.inner());
    let mut path = at.to_string();
    for part in [inside.as_str(), member.as_deref().unwrap_or_default()] {
        match part {
            "" | "." => {}
            part if path.is_empty() || part.starts_with('[') => path.push_str(part),
            part => {
                path.push('.');
                path.push_str(part);
            }
        }
    }
    match path.is_empty() {
        true => Refusal::validation(format!("The request body {what}.")),
        false => Refusal::parameter(path, &what),
    }
}

/// What serde says, without anything that the client wrote: the member that is missing or there twice, and what is wrong.
fn describe(error: &known::Error) -> (Option<String>, String) {
    if !error.is_data() {
        return (None, "is not valid JSON".to_owned());
    }
    let error = error.to_string();
    let quoted = |rest: &str| rest.trim_matches('`').to_owned();
    if let Some(member) = error.strip_prefix("missing field ") {
        return (Some(quoted(member)), "is missing".to_owned());
    }
    if let Some(member) = error.strip_prefix("duplicate field ") {
        return (Some(quoted(member)), "occurs twice".to_owned());
    }
    // What follows the last of these is ours, what stands before may be the client's.
    match error.rsplit_once("expected ") {
        Some((_, "valid JSON")) => (None, "is not valid JSON".to_owned()),
        Some((_, expected)) => (None, format!("must be {expected}")),
        None => (None, "is not valid".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::text::Text;
    use serde_json::value::RawValue;

    #[derive(Debug, Deserialize)]
    #[allow(dead_code)]
    struct Outer<'a> {
        #[serde(borrow)]
        items: Vec<Inner<'a>>,
        #[serde(borrow, default)]
        raw: Option<&'a RawValue>,
    }

    #[derive(Debug, Deserialize)]
    #[allow(dead_code)]
    struct Inner<'a> {
        #[serde(borrow)]
        name: Text<'a>,
        #[serde(default)]
        strict: Option<bool>,
    }

    fn refused(text: &str) -> (Option<String>, String) {
        let refusal = parse::<Outer>(text).unwrap_err();
        assert_eq!(refusal.status, 400);
        (
            refusal.param.map(String::from),
            refusal.message.into_owned(),
        )
    }

    #[test]
    fn the_parameter_is_named() {
        for (text, param, message) in [
            (
                r#"{"items":[{"name":"a"},{"name":7}]}"#,
                "items[1].name",
                "\"items[1].name\" must be a string.",
            ),
            (
                r#"{"items":[{"name":"a","strict":"secret expected x"}],"raw":[1]}"#,
                "items[0].strict",
                "\"items[0].strict\" must be a boolean.",
            ),
            (
                r#"{"items":[{}]}"#,
                "items[0].name",
                "\"items[0].name\" is missing.",
            ),
            (r#"{"raw":1}"#, "items", "\"items\" is missing."),
            (
                r#"{"items":[],"items":[]}"#,
                "items",
                "\"items\" occurs twice.",
            ),
            (
                r#"{"items":[{"name":"\ud800"}]}"#,
                "items[0].name",
                "\"items[0].name\" is not valid JSON.",
            ),
        ] {
            assert_eq!(
                refused(text),
                (Some(param.to_owned()), message.to_owned()),
                "{text}"
            );
        }
    }
}
