"""OpenAI's SDK for Python through the gateway, as an application uses it."""

import asyncio
import base64
import json
import time

import openai
import pytest
from pydantic import BaseModel

from conftest import LOCATION, defaults

MESSAGES = [{"role": "user", "content": "What is the weather in Paris?"}]
TEXT = "Hello from the Bedrock stand-in."
PIXEL = base64.b64encode(b"\x89PNG\r\n\x1a\n and more").decode()


def function(name, *parameters):
    schema = {"type": "object", "properties": {one: {"type": "string"} for one in parameters}, "required": list(parameters)}
    return {"type": "function", "function": {"name": name, "description": f"Says the {name}.", "parameters": schema}}


TOOLS = [function("get_weather", "city"), function("get_time", "zone")]


def connect(url, **options):
    """The key is any string: who gets in is nginx's business."""
    return openai.OpenAI(base_url=f"{url}/v1", api_key="any string", **{"max_retries": 0, "timeout": 20, **options})


@pytest.fixture
def client(gateway):
    with connect(gateway.url) as one:
        yield one


def check_log(gateway, operation, tokens, **others):
    log = gateway.next_log()
    assert (log["api"], log["operation"]) == ("openai", operation)
    assert tuple(log[f"{what}_tokens"] for what in ("input", "output", "total")) == tokens
    assert {name: log[name] for name in others} == others
    return log


def tokens(usage):
    return str(usage.prompt_tokens), str(usage.completion_tokens), str(usage.total_tokens)


def test_a_whole_answer(client, gateway, sim):
    answer = client.chat.completions.create(model="any.model", messages=MESSAGES, temperature=0.5, max_completion_tokens=50, user="u-1")
    (choice,) = answer.choices
    assert (answer.object, answer.model) == ("chat.completion", "any.model")
    assert (choice.message.role, choice.message.content, choice.finish_reason) == ("assistant", TEXT, "stop")
    log = check_log(gateway, "converse", tokens(answer.usage), status="200", stop_reason="end_turn")
    assert tokens(answer.usage) == ("25", "12", "37")
    assert answer._request_id == log["request_id"] and answer.id == f"chatcmpl-{log['request_id']}"
    (request,) = sim.requests()
    assert json.loads(request["body"]) == {
        "messages": [{"role": "user", "content": [{"text": MESSAGES[0]["content"]}]}],
        "inferenceConfig": {"maxTokens": 50, "temperature": 0.5},
    }


def test_a_stream(client, gateway):
    chunks = list(client.chat.completions.create(model="any.model", messages=MESSAGES, stream=True))
    assert all(len(chunk.choices) == 1 and chunk.usage is None for chunk in chunks)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == TEXT
    assert [chunk.choices[0].finish_reason for chunk in chunks] == [None] * (len(chunks) - 1) + ["stop"]
    check_log(gateway, "converse_stream", ("25", "12", "37"), stream_status="complete")


@pytest.mark.parametrize("model", ["any.model", "sim.cached"])
def test_a_stream_with_its_usage(client, gateway, model):
    options = {"include_usage": True}
    chunks = list(client.chat.completions.create(model=model, messages=MESSAGES, stream=True, stream_options=options))
    assert all(chunk.usage is None for chunk in chunks[:-1]) and chunks[-1].choices == []
    usage = chunks[-1].usage
    log = gateway.next_log()
    counts = [int(log[f"{what}_tokens"] or 0) for what in ("input", "cache_read", "cache_write")]
    assert usage.prompt_tokens == sum(counts) and usage.completion_tokens == int(log["output_tokens"])
    assert usage.total_tokens == int(log["total_tokens"])
    if model == "sim.cached":
        assert usage.prompt_tokens_details.cached_tokens == int(log["cache_read_tokens"]) == 1000


def test_the_stream_helper(client, gateway):
    with client.chat.completions.stream(model="any.model", messages=MESSAGES, stream_options={"include_usage": True}) as stream:
        events = list(stream)
        answer = stream.get_final_completion()
    assert "".join(event.delta for event in events if event.type == "content.delta") == TEXT
    assert answer.choices[0].message.content == TEXT and answer.choices[0].finish_reason == "stop"
    check_log(gateway, "converse_stream", tokens(answer.usage), stream_status="complete")


def said(client, streamed, **request):
    """The assistant's message, whole or put together from a stream."""
    if not streamed:
        return client.chat.completions.create(**request).choices[0]
    with client.chat.completions.stream(**request) as stream:
        return stream.get_final_completion().choices[0]


STREAMED = pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])


@STREAMED
@pytest.mark.parametrize("model, calls", [("sim.tool", ["get_weather"]), ("sim.tools", ["get_weather", "get_time"])])
def test_tools_there_and_back(client, gateway, sim, model, calls, streamed):
    request = {"model": model, "messages": list(MESSAGES), "tools": TOOLS, "parallel_tool_calls": True}
    choice = said(client, streamed, **request)
    made = choice.message.tool_calls
    assert choice.finish_reason == "tool_calls" and [call.function.name for call in made] == calls
    inputs = {"get_weather": {"city": "Paris"}, "get_time": {"zone": "Europe/Paris"}}
    assert [json.loads(call.function.arguments) for call in made] == [inputs[name] for name in calls]
    operation = "converse_stream" if streamed else "converse"
    check_log(gateway, operation, ("25", "12", "37"), stop_reason="tool_use", tool_calls=str(len(calls)))

    request["messages"].append(choice.message.model_dump(exclude_none=True))
    request["messages"] += [{"role": "tool", "tool_call_id": call.id, "content": f"18 for {call.function.name}"} for call in made]
    choice = said(client, streamed, **request)
    assert choice.finish_reason == "stop" and choice.message.content == "The tool said: 18 for get_weather"
    check_log(gateway, operation, ("25", "12", "37"), stop_reason="end_turn", tool_calls="0")
    user, assistant, results = json.loads(sim.requests()[-1]["body"])["messages"]
    uses = [block["toolUse"] for block in assistant["content"] if "toolUse" in block]
    assert [use["input"] for use in uses] == [inputs[name] for name in calls]
    assert [block["toolResult"]["toolUseId"] for block in results["content"]] == [use["toolUseId"] for use in uses]


def test_an_image(client, gateway, sim):
    parts = [{"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}", "detail": "low"}}]
    client.chat.completions.create(model="any.model", messages=[{"role": "user", "content": parts}])
    (message,) = json.loads(sim.requests()[0]["body"])["messages"]
    assert message["content"] == [{"text": "What is this?"}, {"image": {"format": "png", "source": {"bytes": PIXEL}}}]
    check_log(gateway, "converse", ("25", "12", "37"))


class Weather(BaseModel):
    city: str
    degrees: int


@STREAMED
def test_an_answer_by_a_schema(client, gateway, sim, streamed):
    request = {"model": "us.anthropic.claude-sonnet-4-5-20250929-v1:0.sim.json", "messages": MESSAGES, "response_format": Weather}
    if streamed:
        with client.chat.completions.stream(**request) as stream:
            answer = stream.get_final_completion()
    else:
        answer = client.chat.completions.parse(**request)
    assert answer.choices[0].message.parsed == Weather(city="Paris", degrees=18)
    format = json.loads(sim.requests()[0]["body"])["outputConfig"]["textFormat"]
    schema = json.loads(format["structure"]["jsonSchema"]["schema"])
    assert format["type"] == "json_schema" and schema["required"] == ["city", "degrees"]
    check_log(gateway, "converse_stream" if streamed else "converse", ("25", "12", "37"))


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize(
    "model, error, code",
    [
        ("sim.http-400-validation", openai.BadRequestError, "ValidationException"),
        ("sim.http-403-accessdenied", openai.PermissionDeniedError, "AccessDeniedException"),
        ("sim.http-404-resourcenotfound", openai.NotFoundError, "ResourceNotFoundException"),
        ("sim.throttled", openai.RateLimitError, "ThrottlingException"),
        ("sim.exception", openai.RateLimitError, "ThrottlingException"),
        ("sim.http-500-internalserver", openai.InternalServerError, "InternalServerException"),
        ("sim.http-503-serviceunavailable", openai.InternalServerError, "ServiceUnavailableException"),
    ],
)
def test_errors_are_the_right_ones(client, gateway, model, error, code, stream):
    with pytest.raises(error) as raised:
        client.chat.completions.create(model=model, messages=MESSAGES, stream=stream)
    log = gateway.next_log()
    assert type(raised.value) is error and raised.value.code == code and raised.value.message
    assert raised.value.request_id == log["request_id"]
    assert (log["status"], log["exception"].lower()) == (str(raised.value.status_code), code.lower())
    assert (log["input_tokens"], log["output_tokens"]) == (None, None)


def test_a_wrong_parameter_is_named(client, gateway):
    with pytest.raises(openai.BadRequestError) as raised:
        client.chat.completions.create(model="any.model", messages=MESSAGES, n=2)
    assert raised.value.param == "n"
    assert gateway.next_log()["status"] == "400"


@pytest.mark.parametrize(
    "model, code, status",
    [
        ("sim.exception.at-3", "ThrottlingException", "exception"),
        ("sim.truncated.at-3", "stream_truncated", "truncated"),
        ("sim.reset.at-3", "stream_truncated", "truncated"),
        ("sim.corrupt.at-3", "stream_corrupt", "corrupt"),
    ],
)
def test_a_stream_that_breaks_raises(client, gateway, model, code, status):
    got = []
    with pytest.raises(openai.APIError) as raised:
        for chunk in client.chat.completions.create(model=model, messages=MESSAGES, stream=True):
            got.append(chunk.choices[0].delta.content)
    assert raised.value.code == code and got == ["", "Hello", " from"]
    assert gateway.next_log()["stream_status"] == status


def test_a_retry_waits_as_bedrock_asks(nginx, sim):
    """The first try is throttled with `Retry-After: 1`, which is longer than the SDK would wait of itself."""
    by_try = "map $http_x_stainless_retry_count $model { 0 sim.throttled; default any.model; }"
    gateway = nginx(LOCATION.replace("on;", "on; bedrock_model $model;"), defaults(sim.port) + by_try)
    began = time.monotonic()
    with connect(gateway.url, max_retries=1) as client:
        answer = client.chat.completions.create(model="any", messages=MESSAGES)
    assert answer.choices[0].message.content == TEXT and time.monotonic() - began >= 1
    assert [gateway.next_log()["status"] for _ in range(2)] == ["429", "200"]


def test_many_at_once(gateway):
    """The asynchronous client, streams and whole answers side by side."""

    async def all_of_them():
        async with openai.AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key="any", max_retries=0, timeout=20) as client:

            async def streamed():
                stream = await client.chat.completions.create(model="any.model", messages=MESSAGES, stream=True)
                return "".join([chunk.choices[0].delta.content or "" async for chunk in stream])

            async def whole():
                answer = await client.chat.completions.create(model="any.model", messages=MESSAGES)
                return answer.choices[0].message.content

            return await asyncio.gather(*(one() for one in (streamed, whole) * 10))

    assert asyncio.run(all_of_them()) == [TEXT] * 20
    logs = [gateway.next_log() for _ in range(20)]
    assert {(log["status"], log["input_tokens"], log["output_tokens"]) for log in logs} == {("200", "25", "12")}
    assert sorted(log["operation"] for log in logs) == ["converse"] * 10 + ["converse_stream"] * 10


def test_models(nginx, sim):
    server = LOCATION.replace("on;", "on; bedrock_alias fast any.model; bedrock_alias smart sim.unicode;")
    gateway = nginx(server, defaults(sim.port))
    with connect(gateway.url) as client:
        assert [model.id for model in client.models.list()] == ["fast", "smart"]
        assert client.models.retrieve("fast").id == "fast"
        with pytest.raises(openai.NotFoundError):
            client.models.retrieve("slow")
        assert client.chat.completions.create(model="fast", messages=MESSAGES).model == "fast"
    for _ in range(3):
        assert gateway.next_log()["operation"] == "list_models"
    log = gateway.next_log()
    assert (log["requested_model"], log["model"], log["input_tokens"]) == ("fast", "any.model", "25")
