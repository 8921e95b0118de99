//! A request that is understood: its operation, its model and its body.

use serde_json::Value;

use crate::{
    converse, embeddings,
    errors::Refusal,
    invoke::Vendor,
    operations::{Operation, Route},
    reranking, vendor_apis,
};

/// A route and the body sent to it, read and checked.
#[derive(Debug)]
pub struct Asked {
    /// The operation and the model.
    pub route: Route,
    /// The JSON body.
    pub body: Value,
    /// Its top-level keys in the order of the wire.
    pub keys: Vec<String>,
}

impl Asked {
    /// Reads and checks a body.
    pub fn new(mut route: Route, bytes: &[u8]) -> Result<Self, Refusal> {
        let free = matches!(route.operation, Operation::Invoke | Operation::InvokeStream);
        let body = match serde_json::from_slice(bytes) {
            Ok(body) => body,
            Err(_) if free && !bytes.is_empty() => Value::Null,
            Err(fault) => {
                return Err(Refusal::validation(format!(
                    "Malformed input request, please reformat your input and try again: {fault}"
                )));
            }
        };
        match route.operation {
            Operation::Converse | Operation::ConverseStream => {
                converse::check(&body, &route.model_id)?
            }
            Operation::Invoke | Operation::InvokeStream => {
                let id = &route.model_id;
                if let Some(family) = embeddings::Family::of(id) {
                    family.check(&body)?;
                } else if let Some(family) = reranking::Family::of(id) {
                    family.check(&body)?;
                } else {
                    Vendor::of(id).check(&body)?;
                }
            }
            operation if operation.is_vendor_api() => {
                vendor_apis::check(operation, &body)?;
                let model = body.get("model").and_then(Value::as_str);
                route.model_id = model.unwrap_or_default().to_owned();
            }
            Operation::CountTokens => required(&body, &["input"])?,
            Operation::ApplyGuardrail => required(&body, &["source", "content"])?,
            _ => required(&body, &[])?,
        }
        let keys = keys_in_order(bytes);
        Ok(Self { route, body, keys })
    }
}

impl Asked {
    /// Whether the answer is a stream.
    pub fn streams(&self) -> bool {
        let in_body = || self.body.get("stream").is_some_and(|stream| stream == true);
        let operation = self.route.operation;
        operation.streams() || (operation.is_vendor_api() && in_body())
    }
}

fn required(body: &Value, names: &[&str]) -> Result<(), Refusal> {
    if !body.is_object() {
        return Err(Refusal::validation("The body must be a JSON object."));
    }
    match names.iter().find(|name| body.get(**name).is_none()) {
        None => Ok(()),
        Some(name) => Err(Refusal::validation(format!(
            "1 validation error detected: Value at '{name}' failed to satisfy constraint: Member must not be null"
        ))),
    }
}

/// The top-level keys of a JSON object in their own order, which `serde_json::Value` does not keep.
fn keys_in_order(bytes: &[u8]) -> Vec<String> {
    struct Keys(Vec<String>);

    impl<'de> serde::de::Deserialize<'de> for Keys {
        fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            deserializer.deserialize_map(Keys(Vec::new()))
        }
    }

    impl<'de> serde::de::Visitor<'de> for Keys {
        type Value = Self;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: serde::de::MapAccess<'de>>(mut self, mut map: A) -> Result<Self, A::Error> {
            while let Some((key, _)) = map.next_entry::<String, serde::de::IgnoredAny>()? {
                self.0.push(key);
            }
            Ok(self)
        }
    }

    serde_json::from_slice::<Keys>(bytes)
        .map(|keys| keys.0)
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_keep_their_order() {
        assert_eq!(keys_in_order(br#"{"b":{"z":1},"a":[2]}"#), ["b", "a"]);
        assert_eq!(keys_in_order(b"[1]"), Vec::<String>::new());
    }
}
