//! The conversation: one pass over its turns, and one over what each says.

use std::collections::HashSet;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::changes::Changes;
use super::ids;
use crate::bedrock::converse::media::DocumentFormat;
use crate::bedrock::converse::runs::{Run, Runs, grow};
use crate::bedrock::converse::strings::{Part, Str, Strings};
use crate::bedrock::converse::{Block, Cached, ConverseRequest, Message, Place, Role};
use crate::family::Family;
use crate::family::facts::{Back, Beside, Documents, Ids};

/// What was found on the way.
#[derive(Clone, Debug, Default)]
pub struct Calls {
    /// Whether there are calls of tools, or what these gave.
    used: bool,
    /// Whether a cache point stands in the messages.
    pub points: bool,
    /// Whether a document is to be cited.
    pub cites: bool,
    /// Whether the model's last turn calls a tool without reasoning before it.
    pub without_reasoning: bool,
}

impl Calls {
    /// Whether there are none.
    pub fn none(&self) -> bool {
        !self.used
    }

    /// The names of the tools that were called.
    pub fn names(&self, request: &ConverseRequest<'_>) -> Vec<Str> {
        let mut known = HashSet::new();
        let mut names = Vec::new();
        let said = request
            .messages
            .iter()
            .flat_map(|message| request.blocks.get(message.content));
        for block in said {
            if let Block::ToolUse { name, .. } = block.item
                && names.len() < MOST_NAMES
                && known.insert(request.strings.text(name))
            {
                names.push(name);
            }
        }
        names
    }
}

/// More tools than any request has.
const MOST_NAMES: usize = 1000;

/// Fits what is said to what the family takes, block by block, and then the turns.
pub fn fit(request: &mut ConverseRequest<'_>, family: &Family, changes: &mut Changes) -> Calls {
    place_instructions(request, family, changes);
    let ConverseRequest {
        strings,
        messages,
        blocks,
        results,
        ..
    } = request;
    let mut pass = Pass {
        family,
        ids: family.tools.map(|tools| tools.ids),
        strings,
        results,
        calls: Calls::default(),
        changes,
    };
    let mut gone = false;
    for message in messages.iter_mut() {
        pass.turn(message, blocks);
        gone |= message.content.is_empty();
    }
    let calls = pass.calls;
    if gone {
        close_gaps(messages, blocks);
    }
    separate_results(request, family, &calls, changes);
    begin_and_end(request, family, changes);
    calls
}

/// Instructions in the midst of a conversation: of Claude's a user's turn where they stand, for what stood before is cached;
/// else with the others. A family without any has them in front of what the user says first.
fn place_instructions(request: &mut ConverseRequest<'_>, family: &Family, changes: &mut Changes) {
    if request
        .messages
        .iter()
        .any(|message| message.role == Role::System)
    {
        for message in &mut request.messages {
            if message.role != Role::System {
                continue;
            }
            message.role = Role::User;
            if !family.claude {
                let said = std::mem::take(&mut message.content);
                for Cached { item, point } in request.blocks.get(said) {
                    if let Block::Text(text) = *item {
                        request.system.push(Cached {
                            item: text,
                            point: *point,
                        });
                    }
                }
            }
            changes.change("system");
        }
        request
            .messages
            .retain(|message| !message.content.is_empty());
        close_gaps(&mut request.messages, &mut request.blocks);
    }
    if family.system || request.system.is_empty() {
        return;
    }
    changes.change("system");
    let mut content = request.blocks.start();
    for Cached { item, .. } in std::mem::take(&mut request.system) {
        let text = Cached::plain(Block::Text(item));
        request.blocks.push(&mut content, text);
    }
    match request.messages.first_mut() {
        Some(first) if first.role == Role::User => {
            request.blocks.append(&mut content, first.content);
            first.content = content;
        }
        _ => {
            let role = Role::User;
            request.messages.insert(0, Message { role, content });
        }
    }
}

/// Takes out turns that say nothing any more, and joins their neighbours, for turns alternate.
fn close_gaps(messages: &mut Vec<Message>, blocks: &mut Runs<Cached<Block>>) {
    let mut kept = 0_usize;
    for index in 0..messages.len() {
        let Some(message) = messages
            .get(index)
            .copied()
            .filter(|message| !message.content.is_empty())
        else {
            continue;
        };
        let before = kept
            .checked_sub(1)
            .and_then(|before: usize| messages.get_mut(before));
        match before {
            Some(before) if before.role == message.role => {
                blocks.append(&mut before.content, message.content);
            }
            _ => {
                if let Some(place) = messages.get_mut(kept) {
                    *place = message;
                }
                kept += 1;
            }
        }
    }
    messages.truncate(kept);
}

struct Pass<'p, 'a> {
    family: &'p Family,
    /// `None` where there are no tools.
    ids: Option<Ids>,
    strings: &'p mut Strings<'a>,
    results: &'p mut Runs<Block>,
    calls: Calls,
    changes: &'p mut Changes,
}

/// What becomes of a block.
enum Fate {
    Stays,
    Goes,
}

impl Pass<'_, '_> {
    /// Fits one turn.
    fn turn(&mut self, message: &mut Message, blocks: &mut Runs<Cached<Block>>) {
        let mut gone = false;
        let (mut documents, mut texts, mut calls, mut reasoning) = (false, false, false, false);
        // What a result cannot hold stands beside it.
        let mut beside: Vec<Block> = Vec::new();
        for Cached { item, point } in blocks.get_mut(message.content) {
            self.calls.points |= point.is_some();
            match self.block(item, &mut beside) {
                Fate::Stays => {}
                Fate::Goes => {
                    gone = true;
                    // Taken out below.
                    *item = Block::Redacted(self.strings.constant(""));
                    continue;
                }
            }
            match item {
                Block::Document { .. } => documents = true,
                Block::Text(_) => texts = true,
                Block::ToolUse { .. } => calls = true,
                Block::Reasoning { .. } | Block::Redacted(_) => reasoning = true,
                _ => {}
            }
        }
        if message.role == Role::Assistant {
            self.calls.without_reasoning = calls && !reasoning;
        }
        documents |= beside
            .iter()
            .any(|block| matches!(block, Block::Document { .. }));
        let lacks_text = documents && !texts;
        if !gone && !lacks_text && beside.is_empty() {
            return;
        }
        if gone {
            let kept = self.keep(blocks.get_mut(message.content));
            (message.content, _) = message.content.split_at(kept);
        }
        for block in beside {
            blocks.push(&mut message.content, Cached::plain(block));
        }
        if lacks_text {
            self.changes.complete("text beside a document");
            let text = Block::Text(self.strings.constant(SEE_DOCUMENT));
            blocks.push(&mut message.content, Cached::plain(text));
        }
    }

    /// Moves what stays to the front, and says how much that is.
    fn keep(&self, blocks: &mut [Cached<Block>]) -> usize {
        let mut kept = 0;
        for index in 0..blocks.len() {
            let goes = |block: &Cached<Block>| matches!(block.item, Block::Redacted(data) if self.strings.escaped(data).is_empty());
            if blocks.get(index).is_some_and(|block| !goes(block)) {
                blocks.swap(kept, index);
                kept += 1;
            }
        }
        kept
    }

    fn block(&mut self, block: &mut Block, beside: &mut Vec<Block>) -> Fate {
        match *block {
            Block::Reasoning { text, signature } => return self.reasoning(block, text, signature),
            Block::Redacted(_) if self.family.reasoning.back != Back::Signed => {
                self.changes.leave_out("reasoning");
                return Fate::Goes;
            }
            Block::ToolUse { id, name, input } => {
                let Some(ids) = self.ids else {
                    let parts = [
                        Part::New("["),
                        Part::Of(name),
                        Part::New(" "),
                        Part::Spelt(input),
                        Part::New("]"),
                    ];
                    self.changes.change("tool_calls");
                    *block = Block::Text(self.strings.add_joined(&parts));
                    return Fate::Stays;
                };
                self.calls.used = true;
                *block = Block::ToolUse {
                    id: ids::fit(id, ids, self.strings),
                    name,
                    input,
                };
            }
            Block::ToolResult {
                id,
                mut content,
                failed,
            } => {
                self.result(&mut content, beside);
                if failed && !self.family.result.status {
                    let text = Block::Text(self.strings.constant(FAILED));
                    self.results.push(&mut content, text);
                    self.changes.change("status of a tool result");
                }
                let Some(ids) = self.ids else {
                    *block = Block::Text(self.joined(content));
                    return Fate::Stays;
                };
                self.calls.used = true;
                *block = Block::ToolResult {
                    id: ids::fit(id, ids, self.strings),
                    content,
                    failed: failed && self.family.result.status,
                };
            }
            Block::Document { .. } => self.document(block),
            Block::SearchResult(json) if !self.family.claude => {
                self.changes.change("search_result");
                *block = Block::Text(self.strings.add_joined(&[Part::Spelt(json)]));
            }
            _ => {}
        }
        Fate::Stays
    }

    /// Reasoning goes back to those only who take it.
    fn reasoning(&mut self, block: &mut Block, text: Str, signature: Option<Str>) -> Fate {
        let signed = signature.is_some_and(|signature| !self.strings.is_blank(signature));
        match self.family.reasoning.back {
            Back::Signed | Back::SignedText if signed => return Fate::Stays,
            Back::Unsigned if !self.strings.is_blank(text) => {
                *block = Block::Reasoning {
                    text,
                    signature: None,
                };
                return Fate::Stays;
            }
            _ => {}
        }
        self.changes.leave_out("reasoning");
        Fate::Goes
    }

    /// What a tool gave: never nothing, and no media that the family takes only beside it.
    fn result(&mut self, content: &mut Run, beside: &mut Vec<Block>) {
        let takes = self.family.result;
        let mut moved = false;
        for index in 0..content.len() {
            let Some(mut item) = self.results.get(*content).get(index).copied() else {
                continue;
            };
            match &item {
                Block::Document { .. } => self.document(&mut item),
                Block::SearchResult(json) if !self.family.claude => {
                    item = Block::Text(self.strings.add_joined(&[Part::Spelt(*json)]));
                }
                _ => {}
            }
            let stands_beside = match item {
                Block::Image { .. } => !takes.image,
                Block::Document { format, .. } => match takes.document {
                    Documents::None => true,
                    Documents::Text => !matches!(format, DocumentFormat::Csv | DocumentFormat::Txt),
                    Documents::All => false,
                },
                Block::Audio { .. } => true,
                _ => false,
            };
            if stands_beside {
                moved = true;
                grow(beside);
                beside.push(item);
                item = Block::Text(self.strings.constant(SEE_BELOW));
            }
            if let Some(place) = self.results.get_mut(*content).get_mut(index) {
                *place = item;
            }
        }
        if moved {
            self.changes.change("media in a tool's result");
        }
        if content.is_empty() {
            let text = self.strings.constant(NOTHING);
            *content = self.results.add([Block::Text(text)]);
            self.changes.complete("text of an empty tool result");
        }
    }

    /// What a tool gave, as text.
    fn joined(&mut self, content: Run) -> Str {
        self.changes.change("tool results");
        let mut joined = self.strings.add("");
        for index in 0..content.len() {
            if let Some(Block::Text(text)) = self.results.get(content).get(index) {
                self.strings.extend(&mut joined, Part::Of(*text));
            }
        }
        match self.strings.is_blank(joined) {
            true => self.strings.constant(NOTHING),
            false => joined,
        }
    }

    /// A document of text is one only where it is cited, or in base64; where there are no documents it is text.
    fn document(&mut self, block: &mut Block) {
        let Block::Document {
            format,
            name,
            place,
            source,
            context,
            cite,
        } = *block
        else {
            return;
        };
        let cites = cite && self.family.claude;
        if cite && !cites {
            self.changes.leave_out("citations");
        }
        self.calls.cites |= cites;
        if !self.family.input.document
            && let Some(text) = self.text_of(format, place, source)
        {
            self.changes.change("document");
            *block = Block::Text(text);
            return;
        }
        let is_text = place == Place::Text && !cites;
        let source = match is_text {
            true => {
                let text = self.strings.text(source).into_owned();
                self.strings.add_base64(text.as_bytes())
            }
            false => source,
        };
        *block = Block::Document {
            format,
            name,
            place: if is_text { Place::Bytes } else { place },
            source,
            context: context.filter(|_| self.family.claude),
            cite: cites,
        };
        if is_text {
            self.changes.change("document");
        }
        if context.is_some() && !self.family.claude {
            self.changes.leave_out("context of a document");
        }
    }

    /// What a document of text says; `None` if it is of another kind.
    fn text_of(&mut self, format: DocumentFormat, place: Place, source: Str) -> Option<Str> {
        use DocumentFormat::{Csv, Html, Md, Txt};
        let text = match place {
            Place::Text => return Some(source).filter(|source| !self.strings.is_blank(*source)),
            Place::Bytes if matches!(format, Csv | Html | Md | Txt) => {
                let data = STANDARD.decode(self.strings.text(source).as_bytes()).ok()?;
                String::from_utf8(data).ok()?
            }
            _ => return None,
        };
        (!text.trim().is_empty()).then(|| self.strings.add(&text))
    }
}

/// Where a result takes nothing of the kind beside it, what else the user says is a turn of its own, with one of the model's
/// between the two.
fn separate_results(
    request: &mut ConverseRequest<'_>,
    family: &Family,
    calls: &Calls,
    changes: &mut Changes,
) {
    let level = family.turns.beside_result;
    if calls.none() || level == Beside::All {
        return;
    }
    let fits = |block: &Cached<Block>| match block.item {
        Block::ToolResult { .. } => true,
        Block::Text(_) => level >= Beside::Text,
        Block::Image { .. } | Block::SearchResult(_) => level >= Beside::TextAndImages,
        _ => false,
    };
    // How many results a turn begins with, if what follows them must not stand there.
    let results = |message: &Message, blocks: &Runs<Cached<Block>>| {
        let blocks = blocks.get(message.content);
        let is_result = |block: &Cached<Block>| matches!(block.item, Block::ToolResult { .. });
        let results = blocks.iter().take_while(|block| is_result(block)).count();
        let mixed = message.role == Role::User && results > 0 && !blocks.iter().all(fits);
        mixed.then_some(results)
    };
    let mixed = |message: &Message| results(message, &request.blocks).is_some();
    // As a rule there are none.
    if !request.messages.iter().any(mixed) {
        return;
    }
    changes.complete("a turn between a tool's result and what follows");
    let text = request.strings.constant(BETWEEN);
    let between = Message {
        role: Role::Assistant,
        content: request.blocks.add([Cached::plain(Block::Text(text))]),
    };
    let mut turns = Vec::with_capacity(request.messages.len());
    for message in std::mem::take(&mut request.messages) {
        let separated =
            results(&message, &request.blocks).map(|count| message.content.split_at(count));
        let Some((before, after)) = separated else {
            grow(&mut turns);
            turns.push(message);
            continue;
        };
        for turn in [
            Message {
                content: before,
                ..message
            },
            between,
            Message {
                content: after,
                ..message
            },
        ] {
            grow(&mut turns);
            turns.push(turn);
        }
    }
    request.messages = turns;
}

/// The first turn and the last one.
fn begin_and_end(request: &mut ConverseRequest<'_>, family: &Family, changes: &mut Changes) {
    let turn = |text: &'static str, request: &mut ConverseRequest<'_>| {
        let text = request.strings.constant(text);
        let content = request.blocks.add([Cached::plain(Block::Text(text))]);
        Message {
            role: Role::User,
            content,
        }
    };
    match request.messages.first() {
        Some(first) if first.role == Role::Assistant && !family.turns.assistant_first => {
            let first = turn(BEGIN, request);
            request.messages.insert(0, first);
            changes.complete("a first turn of the user's");
        }
        None if !request.system.is_empty() => {
            let only = turn(BEGIN, request);
            request.messages.push(only);
            changes.complete("a first turn of the user's");
        }
        _ => {}
    }
    let Some(last) = request
        .messages
        .last()
        .copied()
        .filter(|last| last.role == Role::Assistant)
    else {
        return;
    };
    let calls = request
        .blocks
        .get(last.content)
        .iter()
        .any(|block| matches!(block.item, Block::ToolUse { .. }));
    if !family.turns.prefill && !calls {
        let more = turn(GO_ON, request);
        request.messages.push(more);
        return changes.complete("a last turn of the user's");
    }
    let Some(Cached {
        item: Block::Text(text),
        ..
    }) = request.blocks.get_mut(last.content).last_mut()
    else {
        return;
    };
    let said = request.strings.text(*text).into_owned();
    let trimmed = said.trim_end();
    if trimmed.len() < said.len() {
        *text = request.strings.add(trimmed);
        changes.change("blanks at the end");
    }
}

const SEE_DOCUMENT: &str = "See the document.";
const SEE_BELOW: &str = "(see below)";
const FAILED: &str = "(the tool failed)";
const NOTHING: &str = "(no output)";
const BETWEEN: &str = "Understood.";
const BEGIN: &str = "Begin.";
const GO_ON: &str = "Continue.";
