//! Sampling, stop sequences, length, tier, and the form of the answer.

use serde_json::{Value, json};

use super::{conversation::Conversation, faults::Faults, schema};

/// Checks `inferenceConfig`, `serviceTier` and `outputConfig`.
pub fn check(conversation: &Conversation<'_>, faults: &mut Faults) {
    sampling(conversation, faults);
    stop_sequences(conversation, faults);
    length(conversation, faults);
    let family = conversation.family;
    let tier = conversation
        .body
        .pointer("/serviceTier/type")
        .and_then(Value::as_str);
    if let Some(tier) = tier.filter(|tier| !family.tiers.iter().any(|known| known == tier)) {
        faults.refuse(format!(
            "The service tier {tier} is not supported for this model."
        ));
    }
    output(conversation, faults);
}

fn sampling(conversation: &Conversation<'_>, faults: &mut Faults) {
    let family = conversation.family;
    let temperature = conversation
        .inference("temperature")
        .and_then(Value::as_f64);
    let top_p = conversation.inference("topP");
    if family.is_claude() {
        // The one value that changes nothing is taken.
        if !family.sampling.temperature && temperature.is_some_and(|t| t != 1.0) {
            faults.model("`temperature` is deprecated for this model.");
        }
        if !family.sampling.top_p && top_p.is_some() {
            faults.model("`top_p` is deprecated for this model.");
        }
    } else {
        if !family.sampling.temperature && temperature.is_some() {
            faults.unsupported("temperature");
        }
        if !family.sampling.top_p && top_p.is_some() {
            faults.unsupported("topP");
        }
    }
    if family.sampling.temperature
        && !family.sampling.both
        && temperature.is_some()
        && top_p.is_some()
    {
        faults.model("`temperature` and `top_p` cannot both be specified for this model. Please use only one.");
    }
}

fn stop_sequences(conversation: &Conversation<'_>, faults: &mut Faults) {
    let stop = &conversation.family.stop;
    let sequences = conversation
        .inference("stopSequences")
        .and_then(Value::as_array);
    let Some(sequences) = sequences.filter(|sequences| !sequences.is_empty()) else {
        return;
    };
    if !stop.ok {
        return faults.unsupported("stopSequences");
    }
    if sequences.len() > stop.max {
        let rule = format!("Member must have length less than or equal to {}", stop.max);
        faults.constraint("inferenceConfig.stopSequences", rule);
    }
    let blank = |sequence: &Value| sequence.as_str().is_some_and(|text| text.trim().is_empty());
    if !stop.blank && sequences.iter().any(blank) {
        faults.model("stop_sequences: each stop sequence must contain non-whitespace");
    }
}

fn length(conversation: &Conversation<'_>, faults: &mut Faults) {
    let max_tokens = &conversation.family.max_tokens;
    let Some(wanted) = conversation.inference("maxTokens").and_then(Value::as_u64) else {
        return;
    };
    if let Some(limit) = max_tokens.limit.filter(|limit| wanted > *limit) {
        faults.refuse(format!(
            "The maximum tokens you requested exceeds the model limit of {limit}. Try again with a maximum tokens value that \
             is lower than {limit}."
        ));
    }
    if wanted < max_tokens.min {
        faults.model(format!(
            "max_output_tokens: integer below minimum value. Expected a value >= {}, but got {wanted} instead.",
            max_tokens.min
        ));
    }
}

fn output(conversation: &Conversation<'_>, faults: &mut Faults) {
    let family = conversation.family;
    // New in Converse's own model, and no source says who takes it.
    if conversation.body.pointer("/outputConfig/effort").is_some() && !family.is_unknown() {
        faults.unsupported("outputConfig.effort");
    }
    let Some(format) = conversation.body.pointer("/outputConfig/textFormat") else {
        return;
    };
    if !family.structured.native {
        return if family.is_claude() {
            faults.extra("output_config.format");
        } else {
            faults.unsupported("outputConfig");
        };
    }
    if conversation.streams && !family.structured.stream {
        faults.refuse("This model doesn't support structured output in streaming mode.");
    }
    if family.structured.strict_member.is_some()
        && conversation
            .field("text")
            .and_then(|text| text.pointer("/format/strict"))
            != Some(&json!(true))
    {
        faults.model("text.format.strict: must be true");
    }
    let schema = format
        .pointer("/structure/jsonSchema/schema")
        .and_then(Value::as_str);
    match schema.map(serde_json::from_str::<Value>) {
        Some(Ok(schema)) => schema::check(&schema, "output_config.format.schema", faults),
        _ => faults.model("output_config.format.schema: Input should be a valid JSON schema"),
    }
}
