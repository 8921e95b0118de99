//! The values that directives have for one request.

use std::sync::Arc;

use gateway::family::{self, Directed, Feature};
use gateway::settings::{Anthropic, ResponsesVia, Via};
use gateway::{Guardrail, Refusal, Settings};

use crate::directives::MainConf;
use crate::directives::location::{Betas, LocationConf};
use crate::nginx::request::Request;
use crate::nginx::value::Value;

/// The values of the directives for one request.
pub struct Values {
    region: String,
    endpoint: Option<String>,
    service: String,
    model: Option<String>,
    aliases: Arc<Vec<(String, String)>>,
    alias_families: Arc<Vec<(String, Directed)>>,
    model_families: Arc<Vec<(String, Directed)>>,
    model_features: Arc<Vec<Feature>>,
    allow_models: Arc<Vec<String>>,
    max_output_tokens: Option<u64>,
    guardrail: Option<Arc<Guardrail>>,
    /// How the call is authorized.
    pub auth: gateway::Auth,
    max_frame_size: usize,
    response_text: usize,
    anthropic_via: Via,
    responses_via: ResponsesVia,
    anthropic_beta: Betas,
    hold_headers: bool,
}

impl Values {
    /// Evaluates them.
    ///
    /// # Errors
    /// A variable could not be evaluated, or a rule made of variables is none.
    pub fn evaluate(
        request: Request,
        conf: &LocationConf,
        main: &'static MainConf,
        auth: gateway::Auth,
    ) -> Result<Self, Refusal> {
        let value = |value: &Option<Value>, name| match value {
            Some(value) => evaluate(request, value, name).map(Some),
            None => Ok(None),
        };
        let not_empty = |value: &String| !value.is_empty();
        Ok(Self {
            region: value(&conf.region, "bedrock_region")?
                .filter(not_empty)
                .unwrap_or_else(|| main.region.clone()),
            endpoint: value(&conf.endpoint, "bedrock_endpoint")?.filter(not_empty),
            service: value(&conf.service, "bedrock_service")?
                .filter(not_empty)
                .unwrap_or_else(|| "bedrock".to_owned()),
            model: value(&conf.model, "bedrock_model")?.filter(not_empty),
            aliases: conf.aliases.clone().unwrap_or_default(),
            alias_families: conf.alias_families.clone().unwrap_or_default(),
            model_families: conf.model_families.clone().unwrap_or_default(),
            model_features: conf.model_features.clone().unwrap_or_default(),
            allow_models: match &conf.allow_models {
                Some(rule) => rule.patterns(request)?,
                None => Arc::default(),
            },
            max_output_tokens: match &conf.max_output_tokens {
                Some(rule) => rule.limit(request)?,
                None => None,
            },
            guardrail: conf.guardrail.clone(),
            auth,
            max_frame_size: conf.max_frame_size.unwrap_or(24 << 20),
            response_text: conf.response_text.unwrap_or(0),
            anthropic_via: conf.anthropic_via.unwrap_or_default(),
            responses_via: conf.responses_via.unwrap_or_default(),
            anthropic_beta: conf.anthropic_beta.clone().unwrap_or_default(),
            // A subrequest's header goes nowhere, so there is nothing to hold.
            hold_headers: conf.hold_headers.unwrap_or(true) && request.is_main(),
        })
    }

    /// As the planner takes them.
    pub fn settings(&self) -> Settings<'_> {
        Settings {
            region: &self.region,
            endpoint: self.endpoint.as_deref(),
            service: &self.service,
            model: self.model.as_deref(),
            aliases: &self.aliases,
            families: family::Rules {
                aliases: &self.alias_families,
                families: &self.model_families,
                features: &self.model_features,
            },
            allow_models: &self.allow_models,
            max_output_tokens: self.max_output_tokens,
            guardrail: self.guardrail.as_deref(),
            auth: self.auth,
            max_frame_size: self.max_frame_size,
            response_text: self.response_text,
            hold_headers: self.hold_headers,
            anthropic: Anthropic {
                via: self.anthropic_via,
                beta: self.anthropic_beta.choice(),
            },
            responses: self.responses_via,
        }
    }
}

/// The text of one directive's value.
///
/// # Errors
/// It could not be evaluated.
pub fn evaluate(request: Request, value: &Value, directive: &str) -> Result<String, Refusal> {
    value.evaluate(request).ok_or_else(|| {
        Refusal::misconfigured(format!("the value of {directive} could not be evaluated"))
    })
}
