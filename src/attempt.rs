//! One attempt to have Bedrock answer a request: where it stands, and what is known of it. `error_page` may lead to another
//! one; then the whole of it is exchanged, so that nothing of an earlier attempt stays.

use std::fs::File;
use std::time::{Duration, SystemTime};

use bedrock_credentials::Current;
use gateway::{Facts, Measure, Plan, Refusal, Relay};

use crate::credentials;
use crate::decode::Decoded;
use crate::nginx::chain::Waiting;
use crate::nginx::ffi::ngx_event_t;
use crate::nginx::outgoing::Outgoing;
use crate::nginx::request::Request;
use crate::nginx::task::Outcome;
use crate::nginx::timer::{Instant, Timer};
use crate::nginx::upstream::BodyReader;
use crate::room::Place;

/// What belongs to one attempt.
#[derive(Default)]
pub struct Attempt {
    /// Where it stands.
    pub stage: Stage,
    /// What is sent to Bedrock.
    pub plan: Option<Plan>,
    /// What authorized that.
    pub credentials: Option<Used>,
    /// The same as nginx sends it.
    pub outgoing: Option<Outgoing>,
    /// What reads the answer's body for nginx.
    pub reader: BodyReader,
    /// Follows what came back.
    pub followed: Option<Followed>,
    /// Seconds from the request's beginning to the first content delta.
    pub time_to_first_token: Option<f64>,
    /// Says that the stream is alive, when it was silent for long.
    pub ping: Option<Ping>,
    /// What came from upstream and is not worked on yet.
    pub waiting: Waiting,
}

/// Where an attempt stands. It goes down this list, and skips what it does not need.
#[derive(Default)]
pub enum Stage {
    /// There is none: something else makes the answer, such as a static error page or a location that is no gateway.
    #[default]
    None,
    /// The phase handlers work on the request.
    Phases,
    /// A phase handler waits.
    Waits(Awaited),
    /// What it waited for has come, and the handler is about to be called again.
    Arrived(Awaited),
    /// The request is refused: nginx raises the status, the filters write this in the client's dialect.
    Refused(Refusal),
    /// This answer is made here, without Bedrock.
    Local(Local),
    /// The call is planned. What the upstream sends is the answer.
    Called,
    /// The header is held back until the first frame; these bytes came so far.
    Held(Vec<u8>),
    /// A thread writes the answer: what it has come to, or the error that it is.
    Writing(Outcome<Result<Vec<u8>, Refusal>>),
    /// The answer goes to the client as it comes.
    Flows,
    /// The client went away, and the answer is read on for its usage.
    Drains,
    /// This body is sent instead of what comes.
    Replaced(Vec<u8>),
    /// Nothing more of it goes to the client: the connection is cut, or another attempt answers.
    Dropped,
    /// All of it has been given on: what comes is dropped, what waits further down still goes out.
    Sent,
}

/// An answer that is made here: JSON.
#[derive(Default)]
pub struct Local {
    /// Its status.
    pub status: u16,
    /// Its headers, but those that say what its body is.
    pub headers: Vec<(&'static str, String)>,
    /// Its body.
    pub body: Vec<u8>,
}

/// What a phase handler waits for.
pub enum Awaited {
    /// The client's body, in REWRITE.
    BodyToInspect,
    /// The client's body, in PRECONTENT.
    BodyToPlan,
    /// Room for a large body.
    Room(Place),
    /// A thread that decodes a compressed body.
    Decoding(Outcome<Result<Decoded, Refusal>>),
    /// A thread that inspects a large body.
    Inspection(Outcome<Result<gateway::Request, Refusal>>),
    /// The first credentials.
    Credentials { _expected: Expected },
    /// Credentials that did not come in time.
    Overdue,
    /// A thread that plans and hashes a large body.
    Planning(Outcome<Result<Planned, Refusal>>),
}

/// A plan with what only the whole body tells.
pub struct Planned {
    /// The plan.
    pub plan: Plan,
    /// What the client's body shows; nothing where no limit asks.
    pub measure: Measure,
    /// SHA-256 of the body to send; empty where nothing is signed.
    pub body_hash: String,
    /// The body to send, where the client's was changed and a file has it.
    pub file: Option<File>,
    /// The place of the source that authorizes, and what it gave; `None` where the client authorizes itself.
    pub credentials: Option<(usize, Current)>,
}

/// The source of a request's authorization.
pub struct Used {
    /// Its place in the configuration.
    pub index: usize,
    /// When what it gave expires.
    pub expires: Option<SystemTime>,
}

/// An answer, by who gave it.
pub enum Followed {
    /// Bedrock, just now.
    FromBedrock(Relay),
    /// nginx's cache: nothing was spent on it.
    FromCache(Relay),
}

/// When a silent stream says that it is alive.
pub struct Ping {
    /// How long it may be silent.
    pub interval: Duration,
    /// When something was last given to the client.
    pub spoke: Instant,
    /// When it is looked at again.
    pub timer: Timer,
}

/// A place among those that credentials wake when they come. Whoever no longer waits is not woken.
pub struct Expected {
    request: Request,
    _timer: Timer,
}

impl Attempt {
    /// Follows the answer.
    pub fn relay(&self) -> Option<&Relay> {
        match self.followed.as_ref()? {
            Followed::FromBedrock(relay) | Followed::FromCache(relay) => Some(relay),
        }
    }

    /// Follows the answer.
    pub fn relay_mut(&mut self) -> Option<&mut Relay> {
        match self.followed.as_mut()? {
            Followed::FromBedrock(relay) | Followed::FromCache(relay) => Some(relay),
        }
    }

    /// What is known of an answer that Bedrock gave.
    pub fn facts(&self) -> Option<&Facts> {
        match self.followed.as_ref()? {
            Followed::FromBedrock(relay) => Some(relay.facts()),
            Followed::FromCache(_) => None,
        }
    }

    /// Puts the client's request back, should what is sent to Bedrock stand in its place.
    pub fn take_off(&mut self, request: Request) {
        if let Some(outgoing) = &mut self.outgoing {
            outgoing.take_off(request);
        }
    }
}

impl Stage {
    /// The phase handler goes on: what it waited for, if it did.
    pub fn resumed(&mut self) -> Option<Awaited> {
        match std::mem::replace(self, Self::Phases) {
            Self::Arrived(awaited) => Some(awaited),
            other => {
                *self = other;
                None
            }
        }
    }

    /// What is waited for has come.
    pub fn arrive(&mut self) {
        self.end_wait(|awaited| awaited);
    }

    /// Credentials have not come in time.
    pub fn overdue(&mut self) {
        self.end_wait(|_| Awaited::Overdue);
    }

    fn end_wait(&mut self, with: impl FnOnce(Awaited) -> Awaited) {
        *self = match std::mem::take(self) {
            Self::Waits(awaited) => Self::Arrived(with(awaited)),
            other => other,
        };
    }
}

impl Expected {
    /// Has `request` resumed when the source at `index` has credentials; `late` is called when it has none after so long.
    pub fn new(
        request: Request,
        index: usize,
        longest: Duration,
        late: unsafe extern "C" fn(*mut ngx_event_t),
    ) -> Self {
        // SAFETY: a request's connection has a log.
        let log = unsafe { (*request.connection()).log };
        let timer = Timer::new(longest, late, request.raw().cast(), log);
        credentials::wait(index, request);
        Self {
            request,
            _timer: timer,
        }
    }
}

impl Drop for Expected {
    fn drop(&mut self) {
        credentials::forget(self.request);
    }
}
