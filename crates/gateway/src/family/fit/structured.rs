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
    /// Whether the conversation has calls of tools.
    pub calls: bool,
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
    if is_native(family, around)
        && let Some(schema) = schema::of_answer(&asked.schema)
        && (family.structured.native == Native::Yes || demands_all(&schema))
    {
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
    changes.change("response_format");
    if can_force(request, family, around) && is_object(&asked.schema) {
        force(request, &asked, family);
        return AnswerText::Tool;
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

const INSTRUCTION: &str = "Answer with one JSON document that is valid by this JSON schema, and with nothing before or after it:\n";

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
fn can_force(request: &ConverseRequest<'_>, family: &Family, around: Around) -> bool {
    let forced = match family.reasoning.forced_tool {
        Forced::Never => false,
        Forced::NotWhileReasoning => !around.reasons,
        Forced::Called | Forced::Silences => true,
    };
    let has_choice = family
        .tools
        .is_some_and(|tools| tools.choice >= Choice::Any);
    let free = request.tools.is_empty() && request.anthropic_tools.is_empty() && !around.calls;
    family.structured.fallback == Fallback::Tool && forced && has_choice && free
}

fn is_object(schema: &str) -> bool {
    schema::of_input(schema, SchemaLimits::Common).is_none()
}

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
        None => strings.constant("Gives the answer."),
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
