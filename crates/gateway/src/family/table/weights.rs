//! Models with open weights, and the like.

use super::rows::*;
use crate::family::facts::Level::Out;
use crate::family::facts::*;

const LLAMA_NO_TOOLS: Family = Family {
    name: "llama-no-tools",
    result: ToolResult {
        image: true,
        document: Documents::All,
        status: true,
    },
    max_tokens: up_to(2048),
    ..PLAIN
};
const LLAMA_3: Family = Family {
    name: "llama-3",
    tools: Some(UNSTREAMED),
    max_tokens: up_to(4096),
    ..LLAMA_NO_TOOLS
};
const LLAMA_3_2: Family = Family {
    input: IMAGES_AND_DOCUMENTS,
    ..LLAMA_3
};
const LLAMA_4: Family = Family {
    name: "llama-4",
    max_tokens: up_to(8192),
    ..LLAMA_3_2
};

const MISTRAL_NO_TOOLS: Family = Family {
    name: "mistral-no-tools",
    system: false,
    result: ToolResult {
        document: Documents::All,
        status: true,
        ..TEXT_RESULT
    },
    stop: 10,
    max_tokens: up_to(4096),
    ..PLAIN
};
const MISTRAL_2024: Family = Family {
    name: "mistral-2024",
    system: true,
    tools: Some(Tools {
        choice: Choice::Any,
        ids: Ids::Nine,
        ..UNSTREAMED
    }),
    max_tokens: up_to(8191),
    ..MISTRAL_NO_TOOLS
};
const PIXTRAL: Family = Family {
    name: "pixtral",
    input: IMAGES_AND_DOCUMENTS,
    tools: Some(Tools {
        ids: Ids::Nine,
        ..UNSTREAMED
    }),
    max_tokens: up_to(16_384),
    ..MISTRAL_2024
};
const MISTRAL_2025: Family = Family {
    name: "mistral-2025",
    input: IMAGES_AND_DOCUMENTS,
    tools: Some(Tools {
        choice: Choice::Any,
        ids: Ids::Nine,
        strict: true,
        ..TOOLS
    }),
    structured: NATIVE,
    max_tokens: up_to(8000),
    tiers: Tiers::PriorityAndFlex,
    ..MISTRAL_2024
};
const DEVSTRAL: Family = Family {
    input: DOCUMENTS,
    tools: Some(Tools {
        choice: Choice::Any,
        ids: Ids::Nine,
        ..TOOLS
    }),
    structured: INSTRUCTION,
    max_tokens: up_to(32_000),
    ..MISTRAL_2025
};
const MISTRAL_LARGE_3: Family = Family {
    max_tokens: up_to(32_000),
    ..MISTRAL_2025
};
const MAGISTRAL: Family = Family {
    max_tokens: up_to(40_000),
    ..MISTRAL_2025
};
const VOXTRAL: Family = Family {
    input: Input {
        audio: true,
        ..DOCUMENTS
    },
    max_tokens: up_to(8192),
    ..MISTRAL_2025
};

const DEEPSEEK_R1: Family = Family {
    name: "deepseek-r1",
    reasoning: Reasoning {
        default: ByDefault::Always,
        ..NO_REASONING
    },
    stop: 10,
    max_tokens: up_to(8192),
    ..PLAIN
};
const DEEPSEEK_V3: Family = Family {
    name: "deepseek-v3",
    mantle: Mantle::V1,
    tools: Some(Tools {
        choice: Choice::Any,
        ..TOOLS
    }),
    reasoning: Reasoning {
        switch: Switch::Flat,
        levels: [NONE, Out, Out, HIGH, HIGH, HIGH, HIGH],
        default: ByDefault::Off,
        forced_tool: Forced::NotWhileReasoning,
        back: Back::Unsigned,
        ..NO_REASONING
    },
    structured: Structured {
        native: Native::Yes,
        fallback: Fallback::Tool,
    },
    max_tokens: up_to(8000),
    ..NATIVELY
};

const QWEN_3: Family = Family {
    name: "qwen3",
    mantle: Mantle::V1,
    turns: ASSISTANT_FIRST,
    reasoning: Reasoning {
        switch: Switch::QwenConfig,
        levels: [NONE, Out, LOW, HIGH, HIGH, HIGH, HIGH],
        default: ByDefault::Off,
        forced_tool: Forced::NotWhileReasoning,
        ..NO_REASONING
    },
    stop: 0,
    max_tokens: up_to(8192),
    ..NATIVELY
};
const QWEN_3_VL: Family = Family {
    input: IMAGES,
    ..QWEN_3
};
const QWEN_3_CODER: Family = Family {
    name: "qwen3-coder",
    mantle: Mantle::V1,
    reasoning: Reasoning {
        default: ByDefault::Off,
        ..NO_REASONING
    },
    max_tokens: up_to(16_384),
    ..QWEN_3
};

const KIMI_K2: Family = Family {
    name: "kimi-k2",
    mantle: Mantle::V1,
    turns: ASSISTANT_FIRST,
    reasoning: Reasoning {
        default: ByDefault::Always,
        back: Back::Unsigned,
        ..NO_REASONING
    },
    max_tokens: up_to(16_000),
    ..NATIVELY
};
const KIMI_K2_5: Family = Family {
    input: IMAGES,
    ..KIMI_K2
};
const KIMI_K3: Family = Family {
    name: "kimi-k3",
    mantle: Mantle::AsAsked,
    input: IMAGES,
    turns: ASSISTANT_FIRST,
    tools: Some(Tools {
        schema: SchemaLimits::NoLookaround,
        ..TOOLS
    }),
    reasoning: Reasoning {
        switch: Switch::Flat,
        levels: [Out, LOW, LOW, Out, HIGH, HIGH, MAX],
        default: ByDefault::Always,
        ..NO_REASONING
    },
    structured: NATIVE,
    sampling: NO_SAMPLING,
    max_tokens: from_16_to(131_072),
    ..OPEN
};
const KIMI_K3_1: Family = Family {
    reasoning: Reasoning {
        levels: [NONE, LOW, LOW, MEDIUM, HIGH, XHIGH, MAX],
        ..KIMI_K3.reasoning
    },
    ..KIMI_K3
};

const MINIMAX: Family = Family {
    name: "minimax-m2",
    mantle: Mantle::V1,
    reasoning: Reasoning {
        default: ByDefault::Always,
        back: Back::Unsigned,
        ..NO_REASONING
    },
    max_tokens: up_to(8192),
    ..NATIVELY
};

const GLM: Family = Family {
    name: "glm",
    mantle: Mantle::V1,
    turns: ASSISTANT_FIRST,
    tools: Some(Tools {
        choice: Choice::Any,
        strict: true,
        ..TOOLS
    }),
    reasoning: Reasoning {
        switch: Switch::Flat,
        levels: [NONE, Out, Out, HIGH, HIGH, HIGH, HIGH],
        default: ByDefault::Off,
        ..NO_REASONING
    },
    max_tokens: up_to(128_000),
    ..NATIVELY
};
const GLM_4_7: Family = Family {
    tools: Some(Tools {
        choice: Choice::Any,
        ..TOOLS
    }),
    structured: INSTRUCTION,
    ..GLM
};
const GLM_5_3: Family = Family {
    name: "glm-5-3",
    mantle: Mantle::AsAsked,
    tools: Some(Tools {
        choice: Choice::Tool,
        strict: true,
        ..TOOLS
    }),
    reasoning: Reasoning {
        levels: [LOW, LOW, LOW, MEDIUM, HIGH, XHIGH, MAX],
        default: ByDefault::Always,
        ..GLM.reasoning
    },
    ..GLM
};

const GEMMA_3: Family = Family {
    name: "gemma-3",
    input: IMAGES,
    max_tokens: up_to(8000),
    ..NATIVELY
};
const GEMMA_3_4B: Family = Family {
    tools: Some(TOOLS),
    structured: INSTRUCTION,
    ..GEMMA_3
};
const GEMMA_4: Family = Family {
    name: "gemma-4",
    converse: false,
    own_responses: true,
    mantle: Mantle::OpenAiV1,
    tools: Some(TOOLS),
    structured: INSTRUCTION,
    max_tokens: ANY_NUMBER,
    ..GEMMA_3
};

const NEMOTRON: Family = Family {
    name: "nemotron",
    mantle: Mantle::V1,
    max_tokens: up_to(8192),
    ..NATIVELY
};
const NEMOTRON_SUPER: Family = Family {
    tools: Some(TOOLS),
    structured: INSTRUCTION,
    max_tokens: up_to(32_768),
    ..NEMOTRON
};
const NEMOTRON_VL: Family = Family {
    input: IMAGES,
    ..NEMOTRON
};

/// Those that take a schema as such, and strict tools with it.
const NATIVELY: Family = Family {
    tools: Some(Tools {
        strict: true,
        ..TOOLS
    }),
    structured: NATIVE,
    tiers: Tiers::PriorityAndFlex,
    ..OPEN
};
const UNSTREAMED: Tools = Tools {
    stream: false,
    ..TOOLS
};
const ASSISTANT_FIRST: Turns = Turns {
    assistant_first: true,
    ..OPEN.turns
};

pub const ROWS: &[(&str, Family)] = &[
    ("meta.llama2-", LLAMA_NO_TOOLS),
    ("meta.llama3-8b-", LLAMA_NO_TOOLS),
    ("meta.llama3-70b-", LLAMA_NO_TOOLS),
    ("meta.llama3-2-1b-", LLAMA_NO_TOOLS),
    ("meta.llama3-2-3b-", LLAMA_NO_TOOLS),
    ("meta.llama3-", LLAMA_3),
    ("meta.llama3-2-", LLAMA_3_2),
    ("meta.llama4-", LLAMA_4),
    ("mistral.mistral-7b-", MISTRAL_NO_TOOLS),
    ("mistral.mixtral-", MISTRAL_NO_TOOLS),
    ("mistral.mistral-small-", MISTRAL_2024),
    ("mistral.mistral-large-2402", MISTRAL_2024),
    ("mistral.mistral-large-2407", MISTRAL_2024),
    ("mistral.pixtral-", PIXTRAL),
    ("mistral.ministral-", MISTRAL_2025),
    ("mistral.mistral-large-3", MISTRAL_LARGE_3),
    ("mistral.magistral-", MAGISTRAL),
    ("mistral.devstral-", DEVSTRAL),
    ("mistral.voxtral-", VOXTRAL),
    ("deepseek.r1-", DEEPSEEK_R1),
    ("deepseek.v3", DEEPSEEK_V3),
    ("qwen.qwen3-", QWEN_3),
    ("qwen.qwen3-vl-", QWEN_3_VL),
    ("qwen.qwen3-coder-", QWEN_3_CODER),
    ("moonshot.kimi-k2", KIMI_K2),
    ("moonshotai.kimi-k2", KIMI_K2),
    ("moonshotai.kimi-k2.5", KIMI_K2_5),
    ("moonshotai.kimi-k3", KIMI_K3),
    ("moonshotai.kimi-k3.1", KIMI_K3_1),
    ("minimax.", MINIMAX),
    ("zai.glm-", GLM),
    ("zai.glm-4.7", GLM_4_7),
    ("zai.glm-5.3", GLM_5_3),
    ("google.gemma-3-", GEMMA_3),
    ("google.gemma-3-4b", GEMMA_3_4B),
    ("google.gemma-4-", GEMMA_4),
    ("nvidia.", NEMOTRON),
    ("nvidia.nemotron-super-", NEMOTRON_SUPER),
    ("nvidia.nemotron-nano-12b-", NEMOTRON_VL),
];
