//! What a request is sent to: its path and query, read once. What is checked, sent, signed and logged goes by this reading.

use crate::bedrock::path::percent_encode;

/// The target of a request, as nginx reads it: the query begins at the first `?`, and what follows `#` is part of neither.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    text: String,
    path_length: usize,
}

impl Target {
    /// Reads a target as it stands in the request line.
    pub fn read(target: &str) -> Self {
        let text = path_and_query(target);
        Self {
            text: text.to_owned(),
            path_length: text.find('?').unwrap_or(text.len()),
        }
    }

    /// The path, encoded as it came.
    pub fn path(&self) -> &str {
        self.text.get(..self.path_length).unwrap_or_default()
    }

    /// The path from byte `start` on, and the query as it came.
    pub fn from(&self, start: usize) -> &str {
        self.text.get(start..).unwrap_or_default()
    }
}

/// The path alone of a target as it stands in the request line.
pub fn path_of(target: &str) -> &str {
    path_and_query(target).split('?').next().unwrap_or_default()
}

fn path_and_query(target: &str) -> &str {
    target.split('#').next().unwrap_or_default()
}

/// The target that stands for a path which nginx has decoded: every character of it is part of the path, a `?` too.
pub fn of_decoded_path(path: &str) -> String {
    let mut target = String::with_capacity(path.len());
    percent_encode(path, "/:!$&'()*+,;=@", &mut target);
    target
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn query_and_fragment_are_cut_where_nginx_cuts_them() {
        for (target, path, rest) in [
            ("/a/b", "/a/b", "/b"),
            ("/a/b?c=/d?e", "/a/b", "/b?c=/d?e"),
            ("/a/b#/c?d", "/a/b", "/b"),
            ("/a/b?c#d", "/a/b", "/b?c"),
            ("/a/b?", "/a/b", "/b?"),
            ("", "", ""),
            ("?x", "", ""),
        ] {
            let read = Target::read(target);
            assert_eq!((read.path(), path_of(target)), (path, path), "{target}");
            assert_eq!(read.from(2), rest, "{target}");
        }
    }

    #[test]
    fn a_decoded_path_has_no_query() {
        for (path, target) in [
            ("/model/a:0/converse", "/model/a:0/converse"),
            ("/a?b#c d%", "/a%3Fb%23c%20d%25"),
            ("/a\r\né", "/a%0D%0A%C3%A9"),
        ] {
            assert_eq!(of_decoded_path(path), target);
            assert_eq!(Target::read(target).path(), target);
        }
    }
}
