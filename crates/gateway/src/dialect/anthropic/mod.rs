//! Anthropic's Messages: for Claude through invoke, which takes them nearly as they are, for other models translated to
//! Converse and back.
//! <https://docs.claude.com/en/api/messages>

mod citation;
pub mod error;
pub mod request;
pub mod response;
pub mod stream;

use super::openai;
use crate::bedrock::converse::names::Names;
use crate::bedrock::model_id::Vendor;
use crate::bedrock::stop::Stop;
use crate::bedrock::usage::Usage;
use crate::json::writer::Writer;
use crate::settings::{Settings, Via};

/// What a path of Anthropic's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint<'p> {
    /// `…/messages`, and any path where the operator says that clients speak this dialect.
    Messages,
    /// `…/messages/count_tokens`
    CountTokens,
    /// `…/v1/models`: all of them, or the one that the path goes on with.
    Models(Option<&'p str>),
}

/// What `path` names.
pub fn endpoint(path: &str) -> Endpoint<'_> {
    if let openai::Endpoint::Models(model) = openai::endpoint(path) {
        return Endpoint::Models(model);
    }
    match path.trim_end_matches('/').ends_with(COUNT_TOKENS) {
        true => Endpoint::CountTokens,
        false => Endpoint::Messages,
    }
}

/// Whether a path is one of this dialect by itself.
pub fn is_path(path: &str) -> bool {
    path.ends_with("/messages") || path.ends_with(COUNT_TOKENS)
}

/// How a request goes to Bedrock, and its answer comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// Invoke, which answers in this dialect.
    Invoke,
    /// Converse, which does not.
    Converse,
    /// CountTokens.
    CountTokens,
}

/// What the request said about its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reply {
    /// How it went.
    pub route: Route,
    /// The model as the client called it.
    pub model: String,
    /// Names of tools that Bedrock would not take.
    pub tools: Names,
}

/// Whether Messages for the model `called` go through invoke. A name that clients use is not enough: it may be given to any
/// model, which then would not understand a word.
fn invokes(called: &str, requested: Option<&str>, settings: &Settings<'_>) -> bool {
    match settings.anthropic.via {
        Via::Invoke => true,
        Via::Converse => false,
        Via::Auto => match settings.directed(called, requested) {
            Some(directed) => directed.family.claude,
            None => Vendor::of(called) == Some(Vendor::Anthropic),
        },
    }
}

/// Why generation ended, in Anthropic's word.
fn stop_reason(stop: Stop) -> &'static str {
    match stop {
        Stop::Call => "tool_use",
        Stop::Limit => "max_tokens",
        Stop::Sequence => "stop_sequence",
        Stop::Window => "model_context_window_exceeded",
        Stop::Filtered => "refusal",
        // What is malformed is an error, and no end.
        Stop::Turn | Stop::Malformed => "end_turn",
    }
}

/// Writes `usage`. SDKs demand both counts, so one that is not known is 0 here; the log says that it is unknown.
fn write_usage(usage: &Usage, w: &mut Writer<'_>) {
    w.key("usage").open('{');
    for (name, count) in [
        ("input_tokens", usage.input),
        ("cache_creation_input_tokens", usage.cache_write),
        ("cache_read_input_tokens", usage.cache_read),
        ("output_tokens", usage.output),
    ] {
        w.key(name).value(&count.unwrap_or(0));
    }
    if usage.cache_write_5m.is_some() || usage.cache_write_1h.is_some() {
        w.key("cache_creation").open('{');
        for (name, count) in [
            ("ephemeral_5m_input_tokens", usage.cache_write_5m),
            ("ephemeral_1h_input_tokens", usage.cache_write_1h),
        ] {
            w.key(name).value(&count.unwrap_or(0));
        }
        w.close('}');
    }
    w.close('}');
}

const COUNT_TOKENS: &str = "/messages/count_tokens";
