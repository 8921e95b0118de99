//! Amazon's models.

use super::rows::*;
use crate::family::facts::Level::Quiet;
use crate::family::facts::*;

const NOVA_1: Family = Family {
    name: "nova-1",
    input: Input {
        video: true,
        ..IMAGES_AND_DOCUMENTS
    },
    turns: Turns {
        beside_result: Beside::All,
        ..STRICT_TURNS
    },
    result: ToolResult {
        image: true,
        document: Documents::Text,
        status: true,
    },
    tools: Some(Tools {
        choice: Choice::Tool,
        ..TOOLS
    }),
    cache: Cache::Messages,
    structured: FORCED_TOOL,
    sampling: Sampling {
        of: Samples::Both,
        top_k: TopK::Nova,
    },
    max_tokens: up_to(10_000),
    tiers: Tiers::PriorityAndFlex,
    ..PLAIN
};
const NOVA_LITE: Family = Family {
    tiers: Tiers::None,
    ..NOVA_1
};
const NOVA_PREMIER: Family = Family {
    web_search: true,
    tiers: Tiers::Priority,
    ..NOVA_1
};

const NOVA_MICRO: Family = Family {
    name: "nova-micro",
    input: TEXT,
    result: ToolResult {
        status: true,
        ..TEXT_RESULT
    },
    tiers: Tiers::None,
    ..NOVA_1
};

const NOVA_2: Family = Family {
    name: "nova-2",
    web_search: true,
    reasoning: Reasoning {
        switch: Switch::NovaConfig,
        levels: [Quiet, LOW, LOW, MEDIUM, HIGH, HIGH, HIGH],
        default: ByDefault::Off,
        drops_sampling: true,
        forced_tool: Forced::NotWhileReasoning,
        ..NO_REASONING
    },
    max_tokens: up_to(64_000),
    ..NOVA_1
};
const NOVA_2_PRO: Family = Family {
    tiers: Tiers::Priority,
    ..NOVA_2
};

const TITAN_TEXT: Family = Family {
    name: "titan-text",
    system: false,
    ..PLAIN
};
const TITAN_PREMIER: Family = Family {
    input: TEXT,
    ..TITAN_TEXT
};

pub const ROWS: &[(&str, Family)] = &[
    ("amazon.nova-pro-", NOVA_1),
    ("amazon.nova-lite-", NOVA_LITE),
    ("amazon.nova-premier-", NOVA_PREMIER),
    ("amazon.nova-micro-", NOVA_MICRO),
    ("amazon.nova-2-lite", NOVA_2),
    ("amazon.nova-2-omni", NOVA_2),
    ("amazon.nova-2-pro", NOVA_2_PRO),
    ("amazon.titan-text-", TITAN_TEXT),
    ("amazon.titan-tg1-", TITAN_TEXT),
    ("amazon.titan-text-premier", TITAN_PREMIER),
];
