"""pydantic-ai through the gateway: agents that call a tool three times, sessions that move from one family to the next, outputs
of a type."""

import anthropic
import openai
import pytest
from pydantic import BaseModel
from pydantic_ai import Agent, NativeOutput, PromptedOutput, ToolOutput
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.providers.anthropic import AnthropicProvider
from pydantic_ai.providers.openai import OpenAIProvider

from families import TRANSLATED, VARIED

STREAMED = pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])


class Weather(BaseModel):
    city: str
    degrees: int


def get_weather(city: str) -> str:
    """Says the weather in a city."""
    return f"18 °C in {city}"


def chat(url, model):
    client = openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="any string", max_retries=0, timeout=20)
    return OpenAIChatModel(model, provider=OpenAIProvider(openai_client=client))


def responses(url, model):
    client = openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="any string", max_retries=0, timeout=20)
    return OpenAIResponsesModel(model, provider=OpenAIProvider(openai_client=client))


def messages(url, model):
    client = anthropic.AsyncAnthropic(base_url=url, api_key="any string", max_retries=0, timeout=20)
    return AnthropicModel(model, provider=AnthropicProvider(anthropic_client=client))




APIS = {chat: VARIED, responses: TRANSLATED, messages: VARIED}


async def look_on(_context, events):
    """With somebody who looks on, pydantic-ai asks for streams."""
    async for _ in events:
        pass


def run(model, streamed, history=None, **options):
    agent = Agent(model, system_prompt="You help.", tools=[get_weather], **options)
    handler = look_on if streamed else None
    return agent.run_sync("What is the weather in Paris?", message_history=history, event_stream_handler=handler)


def calls(result):
    return [part.args_as_dict() for message in result.new_messages() for part in message.parts if part.part_kind == "tool-call"]


@STREAMED
@pytest.mark.parametrize("api, model", [(api, model) for api, models in APIS.items() for model in models])
def test_a_loop_of_three_calls(gateway, sim, api, model, streamed):
    result = run(api(gateway.url, f"{model}.sim.agent"), streamed)
    # Nova thinks aloud.
    assert result.output.endswith("The tool said: 18 °C in Paris")
    assert calls(result) == [{"city": "Paris"}] * 3
    assert (result.usage.requests, result.usage.input_tokens, result.usage.output_tokens) == (4, 100, 48)
    assert [request["verdict"] for request in sim.requests()] == ["ok"] * 4


@STREAMED
@pytest.mark.parametrize("api, models", APIS.items())
def test_a_session_that_moves_through_families(gateway, sim, api, models, streamed):
    history = None
    for model in models:
        result = run(api(gateway.url, f"{model}.sim.agent.calls-1"), streamed, history)
        assert "The tool said: 18 °C in Paris" in result.output, model
        history = result.all_messages()
    assert [request["verdict"] for request in sim.requests()] == ["ok"] * 2 * len(models)


OUTPUTS = [
    (chat, ToolOutput, "agent.calls-1.called"),
    (responses, ToolOutput, "agent.calls-1.called"),
    (messages, ToolOutput, "agent.calls-1.called"),
    (chat, NativeOutput, "json"),
    (responses, NativeOutput, "json"),
    # It takes for granted that only Claude has an output_format.
    (messages, PromptedOutput, "json"),
]


@STREAMED
@pytest.mark.parametrize("api, way, script, model", [(*output, model) for output in OUTPUTS for model in APIS[output[0]]])
def test_an_output_of_a_type(gateway, sim, api, model, streamed, way, script):
    result = run(api(gateway.url, f"{model}.sim.{script}"), streamed, output_type=way(Weather))
    assert result.output == Weather(city="Paris", degrees=18)
    assert {request["verdict"] for request in sim.requests()} == {"ok"}
