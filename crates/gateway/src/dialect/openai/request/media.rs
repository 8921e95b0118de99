//! Images, audio and files of a message. Nothing is fetched: what is not in the request must be in S3.

use std::borrow::Cow;

use super::chat::{File, InputAudio};
use crate::bedrock::converse::media::{
    data_url, document_format, document_format_of_file, document_name, image_format, is_base64,
};
use crate::bedrock::converse::{Block, Source};
use crate::json::text::Text;
use crate::refusal::Refusal;

/// `image_url`: a data URL, or an image in S3.
///
/// # Errors
/// 400: anything else, or no image that Bedrock takes.
pub fn image<'a>(url: Cow<'a, str>, at: &str) -> Result<Block<'a>, Refusal> {
    if let Some(data) = data_url(&url) {
        let data = data.map_err(|what| Refusal::parameter(at, what))?;
        let format =
            image_format(&data.media_type).ok_or_else(|| Refusal::parameter(at, WHICH_IMAGES))?;
        return Ok(Block::Image {
            format,
            source: Source::Bytes(data.data),
        });
    }
    if url.starts_with("s3://") {
        let extension = url.rsplit('.').next().unwrap_or_default();
        let format = image_format(&format!("image/{extension}"))
            .ok_or_else(|| Refusal::parameter(at, WHICH_IMAGES))?;
        return Ok(Block::Image {
            format,
            source: Source::S3(url),
        });
    }
    Err(Refusal::parameter(
        at,
        "must be a data URL (data:image/png;base64,…): this gateway fetches nothing",
    ))
}

/// `input_audio`.
///
/// # Errors
/// 400: the data is not base64, or the format no word.
pub fn audio<'a>(audio: InputAudio<'a>, at: &str) -> Result<Block<'a>, Refusal> {
    let (Text(data), Text(format)) = (audio.data, audio.format);
    if !is_base64(&data) {
        return Err(Refusal::parameter(format!("{at}.data"), "must be base64"));
    }
    if format.is_empty() || !format.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Err(Refusal::parameter(
            format!("{at}.format"),
            "must be a format such as \"wav\" or \"mp3\"",
        ));
    }
    Ok(Block::Audio {
        format,
        source: Source::Bytes(data),
    })
}

/// `file`: a document, or an image.
///
/// # Errors
/// 400: the file is not in the request, or is of no kind that Bedrock takes.
pub fn file<'a>(file: File<'a>, at: &str) -> Result<Block<'a>, Refusal> {
    let at = format!("{at}.file_data");
    let Some(Text(given)) = file.file_data else {
        return Err(Refusal::parameter(
            at,
            "is missing: Bedrock keeps no files, so the file must be in the request",
        ));
    };
    let filename = file.filename.as_ref().map(|Text(name)| name.as_ref());
    let (media_type, data) = match data_url(&given) {
        Some(url) => {
            let url = url.map_err(|what| Refusal::parameter(at.as_str(), what))?;
            (Some(url.media_type), url.data)
        }
        None if is_base64(&given) => (None, given),
        None => {
            return Err(Refusal::parameter(
                at,
                "must be a data URL (data:application/pdf;base64,…), or base64 with a \"filename\"",
            ));
        }
    };
    if let Some(format) = media_type.as_deref().and_then(image_format) {
        return Ok(Block::Image {
            format,
            source: Source::Bytes(data),
        });
    }
    let format = media_type
        .as_deref()
        .and_then(document_format)
        .or_else(|| document_format_of_file(filename?));
    let Some(format) = format else {
        return Err(Refusal::parameter(
            at,
            "must be pdf, csv, doc, docx, xls, xlsx, html, txt, md or an image",
        ));
    };
    Ok(Block::Document {
        format,
        name: document_name(filename),
        source: Source::Bytes(data),
        context: None,
        cite: false,
    })
}

const WHICH_IMAGES: &str = "must be a png, jpeg, gif or webp image";
