"""Vercel's AI SDK through the gateway, the calls in node/ai-sdk.mjs: tools called three times, sessions that move from one family
to the next, objects by a schema."""

import pytest

from families import NATIVE, TRANSLATED, VARIED
from node_process import Node

STREAMED = pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
APIS = {"chat": VARIED, "responses": TRANSLATED, "compatible": VARIED, "messages": VARIED, "native": NATIVE}


@pytest.fixture(scope="module")
def node():
    """One process for all calls."""
    program = Node("ai-sdk.mjs")
    yield program
    program.close()


@pytest.fixture
def call(node, gateway):
    return lambda **what: node.call(url=gateway.url, **what)


@STREAMED
@pytest.mark.parametrize("api, model", [(api, model) for api, models in APIS.items() for model in models])
def test_a_loop_of_three_calls(call, sim, api, model, streamed):
    seen = call(api=api, models=[f"{model}.sim.agent"], streamed=streamed)
    assert "error" not in seen, seen
    (answer,) = seen
    # Nova thinks aloud.
    assert answer.pop("text").endswith("The tool said: 18 °C in Paris")
    assert answer == {"calls": [{"city": "Paris"}] * 3, "inputTokens": 100, "outputTokens": 48}
    assert [request["verdict"] for request in sim.requests()] == ["ok"] * 4


# As Bedrock's client it sends the thinking of one family to the next.
@STREAMED
@pytest.mark.parametrize("api", ["chat", "responses", "compatible", "messages"])
def test_a_session_that_moves_through_families(call, sim, api, streamed):
    seen = call(api=api, models=[f"{model}.sim.agent.calls-1" for model in APIS[api]], streamed=streamed)
    assert "error" not in seen, seen
    for answer in seen:
        assert answer["text"].endswith("The tool said: 18 °C in Paris") and answer["calls"] == [{"city": "Paris"}]
    assert [request["verdict"] for request in sim.requests()] == ["ok"] * 2 * len(APIS[api])


@pytest.mark.parametrize("api, model", [(api, model) for api, models in APIS.items() for model in models])
def test_an_object_by_a_schema(call, sim, api, model):
    assert call(api=api, models=[f"{model}.sim.json"], output=True) == {"city": "Paris", "degrees": 18}
    assert {request["verdict"] for request in sim.requests()} == {"ok"}
