//! Cohere, AI21, Writer, TwelveLabs, and what no id shows.

use super::rows::*;
use crate::family::facts::*;

const COMMAND_R: Family = Family {
    name: "cohere-command-r",
    tools: Some(TOOLS),
    max_tokens: up_to(4096),
    ..PLAIN
};
const COMMAND: Family = Family {
    name: "cohere-command",
    system: false,
    ..PLAIN
};

const JAMBA_1_5: Family = Family {
    name: "jamba-1-5",
    tools: Some(TOOLS),
    max_tokens: up_to(4096),
    ..PLAIN
};
const AI21_OLD: Family = Family {
    name: "ai21-old",
    input: TEXT,
    ..PLAIN
};

const PALMYRA: Family = Family {
    name: "palmyra",
    tools: Some(Tools {
        stream: false,
        ..TOOLS
    }),
    max_tokens: up_to(8192),
    ..PLAIN
};
const PALMYRA_VISION: Family = Family {
    input: IMAGES_AND_DOCUMENTS,
    ..PALMYRA
};

const PEGASUS: Family = Family {
    name: "pegasus",
    converse: false,
    input: Input {
        video: true,
        ..TEXT
    },
    ..PLAIN
};

/// A profile, provisioned throughput or prompt router whose ARN does not show the model.
pub const PROFILE_UNKNOWN: Family = Family {
    name: "profile-unknown",
    input: IMAGES_AND_DOCUMENTS,
    turns: Turns {
        beside_result: Beside::TextAndImages,
        ..STRICT_TURNS
    },
    result: ToolResult {
        image: true,
        document: Documents::All,
        status: false,
    },
    tools: Some(Tools {
        choice: Choice::Tool,
        ids: Ids::Claude,
        ..TOOLS
    }),
    reasoning: Reasoning {
        back: Back::SignedText,
        ..NO_REASONING
    },
    count: Count::Unknown,
    ..PLAIN
};

/// A model of the operator's own.
pub const IMPORTED: Family = Family {
    name: "imported",
    input: IMAGES_AND_DOCUMENTS,
    tools: Some(TOOLS),
    count: Count::Unknown,
    ..PLAIN
};

/// Everything else.
pub const UNKNOWN: Family = Family {
    name: "unknown",
    tools: Some(Tools {
        ids: Ids::Claude,
        ..TOOLS
    }),
    ..IMPORTED
};

pub const ROWS: &[(&str, Family)] = &[
    ("cohere.command-r", COMMAND_R),
    ("cohere.command-a", COMMAND_R),
    ("cohere.command-", COMMAND),
    ("ai21.jamba-1-5-", JAMBA_1_5),
    ("ai21.", AI21_OLD),
    ("writer.", PALMYRA),
    ("writer.palmyra-vision-", PALMYRA_VISION),
    ("twelvelabs.pegasus-", PEGASUS),
];
