//! Images, audio and files of a message. Nothing is fetched: what is not in the request must be in S3.

use serde::Deserialize;

use crate::bedrock::converse::media::{
    data_url, document_format_of_file, document_name, image_format, is_base64,
};
use crate::bedrock::converse::strings::Strings;
use crate::bedrock::converse::{Block, Place};
use crate::dialect::forms::Given;
use crate::dialect::parameter::Path;
use crate::json::text::{Literal, Text};
use crate::refusal::Refusal;

/// An image, where it is no URL alone. Chat Completions' form, which many clients send to Responses, too.
#[derive(Debug, Deserialize)]
pub struct ImageUrl<'a> {
    #[serde(borrow)]
    pub url: Given<'a>,
}

/// `input_audio`
#[derive(Debug, Deserialize)]
pub struct InputAudio<'a> {
    #[serde(borrow)]
    pub data: Given<'a>,
    #[serde(borrow)]
    pub format: Given<'a>,
}

/// `image_url`: a data URL, or an image in S3.
///
/// # Errors
/// 400: anything else, or no image that Bedrock takes.
pub fn image(url: Literal<'_>, strings: &mut Strings<'_>, at: &Path<'_>) -> Result<Block, Refusal> {
    let url = strings.given(url);
    if let Some(data) = data_url(url, strings) {
        let data = data.map_err(|what| at.refuse(what))?;
        return Ok(Block::Image {
            format: data.image.ok_or_else(|| at.refuse(WHICH_IMAGES))?,
            place: Place::Bytes,
            source: data.data,
        });
    }
    let text = strings.text(url);
    if text.starts_with("s3://") {
        let extension = text.rsplit('.').next().unwrap_or_default();
        let format = image_format(&format!("image/{extension}"));
        return Ok(Block::Image {
            format: format.ok_or_else(|| at.refuse(WHICH_IMAGES))?,
            place: Place::S3,
            source: url,
        });
    }
    Err(at.refuse("must be a data URL (data:image/png;base64,…): this gateway fetches nothing"))
}

/// `input_audio`: the data and its format.
///
/// # Errors
/// 400: the data is not base64, or the format no word.
pub fn audio(
    (data, format): (Literal<'_>, Literal<'_>),
    strings: &mut Strings<'_>,
    at: &Path<'_>,
) -> Result<Block, Refusal> {
    let (data, format) = (strings.given(data), strings.given(format));
    if !is_base64(&strings.text(data)) {
        return Err(at.member("data").refuse("must be base64"));
    }
    let word = strings.text(format);
    if word.is_empty() || !word.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Err(at
            .member("format")
            .refuse("must be a format such as \"wav\" or \"mp3\""));
    }
    Ok(Block::Audio {
        format,
        place: Place::Bytes,
        source: data,
    })
}

/// `file_data`, which is at this place, with its `filename`: a document, or an image.
///
/// # Errors
/// 400: the file is not in the request, or is of no kind that Bedrock takes.
pub fn file(
    data: Option<Given<'_>>,
    filename: Option<&Text<'_>>,
    strings: &mut Strings<'_>,
    at: &Path<'_>,
) -> Result<Block, Refusal> {
    let Some(Given(given)) = data else {
        return Err(
            at.refuse("is missing: Bedrock keeps no files, so the file must be in the request")
        );
    };
    let filename = filename.map(|Text(name)| name.as_ref());
    let given = strings.given(given);
    let (image, document, source) = match data_url(given, strings) {
        Some(url) => {
            let url = url.map_err(|what| at.refuse(what))?;
            (url.image, url.document, url.data)
        }
        None if is_base64(&strings.text(given)) => (None, None, given),
        None => {
            return Err(at.refuse(
                "must be a data URL (data:application/pdf;base64,…), or base64 with a \"filename\"",
            ));
        }
    };
    if let Some(format) = image {
        return Ok(Block::Image {
            format,
            place: Place::Bytes,
            source,
        });
    }
    let format = document.or_else(|| document_format_of_file(filename?));
    Ok(Block::Document {
        format: format.ok_or_else(|| {
            at.refuse("must be pdf, csv, doc, docx, xls, xlsx, html, txt, md or an image")
        })?,
        name: document_name(filename, strings),
        place: Place::Bytes,
        source,
        context: None,
        cite: false,
    })
}

const WHICH_IMAGES: &str = "must be a png, jpeg, gif or webp image";
