//! What the events of Bedrock's agents tell: each trace of a model's work has its counts.
//! <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_agent-runtime_Metadata.html>

use std::collections::HashMap;

use serde::Deserialize;

use crate::facts::Facts;

/// Takes one event of an answer that may be an agent's; those of other operations say nothing. An agent calls models more than
/// once for one answer, so counts add up.
pub fn event(event_type: &str, payload: &[u8], facts: &mut Facts) {
    facts.content_started |= event_type == "chunk";
    if event_type != "trace" {
        return;
    }
    // What cannot be read says nothing: it is the client's to judge.
    let Ok(event) = serde_json::from_slice::<TraceEvent>(payload) else {
        return;
    };
    for usage in event.trace.into_values().filter_map(Step::usage) {
        add(&mut facts.input_tokens, usage.input_tokens);
        add(&mut facts.output_tokens, usage.output_tokens);
    }
}

fn add(sum: &mut Option<u64>, count: Option<u64>) {
    if let Some(count) = count {
        *sum = Some(sum.unwrap_or(0).saturating_add(count));
    }
}

#[derive(Deserialize)]
struct TraceEvent {
    /// By the kind of the step: `orchestrationTrace`, `preProcessingTrace` …
    trace: HashMap<String, Step>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Step {
    model_invocation_output: Option<Output>,
}

#[derive(Deserialize)]
struct Output {
    metadata: Option<Metadata>,
}

#[derive(Deserialize)]
struct Metadata {
    usage: Option<Usage>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Usage {
    input_tokens: Option<u64>,
    output_tokens: Option<u64>,
}

impl Step {
    fn usage(self) -> Option<Usage> {
        self.model_invocation_output?.metadata?.usage
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_counts_of_all_steps_add_up() {
        let mut facts = Facts::default();
        for (kind, payload) in [
            (
                "chunk",
                r#"{"bytes":"eyJ1c2FnZSI6eyJpbnB1dFRva2VucyI6OX19"}"#,
            ),
            (
                "trace",
                r#"{"agentId":"A","trace":{"preProcessingTrace":{"modelInvocationOutput":{"metadata":{"usage":{"inputTokens":5,"outputTokens":7}}}}}}"#,
            ),
            (
                "trace",
                r#"{"trace":{"orchestrationTrace":{"rationale":{"text":"x"}}}}"#,
            ),
            (
                "trace",
                r#"{"trace":{"orchestrationTrace":{"modelInvocationOutput":{"metadata":{"usage":{"inputTokens":100,"outputTokens":20}},"rawResponse":{"content":"{}"}}}}}"#,
            ),
            ("trace", r#"{"trace":{"guardrailTrace":{"action":"NONE"}}}"#),
            ("trace", "{"),
            (
                "files",
                r#"{"trace":{"orchestrationTrace":{"modelInvocationOutput":{"metadata":{"usage":{"inputTokens":1}}}}}}"#,
            ),
        ] {
            event(kind, payload.as_bytes(), &mut facts);
        }
        assert_eq!(
            (facts.input_tokens, facts.output_tokens),
            (Some(105), Some(27))
        );
    }
}
