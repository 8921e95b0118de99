//! Reading a client's JSON into what a dialect knows of it, with errors that name the parameter.

use serde::Deserialize;

use crate::refusal::Refusal;

/// Reads a body.
///
/// # Errors
/// 400 that names the first parameter that is not what it should be, and never what stands there instead: it may be a
/// prompt.
pub fn parse<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, Refusal> {
    serde_json::from_str(text).map_err(|_| refusal::<T>(text))
}

/// Reads again, this time keeping in mind where.
fn refusal<'a, T: Deserialize<'a>>(text: &'a str) -> Refusal {
    let mut json = serde_json::Deserializer::from_str(text);
    match serde_path_to_error::deserialize::<_, T>(&mut json) {
        Ok(_) => Refusal::validation("The request body cannot be read."),
        Err(error) => {
            let path = error.path().to_string();
            let (member, what) = describe(error.inner());
            let path = match (path.as_str(), member) {
                (".", None) => return Refusal::validation(format!("The request body {what}.")),
                (".", Some(member)) => member,
                (path, None) => path.to_owned(),
                (path, Some(member)) => format!("{path}.{member}"),
            };
            Refusal::parameter(path, &what)
        }
    }
}

/// What serde says, without anything that the client wrote: the member that is missing or there twice, and what is wrong.
fn describe(error: &serde_json::Error) -> (Option<String>, String) {
    if !error.is_data() {
        return (None, "is not valid JSON".to_owned());
    }
    let error = error.to_string();
    let error = error
        .rsplit_once(" at line ")
        .map_or(error.as_str(), |(what, _)| what);
    let quoted = |rest: &str| rest.trim_matches('`').to_owned();
    if let Some(member) = error.strip_prefix("missing field ") {
        return (Some(quoted(member)), "is missing".to_owned());
    }
    if let Some(member) = error.strip_prefix("duplicate field ") {
        return (Some(quoted(member)), "occurs twice".to_owned());
    }
    // What follows the last of these is ours, what stands before may be the client's.
    match error.rsplit_once("expected ") {
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
        (refusal.param, refusal.message.into_owned())
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
