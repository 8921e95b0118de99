//! Calls and what they gave. A client lists both as they came; Converse wants what the calls of a turn gave in the turn that
//! follows it, all of it and nothing else.

use std::collections::HashMap;

use crate::bedrock::converse::runs::{Run, grow};
use crate::bedrock::converse::{ConverseRequest, Role};
use crate::dialect::custom::hash;
use crate::dialect::parameter::Path;
use crate::refusal::Refusal;

/// The calls of a conversation while it is read.
#[derive(Debug, Default)]
pub struct Pairs {
    /// Calls that have given nothing yet, by the hash of their id: their turn, and their element of the input.
    waiting: HashMap<u64, (usize, usize)>,
    /// What was given when its turn was past: the turn of the call.
    late: Vec<(usize, Run)>,
    /// What was given before its call came: by the hash of its id, and its element of the input.
    early: Vec<(u64, usize, Run)>,
}

impl Pairs {
    /// The last turn calls a tool; `element` is the call's place in the input.
    pub fn called(&mut self, id: &str, element: usize, request: &ConverseRequest<'_>) {
        let turn = request.messages.len().saturating_sub(1);
        self.waiting.insert(hash(id), (turn, element));
    }

    /// A call has given this: a block of its result.
    pub fn gave(
        &mut self,
        id: &str,
        element: usize,
        given: Run,
        request: &mut ConverseRequest<'_>,
    ) {
        let id = hash(id);
        let Some((turn, _)) = self.waiting.remove(&id) else {
            grow(&mut self.early);
            self.early.push((id, element, given));
            return;
        };
        let last = request.messages.len().saturating_sub(1);
        let follows = last == turn + 1
            && request
                .messages
                .last()
                .is_some_and(|last| last.role == Role::User);
        match last == turn || follows {
            true => request.say(Role::User, given),
            false => {
                grow(&mut self.late);
                self.late.push((turn, given));
            }
        }
    }

    /// The conversation is read: what was given out of its order goes where it belongs.
    ///
    /// # Errors
    /// 400 that names a call which gave nothing, or what was given without a call.
    pub fn settle(mut self, request: &mut ConverseRequest<'_>) -> Result<(), Refusal> {
        let at = Path::Body;
        let at = at.member("input");
        for (id, element, given) in std::mem::take(&mut self.early) {
            let Some((turn, _)) = self.waiting.remove(&id) else {
                let at = at.element(element);
                return Err(at.member("call_id").refuse("is of no call in \"input\""));
            };
            self.late.push((turn, given));
        }
        if let Some(element) = self.waiting.values().map(|(_, element)| *element).min() {
            return Err(at.element(element).refuse(
                "is a call without an output: send what the tool gave, or leave the call out",
            ));
        }
        if self.late.is_empty() {
            return Ok(());
        }
        self.late.sort_by_key(|(turn, _)| *turn);
        let mut late = self.late.into_iter().peekable();
        let mut give = |before: usize, request: &mut ConverseRequest<'_>| {
            while let Some((_, given)) = late.next_if(|(turn, _)| *turn < before) {
                request.say(Role::User, given);
            }
        };
        let messages = std::mem::take(&mut request.messages);
        let count = messages.len();
        for (turn, message) in messages.into_iter().enumerate() {
            let answers = message.role == Role::User;
            if !answers {
                give(turn, request);
            }
            request.say(message.role, message.content);
            if answers {
                give(turn, request);
            }
        }
        give(count, request);
        Ok(())
    }
}
