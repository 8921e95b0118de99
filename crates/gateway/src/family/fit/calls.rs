//! Which result belongs to which call of a tool. A conversation that was cut short, or began elsewhere, has ids twice, calls
//! without a result and results without a call: Bedrock refuses all three.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};

use super::ids::fitted;
use crate::family::facts::Ids;

/// The calls of a conversation, in their order. Ids are in the family's form already.
#[derive(Debug)]
pub struct Ledger {
    ids: Ids,
    /// Hashes of the ids that have been used.
    known: HashSet<u64>,
    state: RandomState,
    /// How many new ids have been tried: each is tried once.
    renamed: usize,
    /// How many calls had no result.
    missing: usize,
    /// The calls of the model's last turn.
    open: Vec<Call>,
    /// There were more than are followed: what is not known may be right.
    overflows: bool,
}

#[derive(Debug)]
struct Call {
    given: String,
    sent: Option<String>,
    answered: bool,
}

/// The call that a result belongs to.
#[derive(Debug, PartialEq, Eq)]
pub enum Belongs {
    /// To that of its id.
    AsItSays,
    /// To one that is called so now.
    To(String),
    /// To none that waits for one.
    Nowhere,
}

impl Ledger {
    /// For a family with ids of this form.
    pub fn new(ids: Ids) -> Self {
        Self {
            ids,
            known: HashSet::new(),
            state: RandomState::new(),
            renamed: 0,
            missing: 0,
            open: Vec::new(),
            overflows: false,
        }
    }

    /// What its ids look like.
    pub fn ids(&self) -> Ids {
        self.ids
    }

    /// The model calls a tool. Gives the call's new id, if another call had this one.
    pub fn call(&mut self, id: &str) -> Option<String> {
        if self.open.len() >= MOST_OPEN || self.known.len() >= MOST {
            self.overflows = true;
            return None;
        }
        let mut sent = None;
        while !self.is_new(sent.as_deref().unwrap_or(id)) {
            self.renamed += 1;
            sent = Some(other(id, self.renamed, self.ids));
        }
        self.open.push(Call {
            given: id.to_owned(),
            sent: sent.clone(),
            answered: false,
        });
        sent
    }

    /// A tool gave a result.
    pub fn result(&mut self, id: &str) -> Belongs {
        let mut waiting = self.open.iter_mut().filter(|call| !call.answered);
        match waiting.find(|call| call.given == id) {
            Some(call) => {
                call.answered = true;
                match &call.sent {
                    Some(sent) => Belongs::To(sent.clone()),
                    None => Belongs::AsItSays,
                }
            }
            None if self.overflows => Belongs::AsItSays,
            None => Belongs::Nowhere,
        }
    }

    /// The user's turn is over: gives the ids of the calls that still have no result.
    pub fn close(&mut self) -> Vec<String> {
        self.overflows = false;
        let calls = self.open.drain(..).filter(|call| !call.answered);
        let missing: Vec<String> = calls
            .map(|call| call.sent.unwrap_or(call.given))
            .take(MOST_MISSING - self.missing)
            .collect();
        self.missing += missing.len();
        missing
    }

    fn is_new(&mut self, id: &str) -> bool {
        self.known.insert(self.state.hash_one(id))
    }
}

/// An id like this one, of the same form.
fn other(id: &str, number: usize, ids: Ids) -> String {
    // The sign is in no form, so that what is made of it has its own hash.
    fitted(&format!("{id}#{number}"), ids).into_owned()
}

/// As many calls as are followed in one turn.
const MOST_OPEN: usize = 1000;
/// As many in a conversation.
const MOST: usize = 100_000;
/// As many results as are given to calls that have none.
const MOST_MISSING: usize = 10_000;

/// What stands for the result of a call that never got one.
pub const NO_RESULT: &str = "(no result)";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_used_once() {
        for ids in [Ids::Converse, Ids::Claude, Ids::Nine] {
            let mut ledger = Ledger::new(ids);
            let id = "call12345";
            assert_eq!(ledger.call(id), None);
            let second = ledger.call(id).unwrap();
            assert_eq!(ledger.result(id), Belongs::AsItSays);
            assert_eq!(ledger.result(id), Belongs::To(second.clone()));
            assert_eq!(ledger.result(id), Belongs::Nowhere);
            assert!(ledger.close().is_empty());
            let third = ledger.call(id).unwrap();
            assert!(second != third && fitted(&third, ids) == third, "{third}");
            assert_eq!(ledger.close(), [third]);
        }
    }

    #[test]
    fn what_is_missing_is_told() {
        let mut ledger = Ledger::new(Ids::Claude);
        assert_eq!(ledger.result("a"), Belongs::Nowhere);
        for id in ["a", "b", "c"] {
            ledger.call(id);
        }
        assert_eq!(ledger.result("b"), Belongs::AsItSays);
        assert_eq!(ledger.close(), ["a", "c"]);
        assert_eq!(ledger.result("a"), Belongs::Nowhere);
    }

    #[test]
    fn too_many_are_left_to_bedrock() {
        let mut ledger = Ledger::new(Ids::Claude);
        for number in 0..MOST_OPEN + 1 {
            assert_eq!(ledger.call(&number.to_string()), None);
        }
        assert_eq!(ledger.result("1000"), Belongs::AsItSays);
        assert_eq!(ledger.close().len(), MOST_OPEN);
    }
}
