//! From a client's request to what goes to Bedrock, through the crate's public face.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod common;
#[path = "common/planning.rs"]
mod planning;

use common::settings;
use gateway::bedrock::Operation;
use gateway::{Api, Body, Refusal, Settings, inspect, plan};
use planning::{JSON, header, planned, sent};

const MODEL: &str = "anthropic.claude-3-haiku-20240307-v1:0";

fn refused(target: &str, settings: &Settings<'_>, body: &str) -> Refusal {
    planned(target, settings, &[JSON], body).unwrap_err()
}

#[test]
fn every_operation_is_known_behind_any_prefix() {
    for (verb, operation, stream) in [
        ("converse", Operation::Converse, false),
        ("converse-stream", Operation::ConverseStream, true),
        ("invoke", Operation::Invoke, false),
        ("invoke-with-response-stream", Operation::InvokeStream, true),
        ("count-tokens", Operation::CountTokens, false),
    ] {
        for api in [None, Some(Api::Native)] {
            for prefix in [
                "",
                "/",
                "/team-a",
                "/a/b/c",
                "/model/x",
                "/guardrail/g/version/1",
            ] {
                let target = format!("{prefix}/model/{MODEL}/{verb}?x=1");
                let request = inspect(api, "POST", &target, None).unwrap();
                assert_eq!(request.operation, Some(operation), "{target}");
                assert_eq!(request.requested_model.as_deref(), Some(MODEL));
                assert_eq!((request.api, request.stream), (Api::Native, stream));
                assert!(!request.needs_body());
                let plan = plan(&request, &settings(), &[JSON], b"{}").unwrap();
                let path = format!("/model/anthropic.claude-3-haiku-20240307-v1%3A0/{verb}");
                assert_eq!(plan.target, path);
                assert_eq!(plan.operation, operation);
            }
        }
    }
    let target =
        "/p/guardrail/arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Aguardrail%2Fab/version/DRAFT/apply";
    let plan = planned(target, &settings(), &[JSON], "{}").unwrap();
    assert_eq!(plan.operation, Operation::ApplyGuardrail);
    assert_eq!((plan.target.as_str(), plan.model), (&target[2..], None));
}

#[test]
fn an_id_is_encoded_once_however_it_was_spelt() {
    let arn = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc";
    let encoded = arn.replace(':', "%3A").replace('/', "%2F");
    for spelt in [
        arn.to_owned(),
        arn.replace('/', "%2f"),
        encoded.clone(),
        encoded.replace('%', "%25"),
    ] {
        let plan = planned(
            &format!("/model/{spelt}/converse"),
            &settings(),
            &[JSON],
            "{}",
        )
        .unwrap();
        assert_eq!(plan.target, format!("/model/{encoded}/converse"));
        assert_eq!(plan.model.as_deref(), Some(arn));
        // As a model in the body, and as the operator's.
        let body = format!(r#"{{"model":"{arn}"}}"#);
        let plan = planned("/chat", &settings(), &[JSON], &body).unwrap();
        assert_eq!(plan.target, format!("/model/{encoded}/converse"));
        let operators = Settings {
            model: Some(arn),
            ..settings()
        };
        let plan = planned("/model/x/invoke", &operators, &[JSON], "{}").unwrap();
        assert_eq!(plan.target, format!("/model/{encoded}/invoke"));
    }
}

#[test]
fn the_plain_form_loses_model_and_stream_and_nothing_else() {
    for (body, goes_on) in [
        (r#"{"model":"m","messages":[]}"#, r#"{"messages":[]}"#),
        (r#"{"messages":[],"model":"m"}"#, r#"{"messages":[]}"#),
        (
            r#"{"a":[],"model":"m","x":1.50e+1}"#,
            r#"{"a":[],"x":1.50e+1}"#,
        ),
        (r#" { "model" : "m" } "#, r#" {  } "#),
        (
            r#"{"mod\u0065l":"m","z":"\u00e9\/🦀"}"#,
            r#"{"z":"\u00e9\/🦀"}"#,
        ),
        (
            r#"{"a":{"model":"x","stream":1},"model":"m"}"#,
            r#"{"a":{"model":"x","stream":1}}"#,
        ),
        (
            r#"{"x":12345678901234567890123,"model":"m","x":0.10}"#,
            r#"{"x":12345678901234567890123,"x":0.10}"#,
        ),
        (
            "\n{ \"a\" :\t[ 1 , 2 ] ,\r\n \"model\" : \"m\" ,\"b\":{ } }\n",
            "\n{ \"a\" :\t[ 1 , 2 ] ,\"b\":{ } }\n",
        ),
        (r#"{"stream":false,"model":"m","a":1}"#, r#"{"a":1}"#),
    ] {
        let plan = planned("/any/path", &settings(), &[JSON], body).unwrap();
        assert_eq!(sent(&plan, body), goes_on);
        assert_eq!(plan.target, "/model/m/converse");
        assert_eq!(plan.api, Api::Converse);
    }
    for body in [
        r#"{"model":"m","stream":true,"a":1,"b":2}"#,
        r#"{"stream":true,"a":1,"model":"m","b":2}"#,
        r#"{"stream":true,"a":1,"b":2,"model":"m"}"#,
        r#"{"a":1,"stream":true,"model":"m","b":2}"#,
        r#"{"a":1,"model":"m","b":2,"stream":true}"#,
    ] {
        let plan = planned("/any/path", &settings(), &[JSON], body).unwrap();
        assert_eq!(sent(&plan, body), r#"{"a":1,"b":2}"#);
        assert_eq!(plan.target, "/model/m/converse-stream");
    }
    let operators = Settings {
        model: Some("m"),
        ..settings()
    };
    let plan = planned("/chat", &operators, &[JSON], r#"{"messages":[] }"#).unwrap();
    assert_eq!(plan.body, Body::Unchanged);
}

#[test]
fn what_is_wrong_is_refused_with_its_status() {
    let stream_of =
        |target, method, body: &str| inspect(None, method, target, Some(body.as_bytes()));
    for body in [
        "",
        "{",
        "[]",
        "null",
        "{}x",
        r#"{"model":1}"#,
        r#"{"model":"a","model":"b"}"#,
        r#"{"stream":1}"#,
        "{\"a\":\"\u{1}\"}",
    ] {
        assert_eq!(
            stream_of("/chat", "POST", body).unwrap_err().status,
            400,
            "{body}"
        );
    }
    for (target, body) in [
        ("/chat", "{}"),
        ("/chat", r#"{"model":""}"#),
        ("/chat", r#"{"model":null}"#),
        ("/model/m/converse", "{"),
        ("/model/m/converse-stream", "[]"),
    ] {
        let refusal = refused(target, &settings(), body);
        assert_eq!(
            (refusal.status, refusal.exception.as_ref()),
            (400, "ValidationException"),
            "{target} {body}"
        );
    }
    for method in ["GET", "PUT", "post", ""] {
        for target in ["/model/m/converse", "/v1/messages"] {
            assert_eq!(inspect(None, method, target, None).unwrap_err().status, 405);
        }
    }
    assert_eq!(
        inspect(Some(Api::Native), "POST", "/chat", None)
            .unwrap_err()
            .status,
        404
    );
    let unread = inspect(None, "POST", "/chat", None).unwrap();
    assert!(unread.needs_body());
    assert_eq!(
        plan(&unread, &settings(), &[JSON], b"{}")
            .unwrap_err()
            .status,
        400
    );
}

#[test]
fn converse_takes_json_only_and_invoke_any_type() {
    for (sent, status) in [
        ("application/json", None),
        ("Application/JSON; charset=utf-8", None),
        ("text/plain", Some(415)),
        ("application/jsonp", Some(415)),
        ("multipart/form-data; x=application/json", Some(415)),
    ] {
        let headers = [("Content-Type", sent)];
        let outcome = planned("/model/m/converse", &settings(), &headers, "{}");
        assert_eq!(
            outcome.err().map(|refusal| refusal.status),
            status,
            "{sent}"
        );
        let plan = planned("/model/m/invoke", &settings(), &headers, "\u{7f}").unwrap();
        assert_eq!(header(&plan, "content-type"), Some(sent));
        assert_eq!(plan.body, Body::Unchanged);
    }
    let plan = planned("/model/m/converse", &settings(), &[], "{}").unwrap();
    assert_eq!(header(&plan, "content-type"), Some("application/json"));
}

#[test]
fn the_allow_list_sees_the_decoded_id_that_will_be_called() {
    let allowed = [
        "anthropic.*".to_owned(),
        "*:inference-profile/us.*v1:0".to_owned(),
    ];
    for (target, model, right) in [
        ("/model/anthropic.c/converse", None, true),
        ("/model/anthropic%2Ec%3A0/converse", None, true),
        ("/model/anthropic%252Ec/converse", None, true),
        ("/model/meta.l/converse", None, false),
        ("/model/m%65ta.l/invoke", None, false),
        ("/model/xanthropic.c/invoke", None, false),
        (
            "/model/arn:aws:bedrock:us-east-1:1:inference-profile%2Fus.x-v1:0/invoke",
            None,
            true,
        ),
        // The operator's model is what is called, whatever the client named.
        ("/model/anthropic.c/converse", Some("meta.l"), false),
        ("/model/meta.l/converse", Some("anthropic.c"), true),
        ("/model/meta.l/count-tokens", Some(""), false),
    ] {
        let rules = Settings {
            allow_models: &allowed,
            model,
            ..settings()
        };
        match planned(target, &rules, &[JSON], "{}") {
            Ok(_) => assert!(right, "{target} {model:?}"),
            Err(refusal) => {
                assert!(!right, "{target} {model:?}");
                assert_eq!(
                    (refusal.status, refusal.exception.as_ref()),
                    (403, "AccessDeniedException")
                );
            }
        }
    }
    let rules = Settings {
        allow_models: &allowed,
        ..settings()
    };
    assert_eq!(
        refused("/chat", &rules, r#"{"model":"meta.l"}"#).status,
        403
    );
    assert!(planned("/chat", &rules, &[JSON], r#"{"model":"anthropic.c"}"#).is_ok());
}

#[test]
fn no_id_can_bend_the_path() {
    for id in [
        "..",
        "a%2F..%2Fb",
        "a/../b",
        "%2e%2e",
        "a%252F..",
        ".%252E",
        "a%0d%0aHost:x",
        "a%00",
        "a%20b",
        "a%0A",
        "a%3Fx",
        "a%23x",
        "a%7f",
        "%C3%A9",
        "%ff",
        "%",
        "%2",
        "a%25252Fb",
        "a//b",
        "/a",
        "%2Fa",
        "a%2F",
        "./a",
        "",
    ] {
        for target in [
            format!("/model/{id}/converse"),
            format!("/guardrail/{id}/version/1/apply"),
        ] {
            let refusal = refused(&target, &settings(), "{}");
            assert_eq!(refusal.status, 400, "{target}");
            assert!(
                id.len() < 3 || !refusal.message.contains(id),
                "{}",
                refusal.message
            );
        }
    }
    for id in ["a\\r\\nX: y", "..", "a b", "a\\u0000", "%2e%2e", "é"] {
        assert_eq!(
            refused("/chat", &settings(), &format!(r#"{{"model":"{id}"}}"#)).status,
            400
        );
    }
    assert_eq!(
        refused("/guardrail/g/version/1%0d%0a/apply", &settings(), "{}").status,
        400
    );
}

#[test]
fn a_byte_order_mark_is_no_part_of_the_json() {
    for (target, body) in [
        ("/model/a.model/converse", r#"{"messages":[]}"#.to_owned()),
        ("/model/a.model/invoke", r#"{"prompt":"x"}"#.to_owned()),
        ("/chat", r#"{"model":"a.model","messages":[]}"#.to_owned()),
        (
            "/v1/chat/completions",
            r#"{"model":"a.model","messages":[{"role":"user","content":"Hi"}]}"#.to_owned(),
        ),
        (
            "/v1/messages",
            format!(
                r#"{{"model":"{MODEL}","max_tokens":9,"messages":[{{"role":"user","content":"Hi"}}]}}"#
            ),
        ),
    ] {
        let marked = format!("\u{feff}{body}");
        let plain = planned(target, &settings(), &[JSON], &body).unwrap();
        let plan = planned(target, &settings(), &[JSON], &marked).unwrap();
        assert_eq!(sent(&plan, &marked), sent(&plain, &body), "{target}");
        assert_eq!(
            plan.body.sha256_hex(marked.as_bytes()),
            plain.body.sha256_hex(body.as_bytes())
        );
    }
    // What is no JSON goes as it is.
    let marked = "\u{feff}text";
    let plan = planned(
        "/model/a.model/invoke",
        &settings(),
        &[("Content-Type", "text/plain")],
        marked,
    );
    assert_eq!(plan.unwrap().body, Body::Unchanged);
}

#[test]
fn paths_that_are_nobodys_here_are_not_found() {
    for (api, method, target, named) in [
        (Api::OpenAi, "POST", "/v1/images/generations", "images"),
        (Api::OpenAi, "POST", "/llm/v1/audio/speech", "audio"),
        (Api::Responses, "POST", "/v1/responses/compact", "compact"),
        (Api::Responses, "GET", "/v1/responses/resp_1", "stored"),
        (Api::OpenAi, "GET", "/v1/files/f1", "files"),
        (Api::Anthropic, "POST", "/v1/messages/batches", "batches"),
        (Api::Converse, "GET", "/", "POST"),
        (Api::Converse, "HEAD", "/", "POST"),
        (Api::Converse, "GET", "/favicon.ico", "POST"),
    ] {
        assert_eq!(Api::of(target), api, "{target}");
        for body in [
            None,
            Some(br#"{"model":"a.model","messages":[]}"#.as_slice()),
        ] {
            let refusal = inspect(None, method, target, body).unwrap_err();
            assert_eq!(refusal.status, 404, "{target}");
            assert!(refusal.message.contains(named), "{}", refusal.message);
        }
    }
    // A location that says what its clients speak has no other paths.
    assert!(inspect(Some(Api::Converse), "POST", "/v1/completions", None).is_ok());
    let refusal = inspect(Some(Api::OpenAi), "POST", "/v1/completions", None).unwrap_err();
    assert_eq!(refusal.status, 404);
    assert_eq!(
        inspect(None, "GET", "/v1/messages", None)
            .unwrap_err()
            .status,
        405
    );
    assert_eq!(inspect(None, "PUT", "/chat", None).unwrap_err().status, 405);
}
