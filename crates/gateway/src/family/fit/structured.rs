//! An answer that must keep to a schema, in the way that the family has for it.

use super::changes::Changes;
use super::schema;
use crate::bedrock::converse::strings::Part;
use crate::bedrock::converse::{Block, Cached, ConverseRequest, Role, Schema, Tool, ToolChoice};
use crate::family::Family;
use crate::family::facts::{Choice, Fallback, Forced, Native, SchemaLimits};
use crate::family::shape::{ANSWER_TOOL, AnswerText};

/// What the rest of a request means for this.
#[derive(Clone, Copy, Debug)]
pub struct Around {
    /// Whether the answer is streamed.
    pub streams: bool,
    /// Whether the model will reason.
    pub reasons: bool,
    /// Whether a document is to be cited.
    pub cites: bool,
    /// Whether there are tools, or calls of them in the conversation.
    pub tools: bool,
}

/// How an answer is made to keep to a schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// The family takes this schema.
    Native(String),
    /// A tool must be called whose input has the schema.
    Tool,
    /// The prompt says it.
    Instruction,
}

/// The way of a family for this schema.
pub fn way(schema: &str, family: &Family, around: Around) -> Way {
    if is_native(family, around)
        && let Some(fitted) = schema::of_answer(schema)
        && (family.structured.native == Native::Yes || demands_all(&fitted))
    {
        return Way::Native(fitted);
    }
    match can_force(family, around) && is_object(schema) {
        true => Way::Tool,
        false => Way::Instruction,
    }
}

/// Puts the schema where the family has a place for it; says where the answer's text will be.
pub fn fit(
    request: &mut ConverseRequest<'_>,
    family: &Family,
    around: Around,
    changes: &mut Changes,
) -> AnswerText {
    let Some(asked) = request.schema.take() else {
        return AnswerText::Texts;
    };
    match way(&asked.schema, family, around) {
        Way::Native(schema) => {
            if family.structured.native == Native::Unstreamed {
                let format = r#"{"format":{"strict":true}}"#;
                request.native_fields.added.push(("text", format.into()));
            }
            if schema != asked.schema {
                changes.change("response_format");
            }
            request.schema = Some(Schema {
                schema: schema.into(),
                ..asked
            });
            return AnswerText::Texts;
        }
        Way::Tool => {
            changes.change("response_format");
            force(request, &asked, family);
            return AnswerText::Tool;
        }
        Way::Instruction => changes.change("response_format"),
    }
    let text = request
        .strings
        .add_joined(&[Part::New(INSTRUCTION), Part::New(&asked.schema)]);
    if family.system {
        request.system.push(Cached::plain(text));
    } else if let Some(last) = request
        .messages
        .iter_mut()
        .rfind(|message| message.role == Role::User)
    {
        let block = Cached::plain(Block::Text(text));
        request.blocks.push(&mut last.content, block);
    }
    AnswerText::Fence
}

/// What the prompt says before the schema.
pub const INSTRUCTION: &str = "Answer with one JSON document that is valid by this JSON schema, and with nothing before or after it:\n";

fn is_native(family: &Family, around: Around) -> bool {
    match family.structured.native {
        Native::No => false,
        Native::Unstreamed => !around.streams,
        Native::Yes => !around.cites,
    }
}

/// Whether no property may be missing.
fn demands_all(schema: &str) -> bool {
    schema::optional_properties(schema) == Some(0)
}

/// Whether a tool can be made of the schema: there must be no other that the model might want to call.
fn can_force(family: &Family, around: Around) -> bool {
    let forced = match family.reasoning.forced_tool {
        Forced::Never => false,
        Forced::NotWhileReasoning => !around.reasons,
        Forced::Called | Forced::Silences => true,
    };
    let has_choice = family
        .tools
        .is_some_and(|tools| tools.choice >= Choice::Any);
    family.structured.fallback == Fallback::Tool && forced && has_choice && !around.tools
}

fn is_object(schema: &str) -> bool {
    schema::of_input(schema, SchemaLimits::Common).is_none()
}

/// What the tool is for, where the client does not say.
pub const GIVES_ANSWER: &str = "Gives the answer.";

fn force(request: &mut ConverseRequest<'_>, asked: &Schema<'_>, family: &Family) {
    let strings = &mut request.strings;
    let limits = family
        .tools
        .map_or(SchemaLimits::Common, |tools| tools.schema);
    let schema = match schema::of_input(&asked.schema, limits) {
        Some(fitted) => strings.add_json(&fitted),
        None => strings.add_json(&asked.schema),
    };
    let description = match &asked.description {
        Some(description) => strings.add(description),
        None => strings.constant(GIVES_ANSWER),
    };
    request.tools.push(Cached::plain(Tool {
        name: strings.constant(ANSWER_TOOL),
        description: Some(description),
        schema,
        strict: false,
    }));
    request.tool_choice = Some(match family.tools.map(|tools| tools.choice) {
        Some(Choice::Tool) => ToolChoice::Tool(ANSWER_TOOL.into()),
        _ => ToolChoice::Any,
    });
}
