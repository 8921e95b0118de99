//! One reading of the path: what is checked is what is sent.
#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/planning.rs"]
mod planning;

use common::settings;
use gateway::target::of_decoded_path;
use gateway::{Auth, Settings};
use planning::{JSON, header, planned};

const ALLOWED: &str = "amazon.nova-lite-v1:0";

fn rules(auth: Auth, allowed: &[String]) -> Settings<'_> {
    Settings {
        auth,
        allow_models: allowed,
        ..settings()
    }
}

/// What is sent for a target, or the status of the refusal.
fn sent(target: &str, auth: Auth) -> Result<String, u16> {
    let headers = [JSON, ("authorization", "Bearer key")];
    let allowed = [ALLOWED.to_owned()];
    let plan = planned(target, &rules(auth, &allowed), &headers, "{}");
    plan.map(|plan| {
        assert!(
            plan.model.is_none() || plan.model.as_deref() == Some(ALLOWED),
            "{target}"
        );
        assert_eq!(header(&plan, "content-type"), Some("application/json"));
        assert_eq!(planning::sent(&plan, "{}"), "{}");
        plan.target
    })
    .map_err(|refusal| refusal.status)
}

#[test]
fn no_second_path_stands_behind_a_fragment_or_in_a_query() {
    let good = format!("/model/{ALLOWED}/count-tokens");
    let bad = "/model/anthropic.opus/converse";
    for rest in [
        format!("#{bad}"),
        format!("#?{bad}"),
        format!("#{bad}#{good}"),
        "#".to_owned(),
    ] {
        let target = format!("{good}{rest}");
        assert_eq!(sent(&target, Auth::Client).unwrap(), good, "{target}");
    }
    for (rest, goes_on) in [
        (format!("?{bad}"), format!("?{bad}")),
        (format!("?a=1#{bad}"), "?a=1".to_owned()),
        (format!("?#{bad}"), "?".to_owned()),
        (format!("?a?{bad}"), format!("?a?{bad}")),
    ] {
        let target = format!("/prefix{good}{rest}");
        let whole = format!("{good}{goes_on}");
        assert_eq!(sent(&target, Auth::Client).unwrap(), whole, "{target}");
    }
    for auth in [Auth::Sign, Auth::Client] {
        for before in [good.as_str(), "/x", ""] {
            let target = format!("{before}{bad}");
            assert_eq!(sent(&target, auth), Err(403), "{target}");
            let target = format!("{before}{bad}#{good}");
            assert_eq!(sent(&target, auth), Err(403), "{target}");
            let target = format!("{before}{bad}?{good}");
            assert_eq!(sent(&target, auth), Err(403), "{target}");
        }
    }
}

#[test]
fn what_is_signed_here_has_neither_query_nor_fragment() {
    let encoded = "/model/amazon.nova-lite-v1%3A0/converse";
    for rest in ["", "?a=1", "?a#b", "#/model/x/converse", "#?a=1"] {
        let target = format!("/p/model/{ALLOWED}/converse{rest}");
        assert_eq!(sent(&target, Auth::Sign).unwrap(), encoded, "{target}");
    }
    let apply = "/guardrail/g1/version/1/apply";
    for auth in [Auth::Sign, Auth::Client] {
        let target = format!("/model/x{apply}#/guardrail/g2/version/1/apply");
        assert_eq!(sent(&target, auth).unwrap(), apply);
    }
}

#[test]
fn an_id_that_bends_the_path_is_refused() {
    for id in [
        "amazon.nova-lite-v1:0/../anthropic.opus",
        "amazon.nova-lite-v1:0%2F..%2Fanthropic.opus",
        "amazon.nova-lite-v1:0%2f%2e%2e%2fanthropic.opus",
        "amazon.nova-lite-v1:0%252f%252e%252e%252fanthropic.opus",
        "amazon.nova-lite-v1:0%25252f..",
        "amazon.nova-lite-v1:0//x",
        "amazon.nova-lite-v1:0/",
        "/amazon.nova-lite-v1:0",
        "amazon.nova-lite-v1:0%3Fx",
        "amazon.nova-lite-v1:0%23x",
        "amazon.nova-lite-v1:0%0d%0ax",
        "amazon.nova-lite-v1:0%00",
        "amazon.nova-lite-v1:0%20",
        "arn:aws:bedrock:us-east-1:1:inference-profile/a%3Fb",
    ] {
        for auth in [Auth::Sign, Auth::Client] {
            let target = format!("/model/{id}/converse");
            assert_eq!(sent(&target, auth), Err(400), "{target}");
        }
    }
    // Another path is not taken for a native one, and what it names is not taken for a model.
    for target in [
        "/%6Dodel/anthropic.opus/converse",
        "/mod%65l/amazon.nova-lite-v1:0/converse",
        "/model/amazon.nova-lite-v1:0/converse/",
        "/model/amazon.nova-lite-v1:0%2Fconverse",
    ] {
        assert!(sent(target, Auth::Client).is_err(), "{target}");
    }
}

#[test]
fn a_path_that_nginx_decoded_cannot_smuggle_a_request() {
    for path in [
        "/model/amazon.nova-lite-v1:0/converse?x HTTP/1.1\r\nHost: y\r\n\r\nPOST /model/z/converse",
        "/model/amazon.nova-lite-v1:0/converse?x",
        "/model/amazon.nova-lite-v1:0/count-tokens#/model/anthropic.opus/converse",
        "/model/amazon.nova-lite-v1:0 /converse",
    ] {
        let outcome = sent(&of_decoded_path(path), Auth::Client);
        assert!(outcome.is_err(), "{path:?}: {outcome:?}");
    }
    let path = format!("/model/{ALLOWED}/converse");
    assert_eq!(sent(&of_decoded_path(&path), Auth::Client).unwrap(), path);
    // The client's own target is sent as it came, so it must be one that a request line can hold.
    for query in ["é", "a\u{7f}", "a\u{fffd}", "a b", "a\tb"] {
        let target = format!("/model/{ALLOWED}/converse?{query}");
        assert_eq!(sent(&target, Auth::Client), Err(400), "{query:?}");
        assert!(sent(&target, Auth::Sign).is_ok(), "{query:?}");
    }
}
