//! Converse's citations as annotations of a text.
//! <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Citation.html>

use serde::Deserialize;

use crate::json::text::Literal;
use crate::json::writer::Writer;

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
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Place {
    #[serde(alias = "searchResultIndex")]
    document_index: u64,
}

/// The annotation that a citation comes to, of the first `end` characters of its text; `None` if it names no source.
pub fn of(cited: &str, end: usize) -> Option<String> {
    let Citation { title, location } = serde_json::from_str(cited).ok()?;
    let location = location?;
    let title = title.map_or("\"\"", |title| title.0);
    let mut w = Writer::new("");
    w.open('{');
    if let Some(url) = location.web.and_then(|web| web.url) {
        w.key("type").value("url_citation");
        w.key("start_index").value(&0);
        w.key("end_index").value(&end);
        w.key("url").json(url.0);
        w.key("title").json(title);
    } else {
        let place = location
            .document_char
            .or(location.document_page)
            .or(location.document_chunk)
            .or(location.search_result_location)?;
        w.key("type").value("file_citation");
        // Nothing is stored that could be asked for by an id.
        w.key("file_id").value("");
        w.key("filename").json(title);
        w.key("index").value(&place.document_index);
    }
    w.close('}');
    Some(w.into_text())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_source_is_named_and_what_is_none_is_left_out() {
        for (from, to) in [
            (
                r#"{"title":"T\n","location":{"web":{"url":"https://e.com","domain":"e.com"}}}"#,
                Some(
                    r#"{"type":"url_citation","start_index":0,"end_index":7,"url":"https://e.com","title":"T\n"}"#,
                ),
            ),
            (
                r#"{"title":"A","location":{"documentPage":{"documentIndex":2,"start":1,"end":2}}}"#,
                Some(r#"{"type":"file_citation","file_id":"","filename":"A","index":2}"#),
            ),
            (
                r#"{"location":{"searchResultLocation":{"searchResultIndex":4}}}"#,
                Some(r#"{"type":"file_citation","file_id":"","filename":"","index":4}"#),
            ),
            ("{}", None),
            (r#"{"location":{}}"#, None),
            ("7", None),
        ] {
            assert_eq!(of(from, 7).as_deref(), to, "{from}");
        }
    }
}
