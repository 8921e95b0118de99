//! The values of the directives for one request, variables already filled in.

use crate::bedrock::model_id;
use crate::family::{self, Directed, Family};

/// What the operator asked for in this location.
#[derive(Clone, Debug)]
pub struct Settings<'a> {
    /// Signing region.
    pub region: &'a str,
    /// `host[:port]` instead of the region's own endpoint.
    pub endpoint: Option<&'a str>,
    /// Service name in the signature's scope.
    pub service: &'a str,
    /// The model to call instead of the client's.
    pub model: Option<&'a str>,
    /// Names that clients may use, and the model id or ARN that each stands for.
    pub aliases: &'a [(String, String)],
    /// What the operator says of the families of models.
    pub families: family::Rules<'a>,
    /// Glob patterns on the id that will be called; none allows all.
    pub allow_models: &'a [String],
    /// Upper bound for generated tokens.
    pub max_output_tokens: Option<u64>,
    /// Guardrail on every request.
    pub guardrail: Option<&'a Guardrail>,
    /// Whether requests are signed here.
    pub auth: Auth,
    /// Largest frame taken from upstream, in bytes.
    pub max_frame_size: usize,
    /// How much generated text is kept, in bytes.
    pub response_text: usize,
    /// Whether the answer's header waits for the first frame.
    pub hold_headers: bool,
    /// How Anthropic's Messages go.
    pub anthropic: Anthropic<'a>,
    /// `bedrock_responses_via`
    pub responses: ResponsesVia,
}

impl Settings<'_> {
    /// Whether the operator lets this model be called.
    pub fn allows(&self, model: &str) -> bool {
        let patterns = self.allow_models;
        patterns.is_empty()
            || patterns
                .iter()
                .any(|pattern| model_id::matches(pattern, model))
    }

    /// The family of the model that is called by `id`; `requested` is the name that the client used.
    pub fn family(&self, id: &str, requested: Option<&str>) -> Family {
        family::of(id, requested, self.rules())
    }

    /// What the operator says that this model is, whatever its id shows.
    pub fn directed(&self, id: &str, requested: Option<&str>) -> Option<&Directed> {
        family::directed(id, requested, self.rules())
    }

    fn rules(&self) -> family::Rules<'_> {
        // Where the operator names the model, the client's alias leads nowhere.
        match self.model {
            None => self.families,
            Some(_) => family::Rules {
                aliases: &[],
                ..self.families
            },
        }
    }

    /// The model id or ARN that a client means by `name`, if the operator gave it that name.
    pub fn model_of_alias(&self, name: &str) -> Option<&str> {
        self.aliases
            .iter()
            .find(|(alias, _)| alias == name)
            .map(|(_, model)| model.as_str())
    }
}

/// How Anthropic's Messages go to Bedrock.
#[derive(Clone, Copy, Debug, Default)]
pub struct Anthropic<'a> {
    /// `bedrock_anthropic_via`
    pub via: Via,
    /// `bedrock_anthropic_beta`
    pub beta: Betas<'a>,
}

/// Which beta flags go on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Betas<'a> {
    /// Those that Bedrock is known to take for the model, by its names for them.
    #[default]
    Auto,
    /// All, as they came.
    Pass,
    /// Those that match one of these patterns; none where there is no pattern.
    Only(&'a [String]),
}

/// Which of Bedrock's operations Messages are sent to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Via {
    /// Invoke if the model's id shows that it is Anthropic's, else Converse.
    #[default]
    Auto,
    /// Invoke.
    Invoke,
    /// Converse.
    Converse,
}

/// Which of Bedrock's operations Responses are sent to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ResponsesVia {
    /// Bedrock's own Responses for the models that are at home there, else Converse.
    #[default]
    Auto,
    /// Converse.
    Converse,
    /// Bedrock's own Responses.
    Native,
}

/// A guardrail, as `bedrock_guardrail` names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guardrail {
    /// Id or ARN.
    pub id: String,
    /// Number or `DRAFT`.
    pub version: String,
    /// `enabled` or `enabled_full`.
    pub trace: Option<String>,
}

/// How a request gets its authorization.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Auth {
    /// SigV4 with credentials of the gateway.
    Sign,
    /// A Bedrock API key of the gateway.
    Bearer,
    /// The client's own; nothing may be changed.
    Client,
}
