//! What somebody says, or a tool gave: a text, or a list of parts.

use super::asked::Part;
use crate::bedrock::converse::ConverseRequest;
use crate::bedrock::converse::turns::Said;
use crate::dialect::forms::{Given, OneOf};
use crate::dialect::parameter::Path;
use crate::dialect::requests::media;
use crate::json::strict::Object;
use crate::refusal::Refusal;

/// Adds it; `at` is where it stands. Bedrock refuses blank text, so that is left out.
///
/// # Errors
/// 400 that names the part which Converse cannot take.
pub fn add<'a>(
    content: Option<OneOf<'a>>,
    request: &mut ConverseRequest<'a>,
    said: &mut Said,
    at: &Path<'_>,
) -> Result<(), Refusal> {
    match content {
        None => Ok(()),
        Some(OneOf::Short(Given(text))) => {
            let text = request.strings.given(text);
            request.push_text(said, text);
            Ok(())
        }
        Some(OneOf::Long(parts)) => parts
            .elements(at)?
            .each(at, |Object(part): Object<Part<'a>>, at| {
                add_part(&part, request, said, at)
            }),
    }
}

fn add_part<'a>(
    part: &Part<'a>,
    request: &mut ConverseRequest<'a>,
    said: &mut Said,
    at: &Path<'_>,
) -> Result<(), Refusal> {
    let strings = &mut request.strings;
    let block = match part.kind.0.as_ref() {
        "input_text" | "output_text" | "text" | "summary_text" | "reasoning_text" => {
            let Given(text) = part.text.ok_or_else(|| at.missing("text"))?;
            let text = strings.given(text);
            request.push_text(said, text);
            return Ok(());
        }
        "refusal" => {
            let Given(text) = part.refusal.ok_or_else(|| at.missing("refusal"))?;
            let text = strings.given(text);
            request.push_text(said, text);
            return Ok(());
        }
        "input_image" | "computer_screenshot" => {
            let url = match part.image_url {
                None if part.file_id.is_some() => return Err(no_files(at)),
                None => return Err(at.missing("image_url")),
                Some(OneOf::Short(url)) => url,
                Some(OneOf::Long(image)) => {
                    image
                        .object::<media::ImageUrl<'_>>(&at.member("image_url"))?
                        .url
                }
            };
            media::image(url.0, strings, &at.member("image_url"))?
        }
        "input_file" => {
            if part.file_data.is_none() && part.file_id.is_some() {
                return Err(no_files(at));
            }
            if part.file_data.is_none() && part.file_url.is_some() {
                return Err(at.member("file_url").refuse(
                    "cannot be used, because this gateway fetches nothing: send the file in \"file_data\"",
                ));
            }
            let name = part.filename.as_ref();
            media::file(part.file_data, name, strings, &at.member("file_data"))?
        }
        "input_audio" => {
            let at = at.member("input_audio");
            let audio = part.input_audio.as_deref();
            let audio = audio.ok_or_else(|| at.refuse("is missing"))?;
            media::audio((audio.data.0, audio.format.0), strings, &at)?
        }
        _ => {
            return Err(at.member("type").refuse(
                "must be \"input_text\", \"output_text\", \"refusal\", \"input_image\", \"input_file\" or \"input_audio\"",
            ));
        }
    };
    request.push(said, block);
    Ok(())
}

fn no_files(at: &Path<'_>) -> Refusal {
    at.member("file_id").refuse(
        "cannot be used, because Bedrock keeps no files: send the file itself, as a data URL (data:image/png;base64,…)",
    )
}
