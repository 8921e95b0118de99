//! A source of credentials: where they are, and what of it this machine alone can tell.

use aws_credential_types::Credentials;
use zeroize::Zeroizing;

use crate::secret::Given;
use crate::{ApiKey, Credential, Environment};

/// A source of credentials, checked.
#[derive(Clone, Hash)]
pub struct Source {
    /// Where the keys are.
    pub kind: Kind,
    /// A role to take on with them.
    pub role: Option<Role>,
    /// Region of the STS endpoint; `None`: what AWS's SDKs would take.
    pub sts_region: Option<String>,
    /// URL of the STS endpoint instead of the region's own.
    pub sts_endpoint: Option<String>,
}

/// Where keys are.
#[derive(Clone, Hash)]
pub enum Kind {
    /// In the configuration, or in files that it names.
    Static {
        /// Access key id.
        id: Given,
        /// Secret access key.
        secret: Given,
        /// Session token of temporary keys.
        token: Option<Given>,
    },
    /// In `AWS_ACCESS_KEY_ID` and its like.
    Environment,
    /// A Bedrock API key.
    ApiKey(Given),
    /// A profile of the shared configuration files.
    Profile(String),
    /// A token file, for AssumeRoleWithWebIdentity (IRSA).
    WebIdentity {
        /// The file; read again at each refresh.
        token_file: String,
        /// The role.
        role: Role,
    },
    /// The container's endpoint: ECS, or EKS Pod Identity.
    Container,
    /// The instance metadata service, version 2.
    Imds,
    /// A command that prints credentials.
    Process(String),
    /// AWS's default chain.
    Default,
}

/// A role to assume.
#[derive(Clone, Hash)]
pub struct Role {
    /// The role's ARN.
    pub arn: String,
    /// Session name; appears in CloudTrail.
    pub session_name: String,
    /// External id, as roles in other accounts may demand.
    pub external_id: Option<String>,
}

impl Source {
    /// The source that is used where none is configured.
    pub fn default_chain() -> Self {
        Self::plain(Kind::Default)
    }

    /// A Bedrock API key without a block of its own.
    pub fn api_key(key: Given) -> Self {
        Self::plain(Kind::ApiKey(key))
    }

    fn plain(kind: Kind) -> Self {
        Self {
            kind,
            role: None,
            sts_region: None,
            sts_endpoint: None,
        }
    }

    /// The credential, if it is known at once and for good.
    pub fn constant(&self, environment: &Environment) -> Option<Credential> {
        if self.role.is_some() {
            return None;
        }
        match &self.kind {
            // As AWS's SDKs: an API key first, then keys.
            Kind::Default => {
                api_key_of(environment).or_else(|| keys_of(environment).ok().map(Credential::Keys))
            }
            _ if self.marks().is_empty() => self.local(environment)?.ok(),
            _ => None,
        }
    }

    /// The credential while the configuration is read, if it is in files: those who read them again later may have no right to.
    pub fn at_first(&self, environment: &Environment) -> Option<Credential> {
        match self.role {
            None => self.local(environment)?.ok(),
            Some(_) => None,
        }
    }

    /// Whether its credentials may expire, and so are fetched again and again.
    pub fn may_expire(&self) -> bool {
        let is_local = matches!(
            self.kind,
            Kind::Static { .. } | Kind::Environment | Kind::ApiKey(_)
        );
        self.role.is_some() || !is_local
    }

    /// Whether commands may be run for it.
    pub fn runs_commands(&self) -> bool {
        matches!(
            self.kind,
            Kind::Process(_) | Kind::Profile(_) | Kind::Default
        )
    }

    /// The credential as it is now, for sources that need nobody but this machine's files; `None` for others.
    pub(crate) fn local(&self, environment: &Environment) -> Option<Result<Credential, String>> {
        match &self.kind {
            Kind::Static { id, secret, token } => Some((|| {
                let token = token.as_ref().map(Given::get).transpose()?;
                Ok(Credential::Keys(Credentials::new(
                    id.get()?.as_str(),
                    secret.get()?.as_str(),
                    token.map(|token| token.to_string()),
                    None,
                    "static",
                )))
            })()),
            Kind::Environment => Some(keys_of(environment).map(Credential::Keys)),
            Kind::ApiKey(key) => Some(key.get().map(|key| Credential::ApiKey(ApiKey::new(key)))),
            _ => None,
        }
    }

    /// Whether this process may not read one of its files.
    pub(crate) fn is_denied(&self) -> bool {
        self.given().any(Given::is_denied)
    }

    /// What tells whether the files of [`Source::local`] have changed.
    pub(crate) fn marks(&self) -> Vec<crate::secret::Mark> {
        self.given().filter_map(Given::mark).collect()
    }

    fn given(&self) -> impl Iterator<Item = &Given> {
        let given = match &self.kind {
            Kind::Static { id, secret, token } => [Some(id), Some(secret), token.as_ref()],
            Kind::ApiKey(key) => [Some(key), None, None],
            _ => [None; 3],
        };
        given.into_iter().flatten()
    }
}

/// Keys from AWS's environment variables.
pub(crate) fn keys_of(environment: &Environment) -> Result<Credentials, String> {
    let needed = |name| {
        environment
            .get(name)
            .ok_or_else(|| format!("{name} is not set in nginx's environment"))
    };
    Ok(Credentials::new(
        needed("AWS_ACCESS_KEY_ID")?,
        needed("AWS_SECRET_ACCESS_KEY")?,
        environment.get("AWS_SESSION_TOKEN").map(str::to_owned),
        None,
        "environment",
    ))
}

fn api_key_of(environment: &Environment) -> Option<Credential> {
    let key = environment.get("AWS_BEARER_TOKEN_BEDROCK")?;
    Some(Credential::ApiKey(ApiKey::new(Zeroizing::new(
        key.to_owned(),
    ))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environments_keys_and_api_key_are_known_at_once() {
        let environment =
            Environment::from([("AWS_ACCESS_KEY_ID", "A"), ("AWS_SECRET_ACCESS_KEY", "S")]);
        let source = Source::plain(Kind::Environment);
        assert!(matches!(
            source.constant(&environment),
            Some(Credential::Keys(_))
        ));
        let chain = Source::default_chain();
        assert!(matches!(
            chain.constant(&environment),
            Some(Credential::Keys(_))
        ));
        let environment = Environment::from([
            ("AWS_ACCESS_KEY_ID", "A"),
            ("AWS_SECRET_ACCESS_KEY", "S"),
            ("AWS_BEARER_TOKEN_BEDROCK", "B"),
        ]);
        assert!(matches!(
            chain.constant(&environment),
            Some(Credential::ApiKey(_))
        ));
        assert!(chain.constant(&Environment::default()).is_none());
    }
}
