use std::collections::HashSet;

use crate::{EncodeError, Error};

/// One header of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header<'a> {
    /// The name, 1 to 255 bytes long. The format's own names begin with a colon.
    pub name: &'a str,
    /// The value.
    pub value: HeaderValue<'a>,
}

/// A header's value, in one of the format's ten types (true and false are types of their own on
/// the wire).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeaderValue<'a> {
    /// Types 0 (true) and 1 (false).
    Bool(bool),
    /// Type 2.
    Byte(i8),
    /// Type 3.
    Short(i16),
    /// Type 4.
    Integer(i32),
    /// Type 5.
    Long(i64),
    /// Type 6.
    ByteArray(&'a [u8]),
    /// Type 7, the only one Bedrock sends.
    String(&'a str),
    /// Type 8: milliseconds since 1970, negative before that.
    Timestamp(i64),
    /// Type 9.
    Uuid([u8; 16]),
}

/// The headers of a frame, in the order they have on the wire (an order without meaning).
#[derive(Debug, Clone)]
pub struct Headers<'a> {
    /// What has not been read yet: whole headers, checked by [`check_block`].
    rest: &'a [u8],
}

impl<'a> Headers<'a> {
    pub(crate) fn new(checked_block: &'a [u8]) -> Self {
        Self {
            rest: checked_block,
        }
    }
}

impl<'a> Iterator for Headers<'a> {
    type Item = Header<'a>;

    fn next(&mut self) -> Option<Header<'a>> {
        let raw = RawHeader::take(&mut self.rest).ok()?;
        raw.interpret().ok()
    }
}

/// A header as it lies on the wire: cut out of its block, its bytes not looked into yet.
#[derive(Clone, Copy)]
pub(crate) struct RawHeader<'a> {
    pub(crate) name: &'a [u8],
    kind: u8,
    /// The bytes of the value, without the length field that some types have.
    value: &'a [u8],
}

impl<'a> RawHeader<'a> {
    /// Cuts the next header off the front of a block that is not empty.
    #[inline]
    pub(crate) fn take(block: &mut &'a [u8]) -> Result<Self, Error> {
        let (&name_len, rest) = block.split_first().ok_or(Error::HeaderTruncated)?;
        // "Header names MUST be at least one byte long."
        if name_len == 0 {
            return Err(Error::HeaderNameEmpty);
        }
        let (name, rest) = rest
            .split_at_checked(usize::from(name_len))
            .ok_or(Error::HeaderTruncated)?;
        let (&kind, rest) = rest.split_first().ok_or(Error::HeaderTruncated)?;

        let (len, rest) = match kind {
            TYPE_STRING | TYPE_BYTE_ARRAY => {
                let (len, rest) = rest.split_first_chunk().ok_or(Error::HeaderTruncated)?;
                (usize::from(u16::from_be_bytes(*len)), rest)
            }
            TYPE_TRUE | TYPE_FALSE => (0, rest),
            TYPE_BYTE => (1, rest),
            TYPE_SHORT => (2, rest),
            TYPE_INTEGER => (4, rest),
            TYPE_LONG | TYPE_TIMESTAMP => (8, rest),
            TYPE_UUID => (16, rest),
            // "The set of types is fixed and not open to extension."
            _ => return Err(Error::UnknownHeaderType { kind }),
        };
        let (value, rest) = rest.split_at_checked(len).ok_or(Error::HeaderTruncated)?;

        *block = rest;
        Ok(Self { name, kind, value })
    }

    /// The bytes of a string value; `None` for every other type.
    #[inline]
    pub(crate) fn string_bytes(&self) -> Option<&'a [u8]> {
        (self.kind == TYPE_STRING).then_some(self.value)
    }

    /// Reads the name and the value.
    fn interpret(&self) -> Result<Header<'a>, Error> {
        Ok(Header {
            name: utf8(self.name)?,
            value: self.value()?,
        })
    }

    /// Reads the value.
    pub(crate) fn value(&self) -> Result<HeaderValue<'a>, Error> {
        Ok(match self.kind {
            TYPE_TRUE => HeaderValue::Bool(true),
            TYPE_FALSE => HeaderValue::Bool(false),
            TYPE_BYTE => HeaderValue::Byte(i8::from_be_bytes(fixed(self.value)?)),
            TYPE_SHORT => HeaderValue::Short(i16::from_be_bytes(fixed(self.value)?)),
            TYPE_INTEGER => HeaderValue::Integer(i32::from_be_bytes(fixed(self.value)?)),
            TYPE_LONG => HeaderValue::Long(i64::from_be_bytes(fixed(self.value)?)),
            TYPE_BYTE_ARRAY => HeaderValue::ByteArray(self.value),
            TYPE_STRING => HeaderValue::String(utf8(self.value)?),
            TYPE_TIMESTAMP => HeaderValue::Timestamp(i64::from_be_bytes(fixed(self.value)?)),
            TYPE_UUID => HeaderValue::Uuid(fixed(self.value)?),
            kind => return Err(Error::UnknownHeaderType { kind }),
        })
    }
}

/// Checks a whole header block, so that [`Headers`] and `Frame` can read it without failing.
///
/// Takes time in proportion to the block, however many headers it is cut into.
#[inline]
pub(crate) fn check_block(mut block: &[u8]) -> Result<(), Error> {
    // One look at all the bytes spares the look at each string: ASCII is UTF-8 wherever it is cut.
    let ascii = block.is_ascii();
    let mut names = Names::default();
    while !block.is_empty() {
        let header = RawHeader::take(&mut block)?;
        if !ascii {
            header.interpret()?;
        }
        // "Any given header name MUST only appear once in a message."
        if !names.insert(header.name) {
            return Err(Error::DuplicateHeader);
        }
    }
    Ok(())
}

/// The names of a frame's headers, to find one that occurs twice.
#[derive(Default)]
pub(crate) struct Names<'a> {
    /// The first names; of these, `count` are set.
    few: [&'a [u8]; FEW],
    /// `0 <= count <= FEW`.
    count: usize,
    /// All further names. Hashed with a random key, so that no one can pick names that collide.
    many: Option<HashSet<&'a [u8]>>,
}

impl<'a> Names<'a> {
    /// Adds a name; false if it is there already.
    #[inline]
    pub(crate) fn insert(&mut self, name: &'a [u8]) -> bool {
        if self.few.iter().take(self.count).any(|known| *known == name) {
            return false;
        }
        match self.few.get_mut(self.count) {
            Some(free) => {
                *free = name;
                self.count += 1;
                true
            }
            None => self.many.get_or_insert_default().insert(name),
        }
    }
}

impl Header<'_> {
    /// Length of the header on the wire in bytes, if it can be there.
    pub(crate) fn wire_len(&self) -> Result<usize, EncodeError> {
        if self.name.is_empty() {
            return Err(EncodeError::HeaderNameEmpty);
        }
        if self.name.len() > MAX_NAME {
            return Err(EncodeError::HeaderNameTooLong);
        }
        let value = match self.value {
            HeaderValue::Bool(_) => 0,
            HeaderValue::Byte(_) => 1,
            HeaderValue::Short(_) => 2,
            HeaderValue::Integer(_) => 4,
            HeaderValue::Long(_) | HeaderValue::Timestamp(_) => 8,
            HeaderValue::Uuid(_) => 16,
            HeaderValue::ByteArray(bytes) => variable_len(bytes)?,
            HeaderValue::String(text) => variable_len(text.as_bytes())?,
        };
        Ok(1 + self.name.len() + 1 + value)
    }

    /// Appends the header, of which [`Self::wire_len`] has found no fault.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        out.push(self.name.len() as u8);
        out.extend_from_slice(self.name.as_bytes());
        match self.value {
            HeaderValue::Bool(true) => out.push(TYPE_TRUE),
            HeaderValue::Bool(false) => out.push(TYPE_FALSE),
            HeaderValue::Byte(value) => write_fixed(TYPE_BYTE, &value.to_be_bytes(), out),
            HeaderValue::Short(value) => write_fixed(TYPE_SHORT, &value.to_be_bytes(), out),
            HeaderValue::Integer(value) => write_fixed(TYPE_INTEGER, &value.to_be_bytes(), out),
            HeaderValue::Long(value) => write_fixed(TYPE_LONG, &value.to_be_bytes(), out),
            HeaderValue::ByteArray(bytes) => write_variable(TYPE_BYTE_ARRAY, bytes, out),
            HeaderValue::String(text) => write_variable(TYPE_STRING, text.as_bytes(), out),
            HeaderValue::Timestamp(value) => write_fixed(TYPE_TIMESTAMP, &value.to_be_bytes(), out),
            HeaderValue::Uuid(bytes) => write_fixed(TYPE_UUID, &bytes, out),
        }
    }
}

fn utf8(bytes: &[u8]) -> Result<&str, Error> {
    str::from_utf8(bytes).map_err(|_| Error::InvalidUtf8)
}

fn fixed<const N: usize>(value: &[u8]) -> Result<[u8; N], Error> {
    value.try_into().map_err(|_| Error::HeaderTruncated)
}

fn variable_len(value: &[u8]) -> Result<usize, EncodeError> {
    if value.len() > MAX_VALUE {
        return Err(EncodeError::HeaderValueTooLong);
    }
    Ok(2 + value.len())
}

fn write_fixed(kind: u8, value: &[u8], out: &mut Vec<u8>) {
    out.push(kind);
    out.extend_from_slice(value);
}

fn write_variable(kind: u8, value: &[u8], out: &mut Vec<u8>) {
    out.push(kind);
    out.extend_from_slice(&(value.len() as u16).to_be_bytes());
    out.extend_from_slice(value);
}

const TYPE_TRUE: u8 = 0;
const TYPE_FALSE: u8 = 1;
const TYPE_BYTE: u8 = 2;
const TYPE_SHORT: u8 = 3;
const TYPE_INTEGER: u8 = 4;
const TYPE_LONG: u8 = 5;
const TYPE_BYTE_ARRAY: u8 = 6;
const TYPE_STRING: u8 = 7;
const TYPE_TIMESTAMP: u8 = 8;
const TYPE_UUID: u8 = 9;

/// Longest name in bytes: its length is one byte on the wire.
const MAX_NAME: usize = 255;
/// Longest string or byte array in bytes that may be sent: the specification says 2^15 - 1,
/// though the length field has room for more and decoders take it.
const MAX_VALUE: usize = 32_767;
/// Up to this many names are compared one by one, which is faster than hashing. Bedrock sends
/// three headers.
const FEW: usize = 8;
