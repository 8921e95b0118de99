//! Whole answers: JSON that passes as it is while what it says of usage is read.

use crate::bedrock::event::SERVERS;
use crate::bedrock::exception;
use crate::bedrock::openai::is_call;
use crate::bedrock::usage::{Metrics, Usage, keep, reasoning_in};
use crate::bedrock::verdict::is_of_errors;
use crate::bedrock::{Operation, VendorApi};
use crate::facts::Facts;
use crate::json::tap::{Listener, Tap};

/// Reads an answer that passes by.
#[derive(Debug)]
pub struct Observer {
    operation: Operation,
    /// Whether the answer is an error: only then `__type` is an exception, and not a model's own word; and nothing that it
    /// counts was spent.
    failed: bool,
    /// Whether a member of the whole has passed that no error has.
    is_models: bool,
    /// What any other operation spent.
    spent: Spent,
    tap: Tap,
    response_text: usize,
}

impl Observer {
    /// For an answer to `operation`, `failed` or good, keeping at most `response_text` bytes of text.
    pub fn new(operation: Operation, failed: bool, response_text: usize) -> Self {
        Self {
            operation,
            failed,
            is_models: false,
            spent: Spent::default(),
            tap: Tap::new(VALUE_LIMIT.max(response_text)),
            response_text,
        }
    }

    /// The same, where what the answer to any [`Operation::Other`] says of usage `is_new`, so that it was not told before.
    pub fn with_usage_that_is(mut self, is_new: bool) -> Self {
        self.spent.is_new = is_new;
        self
    }

    /// Takes the next bytes of the body.
    pub fn push(&mut self, bytes: &[u8], facts: &mut Facts) {
        let mut listener = Heard {
            operation: self.operation,
            failed: self.failed,
            is_models: &mut self.is_models,
            spent: &mut self.spent,
            response_text: self.response_text,
            facts,
        };
        self.tap.push(bytes, &mut listener);
    }

    /// Whether a member has passed that no error has, so that this is what was asked for.
    pub fn is_models(&self) -> bool {
        self.is_models
    }
}

/// The usage in an answer to any other operation: a stored response repeats what was told when it was made, unless that was in
/// the background.
#[derive(Debug, Default)]
struct Spent {
    is_new: bool,
    /// What was said before it is known whether that is new.
    said: Option<Usage>,
}

impl Spent {
    fn is_new(&mut self, facts: &mut Facts) {
        self.is_new = true;
        self.tell(facts);
    }

    fn said(&mut self, usage: Option<Usage>, facts: &mut Facts) {
        self.said = usage;
        self.tell(facts);
    }

    fn tell(&mut self, facts: &mut Facts) {
        if self.is_new
            && let Some(usage) = self.said.take()
        {
            usage.tell(facts);
        }
    }
}

/// A member that says something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Member {
    /// The exception's name, in an error.
    Exception,
    /// The blocks of content, if this answer has such.
    Blocks,
    /// A tool-use block.
    ToolUse,
    /// Of a tool-use block, who makes the call.
    ToolUseType,
    /// Of a block, what it is.
    BlockType,
    Text,
    StopReason,
    /// How an answer ended, unless something says why.
    Status,
    Usage,
    Metrics,
    InputTokens,
    OutputTokens,
    SearchUnits,
    ServiceTier,
    /// What a prompt router chose.
    InvokedModel,
    /// A guardrail has looked at it.
    GuardrailTrace,
    /// What it did.
    GuardrailAction,
    /// Converse's `additionalModelResponseFields`.
    ModelsFields,
    /// Of a stored response, whether it was made in the background.
    Background,
    /// Of any other operation.
    PerhapsUsage,
}

impl Member {
    /// What stands at this path of an answer.
    fn at(operation: Operation, path: &str) -> Option<Self> {
        match (operation, path) {
            (_, "__type") => Some(Self::Exception),
            (Operation::VendorApi { api, .. }, _) => Self::of_vendor_api(api, path),
            (Operation::CountTokens, "inputTokens") => Some(Self::InputTokens),
            (Operation::ApplyGuardrail, "action")
            | (Operation::Invoke, "amazon-bedrock-guardrailAction") => Some(Self::GuardrailAction),
            (Operation::Other, "background") => Some(Self::Background),
            (Operation::Other, "usage") => Some(Self::PerhapsUsage),
            (Operation::Converse, _) => Self::of_converse(path),
            // Nova answers an invoke as it does Converse; no other vendor has these names.
            (Operation::Invoke, _) => Self::of_converse(path).or_else(|| Self::of_vendors(path)),
            _ => None,
        }
    }

    fn of_converse(path: &str) -> Option<Self> {
        match path {
            "output.message.content" => Some(Self::Blocks),
            "output.message.content.toolUse" => Some(Self::ToolUse),
            "output.message.content.toolUse.type" => Some(Self::ToolUseType),
            "output.message.content.text" => Some(Self::Text),
            "stopReason" => Some(Self::StopReason),
            "usage" => Some(Self::Usage),
            "metrics" => Some(Self::Metrics),
            "serviceTier.type" => Some(Self::ServiceTier),
            "trace.promptRouter.invokedModelId" => Some(Self::InvokedModel),
            "trace.guardrail" => Some(Self::GuardrailTrace),
            "additionalModelResponseFields" => Some(Self::ModelsFields),
            _ => None,
        }
    }

    fn of_vendor_api(api: VendorApi, path: &str) -> Option<Self> {
        match (api, path) {
            (VendorApi::OpenAiInputTokens | VendorApi::AnthropicCountTokens, "input_tokens") => {
                Some(Self::InputTokens)
            }
            (_, "usage") => Some(Self::Usage),
            (VendorApi::OpenAiChat | VendorApi::OpenAiResponses, "service_tier") => {
                Some(Self::ServiceTier)
            }
            (_, "error.type" | "error.code") => Some(Self::Exception),
            (VendorApi::OpenAiChat, "choices") => Some(Self::Blocks),
            (VendorApi::OpenAiChat, "choices.message.tool_calls.id") => Some(Self::ToolUse),
            (VendorApi::OpenAiChat | VendorApi::AnthropicMessages, _) => Self::of_vendors(path),
            (VendorApi::OpenAiResponses, "output") => Some(Self::Blocks),
            (VendorApi::OpenAiResponses, "output.type") => Some(Self::BlockType),
            (VendorApi::OpenAiResponses, "output.content.text") => Some(Self::Text),
            (VendorApi::OpenAiResponses, "status") => Some(Self::Status),
            (VendorApi::OpenAiResponses, "incomplete_details.reason") => Some(Self::StopReason),
            _ => None,
        }
    }

    fn of_vendors(path: &str) -> Option<Self> {
        match path {
            // Anthropic; "stop_reason" is Llama's, too.
            "content" => Some(Self::Blocks),
            "content.type" => Some(Self::BlockType),
            "content.text" => Some(Self::Text),
            "stop_reason" => Some(Self::StopReason),
            // Titan
            "results.outputText" => Some(Self::Text),
            "results.completionReason" => Some(Self::StopReason),
            "inputTextTokenCount" => Some(Self::InputTokens),
            "results.tokenCount" => Some(Self::OutputTokens),
            // Llama
            "generation" => Some(Self::Text),
            "prompt_token_count" => Some(Self::InputTokens),
            "generation_token_count" => Some(Self::OutputTokens),
            // Mistral, in both its forms
            "outputs.text" | "choices.message.content" => Some(Self::Text),
            "outputs.stop_reason" | "choices.stop_reason" | "choices.finish_reason" => {
                Some(Self::StopReason)
            }
            // Cohere
            "text" => Some(Self::Text),
            "finish_reason" => Some(Self::StopReason),
            "meta.billed_units.search_units" => Some(Self::SearchUnits),
            _ => None,
        }
    }
}

struct Heard<'f> {
    operation: Operation,
    failed: bool,
    is_models: &'f mut bool,
    spent: &'f mut Spent,
    response_text: usize,
    facts: &'f mut Facts,
}

impl Listener for Heard<'_> {
    fn wants(&mut self, path: &str) -> bool {
        if !*self.is_models {
            *self.is_models = !path.contains('.') && !is_of_errors(path);
        }
        match Member::at(self.operation, path) {
            None => false,
            Some(member) if self.failed && member != Member::Exception => false,
            Some(Member::Exception) => {
                // A member of a vendor's own API says it in a good answer, too: a response that failed.
                (self.failed || path != "__type") && self.facts.exception.is_none()
            }
            Some(Member::Blocks) => {
                self.facts.tool_calls.get_or_insert(0);
                false
            }
            Some(Member::ToolUse) => {
                self.facts.count_tool_call();
                false
            }
            Some(Member::GuardrailTrace) => {
                self.facts.guardrail(false);
                false
            }
            Some(Member::Text) => self.response_text > 0,
            Some(_) => true,
        }
    }

    fn value(&mut self, path: &str, text: &[u8], whole: bool) {
        let Some(member) = Member::at(self.operation, path) else {
            return;
        };
        let facts = &mut *self.facts;
        match member {
            Member::Text => {
                facts.keep_text(&beginning_of_string(text, whole), self.response_text);
            }
            _ if !whole => {}
            Member::Background if text == b"true" => self.spent.is_new(facts),
            Member::Background => {}
            Member::PerhapsUsage => {
                let usage = Usage::read(&String::from_utf8_lossy(text));
                self.spent.said(usage, facts);
            }
            Member::Usage => {
                if let Some(usage) = Usage::read(&String::from_utf8_lossy(text)) {
                    usage.tell(facts);
                }
            }
            Member::Metrics => {
                if let Ok(metrics) = serde_json::from_slice::<Metrics>(text) {
                    metrics.tell(facts);
                }
            }
            Member::BlockType => {
                let is_tool = |kind: String| kind == "tool_use" || is_call(&kind);
                if serde_json::from_slice(text).is_ok_and(is_tool) {
                    facts.count_tool_call();
                }
            }
            Member::ToolUseType => {
                // It has been counted, and is none for the client.
                if serde_json::from_slice::<String>(text).is_ok_and(|kind| kind == SERVERS) {
                    facts.tool_calls = facts.tool_calls.map(|calls| calls.saturating_sub(1));
                }
            }
            Member::StopReason => facts.stopped(serde_json::from_slice(text).ok()),
            Member::ServiceTier => keep(&mut facts.service_tier, serde_json::from_slice(text).ok()),
            Member::InvokedModel => {
                keep(&mut facts.invoked_model, serde_json::from_slice(text).ok());
            }
            Member::GuardrailAction => {
                if let Ok(action) = serde_json::from_slice::<String>(text) {
                    facts.guardrail(action != "NONE");
                }
            }
            Member::ModelsFields => {
                let reasoning = reasoning_in(&String::from_utf8_lossy(text));
                keep(&mut facts.reasoning_tokens, reasoning);
            }
            Member::Status => {
                if facts.stop_reason.is_none() {
                    facts.stop_reason = serde_json::from_slice(text).ok();
                }
            }
            Member::InputTokens => keep(&mut facts.input_tokens, serde_json::from_slice(text).ok()),
            Member::OutputTokens => {
                keep(&mut facts.output_tokens, serde_json::from_slice(text).ok());
            }
            Member::SearchUnits => keep(&mut facts.search_units, serde_json::from_slice(text).ok()),
            Member::Exception => {
                facts.exception = serde_json::from_slice::<String>(text)
                    .ok()
                    .map(|name| exception::bare_name(&name).to_owned());
            }
            // Counted as they come.
            Member::Blocks | Member::ToolUse | Member::GuardrailTrace => {}
        }
    }
}

/// The text of a JSON string of which perhaps only the beginning is there.
fn beginning_of_string(json: &[u8], whole: bool) -> String {
    if whole {
        return serde_json::from_slice(json).unwrap_or_default();
    }
    // The cut may have gone through a character, an escape, or a pair of escapes.
    let valid = json.utf8_chunks().next().map_or("", |chunk| chunk.valid());
    let mut valid = valid.to_owned();
    for _ in 0..3 {
        let closed = format!("{valid}\"");
        if let Ok(text) = serde_json::from_str(&closed) {
            return text;
        }
        valid.truncate(valid.rfind('\\').unwrap_or(0));
    }
    String::new()
}

/// Usage with all its details is a few hundred bytes.
const VALUE_LIMIT: usize = 64 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(operation: Operation, json: &str, keep: usize) -> Facts {
        let whole = observed(operation, json, keep, json.len().max(1));
        for cut in 1..20 {
            assert_eq!(observed(operation, json, keep, cut), whole);
        }
        whole
    }

    fn observed(operation: Operation, json: &str, keep: usize, cut: usize) -> Facts {
        let failed = json.contains("__type");
        let mut observer = Observer::new(operation, failed, keep);
        let mut facts = Facts::default();
        for piece in json.as_bytes().chunks(cut) {
            observer.push(piece, &mut facts);
        }
        facts
    }

    #[test]
    fn a_converse_answer_tells_its_usage_tools_and_text() {
        let json = r#"{"metrics":{"latencyMs":551},"output":{"message":{"content":[{"text":"Hi \ud83e\udd80!"},{"toolUse":{"name":"a",
            "input":{"usage":{"inputTokens":9}},"toolUseId":"t"}},{"toolUse":{"input":{}}}],"role":"assistant"}},
            "stopReason":"tool_use","usage":{"inputTokens":12,"outputTokens":34,"totalTokens":46}}"#;
        let facts = facts(Operation::Converse, json, 8);
        assert_eq!(facts.input_tokens, Some(12));
        assert_eq!(facts.output_tokens, Some(34));
        assert_eq!(facts.latency_ms, Some(551));
        assert_eq!(facts.stop_reason.as_deref(), Some("tool_use"));
        assert_eq!(facts.tool_calls, Some(2));
        assert_eq!(facts.response_text, "Hi 🦀!");
    }

    #[test]
    fn counts_are_read_beside_what_is_no_unicode() {
        let mut observer = Observer::new(Operation::Converse, false, 0);
        let mut facts = Facts::default();
        let json = b"{\"usage\":{\"new\":\"\xff\",\"inputTokens\":12}}";
        observer.push(json, &mut facts);
        assert_eq!(facts.input_tokens, Some(12));
    }

    #[test]
    fn long_text_is_cut_at_a_character() {
        let text = "a\\\\\\u00e9\\ud83e\\udd80".repeat(2000);
        let json = format!(r#"{{"output":{{"message":{{"content":[{{"text":"{text}"}}]}}}}}}"#);
        for keep in 5000..5030 {
            let facts = observed(Operation::Converse, &json, keep, 1000);
            assert!(!facts.response_text.is_empty());
            assert!("a\\é🦀".repeat(2000).starts_with(&facts.response_text));
        }
    }

    #[test]
    fn other_operations_and_strange_bodies() {
        assert_eq!(
            facts(Operation::CountTokens, r#"{"inputTokens":42}"#, 0).input_tokens,
            Some(42)
        );
        assert_eq!(
            facts(
                Operation::Invoke,
                r#"{"__type":"com.amazon#ThrottlingException","message":"x"}"#,
                0
            )
            .exception
            .as_deref(),
            Some("ThrottlingException")
        );
        for json in [
            "",
            "<html>",
            "[]",
            r#"{"usage":[]}"#,
            r#"{"usage":{"inputTokens":{}}}"#,
            r#"{"stopReason":7}"#,
        ] {
            assert_eq!(
                facts(Operation::Converse, json, 10),
                Facts::default(),
                "{json}"
            );
        }
    }
}
