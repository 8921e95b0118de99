//! What clients speak. Each dialect has the same four rooms: `request` (the client's request into Bedrock's), `response`
//! (a whole answer), `stream` (an answer in events), `error`.

pub mod anthropic;
pub mod beside;
pub mod body;
pub mod called;
pub mod cohere;
pub mod converse;
mod count;
mod custom;
pub(crate) mod fields;
pub mod forms;
pub mod limits;
pub mod models;
pub mod native;
pub mod openai;
pub mod parameter;
mod requests;
pub mod responses;
mod shaped;
mod shown;
pub(crate) mod source;
pub(crate) mod thinking;
pub mod unserved;

use std::fmt;

use crate::bedrock::event::Event;
use crate::bedrock::path;
use crate::family::{AnswerText, Shape};
use crate::limited::Sdks;
use crate::refusal::{ErrorAnswer, Refusal};
use crate::target::path_of;

/// A dialect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Api {
    /// Bedrock's own paths.
    Native,
    /// Converse JSON at any path, model and stream in the body.
    Converse,
    /// OpenAI's Chat Completions.
    OpenAi,
    /// OpenAI's Responses.
    Responses,
    /// Anthropic's Messages.
    Anthropic,
    /// Cohere's Rerank.
    Cohere,
    /// Anything of AWS's, as its SDKs send it.
    Aws,
}

impl Api {
    /// The dialect of a request to `target` (raw path, perhaps with a query), where the operator says nothing else.
    pub fn of(target: &str) -> Self {
        let path = path_of(target);
        let path = path.strip_suffix('/').unwrap_or(path);
        match path::recognise(path) {
            Ok(None) => {}
            // What can be translated is, unless the operator says otherwise.
            Ok(Some(found)) if found.operation.has_dialect() => {}
            // A path that names a model it should not is still Bedrock's.
            _ => return Self::Native,
        }
        let is_models = path.ends_with("/v1/models") || path.contains("/v1/models/");
        if path.ends_with("/chat/completions") || path.ends_with("/embeddings") || is_models {
            return Self::OpenAi;
        }
        if responses::is_path(path) {
            return Self::Responses;
        }
        if anthropic::is_path(path) {
            return Self::Anthropic;
        }
        if cohere::is_path(path) {
            return Self::Cohere;
        }
        unserved::of(path).map_or(Self::Converse, |(api, _)| api)
    }

    /// The word in `bedrock_api` and `$bedrock_api`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Converse => "converse",
            Self::OpenAi => "openai",
            Self::Responses => "responses",
            Self::Anthropic => "anthropic",
            Self::Cohere => "cohere",
            Self::Aws => "aws",
        }
    }

    /// Whether it is a vendor's, whose requests and answers are written anew.
    pub(crate) fn is_translated(self) -> bool {
        !matches!(self, Self::Native | Self::Converse | Self::Aws)
    }

    /// The header in which this dialect's SDKs look for the request's id.
    pub fn request_id_header(self) -> Option<&'static str> {
        match self {
            // Cohere has it in the body.
            Self::Native | Self::Converse | Self::Cohere | Self::Aws => None,
            Self::OpenAi | Self::Responses => Some(openai::error::REQUEST_ID),
            Self::Anthropic => Some(anthropic::error::REQUEST_ID),
        }
    }

    /// An error as this dialect's clients expect it; `request_id` is Bedrock's, if it got that far.
    pub fn error(self, refusal: &Refusal, request_id: Option<&str>) -> ErrorAnswer {
        let mut answer = match self {
            // The plain Converse form has no error shape of its own.
            Self::Native | Self::Converse | Self::Aws => native::error::answer(refusal),
            Self::OpenAi | Self::Responses => openai::error::answer(refusal, request_id),
            Self::Anthropic => anthropic::error::answer(refusal, request_id),
            Self::Cohere => cohere::error::answer(refusal, request_id),
        };
        if let Some(limited) = &refusal.limited {
            answer.headers.extend(limited.headers(self.sdks()));
        }
        answer
    }

    /// Who is told when to try again.
    fn sdks(self) -> Sdks {
        match self {
            Self::Native | Self::Converse | Self::Aws => Sdks::Aws,
            Self::OpenAi | Self::Responses | Self::Anthropic => Sdks::Vendors,
            Self::Cohere => Sdks::Cohere,
        }
    }
}

/// What the answer has to know of the request: how it is to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    /// As Bedrock sends it.
    AsSent,
    /// The same, but for the event in which a chat completion tells its usage: the client has not asked for that.
    WithoutUsage,
    /// Converse's events as SSE, whole answers as they are.
    ConverseEvents,
    /// A chat completion.
    OpenAi(openai::Reply),
    /// OpenAI's embeddings.
    Embeddings(openai::embeddings::Reply),
    /// A response.
    Responses(Box<responses::Reply>),
    /// How many tokens a response's input has.
    InputTokens,
    /// A message.
    Anthropic(anthropic::Reply),
    /// Documents in the order of their relevance.
    Rerank(cohere::Reply),
}

/// What an answer's own form says about it.
#[derive(Clone, Debug)]
pub(crate) struct Meta {
    /// Bedrock's request id, or something else that is not the same twice.
    pub id: String,
    /// When it came, in seconds since 1970.
    pub created: u64,
    /// The prompt's tokens, if its headers tell them.
    pub input_tokens: Option<u64>,
    /// What ranking the documents is billed by, if that was asked for.
    pub search_units: Option<u64>,
}

impl Reply {
    /// What writes the events of a stream; `None` if they go on as they are.
    pub fn events(&self, shape: Shape, meta: &Meta) -> Option<Box<dyn EventWriter>> {
        let writer: Box<dyn EventWriter> = match self {
            Self::AsSent
            | Self::WithoutUsage
            | Self::Embeddings(_)
            | Self::Rerank(_)
            | Self::InputTokens => {
                return None;
            }
            Self::ConverseEvents => Box::new(converse::stream::Stream),
            Self::OpenAi(reply) => Box::new(openai::stream::Stream::new(reply.clone(), meta)),
            Self::Responses(reply) => {
                Box::new(responses::stream::Stream::new((**reply).clone(), meta))
            }
            Self::Anthropic(reply) => anthropic::stream::writer(reply, meta),
        };
        Some(match shape.text {
            AnswerText::Texts => writer,
            text if self.is_models_own() => Box::new(shaped::ShapedMessage::new(writer, text)),
            text => Box::new(shaped::Shaped::new(writer, text)),
        })
    }

    /// Whether a model answers in the client's form by itself, as Claude does through invoke.
    fn is_models_own(&self) -> bool {
        matches!(self, Self::Anthropic(reply) if reply.route == anthropic::Route::Invoke)
    }

    /// Whether an answer that is no stream goes on in another form; `expected`: it is one of the kind that was asked for.
    pub fn rewrites_whole(&self, shape: Shape, expected: bool) -> bool {
        match self {
            Self::AsSent | Self::WithoutUsage | Self::ConverseEvents => false,
            Self::OpenAi(_)
            | Self::Embeddings(_)
            | Self::Responses(_)
            | Self::InputTokens
            | Self::Rerank(_) => true,
            Self::Anthropic(_) => {
                !self.is_models_own() || !expected || shape.text != AnswerText::Texts
            }
        }
    }

    /// Writes a whole answer.
    ///
    /// # Errors
    /// It is not what Bedrock should have sent, or not what a client may take for an answer.
    pub fn whole(
        &self,
        shape: Shape,
        meta: &Meta,
        body: &str,
        out: &mut Vec<u8>,
    ) -> Result<(), Unwritable> {
        if shape.is_whole {
            let mut writer = self.events(shape, meta).ok_or(Unwritable::Unexpected)?;
            return shaped::write_events(body, writer.as_mut(), out).map_err(Unwritable::from);
        }
        match shape.text {
            AnswerText::Texts => self.write_whole(meta, body, out),
            text => {
                let body = match self.is_models_own() {
                    true => shaped::reshaped_message(body, text),
                    false => shaped::reshaped(body, text),
                };
                let body = body.ok_or(Unwritable::Unexpected)?;
                self.write_whole(meta, &body, out)
            }
        }
    }

    fn write_whole(&self, meta: &Meta, body: &str, out: &mut Vec<u8>) -> Result<(), Unwritable> {
        match self {
            Self::AsSent | Self::WithoutUsage | Self::ConverseEvents => {
                out.extend_from_slice(body.as_bytes());
                Ok(())
            }
            Self::OpenAi(reply) => openai::response::write(reply, meta, body, out),
            Self::Embeddings(reply) => {
                openai::embeddings::write(reply, meta, body, out).map_err(Unwritable::from)
            }
            Self::Responses(reply) => responses::response::write(reply, meta, body, out),
            Self::InputTokens => responses::response::write_count(body, out),
            Self::Anthropic(reply) => anthropic::response::write(reply, meta, body, out),
            Self::Rerank(reply) => {
                cohere::response::write(reply, meta, body, out).map_err(Unwritable::from)
            }
        }
    }
}

/// Why a whole answer is not written.
#[derive(Debug)]
pub(crate) enum Unwritable {
    /// It is not what Bedrock should have sent.
    Unexpected,
    /// The model failed, which Bedrock tells in an answer.
    Failed(Box<Refusal>),
}

impl From<serde_json::Error> for Unwritable {
    fn from(_: serde_json::Error) -> Self {
        Self::Unexpected
    }
}

impl From<Refusal> for Unwritable {
    fn from(refusal: Refusal) -> Self {
        Self::Failed(Box::new(refusal))
    }
}

/// How many blocks a stream may have open at once: Bedrock has one or two. Beyond that the oldest is closed, so that neither
/// memory nor the search for a block grows with a stream that never closes any.
pub(crate) const MOST_OPEN: usize = 256;

/// An event on its way to the client.
#[derive(Debug)]
pub(crate) struct Incoming<'a> {
    /// `:event-type`
    pub name: &'a str,
    /// Its JSON.
    pub payload: &'a [u8],
    /// What it says.
    pub event: Event<'a>,
}

/// Writes the events of a stream in a client's form, each at once.
pub(crate) trait EventWriter: fmt::Debug + Send {
    /// Writes what an event comes to.
    fn event(&mut self, incoming: &Incoming<'_>, out: &mut Vec<u8>);

    /// The content is whole: writes what the client still waits for. `false` if it was not in the form that is known here,
    /// and the client was told so.
    fn end(&mut self, out: &mut Vec<u8>) -> bool;

    /// The stream failed: `name` is the exception's, as a stream spells it.
    fn error(&mut self, name: &str, refusal: &Refusal, out: &mut Vec<u8>);

    /// Says that the stream is alive: a comment, which every reader of server-sent events passes over.
    fn ping(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(b":\n\n");
    }

    /// Whether a client knows by the error alone that the answer is not whole, so that its end may be a clean one.
    fn tells_errors(&self) -> bool;

    /// Whether the client was told that the answer failed in a form that not everyone reads: then the connection is cut, too.
    fn has_failed(&self) -> bool {
        false
    }
}
