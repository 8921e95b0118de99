//! What rows of several vendors are made of.

use crate::family::facts::Level::{self, Out, Word};
use crate::family::facts::*;

/// Text only, and no documents.
pub const TEXT: Input = Input {
    image: false,
    document: false,
    video: false,
    audio: false,
};
/// Text and documents.
pub const DOCUMENTS: Input = Input {
    document: true,
    ..TEXT
};
/// Text and images.
pub const IMAGES: Input = Input {
    image: true,
    ..TEXT
};
/// Text, images and documents.
pub const IMAGES_AND_DOCUMENTS: Input = Input {
    image: true,
    ..DOCUMENTS
};

/// A user begins and ends, and a result keeps to itself.
pub const STRICT_TURNS: Turns = Turns {
    assistant_first: false,
    prefill: false,
    system_within: false,
    beside_result: Beside::Nothing,
};

/// Text and nothing else.
pub const TEXT_RESULT: ToolResult = ToolResult {
    image: false,
    document: Documents::None,
    status: false,
};

/// Tools that the model may call, or not.
pub const TOOLS: Tools = Tools {
    stream: true,
    choice: Choice::Auto,
    ids: Ids::Converse,
    strict: false,
    one_at_a_time: false,
    schema: SchemaLimits::Common,
};

/// Nothing is known to be taken.
pub const NO_REASONING: Reasoning = Reasoning {
    switch: Switch::None,
    levels: [Out; 7],
    default: ByDefault::Unknown,
    off: Off::Silence,
    drops_sampling: false,
    forced_tool: Forced::Called,
    back: Back::None,
    budget: false,
    bound: false,
};

pub const LOW: Level = Word("low");
pub const MEDIUM: Level = Word("medium");
pub const HIGH: Level = Word("high");
pub const XHIGH: Level = Word("xhigh");
pub const MAX: Level = Word("max");
pub const NONE: Level = Word("none");

pub const INSTRUCTION: Structured = Structured {
    native: Native::No,
    fallback: Fallback::Instruction,
};
pub const FORCED_TOOL: Structured = Structured {
    native: Native::No,
    fallback: Fallback::Tool,
};
pub const NATIVE: Structured = Structured {
    native: Native::Yes,
    fallback: Fallback::Instruction,
};

pub const SAMPLING: Sampling = Sampling {
    of: Samples::Both,
    top_k: TopK::None,
};
pub const NO_SAMPLING: Sampling = Sampling {
    of: Samples::None,
    top_k: TopK::None,
};

/// At most so many tokens.
pub const fn up_to(limit: u64) -> MaxTokens {
    MaxTokens {
        min: 1,
        limit: Some(limit),
    }
}

/// At most so many tokens, and 16 at the least.
pub const fn from_16_to(limit: u64) -> MaxTokens {
    MaxTokens {
        min: 16,
        limit: Some(limit),
    }
}

pub const ANY_NUMBER: MaxTokens = MaxTokens {
    min: 1,
    limit: None,
};

/// What takes text and documents, and of the rest what never fails.
pub const PLAIN: Family = Family {
    name: "",
    converse: true,
    own_responses: false,
    mantle: Mantle::AsAsked,
    claude: false,
    version: 0,
    system: true,
    input: DOCUMENTS,
    turns: STRICT_TURNS,
    result: TEXT_RESULT,
    web_search: false,
    tools: None,
    cache: Cache::None,
    reasoning: NO_REASONING,
    structured: INSTRUCTION,
    sampling: SAMPLING,
    stop: 4,
    max_tokens: ANY_NUMBER,
    tiers: Tiers::None,
    count: Count::None,
};

/// Models with open weights: text, tools that may be called, text beside their results.
pub const OPEN: Family = Family {
    input: TEXT,
    turns: Turns {
        beside_result: Beside::Text,
        ..STRICT_TURNS
    },
    tools: Some(TOOLS),
    ..PLAIN
};
