//! OpenAI's and xAI's models, which share a way to be told how much to reason.

use super::rows::*;
use crate::family::facts::Level::Out;
use crate::family::facts::*;

const GPT_OSS: Family = Family {
    name: "gpt-oss",
    mantle: Mantle::V1,
    tools: Some(Tools {
        choice: Choice::Tool,
        schema: SchemaLimits::NoReferences,
        ..TOOLS
    }),
    reasoning: Reasoning {
        switch: Switch::Flat,
        levels: [LOW, LOW, LOW, MEDIUM, HIGH, HIGH, HIGH],
        default: ByDefault::Always,
        back: Back::Unsigned,
        ..NO_REASONING
    },
    structured: FORCED_TOOL,
    max_tokens: up_to(16_384),
    tiers: Tiers::PriorityAndFlex,
    ..OPEN
};
const GPT_OSS_SAFEGUARD: Family = Family {
    name: "gpt-oss-safeguard",
    mantle: Mantle::V1,
    tools: Some(TOOLS),
    structured: INSTRUCTION,
    max_tokens: up_to(16_000),
    ..GPT_OSS
};

/// GPT-5 and later.
const GPT: Family = Family {
    own_responses: true,
    mantle: Mantle::OpenAiV1,
    input: IMAGES_AND_DOCUMENTS,
    tools: Some(Tools {
        choice: Choice::Tool,
        ..TOOLS
    }),
    reasoning: Reasoning {
        switch: Switch::Nested,
        ..NO_REASONING
    },
    sampling: NO_SAMPLING,
    stop: 0,
    max_tokens: from_16_to(128_000),
    ..OPEN
};
const GPT_5_4_5: Family = Family {
    name: "gpt-5-4-5",
    converse: false,
    ..GPT
};
const GPT_MANTLE: Family = Family {
    name: "gpt-mantle",
    converse: false,
    ..GPT
};
const GPT_5_6: Family = Family {
    name: "gpt-5-6",
    reasoning: Reasoning {
        levels: [NONE, LOW, LOW, MEDIUM, HIGH, XHIGH, MAX],
        default: ByDefault::On,
        ..GPT.reasoning
    },
    structured: Structured {
        native: Native::Unstreamed,
        fallback: Fallback::Tool,
    },
    ..GPT
};
const GPT_6: Family = Family {
    name: "gpt-6",
    ..GPT_5_6
};
const GPT_6_ALWAYS: Family = Family {
    name: "gpt-6-always",
    reasoning: Reasoning {
        levels: [LOW, LOW, LOW, MEDIUM, HIGH, XHIGH, MAX],
        default: ByDefault::Always,
        ..GPT.reasoning
    },
    ..GPT_5_6
};
const GPT_LATER: Family = Family {
    name: "gpt-later",
    tools: Some(TOOLS),
    reasoning: Reasoning {
        levels: [Out, LOW, LOW, MEDIUM, HIGH, HIGH, HIGH],
        default: ByDefault::On,
        ..GPT.reasoning
    },
    ..GPT
};

const GROK: Family = Family {
    name: "grok",
    own_responses: false,
    input: IMAGES,
    tools: Some(Tools {
        choice: Choice::Tool,
        schema: SchemaLimits::NoLookaround,
        ..TOOLS
    }),
    reasoning: Reasoning {
        levels: [LOW, LOW, LOW, MEDIUM, HIGH, XHIGH, XHIGH],
        default: ByDefault::Always,
        ..GPT.reasoning
    },
    structured: FORCED_TOOL,
    max_tokens: from_16_to(500_000),
    tiers: Tiers::PriorityAndFlex,
    ..GPT
};
const GROK_4_3: Family = Family {
    converse: false,
    own_responses: true,
    ..GROK
};

pub const ROWS: &[(&str, Family)] = &[
    ("openai.gpt-oss-20b", GPT_OSS),
    ("openai.gpt-oss-120b", GPT_OSS),
    ("openai.gpt-oss-safeguard-", GPT_OSS_SAFEGUARD),
    ("openai.gpt-5.4", GPT_5_4_5),
    ("openai.gpt-5.5", GPT_5_4_5),
    ("openai.gpt-5.6-sol", GPT_5_6),
    ("openai.gpt-5.6-terra", GPT_5_6),
    ("openai.gpt-5.6-luna", GPT_5_6),
    ("openai.gpt-6-sol", GPT_6),
    ("openai.gpt-6-luna", GPT_6),
    ("openai.gpt-6.1-terra", GPT_6),
    ("openai.gpt-6-astra", GPT_6_ALWAYS),
    ("openai.gpt-6.1-sol", GPT_6_ALWAYS),
    ("openai.gpt-5.6-cyber", GPT_MANTLE),
    ("openai.gpt-daybreak", GPT_MANTLE),
    ("openai.gpt-", GPT_LATER),
    ("xai.", GROK),
    ("xai.grok-4.3", GROK_4_3),
];
