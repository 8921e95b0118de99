//! A request as it was written for Bedrock, beside what was signed: an operator's own directives may have changed it.

use memchr::{memchr, memmem};

/// What was signed.
#[derive(Clone, Copy, Debug)]
pub struct Signed<'a> {
    /// The method.
    pub method: &'a str,
    /// Path and query.
    pub target: &'a str,
    /// `Host`
    pub host: &'a str,
    /// The headers of the call, those that authorize it among them; names in lower case.
    pub headers: &'a [Header<'a>],
    /// Length of the body in bytes.
    pub body_length: usize,
}

/// Name and value.
pub type Header<'a> = (&'a [u8], &'a [u8]);

/// Request line and headers as they were written in HTTP/1.
pub struct Head<'a> {
    method: &'a [u8],
    target: &'a [u8],
    headers: Vec<Header<'a>>,
    /// What stands behind them in the same buffer: empty, or a body that was made from the configuration.
    pub own_body: &'a [u8],
}

impl<'a> Head<'a> {
    /// Reads it; `None` for what is not HTTP/1, which cannot be compared.
    pub fn read(mut bytes: &'a [u8]) -> Option<Self> {
        let (method, target) = request_line(next_line(&mut bytes))?;
        let mut headers = Vec::with_capacity(16);
        while !bytes.is_empty() {
            let line = next_line(&mut bytes);
            if line.is_empty() {
                break;
            }
            headers.extend(header(line));
        }
        Some(Self {
            method,
            target,
            headers,
            own_body: bytes,
        })
    }

    fn values<'h>(&'h self, name: &'h [u8]) -> impl Iterator<Item = &'a [u8]> + 'h {
        let named = self.headers.iter();
        let named = named.filter(|(sent, _)| sent.eq_ignore_ascii_case(name));
        named.map(|(_, value)| *value)
    }

    /// Whether there is one such header, with this value.
    fn has(&self, name: &[u8], value: &[u8]) -> bool {
        let mut sent = self.values(name);
        sent.next() == Some(value.trim_ascii()) && sent.next().is_none()
    }
}

/// How what was written differs, as phrases for the error log, each with the directives that may be the reason. No value of a
/// header but `Host` is in them. Empty if nothing differs. `has_body`: the body that was signed follows.
pub fn differences(signed: &Signed<'_>, written: &Head<'_>, has_body: bool) -> Vec<String> {
    let mut found = Vec::new();
    if written.method != signed.method.as_bytes() {
        found.push(format!(
            "the method is \"{}\" instead of \"{}\" (see proxy_method)",
            shown(written.method),
            signed.method
        ));
    }
    if written.target != signed.target.as_bytes() {
        found.push(
            "the path is another one (give proxy_pass no path, not even \"/\", after the host)"
                .to_owned(),
        );
    }
    if !written.has(b"host", signed.host.as_bytes()) {
        let host = written.values(b"host").next().unwrap_or(b"");
        found.push(format!(
            "the Host is \"{}\" instead of \"{}\" (include bedrock_params in this location; a proxy_set_header of its own \
             drops those of the level above)",
            shown(host),
            signed.host
        ));
    }
    let changed: Vec<String> = covered(signed.headers)
        .filter(|(name, value)| !written.has(name, value))
        .map(|(name, _)| shown(name))
        .collect();
    if !changed.is_empty() {
        found.push(format!(
            "missing or changed: {} (see proxy_set_header, proxy_pass_request_headers)",
            changed.join(", ")
        ));
    }
    let added = added(signed.headers, &written.headers);
    if !added.is_empty() {
        found.push(format!(
            "added: {} (see proxy_set_header)",
            added.join(", ")
        ));
    }
    let length = signed.body_length.to_string();
    let has_length = written.has(b"content-length", length.as_bytes())
        || (signed.body_length == 0 && written.values(b"content-length").next().is_none());
    if !has_body || !has_length || written.values(b"transfer-encoding").next().is_some() {
        found.push(
            "the body, or its length, is another one (see proxy_set_body, proxy_pass_request_body, proxy_set_header)"
                .to_owned(),
        );
    }
    found
}

/// The headers that the authorization covers, and itself. `Host` and what belongs to the connection are not among the call's.
fn covered<'a>(headers: &'a [Header<'a>]) -> impl Iterator<Item = Header<'a>> {
    let names = signed_names(headers).split(|byte| *byte == b';');
    std::iter::once(AUTHORIZATION)
        .chain(names)
        .filter_map(|name| {
            let mut headers = headers.iter().copied();
            headers.find(|(known, _)| known.eq_ignore_ascii_case(name))
        })
}

/// Headers that AWS looks at, which are sent and not signed.
fn added(signed: &[Header<'_>], sent: &[Header<'_>]) -> Vec<String> {
    if signed_names(signed).is_empty() {
        return Vec::new();
    }
    let is_for_aws = |name: &[u8]| {
        ["x-amz-", "x-amzn-bedrock-"].iter().any(|prefix| {
            let head = name.get(..prefix.len());
            head.is_some_and(|head| head.eq_ignore_ascii_case(prefix.as_bytes()))
        })
    };
    let is_known = |name: &[u8]| {
        let mut names = signed.iter().map(|(known, _)| known);
        names.any(|known| known.eq_ignore_ascii_case(name))
    };
    let names = sent.iter().map(|(name, _)| *name);
    names
        .filter(|name| is_for_aws(name) && !is_known(name))
        .map(|name| shown(name).to_ascii_lowercase())
        .collect()
}

/// `SignedHeaders` of a SigV4 authorization; empty for an API key.
fn signed_names<'a>(headers: &[Header<'a>]) -> &'a [u8] {
    headers
        .iter()
        .find(|(name, _)| *name == AUTHORIZATION)
        .and_then(|(_, value)| {
            let start = memmem::find(value, SIGNED_HEADERS)? + SIGNED_HEADERS.len();
            value
                .get(start..)?
                .split(|byte| b", ".contains(byte))
                .next()
        })
        .unwrap_or_default()
}

/// Method and target.
fn request_line(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let line = line
        .strip_suffix(b" HTTP/1.1")
        .or_else(|| line.strip_suffix(b" HTTP/1.0"))?;
    let space = memchr(b' ', line)?;
    Some((line.get(..space)?, line.get(space + 1..)?))
}

fn header(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = memchr(b':', line)?;
    Some((line.get(..colon)?, line.get(colon + 1..)?.trim_ascii()))
}

/// Takes a line off, without its end.
fn next_line<'a>(bytes: &mut &'a [u8]) -> &'a [u8] {
    let end = memchr(b'\n', bytes);
    let end = end.unwrap_or(bytes.len());
    let line = bytes.get(..end).unwrap_or_default();
    *bytes = bytes.get(end + 1..).unwrap_or_default();
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// Bytes of the request for the log: what a variable of the operator's made of what a client sent may be anything.
fn shown(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes.get(..LONGEST).unwrap_or(bytes));
    text.escape_debug().to_string()
}

const AUTHORIZATION: &[u8] = b"authorization";
const SIGNED_HEADERS: &[u8] = b"SignedHeaders=";
/// Longer ones are cut in the log.
const LONGEST: usize = 255;

#[cfg(test)]
mod tests {
    use super::*;

    const HEADERS: [Header<'_>; 5] = [
        (b"content-type", b"application/json"),
        (b"accept-encoding", b"identity"),
        (
            b"authorization",
            b"AWS4-HMAC-SHA256 Credential=A/20260101/us-east-1/bedrock/aws4_request, SignedHeaders=content-type;host;x-amz-date, \
             Signature=00",
        ),
        (b"x-amz-date", b"20260101T000000Z"),
        (b"user-agent", b"a"),
    ];
    const SIGNED: Signed<'_> = Signed {
        method: "POST",
        target: "/model/a%3Ab/converse",
        host: "h:1",
        headers: &HEADERS,
        body_length: 2,
    };

    fn head() -> String {
        let mut head =
            "POST /model/a%3Ab/converse HTTP/1.1\r\nHost: h:1\r\nContent-Length: 2\r\n".to_owned();
        for (name, value) in HEADERS {
            head.push_str(&format!("{}: {}\r\n", shown(name), shown(value)));
        }
        head + "\r\n"
    }

    fn compare(head: &str, has_body: bool) -> Vec<String> {
        let head = Head::read(head.as_bytes());
        head.map_or_else(Vec::new, |head| differences(&SIGNED, &head, has_body))
    }

    #[test]
    fn what_was_signed_has_no_difference() {
        assert!(compare(&head(), true).is_empty());
        // Not signed, or of the connection.
        assert!(compare(&head().replace("user-agent: a", "x-team: b"), true).is_empty());
        assert!(compare(&head().replace("identity", "gzip"), true).is_empty());
        assert!(compare(&head().replace(" HTTP/1.1", " HTTP/1.0"), true).is_empty());
        assert!(compare("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", false).is_empty());
    }

    #[test]
    fn every_difference_is_named_and_no_value_shown() {
        for (from, to, says) in [
            ("POST ", "PUT ", "the method is \"PUT\""),
            ("POST ", "P\u{7f}UT ", "the method is \"P\\u{7f}UT\""),
            ("%3A", ":", "the path is another"),
            ("converse HTTP", "converse /x HTTP", "the path is another"),
            (
                "Host: h:1",
                "Host: bedrock",
                "the Host is \"bedrock\" instead of \"h:1\"",
            ),
            ("Host: h:1\r\n", "", "the Host is \"\" instead of"),
            (
                "Host: h:1",
                "Host: h:1\r\nhost: h:1",
                "the Host is \"h:1\" instead of",
            ),
            (
                "application/json",
                "text/plain",
                "missing or changed: content-type (",
            ),
            (
                "content-type: application/json\r\n",
                "",
                "missing or changed: content-type (",
            ),
            (
                "x-amz-date: 20260101T000000Z",
                "X-Amz-Date: 2020",
                "missing or changed: x-amz-date (",
            ),
            (
                "x-amz-date: 20260101T000000Z",
                "x-amz-date: 20260101T000000Z\r\nx-amz-date: 20260101T000000Z",
                "missing or changed: x-amz-date (",
            ),
            (
                "Signature=00",
                "Signature=01",
                "missing or changed: authorization (",
            ),
            (
                "user-agent",
                "x-amz-security-token: HUSH\r\nuser-agent",
                "added: x-amz-security-token (",
            ),
            (
                "user-agent",
                "X-Amzn-Bedrock-Trace: ENABLED\r\nuser-agent",
                "added: x-amzn-bedrock-trace (",
            ),
            (
                "Content-Length: 2",
                "Content-Length: 3",
                "the body, or its length",
            ),
            (
                "Content-Length: 2",
                "Transfer-Encoding: chunked\r\nContent-Length: 2",
                "the body, or its length",
            ),
            ("Content-Length: 2\r\n", "", "the body, or its length"),
        ] {
            assert!(head().contains(from), "{from}");
            let found = compare(&head().replace(from, to), true);
            assert_eq!(found.len(), 1, "{from} -> {to}: {found:?}");
            let found = found.concat();
            assert!(found.starts_with(says), "{from} -> {to}: {found}");
            assert!(
                !found.contains("HUSH") && !found.contains("Signature="),
                "{found}"
            );
        }
        assert!(compare(&head(), false).concat().starts_with("the body"));
    }

    #[test]
    fn an_api_key_signs_nothing_else() {
        let headers: [Header<'_>; 2] = [
            (b"content-type", b"application/json"),
            (b"authorization", b"Bearer HUSH"),
        ];
        let signed = Signed {
            headers: &headers,
            ..SIGNED
        };
        let head = "POST /model/a%3Ab/converse HTTP/1.1\r\nHost: h:1\r\nContent-Length: 2\r\nX-Amz-Any: 1\r\nAuthorization: no\r\n\r\n";
        let head = Head::read(head.as_bytes()).unwrap();
        let found = differences(&signed, &head, true);
        assert_eq!(
            found,
            [
                "missing or changed: authorization (see proxy_set_header, proxy_pass_request_headers)"
            ]
        );
    }

    #[test]
    fn a_body_of_the_configurations_own() {
        let own_body = |head: &'static str| Head::read(head.as_bytes()).unwrap().own_body;
        let head = "POST / HTTP/1.1\r\nHost: h\r\n\r\n";
        assert_eq!(own_body(head), b"");
        assert_eq!(
            own_body("POST / HTTP/1.1\r\nHost: h\r\n\r\n{}\r\n\r\n"),
            b"{}\r\n\r\n"
        );
        assert!(Head::read(b"").is_none() && Head::read(b"PRI * HTTP/2.0\r\n\r\n").is_none());
    }
}
