//! What a family of models takes and refuses, as values with few legal shapes.

use crate::bedrock::VendorApi;

/// One family. All of it is plain data, so that a feature of the operator's changes a copy.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Family {
    /// As `$bedrock_model_family` and `bedrock_model_family` name it.
    pub name: &'static str,
    /// Whether Converse serves it.
    pub(crate) converse: bool,
    /// Whether Responses of it go to Bedrock's own API: it has more of them than Converse, or Converse has none.
    pub(crate) own_responses: bool,
    /// Under which path bedrock-mantle serves it.
    pub(crate) mantle: Mantle,
    /// Whether it is a Claude, with Anthropic's own fields.
    pub(crate) claude: bool,
    /// Of a Claude its version, without the dot: 4.5 is 45. Of others 0.
    pub(crate) version: u8,
    /// Whether it takes instructions apart from the conversation.
    pub(crate) system: bool,
    /// Media in a user's turn.
    pub(crate) input: Input,
    /// How turns may look.
    pub(crate) turns: Turns,
    /// What a tool's result may hold.
    pub(crate) result: ToolResult,
    /// Whether Bedrock searches the web for it.
    pub(crate) web_search: bool,
    /// `None`: no tools at all.
    pub(crate) tools: Option<Tools>,
    /// Where a `cachePoint` may stand, and how long it may last.
    pub(crate) cache: Cache,
    /// How it reasons, and is told how much.
    pub(crate) reasoning: Reasoning,
    /// How an answer is made to keep to a schema.
    pub(crate) structured: Structured,
    /// Which of temperature, top_p and top_k it takes.
    pub(crate) sampling: Sampling,
    /// The most stop sequences it takes; 0: none.
    pub(crate) stop: u32,
    /// Bounds for `maxTokens`.
    pub(crate) max_tokens: MaxTokens,
    /// Service tiers beside the default.
    pub(crate) tiers: Tiers,
    /// Where its tokens are counted.
    pub(crate) count: Count,
}

/// Under which path bedrock-mantle has a model in OpenAI's APIs; under the other it says that the model "isn't supported on this
/// route". <https://docs.aws.amazon.com/bedrock/latest/userguide/inference-responses-api.html>
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mantle {
    /// Not known: as the client has it.
    AsAsked,
    /// `/v1/`
    V1,
    /// `/openai/v1/`
    OpenAiV1,
}

impl Family {
    /// The most tokens that it generates for one request, if that is known.
    pub fn most_output(&self) -> Option<u64> {
        self.max_tokens.limit
    }
}

impl Mantle {
    /// The path of `api` there, where a client has asked at `asked`.
    pub(crate) fn path(self, api: VendorApi, asked: &str) -> &'static str {
        let is_openais = api.path().starts_with("/openai/");
        let bare = match self {
            Self::V1 => true,
            Self::OpenAiV1 => false,
            Self::AsAsked => !asked.trim_end_matches('/').ends_with(api.path()),
        };
        match is_openais && bare {
            true => api.path_from_version(),
            false => api.path(),
        }
    }
}

/// Media in a user's turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Input {
    pub image: bool,
    pub document: bool,
    pub video: bool,
    pub audio: bool,
}

/// How turns may look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turns {
    /// Whether the first may be the assistant's.
    pub assistant_first: bool,
    /// Whether the last may be the assistant's: the answer goes on with it.
    pub prefill: bool,
    /// Whether instructions may stand within the conversation (invoke).
    pub system_within: bool,
    /// What may stand in one turn with the result of a tool.
    pub beside_result: Beside,
}

/// What may stand in one turn with the result of a tool: each takes what those before it do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Beside {
    Nothing,
    Text,
    TextAndImages,
    All,
}

/// What a tool's result may hold, beside text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ToolResult {
    pub image: bool,
    pub document: Documents,
    /// Whether it may say that the tool failed.
    pub status: bool,
}

/// Which documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Documents {
    None,
    /// csv and txt.
    Text,
    All,
}

/// How tools are offered and called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tools {
    /// Whether an answer with tools can be streamed.
    pub stream: bool,
    /// The strictest `toolChoice` that it takes.
    pub choice: Choice,
    /// What ids of calls look like.
    pub ids: Ids,
    /// Whether `strict` may be said.
    pub strict: bool,
    /// Whether it can be told to call one tool at a time.
    pub one_at_a_time: bool,
    /// What a schema must do without.
    pub schema: SchemaLimits,
}

/// A `toolChoice`: who takes one takes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Choice {
    Auto,
    Any,
    Tool,
}

/// What ids of calls look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ids {
    /// Letters, digits and `_.:-`, up to 64: what Converse takes by itself.
    Converse,
    /// The same without `.` and `:`.
    Claude,
    /// Nine letters and digits.
    Nine,
}

/// What a tool's schema must do without, beyond what all families must.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SchemaLimits {
    Common,
    /// Lookaround in patterns.
    NoLookaround,
    /// References: the model does not see the definitions.
    NoReferences,
}

/// Where a `cachePoint` may stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cache {
    /// Nowhere: nothing is cached, or all of it without asking.
    None,
    /// In instructions and messages, but in no turn with calls or results.
    Messages,
    /// In tools, instructions and messages, for five minutes.
    All,
    /// The same, for five minutes or an hour.
    AllAndHour,
}

/// How a family reasons.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reasoning {
    /// Where an effort goes.
    pub switch: Switch,
    /// What becomes of each of OpenAI's words: none, minimal, low, medium, high, xhigh, max.
    pub levels: [Level; 7],
    /// Whether it reasons when nothing is said.
    pub default: ByDefault,
    /// How it is told not to reason.
    pub off: Off,
    /// Whether temperature, top_p and top_k are refused while it reasons.
    pub drops_sampling: bool,
    /// What a forced tool does.
    pub forced_tool: Forced,
    /// Which reasoning it takes back.
    pub back: Back,
    /// Whether it takes a budget of tokens.
    pub budget: bool,
    /// Whether reasoning that is sent back is tied to all that stood before it.
    pub bound: bool,
}

/// The place of an effort, in `additionalModelRequestFields`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Switch {
    None,
    /// `thinking.budget_tokens`
    ClaudeBudget,
    /// `thinking.type` is `adaptive`, and `output_config.effort`.
    ClaudeAdaptive,
    /// `output_config.effort` alone.
    ClaudeEffort,
    /// `reasoning_effort`
    Flat,
    /// `reasoning.effort`
    Nested,
    /// `reasoning_config`, a word.
    QwenConfig,
    /// `reasoningConfig.maxReasoningEffort`
    NovaConfig,
}

/// What one of OpenAI's words comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Nothing is sent: no such level.
    Out,
    /// Reasoning is turned off, as [`Off`] says.
    Quiet,
    /// A budget, in tokens.
    Tokens(u32),
    /// The family's own word.
    Word(&'static str),
}

/// Whether a family reasons when nothing is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ByDefault {
    Off,
    On,
    /// Whatever is said.
    Always,
    Unknown,
}

/// How a family is told not to reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Off {
    /// By saying nothing; where it always reasons, not at all.
    Silence,
    /// `thinking.type` is `disabled`.
    Disabled,
    /// `thinking.type` is `between_tools`.
    BetweenTools,
}

/// What a forced tool does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forced {
    /// It is called.
    Called,
    /// It is called, without reasoning.
    Silences,
    /// It is refused while the model reasons.
    NotWhileReasoning,
    /// It is refused.
    Never,
}

/// Which reasoning a family takes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Back {
    None,
    /// With its signature, and what was redacted.
    Signed,
    /// With its signature.
    SignedText,
    /// Without a signature.
    Unsigned,
}

/// How an answer is made to keep to a schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Structured {
    /// Whether `outputConfig.textFormat` is taken.
    pub native: Native,
    /// What is done where that is not, or cannot say the schema.
    pub fallback: Fallback,
}

/// Whether `outputConfig.textFormat` is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Native {
    No,
    /// Only of answers that are not streamed, and with `text.format.strict` in the model's own fields.
    Unstreamed,
    Yes,
}

/// What is done where a schema cannot be sent as such.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fallback {
    /// A tool that must be called: its input is the answer.
    Tool,
    /// The prompt says it.
    Instruction,
}

/// Which of temperature, top_p and top_k a family takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sampling {
    pub of: Samples,
    pub top_k: TopK,
}

/// Temperature and top_p.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Samples {
    None,
    /// Not both in one request.
    One,
    Both,
}

/// The place of top_k, in `additionalModelRequestFields`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TopK {
    None,
    /// `top_k`
    Claude,
    /// `inferenceConfig.topK`
    Nova,
}

/// Bounds for `maxTokens`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MaxTokens {
    pub min: u64,
    /// `None` is not known.
    pub limit: Option<u64>,
}

/// Service tiers beside the default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tiers {
    None,
    Priority,
    PriorityAndFlex,
}

/// Where tokens are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    None,
    /// Bedrock has to say.
    Unknown,
    /// `CountTokens` of bedrock-runtime.
    Runtime,
    /// Anthropic's path of bedrock-mantle only.
    Mantle,
}

/// OpenAI's words for how much to reason, in the order of [`Reasoning::levels`].
pub const WORDS: [&str; 7] = ["none", "minimal", "low", "medium", "high", "xhigh", "max"];
