//! AWS's own providers.

use std::sync::Arc;

use aws_config::default_provider::credentials::DefaultCredentialsChain;
use aws_config::ecs::EcsCredentialsProvider;
use aws_config::imds::credentials::ImdsCredentialsProvider;
use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_sdk_sts as sts;
use aws_smithy_async::rt::sleep::TokioSleep;
use aws_smithy_http_client::tls;
use aws_types::SdkConfig;
use aws_types::region::Region;

use crate::process::Process;
use crate::source::{Kind, Role, Source};
use crate::{Credential, Current, Environment, chain};

/// Fetches the credentials of one source.
pub struct Fetcher {
    source: Source,
    environment: Environment,
    /// Built at the first fetch, inside the runtime. AWS's providers keep connections and tokens.
    provider: Option<SharedCredentialsProvider>,
}

impl Fetcher {
    /// For a source.
    pub fn new(source: Source, environment: Environment) -> Self {
        Self {
            source,
            environment,
            provider: None,
        }
    }

    /// Asks for credentials once.
    ///
    /// # Errors
    /// Why there are none, in the words of AWS's provider.
    pub async fn fetch(&mut self) -> Result<Current, String> {
        let keys = match &self.source.kind {
            Kind::WebIdentity { token_file, role } => {
                self.with_web_identity(token_file, role).await?
            }
            _ => self.with_provider().await?,
        };
        let expires = keys.expiry();
        Ok(Current {
            credential: Arc::new(Credential::Keys(keys)),
            expires,
        })
    }

    async fn with_provider(&mut self) -> Result<Credentials, String> {
        let provider = match &self.provider {
            Some(provider) => provider.clone(),
            None => {
                let provider = self.provider().await?;
                self.provider.insert(provider).clone()
            }
        };
        let keys = provider.provide_credentials().await;
        if !matches!(&keys, Ok(keys) if keys.expiry().is_some()) {
            // It would remember what it read in the profile files, and they may say something else the next time.
            self.provider = None;
        }
        let keys = keys.map_err(|error| match (&self.source.kind, &error) {
            (Kind::Default, CredentialsError::CredentialsNotLoaded(_)) => {
                chain::found_nothing(&self.environment)
            }
            _ => reasons(error),
        })?;
        match &self.source.role {
            None => Ok(keys),
            Some(role) => self.assume(role, keys).await,
        }
    }

    async fn provider(&self) -> Result<SharedCredentialsProvider, String> {
        if let Some(keys) = self.source.local(&self.environment) {
            // Keys at hand, to assume a role with.
            return match keys? {
                Credential::Keys(keys) => Ok(SharedCredentialsProvider::new(keys)),
                Credential::ApiKey(_) => Err("an API key cannot assume a role".to_owned()),
            };
        }
        let config = self.provider_config();
        Ok(match &self.source.kind {
            Kind::Profile(name) => SharedCredentialsProvider::new(
                ProfileFileCredentialsProvider::builder()
                    .configure(&config)
                    .profile_name(name)
                    .build(),
            ),
            Kind::Container => SharedCredentialsProvider::new(
                EcsCredentialsProvider::builder().configure(&config).build(),
            ),
            Kind::Imds => SharedCredentialsProvider::new(
                ImdsCredentialsProvider::builder()
                    .configure(&config)
                    .build(),
            ),
            Kind::Process(command) => SharedCredentialsProvider::new(Process(command.clone())),
            _ => {
                let mut chain = DefaultCredentialsChain::builder().configure(config);
                if let Some(region) = self.named_region() {
                    // Otherwise it would ask the instance metadata service, and wait for it.
                    chain = chain.region(Region::new(region.to_owned()));
                }
                SharedCredentialsProvider::new(chain.build().await)
            }
        })
    }

    /// <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>
    async fn assume(&self, role: &Role, keys: Credentials) -> Result<Credentials, String> {
        let keys = SharedCredentialsProvider::new(keys);
        let answer = sts::Client::new(&self.sts_config(Some(keys)))
            .assume_role()
            .role_arn(&role.arn)
            .role_session_name(&role.session_name)
            .set_external_id(role.external_id.clone())
            .send()
            .await
            .map_err(reasons)?;
        keys_of(answer.credentials)
    }

    /// <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html>
    async fn with_web_identity(
        &self,
        token_file: &str,
        role: &Role,
    ) -> Result<Credentials, String> {
        let token = std::fs::read_to_string(token_file)
            .map_err(|error| format!("cannot read \"{token_file}\": {error}"))?;
        let answer = sts::Client::new(&self.sts_config(None))
            .assume_role_with_web_identity()
            .role_arn(&role.arn)
            .role_session_name(&role.session_name)
            .web_identity_token(token.trim())
            .send()
            .await
            .map_err(reasons)?;
        keys_of(answer.credentials)
    }

    fn provider_config(&self) -> ProviderConfig {
        ProviderConfig::without_region()
            .with_region(Some(self.region()))
            .with_http_client(http_client())
            .with_sleep_impl(TokioSleep::new())
    }

    fn sts_config(&self, keys: Option<SharedCredentialsProvider>) -> SdkConfig {
        let mut config = SdkConfig::builder()
            .behavior_version(aws_config::BehaviorVersion::latest())
            .region(self.region())
            .http_client(http_client())
            .sleep_impl(aws_smithy_async::rt::sleep::SharedAsyncSleep::new(
                TokioSleep::new(),
            ))
            .credentials_provider(keys.unwrap_or_else(|| {
                // AssumeRoleWithWebIdentity is not signed.
                SharedCredentialsProvider::new(Credentials::new("-", "-", None, None, "unsigned"))
            }));
        if let Some(endpoint) = &self.source.sts_endpoint {
            config = config.endpoint_url(endpoint);
        }
        config.build()
    }

    fn region(&self) -> Region {
        Region::new(self.named_region().unwrap_or("us-east-1").to_owned())
    }

    fn named_region(&self) -> Option<&str> {
        let named = self.source.sts_region.as_deref();
        named
            .or_else(|| self.environment.get("AWS_REGION"))
            .or_else(|| self.environment.get("AWS_DEFAULT_REGION"))
    }
}

fn keys_of(keys: Option<sts::types::Credentials>) -> Result<Credentials, String> {
    let keys = keys.ok_or("STS answered without credentials")?;
    let expires = (*keys.expiration())
        .try_into()
        .map_err(|_| "STS answered with an expiration that is no time".to_owned())?;
    Ok(Credentials::new(
        keys.access_key_id(),
        keys.secret_access_key(),
        Some(keys.session_token().to_owned()),
        Some(expires),
        "sts",
    ))
}

fn http_client() -> aws_smithy_runtime_api::client::http::SharedHttpClient {
    aws_smithy_http_client::Builder::new()
        .tls_provider(tls::Provider::Rustls(
            tls::rustls_provider::CryptoMode::Ring,
        ))
        .build_https()
}

/// An error with what it came from; AWS's outermost ones say little.
fn reasons(error: impl std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        text = format!("{text}: {inner}");
        source = inner.source();
    }
    text
}
