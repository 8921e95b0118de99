//! What a client keeps of reasoning, and sends back: `encrypted_content`. It holds the reasoning as Bedrock gave it, with its
//! signature, because a model that is shown another text or signature refuses the request. Nothing in it is secret: it
//! is base64 of a mark with a version, a check sum, and JSON.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::digest::{SHA256, digest};
use serde::Deserialize;

use crate::bedrock::converse::Block;
use crate::bedrock::converse::strings::Strings;
use crate::json::text::Literal;

/// A piece of reasoning. Strings are as JSON spells them, so that they come back byte for byte.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
struct Piece<'a> {
    #[serde(borrow)]
    text: Option<Literal<'a>>,
    #[serde(borrow)]
    signature: Option<Literal<'a>>,
    /// Reasoning that is not shown, in base64.
    #[serde(borrow)]
    redacted: Option<Literal<'a>>,
}

/// Reasoning whose text and signature are these, as they stand between quotes, and pieces that are not shown.
pub fn sealed(text: &str, signature: &str, redacted: &[String]) -> String {
    let mut pieces = Vec::new();
    if !text.is_empty() || !signature.is_empty() {
        let signature = match signature {
            "" => String::new(),
            signature => format!(",\"signature\":\"{signature}\""),
        };
        pieces.push(format!("{{\"text\":\"{text}\"{signature}}}"));
    }
    for data in redacted {
        pieces.push(format!("{{\"redacted\":\"{data}\"}}"));
    }
    let json = format!("[{}]", pieces.join(","));
    let mut bytes = MARK.to_vec();
    bytes.extend_from_slice(&check(json.as_bytes()));
    bytes.extend_from_slice(json.as_bytes());
    STANDARD.encode(bytes)
}

/// What is in it, as blocks; `None` if it is not ours, or not as it was given.
pub fn opened(content: &str, strings: &mut Strings<'_>) -> Option<Vec<Block>> {
    let bytes = STANDARD.decode(content).ok()?;
    let (sum, json) = bytes.strip_prefix(MARK)?.split_at_checked(CHECK)?;
    if sum != check(json) {
        return None;
    }
    let pieces: Vec<Piece<'_>> = serde_json::from_slice(json).ok()?;
    let block = |piece: Piece<'_>| match piece {
        Piece {
            redacted: Some(data),
            ..
        } => Block::Redacted(strings.given(data)),
        Piece {
            text, signature, ..
        } => Block::Reasoning {
            text: strings.given(text.unwrap_or(Literal("\"\""))),
            signature: signature.map(|signature| strings.given(signature)),
        },
    };
    Some(pieces.into_iter().map(block).collect())
}

fn check(json: &[u8]) -> [u8; CHECK] {
    let digest = digest(&SHA256, json);
    digest.as_ref().first_chunk().copied().unwrap_or_default()
}

/// What is ours begins so; its last sign is the version.
const MARK: &[u8] = b"nginx-bedrock:1";
/// How many bytes of a SHA-256 follow it.
const CHECK: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    fn again(content: &str) -> Option<Vec<(String, Option<String>, bool)>> {
        let mut strings = Strings::new("");
        let blocks = opened(content, &mut strings)?;
        let one = |block: &Block| match *block {
            Block::Reasoning { text, signature } => (
                strings.escaped(text).to_owned(),
                signature.map(|signature| strings.escaped(signature).to_owned()),
                false,
            ),
            Block::Redacted(data) => (strings.escaped(data).to_owned(), None, true),
            _ => panic!("{block:?}"),
        };
        Some(blocks.iter().map(one).collect())
    }

    #[test]
    fn what_is_given_out_comes_back_byte_for_byte() {
        let signature = "EqQBCkgIARABGAIiQL\\/2+==\\u00e9";
        let content = sealed("a \\\"b\\\"\\n\\u00e9é", signature, &["QUJD".to_owned()]);
        assert_eq!(
            again(&content).unwrap(),
            [
                (
                    "a \\\"b\\\"\\n\\u00e9é".to_owned(),
                    Some(signature.to_owned()),
                    false
                ),
                ("QUJD".to_owned(), None, true)
            ]
        );
        assert_eq!(
            again(&sealed("", "s", &[])).unwrap(),
            [(String::new(), Some("s".to_owned()), false)]
        );
        assert_eq!(
            again(&sealed("t", "", &[])).unwrap(),
            [("t".to_owned(), None, false)]
        );
    }

    #[test]
    fn every_flipped_bit_is_seen_and_what_is_not_ours_is_none() {
        let content = sealed("thinking", "c2ln", &[]);
        for at in 0..content.len() {
            for bit in 0..7 {
                let mut changed = content.clone().into_bytes();
                changed[at] ^= 1 << bit;
                let changed = String::from_utf8(changed).unwrap();
                assert!(again(&changed).is_none(), "{changed}");
            }
            assert!(again(&content[..at]).is_none());
        }
        for foreign in ["", "RU5DUllQVEVE", "gAAAAABo", "bmdpbngtYmVkcm9jazoy", "é"] {
            assert!(again(foreign).is_none(), "{foreign}");
        }
    }
}
