//! Limits: asked in PRECONTENT, once the call is planned and before anything is signed; let go of when the request ends.
//!
//! A request keeps what it has taken from attempt to attempt. All of a location's limits let it pass, or none has counted it.

use std::time::Duration;

use gateway::{LimitOf, Limited, Refusal};
use zone::NotEntered;

use crate::context::Handle;
use crate::directives::MainConf;
use crate::directives::limits::{InProgress, LimitZone, Most, concurrency};
use crate::directives::location::LocationConf;
use crate::nginx::log::Level;
use crate::nginx::request::Request;
use crate::zone::keys::Held;

/// What limits have to do with a request.
#[derive(Default)]
pub struct Limits {
    held: Vec<Held>,
    /// What they said.
    pub verdict: Option<Verdict>,
}

/// What limits said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// All let it pass.
    Passed,
    /// The zone with this name did not.
    Rejected(&'static str),
}

impl Verdict {
    /// As `$bedrock_limit_status` has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "PASSED",
            Self::Rejected(_) => "REJECTED",
        }
    }

    /// The zone that refused.
    pub fn zone(self) -> Option<&'static str> {
        match self {
            Self::Passed => None,
            Self::Rejected(zone) => Some(zone),
        }
    }
}

impl Limits {
    /// The request ends, as far as limits are concerned.
    pub fn settle(&mut self) {
        self.held.clear();
    }
}

/// Asks the location's limits; what an earlier attempt has taken is kept.
///
/// # Errors
/// One of them refuses. This is final: no `error_page` is to lead to another attempt.
pub fn ask(
    request: Request,
    mut context: Handle,
    conf: &LocationConf,
    main: &'static MainConf,
) -> Result<(), Refusal> {
    let mut taken = Vec::new();
    for name in conf.limits.iter().flat_map(|names| names.iter()) {
        let Some(zone) = main.limit(name) else {
            return Err(Refusal::misconfigured(format!(
                "there is no zone \"{name}\""
            )));
        };
        if context.limits.held.iter().any(|held| held.is_of(zone.keys)) {
            continue;
        }
        match enter(request, zone) {
            Ok(held) => taken.extend(held),
            Err(refusal) => {
                context.limits.verdict = Some(Verdict::Rejected(&zone.name));
                return Err(refusal);
            }
        }
    }
    if !taken.is_empty() {
        context.limits.held.append(&mut taken);
        context.limits.verdict = Some(Verdict::Passed);
    }
    Ok(())
}

/// Enters a zone; `None` if its key is empty.
fn enter(request: Request, zone: &LimitZone) -> Result<Option<Held>, Refusal> {
    let name = &zone.name;
    let unknown = |what: &str, log: String| Refusal {
        log: Some(log),
        ..Refusal::denied(format!(
            "This gateway does not know {what} for this request."
        ))
    };
    let key = zone.key.bytes(request).ok_or_else(|| {
        unknown(
            "whom a limit is for",
            format!("the key of zone \"{name}\" could not be evaluated"),
        )
    })?;
    if key.is_empty() {
        return Ok(None);
    }
    let most = match &zone.most {
        Most::Number(most) => *most,
        Most::Value(value) => {
            let text = value.evaluate(request).unwrap_or_default();
            // It may be the client's word.
            concurrency(&text.escape_debug().to_string())
                .map_err(|what| unknown("what a limit is", format!("zone \"{name}\": {what}")))?
        }
    };
    let entered = zone.keys.enter(&key, most, &InProgress);
    entered.map(Some).map_err(|why| match why {
        NotEntered::Busy(_) => {
            let limited = Limited {
                of: LimitOf::Requests,
                wait: A_MOMENT,
            };
            let requests = if most == 1 { "request" } else { "requests" };
            let text = format!(
                "The limit \"{name}\" allows {most} {requests} at a time, and as many are in progress. Try again in a moment."
            );
            Refusal::limited(text, limited)
        }
        NotEntered::NoSlot | NotEntered::NoRoom => {
            if zone.keys.is_time_to_complain() {
                let what = match why {
                    NotEntered::NoSlot => "requests",
                    _ => "keys",
                };
                let text = format!(
                    "bedrock: zone \"{name}\" has no room for more {what}, so requests are refused with 503: enlarge it; this is said \
                     once a minute"
                );
                request.log(Level::Alert, &text);
            }
            Refusal::from_status(503)
        }
        NotEntered::Broken => Refusal {
            log: Some(format!("zone \"{name}\" cannot be used: start nginx anew")),
            ..Refusal::from_status(503)
        },
    })
}

/// When one of the requests in progress may have ended.
const A_MOMENT: Duration = Duration::from_secs(1);
