//! What stands beside the conversation: sampling, stop sequences, the number of tokens, the tier, metadata.

use std::borrow::Cow;

use super::changes::Changes;
use super::reasoning::Said;
use crate::bedrock::converse::{ConverseRequest, Inference};
use crate::family::Family;
use crate::family::facts::{Samples, Tiers, TopK};
use crate::json::edit::Edit;
use crate::json::object;
use crate::json::text::Literal;

/// Fits all of it; `said` is how much will be reasoned.
pub fn fit(request: &mut ConverseRequest<'_>, family: &Family, said: &Said, changes: &mut Changes) {
    sampling(request, family, said, changes);
    stop(&mut request.inference, family, changes);
    // Converse says it only in Claude's own fields.
    if request.tells_stop && family.claude && !request.inference.stop_sequences.is_empty() {
        request
            .response_fields
            .get_or_insert(r#"["/stop_sequence"]"#.into());
    }
    max_tokens(&mut request.inference, family, said, changes);
    tier(request, family, changes);
    metadata(request, changes);
}

fn sampling(
    request: &mut ConverseRequest<'_>,
    family: &Family,
    said: &Said,
    changes: &mut Changes,
) {
    let inference = &mut request.inference;
    let silenced = said.reasons && family.reasoning.drops_sampling;
    let samples = match silenced {
        true => Samples::None,
        false => family.sampling.of,
    };
    if samples == Samples::None && inference.temperature.take().is_some() {
        changes.leave_out("temperature");
    }
    if (samples == Samples::None || (samples == Samples::One && inference.temperature.is_some()))
        && inference.top_p.take().is_some()
    {
        changes.leave_out("top_p");
    }
    // OpenAI's goes to 2.
    let is_hot = |text: &Cow<'_, str>| text.parse().is_ok_and(|number: f64| number > 1.0);
    if inference.temperature.as_ref().is_some_and(is_hot) {
        inference.temperature = Some("1".into());
        changes.change("temperature");
    }
    let Some(top_k) = inference.top_k.take() else {
        return;
    };
    let field = match family.sampling.top_k {
        _ if samples == Samples::None => None,
        TopK::None => None,
        TopK::Claude => Some(("top_k", top_k.into_owned())),
        TopK::Nova => Some(("inferenceConfig", format!("{{\"topK\":{top_k}}}"))),
    };
    match field {
        Some((name, json)) => request.native_fields.added.push((name, json.into())),
        None => changes.leave_out("top_k"),
    }
}

fn stop(inference: &mut Inference<'_>, family: &Family, changes: &mut Changes) {
    let stops = &mut inference.stop_sequences;
    let count = stops.len();
    // No family takes blanks.
    stops.retain(|text| !text.trim().is_empty());
    stops.truncate(usize::try_from(family.stop).unwrap_or(usize::MAX));
    if stops.len() < count {
        changes.leave_out("stop");
    }
}

fn max_tokens(inference: &mut Inference<'_>, family: &Family, said: &Said, changes: &mut Changes) {
    if said.unbounded {
        if inference.max_tokens.take().is_some() {
            changes.leave_out("max_tokens");
        }
        return;
    }
    let bounds = family.max_tokens;
    match inference.max_tokens {
        Some(asked) => {
            let fitted = asked.max(bounds.min).min(bounds.limit.unwrap_or(u64::MAX));
            if fitted != asked {
                inference.max_tokens = Some(fitted);
                changes.change("max_tokens");
            }
        }
        // Without a limit Converse ends after 4,096 tokens, reasoning included.
        None if family.claude && said.reasons => {
            let sane = said
                .budget
                .map_or(ROOM_TO_REASON, |budget| budget.saturating_add(ROOM));
            inference.max_tokens = Some(sane.min(bounds.limit.unwrap_or(sane)));
            changes.complete("max_tokens");
        }
        None => {}
    }
}

/// For an answer with reasoning of any length. More would take more of the account's quota, which is reserved beforehand.
const ROOM_TO_REASON: u64 = 32_000;
/// For an answer beside its reasoning.
const ROOM: u64 = 4096;

fn tier(request: &mut ConverseRequest<'_>, family: &Family, changes: &mut Changes) {
    let has = match (request.service_tier.as_deref(), family.tiers) {
        (Some("priority"), tiers) => tiers != Tiers::None,
        (Some("flex"), tiers) => tiers == Tiers::PriorityAndFlex,
        _ => true,
    };
    if !has {
        request.service_tier = None;
        changes.leave_out("service_tier");
    }
}

/// Bedrock's own pattern for both names and values, up to 256 signs, and at most 16 of them; what does not fit goes.
/// <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html>
fn metadata(request: &mut ConverseRequest<'_>, changes: &mut Changes) {
    let Some(json) = &request.metadata else {
        return;
    };
    let Ok(object) = object::parse(json) else {
        return;
    };
    let mut kept = 0;
    let mut edit = Edit::new(&object);
    for member in &object.members {
        let value = json.get(member.value.clone()).unwrap_or_default();
        let fits = value.starts_with('"')
            && !member.name.is_empty()
            && is_metadata(&member.name)
            && is_metadata(&Literal(value).decode())
            && kept < MOST_METADATA;
        match fits {
            true => kept += 1,
            false => {
                edit.remove(&member.name);
                changes.leave_out("metadata");
            }
        }
    }
    if kept == 0 {
        request.metadata = None;
    } else if kept < object.members.len() {
        let body = edit.into_body(json.len());
        let bytes = body.pieces(json.as_bytes()).flatten().copied().collect();
        request.metadata = String::from_utf8(bytes).ok().map(Cow::Owned);
    }
}

fn is_metadata(text: &str) -> bool {
    let legal = |sign: char| {
        sign.is_ascii_alphanumeric()
            || matches!(sign, ' ' | '\t' | '\n' | '\r')
            || ":_@$#=/+,-.".contains(sign)
    };
    text.chars().count() <= 256 && text.chars().all(legal)
}

const MOST_METADATA: usize = 16;
