//! An answer as it grows, item by item, and the events that tell of it. What has ended is kept until the end of the answer,
//! which repeats all of it.

use super::Reply;
use super::citation;
use super::events::Events;
use super::item::{self, Stage};
use super::open::{Call, Kind, Message, Open, Reasoning};
use super::tools::Called;
use crate::dialect::custom::Unwrapping;
use crate::dialect::shown::{NO_PICTURE, Whole};
use crate::dialect::{MOST_OPEN, Meta};
use crate::json::text::Literal;

/// The items of one answer.
#[derive(Debug)]
pub struct Output {
    pub events: Events,
    /// What the ids of items end in.
    id: String,
    /// Items by their places; empty where one goes on.
    items: Vec<String>,
    /// How many bytes were given, and so are kept.
    kept: usize,
    /// What is being said, if it is the last item.
    message: Option<Message>,
    open: Vec<Open>,
    /// Sources that came before the text they belong to.
    sources: Vec<String>,
    /// Calls so far.
    calls: usize,
}

impl Output {
    /// Nothing yet.
    pub fn new(meta: &Meta, events: Events) -> Self {
        Self {
            events,
            id: meta.id.clone(),
            items: Vec::new(),
            kept: 0,
            message: None,
            open: Vec::new(),
            sources: Vec::new(),
            calls: 0,
        }
    }

    /// Items that have ended, as the text of JSON.
    pub fn items(&self) -> String {
        let ended: Vec<&str> = self
            .items
            .iter()
            .map(String::as_str)
            .filter(|item| !item.is_empty())
            .collect();
        ended.join(",")
    }

    /// How many bytes are kept: what was given, of which items are a small multiple.
    pub fn kept(&self) -> usize {
        self.kept
    }

    /// How many calls there are so far.
    pub fn calls(&self) -> usize {
        self.calls
    }

    /// Something is said in this block.
    pub fn say(&mut self, block: u64, said: Literal<'_>, out: &mut Vec<u8>) {
        let goes_on = |message: &Message| {
            message
                .text
                .as_ref()
                .is_some_and(|text| text.block == block)
        };
        if !self.message.as_ref().is_some_and(goes_on) {
            self.begin_text(block, out);
        }
        let message = self.message.as_mut();
        if let Some(text) = message.and_then(|message| message.text.as_mut()) {
            text.said.push_str(said.inside());
            self.kept += said.0.len();
            let members = [
                text.place.as_bytes(),
                b",\"logprobs\":[],\"delta\":",
                said.0.as_bytes(),
            ];
            self.events
                .write("response.output_text.delta", &members, out);
        }
    }

    fn begin_text(&mut self, block: u64, out: &mut Vec<u8>) {
        self.end_text(out);
        if self.message.is_none() {
            let (index, id) = self.next_item("msg", out);
            self.added(index, &item::message(&id, Stage::Begun, ""), out);
            self.message = Some(Message::new(index, id));
        }
        if let Some(message) = &mut self.message {
            let text = message.begin_text(block);
            let part = text.part();
            let members = [text.place.as_bytes(), b",\"part\":", part.as_bytes()];
            self.events
                .write("response.content_part.added", &members, out);
        }
    }

    /// A source, as Bedrock gave it: of what is being said, was said last, or will be said next.
    pub fn cite(&mut self, cited: &str, out: &mut Vec<u8>) {
        let text = self.message.as_mut().and_then(Message::cited);
        let Some(text) = text else {
            if self.sources.len() < MOST_SOURCES && cited.len() <= LONGEST_SOURCE {
                self.kept += cited.len();
                self.sources.push(cited.to_owned());
            }
            return;
        };
        let Some(annotation) = citation::of(cited, text.characters()) else {
            return;
        };
        self.kept += annotation.len();
        let number = text.add_source(&annotation).to_string();
        let members = [
            text.place.as_bytes(),
            b",\"annotation_index\":",
            number.as_bytes(),
            b",\"annotation\":",
            annotation.as_bytes(),
        ];
        self.events
            .write("response.output_text.annotation.added", &members, out);
    }

    /// Ends the text that goes on; what follows may be another one of the same message.
    fn end_text(&mut self, out: &mut Vec<u8>) {
        if self
            .message
            .as_ref()
            .is_some_and(|message| message.text.is_some())
        {
            for source in std::mem::take(&mut self.sources) {
                self.cite(&source, out);
            }
        }
        let Some(message) = &mut self.message else {
            return;
        };
        let Some(text) = message.text.take() else {
            return;
        };
        let members: [&[u8]; 4] = [
            text.place.as_bytes(),
            b",\"logprobs\":[],\"text\":\"",
            text.said.as_bytes(),
            b"\"",
        ];
        self.events
            .write("response.output_text.done", &members, out);
        let part = text.part();
        let members = [text.place.as_bytes(), b",\"part\":", part.as_bytes()];
        self.events
            .write("response.content_part.done", &members, out);
        message.end_text(text);
    }

    fn end_message(&mut self, out: &mut Vec<u8>) {
        self.end_text(out);
        if let Some(message) = self.message.take() {
            self.done(message.index, message.item(), out);
        }
    }

    /// Something is reasoned in this block.
    pub fn reason(&mut self, block: u64, said: Literal<'_>, reply: &Reply, out: &mut Vec<u8>) {
        self.kept += said.0.len();
        let Some((place, reasoning, events)) = self.reasoning(block, out) else {
            return;
        };
        if reply.shows_reasoning {
            if reasoning.text.is_empty() {
                let part = item::summary("");
                let members = [place, SUMMARY, b",\"part\":", part.as_bytes()];
                events.write("response.reasoning_summary_part.added", &members, out);
            }
            let members = [place, SUMMARY, b",\"delta\":", said.0.as_bytes()];
            events.write("response.reasoning_summary_text.delta", &members, out);
        }
        reasoning.text.push_str(said.inside());
    }

    /// What proves to the model that the reasoning of this block is its own.
    pub fn sign(&mut self, block: u64, signature: Literal<'_>, out: &mut Vec<u8>) {
        self.kept += signature.0.len();
        if let Some((_, reasoning, _)) = self.reasoning(block, out) {
            reasoning.signature.push_str(signature.inside());
        }
    }

    /// Reasoning that is not shown.
    pub fn hide(&mut self, block: u64, data: Literal<'_>, out: &mut Vec<u8>) {
        self.kept += data.0.len();
        if let Some((_, reasoning, _)) = self.reasoning(block, out) {
            reasoning.redacted.push(data.inside().to_owned());
        }
    }

    /// The reasoning of a block, begun if it has not.
    fn reasoning(
        &mut self,
        block: u64,
        out: &mut Vec<u8>,
    ) -> Option<(&[u8], &mut Reasoning, &mut Events)> {
        let is_it = |open: &Open| open.block == block && matches!(open.kind, Kind::Reasoning(_));
        if !self.open.iter().any(is_it) {
            self.make_room(out);
            let (index, id) = self.next_item("rs", out);
            self.added(index, &item::reasoning(&id, None, None), out);
            let kind = Kind::Reasoning(Reasoning::default());
            self.open.push(Open::new(block, (index, id), kind));
        }
        let open = self.open.iter_mut().rev().find(|open| is_it(open))?;
        match &mut open.kind {
            Kind::Reasoning(reasoning) => {
                Some((open.place.as_bytes(), reasoning, &mut self.events))
            }
            Kind::Call(_) => None,
        }
    }

    /// A call begins.
    pub fn call(
        &mut self,
        block: u64,
        (call_id, name): (String, &str),
        reply: &Reply,
        out: &mut Vec<u8>,
    ) {
        self.end_block(block, reply, out);
        self.make_room(out);
        self.calls += 1;
        let called = reply.tools.called(name);
        let (prefix, custom) = match called {
            Called::Function { .. } => ("fc", None),
            Called::Custom { .. } => ("ctc", Some(Unwrapping::default())),
            Called::Search => ("tsc", None),
        };
        let (index, id) = self.next_item(prefix, out);
        let call = Call {
            call_id,
            name: name.to_owned(),
            input: String::new(),
            custom,
        };
        self.added(index, &call.item(&id, &reply.tools, Stage::Begun), out);
        self.open
            .push(Open::new(block, (index, id), Kind::Call(call)));
    }

    /// More of what a call is called with. Of one that was never announced it has nothing to belong to.
    pub fn input(&mut self, block: u64, input: Literal<'_>, reply: &Reply, out: &mut Vec<u8>) {
        self.kept += input.0.len();
        let mut open = self.open.iter_mut().rev();
        let Some(Open {
            place,
            kind: Kind::Call(call),
            ..
        }) = open.find(|open| open.block == block)
        else {
            return;
        };
        match &mut call.custom {
            Some(unwrapping) => {
                let mut text = String::new();
                unwrapping.take(&input.decode(), &mut text);
                custom_delta(&text, place, call, &mut self.events, out);
            }
            None => {
                call.input.push_str(input.inside());
                if reply.tools.called(&call.name) != Called::Search {
                    let members = [place.as_bytes(), b",\"delta\":", input.0.as_bytes()];
                    self.events
                        .write("response.function_call_arguments.delta", &members, out);
                }
            }
        }
    }

    /// A picture that is whole.
    pub fn picture(&mut self, block: u64, whole: &Whole, out: &mut Vec<u8>) {
        let picture = whole.picture();
        if let Some(uri) = picture.as_ref().and_then(|picture| picture.uri()) {
            return self.say(block, uri, out);
        }
        let Some(picture) = picture else {
            return self.say(block, NO_PICTURE, out);
        };
        let (index, id) = self.next_item("ig", out);
        let begun = item::picture(&id, None).unwrap_or_default();
        self.added(index, &begun, out);
        let done = item::picture(&id, Some(&picture)).unwrap_or_default();
        self.kept += done.len();
        self.done(index, done, out);
    }

    /// Whether something is being said in this block.
    pub fn says(&self, block: u64) -> bool {
        let text = self
            .message
            .as_ref()
            .and_then(|message| message.text.as_ref());
        text.is_some_and(|text| text.block == block)
    }

    /// A block ends.
    pub fn end_block(&mut self, block: u64, reply: &Reply, out: &mut Vec<u8>) {
        if self.says(block) {
            self.end_text(out);
        }
        while let Some(place) = self.open.iter().rposition(|open| open.block == block) {
            let open = self.open.remove(place);
            self.end_open(open, reply, out);
        }
    }

    /// The content ends.
    pub fn end_all(&mut self, reply: &Reply, out: &mut Vec<u8>) {
        self.end_message(out);
        for open in std::mem::take(&mut self.open) {
            self.end_open(open, reply, out);
        }
    }

    fn end_open(&mut self, mut open: Open, reply: &Reply, out: &mut Vec<u8>) {
        let place = open.place.as_bytes();
        let events = &mut self.events;
        let item = match &mut open.kind {
            Kind::Reasoning(reasoning) => {
                if reply.shows_reasoning && !reasoning.text.is_empty() {
                    let text = reasoning.text.as_bytes();
                    let members = [place, SUMMARY, b",\"text\":\"", text, b"\""];
                    events.write("response.reasoning_summary_text.done", &members, out);
                    let part = item::summary(&reasoning.text);
                    let members = [place, SUMMARY, b",\"part\":", part.as_bytes()];
                    events.write("response.reasoning_summary_part.done", &members, out);
                }
                reasoning.item(&open.id, reply.shows_reasoning)
            }
            Kind::Call(call) => {
                end_input(&open.place, call, reply, events, out);
                call.item(&open.id, &reply.tools, Stage::Done)
            }
        };
        self.done(open.index, item, out);
    }

    /// No more than [`MOST_OPEN`] go on at once: beyond that the oldest ends.
    fn make_room(&mut self, out: &mut Vec<u8>) {
        if self.open.len() >= MOST_OPEN {
            let oldest = self.open.remove(0);
            self.end_open(oldest, &Reply::default(), out);
        }
    }

    /// Begins an item: its place, and its id. What is being said ends before it.
    fn next_item(&mut self, prefix: &str, out: &mut Vec<u8>) -> (usize, String) {
        self.end_message(out);
        let index = self.items.len();
        self.items.push(String::new());
        self.kept += ITEM;
        (index, format!("{prefix}_{}_{index}", self.id))
    }

    fn added(&mut self, index: usize, item: &str, out: &mut Vec<u8>) {
        self.item_event("response.output_item.added", index, item, out);
    }

    fn done(&mut self, index: usize, item: String, out: &mut Vec<u8>) {
        self.item_event("response.output_item.done", index, &item, out);
        if let Some(place) = self.items.get_mut(index) {
            *place = item;
        }
    }

    fn item_event(&mut self, kind: &str, index: usize, item: &str, out: &mut Vec<u8>) {
        let index = index.to_string();
        let members = [
            b"\"output_index\":",
            index.as_bytes(),
            b",\"item\":",
            item.as_bytes(),
        ];
        self.events.write(kind, &members, out);
    }
}

/// What a call is called with is whole. One without input has an empty object, which somebody has to say.
fn end_input(place: &str, call: &mut Call, reply: &Reply, events: &mut Events, out: &mut Vec<u8>) {
    let members = |name: &'static [u8], input: &str| {
        [place.as_bytes(), name, input.as_bytes(), b"\""].concat()
    };
    match reply.tools.called(&call.name) {
        Called::Search => {}
        Called::Custom { .. } => {
            if let Some(mut unwrapping) = call.custom.take() {
                let mut text = String::new();
                unwrapping.end(&mut text);
                custom_delta(&text, place, call, events, out);
            }
            let members = members(b",\"input\":\"", &call.input);
            events.write("response.custom_tool_call_input.done", &[&members], out);
        }
        Called::Function { name, .. } => {
            if call.input.is_empty() {
                call.input.push_str("{}");
                let members = [place.as_bytes(), b",\"delta\":\"{}\""];
                events.write("response.function_call_arguments.delta", &members, out);
            }
            let name = format!(",\"name\":{}", serde_json::Value::from(name));
            let members = members(b",\"arguments\":\"", &call.input);
            let members = [members.as_slice(), name.as_bytes()];
            events.write("response.function_call_arguments.done", &members, out);
        }
    }
}

fn custom_delta(text: &str, place: &str, call: &mut Call, events: &mut Events, out: &mut Vec<u8>) {
    if text.is_empty() {
        return;
    }
    let json = serde_json::Value::from(text).to_string();
    call.input.push_str(Literal(&json).inside());
    let members = [place.as_bytes(), b",\"delta\":", json.as_bytes()];
    events.write("response.custom_tool_call_input.delta", &members, out);
}

const SUMMARY: &[u8] = b",\"summary_index\":0";
/// What an item costs besides what it holds, in bytes.
const ITEM: usize = 256;
/// How many sources wait for their text, and how long each may be.
const MOST_SOURCES: usize = 64;
const LONGEST_SOURCE: usize = 64 << 10;
