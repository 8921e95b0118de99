//! What of an answer is neither text nor call nor reasoning: pictures, sound, and kinds that are not known. Nothing that was
//! paid for goes without a word.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::value::RawValue;

use super::{MOST_OPEN, Meta};
use crate::bedrock::converse::answer::{Media, MediaSource};
use crate::json::text::{Literal, Text};
use crate::json::writer::Writer;

/// A picture that the model has made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Picture<'a> {
    /// `png`, `jpeg` …
    format: &'a str,
    source: Source<'a>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source<'a> {
    /// It, in base64.
    Base64(Literal<'a>),
    /// Where it is.
    Uri(Literal<'a>),
}

impl<'a> Picture<'a> {
    /// What Converse says of one; `None` if it holds none.
    pub fn of(image: &'a Media<'a>) -> Option<Self> {
        let Text(format) = &image.format;
        source(&image.source).map(|source| Self { format, source })
    }

    /// It, in base64; `None` if it is elsewhere.
    pub fn base64(&self) -> Option<Literal<'a>> {
        match self.source {
            Source::Base64(data) => Some(data),
            Source::Uri(_) => None,
        }
    }

    /// Where it is; `None` if it is here.
    pub fn uri(&self) -> Option<Literal<'a>> {
        match self.source {
            Source::Base64(_) => None,
            Source::Uri(uri) => Some(uri),
        }
    }

    /// Writes it as a URL.
    pub fn write_url(&self, w: &mut Writer<'a>) {
        match self.source {
            Source::Uri(uri) => w.json(uri.0),
            Source::Base64(data) => {
                let head = format!("data:{};base64,", self.media_type());
                let head = serde_json::Value::from(head).to_string();
                w.open('"');
                w.inside_string(Literal(&head));
                w.inside_string(data);
                w.close('"');
            }
        }
    }

    /// Writes it as Anthropic's `source`.
    pub fn write_source(&self, w: &mut Writer<'a>) {
        w.open('{');
        match self.source {
            Source::Uri(uri) => {
                w.key("type").value("url");
                w.key("url").json(uri.0);
            }
            Source::Base64(data) => {
                w.key("type").value("base64");
                w.key("media_type").value(&self.media_type());
                w.key("data").json(data.0);
            }
        }
        w.close('}');
    }

    fn media_type(&self) -> String {
        let format = match self.format {
            "" => "png",
            format => format,
        };
        format!("image/{format}")
    }
}

fn source<'a>(source: &MediaSource<'a>) -> Option<Source<'a>> {
    let data = source.bytes.filter(|data| !data.is_empty());
    data.map(Source::Base64).or_else(|| {
        let place = source.s3_location.as_ref()?;
        place.uri.map(Source::Uri)
    })
}

/// The pictures of a stream, each of which a client gets when it is whole.
#[derive(Debug, Default)]
pub struct Pictures {
    open: Vec<Open>,
    /// What all of them hold, in bytes.
    size: usize,
}

#[derive(Debug)]
struct Open {
    block: u64,
    format: String,
    /// JSON strings.
    data: Option<String>,
    uri: Option<String>,
}

/// A picture by itself.
#[derive(Debug)]
pub struct Whole(Open);

impl Pictures {
    /// A picture begins.
    pub fn start(&mut self, block: u64, format: &str) {
        self.size -= self.take(block).map_or(0, |open| open.size());
        if self.open.len() < MOST_OPEN {
            self.open.push(Open {
                block,
                format: format.to_owned(),
                data: None,
                uri: None,
            });
        }
    }

    /// More of it comes.
    pub fn delta(&mut self, block: u64, delta: &RawValue) {
        if !self.open.iter().any(|open| open.block == block) {
            self.start(block, "");
        }
        let Ok(more) = serde_json::from_str::<Media>(delta.get()) else {
            return;
        };
        let found = self.open.iter_mut().find(|open| open.block == block);
        let (Some(open), Some(more)) = (found, source(&more.source)) else {
            return;
        };
        let before = open.size();
        match more {
            Source::Uri(Literal(uri)) if uri.len() <= LARGEST - self.size => {
                open.uri = Some(uri.to_owned());
            }
            Source::Base64(Literal(more)) if more.len() <= LARGEST - self.size => {
                open.data = Some(match &open.data {
                    None => more.to_owned(),
                    Some(data) => joined(Literal(data), Literal(more)),
                });
            }
            // Half a picture is none.
            _ => (open.data, open.uri) = (None, None),
        }
        self.size = (self.size - before).saturating_add(open.size());
    }

    /// A block ends: the picture that it was.
    pub fn stop(&mut self, block: u64) -> Option<Whole> {
        let open = self.take(block)?;
        self.size -= open.size();
        Some(Whole(open))
    }

    /// The content ends: a picture whose block nobody ended.
    pub fn stop_any(&mut self) -> Option<Whole> {
        let block = self.open.first()?.block;
        self.stop(block)
    }

    fn take(&mut self, block: u64) -> Option<Open> {
        let place = self.open.iter().position(|open| open.block == block)?;
        Some(self.open.remove(place))
    }
}

impl Open {
    fn size(&self) -> usize {
        let length = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        length(&self.data) + length(&self.uri)
    }
}

impl Whole {
    /// The picture; `None` if nothing of it came.
    pub fn picture(&self) -> Option<Picture<'_>> {
        let data = self
            .0
            .data
            .as_deref()
            .map(|data| Source::Base64(Literal(data)));
        let uri = self.0.uri.as_deref().map(|uri| Source::Uri(Literal(uri)));
        data.or(uri).map(|source| Picture {
            format: &self.0.format,
            source,
        })
    }
}

/// Base64 that came in two pieces, each of whole bytes.
fn joined(data: Literal<'_>, more: Literal<'_>) -> String {
    let decoded = |piece: Literal<'_>| {
        STANDARD
            .decode(piece.decode().as_bytes())
            .unwrap_or_default()
    };
    let bytes = [decoded(data), decoded(more)].concat();
    format!("\"{}\"", STANDARD.encode(bytes))
}

/// The id of a call: the model's, or where it gave none, one that is not the same twice. `number` is the call's in its answer.
pub fn call_id<'t>(given: &'t str, meta: &Meta, number: usize) -> Cow<'t, str> {
    match given {
        "" => format!("call_{}_{number}", meta.id).into(),
        id => id.into(),
    }
}

/// Stands for a picture that did not come, or is larger than a stream may keep.
pub const NO_PICTURE: Literal<'static> = Literal("\"[an image that did not come whole]\"");
/// Stands for sound.
pub const AUDIO: Literal<'static> = Literal("\"[audio, which this API has no form for]\"");
/// Stands for a block of a kind that is not known.
pub const UNKNOWN: Literal<'static> =
    Literal("\"[content of a kind that this API has no form for]\"");

/// How many bytes of pictures a stream may keep.
const LARGEST: usize = 32 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(json: &str) -> Box<RawValue> {
        RawValue::from_string(json.to_owned()).unwrap()
    }

    fn url(whole: &Whole) -> Option<String> {
        let mut w = Writer::new("");
        whole.picture()?.write_url(&mut w);
        let mut out = Vec::new();
        w.write_to(&mut out);
        serde_json::from_slice(&out).ok()
    }

    #[test]
    fn a_picture_is_whole_however_many_pieces_it_comes_in() {
        for pieces in [
            &["QUJDRA=="][..],
            &["QQ==", "QkNE"],
            &["QUJD", "RA=="],
            &["QQ==", "Qg==", "Q0Q="],
        ] {
            let mut pictures = Pictures::default();
            pictures.start(3, "jpeg");
            for piece in pieces {
                pictures.delta(3, &raw(&format!(r#"{{"source":{{"bytes":"{piece}"}}}}"#)));
            }
            assert!(pictures.stop(2).is_none());
            let whole = pictures.stop(3).unwrap();
            assert_eq!(
                url(&whole).as_deref(),
                Some("data:image/jpeg;base64,QUJDRA=="),
                "{pieces:?}"
            );
            assert_eq!(pictures.size, 0);
        }
    }

    #[test]
    fn one_elsewhere_is_named_by_its_place_and_one_that_is_missing_is_none() {
        let mut pictures = Pictures::default();
        pictures.delta(0, &raw(r#"{"source":{"s3Location":{"uri":"s3://b/k"}}}"#));
        pictures.start(1, "png");
        pictures.delta(1, &raw(r#"{"error":{"message":"no"}}"#));
        assert_eq!(
            url(&pictures.stop_any().unwrap()).as_deref(),
            Some("s3://b/k")
        );
        assert!(pictures.stop_any().unwrap().picture().is_none());
        assert!(pictures.stop_any().is_none());
    }

    #[test]
    fn a_stream_keeps_no_more_than_it_may() {
        let mut pictures = Pictures::default();
        let half = raw(&format!(
            r#"{{"source":{{"bytes":"{}"}}}}"#,
            "QUJD".repeat(6 << 20)
        ));
        for block in 0..3 {
            pictures.delta(block, &half);
        }
        let mut seen = Vec::new();
        while let Some(whole) = pictures.stop_any() {
            seen.push(whole.picture().is_some());
        }
        assert_eq!(seen, [true, false, false]);
        for block in 0..1000 {
            pictures.start(block, "png");
        }
        assert!(pictures.open.len() <= MOST_OPEN);
    }
}
