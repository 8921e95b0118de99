//! Server-sent events of a vendor's own API, whose bytes pass as they are.

use super::{Answer, End, Flow, Log};
use crate::bedrock::VendorApi;
use crate::bedrock::verdict;
use crate::dialect::native::server_sent::Observer;
use crate::facts::{Facts, StreamStatus};

/// The events of one answer.
#[derive(Debug)]
pub struct Events {
    decoder: sse::Decoder,
    observer: Observer,
    /// Whether the gateway authorized the request.
    own: bool,
}

impl Events {
    /// For a stream of `api`.
    pub fn new(api: VendorApi, answer: &Answer) -> Self {
        Self {
            decoder: sse::Decoder::new(answer.max_frame_size),
            observer: Observer::new(api, answer.response_text),
            own: answer.own,
        }
    }

    /// Takes the next bytes.
    pub fn push(&mut self, bytes: &[u8], facts: &mut Facts, log: &mut Log<'_>) -> Flow {
        let mut rest = bytes;
        loop {
            let intact = bytes.len() - rest.len();
            match self.decoder.next(&mut rest) {
                Ok(None) => return Flow::Go,
                Ok(Some(event)) => {
                    self.observer.event(&event, facts);
                    let hidden = facts
                        .exception
                        .as_deref()
                        .filter(|_| self.own)
                        .and_then(|name| verdict::hidden(500, Some(name), &event.data));
                    if let Some(hidden) = hidden {
                        *log.verdict = hidden.log;
                        return Flow::Cut(intact);
                    }
                }
                Err(error) => {
                    facts.stream = Some(StreamStatus::Corrupt);
                    *log.fault = Some(error.into());
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
