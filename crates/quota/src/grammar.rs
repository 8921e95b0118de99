//! nginx's own grammar of configuration files, for files that nginx does not read itself: words that end in `;`, blocks in `{ }`,
//! comments from `#`, quotes. <https://nginx.org/en/docs/beginners_guide.html#conf_structure>

/// What ends the words of a directive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// `;`
    Semicolon,
    /// `{`
    Open,
    /// `}`, before which there are no words.
    Close,
}

/// What is wrong, and in which line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// Counted from 1.
    pub line: usize,
    /// A sentence.
    pub text: String,
}

/// Gives the directives of a text to `each`, in their order: the line on which it ends, its words, what ends it.
///
/// # Errors
/// The text is not in this grammar; or what `each` says.
pub fn directives(
    text: &str,
    mut each: impl FnMut(usize, &[&str], End) -> Result<(), String>,
) -> Result<(), Wrong> {
    let mut line = 1;
    let mut words: Vec<String> = Vec::new();
    let mut rest = text.chars().peekable();
    while let Some(first) = rest.next() {
        let wrong = |text: &str, line| Wrong {
            line,
            text: text.to_owned(),
        };
        match first {
            '\n' => line += 1,
            blank if blank.is_ascii_whitespace() => {}
            '#' => while rest.next_if(|c| *c != '\n').is_some() {},
            ';' | '{' | '}' => {
                let end = match first {
                    ';' => End::Semicolon,
                    '{' => End::Open,
                    _ => End::Close,
                };
                if words.is_empty() != (end == End::Close) {
                    return Err(wrong(&format!("unexpected \"{first}\""), line));
                }
                let given: Vec<&str> = words.iter().map(String::as_str).collect();
                each(line, &given, end).map_err(|text| Wrong { line, text })?;
                words.clear();
            }
            quote @ ('"' | '\'') => {
                let begun = line;
                let mut word = String::new();
                loop {
                    match rest.next() {
                        None => {
                            return Err(wrong("unexpected end of file: a quote is open", begun));
                        }
                        Some(c) if c == quote => break,
                        Some('\\') => word.extend(escaped(rest.next())),
                        Some(c) => {
                            line += usize::from(c == '\n');
                            word.push(c);
                        }
                    }
                }
                if rest.peek().is_some_and(|next| !ends_word(*next)) {
                    return Err(wrong("unexpected character after a quote", line));
                }
                words.push(word);
            }
            first => {
                let mut word = String::new();
                let mut next = Some(first);
                while let Some(c) = next {
                    match c {
                        '\\' => word.extend(escaped(rest.next())),
                        c => word.push(c),
                    }
                    next = rest.next_if(|next| !ends_word(*next));
                }
                words.push(word);
            }
        }
    }
    match words.is_empty() {
        true => Ok(()),
        false => Err(Wrong {
            line,
            text: "unexpected end of file, expecting \";\"".to_owned(),
        }),
    }
}

fn ends_word(c: char) -> bool {
    c.is_ascii_whitespace() || matches!(c, ';' | '{')
}

/// A character behind a backslash, as nginx reads it: before others than these the backslash stays.
fn escaped(c: Option<char>) -> impl Iterator<Item = char> {
    let (backslash, c) = match c {
        Some('t') => (None, Some('\t')),
        Some('r') => (None, Some('\r')),
        Some('n') => (None, Some('\n')),
        Some(c @ ('"' | '\'' | '\\')) => (None, Some(c)),
        other => (Some('\\'), other),
    };
    backslash.into_iter().chain(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<(usize, Vec<String>, End)>, Wrong> {
        let mut found = Vec::new();
        directives(text, |line, words, end| {
            found.push((
                line,
                words.iter().map(|word| (*word).to_owned()).collect(),
                end,
            ));
            Ok(())
        })?;
        Ok(found)
    }

    #[test]
    fn words_blocks_comments_and_quotes() {
        let text = "# a comment; {\na b;c  \"d e;\"\n'f\\'\\n\\x' {\n}\ng#h \\\\i{j k;} # end";
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        assert_eq!(
            read(text).unwrap(),
            vec![
                (2, words(&["a", "b"]), End::Semicolon),
                (3, words(&["c", "d e;", "f'\n\\x"]), End::Open),
                (4, words(&[]), End::Close),
                (5, words(&["g#h", "\\i"]), End::Open),
                (5, words(&["j", "k"]), End::Semicolon),
                (5, words(&[]), End::Close),
            ]
        );
        assert_eq!(read(" \n# nothing"), Ok(vec![]));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        for (text, line, said) in [
            ("a\nb", 2, "expecting \";\""),
            ("a;\n;", 2, "unexpected \";\""),
            ("\n{", 2, "unexpected \"{\""),
            ("a }", 1, "unexpected \"}\""),
            ("a\n\"b\nc", 2, "a quote is open"),
            ("\"a\"b;", 1, "after a quote"),
        ] {
            let wrong = read(text).unwrap_err();
            assert!(
                wrong.line == line && wrong.text.contains(said),
                "{text:?}: {wrong:?}"
            );
        }
        let wrong = directives("a;\n\nb;", |_, words, _| match words {
            ["b"] => Err("no b".to_owned()),
            _ => Ok(()),
        });
        assert_eq!(
            wrong,
            Err(Wrong {
                line: 3,
                text: "no b".to_owned()
            })
        );
    }
}
