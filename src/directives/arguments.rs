//! What the arguments of directives mean, and what a wrong one is told.

use std::sync::Arc;
use std::time::Duration;

use bedrock_credentials::Given;
use gateway::bedrock::{endpoint, model_id};
use gateway::settings::{ResponsesVia, Via};
use gateway::{Api, Guardrail};

use super::DEFAULT;
use super::location::{Auth, Betas, ClientAbort};
use crate::nginx::conf::Conf;
use crate::nginx::value::Value;

pub fn flag(cf: &Conf) -> Result<bool, String> {
    match cf.argument(1) {
        "on" => Ok(true),
        "off" => Ok(false),
        other => Err(format!(
            "has value \"{other}\": it must be \"on\" or \"off\""
        )),
    }
}

pub fn api(cf: &Conf) -> Result<Option<Api>, String> {
    match cf.argument(1) {
        "auto" => Ok(None),
        "converse" => Ok(Some(Api::Converse)),
        "openai" => Ok(Some(Api::OpenAi)),
        "responses" => Ok(Some(Api::Responses)),
        "anthropic" => Ok(Some(Api::Anthropic)),
        "cohere" => Ok(Some(Api::Cohere)),
        "native" => Ok(Some(Api::Native)),
        "aws" => Ok(Some(Api::Aws)),
        other => Err(format!(
            "has value \"{other}\": it must be \"auto\", \"converse\", \"openai\", \"responses\", \"anthropic\", \"cohere\", \"native\" or \"aws\""
        )),
    }
}

/// A value that `check` accepts if it has no variables: `what` it must be.
fn checked<E>(cf: &Conf, check: fn(&str) -> Result<(), E>, what: &str) -> Result<Value, String> {
    let value = Value::parse(cf, 1)?;
    match &value {
        Value::Text(text) if check(text).is_err() => {
            Err(format!("has value \"{text}\": it must be {what}"))
        }
        _ => Ok(value),
    }
}

pub fn region(cf: &Conf) -> Result<Value, String> {
    checked(
        cf,
        endpoint::check_region,
        "a region name such as us-east-1",
    )
}

pub fn endpoint_value(cf: &Conf) -> Result<Value, String> {
    let value = Value::parse(cf, 1)?;
    if let Value::Text(text) = &value {
        endpoint::check_host(text).map_err(|what| format!("has a wrong value: {what}"))?;
    }
    Ok(value)
}

pub fn service(cf: &Conf) -> Result<Value, String> {
    checked(
        cf,
        endpoint::check_service,
        "a service name such as bedrock",
    )
}

pub fn model(cf: &Conf) -> Result<Value, String> {
    checked(cf, model_id::check, "a model id or ARN")
}

pub fn anthropic_via(cf: &Conf) -> Result<Via, String> {
    match cf.argument(1) {
        "auto" => Ok(Via::Auto),
        "invoke" => Ok(Via::Invoke),
        "converse" => Ok(Via::Converse),
        other => Err(format!(
            "has value \"{other}\": it must be \"auto\", \"invoke\" or \"converse\""
        )),
    }
}

pub fn responses_via(cf: &Conf) -> Result<ResponsesVia, String> {
    match cf.argument(1) {
        "auto" => Ok(ResponsesVia::Auto),
        "converse" => Ok(ResponsesVia::Converse),
        "native" => Ok(ResponsesVia::Native),
        other => Err(format!(
            "has value \"{other}\": it must be \"auto\", \"converse\" or \"native\""
        )),
    }
}

pub fn anthropic_beta(cf: &Conf) -> Result<Betas, String> {
    let words: Vec<String> = (1..cf.arguments())
        .map(|index| cf.argument(index).to_owned())
        .collect();
    match words.as_slice() {
        [word] if word == "auto" => return Ok(Betas::Auto),
        [word] if word == "pass" => return Ok(Betas::Pass),
        [word] if word == "drop" => return Ok(Betas::Only(Arc::default())),
        _ => {}
    }
    let alone = ["auto", "pass", "drop"];
    let is_flag = |word: &&String| model_id::is_pattern(word) && !alone.contains(&word.as_str());
    match words.iter().find(|word| !is_flag(word)) {
        Some(other) => Err(format!(
            "has value \"{other}\": it must be \"auto\", \"pass\", \"drop\" or flags such as context-1m-2025-08-07, \
             in which * and ? stand for any characters and for one"
        )),
        None => Ok(Betas::Only(Arc::new(words))),
    }
}

/// A size in nginx's notation, in bytes.
pub fn size(cf: &Conf) -> Result<usize, String> {
    let text = cf.argument(1);
    size_of(text)
        .ok_or_else(|| format!("has value \"{text}\": it must be a size such as 512, 64k or 24m"))
}

pub fn size_of(text: &str) -> Option<usize> {
    let (digits, unit) = match text.as_bytes().last() {
        Some(b'k' | b'K') => (text.get(..text.len() - 1), 1 << 10),
        Some(b'm' | b'M') => (text.get(..text.len() - 1), 1 << 20),
        _ => (Some(text), 1),
    };
    digits
        .filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))
        .and_then(|digits| digits.parse::<usize>().ok()?.checked_mul(unit))
}

/// How many bytes of large bodies one worker works on at the same time.
pub fn large_bodies(cf: &Conf) -> Result<usize, String> {
    match size(cf)? {
        0 => Err("has value \"0\": bodies would wait for ever".to_owned()),
        size => Ok(size),
    }
}

/// A time in nginx's notation.
pub fn time(cf: &Conf) -> Result<Duration, String> {
    let text = cf.argument(1);
    time_of(text)
        .ok_or_else(|| format!("has value \"{text}\": it must be a time such as 500ms, 5s or 1m"))
}

pub fn time_of(text: &str) -> Option<Duration> {
    let unit = text.trim_start_matches(|digit: char| digit.is_ascii_digit());
    let milliseconds = match unit {
        "ms" => 1,
        "" | "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => 0,
    };
    text.strip_suffix(unit)
        .and_then(|digits| digits.parse::<u32>().ok())
        .filter(|_| milliseconds > 0)
        .map(|number| Duration::from_millis(u64::from(number) * milliseconds))
}

pub fn ping(cf: &Conf) -> Result<Option<Duration>, String> {
    match cf.argument(1) {
        "off" => Ok(None),
        _ => match time(cf) {
            Ok(interval) if !interval.is_zero() => Ok(Some(interval)),
            _ => Err(format!(
                "has value \"{}\": it must be a time such as 15s, or \"off\"",
                cf.argument(1)
            )),
        },
    }
}

pub fn frame_size(cf: &Conf) -> Result<usize, String> {
    match size(cf)? {
        1024.. => size(cf),
        _ => Err("has too small a value: events need at least 1k".to_owned()),
    }
}

pub fn guardrail(cf: &Conf) -> Result<Arc<Guardrail>, String> {
    let trace = match (cf.arguments() > 3).then(|| cf.argument(3)) {
        None => None,
        Some("trace=enabled") => Some("enabled".to_owned()),
        Some("trace=enabled_full") => Some("enabled_full".to_owned()),
        Some(other) => {
            return Err(format!(
                "has parameter \"{other}\": it must be \"trace=enabled\" or \"trace=enabled_full\""
            ));
        }
    };
    // Both become parts of headers and of JSON.
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:/".contains(&byte);
    let (id, version) = (cf.argument(1), cf.argument(2));
    if id.is_empty() || !id.bytes().all(legal) {
        return Err(format!(
            "has id \"{id}\": it must be a guardrail's id or ARN"
        ));
    }
    let numbered = !version.is_empty() && version.bytes().all(|byte| byte.is_ascii_digit());
    if version != "DRAFT" && !numbered {
        return Err(format!(
            "has version \"{version}\": it must be a number or DRAFT"
        ));
    }
    Ok(Arc::new(Guardrail {
        id: cf.argument(1).to_owned(),
        version: cf.argument(2).to_owned(),
        trace,
    }))
}

pub fn auth(cf: &Conf) -> Result<Auth, String> {
    match (cf.argument(1), cf.arguments()) {
        ("bearer", 3) if cf.argument(2).contains('$') => {
            Ok(Auth::BearerValue(Value::parse(cf, 2)?))
        }
        ("bearer", 3) => {
            let key = Given::read(&cf.full_value(cf.argument(2)))
                .map_err(|what| format!("failed: {what}"))?;
            let main = crate::main_conf_of(cf).ok_or("is out of place")?;
            Ok(Auth::Bearer(main.sources.add_key(cf.place(), key)))
        }
        ("bearer", _) => {
            Err("needs the key: \"bedrock_auth bearer KEY\" or \"bearer file:PATH\"".to_owned())
        }
        ("off", 2) => Ok(Auth::Off),
        (DEFAULT, 2) => Ok(Auth::Default),
        (_, 2) => Ok(match Value::parse(cf, 1)? {
            Value::Text(name) => Auth::Block(name),
            value @ Value::Template(_) => Auth::BlockValue(value),
        }),
        (other, _) => Err(format!(
            "has an extra parameter after \"{other}\": only \"bearer\" takes one"
        )),
    }
}

pub fn client_abort(cf: &Conf) -> Result<ClientAbort, String> {
    match cf.argument(1) {
        "close" => Ok(ClientAbort::Close),
        "drain" => Ok(ClientAbort::Drain),
        other => Err(format!(
            "has value \"{other}\": it must be \"close\" or \"drain\""
        )),
    }
}
