//! What the stand-in's model says, before any API puts it in its own shape.

use serde_json::{Value, json};

use crate::{loops, script::Kind};

/// An answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// How many messages there are before it: agents tell messages by ids that this makes.
    pub turn: usize,
    /// The content, block by block.
    pub blocks: Vec<Block>,
    /// Why it ends, in Converse's words.
    pub stop_reason: &'static str,
    /// The stop sequence, when that is why.
    pub stop_sequence: Option<&'static str>,
    /// The token counts, when they are told.
    pub usage: Option<Usage>,
    /// Whether the answer has metrics (and a stream the event that holds them).
    pub metadata: bool,
    /// Whether a stream has events nobody knows.
    pub unknown_event: bool,
}

/// A content block.
#[derive(Debug, Clone, PartialEq)]
pub enum Block {
    /// Text.
    Text(Text),
    /// Reasoning, and the signature that proves it where the model gives one.
    Reasoning(Text, Option<&'static str>),
    /// Reasoning that nobody can read.
    Redacted(&'static str),
    /// A tool call.
    Tool {
        /// The call's id.
        id: String,
        /// The tool.
        name: String,
        /// The input's JSON.
        input: Text,
    },
    /// What Bedrock's own search of the web leaves in an answer of Converse's.
    Search(Search),
}

/// What Bedrock's own search of the web leaves in an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Search {
    /// Its call: what was looked for.
    Call(&'static str),
    /// What it found, which is hidden.
    Result,
    /// The pages that the text before them is from: address and site.
    Sources(&'static [(&'static str, &'static str)]),
}

/// Text in the pieces it is streamed in.
#[derive(Debug, Clone, PartialEq)]
pub enum Text {
    /// These.
    Pieces(Vec<String>),
    /// One so many times.
    Repeated(&'static str, u64),
    /// The same as a string in an object.
    InObject(&'static str, u64),
}

impl Text {
    /// Text in these pieces.
    pub fn new(pieces: &[&str]) -> Self {
        Self::Pieces(pieces.iter().map(|piece| (*piece).to_owned()).collect())
    }

    /// Text in pieces of a few characters.
    pub fn cut(text: &str) -> Self {
        let characters: Vec<char> = text.chars().collect();
        Self::Pieces(characters.chunks(12).map(String::from_iter).collect())
    }

    /// The pieces, made as they are asked for.
    pub fn pieces(self) -> Box<dyn Iterator<Item = String> + Send> {
        match self {
            Self::Pieces(pieces) => Box::new(pieces.into_iter()),
            Self::Repeated(piece, count) => Box::new((0..count).map(move |_| piece.to_owned())),
            Self::InObject(piece, count) => {
                let around = |text: &str| std::iter::once(text.to_owned());
                let pieces = Self::Repeated(piece, count).pieces();
                Box::new(around("{\"text\": \"").chain(pieces).chain(around("\"}")))
            }
        }
    }

    /// All of it.
    pub fn whole(&self) -> String {
        self.clone().pieces().collect()
    }
}

/// Token counts; `input` holds no cached ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// Input tokens that were not cached.
    pub input: u64,
    /// Output tokens.
    pub output: u64,
    /// What was read from and written to the cache.
    pub cache: Option<Cache>,
}

/// Cached tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cache {
    /// Read from the cache.
    pub read: u64,
    /// Written for five minutes.
    pub write_5m: u64,
    /// Written for an hour.
    pub write_1h: u64,
}

impl Answer {
    /// The answer of a script to a request.
    pub fn new(kind: &Kind, request: &Request<'_>) -> Self {
        let messages = request.body.get("messages").and_then(Value::as_array);
        let plain = Self {
            turn: messages.map_or(0, Vec::len),
            blocks: vec![Block::Text(Text::new(&SENTENCE))],
            stop_reason: "end_turn",
            stop_sequence: None,
            usage: Some(Usage {
                input: 25,
                output: 12,
                cache: None,
            }),
            metadata: true,
            unknown_event: false,
        };
        match kind {
            Kind::Text => plain,
            Kind::Unicode => Self {
                blocks: vec![Block::Text(Text::new(&UNICODE))],
                ..plain
            },
            Kind::Json => Self {
                blocks: vec![Block::Text(Text::new(&JSON))],
                ..plain
            },
            Kind::Tool | Kind::Shell | Kind::Tools => match (tool_result(request.body), kind) {
                (Some(result), _) => {
                    let text = Text::new(&[loops::SAID, &result]);
                    Self {
                        blocks: vec![Block::Text(text)],
                        ..plain
                    }
                }
                (None, Kind::Tool) => Self {
                    blocks: vec![weather()],
                    stop_reason: "tool_use",
                    ..plain
                },
                (None, Kind::Shell) => Self {
                    blocks: vec![shell()],
                    stop_reason: "tool_use",
                    ..plain
                },
                (None, _) => {
                    let text = Block::Text(Text::new(&["I will ", "look."]));
                    Self {
                        blocks: vec![text, weather(), time()],
                        stop_reason: "tool_use",
                        ..plain
                    }
                }
            },
            Kind::Agent { calls, called } => {
                let blocks = step(request.body, *calls, *called);
                let calls = matches!(blocks.last(), Some(Block::Tool { .. }));
                Self {
                    stop_reason: if calls { "tool_use" } else { "end_turn" },
                    blocks,
                    ..plain
                }
            }
            Kind::Reasoning => {
                let thought = Text::new(&["The user ", "greets me; ", "so do I."]);
                let reasoning = Block::Reasoning(thought, Some(SIGNATURE));
                Self {
                    blocks: std::iter::once(reasoning).chain(plain.blocks).collect(),
                    ..plain
                }
            }
            Kind::Cached => {
                let cache = Cache {
                    read: 1000,
                    write_5m: 50,
                    write_1h: 150,
                };
                Self {
                    usage: Some(Usage {
                        input: 10,
                        output: 20,
                        cache: Some(cache),
                    }),
                    ..plain
                }
            }
            Kind::Stop(stop_reason) => Self {
                stop_reason,
                stop_sequence: (*stop_reason == "stop_sequence").then_some("END"),
                ..plain
            },
            Kind::NoUsage => Self {
                usage: None,
                ..plain
            },
            Kind::NoMetadata => Self {
                usage: None,
                metadata: false,
                ..plain
            },
            Kind::Long(deltas) => Self {
                blocks: vec![Block::Text(Text::Repeated("word ", *deltas))],
                usage: Some(Usage {
                    input: 25,
                    output: *deltas,
                    cache: None,
                }),
                ..plain
            },
            Kind::LongCall(deltas) => Self {
                blocks: vec![Block::Tool {
                    id: "tooluse_Sim0004".to_owned(),
                    name: "write".to_owned(),
                    input: Text::InObject("word ", *deltas),
                }],
                stop_reason: "tool_use",
                ..plain
            },
            Kind::Big(kib) => {
                let text = SIXTEEN_BYTES.repeat(kib * 64);
                Self {
                    blocks: vec![Block::Text(Text::Pieces(vec![text]))],
                    ..plain
                }
            }
            Kind::Echo => {
                let keys = json!(request.keys).to_string();
                Self {
                    blocks: vec![Block::Text(Text::Pieces(vec![keys]))],
                    ..plain
                }
            }
            Kind::Grounded if searches(request.body) => Self {
                blocks: grounded(),
                ..plain
            },
            Kind::Grounded => plain,
            Kind::UnknownEvent => Self {
                unknown_event: true,
                ..plain
            },
        }
    }

    /// The text blocks' text in its pieces.
    pub fn text_pieces(self) -> impl Iterator<Item = String> + Send {
        self.blocks.into_iter().flat_map(|block| match block {
            Block::Text(text) => text.pieces(),
            Block::Reasoning(..) | Block::Redacted(_) | Block::Tool { .. } | Block::Search(_) => {
                Text::Pieces(Vec::new()).pieces()
            }
        })
    }
}

/// What an answer may depend on.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The JSON body.
    pub body: &'a Value,
    /// Its top-level keys in the order of the wire.
    pub keys: &'a [String],
}

/// What the first tool result of the last message says.
fn tool_result(body: &Value) -> Option<String> {
    let last = body.get("messages")?.as_array()?.last()?;
    loops::results(last).next()
}

/// A step of a loop of tools: thought, said, called; or its end.
fn step(body: &Value, calls: usize, called: bool) -> Vec<Block> {
    let thought = Text::new(&["I have ", "tools ", "to look."]);
    let mut blocks = vec![Block::Reasoning(thought, Some(SIGNATURE))];
    match (
        loops::next_call(body, calls, called),
        loops::open_results(body).last(),
    ) {
        (Some(call), _) => {
            blocks.push(Block::Text(Text::new(&["I will ", "look."])));
            blocks.push(Block::Tool {
                id: call.id,
                name: call.name,
                input: Text::cut(&call.input.to_string()),
            });
        }
        (None, Some(result)) => blocks.push(Block::Text(Text::new(&[loops::SAID, result]))),
        (None, None) => blocks.push(Block::Text(Text::new(&SENTENCE))),
    }
    blocks
}

fn weather() -> Block {
    let input = Text::new(&["", "{\"ci", "ty\": \"Pa", "ris\"}"]);
    Block::Tool {
        id: "tooluse_Sim0001".to_owned(),
        name: "get_weather".to_owned(),
        input,
    }
}

/// A call as Claude Code understands it.
fn shell() -> Block {
    let input = Text::new(&["", "{\"command\": \"ec", "ho shell-$((6*7))\"", "}"]);
    Block::Tool {
        id: "toolu_Sim0003".to_owned(),
        name: "Bash".to_owned(),
        input,
    }
}

fn time() -> Block {
    let input = Text::new(&["", "{\"zone\": ", "\"Europe/Paris\"}"]);
    Block::Tool {
        id: "tooluse_Sim0002".to_owned(),
        name: "get_time".to_owned(),
        input,
    }
}

/// Whether the model is offered a search of the web.
fn searches(body: &Value) -> bool {
    let tools = body.pointer("/toolConfig/tools").and_then(Value::as_array);
    let is_search = |tool: &Value| {
        tool.pointer("/systemTool/name")
            .is_some_and(|name| name == "nova_grounding")
    };
    tools.is_some_and(|tools| tools.iter().any(is_search))
}

/// An answer of Nova 2's after a search, as Bedrock has given them: sources stand in blocks of their own, behind the text.
fn grounded() -> Vec<Block> {
    let text = |pieces: &[&str]| Block::Text(Text::new(pieces));
    vec![
        Block::Search(Search::Call("height of the Eiffel Tower")),
        Block::Search(Search::Result),
        text(&["It is ", "330\u{a0}m", " high"]),
        Block::Search(Search::Sources(&[
            ("https://www.toureiffel.paris/en", "toureiffel.paris"),
            ("https://example.org/tower?a=1&b=2", "example.org"),
        ])),
        text(&[". It opened", " in 1889"]),
        Block::Search(Search::Sources(&[(
            "https://www.toureiffel.paris/en",
            "toureiffel.paris",
        )])),
        text(&["."]),
    ]
}

/// What proves reasoning, and what hides it.
pub const SIGNATURE: &str = "c2lnbmF0dXJlIG9mIHRoZSBzdGFuZC1pbg==";
const SENTENCE: [&str; 6] = ["Hello", " from", " the", " Bedrock", " stand", "-in."];
const UNICODE: [&str; 6] = [
    "Grüße",
    " aus",
    " 東京,",
    " 😀🎉",
    " e\u{301}",
    " \"quoted\"\n\\ and a tab\t.",
];
const JSON: [&str; 3] = ["{\"city\": \"Pa", "ris\", \"deg", "rees\": 18}"];
const SIXTEEN_BYTES: &str = "fifteen letters ";

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(kind: &Kind, body: &Value) -> Answer {
        Answer::new(
            kind,
            &Request {
                body,
                keys: &["b".to_owned(), "a".to_owned()],
            },
        )
    }

    #[test]
    fn tool_results_are_quoted() {
        let result =
            json!({"toolUseId": "x", "content": [{"text": "18"}, {"json": {"unit": "C"}}]});
        let converse = json!({"messages": [{"role": "user", "content": [{"toolResult": result}]}]});
        let anthropic = json!({"messages": [{"role": "user", "content": [{"type": "tool_result", "content": "18"}]}]});
        let said = |body| answer(&Kind::Tool, body).text_pieces().collect::<String>();
        assert_eq!(said(&converse), "The tool said: 18 {\"unit\":\"C\"}");
        assert_eq!(said(&anthropic), "The tool said: 18");
        assert_eq!(answer(&Kind::Tool, &json!({})).stop_reason, "tool_use");
    }

    #[test]
    fn sizes_are_what_was_asked() {
        assert_eq!(
            answer(&Kind::Big(3), &json!({}))
                .text_pieces()
                .collect::<String>()
                .len(),
            3 * 1024
        );
        let Some(Block::Tool { input, .. }) = answer(&Kind::LongCall(3), &json!({}))
            .blocks
            .into_iter()
            .next()
        else {
            panic!("no call");
        };
        assert_eq!(input.whole(), r#"{"text": "word word word "}"#);
        let long = answer(&Kind::Long(5), &json!({}));
        assert_eq!(long.usage.unwrap().output, 5);
        assert_eq!(long.text_pieces().count(), 5);
    }

    #[test]
    fn an_echo_has_the_keys_in_order() {
        assert_eq!(
            answer(&Kind::Echo, &json!({}))
                .text_pieces()
                .collect::<String>(),
            r#"["b","a"]"#
        );
    }
}
