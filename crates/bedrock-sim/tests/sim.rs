//! The stand-in over a real socket.

// clippy.toml lets #[test] functions unwrap and index; their helpers here are tests too.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
    thread,
};

use bedrock_sim::{
    Sim,
    auth::{Key, Keyring},
    clock,
    request::Head,
    server, signature,
};
use eventstream::{Decoder, Error, Limits, Message};
use hyper::body::Bytes;
use serde_json::{Value, json};

const HELLO: &str = r#"{"messages":[{"role":"user","content":[{"text":"Hi"}]}]}"#;
const BEARER: &str = "Authorization: Bearer key";

fn start(sim: Sim) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            server::serve(listener, Arc::new(sim)).await
        })
    });
    address
}

fn sim() -> Sim {
    let key = Key {
        id: "AKIDEXAMPLE".to_owned(),
        secret: "secret".to_owned(),
        token: None,
    };
    let keyring = Keyring {
        keys: vec![key],
        api_keys: vec!["key".to_owned()],
        ..Keyring::default()
    };
    Sim {
        keyring,
        ..Sim::default()
    }
}

/// An answer off the wire.
struct Answer {
    status: u16,
    head: String,
    /// The body without its transfer coding.
    body: Vec<u8>,
    /// The sizes of its HTTP chunks.
    chunks: Vec<usize>,
    /// Whether the end of the body was there.
    complete: bool,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (n, value) = line.split_once(": ")?;
            n.eq_ignore_ascii_case(name).then_some(value)
        })
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The stream's events and exceptions by name with their payloads, and how the stream ended.
    fn stream(&self) -> (Vec<(String, Value)>, Result<(), Error>) {
        let mut found = Vec::new();
        let mut decoder = Decoder::new(Limits::default());
        let mut input = self.body.as_slice();
        loop {
            let frame = match decoder.next(&mut input) {
                Ok(Some(frame)) => frame,
                Ok(None) => return (found, decoder.finish()),
                Err(error) => return (found, Err(error)),
            };
            let payload = serde_json::from_slice(frame.payload()).unwrap_or_default();
            let name = match frame.message().unwrap() {
                Message::Event { event_type, .. } => event_type,
                Message::Exception { exception_type, .. } => exception_type,
                _ => "error",
            };
            found.push((name.to_owned(), payload));
        }
    }

    fn names(&self) -> Vec<String> {
        self.stream().0.into_iter().map(|(name, _)| name).collect()
    }

    /// The text of a ConverseStream.
    fn said(&self) -> String {
        let (events, end) = self.stream();
        end.unwrap();
        let text = |(_, payload): &(String, Value)| {
            Some(payload.pointer("/delta/text")?.as_str()?.to_owned())
        };
        events.iter().filter_map(text).collect()
    }
}

fn exchange(to: SocketAddr, request: &[u8]) -> Answer {
    let mut stream = TcpStream::connect(to).unwrap();
    stream.write_all(request).unwrap();
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes);
    parse(&bytes)
}

fn parse(bytes: &[u8]) -> Answer {
    let end = bytes.windows(4).position(|w| w == b"\r\n\r\n").unwrap();
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let rest = &bytes[end + 4..];
    let mut answer = Answer {
        status,
        head,
        body: Vec::new(),
        chunks: Vec::new(),
        complete: false,
    };
    if answer.header("transfer-encoding").is_none() {
        let length: usize = answer.header("content-length").unwrap().parse().unwrap();
        answer.complete = rest.len() == length;
        answer.body = rest.to_vec();
        return answer;
    }
    let mut rest = rest;
    while let Some(line) = rest.windows(2).position(|w| w == b"\r\n") {
        let size = usize::from_str_radix(std::str::from_utf8(&rest[..line]).unwrap(), 16).unwrap();
        if size == 0 {
            answer.complete = true;
            break;
        }
        answer.chunks.push(size);
        answer
            .body
            .extend_from_slice(&rest[line + 2..line + 2 + size]);
        rest = &rest[line + 2 + size + 2..];
    }
    answer
}

fn request(target: &str, headers: &str, body: &str) -> Vec<u8> {
    format!(
        "POST {target} HTTP/1.1\r\nHost: sim\r\nConnection: close\r\n{headers}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

fn ask(to: SocketAddr, model: &str, operation: &str) -> Answer {
    exchange(
        to,
        &request(&format!("/model/{model}/{operation}"), BEARER, HELLO),
    )
}

fn journal(to: SocketAddr) -> Value {
    exchange(
        to,
        b"GET /__sim/requests HTTP/1.1\r\nHost: sim\r\nConnection: close\r\n\r\n",
    )
    .json()
}

#[test]
fn every_answer_has_its_headers() {
    let to = start(sim());
    let answer = ask(to, "any.model-v1%3A0", "converse");
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.json()["output"]["message"]["content"][0]["text"],
        "Hello from the Bedrock stand-in."
    );
    assert_eq!(answer.header("server"), Some("bedrock-sim"));
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert!(answer.header("date").is_some());
    let id = answer.header("x-amzn-requestid").unwrap();
    assert_eq!(id.len(), 36);
    assert_ne!(
        Some(id),
        ask(to, "m", "converse").header("x-amzn-requestid")
    );
}

#[test]
fn a_stream_has_bedrocks_frames() {
    let answer = ask(start(sim()), "m", "converse-stream");
    assert_eq!(
        answer.header("content-type"),
        Some("application/vnd.amazon.eventstream")
    );
    assert_eq!(answer.said(), "Hello from the Bedrock stand-in.");
    let delta = "contentBlockDelta";
    let expected = [
        "messageStart",
        delta,
        delta,
        delta,
        delta,
        delta,
        delta,
        "contentBlockStop",
        "messageStop",
        "metadata",
    ];
    assert_eq!(answer.names(), expected);
    assert_eq!(
        answer.chunks.len(),
        expected.len(),
        "one chunk for each frame"
    );
    let (events, _) = answer.stream();
    assert!(
        events
            .iter()
            .all(|(_, payload)| payload["p"].as_str().is_some_and(|p| !p.is_empty()))
    );
    assert_eq!(events[9].1["usage"]["totalTokens"], 37);
    assert!(answer.complete);
}

#[test]
fn every_script_streams_decodable_frames() {
    let to = start(sim());
    for (script, last) in [
        ("unicode", "metadata"),
        ("tool", "metadata"),
        ("tools", "metadata"),
        ("reasoning", "metadata"),
        ("cached", "metadata"),
        ("max-tokens", "metadata"),
        ("new-stop", "metadata"),
        ("no-usage", "metadata"),
        ("no-metadata", "messageStop"),
        ("long.frames-300", "metadata"),
        ("big.kib-300", "metadata"),
        ("echo", "metadata"),
        ("unknown-event", "metadata"),
        ("exception", "throttlingException"),
        (
            "exception.type-modelstreamerror.at-4",
            "modelStreamErrorException",
        ),
        ("exception.type-unknown.at-99", "unknownException"),
        ("error-frame.at-1", "error"),
    ] {
        for operation in ["converse-stream", "invoke-with-response-stream"] {
            let answer = ask(to, &format!("sim.{script}"), operation);
            let (events, end) = answer.stream();
            let last = if operation.starts_with("invoke")
                && last.starts_with('m')
                && !last.ends_with("Exception")
            {
                "chunk"
            } else {
                last
            };
            assert_eq!(
                events.last().map(|(name, _)| name.as_str()),
                Some(last),
                "{script}"
            );
            assert_eq!(
                (answer.status, end, answer.complete),
                (200, Ok(()), true),
                "{script}"
            );
        }
    }
    assert_eq!(
        ask(to, "sim.echo", "converse-stream").said(),
        r#"["messages"]"#
    );
    assert!(
        ask(to, "sim.unicode", "converse-stream")
            .said()
            .contains("東京, 😀🎉")
    );
    assert_eq!(
        ask(to, "sim.exception.at-4", "converse-stream")
            .names()
            .len(),
        5
    );
}

#[test]
fn spoilt_streams_are_spoilt_where_asked() {
    let to = start(sim());
    let spoilt = |script: &str| ask(to, &format!("sim.{script}.at-3"), "converse-stream");

    let answer = spoilt("corrupt");
    let (events, end) = answer.stream();
    assert!(
        matches!(end, Err(Error::MessageCrcMismatch { .. })),
        "{end:?}"
    );
    assert_eq!((events.len(), answer.complete), (3, true));

    let (events, end) = spoilt("corrupt-prelude").stream();
    assert!(
        matches!(end, Err(Error::PreludeCrcMismatch { .. })),
        "{end:?}"
    );
    assert_eq!(events.len(), 3);

    for (script, complete) in [("truncated", true), ("reset", false)] {
        let answer = spoilt(script);
        let (events, end) = answer.stream();
        assert_eq!(
            (events.len(), end, answer.complete),
            (3, Err(Error::Truncated), complete),
            "{script}"
        );
    }

    let broken = ask(to, "sim.reset", "converse");
    assert!(!broken.complete && !broken.body.is_empty());
    assert_eq!(ask(to, "sim.exception", "converse").status, 429);
}

#[test]
fn writes_are_cut_as_asked() {
    let to = start(sim());
    let bytes = ask(to, "sim.text.split-1", "converse-stream");
    assert!(bytes.chunks.iter().all(|size| *size == 1));
    let bytes = ask(to, "sim.text.split-100", "converse-stream");
    let (last, others) = bytes.chunks.split_last().unwrap();
    assert!(others.iter().all(|size| *size == 100) && *last <= 100);
    let glued = ask(to, "sim.text.glue", "converse-stream");
    assert_eq!(
        (glued.chunks.len(), glued.said().as_str()),
        (1, "Hello from the Bedrock stand-in.")
    );
    let known = ask(to, "sim.text.length", "converse-stream");
    assert_eq!((known.chunks.len(), known.complete), (0, true));
    assert_eq!(known.body, glued.body);
    let paced = ask(to, "sim.text.pace-1.first-1.split-50", "converse-stream");
    assert_eq!(paced.body, glued.body);
    assert!(paced.chunks.iter().all(|size| *size <= 50));
}

#[test]
fn errors_are_aws_errors() {
    let to = start(sim());
    let answer = ask(to, "sim.throttled", "converse-stream");
    assert_eq!(answer.status, 429);
    assert_eq!(answer.header("retry-after"), Some("1"));
    assert_eq!(
        answer.header("x-amzn-errortype"),
        Some("ThrottlingException")
    );
    assert_eq!(
        answer.json(),
        json!({"message": "Too many requests, please wait before trying again."})
    );

    let answer = ask(to, "sim.http-502-html", "converse");
    assert_eq!(
        (answer.status, answer.header("content-type")),
        (502, Some("text/html"))
    );
    assert_eq!(answer.header("x-amzn-errortype"), None);
    let answer = ask(to, "sim.http-200-empty", "converse-stream");
    assert_eq!((answer.status, answer.body.len()), (200, 0));
    let answer = ask(to, "sim.http-424-modelerror", "converse");
    assert_eq!(
        (answer.status, &answer.json()["originalStatusCode"]),
        (424, &json!(500))
    );

    let refused = |target: &str, headers: &str, body: &str| {
        let answer = exchange(to, &request(target, headers, body));
        (
            answer.status,
            answer.header("x-amzn-errortype").unwrap().to_owned(),
        )
    };
    let model = "/model/m/converse";
    let expected = |status: u16, name: &str| (status, format!("{name}Exception"));
    assert_eq!(
        refused(model, "X: y", HELLO),
        expected(403, "MissingAuthenticationToken")
    );
    assert_eq!(
        refused(model, "Authorization: Bearer no", HELLO),
        expected(403, "AccessDenied")
    );
    assert_eq!(refused(model, BEARER, "{}"), expected(400, "Validation"));
    assert_eq!(refused(model, BEARER, "{"), expected(400, "Validation"));
    assert_eq!(
        refused("/model/a/b/converse", BEARER, HELLO),
        expected(404, "UnknownOperation")
    );
    let get = b"GET /model/m/converse HTTP/1.1\r\nHost: sim\r\nConnection: close\r\n\r\n";
    let answer = exchange(to, get);
    assert_eq!((answer.status, answer.header("allow")), (405, Some("POST")));
}

#[test]
fn other_operations_answer() {
    let to = start(sim());
    let post = |target: &str, body: &str| exchange(to, &request(target, BEARER, body));
    assert_eq!(
        post("/model/m/count-tokens", r#"{"input":{}}"#).json(),
        json!({"inputTokens": 42})
    );
    let applied = post(
        "/guardrail/g/version/1/apply",
        r#"{"source":"INPUT","content":[]}"#,
    )
    .json();
    assert_eq!(
        (
            &applied["action"],
            applied["usage"].as_object().unwrap().len()
        ),
        (&json!("NONE"), 8)
    );
    assert_eq!(post("/guardrail-checks/invoke", "{}").status, 200);
    assert_eq!(
        post("/model/sim.echo/invoke", "any \u{e9} thing").body,
        "any \u{e9} thing".as_bytes()
    );
    let invoked = post("/model/sim.cached/invoke", "{}");
    assert_eq!(
        invoked.header("x-amzn-bedrock-cache-read-input-token-count"),
        Some("1000")
    );
    assert_eq!(invoked.json()["usage"]["input_tokens"], 10);
}

#[test]
fn a_signature_is_checked_over_the_wire() {
    let to = start(sim());
    let time = clock::iso8601(clock::now());
    let target = "/model/arn%3Aaws%3Ax%2Fy-v1:0/converse";
    let head = Head {
        method: "POST".to_owned(),
        target: target.to_owned(),
        headers: vec![
            ("Host".to_owned(), b"sim".to_vec()),
            ("X-Amz-Date".to_owned(), time.clone().into_bytes()),
        ],
    };
    let key = sim().keyring.keys.remove(0);
    let header = signature::sign(
        &head,
        HELLO.as_bytes(),
        &key,
        "eu-west-1",
        "host;x-amz-date",
    );
    let headers = format!("x-amz-date: {time}\r\nAuthorization: {header}");
    assert_eq!(exchange(to, &request(target, &headers, HELLO)).status, 200);
    let answer = exchange(to, &request(target, &headers, &HELLO.replace("Hi", "Ho")));
    assert_eq!(answer.status, 403);
    assert_eq!(
        answer.header("x-amzn-errortype"),
        Some("InvalidSignatureException")
    );
    let entry = &journal(to)[0];
    assert_eq!(
        (&entry["auth"], &entry["region"]),
        (&json!("sigv4"), &json!("eu-west-1"))
    );
    assert_eq!(
        (&entry["key_id"], &entry["verdict"]),
        (&json!("AKIDEXAMPLE"), &json!("ok"))
    );
}

#[test]
fn the_journal_has_requests_as_they_were_on_the_wire() {
    let to = start(sim());
    let mut stream = TcpStream::connect(to).unwrap();
    let first = "POST /model/a%3Ab/invoke?q HTTP/1.1\r\nhost: sim\r\nX-b: 2\r\nx-A: 1\r\nX-B: 3\r\n\
                 authorization: Bearer key\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n";
    stream.write_all(first.as_bytes()).unwrap();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    while !{
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        line.starts_with("date")
    } {}
    stream
        .write_all(&request("/model/m/converse-stream", BEARER, HELLO))
        .unwrap();
    let _ = reader.read_to_end(&mut Vec::new());

    let entries = journal(to);
    let names = |entry: &Value| -> Vec<String> {
        let headers = entry["headers"].as_array().unwrap().iter();
        headers
            .map(|header| header[0].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(entries[0]["target"], "/model/a%3Ab/invoke?q");
    assert_eq!(
        names(&entries[0]),
        [
            "host",
            "X-b",
            "x-A",
            "X-B",
            "authorization",
            "Transfer-Encoding"
        ]
    );
    assert_eq!(
        (&entries[0]["body"], &entries[0]["stream_ended"]),
        (&json!("{}"), &Value::Null)
    );
    assert_eq!(
        names(&entries[1]),
        ["Host", "Connection", "Authorization", "Content-Length"]
    );
    assert_eq!(
        (&entries[1]["body"], &entries[1]["stream_ended"]),
        (&json!(HELLO), &json!("complete"))
    );

    let control = |line: &str| {
        exchange(
            to,
            format!("{line} HTTP/1.1\r\nHost: sim\r\nConnection: close\r\n\r\n").as_bytes(),
        )
    };
    assert_eq!(control("GET /__sim/count").body, b"2");
    control("DELETE /__sim/requests");
    assert_eq!(
        (control("GET /__sim/count").body, journal(to)),
        (b"0".to_vec(), json!([]))
    );
}

#[test]
fn a_client_that_goes_is_noticed() {
    let to = start(sim());
    for script in ["stall", "long.frames-10000000"] {
        let mut stream = TcpStream::connect(to).unwrap();
        stream
            .write_all(&request(
                &format!("/model/sim.{script}/converse-stream"),
                BEARER,
                HELLO,
            ))
            .unwrap();
        stream.read_exact(&mut [0; 400]).unwrap();
    }
    while journal(to)
        .as_array()
        .unwrap()
        .iter()
        .any(|entry| entry["stream_ended"].is_null())
    {
        thread::yield_now();
    }
    assert_eq!(journal(to)[0]["stream_ended"], "client_gone");
    assert_eq!(journal(to)[1]["stream_ended"], "client_gone");
}

#[test]
fn strict_names_the_header() {
    let to = start(Sim {
        strict: true,
        ..sim()
    });
    let answer = exchange(
        to,
        &request(
            "/model/m/converse",
            &format!("{BEARER}\r\nCookie: a=b"),
            HELLO,
        ),
    );
    assert_eq!(answer.status, 400);
    assert!(
        answer.json()["message"]
            .as_str()
            .unwrap()
            .contains("Cookie")
    );
    assert_eq!(ask(to, "m", "converse").status, 200);
    let twice = exchange(
        to,
        &request(
            "/model/m/converse",
            &format!("{BEARER}\r\nhost: other"),
            HELLO,
        ),
    );
    assert_eq!(twice.status, 400);
}

#[test]
fn recordings_are_replayed_byte_for_byte() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../fixtures/eventstream/s01_converse_text.bin");
    let recording = Bytes::from(std::fs::read(file).unwrap());
    let recordings = [("s01-converse-text".to_owned(), recording.clone())].into();
    let to = start(Sim {
        recordings,
        ..sim()
    });
    let answer = ask(to, "sim.recorded.s01-converse-text", "converse-stream");
    assert_eq!(answer.body, recording);
    assert_eq!(answer.chunks.len(), answer.names().len());
    assert_eq!(ask(to, "sim.recorded.other", "converse-stream").status, 400);
}

#[test]
fn the_program_says_where_it_listens() {
    let file = std::env::temp_dir().join(format!("bedrock-sim-port-{}", std::process::id()));
    let mut child = Command::new(env!("CARGO_BIN_EXE_bedrock-sim"))
        .args([
            "--port-file",
            file.to_str().unwrap(),
            "--api-key",
            "key",
            "--with-parent",
        ])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    let address = line.trim().strip_prefix("listening on ").unwrap();
    let port = std::fs::read_to_string(&file).unwrap();
    let status = ask(address.parse().unwrap(), "m", "converse").status;
    child.kill().unwrap();
    child.wait().unwrap();
    std::fs::remove_file(&file).unwrap();
    assert_eq!(address, format!("127.0.0.1:{}", port.trim()));
    assert_eq!(status, 200);
}

#[test]
fn strict_refuses_what_the_family_refuses() {
    let profile = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc";
    let to = start(Sim {
        strict: true,
        behind: [(
            profile.to_owned(),
            "mistral.mistral-large-2402-v1:0.sim.tool".to_owned(),
        )]
        .into(),
        ..sim()
    });
    let body = r#"{"messages":[{"role":"user","content":[{"text":"Hi"}]}],"toolConfig":{"tools":[{"toolSpec":{"name":"get_weather","inputSchema":{"json":{"type":"object"}}}}]}}"#;
    let ask = |path: &str| exchange(to, &request(path, BEARER, body));
    let encoded = profile.replace(':', "%3A").replace('/', "%2F");
    let answer = ask(&format!("/model/{encoded}/converse-stream"));
    assert_eq!(answer.status, 400);
    assert_eq!(
        answer.header("x-amzn-errortype"),
        Some("ValidationException")
    );
    assert_eq!(
        answer.json()["message"],
        "This model doesn't support tool use in streaming mode."
    );
    let answer = ask(&format!("/model/{encoded}/converse"));
    let call = &answer.json()["output"]["message"]["content"][0]["toolUse"];
    assert_eq!(call["toolUseId"], "Sim000001");
}
