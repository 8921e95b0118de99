//! The page: one file, which asks for nothing but the document beside it.

use std::sync::OnceLock;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::digest::{SHA256, digest};

use super::Answer;

const PAGE: &str = include_str!("page.html");

/// The page.
pub fn answer() -> Answer {
    Answer {
        content_type: "text/html; charset=utf-8",
        body: PAGE.into(),
    }
}

/// What a browser lets the page do: run its own script and style, and ask this server.
pub fn policy() -> &'static str {
    static POLICY: OnceLock<String> = OnceLock::new();
    POLICY.get_or_init(|| {
        format!(
            "default-src 'none'; connect-src 'self'; img-src data:; style-src {}; script-src {}; base-uri 'none'; form-action 'none'; \
             frame-ancestors 'none'",
            hash_of("style"),
            hash_of("script")
        )
    })
}

/// The hash of what stands in an element.
fn hash_of(element: &str) -> String {
    let begin = format!("<{element}>");
    let end = format!("</{element}>");
    let inner = PAGE
        .split_once(&begin)
        .and_then(|(_, rest)| rest.split_once(&end));
    match inner {
        Some((inner, _)) => format!(
            "'sha256-{}'",
            STANDARD.encode(digest(&SHA256, inner.as_bytes()))
        ),
        None => "'none'".to_owned(),
    }
}
