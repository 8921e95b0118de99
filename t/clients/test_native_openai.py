"""The openai SDK against Bedrock's own OpenAI paths, which the gateway signs and passes."""

import http.client
import json

import openai
import pytest

from conftest import defaults, openai_client

TEXT = "Hello from the Bedrock stand-in."
MESSAGES = [{"role": "user", "content": "Hello"}]


@pytest.fixture
def native(nginx, sim):
    return nginx("location / { bedrock on; bedrock_api native; proxy_pass http://bedrock; }", defaults(sim.port))


@pytest.fixture
def client(native):
    return openai_client(native.url + "/team-a/openai/v1")


def test_chat(client, native, sim):
    answer = client.chat.completions.create(model="openai.gpt-oss-20b-1:0", messages=MESSAGES)
    assert answer.choices[0].message.content == TEXT
    log = native.next_log()
    assert (log["operation"], log["api"], log["stop_reason"]) == ("openai_chat", "native", "stop")
    assert (log["input_tokens"], log["output_tokens"], log["stream_status"]) == ("25", "12", None)
    (request,) = sim.requests()
    assert (request["target"], request["auth"], request["verdict"]) == ("/openai/v1/chat/completions", "sigv4", "ok")


def test_chat_streamed(client, native):
    stream = client.chat.completions.create(
        model="any.sim.cached", messages=MESSAGES, stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == TEXT
    usage = chunks[-1].usage
    log = native.next_log()
    assert (log["stream_status"], log["stop_reason"], log["tool_calls"]) == ("complete", "stop", "0")
    assert float(log["time_to_first_token"]) >= 0
    assert usage.prompt_tokens == int(log["input_tokens"]) + int(log["cache_read_tokens"]) == 1010
    assert usage.completion_tokens == int(log["output_tokens"]) == 20


def test_a_chat_stream_is_counted_though_the_client_does_not_ask(client, native):
    chunks = list(client.chat.completions.create(model="any.sim.cached", messages=MESSAGES, stream=True))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == TEXT
    log = native.next_log()
    assert (log["stream_status"], log["input_tokens"], log["cache_read_tokens"], log["output_tokens"]) == ("complete", "10", "1000", "20")


def test_chat_tools_streamed(client, native):
    stream = client.chat.completions.create(model="any.sim.tools", messages=MESSAGES, stream=True)
    calls = [call for chunk in stream for call in chunk.choices[0].delta.tool_calls or []]
    assert {call.index for call in calls} == {0, 1}
    assert native.next_log()["tool_calls"] == "2"


def test_responses(client, native):
    answer = client.responses.create(model="any.sim.text", input="Hello")
    assert answer.output_text == TEXT
    log = native.next_log()
    assert (log["operation"], log["stop_reason"], log["total_tokens"]) == ("openai_responses", "completed", "37")


def test_responses_streamed(client, native):
    with client.responses.stream(model="any.sim.tools", input="Hello") as stream:
        kinds = [event.type for event in stream]
        final = stream.get_final_response()
    assert kinds[-1] == "response.completed"
    assert [item.type for item in final.output] == ["message", "function_call", "function_call"]
    log = native.next_log()
    assert (log["stream_status"], log["tool_calls"], log["output_tokens"]) == ("complete", "2", "12")


def test_responses_of_gpt_5_need_no_setting(gateway):
    for prefix in ("/openai/v1", "/v1"):
        client = openai_client(gateway.url + prefix)
        assert client.responses.create(model="openai.gpt-5.4", input="Hello").output_text == TEXT
        log = gateway.next_log()
        assert (log["api"], log["operation"], log["total_tokens"]) == ("responses", "openai_responses", "37")


def test_an_error_in_the_stream_is_raised(client, native):
    stream = client.chat.completions.create(model="any.sim.exception.at-3", messages=MESSAGES, stream=True)
    with pytest.raises(openai.APIError) as raised:
        list(stream)
    assert raised.value.code == "ThrottlingException"
    log = native.next_log()
    assert (log["stream_status"], log["exception"]) == ("exception", "ThrottlingException")


def test_a_stream_that_breaks_is_no_whole_one(client, native):
    """It ends cleanly at Bedrock, in the middle of an event; the SDK would take that for all there is."""
    stream = client.chat.completions.create(model="any.sim.truncated.at-3", messages=MESSAGES, stream=True)
    with pytest.raises(openai.APIConnectionError):
        list(stream)
    assert native.next_log()["stream_status"] == "truncated"


def test_http_errors_have_their_class(client):
    with pytest.raises(openai.RateLimitError):
        client.chat.completions.create(model="any.sim.throttled", messages=MESSAGES)


@pytest.mark.parametrize(
    "path, body",
    [
        ("/openai/v1/chat/completions", {"messages": []}),
        ("/openai/v1/responses", {"input": "Hello"}),
        ("/anthropic/v1/messages", {"messages": [], "max_tokens": 9}),
    ],
)
def test_each_event_leaves_at_once(native, path, body):
    connection = http.client.HTTPConnection("127.0.0.1", native.port, timeout=10)
    body = {"model": "any.sim.stall.at-3", "stream": True, **body}
    connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
    answer = connection.getresponse()
    assert answer.status == 200 and answer.getheader("content-type").startswith("text/event-stream")
    # The stand-in falls silent after three events, and ends nothing.
    lines = []
    while sum(line.startswith(b"data:") for line in lines) < 3:
        lines.append(answer.readline())
    connection.close()
    log = native.next_log()
    assert (log["stream_status"], log["output_tokens"]) == ("aborted", None)
