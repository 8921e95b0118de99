//! Items of a stream that have begun and not ended: what must be repeated at their end is kept, as JSON spells it.

use super::encrypted;
use super::item::{self, Stage};
use super::tools::{Called, Tools};
use crate::dialect::custom::Unwrapping;
use crate::json::object;
use crate::json::text::{Literal, one_line};

/// What the model says, in one or more texts that follow one another.
#[derive(Debug)]
pub struct Message {
    /// Its place among the items.
    pub index: usize,
    /// Its id.
    pub id: String,
    /// Texts before the last, as the text of JSON.
    before: String,
    /// The last one that has ended: it may yet be given sources.
    ended: Option<Text>,
    /// The one that goes on.
    pub text: Option<Text>,
    /// The number of the next one.
    next: usize,
}

/// A text.
#[derive(Debug)]
pub struct Text {
    /// Its block at Bedrock.
    pub block: u64,
    /// Where it is, as members of an event.
    pub place: String,
    /// What it says so far.
    pub said: String,
    /// Its sources, as the text of JSON.
    sources: String,
    /// How many these are.
    sources_count: usize,
    /// How much of it is counted in characters, and how many these are.
    counted: (usize, usize),
}

impl Message {
    /// One that says nothing yet.
    pub fn new(index: usize, id: String) -> Self {
        Self {
            index,
            id,
            before: String::new(),
            ended: None,
            text: None,
            next: 0,
        }
    }

    /// Begins a text; the one before it has ended.
    pub fn begin_text(&mut self, block: u64) -> &Text {
        let place = format!(
            "\"item_id\":\"{}\",\"output_index\":{},\"content_index\":{}",
            self.id, self.index, self.next
        );
        self.next += 1;
        self.text.insert(Text {
            block,
            place,
            said: String::new(),
            sources: String::new(),
            sources_count: 0,
            counted: (0, 0),
        })
    }

    /// The text that goes on has ended.
    pub fn end_text(&mut self, text: Text) {
        self.settle();
        self.ended = Some(text);
    }

    /// The text that a source belongs to.
    pub fn cited(&mut self) -> Option<&mut Text> {
        self.text.as_mut().or(self.ended.as_mut())
    }

    /// The message as an item; all of it has ended.
    pub fn item(mut self) -> String {
        self.settle();
        item::message(&self.id, Stage::Done, &self.before)
    }

    fn settle(&mut self) {
        if let Some(ended) = self.ended.take() {
            if !self.before.is_empty() {
                self.before.push(',');
            }
            self.before.push_str(&ended.part());
        }
    }
}

impl Text {
    /// How many characters it has.
    pub fn characters(&mut self) -> usize {
        let (bytes, characters) = self.counted;
        let new = self.said.get(bytes..).unwrap_or_default();
        let new = Literal::decode_inside(new).map_or(0, |new| new.chars().count());
        self.counted = (self.said.len(), characters + new);
        self.counted.1
    }

    /// Adds a source, and says which it is.
    pub fn add_source(&mut self, source: &str) -> usize {
        if self.sources_count > 0 {
            self.sources.push(',');
        }
        self.sources.push_str(source);
        self.sources_count += 1;
        self.sources_count - 1
    }

    /// It as a part of its message.
    pub fn part(&self) -> String {
        item::text(&self.said, &self.sources)
    }
}

/// Another item that goes on.
#[derive(Debug)]
pub struct Open {
    /// Its block at Bedrock.
    pub block: u64,
    /// Its place among the items.
    pub index: usize,
    /// Its id.
    pub id: String,
    /// Where it is, as members of an event.
    pub place: String,
    /// What it is.
    pub kind: Kind,
}

/// What an item is.
#[derive(Debug)]
pub enum Kind {
    Reasoning(Reasoning),
    Call(Call),
}

/// Reasoning.
#[derive(Debug, Default)]
pub struct Reasoning {
    pub text: String,
    pub signature: String,
    pub redacted: Vec<String>,
}

/// A call of a tool.
#[derive(Debug)]
pub struct Call {
    pub call_id: String,
    /// As Bedrock has it.
    pub name: String,
    pub input: String,
    /// Of a tool whose input is text.
    pub custom: Option<Unwrapping>,
}

impl Open {
    /// One that has nothing yet.
    pub fn new(block: u64, (index, id): (usize, String), kind: Kind) -> Self {
        Self {
            block,
            index,
            place: format!("\"item_id\":\"{id}\",\"output_index\":{index}"),
            id,
            kind,
        }
    }
}

impl Reasoning {
    /// It as an item, with what it says if that is shown.
    pub fn item(&self, id: &str, shows: bool) -> String {
        let shown = Some(self.text.as_str()).filter(|text| shows && !text.is_empty());
        let sealed = encrypted::sealed(&self.text, &self.signature, &self.redacted);
        item::reasoning(id, shown, Some(&sealed))
    }
}

impl Call {
    /// It as an item.
    pub fn item(&self, id: &str, tools: &Tools, stage: Stage) -> String {
        let called = tools.called(&self.name);
        let ids = (id, self.call_id.as_str());
        match called {
            Called::Search => item::call(called, ids, stage, &object_in(&self.input)),
            _ => item::call(called, ids, stage, &self.input),
        }
    }
}

/// The object whose text stands between quotes; an empty one if it is none.
fn object_in(inside: &str) -> String {
    let text = Literal::decode_inside(inside).unwrap_or_default();
    match object::parse(&text) {
        Ok(_) => one_line(&text).into_owned(),
        Err(_) => "{}".to_owned(),
    }
}
