//! What a plan says besides path and body: headers, host, and whose authorization it carries.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod common;

use std::time::{Duration, UNIX_EPOCH};

use aws_credential_types::Credentials;
use common::settings;
use gateway::{Auth, Body, Guardrail, Plan, Refusal, Settings, inspect, plan};

fn planned(
    target: &str,
    settings: &Settings<'_>,
    headers: &[(&str, &str)],
) -> Result<Plan, Refusal> {
    let request = inspect(None, "POST", target, Some(b"{}"))?;
    plan(&request, settings, headers, b"{}")
}

fn pairs(plan: &Plan) -> Vec<(&str, &str)> {
    let headers = plan.headers.iter();
    let mut pairs: Vec<_> = headers
        .map(|(name, value)| (name.as_ref(), value.as_str()))
        .collect();
    pairs.sort_unstable();
    pairs
}

/// Headers that SDKs, browsers and proxies send and Bedrock must not see.
const NEVER: [&str; 24] = [
    "Authorization",
    "X-Amz-Date",
    "X-Amz-Security-Token",
    "X-Amz-Content-Sha256",
    "amz-sdk-invocation-id",
    "amz-sdk-request",
    "Cookie",
    "x-api-key",
    "api-key",
    "Expect",
    "TE",
    "Transfer-Encoding",
    "Connection",
    "Upgrade",
    "Host",
    "Content-Length",
    "x-forwarded-for",
    "X-Forwarded-Host",
    "Forwarded",
    "openai-organization",
    "anthropic-version",
    "anthropic-beta",
    "x-stainless-lang",
    "x-amzn-trace-id",
];

#[test]
fn only_listed_headers_go_on() {
    let mut headers: Vec<(&str, &str)> = NEVER.iter().map(|name| (*name, "leak")).collect();
    headers.extend([
        ("Content-Type", "application/json"),
        ("Accept-Encoding", "gzip, br"),
        ("Accept", "text/plain"),
        ("User-Agent", "Boto3/1"),
        ("X-Amzn-Bedrock-Trace", "ENABLED"),
        ("X-Amzn-Bedrock-Service-Tier", "flex"),
        ("X-Amzn-Bedrock-GuardrailIdentifier", "theirs"),
        ("X-Amzn-Bedrock-New", "x"),
    ]);
    let always = [
        ("accept-encoding", "identity"),
        ("content-type", "application/json"),
        ("user-agent", "Boto3/1"),
    ];
    for target in [
        "/model/m/converse",
        "/model/m/converse-stream",
        "/model/m/count-tokens",
        "/guardrail/g/version/1/apply",
    ] {
        let plan = planned(target, &settings(), &headers).unwrap();
        assert_eq!(pairs(&plan), always, "{target}");
    }
    for target in ["/model/m/invoke", "/model/m/invoke-with-response-stream"] {
        let plan = planned(target, &settings(), &headers).unwrap();
        let expected = [
            ("accept", "text/plain"),
            always[0],
            always[1],
            always[2],
            ("x-amzn-bedrock-guardrailidentifier", "theirs"),
            ("x-amzn-bedrock-service-tier", "flex"),
            ("x-amzn-bedrock-trace", "ENABLED"),
        ];
        assert_eq!(pairs(&plan), expected, "{target}");
    }
}

#[test]
fn the_operators_guardrail_headers_replace_the_clients() {
    let client = [
        ("X-Amzn-Bedrock-Trace", "ENABLED"),
        ("X-Amzn-Bedrock-GuardrailIdentifier", "theirs"),
        ("X-Amzn-Bedrock-GuardrailVersion", "9"),
    ];
    for (trace, sent) in [(None, None), (Some("enabled_full"), Some("ENABLED_FULL"))] {
        let guardrail = Guardrail {
            id: "ours".into(),
            version: "1".into(),
            trace: trace.map(str::to_owned),
        };
        let rules = Settings {
            guardrail: Some(&guardrail),
            ..settings()
        };
        let plan = planned("/model/m/invoke", &rules, &client).unwrap();
        let mut expected = vec![
            ("accept-encoding", "identity"),
            ("content-type", "application/json"),
            ("x-amzn-bedrock-guardrailidentifier", "ours"),
            ("x-amzn-bedrock-guardrailversion", "1"),
        ];
        expected.extend(sent.map(|trace| ("x-amzn-bedrock-trace", trace)));
        assert_eq!(pairs(&plan), expected);
    }
}

#[test]
fn a_signature_covers_what_no_proxy_changes() {
    let headers = [
        ("content-type", "application/json"),
        ("user-agent", "x"),
        ("accept", "a/b"),
        ("x-amzn-bedrock-trace", "ENABLED"),
    ];
    let plan = planned("/model/a:0/invoke", &settings(), &headers).unwrap();
    let credentials = Credentials::new("AKIDEXAMPLE", "secret", Some("token".into()), None, "test");
    let now = UNIX_EPOCH + Duration::from_secs(1_768_480_496);
    let hash = Body::Unchanged.sha256_hex(b"{}");
    let signed = plan.sign(&credentials, &hash, now).unwrap();
    let names: Vec<_> = signed.iter().map(|(name, _)| *name).collect();
    assert_eq!(names.len(), 3);
    for name in ["authorization", "x-amz-date", "x-amz-security-token"] {
        assert!(names.contains(&name), "{name}");
        assert!(!plan.headers.iter().any(|(sent, _)| sent == name));
    }
    let authorization = &signed
        .iter()
        .find(|(name, _)| *name == "authorization")
        .unwrap()
        .1;
    let list =
        "SignedHeaders=content-type;host;x-amz-date;x-amz-security-token;x-amzn-bedrock-trace,";
    assert!(authorization.contains(list), "{authorization}");
    assert!(authorization.contains("/us-east-1/bedrock/aws4_request"));
    assert_eq!(plan.sign(&credentials, &hash, now).unwrap(), signed);
}

#[test]
fn the_host_is_the_regions_or_the_operators() {
    for (region, host) in [
        ("us-east-1", "amazonaws.com"),
        ("us-gov-west-1", "amazonaws.com"),
        ("cn-northwest-1", "amazonaws.com.cn"),
        ("eusc-de-east-1", "amazonaws.eu"),
        ("us-iso-west-1", "c2s.ic.gov"),
        ("us-isob-east-1", "sc2s.sgov.gov"),
        ("us-isof-south-1", "csp.hci.ic.gov"),
        ("eu-isoe-west-1", "cloud.adc-e.uk"),
        ("eu-central-1", "amazonaws.com"),
    ] {
        let rules = Settings {
            region,
            ..settings()
        };
        let plan = planned("/model/m/converse", &rules, &[]).unwrap();
        assert_eq!(plan.host, format!("bedrock-runtime.{region}.{host}"));
        assert_eq!(plan.region, region);
    }
    for host in [
        "127.0.0.1:8080",
        "vpce-1.bedrock-runtime.us-east-1.vpce.amazonaws.com",
        "[::1]:443",
        "[::1]",
    ] {
        let rules = Settings {
            endpoint: Some(host),
            ..settings()
        };
        assert_eq!(
            planned("/model/m/converse", &rules, &[]).unwrap().host,
            host
        );
    }
}

#[test]
fn settings_that_would_bend_a_header_are_the_operators_fault() {
    let evil = [
        "",
        "a b",
        "a\r\nX: y",
        "a/b",
        "a\0",
        "a@b",
        "https://a",
        "a:b",
        "a:+80",
        "a:",
        "[::1",
        "[::1]x",
        "[::1]\r\nX: y",
        "[::1]:80\r\nX: y",
        "[]",
        "é",
    ];
    let endpoints = evil.map(|endpoint| Settings {
        endpoint: Some(endpoint),
        ..settings()
    });
    let regions = evil.map(|region| Settings {
        region,
        ..settings()
    });
    let services = evil.map(|service| Settings {
        service,
        ..settings()
    });
    for rules in endpoints.iter().chain(&regions).chain(&services) {
        let refusal = planned("/model/m/converse", rules, &[]).unwrap_err();
        assert_eq!(refusal.status, 500, "{rules:?}");
        assert!(!refusal.message.contains("X: y"));
        let log = refusal.log.unwrap();
        assert!(!log.contains(['\r', '\n', '\0']), "{log}");
    }
}

fn clients_own(settings: Settings<'static>) -> Settings<'static> {
    Settings {
        auth: Auth::Client,
        ..settings
    }
}

const SIGNED: &str = "AWS4-HMAC-SHA256 Credential=A/20260101/us-east-1/bedrock/aws4_request, \
                      SignedHeaders=amz-sdk-request;content-type;host;x-amz-date, Signature=0";

#[test]
fn without_the_gateways_signature_the_clients_passes_untouched() {
    let headers = [
        ("Host", "gateway.local:8080"),
        ("Authorization", SIGNED),
        ("Content-Type", "application/json; x=1"),
        ("X-Amz-Date", "20260101T000000Z"),
        ("X-Amz-Security-Token", "token"),
        ("amz-sdk-request", "attempt=1"),
        ("amz-sdk-invocation-id", "1"),
        ("Cookie", "leak"),
        ("User-Agent", "Boto3/1"),
    ];
    // Raw, once and twice encoded: what was signed is what is sent.
    for id in ["a:0", "a%3A0", "a%3a0", "a%253A0"] {
        let target = format!("/prefix/model/{id}/converse?b=2&a=%31");
        let plan = planned(&target, &clients_own(settings()), &headers).unwrap();
        assert_eq!(plan.target, target["/prefix".len()..]);
        assert_eq!(plan.host, "gateway.local:8080");
        assert_eq!(plan.body, Body::Unchanged);
        let expected = [
            ("accept-encoding", "identity"),
            ("amz-sdk-request", "attempt=1"),
            ("authorization", SIGNED),
            ("content-type", "application/json; x=1"),
            ("user-agent", "Boto3/1"),
            ("x-amz-date", "20260101T000000Z"),
            ("x-amz-security-token", "token"),
        ];
        assert_eq!(pairs(&plan), expected);
    }
    // A key does not sign the host.
    let key = [("authorization", "Bearer k"), ("host", "gateway.local")];
    let plan = planned("/model/m/invoke", &clients_own(settings()), &key).unwrap();
    assert_eq!(plan.host, "bedrock-runtime.us-east-1.amazonaws.com");
}

#[test]
fn nothing_of_the_connection_passes_even_if_the_client_signed_it() {
    let of_the_connection = [
        "connection",
        "content-length",
        "cookie",
        "expect",
        "keep-alive",
        "proxy-authorization",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    ];
    let authorization = format!(
        "AWS4-HMAC-SHA256 SignedHeaders={}, Signature=0",
        of_the_connection.join(";")
    );
    let mut headers = vec![("authorization", authorization.as_str())];
    headers.extend(of_the_connection.map(|name| (name, "chunked")));
    let plan = planned("/model/m/invoke", &clients_own(settings()), &headers).unwrap();
    for (name, _) in &plan.headers {
        assert!(!of_the_connection.contains(&name.as_ref()), "{name}");
    }
}

#[test]
fn without_the_gateways_signature_nothing_may_change() {
    let guardrail = Box::leak(Box::new(Guardrail {
        id: "g".into(),
        version: "1".into(),
        trace: None,
    }));
    let refused = |target: &str, rules: Settings<'static>, headers: &[(&str, &str)]| {
        let refusal = planned(target, &clients_own(rules), headers).unwrap_err();
        (refusal.status, refusal.exception.into_owned())
    };
    let missing = (403, "MissingAuthenticationTokenException".to_owned());
    assert_eq!(refused("/model/m/converse", settings(), &[]), missing);
    let denied = (403, "AccessDeniedException".to_owned());
    let signed = [("authorization", SIGNED)];
    for (target, rules) in [
        (
            "/model/m/converse",
            Settings {
                model: Some("other"),
                ..settings()
            },
        ),
        (
            "/model/m/converse",
            Settings {
                max_output_tokens: Some(1),
                ..settings()
            },
        ),
        (
            "/model/m/converse",
            Settings {
                guardrail: Some(guardrail),
                ..settings()
            },
        ),
        (
            "/model/m/invoke",
            Settings {
                guardrail: Some(guardrail),
                ..settings()
            },
        ),
        (
            "/chat",
            Settings {
                model: Some("m"),
                ..settings()
            },
        ),
    ] {
        assert_eq!(
            refused(target, rules.clone(), &signed),
            denied,
            "{target} {rules:?}"
        );
    }
    let same = Settings {
        model: Some("m"),
        ..settings()
    };
    assert!(planned("/model/m/converse", &clients_own(same), &signed).is_ok());
}

#[test]
fn what_a_signature_would_cover_ambiguously_is_refused() {
    let invoke = "/model/m/invoke";
    let messages = "/v1/messages";
    for name in [
        "content-type",
        "x-amzn-bedrock-trace",
        "X-Amzn-Bedrock-Request-Metadata",
    ] {
        for value in ["a\tb", "é", "a\u{fffd}", "a\u{7f}b", "a\u{b}b", "\u{85}"] {
            let refusal = planned(invoke, &settings(), &[(name, value)]).unwrap_err();
            assert_eq!(
                (refusal.status, refusal.log),
                (400, None),
                "{name}: {value:?}"
            );
        }
        let twice = [(name, "a"), (name, "a")];
        let refusal = planned(invoke, &settings(), &twice).unwrap_err();
        assert_eq!(refusal.status, 400, "{name}");
        // Blanks in a row are one to every signer.
        assert!(planned(invoke, &settings(), &[(name, "a  b;c=\"~\"")]).is_ok());
    }
    for (name, value, good) in [
        ("user-agent", "a\u{7f}", false),
        ("user-agent", "a\u{b}", false),
        ("user-agent", "a\u{fffd}", false),
        ("user-agent", "a\tb é", true),
        ("accept", "\u{1}", false),
        ("cookie", "\u{7f}", true),
        ("x-other", "\u{1}", true),
        ("x-claude-code-session-id", "a\u{7f}", false),
    ] {
        let outcome = planned(invoke, &settings(), &[(name, value)]);
        assert_eq!(outcome.is_ok(), good, "{name}: {value:?}");
        if let Err(refusal) = outcome {
            assert_eq!((refusal.status, refusal.log), (400, None));
        }
    }
    let long = "x".repeat(2049);
    let session = [("x-claude-code-session-id", long.as_str())];
    assert_eq!(
        planned(invoke, &settings(), &session).unwrap_err().status,
        400
    );
    let body =
        br#"{"model":"anthropic.c","max_tokens":5,"messages":[{"role":"user","content":"x"}]}"#;
    let request = inspect(None, "POST", messages, Some(body)).unwrap();
    let odd = [("x-amzn-bedrock-trace", "\u{7f}")];
    let refusal = plan(&request, &settings(), &odd, body).unwrap_err();
    assert_eq!(refusal.status, 400);
    // The client's own signature covers what it sent; only what no header may hold is refused.
    let own = clients_own(settings());
    let signed = [("authorization", SIGNED), ("x-amz-meta", "a\u{7f}")];
    let refusal = planned("/model/m/converse", &own, &signed).unwrap_err();
    assert_eq!(refusal.status, 400);
}

#[test]
fn a_name_that_becomes_a_variable_is_text_and_not_too_long() {
    let long = "x".repeat(2049);
    let just = "x".repeat(2048);
    for (name, good) in [
        ("x\r\nContent-Length: 0\r\n\r\nPOST /", false),
        ("a\u{0}", false),
        ("a\u{7f}", false),
        ("a\u{85}", false),
        ("a\tb", false),
        (long.as_str(), false),
        (just.as_str(), true),
        ("my own name é", true),
    ] {
        let encoded: String = name.bytes().map(|byte| format!("%{byte:02x}")).collect();
        let body = serde_json::json!({ "model": name, "messages": [] }).to_string();
        let escaped = body
            .replace('\u{85}', "\\u0085")
            .replace('\u{7f}', "\\u007f");
        for (target, method, body) in [
            ("/chat".to_owned(), "POST", body.as_str()),
            ("/chat".to_owned(), "POST", escaped.as_str()),
            ("/v1/chat/completions".to_owned(), "POST", body.as_str()),
            ("/v1/messages".to_owned(), "POST", body.as_str()),
            ("/openai/v1/responses".to_owned(), "POST", body.as_str()),
            (format!("/model/{encoded}/converse"), "POST", "{}"),
            (format!("/v1/models/{encoded}"), "GET", ""),
        ] {
            let found = inspect(None, method, &target, Some(body.as_bytes()));
            match (good, found) {
                (true, found) => assert_eq!(found.unwrap().requested_model.as_deref(), Some(name)),
                (false, found) => assert_eq!(found.unwrap_err().status, 400, "{target} {name:?}"),
            }
        }
    }
}
