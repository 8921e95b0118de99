//! Models that rank documents by a query, on InvokeModel, and what a request to one is billed by.
//! <https://docs.aws.amazon.com/bedrock/latest/userguide/rerank-pricing.html>,
//! <https://aws.amazon.com/bedrock/pricing/>

use super::model_id;
use crate::json::cursor::{Cursor, Wrong};
use crate::json::text::Literal;

/// Whose form a model takes. Both have a query, a list of texts, and how many results are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// `cohere.rerank`: it must name its version, and may say how long a document may be.
    Cohere,
    /// `amazon.rerank`: it may have nothing more.
    Amazon,
}

impl Form {
    /// The form of a model's own id; `None` if it does not rank.
    pub fn of(id: &str) -> Option<Self> {
        FORMS
            .iter()
            .find(|(prefix, _)| id.starts_with(prefix))
            .map(|(_, form)| *form)
    }
}

/// Counts the search units of one request as its documents come: one for each hundred pieces. A document that has more than
/// 500 tokens, those of the query included, is billed as several pieces. Bedrock tells neither, so that tokens are estimated,
/// from UTF-8's bytes; a request of shorter documents is counted exactly.
#[derive(Clone, Copy, Debug)]
pub struct SearchUnits {
    /// How many bytes of a document make one piece.
    piece: u64,
    /// How many bytes of a document count at most.
    most: u64,
    pieces: u64,
}

impl SearchUnits {
    /// For a query of so many bytes, and documents that are cut behind `most_tokens`.
    pub fn new(form: Form, query: usize, most_tokens: Option<u64>) -> Self {
        let most_tokens = most_tokens.or_else(|| (form == Form::Cohere).then_some(MOST_TOKENS));
        let piece = (TOKENS_OF_PIECE * BYTES_OF_TOKEN).saturating_sub(query as u64);
        Self {
            // A query that leaves no room is cut itself.
            piece: piece.max(BYTES_OF_TOKEN),
            most: most_tokens.map_or(u64::MAX, |most| most.saturating_mul(BYTES_OF_TOKEN)),
            pieces: 0,
        }
    }

    /// Takes in a document of so many bytes.
    pub fn add(&mut self, document: usize) {
        let bytes = self.most.min(document as u64);
        let pieces = bytes.div_ceil(self.piece).max(1);
        self.pieces = self.pieces.saturating_add(pieces);
    }

    /// What has been taken in until now comes to.
    pub fn count(&self) -> u64 {
        self.pieces.div_ceil(PIECES_OF_UNIT)
    }
}

/// The search units of a body in one of these forms; `None` if it is in none, or `model` is another one.
pub fn units_of(model: &str, body: &str) -> Option<u64> {
    let form = Form::of(model_id::foundation_model(model)?)?;
    read_units(form, body).ok().flatten()
}

fn read_units(form: Form, body: &str) -> Result<Option<u64>, Wrong> {
    let (mut query, mut documents, mut most_tokens) = (None, None, None);
    let mut cursor = Cursor::new(body);
    cursor.open()?;
    while let Some(name) = cursor.member()? {
        match name.as_ref() {
            "query" => query = cursor.string_or_null()?,
            "documents" => documents = Some(cursor.value()?),
            "max_tokens_per_doc" => most_tokens = cursor.value()?.parse().ok(),
            _ => cursor.skip()?,
        }
    }
    let (Some(query), Some(documents)) = (query, documents) else {
        return Ok(None);
    };
    let mut units = SearchUnits::new(form, length(query), most_tokens);
    let mut cursor = Cursor::new(documents);
    if !cursor.enter_list()? {
        return Ok(None);
    }
    while cursor.element()? {
        let document = cursor.value()?;
        units.add(match document.starts_with('"') {
            true => length(Literal(document)),
            false => document.len(),
        });
    }
    Ok(Some(units.count()))
}

/// How many bytes a text has in UTF-8, however it is spelt.
pub fn length(text: Literal<'_>) -> usize {
    text.decode().len()
}

const FORMS: [(&str, Form); 2] = [
    ("cohere.rerank", Form::Cohere),
    ("amazon.rerank", Form::Amazon),
];
const PIECES_OF_UNIT: u64 = 100;
const TOKENS_OF_PIECE: u64 = 500;
/// Where Cohere cuts a document if nothing is said.
const MOST_TOKENS: u64 = 4096;
/// On an average of languages.
const BYTES_OF_TOKEN: u64 = 4;

#[cfg(test)]
mod tests {
    use super::*;

    fn units(query: usize, most_tokens: Option<u64>, documents: &[(usize, usize)]) -> u64 {
        let mut units = SearchUnits::new(Form::Amazon, query, most_tokens);
        for (times, length) in documents {
            for _ in 0..*times {
                units.add(*length);
            }
        }
        units.count()
    }

    #[test]
    fn a_hundred_pieces_are_a_unit() {
        for (documents, expected) in [(1, 1), (100, 1), (101, 2), (350, 4)] {
            assert_eq!(units(20, None, &[(documents, 1000)]), expected);
            assert_eq!(units(20, None, &[(documents, 0)]), expected);
        }
    }

    #[test]
    fn a_long_document_is_several_pieces() {
        // 500 tokens of four bytes, of which the query has 20.
        assert_eq!(units(80, None, &[(100, 1920)]), 1);
        assert_eq!(units(80, None, &[(99, 1920), (1, 1921)]), 2);
        assert_eq!(units(80, None, &[(100, 5 * 1920)]), 5);
        assert_eq!(units(80, Some(480), &[(100, 5 * 1920)]), 1);
        assert_eq!(units(1 << 20, None, &[(1, 400)]), 1);
        assert_eq!(
            units(1 << 20, Some(u64::MAX), &[(1, usize::MAX)]),
            (usize::MAX as u64).div_ceil(4).div_ceil(100)
        );
    }

    #[test]
    fn cohere_cuts_documents_by_itself() {
        let mut units = SearchUnits::new(Form::Cohere, 0, None);
        (0..100).for_each(|_| units.add(1 << 20));
        // 4096 tokens are nine pieces.
        assert_eq!(units.count(), 9);
    }

    #[test]
    fn a_body_is_counted_however_it_is_spelt() {
        let long = "\\u00e9".repeat(960);
        for (model, body, expected) in [
            (
                "cohere.rerank-v3-5:0",
                r#"{"documents":["a","b"],"query":"q","api_version":2}"#.to_owned(),
                Some(1),
            ),
            (
                "us.amazon.rerank-v1:0",
                format!(
                    r#"{{"query":"q","documents":[{}"b"]}}"#,
                    "\"a\",".repeat(100)
                ),
                Some(2),
            ),
            (
                "arn:aws:bedrock:us-east-1::foundation-model/cohere.rerank-v3-5:0",
                format!(
                    r#"{{"query":"q","documents":[{}"b"]}}"#,
                    format!("\"{long}\",").repeat(99)
                ),
                Some(1),
            ),
            (
                "cohere.rerank-v3-5:0",
                r#"{"query":"q","documents":{}}"#.to_owned(),
                None,
            ),
            (
                "cohere.rerank-v3-5:0",
                r#"{"documents":["a"]}"#.to_owned(),
                None,
            ),
            ("cohere.rerank-v3-5:0", "[".to_owned(), None),
            (
                "cohere.embed-english-v3",
                r#"{"query":"q","documents":["a"]}"#.to_owned(),
                None,
            ),
        ] {
            assert_eq!(units_of(model, &body), expected, "{model} {body}");
        }
    }
}
