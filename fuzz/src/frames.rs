//! Frames for the targets: recorded ones, and checksums that fit.

use std::path::Path;

/// The streams and frames in the fixtures that a fuzzer can do something with in little time.
pub fn recorded() -> Vec<Vec<u8>> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/eventstream");
    let files = super::files(&directory);
    assert!(!files.is_empty(), "no fixtures in {}", directory.display());
    let streams = files
        .into_iter()
        .filter(|(name, bytes)| name.ends_with(".bin") && bytes.len() <= LONGEST);
    streams.map(|(_, bytes)| bytes).collect()
}

/// Mends the checksums of what can be taken for frames: a fuzzer does not hit on a CRC-32 by chance.
pub fn mend(bytes: &mut [u8]) {
    let mut rest = bytes;
    while let Some(total) = rest
        .first_chunk()
        .map(|total| u32::from_be_bytes(*total) as usize)
    {
        if rest.len() < 12 {
            return;
        }
        let crc = crc32fast::hash(&rest[..8]);
        rest[8..12].copy_from_slice(&crc.to_be_bytes());
        if total < 16 || total > rest.len() {
            return;
        }
        let (frame, after) = rest.split_at_mut(total);
        let crc = crc32fast::hash(&frame[..total - 4]);
        frame[total - 4..].copy_from_slice(&crc.to_be_bytes());
        rest = after;
    }
}

/// A frame with right lengths and checksums around any header block.
pub fn around(headers: &[u8], payload: &[u8]) -> Vec<u8> {
    let total = 16 + headers.len() + payload.len();
    let mut frame = Vec::with_capacity(total);
    frame.extend((total as u32).to_be_bytes());
    frame.extend((headers.len() as u32).to_be_bytes());
    frame.extend([0; 4]);
    frame.extend(headers);
    frame.extend(payload);
    frame.extend([0; 4]);
    mend(&mut frame);
    frame
}

/// Cuts into pieces of these lengths (0 counts as 256), over and over; without any, into one.
pub fn pieces<'b>(mut bytes: &'b [u8], lengths: &[u8]) -> Vec<&'b [u8]> {
    let mut pieces = Vec::new();
    if lengths.is_empty() {
        pieces.push(std::mem::take(&mut bytes));
    }
    for length in lengths.iter().cycle() {
        if bytes.is_empty() {
            break;
        }
        let length = match length {
            0 => 256,
            length => usize::from(*length),
        };
        let (piece, rest) = bytes.split_at(length.min(bytes.len()));
        pieces.push(piece);
        bytes = rest;
    }
    pieces
}

const LONGEST: usize = 16 * 1024;
