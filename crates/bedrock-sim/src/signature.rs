//! SigV4: the header a signature comes in, and the calculation of it.
//!
//! The calculation is written from the specification and shares nothing with the signer it checks.

use hmac::{Hmac, KeyInit, Mac};
use hyper::StatusCode;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};
use sha2::{Digest, Sha256};

use crate::{auth::Key, errors::Refusal, request::Head};

/// The `Authorization` header with this signature of the request: what a client that holds the key sends.
/// `signed` names the signed headers, in lower case and sorted.
pub fn sign(head: &Head, body: &[u8], key: &Key, region: &str, signed: &str) -> String {
    let time = head.text("x-amz-date").unwrap_or_default();
    let date = time.get(..8).unwrap_or_default();
    let scope = Scope {
        key_id: &key.id,
        date,
        region,
        service: SERVICES[0],
    };
    let signature = Calculation::new(head, body, &scope, signed, time, &key.secret).signature;
    format!(
        "{ALGORITHM} Credential={}/{}, SignedHeaders={signed}, Signature={signature}",
        key.id,
        scope.text()
    )
}

/// The parts of an `Authorization` header with a signature.
#[derive(Debug)]
pub struct Authorization<'a> {
    /// What the signature is for.
    pub scope: Scope<'a>,
    /// The names of the signed headers, separated by semicolons.
    pub signed_headers: &'a str,
    /// The signature in hexadecimal.
    pub signature: &'a str,
}

impl<'a> Authorization<'a> {
    /// Reads the header's value.
    pub fn parse(text: &'a str) -> Result<Self, Refusal> {
        let Some(rest) = text.strip_prefix(ALGORITHM) else {
            return Err(incomplete("Unsupported AWS 'algorithm' in Authorization."));
        };
        let part = |name: &str| {
            rest.split(',')
                .find_map(|part| part.trim().strip_prefix(name)?.strip_prefix('='))
                .filter(|value| !value.is_empty())
                .ok_or_else(|| {
                    incomplete(&format!(
                        "Authorization header requires '{name}' parameter."
                    ))
                })
        };
        Ok(Self {
            scope: Scope::parse(part("Credential")?)?,
            signed_headers: part("SignedHeaders")?,
            signature: part("Signature")?,
        })
    }
}

/// The credential scope and the key in front of it.
#[derive(Debug)]
pub struct Scope<'a> {
    /// The access key id.
    pub key_id: &'a str,
    /// The day, as `20260115`.
    pub date: &'a str,
    /// The region.
    pub region: &'a str,
    /// The service.
    pub service: &'a str,
}

impl<'a> Scope<'a> {
    fn parse(credential: &'a str) -> Result<Self, Refusal> {
        let parts: Vec<&str> = credential.split('/').collect();
        let &[key_id, date, region, service, terminator] = parts.as_slice() else {
            return Err(incomplete(
                "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term.",
            ));
        };
        if !SERVICES.contains(&service) || terminator != TERMINATOR {
            return Err(invalid(format!(
                "Credential should be scoped to correct service: '{}', and end in '{TERMINATOR}'.",
                SERVICES[0]
            )));
        }
        Ok(Self {
            key_id,
            date,
            region,
            service,
        })
    }

    fn text(&self) -> String {
        format!(
            "{}/{}/{}/{TERMINATOR}",
            self.date, self.region, self.service
        )
    }
}

/// The signature of a request and the two texts it is calculated from.
#[derive(Debug)]
pub struct Calculation {
    /// What of the request is signed.
    pub canonical_request: String,
    /// What the key is applied to.
    pub string_to_sign: String,
    /// The signature in hexadecimal.
    pub signature: String,
}

impl Calculation {
    /// Calculates the signature of a request.
    pub fn new(
        head: &Head,
        body: &[u8],
        scope: &Scope<'_>,
        signed: &str,
        time: &str,
        secret: &str,
    ) -> Self {
        let canonical_request = canonical_request(head, signed, &hex(&Sha256::digest(body)));
        let string_to_sign = format!(
            "{ALGORITHM}\n{time}\n{}\n{}",
            scope.text(),
            hex(&Sha256::digest(&canonical_request))
        );
        let mut key = format!("AWS4{secret}").into_bytes();
        for part in [scope.date, scope.region, scope.service, TERMINATOR] {
            key = hmac(&key, part);
        }
        let signature = hex(&hmac(&key, &string_to_sign));
        Self {
            canonical_request,
            string_to_sign,
            signature,
        }
    }
}

fn canonical_request(head: &Head, signed: &str, body_sha256: &str) -> String {
    let (path, query) = head.target.split_once('?').unwrap_or((&head.target, ""));
    let path = percent_encode(path.as_bytes(), KEPT_IN_PATHS);
    let mut query: Vec<(&str, &str)> = query
        .split('&')
        .filter(|part| !part.is_empty())
        .map(|part| part.split_once('=').unwrap_or((part, "")))
        .collect();
    query.sort_unstable();
    let query: Vec<String> = query
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let headers: String = signed
        .split(';')
        .map(|name| {
            let values: Vec<String> = head.values(name).map(canonical_value).collect();
            format!("{name}:{}\n", values.join(","))
        })
        .collect();
    let query = query.join("&");
    format!(
        "{}\n{path}\n{query}\n{headers}\n{signed}\n{body_sha256}",
        head.method
    )
}

/// Without white space around it and with runs of spaces collapsed.
fn canonical_value(value: &[u8]) -> String {
    let text = String::from_utf8_lossy(value);
    let words: Vec<&str> = text.split(' ').filter(|word| !word.is_empty()).collect();
    words.join(" ")
}

/// HMAC-SHA256. It takes keys of every length, so the empty result is never seen.
fn hmac(key: &[u8], text: &str) -> Vec<u8> {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else {
        return Vec::new();
    };
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// 403 `IncompleteSignatureException`.
pub fn incomplete(message: &str) -> Refusal {
    Refusal::new(
        StatusCode::FORBIDDEN,
        "IncompleteSignatureException",
        message,
    )
}

/// 403 `InvalidSignatureException`.
pub fn invalid(message: String) -> Refusal {
    Refusal::forbidden("InvalidSignatureException", message)
}

/// What the header's value begins with.
pub const ALGORITHM: &str = "AWS4-HMAC-SHA256";
const SERVICES: [&str; 2] = ["bedrock", crate::mantle::SERVICE];
const TERMINATOR: &str = "aws4_request";
/// A canonical path is the path on the wire with everything else encoded, `%` included.
const KEPT_IN_PATHS: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'/');

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vectors::vectors;

    #[test]
    fn canonical_requests_are_the_vectors() {
        for v in vectors() {
            let canonical = canonical_request(
                &v.head,
                v.json["signed_headers"].as_str().unwrap(),
                v.json["body_sha256"].as_str().unwrap(),
            );
            assert_eq!(canonical, v.json["canonical_request"], "{}", v.name);
        }
    }

    #[test]
    fn signing_gives_the_vectors_headers() {
        for v in vectors() {
            let signed = v.json["signed_headers"].as_str().unwrap();
            let region = v.json["region"].as_str().unwrap();
            let header = sign(&v.head, &v.body, &v.keyring.keys[0], region, signed);
            assert_eq!(header, v.json["authorization"], "{}", v.name);
        }
    }
}
