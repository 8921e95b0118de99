//! Converse's citations of pages as annotations of a message. Chat Completions has no others.
//! <https://platform.openai.com/docs/guides/tools-web-search?api-mode=chat#output-and-citations>

use std::ops::Range;

use crate::dialect::source::Source;
use crate::json::writer::Writer;

/// Writes the annotation that a citation of these characters of the message comes to; false, and nothing, if it names no page.
/// Where `index` is given it stands in a chunk, whose elements OpenAI's SDK adds up by it.
pub fn write(cited: &str, of: &Range<usize>, index: Option<u64>, w: &mut Writer<'_>) -> bool {
    let Some(Source::Page { url, title }) = Source::of(cited) else {
        return false;
    };
    w.item().open('{');
    if let Some(index) = index {
        w.key("index").value(&index);
    }
    w.key("type").value("url_citation");
    w.key("url_citation").open('{');
    w.key("start_index").value(&of.start);
    w.key("end_index").value(&of.end);
    w.key("url").json(url.0);
    w.key("title").json(title.0);
    w.close('}');
    w.close('}');
    true
}

/// What of the message a citation is of, in characters: the text that was said last.
#[derive(Debug, Default)]
pub struct Cited {
    /// The text's block at Bedrock.
    block: Option<u64>,
    start: usize,
    end: usize,
}

impl Cited {
    /// So many characters are said in this block.
    pub fn say(&mut self, block: u64, characters: usize) {
        if self.block != Some(block) {
            self.block = Some(block);
            self.start = self.end;
        }
        self.end += characters;
    }

    /// The characters of that text.
    pub fn range(&self) -> Range<usize> {
        self.start..self.end
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_annotations() {
        let page = r#"{"title":"T","location":{"web":{"url":"https://e.com","domain":"e.com"}}}"#;
        let document = r#"{"location":{"documentChar":{"documentIndex":1,"start":2,"end":3}}}"#;
        let mut cited = Cited::default();
        cited.say(0, 4);
        cited.say(0, 1);
        assert_eq!(cited.range(), 0..5);
        cited.say(2, 3);
        for (from, index, to) in [
            (
                page,
                None,
                r#"{"type":"url_citation","url_citation":{"start_index":5,"end_index":8,"url":"https://e.com","title":"T"}}"#,
            ),
            (
                page,
                Some(3),
                r#"{"index":3,"type":"url_citation","url_citation":{"start_index":5,"end_index":8,"url":"https://e.com","title":"T"}}"#,
            ),
            (document, None, ""),
            ("7", None, ""),
        ] {
            let mut w = Writer::new("");
            assert_eq!(write(from, &cited.range(), index, &mut w), !to.is_empty());
            assert_eq!(w.into_text(), to);
        }
    }
}
