//! An answer in a coding that was not asked for: what it says, and counts, cannot be read.

use crate::bedrock::verdict;
use crate::facts::Facts;
use crate::refusal::Refusal;

/// Such an answer.
#[derive(Debug)]
pub struct Unreadable {
    status: u16,
    coding: String,
}

impl Unreadable {
    /// For an answer with this status, in this `Content-Encoding`.
    pub fn new(status: u16, coding: String) -> Self {
        Self { status, coding }
    }

    /// What the client gets instead.
    pub fn refusal(&self, facts: &Facts) -> Refusal {
        let why = format!("Content-Encoding is {}", self.coding.escape_debug());
        verdict::unreadable(self.status, facts.exception.as_deref(), &why)
    }
}

/// Whether a `Content-Encoding` changes anything.
pub fn is_coded(coding: &str) -> bool {
    let mut codings = coding.split(',').map(str::trim);
    codings.any(|coding| !coding.is_empty() && !coding.eq_ignore_ascii_case("identity"))
}
