"""boto3 through the gateway: what comes out is what Bedrock said, what goes in is signed with the gateway's key."""

import pytest
from botocore.exceptions import ClientError, EventStreamError

from conftest import KEY_ID, LOCATION, SECRET, bedrock_client, defaults

MESSAGES = [{"role": "user", "content": [{"text": "Hello"}]}]
TOOLS = {"tools": [{"toolSpec": {"name": "get_weather", "inputSchema": {"json": {"type": "object"}}}}]}
CLAUDE = "anthropic.claude-3-haiku-20240307-v1:0"
TEXT = "Hello from the Bedrock stand-in."


def text_of(events):
    return "".join(event["contentBlockDelta"]["delta"].get("text", "") for event in events if "contentBlockDelta" in event)


def test_converse(bedrock, gateway, sim):
    answer = bedrock.converse(modelId=CLAUDE, messages=MESSAGES)
    assert answer["output"]["message"]["content"][0]["text"] == TEXT
    assert answer["usage"]["inputTokens"] == 25 and answer["usage"]["outputTokens"] == 12
    log = gateway.next_log()
    assert (log["status"], log["operation"], log["model"]) == ("200", "converse", CLAUDE)
    assert (log["input_tokens"], log["output_tokens"], log["stream_status"]) == ("25", "12", None)
    (request,) = sim.requests()
    assert request["key_id"] == KEY_ID and request["region"] == "us-east-1"


def test_converse_stream(bedrock, gateway):
    events = list(bedrock.converse_stream(modelId=CLAUDE, messages=MESSAGES)["stream"])
    assert text_of(events) == TEXT
    assert "messageStart" in events[0] and "metadata" in events[-1]
    log = gateway.next_log()
    assert (log["operation"], log["stream_status"], log["stop_reason"]) == ("converse_stream", "complete", "end_turn")
    assert (log["input_tokens"], log["output_tokens"]) == ("25", "12")
    assert float(log["time_to_first_token"]) >= 0


def test_tool_use(bedrock, gateway):
    answer = bedrock.converse(modelId="any.sim.tool", messages=MESSAGES, toolConfig=TOOLS)
    assert answer["stopReason"] == "tool_use"
    assert any("toolUse" in block for block in answer["output"]["message"]["content"])
    assert gateway.next_log()["tool_calls"] == "1"


def test_tool_use_streamed(bedrock, gateway):
    events = list(bedrock.converse_stream(modelId="any.sim.tool", messages=MESSAGES, toolConfig=TOOLS)["stream"])
    assert any("toolUse" in event.get("contentBlockStart", {}).get("start", {}) for event in events)
    log = gateway.next_log()
    assert (log["tool_calls"], log["stop_reason"]) == ("1", "tool_use")


def test_throttled_before_the_stream(bedrock, gateway):
    with pytest.raises(ClientError) as raised:
        bedrock.converse_stream(modelId="any.sim.throttled", messages=MESSAGES)
    assert raised.value.response["Error"]["Code"] == "ThrottlingException"
    assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] == 429
    log = gateway.next_log()
    assert log["status"] == "429" and log["exception"].lower() == "throttlingexception"


def test_throttled_in_the_first_frame(bedrock, gateway):
    """HTTP 200 and the exception as the first frame: the client gets what it would have got over HTTP."""
    with pytest.raises(ClientError) as raised:
        bedrock.converse_stream(modelId="any.sim.exception.at-0", messages=MESSAGES)
    assert raised.value.response["Error"]["Code"] == "ThrottlingException"
    assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] == 429
    assert gateway.next_log()["status"] == "429"


def test_exception_in_mid_stream(bedrock, gateway):
    events = []
    with pytest.raises(EventStreamError) as raised:
        for event in bedrock.converse_stream(modelId="any.sim.exception.at-3", messages=MESSAGES)["stream"]:
            events.append(event)
    assert "throttlingException" in str(raised.value) and events
    log = gateway.next_log()
    assert (log["status"], log["stream_status"], log["exception"]) == ("200", "exception", "throttlingException")


@pytest.mark.parametrize(
    "model",
    [
        CLAUDE,
        "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
        "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.amazon.nova-lite-v1:0",
        "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/a1b2c3d4e5f6",
    ],
)
@pytest.mark.parametrize("token", [None, "FwoGZXIvYXdzEBYaD+a/b=="], ids=["key", "session"])
def test_signature(nginx, verifier, model, token):
    """Checked by code that shares nothing with the gateway: ids with ':' and '/', session tokens, an endpoint with a port."""
    verifier.keys = {KEY_ID: (SECRET, token)}
    gateway = nginx(LOCATION, defaults(verifier.port, f'session_token "{token}";' if token else ""))
    answer = bedrock_client(gateway.url).converse(modelId=model, messages=MESSAGES)
    (request,) = verifier.requests
    assert request["fault"] is None
    assert dict(request["headers"])["Host"] == f"127.0.0.1:{verifier.port}"
    assert answer["output"]["message"]["content"][0]["text"] == "Your signature is right."
    log = gateway.next_log()
    assert (log["model"], log["input_tokens"], log["output_tokens"]) == (model, "3", "5")
