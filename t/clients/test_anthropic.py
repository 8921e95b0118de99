"""Anthropic's SDK through the gateway, by both routes; and its AnthropicBedrock, which speaks Bedrock's own invoke."""

import json

import anthropic
import pytest

from conftest import KEY_ID, LOCATION, defaults

# The first goes through invoke, the second through Converse.
ROUTES = ["us.anthropic.sim.{}", "amazon.nova-sim.{}"]
MESSAGES = [{"role": "user", "content": "Hello"}]
TOOLS = [{"name": "get_weather", "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}}}]
TEXT = "Hello from the Bedrock stand-in."


@pytest.fixture
def client(gateway):
    return anthropic.Anthropic(base_url=gateway.url, api_key="the client's own", max_retries=0)


@pytest.fixture(params=ROUTES, ids=["invoke", "converse"])
def model(request):
    return request.param.format


def ask(client, model, **options):
    return client.messages.create(model=model, max_tokens=100, messages=MESSAGES, **options)


def test_message(client, gateway, sim, model):
    message = ask(client, model("text"), system="Be brief.")
    assert [block.text for block in message.content] == [TEXT]
    assert (message.role, message.stop_reason, message.stop_sequence) == ("assistant", "end_turn", None)
    assert (message.usage.input_tokens, message.usage.output_tokens) == (25, 12)
    log = gateway.next_log()
    assert (log["api"], log["input_tokens"], log["output_tokens"]) == ("anthropic", "25", "12")
    assert message._request_id == log["request_id"]
    (request,) = sim.requests()
    assert request["key_id"] == KEY_ID
    names = {name.lower() for name, _ in request["headers"]}
    assert not {name for name in names if name.startswith(("anthropic-", "x-stainless-", "x-api-key"))}, names
    assert "the client's own" not in json.dumps(request)


def test_stream(client, gateway, model):
    events = list(ask(client, model("text"), stream=True))
    kinds = [event.type for event in events if event.type != "ping"]
    assert kinds[:3] == ["message_start", "content_block_start", "content_block_delta"]
    assert kinds[-3:] == ["content_block_stop", "message_delta", "message_stop"]
    assert "".join(event.delta.text for event in events if event.type == "content_block_delta") == TEXT
    assert "invocationMetrics" not in "".join(event.to_json() for event in events)
    log = gateway.next_log()
    assert (log["stream_status"], log["input_tokens"], log["output_tokens"]) == ("complete", "25", "12")


def test_stream_helper(client, model):
    with client.messages.stream(model=model("unicode"), max_tokens=100, messages=MESSAGES) as stream:
        text = "".join(stream.text_stream)
        message = stream.get_final_message()
    assert text == message.content[0].text and "😀🎉" in text
    assert (message.stop_reason, message.usage.output_tokens) == ("end_turn", 12)


def test_cached_tokens(client, gateway, model):
    with client.messages.stream(model=model("cached"), max_tokens=100, messages=MESSAGES) as stream:
        usage = stream.get_final_message().usage
    assert (usage.input_tokens, usage.output_tokens) == (10, 20)
    assert (usage.cache_read_input_tokens, usage.cache_creation_input_tokens) == (1000, 200)
    log = gateway.next_log()
    assert [log[f"{name}_tokens"] for name in ("input", "output", "cache_read", "cache_write")] == ["10", "20", "1000", "200"]


def test_tools_there_and_back(client, gateway, model):
    question = dict(model=model("tool"), max_tokens=100, tools=TOOLS)
    with client.messages.stream(messages=MESSAGES, **question) as stream:
        message = stream.get_final_message()
    (call,) = message.content
    assert (message.stop_reason, call.name, call.input) == ("tool_use", "get_weather", {"city": "Paris"})
    assert gateway.next_log()["tool_calls"] == "1"
    result = {"type": "tool_result", "tool_use_id": call.id, "content": [{"type": "text", "text": "18 degrees"}]}
    turns = [*MESSAGES, {"role": "assistant", "content": message.content}, {"role": "user", "content": [result]}]
    answer = client.messages.create(messages=turns, **question)
    assert answer.content[0].text == "The tool said: 18 degrees"


def test_parallel_tools(client, model):
    with client.messages.stream(model=model("tools"), max_tokens=100, messages=MESSAGES, tools=TOOLS) as stream:
        message = stream.get_final_message()
    assert [block.type for block in message.content] == ["text", "tool_use", "tool_use"]
    assert [block.input for block in message.content[1:]] == [{"city": "Paris"}, {"zone": "Europe/Paris"}]


@pytest.mark.parametrize("via", ["invoke", "converse"])
def test_thinking_there_and_back(nginx, sim, via):
    gateway = nginx(f"location / {{ bedrock on; bedrock_anthropic_via {via}; proxy_pass http://bedrock; }}", defaults(sim.port))
    client = anthropic.Anthropic(base_url=gateway.url, api_key="x", max_retries=0)
    thinking = {"type": "enabled", "budget_tokens": 1024}
    model = "us.anthropic.claude-sonnet-4-5-20250929-v1:0.sim.reasoning"
    question = dict(model=model, max_tokens=2000, thinking=thinking)
    with client.messages.stream(messages=MESSAGES, **question) as stream:
        message = stream.get_final_message()
    thought, text = message.content
    assert (thought.type, thought.thinking, text.text) == ("thinking", "The user greets me; so do I.", TEXT)
    sim.clear()
    turns = [*MESSAGES, {"role": "assistant", "content": message.content}, *MESSAGES]
    answer = client.messages.create(messages=turns, **question)
    assert answer.content[0].signature == thought.signature
    (request,) = sim.requests()
    assert request["body"].count(thought.signature) == 1


def test_stop_sequence(client, model):
    message = ask(client, model("stop-sequence"), stop_sequences=["END"])
    assert message.stop_reason == "stop_sequence"


def test_count_tokens(client, gateway):
    count = client.messages.count_tokens(model="us.anthropic.claude-sonnet-4-6", messages=MESSAGES, system="Be brief.", tools=TOOLS)
    assert count.input_tokens == 42
    log = gateway.next_log()
    assert (log["operation"], log["input_tokens"], log["output_tokens"]) == ("count_tokens", "42", None)


def test_count_tokens_where_there_is_no_counting(client):
    with pytest.raises(anthropic.BadRequestError):
        client.messages.count_tokens(model="amazon.nova-lite-v1:0", messages=MESSAGES)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    "script,error,status",
    [
        ("throttled", anthropic.RateLimitError, 429),
        ("http-400-validation", anthropic.BadRequestError, 400),
        ("http-403-accessdenied", anthropic.PermissionDeniedError, 403),
        ("http-404-resourcenotfound", anthropic.NotFoundError, 404),
        ("http-500-internalserver", anthropic.InternalServerError, 500),
    ],
)
def test_errors(client, gateway, model, stream, script, error, status):
    with pytest.raises(error) as raised:
        ask(client, model(script), stream=stream)
    assert raised.value.status_code == status
    assert raised.value.body["type"] == "error"
    assert raised.value.body["request_id"] == raised.value.request_id == gateway.next_log()["request_id"]


def test_an_exception_as_the_first_event_is_an_error_of_its_own(client, model):
    with pytest.raises(anthropic.RateLimitError):
        ask(client, model("exception"), stream=True)


@pytest.mark.parametrize(
    "script,kind",
    [("exception.at-3", "rate_limit_error"), ("truncated.at-4", "api_error"), ("corrupt.at-4", "api_error"), ("reset.at-4", "api_error")],
)
def test_a_stream_that_fails_raises(client, gateway, model, script, kind):
    stream = ask(client, model(script), stream=True)
    with pytest.raises(anthropic.APIStatusError) as raised:
        for event in stream:
            assert event.type != "message_stop"
    assert raised.value.body["error"]["type"] == kind
    assert gateway.next_log()["stream_status"] in ("exception", "truncated", "corrupt")


def test_a_parameter_that_is_wrong(client, sim):
    with pytest.raises(anthropic.BadRequestError, match=r"messages\[0\]\.content\[0\]\.source\.type"):
        image = {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}}
        client.messages.create(model="amazon.nova-lite-v1:0", max_tokens=9, messages=[{"role": "user", "content": [image]}])
    assert not sim.requests()


def test_beta(client, sim):
    client.beta.messages.create(
        model="us.anthropic.claude-sonnet-4-6", max_tokens=9, messages=MESSAGES, betas=["context-1m-2025-08-07", "compact-2026-01-12"]
    )
    (request,) = sim.requests()
    assert request["target"] == "/model/us.anthropic.claude-sonnet-4-6/invoke"
    assert json.loads(request["body"])["anthropic_beta"] == ["context-1m-2025-08-07", "compact-2026-01-12"]


def test_models_by_the_names_of_the_shipped_file(nginx, sim):
    from conftest import ROOT

    location = f"location / {{ bedrock on; include {ROOT}/nginx-conf/claude_models; proxy_pass http://bedrock; }}"
    gateway = nginx(location, defaults(sim.port))
    client = anthropic.Anthropic(base_url=gateway.url, api_key="x", max_retries=0)
    names = [model.id for model in client.models.list()]
    assert "claude-sonnet-4-5" in names and "claude-haiku-4-5" in names
    assert client.models.retrieve("claude-sonnet-4-5").id == "claude-sonnet-4-5"
    with pytest.raises(anthropic.NotFoundError):
        client.models.retrieve("claude-1")
    for name in names:
        assert client.messages.create(model=name, max_tokens=9, messages=MESSAGES).content[0].text == TEXT
    for request in sim.requests():
        assert request["target"].startswith("/model/us.anthropic.claude-"), request["target"]


@pytest.fixture
def bedrock_sdk(gateway):
    return anthropic.AnthropicBedrock(
        base_url=gateway.url,
        aws_region="us-west-2",
        aws_access_key="CLIENT",
        aws_secret_key="the client's own secret",
        max_retries=0,
    )


def test_anthropic_bedrock(bedrock_sdk, gateway, sim):
    message = ask(bedrock_sdk, "us.anthropic.sim.text")
    assert message.content[0].text == TEXT
    log = gateway.next_log()
    assert (log["api"], log["operation"], log["input_tokens"], log["output_tokens"]) == ("native", "invoke", "25", "12")
    assert sim.requests()[0]["key_id"] == KEY_ID


def test_anthropic_bedrock_streamed(bedrock_sdk, gateway):
    with bedrock_sdk.messages.stream(model="anthropic.sim.cached", max_tokens=9, messages=MESSAGES) as stream:
        message = stream.get_final_message()
    assert message.content[0].text == TEXT
    log = gateway.next_log()
    assert (log["operation"], log["stream_status"], log["stop_reason"]) == ("invoke_stream", "complete", "end_turn")
    assert [log[f"{name}_tokens"] for name in ("input", "output", "cache_read", "cache_write")] == ["10", "20", "1000", "200"]


def test_anthropic_bedrock_errors(bedrock_sdk):
    with pytest.raises(anthropic.RateLimitError):
        ask(bedrock_sdk, "anthropic.sim.throttled")
    with pytest.raises(anthropic.APIError):
        list(ask(bedrock_sdk, "anthropic.sim.exception.at-3", stream=True))
