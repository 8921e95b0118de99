//! The operations of the Bedrock runtime API.
//! <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_Operations_Amazon_Bedrock_Runtime.html>

use super::vendor_api::VendorApi;

/// An operation this gateway sends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// `POST /model/{id}/converse`
    Converse,
    /// `POST /model/{id}/converse-stream`
    ConverseStream,
    /// `POST /model/{id}/invoke`
    Invoke,
    /// `POST /model/{id}/invoke-with-response-stream`
    InvokeStream,
    /// `POST /model/{id}/count-tokens`
    CountTokens,
    /// `POST /guardrail/{id}/version/{v}/apply`
    ApplyGuardrail,
    /// One of the vendors' own APIs
    VendorApi {
        /// Which.
        api: VendorApi,
        /// Whether a stream is asked for.
        stream: bool,
    },
    /// The models that clients may name: answered here, not by Bedrock.
    ListModels,
    /// Any other of AWS's, which passes as it is.
    Other,
}

impl Operation {
    /// Those whose path is `/model/{id}/` and a verb.
    pub const OF_MODELS: [Self; 5] = [
        Self::Converse,
        Self::ConverseStream,
        Self::Invoke,
        Self::InvokeStream,
        Self::CountTokens,
    ];

    /// The word in `$bedrock_operation`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Converse => "converse",
            Self::ConverseStream => "converse_stream",
            Self::Invoke => "invoke",
            Self::InvokeStream => "invoke_stream",
            Self::CountTokens => "count_tokens",
            Self::ApplyGuardrail => "apply_guardrail",
            Self::VendorApi { api, .. } => api.as_str(),
            Self::ListModels => "list_models",
            Self::Other => "other",
        }
    }

    /// The last segment of its path; of a vendor's own API, all of it; empty where it may be any.
    pub fn verb(self) -> &'static str {
        match self {
            Self::Converse => "converse",
            Self::ConverseStream => "converse-stream",
            Self::Invoke => "invoke",
            Self::InvokeStream => "invoke-with-response-stream",
            Self::CountTokens => "count-tokens",
            Self::ApplyGuardrail => "apply",
            Self::VendorApi { api, .. } => api.path(),
            Self::ListModels => "models",
            Self::Other => "",
        }
    }

    /// Whether its answer is a stream of events.
    pub fn streams(self) -> bool {
        match self {
            Self::VendorApi { stream, .. } => stream,
            _ => matches!(self, Self::ConverseStream | Self::InvokeStream),
        }
    }

    /// Whether clients that call it speak a dialect which can be translated to any model.
    pub fn has_dialect(self) -> bool {
        matches!(self, Self::VendorApi { .. })
    }

    /// Converse and ConverseStream.
    pub fn is_converse(self) -> bool {
        matches!(self, Self::Converse | Self::ConverseStream)
    }

    /// Both invokes: the body is the model's own and may be of any type.
    pub fn is_invoke(self) -> bool {
        matches!(self, Self::Invoke | Self::InvokeStream)
    }
}
