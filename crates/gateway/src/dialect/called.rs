//! The model that a request is translated for.

use super::limits::{keep_to_limit, limit_request};
use crate::bedrock::converse::ConverseRequest;
use crate::bedrock::model_id;
use crate::family::{self, Family, Fitted, Purpose};
use crate::refusal::Refusal;
use crate::settings::Settings;

/// The model, and how it is called.
#[derive(Clone, Copy, Debug)]
pub struct Called<'c> {
    /// Its id or ARN.
    pub model: &'c str,
    /// The family that it belongs to.
    pub family: &'c Family,
    /// Whether the client wants a stream.
    pub streams: bool,
}

impl Called<'_> {
    /// Puts the operator's limits into a request, and fits it to the model.
    ///
    /// # Errors
    /// 403 where a limit cannot be enforced; 400 that names what the model cannot do.
    pub(crate) fn fit(
        &self,
        request: &mut ConverseRequest<'_>,
        settings: &Settings<'_>,
    ) -> Result<Fitted, Refusal> {
        // The limit bounds the reasoning, too, so it comes first.
        limit_request(request, self.model, settings)?;
        let purpose = Purpose {
            streams: self.streams,
            is_limited: settings.max_output_tokens.is_some(),
        };
        let fitted = family::fit(request, self.family, purpose)?;
        keep_to_limit(request, settings);
        Ok(fitted)
    }
}

/// The model's own id in an id or ARN, for what has a form of its own for each vendor.
///
/// # Errors
/// 400: it is an ARN that does not show it.
pub(crate) fn shown(called: &str) -> Result<&str, Refusal> {
    model_id::foundation_model(called).ok_or_else(|| {
        let what = "is an ARN that does not show whose model it is, so its request format is not known: call the \
                    foundation model or a system-defined inference profile";
        Refusal::parameter("model", what)
    })
}
