//! A request body as the client sent it, as pieces of that with new text between, or as written elsewhere.

use std::ops::Range;

use ring::digest::{Context, SHA256};

/// The body that goes to Bedrock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// The client's own, byte for byte.
    Unchanged,
    /// Pieces of the client's body with new ones between; what is kept is never copied.
    Spliced(Vec<Segment>),
    /// The [`Sink`] has it, because too much of it is new.
    Written {
        /// Length in bytes.
        length: usize,
        /// Lower-case hex SHA-256.
        sha256: String,
    },
}

/// Where a new body goes that is too large to be kept in memory beside the client's: a file, say.
pub trait Sink {
    /// Takes what comes next. What goes wrong is kept for whoever made the sink to ask for.
    fn write(&mut self, bytes: &[u8]);
}

/// A piece of a [`Body::Spliced`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Segment {
    /// These bytes of the client's body.
    Kept(Range<usize>),
    /// New bytes.
    New(Vec<u8>),
}

impl Body {
    /// The same, said of a body of `length` bytes in which the one that this was made of begins at `start`.
    #[must_use]
    pub fn within(self, start: usize, length: usize) -> Self {
        match self {
            body if start == 0 => body,
            Self::Unchanged => Self::Spliced(vec![Segment::Kept(start..length)]),
            Self::Spliced(mut segments) => {
                for segment in &mut segments {
                    if let Segment::Kept(range) = segment {
                        *range = range.start + start..range.end + start;
                    }
                }
                Self::Spliced(segments)
            }
            written @ Self::Written { .. } => written,
        }
    }

    /// Length in bytes, given the length of the client's body.
    pub fn len(&self, original: usize) -> usize {
        match self {
            Self::Unchanged => original,
            Self::Spliced(segments) => segments.iter().map(Segment::len).sum(),
            Self::Written { length, .. } => *length,
        }
    }

    /// The pieces in order, as slices of the client's body or of what is new; none where the sink has them.
    pub fn pieces<'a>(&'a self, original: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
        let (whole, segments) = match self {
            Self::Unchanged => (Some(original), &[][..]),
            Self::Spliced(segments) => (None, segments.as_slice()),
            Self::Written { .. } => (None, &[][..]),
        };
        whole
            .into_iter()
            .chain(segments.iter().map(move |segment| match segment {
                Segment::Kept(range) => original.get(range.clone()).unwrap_or_default(),
                Segment::New(bytes) => bytes,
            }))
    }

    /// Lower-case hex SHA-256 of the whole, as SigV4's payload hash wants it.
    pub fn sha256_hex(&self, original: &[u8]) -> String {
        match self {
            Self::Written { sha256, .. } => sha256.clone(),
            _ => sha256_hex(self.pieces(original)),
        }
    }

    /// The whole in one piece; empty where the sink has it.
    pub fn joined(&self, original: &[u8]) -> Vec<u8> {
        let mut joined = Vec::with_capacity(self.pieces(original).map(<[u8]>::len).sum());
        for piece in self.pieces(original) {
            joined.extend_from_slice(piece);
        }
        joined
    }
}

impl Segment {
    /// Whether it has no bytes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Length in bytes.
    pub fn len(&self) -> usize {
        match self {
            Self::Kept(range) => range.len(),
            Self::New(bytes) => bytes.len(),
        }
    }
}

/// Lower-case hex SHA-256 of these pieces, one after the other.
pub(crate) fn sha256_hex<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> String {
    let mut context = Context::new(&SHA256);
    for piece in pieces {
        context.update(piece);
    }
    hex_of(context)
}

/// Lower-case hex of what was hashed.
pub(crate) fn hex_of(context: Context) -> String {
    let digest = context.finish();
    let mut text = String::with_capacity(2 * SHA256.output_len());
    for byte in digest.as_ref() {
        let [high, low] = hex_digits(*byte);
        text.push(high);
        text.push(low);
    }
    text
}

/// A byte in hex, in lower case.
pub(crate) fn hex_digits(byte: u8) -> [char; 2] {
    [byte >> 4, byte & 0xf].map(|nibble| {
        char::from(match nibble {
            0..=9 => b'0' + nibble,
            _ => b'a' + nibble - 10,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spliced_body_hashes_like_its_pieces_joined() {
        let body = Body::Spliced(vec![
            Segment::Kept(0..2),
            Segment::New(b"XY".to_vec()),
            Segment::Kept(4..6),
        ]);
        let original = b"abcdef";
        let joined: Vec<u8> = body.pieces(original).flatten().copied().collect();
        assert_eq!(joined, b"abXYef");
        assert_eq!(body.len(original.len()), 6);
        assert_eq!(
            body.sha256_hex(original),
            Body::Unchanged.sha256_hex(&joined)
        );
        assert_eq!(
            Body::Unchanged.sha256_hex(b""),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
    }
}
