//! The tools of a request by the names that Bedrock has for them. Those of a namespace become `namespace__name`, because
//! Bedrock has no namespaces.

use std::collections::{BTreeMap, BTreeSet};

use crate::bedrock::converse::names::Names;
use crate::bedrock::converse::strings::{Part, Str, Strings};
use crate::dialect::custom::{Customs, hash};

/// What answers have to know of the tools.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tools {
    /// Names that Bedrock would not take.
    pub names: Names,
    /// Tools whose input is text.
    pub customs: Customs,
    /// Of names with a namespace: their hashes, in order, and how long the namespace is.
    spaces: Vec<(u64, u32)>,
    /// Whether the client searches for tools.
    pub searches: bool,
}

/// What a call is, for the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Called<'n> {
    /// Of a function.
    Function {
        /// Its name.
        name: &'n str,
        /// Where that counts.
        namespace: Option<&'n str>,
    },
    /// Of a tool whose input is text.
    Custom {
        /// Its name.
        name: &'n str,
        /// Where that counts.
        namespace: Option<&'n str>,
    },
    /// The search for tools.
    Search,
}

impl Tools {
    /// What the tool is that Bedrock calls so.
    pub fn called<'n>(&'n self, name: &'n str) -> Called<'n> {
        if self.searches && name == SEARCH {
            return Called::Search;
        }
        let full = self.names.for_client(name);
        let (namespace, own) = self
            .parted(full)
            .map_or((None, full), |(space, own)| (Some(space), own));
        match self.customs.has(name) {
            true => Called::Custom {
                name: own,
                namespace,
            },
            false => Called::Function {
                name: own,
                namespace,
            },
        }
    }

    fn parted<'n>(&self, full: &'n str) -> Option<(&'n str, &'n str)> {
        if self.spaces.is_empty() {
            return None;
        }
        let wanted = hash(full);
        let place = self
            .spaces
            .binary_search_by_key(&wanted, |(known, _)| *known)
            .ok()?;
        let length = self.spaces.get(place)?.1 as usize;
        let own = full.get(length..)?.strip_prefix(BETWEEN)?;
        Some((full.get(..length)?, own))
    }
}

/// The tools as they are read.
#[derive(Debug, Default)]
pub(super) struct Offer {
    /// What answers have to know of them.
    pub tools: Tools,
    /// The hash of each name. Of a million, a table would keep as much room free, and need both while it grows.
    known: BTreeSet<u64>,
    /// Of those with a namespace, how long that is.
    spaced: BTreeMap<u64, u32>,
}

/// Whether a name is free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Free,
    /// The same tool was offered before.
    Again,
    /// Another tool has this name.
    Taken,
}

impl Offer {
    /// Takes a name for a tool of this namespace.
    pub fn take(&mut self, namespace: Option<Str>, full: Str, strings: &Strings<'_>) -> Place {
        let length = namespace.map_or(0, |namespace| strings.text(namespace).len());
        let length = u32::try_from(length).unwrap_or(u32::MAX);
        let hash = hash(&strings.text(full));
        if self.known.insert(hash) {
            if length > 0 {
                self.spaced.insert(hash, length);
            }
            return Place::Free;
        }
        match self.spaced.get(&hash).copied().unwrap_or(0) == length {
            true => Place::Again,
            false => Place::Taken,
        }
    }

    /// All are known.
    pub fn settled(mut self) -> Tools {
        self.known = BTreeSet::new();
        self.tools.names.settle();
        self.tools.customs.settle();
        self.tools.spaces = self.spaced.into_iter().collect();
        self.tools
    }
}

/// The name of a tool of a namespace, as Bedrock has no such.
pub(super) fn full_name(namespace: Option<Str>, name: Str, strings: &mut Strings<'_>) -> Str {
    match namespace.filter(|namespace| !strings.escaped(*namespace).is_empty()) {
        None => name,
        Some(namespace) => {
            strings.add_joined(&[Part::Of(namespace), Part::New(BETWEEN), Part::Of(name)])
        }
    }
}

const BETWEEN: &str = "__";
/// The tool that searches for tools.
pub(super) const SEARCH: &str = "tool_search";
