use crate::{Error, Frame};

/// What a frame says, told by its `:message-type` header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Message<'a> {
    /// An event of the stream.
    Event {
        /// Which one, e.g. `contentBlockDelta`. Receivers skip those they do not know.
        event_type: &'a str,
        /// The event; JSON from Bedrock.
        payload: &'a [u8],
    },
    /// A failure that the service's model describes. It ends the stream.
    Exception {
        /// Which one, e.g. `throttlingException`.
        exception_type: &'a str,
        /// The exception; JSON from Bedrock, with a `message` as a rule.
        payload: &'a [u8],
    },
    /// A failure that the service's model does not describe. It ends the stream.
    Error {
        /// Which one, e.g. `InternalFailure`.
        code: &'a str,
        /// Words for a reader; empty if the frame has none (it must, but the code says enough).
        message: &'a str,
    },
}

impl<'a> Frame<'a> {
    /// Tells what the frame says from its headers.
    ///
    /// A header that should be a string and is of another type counts as missing.
    ///
    /// # Errors
    ///
    /// [`Error::MissingMessageType`] and [`Error::UnknownMessageType`]; and if the header that
    /// names the event, exception or error is missing, [`Error::MissingEventType`],
    /// [`Error::MissingExceptionType`] or [`Error::MissingErrorCode`].
    #[inline]
    pub fn message(&self) -> Result<Message<'a>, Error> {
        match self.known_event_type() {
            Some(event_type) => Ok(Message::Event {
                event_type,
                payload: self.payload(),
            }),
            None => self.read_message(),
        }
    }

    /// [`Self::message`] by one walk over the headers.
    fn read_message(&self) -> Result<Message<'a>, Error> {
        let mut message_type = None;
        let mut event_type = None;
        let mut exception_type = None;
        let mut error_code = None;
        let mut error_message = None;
        for header in self.raw_headers() {
            let wanted = match header.name {
                b":event-type" => &mut event_type,
                b":message-type" => &mut message_type,
                b":exception-type" => &mut exception_type,
                b":error-code" => &mut error_code,
                b":error-message" => &mut error_message,
                _ => continue,
            };
            *wanted = header.string_bytes();
        }

        match message_type {
            Some(b"event") => Ok(Message::Event {
                event_type: text(event_type).ok_or(Error::MissingEventType)?,
                payload: self.payload(),
            }),
            Some(b"exception") => Ok(Message::Exception {
                exception_type: text(exception_type).ok_or(Error::MissingExceptionType)?,
                payload: self.payload(),
            }),
            Some(b"error") => Ok(Message::Error {
                code: text(error_code).ok_or(Error::MissingErrorCode)?,
                message: text(error_message).unwrap_or_default(),
            }),
            Some(_) => Err(Error::UnknownMessageType),
            None => Err(Error::MissingMessageType),
        }
    }
}

#[inline]
fn text(value: Option<&[u8]>) -> Option<&str> {
    str::from_utf8(value?).ok()
}
