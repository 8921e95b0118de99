//! Chat streams of Bedrock's own API that the gateway asks for their usage: whatever lines they have, and however they are cut, the
//! client gets the same events, without that one.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod common;

use std::time::UNIX_EPOCH;

use common::settings;
use gateway::{Api, End, Relay, inspect, plan};
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
