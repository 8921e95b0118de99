//! Cohere's Rerank, through InvokeModel in the form of each vendor that has such models. No answer of it is a stream.
//! <https://docs.cohere.com/reference/rerank>

pub mod error;
pub mod request;
pub mod response;

/// What the request said about its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reply {
    /// The version of the API, as its answers name it.
    version: &'static str,
    /// How many documents there are.
    documents: usize,
    /// The documents as the client sent them, an array, if it wants to have them back.
    returned: Option<Box<str>>,
}

/// Whether a path is one of this dialect by itself.
pub fn is_path(path: &str) -> bool {
    let path = path.strip_suffix('/').unwrap_or(path);
    VERSIONS.iter().any(|(end, _)| path.ends_with(end))
}

/// The version that `path` is of: the second, unless it names the first.
fn version(path: &str) -> &'static str {
    let path = path.strip_suffix('/').unwrap_or(path);
    let named = VERSIONS.iter().find(|(end, _)| path.ends_with(end));
    named.map_or("2", |(_, version)| version)
}

const VERSIONS: [(&str, &str); 2] = [("/v1/rerank", "1"), ("/v2/rerank", "2")];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_shows_its_version() {
        for (path, expected) in [
            ("/v1/rerank", Some("1")),
            ("/v2/rerank", Some("2")),
            ("/team/v1/rerank/", Some("1")),
            ("/rerank", None),
            ("/v3/rerank", None),
            ("/v1/reranks", None),
            ("/v1/rerank/x", None),
        ] {
            assert_eq!(is_path(path), expected.is_some(), "{path}");
            assert_eq!(version(path), expected.unwrap_or("2"), "{path}");
        }
    }
}
