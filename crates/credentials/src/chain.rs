//! Where AWS's default chain looks, in words for an operator who has credentials in none of these places.

use std::path::Path;

use crate::Environment;

/// Why the chain found nothing, place by place, and what to do.
pub fn found_nothing(environment: &Environment) -> String {
    let by = |names: &[&str], otherwise: &str| {
        let unset = names.iter().find(|name| environment.get(name).is_none());
        unset.map_or_else(|| otherwise.to_owned(), |name| format!("{name} is not set"))
    };
    let api_key = by(&["AWS_BEARER_TOKEN_BEDROCK"], "it was not taken");
    let keys = by(
        &["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"],
        "they were not taken",
    );
    let web_identity = by(
        &["AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN"],
        "it gave none",
    );
    let container = match CONTAINER.iter().any(|name| environment.get(name).is_some()) {
        true => "it gave none".to_owned(),
        false => format!("neither {} nor {} is set", CONTAINER[0], CONTAINER[1]),
    };
    let instance = match environment.get("AWS_EC2_METADATA_DISABLED") {
        Some(value) if value.eq_ignore_ascii_case("true") => {
            "AWS_EC2_METADATA_DISABLED turns it off"
        }
        _ => "it did not answer, or the instance has no role",
    };
    format!(
        "nothing found in the API key of the environment ({api_key}), its keys ({keys}), {}, web identity ({web_identity}), \
         the container's endpoint ({container}), the instance metadata service ({instance}); provide one of these, in the \
         environment of nginx's master, or name another source with bedrock_credentials and bedrock_auth",
        profile(environment)
    )
}

fn profile(environment: &Environment) -> String {
    let name = environment.get("AWS_PROFILE").unwrap_or("default");
    let home = environment.get("HOME").unwrap_or("~");
    let files = [
        ("AWS_CONFIG_FILE", ".aws/config"),
        ("AWS_SHARED_CREDENTIALS_FILE", ".aws/credentials"),
    ]
    .map(|(variable, usual)| {
        let file = environment.get(variable).map(str::to_owned);
        file.unwrap_or_else(|| format!("{home}/{usual}"))
    });
    let states = files.map(|file| match Path::new(&file).try_exists() {
        Ok(true) => format!("{file} has no such keys"),
        Ok(false) => format!("{file} is not there"),
        Err(error) => format!("{file}: {error}"),
    });
    format!("the profile \"{name}\" ({})", states.join(", "))
}

/// ECS and EKS Pod Identity set one of them.
const CONTAINER: [&str; 2] = [
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_is_named_and_no_value_shown() {
        let text = found_nothing(&Environment::default());
        for place in [
            "AWS_BEARER_TOKEN_BEDROCK is not set",
            "AWS_ACCESS_KEY_ID is not set",
            "the profile \"default\" (~/.aws/config is not there, ~/.aws/credentials is not there)",
            "AWS_WEB_IDENTITY_TOKEN_FILE is not set",
            "neither AWS_CONTAINER_CREDENTIALS_RELATIVE_URI nor AWS_CONTAINER_CREDENTIALS_FULL_URI is set",
            "it did not answer, or the instance has no role",
            "bedrock_credentials",
        ] {
            assert!(text.contains(place), "{text:?} should say {place:?}");
        }
        let text = found_nothing(&Environment::from([
            ("AWS_SECRET_ACCESS_KEY", "HUSH"),
            ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
            ("AWS_PROFILE", "dev"),
            ("AWS_CONFIG_FILE", "/dev/null"),
            ("AWS_WEB_IDENTITY_TOKEN_FILE", "/token"),
            ("AWS_EC2_METADATA_DISABLED", "true"),
        ]));
        for place in [
            "its keys (they were not taken)",
            "the profile \"dev\" (/dev/null has no such keys",
            "AWS_ROLE_ARN is not set",
            "AWS_EC2_METADATA_DISABLED turns it off",
        ] {
            assert!(text.contains(place), "{text:?} should say {place:?}");
        }
        assert!(!text.contains("HUSH"));
    }
}
