//! A stream of ours that is silent for long says that it is alive, so that nobody on the way takes it for dead.

use std::time::Duration;

use super::{ERROR, give, send_down};
use crate::attempt::{Ping, Stage};
use crate::context::{self, Handle};
use crate::location_conf;
use crate::nginx::chain::Output;
use crate::nginx::ffi::ngx_event_t;
use crate::nginx::guard::{forced, guard_request};
use crate::nginx::request::Request;
use crate::nginx::timer::{Instant, Timer};

/// Begins to watch over the answer, if the location wants that.
pub fn watch(request: Request, mut context: Handle) {
    let interval = location_conf(request).and_then(|conf| conf.ping());
    context.attempt.ping = interval.map(|interval| Ping {
        interval,
        spoke: Instant::now(),
        timer: timer(request, interval),
    });
}

/// Something is given to the client now.
pub fn spoke(mut context: Handle) {
    if let Some(ping) = &mut context.attempt.ping {
        ping.spoke = Instant::now();
    }
}

fn timer(request: Request, delay: Duration) -> Timer {
    // SAFETY: a request's connection has a log.
    let log = unsafe { (*request.connection()).log };
    Timer::new(delay, silent, request.raw().cast(), log)
}

unsafe extern "C" fn silent(event: *mut ngx_event_t) {
    // SAFETY: the event's data is the request, whose context would have dropped the timer before it.
    let request = unsafe { Request::from_raw((*event).data.cast()) };
    guard_request(request, ERROR, || {
        forced(request, "ping");
        let connection = request.connection();
        if let Some(context) = context::find(request) {
            look(request, context);
        }
        Request::run_posted(connection);
    });
}

fn look(request: Request, mut context: Handle) {
    let Some(ping) = &mut context.attempt.ping else {
        return;
    };
    let left = ping.interval.saturating_sub(ping.spoke.age());
    if !left.is_zero() {
        ping.timer = timer(request, left);
        return;
    }
    ping.timer = timer(request, ping.interval);
    // A client that has not taken what it was given knows that there is more.
    let listens = matches!(context.attempt.stage, Stage::Held(_) | Stage::Flows)
        && !context.buffers.busy()
        && !request.client_is_gone();
    if !listens {
        return;
    }
    let mut written = context.buffers.vacant();
    let alive = context
        .attempt
        .relay_mut()
        .is_some_and(|relay| relay.ping(&mut written));
    if !alive {
        context.attempt.ping = None;
        return;
    }
    let mut output = Output::new(request);
    let given = give(request, context, written, false, &mut output);
    let sent = given && send_down(request, context, output) != ERROR;
    let drains = location_conf(request).is_some_and(|conf| conf.drains());
    // With drain the upstream is read on, and its next bytes find out that the client is gone.
    if !sent && !drains {
        request.finalize(ERROR);
    }
}
