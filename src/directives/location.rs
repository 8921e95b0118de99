//! Settings of http, server and location levels.

use std::sync::Arc;
use std::time::Duration;

use gateway::bedrock::endpoint::Service;
use gateway::family::{Directed, Feature};
use gateway::request::Purpose;
use gateway::settings::{self, ResponsesVia, Via};
use gateway::{Api, Guardrail};

use super::limits::{LimitUse, Reserve};
use super::observed::Lines;
use super::rules::{AllowModels, MaxOutputTokens};
use crate::nginx::ffi::ngx_http_handler_pt;
use crate::nginx::value::Value;

/// The directives of one level; `None` where a directive was not given there.
#[derive(Default)]
pub struct LocationConf {
    /// `bedrock`
    pub on: Option<Switch>,
    /// It is on, and there is a `proxy_pass`: known when the whole configuration has been read.
    pub is_gateway: bool,
    /// nginx's own directives that matter here.
    pub lines: Lines,
    /// `bedrock_api`; inside, `None` is `auto`.
    pub api: Option<Option<Api>>,
    /// `bedrock_region`
    pub region: Option<Value>,
    /// `bedrock_endpoint`
    pub endpoint: Option<Value>,
    /// `bedrock_service`
    pub service: Option<Value>,
    /// `bedrock_model`
    pub model: Option<Value>,
    /// `bedrock_alias`: name, and model id or ARN.
    pub aliases: Option<Arc<Vec<(String, String)>>>,
    /// `as=` of `bedrock_alias`: name, and the family of its model.
    pub alias_families: Option<Arc<Vec<(String, Directed)>>>,
    /// `bedrock_model_family`: pattern, and the family of the models that fit it.
    pub model_families: Option<Arc<Vec<(String, Directed)>>>,
    /// `bedrock_model_feature`
    pub model_features: Option<Arc<Vec<Feature>>>,
    /// `bedrock_allow_models`
    pub allow_models: Option<AllowModels>,
    /// `bedrock_max_output_tokens`
    pub max_output_tokens: Option<MaxOutputTokens>,
    /// `bedrock_guardrail`
    pub guardrail: Option<Arc<Guardrail>>,
    /// `bedrock_limit`: names of zones.
    pub limits: Option<Arc<Vec<LimitUse>>>,
    /// `bedrock_auth`
    pub auth: Option<Auth>,
    /// `bedrock_credentials_timeout`
    pub credentials_timeout: Option<Duration>,
    /// `bedrock_anthropic_via`
    pub anthropic_via: Option<Via>,
    /// `bedrock_responses_via`
    pub responses_via: Option<ResponsesVia>,
    /// `bedrock_anthropic_beta`
    pub anthropic_beta: Option<Betas>,
    /// `bedrock_client_abort`
    pub client_abort: Option<ClientAbort>,
    /// `bedrock_max_frame_size`, in bytes.
    pub max_frame_size: Option<usize>,
    /// `bedrock_hold_headers`
    pub hold_headers: Option<bool>,
    /// `bedrock_limit_reserve`
    pub limit_reserve: Option<Reserve>,
    /// `bedrock_limit_dry_run`
    pub limit_dry_run: Option<bool>,
    /// `bedrock_limit_headers`
    pub limit_headers: Option<bool>,
    /// `bedrock_price_unknown`: whether a model without a price is free.
    pub price_unknown_free: Option<bool>,
    /// `bedrock_ping`; inside, `None` is `off`.
    pub ping: Option<Option<Duration>>,
    /// `bedrock_response_text`, in bytes.
    pub response_text: Option<usize>,
    /// `bedrock_status`: the location's name.
    pub status: Option<String>,
    /// What would make the answers here without this module: `proxy_pass`. Within `if` it is that of the location around.
    pub handler: ngx_http_handler_pt,
}

/// `bedrock`
#[derive(Clone, Copy)]
pub enum Switch {
    /// `bedrock on`: its place in [`MainConf::switches`](super::MainConf).
    On(usize),
    /// `bedrock off`
    Off,
}

/// `bedrock_anthropic_beta`
#[derive(Clone, Default)]
pub enum Betas {
    /// Those that Bedrock is known to take.
    #[default]
    Auto,
    /// All.
    Pass,
    /// Those that match one of these patterns.
    Only(Arc<Vec<String>>),
}

impl Betas {
    /// The same for a plan.
    pub fn choice(&self) -> settings::Betas<'_> {
        match self {
            Self::Auto => settings::Betas::Auto,
            Self::Pass => settings::Betas::Pass,
            Self::Only(patterns) => settings::Betas::Only(patterns),
        }
    }
}

/// `bedrock_auth`
#[derive(Clone)]
pub enum Auth {
    /// `default`
    Default,
    /// The source of a block, by its name.
    Block(String),
    /// The source of a block whose name variables give.
    BlockValue(Value),
    /// A Bedrock API key: the place of its source.
    Bearer(usize),
    /// A Bedrock API key that variables give.
    BearerValue(Value),
    /// The client's own.
    Off,
}

/// `bedrock_client_abort`
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum ClientAbort {
    /// The upstream is given up.
    Close,
    /// The answer is read on.
    Drain,
}

impl LocationConf {
    /// Takes from the level above what was not given here.
    pub fn inherit(&mut self, above: &Self) {
        fn inherit<T: Clone>(here: &mut Option<T>, above: &Option<T>) {
            if here.is_none() {
                here.clone_from(above);
            }
        }
        inherit(&mut self.on, &above.on);
        inherit(&mut self.api, &above.api);
        inherit(&mut self.region, &above.region);
        inherit(&mut self.endpoint, &above.endpoint);
        inherit(&mut self.service, &above.service);
        inherit(&mut self.model, &above.model);
        // The two parts of one directive.
        if self.aliases.is_none() {
            self.aliases.clone_from(&above.aliases);
            self.alias_families.clone_from(&above.alias_families);
        }
        inherit(&mut self.model_families, &above.model_families);
        inherit(&mut self.model_features, &above.model_features);
        inherit(&mut self.allow_models, &above.allow_models);
        inherit(&mut self.max_output_tokens, &above.max_output_tokens);
        inherit(&mut self.guardrail, &above.guardrail);
        inherit(&mut self.limits, &above.limits);
        inherit(&mut self.auth, &above.auth);
        inherit(&mut self.credentials_timeout, &above.credentials_timeout);
        inherit(&mut self.anthropic_via, &above.anthropic_via);
        inherit(&mut self.responses_via, &above.responses_via);
        inherit(&mut self.anthropic_beta, &above.anthropic_beta);
        inherit(&mut self.client_abort, &above.client_abort);
        inherit(&mut self.max_frame_size, &above.max_frame_size);
        inherit(&mut self.hold_headers, &above.hold_headers);
        inherit(&mut self.limit_reserve, &above.limit_reserve);
        inherit(&mut self.limit_dry_run, &above.limit_dry_run);
        inherit(&mut self.limit_headers, &above.limit_headers);
        inherit(&mut self.price_unknown_free, &above.price_unknown_free);
        inherit(&mut self.ping, &above.ping);
        inherit(&mut self.response_text, &above.response_text);
        self.lines.inherit(&above.lines);
    }

    /// What the location is for. A service that variables name is known only when the call is planned.
    pub fn purpose(&self) -> Purpose {
        let service = match &self.service {
            Some(Value::Text(name)) => Service::of(name),
            Some(Value::Template(_)) | None => Service::Runtime,
        };
        Purpose {
            api: self.api.unwrap_or_default(),
            service,
        }
    }

    /// How long a stream of ours may be silent.
    pub fn ping(&self) -> Option<Duration> {
        self.ping.unwrap_or(Some(Duration::from_secs(15)))
    }

    /// Whether the answer is read on when the client goes away.
    pub fn drains(&self) -> bool {
        self.client_abort == Some(ClientAbort::Drain)
    }
}
