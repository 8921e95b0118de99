//! What was asked of the stand-in: the requests a test wants to look at afterwards.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use serde_json::{Value, json};

use crate::{
    auth::{self, Claim},
    request::Received,
};

/// The last requests, and how many there were.
#[derive(Debug, Default)]
pub struct Journal {
    entries: Mutex<VecDeque<Arc<Entry>>>,
    count: AtomicU64,
}

impl Journal {
    /// Remembers a request.
    pub fn note(&self, request: &Received, body_sha256: String) -> Arc<Entry> {
        let entry = Arc::new(Entry {
            request: request.clone(),
            body_sha256,
            claim: auth::claim(&request.head),
            verdict: OnceLock::new(),
            stream_ended: OnceLock::new(),
            frames: AtomicU64::new(0),
        });
        self.count.fetch_add(1, Ordering::Relaxed);
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if entries.len() == REMEMBERED {
            entries.pop_front();
        }
        entries.push_back(entry.clone());
        entry
    }

    /// How many requests there were since the journal was last emptied.
    pub fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    /// Forgets everything.
    pub fn clear(&self) {
        self.entries
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
        self.count.store(0, Ordering::Relaxed);
    }

    /// The remembered requests, oldest first.
    pub fn json(&self) -> Value {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.iter().map(|entry| entry.json()).collect()
    }
}

/// A remembered request.
#[derive(Debug)]
pub struct Entry {
    request: Received,
    body_sha256: String,
    claim: Claim,
    verdict: OnceLock<String>,
    stream_ended: OnceLock<&'static str>,
    frames: AtomicU64,
}

impl Entry {
    /// Says what became of the request: `ok`, or the exception that refused it.
    pub fn set_verdict(&self, verdict: &str) {
        let _ = self.verdict.set(verdict.to_owned());
    }

    fn json(&self) -> Value {
        let head = &self.request.head;
        let headers: Vec<(&str, String)> = (head.headers.iter())
            .map(|(name, value)| (name.as_str(), String::from_utf8_lossy(value).into_owned()))
            .collect();
        let body = &self.request.body;
        let text = std::str::from_utf8(body)
            .ok()
            .filter(|text| text.len() <= LONGEST_BODY);
        json!({
            "method": head.method,
            "target": head.target,
            "headers": headers,
            "body_len": body.len(),
            "body_sha256": self.body_sha256,
            "body": text,
            "region": self.claim.region,
            "key_id": self.claim.key_id,
            "auth": self.claim.auth,
            "verdict": self.verdict.get(),
            "stream_ended": self.stream_ended.get(),
            "frames": self.frames.load(Ordering::Relaxed),
        })
    }
}

/// Notes how a stream ends: `complete` when told so, `client_gone` when dropped before.
#[derive(Debug)]
pub struct Watch(Option<Arc<Entry>>);

impl Watch {
    /// Watches the stream that answers a request.
    pub fn new(entry: Arc<Entry>) -> Self {
        Self(Some(entry))
    }

    /// One more frame of the stream was made.
    pub fn frame(&self) {
        if let Some(entry) = &self.0 {
            entry.frames.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The stream was sent to its end.
    pub fn complete(&self) {
        if let Some(entry) = &self.0 {
            let _ = entry.stream_ended.set("complete");
        }
    }

    /// The answer is no stream after all.
    pub fn release(&mut self) {
        self.0 = None;
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if let Some(entry) = &self.0 {
            let _ = entry.stream_ended.set("client_gone");
        }
    }
}

/// How many requests are remembered.
const REMEMBERED: usize = 1000;
/// The longest body whose text is shown.
const LONGEST_BODY: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use hyper::body::Bytes;

    use super::*;
    use crate::request::Head;

    fn request(body: &'static [u8]) -> Received {
        let head = Head {
            method: "POST".to_owned(),
            target: "/x%2Fy".to_owned(),
            headers: vec![("A".to_owned(), b"1".to_vec())],
        };
        Received {
            head,
            body: Bytes::from_static(body),
        }
    }

    #[test]
    fn the_last_thousand_are_kept_and_all_are_counted() {
        let journal = Journal::default();
        for _ in 0..1001 {
            journal.note(&request(b"{}"), String::new());
        }
        assert_eq!(journal.count(), 1001);
        assert_eq!(journal.json().as_array().unwrap().len(), 1000);
        journal.clear();
        assert_eq!((journal.count(), journal.json()), (0, json!([])));
    }

    #[test]
    fn an_entry_says_what_came_in_and_how_it_ended() {
        let journal = Journal::default();
        let entry = journal.note(&request(b"\xff"), "abc".to_owned());
        entry.set_verdict("ok");
        let watch = Watch::new(entry);
        watch.frame();
        drop(watch);
        let expected = json!([{
            "method": "POST", "target": "/x%2Fy", "headers": [["A", "1"]], "body_len": 1, "body_sha256": "abc",
            "body": null, "region": null, "key_id": null, "auth": "none", "verdict": "ok",
            "stream_ended": "client_gone", "frames": 1,
        }]);
        assert_eq!(journal.json(), expected);
    }
}
