//! Cache points: where a family takes them, how long they last, and how many there may be.

use super::changes::Changes;
use crate::bedrock::converse::media::DocumentFormat;
use crate::bedrock::converse::{Block, CachePoint, Cached, ConverseRequest, Message};
use crate::family::Family;
use crate::family::facts::Cache;

/// As many as Claude and Nova take.
pub const MOST: usize = 4;

/// Fits all points; `any` says whether the messages have one.
pub fn fit(request: &mut ConverseRequest<'_>, family: &Family, any: bool, changes: &mut Changes) {
    let outside = request.system.iter().any(|text| text.point.is_some())
        || request.tools.iter().any(|tool| tool.point.is_some());
    if !any && !outside {
        return;
    }
    let mut points = Points::new(family.cache, changes);
    // From the end to the beginning: the last points are worth the most, and none may last longer than one before it.
    let ConverseRequest {
        messages,
        blocks,
        system,
        tools,
        ..
    } = request;
    for Message { content, .. } in messages.iter().rev().filter(|_| any) {
        let blocks = blocks.get_mut(*content);
        let has_calls = blocks
            .iter()
            .any(|block| matches!(block.item, Block::ToolUse { .. } | Block::ToolResult { .. }));
        for Cached { item, point } in blocks.iter_mut().rev() {
            if point.is_some() {
                let takes = match family.cache {
                    Cache::None => false,
                    Cache::Messages => !has_calls,
                    Cache::All | Cache::AllAndHour => takes_point(item),
                };
                *point = points.settle(*point, takes);
            }
        }
    }
    for Cached { point, .. } in system.iter_mut().rev() {
        *point = points.settle(*point, true);
    }
    for Cached { point, .. } in tools.iter_mut().rev() {
        let takes = family.cache != Cache::Messages;
        *point = points.settle(*point, takes);
    }
}

/// Claude takes none after its reasoning, nor after a document that it would have to cut.
fn takes_point(block: &Block) -> bool {
    match block {
        Block::Reasoning { .. } | Block::Redacted(_) => false,
        Block::Document { format, cite, .. } => *format == DocumentFormat::Pdf || *cite,
        _ => true,
    }
}

/// Decides on points, which come from the end of a request to its beginning.
pub struct Points<'c> {
    cache: Cache,
    left: usize,
    /// Whether a later one lasts an hour.
    hour: bool,
    changes: &'c mut Changes,
}

impl<'c> Points<'c> {
    /// For a family that takes points so.
    pub fn new(cache: Cache, changes: &'c mut Changes) -> Self {
        Self {
            cache,
            left: MOST,
            hour: false,
            changes,
        }
    }

    /// What becomes of the next one; `takes`: the family takes a point in its place.
    pub fn settle(&mut self, point: Option<CachePoint>, takes: bool) -> Option<CachePoint> {
        let asked = point?;
        if !takes || self.cache == Cache::None || self.left == 0 {
            self.changes.leave_out("cache_control");
            return None;
        }
        self.left -= 1;
        let lasts = asked == CachePoint::OneHour;
        if lasts && self.cache != Cache::AllAndHour {
            self.changes.leave_out("cache_control.ttl");
        }
        self.hour |= lasts && self.cache == Cache::AllAndHour;
        // Five minutes is what every family does by itself, and few take the word for it.
        Some(match self.hour {
            true => CachePoint::OneHour,
            false => CachePoint::Unsaid,
        })
    }
}
