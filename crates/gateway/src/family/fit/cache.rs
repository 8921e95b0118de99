//! Cache points: where a family takes them, how long they last, and how many there may be.

use super::changes::Changes;
use crate::bedrock::converse::media::DocumentFormat;
use crate::bedrock::converse::{Block, CachePoint, Cached, ConverseRequest, Message};
use crate::family::Family;
use crate::family::facts::Cache;

/// As many as Claude and Nova take.
const MOST: usize = 4;

/// Fits all points; `any` says whether the messages have one.
pub fn fit(request: &mut ConverseRequest<'_>, family: &Family, any: bool, changes: &mut Changes) {
    let outside = request.system.iter().any(|text| text.point.is_some())
        || request.tools.iter().any(|tool| tool.point.is_some());
    if !any && !outside {
        return;
    }
    let mut points = Points {
        cache: family.cache,
        left: MOST,
        hour: false,
        changes,
    };
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
                points.settle(point, takes);
            }
        }
    }
    for Cached { point, .. } in system.iter_mut().rev() {
        points.settle(point, true);
    }
    for Cached { point, .. } in tools.iter_mut().rev() {
        let takes = family.cache != Cache::Messages;
        points.settle(point, takes);
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

struct Points<'c> {
    cache: Cache,
    left: usize,
    /// Whether a later one lasts an hour.
    hour: bool,
    changes: &'c mut Changes,
}

impl Points<'_> {
    fn settle(&mut self, point: &mut Option<CachePoint>, takes: bool) {
        let Some(asked) = *point else {
            return;
        };
        if !takes || self.cache == Cache::None || self.left == 0 {
            *point = None;
            return self.changes.leave_out("cache_control");
        }
        self.left -= 1;
        let lasts = asked == CachePoint::OneHour;
        if lasts && self.cache != Cache::AllAndHour {
            self.changes.leave_out("cache_control.ttl");
        }
        self.hour |= lasts && self.cache == Cache::AllAndHour;
        // Five minutes is what every family does by itself, and few take the word for it.
        *point = Some(match self.hour {
            true => CachePoint::OneHour,
            false => CachePoint::Unsaid,
        });
    }
}
