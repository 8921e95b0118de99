//! `tools`: members that hang on a flag, and schemas.

use std::ops::Range;

use super::walk::{Fate, Fit, Pieces, Walk};
use crate::dialect::anthropic::request::wants::{is_tool_search, server_tool};
use crate::family::Changes;
use crate::family::betas::Member;
use crate::family::facts::SchemaLimits;
use crate::family::schema;
use crate::family::tools::Strict;
use crate::json::cursor::Wrong;
use crate::json::text::Literal;

/// What becomes of the tools.
pub fn tools(document: &str, place: Range<usize>, fit: Fit<'_>, changes: &mut Changes) -> Pieces {
    let state = State {
        strict: fit.family.tools.map(|tools| Strict::new(tools, fit.family)),
        ..State::default()
    };
    let (pieces, _) = Walk::over(document, place, fit, changes, state, |walk| {
        walk.elements(b"", |walk| {
            let kind = walk.next_member("type").unwrap_or_default();
            let kind = Literal::of_value(kind).unwrap_or_default();
            if let Some(name) = server_tool(&kind) {
                return Fate::Cut(name);
            }
            match is_tool_search(&kind) && !walk.fit.allows(Member::ToolSearch) {
                true => Fate::Cut("tools[].tool_search_tool"),
                false => Fate::Into(tool),
            }
        })
    });
    pieces
}

#[derive(Default)]
struct State {
    /// How many more tools may be held to their schemas.
    strict: Option<Strict>,
    /// Whether the tool is deferred by itself.
    is_deferred: bool,
    /// The tool's schema, if it changes.
    schema: Option<String>,
    /// Whether the tool is held to its schema.
    is_strict: bool,
}

fn tool(walk: &mut Walk<'_, '_, State>) -> Result<(), Wrong> {
    walk.state.is_deferred = walk.next_member("defer_loading").is_some();
    fit_schema(walk);
    walk.members(|walk, name| match name {
        "custom" => {
            let inner = walk.next_member("defer_loading");
            match inner == Some("true")
                && !walk.state.is_deferred
                && walk.fit.allows(Member::ToolSearch)
            {
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
        "strict" if !walk.state.is_strict => Fate::Cut("tools[].strict"),
        "input_schema" => match walk.state.schema.take() {
            Some(schema) => Fate::Value("tools[].input_schema", schema),
            None => Fate::Keep,
        },
        "cache_control" => walk.point(),
        _ => Fate::Keep,
    })
}

/// Decides on the schema of the tool that comes next.
fn fit_schema(walk: &mut Walk<'_, '_, State>) {
    (walk.state.schema, walk.state.is_strict) = (None, false);
    let wants_strict = walk.cursor.next_member("strict") == Some("true");
    let Some(given) = walk.cursor.next_member("input_schema") else {
        return;
    };
    let tools = walk.fit.family.tools;
    let limits = tools.map_or(SchemaLimits::Common, |tools| tools.schema);
    let state = &mut walk.state;
    state.schema = schema::of_input(given, limits);
    if !wants_strict {
        return;
    }
    let json = state.schema.as_deref().unwrap_or(given);
    let held = state.strict.as_mut().and_then(|strict| strict.fit(json));
    if let Some(held) = held {
        state.is_strict = true;
        if held != given {
            state.schema = Some(held);
        }
    }
}
