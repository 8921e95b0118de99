//! Server-sent events of a vendor's own API, whose bytes pass as they are.

use super::{Answer, End, Flow};
use crate::bedrock::VendorApi;
use crate::dialect::native::server_sent::Observer;
use crate::dialect::native::stream::Corrupt;
use crate::facts::{Facts, StreamStatus};

/// The events of one answer.
#[derive(Debug)]
pub struct Events {
    decoder: sse::Decoder,
    observer: Observer,
}

impl Events {
    /// For a stream of `api`.
    pub fn new(api: VendorApi, answer: &Answer) -> Self {
        Self {
            decoder: sse::Decoder::new(answer.max_frame_size),
            observer: Observer::new(api, answer.response_text),
        }
    }

    /// Takes the next bytes.
    pub fn push(&mut self, bytes: &[u8], facts: &mut Facts, fault: &mut Option<Corrupt>) -> Flow {
        let mut rest = bytes;
        loop {
            let intact = bytes.len() - rest.len();
            match self.decoder.next(&mut rest) {
                Ok(None) => return Flow::Go,
                Ok(Some(event)) => self.observer.event(&event, facts),
                Err(error) => {
                    facts.stream = Some(StreamStatus::Corrupt);
                    *fault = Some(error.into());
                    return Flow::Cut(intact);
                }
            }
        }
    }

    /// Without its last event, or an error, a stream must not look whole.
    pub fn finish(clean: bool, facts: &mut Facts) -> End {
        facts.stream.get_or_insert(StreamStatus::Truncated);
        let decided = matches!(
            facts.stream,
            Some(StreamStatus::Complete | StreamStatus::Exception)
        );
        match clean && decided {
            true => End::Clean,
            false => End::Cut,
        }
    }
}
