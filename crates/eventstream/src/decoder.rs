use crate::last_headers::LastHeaders;
use crate::prelude::{PRELUDE_LEN, Prelude};
use crate::{Error, Frame, Unfinished};

/// The longest header block and payload that a [`Decoder`] takes.
///
/// The defaults are the format's own: 128 KiB and 24 MiB. A decoder holds one unfinished frame at
/// most, so their sum bounds its memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Longest header block in bytes.
    pub max_headers: usize,
    /// Longest payload in bytes.
    pub max_payload: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_headers: 128 * 1024,
            max_payload: 24 * 1024 * 1024,
        }
    }
}

/// Cuts a stream of bytes into frames, however the bytes arrive.
///
/// A frame that is whole in the input is borrowed from there. Only one that is cut by the end of
/// the input is copied, so that the rest can be added when it comes. The prelude is checked when
/// its twelve bytes are there, so a wrong length fails at once instead of being waited for.
#[derive(Debug)]
pub struct Decoder {
    limits: Limits,
    state: State,
    /// The bytes of one frame, as far as [`State`] says. Never longer than that frame.
    carry: Vec<u8>,
    last_headers: LastHeaders,
    /// Has seen nothing: cloned for every checksum, because making a new one asks what the CPU can
    /// do each time.
    crc: crc32fast::Hasher,
}

/// Where the stream stands between two calls, and so what `carry` holds.
#[derive(Debug, Clone, Copy)]
enum State {
    /// Between two frames; `carry` is empty.
    Between,
    /// Inside a prelude; `0 < carry.len() < PRELUDE_LEN`.
    InPrelude,
    /// Behind a good prelude; `PRELUDE_LEN <= carry.len() < prelude.total`.
    InBody(Prelude),
    /// `carry` is a whole frame that the last call has lent out. Otherwise as `Between`.
    Lent,
    /// The stream is broken for good; `carry` is empty.
    Failed(Error),
}

impl Decoder {
    /// A decoder at the start of a stream. It allocates nothing yet.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            state: State::Between,
            carry: Vec::new(),
            last_headers: LastHeaders::default(),
            crc: crc32fast::Hasher::new(),
        }
    }

    /// Takes the next whole frame off the front of `input`.
    ///
    /// `Ok(None)` means that `input` is used up: it is empty now, and the beginning of a frame at
    /// its end, if there was one, is kept for the next call.
    ///
    /// # Errors
    ///
    /// A fault in the frame that comes next, and after that the same again in every call: a broken
    /// stream is not searched for a next good frame. `input` is then left as it was, so it begins
    /// at the first byte of it that is not part of a good frame.
    #[inline]
    pub fn next<'s, 'i: 's>(
        &'s mut self,
        input: &mut &'i [u8],
    ) -> Result<Option<Frame<'s>>, Error> {
        match self.state {
            State::Between => self.next_borrowed(input),
            State::InPrelude => self.next_in_prelude(input),
            State::InBody(prelude) => self.next_in_body(prelude, input, input),
            State::Lent => {
                self.drop_lent();
                self.next_borrowed(input)
            }
            State::Failed(error) => Err(error),
        }
    }

    /// Checks that the stream may end here.
    ///
    /// # Errors
    ///
    /// [`Error::Truncated`] inside a frame, and the error of [`Self::next`] if there was one.
    pub fn finish(&self) -> Result<(), Error> {
        match self.state {
            State::Between | State::Lent => Ok(()),
            State::InPrelude | State::InBody(_) => Err(Error::Truncated),
            State::Failed(error) => Err(error),
        }
    }

    /// How many bytes of an unfinished frame are held now.
    pub fn pending(&self) -> usize {
        match self.state {
            State::InPrelude | State::InBody(_) => self.carry.len(),
            State::Between | State::Lent | State::Failed(_) => 0,
        }
    }

    /// What is known of the frame that has begun, once all input is read; `None` between two frames.
    pub fn unfinished(&self) -> Option<Unfinished> {
        match self.state {
            State::InPrelude => Some(Unfinished::EventSoFar),
            State::InBody(prelude) => {
                Some(Unfinished::read(&self.carry, prelude, &self.last_headers))
            }
            State::Between | State::Lent | State::Failed(_) => None,
        }
    }

    /// [`Self::next`] at a frame's start: nothing is carried.
    #[inline]
    fn next_borrowed<'s, 'i: 's>(
        &'s mut self,
        input: &mut &'i [u8],
    ) -> Result<Option<Frame<'s>>, Error> {
        let Some(prelude) = input.first_chunk() else {
            if !input.is_empty() {
                self.state = State::InPrelude;
                *input = self.fill(input, PRELUDE_LEN);
            }
            return Ok(None);
        };
        let prelude = match Prelude::parse(prelude, &self.limits, &self.crc) {
            Ok(prelude) => prelude,
            Err(error) => return Err(self.fail(error)),
        };
        let Some((bytes, rest)) = input.split_at_checked(prelude.total as usize) else {
            self.state = State::InBody(prelude);
            *input = self.fill(input, prelude.total as usize);
            return Ok(None);
        };
        if let Err(error) = Frame::check(bytes, prelude, &self.crc, &mut self.last_headers) {
            return Err(self.fail(error));
        }
        *input = rest;
        Ok(Some(Frame::cut(bytes, prelude, &self.last_headers)))
    }

    /// [`Self::next`] inside a prelude.
    fn next_in_prelude(&mut self, input: &mut &[u8]) -> Result<Option<Frame<'_>>, Error> {
        let rest = self.fill(input, PRELUDE_LEN);
        let Some(bytes) = self.carry.first_chunk() else {
            *input = rest;
            return Ok(None);
        };
        match Prelude::parse(bytes, &self.limits, &self.crc) {
            Ok(prelude) => {
                self.state = State::InBody(prelude);
                self.next_in_body(prelude, rest, input)
            }
            Err(error) => Err(self.fail(error)),
        }
    }

    /// [`Self::next`] behind a prelude: adds to `carry` what belongs to the frame, and no more.
    /// `unused` is the part of `input` that is not in `carry` yet.
    #[inline]
    fn next_in_body<'i>(
        &mut self,
        prelude: Prelude,
        unused: &'i [u8],
        input: &mut &'i [u8],
    ) -> Result<Option<Frame<'_>>, Error> {
        let rest = self.fill(unused, prelude.total as usize);
        if self.carry.len() < prelude.total as usize {
            *input = rest;
            return Ok(None);
        }
        let frame = self.lend(prelude)?;
        *input = rest;
        Ok(Some(frame))
    }

    /// Checks and lends the whole frame in `carry`.
    #[inline(never)]
    fn lend(&mut self, prelude: Prelude) -> Result<Frame<'_>, Error> {
        // Once and at the end, so that it costs the same however many pieces there were.
        if let Err(error) = Frame::check(&self.carry, prelude, &self.crc, &mut self.last_headers) {
            return Err(self.fail(error));
        }
        self.state = State::Lent;
        Ok(Frame::cut(&self.carry, prelude, &self.last_headers))
    }

    /// Moves bytes from `input` to `carry` until that has `len` bytes; gives what is left.
    #[inline]
    fn fill<'i>(&mut self, input: &'i [u8], len: usize) -> &'i [u8] {
        let missing = len.saturating_sub(self.carry.len());
        let (taken, rest) = input.split_at_checked(missing).unwrap_or((input, &[]));
        if self.carry.capacity() - self.carry.len() < taken.len() {
            self.grow(taken.len(), missing);
        }
        match taken {
            // A call of memcpy takes longer than to store one byte.
            [byte] => self.carry.push(*byte),
            _ => self.carry.extend_from_slice(taken),
        }
        rest
    }

    /// Makes room for `arrived` bytes, the next of `missing` ones.
    #[inline(never)]
    fn grow(&mut self, arrived: usize, missing: usize) {
        // `missing` is only a claim: beyond the bytes that are here, the room is doubled at most,
        // so that it need not grow often, and not past the frame's end.
        let doubled = self.carry.len().min(missing);
        self.carry
            .reserve_exact(arrived.max(doubled).max(FIRST_CAPACITY));
    }

    fn drop_lent(&mut self) {
        self.state = State::Between;
        if self.carry.capacity() > KEPT_CAPACITY {
            self.carry = Vec::new();
        } else {
            self.carry.clear();
        }
    }

    #[cold]
    fn fail(&mut self, error: Error) -> Error {
        self.state = State::Failed(error);
        self.carry = Vec::new();
        error
    }
}

/// First allocation for the carry in bytes: most of Bedrock's frames fit.
const FIRST_CAPACITY: usize = 1024;
/// Room in bytes that the carry keeps for the next frame. A frame that needed more, an image in
/// base64 for instance, is the exception, and a connection may live on for long after it.
const KEPT_CAPACITY: usize = 16 * 1024;
