//! `bedrock-load`: sends one request over and over, on many connections, and says how the answers came.
//!
//! ```text
//! bedrock-load --connect HOST:PORT --path PATH --body JSON|--body-file FILE [--connections N] [--requests N] [--hold]
//! ```
//!
//! It prints one line of JSON: requests, failures (which end it with an error), seconds, requests per second, the time to
//! the first byte of the body in microseconds (median, 99th percentile, worst), and bytes of the bodies with their framing.
//! With `--hold` each connection asks once; when all answers have begun it prints `open`, and goes when its input ends.
#![forbid(unsafe_code)]

mod answer;

use std::cell::RefCell;
use std::process::ExitCode;
use std::rc::Rc;
use std::time::{Duration, Instant};

use answer::Answer;
use serde::Serialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::LocalSet;

struct Options {
    connect: String,
    request: Vec<u8>,
    connections: usize,
    requests: usize,
    hold: bool,
}

/// What all connections share.
#[derive(Default)]
struct Shared {
    /// Requests not sent yet.
    left: usize,
    first_bytes: Vec<Duration>,
    bytes: u64,
    failures: Vec<String>,
}

#[derive(Serialize)]
struct Report {
    requests: usize,
    failed: usize,
    seconds: f64,
    per_second: f64,
    first_byte_p50_us: u128,
    first_byte_p99_us: u128,
    first_byte_worst_us: u128,
    bytes: u64,
}

fn main() -> ExitCode {
    let result = options(std::env::args().skip(1)).and_then(|options| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| error.to_string())?;
        runtime.block_on(LocalSet::new().run_until(run(options)))
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bedrock-load: {error}");
            ExitCode::FAILURE
        }
    }
}

fn options(mut arguments: impl Iterator<Item = String>) -> Result<Options, String> {
    let (mut connect, mut path, mut body) = (None, None, String::new());
    let (mut connections, mut requests, mut hold) = (1, 1, false);
    while let Some(name) = arguments.next() {
        if name == "--hold" {
            hold = true;
            continue;
        }
        let value = arguments
            .next()
            .ok_or_else(|| format!("{name} needs a value"))?;
        let number = || value.parse().map_err(|_| format!("{name} is no number"));
        match name.as_str() {
            "--connect" => connect = Some(value),
            "--path" => path = Some(value),
            "--body" => body = value,
            "--body-file" => {
                body =
                    std::fs::read_to_string(&value).map_err(|error| format!("{value}: {error}"))?;
            }
            "--connections" => connections = number()?,
            "--requests" => requests = number()?,
            _ => return Err(format!("there is no option {name}")),
        }
    }
    let connect = connect.ok_or("--connect HOST:PORT is missing")?;
    let path = path.ok_or("--path is missing")?;
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: {connect}\r\nContent-Type: application/json\r\nAccept: text/event-stream\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    Ok(Options {
        connect,
        request: request.into_bytes(),
        connections,
        requests,
        hold,
    })
}

async fn run(options: Options) -> Result<(), String> {
    let shared = Rc::new(RefCell::new(Shared {
        left: match options.hold {
            true => options.connections,
            false => options.requests,
        },
        ..Shared::default()
    }));
    let options = Rc::new(options);
    let start = Instant::now();
    let connections: Vec<_> = (0..options.connections)
        .map(|_| {
            let (options, shared) = (Rc::clone(&options), Rc::clone(&shared));
            tokio::task::spawn_local(async move {
                if let Err(error) = connection(&options, &shared).await {
                    shared.borrow_mut().failures.push(error);
                }
            })
        })
        .collect();
    if options.hold {
        return hold(&options, &shared).await;
    }
    for connection in connections {
        connection.await.map_err(|error| error.to_string())?;
    }
    report(&mut shared.borrow_mut(), start.elapsed())
}

/// Asks again and again on one connection, while there is something to ask.
async fn connection(options: &Options, shared: &RefCell<Shared>) -> Result<(), String> {
    let broken = |error: std::io::Error| error.to_string();
    let mut stream = TcpStream::connect(&options.connect).await.map_err(broken)?;
    stream.set_nodelay(true).map_err(broken)?;
    let mut buffer = vec![0; if options.hold { 2048 } else { 65536 }];
    loop {
        {
            let mut shared = shared.borrow_mut();
            if shared.left == 0 {
                return Ok(());
            }
            shared.left -= 1;
        }
        let asked = Instant::now();
        stream.write_all(&options.request).await.map_err(broken)?;
        let mut answer = Answer::new();
        let mut begun = false;
        while !answer.is_done() {
            let read = stream.read(&mut buffer).await.map_err(broken)?;
            if read == 0 {
                return Err("the connection ended inside an answer".to_owned());
            }
            answer.push(buffer.get(..read).unwrap_or_default())?;
            if !begun && answer.body > 0 {
                begun = true;
                shared.borrow_mut().first_bytes.push(asked.elapsed());
            }
        }
        shared.borrow_mut().bytes += answer.body;
    }
}

async fn hold(options: &Options, shared: &RefCell<Shared>) -> Result<(), String> {
    loop {
        {
            let shared = shared.borrow();
            if let Some(failure) = shared.failures.first() {
                return Err(format!("{} failed: {failure}", shared.failures.len()));
            }
            if shared.first_bytes.len() == options.connections {
                break;
            }
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    println!("open");
    let mut input = Vec::new();
    tokio::io::stdin()
        .read_to_end(&mut input)
        .await
        .map_err(|error| error.to_string())?;
    Ok(())
}

fn report(shared: &mut Shared, elapsed: Duration) -> Result<(), String> {
    let times = &mut shared.first_bytes;
    times.sort_unstable();
    let at = |percent: usize| {
        let index = (times.len().saturating_sub(1)) * percent / 100;
        times.get(index).map_or(0, Duration::as_micros)
    };
    let report = Report {
        requests: times.len(),
        failed: shared.failures.len(),
        seconds: elapsed.as_secs_f64(),
        per_second: times.len() as f64 / elapsed.as_secs_f64(),
        first_byte_p50_us: at(50),
        first_byte_p99_us: at(99),
        first_byte_worst_us: at(100),
        bytes: shared.bytes,
    };
    let line = serde_json::to_string(&report).map_err(|error| error.to_string())?;
    println!("{line}");
    match shared.failures.first() {
        None => Ok(()),
        Some(failure) => Err(format!("{} failed: {failure}", shared.failures.len())),
    }
}
