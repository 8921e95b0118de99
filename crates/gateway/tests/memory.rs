//! How much memory a request takes to be recognised, planned and hashed, measured at the allocator: whatever JSON it is, no
//! more than twice its body, and a little. With the body itself that is three times.
#![allow(clippy::unwrap_used)]

mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use common::settings;
use gateway::family;
use gateway::{Guardrail, Measure, Refusal, Settings, Sink, inspect, plan_large};

/// As long as the bodies are.
const SIZE: usize = 4 << 20;
/// What may come on top, whatever the size.
const LITTLE: usize = 2 << 20;

/// A file that needs no memory.
#[derive(Default)]
struct File {
    length: usize,
}

impl Sink for File {
    fn write(&mut self, bytes: &[u8]) {
        self.length += bytes.len();
    }
}

/// What a request costs at most, and what comes of it.
fn cost(target: &str, settings: &Settings<'_>, body: &str) -> (usize, Result<usize, Refusal>) {
    let body = body.as_bytes();
    // What is made once for all requests is there.
    family::of("a.b", None, family::Rules::default());
    let before = measure();
    let work = || {
        let request = inspect(None, "POST", target, Some(body))?;
        let mut file = File::default();
        // A limit asks how large the request is.
        assert!(Measure::of(body).text <= body.len() as u64);
        let plan = plan_large(&request, settings, &[], body, Some(&mut file))?;
        assert_eq!(plan.body.sha256_hex(body).len(), 64);
        let kept: usize = plan.body.pieces(body).map(<[u8]>::len).sum();
        let length = plan.body.len(body.len());
        assert_eq!(file.length + kept, length);
        let answer = plan.for_answer();
        // It may last as long as the answer does.
        assert!(LIVE.get() - before <= body.len() + LITTLE);
        drop(answer);
        Ok(length)
    };
    let result = work();
    let most = PEAK.get() - before;
    assert!(LIVE.get() - before <= 4096, "{target} keeps something");
    (most, result)
}

/// A body with as many of these in a list as make it [`SIZE`].
fn many(before: &str, item: impl Fn(usize) -> String, after: &str) -> String {
    let mut body = before.to_owned();
    let mut index = 0;
    while body.len() < SIZE {
        if index > 0 {
            body.push(',');
        }
        body.push_str(&item(index));
        index += 1;
    }
    body + after
}

fn same(item: &str) -> impl Fn(usize) -> String + '_ {
    move |_| item.to_owned()
}

const CHAT: &str = "/v1/chat/completions";
const MESSAGES: &str = "/v1/messages";
const COUNT: &str = "/v1/messages/count_tokens";

/// Each shape, and whether it must be taken.
fn chats() -> Vec<(&'static str, bool, String)> {
    let model = r#"{"model":"m.x","messages":["#;
    let in_message = |before: &str, item: &str, after: &str| {
        many(
            &format!("{model}{before}"),
            same(item),
            &format!("{after}]}}"),
        )
    };
    let tool = r#","tools":[{"type":"function","function":{"name":"a"}}]}"#;
    let user = r#"{"role":"user","content":["#;
    let assistant = r#"{"role":"user","content":"x"},{"role":"assistant",""#;
    let text = "a".repeat(SIZE);
    let escaped = "\\n\\u0041".repeat(SIZE / 8);
    vec![
        (
            "turns",
            true,
            many(
                model,
                |index| match index % 2 {
                    0 => r#"{"role":"user","content":"a"}"#.to_owned(),
                    _ => r#"{"role":"assistant","content":"b"}"#.to_owned(),
                },
                "]}",
            ),
        ),
        (
            "one side",
            true,
            many(model, same(r#"{"role":"user","content":"a"}"#), "]}"),
        ),
        (
            "escapes",
            true,
            many(model, same(r#"{"role":"user","content":"\"\n"}"#), "]}"),
        ),
        (
            "blank",
            true,
            many(model, same(r#"{"role":"user","content":"\n"}"#), "]}"),
        ),
        (
            "many members",
            true,
            many(
                &format!("{model}{{\"role\":\"user\",\"content\":\"x\","),
                |index| format!("\"k{index}\":0"),
                "}]}",
            ),
        ),
        (
            "system",
            true,
            many(model, same(r#"{"role":"system","content":"a"}"#), "]}"),
        ),
        (
            "points",
            true,
            in_message(
                user,
                r#"{"type":"text","text":"a","cache_control":{}}"#,
                "]}",
            ),
        ),
        (
            "parts",
            true,
            in_message(user, r#"{"type":"text","text":"a"}"#, "]}"),
        ),
        (
            "escaped parts",
            true,
            in_message(user, r#"{"type":"text","text":"\""}"#, "]}"),
        ),
        (
            "images",
            true,
            in_message(
                user,
                r#"{"type":"image_url","image_url":"data:image/png;base64,AAAA"}"#,
                "]}",
            ),
        ),
        (
            "images with escapes",
            true,
            in_message(
                user,
                r#"{"type":"image_url","image_url":"data:image\/png;base64,AA\/\/"}"#,
                "]}",
            ),
        ),
        (
            "files",
            true,
            in_message(
                user,
                r#"{"type":"file","file":{"filename":"a.pdf","file_data":"AAAA"}}"#,
                "]}",
            ),
        ),
        (
            "two parts each",
            true,
            many(
                model,
                |index| {
                    let role = if index % 2 == 0 { "user" } else { "assistant" };
                    let part = r#"{"type":"text","text":"a"}"#;
                    format!(r#"{{"role":"{role}","content":[{part},{part}]}}"#)
                },
                "]}",
            ),
        ),
        (
            "calls",
            true,
            many(
                &format!("{model}{assistant}tool_calls\":["),
                |index| format!(r#"{{"id":"{index}","function":{{"name":"a"}}}}"#),
                &format!("]}}]{tool}"),
            ),
        ),
        (
            "calls of bad names",
            true,
            many(
                &format!("{model}{assistant}tool_calls\":["),
                |index| {
                    format!(
                        r#"{{"id":"|{index}","function":{{"name":".{index}","arguments":"{{\"a\":1}}"}}}}"#
                    )
                },
                &format!("]}}]{tool}"),
            ),
        ),
        (
            "results",
            true,
            many(
                model,
                |index| format!(r#"{{"role":"tool","tool_call_id":"{index}","content":"a"}}"#),
                &format!("]{tool}"),
            ),
        ),
        (
            "results of parts",
            true,
            many(
                &format!(r#"{model}{{"role":"tool","tool_call_id":"a","content":["#),
                same(r#"{"type":"text","text":"a"}"#),
                &format!("]}}]{tool}"),
            ),
        ),
        (
            "calls before texts",
            true,
            many(
                model,
                |index| match index % 2 {
                    0 => format!(
                        r#"{{"role":"assistant","tool_calls":[{{"id":"{index}","function":{{"name":"a"}}}}]}}"#
                    ),
                    _ => r#"{"role":"assistant","content":"a"}"#.to_owned(),
                },
                &format!("]{tool}"),
            ),
        ),
        (
            "thoughts",
            true,
            in_message(
                &format!("{assistant}thinking_blocks\":["),
                r#"{"type":"thinking","thinking":"a","signature":"b"}"#,
                "]}",
            ),
        ),
        (
            "tools",
            true,
            many(
                r#"{"model":"m.x","messages":[],"tools":["#,
                |index| format!(r#"{{"type":"function","function":{{"name":"{index}"}}}}"#),
                "]}",
            ),
        ),
        (
            "tools of bad names",
            true,
            many(
                r#"{"model":"m.x","messages":[],"tools":["#,
                |index| format!(r#"{{"type":"function","function":{{"name":".{index}"}}}}"#),
                "]}",
            ),
        ),
        (
            "allowed tools",
            true,
            many(
                &format!(
                    r#"{{"model":"m.x","messages":[]{},"tool_choice":{{"type":"allowed_tools","allowed_tools":{{"mode":"auto","tools":["#,
                    &tool[..tool.len() - 1]
                ),
                |index| format!(r#"{{"function":{{"name":"{index}"}}}}"#),
                "]}}}",
            ),
        ),
        (
            "stop",
            false,
            many(
                r#"{"model":"m.x","messages":[],"stop":["#,
                same(r#""a""#),
                "]}",
            ),
        ),
        (
            "modalities",
            true,
            many(
                r#"{"model":"m.x","messages":[],"modalities":["#,
                same(r#""text""#),
                "]}",
            ),
        ),
        (
            "wrong elements",
            false,
            many(r#"{"model":"m.x","messages":["#, same("1"), "]}"),
        ),
        (
            "deep",
            true,
            format!(
                r#"{{"model":"m.x","messages":[],"x":{}{}}}"#,
                "[".repeat(SIZE / 2),
                "]".repeat(SIZE / 2),
            ),
        ),
        (
            "deep in a message",
            false,
            format!(
                r#"{{"model":"m.x","messages":[{{"role":"user","content":{}{}}}]}}"#,
                "[".repeat(SIZE / 2),
                "]".repeat(SIZE / 2),
            ),
        ),
        (
            "deep schema",
            true,
            format!(
                r#"{{"model":"m.x","messages":[],"tools":[{{"type":"function","function":{{"name":"a","parameters":{{"a":{}{}}}}}}}]}}"#,
                "[".repeat(SIZE / 2),
                "]".repeat(SIZE / 2),
            ),
        ),
        (
            "unknown members",
            false,
            many(
                r#"{"model":"m.x","messages":[],"a":1,"#,
                |index| format!("\"k{index}\":0"),
                "}",
            ),
        ),
        (
            "one text",
            true,
            format!(r#"{{"model":"m.x","messages":[{{"role":"user","content":"{text}"}}]}}"#),
        ),
        (
            "one text of escapes",
            true,
            format!(r#"{{"model":"m.x","messages":[{{"role":"user","content":"{escaped}"}}]}}"#,),
        ),
        (
            "arguments",
            true,
            format!(
                r#"{{"model":"m.x","messages":[{{"role":"assistant","tool_calls":[{{"id":"a","function":{{"name":"a","arguments":"{{\"a\":\"{text}\"}}"}}}}]}}]{tool}"#,
            ),
        ),
        (
            "schema as a string",
            true,
            format!(
                r#"{{"model":"m.x","messages":[],"response_format":{{"type":"json_schema","json_schema":{{"schema":{{"a":[{}0]}}}}}}}}"#,
                "\"\",\n".repeat(SIZE / 4),
            ),
        ),
        (
            "description",
            true,
            format!(
                r#"{{"model":"m.x","messages":[],"response_format":{{"type":"json_schema","json_schema":{{"description":"{escaped}","schema":{{}}}}}}}}"#,
            ),
        ),
        (
            "native fields",
            true,
            format!(
                r#"{{"model":"anthropic.x","messages":[]{},"parallel_tool_calls":false,"additionalModelRequestFields":{{"a":"{text}"}}}}"#,
                &tool[..tool.len() - 1],
            ),
        ),
        (
            "metadata",
            true,
            many(
                r#"{"model":"m.x","messages":[],"metadata":{"#,
                |index| format!("\"k{index}\":\"\""),
                "}}",
            ),
        ),
        (
            "a long model",
            false,
            format!(r#"{{"model":"{escaped}","messages":[]}}"#),
        ),
        (
            "a long role",
            false,
            format!(r#"{{"model":"m.x","messages":[{{"role":"{text}"}}]}}"#),
        ),
    ]
}

#[test]
fn chat_completions() {
    check(CHAT, &settings(), chats());
}

/// Families for which requests are changed the most: ids of nine letters and results alone, no tools and no instructions,
/// references resolved, reasoning left out, documents in text.
const FITTED: [&str; 5] = [
    "mistral.mistral-large-2402-v1:0",
    "mistral.mistral-7b-instruct-v0:2",
    "openai.gpt-oss-120b-1:0",
    "us.anthropic.claude-opus-4-7",
    "amazon.nova-pro-v1:0",
];

#[test]
fn what_is_fitted_to_a_family() {
    for model in FITTED {
        for (shape, _, body) in chats() {
            let body = body.replacen(r#""m.x""#, &format!("\"{model}\""), 1);
            within(CHAT, &settings(), shape, &body);
        }
        for (shape, _, body) in messages(model) {
            let location = Settings {
                anthropic: gateway::settings::Anthropic {
                    via: gateway::settings::Via::Converse,
                    ..settings().anthropic
                },
                ..settings()
            };
            within("/v1/messages", &location, shape, &body);
        }
    }
}

/// Below the operator's limit, where thinking goes, what clears it goes with it.
#[test]
fn what_goes_with_thinking() {
    const CLAUDE: &str = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";
    let location = Settings {
        max_output_tokens: Some(100),
        ..settings()
    };
    for edit in [
        r#"{"a":1}"#,
        "1",
        r#"{"type":"a"}"#,
        r#"{"type":"clear_thinking_1"}"#,
    ] {
        let thinking = r#""thinking":{"type":"enabled","budget_tokens":99999},"context_management":{"edits":["#;
        let messages = r#""messages":[{"role":"user","content":"a"}],"max_tokens":9"#;
        let body = many(
            &format!(r#"{{"model":"{CLAUDE}",{messages},{thinking}"#),
            same(edit),
            "]}}",
        );
        within("/v1/messages", &location, edit, &body);
        let body = many(
            &format!(r#"{{"anthropic_version":"bedrock-2023-05-31",{messages},{thinking}"#),
            same(edit),
            "]}}",
        );
        within(&format!("/model/{CLAUDE}/invoke"), &location, edit, &body);
        let body = many(
            &format!(r#"{{"messages":[],"additionalModelRequestFields":{{{thinking}"#),
            same(edit),
            "]}}}",
        );
        within(&format!("/model/{CLAUDE}/converse"), &location, edit, &body);
    }
}

/// What there is of tools may be refused by name, but not at any cost.
fn within(target: &str, settings: &Settings<'_>, shape: &str, body: &str) {
    let (most, result) = cost(target, settings, body);
    let times = most as f64 / body.len() as f64;
    let model = body.get(..60).unwrap_or_default();
    let status = result.map_err(|refusal| refusal.status);
    assert!(
        most <= 2 * body.len() + LITTLE,
        "{model} {shape}: {times:.2} times, {status:?}"
    );
}

/// The same in Anthropic's form.
fn messages(model: &str) -> Vec<(&'static str, bool, String)> {
    let model = format!(r#"{{"model":"{model}","max_tokens":9,"messages":["#);
    let tools = r#","tools":[{"name":"a","input_schema":{}}]}"#;
    let before_messages = model.strip_suffix(r#""messages":["#).unwrap();
    let user = r#"{"role":"user","content":["#;
    let one = r#""messages":[{"role":"user","content":"a"}]"#;
    let text = "a".repeat(SIZE);
    let escaped = "\\n\\u0041".repeat(SIZE / 8);
    let in_message = |item: &str, after: &str| {
        many(
            &format!("{model}{user}"),
            same(item),
            &format!("]}}]{after}"),
        )
    };
    vec![
        (
            "turns",
            true,
            many(
                &model,
                |index| match index % 2 {
                    0 => r#"{"role":"user","content":"a"}"#.to_owned(),
                    _ => r#"{"role":"assistant","content":"b"}"#.to_owned(),
                },
                "]}",
            ),
        ),
        (
            "one side",
            true,
            many(&model, same(r#"{"role":"user","content":"a"}"#), "]}"),
        ),
        (
            "parts",
            true,
            in_message(r#"{"type":"text","text":"a"}"#, "}"),
        ),
        (
            "escaped parts",
            true,
            in_message(r#"{"type":"text","text":"\""}"#, "}"),
        ),
        (
            "points",
            true,
            in_message(r#"{"type":"text","text":"a","cache_control":{}}"#, "}"),
        ),
        (
            "scopes",
            true,
            in_message(
                r#"{"type":"text","text":"a","cache_control":{"scope":1}}"#,
                "}",
            ),
        ),
        (
            "images",
            true,
            in_message(
                r#"{"type":"image","source":{"type":"base64","media_type":"image/png","data":"AAAA"}}"#,
                "}",
            ),
        ),
        (
            "documents",
            true,
            in_message(
                r#"{"type":"document","source":{"type":"text","data":"a"}}"#,
                "}",
            ),
        ),
        (
            "a document of parts",
            true,
            many(
                &format!(
                    r#"{model}{user}{{"type":"document","source":{{"type":"content","content":["#
                ),
                same(r#"{"type":"text","text":"a"}"#),
                "]}}]}]}",
            ),
        ),
        (
            "search results",
            true,
            in_message(
                r#"{"type":"search_result","source":"a","title":"b","content":[{"type":"text","text":"c"}]}"#,
                "}",
            ),
        ),
        (
            "uses",
            true,
            many(
                &format!("{model}{user}"),
                |index| format!(r#"{{"type":"tool_use","id":"{index}","name":"a"}}"#),
                &format!("]}}]{tools}"),
            ),
        ),
        (
            "results",
            true,
            many(
                &format!("{model}{user}"),
                |index| format!(r#"{{"type":"tool_result","tool_use_id":"{index}"}}"#),
                &format!("]}}]{tools}"),
            ),
        ),
        (
            "results with a text",
            true,
            in_message(
                r#"{"type":"tool_result","tool_use_id":"a","content":"b"}"#,
                tools,
            ),
        ),
        (
            "results of parts",
            true,
            many(
                &format!(r#"{model}{user}{{"type":"tool_result","tool_use_id":"a","content":["#),
                same(r#"{"type":"text","text":"a"}"#),
                &format!("]}}]}}]{tools}"),
            ),
        ),
        (
            "thoughts",
            true,
            in_message(r#"{"type":"thinking","thinking":"a"}"#, "}"),
        ),
        (
            "redacted thoughts",
            true,
            in_message(r#"{"type":"redacted_thinking","data":"a"}"#, "}"),
        ),
        (
            "a redacted thought",
            true,
            format!(r#"{model}{user}{{"type":"redacted_thinking","data":"{text}"}}]}}]}}"#,),
        ),
        (
            "instructions",
            true,
            many(
                &format!(r#"{before_messages}{one},"system":["#),
                same(r#"{"type":"text","text":"a"}"#),
                "]}",
            ),
        ),
        (
            "tools",
            true,
            many(
                &format!(r#"{before_messages}{one},"tools":["#),
                |index| format!(r#"{{"name":"{index}","input_schema":{{}}}}"#),
                "]}",
            ),
        ),
        (
            "tools of bad names",
            true,
            many(
                &format!(r#"{before_messages}{one},"tools":["#),
                |index| format!(r#"{{"name":".{index}","input_schema":{{}}}}"#),
                "]}",
            ),
        ),
        (
            "stop sequences",
            false,
            many(
                &format!(r#"{before_messages}{one},"stop_sequences":["#),
                same(r#""a""#),
                "]}",
            ),
        ),
        (
            "one text",
            true,
            format!(r#"{model}{{"role":"user","content":"{text}"}}]}}"#),
        ),
        (
            "one text of escapes",
            true,
            format!(r#"{model}{{"role":"user","content":"{escaped}"}}]}}"#),
        ),
        (
            "deep results",
            false,
            format!(
                r#"{model}{user}{}{}]}}]{tools}"#,
                r#"{"type":"tool_result","tool_use_id":"a","content":["#.repeat(SIZE / 55),
                "]}".repeat(SIZE / 55),
            ),
        ),
        (
            "deep",
            true,
            format!(
                r#"{before_messages}{one},"metadata":{}{}}}"#,
                "[".repeat(SIZE / 2),
                "]".repeat(SIZE / 2),
            ),
        ),
        (
            "unknown members",
            false,
            many(
                &format!("{before_messages}{one},"),
                |index| format!("\"k{index}\":0"),
                "}",
            ),
        ),
    ]
}

#[test]
fn messages_over_converse() {
    check(MESSAGES, &settings(), messages("m.x"));
    check(COUNT, &settings(), messages("m.x"));
}

/// What changes inside a body for Claude, as often as it fits.
fn messages_for_claude() -> Vec<(&'static str, bool, String)> {
    let model = r#"{"model":"us.anthropic.claude-sonnet-4-20250514-v1:0","max_tokens":1,"#;
    let turns = |turn: &str| many(&format!("{model}\"messages\":["), same(turn), "]}");
    let blocks = |block: &str| {
        let before = format!(r#"{model}"messages":[{{"role":"user","content":["#);
        many(&before, same(block), "]}]}")
    };
    let member = |name: &str, before: &str, item: &str, after: &str| {
        let before = format!(r#"{model}"messages":[],"{name}":{before}"#);
        many(&before, same(item), &format!("{after}}}"))
    };
    let tools = |tool: &str| member("tools", "[", tool, "]");
    let text = "a".repeat(SIZE);
    vec![
        ("empty turns", true, turns("{}")),
        ("turns", true, turns(r#"{"role":"user","content":"a"}"#)),
        (
            "turns with a configuration",
            true,
            turns(r#"{"output_config":0}"#),
        ),
        ("empty blocks", true, blocks("{}")),
        ("marks", true, blocks(r#"{"cache_control":{"scope":0}}"#)),
        (
            "marks with a lifetime",
            true,
            blocks(r#"{"cache_control":{"ttl":0,"type":0}}"#),
        ),
        ("unsigned thinking", true, blocks(r#"{"type":"thinking"}"#)),
        ("ids", true, blocks(r#"{"id":"."}"#)),
        ("references", true, blocks(r#"{"type":"tool_reference"}"#)),
        (
            "results",
            true,
            blocks(r#"{"content":[{"cache_control":{"scope":0}}]}"#),
        ),
        (
            "calls without results",
            true,
            turns(r#"{"role":"assistant","content":[{"type":"tool_use","id":"a"}]}"#),
        ),
        (
            "a turn of calls",
            true,
            many(
                &format!(r#"{model}"messages":[{{"role":"assistant","content":["#),
                |index| format!(r#"{{"type":"tool_use","id":"{index}"}}"#),
                "]}]}",
            ),
        ),
        (
            "results without calls",
            true,
            blocks(r#"{"type":"tool_result","tool_use_id":"a"}"#),
        ),
        (
            "results of text without calls",
            true,
            blocks(r#"{"type":"tool_result","tool_use_id":"a","content":"b"}"#),
        ),
        ("blank texts", true, blocks(r#"{"type":"text","text":" "}"#)),
        (
            "searches of the web",
            true,
            tools(r#"{"type":"web_search_1"}"#),
        ),
        ("empty tools", true, tools("{}")),
        ("tools", true, tools(r#"{"custom":0}"#)),
        (
            "eager tools",
            true,
            tools(r#"{"eager_input_streaming":true}"#),
        ),
        (
            "deferred tools",
            true,
            tools(r#"{"custom":{"defer_loading":true}}"#),
        ),
        ("searches", true, tools(r#"{"type":"tool_search_tool_x"}"#)),
        ("computers", true, tools(r#"{"type":"computer_20250124"}"#)),
        (
            "schemas",
            true,
            tools(r#"{"input_schema":{"type":"custom"}}"#),
        ),
        (
            "marks of instructions",
            true,
            member("system", "[", r#"{"cache_control":{"scope":0}}"#, "]"),
        ),
        (
            "edits that go",
            true,
            member(
                "context_management",
                r#"{"edits":["#,
                r#"{"type":"clear_thinking_1"}"#,
                "]}",
            ),
        ),
        ("flags", false, member("anthropic_beta", "[", r#""a""#, "]")),
        ("thinking", true, member("thinking", r#"{"x":["#, "0", "]}")),
        (
            "configuration",
            true,
            member("output_config", r#"{"x":["#, "0", "]}"),
        ),
        (
            "format",
            true,
            member("output_format", r#"{"x":["#, "0", "]}"),
        ),
        (
            "members",
            false,
            many(model, |index| format!("\"k{index}\":0"), "}"),
        ),
        (
            "one text",
            true,
            format!(r#"{model}"messages":[{{"role":"user","content":"{text}"}}]}}"#),
        ),
        (
            "one text, marked",
            true,
            format!(
                r#"{model}"messages":[{{"role":"user","content":[{{"type":"text","text":"{text}","cache_control":{{"scope":0}}}}]}}]}}"#
            ),
        ),
        (
            "deep",
            true,
            format!(
                r#"{model}"messages":{}{}}}"#,
                "[".repeat(SIZE / 2),
                "]".repeat(SIZE / 2)
            ),
        ),
    ]
}

#[test]
fn messages_over_invoke() {
    check(MESSAGES, &settings(), messages_for_claude());
    check(COUNT, &settings(), messages_for_claude());
}

#[test]
fn embeddings() {
    let model = r#"{"model":"cohere.embed-v4:0","input":["#;
    check(
        "/v1/embeddings",
        &settings(),
        vec![
            ("texts", false, many(model, same(r#""a""#), "]}")),
            ("tokens", false, many(model, same("1"), "]}")),
            (
                "one text",
                true,
                format!(r#"{model}"{}"]}}"#, "a".repeat(SIZE)),
            ),
            (
                "one text of escapes",
                true,
                format!(r#"{model}"{}"]}}"#, "\\n".repeat(SIZE / 2)),
            ),
        ],
    );
}

/// Requests of Responses; whether Converse takes each.
fn responses() -> Vec<(&'static str, bool, String)> {
    let model = r#"{"model":"m.x","#;
    let input = |items: &str| format!("{model}{items}\"input\":[");
    let tools = r#""tools":[{"type":"function","name":"f","parameters":{"type":"object"}}],"#;
    let call = |index| {
        format!(r#"{{"type":"function_call","call_id":"c{index}","name":"f","arguments":"{{}}"}}"#)
    };
    let output =
        |index| format!(r#"{{"type":"function_call_output","call_id":"c{index}","output":"o"}}"#);
    vec![
        (
            "messages",
            true,
            many(&input(""), same(r#"{"role":"user","content":"a"}"#), "]}"),
        ),
        (
            "turns",
            true,
            many(
                &input(""),
                |index| match index % 2 {
                    0 => r#"{"role":"user","content":"a"}"#.to_owned(),
                    _ => r#"{"role":"assistant","content":"b"}"#.to_owned(),
                },
                "]}",
            ),
        ),
        (
            "parts",
            true,
            many(
                &(input("") + r#"{"role":"user","content":["#),
                same(r#"{"type":"input_text","text":"a"}"#),
                "]}]}",
            ),
        ),
        (
            "calls and outputs",
            true,
            many(
                &input(tools),
                |index| format!("{},{}", call(index), output(index)),
                "]}",
            ),
        ),
        (
            "reasoning of others",
            true,
            many(
                &(input("") + r#"{"role":"user","content":"a"},"#),
                same(r#"{"type":"reasoning","encrypted_content":"gAAA"}"#),
                "]}",
            ),
        ),
        (
            "searches of others",
            true,
            many(
                &(input("") + r#"{"role":"user","content":"a"},"#),
                same(r#"{"type":"web_search_call","id":"a"}"#),
                "]}",
            ),
        ),
        (
            "custom tools",
            true,
            many(
                &format!("{model}\"input\":\"a\",\"tools\":["),
                |index| format!(r#"{{"type":"custom","name":"t{index}"}}"#),
                "]}",
            ),
        ),
        (
            "tools of a namespace",
            true,
            many(
                &format!(
                    r#"{model}"input":"a","tools":[{{"type":"namespace","name":"n","tools":["#
                ),
                |index| format!(r#"{{"type":"function","name":"t{index}"}}"#),
                "]}]}",
            ),
        ),
        (
            "tools",
            true,
            many(
                &format!("{model}\"input\":\"a\",\"tools\":["),
                |index| format!(r#"{{"type":"function","name":"t{index}"}}"#),
                "]}",
            ),
        ),
        (
            "searches",
            true,
            many(
                &format!("{model}\"input\":\"a\",\"tools\":["),
                same(r#"{"type":"web_search"}"#),
                "]}",
            ),
        ),
        (
            "one text",
            true,
            format!("{model}\"input\":\"{}\"}}", "a".repeat(SIZE)),
        ),
        (
            "one text of escapes",
            true,
            format!("{model}\"input\":\"{}\"}}", "\\n".repeat(SIZE / 2)),
        ),
        (
            "an image",
            true,
            format!(
                r#"{}{{"role":"user","content":[{{"type":"input_image","image_url":"data:image/png;base64,{}"}}]}}]}}"#,
                input(""),
                "A".repeat(SIZE)
            ),
        ),
        (
            "an output",
            true,
            format!(
                r#"{}{},{{"type":"function_call_output","call_id":"c0","output":"{}"}}]}}"#,
                input(tools),
                call(0),
                "a".repeat(SIZE)
            ),
        ),
    ]
}

#[test]
fn responses_requests() {
    check("/v1/responses", &settings(), responses());
}

/// As large as Bedrock takes a body: nothing but what the answer repeats of it is kept.
#[test]
fn twenty_megabytes_of_input() {
    let image = "A".repeat(10 << 20);
    let text = "word ".repeat(2 << 20);
    let body = format!(
        r#"{{"model":"m.x","input":[{{"role":"user","content":[{{"type":"input_image","image_url":"data:image/png;base64,{image}"}},{{"type":"input_text","text":"{text}"}}]}}]}}"#
    );
    assert!(body.len() > 20 << 20);
    let (most, result) = cost("/v1/responses", &settings(), &body);
    assert!(result.is_ok());
    assert!(most < 1 << 20, "{most} bytes");
}

#[test]
fn documents_to_rank() {
    let model = r#"{"model":"cohere.rerank-v3-5:0","query":"q","documents":["#;
    let object = r#"{"text":"a"}"#;
    check(
        "/v1/rerank",
        &settings(),
        vec![
            ("texts", true, many(model, same(r#""a""#), "]}")),
            ("objects", true, many(model, same(object), "]}")),
            (
                "objects by their fields",
                true,
                many(model, same(object), r#"],"rank_fields":["text","b"]}"#),
            ),
            (
                "objects that come back",
                true,
                many(model, same(object), r#"],"return_documents":true}"#),
            ),
            (
                "members",
                false,
                many(
                    &format!("{model}{{"),
                    |index| format!("\"k{index}\":\"\""),
                    "}]}",
                ),
            ),
            (
                "fields",
                false,
                many(
                    r#"{"model":"amazon.rerank-v1:0","query":"q","documents":["a"],"rank_fields":["#,
                    same(r#""a""#),
                    "]}",
                ),
            ),
            (
                "one text",
                true,
                format!(r#"{model}"{}"]}}"#, "a".repeat(SIZE)),
            ),
            (
                "one text of escapes",
                true,
                format!(r#"{model}"{}"]}}"#, "\\n".repeat(SIZE / 2)),
            ),
        ],
    );
    check(
        "/model/amazon.rerank-v1:0/invoke",
        &settings(),
        vec![(
            "texts",
            true,
            many(r#"{"query":"q","documents":["#, same(r#""a""#), "]}"),
        )],
    );
}

#[test]
fn bedrocks_own_forms() {
    let guardrail = Guardrail {
        id: "g".into(),
        version: "1".into(),
        trace: None,
    };
    let settings = Settings {
        max_output_tokens: Some(100),
        guardrail: Some(&guardrail),
        ..settings()
    };
    let turn = r#"{"role":"user","content":[{"text":"a"}]}"#;
    let shapes = || {
        vec![
            (
                "turns",
                true,
                many(r#"{"model":"m.x","messages":["#, same(turn), "]}"),
            ),
            (
                "members",
                false,
                many(r#"{"model":"m.x","#, |index| format!("\"k{index}\":0"), "}"),
            ),
            (
                "configuration",
                true,
                format!(
                    r#"{{"model":"m.x","inferenceConfig":{{"x":"{}"}}}}"#,
                    "a".repeat(SIZE),
                ),
            ),
            (
                "deep",
                true,
                format!(
                    r#"{{"model":"m.x","x":{}{}}}"#,
                    "[".repeat(SIZE / 2),
                    "]".repeat(SIZE / 2),
                ),
            ),
            (
                "native fields",
                true,
                format!(
                    r#"{{"model":"m.x","additionalModelRequestFields":{{"x":"{}"}}}}"#,
                    "a".repeat(SIZE),
                ),
            ),
        ]
    };
    for target in [
        "/",
        "/model/m.x/converse",
        "/model/amazon.nova-x/invoke",
        "/model/anthropic.x/invoke-with-response-stream",
    ] {
        check(target, &settings, shapes());
    }
}

fn check(target: &str, settings: &Settings<'_>, shapes: Vec<(&str, bool, String)>) {
    let mut failed = Vec::new();
    for (shape, taken, body) in shapes {
        let (most, result) = cost(target, settings, &body);
        let times = most as f64 / body.len() as f64;
        if std::env::var_os("SHOW").is_some() {
            println!(
                "{target} {shape}: {times:.2} times, {:?}",
                result.as_ref().map_err(|refusal| refusal.status)
            );
        }
        if most > 2 * body.len() + LITTLE {
            failed.push(format!("{shape}: {times:.2} times"));
        }
        if result.is_ok() != taken {
            let message =
                result.map_err(|refusal| refusal.message.chars().take(200).collect::<String>());
            failed.push(format!("{shape}: {message:?}"));
        }
    }
    assert!(failed.is_empty(), "{target}: {failed:#?}");
}

fn measure() -> usize {
    PEAK.set(LIVE.get());
    LIVE.get()
}

struct Counting;

// SAFETY: all is done by the system's allocator; the counters are plain numbers.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(0, layout.size());
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        count(layout.size(), 0);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(ptr, layout) }
    }

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        count(layout.size(), new_size);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.realloc(ptr, layout, new_size) }
    }
}

fn count(old: usize, new: usize) {
    // What was allocated in another thread may be freed in this one.
    let live = (LIVE.get() + new).saturating_sub(old);
    LIVE.set(live);
    PEAK.set(PEAK.get().max(live));
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

thread_local! {
    /// Bytes allocated and not freed by this thread, and the most there were since it was last measured.
    static LIVE: Cell<usize> = const { Cell::new(0) };
    static PEAK: Cell<usize> = const { Cell::new(0) };
}
