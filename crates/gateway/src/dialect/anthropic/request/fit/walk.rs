//! A value that is walked once, from its beginning to its end, while parts of it go or change.

use std::borrow::Cow;
use std::ops::Range;

use super::survey::Survey;
use crate::body::{Body, Segment};
use crate::dialect::anthropic::request::betas::Betas;
use crate::family::betas::Member;
use crate::family::{Changes, Family};
use crate::json::cursor::{Cursor, Wrong};
use crate::json::splice::{Items, Splice};
use crate::json::text::{Literal, place};

/// By what it is decided.
#[derive(Clone, Copy, Debug)]
pub struct Fit<'f> {
    /// The flags that are sent.
    pub betas: &'f Betas<'f>,
    /// The model's family.
    pub family: &'f Family,
    /// What the request is like.
    pub survey: &'f Survey,
}

impl Fit<'_> {
    /// Whether a flag allows this.
    pub fn allows(&self, member: Member) -> bool {
        self.betas.allow(member)
    }
}

/// What becomes of a member.
pub type Pieces = Option<Vec<Segment>>;

/// A value on its way; `S` is what is known of it so far.
pub struct Walk<'t, 'f, S> {
    /// Where it is.
    pub cursor: Cursor<'t>,
    /// What becomes of it.
    pub splice: Splice<'t>,
    /// By what it is decided.
    pub fit: Fit<'f>,
    /// What was done.
    pub changes: &'f mut Changes,
    /// What is known so far.
    pub state: S,
    /// The value.
    text: &'t str,
    /// Where it begins in the document.
    start: usize,
}

/// What becomes of a member or an element.
pub enum Fate<'t, 'f, S> {
    /// It stays as it is.
    Keep,
    /// It goes; its name for the log.
    Cut(&'static str),
    /// The value changes.
    Value(&'static str, String),
    /// Name and value change.
    Whole(&'static str, String),
    /// This stands before the value, and that after it.
    Around(&'static str, String, String),
    /// It stays, and something inside may change.
    Into(Inside<'t, 'f, S>),
}

/// What is added at the end.
pub enum More {
    /// New text.
    New(String),
    /// A part of the value that is walked, between two new texts.
    Old(&'static str, Range<usize>, &'static str),
}

/// What is done inside a value.
pub type Inside<'t, 'f, S> = fn(&mut Walk<'t, 'f, S>) -> Result<(), Wrong>;

impl<'t, 'f, S> Walk<'t, 'f, S> {
    /// Walks the value in this place of a document: what becomes of it, and what was found out.
    pub fn over(
        document: &'t str,
        place: Range<usize>,
        fit: Fit<'f>,
        changes: &'f mut Changes,
        state: S,
        inside: impl FnOnce(&mut Self) -> Result<(), Wrong>,
    ) -> (Pieces, S) {
        let text = document.get(place.clone()).unwrap_or_default();
        let mut walk = Self {
            cursor: Cursor::new(text),
            text,
            start: place.start,
            splice: Splice::new(document, place),
            fit,
            changes,
            state,
        };
        let walked = inside(&mut walk);
        // The body is JSON, so that no walk fails; if one did, nothing would change.
        let pieces = walked.ok().and_then(|()| walk.splice.into_segments());
        (pieces, walk.state)
    }

    /// Where in the document the next value begins.
    pub fn position(&mut self) -> usize {
        self.start + self.cursor.position()
    }

    /// Where in the value a piece of it stands.
    pub fn place_of(&self, piece: &str) -> Option<Range<usize>> {
        place(self.text, piece)
    }

    /// Goes over the members of the object that comes next; `fate` decides on each, whose value comes next then.
    pub fn members(
        &mut self,
        fate: impl Fn(&mut Self, &str) -> Fate<'t, 'f, S>,
    ) -> Result<(), Wrong> {
        self.members_and(None, fate)
    }

    /// The same, with one more member, as text, at the end.
    pub fn members_and(
        &mut self,
        more: Option<&str>,
        fate: impl Fn(&mut Self, &str) -> Fate<'t, 'f, S>,
    ) -> Result<(), Wrong> {
        if !self.cursor.enter()? {
            return Ok(());
        }
        let mut items = Items::default();
        while let Some(name) = self.cursor.member()? {
            let start = self.cursor.mark();
            let fate = fate(self, &name);
            self.item(start, fate, &mut items)?;
        }
        let close = self.cursor.mark();
        let more: Vec<More> = more
            .into_iter()
            .map(|more| More::New(more.to_owned()))
            .collect();
        self.close(items, close, b"", &more);
        Ok(())
    }

    /// Goes over the elements of the array that comes next; `instead` stands in the place of all of them, if all go.
    pub fn elements(
        &mut self,
        instead: &[u8],
        fate: impl Fn(&mut Self) -> Fate<'t, 'f, S>,
    ) -> Result<(), Wrong> {
        self.elements_and(instead, fate, |_| Vec::new())
    }

    /// The same, with more elements at the end.
    pub fn elements_and(
        &mut self,
        instead: &[u8],
        fate: impl Fn(&mut Self) -> Fate<'t, 'f, S>,
        more: impl FnOnce(&mut Self) -> Vec<More>,
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
        // Behind the bracket.
        let close = self.cursor.end_of_last() - 1;
        let more = more(self);
        self.close(items, close, instead, &more);
        Ok(())
    }

    /// Ends an object or array, whose last sign stands at `close`.
    fn close(&mut self, items: Items, close: usize, instead: &[u8], more: &[More]) {
        let stays = items.any_stay();
        let instead = if more.is_empty() { instead } else { b"" };
        let all_went = items.close(instead, &mut self.splice);
        let end = all_went.unwrap_or(close);
        for (index, more) in more.iter().enumerate() {
            if stays || index > 0 {
                self.splice.replace(end..end, b",");
            }
            match more {
                More::New(text) => self.splice.replace(end..end, text.as_bytes()),
                More::Old(before, part, after) => {
                    self.splice.replace(end..end, before.as_bytes());
                    self.splice.copy(end, part.clone());
                    self.splice.replace(end..end, after.as_bytes());
                }
            }
        }
    }

    fn item(
        &mut self,
        start: usize,
        fate: Fate<'t, 'f, S>,
        items: &mut Items,
    ) -> Result<(), Wrong> {
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
            Fate::Around(name, before, after) => {
                let end = value + self.cursor.value()?.len();
                self.changes.change(name);
                self.splice.replace(value..value, before.as_bytes());
                self.splice.replace(end..end, after.as_bytes());
            }
            Fate::Keep | Fate::Cut(_) => self.cursor.skip()?,
        }
        items.passed(self.cursor.end_of_last());
        Ok(())
    }

    /// Whether the next value is this string.
    pub fn next_is(&self, word: &str) -> bool {
        self.next_string().is_some_and(|found| found == word)
    }

    /// The next value, if it is a string.
    pub fn next_string(&self) -> Option<Cow<'t, str>> {
        self.cursor.clone().value().ok().and_then(Literal::of_value)
    }

    /// The value of this member of the object that comes next.
    pub fn next_member(&self, name: &str) -> Option<&'t str> {
        self.cursor.next_member(name)
    }

    /// What becomes of the `cache_control` whose value comes next.
    pub fn point(&mut self) -> Fate<'t, 'f, S> {
        if self.cursor.clone().value().is_ok_and(|next| next == "null") {
            return Fate::Keep;
        }
        let place = self.position();
        match self.fit.survey.point(place) {
            None => Fate::Cut("cache_control"),
            Some(true) if self.next_member("ttl") != Some("\"1h\"") => {
                Fate::Value("cache_control.ttl", AN_HOUR.to_owned())
            }
            Some(_) => Fate::Into(inside_point),
        }
    }
}

/// A point that must last as long as one that comes later.
const AN_HOUR: &str = r#"{"type":"ephemeral","ttl":"1h"}"#;

fn inside_point<S>(walk: &mut Walk<'_, '_, S>) -> Result<(), Wrong> {
    walk.members(|walk, name| match name {
        "scope" => Fate::Cut("cache_control.scope"),
        "ttl" if !walk.fit.family.takes_ttl() => Fate::Cut("cache_control.ttl"),
        _ => Fate::Keep,
    })
}

/// The new text of a value by itself.
pub fn spelt(value: &str, pieces: Vec<Segment>) -> String {
    let body = Body::Spliced(pieces);
    let bytes: Vec<u8> = body.pieces(value.as_bytes()).flatten().copied().collect();
    String::from_utf8_lossy(&bytes).into_owned()
}
