//! Large requests of OpenAI's dialect: what is long is sent from where it stands in the client's body.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod common;
#[path = "common/planning.rs"]
#[allow(dead_code, reason = "each file of tests uses a part of it")]
mod planning;

use common::settings;
use gateway::{Body, Segment};
use planning::{JSON, planned};

/// Plans a body, and gives what of it is new; the texts of `long` must all be kept where they stand.
fn new_bytes(body: &str, long: &[&str]) -> usize {
    let plan = planned("/v1/chat/completions", &settings(), &[JSON], body).unwrap();
    let Body::Spliced(segments) = &plan.body else {
        panic!("nothing was changed");
    };
    let mut new = 0;
    let mut kept = Vec::new();
    for segment in segments {
        match segment {
            Segment::New(bytes) => new += bytes.capacity(),
            Segment::Kept(range) => kept.push(&body[range.clone()]),
        }
    }
    assert_eq!(kept, long);
    new
}

fn image(data: &str) -> String {
    format!(r#"{{"type":"image_url","image_url":{{"url":"data:image/png;base64,{data}"}}}}"#)
}

const LITTLE: usize = 16 << 10;

#[test]
fn a_large_image_is_not_copied() {
    let data = "A".repeat(20 << 20);
    let body = format!(
        r#"{{"model":"m","messages":[{{"role":"user","content":[{{"type":"text","text":"What is this?"}},{}]}}]}}"#,
        image(&data)
    );
    assert!(new_bytes(&body, &[&data]) < LITTLE);
}

#[test]
fn nor_are_texts_files_schemas_and_several_images() {
    let [a, b, c] = ["A", "B", "C"].map(|letter| letter.repeat(1 << 20));
    let text = "x y ".repeat(1 << 18);
    let result = "r".repeat(1 << 20);
    let schema = format!(
        r#"{{"type":"object","description":"{}"}}"#,
        "d".repeat(100_000)
    );
    let body = format!(
        r#"{{"tools":[{{"type":"function","function":{{"name":"f","parameters":{schema}}}}}],"model":"m","messages":[
            {{"role":"user","content":[{},{{"type":"text","text":"{text}"}},{}]}},
            {{"role":"assistant","tool_calls":[{{"id":"t","type":"function","function":{{"name":"f","arguments":"{{}}"}}}}]}},
            {{"role":"tool","tool_call_id":"t","content":"{result}"}},
            {{"role":"user","content":[{{"type":"file","file":{{"filename":"c.pdf","file_data":"{c}"}}}}]}}]}}"#,
        image(&a),
        image(&b),
    );
    assert!(new_bytes(&body, &[&a, &text, &b, &result, &c, &schema]) < LITTLE);
}
