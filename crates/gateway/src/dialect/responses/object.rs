//! The response object: what every event about the whole answer, and the answer itself, has in it.
//! <https://platform.openai.com/docs/api-reference/responses/object>

use super::{Reply, Status};
use crate::bedrock::usage::Usage;
use crate::dialect::Meta;
use crate::json::text::compact;
use crate::json::writer::Writer;

/// What a client asked for, as it stands in its request: OpenAI's SDKs want to see it again.
#[derive(Clone, Copy, Debug, Default)]
pub struct Asked<'a> {
    /// `max_output_tokens`
    pub max_output_tokens: Option<u64>,
    /// `metadata`
    pub metadata: Option<&'a str>,
    /// `parallel_tool_calls`
    pub parallel_tool_calls: Option<bool>,
    /// `reasoning`
    pub reasoning: Option<&'a str>,
    /// `temperature`
    pub temperature: Option<&'a str>,
    /// `text`
    pub text: Option<&'a str>,
    /// `tool_choice`
    pub tool_choice: Option<&'a str>,
    /// `tools`
    pub tools: Option<&'a str>,
    /// `top_p`
    pub top_p: Option<&'a str>,
}

impl Asked<'_> {
    /// The members that tell it, as the text of JSON. What is longer than [`LONGEST`] is told as if nothing had been said: it
    /// is kept as long as the answer takes, and sent three times.
    pub fn echo(&self) -> String {
        let mut w = Writer::new("");
        w.open('{');
        w.key("max_output_tokens").value(&self.max_output_tokens);
        w.key("parallel_tool_calls")
            .value(&self.parallel_tool_calls.unwrap_or(true));
        for (name, json, default) in [
            ("metadata", self.metadata, "{}"),
            (
                "reasoning",
                self.reasoning,
                r#"{"effort":null,"summary":null}"#,
            ),
            ("temperature", self.temperature, "null"),
            ("text", self.text, r#"{"format":{"type":"text"}}"#),
            ("tool_choice", self.tool_choice, "\"auto\""),
            ("tools", self.tools, "[]"),
            ("top_p", self.top_p, "null"),
        ] {
            let json = json.filter(|json| json.len() <= LONGEST).unwrap_or(default);
            w.key(name).json(&compact(json));
        }
        let text = w.into_text();
        text.get(1..).unwrap_or_default().to_owned()
    }
}

/// How an answer stands.
#[derive(Clone, Copy, Debug)]
pub struct Response<'r> {
    /// What has become of it.
    pub status: Status,
    /// Its items, as the text of JSON.
    pub output: &'r str,
    /// Its counts, once these are known.
    pub usage: Option<&'r Usage>,
    /// The tier that served it.
    pub tier: Option<&'r str>,
    /// Why it failed: a code and a message.
    pub error: Option<(&'r str, &'r str)>,
    /// When it was complete.
    pub completed_at: Option<u64>,
    /// `additionalModelResponseFields`, which Bedrock was asked for.
    pub fields: Option<&'r str>,
}

impl Response<'_> {
    /// Writes it.
    pub fn write(&self, reply: &Reply, meta: &Meta, w: &mut Writer<'_>) {
        w.open('{');
        w.key("id").value(&format!("resp_{}", meta.id));
        w.key("object").value("response");
        w.key("created_at").value(&meta.created);
        w.key("completed_at").value(&self.completed_at);
        w.key("status").value(self.status.as_str());
        w.key("background").value(&false);
        w.key("error");
        match self.error {
            None => w.json("null"),
            Some((code, message)) => {
                w.open('{');
                w.key("code").value(code);
                w.key("message").value(message);
                w.close('}');
            }
        }
        w.key("incomplete_details");
        match self.status {
            Status::Incomplete(reason) => {
                w.open('{');
                w.key("reason").value(reason);
                w.close('}');
            }
            _ => w.json("null"),
        }
        w.key("instructions").json("null");
        w.key("model").value(&reply.model);
        w.key("output").open('[');
        w.json(self.output);
        w.close(']');
        w.key("previous_response_id").json("null");
        w.key("service_tier").value(&self.tier);
        w.key("store").value(&false);
        w.key("truncation").value("disabled");
        w.key("usage");
        write_usage(self.usage, w);
        if let Some(fields) = self.fields {
            w.key("additionalModelResponseFields").json(fields);
        }
        w.item().json(&reply.echo);
        w.close('}');
    }
}

/// Writes the counts, in which the input's tokens hold the cached ones; `null` if one of the two is not known. The SDKs demand
/// the details, so a count that is not known is 0 there.
fn write_usage(usage: Option<&Usage>, w: &mut Writer<'_>) {
    let Some((usage, input, output)) =
        usage.and_then(|usage| Some((usage, usage.prompt()?, usage.output?)))
    else {
        return w.json("null");
    };
    w.open('{');
    w.key("input_tokens").value(&input);
    w.key("input_tokens_details").open('{');
    w.key("cached_tokens").value(&usage.cache_read.unwrap_or(0));
    w.key("cache_write_tokens")
        .value(&usage.cache_write.unwrap_or(0));
    w.close('}');
    w.key("output_tokens").value(&output);
    w.key("output_tokens_details").open('{');
    w.key("reasoning_tokens")
        .value(&usage.reasoning.unwrap_or(0));
    w.close('}');
    w.key("total_tokens").value(&input.saturating_add(output));
    w.close('}');
}

/// The longest member that is told again, in bytes: the tools of the largest agents have a fifth of it.
pub const LONGEST: usize = 512 << 10;
