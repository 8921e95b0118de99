//! Reading a `bedrock_credentials` block: what it asks for, checked.

use std::collections::HashMap;
use std::path::Path;

use zeroize::Zeroizing;

use crate::Environment;
use crate::secret::Given;
use crate::source::{Kind, Role, Source, keys_of};

/// The parameters of a block: name and value.
pub type Parameters = HashMap<String, Zeroizing<String>>;

impl Source {
    /// Reads a block's parameters. `source` is one or two words, e.g. `profile dev`, given as `source` and `argument`.
    ///
    /// # Errors
    /// A sentence that says what is wrong and what to do.
    pub fn read(
        source: &str,
        argument: Option<&str>,
        parameters: &Parameters,
        environment: &Environment,
    ) -> Result<Self, String> {
        let (own, takes_argument, takes_role): (&[&str], bool, bool) = match source {
            "static" => (
                &["access_key_id", "secret_access_key", "session_token"],
                false,
                true,
            ),
            "environment" | "container" | "imds" => (&[], false, true),
            "profile" | "process" => (&[], true, true),
            "api_key" => (&[], true, false),
            "web_identity" => (&["role_arn", "token_file", "session_name"], false, false),
            "default" => (&[], false, true),
            other => {
                return Err(format!(
                    "source \"{other}\" is not known: it must be one of {}",
                    SOURCES.join(", ")
                ));
            }
        };
        match (argument, takes_argument) {
            (None, true) => return Err(format!("source {source} needs a value after it")),
            (Some(_), false) => return Err(format!("source {source} takes no value after it")),
            _ => {}
        }
        let of_role: &[&str] = match takes_role {
            true => &["role_arn", "session_name", "external_id"],
            false => &[],
        };
        let of_sts: &[&str] = match takes_role || source == "web_identity" {
            true => &["sts_region", "sts_endpoint"],
            false => &[],
        };
        let mut given: Vec<&String> = parameters.keys().collect();
        given.sort();
        for parameter in given {
            let known = [own, of_role, of_sts];
            if !known
                .iter()
                .any(|known| known.contains(&parameter.as_str()))
            {
                return Err(format!("source {source} takes no {parameter}"));
            }
        }
        let text = |name: &str| parameters.get(name).map(|value| value.to_string());
        let role = match text("role_arn").filter(|_| takes_role) {
            Some(arn) => Some(Role::read(arn, text("session_name"), text("external_id"))?),
            None if takes_role => {
                // The default chain may ask STS by itself.
                let of_sts = if source == "default" { &[] } else { of_sts };
                for orphan in ["session_name", "external_id"].iter().chain(of_sts) {
                    if parameters.contains_key(*orphan) {
                        return Err(format!(
                            "{orphan} is for a role: add role_arn, or remove it"
                        ));
                    }
                }
                None
            }
            None => None,
        };
        let sts_endpoint = text("sts_endpoint");
        if let Some(endpoint) = &sts_endpoint
            && !endpoint.starts_with("https://")
            && !endpoint.starts_with("http://")
        {
            return Err(format!(
                "sts_endpoint \"{endpoint}\" must begin with https:// (or http://)"
            ));
        }
        let argument = argument.unwrap_or_default();
        let given = |name: &str| {
            let value = parameters.get(name);
            value
                .map(|value| Given::read(value).map_err(|what| format!("{name}: {what}")))
                .transpose()
        };
        let kind = match source {
            "static" => Kind::Static {
                id: check_id(given("access_key_id")?.ok_or("needs access_key_id")?)?,
                secret: given("secret_access_key")?.ok_or("needs secret_access_key")?,
                token: given("session_token")?,
            },
            "environment" => {
                keys_of(environment)?;
                Kind::Environment
            }
            "api_key" => Kind::ApiKey(Given::read(argument)?),
            "profile" => Kind::Profile(argument.to_owned()),
            "process" => Kind::Process(argument.to_owned()),
            "container" => {
                container_endpoint(environment)?;
                Kind::Container
            }
            "imds" => Kind::Imds,
            "web_identity" => web_identity(&text, environment)?,
            _ => Kind::Default,
        };
        let source = Self {
            kind,
            role,
            sts_region: text("sts_region"),
            sts_endpoint,
        };
        source.check_that_it_is_built_in()?;
        Ok(source)
    }

    #[cfg(feature = "aws")]
    fn check_that_it_is_built_in(&self) -> Result<(), String> {
        Ok(())
    }

    #[cfg(not(feature = "aws"))]
    fn check_that_it_is_built_in(&self) -> Result<(), String> {
        let local = matches!(
            self.kind,
            Kind::Static { .. } | Kind::Environment | Kind::ApiKey(_) | Kind::Default
        );
        if local && self.role.is_none() {
            return Ok(());
        }
        Err("this module was built without AWS's credential providers: it knows static, environment and api_key \
             sources, without roles; build it with the cargo feature \"aws\""
            .to_owned())
    }
}

impl Role {
    fn read(
        arn: String,
        session_name: Option<String>,
        external_id: Option<String>,
    ) -> Result<Self, String> {
        if !arn.starts_with("arn:") || !arn.contains(":role/") {
            return Err(format!(
                "role_arn \"{arn}\" is not a role's ARN such as arn:aws:iam::123456789012:role/NAME"
            ));
        }
        let session_name = session_name.unwrap_or_else(|| SESSION_NAME.to_owned());
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"_=,.@-".contains(&byte);
        if !(2..=64).contains(&session_name.len()) || !session_name.bytes().all(legal) {
            return Err(format!(
                "session_name \"{session_name}\" must be 2 to 64 letters, digits or _=,.@-"
            ));
        }
        Ok(Self {
            arn,
            session_name,
            external_id,
        })
    }
}

/// An access key id stands in a header among other words, where a `/` or `,` would end it.
fn check_id(id: Given) -> Result<Given, String> {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
    match id.get()?.bytes().all(legal) {
        true => Ok(id),
        false => Err("access_key_id: it must be letters and digits".to_owned()),
    }
}

fn web_identity(
    text: &impl Fn(&str) -> Option<String>,
    environment: &Environment,
) -> Result<Kind, String> {
    let or_variable = |parameter: &str, variable: &str| {
        text(parameter)
            .or_else(|| environment.get(variable).map(str::to_owned))
            .ok_or_else(|| format!("needs {parameter}, or {variable} in nginx's environment"))
    };
    let token_file = or_variable("token_file", "AWS_WEB_IDENTITY_TOKEN_FILE")?;
    if !Path::new(&token_file).is_file() {
        return Err(format!("token_file \"{token_file}\" is not there"));
    }
    let session_name = text("session_name")
        .or_else(|| environment.get("AWS_ROLE_SESSION_NAME").map(str::to_owned));
    Ok(Kind::WebIdentity {
        token_file,
        role: Role::read(or_variable("role_arn", "AWS_ROLE_ARN")?, session_name, None)?,
    })
}

fn container_endpoint(environment: &Environment) -> Result<(), String> {
    let names = [
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    ];
    match names.iter().any(|name| environment.get(name).is_some()) {
        true => Ok(()),
        false => Err(format!(
            "source container needs {} or {} in nginx's environment; ECS and EKS Pod Identity set one of them",
            names[0], names[1]
        )),
    }
}

const SOURCES: [&str; 9] = [
    "static",
    "environment",
    "profile",
    "web_identity",
    "container",
    "imds",
    "process",
    "api_key",
    "default",
];
const SESSION_NAME: &str = "nginx-bedrock";

#[cfg(test)]
mod tests {
    use super::*;

    fn read(
        source: &str,
        argument: Option<&str>,
        parameters: &[(&str, &str)],
    ) -> Result<Source, String> {
        read_in(source, argument, parameters, &Environment::default())
    }

    fn read_in(
        source: &str,
        argument: Option<&str>,
        parameters: &[(&str, &str)],
        environment: &Environment,
    ) -> Result<Source, String> {
        let parameters = parameters
            .iter()
            .map(|(name, value)| ((*name).to_owned(), Zeroizing::new((*value).to_owned())))
            .collect();
        Source::read(source, argument, &parameters, environment)
    }

    #[test]
    fn what_is_wrong_is_said() {
        let role = ("role_arn", "arn:aws:iam::123456789012:role/x");
        for (result, says) in [
            (read("statik", None, &[]), "must be one of static"),
            (
                read("static", None, &[("access_key_id", "a")]),
                "needs secret_access_key",
            ),
            (
                read("static", None, &[("secret_access_key", "a")]),
                "needs access_key_id",
            ),
            (
                read(
                    "static",
                    None,
                    &[
                        ("access_key_id", "a"),
                        ("secret_access_key", "file:/nowhere"),
                    ],
                ),
                "cannot read",
            ),
            (read("static", Some("x"), &[]), "takes no value"),
            (
                read("static", None, &[("token_file", "x")]),
                "takes no token_file",
            ),
            (read("profile", None, &[]), "needs a value"),
            (
                read("environment", None, &[]),
                "AWS_ACCESS_KEY_ID is not set",
            ),
            (
                read("container", None, &[]),
                "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
            ),
            (
                read("web_identity", None, &[]),
                "AWS_WEB_IDENTITY_TOKEN_FILE",
            ),
            (
                read("web_identity", None, &[role, ("token_file", "/nowhere")]),
                "is not there",
            ),
            (
                read("imds", None, &[("session_name", "x1")]),
                "is for a role",
            ),
            (
                read("imds", None, &[("role_arn", "x")]),
                "is not a role's ARN",
            ),
            (
                read("imds", None, &[role, ("session_name", "a b")]),
                "letters, digits",
            ),
            (
                read("imds", None, &[role, ("sts_endpoint", "sts")]),
                "must begin with https://",
            ),
            (read("api_key", Some("k"), &[role]), "takes no role_arn"),
            (
                read("default", None, &[("session_name", "s")]),
                "session_name is for a role",
            ),
            (
                read("imds", None, &[("sts_region", "us-east-1")]),
                "sts_region is for a role",
            ),
        ] {
            let error = result.err().expect(says);
            assert!(error.contains(says), "{error:?} should say {says:?}");
        }
    }
}
