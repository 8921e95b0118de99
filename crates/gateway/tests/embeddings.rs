//! OpenAI's embeddings: requests into InvokeModel, and its answers back.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod common;
#[path = "common/planning.rs"]
mod planning;
#[path = "common/stream.rs"]
#[allow(dead_code)]
mod stream;

use common::settings;
use gateway::bedrock::Operation;
use gateway::{Api, Guardrail, Segment, Settings, StreamStatus};
use planning::{JSON, header, planned, sent};
use stream::{Ending, Outcome, fed, relay_of};

const PATH: &str = "/v1/embeddings";
const TITAN: &str = "amazon.titan-embed-text-v2:0";
const COHERE: &str = "cohere.embed-multilingual-v3";

fn body(model: &str, members: &str) -> String {
    format!(r#"{{"model":"{model}",{members}}}"#)
}

fn goes_out(model: &str, members: &str) -> String {
    let body = body(model, members);
    let plan = planned(PATH, &settings(), &[JSON], &body).unwrap();
    sent(&plan, &body)
}

#[test]
fn it_is_an_invoke_of_the_model() {
    for path in [
        PATH,
        "/openai/deployments/x/embeddings?api-version=1",
        "/embeddings/",
    ] {
        let body = body(TITAN, r#""input":"a""#);
        let headers = [
            JSON,
            ("accept", "*/*"),
            ("x-amzn-bedrock-trace", "ENABLED"),
            ("openai-organization", "o"),
        ];
        let plan = planned(path, &settings(), &headers, &body).unwrap();
        assert_eq!((plan.api, plan.operation), (Api::OpenAi, Operation::Invoke));
        assert_eq!(plan.target, "/model/amazon.titan-embed-text-v2%3A0/invoke");
        assert_eq!(header(&plan, "content-type"), Some("application/json"));
        for name in ["accept", "x-amzn-bedrock-trace", "openai-organization"] {
            assert_eq!(header(&plan, name), None);
        }
    }
    let wrong = [("content-type", "text/plain")];
    let refused = planned(PATH, &settings(), &wrong, &body(TITAN, r#""input":"a""#));
    assert_eq!(refused.unwrap_err().status, 415);
}

#[test]
fn each_vendor_gets_its_own_form() {
    for (model, members, expected) in [
        (
            "amazon.titan-embed-text-v1",
            r#""input":"a \u00e9\n","user":"u","encoding_format":null,"dimensions":null"#,
            r#"{"inputText":"a \u00e9\n"}"#,
        ),
        (
            "amazon.titan-embed-g1-text-02",
            r#""input":["a"],"encoding_format":"base64""#,
            r#"{"inputText":"a"}"#,
        ),
        (
            TITAN,
            r#""input": [ "a" ], "dimensions":256,"encoding_format":"float","input_type":"search_query""#,
            r#"{"inputText":"a","dimensions":256}"#,
        ),
        (
            "cohere.embed-english-v3",
            r#""input":"a""#,
            r#"{"texts":["a"],"input_type":"search_document"}"#,
        ),
        (
            COHERE,
            r#""input_type":"search_query","input":["a","é","\ud83e\udd80"]"#,
            r#"{"texts":["a","é","\ud83e\udd80"],"input_type":"search_query"}"#,
        ),
        (
            "us.cohere.embed-v4:0",
            r#""input":["a"],"dimensions":1536"#,
            r#"{"texts":["a"],"input_type":"search_document","output_dimension":1536}"#,
        ),
        (
            "arn:aws:bedrock:us-east-1::foundation-model/cohere.embed-v4:0",
            r#""input":"a","dimensions":512"#,
            r#"{"texts":["a"],"input_type":"search_document","output_dimension":512}"#,
        ),
    ] {
        assert_eq!(goes_out(model, members), expected, "{model}");
    }
}

#[test]
fn what_cannot_be_done_is_refused_and_named() {
    let many = format!(r#""input":[{}"a"]"#, "\"a\",".repeat(96));
    let secret = r#""input":["secret",[1]]"#;
    for (model, members, param) in [
        (TITAN, r#""input":["a","b"]"#, "input"),
        (TITAN, r#""input":[1,2,3]"#, "input"),
        (COHERE, r#""input":[[1,2],[3]]"#, "input"),
        (COHERE, secret, "input"),
        (COHERE, r#""input":[]"#, "input"),
        (COHERE, r#""input":"""#, "input"),
        (COHERE, r#""input":["a",""]"#, "input"),
        (COHERE, r#""input":["a",null]"#, "input"),
        (COHERE, r#""input":7"#, "input"),
        (COHERE, r#""input":null"#, "input"),
        (COHERE, r#""input":{"a":1}"#, "input"),
        (COHERE, r#""user":"u""#, "input"),
        (COHERE, &many, "input"),
        (
            COHERE,
            r#""input":"a","encoding_format":"int8""#,
            "encoding_format",
        ),
        (
            COHERE,
            r#""input":"a","encoding_format":7"#,
            "encoding_format",
        ),
        (COHERE, r#""input":"a","dimensions":512"#, "dimensions"),
        (TITAN, r#""input":"a","dimensions":1536"#, "dimensions"),
        (TITAN, r#""input":"a","dimensions":-1"#, "dimensions"),
        (TITAN, r#""input":"a","dimensions":256.5"#, "dimensions"),
        (
            "amazon.titan-embed-text-v1",
            r#""input":"a","dimensions":1536"#,
            "dimensions",
        ),
        (
            "cohere.embed-v4:0",
            r#""input":"a","dimensions":300"#,
            "dimensions",
        ),
        (COHERE, r#""input":"a","input_type":"image""#, "input_type"),
        ("anthropic.claude-3", r#""input":"a""#, "model"),
        ("amazon.titan-embed-image-v1", r#""input":"a""#, "model"),
        (
            "arn:aws:bedrock:us-east-1:1:application-inference-profile/abc",
            r#""input":"a""#,
            "model",
        ),
    ] {
        let refusal = planned(PATH, &settings(), &[JSON], &body(model, members)).unwrap_err();
        assert_eq!(refusal.status, 400, "{model} {members}");
        assert_eq!(refusal.param.as_deref(), Some(param), "{model} {members}");
        assert!(!refusal.message.contains("secret"));
    }
    let two = planned(
        PATH,
        &settings(),
        &[JSON],
        &body(TITAN, r#""input":["a","b"]"#),
    );
    assert!(two.unwrap_err().message.contains("one at a time"));
}

#[test]
fn the_operators_rules_hold() {
    let guardrail = Guardrail {
        id: "g".into(),
        version: "1".into(),
        trace: None,
    };
    let settings = Settings {
        aliases: &[("text-embedding-3-small".to_owned(), COHERE.to_owned())],
        allow_models: &["cohere.*".to_owned()],
        max_output_tokens: Some(5),
        guardrail: Some(&guardrail),
        ..settings()
    };
    let alias = body("text-embedding-3-small", r#""input":"a""#);
    let plan = planned(PATH, &settings, &[JSON], &alias).unwrap();
    assert_eq!(plan.model.as_deref(), Some(COHERE));
    assert_eq!(
        header(&plan, "x-amzn-bedrock-guardrailidentifier"),
        Some("g")
    );
    let denied = planned(PATH, &settings, &[JSON], &body(TITAN, r#""input":"a""#));
    assert_eq!(denied.unwrap_err().status, 403);
}

#[test]
fn long_texts_are_not_copied() {
    let text = "a".repeat(100_000);
    let body = body(COHERE, &format!(r#""input":["{text}","{text}"]"#));
    let plan = planned(PATH, &settings(), &[JSON], &body).unwrap();
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
    model: &str,
    members: &str,
    status: u16,
    headers: &[(&str, &str)],
    answer: &str,
) -> Outcome {
    let body = body(model, members);
    let feed = |size: usize| {
        let relay = relay_of(PATH, "*/*", &body, &settings(), status, headers);
        assert!(relay.holds());
        fed(relay, answer.as_bytes().chunks(size), true)
    };
    let whole = feed(answer.len());
    assert_eq!(feed(3), whole);
    whole
}

fn text(outcome: &Outcome) -> &str {
    assert_eq!(outcome.ending, Ending::Clean);
    std::str::from_utf8(&outcome.sent).unwrap()
}

#[test]
fn an_answer_of_titan_is_a_list_of_one_with_its_numbers_as_spelt() {
    let answer = r#"{"embedding":[0.10, -1e-3,2],"embeddingsByType":{"float":[0.10,-1e-3,2]},"inputTextTokenCount":7}"#;
    let seen = answered(TITAN, r#""input":"a""#, 200, &[JSON], answer);
    assert_eq!(
        text(&seen),
        r#"{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.10, -1e-3,2]}],"model":"amazon.titan-embed-text-v2:0","usage":{"prompt_tokens":7,"total_tokens":7}}"#
    );
    assert_eq!(
        (seen.facts.input_tokens, seen.facts.stream),
        (Some(7), None::<StreamStatus>)
    );
    // 0.1, -0.001 and 2 by Python: base64.b64encode(struct.pack('<3f', 0.1, -0.001, 2)).
    let seen = answered(
        TITAN,
        r#""input":["a"],"encoding_format":"base64""#,
        200,
        &[JSON],
        answer,
    );
    assert!(
        text(&seen).contains(r#""embedding":"zczMPW8Sg7oAAABA""#),
        "{}",
        text(&seen)
    );
}

#[test]
fn an_answer_of_cohere_is_read_in_both_forms_and_counted_by_its_header() {
    let counted = [JSON, ("x-amzn-bedrock-input-token-count", "9")];
    let expected = r#"{"object":"list","data":[{"object":"embedding","index":0,"embedding":[1.0]},{"object":"embedding","index":1,"embedding":[2.50]}],"model":"cohere.embed-multilingual-v3","usage":{"prompt_tokens":9,"total_tokens":9}}"#;
    for answer in [
        r#"{"id":"1","response_type":"embeddings_floats","embeddings":[[1.0],[2.50]],"texts":["a","b"]}"#,
        r#"{"embeddings":{"int8":[[1],[2]],"float":[[1.0],[2.50]]},"response_type":"embeddings_by_type"}"#,
    ] {
        let seen = answered(COHERE, r#""input":["a","b"]"#, 200, &counted, answer);
        assert_eq!(text(&seen), expected);
        assert_eq!(seen.facts.input_tokens, Some(9));
    }
    let answer = r#"{"embeddings":[[1.0],[2.50]]}"#;
    let seen = answered(COHERE, r#""input":["a","b"]"#, 200, &[JSON], answer);
    assert!(
        !text(&seen).contains("usage"),
        "an unknown count is not said"
    );
}

#[test]
fn what_is_no_answer_is_an_error() {
    for answer in [
        "",
        "<html>",
        "{}",
        r#"{"embeddings":[[1.0]]}"#,
        r#"{"embeddings":{"int8":[[1],[2]]}}"#,
        r#"{"embedding":[1.0]}"#,
    ] {
        let body = body(COHERE, r#""input":["a","b"]"#);
        let relay = relay_of(PATH, "*/*", &body, &settings(), 200, &[JSON]);
        let seen = fed(relay, [answer.as_bytes()], true);
        assert!(matches!(seen.ending, Ending::Error(502, _)), "{answer}");
    }
    let strings = r#"{"embedding":["a"]}"#;
    let seen = answered(
        TITAN,
        r#""input":"a","encoding_format":"base64""#,
        200,
        &[JSON],
        strings,
    );
    assert!(matches!(seen.ending, Ending::Error(502, _)));
    let text = r#"{"embedding":"a"}"#;
    let seen = answered(TITAN, r#""input":"a""#, 200, &[JSON], text);
    assert!(matches!(seen.ending, Ending::Error(502, _)));
    let headers = [JSON, ("x-amzn-errortype", "ThrottlingException:http://x")];
    let seen = answered(
        TITAN,
        r#""input":"a""#,
        429,
        &headers,
        r#"{"message":"slow"}"#,
    );
    assert_eq!(
        seen.ending,
        Ending::Error(429, "ThrottlingException".to_owned())
    );
}
