"""Requests that real clients failed with, and a session that moves from one family of models to the next: what goes out is
checked by botocore's own model of Converse, and the stand-in refuses none of it."""

import json
import urllib.request

import pytest
from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.validate import ParamValidator

from conftest import LOCATION, ROOT, defaults

CASES = [json.loads(path.read_text()) for path in sorted((ROOT / "fixtures/reports").glob("*.json"))]
assert CASES, "the reports have moved"
CONVERSE = ServiceModel(Loader().load_service_model("bedrock-runtime", "service-2")).operation_model("Converse").input_shape

# One of each kind: tools that stream or do not, ids of nine letters, reasoning that goes back signed, in text or not at all.
MODELS = [
    "us.anthropic.claude-sonnet-4-6",
    "moonshotai.kimi-k2-thinking",
    "us.meta.llama3-3-70b-instruct-v1:0",
    "mistral.mistral-large-2402-v1:0",
    "openai.gpt-oss-120b-1:0",
    "us.amazon.nova-pro-v1:0",
    "qwen.qwen3-32b-v1:0",
    "deepseek.v3-v1:0",
    "global.anthropic.claude-opus-5-5",
    "zai.glm-5.3",
]


def post(gateway, path, body, headers=()):
    request = urllib.request.Request(
        gateway.url + path, json.dumps(body).encode(), {"Content-Type": "application/json", **dict(headers)}
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return answer.read().decode()


def check(request):
    """What botocore says of a request that came to the stand-in."""
    assert "/converse" in request["target"], request["target"]
    body = json.loads(request["body"])
    report = ParamValidator().validate({"modelId": "m", **body}, CONVERSE)
    assert not report.has_errors(), f"{report.generate_report()}\n{body}"


def goes_by_converse(case):
    model = case["request"].get("body", {}).get("model", "")
    by_name = "anthropic." not in model or case["request"]["path"].endswith("/chat/completions")
    return "body" in case["request"] and "upstream" not in case and (by_name or "converse" in case.get("directives", ""))


@pytest.mark.parametrize("case", [case for case in CASES if goes_by_converse(case)], ids=lambda case: case["id"])
def test_what_failed_is_taken(nginx, sim, case):
    gateway = nginx(LOCATION.replace("on;", "on; " + case.get("directives", ""), 1), defaults(sim.port))
    request = case["request"]
    if request["path"].endswith("count_tokens"):
        pytest.skip("what is counted is no Converse request")
    post(gateway, request["path"], request["body"], request.get("headers", {}).items())
    check(sim.requests()[-1])


@pytest.mark.parametrize("stream", [False, True])
def test_a_session_moves_from_model_to_model(gateway, openai_client_of, sim, stream):
    """Each model calls a tool and says what came of it, and the next one goes on with all that was said."""
    client = openai_client_of(gateway)
    tool = {"type": "function", "function": {"name": "get_weather", "parameters": {
        "oneOf": [{"properties": {"city": {"type": "string"}}}, {"properties": {"place": {"type": "string"}}}]}}}
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "How is the weather?"}]
    for model in MODELS + MODELS[:1]:
        answer = ask(client, model + ".sim.tool", messages, [tool], stream)
        assert answer["tool_calls"], model
        messages.append({"role": "assistant", **answer})
        messages += [{"role": "tool", "tool_call_id": call["id"], "content": ""} for call in answer["tool_calls"]]
        said = ask(client, model + ".sim.tool", messages, [tool], stream)
        assert said["content"], model
        messages += [{"role": "assistant", **said}, {"role": "user", "content": "And elsewhere?"}]
    # At the end it is summed up, without tools.
    for model in MODELS:
        ask(client, model + ".sim.text", messages, None, stream)
    for request in sim.requests():
        check(request)
    assert len(sim.requests()) == 3 * len(MODELS) + 2


def ask(client, model, messages, tools, stream):
    """What the model says, as a client keeps it."""
    arguments = {"model": model, "messages": messages, "reasoning_effort": "low", "max_completion_tokens": 3000, "temperature": 1.2}
    if tools:
        arguments["tools"] = tools
    if not stream:
        message = client.chat.completions.create(**arguments).choices[0].message.model_dump(exclude_none=True)
        return {key: message[key] for key in ("content", "tool_calls", "reasoning_content", "thinking_blocks") if key in message}
    text, calls, finish = "", {}, None
    for chunk in client.chat.completions.create(stream=True, **arguments):
        for choice in chunk.choices:
            text += choice.delta.content or ""
            finish = choice.finish_reason or finish
            for call in choice.delta.tool_calls or []:
                kept = calls.setdefault(call.index, {"id": call.id, "type": "function", "function": {"name": call.function.name, "arguments": ""}})
                kept["function"]["arguments"] += call.function.arguments or ""
    assert finish == ("tool_calls" if calls else "stop")
    return {"content": text or None, **({"tool_calls": list(calls.values())} if calls else {})}


@pytest.fixture
def openai_client_of():
    import openai

    return lambda gateway: openai.OpenAI(base_url=f"{gateway.url}/v1", api_key="any", max_retries=0)
