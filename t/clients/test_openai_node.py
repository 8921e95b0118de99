"""OpenAI's SDK for Node through the gateway; the calls are in node/openai.mjs."""

import pytest

from conftest import LOCATION, defaults
from node_process import Node

TEXT = "Hello from the Bedrock stand-in."


@pytest.fixture(scope="module")
def node():
    """One process for all calls."""
    program = Node("openai.mjs")
    yield program
    program.close()


@pytest.fixture
def call(node):
    return lambda scenario, gateway, model="": node.call(scenario=scenario, url=f"{gateway.url}/v1", model=model)


def check_log(gateway, operation, api="openai", **others):
    log = gateway.next_log()
    assert (log["api"], log["operation"], log["status"]) == (api, operation, "200")
    assert (log["input_tokens"], log["output_tokens"], log["total_tokens"]) == ("25", "12", "37")
    assert {name: log[name] for name in others} == others
    return log


USAGE = {"prompt_tokens": 25, "completion_tokens": 12, "total_tokens": 37}


def test_a_whole_answer(call, gateway):
    seen = call("plain", gateway, "any.model")
    log = check_log(gateway, "converse")
    assert seen == {"text": TEXT, "finish": "stop", "usage": USAGE, "request_id": log["request_id"]}


def test_a_stream(call, gateway):
    assert call("stream", gateway, "any.model") == {"text": TEXT, "finish": ["stop"], "usage": USAGE}
    check_log(gateway, "converse_stream", stream_status="complete")


def test_a_loop_of_tools(call, gateway, sim):
    seen = call("tools", gateway, "sim.tool")
    assert seen == {"text": "The tool said: 18 in Paris", "called": [{"city": "Paris"}]}
    check_log(gateway, "converse_stream", stop_reason="tool_use", tool_calls="1")
    check_log(gateway, "converse_stream", stop_reason="end_turn", tool_calls="0")
    assert len(sim.requests()) == 2


@pytest.mark.parametrize(
    "scenario, model, error, status, code",
    [
        ("plain", "sim.throttled", "RateLimitError", 429, "ThrottlingException"),
        ("stream", "sim.exception", "RateLimitError", 429, "ThrottlingException"),
        ("plain", "sim.http-400-validation", "BadRequestError", 400, "ValidationException"),
        ("stream", "sim.exception.at-3", "APIError", None, "ThrottlingException"),
        ("stream", "sim.truncated.at-3", "APIError", None, "stream_truncated"),
    ],
)
def test_errors_are_the_right_ones(call, gateway, scenario, model, error, status, code):
    seen = call(scenario, gateway, model)
    assert (seen["error"], seen.get("status"), seen["code"]) == (error, status, code)
    log = gateway.next_log()
    assert log["status"] == str(status or 200) and log["input_tokens"] is None


def test_models(call, nginx, sim):
    gateway = nginx(LOCATION.replace("on;", "on; bedrock_alias fast any.model; bedrock_alias smart b.model;"), defaults(sim.port))
    assert call("models", gateway) == {"ids": ["fast", "smart"], "one": "fast"}
    assert [gateway.next_log()["operation"] for _ in range(2)] == ["list_models"] * 2


def test_a_response(call, gateway):
    seen = call("response", gateway, "any.model")
    log = check_log(gateway, "converse", "responses")
    assert seen == {"text": TEXT, "status": "completed", "usage": 37, "request_id": log["request_id"]}


@pytest.mark.parametrize("model", ["any.model", "sim.reasoning"])
def test_a_response_in_a_stream(call, gateway, model):
    seen = call("response_stream", gateway, model)
    assert seen["text"] == seen["final"] == TEXT and seen["status"] == "completed"
    assert seen["kinds"][0] == "response.created" and seen["kinds"][-1] == "response.completed"
    assert ("response.reasoning_summary_text.delta" in seen["kinds"]) == (model == "sim.reasoning")
    check_log(gateway, "converse_stream", "responses", stream_status="complete")


def test_a_response_with_tools_there_and_back(call, gateway):
    assert call("response_tools", gateway, "sim.tool") == {"text": "The tool said: 18 in Paris", "called": [{"city": "Paris"}]}
    check_log(gateway, "converse", "responses", tool_calls="1")
    check_log(gateway, "converse", "responses", tool_calls="0")


def test_a_response_that_breaks(call, gateway):
    assert call("response_broken", gateway, "sim.exception.at-3") == {"last": "response.failed", "thrown": True}
    assert gateway.next_log()["exception"] == "throttlingException"
