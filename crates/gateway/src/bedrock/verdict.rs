//! What AWS says about the gateway's own credentials and identity. That is for the operator alone: a signature error quotes
//! the whole canonical request with the session token in it, and a permission error names the gateway's role and account.
//! <https://docs.aws.amazon.com/bedrock/latest/APIReference/CommonErrors.html>

use std::borrow::Cow;

use crate::bedrock::exception;
use crate::bedrock::secrets::for_the_log;
use crate::json::cursor::Cursor;
use crate::json::members::{Members, scalar, strings};
use crate::json::text::Literal;
use crate::refusal::Refusal;

/// What a client gets in place of an error of AWS's about the gateway itself; `None` for all other errors, which may pass.
/// `name` is the exception, as far as it is known from elsewhere than the `body`.
pub fn hidden(status: u16, name: Option<&str>, body: &[u8]) -> Option<Refusal> {
    judge(status, name, &Said::read(&text_of(body)))
}

/// What a client gets in place of an answer that cannot be looked at: what it says may be about the gateway.
pub fn unreadable(status: u16, name: Option<&str>, why: &str) -> Refusal {
    let shown = name.unwrap_or("-").escape_debug();
    judge(status, name, &Said::read("")).unwrap_or_else(|| Refusal {
        log: Some(format!(
            "Bedrock's answer cannot be looked at, so that the client does not get it: {why} ({status}, {shown})"
        )),
        ..Refusal::from_status(if status < 400 { 502 } else { status })
    })
}

/// The same of what has the status of a good answer: only what looks like an error is judged, as a model may write of signatures.
pub fn hidden_in_good(body: &[u8]) -> Option<Refusal> {
    let text = text_of(body);
    match has_form_of_error(&text) {
        true => judge(500, None, &Said::read(&text)),
        false => None,
    }
}

/// Whether this, or what it is the beginning of, may be an error. Once it is none it stays so, whatever follows.
pub fn looks_like_error(begun: &[u8]) -> bool {
    has_form_of_error(&text_of(begun))
}

/// Whether an answer's member is one that errors have. A good answer has at least one other.
pub fn is_of_errors(name: &str) -> bool {
    ERRORS_OWN.iter().any(|own| own.eq_ignore_ascii_case(name))
}

/// Whether a header of AWS's answer is about the gateway: how it signed, or who it is.
pub fn hides_header(status: u16, name: &str, value: &[u8]) -> bool {
    let says = || {
        let value = String::from_utf8_lossy(value);
        let quotes = has_any(&value, &QUOTES);
        quotes || without_identity(&value, false).is_some()
    };
    HEADERS.iter().any(|own| own.eq_ignore_ascii_case(name)) || (status >= 300 && says())
}

fn judge(status: u16, name: Option<&str>, said: &Said) -> Option<Refusal> {
    let named = name
        .into_iter()
        .chain(said.names.iter().map(String::as_str));
    let verdict = named.clone().find(|name| is_verdict(name));
    let spoken = said.message.as_deref().unwrap_or_default();
    let name = name.or(said.names.first().map(String::as_str));
    let shown = verdict.or(name).unwrap_or("error").escape_debug();
    let denied = status == 403 || name.is_some_and(|name| plain(name) == "accessdenied");
    if verdict.is_some() || status == 401 || said.quotes_request(denied) {
        let quoted = said.all().find(|text| has_any(text, &QUOTES));
        let reason = match spoken.is_empty() {
            true => quoted.unwrap_or_default(),
            false => spoken,
        };
        return Some(Refusal {
            log: Some(format!(
                "AWS does not accept the gateway's credentials or signature: {shown} ({status}): {}",
                for_the_log(reason)
            )),
            ..Refusal::from_status(502)
        });
    }
    let anonymous = without_identity(spoken, denied);
    // Whatever else says it cannot be told either: what stays is the message.
    let telling = match &anonymous {
        Some(_) => spoken,
        None => said
            .all()
            .find(|text| without_identity(text, denied).is_some())?,
    };
    let message = match (anonymous, spoken.is_empty()) {
        (Some(anonymous), _) => anonymous.into(),
        (None, false) => spoken.to_owned().into(),
        (None, true) => exception::for_status(status).1,
    };
    let name = name.unwrap_or("AccessDeniedException");
    Some(Refusal {
        log: Some(format!(
            "AWS refuses this to the gateway: {shown} ({status}): {}",
            for_the_log(telling)
        )),
        ..Refusal::new(status, name.to_owned(), message)
    })
}

/// Whether an exception says that credentials have expired, so that new ones may help.
pub fn is_expired(name: &str) -> bool {
    matches!(plain(name).as_str(), "expiredtoken" | "tokenexpired")
}

/// What an answer says. Without bytes of 0 a text in UTF-16 reads as one in UTF-8 does.
fn text_of(body: &[u8]) -> Cow<'_, str> {
    let text = String::from_utf8_lossy(body);
    match text.contains('\0') {
        true => text.replace('\0', "").into(),
        false => text,
    }
}

/// Whether this has the form of an error: an object of nothing but what errors have, as far as it is one; or no JSON.
fn has_form_of_error(text: &str) -> bool {
    let text = text.trim_start();
    let mut cursor = Cursor::new(text);
    if cursor.open().is_err() {
        return !text.starts_with('[');
    }
    while let Ok(Some(name)) = cursor.member() {
        if !is_of_errors(&name) {
            return false;
        }
        let Ok(value) = cursor.value() else {
            return true;
        };
        if name == "type" && value.ends_with(".failed\"") {
            return true;
        }
        // The event that begins a message of a model's.
        if name == "message" && value.starts_with('{') {
            return false;
        }
    }
    true
}

/// What an error says, in whichever form.
struct Said {
    /// What may be the exception's name.
    names: Vec<String>,
    message: Option<String>,
    /// All that it says, wherever that stands: each string, and the text as it came.
    strings: Vec<String>,
}

impl Said {
    fn read(text: &str) -> Self {
        let (mut names, mut message) = (Vec::new(), None);
        for (name, value) in Members::of(text) {
            let value = scalar(value);
            let string = value.starts_with('"').then_some(Literal(value));
            let Some(string) = string.and_then(Literal::decode_strict) else {
                continue;
            };
            match name.to_ascii_lowercase().as_str() {
                "__type" | "type" | "code" => names.push(string.into_owned()),
                "message" | "errormessage" if message.is_none() && !string.is_empty() => {
                    message = Some(string.into_owned());
                }
                _ => {}
            }
        }
        // Some of AWS's services, and what stands before them, speak XML.
        names.extend(element(text, "<Code>", "</Code>"));
        let message = message.or_else(|| element(text, "<Message>", "</Message>"));
        let is_plain = !text.trim_start().starts_with(['{', '[', '<', '"']);
        let message = message.or_else(|| (is_plain && !text.is_empty()).then(|| text.to_owned()));
        let strings = strings(text).map(|string| Literal(string).decode().into_owned());
        let strings = strings.chain([text.to_owned()]).collect();
        Self {
            names,
            message,
            strings,
        }
    }

    fn all(&self) -> impl Iterator<Item = &str> {
        let message = self.message.iter();
        message.chain(&self.strings).map(String::as_str)
    }

    /// Whether it is about who signed, and how: in any answer by what only such a message quotes, in one that denies access by
    /// what it speaks of. A model's own errors may speak of signatures, too: those of its thinking.
    fn quotes_request(&self, denied: bool) -> bool {
        self.all()
            .any(|text| has_any(text, &QUOTES) || (denied && has_any(text, &TOPICS)))
    }
}

fn element(text: &str, open: &str, close: &str) -> Option<String> {
    let (_, rest) = text.split_once(open)?;
    Some(rest.split_once(close)?.0.to_owned())
}

/// An exception's name without its namespace and its ending, in lower case.
fn plain(name: &str) -> String {
    let name = name.split(':').next().unwrap_or_default();
    let name = name.rsplit(['#', '.']).next().unwrap_or_default();
    let plain: String = name
        .chars()
        .filter(char::is_ascii_alphabetic)
        .map(|c| c.to_ascii_lowercase())
        .collect();
    let endings = ["exception", "error", "fault"];
    let bare = endings.iter().find_map(|ending| plain.strip_suffix(ending));
    bare.map_or_else(|| plain.clone(), ToOwned::to_owned)
}

fn is_verdict(name: &str) -> bool {
    VERDICTS.contains(&plain(name).as_str())
}

fn has_any(text: &str, parts: &[&str]) -> bool {
    let text = text.to_ascii_lowercase();
    parts.iter().any(|part| text.contains(part))
}

/// The message without the gateway's identity; `None` if it does not name that. `denied`: account numbers are taken out, too.
fn without_identity(message: &str, denied: bool) -> Option<String> {
    let mut anonymous = String::with_capacity(message.len());
    let mut found = false;
    let mut rest = message;
    while let Some(at) = rest.find("arn:") {
        let (before, arn) = rest.split_at_checked(at).unwrap_or((rest, ""));
        let (word, after) = arn
            .find(ends_word)
            .and_then(|end| arn.split_at_checked(end))
            .unwrap_or((arn, ""));
        anonymous.push_str(before);
        let is_identity = matches!(word.split(':').nth(2), Some("iam" | "sts"));
        found |= is_identity;
        anonymous.push_str(if is_identity { "the gateway" } else { word });
        rest = after;
    }
    anonymous.push_str(rest);
    let numbers = accounts(&anonymous);
    (found || (denied && numbers.is_some())).then(|| numbers.unwrap_or(anonymous))
}

/// The text with account numbers, runs of twelve digits, made unreadable; `None` if there are none.
fn accounts(text: &str) -> Option<String> {
    let mut masked = String::with_capacity(text.len());
    let mut any = false;
    for piece in text.split_inclusive(|c: char| !c.is_ascii_digit()) {
        let digits = piece.trim_end_matches(|c: char| !c.is_ascii_digit());
        let is_account = digits.len() == ACCOUNT && digits.bytes().all(|b| b.is_ascii_digit());
        any |= is_account;
        masked.push_str(if is_account { "***" } else { digits });
        masked.push_str(piece.get(digits.len()..).unwrap_or_default());
    }
    any.then_some(masked)
}

fn ends_word(c: char) -> bool {
    c.is_whitespace()
        || matches!(
            c,
            '"' | '\'' | ',' | ';' | '(' | ')' | '[' | ']' | '<' | '>'
        )
}

/// Exceptions about who signed, and how, as [`plain`] has them.
const VERDICTS: [&str; 26] = [
    "accesskeyidnotfound",
    "authentication",
    "authfailure",
    "authorizationheadermalformed",
    "expiredtoken",
    "incompletesignature",
    "invalidaccesskeyid",
    "invalidapikey",
    "invalidauthentication",
    "invalidclienttokenid",
    "invalidsignature",
    "invalidtoken",
    "malformedsignature",
    "missingauthentication",
    "missingauthenticationtoken",
    "missingauthtoken",
    "notauthenticated",
    "requestexpired",
    "requesttimetooskewed",
    "signaturedoesnotmatch",
    "signatureversionnotsupported",
    "tokenexpired",
    "tokenrefreshrequired",
    "unauthenticated",
    "unauthorized",
    "unrecognizedclient",
];

/// What only messages about a signature or its credentials say.
const QUOTES: [&str; 7] = [
    "aws4-hmac-sha256",
    "canonical request",
    "canonical string",
    "security token included",
    "string to sign",
    "string-to-sign",
    "x-amz-security-token",
];

/// What a denial of access is about if it is not about permissions.
const TOPICS: [&str; 8] = [
    "access key",
    "api key",
    "authentication",
    "authorization header",
    "bearer token",
    "credential",
    "security token",
    "signature",
];

/// What the members of an error are called, in whichever form.
const ERRORS_OWN: [&str; 14] = [
    "__type",
    "code",
    "detail",
    "details",
    "error",
    "errors",
    "errormessage",
    "message",
    "param",
    "request_id",
    "requestid",
    "sequence_number",
    "status",
    "type",
];

/// Headers of AWS's that say who asked and how, or where a request that the gateway signed should go instead.
const HEADERS: [&str; 7] = [
    "location",
    "refresh",
    "www-authenticate",
    "x-amz-security-token",
    "x-amzn-error-message",
    "x-amzn-errormessage",
    "x-amzn-remapped-www-authenticate",
];

const ACCOUNT: usize = 12;

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "FwoGZXIvYXdzEBYaDKd/abc+def=/0123456789ABCDEFGHIJKLMNOP==";

    #[test]
    fn every_spelling_of_a_verdict_is_hidden() {
        let body = br#"{"message":"no"}"#;
        for name in [
            "InvalidSignatureException",
            "SignatureDoesNotMatch",
            "SignatureDoesNotMatchException",
            "signatureDoesNotMatch",
            "IncompleteSignature",
            "IncompleteSignatureException",
            "UnrecognizedClientException",
            "ExpiredToken",
            "ExpiredTokenException",
            "expiredTokenException",
            "InvalidClientTokenId",
            "MissingAuthenticationToken",
            "MissingAuthenticationTokenException",
            "com.amazon.coral.service#InvalidSignatureException",
            "InvalidSignatureException:http://internal.amazon.com/coral/",
            "invalid_api_key",
            "authentication_error",
        ] {
            for status in [400, 403, 500] {
                let refusal = hidden(status, Some(name), body).unwrap();
                assert_eq!(refusal.status, 502, "{name}");
                assert!(!refusal.exception.contains("ignature"));
            }
            for body in [
                format!(r#"{{"__type":"{name}","message":"x"}}"#),
                format!(r#"{{"error":{{"type":"x","code":"{name}","message":"x"}}}}"#),
                format!("<ErrorResponse><Error><Code>{name}</Code></Error></ErrorResponse>"),
            ] {
                assert!(hidden(403, None, body.as_bytes()).is_some(), "{body}");
            }
        }
        assert!(hidden(401, None, b"").is_some());
        let denied =
            br#"{"Message":"Authentication failed: Please make sure your API Key is valid."}"#;
        assert_eq!(
            hidden(403, Some("AccessDeniedException"), denied)
                .unwrap()
                .status,
            502
        );
        let quoted =
            br#"{"message":"x\n\nThe Canonical String for this request should have been\n'POST"}"#;
        assert!(hidden(400, Some("ValidationException"), quoted).is_some());
    }

    #[test]
    fn errors_about_the_request_pass() {
        for (status, name, message) in [
            (
                403,
                "AccessDeniedException",
                "You don't have access to the model with the specified model ID.",
            ),
            (
                400,
                "ValidationException",
                "messages.1.content.0: Invalid `signature` in `thinking` block",
            ),
            (
                400,
                "ValidationException",
                "The provided model identifier is invalid.",
            ),
            (
                429,
                "ThrottlingException",
                "Too many tokens, please wait before trying again.",
            ),
            (
                404,
                "ResourceNotFoundException",
                "Could not resolve arn:aws:bedrock:us-east-1:123456789012:x/y",
            ),
        ] {
            let body = format!(r#"{{"message":"{message}"}}"#);
            assert_eq!(
                hidden(status, Some(name), body.as_bytes()),
                None,
                "{message}"
            );
        }
        assert_eq!(hidden(503, None, b"<html>Service Unavailable</html>"), None);
    }

    #[test]
    fn the_gateways_identity_is_not_told() {
        let message = "User: arn:aws:sts::123456789012:assumed-role/Gateway/i-0abc is not authorized to perform: \
             bedrock:InvokeModel on resource: arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.x because no \
             identity-based policy allows the bedrock:InvokeModel action";
        let body = format!(r#"{{"message":"{message}"}}"#);
        let refusal = hidden(403, Some("AccessDeniedException"), body.as_bytes()).unwrap();
        assert_eq!(
            (refusal.status, refusal.exception.as_ref()),
            (403, "AccessDeniedException")
        );
        assert_eq!(
            refusal.message,
            "User: the gateway is not authorized to perform: bedrock:InvokeModel on resource: \
             arn:aws:bedrock:us-east-1:***:inference-profile/us.x because no identity-based policy allows the \
             bedrock:InvokeModel action"
        );
        assert!(refusal.log.unwrap().contains("assumed-role/Gateway"));
    }

    #[test]
    fn the_log_has_the_reason_without_its_secrets() {
        let message = format!(
            "The request signature we calculated does not match the signature you provided.\n\nThe Canonical String for this \
             request should have been\n'POST\n/model/anthropic.claude-3-haiku-20240307-v1%253A0/converse\n\n\
             content-type:application/json\nhost:bedrock-runtime.us-east-1.amazonaws.com\nx-amz-date:20260115T123456Z\n\
             x-amz-security-token:{TOKEN}\n\ncontent-type;host;x-amz-date;x-amz-security-token\n{}'\n\n\
             The String-to-Sign should have been\n'AWS4-HMAC-SHA256\n20260115T123456Z\n\
             20260115/us-east-1/bedrock/aws4_request\n{}'",
            "ab01".repeat(16),
            "cd23".repeat(16)
        );
        let body = serde_json::json!({ "message": message }).to_string();
        let refusal = hidden(403, Some("InvalidSignatureException"), body.as_bytes()).unwrap();
        let log = refusal.log.unwrap();
        for part in [
            "InvalidSignatureException (403): The request signature we calculated does not match",
            "/model/anthropic.claude-3-haiku-20240307-v1%253A0/converse",
            "content-type;host;x-amz-date;x-amz-security-token",
            "20260115/us-east-1/bedrock/aws4_request",
            "x-amz-security-token:***",
        ] {
            assert!(log.contains(part), "{part}: {log}");
        }
        for secret in [TOKEN, "FwoGZX", "ab01ab01", "cd23cd23"] {
            assert!(!log.contains(secret), "{secret}: {log}");
        }
    }
}
