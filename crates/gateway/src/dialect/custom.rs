//! OpenAI's `custom` tools, whose input is text and no JSON. Bedrock has none, so each becomes a tool with one member, `input`,
//! and what is called with that member comes back as text.
//! <https://platform.openai.com/docs/guides/function-calling#custom-tools>

use memchr::memchr2;
use ring::digest::{SHA256, digest};

use crate::json::cursor::Cursor;
use crate::json::text::Literal;

/// The schema of every custom tool.
pub const SCHEMA: &str =
    r#"{"type":"object","properties":{"input":{"type":"string"}},"required":["input"]}"#;

/// The tools of a request that are custom ones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Customs {
    /// Of the names that Bedrock has for them, in order; a request may have a million.
    hashes: Vec<u64>,
}

impl Customs {
    /// One more, by the name that Bedrock has for it.
    pub fn add(&mut self, name: &str) {
        self.hashes.push(hash(name));
    }

    /// All are known.
    pub fn settle(&mut self) {
        self.hashes.sort_unstable();
        self.hashes.dedup();
        self.hashes.shrink_to_fit();
    }

    /// Whether the tool that Bedrock calls so is one.
    pub fn has(&self, name: &str) -> bool {
        !self.hashes.is_empty() && self.hashes.binary_search(&hash(name)).is_ok()
    }
}

/// A number that stands for a name: no two names share one by chance.
pub fn hash(name: &str) -> u64 {
    let digest = digest(&SHA256, name.as_bytes());
    let first = digest.as_ref().first_chunk().copied();
    u64::from_be_bytes(first.unwrap_or_default())
}

/// What a custom tool is for, with the grammar that its input keeps to.
pub fn described(description: &str, grammar: Option<(&str, &str)>) -> String {
    let Some((syntax, definition)) = grammar else {
        return description.to_owned();
    };
    let said = format!("The input is text that keeps to this grammar ({syntax}):\n{definition}");
    match description {
        "" => said,
        description => format!("{description}\n\n{said}"),
    }
}

/// What a custom tool is called with: the text in a whole `input`. A model that keeps to no schema is taken at its word.
pub fn text_of(input: &str) -> String {
    let mut unwrapping = Unwrapping::default();
    let mut text = String::new();
    unwrapping.take(input, &mut text);
    unwrapping.end(&mut text);
    text
}

/// Takes the text out of the JSON of an input that comes in pieces, cut wherever.
#[derive(Debug, Default)]
pub struct Unwrapping {
    state: State,
    /// What has come before it is clear what it is; up to [`MOST_BEFORE`] bytes.
    before: String,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// Before the text.
    #[default]
    Before,
    /// In it.
    Inside,
    /// After a backslash.
    Escape,
    /// In a `\u`: its digits so far, how many, and what came in one before.
    Unicode(u32, u8, Option<u16>),
    /// After the first half of a pair.
    Half(u16),
    /// The same, after a backslash.
    HalfEscape(u16),
    /// After it.
    After,
    /// It is no such input, and goes on as it is.
    Other,
}

impl Unwrapping {
    /// Takes the next piece, and appends what it says to `text`.
    pub fn take(&mut self, piece: &str, text: &mut String) {
        let mut rest = piece;
        if self.state == State::Before {
            self.before.push_str(piece);
            let Some(start) = start_of_text(&self.before) else {
                if self.before.len() > MOST_BEFORE || !may_be_input(&self.before) {
                    self.state = State::Other;
                    text.push_str(&std::mem::take(&mut self.before));
                }
                return;
            };
            self.state = State::Inside;
            // What belongs to the text came with this piece.
            let came = self.before.len() - start;
            self.before = String::new();
            rest = piece.get(piece.len() - came..).unwrap_or_default();
        }
        while !rest.is_empty() {
            rest = self.step(rest, text);
        }
    }

    /// No more comes.
    pub fn end(&mut self, text: &mut String) {
        match self.state {
            State::Before => text.push_str(&std::mem::take(&mut self.before)),
            State::Half(_) | State::HalfEscape(_) => text.push(char::REPLACEMENT_CHARACTER),
            _ => {}
        }
        self.state = State::After;
    }

    fn step<'p>(&mut self, rest: &'p str, text: &mut String) -> &'p str {
        let Some(first) = rest.chars().next() else {
            return "";
        };
        let after = rest.get(first.len_utf8()..).unwrap_or_default();
        match self.state {
            State::Before | State::Other => {
                text.push_str(rest);
                return "";
            }
            State::After => return "",
            State::Inside => {
                let plain = memchr2(b'"', b'\\', rest.as_bytes()).unwrap_or(rest.len());
                if plain == 0 {
                    self.state = match first {
                        '"' => State::After,
                        _ => State::Escape,
                    };
                    return after;
                }
                let (plain, after) = rest.split_at(plain);
                text.push_str(plain);
                return after;
            }
            State::Half(_) if first != '\\' => {
                text.push(char::REPLACEMENT_CHARACTER);
                self.state = State::Inside;
                return rest;
            }
            State::Half(high) => self.state = State::HalfEscape(high),
            State::HalfEscape(_) if first != 'u' => {
                text.push(char::REPLACEMENT_CHARACTER);
                self.state = State::Escape;
                return rest;
            }
            State::HalfEscape(high) => self.state = State::Unicode(0, 0, Some(high)),
            State::Escape => self.escape(first, text),
            State::Unicode(code, digits, high) => {
                let code = code * 16 + first.to_digit(16).unwrap_or(0);
                self.state = match digits {
                    3 => unit(u16::try_from(code).unwrap_or(0), high, text),
                    _ => State::Unicode(code, digits + 1, high),
                };
            }
        }
        after
    }

    fn escape(&mut self, sign: char, text: &mut String) {
        self.state = State::Inside;
        match sign {
            'u' => self.state = State::Unicode(0, 0, None),
            'b' => text.push('\u{8}'),
            'f' => text.push('\u{c}'),
            'n' => text.push('\n'),
            'r' => text.push('\r'),
            't' => text.push('\t'),
            same => text.push(same),
        }
    }
}

/// What one `\u` says, after the first half of a pair, if there was one; and what comes next.
fn unit(unit: u16, high: Option<u16>, text: &mut String) -> State {
    if let Some(high) = high {
        let pair = char::decode_utf16([high, unit]).next();
        if let Some(Ok(character)) = pair {
            text.push(character);
            return State::Inside;
        }
        text.push(char::REPLACEMENT_CHARACTER);
    }
    if (0xd800..0xdc00).contains(&unit) {
        return State::Half(unit);
    }
    text.push(char::from_u32(u32::from(unit)).unwrap_or(char::REPLACEMENT_CHARACTER));
    State::Inside
}

/// Where the text of `{"input":"…` begins, once that much is there.
fn start_of_text(json: &str) -> Option<usize> {
    let mut cursor = Cursor::new(json);
    cursor.open().ok()?;
    let name = cursor.member().ok()??;
    let start = cursor.position();
    (name == "input" && json.get(start..)?.starts_with('"')).then_some(start + 1)
}

/// Whether this may become such an input.
fn may_be_input(json: &str) -> bool {
    let mut signs = json.chars().filter(|sign| !sign.is_ascii_whitespace());
    let mut wanted = "{\"input\":\"".chars();
    signs.all(|sign| wanted.next() == Some(sign))
}

/// No more stands before a text than its name, and blanks.
const MOST_BEFORE: usize = 1024;

/// JSON text for the string in `literal`, which an input is to have.
pub fn wrapped(literal: Literal<'_>) -> String {
    format!("{{\"input\":{}}}", literal.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn in_pieces(json: &str, cuts: &[usize]) -> String {
        let mut unwrapping = Unwrapping::default();
        let mut text = String::new();
        let mut from = 0;
        for cut in cuts.iter().copied().chain([json.len()]) {
            let cut = json.floor_char_boundary(cut.max(from));
            unwrapping.take(&json[from..cut], &mut text);
            from = cut;
        }
        unwrapping.end(&mut text);
        text
    }

    #[test]
    fn the_text_is_taken_out_however_it_is_cut() {
        for (json, text) in [
            (
                r#"{"input":"*** Begin Patch\n\"é\" \\ \/ \u00e9\ud83e\udd80\t"}"#,
                "*** Begin Patch\n\"é\" \\ / é🦀\t",
            ),
            (" {\n \"input\" : \"a\" , \"more\": 1 } ", "a"),
            (r#"{"input":""}"#, ""),
            (
                r#"{"input":"\ud83ex\ud83e\n\udd80"}"#,
                "\u{fffd}x\u{fffd}\n\u{fffd}",
            ),
            (r#"{"input":"\ud83e"}"#, "\u{fffd}"),
            // A model that keeps to no schema is taken at its word.
            (r#"{"patch":"a"}"#, r#"{"patch":"a"}"#),
            (r#"{"input":7}"#, r#"{"input":7}"#),
            (r#"{"inputs":"a"}"#, r#"{"inputs":"a"}"#),
            ("plain", "plain"),
            ("{}", "{}"),
            ("", ""),
            // One that broke off.
            (r#"{"input":"a\"#, "a"),
            (r#"{"inp"#, r#"{"inp"#),
        ] {
            assert_eq!(text_of(json), text);
            for first in 0..=json.len() {
                for second in first..=json.len() {
                    assert_eq!(
                        in_pieces(json, &[first, second]),
                        text,
                        "{json} cut at {first}, {second}"
                    );
                }
            }
        }
    }

    proptest! {
        #[test]
        fn any_text_comes_back(text in any::<String>(), cuts in prop::collection::vec(0usize..60, 0..5)) {
            let json = wrapped(Literal(&serde_json::Value::from(text.as_str()).to_string()));
            let mut cuts = cuts;
            cuts.sort_unstable();
            prop_assert_eq!(in_pieces(&json, &cuts), text.clone());
            let spelt: String = text.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
            prop_assert_eq!(in_pieces(&format!("{{\"input\":\"{spelt}\"}}"), &cuts), text);
        }
    }

    #[test]
    fn customs_are_known_by_their_names() {
        let mut customs = Customs::default();
        assert!(!customs.has("a"));
        for name in ["b", "a", "b"] {
            customs.add(name);
        }
        customs.settle();
        assert!(customs.has("a") && customs.has("b") && !customs.has("c"));
    }

    #[test]
    fn a_grammar_is_told_in_words() {
        assert_eq!(described("Edits.", None), "Edits.");
        assert_eq!(
            described("Edits.", Some(("lark", "start: a"))),
            "Edits.\n\nThe input is text that keeps to this grammar (lark):\nstart: a"
        );
        assert!(described("", Some(("regex", "a+"))).starts_with("The input"));
    }
}
