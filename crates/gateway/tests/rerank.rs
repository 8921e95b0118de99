//! Cohere's Rerank: requests into InvokeModel of both vendors, and their answers back.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod common;
#[path = "common/planning.rs"]
mod planning;
#[path = "common/stream.rs"]
#[allow(dead_code)]
mod stream;

use common::settings;
use gateway::bedrock::Operation;
use gateway::{Api, Guardrail, Segment, Settings, inspect};
use planning::{JSON, header, planned, sent};
use stream::{Ending, Outcome, fed, relay_of};

const V1: &str = "/v1/rerank";
const V2: &str = "/v2/rerank";
const COHERE: &str = "cohere.rerank-v3-5:0";
const AMAZON: &str = "amazon.rerank-v1:0";

fn body(model: &str, members: &str) -> String {
    format!(r#"{{"model":"{model}",{members}}}"#)
}

fn goes_out(path: &str, model: &str, members: &str) -> String {
    let body = body(model, members);
    let plan = planned(path, &settings(), &[JSON], &body).unwrap();
    sent(&plan, &body)
}

#[test]
fn it_is_an_invoke_of_the_model() {
    for path in [V1, V2, "/team/v1/rerank/", "/v2/rerank?x=1"] {
        let body = body(AMAZON, r#""query":"q","documents":["a"],"stream":true"#);
        let headers = [
            JSON,
            ("accept", "*/*"),
            ("x-amzn-bedrock-trace", "ENABLED"),
            ("x-client-name", "c"),
        ];
        let plan = planned(path, &settings(), &headers, &body).unwrap();
        assert_eq!((plan.api, plan.operation), (Api::Cohere, Operation::Invoke));
        assert_eq!(plan.target, "/model/amazon.rerank-v1%3A0/invoke");
        assert_eq!(header(&plan, "content-type"), Some("application/json"));
        for name in ["accept", "x-amzn-bedrock-trace", "x-client-name"] {
            assert_eq!(header(&plan, name), None);
        }
    }
    let get = inspect(None, "GET", V2, None).unwrap_err();
    assert_eq!(get.status, 405);
    // Bedrock's own Rerank, of another service, is not in this form.
    assert_eq!(Api::of("/rerank"), Api::Converse);
    for api in [Api::OpenAi, Api::Responses, Api::Anthropic] {
        let refused = inspect(Some(api), "POST", V1, None).unwrap_err();
        assert_eq!(refused.status, 404);
        assert!(refused.message.contains("bedrock_api"), "{refused}");
    }
    let anywhere = inspect(
        Some(Api::Cohere),
        "POST",
        "/rank",
        Some(b"{\"model\":\"m\"}"),
    );
    assert_eq!(anywhere.unwrap().operation, Some(Operation::Invoke));
}

#[test]
fn each_vendor_gets_its_own_form() {
    for (path, model, members, expected) in [
        (
            V2,
            COHERE,
            r#""query":"q \u00e9\n","documents":["a","\ud83e\udd80"],"top_n":1,"max_tokens_per_doc":4096,"priority":0"#,
            r#"{"query":"q \u00e9\n","documents":["a","\ud83e\udd80"],"top_n":1,"max_tokens_per_doc":4096,"api_version":2}"#,
        ),
        (
            V2,
            AMAZON,
            r#""documents": [ "a" , "b" ], "query":"q""#,
            r#"{"query":"q","documents":["a","b"]}"#,
        ),
        (
            V1,
            "us.cohere.rerank-v3-5:0",
            r#""query":"q","documents":[{"text":"a","id":"1"},"b"],"return_documents":true,"top_n":null"#,
            r#"{"query":"q","documents":["a","b"],"api_version":2}"#,
        ),
        // Ranked by the members that are named, in their order.
        (
            V1,
            "arn:aws:bedrock:us-west-2::foundation-model/amazon.rerank-v1:0",
            r#""query":"q","documents":[{"text":"t","title":"T\"1"},{"title":"T2"}],"rank_fields":["title","text"],"top_n":2"#,
            r#"{"query":"q","documents":["T\"1\nt","T2"],"top_n":2}"#,
        ),
        // Cohere's own API takes more than there are.
        (
            V2,
            AMAZON,
            r#""query":"q","documents":["a","b"],"top_n":50"#,
            r#"{"query":"q","documents":["a","b"],"top_n":2}"#,
        ),
        (
            V2,
            AMAZON,
            r#""query":"","documents":[""],"rank_fields":[]"#,
            r#"{"query":"","documents":[""]}"#,
        ),
    ] {
        assert_eq!(goes_out(path, model, members), expected, "{model}");
    }
}

#[test]
fn what_a_model_does_not_take_is_left_out_and_named() {
    let note = |path: &str, model: &str, members: &str| {
        let body = body(
            model,
            &format!(r#""query":"q","documents":["a"],{members}"#),
        );
        planned(path, &settings(), &[JSON], &body).unwrap().note
    };
    for (path, model, members, expected) in [
        (
            V2,
            AMAZON,
            r#""max_tokens_per_doc":100"#,
            Some("left out max_tokens_per_doc"),
        ),
        (V2, COHERE, r#""max_tokens_per_doc":100"#, None),
        (
            V1,
            COHERE,
            r#""max_chunks_per_doc":10"#,
            Some("left out max_chunks_per_doc"),
        ),
        (V1, COHERE, r#""max_chunks_per_doc":null"#, None),
    ] {
        let note = note(path, model, members);
        assert_eq!(note.is_some(), expected.is_some(), "{note:?}");
        assert!(note.unwrap_or_default().ends_with(expected.unwrap_or("")));
    }
}

#[test]
fn what_cannot_be_done_is_refused_and_named() {
    let secret = r#""query":"q","documents":["a",{"secret":"secret"}]"#;
    let fields = format!(
        r#""query":"q","documents":[{{"text":"a"}}],"rank_fields":[{}"a"]"#,
        "\"a\",".repeat(16)
    );
    for (model, members, param) in [
        (COHERE, r#""documents":["a"]"#, "query"),
        (COHERE, r#""query":["q"],"documents":["a"]"#, "query"),
        (COHERE, r#""query":"q""#, "documents"),
        (COHERE, r#""query":"q","documents":[]"#, "documents"),
        (COHERE, r#""query":"q","documents":"a""#, "documents"),
        (COHERE, r#""query":"q","documents":{"a":"b"}"#, "documents"),
        (COHERE, r#""query":"q","documents":["a",7]"#, "documents[1]"),
        (COHERE, r#""query":"q","documents":[["a"]]"#, "documents[0]"),
        (
            COHERE,
            r#""query":"q","documents":["\ud83e"]"#,
            "documents[0]",
        ),
        (COHERE, secret, "documents[1].text"),
        (
            COHERE,
            r#""query":"q","documents":[{"text":1}]"#,
            "documents[0].text",
        ),
        (
            COHERE,
            r#""query":"q","documents":[{"text":"a"}],"rank_fields":["title"]"#,
            "documents[0]",
        ),
        (COHERE, &fields, "rank_fields"),
        (
            COHERE,
            r#""query":"q","documents":["a"],"rank_fields":"text""#,
            "rank_fields",
        ),
        (
            COHERE,
            r#""query":"q","documents":["a"],"top_n":0"#,
            "top_n",
        ),
        (
            COHERE,
            r#""query":"q","documents":["a"],"top_n":1.5"#,
            "top_n",
        ),
        (
            COHERE,
            r#""query":"q","documents":["a"],"return_documents":"yes""#,
            "return_documents",
        ),
        (
            "cohere.embed-english-v3",
            r#""query":"q","documents":["a"]"#,
            "model",
        ),
        (
            "arn:aws:bedrock:us-east-1:1:application-inference-profile/abc",
            r#""query":"q","documents":["a"]"#,
            "model",
        ),
    ] {
        let refusal = planned(V1, &settings(), &[JSON], &body(model, members)).unwrap_err();
        assert_eq!(refusal.status, 400, "{model} {members}");
        assert_eq!(refusal.param.as_deref(), Some(param), "{model} {members}");
        let error = Api::Cohere.error(&refusal, None);
        let json: serde_json::Value = serde_json::from_slice(&error.body).unwrap();
        assert_eq!(json["message"], refusal.message.as_ref());
        assert!(!refusal.message.contains("secret"));
    }
    let twice = body(
        COHERE,
        r#""query":"q","documents":[{"text":"a","text":"b"}]"#,
    );
    let refusal = planned(V1, &settings(), &[JSON], &twice).unwrap_err();
    assert_eq!(refusal.status, 400);
}

#[test]
fn the_operators_rules_hold() {
    let guardrail = Guardrail {
        id: "g".into(),
        version: "1".into(),
        trace: None,
    };
    let settings = Settings {
        aliases: &[("rerank-v3.5".to_owned(), COHERE.to_owned())],
        allow_models: &["cohere.*".to_owned()],
        max_output_tokens: Some(5),
        guardrail: Some(&guardrail),
        ..settings()
    };
    // Texts may say what they like of models.
    let members = r#""query":"q","documents":[{"text":"a","model":"amazon.rerank-v1:0"}]"#;
    let alias = body("rerank-v3.5", members);
    let plan = planned(V1, &settings, &[JSON], &alias).unwrap();
    assert_eq!(plan.model.as_deref(), Some(COHERE));
    assert_eq!(
        header(&plan, "x-amzn-bedrock-guardrailidentifier"),
        Some("g")
    );
    let denied = planned(V1, &settings, &[JSON], &body(AMAZON, members));
    assert_eq!(denied.unwrap_err().status, 403);
    let settings = Settings {
        model: Some(AMAZON),
        guardrail: None,
        allow_models: &[],
        ..settings
    };
    let plan = planned(V1, &settings, &[JSON], &alias).unwrap();
    assert_eq!(plan.model.as_deref(), Some(AMAZON));
    assert_eq!(sent(&plan, &alias), r#"{"query":"q","documents":["a"]}"#);
}

#[test]
fn long_texts_are_not_copied() {
    let text = "a".repeat(100_000);
    let documents = format!(r#""query":"{text}","documents":["{text}",{{"text":"{text}"}}]"#);
    let body = body(COHERE, &documents);
    let plan = planned(V1, &settings(), &[JSON], &body).unwrap();
    let gateway::Body::Spliced(segments) = &plan.body else {
        panic!()
    };
    let new: usize = segments
        .iter()
        .map(|segment| match segment {
            Segment::New(bytes) => bytes.len(),
            Segment::Kept(_) => 0,
        })
        .sum();
    assert!(new < 200, "{new} bytes of new text");
}

fn answered(
    path: &str,
    body: &str,
    status: u16,
    headers: &[(&str, &str)],
    answer: &str,
) -> Outcome {
    let feed = |size: usize| {
        let relay = relay_of(path, "*/*", body, &settings(), status, headers);
        fed(relay, answer.as_bytes().chunks(size), true)
    };
    let whole = feed(answer.len().max(1));
    assert_eq!(feed(3), whole);
    whole
}

fn text(outcome: &Outcome) -> &str {
    assert_eq!(outcome.ending, Ending::Clean);
    std::str::from_utf8(&outcome.sent).unwrap()
}

const RANKED: &str =
    r#"{"results":[{"index":1,"relevance_score":0.90},{"index":0,"relevance_score":1e-3}]}"#;

#[test]
fn answers_are_cohere_s_with_their_numbers_as_spelt() {
    let request = body(COHERE, r#""query":"q","documents":["a","b"]"#);
    let headers = [JSON, ("x-amzn-requestid", "r-1")];
    for (path, version) in [(V1, "1"), (V2, "2")] {
        let seen = answered(path, &request, 200, &headers, RANKED);
        assert_eq!(
            text(&seen),
            format!(
                r#"{{"id":"r-1","results":[{{"index":1,"relevance_score":0.90}},{{"index":0,"relevance_score":1e-3}}],"meta":{{"api_version":{{"version":"{version}"}},"billed_units":{{"search_units":1}}}}}}"#
            )
        );
        assert_eq!(seen.facts.search_units, Some(1));
        assert_eq!(seen.facts.input_tokens, None);
    }
}

#[test]
fn documents_come_back_where_they_are_asked_for() {
    let request = body(
        AMAZON,
        r#""query":"q","return_documents":true,"documents":["a\n",{"text":"b","id": "7"}]"#,
    );
    let seen = answered(V1, &request, 200, &[JSON], RANKED);
    let json: serde_json::Value = serde_json::from_str(text(&seen)).unwrap();
    assert_eq!(
        json["results"][0]["document"],
        serde_json::json!({"text": "b", "id": "7"})
    );
    assert_eq!(
        json["results"][1]["document"],
        serde_json::json!({"text": "a\n"})
    );
}

#[test]
fn search_units_are_the_answers_own_or_counted_by_the_request() {
    let many = |documents: usize| {
        let documents = vec!["\"a\""; documents].join(",");
        body(COHERE, &format!(r#""query":"q","documents":[{documents}]"#))
    };
    let units = |body: &str, status, answer: &str| {
        answered(V2, body, status, &[JSON], answer)
            .facts
            .search_units
    };
    assert_eq!(units(&many(100), 200, RANKED), Some(1));
    assert_eq!(units(&many(350), 200, RANKED), Some(4));
    let stated = r#"{"results":[],"meta":{"billed_units":{"search_units":9}}}"#;
    assert_eq!(units(&many(2), 200, stated), Some(9));
    let seen = answered(V2, &many(2), 200, &[JSON], stated);
    assert!(text(&seen).contains(r#""billed_units":{"search_units":9}"#));
    assert_eq!(
        units(&many(2), 429, r#"{"message":"slow"}"#),
        None,
        "an error costs nothing"
    );
    // Who speaks Bedrock's own form is counted, too.
    let native = |model: &str, body: &str| {
        let path = format!("/model/{model}/invoke");
        answered(&path, body, 200, &[JSON], RANKED)
            .facts
            .search_units
    };
    let own = r#"{"query":"q","documents":["a"],"api_version":2}"#;
    assert_eq!(native(COHERE, own), Some(1));
    assert_eq!(native("m", own), None);
    assert_eq!(native(COHERE, r#"{"query":"q"}"#), None);
}

#[test]
fn what_is_no_answer_is_an_error() {
    let request = body(COHERE, r#""query":"q","documents":["a","b"]"#);
    for answer in [
        "",
        "<html>",
        "{}",
        r#"{"results":[{"index":2,"relevance_score":1}]}"#,
        r#"{"results":[{"index":-1,"relevance_score":1}]}"#,
        r#"{"results":[{"index":0}]}"#,
        r#"{"results":[{"index":0,"relevance_score":"1"}]}"#,
    ] {
        let seen = answered(V2, &request, 200, &[JSON], answer);
        assert!(matches!(seen.ending, Ending::Error(502, _)), "{answer}");
    }
    let headers = [JSON, ("x-amzn-errortype", "ThrottlingException:http://x")];
    let seen = answered(V2, &request, 429, &headers, r#"{"message":"slow"}"#);
    assert_eq!(
        seen.ending,
        Ending::Error(429, "ThrottlingException".to_owned())
    );
}
