//! `messages` and `system`: what another model, another API or a cut left in a conversation, and what a family does not take.

use std::borrow::Cow;
use std::ops::Range;

use serde_json::Value;

use super::survey::{DEPTH, Place, is_blank};
use super::walk::{Fate, Fit, More, Pieces, Walk};
use crate::body::Segment;
use crate::dialect::anthropic::request::wants::{
    LEFT_BY_SERVER_TOOLS, is_left_by_server_tool, is_tool_search,
};
use crate::family::Changes;
use crate::family::betas::Member;
use crate::family::calls::{Belongs, Ledger, NO_RESULT};
use crate::family::facts::Ids;
use crate::family::fitted_id;
use crate::family::turns::GO_ON;
use crate::json::cursor::{Cursor, Wrong};
use crate::json::text::Literal;

/// What becomes of the messages.
pub fn messages(
    document: &str,
    place: Range<usize>,
    fit: Fit<'_>,
    changes: &mut Changes,
) -> Pieces {
    let state = State {
        ledger: fit.survey.confuses_ids.then(|| Ledger::new(Ids::Claude)),
        ..State::default()
    };
    Walk::over(document, place, fit, changes, state, |walk| {
        walk.elements_and(b"", message_fate, at_the_end)
    })
    .0
}

/// What becomes of the instructions; `more` comes after them.
pub fn system(
    document: &str,
    place: Range<usize>,
    more: Option<&str>,
    fit: Fit<'_>,
    changes: &mut Changes,
) -> Pieces {
    let more = more.map(text_block);
    let value = document.get(place.clone()).unwrap_or_default();
    if value.starts_with('"') {
        let more = more?;
        let said = match is_blank(value) {
            true => format!("[{more}]"),
            false => {
                return Some(vec![
                    Segment::New(br#"[{"type":"text","text":"#.to_vec()),
                    Segment::Kept(place),
                    Segment::New(format!("}},{more}]").into_bytes()),
                ]);
            }
        };
        return Some(vec![Segment::New(said.into_bytes())]);
    }
    Walk::over(document, place, fit, changes, State::default(), |walk| {
        walk.state.depth = 1;
        walk.elements_and(b"", block_fate, |_| {
            more.map(More::New).into_iter().collect()
        })
    })
    .0
}

/// What is known of the conversation so far.
#[derive(Default)]
struct State {
    /// How many blocks are around.
    depth: u8,
    /// Whether the message is the model's.
    is_models: bool,
    /// How many of the places where results are missing are filled.
    filled: usize,
    /// Calls and results, if their ids are not right.
    ledger: Option<Ledger>,
    /// Results that are to stand before all that the message says.
    first: String,
    /// What results without a call say, which is to stand after it.
    last: Vec<More>,
    /// What the call is called now that the next result belongs to.
    id: Option<String>,
}

type Walking<'t, 'f> = Walk<'t, 'f, State>;
type Fated<'t, 'f> = Fate<'t, 'f, State>;

fn message_fate<'t, 'f>(walk: &mut Walking<'t, 'f>) -> Fated<'t, 'f> {
    let start = walk.position();
    let role = walk.next_member("role").and_then(Literal::of_value);
    walk.state.is_models = role.as_deref() == Some("assistant");
    if let Some(ledger) = walk.state.ledger.as_mut().filter(|_| walk.state.is_models) {
        ledger.close();
    }
    let before = missing(walk, Place::Before(start));
    walk.state.first = missing(walk, Place::In(start));
    if !before.is_empty() {
        walk.changes.complete("results of calls");
        let here = walk.cursor.position();
        let turn = format!(r#"{{"role":"user","content":[{before}]}},"#);
        walk.splice.replace(here..here, turn.as_bytes());
    }
    Fate::Into(message)
}

/// Results of the calls that have none, if the next of them are for this place.
fn missing(walk: &mut Walking<'_, '_>, place: Place) -> String {
    let next = walk.fit.survey.missing.get(walk.state.filled);
    let Some((_, ids)) = next.filter(|(known, _)| *known == place) else {
        return String::new();
    };
    walk.state.filled += 1;
    let results: Vec<String> = ids
        .iter()
        .map(|id| {
            let (id, text) = (Value::from(id.as_str()), Value::from(NO_RESULT));
            format!(
                r#"{{"type":"tool_result","tool_use_id":{id},"content":{text},"is_error":true}}"#
            )
        })
        .collect();
    results.join(",")
}

/// What follows the last message.
fn at_the_end(walk: &mut Walking<'_, '_>) -> Vec<More> {
    let results = missing(walk, Place::Last);
    if !results.is_empty() {
        walk.changes.complete("results of calls");
        return vec![More::New(format!(
            r#"{{"role":"user","content":[{results}]}}"#
        ))];
    }
    let family = walk.fit.family;
    if !walk.fit.survey.model_ends || !family.claude || family.turns.prefill {
        return Vec::new();
    }
    walk.changes.complete("a last turn of the user's");
    let text = Value::from(GO_ON);
    vec![More::New(format!(r#"{{"role":"user","content":{text}}}"#))]
}

fn message(walk: &mut Walking<'_, '_>) -> Result<(), Wrong> {
    walk.members(|walk, name| match name {
        "content" => content_fate(walk),
        "role" if walk.next_is("system") && puts_system_elsewhere(walk.fit) => {
            Fate::Value("system", r#""user""#.to_owned())
        }
        "output_config" if !walk.fit.allows(Member::TurnConfig) => {
            Fate::Cut("messages[].output_config")
        }
        _ => Fate::Keep,
    })
}

fn puts_system_elsewhere(fit: Fit<'_>) -> bool {
    fit.family.claude && !fit.family.turns.system_within
}

fn content_fate<'t, 'f>(walk: &mut Walking<'t, 'f>) -> Fated<'t, 'f> {
    let Ok(value) = walk.cursor.clone().value() else {
        return Fate::Keep;
    };
    if !value.starts_with('"') {
        return Fate::Into(content);
    }
    let is_last = walk.fit.survey.last == Some(walk.position());
    let first = std::mem::take(&mut walk.state.first);
    let point = walk.fit.survey.automatic.filter(|_| is_last);
    if is_blank(value) {
        return match first.is_empty() {
            true => Fate::Value("blank text", NOTHING_SAID.to_owned()),
            false => {
                walk.changes.complete("results of calls");
                Fate::Value("blank text", format!("[{first}]"))
            }
        };
    }
    if first.is_empty() && point.is_none() {
        return match trimmed(value).filter(|_| is_last && ends_with_it(walk)) {
            Some(text) => Fate::Value("blanks at the end", text),
            None => Fate::Keep,
        };
    }
    let (comma, name) = match first.is_empty() {
        true => ("", "cache_control"),
        false => (",", "results of calls"),
    };
    let point = point.map(|point| format!(",{point}")).unwrap_or_default();
    Fate::Around(
        name,
        format!(r#"[{first}{comma}{{"type":"text","text":"#),
        format!("{point}}}]"),
    )
}

/// Whether the model is to go on with what it has said.
fn ends_with_it(walk: &Walking<'_, '_>) -> bool {
    let family = walk.fit.family;
    let may = family.turns.prefill || !family.claude;
    may && walk.state.is_models && walk.fit.survey.model_ends
}

/// A string without blanks at its end; `None` if there are none.
fn trimmed(value: &str) -> Option<String> {
    let text = Literal::of_value(value)?;
    let kept = text.trim_end();
    (kept.len() < text.len()).then(|| Value::from(kept).to_string())
}

fn content(walk: &mut Walking<'_, '_>) -> Result<(), Wrong> {
    walk.state.depth += 1;
    let walked = match walk.state.depth <= DEPTH {
        true => blocks(walk),
        false => walk.cursor.skip(),
    };
    walk.state.depth -= 1;
    walked
}

fn blocks(walk: &mut Walking<'_, '_>) -> Result<(), Wrong> {
    if !walk.state.first.is_empty()
        && let Some(within) = inside_of_list(&walk.cursor)
    {
        walk.changes.complete("results of calls");
        let first = std::mem::take(&mut walk.state.first);
        let comma = if within.is_empty { "" } else { "," };
        let here = within.start;
        walk.splice
            .replace(here..here, format!("{first}{comma}").as_bytes());
    }
    walk.elements_and(NOTHING_BLOCK.as_bytes(), block_fate, |walk| {
        match walk.state.depth {
            1 => std::mem::take(&mut walk.state.last),
            _ => Vec::new(),
        }
    })
}

/// Where the inside of the array that comes next begins.
struct Within {
    start: usize,
    is_empty: bool,
}

fn inside_of_list(cursor: &Cursor<'_>) -> Option<Within> {
    let mut ahead = cursor.clone();
    ahead.enter_list().ok()?.then_some(())?;
    let start = ahead.end_of_last();
    let is_empty = !ahead.element().ok()?;
    Some(Within { start, is_empty })
}

fn block_fate<'t, 'f>(walk: &mut Walking<'t, 'f>) -> Fated<'t, 'f> {
    let text = |value| Literal::of_value(value).unwrap_or_default();
    let kind = walk.next_member("type").map(text).unwrap_or_default();
    let kind = kind.as_ref();
    match kind {
        "text" if walk.next_member("text").is_some_and(is_blank) => Fate::Cut("blank text"),
        // What has no signature is another model's, and Claude takes nobody else's for its own.
        "thinking"
            if walk
                .next_member("signature")
                .map(text)
                .unwrap_or_default()
                .is_empty() =>
        {
            Fate::Cut("thinking without a signature")
        }
        "tool_reference" if !walk.fit.allows(Member::ToolSearch) => {
            let name = walk.next_member("tool_name").map(text).unwrap_or_default();
            Fate::Value("tool_reference", text_block(&name))
        }
        "tool_result" if walk.state.depth == 1 => result_fate(walk),
        kind if is_left_by_server_tool(kind) && !stays_of_servers(walk, kind) => {
            Fate::Cut(LEFT_BY_SERVER_TOOLS)
        }
        _ => Fate::Into(block),
    }
}

/// Whether it may stay: that of the search for tools, where that is there.
fn stays_of_servers(walk: &Walking<'_, '_>, kind: &str) -> bool {
    let name = walk.next_member("name").and_then(Literal::of_value);
    let searches = match kind {
        "server_tool_use" => is_tool_search(&name.unwrap_or_default()),
        kind => kind == "tool_search_tool_result",
    };
    searches && walk.fit.allows(Member::ToolSearch)
}

/// A result that belongs to no call is no more than what it says.
fn result_fate<'t, 'f>(walk: &mut Walking<'t, 'f>) -> Fated<'t, 'f> {
    let id = walk.next_member("tool_use_id").and_then(Literal::of_value);
    let (Some(id), Some(ledger)) = (id, &mut walk.state.ledger) else {
        return Fate::Into(block);
    };
    match ledger.result(&fitted_id(&id, Ids::Claude)) {
        Belongs::AsItSays => Fate::Into(block),
        Belongs::To(other) => {
            walk.state.id = Some(other);
            Fate::Into(block)
        }
        Belongs::Nowhere => {
            let said = walk.next_member("content").unwrap_or_default();
            let said = walk.place_of(said).and_then(|place| blocks_of(said, place));
            walk.state.last.extend(said);
            Fate::Cut("ids of results without a call")
        }
    }
}

/// What a result says, which stands in this place, as blocks of the message; `None` if nothing.
fn blocks_of(content: &str, place: Range<usize>) -> Option<More> {
    match content.as_bytes().first()? {
        b'"' if !is_blank(content) => Some(More::Old(r#"{"type":"text","text":"#, place, "}")),
        b'[' if !inside_of_list(&Cursor::new(content))?.is_empty => {
            Some(More::Old("", place.start + 1..place.end - 1, ""))
        }
        _ => None,
    }
}

fn text_block(text: &str) -> String {
    let text = Value::from(text);
    format!(r#"{{"type":"text","text":{text}}}"#)
}

fn block(walk: &mut Walking<'_, '_>) -> Result<(), Wrong> {
    let is_last = walk.state.depth == 1 && walk.fit.survey.last == Some(walk.position());
    let kind = walk.next_member("type").and_then(Literal::of_value);
    let kind: Cow<'_, str> = kind.unwrap_or_default();
    let (is_call, ends) = (
        kind == "tool_use",
        kind == "text" && is_last && ends_with_it(walk),
    );
    let point = walk.fit.survey.automatic.filter(|_| is_last);
    if point.is_some() {
        walk.changes.change("cache_control");
    }
    walk.members_and(point, |walk, name| match name {
        // A point of its own would stand there, but for one that says nothing.
        "cache_control" if point.is_some() => Fate::Cut("cache_control"),
        "cache_control" => walk.point(),
        "content" => Fate::Into(content),
        "caller" if is_call => Fate::Cut("caller of a call"),
        "id" if is_call => call_fate(walk),
        "id" | "tool_use_id" => id_fate(walk),
        "text" if ends => match walk.cursor.clone().value().ok().and_then(trimmed) {
            Some(text) => Fate::Value("blanks at the end", text),
            None => Fate::Keep,
        },
        _ => Fate::Keep,
    })
}

/// The id of a call, which no other call has.
fn call_fate<'t, 'f>(walk: &mut Walking<'t, 'f>) -> Fated<'t, 'f> {
    let Some(id) = walk.next_string() else {
        return Fate::Keep;
    };
    let fitted = fitted_id(&id, Ids::Claude);
    let ledger = walk.state.ledger.as_mut().filter(|_| walk.state.is_models);
    match (ledger.and_then(|ledger| ledger.call(&fitted)), fitted) {
        (Some(other), _) => Fate::Value("ids of calls", Value::from(other).to_string()),
        (None, Cow::Owned(id)) => Fate::Value("ids of calls", Value::from(id).to_string()),
        (None, Cow::Borrowed(_)) => Fate::Keep,
    }
}

/// A conversation that began with another model has its ids.
fn id_fate<'t, 'f>(walk: &mut Walking<'t, 'f>) -> Fated<'t, 'f> {
    let Some(id) = walk.next_string() else {
        return Fate::Keep;
    };
    if let Some(other) = walk.state.id.take() {
        return Fate::Value("ids of calls", Value::from(other).to_string());
    }
    match fitted_id(&id, Ids::Claude) {
        Cow::Owned(id) => Fate::Value("ids of calls", Value::from(id).to_string()),
        Cow::Borrowed(_) => Fate::Keep,
    }
}

/// A message has to say something.
const NOTHING_SAID: &str = r#""(nothing said)""#;
const NOTHING_BLOCK: &str = r#"{"type":"text","text":"(nothing said)"}"#;
