//! What sets of counters are told apart by.

/// How many labels an operator may add.
pub const MOST_LABELS: usize = 3;
/// Bytes of the name of such a label.
pub const LONGEST_LABEL_NAME: usize = 32;

/// Bytes of a model id that are kept: the longest ARN of Bedrock's is shorter.
const LONGEST_MODEL: usize = 128;
/// Bytes of any other value that are kept.
const LONGEST_VALUE: usize = 64;
/// Stands between values, and in none of them.
const BETWEEN: char = '\u{1f}';
/// What is put in the place of a value that has no counters of its own.
pub const OTHER: &str = "other";

/// The labels of a request, as one text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Labels {
    text: String,
    model: usize,
}

impl Labels {
    /// Of a call of `model` by `operation`, for a client that speaks `api`. What is unknown is empty.
    pub fn new(model: &str, api: &str, operation: &str) -> Self {
        let mut text = String::with_capacity(96);
        push(&mut text, model, LONGEST_MODEL);
        let model = text.len();
        for value in [api, operation] {
            text.push(BETWEEN);
            push(&mut text, value, LONGEST_VALUE);
        }
        Self { text, model }
    }

    /// Adds a label of the operator's, whose name is one by [`is_label_name`].
    pub fn add(&mut self, name: &str, value: &str) {
        self.text.push(BETWEEN);
        self.text.push_str(name);
        self.text.push('=');
        push(&mut self.text, value, LONGEST_VALUE);
    }

    /// The same for a request that gets no counters of its own: the model, which the client may have made up, is `other`, and so are the
    /// operator's labels unless they are `known`.
    #[must_use]
    pub fn others(&self, known: bool) -> Self {
        let parts = Parts::of(&self.text);
        let model = if parts.model.is_empty() { "" } else { OTHER };
        let mut others = Self::new(model, parts.api, parts.operation);
        for (name, value) in parts.own {
            others.add(name, if known { value } else { OTHER });
        }
        others
    }

    /// The operator's labels alone; `None` if there are none.
    pub(crate) fn own(&self) -> Option<Self> {
        let parts = Parts::of(&self.text);
        let mut own = Self::new("", "", "");
        for (name, value) in &parts.own {
            own.add(name, value);
        }
        (!parts.own.is_empty()).then_some(own)
    }

    /// All of it.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.text.as_bytes()
    }

    /// The model alone.
    pub fn model(&self) -> &str {
        self.text.get(..self.model).unwrap_or_default()
    }
}

/// The values in a text of [`Labels`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Parts<'a> {
    pub model: &'a str,
    pub api: &'a str,
    pub operation: &'a str,
    /// The operator's labels.
    pub own: Vec<(&'a str, &'a str)>,
}

impl<'a> Parts<'a> {
    pub fn of(text: &'a str) -> Self {
        let mut values = text.split(BETWEEN);
        let mut next = || values.next().unwrap_or_default();
        Self {
            model: next(),
            api: next(),
            operation: next(),
            own: values.filter_map(|pair| pair.split_once('=')).collect(),
        }
    }
}

/// Whether Prometheus takes it for a label's name, it is no longer than [`LONGEST_LABEL_NAME`], and no name of ours.
pub fn is_label_name(name: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let begins = name
        .bytes()
        .next()
        .is_some_and(|byte| !byte.is_ascii_digit());
    begins
        && name.bytes().all(word)
        && !name.starts_with("__")
        && name.len() <= LONGEST_LABEL_NAME
        && !OUR_NAMES.contains(&name)
}

/// Names of labels that the metrics have anyway.
const OUR_NAMES: [&str; 10] = [
    "model",
    "api",
    "operation",
    "status",
    "type",
    "le",
    "zone",
    "key",
    "result",
    "name",
];

/// The beginning of a value, up to `most` bytes of whole characters, and blanks for control characters.
fn push(text: &mut String, value: &str, most: usize) {
    let end = value.floor_char_boundary(most);
    let value = value.get(..end).unwrap_or_default();
    text.extend(
        value
            .chars()
            .map(|char| if char.is_control() { ' ' } else { char }),
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::LONGEST;

    #[test]
    fn labels_are_taken_apart_again() {
        let mut labels = Labels::new("us.amazon.nova", "openai", "converse");
        labels.add("team", "a=b");
        labels.add("env", "");
        let text = String::from_utf8(labels.bytes().to_vec()).unwrap();
        let parts = Parts::of(&text);
        assert_eq!(parts.model, "us.amazon.nova");
        assert_eq!((parts.api, parts.operation), ("openai", "converse"));
        assert_eq!(parts.own, [("team", "a=b"), ("env", "")]);
        assert_eq!(labels.model(), "us.amazon.nova");
    }

    #[test]
    fn what_clients_make_up_is_other() {
        let mut labels = Labels::new("made-up", "openai", "converse");
        labels.add("team", "made-up");
        let mut others = Labels::new("other", "openai", "converse");
        others.add("team", "other");
        assert_eq!(labels.others(false), others);
        let mut others = Labels::new("other", "openai", "converse");
        others.add("team", "made-up");
        assert_eq!(labels.others(true), others);
        let without = Labels::new("", "openai", "");
        assert_eq!(without.others(false), without);
        assert_eq!(without.own(), None);
    }

    #[test]
    fn a_value_cannot_pretend_to_be_two_and_is_cut_at_a_character() {
        let labels = Labels::new("a\u{1f}b\n", "x", "y");
        assert_eq!(labels.model(), "a b ");
        let labels = Labels::new(&"é".repeat(100), "x", "y");
        assert_eq!(labels.model(), "é".repeat(64));
    }

    #[test]
    fn the_longest_labels_fit() {
        let long = "x".repeat(1000);
        let mut labels = Labels::new(&long, "responses", &long);
        for _ in 0..MOST_LABELS {
            labels.add(&"n".repeat(LONGEST_LABEL_NAME), &long);
        }
        assert!(labels.bytes().len() <= LONGEST, "{}", labels.bytes().len());
    }

    #[test]
    fn names_of_labels() {
        for good in ["team", "_x", "a1", "Team_B"] {
            assert!(is_label_name(good), "{good}");
        }
        for bad in [
            "",
            "1a",
            "a-b",
            "__a",
            "model",
            "le",
            "é",
            "a b",
            &"a".repeat(33),
        ] {
            assert!(!is_label_name(bad), "{bad}");
        }
    }
}
