"""Frameworks for agents through the gateway, with Responses: instructor, LlamaIndex, and OpenAI's Agents SDK for Node. Each says a
text, calls a tool, and sends its history back."""

import asyncio
import os

import pytest

NODE_MODULES = os.environ.get("TEST_FRAMEWORKS")
if not NODE_MODULES:
    pytest.skip("they are large, and want an older SDK of OpenAI's: make test-frameworks installs them and runs this", allow_module_level=True)

import instructor
import openai
from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.llms import ChatMessage
from llama_index.core.memory import ChatMemoryBuffer
from llama_index.llms.openai import OpenAIResponses
from pydantic import BaseModel, field_validator

from families import TRANSLATED
from node_process import Node

TEXT = "Hello from the Bedrock stand-in."
STREAMED = pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
EACH_MODEL = pytest.mark.parametrize("model", TRANSLATED)


def all_right(sim, count):
    assert [request["verdict"] for request in sim.requests()] == ["ok"] * count


class Weather(BaseModel):
    city: str
    degrees: int


@EACH_MODEL
def test_instructor(gateway, sim, model):
    client = instructor.from_openai(
        openai.OpenAI(base_url=f"{gateway.url}/v1", api_key="any", max_retries=0, timeout=20), mode=instructor.Mode.RESPONSES_TOOLS)
    asked = dict(model=f"{model}.sim.agent.calls-1.called", input="What is the weather in Paris?", max_retries=0)
    answer = client.responses.create(response_model=Weather, **asked)
    assert (answer.city, answer.degrees) == ("Paris", 18)
    all_right(sim, 1)


def test_instructor_asks_again_with_its_history(gateway, sim):
    seen = []

    class Twice(Weather):
        @field_validator("degrees")
        @classmethod
        def not_at_first(cls, value):
            seen.append(value)
            if len(seen) == 1:
                raise ValueError("ask again")
            return value

    client = instructor.from_openai(
        openai.OpenAI(base_url=f"{gateway.url}/v1", api_key="any", max_retries=0, timeout=20), mode=instructor.Mode.RESPONSES_TOOLS)
    model = f"{TRANSLATED[0]}.sim.agent.calls-2.called"
    answer = client.responses.create(model=model, input="What is the weather in Paris?", response_model=Twice, max_retries=2)
    assert (answer.city, answer.degrees, seen) == ("Paris", 18, [18, 18])
    all_right(sim, 2)


def llm(url, model):
    return OpenAIResponses(
        model=model, api_base=f"{url}/v1", api_key="any", max_retries=0, timeout=20, context_window=100_000, store=False)


def get_weather(city: str) -> str:
    """Says the weather in a city."""
    return f"18 °C in {city}"


@STREAMED
def test_llama_index_says_a_text(gateway, sim, streamed):
    model = llm(gateway.url, "sim.text")
    asked = [ChatMessage("What is the weather in Paris?")]
    answer = list(model.stream_chat(asked))[-1] if streamed else model.chat(asked)
    assert answer.message.content == TEXT
    assert gateway.next_log()["api"] == "responses"


@STREAMED
@EACH_MODEL
def test_llama_index_calls_a_tool_three_times(gateway, sim, model, streamed):
    async def ask():
        agent = FunctionAgent(tools=[get_weather], llm=llm(gateway.url, f"{model}.sim.agent"), system_prompt="You help.", streaming=streamed)
        return await agent.run("What is the weather in Paris?")

    answer = asyncio.run(ask())
    assert str(answer).strip().endswith("The tool said: 18 °C in Paris")
    assert [call.tool_kwargs for call in answer.tool_calls] == [{"city": "Paris"}] * 3
    all_right(sim, 4)


@STREAMED
def test_a_session_of_llama_index_moves_through_families(gateway, sim, streamed):
    async def ask():
        memory = ChatMemoryBuffer.from_defaults(token_limit=100_000)
        for model in TRANSLATED:
            agent = FunctionAgent(tools=[get_weather], llm=llm(gateway.url, f"{model}.sim.agent.calls-1"), streaming=streamed)
            answer = await agent.run("What is the weather in Paris?", memory=memory)
            assert "The tool said: 18 °C in Paris" in str(answer), model

    asyncio.run(ask())
    all_right(sim, 2 * len(TRANSLATED))


@pytest.fixture(scope="module")
def node():
    """One process for all runs."""
    program = Node("openai-agents.mjs", TEST_FRAMEWORKS=NODE_MODULES)
    yield program
    program.close()


@pytest.fixture
def agents(node, gateway):
    return lambda **what: node.call(url=gateway.url, **what)


@STREAMED
def test_openai_agents_say_a_text(agents, gateway, streamed):
    assert agents(models=["sim.text"], streamed=streamed) == [{"text": TEXT, "calls": []}]
    assert gateway.next_log()["operation"] == ("converse_stream" if streamed else "converse")


@STREAMED
@EACH_MODEL
def test_openai_agents_call_a_tool_three_times(agents, sim, model, streamed):
    seen = agents(models=[f"{model}.sim.agent"], streamed=streamed)
    assert "error" not in seen, seen
    assert seen[0]["text"].endswith("The tool said: 18 °C in Paris") and seen[0]["calls"] == ['{"city":"Paris"}'] * 3
    all_right(sim, 4)


@STREAMED
def test_a_session_of_openai_agents_moves_through_families(agents, sim, streamed):
    seen = agents(models=[f"{model}.sim.agent.calls-1" for model in TRANSLATED], streamed=streamed)
    assert "error" not in seen, seen
    assert all("The tool said: 18 °C in Paris" in answer["text"] for answer in seen)
    all_right(sim, 2 * len(TRANSLATED))
