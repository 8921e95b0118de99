//! What Bedrock refuses inside a body for Claude: it goes, or becomes what Bedrock takes. Each member is walked once, and only
//! what changes is new.

use std::borrow::Cow;
use std::ops::Range;

use serde_json::Value;

use super::betas::Betas;
use super::wants::is_tool_search;
use crate::body::{Body, Segment};
use crate::family::betas::Member;
use crate::family::facts::Ids;
use crate::family::{Changes, Family, fitted_id};
use crate::json::cursor::{Cursor, Wrong};
use crate::json::splice::{Items, Splice};
use crate::json::text::Literal;

/// By what it is decided.
#[derive(Clone, Copy, Debug)]
pub struct Fit<'f> {
    /// The flags that are sent.
    pub betas: &'f Betas<'f>,
    /// The model's family.
    pub family: &'f Family,
}

impl Fit<'_> {
    fn allows(&self, member: Member) -> bool {
        self.betas.allow(member)
    }
}

/// What becomes of a member.
pub type Pieces = Option<Vec<Segment>>;

/// `tools`
pub fn tools(document: &str, place: Range<usize>, fit: Fit<'_>, changes: &mut Changes) -> Pieces {
    let mut walk = Walk::new(document, place, fit, changes);
    let walked = walk.tools();
    walk.end(walked)
}

/// `messages`: whether the model's last turn calls a tool and does not think before that, and what becomes of them.
pub fn messages(
    document: &str,
    place: Range<usize>,
    fit: Fit<'_>,
    changes: &mut Changes,
) -> (bool, Pieces) {
    let mut walk = Walk::new(document, place, fit, changes);
    let walked = walk.messages();
    (walk.calls_without, walk.end(walked))
}

/// `stop_sequences`: blank ones are refused.
pub fn stop_sequences(
    document: &str,
    place: Range<usize>,
    fit: Fit<'_>,
    changes: &mut Changes,
) -> Pieces {
    let mut walk = Walk::new(document, place, fit, changes);
    let walked = walk.elements(b"", |walk| {
        let text = walk.cursor.clone().value().ok().and_then(Literal::of_value);
        match text.is_some_and(|text| text.trim().is_empty()) {
            true => Fate::Cut("stop_sequences[]"),
            false => Fate::Keep,
        }
    });
    walk.end(walked)
}

/// `system`
pub fn system(document: &str, place: Range<usize>, fit: Fit<'_>, changes: &mut Changes) -> Pieces {
    let mut walk = Walk::new(document, place, fit, changes);
    let walked = walk.content();
    walk.end(walked)
}

/// `thinking`
pub fn thinking(
    document: &str,
    place: Range<usize>,
    fit: Fit<'_>,
    changes: &mut Changes,
) -> Pieces {
    let mut walk = Walk::new(document, place, fit, changes);
    let walked = walk.members(|walk, name| match name {
        "block_binding" if !walk.fit.allows(Member::BlockBinding) => {
            Fate::Cut("thinking.block_binding")
        }
        "display" if walk.next_is("updates") && !walk.fit.allows(Member::DisplayUpdates) => {
            Fate::Cut("thinking.display")
        }
        _ => Fate::Keep,
    });
    walk.end(walked)
}

/// `output_config`, in which an effort becomes this one, or goes.
pub fn output_config(
    document: &str,
    place: Range<usize>,
    (fit, effort): (Fit<'_>, Option<&str>),
    changes: &mut Changes,
) -> Pieces {
    let mut walk = Walk::new(document, place, fit, changes);
    let walked = walk.members(|walk, name| match (name, effort) {
        ("task_budget", _) => Fate::Cut("output_config.task_budget"),
        ("effort", None) => Fate::Cut("output_config.effort"),
        ("effort", Some(word)) if !walk.next_is(word) => {
            Fate::Value("output_config.effort", Value::from(word).to_string())
        }
        _ => Fate::Keep,
    });
    walk.end(walked)
}

/// The new text of a value by itself.
pub fn spelt(value: &str, pieces: Vec<Segment>) -> String {
    let body = Body::Spliced(pieces);
    let bytes: Vec<u8> = body.pieces(value.as_bytes()).flatten().copied().collect();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// `context_management`: whether any of its edits stays, and what becomes of them.
pub fn context_management(
    document: &str,
    place: Range<usize>,
    fit: Fit<'_>,
    changes: &mut Changes,
) -> (bool, Pieces) {
    let mut walk = Walk::new(document, place, fit, changes);
    let walked = walk.members(|_, name| match name {
        "edits" => Fate::Into(Walk::edits),
        _ => Fate::Keep,
    });
    (walk.stays, walk.end(walked))
}

/// A value on its way.
struct Walk<'t, 'f> {
    cursor: Cursor<'t>,
    splice: Splice<'t>,
    fit: Fit<'f>,
    changes: &'f mut Changes,
    /// How many blocks are around.
    depth: u8,
    /// Whether something that is looked for stays.
    stays: bool,
    /// What the message has, as far as it is known.
    has: Has,
    /// Whether the model's last turn calls a tool and does not think before that.
    calls_without: bool,
}

/// What a message has.
#[derive(Clone, Copy, Debug, Default)]
struct Has {
    thought: bool,
    call: bool,
}

/// What becomes of a member or an element.
enum Fate<'t, 'f> {
    Keep,
    /// It goes; its name for the log.
    Cut(&'static str),
    /// The value changes.
    Value(&'static str, String),
    /// Name and value change.
    Whole(&'static str, String),
    /// It stays, and something inside may change.
    Into(fn(&mut Walk<'t, 'f>) -> Result<(), Wrong>),
}

impl<'t, 'f> Walk<'t, 'f> {
    fn new(document: &'t str, place: Range<usize>, fit: Fit<'f>, changes: &'f mut Changes) -> Self {
        Self {
            cursor: Cursor::new(document.get(place.clone()).unwrap_or_default()),
            splice: Splice::new(document, place),
            fit,
            changes,
            depth: 0,
            stays: false,
            has: Has::default(),
            calls_without: false,
        }
    }

    /// The body is JSON, so that no walk fails; if one did, nothing would change.
    fn end(self, walked: Result<(), Wrong>) -> Pieces {
        walked.ok().and_then(|()| self.splice.into_segments())
    }

    /// Goes over the members of the object that comes next; `fate` decides on each, whose value comes next then.
    fn members(&mut self, fate: impl Fn(&Self, &str) -> Fate<'t, 'f>) -> Result<(), Wrong> {
        if !self.cursor.enter()? {
            return Ok(());
        }
        let mut items = Items::default();
        while let Some(name) = self.cursor.member()? {
            let start = self.cursor.mark();
            let fate = fate(self, &name);
            self.item(start, fate, &mut items)?;
        }
        items.close(b"", &mut self.splice);
        Ok(())
    }

    /// The same of the elements of an array; `instead` stands in the place of all of them, if all go.
    fn elements(
        &mut self,
        instead: &[u8],
        fate: impl Fn(&mut Self) -> Fate<'t, 'f>,
    ) -> Result<(), Wrong> {
        if !self.cursor.enter_list()? {
            return Ok(());
        }
        let mut items = Items::default();
        while self.cursor.element()? {
            let start = self.cursor.position();
            let fate = fate(self);
            self.item(start, fate, &mut items)?;
        }
        items.close(instead, &mut self.splice);
        Ok(())
    }

    fn item(&mut self, start: usize, fate: Fate<'t, 'f>, items: &mut Items) -> Result<(), Wrong> {
        let value = self.cursor.position();
        if let Fate::Cut(name) = fate {
            let end = value + self.cursor.value()?.len();
            self.changes.leave_out(name);
            items.cut(start..end, &mut self.splice);
            return Ok(());
        }
        items.keep(start, &mut self.splice);
        match fate {
            Fate::Into(inside) => inside(self)?,
            Fate::Value(name, new) => {
                let end = value + self.cursor.value()?.len();
                self.changes.change(name);
                self.splice.replace(value..end, new.as_bytes());
            }
            Fate::Whole(name, new) => {
                let end = value + self.cursor.value()?.len();
                self.changes.change(name);
                self.splice.replace(start..end, new.as_bytes());
            }
            Fate::Keep | Fate::Cut(_) => self.cursor.skip()?,
        }
        items.passed(self.cursor.end_of_last());
        Ok(())
    }

    fn next_is(&self, word: &str) -> bool {
        let value = self.cursor.clone().value();
        value.is_ok_and(|value| Literal::of_value(value).is_some_and(|found| found == word))
    }

    fn tools(&mut self) -> Result<(), Wrong> {
        self.elements(b"", |walk| {
            let kind = member_at(walk.cursor.clone(), "type").unwrap_or_default();
            let kind = Literal::of_value(kind).unwrap_or_default();
            match is_tool_search(&kind) && !walk.fit.allows(Member::ToolSearch) {
                true => Fate::Cut("tools[].tool_search_tool"),
                false => Fate::Into(Self::tool),
            }
        })
    }

    fn tool(&mut self) -> Result<(), Wrong> {
        let is_deferred = member_at(self.cursor.clone(), "defer_loading").is_some();
        self.members(|walk, name| match name {
            "custom" => {
                let inner = member_at(walk.cursor.clone(), "defer_loading");
                match inner == Some("true") && !is_deferred && walk.fit.allows(Member::ToolSearch) {
                    true => Fate::Whole("tools[].custom", r#""defer_loading":true"#.to_owned()),
                    false => Fate::Cut("tools[].custom"),
                }
            }
            "eager_input_streaming" => Fate::Cut("tools[].eager_input_streaming"),
            "allowed_callers" => Fate::Cut("tools[].allowed_callers"),
            "defer_loading" if !walk.fit.allows(Member::ToolSearch) => {
                Fate::Cut("tools[].defer_loading")
            }
            "input_examples" if !walk.fit.allows(Member::InputExamples) => {
                Fate::Cut("tools[].input_examples")
            }
            "strict" if !walk.fit.family.takes_strict() => Fate::Cut("tools[].strict"),
            "input_schema" => Fate::Into(Self::schema),
            "cache_control" => Fate::Into(Self::cache_control),
            _ => Fate::Keep,
        })
    }

    fn schema(&mut self) -> Result<(), Wrong> {
        self.members(|walk, name| match name {
            "type" if walk.next_is("custom") => {
                Fate::Value("tools[].input_schema.type", r#""object""#.to_owned())
            }
            _ => Fate::Keep,
        })
    }

    fn messages(&mut self) -> Result<(), Wrong> {
        self.elements(b"", |_| Fate::Into(Self::message))
    }

    fn message(&mut self) -> Result<(), Wrong> {
        let role = member_at(self.cursor.clone(), "role");
        let is_models = role
            .and_then(Literal::of_value)
            .is_some_and(|role| role == "assistant");
        self.has = Has::default();
        let walked = self.message_members();
        if is_models {
            self.calls_without = self.has.call && !self.has.thought;
        }
        walked
    }

    fn message_members(&mut self) -> Result<(), Wrong> {
        self.members(|walk, name| match name {
            "content" => Fate::Into(Self::content),
            "output_config" if !walk.fit.allows(Member::TurnConfig) => {
                Fate::Cut("messages[].output_config")
            }
            _ => Fate::Keep,
        })
    }

    fn content(&mut self) -> Result<(), Wrong> {
        self.depth += 1;
        let walked = match self.depth <= DEPTH {
            true => self.elements(NOTHING_SAID, |walk| walk.block_fate()),
            false => self.cursor.skip(),
        };
        self.depth -= 1;
        walked
    }

    fn block_fate(&mut self) -> Fate<'t, 'f> {
        let cursor = self.cursor.clone();
        let member = |name| member_at(cursor.clone(), name);
        let text = |value| Literal::of_value(value).unwrap_or_default();
        let kind = member("type").map(text).unwrap_or_default();
        let signature = match kind.as_ref() {
            "thinking" => member("signature").map(text).unwrap_or_default(),
            _ => Cow::default(),
        };
        match kind.as_ref() {
            // What has no signature is another model's, and Claude takes nobody else's for its own.
            "thinking" if signature.is_empty() => Fate::Cut("thinking without a signature"),
            "thinking" | "redacted_thinking" => {
                self.has.thought = true;
                Fate::Into(Self::block)
            }
            "tool_use" => {
                self.has.call = true;
                Fate::Into(Self::block)
            }
            "tool_reference" if !self.fit.allows(Member::ToolSearch) => {
                let name = member("tool_name").map(text).unwrap_or_default();
                let text = Value::from(name.as_ref());
                Fate::Value(
                    "tool_reference",
                    format!(r#"{{"type":"text","text":{text}}}"#),
                )
            }
            "server_tool_use" | "tool_search_tool_result"
                if !self.fit.allows(Member::ToolSearch) =>
            {
                Fate::Cut("what a tool of Anthropic's own left in the messages")
            }
            _ => Fate::Into(Self::block),
        }
    }

    fn block(&mut self) -> Result<(), Wrong> {
        self.members(|walk, name| match name {
            "cache_control" => Fate::Into(Self::cache_control),
            "content" => Fate::Into(Self::content),
            "id" | "tool_use_id" => walk.id_fate(),
            _ => Fate::Keep,
        })
    }

    /// A conversation that began with another model has its ids.
    fn id_fate(&self) -> Fate<'t, 'f> {
        let value = self.cursor.clone().value().ok().and_then(Literal::of_value);
        match value.as_deref().map(|id| fitted_id(id, Ids::Claude)) {
            Some(Cow::Owned(id)) => Fate::Value("ids of calls", Value::from(id).to_string()),
            _ => Fate::Keep,
        }
    }

    fn cache_control(&mut self) -> Result<(), Wrong> {
        self.members(|walk, name| match name {
            "scope" => Fate::Cut("cache_control.scope"),
            "ttl" if !walk.fit.family.takes_ttl() => Fate::Cut("cache_control.ttl"),
            _ => Fate::Keep,
        })
    }

    fn edits(&mut self) -> Result<(), Wrong> {
        self.elements(b"", |walk| {
            let kind = member_at(walk.cursor.clone(), "type").unwrap_or_default();
            let kind = Literal::of_value(kind).unwrap_or_default();
            let stays = match kind.as_ref() {
                // Bedrock does not know it, whatever flag is sent.
                kind if kind.starts_with("clear_thinking_") => false,
                kind if kind.starts_with("compact_") => walk.fit.allows(Member::Compact),
                _ => walk.fit.allows(Member::ClearToolUses),
            };
            walk.stays |= stays;
            match stays {
                true => Fate::Keep,
                false => Fate::Cut("context_management.edits[]"),
            }
        })
    }
}

/// The value of this member of an object.
pub fn member_of<'j>(object: &'j str, wanted: &str) -> Option<&'j str> {
    member_at(Cursor::new(object), wanted)
}

/// The value of this member of the object that comes next.
fn member_at<'t>(mut cursor: Cursor<'t>, wanted: &str) -> Option<&'t str> {
    if !cursor.enter().ok()? {
        return None;
    }
    while let Some(name) = cursor.member().ok()? {
        let value = cursor.value().ok()?;
        if name == wanted {
            return Some(value);
        }
    }
    None
}

/// A message has to say something.
const NOTHING_SAID: &[u8] = br#"{"type":"text","text":"(nothing said)"}"#;

/// A message's, a block's, or a block's in a tool's result.
const DEPTH: u8 = 3;
