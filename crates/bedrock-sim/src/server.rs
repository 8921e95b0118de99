//! HTTP: connections, whole requests in, answers with the headers that all of them have.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use http_body_util::{BodyExt, Either, Full, Limited};
use hyper::{
    Request, Response, StatusCode,
    body::{Bytes, Incoming},
    header::{CONTENT_TYPE, HeaderName, HeaderValue, SERVER},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};

use crate::{
    Sim,
    bills::Bill,
    errors::Refusal,
    request::{Head, Received, Tap, Tapped},
    stream::StreamBody,
};

/// The body of an answer.
pub type Answered = Either<Full<Bytes>, StreamBody>;

/// Answers on a listener until the future is dropped.
pub async fn serve(listener: TcpListener, sim: Arc<Sim>) -> Infallible {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                tokio::spawn(connection(stream, sim.clone()));
            }
            // Out of file descriptors, most likely: others must close theirs first.
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

async fn connection(stream: TcpStream, sim: Arc<Sim>) {
    let _ = stream.set_nodelay(true);
    let (stream, tap) = Tapped::new(stream);
    let service = service_fn(move |request| respond(sim.clone(), tap.clone(), request));
    // Its errors are clients that go away and answers that are broken off on purpose.
    let _ = http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

async fn respond(
    sim: Arc<Sim>,
    tap: Tap,
    request: Request<Incoming>,
) -> Result<Response<Answered>, Infallible> {
    let tapped = tap.take();
    let (parts, body) = request.into_parts();
    let head = tapped
        .and_then(|bytes| Head::parse(&bytes))
        .unwrap_or_else(|| Head::from_parts(&parts));
    let mut response = match Limited::new(body, LONGEST_BODY).collect().await {
        Ok(body) => {
            sim.answer(Received {
                head,
                body: body.to_bytes(),
            })
            .await
        }
        Err(_) => {
            let status = StatusCode::PAYLOAD_TOO_LARGE;
            Refusal::new(
                status,
                "RequestEntityTooLargeException",
                "The request is too large.",
            )
            .response()
            .map(whole)
        }
    };
    let id = request_id();
    if let Some(bill) = response.extensions_mut().remove::<Bill>() {
        sim.bills.note(&id, bill);
    }
    let headers = response.headers_mut();
    headers.insert(SERVER, HeaderValue::from_static("bedrock-sim"));
    if let Ok(id) = HeaderValue::try_from(id) {
        headers.insert(HeaderName::from_static("x-amzn-requestid"), id);
    }
    tap.arm();
    Ok(response)
}

/// A whole answer's body.
pub fn whole(body: Bytes) -> Answered {
    Either::Left(Full::new(body))
}

/// A JSON answer.
pub fn json(value: &Value) -> Response<Bytes> {
    text("application/json", value.to_string())
}

/// An answer of some other type.
pub fn text(content_type: &'static str, body: String) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(body));
    let content_type = HeaderValue::from_static(content_type);
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}

/// A request id: a UUID by its form, the process and a count by its content.
fn request_id() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(1);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!(
        "{:08x}-0000-4000-8000-{:012x}",
        std::process::id(),
        count & 0xffff_ffff_ffff
    )
}

/// Longer bodies than Bedrock's own limit are read, so that it is the gateway's limit that shows.
const LONGEST_BODY: usize = 64 << 20;
