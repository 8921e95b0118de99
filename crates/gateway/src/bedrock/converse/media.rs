//! Media in requests: their formats, their data, their names.
//! <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_DocumentBlock.html>

use std::collections::HashMap;
use std::hash::BuildHasher;

use super::strings::{Str, Strings};
use super::{Block, Cached, ConverseRequest};
use crate::json::text::Literal;

/// How long a document's name may be.
pub const NAME_LENGTH: usize = 200;

/// A format of images.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum ImageFormat {
    Png,
    Jpeg,
    Gif,
    Webp,
}

/// A format of documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum DocumentFormat {
    Pdf,
    Csv,
    Doc,
    Docx,
    Xls,
    Xlsx,
    Html,
    Txt,
    Md,
}

impl ImageFormat {
    /// Bedrock's name for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Png => "png",
            Self::Jpeg => "jpeg",
            Self::Gif => "gif",
            Self::Webp => "webp",
        }
    }
}

impl DocumentFormat {
    /// Bedrock's name for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pdf => "pdf",
            Self::Csv => "csv",
            Self::Doc => "doc",
            Self::Docx => "docx",
            Self::Xls => "xls",
            Self::Xlsx => "xlsx",
            Self::Html => "html",
            Self::Txt => "txt",
            Self::Md => "md",
        }
    }
}

/// The format of an image of this media type.
pub fn image_format(media_type: &str) -> Option<ImageFormat> {
    find(&IMAGES, media_type)
}

/// The format of a document of this media type.
pub fn document_format(media_type: &str) -> Option<DocumentFormat> {
    find(&DOCUMENTS, media_type)
}

/// The format of a document in a file of this name.
pub fn document_format_of_file(name: &str) -> Option<DocumentFormat> {
    let (_, extension) = name.rsplit_once('.')?;
    match extension.to_ascii_lowercase().as_str() {
        "htm" => Some(DocumentFormat::Html),
        "markdown" => Some(DocumentFormat::Md),
        "text" => Some(DocumentFormat::Txt),
        other => DOCUMENTS
            .iter()
            .map(|(_, format)| *format)
            .find(|format| format.as_str() == other),
    }
}

/// A `data:` URL in its parts.
#[derive(Clone, Copy, Debug)]
pub struct DataUrl {
    /// The format that its media type names, if it is an image's.
    pub image: Option<ImageFormat>,
    /// The same for a document's.
    pub document: Option<DocumentFormat>,
    /// The data, in base64, checked.
    pub data: Str,
}

/// Reads `data:TYPE;base64,DATA` (RFC 2397). `None` if it is no data URL.
///
/// # Errors
/// It is one, but not in base64.
pub fn data_url(url: Str, strings: &mut Strings<'_>) -> Option<Result<DataUrl, &'static str>> {
    let text = strings.text(url);
    let scheme = text.get(..5)?;
    if !scheme.eq_ignore_ascii_case("data:") {
        return None;
    }
    let Some(comma) = text.find(',') else {
        return Some(Err("is a data URL without data"));
    };
    let (head, data) = text.split_at(comma + 1);
    let head_parts = head.get(5..comma).unwrap_or_default();
    let mut parameters = head_parts.split(';');
    let media_type = parameters.next().unwrap_or_default().trim();
    if !parameters.any(|parameter| parameter.trim().eq_ignore_ascii_case("base64")) {
        return Some(Err("must be a data URL in base64"));
    }
    let (image, document) = (image_format(media_type), document_format(media_type));
    if !is_base64(data) {
        return Some(Err("holds data that is not base64"));
    }
    // Data that stands behind its comma in the body too is not copied, whatever is escaped in it.
    let escaped = strings.escaped(url);
    let data = match escaped.find(',') {
        Some(comma)
            if Literal::decode_inside(escaped.get(..comma).unwrap_or_default())
                .is_some_and(|decoded| head.strip_suffix(',') == Some(&decoded)) =>
        {
            strings.after(url, comma + 1)
        }
        _ => {
            let data = data.to_owned();
            strings.add(&data)
        }
    };
    Some(Ok(DataUrl {
        image,
        document,
        data,
    }))
}

/// Whether this is base64 as Bedrock takes it: the standard alphabet, padded, not empty.
pub fn is_base64(data: &str) -> bool {
    let bytes = data.as_bytes();
    let content = bytes.strip_suffix(b"==").or(bytes.strip_suffix(b"="));
    let legal = |byte: &u8| byte.is_ascii_alphanumeric() | matches!(byte, b'+' | b'/');
    // Whole blocks without a way out in between: that is what a compiler makes vector code of.
    let block_is_legal =
        |block: &[u8]| block.iter().fold(true, |so_far, byte| so_far & legal(byte));
    !bytes.is_empty()
        && bytes.len().is_multiple_of(4)
        && content.unwrap_or(bytes).chunks(256).all(block_is_legal)
}

/// A document's name for Bedrock, from its file's.
pub fn document_name(file: Option<&str>, strings: &mut Strings<'_>) -> Str {
    match legal_name(file.unwrap_or_default()).as_str() {
        "" => strings.constant("document"),
        name => strings.add(name),
    }
}

/// A name as Bedrock allows it: letters, digits, single blanks, `-()[]`, at most 200. The extension goes.
fn legal_name(file: &str) -> String {
    let is_extension = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let stem = match file.rsplit_once('.') {
        Some((stem, extension)) if is_extension(extension) => stem,
        _ => file,
    };
    let mut name = String::new();
    for character in stem.trim().chars().take(NAME_LENGTH) {
        match character {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '-' | '(' | ')' | '[' | ']' => name.push(character),
            blank if blank.is_whitespace() => {
                if !name.ends_with(' ') {
                    name.push(' ');
                }
            }
            _ => name.push('-'),
        }
    }
    name.truncate(name.trim_end().len());
    name
}

/// Bedrock refuses two documents of one name.
pub fn make_document_names_unique(request: &mut ConverseRequest<'_>) {
    let ConverseRequest {
        strings,
        messages,
        blocks,
        results,
        ..
    } = request;
    let mut names = UniqueNames::default();
    for message in messages {
        for Cached { item, .. } in blocks.get_mut(message.content) {
            match item {
                Block::Document { name, .. } => *name = names.unique(*name, strings),
                Block::ToolResult { content, .. } => {
                    for given in results.get_mut(*content) {
                        if let Block::Document { name, .. } = given {
                            *name = names.unique(*name, strings);
                        }
                    }
                }
                _ => {}
            }
        }
    }
}

/// How many of each name there are so far, by the names' hashes: of tiny documents there may be many.
#[derive(Default)]
struct UniqueNames(HashMap<u64, u32>);

impl UniqueNames {
    fn unique(&mut self, name: Str, strings: &mut Strings<'_>) -> Str {
        let text = strings.text(name);
        let hash = |name: &str| self.0.hasher().hash_one(name);
        let first = hash(&text);
        let Some(mut count) = self.0.get(&first).copied() else {
            self.0.insert(first, 1);
            return name;
        };
        let (unique, hash) = loop {
            count += 1;
            let end = format!(" ({count})");
            let room = NAME_LENGTH.saturating_sub(end.len()).min(text.len());
            let unique = format!("{}{end}", text.get(..room).unwrap_or_default().trim_end());
            let hash = hash(&unique);
            if !self.0.contains_key(&hash) {
                break (unique, hash);
            }
        };
        self.0.insert(first, count);
        self.0.insert(hash, 1);
        strings.add(&unique)
    }
}

fn find<F: Copy>(formats: &[(&str, F)], media_type: &str) -> Option<F> {
    formats
        .iter()
        .find(|(known, _)| known.eq_ignore_ascii_case(media_type))
        .map(|(_, format)| *format)
}

const IMAGES: [(&str, ImageFormat); 5] = [
    ("image/png", ImageFormat::Png),
    ("image/jpeg", ImageFormat::Jpeg),
    ("image/jpg", ImageFormat::Jpeg),
    ("image/gif", ImageFormat::Gif),
    ("image/webp", ImageFormat::Webp),
];
const DOCUMENTS: [(&str, DocumentFormat); 11] = [
    ("application/pdf", DocumentFormat::Pdf),
    ("text/csv", DocumentFormat::Csv),
    ("application/msword", DocumentFormat::Doc),
    (
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        DocumentFormat::Docx,
    ),
    ("application/vnd.ms-excel", DocumentFormat::Xls),
    (
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        DocumentFormat::Xlsx,
    ),
    ("text/html", DocumentFormat::Html),
    ("text/plain", DocumentFormat::Txt),
    ("text/markdown", DocumentFormat::Md),
    ("text/x-markdown", DocumentFormat::Md),
    ("application/x-pdf", DocumentFormat::Pdf),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn read(url: &str) -> Option<Result<(Option<ImageFormat>, String), &'static str>> {
        let mut strings = Strings::new("");
        let url = strings.add(url);
        let url = data_url(url, &mut strings)?;
        Some(url.map(|url| (url.image, strings.text(url.data).into_owned())))
    }

    #[test]
    fn data_urls() {
        let png = Some(Ok((Some(ImageFormat::Png), "AAAA".to_owned())));
        assert_eq!(read("data:image/png;base64,AAAA"), png);
        assert_eq!(read("DATA:Image/PNG;charset=x;BASE64,AAAA"), png);
        assert_eq!(read("https://example.com/a.png"), None);
        assert_eq!(read("dat\u{e9}"), None);
        for bad in [
            "data:image/png;base64",
            "data:image/png,AAAA",
            "data:image/png;base64,",
            "data:image/png;base64,AAA",
            "data:image/png;base64,AA-_",
            "data:image/png;base64,AA AA===",
            "data:image/png;base64,A===",
        ] {
            assert!(read(bad).unwrap().is_err(), "{bad}");
        }
    }

    #[test]
    fn data_with_escapes_stays_where_it_is() {
        let source = r#""data:image\/png;base64,AA\/\/""#;
        let mut strings = Strings::new(source);
        let url = strings.given(Literal(source));
        let url = data_url(url, &mut strings).unwrap().unwrap();
        assert_eq!(strings.escaped(url.data), r"AA\/\/");
        let source = r#""data:image/png;base64\u002cAAAA""#;
        let mut strings = Strings::new(source);
        let url = strings.given(Literal(source));
        let url = data_url(url, &mut strings).unwrap().unwrap();
        assert_eq!(strings.text(url.data), "AAAA");
    }

    #[test]
    fn names_become_legal() {
        for (file, name) in [
            (Some("report.pdf"), "report"),
            (
                Some("My  report\t(v1.2) [final]_é.final.docx"),
                "My report (v1-2) [final]---final",
            ),
            (Some("a/b\\c.md"), "a-b-c"),
            (Some("../x"), "---x"),
            (Some(" .pdf"), "document"),
            (Some(""), "document"),
            (None, "document"),
        ] {
            let mut strings = Strings::new("");
            let found = document_name(file, &mut strings);
            assert_eq!(strings.text(found), name, "{file:?}");
        }
        assert_eq!(legal_name(&"x".repeat(300)).len(), 200);
    }

    #[test]
    fn formats() {
        assert_eq!(image_format("image/JPG"), Some(ImageFormat::Jpeg));
        assert_eq!(image_format("image/tiff"), None);
        assert_eq!(
            document_format_of_file("a.b.XLSX"),
            Some(DocumentFormat::Xlsx)
        );
        assert_eq!(document_format_of_file("a"), None);
    }
}
