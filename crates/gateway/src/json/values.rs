//! The strings that stand as values in a JSON text, and which of them certain members hold.

use memchr::memchr;

use super::members::{string_at, trimmed};
use super::text::Literal;

/// What a member is to who looks for strings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Its strings are wanted: its value, or the elements of that.
    Wanted,
    /// Its string is wanted if it stands in an object that is wanted, or in an array of such.
    Part,
    /// It is not looked into.
    PassedOver,
    /// Any other.
    Other,
}

/// Gives `found` each string that is a value, and whether it is wanted, until that says to stop. `kind` is asked with a member's
/// name, and how deep it stands: 1 in an object that is the whole. Walks the text once, without
/// recursion, and needs 8 bytes for each wanted member that another stands in; what is no JSON is no matter.
pub fn strings_by_member<'a, T>(
    json: &'a str,
    kind: impl Fn(&str, usize) -> Kind,
    mut found: impl FnMut(bool, Literal<'a>) -> Option<T>,
) -> Option<T> {
    let mut rest = json;
    let mut depth = 0usize;
    // Wanted members that are open, and the last of the others, by the depth of the objects that they stand in.
    let mut wanted: Vec<usize> = Vec::new();
    let mut last: Option<(usize, Kind)> = None;
    while let Some(start) = memchr(b'"', rest.as_bytes()) {
        let (between, after) = rest.split_at_checked(start)?;
        for byte in between.bytes() {
            match byte {
                b'{' | b'[' => depth += 1,
                b'}' | b']' => {
                    depth = depth.saturating_sub(1);
                    last = last.filter(|(at, _)| *at <= depth);
                    wanted.pop_if(|at| *at > depth);
                }
                _ => {}
            }
        }
        let literal = string_at(after)?;
        rest = after.get(literal.len()..)?;
        let is_name = trimmed(rest).starts_with(':');
        if let Some((at, Kind::PassedOver)) = last
            && (depth > at || !is_name)
        {
            continue;
        }
        if is_name {
            // The next member of this object: the one before has ended.
            wanted.pop_if(|at| *at == depth);
            let kind = kind(&Literal(literal).decode(), depth);
            last = match kind {
                Kind::Wanted => {
                    wanted.push(depth);
                    None
                }
                _ => Some((depth, kind)),
            };
            continue;
        }
        let within = |near: usize| wanted.last().is_some_and(|at| near - at.min(&near) <= 2);
        let is_wanted = match last {
            Some((at, Kind::Part)) => at == depth && within(at),
            Some(_) => false,
            None => !wanted.is_empty(),
        };
        if let Some(what) = found(is_wanted, Literal(literal)) {
            return Some(what);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(json: &str) -> String {
        let kind = |name: &str, _| match name {
            "w" => Kind::Wanted,
            "p" => Kind::Part,
            "skip" => Kind::PassedOver,
            _ => Kind::Other,
        };
        let mut all = Vec::new();
        strings_by_member(json, kind, |wanted, value| {
            all.push(format!(
                "{}{}",
                if wanted { "" } else { "-" },
                value.decode()
            ));
            None::<()>
        });
        all.join(" ")
    }

    #[test]
    fn what_members_hold_is_found_at_any_depth() {
        for (json, expected) in [
            (r#"{"w":"1"}"#, "1"),
            (r#"{"a":"1","w":"2","b":"3"}"#, "-1 2 -3"),
            (
                r#"{"w":["1",["2"],{"a":"3","w":"4"},"5"],"d":"6"}"#,
                "1 2 -3 4 5 -6",
            ),
            (r#"{"w":{"p":"1","a":"2"},"p":"3"}"#, "1 -2 -3"),
            (r#"{"w":[{"p":"1"},{"a":{"p":"2"}}]}"#, "1 -2"),
            (r#"{"w":[{"w":[]},"1"],"a":"2"}"#, "1 -2"),
            (r#"{"a":{"b":{"w":"1"},"d":"2"},"e":"3"}"#, "1 -2 -3"),
            (r#"{"\u0077" : "x\":\"y"}"#, "x\":\"y"),
            (r#"{"skip":"1","w":"2"}"#, "2"),
            (r#"{"skip":{"w":"1","b":["2",{"w":"3"}]},"w":"4"}"#, "4"),
            (r#"{"skip":["1"],"w":["2"]}"#, "2"),
            (r#"[{"a":{"skip":[{"w":"1"}]}},{"w":"2"}]"#, "2"),
            (r#"{"w":[{"skip":"1"},"2"]}"#, "2"),
            (r#"{"w":[{"skip":{}},"2"],"skip":[[["3"]]],"w":"4"}"#, "2 4"),
            (r#"{"sk\u0069p":{"w":"1"},"w":"2"}"#, "2"),
            (r#"["1"]"#, "-1"),
            (r#"}}]]{"w":"1"}"#, "1"),
            (r#"{"w":"1"#, ""),
            ("", ""),
        ] {
            assert_eq!(found(json), expected, "{json}");
        }
    }

    #[test]
    fn depth_costs_no_more_than_length() {
        let deep = format!("{}\"x\"", r#"{"w":["#.repeat(200_000));
        assert_eq!(found(&deep), "x");
    }
}
