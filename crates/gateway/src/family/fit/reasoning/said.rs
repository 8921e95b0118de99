//! What a request says of reasoning, and what the rest of it means for that.

/// What the request says, and what follows from it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// Fields of the model's own: name and JSON.
    pub fields: Vec<(&'static str, String)>,
    /// Whether the model will reason.
    pub reasons: bool,
    /// The budget for that, in tokens, if it has one.
    pub budget: Option<u64>,
    /// Whether it has no bounds: then nothing else may bound the answer.
    pub unbounded: bool,
}

/// What the rest of a request means for reasoning.
#[derive(Clone, Copy, Debug, Default)]
pub struct Around {
    /// `maxTokens`, if it is set.
    pub max_tokens: Option<u64>,
    /// Whether a tool must be called.
    pub forced: bool,
    /// Whether the last turn of the model's calls a tool without reasoning before it: then reasoning may not begin now.
    pub calls_without_reasoning: bool,
    /// Whether the operator limits the answer, so that it must not be without bounds.
    pub is_limited: bool,
}
