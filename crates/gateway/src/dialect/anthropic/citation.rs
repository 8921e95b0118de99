//! Converse's citations in Anthropic's form.
//! <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Citation.html>,
//! <https://docs.claude.com/en/docs/build-with-claude/citations>

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::json::text::Literal;
use crate::json::writer::Writer;

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Citation<'a> {
    #[serde(borrow)]
    title: Option<Literal<'a>>,
    #[serde(borrow)]
    source: Option<Literal<'a>>,
    #[serde(borrow)]
    source_content: Vec<SourceContent<'a>>,
    #[serde(borrow)]
    location: Option<Location<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct SourceContent<'a> {
    #[serde(borrow)]
    text: Option<Literal<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Location<'a> {
    document_char: Option<Span>,
    document_page: Option<Span>,
    document_chunk: Option<Span>,
    search_result_location: Option<Span>,
    #[serde(borrow)]
    web: Option<Web<'a>>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Span {
    #[serde(alias = "searchResultIndex")]
    document_index: u64,
    start: u64,
    end: u64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Web<'a> {
    #[serde(borrow)]
    url: Option<Literal<'a>>,
    #[serde(borrow)]
    domain: Option<Literal<'a>>,
}

/// Writes a citation as the next element; false, and nothing, if it says of no place that Anthropic has a form for.
pub fn write<'a>(raw: &'a RawValue, w: &mut Writer<'a>) -> bool {
    let Ok(citation) = serde_json::from_str::<Citation>(raw.get()) else {
        return false;
    };
    let Some(location) = &citation.location else {
        return false;
    };
    let null_or = |literal: Option<Literal<'a>>| literal.map_or("null", |literal| literal.0);
    let spans = [
        (location.document_char, DOCUMENT_CHAR),
        (location.document_page, DOCUMENT_PAGE),
        (location.document_chunk, DOCUMENT_CHUNK),
        (location.search_result_location, SEARCH_RESULT),
    ];
    let span = spans
        .into_iter()
        .find_map(|(span, names)| Some((span?, names)));
    if span.is_none() && location.web.is_none() {
        return false;
    }
    w.item().open('{');
    match (span, &location.web) {
        (Some((span, names)), _) => {
            w.key("type").value(names.kind);
            match names.kind == SEARCH_RESULT.kind {
                true => {
                    w.key("source")
                        .json(citation.source.map_or("\"\"", |source| source.0));
                    w.key("title").json(null_or(citation.title));
                }
                false => w.key("document_title").json(null_or(citation.title)),
            }
            w.key(names.index).value(&span.document_index);
            w.key(names.start).value(&span.start);
            w.key(names.end).value(&span.end);
        }
        (None, web) => {
            let url = web.as_ref().and_then(|web| web.url);
            w.key("type").value("web_search_result_location");
            w.key("url").json(url.map_or("\"\"", |url| url.0));
            // Nova tells no titles.
            let site = web.as_ref().and_then(|web| web.domain);
            w.key("title").json(null_or(citation.title.or(site)));
            w.key("encrypted_index").value("");
        }
    }
    let texts = citation
        .source_content
        .iter()
        .filter_map(|piece| piece.text);
    w.key("cited_text").open('"');
    for text in texts {
        w.inside_string(text);
    }
    w.close('"');
    w.close('}');
    true
}

/// What Anthropic calls a place, and the members that say where.
#[derive(Clone, Copy, Debug)]
struct Names {
    kind: &'static str,
    index: &'static str,
    start: &'static str,
    end: &'static str,
}

const DOCUMENT_CHAR: Names = Names {
    kind: "char_location",
    index: "document_index",
    start: "start_char_index",
    end: "end_char_index",
};
const DOCUMENT_PAGE: Names = Names {
    kind: "page_location",
    index: "document_index",
    start: "start_page_number",
    end: "end_page_number",
};
const DOCUMENT_CHUNK: Names = Names {
    kind: "content_block_location",
    index: "document_index",
    start: "start_block_index",
    end: "end_block_index",
};
const SEARCH_RESULT: Names = Names {
    kind: "search_result_location",
    index: "search_result_index",
    start: "start_block_index",
    end: "end_block_index",
};

#[cfg(test)]
mod tests {
    use super::*;

    fn written(json: &str) -> Option<String> {
        let raw: &RawValue = serde_json::from_str(json).unwrap();
        let mut w = Writer::new(json);
        let wrote = write(raw, &mut w);
        let mut out = Vec::new();
        w.write_to(&mut out);
        assert_eq!(wrote, !out.is_empty());
        wrote.then(|| String::from_utf8(out).unwrap())
    }

    #[test]
    fn each_kind_of_place() {
        for (from, to) in [
            (
                r#"{"title":"A\n","sourceContent":[{"text":"x "},{"text":"\"y\""}],"location":{"documentChar":{"documentIndex":1,"start":2,"end":3}}}"#,
                r#"{"type":"char_location","document_title":"A\n","document_index":1,"start_char_index":2,"end_char_index":3,"cited_text":"x \"y\""}"#,
            ),
            (
                r#"{"sourceContent":[],"location":{"documentPage":{"documentIndex":0,"start":1,"end":2}}}"#,
                r#"{"type":"page_location","document_title":null,"document_index":0,"start_page_number":1,"end_page_number":2,"cited_text":""}"#,
            ),
            (
                r#"{"source":"s","title":"t","sourceContent":[{"text":"x"}],"location":{"searchResultLocation":{"searchResultIndex":4,"start":0,"end":1}}}"#,
                r#"{"type":"search_result_location","source":"s","title":"t","search_result_index":4,"start_block_index":0,"end_block_index":1,"cited_text":"x"}"#,
            ),
            (
                r#"{"location":{"web":{"url":"https://e.com","domain":"e.com"}}}"#,
                r#"{"type":"web_search_result_location","url":"https://e.com","title":"e.com","encrypted_index":"","cited_text":""}"#,
            ),
            (
                r#"{"title":"t","sourceContent":[{"text":"x"}],"location":{"web":{"url":"https://e.com","domain":"e.com"}}}"#,
                r#"{"type":"web_search_result_location","url":"https://e.com","title":"t","encrypted_index":"","cited_text":"x"}"#,
            ),
        ] {
            assert_eq!(written(from).as_deref(), Some(to));
        }
    }

    #[test]
    fn one_without_a_place_is_left_out() {
        assert_eq!(written("{}"), None);
        assert_eq!(written(r#"{"location":{}}"#), None);
        assert_eq!(written("7"), None);
    }
}
