//! Converse's citations as annotations of a text.
//! <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Citation.html>

use crate::dialect::source::Source;
use crate::json::writer::Writer;

/// The annotation that a citation comes to, of the first `end` characters of its text; `None` if it names no source.
pub fn of(cited: &str, end: usize) -> Option<String> {
    let source = Source::of(cited)?;
    let mut w = Writer::new("");
    w.open('{');
    match source {
        Source::Page { url, title } => {
            w.key("type").value("url_citation");
            w.key("start_index").value(&0);
            w.key("end_index").value(&end);
            w.key("url").json(url.0);
            w.key("title").json(title.0);
        }
        Source::Document { index, title } => {
            w.key("type").value("file_citation");
            // Nothing is stored that could be asked for by an id.
            w.key("file_id").value("");
            w.key("filename").json(title.0);
            w.key("index").value(&index);
        }
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
                r#"{"location":{"web":{"url":"https://e.com","domain":"e.com"}}}"#,
                Some(
                    r#"{"type":"url_citation","start_index":0,"end_index":7,"url":"https://e.com","title":"e.com"}"#,
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
