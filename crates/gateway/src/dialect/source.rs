//! The sources that Converse's citations name, as OpenAI's dialects give them.
//! <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Citation.html>

use serde::Deserialize;

use crate::json::text::Literal;

/// What a citation names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source<'a> {
    /// A page of the web.
    Page {
        /// Its address, as JSON.
        url: Literal<'a>,
        /// What it is called, or its site, as JSON.
        title: Literal<'a>,
    },
    /// One of the documents, or results of a search, that the request has.
    Document {
        /// Which of them.
        index: u64,
        /// What it is called, as JSON.
        title: Literal<'a>,
    },
}

impl<'a> Source<'a> {
    /// The source in a citation; `None` if it names none.
    pub fn of(cited: &'a str) -> Option<Self> {
        let Citation { title, location } = serde_json::from_str(cited).ok()?;
        let location = location?;
        if let Some(web) = location.web
            && let Some(url) = web.url
        {
            let title = title.or(web.domain).unwrap_or(NOTHING);
            return Some(Self::Page { url, title });
        }
        let document = location
            .document_char
            .or(location.document_page)
            .or(location.document_chunk)
            .or(location.search_result_location)?;
        Some(Self::Document {
            index: document.document_index,
            title: title.unwrap_or(NOTHING),
        })
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Citation<'a> {
    #[serde(borrow)]
    title: Option<Literal<'a>>,
    #[serde(borrow)]
    location: Option<Location<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Location<'a> {
    #[serde(borrow)]
    web: Option<Web<'a>>,
    document_char: Option<Place>,
    document_page: Option<Place>,
    document_chunk: Option<Place>,
    search_result_location: Option<Place>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Web<'a> {
    #[serde(borrow)]
    url: Option<Literal<'a>>,
    #[serde(borrow)]
    domain: Option<Literal<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Place {
    #[serde(alias = "searchResultIndex")]
    document_index: u64,
}

const NOTHING: Literal<'static> = Literal("\"\"");
