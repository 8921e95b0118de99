//! Writing a request as Bedrock's JSON.

use std::borrow::Cow;

use super::strings::{Json, Str};
use super::{
    Block, CachePoint, Cached, ConverseRequest, Inference, Message, Place, Role, Tool, ToolChoice,
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
            self.write_message(message, w);
        }
        w.close(']');
        if !self.system.is_empty() {
            w.key("system").open('[');
            for block in &self.system {
                w.item().open('{');
                self.string("text", block.item, w);
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
        if self.tools.is_empty() && self.system_tool.is_none() {
            return;
        }
        w.key("toolConfig").open('{');
        w.key("tools").open('[');
        for tool in &self.tools {
            w.item();
            self.write_tool(&tool.item, w);
            write_point(tool.point, w);
        }
        if let Some(name) = self.system_tool {
            w.item().open('{');
            w.key("systemTool").open('{');
            w.key("name").value(name);
            w.close('}');
            w.close('}');
        }
        w.close(']');
        if let Some(choice) = self
            .tool_choice
            .as_ref()
            .filter(|choice| **choice != ToolChoice::None)
        {
            w.key("toolChoice").open('{');
            let name = match choice {
                ToolChoice::Auto | ToolChoice::None => "auto",
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

    fn write_tool(&self, tool: &Tool, w: &mut Writer<'a>) {
        w.open('{');
        w.key("toolSpec").open('{');
        self.string("name", tool.name, w);
        if let Some(description) = tool.description {
            self.string("description", description, w);
        }
        w.key("inputSchema").open('{');
        self.json("json", tool.schema, w);
        w.close('}');
        if tool.strict {
            w.key("strict").value(&true);
        }
        w.close('}');
        w.close('}');
    }

    fn write_message(&self, message: &Message, w: &mut Writer<'a>) {
        w.open('{');
        w.key("role").value(match message.role {
            Role::User | Role::System => "user",
            Role::Assistant => "assistant",
        });
        w.key("content").open('[');
        for Cached { item, point } in self.blocks.get(message.content) {
            w.item();
            self.write_block(item, w);
            write_point(*point, w);
        }
        w.close(']');
        w.close('}');
    }

    fn write_block(&self, block: &Block, w: &mut Writer<'a>) {
        w.open('{');
        match *block {
            Block::Text(text) => self.string("text", text, w),
            Block::Image {
                format,
                place,
                source,
            } => {
                w.key("image").open('{');
                w.key("format").value(format.as_str());
                self.write_source(place, source, w);
                w.close('}');
            }
            Block::Document {
                format,
                name,
                place,
                source,
                context,
                cite,
            } => {
                w.key("document").open('{');
                w.key("format").value(format.as_str());
                self.string("name", name, w);
                self.write_source(place, source, w);
                if let Some(context) = context {
                    self.string("context", context, w);
                }
                if cite {
                    w.key("citations").json(r#"{"enabled":true}"#);
                }
                w.close('}');
            }
            Block::Audio {
                format,
                place,
                source,
            } => {
                w.key("audio").open('{');
                self.string("format", format, w);
                self.write_source(place, source, w);
                w.close('}');
            }
            Block::ToolUse { id, name, input } => {
                w.key("toolUse").open('{');
                self.string("toolUseId", id, w);
                self.string("name", name, w);
                self.json("input", input, w);
                w.close('}');
            }
            Block::ToolResult {
                id,
                content,
                failed,
            } => {
                w.key("toolResult").open('{');
                self.string("toolUseId", id, w);
                w.key("content").open('[');
                for block in self.results.get(content) {
                    w.item();
                    self.write_block(block, w);
                }
                w.close(']');
                if failed {
                    w.key("status").value("error");
                }
                w.close('}');
            }
            Block::SearchResult(json) => self.json("searchResult", json, w),
            Block::Reasoning { text, signature } => {
                w.key("reasoningContent").open('{');
                w.key("reasoningText").open('{');
                self.string("text", text, w);
                if let Some(signature) = signature {
                    self.string("signature", signature, w);
                }
                w.close('}');
                w.close('}');
            }
            Block::Redacted(data) => {
                w.key("reasoningContent").open('{');
                self.string("redactedContent", data, w);
                w.close('}');
            }
        }
        w.close('}');
    }

    fn write_source(&self, place: Place, source: Str, w: &mut Writer<'a>) {
        w.key("source").open('{');
        match place {
            Place::Bytes => self.string("bytes", source, w),
            Place::S3 => {
                w.key("s3Location").open('{');
                self.string("uri", source, w);
                w.close('}');
            }
            Place::Text => self.string("text", source, w),
        }
        w.close('}');
    }

    fn string(&self, name: &str, string: Str, w: &mut Writer<'a>) {
        w.key(name).spelt(self.strings.escaped(string));
    }

    fn json(&self, name: &str, json: Json, w: &mut Writer<'a>) {
        w.key(name).json(&self.strings.json(json));
    }

    fn write_output(&self, w: &mut Writer<'a>) {
        let Some(schema) = &self.schema else {
            return;
        };
        w.key("outputConfig").open('{');
        w.key("textFormat").open('{');
        w.key("type").value("json_schema");
        w.key("structure").open('{');
        w.key("jsonSchema").open('{');
        // The schema's text becomes a string: Bedrock's own definition of this member.
        w.key("schema").text(&schema.schema);
        write_optional("name", schema.name.as_ref(), w);
        write_optional("description", schema.description.as_ref(), w);
        w.close('}');
        w.close('}');
        w.close('}');
        w.close('}');
    }
}

impl<'a> Inference<'a> {
    fn write(&self, w: &mut Writer<'a>) {
        let says_nothing =
            self.max_tokens.is_none() && self.temperature.is_none() && self.top_p.is_none();
        if says_nothing && self.stop_sequences.is_empty() {
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

fn write_optional<'a>(name: &str, text: Option<&Cow<'a, str>>, w: &mut Writer<'a>) {
    if let Some(text) = text {
        w.key(name).string(text);
    }
}

fn write_point(point: Option<CachePoint>, w: &mut Writer<'_>) {
    let Some(point) = point else {
        return;
    };
    w.item().open('{');
    w.key("cachePoint").open('{');
    w.key("type").value("default");
    if let Some(ttl) = point.ttl() {
        w.key("ttl").value(ttl);
    }
    w.close('}');
    w.close('}');
}
