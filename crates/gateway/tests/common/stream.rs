//! A stand-in for the server around a relay: it feeds an answer in pieces and notes what the client would get.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use eventstream::{Header, HeaderValue, encode};
use gateway::{End, Facts, Flow, Refusal, Relay, Settings, inspect, plan};

/// How the answer ended for the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    Clean,
    Cut,
    Error(u16, String),
}

/// What became of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Without `bytes`, which an answer that is given up early does not reach.
    pub facts: Facts,
    /// What the client got of the body.
    pub sent: Vec<u8>,
    pub ending: Ending,
}

/// When every answer comes.
pub fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_700_000_000)
}

/// Who asks, and how.
#[derive(Clone, Copy, Debug)]
pub struct Client {
    /// The last segment of the path.
    pub verb: &'static str,
    /// Whether it speaks the plain form and wants server-sent events; `verb` does not count then.
    pub sse: bool,
}

/// AWS's SDKs, calling ConverseStream.
pub const SDK: Client = Client {
    verb: "converse-stream",
    sse: false,
};
/// A plain client that wants server-sent events.
pub const SSE: Client = Client {
    verb: "",
    sse: true,
};

/// The relay for an answer with this status and these headers.
pub fn relay(
    client: Client,
    settings: &Settings<'_>,
    status: u16,
    headers: &[(&str, &str)],
) -> Relay {
    let (target, body) = match client.sse {
        true => ("/chat".to_owned(), r#"{"model":"m","stream":true}"#),
        false => (format!("/model/m/{}", client.verb), "{}"),
    };
    let accept = match client.sse {
        true => "text/event-stream",
        false => "*/*",
    };
    relay_of(&target, accept, body, settings, status, headers)
}

/// The relay for the answer to any request, at a fixed time.
pub fn relay_of(
    target: &str,
    accept: &str,
    body: &str,
    settings: &Settings<'_>,
    status: u16,
    headers: &[(&str, &str)],
) -> Relay {
    let request = inspect(None, "POST", target, Some(body.as_bytes())).unwrap();
    let header = |name: &str| {
        let mut found = headers.iter().filter(|(known, _)| *known == name);
        found.next().map(|(_, value)| (*value).to_owned())
    };
    let sent = [("accept", accept), ("authorization", "Bearer key")];
    plan(&request, settings, &sent, body.as_bytes())
        .unwrap()
        .relay(status, header, now())
}

/// The relay for an event stream.
pub fn stream_relay(client: Client, settings: &Settings<'_>) -> Relay {
    relay(
        client,
        settings,
        200,
        &[("content-type", "application/vnd.amazon.eventstream")],
    )
}

/// Feeds the pieces as the server does; `clean` says how the upstream ended.
pub fn fed<'b>(
    mut relay: Relay,
    pieces: impl IntoIterator<Item = &'b [u8]>,
    clean: bool,
) -> Outcome {
    let rewrites = relay.rewrites_as().is_some();
    let (mut held, mut sent, mut out) = (Vec::new(), Vec::new(), Vec::new());
    let mut ending = None;
    for piece in pieces {
        let was_holding = relay.holds();
        let flow = relay.push(piece, &mut out);
        let passing = match flow {
            Flow::Hold => {
                assert!(relay.holds() && out.is_empty());
                held.extend_from_slice(piece);
                continue;
            }
            Flow::Go => piece,
            Flow::Keep(passing) => {
                assert!(!rewrites);
                &piece[..passing]
            }
            Flow::Cut(intact) => {
                ending = Some(Ending::Cut);
                &piece[..intact]
            }
            Flow::Stop => {
                assert!(rewrites);
                ending = Some(Ending::Clean);
                &[]
            }
            Flow::Fail(refusal) => {
                assert!(was_holding && out.is_empty());
                ending = Some(error(refusal));
                break;
            }
        };
        assert!(!relay.holds());
        match rewrites {
            true => sent.append(&mut out),
            false => {
                sent.append(&mut held);
                sent.append(&mut out);
                sent.extend_from_slice(passing);
            }
        }
        if ending.is_some() {
            break;
        }
    }
    let ending = ending.unwrap_or_else(|| {
        let end = relay.finish(clean, &mut out);
        assert!(rewrites || out.is_empty());
        if !rewrites && !relay.holds() {
            sent.append(&mut held);
        }
        sent.append(&mut out);
        match end {
            End::Clean => Ending::Clean,
            End::Cut => Ending::Cut,
            End::Fail(refusal) => {
                assert!(sent.is_empty());
                error(refusal)
            }
        }
    });
    let facts = Facts {
        bytes: 0,
        ..relay.facts().clone()
    };
    Outcome {
        facts,
        sent,
        ending,
    }
}

fn error(refusal: Refusal) -> Ending {
    Ending::Error(refusal.status, refusal.exception.into_owned())
}

/// One frame with string headers.
pub fn frame(headers: &[(&str, &str)], payload: &str) -> Vec<u8> {
    let headers: Vec<Header<'_>> = headers
        .iter()
        .map(|(name, value)| Header {
            name,
            value: HeaderValue::String(value),
        })
        .collect();
    let mut frame = Vec::new();
    encode(&headers, payload.as_bytes(), &mut frame).unwrap();
    frame
}
