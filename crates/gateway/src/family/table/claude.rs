//! Claude, by the version in its id: a new one falls into its place by itself, or into `claude-later`.

use super::rows::*;
use crate::family::facts::Level::{Out, Quiet, Tokens};
use crate::family::facts::*;

const LEGACY: Family = Family {
    name: "claude-legacy",
    version: 20,
    claude: true,
    turns: Turns {
        assistant_first: true,
        prefill: true,
        system_within: false,
        beside_result: Beside::TextAndImages,
    },
    result: ToolResult {
        image: true,
        document: Documents::All,
        status: true,
    },
    sampling: Sampling {
        of: Samples::Both,
        top_k: TopK::Claude,
    },
    stop: 8191,
    max_tokens: up_to(8191),
    ..PLAIN
};

const CLAUDE_3: Family = Family {
    name: "claude-3",
    version: 30,
    input: IMAGES_AND_DOCUMENTS,
    tools: Some(Tools {
        choice: Choice::Tool,
        ids: Ids::Claude,
        ..TOOLS
    }),
    structured: FORCED_TOOL,
    max_tokens: up_to(4096),
    count: Count::Runtime,
    ..LEGACY
};

const CLAUDE_3_5: Family = Family {
    name: "claude-3-5",
    version: 35,
    cache: Cache::All,
    max_tokens: up_to(8192),
    ..CLAUDE_3
};
const CLAUDE_3_5_FIRST: Family = Family {
    cache: Cache::None,
    max_tokens: up_to(4096),
    ..CLAUDE_3_5
};
const CLAUDE_3_5_HAIKU: Family = Family {
    input: DOCUMENTS,
    ..CLAUDE_3_5
};

const CLAUDE_3_7: Family = Family {
    name: "claude-3-7",
    version: 37,
    reasoning: Reasoning {
        switch: Switch::ClaudeBudget,
        levels: BUDGETS,
        default: ByDefault::Off,
        drops_sampling: true,
        forced_tool: Forced::NotWhileReasoning,
        back: Back::Signed,
        budget: true,
        ..NO_REASONING
    },
    ..CLAUDE_3_5
};

const CLAUDE_4: Family = Family {
    name: "claude-4",
    version: 40,
    max_tokens: up_to(32_000),
    ..CLAUDE_3_7
};
const CLAUDE_4_SONNET: Family = Family {
    max_tokens: up_to(64_000),
    ..CLAUDE_4
};
const CLAUDE_4_1: Family = Family {
    sampling: ONE_SAMPLE,
    ..CLAUDE_4
};

const CLAUDE_4_5: Family = Family {
    name: "claude-4-5",
    version: 45,
    tools: Some(Tools {
        strict: true,
        one_at_a_time: true,
        ..TOOLS_OF_CLAUDE
    }),
    cache: Cache::AllAndHour,
    structured: Structured {
        native: Native::Yes,
        fallback: Fallback::Tool,
    },
    sampling: ONE_SAMPLE,
    max_tokens: up_to(64_000),
    ..CLAUDE_4
};
const OPUS_4_5: Family = Family {
    name: "claude-opus-4-5",
    ..CLAUDE_4_5
};

const CLAUDE_4_6: Family = Family {
    name: "claude-4-6",
    version: 46,
    turns: NO_PREFILL,
    reasoning: Reasoning {
        switch: Switch::ClaudeAdaptive,
        levels: [Quiet, LOW, LOW, MEDIUM, HIGH, MAX, MAX],
        forced_tool: Forced::Silences,
        ..CLAUDE_4_5.reasoning
    },
    max_tokens: up_to(128_000),
    ..CLAUDE_4_5
};

const CLAUDE_4_7: Family = Family {
    name: "claude-4-7",
    version: 47,
    tools: Some(Tools {
        strict: false,
        one_at_a_time: true,
        ..TOOLS_OF_CLAUDE
    }),
    reasoning: Reasoning {
        levels: [Quiet, LOW, LOW, MEDIUM, HIGH, XHIGH, XHIGH],
        budget: false,
        ..CLAUDE_4_6.reasoning
    },
    structured: FORCED_TOOL,
    sampling: NO_SAMPLING,
    count: Count::Mantle,
    ..CLAUDE_4_6
};

const CLAUDE_4_8: Family = Family {
    name: "claude-4-8",
    version: 48,
    turns: Turns {
        system_within: true,
        ..NO_PREFILL
    },
    ..CLAUDE_4_7
};

const OPUS_5: Family = Family {
    name: "claude-5",
    version: 50,
    reasoning: Reasoning {
        levels: [Quiet, LOW, LOW, MEDIUM, HIGH, XHIGH, MAX],
        default: ByDefault::On,
        off: Off::Disabled,
        ..CLAUDE_4_8.reasoning
    },
    ..CLAUDE_4_8
};
const SONNET_5: Family = Family {
    turns: NO_PREFILL,
    reasoning: Reasoning {
        levels: CLAUDE_4_8.reasoning.levels,
        ..OPUS_5.reasoning
    },
    ..OPUS_5
};

const FABLE_5: Family = Family {
    name: "claude-fable-mythos-5",
    version: 50,
    reasoning: Reasoning {
        levels: [LOW, LOW, LOW, MEDIUM, HIGH, XHIGH, XHIGH],
        default: ByDefault::Always,
        ..CLAUDE_4_8.reasoning
    },
    ..CLAUDE_4_8
};
const FABLE_5_1: Family = Family {
    name: "claude-fable-mythos-5-1",
    version: 51,
    tools: Some(NEVER_FORCED),
    reasoning: Reasoning {
        forced_tool: Forced::Never,
        bound: true,
        ..FABLE_5.reasoning
    },
    structured: INSTRUCTION,
    ..FABLE_5
};

const OPUS_5_5: Family = Family {
    name: "claude-opus-5-5",
    version: 55,
    reasoning: Reasoning {
        levels: [LOW, LOW, LOW, MEDIUM, HIGH, XHIGH, MAX],
        ..FABLE_5_1.reasoning
    },
    ..FABLE_5_1
};
const SONNET_5_5: Family = Family {
    name: "claude-sonnet-5-5",
    version: 55,
    reasoning: Reasoning {
        levels: CLAUDE_4_8.reasoning.levels,
        default: ByDefault::On,
        off: Off::BetweenTools,
        ..FABLE_5_1.reasoning
    },
    ..FABLE_5_1
};
const HAIKU_5_5: Family = Family {
    name: "claude-haiku-5-5",
    version: 55,
    reasoning: Reasoning {
        levels: CLAUDE_4_8.reasoning.levels,
        bound: true,
        ..OPUS_5.reasoning
    },
    ..OPUS_5
};

/// Nothing that a later Claude may refuse.
const LATER: Family = Family {
    name: "claude-later",
    version: u8::MAX,
    tools: Some(NEVER_FORCED),
    reasoning: Reasoning {
        switch: Switch::ClaudeEffort,
        levels: [Out, LOW, LOW, MEDIUM, HIGH, HIGH, HIGH],
        default: ByDefault::On,
        off: Off::Silence,
        forced_tool: Forced::Never,
        bound: true,
        ..CLAUDE_4_8.reasoning
    },
    structured: INSTRUCTION,
    ..CLAUDE_4_8
};

/// Ours: Anthropic has no words for these.
pub const BUDGETS: [Level; 7] = [
    Quiet,
    Tokens(1024),
    Tokens(1024),
    Tokens(4096),
    Tokens(8192),
    Tokens(16_384),
    Tokens(16_384),
];
const TOOLS_OF_CLAUDE: Tools = Tools {
    choice: Choice::Tool,
    ids: Ids::Claude,
    ..TOOLS
};
const NEVER_FORCED: Tools = Tools {
    choice: Choice::Auto,
    one_at_a_time: true,
    ..TOOLS_OF_CLAUDE
};
const NO_PREFILL: Turns = Turns {
    prefill: false,
    ..LEGACY.turns
};
const ONE_SAMPLE: Sampling = Sampling {
    of: Samples::One,
    ..LEGACY.sampling
};

/// The families by name.
pub const ROWS: [Family; 17] = [
    LEGACY, CLAUDE_3, CLAUDE_3_5, CLAUDE_3_7, CLAUDE_4, CLAUDE_4_5, OPUS_4_5, CLAUDE_4_6,
    CLAUDE_4_7, CLAUDE_4_8, OPUS_5, FABLE_5, FABLE_5_1, OPUS_5_5, SONNET_5_5, HAIKU_5_5, LATER,
];

/// The family of `anthropic.claude-` and this.
pub fn of(rest: &str) -> Family {
    let Some(version) = Version::of(rest) else {
        return match rest {
            _ if rest.starts_with("instant") || is_legacy(rest) => LEGACY,
            _ if rest.starts_with("mythos-preview") => FABLE_5,
            _ => LATER,
        };
    };
    let Version { line, major, minor } = version;
    match (line, major, minor) {
        (_, 0..=2, _) => LEGACY,
        (_, 3, 0) => CLAUDE_3,
        (_, 3, ..=5) if rest.contains("20240620") => CLAUDE_3_5_FIRST,
        (Line::Haiku, 3, ..=5) => CLAUDE_3_5_HAIKU,
        (_, 3, ..=5) => CLAUDE_3_5,
        (_, 3, _) => CLAUDE_3_7,
        (Line::Sonnet, 4, 0) => CLAUDE_4_SONNET,
        (_, 4, 0) => CLAUDE_4,
        (_, 4, ..=4) => CLAUDE_4_1,
        (Line::Opus, 4, 5) => OPUS_4_5,
        (_, 4, 5) => CLAUDE_4_5,
        (_, 4, 6) => CLAUDE_4_6,
        (_, 4, 7) => CLAUDE_4_7,
        (_, 4, _) => CLAUDE_4_8,
        (Line::Opus, 5, 0) => OPUS_5,
        (Line::Sonnet, 5, 0) => SONNET_5,
        (Line::Fable, 5, 0) => FABLE_5,
        (Line::Fable, 5, _) => FABLE_5_1,
        (Line::Opus, 5, 5) => OPUS_5_5,
        (Line::Sonnet, 5, 5) => SONNET_5_5,
        (Line::Haiku, 5, 5) => HAIKU_5_5,
        _ => LATER,
    }
}

/// Whose name and number a model has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Version {
    line: Line,
    major: u32,
    minor: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Line {
    Opus,
    Sonnet,
    Haiku,
    /// Fable and Mythos.
    Fable,
}

impl Version {
    /// Of `opus-4-5-20251101-v1:0`, `3-5-sonnet-20240620-v1:0`, `sonnet-4.6` …; a number of more than two digits is a date.
    fn of(rest: &str) -> Option<Self> {
        let mut words = rest.split(['-', '.', ':', '@']);
        let mut line = None;
        let mut numbers = [0; 2];
        let mut known = 0;
        for word in words.by_ref() {
            let number = (1..=2).contains(&word.len()).then(|| word.parse().ok());
            match (number.flatten(), Line::of(word)) {
                (Some(number), _) => match numbers.get_mut(known) {
                    Some(place) => {
                        *place = number;
                        known += 1;
                    }
                    None => break,
                },
                (None, Some(named)) if line.is_none() => line = Some(named),
                _ => break,
            }
        }
        let [major, minor] = numbers;
        Some(Self {
            line: line?,
            major: (known > 0).then_some(major)?,
            minor,
        })
    }
}

impl Line {
    fn of(word: &str) -> Option<Self> {
        Some(match word {
            "opus" => Self::Opus,
            "sonnet" => Self::Sonnet,
            "haiku" => Self::Haiku,
            "fable" | "mythos" => Self::Fable,
            _ => return None,
        })
    }
}

/// `v2`, `v2:1`
fn is_legacy(rest: &str) -> bool {
    let version = rest.strip_prefix('v').unwrap_or_default();
    version.starts_with(|digit: char| digit.is_ascii_digit())
}
