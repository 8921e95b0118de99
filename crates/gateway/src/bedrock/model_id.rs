//! Model ids and ARNs: what is a legal one, who made the model, and which patterns it matches.

pub use patterns::{is_pattern, matches};

use crate::refusal::Refusal;

/// Checks an id before it becomes part of a path that is signed.
///
/// Bedrock's own pattern allows letters, digits and `-._:/`, at most 2048 of them. `..` and `//` are refused too,
/// because signers and proxies do not agree on what they mean in a path.
///
/// # Errors
/// 400 `ValidationException`, in Bedrock's words.
pub fn check(id: &str) -> Result<(), Refusal> {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:/".contains(&byte);
    let right = !id.is_empty()
        && id.len() <= MAX_LENGTH
        && id.bytes().all(legal)
        && !id.contains("..")
        && !id.contains("//")
        && !id.starts_with('/')
        && !id.ends_with('/')
        && !id.split('/').any(|segment| segment == ".");
    if right {
        Ok(())
    } else {
        Err(Refusal::validation(
            "The provided model identifier is invalid.",
        ))
    }
}

/// Whose request format an id or foundation-model ARN takes on invoke.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Vendor {
    /// `anthropic.`
    Anthropic,
    /// `amazon.nova`
    Nova,
    /// `amazon.titan-text`
    TitanText,
    /// `meta.`
    Meta,
    /// `mistral.`
    Mistral,
    /// `cohere.command`
    CohereCommand,
    /// Any that generates no tokens: it makes embeddings or images, or ranks.
    Tokenless,
}

impl Vendor {
    /// The vendor an id shows; an application profile's or an imported model's ARN shows none.
    pub fn of(id: &str) -> Option<Self> {
        let id = foundation_model(id)?;
        VENDORS
            .iter()
            .find(|(prefix, _)| id.starts_with(prefix))
            .map(|(_, vendor)| *vendor)
    }
}

/// The id of a model or of a system-defined profile, in an id or ARN; other ARNs end in a name that anyone may choose.
pub fn profile_or_model(id: &str) -> Option<&str> {
    let Some(arn) = id.strip_prefix("arn:") else {
        return Some(id);
    };
    // arn:partition:service:region:account:resource, of which `arn:` is gone.
    let resource = arn.splitn(5, ':').nth(4)?;
    let (kind, id) = resource.split_once('/')?;
    matches!(kind, "foundation-model" | "inference-profile").then_some(id)
}

/// The model's own id in an id or ARN; an application profile's or an imported model's ARN shows none.
pub fn foundation_model(id: &str) -> Option<&str> {
    let id = profile_or_model(id)?;
    // A profile id carries a group of regions first: `us.anthropic.…`. There are new ones now and then.
    let is_label = |text: &str| {
        text.bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte == b'-')
    };
    Some(match id.split_once('.') {
        Some((group, rest))
            if is_label(group) && has_vendor(rest) && !VENDOR_LABELS.contains(&group) =>
        {
            rest
        }
        _ => id,
    })
}

/// An id without what Claude Code puts behind it for a longer context: `[1m]`.
pub fn without_tail(id: &str) -> &str {
    match id.strip_suffix(']').and_then(|id| id.rsplit_once('[')) {
        Some((id, tail)) if tail.bytes().all(|byte| byte.is_ascii_alphanumeric()) => id,
        _ => id,
    }
}

fn has_vendor(id: &str) -> bool {
    id.split_once('.')
        .is_some_and(|(vendor, _)| VENDOR_LABELS.contains(&vendor))
}

/// Whether a prompt from Prompt management is called, which forbids settings in the request.
pub fn is_prompt(id: &str) -> bool {
    id.starts_with("arn:") && id.contains(":prompt/")
}

const MAX_LENGTH: usize = 2048;
/// What ids of models begin with.
#[rustfmt::skip]
const VENDOR_LABELS: [&str; 20] = [
    "ai21", "amazon", "anthropic", "cohere", "deepseek", "google", "luma", "meta", "minimax", "mistral", "moonshot",
    "moonshotai", "nvidia", "openai", "qwen", "stability", "twelvelabs", "writer", "xai", "zai",
];
/// A longer prefix stands before the one that it begins with.
const VENDORS: [(&str, Vendor); 16] = [
    ("anthropic.", Vendor::Anthropic),
    ("amazon.nova-2-multimodal-embeddings", Vendor::Tokenless),
    ("amazon.nova-canvas", Vendor::Tokenless),
    ("amazon.nova-multimodal-embeddings", Vendor::Tokenless),
    ("amazon.nova-reel", Vendor::Tokenless),
    ("amazon.nova", Vendor::Nova),
    ("amazon.rerank", Vendor::Tokenless),
    ("amazon.titan-embed", Vendor::Tokenless),
    ("amazon.titan-image", Vendor::Tokenless),
    ("amazon.titan-text", Vendor::TitanText),
    ("meta.", Vendor::Meta),
    ("mistral.", Vendor::Mistral),
    ("cohere.command", Vendor::CohereCommand),
    ("cohere.embed", Vendor::Tokenless),
    ("cohere.rerank", Vendor::Tokenless),
    ("twelvelabs.marengo", Vendor::Tokenless),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn legal_ids_and_arns_pass() {
        for id in [
            "anthropic.claude-3-haiku-20240307-v1:0",
            "us.amazon.nova-lite-v1:0",
            "arn:aws-us-gov:bedrock:us-gov-west-1:123456789012:inference-profile/us-gov.anthropic.claude-3-5-sonnet-20240620-v1:0",
            "arn:aws:bedrock:us-east-1:123456789012:prompt/ABCDE12345:3",
        ] {
            assert_eq!(check(id), Ok(()), "{id}");
        }
    }

    #[test]
    fn what_could_bend_a_path_is_refused() {
        for id in [
            "",
            "a/../b",
            "..",
            "a//b",
            "/a",
            "a/",
            "a/./b",
            "a b",
            "a\r\nHost: x",
            "a\0",
            "a?b",
            "a#b",
            "a%2Fb",
            "é",
            &"x".repeat(2049),
        ] {
            assert_eq!(check(id).unwrap_err().status, 400, "{id:?}");
        }
    }

    #[test]
    fn profiles_lead_to_their_model() {
        for (id, model) in [
            (
                "us.anthropic.claude-x-v1:0",
                Some("anthropic.claude-x-v1:0"),
            ),
            ("global.anthropic.claude-x", Some("anthropic.claude-x")),
            ("anthropic.claude-x", Some("anthropic.claude-x")),
            (
                "arn:aws:bedrock:us-east-1:1:inference-profile/us-gov.amazon.nova-lite-v1:0",
                Some("amazon.nova-lite-v1:0"),
            ),
            (
                "arn:aws:bedrock:us-east-1:1:application-inference-profile/us.x",
                None,
            ),
            (
                "arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-v2:1",
                Some("anthropic.claude-v2:1"),
            ),
            // One reading of an ARN: its sixth part says what it is.
            (
                "arn:aws:bedrock:us-east-1:1:imported-model/cohere.embed-x:foundation-model/y",
                None,
            ),
            ("arn:aws:foundation-model/cohere.embed-x", None),
        ] {
            assert_eq!(foundation_model(id), model);
        }
    }

    #[test]
    fn the_vendor_shows_in_ids_and_foundation_arns_only() {
        for (id, vendor) in [
            ("anthropic.claude-3", Some(Vendor::Anthropic)),
            ("eu.amazon.nova-lite-v1:0", Some(Vendor::Nova)),
            (
                "arn:aws:bedrock:us-east-1::foundation-model/meta.llama3",
                Some(Vendor::Meta),
            ),
            (
                "arn:aws:bedrock:us-east-1:1:inference-profile/us.mistral.large",
                Some(Vendor::Mistral),
            ),
            (
                "arn:aws:bedrock:us-east-1:1:application-inference-profile/anthropic.x",
                None,
            ),
            ("amazon.titan-embed-text-v2:0", Some(Vendor::Tokenless)),
            ("stability.x", None),
            ("in.anthropic.claude", Some(Vendor::Anthropic)),
            ("a.region-of-tomorrow.anthropic.claude", None),
            ("tomorrow-north.anthropic.claude", Some(Vendor::Anthropic)),
            ("my.claude", None),
        ] {
            assert_eq!(Vendor::of(id), vendor, "{id}");
        }
    }
}
