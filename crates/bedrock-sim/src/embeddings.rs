//! Embedding models on InvokeModel: Titan takes one text, Cohere many. What an embedding says depends on the text alone.

use serde_json::{Value, json};

use crate::errors::Refusal;

/// Whose embedding model it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// Amazon Titan Text Embeddings, of the first version.
    TitanV1,
    /// The second, whose embeddings come in several lengths.
    TitanV2,
    /// Cohere Embed 3.
    CohereV3,
    /// Cohere Embed 4, which answers by type.
    CohereV4,
}

impl Family {
    /// The family of a model id, if it is an embedding model's.
    pub fn of(model_id: &str) -> Option<Self> {
        [
            ("amazon.titan-embed-text-v2", Self::TitanV2),
            ("amazon.titan-embed-text", Self::TitanV1),
            ("cohere.embed-v4", Self::CohereV4),
            ("cohere.embed", Self::CohereV3),
        ]
        .into_iter()
        .find_map(|(part, family)| model_id.contains(part).then_some(family))
    }

    /// Refuses what the model refuses: unknown members, missing ones, empty texts, lengths that it does not have.
    pub fn check(self, body: &Value) -> Result<(), Refusal> {
        let Some(members) = body.as_object() else {
            return Err(malformed("expected type: JSONObject"));
        };
        let known: &[&str] = match self {
            Self::TitanV1 => &["inputText"],
            Self::TitanV2 => &["inputText", "dimensions", "normalize", "embeddingTypes"],
            Self::CohereV3 => &["texts", "input_type", "truncate", "embedding_types"],
            Self::CohereV4 => &[
                "texts",
                "input_type",
                "truncate",
                "embedding_types",
                "output_dimension",
            ],
        };
        if let Some(name) = members.keys().find(|name| !known.contains(&name.as_str())) {
            return Err(malformed(&format!(
                "extraneous key [{name}] is not permitted"
            )));
        }
        let texts = self.texts(body);
        if texts.is_empty() || texts.len() > 96 || texts.iter().any(|text| text.is_empty()) {
            return Err(malformed("expected from 1 to 96 texts, none of them empty"));
        }
        if self.is_cohere() && body.get("input_type").is_none() {
            return Err(malformed("required key [input_type] not found"));
        }
        let possible = [256, 512, 1024, 1536];
        let most = if self == Self::TitanV2 { 1024 } else { 1536 };
        match self.length(body) {
            length if possible.contains(&length) && length <= most => Ok(()),
            length => Err(malformed(&format!("{length} is not a valid enum value"))),
        }
    }

    /// The answer, and the number of tokens read.
    pub fn answer(self, body: &Value) -> (Value, u64) {
        let texts = self.texts(body);
        let length = self.length(body);
        let embeddings: Vec<Value> = texts.iter().map(|text| embedding(text, length)).collect();
        let words = texts.iter().map(|text| text.split_whitespace().count());
        let tokens = words.sum::<usize>() as u64;
        let answer = match self {
            Self::TitanV1 | Self::TitanV2 => json!({
                "embedding": embeddings.first(),
                "inputTextTokenCount": tokens,
            }),
            Self::CohereV3 => json!({
                "id": "00000000-0000-4000-8000-000000000000",
                "response_type": "embeddings_floats",
                "embeddings": embeddings,
                "texts": texts,
            }),
            Self::CohereV4 => json!({
                "id": "00000000-0000-4000-8000-000000000000",
                "response_type": "embeddings_by_type",
                "embeddings": {"float": embeddings},
                "texts": texts,
            }),
        };
        (answer, tokens)
    }

    fn is_cohere(self) -> bool {
        matches!(self, Self::CohereV3 | Self::CohereV4)
    }

    fn texts(self, body: &Value) -> Vec<&str> {
        let texts = if self.is_cohere() {
            body.get("texts").and_then(Value::as_array)
        } else {
            None
        };
        match texts {
            // What is not text counts as empty, which is refused.
            Some(texts) => texts
                .iter()
                .map(|text| text.as_str().unwrap_or(""))
                .collect(),
            None => body
                .get("inputText")
                .and_then(Value::as_str)
                .into_iter()
                .collect(),
        }
    }

    fn length(self, body: &Value) -> u64 {
        let (name, default) = match self {
            Self::TitanV1 => ("", 1536),
            Self::TitanV2 => ("dimensions", 1024),
            Self::CohereV3 => ("", 1024),
            Self::CohereV4 => ("output_dimension", 1536),
        };
        match body.get(name) {
            None => default,
            Some(length) => length.as_u64().unwrap_or(0),
        }
    }
}

fn malformed(what: &str) -> Refusal {
    Refusal::validation(format!(
        "Malformed input request: {what}, please reformat your input and try again."
    ))
}

/// So many numbers from -1 to 1.
fn embedding(text: &str, length: u64) -> Value {
    let seed = text.bytes().fold(7_u64, |sum, byte| {
        sum.wrapping_mul(31).wrapping_add(byte.into())
    });
    (0..length)
        .map(|at| {
            let number = seed.wrapping_mul(at.wrapping_add(1)) % 2001;
            (number as f64 - 1000.0) / 1000.0
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_has_an_embedding_of_the_right_length_for_each_text() {
        for (id, body, length, place) in [
            (
                "amazon.titan-embed-text-v1",
                json!({"inputText": "a b"}),
                1536,
                "/embedding",
            ),
            (
                "amazon.titan-embed-text-v2:0",
                json!({"inputText": "a b", "dimensions": 256}),
                256,
                "/embedding",
            ),
            (
                "cohere.embed-english-v3",
                json!({"texts": ["a", "b"], "input_type": "x"}),
                1024,
                "/embeddings/1",
            ),
            (
                "us.cohere.embed-v4:0",
                json!({"texts": ["a", "b"], "input_type": "x", "output_dimension": 512}),
                512,
                "/embeddings/float/1",
            ),
        ] {
            let family = Family::of(id).unwrap();
            family.check(&body).unwrap();
            let (answer, tokens) = family.answer(&body);
            assert_eq!(
                answer.pointer(place).unwrap().as_array().unwrap().len(),
                length,
                "{id}"
            );
            assert_eq!(tokens, 2);
        }
        assert_eq!(Family::of("cohere.command-r"), None);
    }

    #[test]
    fn what_a_model_refuses_is_refused() {
        for (family, body) in [
            (
                Family::TitanV1,
                json!({"inputText": "a", "dimensions": 256}),
            ),
            (
                Family::TitanV2,
                json!({"inputText": "a", "dimensions": 1536}),
            ),
            (Family::TitanV2, json!({"inputText": ""})),
            (Family::TitanV2, json!({"texts": ["a"]})),
            (Family::CohereV3, json!({"texts": ["a"]})),
            (Family::CohereV3, json!({"texts": [], "input_type": "x"})),
            (
                Family::CohereV3,
                json!({"texts": ["a", 1], "input_type": "x"}),
            ),
            (
                Family::CohereV4,
                json!({"texts": ["a"], "input_type": "x", "output_dimension": 3}),
            ),
            (Family::CohereV4, json!([])),
        ] {
            assert_eq!(family.check(&body).unwrap_err().status, 400, "{body}");
        }
    }
}
