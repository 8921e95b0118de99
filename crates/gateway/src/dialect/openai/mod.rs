//! OpenAI's Chat Completions, translated to Converse and back, and its embeddings, through InvokeModel.
//! <https://platform.openai.com/docs/api-reference/chat>

mod citation;
pub mod embeddings;
pub mod error;
pub mod request;
pub mod response;
pub mod stream;

use crate::bedrock::converse::names::Names;
use crate::bedrock::event::ServiceTier;
use crate::bedrock::stop::Stop;
use crate::bedrock::usage::Usage;
use crate::dialect::custom::Customs;
use crate::json::text::Text;
use crate::json::writer::Writer;

/// What a path of OpenAI's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint<'p> {
    /// `…/chat/completions`, and any path where the operator says that clients speak this dialect.
    Chat,
    /// `…/embeddings`
    Embeddings,
    /// `…/v1/models`: all of them, or the one that the path goes on with.
    Models(Option<&'p str>),
}

/// What `path` names.
pub fn endpoint(path: &str) -> Endpoint<'_> {
    let path = path.strip_suffix('/').unwrap_or(path);
    if path.ends_with("/embeddings") {
        return Endpoint::Embeddings;
    }
    if path.ends_with("/models") {
        return Endpoint::Models(None);
    }
    match path.split_once("/v1/models/") {
        Some((_, model)) => Endpoint::Models(Some(model)),
        None => Endpoint::Chat,
    }
}

/// What the request said about its answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reply {
    /// The model as the client called it.
    pub model: String,
    /// Whether a stream ends with its usage.
    pub include_usage: bool,
    /// Names of tools that Bedrock would not take.
    pub tools: Names,
    /// The tools whose input is text.
    pub(crate) customs: Customs,
}

/// Why generation ended, in OpenAI's word.
fn finish_reason(stop: Stop) -> &'static str {
    match stop {
        Stop::Call => "tool_calls",
        Stop::Limit | Stop::Window => "length",
        Stop::Filtered => "content_filter",
        // What is malformed is an error, and no end.
        Stop::Turn | Stop::Sequence | Stop::Malformed => "stop",
    }
}

/// Writes `usage`, in which the prompt's tokens hold the cached ones. Nothing if one of the counts is not known: a client
/// would take what stands in its place for the count.
fn write_usage(usage: Option<&Usage>, w: &mut Writer<'_>) -> bool {
    let Some((usage, prompt, completion)) =
        usage.and_then(|usage| Some((usage, usage.prompt()?, usage.output?)))
    else {
        return false;
    };
    w.key("usage").open('{');
    w.key("prompt_tokens").value(&prompt);
    w.key("completion_tokens").value(&completion);
    w.key("total_tokens")
        .value(&prompt.saturating_add(completion));
    if usage.cache_read.is_some() || usage.cache_write.is_some() {
        w.key("prompt_tokens_details").open('{');
        for (name, count) in [
            ("cached_tokens", usage.cache_read),
            ("cache_write_tokens", usage.cache_write),
        ] {
            if let Some(count) = count {
                w.key(name).value(&count);
            }
        }
        w.close('}');
    }
    w.close('}');
    true
}

/// Writes the tier that served the request, if the answer names one.
fn write_service_tier(tier: Option<&ServiceTier<'_>>, w: &mut Writer<'_>) {
    if let Some(Text(tier)) = tier.and_then(|tier| tier.kind.as_ref()) {
        w.key("service_tier").value(tier.as_ref());
    }
}
