//! What each family of models takes and refuses: one table, the way from an id to its row, and the one place where a request
//! is fitted to it. What is not known of a family is left out of a request, if that does not change the answer.

pub mod betas;
pub(crate) mod facts;
mod feature;
mod fit;
mod shape;
mod table;
#[cfg(test)]
mod truth;

pub use facts::Family;
pub use feature::Feature;
pub(crate) use fit::ids::fitted as fitted_id;
pub(crate) use fit::{
    Changes, Fitted, Purpose, cache, calls, fit, reasoning, schema, structured, tools, turns,
};
pub(crate) use shape::{ANSWER_TOOL, AnswerText, Shape};

use crate::bedrock::model_id;

/// What the operator says about models.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rules<'a> {
    /// `as=` on `bedrock_alias`: names, and the family of the model that each stands for.
    pub aliases: &'a [(String, Directed)],
    /// `bedrock_model_family`: patterns on ids, and the family that each is; the first that fits counts.
    pub families: &'a [(String, Directed)],
    /// `bedrock_model_feature`: of several that say the same thing, the first counts.
    pub features: &'a [Feature],
}

/// What a directive says that a model is.
#[derive(Clone, Debug, PartialEq)]
pub struct Directed {
    /// Its family.
    pub family: Family,
    /// The id of the model, where the directive gives that and no family's name: by this it is priced.
    pub id: Option<String>,
}

impl Directed {
    /// What a directive calls a model: a family's name in the table, or the id of one of its models. `None` is unknown.
    pub fn read(name: &str) -> Option<Self> {
        let by_name = table::named(name).map(|family| Self { family, id: None });
        by_name.or_else(|| {
            Some(Self {
                family: of_id(name)?,
                id: Some(name.to_owned()),
            })
        })
    }
}

/// The family of the model that is called by `id`, an id or ARN.
///
/// The operator's word counts most: what it said with an alias, if the client used one, then its patterns. Then the id
/// itself; then, if that shows no vendor, `requested`, the name that the client used; then the kind of ARN.
pub fn of(id: &str, requested: Option<&str>, rules: Rules<'_>) -> Family {
    let mut family = directed(id, requested, rules)
        .map(|directed| directed.family)
        .or_else(|| of_id(id))
        .or_else(|| requested.filter(|_| !shows_vendor(id)).and_then(of_name))
        .unwrap_or_else(|| of_kind(id));
    // The first of several counts, so it comes last.
    for feature in rules.features.iter().rev() {
        if fits(&feature.pattern, id) {
            feature.change(&mut family);
        }
    }
    family
}

/// The family that a directive may call so.
pub fn named(name: &str) -> Option<Family> {
    Directed::read(name).map(|directed| directed.family)
}

/// What the operator says that a model is.
pub fn directed<'r>(id: &str, requested: Option<&str>, rules: Rules<'r>) -> Option<&'r Directed> {
    let by_alias = || {
        let mut aliases = rules.aliases.iter();
        aliases.find(|(alias, _)| Some(alias.as_str()) == requested)
    };
    let by_pattern = || rules.families.iter().find(|(pattern, _)| fits(pattern, id));
    let (_, directed) = by_alias().or_else(by_pattern)?;
    Some(directed)
}

/// Whether a pattern is meant for this id, with its region or without.
fn fits(pattern: &str, id: &str) -> bool {
    model_id::matches(pattern, id)
        || model_id::foundation_model(id).is_some_and(|model| model_id::matches(pattern, model))
}

/// Whether an id says whose the model is: another vendor's is no Claude for being called by a Claude's name.
fn shows_vendor(id: &str) -> bool {
    model_id::foundation_model(id).is_some_and(|model| model.contains('.'))
}

fn of_id(id: &str) -> Option<Family> {
    table::of_model(model_id::foundation_model(id)?)
}

/// A name is an id, or what is left of one without vendor and region, perhaps with a provider in front: `bedrock/…`.
fn of_name(name: &str) -> Option<Family> {
    let name = model_id::without_tail(name);
    of_id(name).or_else(|| {
        let last = name.rsplit_once('/').map(|(_, last)| last);
        let of_last = last.and_then(of_id);
        of_last.or_else(|| table::of_bare_name(last.unwrap_or(name)))
    })
}

fn of_kind(id: &str) -> Family {
    // arn:PARTITION:bedrock:REGION:ACCOUNT:KIND/NAME
    let resource = id.splitn(6, ':').nth(5).unwrap_or_default();
    let kind = resource.split('/').next().unwrap_or_default();
    match kind {
        _ if !id.starts_with("arn:") => table::UNKNOWN,
        "application-inference-profile"
        | "provisioned-model"
        | "default-prompt-router"
        | "prompt-router" => table::PROFILE_UNKNOWN,
        "imported-model" | "endpoint" => table::IMPORTED,
        _ if kind.starts_with("custom-model") => table::IMPORTED,
        _ => table::UNKNOWN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROFILE: &str =
        "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc123";

    fn name(id: &str, requested: Option<&str>) -> &'static str {
        of(id, requested, Rules::default()).name
    }

    #[test]
    fn ids_lead_to_families_whatever_is_around_them() {
        for (id, family) in [
            ("us.anthropic.claude-sonnet-4-6", "claude-4-6"),
            ("in.anthropic.claude-opus-5", "claude-5"),
            ("tomorrow.openai.gpt-5.6-terra", "gpt-5-6"),
            (
                "arn:aws:bedrock:us-east-1::foundation-model/meta.llama3-1-8b-instruct-v1:0",
                "llama-3",
            ),
            (
                "arn:aws-us-gov:bedrock:us-gov-west-1:1:inference-profile/us-gov.anthropic.claude-3-5-sonnet-20240620-v1:0",
                "claude-3-5",
            ),
            ("anthropic.claude-3-sonnet-20240229-v1:0:28k", "claude-3"),
            ("anthropic.claude-opus-4-1-20250805-v1:0", "claude-4"),
            ("anthropic.claude-opus-4-20250514-v1:0", "claude-4"),
            ("anthropic.claude-opus-41", "claude-later"),
            ("anthropic.claude-sonnet-4-8", "claude-4-8"),
            ("anthropic.claude-opus-5-1", "claude-later"),
            ("anthropic.claude-opus-5-5-v1", "claude-opus-5-5"),
            (
                "anthropic.claude-mythos-preview-v1",
                "claude-fable-mythos-5",
            ),
            ("anthropic.claude-haiku-6", "claude-later"),
            ("anthropic.claude-instant-v1", "claude-legacy"),
            ("anthropic.claude-v2:1", "claude-legacy"),
            ("zai.glm-5.3", "glm-5-3"),
            ("qwen.qwen3-coder-480b-a35b-v1:0", "qwen3-coder"),
            ("somebody.model", "unknown"),
            ("my.claude", "unknown"),
            (
                "arn:aws:bedrock:us-east-1:123456789012:prompt/ABC:3",
                "unknown",
            ),
            (
                "arn:aws:sagemaker:us-east-1:123456789012:endpoint/x",
                "imported",
            ),
            (
                "arn:aws:bedrock:us-east-1:123456789012:custom-model-deployment/x",
                "imported",
            ),
            (PROFILE, "profile-unknown"),
            ("arn:", "unknown"),
            ("", "unknown"),
        ] {
            assert_eq!(name(id, None), family, "{id}");
        }
    }

    #[test]
    fn a_name_tells_what_an_arn_hides() {
        for (requested, family) in [
            ("claude-sonnet-4-6", "claude-4-6"),
            ("claude-sonnet-4-6[1m]", "claude-4-6"),
            ("claude-3-5-sonnet-latest", "claude-3-5"),
            ("anthropic/claude-opus-4.1", "claude-4"),
            ("bedrock/us.amazon.nova-pro-v1:0", "nova-1"),
            ("nova-pro", "nova-1"),
            ("gpt-oss-120b", "gpt-oss"),
            ("deepseek-v3.2", "deepseek-v3"),
            ("glm-5", "glm"),
            ("kimi-k2.5", "kimi-k2"),
            ("gpt-4o", "profile-unknown"),
            ("gpt-5", "profile-unknown"),
            ("smart", "profile-unknown"),
            ("r1", "profile-unknown"),
            ("commander", "profile-unknown"),
        ] {
            assert_eq!(name(PROFILE, Some(requested)), family, "{requested}");
        }
        // What the id shows counts more.
        assert_eq!(
            name("amazon.nova-pro-v1:0", Some("claude-sonnet-4-6")),
            "nova-1"
        );
        for (id, requested) in [
            ("amazon.nova-17", "claude-sonnet-4-6"),
            ("us.amazon.nova-17", "claude-sonnet-4-6"),
            ("somebody.model", "anthropic.claude-sonnet-4-6"),
            (
                "arn:aws:bedrock:us-east-1::foundation-model/somebody.model",
                "glm-5",
            ),
        ] {
            assert_eq!(name(id, Some(requested)), "unknown", "{id}");
        }
        // The id of a profile, without the ARN around it.
        assert_eq!(name("abc123", Some("claude-sonnet-4-6")), "claude-4-6");
    }

    #[test]
    fn the_operators_word_counts_most() {
        let rule = |pattern: &str, said| (pattern.to_owned(), Directed::read(said).unwrap());
        let families = [
            rule("*profile/abc*", "anthropic.claude-sonnet-4-6"),
            rule("anthropic.claude-opus-5*", "unknown"),
            rule("*", "nova-1"),
        ];
        let mut first = Feature::new("*claude*".to_owned());
        first.add("cache=off").unwrap();
        let mut second = Feature::new("*".to_owned());
        second.add("cache=messages").unwrap();
        second.add("stop=off").unwrap();
        let features = [first, second];
        let aliases = [rule("as-glm", "glm"), rule("as-claude", "claude-4-5")];
        let rules = Rules {
            aliases: &aliases,
            families: &families,
            features: &features,
        };
        assert_eq!(of(PROFILE, Some("claude-opus-5"), rules).name, "claude-4-6");
        assert_eq!(
            of("us.anthropic.claude-opus-5", None, rules).name,
            "unknown"
        );
        assert_eq!(of("meta.llama3-x", None, rules).name, "nova-1");
        assert_eq!(of(PROFILE, Some("as-glm"), rules).name, "glm");
        let claude = of("anthropic.claude-sonnet-4-5", Some("as-claude"), rules);
        assert_eq!((claude.cache, claude.stop), (facts::Cache::None, 0));
        assert_eq!(of(PROFILE, None, rules).cache, facts::Cache::Messages);
        assert_eq!(
            directed(PROFILE, None, rules).and_then(|directed| directed.id.as_deref()),
            Some("anthropic.claude-sonnet-4-6")
        );
        assert_eq!(named("claude-17"), None);
        assert_eq!(
            named("us.amazon.nova-lite-v1:0").map(|family| family.name),
            Some("nova-1")
        );
    }
}
