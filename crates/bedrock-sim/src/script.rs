//! What a model id makes the stand-in do.
//!
//! An id that contains `sim.` goes on with a script: `sim.NAME[.OPTION[-VALUE]]…`, up to the end of the id or the next
//! `:` or `/`. Every other id is `sim.text`. See the [crate's documentation](crate) for the list.

use std::time::Duration;

use hyper::StatusCode;

use crate::errors::Refusal;

/// What to answer, and how to send it.
#[derive(Debug, Clone, PartialEq)]
pub struct Script {
    /// What to answer.
    pub outcome: Outcome,
    /// How to send it.
    pub delivery: Delivery,
}

/// What to answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// A model's answer, spoilt or not.
    Answer(Kind, Option<Fault>),
    /// A recorded stream of that name.
    Recorded(String),
    /// An HTTP error, or a strange body.
    Http(Http),
}

/// Which answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    /// A sentence.
    Text,
    /// A sentence with characters of every length.
    Unicode,
    /// A JSON object.
    Json,
    /// One tool call, or its result quoted.
    Tool,
    /// The same with a tool that agents have: a shell.
    Shell,
    /// Text and two parallel tool calls, or the first result quoted.
    Tools,
    /// A loop of that many calls of a tool that the request has, each thought about, then the last result quoted.
    Agent {
        /// How many.
        calls: usize,
        /// Whether the end is a call, too.
        called: bool,
    },
    /// Reasoning with a signature, then text.
    Reasoning,
    /// Cached tokens in the usage.
    Cached,
    /// A sentence that ends for another reason.
    Stop(&'static str),
    /// `metadata` without usage.
    NoUsage,
    /// No `metadata`.
    NoMetadata,
    /// That many deltas.
    Long(u64),
    /// A tool call in that many deltas, and one before and after them.
    LongCall(u64),
    /// One delta of that many KiB.
    Big(usize),
    /// The request's top-level keys.
    Echo,
    /// A search of the web, where the request offers one, and text with its sources.
    Grounded,
    /// Events nobody knows among the others.
    UnknownEvent,
}

/// What goes wrong at one frame of a stream.
#[derive(Debug, Clone, PartialEq)]
pub struct Fault {
    /// The frame, counted from 0.
    pub at: u64,
    /// What happens.
    pub what: FaultKind,
}

/// What goes wrong.
#[derive(Debug, Clone, PartialEq)]
pub enum FaultKind {
    /// An exception frame, of that short name, in the frame's place; the stream ends after it.
    Exception(String),
    /// A frame of message type `error` in the frame's place; the stream ends after it.
    ErrorFrame,
    /// The frame's message checksum is wrong.
    Corrupt,
    /// The frame's prelude checksum is wrong.
    CorruptPrelude,
    /// The stream ends in the middle of the frame, as if that were all.
    Truncated,
    /// The connection ends in the middle of the frame.
    Reset,
    /// Silence instead of the frame.
    Stall,
}

/// An HTTP answer that is no model's.
#[derive(Debug, Clone, PartialEq)]
pub struct Http {
    /// The status.
    pub status: StatusCode,
    /// An error's short name, `html` or `empty`.
    pub name: String,
    /// Seconds for `Retry-After`.
    pub retry_after: Option<u64>,
    /// Whether the error type has the suffix that AWS's own framework gives it.
    pub coral: bool,
}

/// How an answer is sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Delivery {
    /// The wait before the answer.
    pub first: Duration,
    /// The wait between two frames.
    pub pace: Duration,
    /// How the stream is cut into writes.
    pub cut: Cut,
    /// Whether a stream has a Content-Length instead of chunked coding.
    pub length: bool,
}

/// How a stream is cut into writes, each of which is one HTTP chunk.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Cut {
    /// A frame each.
    #[default]
    Frames,
    /// That many bytes each.
    Bytes(usize),
    /// Everything at once (at most about 1 MiB each).
    Glue,
}

impl Script {
    /// Reads the script out of a model id; an unknown script or option is refused, so that a typo in a test shows.
    pub fn of(model_id: &str) -> Result<Self, Refusal> {
        let Some((_, text)) = model_id.split_once("sim.") else {
            return Ok(Self {
                outcome: Outcome::Answer(Kind::Text, None),
                delivery: Delivery::default(),
            });
        };
        let text = text.split([':', '/']).next().unwrap_or_default();
        Self::parse(text).map_err(|fault| {
            Refusal::validation(format!(
                "The provided model identifier is invalid: in sim.{text}, {fault}."
            ))
        })
    }

    fn parse(text: &str) -> Result<Self, String> {
        let mut words = text.split('.');
        let name = words.next().unwrap_or_default();
        let mut options = Options(
            words
                .map(|word| word.split_once('-').unwrap_or((word, "")))
                .collect(),
        );
        let script = Self {
            outcome: Outcome::parse(name, &mut options)?,
            delivery: Delivery::parse(&mut options)?,
        };
        match options.0.first() {
            Some((option, _)) => Err(format!("\"{option}\" is no option of \"{name}\"")),
            None => Ok(script),
        }
    }
}

impl Outcome {
    fn parse(name: &str, options: &mut Options<'_>) -> Result<Self, String> {
        let kind = match name {
            "text" => Kind::Text,
            "unicode" => Kind::Unicode,
            "json" => Kind::Json,
            "tool" => Kind::Tool,
            "shell" => Kind::Shell,
            "tools" => Kind::Tools,
            "agent" => {
                let calls = options.number("calls", 3, 1000)?;
                Kind::Agent {
                    calls: usize::try_from(calls).unwrap_or_default(),
                    called: options.take("called").is_some(),
                }
            }
            "reasoning" => Kind::Reasoning,
            "cached" => Kind::Cached,
            "max-tokens" => Kind::Stop("max_tokens"),
            "stop-sequence" => Kind::Stop("stop_sequence"),
            "guardrail" => Kind::Stop("guardrail_intervened"),
            "filtered" => Kind::Stop("content_filtered"),
            "context-window" => Kind::Stop("model_context_window_exceeded"),
            "new-stop" => Kind::Stop("a_stop_reason_from_the_future"),
            "no-usage" => Kind::NoUsage,
            "no-metadata" => Kind::NoMetadata,
            "long" => Kind::Long(options.number("frames", 1000, 10_000_000)?),
            "long-call" => Kind::LongCall(options.number("frames", 1000, 10_000_000)?),
            "big" => {
                Kind::Big(usize::try_from(options.number("kib", 1024, 16_384)?).unwrap_or_default())
            }
            "echo" => Kind::Echo,
            "grounded" => Kind::Grounded,
            "unknown-event" => Kind::UnknownEvent,
            "recorded" => return Self::recorded(options),
            "throttled" => {
                let (status, retry_after) = (StatusCode::TOO_MANY_REQUESTS, Some(1));
                return Http::new(status, "throttling", retry_after, options).map(Self::Http);
            }
            _ => {
                if let Some(http) = name.strip_prefix("http-") {
                    return Http::parse(http, options).map(Self::Http);
                }
                let Some(fault) = Fault::parse(name, options)? else {
                    return Err(format!("\"{name}\" is no script"));
                };
                return Ok(Self::Answer(Kind::Text, Some(fault)));
            }
        };
        Ok(Self::Answer(kind, None))
    }

    /// `sim.recorded.NAME`: the option's two halves are the name again.
    fn recorded(options: &mut Options<'_>) -> Result<Self, String> {
        if options.0.is_empty() {
            return Err("the recording has no name".to_owned());
        }
        let (first, rest) = options.0.remove(0);
        let name = if rest.is_empty() {
            first.to_owned()
        } else {
            format!("{first}-{rest}")
        };
        Ok(Self::Recorded(name))
    }
}

impl Fault {
    fn parse(name: &str, options: &mut Options<'_>) -> Result<Option<Self>, String> {
        let (what, at) = match name {
            "exception" => {
                let name = options.take("type").unwrap_or("throttling");
                (FaultKind::Exception(name.to_owned()), 0)
            }
            "error-frame" => (FaultKind::ErrorFrame, 0),
            "corrupt" => (FaultKind::Corrupt, 2),
            "corrupt-prelude" => (FaultKind::CorruptPrelude, 2),
            "truncated" => (FaultKind::Truncated, 2),
            "reset" => (FaultKind::Reset, 2),
            "stall" => (FaultKind::Stall, 2),
            _ => return Ok(None),
        };
        Ok(Some(Self {
            at: options.number("at", at, u64::MAX)?,
            what,
        }))
    }
}

impl Http {
    fn parse(text: &str, options: &mut Options<'_>) -> Result<Self, String> {
        let (status, name) = text.split_once('-').unwrap_or((text, ""));
        let known = status
            .parse()
            .ok()
            .and_then(|code: u16| StatusCode::from_u16(code).ok());
        let status = known
            .filter(|code| code.as_u16() >= 200)
            .ok_or_else(|| format!("\"{status}\" is no HTTP status"))?;
        if name.is_empty() {
            return Err("the error has no name".to_owned());
        }
        Self::new(status, name, None, options)
    }

    fn new(
        status: StatusCode,
        name: &str,
        retry_after: Option<u64>,
        options: &mut Options<'_>,
    ) -> Result<Self, String> {
        let asked = options.number("retry", u64::MAX, u64::MAX)?;
        Ok(Self {
            status,
            name: name.to_owned(),
            retry_after: if asked == u64::MAX {
                retry_after
            } else {
                Some(asked)
            },
            coral: options.take("coral").is_some(),
        })
    }
}

impl Delivery {
    fn parse(options: &mut Options<'_>) -> Result<Self, String> {
        let mut milliseconds = |name| {
            options
                .number(name, 0, 3_600_000)
                .map(Duration::from_millis)
        };
        let (first, pace) = (milliseconds("first")?, milliseconds("pace")?);
        let bytes = usize::try_from(options.number("split", 0, 1 << 20)?).unwrap_or_default();
        let glue = options.take("glue").is_some();
        let cut = match (glue, bytes) {
            (true, 0) => Cut::Glue,
            (true, _) => return Err("\"glue\" and \"split\" contradict each other".to_owned()),
            (false, 0) => Cut::Frames,
            (false, bytes) => Cut::Bytes(bytes),
        };
        Ok(Self {
            first,
            pace,
            cut,
            length: options.take("length").is_some(),
        })
    }
}

/// The options of a script that nobody has asked for yet.
struct Options<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Options<'a> {
    fn take(&mut self, name: &str) -> Option<&'a str> {
        let at = self.0.iter().position(|(option, _)| *option == name)?;
        Some(self.0.remove(at).1)
    }

    fn number(&mut self, name: &str, default: u64, most: u64) -> Result<u64, String> {
        match self.take(name) {
            None => Ok(default),
            Some(value) => (value.parse().ok())
                .filter(|number| *number <= most)
                .ok_or_else(|| format!("\"{value}\" is no number for \"{name}\"")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(id: &str) -> Outcome {
        Script::of(id).unwrap().outcome
    }

    fn fault(at: u64, what: FaultKind) -> Outcome {
        Outcome::Answer(Kind::Text, Some(Fault { at, what }))
    }

    #[test]
    fn the_script_is_found_anywhere_in_the_id() {
        for id in [
            "sim.tool",
            "us.sim.tool",
            "anthropic.sim.tool",
            "us.anthropic.claude-sim.tool",
            "sim.tool:0",
            "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.sim.tool",
            "arn:aws:bedrock:us-east-1:123456789012:prompt/sim.tool:3",
        ] {
            assert_eq!(outcome(id), Outcome::Answer(Kind::Tool, None), "{id}");
        }
        assert_eq!(
            outcome("amazon.nova-lite-v1:0"),
            Outcome::Answer(Kind::Text, None)
        );
    }

    #[test]
    fn options_are_read() {
        let script = Script::of("sim.long.frames-7.split-1.pace-20.first-300").unwrap();
        let (first, pace) = (Duration::from_millis(300), Duration::from_millis(20));
        assert_eq!(script.outcome, Outcome::Answer(Kind::Long(7), None));
        assert_eq!(
            script.delivery,
            Delivery {
                first,
                pace,
                cut: Cut::Bytes(1),
                length: false
            }
        );
        assert_eq!(Script::of("sim.text.glue").unwrap().delivery.cut, Cut::Glue);
        assert_eq!(
            outcome("sim.exception"),
            fault(0, FaultKind::Exception("throttling".to_owned()))
        );
        assert_eq!(
            outcome("sim.exception.type-validation.at-3"),
            fault(3, FaultKind::Exception("validation".to_owned()))
        );
        assert_eq!(
            outcome("sim.corrupt-prelude.at-0"),
            fault(0, FaultKind::CorruptPrelude)
        );
        assert_eq!(
            outcome("sim.recorded.s01-converse-text"),
            Outcome::Recorded("s01-converse-text".to_owned())
        );
    }

    #[test]
    fn http_errors_are_read() {
        let http = |status, name: &str, retry_after| {
            Outcome::Http(Http {
                status,
                name: name.to_owned(),
                retry_after,
                coral: false,
            })
        };
        assert_eq!(
            outcome("sim.throttled"),
            http(StatusCode::TOO_MANY_REQUESTS, "throttling", Some(1))
        );
        assert_eq!(
            outcome("sim.http-502-html"),
            http(StatusCode::BAD_GATEWAY, "html", None)
        );
        assert_eq!(
            outcome("sim.http-503-serviceunavailable.retry-30"),
            http(
                StatusCode::SERVICE_UNAVAILABLE,
                "serviceunavailable",
                Some(30)
            )
        );
    }

    #[test]
    fn what_is_not_known_is_refused() {
        for (id, text) in [
            ("sim.tols", "\"tols\" is no script"),
            ("sim.text.frames-3", "\"frames\" is no option of \"text\""),
            ("sim.text.pace-x", "\"x\" is no number for \"pace\""),
            ("sim.http-abc-x", "\"abc\" is no HTTP status"),
            ("sim.http-400", "the error has no name"),
            ("sim.recorded", "the recording has no name"),
            ("sim.text.glue.split-3", "contradict"),
        ] {
            let refusal = Script::of(id).unwrap_err();
            assert!(refusal.message.contains(text), "{}", refusal.message);
        }
    }
}
