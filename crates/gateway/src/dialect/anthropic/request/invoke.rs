//! For Claude: the body as it is, but for what Bedrock has elsewhere, wants besides, or refuses.
//! <https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-anthropic-claude-messages-request-response.html>

use std::borrow::Cow;
use std::ops::Range;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::with_bodys_betas;
use crate::bedrock::model_id::Vendor;
use crate::body::Body;
use crate::dialect::body::twice;
use crate::dialect::native::request::cap_invoke;
use crate::json::edit::Edit;
use crate::json::object::{self, Object};
use crate::json::text::{Text, place};
use crate::refusal::Refusal;
use crate::settings::Settings;

/// The body for InvokeModel.
///
/// # Errors
/// 400 that names what Bedrock would refuse.
pub fn body(
    object: &Object<'_>,
    text: &str,
    betas: &[Cow<'_, str>],
    settings: &Settings<'_>,
) -> Result<Body, Refusal> {
    let mut edit = edit(object, text, betas, settings)?;
    if let Some(cap) = settings.max_output_tokens {
        // What else could be asked for is not among the fields that go on.
        cap_invoke(&mut edit, object, text, Vendor::Anthropic, cap)?;
    }
    Ok(edit.into_body(text.len()))
}

/// What changes, but for the operator's limit.
///
/// # Errors
/// As above.
pub fn edit<'o, 'a>(
    object: &'o Object<'a>,
    text: &str,
    betas: &[Cow<'_, str>],
    settings: &Settings<'_>,
) -> Result<Edit<'o, 'a>, Refusal> {
    let mut edit = Edit::new(object);
    edit.retain(|name| FIELDS.contains(&name));
    let value = |name: &str| -> Result<Option<&str>, Refusal> {
        let member = object.only(name).map_err(twice)?;
        Ok(member.and_then(|member| text.get(member.value.clone())))
    };
    if value("messages")?.is_none() {
        return Err(Refusal::parameter("messages", "is missing"));
    }
    if value("anthropic_version")?.is_none() {
        edit.set("anthropic_version", &format!("\"{VERSION}\""));
    }
    let in_body = value("anthropic_beta")?;
    let flags = with_bodys_betas(in_body, betas, settings)?;
    match serde_json::to_string(&flags) {
        Ok(_) if flags.is_empty() => edit.remove("anthropic_beta"),
        Ok(json) => edit.set("anthropic_beta", &json),
        Err(_) => {}
    }
    if let Some(tools) = value("tools")? {
        refuse_server_tools(tools)?;
    }
    for range in scopes(text, object) {
        edit.cut(range);
    }
    Ok(edit)
}

/// Tools that Anthropic itself would run.
fn refuse_server_tools(tools: &str) -> Result<(), Refusal> {
    #[derive(Deserialize)]
    struct Tool<'a> {
        #[serde(borrow, rename = "type", default)]
        kind: Option<Text<'a>>,
    }
    // What is no list of tools is Bedrock's to refuse.
    let tools: Vec<Tool> = serde_json::from_str(tools).unwrap_or_default();
    for (index, tool) in tools.iter().enumerate() {
        let kind = tool.kind.as_ref().map_or("", |Text(kind)| kind.as_ref());
        if SERVER_TOOLS.iter().any(|server| kind.starts_with(server)) {
            return Err(Refusal::parameter(
                format!("tools[{index}].type"),
                "must not be a tool that Anthropic runs itself: Bedrock does not have them",
            ));
        }
    }
    Ok(())
}

/// `scope` in every `cache_control`: Bedrock refuses it. In the order in which they stand.
fn scopes(text: &str, object: &Object<'_>) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    if memchr::memmem::find(text.as_bytes(), b"\"scope\"").is_none() {
        return found;
    }
    for member in &object.members {
        if matches!(member.name.as_ref(), "system" | "tools" | "messages") {
            let value = text.get(member.value.clone()).unwrap_or_default();
            find_scopes(text, value, DEPTH, &mut found);
        }
    }
    found.sort_by_key(|range| range.start);
    found
}

/// A message's, a block's, or a block's in a tool's result.
const DEPTH: u8 = 3;

fn find_scopes(text: &str, list: &str, depth: u8, found: &mut Vec<Range<usize>>) {
    #[derive(Deserialize)]
    struct Marked<'a> {
        #[serde(borrow, default)]
        cache_control: Option<&'a RawValue>,
        #[serde(borrow, default)]
        content: Option<&'a RawValue>,
    }
    let marked: Vec<Marked> = serde_json::from_str(list).unwrap_or_default();
    for Marked {
        cache_control,
        content,
    } in marked
    {
        let scope = cache_control.and_then(|control| scope_in(text, control.get()));
        found.extend(scope);
        if let Some(content) = content.filter(|_| depth > 1) {
            find_scopes(text, content.get(), depth - 1, found);
        }
    }
}

/// The member `scope` of an object somewhere in `text`, and one comma.
fn scope_in(text: &str, control: &str) -> Option<Range<usize>> {
    let start = place(text, control)?.start;
    let members = object::parse(control).ok()?.members;
    let at = members.iter().position(|member| member.name == "scope")?;
    let whole = members.get(at)?.whole.clone();
    let before = at.checked_sub(1).and_then(|before| members.get(before));
    let range = match (before, members.get(at + 1)) {
        (_, Some(next)) => whole.start..next.whole.start,
        (Some(before), None) => before.whole.end..whole.end,
        (None, None) => whole,
    };
    Some(start + range.start..start + range.end)
}

/// The version where the client's body has none.
const VERSION: &str = "bedrock-2023-05-31";

/// What Bedrock takes; anything else it refuses ("Extra inputs are not permitted").
const FIELDS: [&str; 15] = [
    "anthropic_beta",
    "anthropic_version",
    "context_management",
    "max_tokens",
    "messages",
    "metadata",
    "output_config",
    "stop_sequences",
    "system",
    "temperature",
    "thinking",
    "tool_choice",
    "tools",
    "top_k",
    "top_p",
];

const SERVER_TOOLS: [&str; 4] = [
    "web_search_",
    "web_fetch_",
    "code_execution_",
    "mcp_toolset",
];
