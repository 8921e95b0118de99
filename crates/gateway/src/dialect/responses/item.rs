//! The items of an answer, as the text of JSON. Strings that are named `…_json` stand between quotes as they are.
//! <https://platform.openai.com/docs/api-reference/responses/object#responses/object-output>

use super::tools::Called;
use crate::dialect::shown::Picture;
use crate::json::writer::Writer;

/// How far an item has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    Begun,
    Done,
}

impl Stage {
    fn as_str(self) -> &'static str {
        match self {
            Self::Begun => "in_progress",
            Self::Done => "completed",
        }
    }
}

/// What the model says: parts as the text of JSON.
pub fn message(id: &str, stage: Stage, parts: &str) -> String {
    let mut w = Writer::new("");
    w.open('{');
    w.key("id").value(id);
    w.key("type").value("message");
    w.key("status").value(stage.as_str());
    w.key("role").value("assistant");
    w.key("content").open('[');
    w.json(parts);
    w.close(']');
    w.close('}');
    w.into_text()
}

/// A part of what the model says, with its sources as the text of JSON.
pub fn text(text_json: &str, annotations: &str) -> String {
    let mut w = Writer::new("");
    w.open('{');
    w.key("type").value("output_text");
    w.key("text").spelt(text_json);
    w.key("annotations").open('[');
    w.json(annotations);
    w.close(']');
    w.key("logprobs").json("[]");
    w.close('}');
    w.into_text()
}

/// What the model reasons: what it shows of that, and what goes back.
pub fn reasoning(id: &str, summary_json: Option<&str>, encrypted: Option<&str>) -> String {
    let mut w = Writer::new("");
    w.open('{');
    w.key("id").value(id);
    w.key("type").value("reasoning");
    w.key("summary").open('[');
    if let Some(text) = summary_json {
        w.item().json(&summary(text));
    }
    w.close(']');
    if let Some(encrypted) = encrypted {
        w.key("encrypted_content").spelt(encrypted);
    }
    w.close('}');
    w.into_text()
}

/// A part of what it shows.
pub fn summary(text_json: &str) -> String {
    format!("{{\"type\":\"summary_text\",\"text\":\"{text_json}\"}}")
}

/// A call: what it is of, its ids, and what it is called with.
pub fn call(
    called: Called<'_>,
    (id, call_id): (&str, &str),
    stage: Stage,
    input_json: &str,
) -> String {
    let mut w = Writer::new("");
    w.open('{');
    w.key("id").value(id);
    let (kind, name, namespace) = match called {
        Called::Function { name, namespace } => ("function_call", Some(name), namespace),
        Called::Custom { name, namespace } => ("custom_tool_call", Some(name), namespace),
        Called::Search => ("tool_search_call", None, None),
    };
    w.key("type").value(kind);
    w.key("status").value(stage.as_str());
    w.key("call_id").value(call_id);
    if let Some(name) = name {
        w.key("name").value(name);
    }
    if let Some(namespace) = namespace {
        w.key("namespace").value(namespace);
    }
    match called {
        Called::Function { .. } => w.key("arguments").spelt(input_json),
        Called::Custom { .. } => w.key("input").spelt(input_json),
        Called::Search => {
            w.key("execution").value("client");
            w.key("arguments").json(input_json);
        }
    }
    w.close('}');
    w.into_text()
}

/// A picture, in the form of those that OpenAI's tool makes; `None` if it is elsewhere.
pub fn picture(id: &str, picture: Option<&Picture<'_>>) -> Option<String> {
    let mut w = Writer::new("");
    w.open('{');
    w.key("id").value(id);
    w.key("type").value("image_generation_call");
    match picture {
        None => {
            w.key("status").value("in_progress");
            w.key("result").json("null");
        }
        Some(picture) => {
            w.key("status").value("completed");
            w.key("result").json(picture.base64()?.0);
        }
    }
    w.close('}');
    Some(w.into_text())
}
