//! Bedrock's paths, read from what clients send and written as the service wants them.
//!
//! The model id is one path segment in which everything but `A-Z a-z 0-9 - . _ ~` is percent-encoded. Clients send it
//! raw, encoded once or encoded twice, and behind any prefix; all of that means the same id.

use super::{Operation, VendorApi};
use crate::body::hex_digits;
use crate::refusal::Refusal;

/// What a native path names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NativePath {
    /// The operation; of a vendor's own API only the body says whether it streams.
    pub operation: Operation,
    /// Model id or ARN, decoded.
    pub model: Option<String>,
    /// Guardrail id and version, decoded.
    pub guardrail: Option<(String, String)>,
    /// How many bytes of the path stand before Bedrock's own.
    pub prefix: usize,
}

/// Recognises a native path (without query). `None`: it is none of Bedrock's.
///
/// # Errors
/// An id that is empty or does not decode to UTF-8.
pub fn recognise(path: &str) -> Result<Option<NativePath>, Refusal> {
    if let Some((prefix, rest)) = path.rsplit_once("/model/") {
        for operation in Operation::OF_MODELS {
            if let Some(id) = rest.strip_suffix(operation.verb())
                && let Some(id) = id.strip_suffix('/')
            {
                return Ok(Some(NativePath {
                    operation,
                    model: Some(decode(id)?),
                    guardrail: None,
                    prefix: prefix.len(),
                }));
            }
        }
    }
    if let Some((prefix, rest)) = path.rsplit_once("/guardrail/")
        && let Some(rest) = rest.strip_suffix("/apply")
        && let Some((id, version)) = rest.rsplit_once("/version/")
    {
        return Ok(Some(NativePath {
            operation: Operation::ApplyGuardrail,
            model: None,
            guardrail: Some((decode(id)?, decode(version)?)),
            prefix: prefix.len(),
        }));
    }
    Ok(VendorApi::of_path(path).map(|api| NativePath {
        operation: Operation::VendorApi { api, stream: false },
        model: None,
        guardrail: None,
        prefix: path.len().saturating_sub(api.path().len()),
    }))
}

/// The path of a model's operation.
pub fn of_model(operation: Operation, model: &str) -> String {
    format!("/model/{}/{}", encode(model), operation.verb())
}

/// The path of ApplyGuardrail.
pub fn of_guardrail(id: &str, version: &str) -> String {
    format!(
        "/guardrail/{}/version/{}/apply",
        encode(id),
        encode(version)
    )
}

/// A target as AWS's signers spell it: each segment of the path, and each name and value of the query, percent-encoded once. So
/// all who read it read the same, and sign the same. What AWS's SDKs send is spelt so already.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>
///
/// # Errors
/// 400: a segment that is empty, `.` or `..`, so that not everyone would read the same path; what does not decode to UTF-8, or
/// did not before it came here, as its replacement characters show.
pub fn spelt(path: &str, query: Option<&str>) -> Result<String, Refusal> {
    let unclear = || {
        Refusal::validation(
            "The path or the query is not one that everyone reads alike: no segment of a path may be empty, \".\" or \"..\", and \
             all must be UTF-8.",
        )
    };
    let mut target = String::with_capacity(path.len() + 16);
    let segments = path.strip_prefix('/').ok_or_else(unclear)?;
    let last = segments.matches('/').count();
    for (index, segment) in segments.split('/').enumerate() {
        let decoded = decode_once(segment).ok_or_else(unclear)?;
        let climbs = decoded.split('/').any(|part| matches!(part, "." | ".."));
        if climbs || is_lossy(&decoded) || (segment.is_empty() && index < last) {
            return Err(unclear());
        }
        target.push('/');
        percent_encode(&decoded, "", &mut target);
    }
    for (index, pair) in query.into_iter().flat_map(parameters).enumerate() {
        target.push(if index == 0 { '?' } else { '&' });
        let (name, value) = match pair.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (pair, None),
        };
        let decoded = |text| decode_form(text).filter(|text| !is_lossy(text));
        percent_encode(&decoded(name).ok_or_else(unclear)?, "", &mut target);
        if let Some(value) = value {
            target.push('=');
            percent_encode(&decoded(value).ok_or_else(unclear)?, "", &mut target);
        }
    }
    Ok(target)
}

/// Whether something else stood here that was no UTF-8.
fn is_lossy(text: &str) -> bool {
    text.contains(char::REPLACEMENT_CHARACTER)
}

/// The names and values of a query, as they stand there.
pub fn parameters(query: &str) -> impl Iterator<Item = &str> {
    query.split('&').filter(|pair| !pair.is_empty())
}

/// A name or a value of a query: there a `+` is a space.
pub(crate) fn decode_form(text: &str) -> Option<String> {
    decode_once(&text.replace('+', "%20"))
}

/// A label of a path, encoded.
fn encode(label: &str) -> String {
    let mut encoded = String::with_capacity(label.len() + 16);
    percent_encode(label, "", &mut encoded);
    encoded
}

/// Appends `text`, with all but the unreserved characters of RFC 3986 and what is in `but` percent-encoded, as AWS's SDKs do.
pub(crate) fn percent_encode(text: &str, but: &str, out: &mut String) {
    let sent = |byte: u8| {
        byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || but.as_bytes().contains(&byte)
    };
    let mut rest = text.as_bytes();
    while !rest.is_empty() {
        let end = rest.iter().position(|byte| !sent(*byte));
        let (as_it_is, others) = rest.split_at(end.unwrap_or(rest.len()));
        // ASCII alone, for the most part all of the text.
        out.push_str(std::str::from_utf8(as_it_is).unwrap_or_default());
        rest = others;
        if let Some((byte, others)) = rest.split_first() {
            let [high, low] = hex_digits(*byte).map(|digit| digit.to_ascii_uppercase());
            out.extend(['%', high, low]);
            rest = others;
        }
    }
}

/// Undoes percent-encoding, a second layer too: no id holds a `%` of its own.
///
/// # Errors
/// Nothing is left, or it is not UTF-8.
pub fn decode(label: &str) -> Result<String, Refusal> {
    let invalid = || Refusal::validation("The provided model identifier is invalid.");
    let mut decoded = label.to_owned();
    for _ in 0..2 {
        if !decoded.contains('%') {
            break;
        }
        decoded = decode_once(&decoded).ok_or_else(invalid)?;
    }
    if decoded.is_empty() {
        return Err(invalid());
    }
    Ok(decoded)
}

/// Undoes one layer of percent-encoding; `None` if that is not UTF-8.
pub(crate) fn decode_once(label: &str) -> Option<String> {
    let mut decoded = Vec::with_capacity(label.len());
    let mut bytes = label.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let high = char::from(bytes.next()?).to_digit(16)?;
            let low = char::from(bytes.next()?).to_digit(16)?;
            decoded.push(u8::try_from(high << 4 | low).ok()?);
        } else {
            decoded.push(byte);
        }
    }
    String::from_utf8(decoded).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::Target;

    fn model(path: &str) -> (Operation, String) {
        let found = recognise(path).unwrap().unwrap();
        (found.operation, found.model.unwrap())
    }

    #[test]
    fn raw_encoded_and_twice_encoded_ids_are_the_same() {
        let id = "anthropic.claude-3-haiku-20240307-v1:0";
        for spelt in [
            id,
            "anthropic.claude-3-haiku-20240307-v1%3A0",
            "anthropic.claude-3-haiku-20240307-v1%253A0",
            "anthropic.claude-3-haiku-20240307-v1%3a0",
        ] {
            assert_eq!(
                model(&format!("/model/{spelt}/converse")),
                (Operation::Converse, id.to_owned())
            );
        }
        assert_eq!(
            of_model(Operation::Converse, id),
            "/model/anthropic.claude-3-haiku-20240307-v1%3A0/converse"
        );
    }

    #[test]
    fn arns_may_come_with_their_slashes() {
        let arn = "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.x";
        for spelt in [arn.to_owned(), encode(arn), arn.replace('/', "%2F")] {
            assert_eq!(
                model(&format!("/a/b/model/{spelt}/converse-stream")),
                (Operation::ConverseStream, arn.to_owned())
            );
        }
    }

    #[test]
    fn a_target_is_spelt_as_signers_do() {
        for (path, query, target) in [
            ("/", None, "/"),
            ("/foundation-models", Some(""), "/foundation-models"),
            ("/knowledgebases/", None, "/knowledgebases/"),
            (
                "/async-invoke/arn%3Aaws%3Abedrock%2Fx",
                None,
                "/async-invoke/arn%3Aaws%3Abedrock%2Fx",
            ),
            ("/a:b/c%3ad", None, "/a%3Ab/c%3Ad"),
            ("/a%253A", None, "/a%253A"),
            (
                "/a",
                Some("z=1&a=b+c&&k&q=a%2Bb/ü"),
                "/a?z=1&a=b%20c&k&q=a%2Bb%2F%C3%BC",
            ),
            ("/a", Some("x=a=b"), "/a?x=a%3Db"),
        ] {
            assert_eq!(spelt(path, query).unwrap(), target);
            let again = Target::read(target);
            assert_eq!(spelt(again.path(), again.query()).unwrap(), target);
        }
        for path in [
            "",
            "a",
            "//a",
            "/a\u{fffd}",
            "/a//b",
            "/a/./b",
            "/a/../b",
            "/a/%2e%2E/b",
            "/a%2F..%2Fb",
            "/..",
            "/%",
            "/%ff",
        ] {
            assert_eq!(spelt(path, None).unwrap_err().status, 400, "{path}");
        }
        for query in ["b=%f", "b=%ff", "\u{fffd}"] {
            assert!(spelt("/a", Some(query)).is_err(), "{query}");
        }
    }

    #[test]
    fn every_verb_behind_any_prefix() {
        for operation in Operation::OF_MODELS {
            let path = of_model(operation, "m");
            assert_eq!(model(&path).0, operation);
            assert_eq!(model(&format!("/model/x{path}")).0, operation);
        }
        let found = recognise("/p/guardrail/arn%3Aaws%3A%2Fg/version/DRAFT/apply")
            .unwrap()
            .unwrap();
        assert_eq!(
            found.guardrail,
            Some(("arn:aws:/g".to_owned(), "DRAFT".to_owned()))
        );
    }

    #[test]
    fn other_paths_are_not_ours_and_bad_ids_are_refused() {
        for path in [
            "/",
            "/model/x",
            "/model/x/converses",
            "/v1/messages",
            "/model/xconverse",
            "/guardrail/x/apply",
        ] {
            assert_eq!(recognise(path).unwrap(), None, "{path}");
        }
        for path in [
            "/model//converse",
            "/model/%/converse",
            "/model/%zz/converse",
            "/model/%ff/converse",
        ] {
            assert_eq!(recognise(path).unwrap_err().status, 400, "{path}");
        }
    }
}
