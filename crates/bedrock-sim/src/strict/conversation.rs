//! A Converse body as the checks look at it.

use serde_json::{Map, Value};

use super::family::Family;

/// A body whose shape is right, and whom it is for.
#[derive(Debug)]
pub struct Conversation<'a> {
    /// The model's family.
    pub family: &'a Family,
    /// The whole body.
    pub body: &'a Value,
    /// Its messages.
    pub turns: Vec<Turn<'a>>,
    /// Whether the answer is a stream.
    pub streams: bool,
    /// Whether it is only counted, so that it has no limits of its own.
    pub counts: bool,
}

/// A message.
#[derive(Debug)]
pub struct Turn<'a> {
    /// Its place, from 0.
    pub number: usize,
    /// Whose it is: `user`, `assistant` or `system`.
    pub role: &'a str,
    /// Its content.
    pub blocks: Vec<Block<'a>>,
}

/// A block of a message, of a tool's result or of the system prompt: a union with one member.
#[derive(Debug, Clone, Copy)]
pub struct Block<'a> {
    /// The member's name: `text`, `toolUse` …
    pub kind: &'a str,
    /// The member.
    pub value: &'a Value,
}

impl<'a> Conversation<'a> {
    /// Looks at a body.
    pub fn new(family: &'a Family, shape: &str, body: &'a Value) -> Self {
        let turns = items(body, "messages")
            .enumerate()
            .map(|(number, message)| Turn {
                number,
                role: text(message, "role"),
                blocks: blocks(message, "content"),
            });
        Self {
            family,
            body,
            turns: turns.collect(),
            streams: shape == "ConverseStreamRequest",
            counts: shape == "ConverseTokensRequest",
        }
    }

    /// A member of `additionalModelRequestFields`.
    pub fn field(&self, name: &str) -> Option<&'a Value> {
        self.body.get("additionalModelRequestFields")?.get(name)
    }

    /// All of `additionalModelRequestFields`.
    pub fn fields(&self) -> Option<&'a Map<String, Value>> {
        self.body.get("additionalModelRequestFields")?.as_object()
    }

    /// A member of `inferenceConfig`.
    pub fn inference(&self, name: &str) -> Option<&'a Value> {
        self.body.get("inferenceConfig")?.get(name)
    }

    /// The tools.
    pub fn tools(&self) -> Vec<Block<'a>> {
        let config = self.body.get("toolConfig");
        config
            .map(|config| blocks(config, "tools"))
            .unwrap_or_default()
    }

    /// Which way `toolChoice` goes: `auto`, `any` or `tool`.
    pub fn tool_choice(&self) -> Option<&'a str> {
        let choice = self.body.pointer("/toolConfig/toolChoice")?.as_object()?;
        choice.keys().next().map(String::as_str)
    }
}

impl<'a> Turn<'a> {
    /// Its blocks of one kind.
    pub fn of_kind(&self, kind: &str) -> impl Iterator<Item = &'a Value> {
        self.blocks
            .iter()
            .filter(move |block| block.kind == kind)
            .map(|block| block.value)
    }

    /// The ids of its calls (`toolUse`) or results (`toolResult`).
    pub fn ids(&self, kind: &str) -> Vec<&'a str> {
        self.of_kind(kind)
            .map(|block| text(block, "toolUseId"))
            .collect()
    }
}

/// The blocks in a list.
pub fn blocks<'a>(value: &'a Value, name: &str) -> Vec<Block<'a>> {
    let members = items(value, name).filter_map(|item| item.as_object()?.iter().next());
    members.map(|(kind, value)| Block { kind, value }).collect()
}

/// The items of a list.
pub fn items<'a>(value: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> + use<'a> {
    value
        .get(name)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
}

/// A text, empty when it is not there.
pub fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}
