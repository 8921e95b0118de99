//! Rerank requests into the form of each vendor.
//! <https://docs.cohere.com/reference/rerank>, <https://docs.cohere.com/v1/reference/rerank>,
//! <https://docs.aws.amazon.com/bedrock/latest/userguide/rerank.html>

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::{Reply, version};
use crate::bedrock::rerank::{Form, SearchUnits, length};
use crate::body::{Body, Sink};
use crate::dialect::body::twice;
use crate::dialect::called::shown;
use crate::dialect::forms::{Elements, Given, OneOf, Positive};
use crate::dialect::parameter::{self, Path};
use crate::family::Changes;
use crate::json::object;
use crate::json::text::{Literal, Text};
use crate::json::writer::Writer;
use crate::refusal::Refusal;

/// A request, as far as it counts here. What only the first version has is taken in the second, too.
#[derive(Deserialize)]
struct RerankRequest<'a> {
    #[serde(borrow)]
    query: Given<'a>,
    #[serde(borrow)]
    documents: Elements<'a>,
    #[serde(default)]
    top_n: Option<Positive>,
    #[serde(borrow, default)]
    rank_fields: Option<Elements<'a>>,
    #[serde(default)]
    return_documents: Option<bool>,
    #[serde(default)]
    max_tokens_per_doc: Option<Positive>,
    #[serde(default)]
    max_chunks_per_doc: Option<IgnoredAny>,
}

/// What a request comes to.
pub(crate) struct Translated {
    /// The body for Bedrock.
    pub body: Body,
    /// What the answer has to know of the request.
    pub reply: Reply,
    /// What it is billed by.
    pub search_units: u64,
    /// What the model does not take.
    pub changes: Changes,
}

/// Translates the body `text` of a request to `path`. `called` is the model that will be called; `sink` takes what is too much
/// for memory.
///
/// # Errors
/// 400 that names the parameter which is wrong, or cannot be done.
pub(crate) fn translate<'a>(
    text: &'a str,
    path: &str,
    called: &str,
    sink: Option<&'a mut dyn Sink>,
) -> Result<Translated, Refusal> {
    let form = Form::of(shown(called)?).ok_or_else(|| {
        let what = "must be one of Cohere's or Amazon's models that rank";
        Refusal::parameter("model", what)
    })?;
    let request: RerankRequest = parameter::parse(text)?;
    let Given(query) = request.query;
    let most_tokens = request.max_tokens_per_doc.map(|Positive(most)| most);
    let fields = rank_fields(request.rank_fields)?;
    let mut changes = Changes::default();
    let mut w = Writer::spilling(text, sink);
    w.open('{');
    w.key("query").json(query.0);
    w.key("documents").open('[');
    let mut units = SearchUnits::new(form, length(query), most_tokens);
    let documents = write_documents(request.documents, &fields, &mut units, &mut w)?;
    w.close(']');
    if let Some(Positive(top_n)) = request.top_n {
        // Cohere's own API takes more than there are, and means all.
        w.key("top_n").value(&top_n.min(documents as u64));
    }
    match (form, most_tokens) {
        (Form::Cohere, Some(most)) => w.key("max_tokens_per_doc").value(&most),
        (Form::Amazon, Some(_)) => changes.leave_out("max_tokens_per_doc"),
        (_, None) => {}
    }
    if request.max_chunks_per_doc.is_some() {
        changes.leave_out("max_chunks_per_doc");
    }
    if form == Form::Cohere {
        w.key("api_version").value(&API_VERSION);
    }
    w.close('}');
    let returned = request.return_documents == Some(true);
    Ok(Translated {
        body: w.into_body(),
        reply: Reply {
            version: version(path),
            documents,
            returned: returned.then(|| request.documents.as_json().into()),
        },
        search_units: units.count(),
        changes,
    })
}

/// The members of a document by which it is ranked, one after the other.
fn rank_fields(given: Option<Elements<'_>>) -> Result<Vec<Cow<'_, str>>, Refusal> {
    let mut fields = Vec::new();
    let Some(given) = given else {
        return Ok(fields);
    };
    let at = Path::Body;
    let at = at.member("rank_fields");
    given.each(&at, |Text(field): Text<'_>, _| {
        if fields.len() == MOST_FIELDS {
            return Err(at.refuse(&format!("must have at most {MOST_FIELDS} elements")));
        }
        fields.push(field);
        Ok(())
    })?;
    Ok(fields)
}

/// Writes the documents as texts; how many there are.
fn write_documents<'a>(
    documents: Elements<'a>,
    fields: &[Cow<'_, str>],
    units: &mut SearchUnits,
    w: &mut Writer<'a>,
) -> Result<usize, Refusal> {
    let at = Path::Body;
    let at = at.member("documents");
    let mut count = 0;
    documents.each(&at, |document: OneOf<'a>, at| {
        count += 1;
        w.item();
        units.add(match document {
            OneOf::Short(Given(text)) => {
                w.json(text.0);
                length(text)
            }
            OneOf::Long(_) => write_object(document.as_json(), fields, w, at)?,
        });
        Ok(())
    })?;
    match count {
        0 => Err(at.refuse("must not be empty")),
        _ => Ok(count),
    }
}

/// Writes what of an object counts as one text, its members in lines; how many bytes that has.
fn write_object<'a>(
    document: &'a str,
    fields: &[Cow<'_, str>],
    w: &mut Writer<'a>,
    at: &Path<'_>,
) -> Result<usize, Refusal> {
    let object = object::parse(document)
        .map_err(|_| at.refuse("must be a string, or an object of strings"))?;
    let given = |field: &str| -> Result<Option<Literal<'a>>, Refusal> {
        let Some(member) = object.only(field).map_err(twice)? else {
            return Ok(None);
        };
        let value = document.get(member.value.clone()).unwrap_or_default();
        let Given(text) = parameter::parse_at(value, &at.member(field))?;
        Ok(Some(text))
    };
    let mut bytes = 0;
    if fields.is_empty() {
        let text = given("text")?.ok_or_else(|| at.missing("text"))?;
        w.json(text.0);
        return Ok(length(text));
    }
    let mut texts = 0;
    w.open('"');
    for field in fields {
        let Some(text) = given(field)? else {
            continue;
        };
        if texts > 0 {
            w.inside_string(Literal(LINE_BREAK));
        }
        w.inside_string(text);
        texts += 1;
        bytes += length(text) + 1;
    }
    w.close('"');
    match texts {
        0 => Err(at.refuse("has none of the members in \"rank_fields\"")),
        _ => Ok(bytes - 1),
    }
}

/// The only version that InvokeModel takes, whichever the client speaks.
const API_VERSION: u8 = 2;
/// Each of them is looked for in each document.
const MOST_FIELDS: usize = 16;
const LINE_BREAK: &str = r#""\n""#;
