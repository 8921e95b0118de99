//! Writing a request as Bedrock's JSON.

use std::borrow::Cow;

use super::{
    Block, CachePoint, Cached, ConverseRequest, Inference, Message, Role, Source, Tool, ToolChoice,
};
use crate::json::writer::Writer;

impl<'a> ConverseRequest<'a> {
    /// Writes the request's body.
    ///
    /// # Errors
    /// A sentence for the client: `additionalModelRequestFields` is no object.
    pub fn write(&self, w: &mut Writer<'a>) -> Result<(), String> {
        let native_fields = self.native_fields.merged()?;
        w.open('{');
        w.key("messages").open('[');
        for message in &self.messages {
            w.item();
            write_message(message, w);
        }
        w.close(']');
        if !self.system.is_empty() {
            w.key("system").open('[');
            for block in &self.system {
                w.item().open('{');
                w.key("text").string(&block.item);
                w.close('}');
                write_point(block.point, w);
            }
            w.close(']');
        }
        self.inference.write(w);
        self.write_tools(w);
        self.write_output(w);
        for (name, json) in [
            ("additionalModelRequestFields", &native_fields),
            ("additionalModelResponseFieldPaths", &self.response_fields),
            ("guardrailConfig", &self.guardrail),
            ("performanceConfig", &self.performance),
            ("promptVariables", &self.prompt_variables),
            ("requestMetadata", &self.metadata),
        ] {
            if let Some(json) = json {
                w.key(name).json(json);
            }
        }
        if let Some(tier) = &self.service_tier {
            w.key("serviceTier").open('{');
            w.key("type").string(tier);
            w.close('}');
        }
        w.close('}');
        Ok(())
    }

    fn write_tools(&self, w: &mut Writer<'a>) {
        if self.tools.is_empty() {
            return;
        }
        w.key("toolConfig").open('{');
        w.key("tools").open('[');
        for tool in &self.tools {
            w.item();
            tool.item.write(w);
            write_point(tool.point, w);
        }
        w.close(']');
        if let Some(choice) = &self.tool_choice {
            w.key("toolChoice").open('{');
            let name = match choice {
                ToolChoice::Auto => "auto",
                ToolChoice::Any => "any",
                ToolChoice::Tool(_) => "tool",
            };
            w.key(name).open('{');
            if let ToolChoice::Tool(name) = choice {
                w.key("name").string(name);
            }
            w.close('}');
            w.close('}');
        }
        w.close('}');
    }

    fn write_output(&self, w: &mut Writer<'a>) {
        if self.schema.is_none() && self.effort.is_none() {
            return;
        }
        w.key("outputConfig").open('{');
        if let Some(schema) = &self.schema {
            w.key("textFormat").open('{');
            w.key("type").value("json_schema");
            w.key("structure").open('{');
            w.key("jsonSchema").open('{');
            // The schema's text becomes a string: Bedrock's own definition of this member.
            w.key("schema").value(schema.schema.as_ref());
            write_optional("name", schema.name.as_ref(), w);
            write_optional("description", schema.description.as_ref(), w);
            w.close('}');
            w.close('}');
            w.close('}');
        }
        write_optional("effort", self.effort.as_ref(), w);
        w.close('}');
    }
}

impl<'a> Inference<'a> {
    fn write(&self, w: &mut Writer<'a>) {
        if *self == Self::default() {
            return;
        }
        w.key("inferenceConfig").open('{');
        if let Some(max_tokens) = self.max_tokens {
            w.key("maxTokens").value(&max_tokens);
        }
        for (name, number) in [("temperature", &self.temperature), ("topP", &self.top_p)] {
            if let Some(number) = number {
                w.key(name).json(number);
            }
        }
        if !self.stop_sequences.is_empty() {
            w.key("stopSequences").open('[');
            for text in &self.stop_sequences {
                w.item().string(text);
            }
            w.close(']');
        }
        w.close('}');
    }
}

impl<'a> Tool<'a> {
    fn write(&self, w: &mut Writer<'a>) {
        w.open('{');
        w.key("toolSpec").open('{');
        w.key("name").string(&self.name);
        write_optional("description", self.description.as_ref(), w);
        w.key("inputSchema").open('{');
        w.key("json").json(&self.schema);
        w.close('}');
        if self.strict {
            w.key("strict").value(&true);
        }
        w.close('}');
        w.close('}');
    }
}

fn write_message<'a>(message: &Message<'a>, w: &mut Writer<'a>) {
    w.open('{');
    w.key("role").value(match message.role {
        Role::User => "user",
        Role::Assistant => "assistant",
    });
    w.key("content").open('[');
    for Cached { item, point } in &message.content {
        w.item();
        write_block(item, w);
        write_point(*point, w);
    }
    w.close(']');
    w.close('}');
}

fn write_block<'a>(block: &Block<'a>, w: &mut Writer<'a>) {
    w.open('{');
    match block {
        Block::Text(text) => w.key("text").string(text),
        Block::Image { format, source } => {
            w.key("image").open('{');
            w.key("format").value(*format);
            write_source(source, w);
            w.close('}');
        }
        Block::Document {
            format,
            name,
            source,
            context,
            cite,
        } => {
            w.key("document").open('{');
            w.key("format").value(*format);
            w.key("name").value(name);
            write_source(source, w);
            write_optional("context", context.as_ref(), w);
            if *cite {
                w.key("citations").json(r#"{"enabled":true}"#);
            }
            w.close('}');
        }
        Block::Audio { format, source } => {
            w.key("audio").open('{');
            w.key("format").string(format);
            write_source(source, w);
            w.close('}');
        }
        Block::ToolUse { id, name, input } => {
            w.key("toolUse").open('{');
            w.key("toolUseId").string(id);
            w.key("name").string(name);
            w.key("input").json(input);
            w.close('}');
        }
        Block::ToolResult {
            id,
            content,
            failed,
        } => {
            w.key("toolResult").open('{');
            w.key("toolUseId").string(id);
            w.key("content").open('[');
            for block in content {
                w.item();
                write_block(block, w);
            }
            w.close(']');
            if *failed {
                w.key("status").value("error");
            }
            w.close('}');
        }
        Block::SearchResult(json) => w.key("searchResult").json(json),
        Block::Reasoning { text, signature } => {
            w.key("reasoningContent").open('{');
            w.key("reasoningText").open('{');
            w.key("text").string(text);
            write_optional("signature", signature.as_ref(), w);
            w.close('}');
            w.close('}');
        }
        Block::Redacted(data) => {
            w.key("reasoningContent").open('{');
            w.key("redactedContent").string(data);
            w.close('}');
        }
    }
    w.close('}');
}

fn write_source<'a>(source: &Source<'a>, w: &mut Writer<'a>) {
    w.key("source").open('{');
    match source {
        Source::Bytes(base64) => w.key("bytes").string(base64),
        Source::S3(uri) => {
            w.key("s3Location").open('{');
            w.key("uri").string(uri);
            w.close('}');
        }
        Source::Text(text) => w.key("text").string(text),
    }
    w.close('}');
}

fn write_optional<'a>(name: &str, text: Option<&Cow<'a, str>>, w: &mut Writer<'a>) {
    if let Some(text) = text {
        w.key(name).string(text);
    }
}

fn write_point(point: Option<CachePoint>, w: &mut Writer<'_>) {
    let Some(CachePoint { ttl }) = point else {
        return;
    };
    w.item().open('{');
    w.key("cachePoint").open('{');
    w.key("type").value("default");
    if let Some(ttl) = ttl {
        w.key("ttl").value(ttl);
    }
    w.close('}');
    w.close('}');
}
