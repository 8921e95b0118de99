//! A request that has ended is counted, for metrics and the status page.
//!
//! The client's own requests are counted in LOG, where their status is the access log's; subrequests when they end.

use std::time::{SystemTime, UNIX_EPOCH};

use gateway::{Facts, Plan, StreamStatus};
use metrics::{Ended, Labels, Refusal, Tokens, Under, UsageUnknown};

use crate::admit::Verdict;
use crate::attempt::Followed;
use crate::context::{self, Context};
use crate::directives::status::StatusZone;
use crate::nginx::request::Request;
use crate::prices::{Pricing, counts_of};
use crate::variables;
use crate::zone::counting::UnderWay;
use crate::{location_conf, main_conf};

/// What is under way, as long as a request is.
#[derive(Default)]
pub struct Counted {
    request: Option<UnderWay>,
    stream: Option<UnderWay>,
}

impl Counted {
    /// A request begins.
    pub fn begin(request: Request) -> Self {
        let zone = zone(request);
        Self {
            request: zone.map(|zone| zone.counting.begin(Under::Request)),
            stream: None,
        }
    }

    /// Its answer is a stream.
    pub fn streams(&mut self, request: Request) {
        if self.stream.is_none() {
            self.stream = zone(request).map(|zone| zone.counting.begin(Under::Stream));
        }
    }

    /// It has ended.
    fn end(&mut self) {
        self.stream = None;
        self.request = None;
    }
}

/// A client's own request has ended.
pub fn request_ended(request: Request) {
    if !request.is_main() {
        return;
    }
    let context = context::find(request);
    // Another module may have answered before this one saw it.
    if context.is_none() && location_conf(request).is_none_or(|conf| !conf.is_gateway) {
        return;
    }
    match context {
        Some(mut context) => {
            context.counted.end();
            count(request, Some(&context));
        }
        None => count(request, None),
    }
}

/// A subrequest has ended.
pub fn subrequest_ended(context: &mut Context) {
    context.counted.end();
    count(context.owner(), Some(context));
}

fn zone(request: Request) -> Option<&'static StatusZone> {
    main_conf(request)?.status.as_ref()
}

fn count(request: Request, context: Option<&Context>) {
    let Some(zone) = zone(request) else {
        return;
    };
    let ended = ended(request, context, zone);
    zone.counting.count(&ended);
    if let Some(refusal) = context.and_then(|context| refusal(&ended, context)) {
        zone.counting.refused(&refusal);
    }
}

fn ended(request: Request, context: Option<&Context>, zone: &StatusZone) -> Ended {
    let plan = context.and_then(|context| context.attempt.plan.as_ref());
    let facts = context.and_then(|context| context.attempt.facts());
    let text = |text: Option<std::borrow::Cow<'_, str>>| text.unwrap_or_default().into_owned();
    let refused = context.and_then(|context| context.limits.refused.as_ref());
    let model = plan.and_then(|plan| plan.model.as_deref());
    let model = model.or(refused.map(|refused| refused.model.as_str()));
    let api = context
        .and_then(|context| context.asked.api)
        .map_or("", gateway::Api::as_str);
    let mut labels = Labels::new(
        model.unwrap_or_default(),
        api,
        &text(context.and_then(variables::operation)),
    );
    for (name, value) in &zone.labels {
        labels.add(name, &value.evaluate(request).unwrap_or_default());
    }
    let used = plan.filter(|plan| plan.uses_model()).zip(facts);
    let tokens = used.and_then(|(plan, facts)| tokens(plan, facts));
    let pricing = main_conf(request).and_then(|main| main.prices.as_ref());
    let cost = |pricing: &Pricing| used.and_then(|(plan, facts)| pricing.cost(plan, facts));
    let cost = pricing.and_then(cost).map(quota::Cost::picodollars);
    let stream = context.and_then(|context| variables::stream_status(context, request));
    let age = microseconds(request.age());
    let first = context
        .and_then(|context| context.attempt.time_to_first_token)
        .map(microseconds);
    let gaps = tokens
        .and_then(|tokens| tokens.output.checked_sub(1))
        .filter(|gaps| *gaps > 0);
    let per_token = |(first, gaps): (u64, u64)| age.saturating_sub(first) / gaps;
    let status = request.logged_status();
    Ended {
        labels,
        is_known: status < 400,
        status,
        duration: age,
        time_to_first_token: first,
        time_per_output_token: stream.and(first).zip(gaps).map(per_token),
        tokens,
        cost,
        price_is_missing: pricing.is_some() && cost.is_none() && tokens.is_some(),
        stream: stream.map(StreamStatus::as_str),
        exception: context
            .and_then(|context| variables::exception(context, request))
            .map(|name| name.into_owned()),
        usage_unknown: context
            .and_then(|context| usage_unknown(context, plan?, tokens, stream, status)),
        day: today(),
    }
}

/// What Bedrock has counted, where it has counted anything.
fn tokens(plan: &Plan, facts: &Facts) -> Option<Tokens> {
    let counts = counts_of(plan, facts);
    counts.input.or(counts.output)?;
    let for_an_hour = counts.cache_write_1h.unwrap_or(0);
    Some(Tokens {
        input: counts.input.unwrap_or(0),
        output: counts.output.unwrap_or(0),
        cache_read: counts.cache_read.unwrap_or(0),
        cache_write: counts.cache_write.unwrap_or(0).saturating_sub(for_an_hour),
        cache_write_1h: for_an_hour,
    })
}

/// Why it is not known what the model has used, if it has done anything.
fn usage_unknown(
    context: &Context,
    plan: &Plan,
    tokens: Option<Tokens>,
    stream: Option<StreamStatus>,
    status: u16,
) -> Option<UsageUnknown> {
    if !plan.uses_model() || matches!(context.attempt.followed, Some(Followed::FromCache(_))) {
        return None;
    }
    match stream {
        Some(StreamStatus::Aborted) => return Some(UsageUnknown::Aborted),
        Some(StreamStatus::Truncated | StreamStatus::Corrupt) => {
            return Some(UsageUnknown::Truncated);
        }
        _ => {}
    }
    let facts = context.attempt.facts()?;
    if tokens.is_some() || facts.search_units.is_some() {
        return None;
    }
    match (
        status >= 300 || facts.exception.is_some(),
        facts.content_started,
    ) {
        (true, true) => Some(UsageUnknown::Error),
        (true, false) => None,
        (false, _) => Some(UsageUnknown::Absent),
    }
}

fn refusal(ended: &Ended, context: &Context) -> Option<Refusal> {
    let verdict = context.limits.verdict?;
    let refused = context.limits.refused.as_ref()?;
    Some(Refusal {
        time: u64::try_from(since_1970().as_millis()).unwrap_or(0),
        zone: verdict.zone()?.to_owned(),
        model: refused.model.clone(),
        status: ended.status,
        retry_after: u64::try_from(refused.wait.as_millis()).unwrap_or(u64::MAX),
        dry_run: matches!(verdict, Verdict::RejectedDryRun(_)),
    })
}

fn microseconds(seconds: f64) -> u64 {
    // Ages are far below 2^63 microseconds, and never below 0.
    (seconds * 1e6) as u64
}

fn today() -> u64 {
    since_1970().as_secs() / 86_400
}

fn since_1970() -> std::time::Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}
