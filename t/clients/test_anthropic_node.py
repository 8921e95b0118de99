"""Anthropic's SDK for Node through the gateway; the calls are in node/anthropic.mjs."""

import json

import pytest

from conftest import ROOT, defaults
from node_process import Node

# The first goes through invoke, the second through Converse.
ROUTES = ["us.anthropic.sim.{}", "amazon.nova-sim.{}"]
TEXT = "Hello from the Bedrock stand-in."


@pytest.fixture(scope="module")
def node():
    program = Node("anthropic.mjs")
    yield program
    program.close()


@pytest.fixture
def call(node):
    return lambda gateway, scenario, model=None: node.call(scenario=scenario, url=gateway.url, model=model)


@pytest.fixture(params=ROUTES, ids=["invoke", "converse"])
def model(request):
    return request.param.format


def test_plain(call, gateway, model):
    seen = call(gateway, "plain", model("text"))
    log = gateway.next_log()
    assert (seen["text"], seen["stop"], seen["request_id"]) == (TEXT, "end_turn", log["request_id"])
    assert (seen["usage"]["input_tokens"], seen["usage"]["output_tokens"]) == (25, 12)
    assert (log["input_tokens"], log["output_tokens"]) == ("25", "12")


def test_stream(call, gateway, model):
    kinds = call(gateway, "stream", model("text"))["kinds"]
    assert kinds[0] == "message_start" and kinds[-2:] == ["message_delta", "message_stop"]
    log = gateway.next_log()
    assert (log["stream_status"], log["input_tokens"], log["output_tokens"]) == ("complete", "25", "12")


def test_stream_helper(call, gateway, model):
    seen = call(gateway, "helper", model("tools"))
    assert seen["text"] == "I will look."
    assert [block.get("input") for block in seen["content"]] == [None, {"city": "Paris"}, {"zone": "Europe/Paris"}]
    assert (seen["stop"], seen["usage"]["output_tokens"]) == ("tool_use", 12)


def test_tools_there_and_back(call, gateway, model):
    assert call(gateway, "tools", model("tool")) == {"text": "The tool said: 18 in Paris", "input": {"city": "Paris"}}


def test_count(call, gateway):
    assert call(gateway, "count", "us.anthropic.claude-sonnet-4-6")["input_tokens"] == 42


@pytest.mark.parametrize(
    "script,error,status", [("throttled", "RateLimitError", 429), ("http-400-validation", "BadRequestError", 400)]
)
def test_errors(call, gateway, model, script, error, status):
    for scenario in ("plain", "stream"):
        seen = call(gateway, scenario, model(script))
        assert (seen["error"], seen["status"], seen["body"]["type"]) == (error, status, "error")


@pytest.mark.parametrize("script,kind", [("exception.at-3", "rate_limit_error"), ("truncated.at-4", "api_error")])
def test_a_stream_that_fails_raises(call, gateway, model, script, kind):
    seen = call(gateway, "stream", model(script))
    assert "error" in seen and kind in json.dumps(seen["body"])


def test_models(call, nginx, sim):
    location = f"location / {{ bedrock on; include {ROOT}/nginx-conf/claude_models; proxy_pass http://bedrock; }}"
    seen = call(nginx(location, defaults(sim.port)), "models")
    assert "claude-sonnet-4-6" in seen["ids"] and seen["one"] == seen["ids"][0]
