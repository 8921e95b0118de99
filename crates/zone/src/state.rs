//! What of a zone outlives its memory, as the bytes of a file: a head, a record for each key, and a checksum of it all. What does not add
//! up is refused as a whole. Nothing of what keys are made from is in it but their hashes, and the seed of those.
//!
//! ```text
//! 8  "bedrock" 0x1a            16  boot
//! 4  version                    8  steady clock, nanoseconds
//! 4  length of the identity     8  wall clock, nanoseconds since 1970
//! 8  number of records          …  identity, UTF-8
//! 16 seed                       …  records: key 16, place 8, touched 8, words 8 × 8
//! 8  instance, 8 memory         4  CRC-32 of all before
//! ```
//!
//! All numbers are little-endian.

use std::fmt;

use crate::entry::WORDS;
use crate::header::Writer;
use crate::key::{Key, Seed};

/// What there was in a zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// What is counted, in words. Records of something else mean something else.
    pub identity: String,
    /// What the hashes depend on.
    pub seed: Seed,
    /// Whose memory it was in.
    pub writer: Writer,
    /// When that was.
    pub clocks: Clocks,
    /// The keys.
    pub records: Vec<Record>,
}

/// One key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its hash.
    pub key: Key,
    /// The number of its entry: a memory of the same size has room for it there.
    pub place: u64,
    /// When it was last asked for, in milliseconds of the steady clock.
    pub touched: u64,
    /// What is counted for it.
    pub words: [u64; WORDS],
}

/// A moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clocks {
    /// Which start of the machine it was after; zero if that is not known.
    pub boot: [u8; 16],
    /// Nanoseconds of the clock that does not step, and begins anew when the machine does.
    pub steady: u64,
    /// Nanoseconds since 1970.
    pub wall: u64,
}

/// Why bytes are no state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// They are something else.
    Foreign,
    /// They are of another version of this format.
    Version(u32),
    /// They are not whole.
    Length,
    /// They have changed.
    Checksum,
}

impl Clocks {
    /// How many nanoseconds have passed from here to `now`. Only the wall clock knows of a time in which the machine was started anew;
    /// if that was set back, none have passed: nobody gets what he has not waited for.
    fn until(&self, now: &Self) -> u64 {
        let same_boot = self.boot == now.boot && self.boot != [0; 16];
        let steady = now.steady.checked_sub(self.steady).filter(|_| same_boot);
        steady.unwrap_or_else(|| now.wall.saturating_sub(self.wall))
    }

    /// What a moment of the steady clock was here, as the steady clock counts `now`; 0 if it has passed. It is never further away than
    /// it was.
    pub fn carry(&self, moment: u64, now: &Self) -> u64 {
        let ahead = moment.saturating_sub(self.steady);
        match ahead.saturating_sub(self.until(now)) {
            0 => 0,
            left => now.steady.saturating_add(left),
        }
    }

    /// The same of a moment that had passed, in milliseconds; 0 if the steady clock did not run then.
    pub fn carry_past(&self, moment: u64, now: &Self) -> u64 {
        let ago = (self.steady / MILLISECOND).saturating_sub(moment);
        let since = self.until(now) / MILLISECOND;
        (now.steady / MILLISECOND).saturating_sub(ago.saturating_add(since))
    }
}

impl State {
    /// As bytes.
    pub fn encode(&self) -> Vec<u8> {
        let length = HEAD + self.identity.len() + self.records.len() * RECORD + CHECKSUM;
        let mut out = Vec::with_capacity(length);
        let mut put = |number: u64| out.extend_from_slice(&number.to_le_bytes());
        put(u64::from_le_bytes(MAGIC));
        put(u64::from(VERSION) | (self.identity.len() as u64) << 32);
        put(self.records.len() as u64);
        put(self.seed.0);
        put(self.seed.1);
        put(self.writer.instance);
        put(self.writer.memory);
        let boot = u128::from_le_bytes(self.clocks.boot);
        put(boot as u64);
        put((boot >> 64) as u64);
        put(self.clocks.steady);
        put(self.clocks.wall);
        out.extend_from_slice(self.identity.as_bytes());
        for Record {
            key,
            place,
            touched,
            words,
        } in &self.records
        {
            let (low, high) = key.halves();
            for number in [low, high, *place, *touched].iter().chain(words) {
                out.extend_from_slice(&number.to_le_bytes());
            }
        }
        let checksum = crc32fast::hash(&out);
        out.extend_from_slice(&checksum.to_le_bytes());
        out
    }

    /// From bytes.
    ///
    /// # Errors
    /// Why they are no state; then nothing in them is to be trusted.
    pub fn decode(bytes: &[u8]) -> Result<Self, Flaw> {
        check_magic(bytes)?;
        let mut head = Bytes(bytes);
        let _magic = head.number()?;
        let second = head.number()?;
        let (version, length) = (second as u32, second >> 32);
        if version != VERSION {
            return Err(Flaw::Version(version));
        }
        let (whole, checksum) = bytes.split_last_chunk::<CHECKSUM>().ok_or(Flaw::Length)?;
        if crc32fast::hash(whole) != u32::from_le_bytes(*checksum) {
            return Err(Flaw::Checksum);
        }
        let left = whole.len().checked_sub(HEAD).ok_or(Flaw::Length)?;
        let count = head.number()?;
        let records = u128::from(count) * RECORD as u128 + u128::from(length);
        if records != left as u128 {
            return Err(Flaw::Length);
        }
        let seed = Seed(head.number()?, head.number()?);
        let writer = Writer {
            instance: head.number()?,
            memory: head.number()?,
        };
        let boot = u128::from(head.number()?) | u128::from(head.number()?) << 64;
        let clocks = Clocks {
            boot: boot.to_le_bytes(),
            steady: head.number()?,
            wall: head.number()?,
        };
        let identity = usize::try_from(length).ok();
        let identity = identity.and_then(|length| whole.get(HEAD..HEAD.checked_add(length)?));
        let identity = identity.ok_or(Flaw::Length)?;
        let (records, _) = whole
            .get(HEAD + identity.len()..)
            .unwrap_or_default()
            .as_chunks::<RECORD>();
        Ok(Self {
            identity: String::from_utf8(identity.to_vec()).map_err(|_| Flaw::Checksum)?,
            seed,
            writer,
            clocks,
            records: records.iter().map(Record::read).collect::<Result<_, _>>()?,
        })
    }

    /// How many bytes of a file are enough for [`check_magic`].
    pub const MAGIC_LENGTH: usize = MAGIC.len();
}

/// Whether a file that begins with these bytes, or is no longer than they are, is one of ours, sound or broken.
///
/// # Errors
/// It is something else.
pub fn check_magic(begin: &[u8]) -> Result<(), Flaw> {
    let begin = begin.get(..MAGIC.len()).unwrap_or(begin);
    match MAGIC.starts_with(begin) {
        true => Ok(()),
        false => Err(Flaw::Foreign),
    }
}

impl Record {
    fn read(bytes: &[u8; RECORD]) -> Result<Self, Flaw> {
        let mut bytes = Bytes(bytes);
        let (low, high) = (bytes.number()?, bytes.number()?);
        let (place, touched) = (bytes.number()?, bytes.number()?);
        let mut words = [0; WORDS];
        for word in &mut words {
            *word = bytes.number()?;
        }
        let key = Key::of(low, high);
        Ok(Self {
            key,
            place,
            touched,
            words,
        })
    }
}

/// What is left to read.
struct Bytes<'b>(&'b [u8]);

impl Bytes<'_> {
    fn number(&mut self) -> Result<u64, Flaw> {
        let (number, rest) = self.0.split_first_chunk().ok_or(Flaw::Length)?;
        self.0 = rest;
        Ok(u64::from_le_bytes(*number))
    }
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Foreign => f.write_str("it is no state of a limit"),
            Self::Version(version) => {
                write!(
                    f,
                    "it is of version {version} of its format, and this is version {VERSION}"
                )
            }
            Self::Length => f.write_str("it is not whole"),
            Self::Checksum => f.write_str("its checksum is wrong"),
        }
    }
}

const MAGIC: [u8; 8] = *b"bedrock\x1a";
/// Raised with each change of what is written.
const VERSION: u32 = 1;
/// Bytes before the identity.
const HEAD: usize = 11 * 8;
/// Bytes of a record.
const RECORD: usize = (4 + WORDS) * 8;
/// Bytes of the checksum.
const CHECKSUM: usize = 4;
const MILLISECOND: u64 = 1_000_000;
