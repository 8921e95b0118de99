//! An answer on its way out: events become frames, frames may be spoilt, and the bytes leave at the pace asked for.
//!
//! Nothing is made before it is asked for: a slow reader holds up a long stream instead of filling memory.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use eventstream::{Header, HeaderValue};
use hyper::{
    StatusCode,
    body::{Body, Bytes, Frame, SizeHint},
};
use serde_json::Value;
use tokio::time::{Sleep, sleep};

use crate::{
    errors::Refusal,
    journal::Watch,
    script::{Cut, Delivery, Fault, FaultKind},
};

/// An event of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The `:event-type`.
    pub kind: &'static str,
    /// A JSON object.
    pub payload: String,
}

/// Events, made as they are asked for.
pub type Events = Box<dyn Iterator<Item = Event> + Send>;

/// Encoded frames, made as they are asked for.
pub type Frames = Box<dyn Iterator<Item = Vec<u8>> + Send>;

impl Event {
    /// An event of that type; the payload must be a JSON object.
    pub fn new(kind: &'static str, payload: &Value) -> Self {
        Self {
            kind,
            payload: payload.to_string(),
        }
    }

    /// An event that no client knows yet.
    pub fn unknown() -> Self {
        Self {
            kind: "eventFromTheFuture",
            payload: r#"{"future":true}"#.to_owned(),
        }
    }
}

/// The frames of these events, each with its padding.
pub fn frames(events: Events) -> Frames {
    Box::new((0..).zip(events).map(|(number, event)| {
        let headers = [
            (":event-type", event.kind),
            JSON,
            (":message-type", "event"),
        ];
        frame(&headers, &padded(&event.payload, number))
    }))
}

/// The frames of a recorded stream. What is left over at the end is passed on as it is.
pub fn recorded(recording: Bytes) -> Frames {
    let mut rest = recording;
    Box::new(std::iter::from_fn(move || {
        let length = rest
            .first_chunk::<4>()
            .map_or(0, |bytes| u32::from_be_bytes(*bytes));
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        let whole = (16..=rest.len()).contains(&length);
        let frame = rest.split_to(if whole { length } else { rest.len() });
        (!frame.is_empty()).then(|| frame.to_vec())
    }))
}

/// One step of a stream's life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Bytes to send: a frame or what is left of one.
    Bytes(Vec<u8>),
    /// Silence until the client goes.
    Stall,
    /// The connection ends here.
    Reset,
}

/// The steps of a stream that is spoilt by a fault. A fault that is past the last frame and needs no frame comes at the
/// end.
pub fn steps(mut frames: Frames, fault: Option<Fault>) -> Steps {
    let Some(fault) = fault else {
        return Box::new(frames.map(Step::Bytes));
    };
    let mut number = 0;
    let mut then = None;
    let mut ended = false;
    Box::new(std::iter::from_fn(move || {
        if ended {
            return then.take();
        }
        let frame = frames.next();
        let due = number == fault.at || (frame.is_none() && number < fault.at);
        number += 1;
        if !due {
            return frame.map(Step::Bytes);
        }
        let corrupt = matches!(fault.what, FaultKind::Corrupt | FaultKind::CorruptPrelude);
        ended = !corrupt || frame.is_none();
        match (&fault.what, frame) {
            (FaultKind::Exception(name), _) => Some(Step::Bytes(exception(name))),
            (FaultKind::ErrorFrame, _) => Some(Step::Bytes(error_frame())),
            (FaultKind::Corrupt, frame) => frame.map(|frame| flipped(frame, Place::Message)),
            (FaultKind::CorruptPrelude, frame) => frame.map(|frame| flipped(frame, Place::Prelude)),
            (FaultKind::Truncated, frame) => frame.map(half),
            (FaultKind::Reset, Some(frame)) => {
                then = Some(Step::Reset);
                Some(half(frame))
            }
            (FaultKind::Reset, None) => Some(Step::Reset),
            (FaultKind::Stall, _) => Some(Step::Stall),
        }
    }))
}

/// Steps, made as they are asked for.
pub type Steps = Box<dyn Iterator<Item = Step> + Send>;

/// The HTTP error that a stream's fault stands for when the answer is no stream.
pub fn fault_as_error(fault: &FaultKind) -> Option<Refusal> {
    match fault {
        FaultKind::Exception(name) => Some(modelled(name)),
        FaultKind::ErrorFrame => Some(modelled("internalserver")),
        _ => None,
    }
}

/// A response body that takes the steps one by one.
pub struct StreamBody {
    steps: Steps,
    cut: Cut,
    pace: Duration,
    length: Option<u64>,
    watch: Option<Watch>,
    /// What is made and not yet sent.
    buffer: Vec<u8>,
    /// How much of the buffer is sent.
    sent: usize,
    /// The step after those in the buffer, when it is known: bytes that wait for their time, or what ends the stream.
    next: Option<Step>,
    /// The wait before the next frame.
    sleep: Option<Pin<Box<Sleep>>>,
    started: bool,
    /// A piece was handed over; hyper sends it when it is told to wait.
    unflushed: bool,
}

impl fmt::Debug for StreamBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamBody").finish_non_exhaustive()
    }
}

impl StreamBody {
    /// A body of these steps. With `length` the answer says beforehand how long it is.
    pub fn new(steps: Steps, delivery: &Delivery, length: Option<u64>) -> Self {
        Self {
            steps,
            cut: delivery.cut,
            pace: delivery.pace,
            length,
            watch: None,
            buffer: Vec::new(),
            sent: 0,
            next: None,
            sleep: None,
            started: false,
            unflushed: false,
        }
    }

    /// Tells the watch how the stream ends.
    pub fn set_watch(&mut self, watch: Watch) {
        self.watch = Some(watch);
    }

    /// Fills the buffer with as many bytes as one write wants.
    fn gather(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let wanted = match self.cut {
            Cut::Frames => 1,
            Cut::Bytes(bytes) if self.pace.is_zero() => bytes,
            Cut::Bytes(_) => 1,
            Cut::Glue => GLUED,
        };
        if self.buffer.len() - self.sent >= wanted {
            return Poll::Ready(());
        }
        self.buffer.drain(..self.sent);
        self.sent = 0;
        while self.buffer.len() < wanted {
            let next = self.next.take().or_else(|| self.steps.next());
            let Some(Step::Bytes(bytes)) = next else {
                self.next = next;
                break;
            };
            if self.started && !self.pace.is_zero() {
                let pace = self.pace;
                let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep(pace)));
                if sleep.as_mut().poll(cx).is_pending() {
                    self.next = Some(Step::Bytes(bytes));
                    return Poll::Pending;
                }
                self.sleep = None;
            }
            self.started = true;
            if let Some(watch) = &self.watch {
                watch.frame();
            }
            if self.buffer.is_empty() {
                self.buffer = bytes;
            } else {
                self.buffer.extend_from_slice(&bytes);
            }
        }
        Poll::Ready(())
    }

    /// The next piece of the buffer.
    fn piece(&mut self) -> Option<Bytes> {
        let waiting = self.buffer.get(self.sent..).unwrap_or_default();
        let most = if let Cut::Bytes(bytes) = self.cut {
            bytes
        } else {
            usize::MAX
        };
        let piece = waiting.get(..most).unwrap_or(waiting);
        if piece.is_empty() {
            return None;
        }
        let length = piece.len();
        if self.sent == 0 && length == self.buffer.len() {
            return Some(Bytes::from(std::mem::take(&mut self.buffer)));
        }
        let piece = Bytes::copy_from_slice(piece);
        self.sent += length;
        Some(piece)
    }
}

impl Body for StreamBody {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let this = &mut *self;
        if std::mem::take(&mut this.unflushed) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        ready!(this.gather(cx));
        if let Some(piece) = this.piece() {
            this.unflushed = true;
            return Poll::Ready(Some(Ok(Frame::data(piece))));
        }
        if this.next == Some(Step::Stall) {
            return Poll::Pending;
        }
        if let Some(watch) = this.watch.take() {
            watch.complete();
        }
        Poll::Ready(this.next.take().map(|_| Err(Broken)))
    }

    fn size_hint(&self) -> SizeHint {
        self.length
            .map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

/// A body that ends before its end, on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Broken;

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the script drops the connection")
    }
}

impl std::error::Error for Broken {}

/// A frame with these string headers.
fn frame(headers: &[(&str, &str)], payload: &str) -> Vec<u8> {
    let headers: Vec<Header<'_>> = (headers.iter())
        .map(|(name, value)| Header {
            name,
            value: HeaderValue::String(value),
        })
        .collect();
    let mut out = Vec::with_capacity(payload.len() + 128);
    // It fails on names and values that are too long, and ours are short.
    let _ = eventstream::encode(&headers, payload.as_bytes(), &mut out);
    out
}

/// The JSON object with Bedrock's random padding: a member `p` of varying length, first or last.
fn padded(object: &str, number: usize) -> String {
    let padding: String = PADDING
        .chars()
        .take(1 + number * 7 % PADDING.len())
        .collect();
    let members = object
        .strip_prefix('{')
        .and_then(|o| o.strip_suffix('}'))
        .unwrap_or_default();
    let comma = if members.is_empty() { "" } else { "," };
    if number.is_multiple_of(2) {
        format!("{{\"p\":\"{padding}\"{comma}{members}}}")
    } else {
        format!("{{{members}{comma}\"p\":\"{padding}\"}}")
    }
}

fn exception(name: &str) -> Vec<u8> {
    let error = modelled(name);
    let mut letters = error.exception.chars();
    let first = letters.next().map(|c| c.to_ascii_lowercase());
    let kind: String = first.into_iter().chain(letters).collect();
    let headers = [
        (":exception-type", kind.as_str()),
        JSON,
        (":message-type", "exception"),
    ];
    frame(&headers, &error.body())
}

fn error_frame() -> Vec<u8> {
    let headers = [
        (":error-code", "InternalFailure"),
        (":error-message", "The stream failed."),
        (":message-type", "error"),
    ];
    frame(&headers, "")
}

/// The exception of that short name with the status it stands for.
fn modelled(name: &str) -> Refusal {
    let status = match name {
        "throttling" => StatusCode::TOO_MANY_REQUESTS,
        "validation" => StatusCode::BAD_REQUEST,
        "modelstreamerror" => StatusCode::FAILED_DEPENDENCY,
        "serviceunavailable" => StatusCode::SERVICE_UNAVAILABLE,
        "modeltimeout" => StatusCode::REQUEST_TIMEOUT,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    };
    Refusal::named(status, name)
}

enum Place {
    Prelude,
    Message,
}

/// The frame with one bit of a checksum flipped.
fn flipped(mut frame: Vec<u8>, place: Place) -> Step {
    let byte = match place {
        Place::Prelude => frame.get_mut(8),
        Place::Message => frame.last_mut(),
    };
    if let Some(byte) = byte {
        *byte ^= 1;
    }
    Step::Bytes(frame)
}

fn half(mut frame: Vec<u8>) -> Step {
    frame.truncate(frame.len() / 2);
    Step::Bytes(frame)
}

const JSON: (&str, &str) = (":content-type", "application/json");
/// What Bedrock pads with.
const PADDING: &str = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
/// How much is gathered for one write when everything is to be sent at once.
const GLUED: usize = 1 << 20;
