//! Rules that hold for every request of a location and may differ from request to request: which models may be called, and how
//! many tokens may be generated.

use std::sync::Arc;

use gateway::Refusal;
use gateway::bedrock::model_id;

use crate::nginx::conf::Conf;
use crate::nginx::request::Request;
use crate::nginx::value::Value;

/// `bedrock_allow_models`
#[derive(Clone)]
pub enum AllowModels {
    /// Patterns, as they stand there.
    Patterns(Arc<Vec<String>>),
    /// Patterns with blanks between them, that variables give.
    Value(Value),
}

impl AllowModels {
    /// Reads the directive's parameters.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn read(cf: &Conf) -> Result<Self, String> {
        if cf.arguments() == 2
            && let value @ Value::Template(_) = Value::parse(cf, 1)?
        {
            return Ok(Self::Value(value));
        }
        let words: Vec<String> = (1..cf.arguments())
            .map(|index| cf.argument(index).to_owned())
            .collect();
        if let Some(word) = words.iter().find(|word| word.contains('$')) {
            return Err(format!(
                "has value \"{word}\" beside others: a list with variables is one parameter, as in \"us.amazon.* $more\""
            ));
        }
        checked(words)
            .map(|patterns| Self::Patterns(Arc::new(patterns)))
            .map_err(|word| {
                format!(
                    "has value \"{word}\": it must be a model id or ARN, in which * and ? stand for any characters and for one"
                )
            })
    }

    /// The patterns for this request, one at least.
    ///
    /// # Errors
    /// 403: variables give none, or one that fits no model.
    pub fn patterns(&self, request: Request) -> Result<Arc<Vec<String>>, Refusal> {
        let value = match self {
            Self::Patterns(patterns) => return Ok(patterns.clone()),
            Self::Value(value) => value.evaluate(request),
        };
        let patterns = value.ok_or_else(String::new).and_then(|text| {
            let words = text.split_ascii_whitespace().map(str::to_owned).collect();
            checked(words)
        });
        patterns.map(Arc::new).map_err(|word| Refusal {
            log: Some(format!(
                "bedrock_allow_models has value \"{}\" for this request: it must be model ids or ARNs with blanks between them, \
                 \"*\" for all",
                word.escape_debug()
            )),
            ..Refusal::denied("This gateway does not know which models it may call for this request.")
        })
    }
}

/// The words, if there are any and each is a pattern; else the first that is none.
fn checked(words: Vec<String>) -> Result<Vec<String>, String> {
    let wrong = words.iter().find(|word| !model_id::is_pattern(word));
    match wrong {
        Some(word) => Err(word.clone()),
        None if words.is_empty() => Err(String::new()),
        None => Ok(words),
    }
}

/// `bedrock_max_output_tokens`
#[derive(Clone)]
pub enum MaxOutputTokens {
    /// As it stands there; `None` is `off`.
    Limit(Option<u64>),
    /// What variables give.
    Value(Value),
}

impl MaxOutputTokens {
    /// Reads the directive's parameter.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(cf: &Conf) -> Result<Self, String> {
        match Value::parse(cf, 1)? {
            Value::Text(text) => limit(&text).map(Self::Limit).ok_or_else(|| {
                format!("has value \"{text}\": it must be a whole number from 1, or \"off\"")
            }),
            value @ Value::Template(_) => Ok(Self::Value(value)),
        }
    }

    /// The limit for this request; `None` if there is to be none.
    ///
    /// # Errors
    /// 403: variables give neither a number nor `off`.
    pub fn limit(&self, request: Request) -> Result<Option<u64>, Refusal> {
        let value = match self {
            Self::Limit(limit) => return Ok(*limit),
            Self::Value(value) => value.evaluate(request).unwrap_or_default(),
        };
        limit(&value).ok_or_else(|| Refusal {
            log: Some(format!(
                "bedrock_max_output_tokens has value \"{}\" for this request: it must be a whole number from 1, or \"off\"",
                value.escape_debug()
            )),
            ..Refusal::denied(
                "This gateway limits output tokens, and does not know the limit for this request.",
            )
        })
    }
}

/// A limit, or `off`.
fn limit(text: &str) -> Option<Option<u64>> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    match text {
        "off" => Some(None),
        _ if digits => text.parse().ok().filter(|limit| *limit > 0).map(Some),
        _ => None,
    }
}
