//! SigV4, as Bedrock wants it. <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html>
//!
//! The cryptography is aws-sigv4's. The canonical request is written here: what a plan sends is known to be in order already,
//! and aws-sigv4's own way there, by way of a URI and a map of headers, takes longer than the cryptography.

use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_sigv4::sign::v4::calculate_signature;
use time::OffsetDateTime;

use super::path::{self, percent_encode};
use super::signing_key;
use crate::body::sha256_hex;

/// What a signature covers.
#[derive(Clone, Copy, Debug)]
pub struct Signable<'a> {
    /// HTTP method.
    pub method: &'a str,
    /// Host as it will be sent, with its port if it has one.
    pub host: &'a str,
    /// Path and query as they will be sent, byte for byte. No segment of the path is `.`, `..` or, but for the last, empty.
    pub target: &'a str,
    /// Headers to sign besides `host`, `x-amz-date` and `x-amz-security-token`; names in lower case, each once.
    pub headers: &'a [(&'a str, &'a str)],
    /// Lower-case hex SHA-256 of the body.
    pub body_hash: &'a str,
    /// Region of the scope.
    pub region: &'a str,
    /// Service of the scope.
    pub service: &'a str,
}

/// Signs a request; gives the headers to add: `x-amz-date`, `authorization`, and `x-amz-security-token` where the
/// credentials have one.
///
/// # Errors
/// Text for the error log when a header cannot be sent, and so not be signed. It holds no secret.
pub fn sign(
    signable: &Signable<'_>,
    credentials: &Credentials,
    now: SystemTime,
) -> Result<Vec<(&'static str, String)>, String> {
    let time = timestamp(now);
    let date = time.get(..8).unwrap_or_default();
    let token = credentials.session_token();
    let mut headers = signable.headers.to_vec();
    headers.extend([("host", signable.host), ("x-amz-date", &time)]);
    headers.extend(token.map(|token| ("x-amz-security-token", token)));
    if let Some((name, _)) = headers.iter().find(|(_, value)| !can_be_sent(value)) {
        return Err(format!(
            "the value of {name} is not one that a header can have"
        ));
    }
    // "Sorted by character code", as names of equal case are.
    headers.sort_unstable_by_key(|(name, _)| *name);
    let names: Vec<&str> = headers.iter().map(|(name, _)| *name).collect();
    let names = names.join(";");

    let canonical = canonical_request(signable, &headers, &names);
    let scope = [date, signable.region, signable.service, "aws4_request"].join("/");
    let hash = sha256_hex([canonical.as_bytes()]);
    let to_sign = [ALGORITHM, &time, &scope, &hash].join("\n");
    let secret = credentials.secret_access_key();
    let signature = signing_key::of_day(secret, now, date, signable, |key| {
        calculate_signature(key, to_sign.as_bytes())
    });

    let id = credentials.access_key_id();
    let authorization = [
        ALGORITHM,
        " Credential=",
        id,
        "/",
        &scope,
        ", SignedHeaders=",
        &names,
        ", Signature=",
        &signature,
    ]
    .concat();
    let mut added = Vec::with_capacity(3);
    added.extend(token.map(|token| ("x-amz-security-token", token.to_owned())));
    added.push(("authorization", authorization));
    added.push(("x-amz-date", time));
    Ok(added)
}

fn canonical_request(signable: &Signable<'_>, headers: &[(&str, &str)], names: &str) -> String {
    let (called, query) = signable
        .target
        .split_once('?')
        .unwrap_or((signable.target, ""));
    let mut text = String::with_capacity(512);
    text.push_str(signable.method);
    text.push('\n');
    // "URI-encode each path segment twice", of which what is sent has had the first.
    percent_encode(called, "/", &mut text);
    text.push('\n');
    // Sent encoded already; only the order is to be mended: by name, then by value.
    let mut parameters: Vec<_> = path::parameters(query)
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .collect();
    parameters.sort_unstable();
    for (index, (name, value)) in parameters.into_iter().enumerate() {
        if index > 0 {
            text.push('&');
        }
        text.push_str(name);
        text.push('=');
        text.push_str(value);
    }
    text.push('\n');
    for (name, value) in headers {
        text.push_str(name);
        text.push(':');
        push_trimmed(value, &mut text);
        text.push('\n');
    }
    text.push('\n');
    text.push_str(names);
    text.push('\n');
    text.push_str(signable.body_hash);
    text
}

/// "Remove leading and trailing spaces, and convert sequential spaces to a single space."
fn push_trimmed(value: &str, text: &mut String) {
    let mut words = value.split(' ').filter(|word| !word.is_empty());
    text.push_str(words.next().unwrap_or_default());
    for word in words {
        text.push(' ');
        text.push_str(word);
    }
}

fn can_be_sent(value: &str) -> bool {
    let legal = |byte: u8| byte == b'\t' || !byte.is_ascii_control();
    value.bytes().all(legal)
}

/// `20260115T123456Z`
fn timestamp(time: SystemTime) -> String {
    let time = OffsetDateTime::from(time);
    let (year, month, day) = time.to_calendar_date();
    let (hour, minute, second) = time.to_hms();
    format!(
        "{year:04}{:02}{day:02}T{hour:02}{minute:02}{second:02}Z",
        u8::from(month)
    )
}

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
