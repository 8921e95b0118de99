//! Request bodies that a client has compressed (`Content-Encoding`), decoded within limits.
//! <https://www.rfc-editor.org/rfc/rfc9110#name-content-encoding>

use std::io::{self, ErrorKind, Read, Write};

use flate2::bufread::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{FrameDecoder, StreamingDecoder};

use crate::refusal::Refusal;

/// A content coding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coding {
    /// RFC 1952.
    Gzip,
    /// RFC 1950, or as some clients send it, RFC 1951 without that header.
    Deflate,
    /// RFC 8878, in windows that RFC 9659 allows.
    Zstd,
}

impl Coding {
    /// What a request's `Content-Encoding` says; `None` if its body is as it is.
    ///
    /// # Errors
    /// 415: another coding, or more than one.
    pub fn of(header: Option<&str>) -> Result<Option<Self>, Refusal> {
        let name = header.unwrap_or_default().trim().to_ascii_lowercase();
        match name.as_str() {
            "" | "identity" => Ok(None),
            "gzip" | "x-gzip" => Ok(Some(Self::Gzip)),
            "deflate" => Ok(Some(Self::Deflate)),
            "zstd" => Ok(Some(Self::Zstd)),
            _ => Err(unsupported(
                "a Content-Encoding must be gzip, deflate or zstd",
            )),
        }
    }

    /// Decodes `body` into `out`: at most `limit` bytes, if there is one.
    ///
    /// # Errors
    /// 413: more bytes than that, or more than [`RATIO`] times the body's. 400: it is not in this coding. 500: `out` failed.
    pub fn decode(self, body: &[u8], limit: Option<u64>, out: impl Write) -> Result<u64, Refusal> {
        let mut bounded = Bounded {
            out,
            written: 0,
            limit: limit.unwrap_or(u64::MAX),
            by_ratio: (body.len() as u64).saturating_mul(RATIO).max(SMALL),
        };
        let decoded = match self {
            Self::Gzip => copy(MultiGzDecoder::new(body), &mut bounded),
            Self::Deflate if is_zlib(body) => whole(
                ZlibDecoder::new(body),
                &mut bounded,
                ZlibDecoder::into_inner,
            ),
            Self::Deflate => whole(
                DeflateDecoder::new(body),
                &mut bounded,
                DeflateDecoder::into_inner,
            ),
            Self::Zstd => frames(body, &mut bounded),
        };
        match decoded {
            Ok(()) => Ok(bounded.written),
            Err(Failure::In) => Err(Refusal::validation(
                "The request body is not in the form that its Content-Encoding names.",
            )),
            Err(Failure::Out(error)) => Err(bounded.refusal(&error)),
        }
    }
}

/// How many times its own length a body may decode to. Text that repeats itself, such as a long conversation, stays far below.
pub const RATIO: u64 = 200;

/// Up to so many bytes the ratio does not matter.
const SMALL: u64 = 1 << 20;

/// The largest window of a zstd frame, in bytes: RFC 9659.
const WINDOW: u64 = 8 << 20;

/// 415 for a body in a coding that cannot be taken here.
pub fn unsupported(what: &str) -> Refusal {
    Refusal::new(
        415,
        "ValidationException",
        format!("The request body cannot be read: {what}. Send it without Content-Encoding."),
    )
}

enum Failure {
    /// The body is not what it says it is.
    In,
    /// What was decoded could not be taken.
    Out(io::Error),
}

/// Takes what is decoded, up to the limits.
struct Bounded<W> {
    out: W,
    written: u64,
    limit: u64,
    by_ratio: u64,
}

impl<W: Write> Bounded<W> {
    fn take(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.written = self.written.saturating_add(bytes.len() as u64);
        if self.written > self.limit.min(self.by_ratio) {
            return Err(Failure::Out(ErrorKind::FileTooLarge.into()));
        }
        self.out.write_all(bytes).map_err(Failure::Out)
    }

    fn refusal(&self, error: &io::Error) -> Refusal {
        if self.written > self.limit {
            return Refusal::new(
                413,
                "ValidationException",
                "The request body is too large once it is decoded.",
            );
        }
        if self.written > self.by_ratio {
            return Refusal::new(
                413,
                "ValidationException",
                format!("The request body decodes to more than {RATIO} times its length."),
            );
        }
        Refusal::misconfigured(format!("a decoded request body cannot be kept: {error}"))
    }
}

fn copy<W: Write>(mut from: impl Read, to: &mut Bounded<W>) -> Result<(), Failure> {
    let mut buffer = vec![0; 32 << 10];
    loop {
        let read = from.read(&mut buffer).map_err(|_| Failure::In)?;
        match buffer.get(..read) {
            Some([]) | None => return Ok(()),
            Some(bytes) => to.take(bytes)?,
        }
    }
}

/// Decodes what is one piece, after which nothing may follow.
fn whole<'b, W: Write, D: Read>(
    mut from: D,
    to: &mut Bounded<W>,
    rest: fn(D) -> &'b [u8],
) -> Result<(), Failure> {
    copy(&mut from, to)?;
    match rest(from) {
        [] => Ok(()),
        _ => Err(Failure::In),
    }
}

/// Whether data for `deflate` begin with the header of RFC 1950.
fn is_zlib(body: &[u8]) -> bool {
    match body {
        [method, flags, ..] => {
            method & 0xf == 8 && (u16::from(*method) << 8 | u16::from(*flags)) % 31 == 0
        }
        _ => false,
    }
}

/// zstd: frames, one after the other.
fn frames<W: Write>(body: &[u8], to: &mut Bounded<W>) -> Result<(), Failure> {
    let mut rest = body;
    if rest.is_empty() {
        return Err(Failure::In);
    }
    while !rest.is_empty() {
        let mut decoder = FrameDecoder::new();
        decoder.set_max_window_size(WINDOW);
        match StreamingDecoder::new_with_decoder(&mut rest, decoder) {
            Ok(mut frame) => {
                copy(&mut frame, to)?;
                let decoder = frame.into_frame_decoder();
                let said = decoder.get_checksum_from_data();
                if said.is_some() && said != decoder.get_calculated_checksum() {
                    return Err(Failure::In);
                }
            }
            Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                length,
                ..
            })) => {
                let length = usize::try_from(length).map_err(|_| Failure::In)?;
                rest = rest.get(length..).ok_or(Failure::In)?;
            }
            Err(_) => return Err(Failure::In),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
    use ruzstd::encoding::{CompressionLevel, compress_to_vec};

    use super::*;

    const TEXT: &[u8] = br#"{"messages":[{"role":"user","content":"Hello, hello, hello"}]}"#;

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn zlib(text: &[u8]) -> Vec<u8> {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn raw(text: &[u8]) -> Vec<u8> {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn zstd(text: &[u8]) -> Vec<u8> {
        compress_to_vec(text, CompressionLevel::Fastest)
    }

    fn decoded(coding: Coding, body: &[u8], limit: Option<u64>) -> Result<Vec<u8>, Refusal> {
        let mut out = Vec::new();
        let length = coding.decode(body, limit, &mut out)?;
        assert_eq!(length, out.len() as u64);
        Ok(out)
    }

    #[test]
    fn the_header_names_the_coding() {
        for (header, coding) in [
            (None, None),
            (Some(""), None),
            (Some("identity"), None),
            (Some(" GZIP "), Some(Coding::Gzip)),
            (Some("x-gzip"), Some(Coding::Gzip)),
            (Some("deflate"), Some(Coding::Deflate)),
            (Some("zstd"), Some(Coding::Zstd)),
        ] {
            assert_eq!(Coding::of(header).unwrap(), coding, "{header:?}");
        }
        for header in ["br", "compress", "gzip, gzip", "aws-chunked", "gzip;q=1"] {
            let refusal = Coding::of(Some(header)).unwrap_err();
            assert_eq!(refusal.status, 415, "{header}");
            assert!(refusal.message.contains("Content-Encoding"));
        }
    }

    #[test]
    fn each_coding_is_read_in_all_its_forms() {
        let two = [gzip(&TEXT[..9]), gzip(&TEXT[9..])].concat();
        let skippable = [
            &[0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3],
            &zstd(TEXT)[..],
        ]
        .concat();
        let frames = [zstd(&TEXT[..9]), zstd(&TEXT[9..])].concat();
        for (coding, body) in [
            (Coding::Gzip, gzip(TEXT)),
            (Coding::Gzip, two),
            (Coding::Deflate, zlib(TEXT)),
            (Coding::Deflate, raw(TEXT)),
            (Coding::Zstd, zstd(TEXT)),
            (Coding::Zstd, skippable),
            (Coding::Zstd, frames),
        ] {
            assert_eq!(decoded(coding, &body, None).unwrap(), TEXT, "{coding:?}");
        }
    }

    #[test]
    fn what_is_cut_damaged_or_something_else_is_refused() {
        for (coding, body) in [
            (Coding::Gzip, gzip(TEXT)),
            (Coding::Deflate, zlib(TEXT)),
            (Coding::Zstd, zstd(TEXT)),
        ] {
            for cut in 0..body.len() {
                assert_eq!(
                    decoded(coding, &body[..cut], None).unwrap_err().status,
                    400,
                    "{coding:?} {cut}"
                );
            }
            assert_eq!(decoded(coding, TEXT, None).unwrap_err().status, 400);
            let more = [&body[..], b"more"].concat();
            assert_eq!(
                decoded(coding, &more, None).unwrap_err().status,
                400,
                "{coding:?}"
            );
        }
    }

    #[test]
    fn the_size_is_bounded() {
        for (coding, body) in [
            (Coding::Gzip, gzip(TEXT)),
            (Coding::Deflate, raw(TEXT)),
            (Coding::Zstd, zstd(TEXT)),
        ] {
            assert!(decoded(coding, &body, Some(TEXT.len() as u64)).is_ok());
            let refusal = decoded(coding, &body, Some(TEXT.len() as u64 - 1)).unwrap_err();
            assert_eq!(refusal.status, 413);
        }
    }

    #[test]
    fn so_is_the_ratio() {
        let bomb = vec![b' '; 64 << 20];
        for (coding, body) in [
            (Coding::Gzip, gzip(&bomb)),
            (Coding::Deflate, zlib(&bomb)),
            (Coding::Zstd, zstd(&bomb)),
        ] {
            let mut out = Vec::new();
            let refusal = coding.decode(&body, None, &mut out).unwrap_err();
            assert_eq!(refusal.status, 413, "{coding:?}");
            assert!(out.len() as u64 <= (body.len() as u64 * RATIO).max(SMALL));
        }
        let small = vec![b' '; 1 << 20];
        assert!(decoded(Coding::Gzip, &gzip(&small), None).is_ok());
    }

    #[test]
    fn a_frame_that_asks_for_a_large_window_is_refused() {
        // Magic, no single segment, a window of 16 MB, an empty last block.
        let frame = [0x28, 0xb5, 0x2f, 0xfd, 0x00, (14 << 3), 1, 0, 0];
        assert_eq!(decoded(Coding::Zstd, &frame, None).unwrap_err().status, 400);
        let frame = [0x28, 0xb5, 0x2f, 0xfd, 0x00, (13 << 3), 1, 0, 0];
        assert_eq!(decoded(Coding::Zstd, &frame, None).unwrap(), b"");
    }
}
