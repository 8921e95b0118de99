//! What the tests of planning and of relaying have in common.

use gateway::settings::Anthropic;
use gateway::{Auth, Settings};

/// A location that says no more than its region.
pub fn settings() -> Settings<'static> {
    Settings {
        region: "us-east-1",
        endpoint: None,
        service: "bedrock",
        model: None,
        aliases: &[],
        families: Default::default(),
        allow_models: &[],
        max_output_tokens: None,
        guardrail: None,
        auth: Auth::Sign,
        max_frame_size: 24 << 20,
        response_text: 0,
        hold_headers: true,
        anthropic: Anthropic::default(),
        responses: Default::default(),
    }
}
