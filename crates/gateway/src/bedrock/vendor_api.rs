//! The APIs of OpenAI and Anthropic that the service itself has, in these vendors' own formats. The model stands in the
//! body, and streams are server-sent events.
//! <https://docs.aws.amazon.com/bedrock/latest/userguide/inference-chat-completions.html>

use super::Operation;

/// One of these APIs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VendorApi {
    /// OpenAI's Chat Completions: `POST /openai/v1/chat/completions`
    OpenAiChat,
    /// OpenAI's Responses: `POST /openai/v1/responses`
    OpenAiResponses,
    /// How many tokens a response's input has: `POST /openai/v1/responses/input_tokens`
    OpenAiInputTokens,
    /// Anthropic's Messages: `POST /anthropic/v1/messages`
    AnthropicMessages,
    /// How many tokens a message has: `POST /anthropic/v1/messages/count_tokens`
    AnthropicCountTokens,
}

impl VendorApi {
    const ALL: [Self; 5] = [
        Self::OpenAiChat,
        Self::OpenAiResponses,
        Self::OpenAiInputTokens,
        Self::AnthropicMessages,
        Self::AnthropicCountTokens,
    ];

    /// The API that a path (without query) is of, whatever stands before Bedrock's own path.
    pub fn of_path(path: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|api| path.ends_with(api.path()))
    }

    /// The same where the vendor's name may be missing before the version, as in the paths of bedrock-mantle, and of the
    /// vendors themselves.
    pub fn of_mantle_path(path: &str) -> Option<Self> {
        let path = path.strip_suffix('/').unwrap_or(path);
        Self::ALL
            .into_iter()
            .find(|api| path.ends_with(api.path_from_version()))
    }

    /// The path without the vendor's name: `/v1/…`
    pub fn path_from_version(self) -> &'static str {
        let path = self.path();
        path.find("/v1/")
            .and_then(|at| path.get(at..))
            .unwrap_or_default()
    }

    /// Whether tokens are counted, and none generated.
    pub fn counts(self) -> bool {
        matches!(self, Self::OpenAiInputTokens | Self::AnthropicCountTokens)
    }

    /// The path at Bedrock.
    pub fn path(self) -> &'static str {
        match self {
            Self::OpenAiChat => "/openai/v1/chat/completions",
            Self::OpenAiResponses => "/openai/v1/responses",
            Self::OpenAiInputTokens => "/openai/v1/responses/input_tokens",
            Self::AnthropicMessages => "/anthropic/v1/messages",
            Self::AnthropicCountTokens => "/anthropic/v1/messages/count_tokens",
        }
    }

    /// The word in `$bedrock_operation`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OpenAiChat => "openai_chat",
            Self::OpenAiResponses => "openai_responses",
            Self::AnthropicMessages => "anthropic_messages",
            Self::OpenAiInputTokens | Self::AnthropicCountTokens => "count_tokens",
        }
    }

    /// What a request is, by whether its body asks for a stream.
    pub fn operation(self) -> fn(bool) -> Operation {
        match self {
            Self::OpenAiChat => |stream| Operation::VendorApi {
                api: Self::OpenAiChat,
                stream,
            },
            Self::OpenAiResponses => |stream| Operation::VendorApi {
                api: Self::OpenAiResponses,
                stream,
            },
            Self::AnthropicMessages => |stream| Operation::VendorApi {
                api: Self::AnthropicMessages,
                stream,
            },
            Self::OpenAiInputTokens => |_| Operation::VendorApi {
                api: Self::OpenAiInputTokens,
                stream: false,
            },
            Self::AnthropicCountTokens => |_| Operation::VendorApi {
                api: Self::AnthropicCountTokens,
                stream: false,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_shows_the_api_behind_any_prefix() {
        for api in VendorApi::ALL {
            for prefix in ["", "/team-a", "/model/x", "/openai/v1"] {
                let path = format!("{prefix}{}", api.path());
                assert_eq!(VendorApi::of_path(&path), Some(api), "{path}");
            }
            let path = api.path();
            for other in [
                &path[1..],
                &format!("/x{}", &path[1..]),
                &format!("{path}s"),
                &format!("{path}/"),
            ] {
                assert_eq!(VendorApi::of_path(other), None, "{other}");
            }
        }
        for other in ["/v1/chat/completions", "/v1/messages", "/openai/v1/models"] {
            assert_eq!(VendorApi::of_path(other), None);
        }
    }
}
