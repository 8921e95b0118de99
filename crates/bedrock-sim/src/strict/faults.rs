//! What was found wrong with a request, and the sentences in which Bedrock says so.

use std::fmt::Display;

use crate::errors::Refusal;

/// The faults found so far.
#[derive(Debug, Default)]
pub struct Faults(Vec<Refusal>);

impl Faults {
    /// 400 with this message.
    pub fn refuse(&mut self, message: impl Into<String>) {
        self.0.push(Refusal::validation(message));
    }

    /// Another refusal.
    pub fn push(&mut self, refusal: Refusal) {
        self.0.push(refusal);
    }

    /// "This model doesn't support the … field."
    pub fn unsupported(&mut self, field: impl Display) {
        self.refuse(format!(
            "This model doesn't support the {field} field. Remove {field} and try again."
        ));
    }

    /// A member that Bedrock itself does not know; `place` is a JSON pointer.
    pub fn extraneous(&mut self, place: &str, key: &str) {
        self.refuse(format!(
            "Malformed input request: #{place}: extraneous key [{key}] is not permitted, please reformat your input and \
             try again."
        ));
    }

    /// What Claude's own API says of a member that it does not know.
    pub fn extra(&mut self, member: impl Display) {
        self.model(format!("{member}: Extra inputs are not permitted"));
    }

    /// What the model says, handed on by Bedrock.
    pub fn model(&mut self, message: impl Display) {
        self.refuse(format!(
            "The model returned the following errors: {message}"
        ));
    }

    /// A constraint of the service model that a value breaks.
    pub fn constraint(&mut self, place: &str, rule: impl Display) {
        self.refuse(format!(
            "1 validation error detected: Value at '{place}' failed to satisfy constraint: {rule}"
        ));
    }

    /// Whether nothing was found.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether it is no use to look for more.
    pub fn is_many(&self) -> bool {
        self.0.len() >= 100
    }

    /// All of them, in the order in which they were found.
    pub fn into_refusals(self) -> Vec<Refusal> {
        self.0
    }
}
