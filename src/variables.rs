//! Facts -> `$bedrock_*`.

use std::borrow::Cow;
use std::ptr;
use std::time::SystemTime;

use gateway::{Facts, Plan, StreamStatus};
use quota::{Cost, FOR_EVER};

use crate::admit::Verdict;
use crate::attempt::Followed;
use crate::context::{self, Context};
use crate::nginx::conf::Conf;
use crate::nginx::ffi::{
    self, NGX_ERROR, NGX_HTTP_VAR_NOCACHEABLE, NGX_OK, ngx_http_add_variable, ngx_http_request_t,
    ngx_int_t, ngx_str_t, ngx_variable_value_t,
};
use crate::nginx::guard::{forced, guard};
use crate::nginx::request::Request;
use crate::nginx::upstream::Upstream;
use crate::prices::counts_of;
use crate::{admit, location_conf, main_conf};

type Text<'a> = Option<Cow<'a, str>>;

struct Variable {
    name: &'static str,
    get: Get,
}

enum Get {
    /// The same for all requests, of other modules too.
    Constant(&'static str),
    /// Of a request to the gateway.
    Of(for<'a> fn(&'a Context, Request) -> Text<'a>),
}

const fn variable(
    name: &'static str,
    get: for<'a> fn(&'a Context, Request) -> Text<'a>,
) -> Variable {
    Variable {
        name,
        get: Get::Of(get),
    }
}

/// This module's version.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

#[rustfmt::skip]
static VARIABLES: [Variable; 42] = [
    Variable { name: "bedrock_version", get: Get::Constant(VERSION) },
    variable("bedrock_operation",           |context, _| operation(context)),
    variable("bedrock_api",                 |context, _| text(context.asked.api.map(gateway::Api::as_str))),
    variable("bedrock_requested_model",     |context, _| text(context.request().and_then(|asked| asked.requested_model.as_deref()))),
    variable("bedrock_model",               |context, _| text(model(context))),
    variable("bedrock_model_family",        |context, _| text(plan(context).and_then(|plan| plan.family).map(|family| family.name))),
    variable("bedrock_region",              |context, _| text(region(context))),
    variable("bedrock_host",                |context, _| text(plan(context).map(|plan| plan.host.as_str()))),
    variable("bedrock_uri",                 |context, _| text(plan(context).map(|plan| plan.target.as_str()))),
    variable("bedrock_input_tokens",        |context, _| number(context, |facts| facts.input_tokens)),
    variable("bedrock_output_tokens",       |context, _| number(context, |facts| facts.output_tokens)),
    variable("bedrock_total_tokens",        |context, _| number(context, Facts::total_tokens)),
    variable("bedrock_prompt_tokens",       |context, _| prompt_tokens(context)),
    variable("bedrock_cache_read_tokens",   |context, _| number(context, |facts| facts.cache_read_tokens)),
    variable("bedrock_cache_write_tokens",  |context, _| number(context, |facts| facts.cache_write_tokens)),
    variable("bedrock_cache_write_1h_tokens", |context, _| number(context, |facts| facts.cache_write_1h_tokens)),
    variable("bedrock_reasoning_tokens",    |context, _| number(context, |facts| facts.reasoning_tokens)),
    variable("bedrock_search_units",        |context, _| number(context, |facts| facts.search_units)),
    variable("bedrock_service_tier",        |context, _| text(facts(context).and_then(|facts| facts.service_tier.as_deref()))),
    variable("bedrock_invoked_model",       |context, _| text(facts(context).and_then(|facts| facts.invoked_model.as_deref()))),
    variable("bedrock_guardrail_action",    |context, _| text(facts(context).and_then(|facts| facts.guardrail_action))),
    variable("bedrock_stop_reason",         |context, _| text(facts(context).and_then(|facts| facts.stop_reason.as_deref()))),
    variable("bedrock_time_to_first_token", |context, _| seconds(context.attempt.time_to_first_token)),
    variable("bedrock_latency",             |context, _| latency(context)),
    variable("bedrock_stream_status",       |context, request| text(stream_status(context, request).map(StreamStatus::as_str))),
    variable("bedrock_exception",           exception),
    variable("bedrock_request_id",          request_id),
    variable("bedrock_tool_calls",          |context, _| number(context, |facts| facts.tool_calls.map(u64::from))),
    variable("bedrock_credentials",         source),
    variable("bedrock_credentials_expire",  |context, _| seconds_left(context)),
    variable("bedrock_limit_status",        |context, _| text(context.limits.verdict.map(Verdict::as_str))),
    variable("bedrock_limit_zone",          |context, _| text(context.limits.verdict.and_then(Verdict::zone))),
    variable("bedrock_response_text",       |context, _| response_text(context)),
    variable("bedrock_reserved",            |context, _| context.limits.reserved().map(Cow::Owned)),
    variable("bedrock_charged",             |context, _| context.limits.charged().map(Cow::Owned)),
    variable("bedrock_charge",              |context, _| text(context.limits.charge())),
    variable("bedrock_limit_remaining",     |context, _| context.limits.standing().map(|standing| standing.remaining.to_string().into())),
    variable("bedrock_limit_reset",         |context, _| seconds(reset(context))),
    variable("bedrock_limit_soft",          |_, request| limit_soft(request)),
    variable("bedrock_cost",                cost),
    variable("bedrock_price",               price),
    variable("bedrock_session_id",          |context, _| text(context.asked.session_id.as_deref())),
];

/// Adds the variables to nginx's. Not cacheable: each attempt has values of its own.
pub fn add(conf: &Conf) -> bool {
    VARIABLES.iter().enumerate().all(|(index, variable)| {
        let mut name = ngx_str_t {
            len: variable.name.len(),
            data: variable.name.as_ptr().cast_mut(),
        };
        // SAFETY: cf is live; nginx copies the name.
        let added = unsafe {
            ngx_http_add_variable(conf.raw(), &raw mut name, NGX_HTTP_VAR_NOCACHEABLE as usize)
        };
        // SAFETY: null or a live variable of the configuration.
        match unsafe { added.as_mut() } {
            Some(added) => {
                added.get_handler = Some(get);
                added.data = index;
                true
            }
            None => false,
        }
    })
}

unsafe extern "C" fn get(
    r: *mut ngx_http_request_t,
    value: *mut ngx_variable_value_t,
    index: usize,
) -> ngx_int_t {
    guard(NGX_ERROR as ngx_int_t, || {
        // SAFETY: nginx calls this with a live request.
        let request = unsafe { Request::from_raw(r) };
        forced(request, "variable");
        let text = match VARIABLES.get(index).map(|variable| &variable.get) {
            None => None,
            Some(Get::Constant(text)) => request.copy(text.as_bytes()),
            Some(Get::Of(get)) => context::find_to_read(request).and_then(|context| {
                let text = get(&context, request)?;
                request.copy(printable(text).as_bytes())
            }),
        };
        // SAFETY: nginx gives a value to fill in.
        unsafe {
            ffi::set_value_valid(value, text.is_some().into());
            ffi::set_value_not_found(value, text.is_none().into());
            ffi::set_value_no_cacheable(value, 1);
            ffi::set_value_escape(value, 0);
            ffi::set_value_len(
                value,
                text.map_or(0, |text| u32::try_from(text.len).unwrap_or(0)),
            );
            (*value).data = text.map_or(ptr::null_mut(), |text| text.data);
        }
        NGX_OK as ngx_int_t
    })
}

/// Without control characters, each of which becomes a blank: whoever chose a value, the client, Bedrock or a file, it may go
/// into a header or a key, and must not begin another one there.
fn printable(text: Cow<'_, str>) -> Cow<'_, str> {
    match text.contains(char::is_control) {
        true => text.replace(char::is_control, " ").into(),
        false => text,
    }
}

fn plan(context: &Context) -> Option<&Plan> {
    context.attempt.plan.as_ref()
}

fn model(context: &Context) -> Option<&str> {
    match &context.limits.calls {
        Some(calls) => calls.model.as_deref(),
        None => plan(context)?.model.as_deref(),
    }
}

fn region(context: &Context) -> Option<&str> {
    match &context.limits.calls {
        Some(calls) => Some(&calls.region),
        None => Some(&plan(context)?.region),
    }
}

fn facts(context: &Context) -> Option<&Facts> {
    context.attempt.facts()
}

fn text(text: Option<&str>) -> Text<'_> {
    text.filter(|text| !text.is_empty()).map(Cow::Borrowed)
}

fn number(context: &Context, of: fn(&Facts) -> Option<u64>) -> Text<'_> {
    facts(context)
        .and_then(of)
        .map(|number| number.to_string().into())
}

/// With those that the cache had, or was given.
fn prompt_tokens(context: &Context) -> Text<'_> {
    let tokens = counts_of(plan(context)?, facts(context)?).prompt()?;
    Some(tokens.to_string().into())
}

fn seconds<'a>(seconds: Option<f64>) -> Text<'a> {
    seconds.map(|seconds| format!("{seconds:.3}").into())
}

fn reset(context: &Context) -> Option<f64> {
    let reset = context.limits.standing()?.reset;
    (reset != FOR_EVER).then_some(reset.as_secs_f64())
}

/// How a stream ended.
pub fn stream_status(context: &Context, request: Request) -> Option<StreamStatus> {
    // The client went away before there was any answer.
    let aborted = || {
        let streams = plan(context).is_some_and(|plan| plan.operation.streams());
        streams && context.attempt.followed.is_none() && request.client_is_gone()
    };
    if aborted() {
        return Some(StreamStatus::Aborted);
    }
    facts(context)?.stream
}

/// Bedrock's operation.
pub fn operation(context: &Context) -> Text<'_> {
    let asked = || context.request().and_then(|asked| asked.operation);
    // Which of them Anthropic's Messages come to is only known with the model that is called.
    let operation = plan(context).map(|plan| plan.operation).or_else(asked);
    text(operation.map(gateway::bedrock::Operation::as_str))
}

/// The name of the credential source; a key in `bedrock_auth bearer` has none.
fn source(context: &Context, request: Request) -> Text<'_> {
    let used = context.attempt.credentials.as_ref()?;
    text(main_conf(request)?.sources.name(used.index))
}

/// Whole seconds until the credentials expire.
fn seconds_left(context: &Context) -> Text<'_> {
    let expires = context.attempt.credentials.as_ref()?.expires?;
    let left = expires
        .duration_since(SystemTime::now())
        .unwrap_or_default();
    Some(left.as_secs().to_string().into())
}

fn latency(context: &Context) -> Text<'_> {
    let milliseconds = facts(context)?.latency_ms?;
    Some(format!("{}.{:03}", milliseconds / 1000, milliseconds % 1000).into())
}

/// Names of zones, before limits are asked, too.
fn limit_soft<'a>(request: Request) -> Text<'a> {
    let names = admit::soft(request, location_conf(request)?, main_conf(request)?);
    (!names.is_empty()).then(|| names.into())
}

/// In USD, where all prices and counts that it takes are known.
fn cost(context: &Context, request: Request) -> Text<'_> {
    let pricing = main_conf(request)?.prices.as_ref()?;
    let cost = match &context.attempt.followed {
        Some(Followed::FromCache(_)) => Cost::ZERO,
        _ => pricing.cost(plan(context)?, facts(context)?)?,
    };
    Some(cost.to_string().into())
}

/// The rule of the price file.
fn price(context: &Context, request: Request) -> Text<'_> {
    let pricing = main_conf(request)?.prices.as_ref()?;
    let rule = pricing.rule(plan(context)?, facts(context))?;
    Some(rule.pattern().into())
}

fn response_text(context: &Context) -> Text<'_> {
    text(facts(context).map(|facts| facts.response_text.as_str()))
}

/// As told by the answer; where `proxy_intercept_errors` took it, by the header that the upstream sent.
pub fn exception(context: &Context, request: Request) -> Text<'_> {
    if let Some(facts) = facts(context) {
        return text(facts.exception.as_deref());
    }
    let upstream = intercepted(context, request)?;
    let value = upstream.header("x-amzn-errortype")?;
    let name = gateway::bedrock::exception::bare_name(&value);
    (!name.is_empty()).then(|| name.to_owned().into())
}

fn request_id(context: &Context, request: Request) -> Text<'_> {
    if let Some(facts) = facts(context) {
        return text(facts.request_id.as_deref());
    }
    intercepted(context, request)?
        .header("x-amzn-requestid")
        .map(Cow::Owned)
}

/// The upstream of an attempt whose answer never came to the filters.
fn intercepted(context: &Context, request: Request) -> Option<Upstream> {
    plan(context)?;
    Upstream::of(request).filter(|upstream| upstream.status() >= 300)
}
