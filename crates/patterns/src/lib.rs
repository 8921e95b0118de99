//! Patterns as operators write them for model ids, ARNs and regions: `*` stands for any characters, `?` for one.
#![forbid(unsafe_code)]

/// Whether `text` matches `pattern`.
pub fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut p, mut i) = (0, 0);
    // Where to go on if what follows the last `*` turns out not to fit: one byte further.
    let mut retry: Option<(usize, usize)> = None;
    while let Some(byte) = text.get(i) {
        match pattern.get(p) {
            Some(b'*') => {
                retry = Some((p + 1, i));
                p += 1;
            }
            Some(wanted) if *wanted == b'?' || wanted == byte => {
                p += 1;
                i += 1;
            }
            _ => {
                let Some((after_star, from)) = retry else {
                    return false;
                };
                retry = Some((after_star, from + 1));
                p = after_star;
                i = from + 1;
            }
        }
    }
    pattern.iter().skip(p).all(|byte| *byte == b'*')
}

/// Whether some model id, ARN or region could match this pattern.
pub fn is_pattern(pattern: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:/*?".contains(&byte);
    !pattern.is_empty() && pattern.bytes().all(legal)
}

/// Whether this is the text itself: it has neither `*` nor `?`.
pub fn is_exact(pattern: &str) -> bool {
    !pattern.contains(['*', '?'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        for (pattern, id, fits) in [
            ("anthropic.*", "anthropic.claude", true),
            ("anthropic.*", "us.anthropic.claude", false),
            ("*anthropic.*", "us.anthropic.claude", true),
            ("*", "", true),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("abc", "abcd", false),
            (
                "*haiku*v1:0",
                "anthropic.claude-3-haiku-20240307-v1:0",
                true,
            ),
            ("*b*b", "abab", true),
            ("*b*c", "abab", false),
        ] {
            assert_eq!(matches(pattern, id), fits, "{pattern} {id}");
        }
    }

    #[test]
    fn what_no_id_can_match_is_no_pattern() {
        for (pattern, right) in [
            ("eu-*", true),
            ("", false),
            ("a b", false),
            ("a\u{e9}", false),
        ] {
            assert_eq!(is_pattern(pattern), right, "{pattern}");
        }
        assert!(is_exact("amazon.nova-lite-v1:0"));
        assert!(!is_exact("eu-west-?"));
    }
}
