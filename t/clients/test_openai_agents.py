"""OpenAI's Agents SDK through the gateway, with Responses, which it speaks by itself: a tool called three times, its history sent
back, outputs of a type."""

import asyncio

import openai
import pytest
from agents import Agent, ModelSettings, OpenAIChatCompletionsModel, OpenAIResponsesModel, Runner, function_tool, set_tracing_disabled
from openai.types.shared import Reasoning
from pydantic import BaseModel

from families import TRANSLATED

set_tracing_disabled(True)
STREAMED = pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
QUESTION = {"role": "user", "content": "What is the weather in Paris?"}


class Weather(BaseModel):
    city: str
    degrees: int


@function_tool
def get_weather(city: str) -> str:
    """Says the weather in a city."""
    return f"18 °C in {city}"


def run(url, model, streamed, history=(), kind=OpenAIResponsesModel, **options):
    """A question after this history, and what came of it."""

    async def ask():
        async with openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="any string", max_retries=0, timeout=20) as client:
            agent = Agent(name="Helper", instructions="You help.", tools=[get_weather], model=kind(model, client), **options)
            asked = [*history, QUESTION]
            if not streamed:
                return await Runner.run(agent, asked)
            result = Runner.run_streamed(agent, asked)
            async for _ in result.stream_events():
                pass
            return result

    return asyncio.run(ask())


def calls(result):
    return [item.raw_item.arguments for item in result.new_items if item.type == "tool_call_item"]


@STREAMED
def test_a_text(gateway, sim, streamed):
    result = run(gateway.url, "sim.text", streamed)
    assert result.final_output == "Hello from the Bedrock stand-in."
    (answer,) = result.raw_responses
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (25, 12)
    log = gateway.next_log()
    assert (log["api"], log["operation"]) == ("responses", "converse_stream" if streamed else "converse")


@STREAMED
@pytest.mark.parametrize("model", TRANSLATED)
def test_a_loop_of_three_calls(gateway, sim, model, streamed):
    settings = ModelSettings(reasoning=Reasoning(effort="low", summary="auto"), parallel_tool_calls=False, store=False)
    result = run(gateway.url, f"{model}.sim.agent", streamed, model_settings=settings)
    assert result.final_output.endswith("The tool said: 18 °C in Paris")
    assert calls(result) == ['{"city":"Paris"}'] * 3
    assert [request["verdict"] for request in sim.requests()] == ["ok"] * 4


@STREAMED
@pytest.mark.parametrize("kind", [OpenAIResponsesModel, OpenAIChatCompletionsModel])
def test_a_session_that_moves_through_families(gateway, sim, streamed, kind):
    history = []
    for model in TRANSLATED:
        result = run(gateway.url, f"{model}.sim.agent.calls-1", streamed, history, kind)
        assert "The tool said: 18 °C in Paris" in result.final_output, model
        history = result.to_input_list()
    assert [request["verdict"] for request in sim.requests()] == ["ok"] * 2 * len(TRANSLATED)


@STREAMED
@pytest.mark.parametrize("model", TRANSLATED)
def test_an_output_of_a_type(gateway, sim, model, streamed):
    result = run(gateway.url, f"{model}.sim.json", streamed, output_type=Weather)
    assert result.final_output == Weather(city="Paris", degrees=18)
    assert {request["verdict"] for request in sim.requests()} == {"ok"}
