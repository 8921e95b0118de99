//! The messages of Chat Completions requests in Converse's form.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod common;
#[path = "common/openai.rs"]
mod openai;
#[path = "common/planning.rs"]
#[allow(dead_code, reason = "each file of tests uses a part of it")]
mod planning;

use openai::{converse, spelt, wrong};
use serde_json::{Value, json};

/// A request of these messages.
fn of(messages: &str) -> String {
    format!(r#"{{"model":"anthropic.claude-sonnet-4-5-20250929-v1:0","messages":{messages}}}"#)
}

/// The turns that messages become.
fn turns(messages: &str) -> Value {
    let mut body = converse(&of(messages));
    let turns = body["messages"].take();
    body.as_object_mut().unwrap().remove("messages");
    assert_eq!(body, json!({}), "{messages}");
    turns
}

/// The blocks that a user's content becomes, after a text.
fn blocks(content: &str) -> Value {
    let mut turns = turns(&format!(r#"[{{"role":"user","content":{content}}}]"#));
    turns[0]["content"].take()
}

#[test]
fn instructions_are_gathered_in_order() {
    let body = of(r#"[
        {"role":"system","content":"a"},
        {"role":"user","content":"hi","name":"Ann"},
        {"role":"developer","content":[{"type":"text","text":"b"},{"type":"text","text":" "},{"type":"text","text":"c"}]},
        {"role":"system","content":""},
        {"role":"system","content":null}]"#);
    assert_eq!(
        converse(&body),
        json!({
            "messages": [{"role": "user", "content": [{"text": "hi"}, {"text": "b"}, {"text": "c"}]}],
            "system": [{"text": "a"}],
        })
    );
    // Claude's stay where they stand, for what is before them is cached; others have them all in one place.
    let body = body.replace(
        "anthropic.claude-sonnet-4-5-20250929-v1:0",
        "amazon.nova-pro-v1:0",
    );
    assert_eq!(
        converse(&body),
        json!({
            "messages": [{"role": "user", "content": [{"text": "hi"}]}],
            "system": [{"text": "a"}, {"text": "b"}, {"text": "c"}],
        })
    );
}

#[test]
fn each_content_part_becomes_its_block() {
    for (part, block) in [
        (
            r#"{"type":"text","text":"t","annotations":[]}"#,
            json!({"text": "t"}),
        ),
        (
            r#"{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA","detail":"high"}}"#,
            json!({"image": {"format": "png", "source": {"bytes": "AAAA"}}}),
        ),
        (
            r#"{"image_url":{"detail":null,"url":"data:image/jpg;base64,AA=="},"type":"image_url"}"#,
            json!({"image": {"format": "jpeg", "source": {"bytes": "AA=="}}}),
        ),
        (
            r#"{"type":"image_url","image_url":"data:image/webp;base64,AAA="}"#,
            json!({"image": {"format": "webp", "source": {"bytes": "AAA="}}}),
        ),
        (
            r#"{"type":"image_url","image_url":{"url":"s3://bucket/a/b.GIF"}}"#,
            json!({"image": {"format": "gif", "source": {"s3Location": {"uri": "s3://bucket/a/b.GIF"}}}}),
        ),
        (
            r#"{"type":"input_audio","input_audio":{"data":"AAAA","format":"wav"}}"#,
            json!({"audio": {"format": "wav", "source": {"bytes": "AAAA"}}}),
        ),
        (
            r#"{"type":"file","file":{"filename":"Q3  report_v2.pdf","file_data":"data:application/pdf;base64,AAAA","file_id":null}}"#,
            json!({"document": {"format": "pdf", "name": "Q3 report-v2", "source": {"bytes": "AAAA"}}}),
        ),
        (
            r#"{"type":"file","file":{"filename":"notes.MD","file_data":"AAAA"}}"#,
            json!({"document": {"format": "md", "name": "notes", "source": {"bytes": "AAAA"}}}),
        ),
        (
            r#"{"type":"file","file":{"filename":"t.csv","file_data":"data:application/octet-stream;base64,AAAA"}}"#,
            json!({"document": {"format": "csv", "name": "t", "source": {"bytes": "AAAA"}}}),
        ),
        (
            r#"{"type":"file","file":{"file_data":"data:text/plain;charset=utf-8;base64,AAAA"}}"#,
            json!({"document": {"format": "txt", "name": "document", "source": {"bytes": "AAAA"}}}),
        ),
        (
            r#"{"type":"file","file":{"filename":"x.png","file_data":"data:image/png;base64,AAAA"}}"#,
            json!({"image": {"format": "png", "source": {"bytes": "AAAA"}}}),
        ),
    ] {
        let before = r#"{"type":"text","text":"x"}"#;
        let found = blocks(&format!("[{before},{part}]"));
        assert_eq!(found, json!([{"text": "x"}, block]), "{part}");
    }
}

#[test]
fn documents_of_one_name_are_told_apart() {
    let file = |name: &str| {
        format!(r#"{{"type":"file","file":{{"filename":"{name}","file_data":"AAAA"}}}}"#)
    };
    let long = "x".repeat(250);
    let content = format!(
        "[{},{},{},{},{}]",
        file("a.pdf"),
        file("a.txt"),
        file("a (2).md"),
        file(&format!("{long}.pdf")),
        file(&format!("{long}.pdf")),
    );
    let blocks = blocks(&content);
    let names: Vec<&str> = (0..5)
        .map(|index| blocks[index]["document"]["name"].as_str().unwrap())
        .collect();
    assert_eq!(names[..3], ["a", "a (2)", "a (2) (2)"]);
    assert_eq!(names[3], &long[..200]);
    assert_eq!(names[4], format!("{} (2)", &long[..196]));
}

#[test]
fn turns_alternate() {
    assert_eq!(
        turns(
            r#"[{"role":"user","content":"a"},
                {"role":"user","content":[{"type":"text","text":"b"}]},
                {"role":"assistant","content":""},
                {"role":"assistant","content":null,"tool_calls":null,"refusal":null,"audio":null,"function_call":null},
                {"role":"user","content":"c"},
                {"role":"assistant","content":[{"type":"text","text":"d"},{"type":"refusal","refusal":"e"}]},
                {"role":"assistant","content":null,"refusal":"f"},
                {"role":"user","content":"  \n"},
                {"role":"assistant","content":"g"}]"#
        ),
        json!([
            {"role": "user", "content": [{"text": "a"}, {"text": "b"}, {"text": "c"}]},
            {"role": "assistant", "content": [{"text": "d"}, {"text": "e"}, {"text": "f"}, {"text": "g"}]},
        ])
    );
}

#[test]
fn marks_for_the_cache_become_cache_points() {
    let body = of(r#"[
        {"role":"system","content":[{"type":"text","text":"s","cache_control":{"type":"ephemeral"}}]},
        {"role":"system","content":"t","cache_control":{"type":"ephemeral","ttl":"1h"}},
        {"role":"user","cache_control":{"type":"ephemeral","ttl":"5m"},"content":[
            {"type":"text","text":"a","cache_control":{"type":"ephemeral","ttl":"2h"}},
            {"type":"text","text":"","cache_control":null},
            {"type":"text","text":"b"}]}]"#);
    assert_eq!(
        converse(&body),
        json!({
            "system": [
                {"text": "s"}, {"cachePoint": {"type": "default", "ttl": "1h"}},
                {"text": "t"}, {"cachePoint": {"type": "default", "ttl": "1h"}},
            ],
            "messages": [
                {"role": "user", "content": [
                    {"text": "a"}, {"cachePoint": {"type": "default"}},
                    {"text": "b"}, {"cachePoint": {"type": "default"}},
                ]},
            ],
        })
    );
}

#[test]
fn reasoning_goes_back_to_the_model_that_signed_it() {
    let reasoning = |text: &str, signature: &str| json!({"reasoningContent": {"reasoningText": {"text": text, "signature": signature}}});
    for (members, blocks) in [
        // A whole answer sent back.
        (
            r#""thinking_blocks":[{"type":"thinking","thinking":"why","signature":"sig"},{"type":"redacted_thinking","data":"QUJD"}],
               "reasoning_content":"why""#,
            json!([reasoning("why", "sig"), {"reasoningContent": {"redactedContent": "QUJD"}}, {"text": "x"}]),
        ),
        // A stream added up: the text is in one place, the signature in the other.
        (
            r#""reasoning_content":"why","thinking_blocks":[{"index":0,"type":"thinking","signature":"sig"}]"#,
            json!([reasoning("why", "sig"), {"text": "x"}]),
        ),
        (
            r#""reasoning_content":"why","thinking_blocks":[{"index":0,"type":"thinking","signature":"sig"},{"index":1,"type":"redacted_thinking","data":"QUJD"}]"#,
            json!([reasoning("why", "sig"), {"reasoningContent": {"redactedContent": "QUJD"}}, {"text": "x"}]),
        ),
        // Reasoning that the model keeps to itself: only its signature comes.
        (
            r#""thinking_blocks":[{"index":0,"type":"thinking","thinking":"","signature":"sig"}]"#,
            json!([reasoning("", "sig"), {"text": "x"}]),
        ),
        (
            r#""thinking_blocks":[{"index":0,"type":"thinking","signature":"sig"}]"#,
            json!([reasoning("", "sig"), {"text": "x"}]),
        ),
        (
            r#""thinking_blocks":[{"type":"thinking","thinking":"a","signature":"1"},{"type":"thinking","thinking":"b","signature":"2"}]"#,
            json!([reasoning("a", "1"), reasoning("b", "2"), {"text": "x"}]),
        ),
        // Nobody signed it, so nobody wants it.
        (r#""reasoning_content":"why""#, json!([{"text": "x"}])),
        (
            r#""reasoning_content":null,"thinking_blocks":null"#,
            json!([{"text": "x"}]),
        ),
        (
            r#""thinking_blocks":[{"type":"thinking"}]"#,
            json!([{"text": "x"}]),
        ),
        (
            r#""thinking_blocks":[{"type":"new"}]"#,
            json!([{"text": "x"}]),
        ),
    ] {
        let turns = turns(&format!(
            r#"[{{"role":"user","content":"u"}},{{"role":"assistant","content":"x",{members}}}]"#
        ));
        assert_eq!(turns[1]["content"], blocks, "{members}");
    }
}

#[test]
fn texts_keep_their_spelling_or_their_meaning() {
    // The client's own bytes, escapes included.
    assert!(
        spelt(&of(r#"[{"role":"user","content":"naïve 🦀 \u2028"}]"#))
            .contains(r#""naïve 🦀 \u2028""#)
    );
    assert_eq!(
        blocks(r#""\u00e9\ud83e\udd80\/\\\"\n\t\u0000""#),
        json!([{"text": "é🦀/\\\"\n\t\0"}])
    );
    assert_eq!(
        blocks(
            r#"[{"type":"image_\u0075rl","image_url":{"url":"data:image\/png;base64,AA\/\/"}}]"#
        ),
        json!([{"image": {"format": "png", "source": {"bytes": "AA//"}}}])
    );
}

#[test]
fn what_converse_cannot_take_is_refused() {
    let in_part = |part: &str| {
        format!(r#"[{{"role":"user","content":[{{"type":"text","text":"x"}},{part}]}}]"#)
    };
    for (messages, param) in [
        (r#"[{"role":"S3CRET","content":"x"}]"#.to_owned(), "messages[0].role"),
        (r#"[{"role":"function","name":"f","content":"S3CRET"}]"#.to_owned(), "messages[0].role"),
        (r#"[{"content":"S3CRET"}]"#.to_owned(), "messages[0].role"),
        (r#"[{"role":null,"content":"S3CRET"}]"#.to_owned(), "messages[0].role"),
        (r#"[{"role":["S3CRET"]}]"#.to_owned(), "messages[0].role"),
        (r#"[{"role":"user","content":7}]"#.to_owned(), "messages[0].content"),
        (r#"[{"role":"user","content":{"S3CRET":1}}]"#.to_owned(), "messages[0].content"),
        (r#"[{"role":"user","content":true}]"#.to_owned(), "messages[0].content"),
        (r#"[{"role":"user","content":["S3CRET"]}]"#.to_owned(), "messages[0].content[0]"),
        (r#"[{"role":"user","content":[["text","S3CRET"]]}]"#.to_owned(), "messages[0].content[0]"),
        (r#"["S3CRET"]"#.to_owned(), "messages[0]"),
        (r#"[["user","S3CRET"]]"#.to_owned(), "messages[0]"),
        (r#"[null]"#.to_owned(), "messages[0]"),
        (r#"{"role":"S3CRET"}"#.to_owned(), "messages"),
        (r#""S3CRET""#.to_owned(), "messages"),
        ("null".to_owned(), "messages"),
        (r#"[{"role":"user","content":"S3CRET","content":"b"}]"#.to_owned(), "messages[0].content"),
        (r#"[{"role":"system","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"}}]}]"#.to_owned(), "messages[0].content"),
        (r#"[{"role":"assistant","function_call":{"name":"S3CRET","arguments":"{}"}}]"#.to_owned(), "messages[0].function_call"),
        (r#"[{"role":"user","content":"\ud800S3CRET"}]"#.to_owned(), "messages[0].content"),
        (r#"[{"role":"user","content":"x","cache_control":"S3CRET"}]"#.to_owned(), "messages[0].cache_control"),
        (in_part(r#"{"text":"S3CRET"}"#), "messages[0].content[1].type"),
        (in_part(r#"{"type":"S3CRET"}"#), "messages[0].content[1].type"),
        (in_part(r#"{"type":"text","text":null}"#), "messages[0].content[1].text"),
        (in_part(r#"{"type":"text","text":7}"#), "messages[0].content[1].text"),
        (in_part(r#"{"type":"refusal"}"#), "messages[0].content[1].refusal"),
        (in_part(r#"{"type":"image_url"}"#), "messages[0].content[1].image_url"),
        (in_part(r#"{"type":"image_url","image_url":7}"#), "messages[0].content[1].image_url"),
        (in_part(r#"{"type":"image_url","image_url":["data:image/png;base64,AAAA"]}"#), "messages[0].content[1].image_url"),
        (in_part(r#"{"type":"image_url","image_url":{}}"#), "messages[0].content[1].image_url.url"),
        (in_part(r#"{"type":"image_url","image_url":{"url":"https://x/S3CRET.png"}}"#), "messages[0].content[1].image_url.url"),
        (in_part(r#"{"type":"image_url","image_url":"http://x/S3CRET.png"}"#), "messages[0].content[1].image_url"),
        (in_part(r#"{"type":"image_url","image_url":{"url":""}}"#), "messages[0].content[1].image_url.url"),
        (in_part(r#"{"type":"image_url","image_url":{"url":"s3://b/S3CRET.tiff"}}"#), "messages[0].content[1].image_url.url"),
        (in_part(r#"{"type":"image_url","image_url":{"url":"data:image/png,S3CRET"}}"#), "messages[0].content[1].image_url.url"),
        (in_part(r#"{"type":"image_url","image_url":{"url":"data:image/png;base64,S3CRET!!"}}"#), "messages[0].content[1].image_url.url"),
        (in_part(r#"{"type":"image_url","image_url":{"url":"data:image/svg+xml;base64,AAAA"}}"#), "messages[0].content[1].image_url.url"),
        (in_part(r#"{"type":"input_audio"}"#), "messages[0].content[1].input_audio"),
        (in_part(r#"{"type":"input_audio","input_audio":{"data":"S3CRET","format":"wav"}}"#), "messages[0].content[1].input_audio.data"),
        (in_part(r#"{"type":"input_audio","input_audio":{"data":"AAAA","format":"S3CRET?"}}"#), "messages[0].content[1].input_audio.format"),
        (in_part(r#"{"type":"input_audio","input_audio":{"data":"AAAA"}}"#), "messages[0].content[1].input_audio.format"),
        (in_part(r#"{"type":"file"}"#), "messages[0].content[1].file"),
        (in_part(r#"{"type":"file","file":{"file_id":"S3CRET"}}"#), "messages[0].content[1].file.file_data"),
        (in_part(r#"{"type":"file","file":{"file_data":"S3CRET!"}}"#), "messages[0].content[1].file.file_data"),
        (in_part(r#"{"type":"file","file":{"file_data":"AAAA"}}"#), "messages[0].content[1].file.file_data"),
        (in_part(r#"{"type":"file","file":{"filename":"S3CRET.exe","file_data":"AAAA"}}"#), "messages[0].content[1].file.file_data"),
    ] {
        let (found, message) = wrong(&of(&messages));
        assert_eq!(found, param, "{messages}: {message}");
        assert!(message.starts_with(&format!("\"{param}\" ")), "{message}");
    }
}

#[test]
fn a_body_that_is_no_request_is_refused() {
    for body in [
        "",
        "S3CRET",
        "[]",
        "null",
        r#"{"model":"m","messages":[{"role":"user","content":"S3CRET"}]"#,
        r#"{"model":"m","messages":[]}S3CRET"#,
        r#"{"model":"m","messages":[{"role":"user","content":"S3CRET"},]}"#,
        r#"{"model":"m","S3CRET":01,"messages":[]}"#,
    ] {
        assert_eq!(openai::refused(body).param, None, "{body}");
    }
    assert_eq!(wrong(r#"{"model":"m"}"#).0, "messages");
    assert_eq!(wrong(r#"{"messages":[]}"#).0, "model");
    assert_eq!(wrong(r#"{"model":7,"messages":[]}"#).0, "model");
    assert_eq!(
        wrong(r#"{"model":"m","stream":"S3CRET","messages":[]}"#).0,
        "stream"
    );
    // Nothing is said, so Bedrock is to answer.
    assert_eq!(
        spelt(r#"{"model":"m","messages":[]}"#),
        r#"{"messages":[]}"#
    );
}
