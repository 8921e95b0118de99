//! Models that rank documents, on InvokeModel: Cohere's and Amazon's. A document is the more relevant the more words of the
//! query it has.

use serde_json::{Value, json};

use crate::errors::Refusal;

/// Whose ranking model it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// Cohere Rerank, which must be told the version of its form.
    Cohere,
    /// Amazon Rerank, which must not.
    Amazon,
}

impl Family {
    /// The family of a model id, if the model ranks.
    pub fn of(model_id: &str) -> Option<Self> {
        [
            ("cohere.rerank", Self::Cohere),
            ("amazon.rerank", Self::Amazon),
        ]
        .into_iter()
        .find_map(|(part, family)| model_id.contains(part).then_some(family))
    }

    /// Refuses what the model refuses: unknown members, missing ones, documents that are no texts, more results than there
    /// are documents.
    pub fn check(self, body: &Value) -> Result<(), Refusal> {
        let Some(members) = body.as_object() else {
            return Err(malformed("expected type: JSONObject"));
        };
        let (required, known): (&[&str], &[&str]) = match self {
            Self::Cohere => (
                &["query", "documents", "api_version"],
                &[
                    "query",
                    "documents",
                    "top_n",
                    "max_tokens_per_doc",
                    "api_version",
                ],
            ),
            Self::Amazon => (&["query", "documents"], &["query", "documents", "top_n"]),
        };
        if let Some(name) = members.keys().find(|name| !known.contains(&name.as_str())) {
            return Err(malformed(&format!(
                "extraneous key [{name}] is not permitted"
            )));
        }
        if let Some(name) = required.iter().find(|name| !members.contains_key(**name)) {
            return Err(malformed(&format!("required key [{name}] not found")));
        }
        if let Some(version) = body.get("api_version")
            && version.as_u64().is_none_or(|version| version < 2)
        {
            return Err(malformed(&format!(
                "#/api_version: {version} is not greater or equal to 2"
            )));
        }
        let documents = body.get("documents").and_then(Value::as_array);
        let texts = documents.filter(|all| !all.is_empty() && all.iter().all(Value::is_string));
        let Some(texts) = texts else {
            return Err(malformed("#/documents: expected one text or more"));
        };
        if !body.get("query").is_some_and(Value::is_string) {
            return Err(malformed("#/query: expected type: String"));
        }
        match body.get("top_n") {
            Some(top_n) if !(1..=texts.len() as u64).contains(&top_n.as_u64().unwrap_or(0)) => {
                Err(malformed(&format!(
                    "#/top_n: {top_n} is not between 1 and the number of documents"
                )))
            }
            _ => Ok(()),
        }
    }
}

/// How many searches are charged for: one for each hundred documents.
pub fn search_units(body: &Value) -> u64 {
    let documents = body.get("documents").and_then(Value::as_array);
    documents.map_or(0, |documents| documents.len().div_ceil(100) as u64)
}

/// The answer of either.
pub fn answer(body: &Value) -> Value {
    let query = body.get("query").and_then(Value::as_str).unwrap_or("");
    let documents = body.get("documents").and_then(Value::as_array);
    let mut ranked: Vec<(usize, f64)> = documents
        .into_iter()
        .flatten()
        .map(|document| relevance(query, document.as_str().unwrap_or("")))
        .enumerate()
        .collect();
    ranked.sort_by(|one, other| other.1.total_cmp(&one.1));
    let most = body.get("top_n").and_then(Value::as_u64);
    let most = most.map_or(ranked.len(), |most| most as usize);
    let results: Vec<Value> = ranked
        .into_iter()
        .take(most)
        .map(|(index, score)| json!({"index": index, "relevance_score": score}))
        .collect();
    json!({ "results": results })
}

/// The share of the query's words that a document has.
fn relevance(query: &str, document: &str) -> f64 {
    let words: Vec<&str> = query.split_whitespace().collect();
    let has = |word: &&&str| document.split_whitespace().any(|known| known == **word);
    words.iter().filter(has).count() as f64 / words.len().max(1) as f64
}

fn malformed(what: &str) -> Refusal {
    Refusal::validation(format!(
        "Malformed input request: {what}, please reformat your input and try again."
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_relevant_comes_first() {
        let body = json!({"query": "a b", "documents": ["c", "b a", "a"], "top_n": 2});
        assert_eq!(
            answer(&body),
            json!({"results": [{"index": 1, "relevance_score": 1.0}, {"index": 2, "relevance_score": 0.5}]})
        );
    }

    #[test]
    fn what_a_model_refuses_is_refused() {
        let right = json!({"query": "q", "documents": ["a"], "top_n": 1});
        Family::Amazon.check(&right).unwrap();
        let with = |name: &str, value: Value| {
            let mut body = right.clone();
            body[name] = value;
            body
        };
        Family::Cohere
            .check(&with("api_version", json!(2)))
            .unwrap();
        for (family, body) in [
            (Family::Cohere, right.clone()),
            (Family::Cohere, with("api_version", json!(1))),
            (Family::Amazon, with("api_version", json!(2))),
            (Family::Amazon, with("max_tokens_per_doc", json!(2))),
            (Family::Amazon, with("top_n", json!(2))),
            (Family::Amazon, with("top_n", json!(0))),
            (Family::Amazon, with("documents", json!([]))),
            (Family::Amazon, with("documents", json!([{"text": "a"}]))),
            (Family::Amazon, with("query", json!(["q"]))),
            (Family::Amazon, json!({"query": "q"})),
            (Family::Amazon, json!([])),
        ] {
            assert_eq!(family.check(&body).unwrap_err().status, 400, "{body}");
        }
    }
}
