//! What a request is sent to: its path and query, read once. What is checked, sent, signed and logged goes by this reading.

use crate::bedrock::path::{decode_once, percent_encode};

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

    /// The query, without its `?`, as it came.
    pub fn query(&self) -> Option<&str> {
        self.text.get(self.path_length + 1..)
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

/// The path of `raw`, a target as it came, from where nginx's `rewritten`, decoded path begins in it; if that is no end of it,
/// what [`of_decoded_path`] makes of it. So a slash that was percent-encoded stays so where only a prefix was taken off.
pub fn of_rewritten(raw: &str, rewritten: &str) -> String {
    let path = path_of(raw);
    let rests = path.match_indices('/').filter_map(|(at, _)| path.get(at..));
    let mut ends =
        rests.filter(|rest| decode_once(rest).is_some_and(|decoded| decoded == rewritten));
    ends.next()
        .map_or_else(|| of_decoded_path(rewritten), str::to_owned)
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
    fn a_rewritten_path_keeps_what_was_encoded() {
        for (raw, rewritten, path) in [
            (
                "/aws/kb/arn%3Aa%2Fb/x?q",
                "/kb/arn:a/b/x",
                "/kb/arn%3Aa%2Fb/x",
            ),
            ("/a/b", "/a/b", "/a/b"),
            ("/a/b", "/c d", "/c%20d"),
            ("/a/%zz", "/b", "/b"),
        ] {
            assert_eq!(of_rewritten(raw, rewritten), path);
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
