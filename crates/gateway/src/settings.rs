//! The values of the directives for one request, variables already filled in.

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
