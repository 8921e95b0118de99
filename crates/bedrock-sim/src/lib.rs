//! A stand-in for Amazon Bedrock's runtime API, for the project's demo, tests and benchmarks. It is not Bedrock, and its
//! `Server` header says so.
//!
//! It verifies signatures and API keys as AWS does, remembers what it was asked, and answers with what the model id
//! names. [`Sim::answer`] is the life of a request, top to bottom.
//!
//! # Operations
//!
//! `POST /model/{id}/converse`, `/converse-stream`, `/invoke`, `/invoke-with-response-stream`, `/count-tokens`,
//! `/guardrail/{id}/version/{v}/apply` and `/guardrail-checks/invoke`. The id is one path segment, percent-encoded.
//! With the model in the body: `POST /openai/v1/chat/completions`, `/openai/v1/responses` and `/anthropic/v1/messages`,
//! whose streams are server-sent events; there exceptions are error events, and there is nothing to corrupt.
//!
//! # Scripts
//!
//! A model id that contains `sim.` goes on with `NAME[.OPTION[-VALUE]]…`; every other id is `sim.text`.
//!
//! | name | answer |
//! |---|---|
//! | `text`, `unicode` | a sentence in six deltas; 25 input and 12 output tokens, as everywhere unless said otherwise |
//! | `json` | `{"city": "Paris", "degrees": 18}` |
//! | `tool` | a call of `get_weather` with `{"city": "Paris"}`; its result, when the last message has one, is quoted |
//! | `shell` | a call of `Bash` with `{"command": "echo shell-$((6*7))"}`; its result likewise |
//! | `tools` | text, then calls of `get_weather` and `get_time`; the first result is quoted in the same way |
//! | `agent` (`calls-N`, 3; `called`) | N times reasoning, text and a call of a tool that the request has: its shell, else its first; then the last result is quoted, or the last tool called |
//! | `reasoning` | reasoning with a signature, then text |
//! | `cached` | 10 input, 20 output, 1000 cache read, 200 cache written tokens (150 for 1h, 50 for 5m) |
//! | `max-tokens`, `stop-sequence`, `guardrail`, `filtered`, `context-window`, `new-stop` | another stop reason, the last an unknown one |
//! | `no-usage`, `no-metadata` | without `usage`; without any `metadata` |
//! | `long` (`frames-N`, 1000) | N deltas, N output tokens |
//! | `long-call` (`frames-N`, 1000) | a tool call whose input comes in N deltas, and one before and after them |
//! | `big` (`kib-N`, 1024) | one delta of N KiB |
//! | `echo` | the request's top-level keys; `invoke` gives the body back |
//! | `grounded` | where the request has the `systemTool` `nova_grounding`: a search, and text with its sources |
//! | `unknown-event` | an event of an unknown type after the first |
//! | `throttled` | 429 with `Retry-After: 1` |
//! | `http-STATUS-NAME` (`retry-N`, `coral`) | that HTTP status and exception (`http-424-modelerror`); `html` and `empty` are bodies |
//! | `exception` (`at-N`, 0; `type-NAME`, throttling) | an exception frame instead of frame N |
//! | `error-frame` (`at-N`, 0) | a frame of message type `error` |
//! | `corrupt`, `corrupt-prelude` (`at-N`, 2) | frame N has a wrong checksum |
//! | `truncated` (`at-N`, 2) | the stream ends in the middle of frame N, cleanly |
//! | `reset` (`at-N`, 2) | the connection ends in the middle of frame N |
//! | `stall` (`at-N`, 2) | silence instead of frame N |
//! | `recorded.NAME` | the stream in the recordings' `NAME.bin` |
//!
//! Calls and reasoning come in the manner of the model's family: nine letters for an id of Mistral's, a signature from
//! Claude alone. A tool that the request forces is called by `json` with what it says.
//!
//! Options of every answer: `first-N` waits N ms before it. Options of every stream: `pace-N` waits N ms between frames,
//! `split-N` writes N bytes at a time, `glue` writes everything at once, `length` sends a Content-Length. Without them
//! each frame is one write and one HTTP chunk.
//!
//! # Strict
//!
//! With [`Sim::strict`] it also refuses what the model's family refuses: see [`strict`]. An id that holds `.sim.` is of the
//! family of what stands before it (`us.amazon.nova-pro-v1:0.sim.tools`). Headers that a gateway should have removed are
//! refused, too.
//!
//! # Control
//!
//! `GET /__sim/requests` gives the last of what was asked as JSON, `GET /__sim/count` how often, `GET /__sim/bills` the counts of all
//! answers by their ids, and `DELETE /__sim/requests` forgets them.

pub mod answers;
pub mod anthropic;
pub mod asked;
pub mod auth;
pub mod bills;
pub mod clock;
pub mod converse;
pub mod embeddings;
pub mod errors;
pub mod invoke;
pub mod journal;
pub mod loops;
pub mod manner;
pub mod mantle;
pub mod operations;
pub mod perform;
pub mod request;
pub mod reranking;
pub mod script;
pub mod server;
pub mod signature;
pub mod stream;
pub mod strict;
#[cfg(test)]
mod vectors;
pub mod vendor_apis;

use std::{collections::HashMap, sync::Arc};

use http_body_util::{BodyExt, Either};
use hyper::{Response, body::Bytes};
use sha2::{Digest, Sha256};

use crate::{
    asked::Asked,
    auth::Keyring,
    bills::Bills,
    errors::Refusal,
    journal::{Entry, Journal, Watch},
    operations::{Operation, Route},
    request::Received,
    script::Script,
    server::Answered,
};

/// The stand-in.
#[derive(Debug, Default)]
pub struct Sim {
    /// Whom it lets in.
    pub keyring: Keyring,
    /// Whether it refuses what the model's family refuses, and headers that a gateway should have removed.
    pub strict: bool,
    /// The model ids behind ids and ARNs that do not show them.
    pub behind: HashMap<String, String>,
    /// Streams to replay, by the name that model ids give them.
    pub recordings: HashMap<String, Bytes>,
    /// What it was asked.
    pub journal: Journal,
    /// What it charges for.
    pub bills: Bills,
    /// The responses that bedrock-mantle stores.
    pub stored: mantle::Stored,
}

impl Sim {
    /// The life of a request: noted, checked, and answered as its model id says.
    pub async fn answer(&self, request: Received) -> Response<Answered> {
        if let Some(response) = self.control(&request) {
            return response.map(server::whole);
        }
        let body_sha256 = signature::hex(&Sha256::digest(&request.body));
        let entry = self.journal.note(&request, body_sha256);
        if let Some(response) = self.of_mantle(&request, &entry) {
            return response.map(server::whole);
        }
        match self.accept(&request) {
            Ok((asked, script)) => {
                entry.set_verdict("ok");
                self.perform(&asked, script, &request, entry).await
            }
            Err(refusal) => {
                entry.set_verdict(&refusal.exception);
                refusal.response().map(server::whole)
            }
        }
    }

    /// The answer to a request to bedrock-mantle that asks no model for anything.
    fn of_mantle(&self, request: &Received, entry: &Entry) -> Option<Response<Bytes>> {
        let response = self.stored.answer(&request.head, &request.body)?;
        let checked = match self.strict {
            true => strict::headers::check(&request.head),
            false => Ok(()),
        };
        let checked = checked
            .and_then(|()| auth::check(&request.head, &request.body, &self.keyring, clock::now()));
        Some(match checked {
            Ok(()) => {
                entry.set_verdict("ok");
                response
            }
            Err(refusal) => {
                entry.set_verdict(&refusal.exception);
                refusal.response()
            }
        })
    }

    /// Everything that can be wrong with a request.
    fn accept(&self, request: &Received) -> Result<(Asked, Script), Refusal> {
        let route = Route::of(&request.head)?;
        if self.strict {
            strict::headers::check(&request.head)?;
        }
        auth::check(&request.head, &request.body, &self.keyring, clock::now())?;
        let mut asked = Asked::new(route, &request.body)?;
        if mantle::is_for(&request.head) {
            mantle::check(&request.head, &asked.route.model_id)?;
        }
        if let Some(model) = self.behind.get(&asked.route.model_id) {
            asked.route.model_id.clone_from(model);
        }
        if self.strict {
            strict::check(&asked.route.model_id, asked.route.operation, &asked.body)?;
        }
        let script = Script::of(&asked.route.model_id)?;
        Ok((asked, script))
    }

    async fn perform(
        &self,
        asked: &Asked,
        script: Script,
        request: &Received,
        entry: Arc<Entry>,
    ) -> Response<Answered> {
        let watch = asked.streams().then(|| Watch::new(entry));
        if !script.delivery.first.is_zero() {
            tokio::time::sleep(script.delivery.first).await;
        }
        if perform::is_silent(asked, &script) {
            std::future::pending::<()>().await;
        }
        let mut response = perform::perform(asked, script, request, &self.recordings);
        if asked.route.operation == Operation::OpenAiResponses
            && mantle::is_for(&request.head)
            && !asked.streams()
            && let Either::Left(whole) = response.body()
        {
            // It is in memory, so that there is nothing to wait for.
            let bytes = whole.clone().collect().await.unwrap_or_default().to_bytes();
            if let Ok(json) = serde_json::from_slice(&bytes)
                && response.status().is_success()
            {
                let background = asked.body.get("background").is_some_and(|it| it == true);
                let kept = self.stored.keep(json, background);
                *response.body_mut() = server::json(&kept).map(server::whole).into_body();
                response.headers_mut().remove(hyper::header::CONTENT_LENGTH);
            }
        }
        match (response.body_mut(), watch) {
            (Either::Right(stream), Some(watch)) => stream.set_watch(watch),
            (Either::Left(_), Some(mut watch)) => watch.release(),
            (_, None) => {}
        }
        response
    }

    fn control(&self, request: &Received) -> Option<Response<Bytes>> {
        let path = request.head.target.strip_prefix("/__sim/")?;
        Some(match (request.head.method.as_str(), path) {
            ("GET", "requests") => server::json(&self.journal.json()),
            ("GET", "bills") => server::json(&self.bills.json()),
            ("DELETE", "requests") => {
                self.journal.clear();
                self.bills.clear();
                server::json(&serde_json::json!([]))
            }
            ("GET", "count") => server::text("text/plain", self.journal.count().to_string()),
            _ => Refusal::unknown_operation().response(),
        })
    }
}
