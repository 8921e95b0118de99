//! Names of tools that Bedrock would not take, made into ones that it does: always the same for the same original,
//! and never the same for two.
//! <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ToolUseBlock.html>

use std::borrow::Cow;

use ring::digest::{SHA256, digest};

use super::runs::{grow, make_room};
use super::strings::{Str, Strings};

/// The tools that go by another name at Bedrock. They are kept as long as the answer takes, so in little memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// The clients' names, one after the other.
    originals: String,
    /// The hash that ends Bedrock's name, and where the client's stands; in order once all are known.
    places: Vec<Place>,
}

/// The hash, and from where to where the name stands.
type Place = (u32, u32, u32);

impl Names {
    /// The name for Bedrock of a tool that may be called.
    pub fn of_tool(&mut self, name: Str, strings: &mut Strings<'_>) -> Str {
        let text = strings.text(name);
        if is_legal(&text, legal_in_name) {
            return name;
        }
        let from = self.originals.len();
        make_room(&mut self.originals, text.len());
        self.originals.push_str(&text);
        let place = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        grow(&mut self.places);
        self.places
            .push((hash(&text), place(from), place(self.originals.len())));
        name_in_request(name, strings)
    }

    /// All are known.
    pub fn settle(&mut self) {
        self.places.sort_unstable();
        let originals = &self.originals;
        let original = |place: &Place| originals.get(place.1 as usize..place.2 as usize);
        self.places
            .dedup_by(|one, other| one.0 == other.0 && original(one) == original(other));
        self.places.shrink_to_fit();
        self.originals.shrink_to_fit();
    }

    /// The client's name of a tool that Bedrock calls `name`.
    pub fn for_client<'n>(&'n self, name: &'n str) -> &'n str {
        self.find(name).unwrap_or(name)
    }

    fn find(&self, name: &str) -> Option<&str> {
        let hash = name.get(name.len().checked_sub(HASH)?..)?;
        let hash = u32::from_str_radix(hash, 16).ok()?;
        let first = self.places.partition_point(|place| place.0 < hash);
        let places = self.places.get(first..)?.iter();
        places
            .take_while(|place| place.0 == hash)
            .filter_map(|(_, from, to)| self.originals.get(*from as usize..*to as usize))
            .find(|original| changed(original, legal_in_name) == name)
    }
}

/// A tool's name for Bedrock.
pub fn name_for_bedrock(name: Cow<'_, str>) -> Cow<'_, str> {
    match is_legal(&name, legal_in_name) {
        true => name,
        false => Cow::Owned(changed(&name, legal_in_name)),
    }
}

/// The same for a string of a request.
pub fn name_in_request(name: Str, strings: &mut Strings<'_>) -> Str {
    let changed = match name_for_bedrock(strings.text(name)) {
        Cow::Owned(changed) => changed,
        Cow::Borrowed(_) => return name,
    };
    strings.add(&changed)
}

fn legal_in_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_".contains(&byte)
}

/// Whether a name or id consists of legal signs, and not of too many.
pub fn is_legal(name: &str, legal: impl Fn(u8) -> bool) -> bool {
    !name.is_empty() && name.len() <= 64 && name.bytes().all(legal)
}

/// Each bad character becomes `_`; what is left of 55 of them, `_`, and 8 hex digits of the original's SHA-256.
pub fn changed(name: &str, legal: impl Fn(u8) -> bool) -> String {
    let mut changed: String = name
        .chars()
        .map(|character| match u8::try_from(character) {
            Ok(byte) if byte.is_ascii() && legal(byte) => character,
            _ => '_',
        })
        .take(55)
        .collect();
    changed.push_str(&format!("_{:08x}", hash(name)));
    changed
}

/// The first 4 bytes of its SHA-256.
fn hash(name: &str) -> u32 {
    let digest = digest(&SHA256, name.as_bytes());
    let first = digest.as_ref().first_chunk().copied();
    u32::from_be_bytes(first.unwrap_or_default())
}

/// Its hex digits.
const HASH: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tools_are_found_again_by_their_own_names() {
        let (mut names, mut strings) = (Names::default(), Strings::new(""));
        let mut of_tool = |name: &str| {
            let given = strings.add(name);
            let changed = names.of_tool(given, &mut strings);
            strings.text(changed).into_owned()
        };
        assert_eq!(of_tool("get_weather"), "get_weather");
        let changed = of_tool("server.tool");
        let other = of_tool("server/tool");
        assert_eq!(of_tool("server.tool"), changed);
        assert_eq!(changed, name_for_bedrock("server.tool".into()));
        assert!(changed.starts_with("server_tool_"));
        names.settle();
        assert_eq!(names.places.len(), 2);
        assert_eq!(names.for_client(&changed), "server.tool");
        assert_eq!(names.for_client(&other), "server/tool");
        for other in ["get_weather", "", "é", "x_00000000", "server_tool_zzzzzzzz"] {
            assert_eq!(names.for_client(other), other);
        }
    }
}
