//! Converse, ConverseStream and the Converse form of CountTokens: the checks in their order.

use serde_json::Value;

use super::{
    cache, content, conversation::Conversation, family::Family, faults::Faults, inference,
    reasoning, shape, tools, turns,
};

/// Checks a body; `shape` is the request's name in AWS's service model.
pub fn check(family: &Family, shape: &str, body: &Value, faults: &mut Faults) {
    if !shape::check(shape, body, faults) {
        return;
    }
    if !family.served.converse {
        return faults.refuse(
            "The provided model isn't supported by this operation. Use another API for it.",
        );
    }
    let conversation = Conversation::new(family, shape, body);
    turns::check(&conversation, faults);
    content::check(&conversation, faults);
    tools::check(&conversation, faults);
    cache::check(&conversation, faults);
    reasoning::check(&conversation, faults);
    inference::check(&conversation, faults);
}
