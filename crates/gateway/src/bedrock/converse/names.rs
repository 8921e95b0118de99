//! Ids and names of tools that Bedrock would not take, made into ones that it does: always the same for the same original,
//! and never the same for two.
//! <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ToolUseBlock.html>

use std::borrow::Cow;
use std::collections::HashMap;

use ring::digest::{SHA256, digest};

use super::strings::{Str, Strings};

/// The tools that go by another name at Bedrock.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// The client's name of each, by Bedrock's.
    renamed: HashMap<String, String>,
}

impl Names {
    /// A tool's name for Bedrock.
    pub fn for_bedrock<'a>(&mut self, name: Cow<'a, str>) -> Cow<'a, str> {
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        if is_legal(&name, legal) {
            return name;
        }
        let changed = changed(&name, legal);
        self.renamed
            .entry(changed.clone())
            .or_insert_with(|| name.into_owned());
        Cow::Owned(changed)
    }

    /// The same for a string of a request.
    pub fn in_request(&mut self, name: Str, strings: &mut Strings<'_>) -> Str {
        let changed = match self.for_bedrock(strings.text(name)) {
            Cow::Owned(changed) => changed,
            Cow::Borrowed(_) => return name,
        };
        strings.add(&changed)
    }

    /// The client's name of a tool that Bedrock calls `name`.
    pub fn for_client<'n>(&'n self, name: &'n str) -> &'n str {
        self.renamed.get(name).map_or(name, String::as_str)
    }
}

/// The id of a tool's use for Bedrock.
pub fn id_for_bedrock(id: Cow<'_, str>) -> Cow<'_, str> {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte);
    match is_legal(&id, legal) {
        true => id,
        false => Cow::Owned(changed(&id, legal)),
    }
}

/// The same for a string of a request.
pub fn id_in_request(id: Str, strings: &mut Strings<'_>) -> Str {
    let changed = match id_for_bedrock(strings.text(id)) {
        Cow::Owned(changed) => changed,
        Cow::Borrowed(_) => return id,
    };
    strings.add(&changed)
}

fn is_legal(name: &str, legal: impl Fn(u8) -> bool) -> bool {
    !name.is_empty() && name.len() <= 64 && name.bytes().all(legal)
}

/// Each bad character becomes `_`; what is left of 55 of them, `_`, and 8 hex digits of the original's SHA-256.
fn changed(name: &str, legal: impl Fn(u8) -> bool) -> String {
    let mut changed: String = name
        .chars()
        .map(|character| match u8::try_from(character) {
            Ok(byte) if byte.is_ascii() && legal(byte) => character,
            _ => '_',
        })
        .take(55)
        .collect();
    changed.push('_');
    for byte in digest(&SHA256, name.as_bytes()).as_ref().iter().take(4) {
        changed.push_str(&format!("{byte:02x}"));
    }
    changed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_that_bedrock_takes_stay() {
        for id in ["tooluse_aB-9.x:1", "call_1"] {
            assert!(matches!(id_for_bedrock(id.into()), Cow::Borrowed(same) if same == id));
        }
    }

    #[test]
    fn others_are_changed_the_same_way_each_time() {
        // echo -n 'call|1' | sha256sum
        assert_eq!(id_for_bedrock("call|1".into()), "call_1_c26e9779");
        let long = "x".repeat(65);
        let changed = id_for_bedrock(long.as_str().into());
        assert_eq!(changed.len(), 64);
        assert!(changed.starts_with(&format!("{}_", "x".repeat(55))));
        assert_ne!(id_for_bedrock("a|b".into()), id_for_bedrock("a/b".into()));
        assert_eq!(id_for_bedrock("é".into()).len(), 10);
    }

    #[test]
    fn tools_are_found_again_by_their_own_names() {
        let mut names = Names::default();
        assert_eq!(names.for_bedrock("get_weather".into()), "get_weather");
        let changed = names.for_bedrock("server.tool".into()).into_owned();
        assert_eq!(names.for_bedrock("server.tool".into()), changed);
        assert_eq!(names.for_client(&changed), "server.tool");
        assert_eq!(names.for_client("get_weather"), "get_weather");
    }
}
