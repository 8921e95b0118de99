//! Chat streams of Bedrock's own API that the gateway asks for their usage: whatever lines they have, and however they are cut, the
//! client gets the same events, without that one.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod common;

use std::time::{Duration, Instant, UNIX_EPOCH};

use common::settings;
use gateway::{Api, End, Flow, Relay, inspect, plan};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

const USAGE: &str = r#"data: {"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":7}}"#;

const ERROR: &str = r#"data: {"error":{"message":"x"}}"#;

fn relay() -> Relay {
    let body = r#"{"model":"m","stream":true}"#;
    let target = "/openai/v1/chat/completions";
    let request = inspect(Some(Api::Native), "POST", target, Some(body.as_bytes())).unwrap();
    let plan = plan(&request, &settings(), &[], body.as_bytes()).unwrap();
    let header = |name: &str| (name == "content-type").then(|| "text/event-stream".into());
    plan.relay(200, header, UNIX_EPOCH)
}

fn events(mut stream: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut decoder = sse::Decoder::new(1 << 20);
    let mut events = Vec::new();
    while let Some(event) = decoder.next(&mut stream).unwrap() {
        events.push((event.name.to_vec(), event.data.to_vec()));
    }
    events
}

fn line() -> impl Strategy<Value = String> {
    let line = select(vec![
        "",
        "",
        "",
        ":",
        ": a comment",
        ":data: no",
        "data",
        "data:",
        "data: [DONE]",
        r#"data: {"choices":[{"delta":{"content":"Hi"}}]}"#,
        r#"data: {"choices":[{"delta":{}}],"usage":{"prompt_tokens":1}}"#,
        ERROR,
        USAGE,
        USAGE,
        "event: x",
        "id: 1",
        "junk",
    ]);
    let end = select(vec!["\n", "\r", "\r\n"]);
    (line, end).prop_map(|(line, end)| format!("{line}{end}"))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, ..ProptestConfig::default() })]

    #[test]
    fn the_client_gets_the_same_events(lines in vec(line(), 0..24), cuts in vec(any::<Index>(), 0..24), pinged in any::<u32>()) {
        let stream = lines.concat();
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
        cuts.extend([0, stream.len()]);
        cuts.sort_unstable();
        let mut relay = relay();
        let mut out = Vec::new();
        for (place, cut) in cuts.windows(2).enumerate() {
            relay.push(&stream.as_bytes()[cut[0]..cut[1]], &mut out);
            if pinged >> (place % 32) & 1 == 1 {
                relay.ping(&mut out);
            }
        }
        let end = relay.finish(true, &mut out);
        let all = events(stream.as_bytes());
        let is = |data: &[u8], line: &str| {
            let value = |json: &[u8]| serde_json::from_slice::<serde_json::Value>(json).ok();
            value(data).is_some_and(|data| Some(data) == value(line.strip_prefix("data: ").unwrap().as_bytes()))
        };
        let wanted: Vec<_> = all.iter().filter(|(_, data)| !is(data, USAGE)).cloned().collect();
        prop_assert_eq!(events(&out), wanted, "{:?}", String::from_utf8_lossy(&out));
        let ended = all.iter().any(|(_, data)| data == b"[DONE]" || is(data, ERROR));
        prop_assert_eq!(end == End::Clean, ended);
        let counted = all.iter().any(|(_, data)| is(data, USAGE));
        prop_assert_eq!(relay.facts().output_tokens, counted.then_some(7));
    }
}

/// How long it takes to read so many of `event`, as they come from the network.
fn time_for(count: usize, event: &str) -> Duration {
    let stream = event.repeat(count);
    let mut relay = relay();
    let begun = Instant::now();
    for piece in stream.as_bytes().chunks(4 << 10) {
        assert_ne!(relay.push(piece, &mut Vec::new()), Flow::Cut(0));
    }
    begun.elapsed()
}

#[test]
fn a_large_event_is_read_as_fast_as_small_ones() {
    const SIZE: usize = 1 << 20;
    for begins in [
        r#"data: {"type":"response.created","response":{"instructions":""#,
        r#"data: {"type":"response.failed","response":{"instructions":""#,
        ": ",
    ] {
        let event = |size: usize| format!("{begins}{}\n\n", "x".repeat(size));
        let small = time_for(64, &event(SIZE / 64));
        let large = time_for(1, &event(SIZE));
        assert!(large < small * 8, "{begins}: {large:?}, {small:?}");
    }
}

#[test]
fn what_is_about_the_gateway_is_hidden_wherever_a_large_event_has_it() {
    let secret = "arn:aws:sts::123456789012:assumed-role/Gateway/i-0abc is not authorized";
    for before in [10, 15_000, 20_000, 60_000] {
        for stream in [
            format!(
                r#"data: {{"type":"response.failed","response":{{"instructions":"{}","error":{{"message":"User: {secret}"}}}}}}"#,
                "x".repeat(before)
            ),
            format!(": {} {secret}", "x".repeat(before)),
        ] {
            let at = stream.find("123456789012").unwrap();
            for cut in [1000, 4096, at - 5, at + 3, at + 30] {
                let mut relay = relay();
                let (mut out, mut hidden) = (Vec::new(), false);
                for piece in [stream.as_bytes(), b"\n\n"].concat().chunks(cut) {
                    hidden |= matches!(relay.push(piece, &mut out), Flow::Cut(_) | Flow::Fail(_));
                }
                assert!(hidden, "{before} {cut} {}", &stream[..40]);
            }
        }
    }
}

#[test]
fn what_a_model_says_is_not_hidden_wherever_it_is_cut() {
    let mut relay = relay();
    let mut out = Vec::new();
    let event = r#": {"choices":[{"delta":{"content":"the string to sign begins with AWS4-HMAC-SHA256"}}]}"#;
    let long = format!(
        r#"data: {{"choices":[{{"delta":{{"content":"AWS4-HMAC-SHA256 {}"#,
        "x".repeat(40_000)
    );
    for piece in [
        "data",
        event,
        "\n\n",
        &long,
        "AWS4-HMAC-SHA256",
        r#""}}]}"#,
        "\n\n",
    ] {
        assert!(!matches!(
            relay.push(piece.as_bytes(), &mut out),
            Flow::Cut(_) | Flow::Fail(_)
        ));
    }
}
