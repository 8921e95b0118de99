//! The conversation: one pass over its turns, and one over what each says.

use std::collections::HashSet;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::calls::{Belongs, Ledger, NO_RESULT};
use super::changes::Changes;
use super::{ids, turns};
use crate::bedrock::converse::media::DocumentFormat;
use crate::bedrock::converse::runs::{Run, Runs, grow};
use crate::bedrock::converse::strings::{Part, Str, Strings};
use crate::bedrock::converse::{Block, Cached, ConverseRequest, Message, Place, Role};
use crate::family::Family;
use crate::family::facts::{Back, Documents};

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
    turns::place_instructions(request, family, changes);
    let ConverseRequest {
        strings,
        messages,
        blocks,
        results,
        ..
    } = request;
    let mut pass = Pass {
        family,
        ledger: family.tools.map(|tools| Ledger::new(tools.ids)),
        strings,
        results,
        calls: Calls::default(),
        disordered: false,
        changes,
    };
    let mut gone = false;
    for message in messages.iter_mut() {
        pass.turn(message, blocks);
        if message.role == Role::User {
            pass.answer_calls(&mut message.content, blocks);
        }
        gone |= message.content.is_empty();
    }
    let mut content = blocks.start();
    pass.answer_calls(&mut content, blocks);
    if !content.is_empty() {
        let role = Role::User;
        messages.push(Message { role, content });
    }
    let disordered = pass.disordered;
    let calls = pass.calls;
    if gone {
        turns::close_gaps(messages, blocks);
    }
    if disordered {
        request.put_in_order();
    }
    if calls.used {
        turns::separate_results(request, family, changes);
    }
    turns::begin_and_end(request, family, changes);
    calls
}

struct Pass<'p, 'a> {
    family: &'p Family,
    /// `None` where there are no tools.
    ledger: Option<Ledger>,
    strings: &'p mut Strings<'a>,
    results: &'p mut Runs<Block>,
    calls: Calls,
    /// Whether a text stands where a result stood, so that it may not be in its place.
    disordered: bool,
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
                if self.ledger.is_none() {
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
                }
                self.calls.used = true;
                *block = Block::ToolUse {
                    id: self.call(id),
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
                let Some(id) = self.call_of(id) else {
                    *block = Block::Text(self.joined(content, beside));
                    return Fate::Stays;
                };
                self.calls.used = true;
                *block = Block::ToolResult {
                    id,
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

    /// The id of a call, which no other call has.
    fn call(&mut self, id: Str) -> Str {
        let Some(ledger) = &mut self.ledger else {
            return id;
        };
        let id = ids::fit(id, ledger.ids(), self.strings);
        match ledger.call(&self.strings.text(id)) {
            Some(other) => {
                self.changes.change("ids of calls");
                self.strings.add(&other)
            }
            None => id,
        }
    }

    /// The id of the call that a result belongs to; `None`: there is none, or there are no tools.
    fn call_of(&mut self, id: Str) -> Option<Str> {
        let ledger = self.ledger.as_mut()?;
        let id = ids::fit(id, ledger.ids(), self.strings);
        let belongs = ledger.result(&self.strings.text(id));
        match belongs {
            Belongs::AsItSays => Some(id),
            Belongs::To(other) => Some(self.strings.add(&other)),
            Belongs::Nowhere => {
                self.disordered = true;
                None
            }
        }
    }

    /// Gives a result to the calls that wait for one when the user has spoken.
    fn answer_calls(&mut self, content: &mut Run, blocks: &mut Runs<Cached<Block>>) {
        let missing = self.ledger.as_mut().map(Ledger::close);
        let missing = missing.unwrap_or_default();
        if missing.is_empty() {
            return;
        }
        self.changes.complete("results of calls");
        let mut all = blocks.start();
        for id in missing {
            let text = Block::Text(self.strings.constant(NO_RESULT));
            let result = Block::ToolResult {
                id: self.strings.add(&id),
                content: self.results.add([text]),
                failed: self.family.result.status,
            };
            blocks.push(&mut all, Cached::plain(result));
        }
        blocks.append(&mut all, *content);
        *content = all;
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

    /// What a tool gave, as text; what is no text stands beside it.
    fn joined(&mut self, content: Run, beside: &mut Vec<Block>) -> Str {
        self.changes.change("tool results");
        let mut joined = self.strings.add("");
        let mut moved = false;
        for index in 0..content.len() {
            match self.results.get(content).get(index) {
                Some(Block::Text(text)) => self.strings.extend(&mut joined, Part::Of(*text)),
                Some(other) => {
                    let other = *other;
                    moved = true;
                    grow(beside);
                    beside.push(other);
                }
                None => {}
            }
        }
        match self.strings.is_blank(joined) {
            true if moved => self.strings.constant(SEE_BELOW),
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

const SEE_DOCUMENT: &str = "See the document.";
const SEE_BELOW: &str = "(see below)";
const FAILED: &str = "(the tool failed)";
const NOTHING: &str = "(no output)";
