//! JSON in a text that a model was asked to write nothing else into.

/// The JSON of such a text: within a fence, or between the first brace and the last one; the text itself if it has neither.
pub fn json_of(text: &str) -> &str {
    let text = text.trim();
    if is_json(text) {
        return text;
    }
    if let Some((_, rest)) = text.split_once("```")
        // The line of the fence may name the language.
        && let Some((language, inside)) = rest.split_once('\n')
        && !language.contains(['{', '['])
    {
        return inside
            .rsplit_once("```")
            .map_or(inside, |(inside, _)| inside)
            .trim();
    }
    let span = text.find('{').zip(text.rfind('}'));
    span.and_then(|(start, end)| text.get(start..=end))
        .unwrap_or(text)
}

/// Whether a text begins as JSON that stands alone.
pub fn is_json(text: &str) -> bool {
    text.starts_with(['{', '['])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_taken_out() {
        for (text, json) in [
            (r#"{"a":"```"}"#, r#"{"a":"```"}"#),
            ("```json\n{\"a\":1}\n```", "{\"a\":1}"),
            (
                "Here it is:\n\n```\n{\"a\":1}\n```\nAnything else?",
                "{\"a\":1}",
            ),
            ("```json\n{\"a\":", "{\"a\":"),
            ("It is {\"a\":1}.", "{\"a\":1}"),
            ("```{\"a\":1}```", "{\"a\":1}"),
            (" I cannot. ", "I cannot."),
            ("", ""),
        ] {
            assert_eq!(json_of(text), json, "{text}");
        }
    }
}
