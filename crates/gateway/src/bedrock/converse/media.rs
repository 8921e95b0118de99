//! Media in requests: their formats, their data, their names.
//! <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_DocumentBlock.html>

use std::borrow::Cow;
use std::collections::HashMap;

use super::{Block, Message};

/// How long a document's name may be.
pub const NAME_LENGTH: usize = 200;

/// Bedrock's name for an image of this media type.
pub fn image_format(media_type: &str) -> Option<&'static str> {
    find(&IMAGES, media_type)
}

/// Bedrock's name for a document of this media type.
pub fn document_format(media_type: &str) -> Option<&'static str> {
    find(&DOCUMENTS, media_type)
}

/// Bedrock's name for a document in a file of this name.
pub fn document_format_of_file(name: &str) -> Option<&'static str> {
    let (_, extension) = name.rsplit_once('.')?;
    let extension = match extension.to_ascii_lowercase().as_str() {
        "htm" => "html",
        "markdown" => "md",
        "text" => "txt",
        other => DOCUMENTS
            .iter()
            .map(|(_, format)| *format)
            .find(|format| *format == other)?,
    };
    Some(extension)
}

/// A `data:` URL in its parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataUrl<'a> {
    /// The media type, without parameters, in lower case.
    pub media_type: String,
    /// The data, in base64, checked.
    pub data: Cow<'a, str>,
}

/// Reads `data:TYPE;base64,DATA` (RFC 2397). `None` if it is no data URL.
///
/// # Errors
/// It is one, but not in base64.
pub fn data_url<'a>(url: &Cow<'a, str>) -> Option<Result<DataUrl<'a>, &'static str>> {
    let scheme = url.get(..5)?;
    if !scheme.eq_ignore_ascii_case("data:") {
        return None;
    }
    let Some(comma) = url.find(',') else {
        return Some(Err("is a data URL without data"));
    };
    let head = url.get(5..comma).unwrap_or_default();
    let mut parameters = head.split(';');
    let media_type = parameters.next().unwrap_or_default().trim();
    if !parameters.any(|parameter| parameter.trim().eq_ignore_ascii_case("base64")) {
        return Some(Err("must be a data URL in base64"));
    }
    let media_type = media_type.to_ascii_lowercase();
    let data = cut(url, comma + 1);
    if !is_base64(&data) {
        return Some(Err("holds data that is not base64"));
    }
    Some(Ok(DataUrl { media_type, data }))
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

/// A document's name as Bedrock allows it: letters, digits, single blanks, `-()[]`, at most 200. The extension goes.
pub fn document_name(file: Option<&str>) -> String {
    let file = file.unwrap_or_default();
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
    match name.trim_end() {
        "" => "document".to_owned(),
        name => name.to_owned(),
    }
}

/// Bedrock refuses two documents of one name.
pub fn make_document_names_unique(messages: &mut [Message<'_>]) {
    // How many of each name there are so far.
    let mut known: HashMap<String, usize> = HashMap::new();
    let blocks = messages.iter_mut().flat_map(|message| &mut message.content);
    for name in blocks.flat_map(|block| document_names(&mut block.item)) {
        let mut unique = name.clone();
        while known.contains_key(&unique) {
            let count = known.entry(name.clone()).or_insert(1);
            *count += 1;
            let end = format!(" ({count})");
            let room = NAME_LENGTH.saturating_sub(end.len()).min(name.len());
            unique = format!("{}{end}", name.get(..room).unwrap_or_default().trim_end());
        }
        known.insert(unique.clone(), 1);
        *name = unique;
    }
}

/// The name of a document, or those of the documents that a tool gave.
fn document_names<'m>(block: &'m mut Block<'_>) -> Vec<&'m mut String> {
    match block {
        Block::Document { name, .. } => vec![name],
        Block::ToolResult { content, .. } => content.iter_mut().flat_map(document_names).collect(),
        _ => Vec::new(),
    }
}

/// The rest of a text, borrowed where the whole is.
fn cut<'a>(text: &Cow<'a, str>, from: usize) -> Cow<'a, str> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.get(from..).unwrap_or_default()),
        Cow::Owned(text) => Cow::Owned(text.get(from..).unwrap_or_default().to_owned()),
    }
}

fn find(formats: &[(&str, &'static str)], media_type: &str) -> Option<&'static str> {
    formats
        .iter()
        .find(|(known, _)| known.eq_ignore_ascii_case(media_type))
        .map(|(_, format)| *format)
}

const IMAGES: [(&str, &str); 5] = [
    ("image/png", "png"),
    ("image/jpeg", "jpeg"),
    ("image/jpg", "jpeg"),
    ("image/gif", "gif"),
    ("image/webp", "webp"),
];
const DOCUMENTS: [(&str, &str); 11] = [
    ("application/pdf", "pdf"),
    ("text/csv", "csv"),
    ("application/msword", "doc"),
    (
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        "docx",
    ),
    ("application/vnd.ms-excel", "xls"),
    (
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        "xlsx",
    ),
    ("text/html", "html"),
    ("text/plain", "txt"),
    ("text/markdown", "md"),
    ("text/x-markdown", "md"),
    ("application/x-pdf", "pdf"),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn read(url: &str) -> Option<Result<(String, String), &'static str>> {
        data_url(&Cow::Borrowed(url))
            .map(|url| url.map(|url| (url.media_type, url.data.into_owned())))
    }

    #[test]
    fn data_urls() {
        let png = Some(Ok(("image/png".to_owned(), "AAAA".to_owned())));
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
            assert_eq!(document_name(file), name, "{file:?}");
        }
        assert_eq!(document_name(Some(&"x".repeat(300))).len(), 200);
    }

    #[test]
    fn formats() {
        assert_eq!(image_format("image/JPG"), Some("jpeg"));
        assert_eq!(image_format("image/tiff"), None);
        assert_eq!(document_format_of_file("a.b.XLSX"), Some("xlsx"));
        assert_eq!(document_format_of_file("a"), None);
    }
}
