//! What a request is like, found out before anything in it changes: where its cache points are, which calls have no result,
//! and how the conversation ends. It costs no memory that grows with the request, but for what is wrong in it.

use std::borrow::Cow;
use std::ops::Range;

use crate::bedrock::converse::CachePoint;
use crate::family::cache::{MOST, Points};
use crate::family::calls::{Belongs, Ledger};
use crate::family::facts::{Cache, Ids};
use crate::family::{Changes, Family, fitted_id};
use crate::json::cursor::{Cursor, Wrong, member_of};
use crate::json::text::Literal;

/// Where the parts of a request are in its text.
#[derive(Clone, Debug)]
pub struct Parts {
    pub tools: Option<Range<usize>>,
    pub system: Option<Range<usize>>,
    pub messages: Range<usize>,
    /// `cache_control` of the whole request.
    pub cache_control: Option<Range<usize>>,
}

/// What was found.
#[derive(Debug, Default)]
pub struct Survey {
    /// Whether tools are called, or gave results.
    pub calls: bool,
    /// Whether a document is to be cited.
    pub cites: bool,
    /// Whether the model's last turn calls a tool and does not think before that.
    pub calls_without: bool,
    /// Whether an id occurs twice, or a result belongs to no call.
    pub confuses_ids: bool,
    /// Calls without results: where the message begins before or in which these have to stand, and their ids.
    pub missing: Vec<(Place, Vec<String>)>,
    /// The model speaks last, and calls nothing.
    pub model_ends: bool,
    /// Where the last thing begins that is said: a block, or a whole text.
    pub last: Option<usize>,
    /// The points that stay: where they begin, and whether they last an hour.
    points: Vec<(usize, bool)>,
    /// The point of the whole request, which is to stand at the last thing that is said.
    pub automatic: Option<&'static str>,
}

/// Where results are missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In the user's message that begins here.
    In(usize),
    /// Before the message that begins here.
    Before(usize),
    /// After all of them.
    Last,
}

impl Survey {
    /// Looks at a request for a model of this family.
    pub fn of<'t>(
        document: &'t str,
        parts: &Parts,
        family: &'t Family,
        changes: &mut Changes,
    ) -> Self {
        let mut surveying = Surveying {
            document,
            family,
            survey: Self::default(),
            seen: Vec::with_capacity(MOST),
            ledger: Ledger::new(Ids::Claude),
            waiting: None,
        };
        // The body is JSON, so nothing fails.
        let _ = surveying.tools(parts.tools.clone());
        let _ = surveying.content_at(parts.system.clone());
        let _ = surveying.messages(parts.messages.clone());
        surveying.settle(parts, changes)
    }

    /// What becomes of the point that begins here: whether it lasts an hour. `None`: it goes.
    pub fn point(&self, place: usize) -> Option<bool> {
        let mut points = self.points.iter();
        points
            .find(|(known, _)| *known == place)
            .map(|(_, hour)| *hour)
    }
}

struct Surveying<'t> {
    document: &'t str,
    family: &'t Family,
    survey: Survey,
    /// The last points, in the order of the request: where each begins, whether it lasts an hour.
    seen: Vec<(usize, bool)>,
    ledger: Ledger,
    /// Where the results of the model's calls have to stand, if they are missing.
    waiting: Option<Place>,
}

/// A block, as far as it counts here.
#[derive(Default)]
struct Block<'t> {
    kind: Cow<'t, str>,
    id: Option<&'t str>,
    is_blank: bool,
    is_signed: bool,
    cites: bool,
    point: Option<(usize, bool)>,
}

impl<'t> Surveying<'t> {
    fn cursor(&self, place: &Range<usize>) -> Cursor<'t> {
        Cursor::new(self.document.get(place.clone()).unwrap_or_default())
    }

    fn tools(&mut self, place: Option<Range<usize>>) -> Result<(), Wrong> {
        let Some(place) = place else {
            return Ok(());
        };
        let mut cursor = self.cursor(&place);
        if !cursor.enter_list()? {
            return Ok(());
        }
        while cursor.element()? {
            if !cursor.enter()? {
                continue;
            }
            while let Some(name) = cursor.member()? {
                let point = match name.as_ref() {
                    "cache_control" => point(&mut cursor, place.start)?,
                    _ => {
                        cursor.skip()?;
                        None
                    }
                };
                self.see(point);
            }
        }
        Ok(())
    }

    fn see(&mut self, point: Option<(usize, bool)>) {
        let Some(point) = point else {
            return;
        };
        if self.seen.len() == MOST {
            self.seen.remove(0);
        }
        self.seen.push(point);
    }

    fn content_at(&mut self, place: Option<Range<usize>>) -> Result<(), Wrong> {
        let Some(place) = place else {
            return Ok(());
        };
        let mut cursor = self.cursor(&place);
        self.content(&mut cursor, place.start, 1, &mut Turn::default())
    }

    fn messages(&mut self, place: Range<usize>) -> Result<(), Wrong> {
        let mut cursor = self.cursor(&place);
        if !cursor.enter_list()? {
            return Ok(());
        }
        while cursor.element()? {
            let start = place.start + cursor.position();
            let role = cursor.next_member("role").and_then(Literal::of_value);
            let is_models = role.as_deref() == Some("assistant");
            if is_models {
                self.close(Place::Before(start));
            } else if self.waiting.is_none() && self.is_users(role.as_deref()) {
                self.waiting = Some(Place::In(start));
            }
            let mut turn = Turn {
                is_models,
                ..Turn::default()
            };
            if cursor.enter()? {
                while let Some(name) = cursor.member()? {
                    match name.as_ref() {
                        "content" => self.content(&mut cursor, place.start, 1, &mut turn)?,
                        _ => cursor.skip()?,
                    }
                }
            }
            if is_models {
                self.survey.calls_without = turn.calls && !turn.thinks;
                self.waiting = None;
            }
            self.survey.last = turn.last;
            self.survey.model_ends = is_models && !turn.calls;
        }
        self.close(Place::Last);
        Ok(())
    }

    /// Whether a message of this role is the user's, or becomes one of his.
    fn is_users(&self, role: Option<&str>) -> bool {
        role == Some("user") || !self.family.turns.system_within
    }

    /// The user's turn is over, or the conversation is.
    fn close(&mut self, end: Place) {
        let missing = self.ledger.close();
        if !missing.is_empty() {
            let place = self.waiting.unwrap_or(end);
            self.survey.missing.push((place, missing));
        }
    }

    fn content(
        &mut self,
        cursor: &mut Cursor<'t>,
        start: usize,
        depth: u8,
        turn: &mut Turn,
    ) -> Result<(), Wrong> {
        let here = start + cursor.position();
        let is_list = cursor.clone().enter_list()?;
        if depth > DEPTH || !is_list {
            turn.last = (!is_blank(cursor.value()?)).then_some(here);
            return Ok(());
        }
        cursor.enter_list()?;
        while cursor.element()? {
            let here = start + cursor.position();
            let block = self.block(cursor, start, depth)?;
            let thinks = matches!(block.kind.as_ref(), "thinking" | "redacted_thinking");
            // No point stands after reasoning, nor after nothing.
            let takes_point = !thinks && !block.is_blank;
            if takes_point {
                self.see(block.point);
            }
            self.survey.cites |= block.cites && block.kind == "document";
            if depth > 1 {
                continue;
            }
            if takes_point {
                turn.last = Some(here);
            }
            turn.thinks |= block.kind == "redacted_thinking" || (thinks && block.is_signed);
            self.call(&block, turn);
        }
        Ok(())
    }

    /// Keeps the book of calls.
    fn call(&mut self, block: &Block<'t>, turn: &mut Turn) {
        let id = block.id.and_then(Literal::of_value);
        let id = id.as_deref().map(|id| fitted_id(id, Ids::Claude));
        match (block.kind.as_ref(), id) {
            ("tool_use", Some(id)) if turn.is_models => {
                turn.calls = true;
                self.survey.calls = true;
                self.survey.confuses_ids |= self.ledger.call(&id).is_some();
            }
            ("tool_result", Some(id)) if !turn.is_models => {
                self.survey.calls = true;
                self.survey.confuses_ids |= self.ledger.result(&id) != Belongs::AsItSays;
            }
            _ => {}
        }
    }

    fn block(
        &mut self,
        cursor: &mut Cursor<'t>,
        start: usize,
        depth: u8,
    ) -> Result<Block<'t>, Wrong> {
        let mut block = Block::default();
        if !cursor.enter()? {
            return Ok(block);
        }
        while let Some(name) = cursor.member()? {
            match name.as_ref() {
                "type" => block.kind = Literal::of_value(cursor.value()?).unwrap_or_default(),
                "text" => block.is_blank = is_blank(cursor.value()?),
                "signature" => block.is_signed = !matches!(cursor.value()?, "\"\"" | "null"),
                "id" | "tool_use_id" => block.id = Some(cursor.value()?),
                "citations" => {
                    block.cites = member_of(cursor.value()?, "enabled") == Some("true");
                }
                "cache_control" => block.point = point(cursor, start)?,
                "content" => {
                    self.content(cursor, start, depth + 1, &mut Turn::default())?;
                }
                _ => cursor.skip()?,
            }
        }
        Ok(block)
    }

    /// Decides on the points.
    fn settle(mut self, parts: &Parts, changes: &mut Changes) -> Survey {
        let family = self.family;
        // Of a model that shows no family nothing is known.
        let cache = match family.claude {
            true => family.cache,
            false => Cache::All,
        };
        let last = self.survey.last.unwrap_or_default();
        if let Some(control) = parts.cache_control.clone() {
            let control = self.document.get(control).unwrap_or_default();
            // The last block may have one of its own.
            let has = self.seen.last().is_some_and(|(place, _)| *place > last);
            if control != "null" && !has && self.survey.last.is_some() {
                self.see(Some((WHOLE, lasts_an_hour(control))));
            }
        }
        let mut points = Points::new(cache, changes);
        for (place, hour) in self.seen.iter().rev() {
            let asked = match hour {
                true => CachePoint::OneHour,
                false => CachePoint::Unsaid,
            };
            let Some(settled) = points.settle(Some(asked), true) else {
                continue;
            };
            let hour = settled == CachePoint::OneHour;
            match *place {
                WHOLE => self.survey.automatic = Some(if hour { HOUR_POINT } else { POINT }),
                place => self.survey.points.push((place, hour)),
            }
        }
        self.survey
    }
}

/// Stands for the point of the whole request.
const WHOLE: usize = usize::MAX;
const POINT: &str = r#""cache_control":{"type":"ephemeral"}"#;
const HOUR_POINT: &str = r#""cache_control":{"type":"ephemeral","ttl":"1h"}"#;

/// What a message has.
#[derive(Default)]
struct Turn {
    is_models: bool,
    calls: bool,
    thinks: bool,
    /// Where its last block begins.
    last: Option<usize>,
}

/// The point that comes next: where it begins, and whether it lasts an hour.
fn point(cursor: &mut Cursor<'_>, start: usize) -> Result<Option<(usize, bool)>, Wrong> {
    let place = start + cursor.position();
    let control = cursor.value()?;
    Ok((control != "null").then(|| (place, lasts_an_hour(control))))
}

fn lasts_an_hour(control: &str) -> bool {
    member_of(control, "ttl") == Some("\"1h\"")
}

/// Whether a value is a string without anything to read.
pub fn is_blank(value: &str) -> bool {
    let inside = Literal(value).inside().trim_start();
    match inside.as_bytes().first() {
        None => value.starts_with('"'),
        Some(b'\\') => Literal::of_value(value).is_some_and(|text| text.trim().is_empty()),
        Some(_) => false,
    }
}

/// A message's, a block's, or a block's in a tool's result.
pub const DEPTH: u8 = 3;
