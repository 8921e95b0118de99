//! What somebody else's message says, for the error log: without the secrets that it may quote.

/// A message as it may stand in the error log: on one line, not too long, and without what is secret.
pub fn for_the_log(message: &str) -> String {
    let shown: String = without_secrets(message).chars().take(LOGGED).collect();
    shown.escape_debug().to_string()
}

/// Without what follows the name of a secret, and without whatever looks like one.
fn without_secrets(message: &str) -> String {
    let mut clean = String::with_capacity(message.len());
    let mut rest = message;
    while !rest.is_empty() {
        if let Some(length) = secret_name_at(rest) {
            let (name, after) = rest.split_at_checked(length).unwrap_or((rest, ""));
            let value = after.find(['\n', '\r', '"', '\'', '&', '<']);
            clean.push_str(name);
            clean.push_str("***");
            rest = value.and_then(|end| after.get(end..)).unwrap_or_default();
            continue;
        }
        let in_token = |c: char| c.is_ascii_alphanumeric() || "+/=_-".contains(c);
        let length = rest.find(|c| !in_token(c)).unwrap_or(rest.len());
        let length = length.max(rest.chars().next().map_or(1, char::len_utf8));
        let (word, after) = rest.split_at_checked(length).unwrap_or((rest, ""));
        // A header's name is such a word, and so may be what stands before a secret's.
        let (word, after) = match secret_name_in(word, rest) {
            Some(at) if at > 0 => rest.split_at_checked(at).unwrap_or((word, after)),
            _ => (word, after),
        };
        clean.push_str(if looks_secret(word) { "***" } else { word });
        rest = after;
    }
    clean
}

/// How long the name of a secret is that `text` begins with, with what joins it to its value.
fn secret_name_at(text: &str) -> Option<usize> {
    SECRETS.iter().find_map(|name| {
        let begins = text.get(..name.len())?;
        let rest = text.get(name.len()..)?;
        let joint = match name.ends_with(' ') {
            true => 0,
            false => {
                let joint = rest.len() - rest.trim_start_matches([':', '=', ' ']).len();
                rest.starts_with([':', '=']).then_some(joint)?
            }
        };
        begins
            .eq_ignore_ascii_case(name)
            .then_some(name.len() + joint)
    })
}

/// Where in `word`, with which `text` begins, the name of a secret begins.
fn secret_name_in(word: &str, text: &str) -> Option<usize> {
    (0..word.len()).find(|at| text.get(*at..).and_then(secret_name_at).is_some())
}

/// A token, a key or a signature: long, and no word that people write.
fn looks_secret(word: &str) -> bool {
    let has = |what: fn(&u8) -> bool| word.as_bytes().iter().any(what);
    let mixed =
        has(u8::is_ascii_uppercase) && has(u8::is_ascii_lowercase) && has(u8::is_ascii_digit);
    let hex = word.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_key = KEYS.iter().any(|prefix| word.starts_with(prefix));
    is_key || (word.len() >= SHORTEST_SECRET && (mixed || hex))
}

/// Names that secrets have in headers and queries.
const SECRETS: [&str; 7] = [
    "x-amz-security-token",
    "authorization",
    "bearer ",
    "signature",
    "x-api-key",
    "cookie",
    "token",
];
const SHORTEST_SECRET: usize = 32;
/// What the ids of access keys, and Bedrock's API keys, begin with.
const KEYS: [&str; 3] = ["AKIA", "ASIA", "ABSK"];
/// nginx cuts a line of its log at 2,048 bytes.
const LOGGED: usize = 1200;

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "FwoGZXIvYXdzEBYaDKd/abc+def=/0123456789ABCDEFGHIJKLMNOP==";

    #[test]
    fn secrets_are_taken_out() {
        for (message, clean) in [
            (
                "X-Amz-Security-Token=short&X-Amz-Date=1",
                "X-Amz-Security-Token=***&X-Amz-Date=1",
            ),
            (
                "Authorization=AWS4-HMAC-SHA256 Credential=AKID, Signature=00",
                "Authorization=***",
            ),
            ("'Bearer key-1' is no pair", "'Bearer ***' is no pair"),
            (
                "{\"x-amz-security-token\": \"a\"}",
                "{\"x-amz-security-token\": \"a\"}",
            ),
            ("the token is bad", "the token is bad"),
            (TOKEN, "***"),
            ("the key ASIAEXAMPLE is", "the key *** is"),
            ("é x-api-key: k\nnext", "é x-api-key: ***\nnext"),
        ] {
            assert_eq!(without_secrets(message), clean);
        }
    }
}
