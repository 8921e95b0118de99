//! What the stand-in charges for: the counts of each answer, by the id that it has, also if it breaks off on its way.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use serde_json::{Value, json};

use crate::answers::Usage;

/// What an answer is charged for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bill {
    /// Tokens.
    Tokens(Usage),
    /// Documents that were ranked, by the hundred.
    SearchUnits(u64),
}

impl Bill {
    /// Tokens that were read, where nothing is written.
    pub fn of_input(input: u64) -> Self {
        Self::Tokens(Usage {
            input,
            output: 0,
            cache: None,
        })
    }

    fn json(self) -> Value {
        match self {
            Self::SearchUnits(units) => json!({"search_units": units}),
            Self::Tokens(Usage {
                input,
                output,
                cache: None,
            }) => json!({"input": input, "output": output}),
            Self::Tokens(Usage {
                input,
                output,
                cache: Some(cache),
            }) => json!({
                "input": input, "output": output, "cache_read": cache.read,
                "cache_write": cache.write_5m + cache.write_1h, "cache_write_1h": cache.write_1h,
            }),
        }
    }
}

/// All of them.
#[derive(Debug, Default)]
pub struct Bills(Mutex<HashMap<String, Bill>>);

impl Bills {
    /// The answer with this id is charged for.
    pub fn note(&self, id: &str, bill: Bill) {
        let mut bills = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        bills.insert(id.to_owned(), bill);
    }

    /// Forgets everything.
    pub fn clear(&self) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }

    /// The bills by the answers' ids.
    pub fn json(&self) -> Value {
        let bills = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        bills
            .iter()
            .map(|(id, bill)| (id.clone(), bill.json()))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answers::Cache;

    #[test]
    fn bills_have_all_counts() {
        let bills = Bills::default();
        bills.note("a", Bill::of_input(7));
        bills.note("b", Bill::SearchUnits(3));
        let cache = Some(Cache {
            read: 1000,
            write_5m: 50,
            write_1h: 150,
        });
        bills.note(
            "c",
            Bill::Tokens(Usage {
                input: 10,
                output: 20,
                cache,
            }),
        );
        let expected = json!({
            "a": {"input": 7, "output": 0},
            "b": {"search_units": 3},
            "c": {"input": 10, "output": 20, "cache_read": 1000, "cache_write": 200, "cache_write_1h": 150},
        });
        assert_eq!(bills.json(), expected);
        bills.clear();
        assert_eq!(bills.json(), json!({}));
    }
}
