"""Models of many families, by ids that Bedrock has or might have."""

MODELS = """
    us.anthropic.claude-3-7-sonnet-20250219-v1:0 us.anthropic.claude-sonnet-4-20250514-v1:0
    us.anthropic.claude-sonnet-4-5-20250929-v1:0 us.anthropic.claude-sonnet-4-6 us.anthropic.claude-opus-4-8
    us.anthropic.claude-opus-5 us.anthropic.claude-opus-5-5 us.amazon.nova-pro-v1:0 us.amazon.nova-2-lite-v1:0
    us.meta.llama3-3-70b-instruct-v1:0 us.meta.llama4-maverick-17b-instruct-v1:0 mistral.mistral-large-2402-v1:0
    mistral.mistral-large-3-675b-instruct cohere.command-r-plus-v1:0 ai21.jamba-1-5-large-v1:0 deepseek.v3.2 qwen.qwen3-32b-v1:0
    moonshotai.kimi-k2-thinking us.moonshotai.kimi-k3 minimax.minimax-m2 zai.glm-5 us.zai.glm-5.3 openai.gpt-oss-120b-1:0
    us.openai.gpt-5.6-sol us.openai.gpt-6-astra us.xai.grok-4.6 writer.palmyra-x5-v1:0 google.gemma-3-27b-it
    nvidia.nemotron-nano-9b-v2 acme.some-model
""".split()

# One each of those that differ most.
VARIED = """
    us.anthropic.claude-sonnet-4-5-20250929-v1:0 us.anthropic.claude-opus-5-5 us.amazon.nova-pro-v1:0
    us.meta.llama3-3-70b-instruct-v1:0 mistral.mistral-large-2402-v1:0 cohere.command-r-plus-v1:0 deepseek.v3.2
    moonshotai.kimi-k2-thinking openai.gpt-oss-120b-1:0 us.openai.gpt-6-astra writer.palmyra-x5-v1:0
""".split()

# Of those the ones whose Responses are translated. Those of OpenAI's own models pass to Bedrock's own API as they are, and the
# stand-in has no agent's loop there.
TRANSLATED = [model for model in VARIED if "openai.gpt-6" not in model]

# Of those the ones for which Bedrock's own clients all make requests that Bedrock takes. What they send goes on as it is.
NATIVE = [model for model in VARIED if "anthropic" in model or "amazon" in model]
