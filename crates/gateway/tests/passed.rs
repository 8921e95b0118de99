//! Calls that pass as they are: anything of AWS's, and what of bedrock-mantle asks no model for anything.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod common;

use std::time::UNIX_EPOCH;

use common::settings;
use gateway::bedrock::endpoint::Service;
use gateway::bedrock::{Operation, VendorApi};
use gateway::request::Purpose;
use gateway::{
    Api, Auth, Body, End, Facts, Guardrail, Plan, Refusal, Settings, StreamStatus, inspect, plan,
};

const AWS: Purpose = Purpose {
    api: Some(Api::Aws),
    service: Service::Runtime,
};
const MANTLE: Purpose = Purpose {
    api: None,
    service: Service::Mantle,
};

fn on_mantle() -> Settings<'static> {
    Settings {
        service: "bedrock-mantle",
        ..settings()
    }
}

fn planned(
    purpose: Purpose,
    line: &str,
    settings: &Settings<'_>,
    headers: &[(&str, &str)],
    body: &str,
) -> Result<Plan, Refusal> {
    let (method, target) = line.split_once(' ').unwrap();
    let request = inspect(purpose, method, target, Some(body.as_bytes()))?;
    plan(&request, settings, headers, body.as_bytes())
}

#[test]
fn any_method_path_and_query_of_aws_passes() {
    for line in [
        "GET /foundation-models?byProvider=amazon",
        "POST /knowledgebases/",
        "DELETE /guardrails/arn%3Aaws%3Ag%2F1",
        "PUT /agents/A/",
        "POST /v1/images/generations",
        "GET /v1/responses/r",
    ] {
        let plan = planned(AWS, line, &settings(), &[], "anything").unwrap();
        assert_eq!(format!("{} {}", plan.method, plan.target), line);
        assert_eq!((plan.api, plan.operation), (Api::Aws, Operation::Other));
        assert_eq!((plan.body, plan.model), (Body::Unchanged, None));
    }
}

#[test]
fn what_has_a_path_of_bedrocks_is_read_as_that() {
    let plan = planned(AWS, "POST /model/a.b%3A0/converse", &settings(), &[], "").unwrap();
    assert_eq!(plan.operation, Operation::Converse);
    assert_eq!(plan.model.as_deref(), Some("a.b:0"));
    let plan = planned(AWS, "POST /openai/v1/responses", &settings(), &[], "").unwrap();
    assert!(matches!(
        plan.operation,
        Operation::VendorApi {
            api: VendorApi::OpenAiResponses,
            ..
        }
    ));
}

#[test]
fn rules_about_models_refuse_it() {
    let guardrail = Guardrail {
        id: "g".to_owned(),
        version: "1".to_owned(),
        trace: None,
    };
    let patterns = ["a*".to_owned()];
    for (aws, settings) in [
        (
            true,
            Settings {
                model: Some("m"),
                ..settings()
            },
        ),
        (
            true,
            Settings {
                allow_models: &patterns,
                ..settings()
            },
        ),
        (
            true,
            Settings {
                max_output_tokens: Some(1),
                ..settings()
            },
        ),
        (
            true,
            Settings {
                guardrail: Some(&guardrail),
                ..settings()
            },
        ),
        (
            false,
            Settings {
                model: Some("m"),
                ..on_mantle()
            },
        ),
        (
            false,
            Settings {
                allow_models: &patterns,
                ..on_mantle()
            },
        ),
        (
            false,
            Settings {
                max_output_tokens: Some(1),
                ..on_mantle()
            },
        ),
        (
            false,
            Settings {
                guardrail: Some(&guardrail),
                ..on_mantle()
            },
        ),
    ] {
        let purpose = if aws { AWS } else { MANTLE };
        for line in ["POST /v1/completions", "PUT /v1/x", "POST /v1/cancel/x"] {
            let refusal = planned(purpose, line, &settings, &[], "{}").unwrap_err();
            assert_eq!(refusal.status, 403, "{line}");
        }
        for line in [
            "GET /v1/models",
            "DELETE /v1/responses/r",
            "POST /v1/responses/r/cancel",
        ] {
            let planned = planned(purpose, line, &settings, &[], "");
            assert_eq!(planned.is_ok(), !aws, "{line}");
        }
    }
}

#[test]
fn what_bedrock_mantle_spends_is_read_under_whatever_name_it_is_passed() {
    let purpose = Purpose {
        api: Some(Api::Aws),
        service: Service::Mantle,
    };
    for (line, api) in [
        ("POST /v1/chat/completions", Some(VendorApi::OpenAiChat)),
        (
            "POST /openai/v1/chat/completions",
            Some(VendorApi::OpenAiChat),
        ),
        ("POST /v1/%72esponses/", Some(VendorApi::OpenAiResponses)),
        (
            "POST /anthropic/v1/messages",
            Some(VendorApi::AnthropicMessages),
        ),
        (
            "POST /v1/messages/count_tokens",
            Some(VendorApi::AnthropicCountTokens),
        ),
        ("GET /v1/responses", None),
        ("POST /v1/completions", None),
    ] {
        let plan = planned(purpose, line, &on_mantle(), &[], "{}").unwrap();
        // Of what may be a stream the answer says whether it is.
        let operation = api.map_or(Operation::Other, |api| Operation::VendorApi {
            api,
            stream: !api.counts(),
        });
        assert_eq!(plan.operation, operation, "{line}");
        assert_eq!((plan.api, plan.body), (Api::Aws, Body::Unchanged), "{line}");
    }
}

#[test]
fn headers_of_aws_go_on_and_those_of_signatures_do_not() {
    let headers = [
        ("Content-Type", "application/x-amz-json-1.1"),
        ("X-Amz-Target", "T.Op"),
        ("x-amzn-bedrock-agentcore-runtime-session-id", "s"),
        ("Mcp-Session-Id", "m"),
        ("X-Amzn-Trace-Id", "Root=1"),
        ("X-Amz-Date", "leak"),
        ("X-Amz-Security-Token", "leak"),
        ("X-Amz-Content-Sha256", "leak"),
        ("Authorization", "leak"),
        ("Cookie", "leak"),
        ("Host", "leak"),
        ("Connection", "leak"),
        ("Transfer-Encoding", "leak"),
        ("amz-sdk-request", "leak"),
        ("X-Forwarded-For", "leak"),
        ("x-stainless-lang", "leak"),
    ];
    for purpose in [AWS, MANTLE] {
        let settings = if purpose.api.is_some() {
            settings()
        } else {
            on_mantle()
        };
        let plan = planned(purpose, "GET /v1/models", &settings, &headers, "").unwrap();
        let sent: Vec<&str> = plan.headers.iter().map(|(name, _)| name.as_ref()).collect();
        assert_eq!(
            sent,
            [
                "accept-encoding",
                "content-type",
                "x-amz-target",
                "x-amzn-bedrock-agentcore-runtime-session-id",
                "mcp-session-id",
                "x-amzn-trace-id"
            ]
        );
        assert!(plan.headers.iter().all(|(_, value)| value != "leak"));
        let keys = aws_credential_types::Credentials::new("K", "s", None, None, "test");
        let signed = plan.sign(&keys, "00", UNIX_EPOCH).unwrap();
        let (_, authorization) = &signed[0];
        let names = "SignedHeaders=content-type;host;x-amz-date;x-amz-target;x-amzn-bedrock-agentcore-runtime-session-id,";
        assert!(authorization.contains(names), "{authorization}");
    }
    let twice = [("x-amz-target", "a"), ("X-Amz-Target", "b")];
    let refusal = planned(AWS, "GET /", &settings(), &twice, "").unwrap_err();
    assert_eq!(refusal.status, 400);
}

#[test]
fn the_host_is_the_services() {
    for (service, host) in [
        ("bedrock", "bedrock-runtime.us-east-1.amazonaws.com"),
        (
            "bedrock-agentcore",
            "bedrock-agentcore.us-east-1.amazonaws.com",
        ),
        ("bedrock-mantle", "bedrock-mantle.us-east-1.api.aws"),
    ] {
        let settings = Settings {
            service,
            ..settings()
        };
        assert_eq!(
            planned(AWS, "GET /v1/x", &settings, &[], "").unwrap().host,
            host
        );
    }
}

#[test]
fn a_client_that_signs_has_its_target_sent_as_it_is() {
    let settings = Settings {
        auth: Auth::Client,
        ..settings()
    };
    let headers = [(
        "Authorization",
        "AWS4-HMAC-SHA256 Credential=a, SignedHeaders=host, Signature=0",
    )];
    let plan = planned(
        AWS,
        "GET /a:b?x=y+z%2f&X-Amz-Algorithm=1",
        &settings,
        &headers,
        "",
    )
    .unwrap();
    assert_eq!(plan.target, "/a:b?x=y+z%2f&X-Amz-Algorithm=1");
}

#[test]
fn mantle_has_its_paths_behind_any_prefix() {
    let body = r#"{"model":"zai.glm-4.7","input":"x"}"#;
    for (asked, sent) in [
        ("GET /v1/models?limit=5", "/v1/models?limit=5"),
        ("GET /team/openai/v1/models", "/openai/v1/models"),
        ("DELETE /a/v1/responses/resp_1", "/v1/responses/resp_1"),
        (
            "POST /v1/responses/resp_1/cancel",
            "/v1/responses/resp_1/cancel",
        ),
        (
            "POST /anthropic/v1/messages/batches",
            "/anthropic/v1/messages/batches",
        ),
        ("POST /v1/responses", "/v1/responses"),
        ("POST /x/openai/v1/responses", "/v1/responses"),
        (
            "POST /v1/responses/input_tokens",
            "/v1/responses/input_tokens",
        ),
        ("POST /v1/messages", "/anthropic/v1/messages"),
        (
            "POST /v1/messages/count_tokens",
            "/anthropic/v1/messages/count_tokens",
        ),
    ] {
        let plan = planned(MANTLE, asked, &on_mantle(), &[], body).unwrap();
        assert_eq!(plan.target, sent, "{asked}");
    }
    for line in [
        "POST /model/m/converse",
        "GET /",
        "POST /chat",
        "POST /v2/x",
    ] {
        let refusal = planned(MANTLE, line, &on_mantle(), &[], body).unwrap_err();
        assert_eq!(refusal.status, 404, "{line}");
    }
}

#[test]
fn what_was_made_in_the_background_is_counted_when_it_is_fetched() {
    let usage = r#""usage":{"input_tokens":7,"output_tokens":9,"total_tokens":16}"#;
    for (background, counted) in [("true", Some(7)), ("false", None)] {
        let answer =
            format!(r#"{{"id":"r","background":{background},"status":"completed",{usage}}}"#);
        assert_eq!(
            facts_of("GET /v1/responses/r", &answer).input_tokens,
            counted
        );
    }
}

fn facts_of(line: &str, answer: &str) -> Facts {
    let plan = planned(MANTLE, line, &on_mantle(), &[], "").unwrap();
    let header = |name: &str| (name == "content-type").then(|| "application/json".to_owned());
    let mut relay = plan.relay(200, header, UNIX_EPOCH);
    let mut out = Vec::new();
    relay.push(answer.as_bytes(), &mut out);
    relay.finish(true, &mut out);
    relay.facts().clone()
}

#[test]
fn a_path_that_is_spelt_otherwise_is_the_same_path() {
    let body = r#"{"model":"zai.glm-4.7","input":"x","messages":[]}"#;
    for (line, api) in [
        ("POST /v1/%72esponses", VendorApi::OpenAiResponses),
        ("POST /v1/chat/completion%73?x=1", VendorApi::OpenAiChat),
        ("POST /v1/chat%2Fcompletions", VendorApi::OpenAiChat),
        ("POST /v1/messages%2f", VendorApi::AnthropicMessages),
        ("POST /%76%31/responses", VendorApi::OpenAiResponses),
    ] {
        let plan = planned(MANTLE, line, &on_mantle(), &[], body).unwrap();
        let stream = false;
        assert_eq!(
            plan.operation,
            Operation::VendorApi { api, stream },
            "{line}"
        );
        assert_eq!(plan.model.as_deref(), Some("zai.glm-4.7"), "{line}");
    }
    for (target, operation) in [
        ("/model/a.b/c%6Fnverse", Operation::Converse),
        ("/%6Dodel/a.b/invoke", Operation::Invoke),
        ("/model/a.b/conv%65rse-stream", Operation::ConverseStream),
    ] {
        let plan = planned(AWS, &format!("POST {target}"), &settings(), &[], "").unwrap();
        assert_eq!(plan.operation, operation, "{target}");
        assert_eq!(plan.model.as_deref(), Some("a.b"), "{target}");
    }
}

#[test]
fn only_what_was_begun_is_cancelled() {
    let patterns = ["a*".to_owned()];
    let settings = Settings {
        allow_models: &patterns,
        ..on_mantle()
    };
    for (path, passes) in [
        ("/v1/responses/resp_1/cancel", true),
        ("/openai/v1/batches/b-1/cancel", true),
        ("/anthropic/v1/messages/batches/b/cancel", true),
        ("/v1/responses/cancel", false),
        ("/v1/responses//cancel", false),
        ("/v1/chat/completions/cancel", false),
        ("/v1/chat/completions%3F/cancel", false),
        ("/v1/responses%23/x/cancel", false),
        ("/v1/responses/x%3F/cancel", false),
        ("/anthropic/v1/messages/cancel", false),
        ("/v1/completions/x/cancel", false),
    ] {
        let planned = planned(MANTLE, &format!("POST {path}"), &settings, &[], "{}");
        match passes {
            true => assert!(planned.is_ok(), "{path}"),
            false => assert_eq!(planned.unwrap_err().status, 403, "{path}"),
        }
    }
}

#[test]
fn a_signature_in_the_query_is_refused_however_it_is_spelt() {
    for query in [
        "X-Amz-Signature=1",
        "a=1&x-amz-credential=2",
        "X-Amz%2DSignature=1",
        "%58-Amz-Algorithm",
    ] {
        let refusal = planned(AWS, &format!("GET /a?{query}"), &settings(), &[], "").unwrap_err();
        assert!(refusal.message.contains("without the signature"), "{query}");
    }
}

#[test]
fn a_body_that_was_decompressed_is_not_called_compressed() {
    let headers = [("Content-Encoding", "gzip"), ("Content-Type", "text/plain")];
    for (purpose, settings, sent) in [(AWS, settings(), true), (MANTLE, on_mantle(), false)] {
        let plan = planned(purpose, "POST /v1/files", &settings, &headers, "x").unwrap();
        let is_sent = plan
            .headers
            .iter()
            .any(|(name, _)| name == "content-encoding");
        assert_eq!(is_sent, sent);
    }
}

#[test]
fn the_order_of_members_makes_no_difference() {
    let usage = r#""usage":{"input_tokens":7,"output_tokens":9}"#;
    for (background, counted) in [("true", Some(7)), ("false", None)] {
        let answer = format!(r#"{{{usage},"id":"r","background":{background}}}"#);
        let facts = facts_of("GET /v1/responses/r", &answer);
        assert_eq!(facts.input_tokens, counted, "{answer}");
    }
}

#[test]
fn what_a_request_of_any_other_path_spends_is_counted() {
    let answer =
        r#"{"object":"text_completion","usage":{"prompt_tokens":7,"completion_tokens":9}}"#;
    for (line, counted) in [
        ("POST /v1/completions", Some(7)),
        ("POST /v1/responses/compact", Some(7)),
        ("GET /v1/completions/c", None),
        ("POST /v1/responses/r/cancel", None),
    ] {
        assert_eq!(facts_of(line, answer).input_tokens, counted, "{line}");
    }
}

#[test]
fn a_background_response_is_counted_where_its_stream_is_fetched() {
    let stream = "event: response.completed\ndata: {\"type\":\"response.completed\",\"response\":{\"status\":\"completed\",\
         \"background\":true,\"usage\":{\"input_tokens\":7,\"output_tokens\":9}}}\n\n";
    let plan = planned(
        MANTLE,
        "GET /v1/responses/resp_1?stream=true",
        &on_mantle(),
        &[],
        "",
    )
    .unwrap();
    let header = |name: &str| (name == "content-type").then(|| "text/event-stream".to_owned());
    for cut in 1..stream.len() {
        let mut relay = plan.relay(200, header, UNIX_EPOCH);
        let mut out = Vec::new();
        for piece in stream.as_bytes().chunks(cut) {
            relay.push(piece, &mut out);
        }
        assert_eq!(relay.finish(true, &mut out), End::Clean);
        assert!(out.is_empty());
        let facts = relay.facts();
        assert_eq!(
            (facts.input_tokens, facts.output_tokens),
            (Some(7), Some(9))
        );
        assert_eq!(facts.stream, Some(StreamStatus::Complete));
    }
}

#[test]
fn an_event_stream_without_events_is_an_answer() {
    let plan = planned(AWS, "POST /flows/f", &settings(), &[], "").unwrap();
    let header = |name: &str| {
        (name == "content-type").then(|| "application/vnd.amazon.eventstream".to_owned())
    };
    let mut relay = plan.relay(200, header, UNIX_EPOCH);
    assert_eq!(relay.finish(true, &mut Vec::new()), End::Clean);
    assert!(!relay.holds());
}
