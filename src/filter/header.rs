//! The answer's header: which answer this is, what follows its body, and what the client is told of it.

use std::time::SystemTime;

use gateway::bedrock::verdict::hides_header;
use gateway::{Plan, Refusal};

use super::{OK, broken, failure, ping};
use crate::admit;
use crate::attempt::{Followed, Stage};
use crate::context::{self, Handle};
use crate::location_conf;
use crate::nginx::filters::next_header_filter;
use crate::nginx::guard::forced;
use crate::nginx::request::Request;
use crate::nginx::upstream::{self, Upstream};

/// The header filter.
pub fn header(request: Request) -> isize {
    let known = context::find(request);
    if known.is_some_and(|context| context.is_elsewhere()) {
        return next_header_filter(request);
    }
    if let Some(context) = known {
        context.restore_version(request);
        request.no_ranges();
    }
    forced(request, "header");
    // What the cache keeps is Bedrock's answer, which has to be looked at, and written in the client's form, each time.
    let may_change = |context: Handle| {
        let plan = context.attempt.plan.as_ref();
        plan.is_some_and(Plan::may_change_answer)
    };
    let changes_cached = request.is_from_cache() && known.is_some_and(may_change);
    // A filter after this one, such as Lua's, may end the answer with an error while Bedrock's is under way.
    let active = Upstream::of(request)
        .filter(|upstream| changes_cached || upstream.is_active())
        .filter(|_| !request.is_filter_finalized());
    if active.is_none() && is_error_of_nginx(request) {
        return match context::find_or_create(request) {
            Some(context) => failure::own_error(request, context),
            None => next_header_filter(request),
        };
    }
    let (Some(mut context), Some(upstream)) = (known, active) else {
        // Where error_page led, something else answers: what is known of the failed attempt does not describe it.
        if let Some(mut context) = context::find(request)
            && !request.is_from_cache()
        {
            context.leave(request);
        }
        return next_header_filter(request);
    };
    let Some(plan) = &context.attempt.plan else {
        return next_header_filter(request);
    };
    if upstream.status() == 0 {
        return no_answer(request, context, upstream);
    }
    if plan.is_authorized_by_gateway() {
        let status = upstream.status();
        request.remove_answer_headers(|name, value| hides_header(status, name, value));
    }
    let relay = plan.relay(
        upstream.status(),
        |name| upstream.header(name),
        SystemTime::now(),
    );
    let api = plan.api;
    let id_header = api.request_id_header();
    if location_conf(request).is_some_and(|conf| conf.drains()) {
        upstream::read_on_without_client(request);
    }
    if !request.is_from_cache() {
        broken::watch(context, upstream);
    }
    let holds = relay.holds() && !request.is_header_only();
    // A stream in the client's form; in native frames there is no way to say nothing.
    let watched = relay.is_stream() && relay.rewrites_as().is_some();
    if relay.is_stream() {
        upstream.do_not_buffer();
    }
    request.need_in_memory();
    if let Some(content_type) = relay.rewrites_as() {
        request.set_answer(upstream.status(), content_type, None);
        if relay.is_stream() {
            request.remove_answer_header("Cache-Control");
            request.add_answer_header("Cache-Control", "no-cache");
        }
    }
    if let (Some(name), Some(id)) = (id_header, &relay.facts().request_id) {
        request.add_answer_header(name, id);
    }
    if location_conf(request).is_some_and(|conf| conf.limit_headers != Some(false)) {
        for (name, value) in admit::headers(&context.limits, api) {
            request.add_answer_header(name, &value);
        }
    }
    if relay.is_stream() {
        context.counted.streams(request);
    }
    context.attempt.followed = Some(match request.is_from_cache() {
        true => Followed::FromCache(relay),
        false => Followed::FromBedrock(relay),
    });
    if request.is_main() && watched {
        ping::watch(request, context);
    }
    if holds {
        context.attempt.stage = Stage::Held(Vec::new());
        return OK;
    }
    context.attempt.stage = Stage::Flows;
    next_header_filter(request)
}

/// What came begins with no status line, so it is no answer of Bedrock's. nginx takes it for the body of one.
fn no_answer(request: Request, context: Handle, upstream: Upstream) -> isize {
    upstream.do_not_cache();
    let refusal = Refusal {
        log: Some("the upstream's answer is not HTTP".to_owned()),
        ..Refusal::from_status(502)
    };
    let result = failure::instead_of_answer(request, context, refusal);
    if matches!(context.attempt.stage, Stage::Replaced(_)) {
        failure::end_upstream(request, context);
    }
    result
}

/// Whether nginx, or a phase handler, made this answer out of an error status.
fn is_error_of_nginx(request: Request) -> bool {
    let raised = request.raised_status();
    raised >= 400
        && raised == request.status()
        && location_conf(request).is_some_and(|conf| conf.is_gateway)
}
