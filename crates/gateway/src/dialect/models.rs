//! The models that clients may name, for `GET …/v1/models`: what the operator gave a name, and what is allowed by its own.
//! One form for OpenAI's and Anthropic's SDKs, which both skip what is the other's.
//! <https://platform.openai.com/docs/api-reference/models>, <https://docs.claude.com/en/api/models-list>

use crate::json::writer::Writer;
use crate::refusal::Refusal;
use crate::settings::Settings;

/// What the list says, and the log, when it has no model.
pub const EMPTY: &str = "This gateway has no names of models to list. Its operator adds them with bedrock_alias (include claude_models \
     has Claude's), or with ids without * and ? in bedrock_allow_models. Model ids of Bedrock may work without being listed.";

/// The list as JSON, or only the model called `wanted`; and whether it is empty, of which it says why.
///
/// # Errors
/// 404: there is none of that name.
pub fn answer(settings: &Settings<'_>, wanted: Option<&str>) -> Result<(Vec<u8>, bool), Refusal> {
    let names = names(settings);
    let mut w = Writer::new("");
    match wanted {
        None => write_list(&names, &mut w),
        Some(wanted) => {
            let name = names.iter().find(|name| **name == wanted).ok_or_else(|| {
                Refusal::new(
                    404,
                    "ResourceNotFoundException",
                    "There is no model of this name; GET /v1/models lists those there are.",
                )
            })?;
            write_model(name, &mut w);
        }
    }
    let mut body = Vec::new();
    w.write_to(&mut body);
    Ok((body, names.is_empty()))
}

/// Aliases of models that may be called, then ids that are allowed as they are.
fn names<'a>(settings: &Settings<'a>) -> Vec<&'a str> {
    let aliases = settings
        .aliases
        .iter()
        .filter(|(_, model)| settings.allows(model))
        .map(|(name, _)| name.as_str());
    let ids = settings
        .allow_models
        .iter()
        .map(String::as_str)
        .filter(|pattern| patterns::is_exact(pattern));
    let mut names: Vec<&str> = Vec::new();
    for name in aliases.chain(ids) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

fn write_list(names: &[&str], w: &mut Writer<'_>) {
    w.open('{');
    w.key("object").value("list");
    w.key("data").open('[');
    for name in names {
        w.item();
        write_model(name, w);
    }
    w.close(']');
    w.key("has_more").value(&false);
    w.key("first_id").value(&names.first());
    w.key("last_id").value(&names.last());
    // No member of either API; SDKs pass over it, and people see it.
    if names.is_empty() {
        w.key("message").value(EMPTY);
    }
    w.close('}');
}

fn write_model(name: &str, w: &mut Writer<'_>) {
    w.open('{');
    w.key("id").value(name);
    w.key("object").value("model");
    w.key("type").value("model");
    w.key("display_name").value(name);
    w.key("owned_by").value("amazon-bedrock");
    // Both APIs demand a date; for one that is not known Anthropic's says to take this.
    w.key("created").value(&0);
    w.key("created_at").value("1970-01-01T00:00:00Z");
    w.close('}');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{Anthropic, Auth};
    use serde_json::Value;

    fn list(
        aliases: &[(&str, &str)],
        allowed: &[&str],
        wanted: Option<&str>,
    ) -> Result<Value, u16> {
        let owned = |text: &&str| (*text).to_owned();
        let aliases: Vec<_> = aliases.iter().map(|(a, m)| (owned(a), owned(m))).collect();
        let allowed: Vec<_> = allowed.iter().map(owned).collect();
        let settings = Settings {
            region: "us-east-1",
            endpoint: None,
            service: "bedrock",
            model: None,
            aliases: &aliases,
            families: Default::default(),
            allow_models: &allowed,
            max_output_tokens: None,
            guardrail: None,
            auth: Auth::Sign,
            max_frame_size: 1 << 20,
            response_text: 0,
            hold_headers: true,
            anthropic: Anthropic::default(),
            responses: Default::default(),
        };
        answer(&settings, wanted)
            .map(|(body, _)| serde_json::from_slice(&body).unwrap())
            .map_err(|refusal| refusal.status)
    }

    fn ids(list: &Value) -> Vec<&str> {
        let models = list["data"].as_array().unwrap();
        models.iter().map(|m| m["id"].as_str().unwrap()).collect()
    }

    #[test]
    fn aliases_and_ids_that_may_be_called() {
        let found = list(
            &[("gpt-4o", "amazon.nova-pro-v1:0"), ("secret", "meta.x")],
            &["amazon.nova-*", "anthropic.claude-x", "anthropic.claude-x"],
            None,
        )
        .unwrap();
        assert_eq!(ids(&found), ["gpt-4o", "anthropic.claude-x"]);
        assert_eq!(found["object"], "list");
        assert_eq!(found["has_more"], false);
        assert_eq!(found["first_id"], "gpt-4o");
        let none = list(&[], &[], None).unwrap();
        assert_eq!(ids(&none), [""; 0]);
        assert_eq!(none["last_id"], Value::Null);
        assert_eq!(none["message"], EMPTY);
        assert_eq!(found["message"], Value::Null);
    }

    #[test]
    fn one_model() {
        let aliases = [("gpt-4o", "amazon.nova-pro-v1:0")];
        let found = list(&aliases, &[], Some("gpt-4o")).unwrap();
        assert_eq!(found["id"], "gpt-4o");
        assert_eq!(list(&aliases, &[], Some("gpt-5")), Err(404));
    }
}
