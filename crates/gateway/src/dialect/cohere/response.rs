//! Whole answers of models that rank, in Cohere's form. Both vendors answer alike.

use serde::Deserialize;
use serde::de::Error as _;
use serde_json::value::RawValue;

use super::Reply;
use crate::dialect::Meta;
use crate::dialect::forms::Number;
use crate::json::writer::Writer;

#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow)]
    results: Vec<Ranked<'a>>,
}

/// A document's place in the request, and its score.
#[derive(Deserialize)]
struct Ranked<'a> {
    index: usize,
    #[serde(borrow)]
    relevance_score: Number<'a>,
}

/// Writes the answer `body`.
///
/// # Errors
/// It is no answer of such a model, or not of these documents.
pub(crate) fn write(
    reply: &Reply,
    meta: &Meta,
    body: &str,
    out: &mut Vec<u8>,
) -> Result<(), serde_json::Error> {
    let answer: Answer = serde_json::from_str(body)?;
    let returned: Option<Vec<&RawValue>> = match &reply.returned {
        Some(documents) => Some(serde_json::from_str(documents)?),
        None => None,
    };
    let mut w = Writer::new(body);
    w.open('{');
    w.key("id").value(&meta.id);
    w.key("results").open('[');
    for ranked in &answer.results {
        if ranked.index >= reply.documents {
            return Err(serde_json::Error::custom("not one of the documents"));
        }
        w.item().open('{');
        w.key("index").value(&ranked.index);
        w.key("relevance_score").json(ranked.relevance_score.0);
        let document = returned.as_ref().and_then(|all| all.get(ranked.index));
        if let Some(document) = document {
            w.key("document");
            write_document(document.get(), &mut w);
        }
        w.close('}');
    }
    w.close(']');
    w.key("meta").open('{');
    w.key("api_version").open('{');
    w.key("version").value(reply.version);
    w.close('}');
    if let Some(units) = meta.search_units {
        w.key("billed_units").open('{');
        w.key("search_units").value(&units);
        w.close('}');
    }
    w.close('}');
    w.close('}');
    w.write_to(out);
    Ok(())
}

/// A text is given back as an object that has it.
fn write_document(document: &str, w: &mut Writer<'_>) {
    if !document.starts_with('"') {
        return w.json(document);
    }
    w.open('{');
    w.key("text").json(document);
    w.close('}');
}
