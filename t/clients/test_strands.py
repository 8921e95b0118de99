"""Strands agents through the gateway: a tool called three times, and sessions that move from one family to the next; through
Chat Completions, through Responses, and as Bedrock's own client."""

import boto3
import pytest
import strands
from strands.models import BedrockModel
from strands.models.openai import OpenAIModel
from strands.models.openai_responses import OpenAIResponsesModel

from families import NATIVE, TRANSLATED, VARIED


@strands.tool
def get_weather(city: str) -> str:
    """Says the weather in a city."""
    return f"18 °C in {city}"


def chat(url, model, streamed):
    return OpenAIModel(client_args={"base_url": f"{url}/v1", "api_key": "any string", "max_retries": 0}, model_id=model, stream=streamed)


def responses(url, model, _):
    """It asks for streams only."""
    return OpenAIResponsesModel(client_args={"base_url": f"{url}/v1", "api_key": "any string", "max_retries": 0}, model_id=model)


def native(url, model, streamed):
    session = boto3.Session(aws_access_key_id="CLIENT", aws_secret_access_key="the client's own", region_name="us-west-2")
    return BedrockModel(boto_session=session, endpoint_url=url, model_id=model, streaming=streamed)


def ask(model, messages):
    agent = strands.Agent(model, messages=messages, tools=[get_weather], system_prompt="You help.", callback_handler=None)
    return agent, str(agent("What is the weather in Paris?"))


WAYS = [(chat, VARIED, False), (chat, VARIED, True), (responses, TRANSLATED, True), (native, NATIVE, False), (native, NATIVE, True)]


@pytest.mark.parametrize("api, model, streamed", [(api, model, streamed) for api, models, streamed in WAYS for model in models])
def test_a_loop_of_three_calls(gateway, sim, api, model, streamed):
    agent, said = ask(api(gateway.url, f"{model}.sim.agent", streamed), [])
    assert said.strip().endswith("The tool said: 18 °C in Paris")
    calls = [block["toolUse"]["input"] for message in agent.messages for block in message["content"] if "toolUse" in block]
    assert calls == [{"city": "Paris"}] * 3
    assert [request["verdict"] for request in sim.requests()] == ["ok"] * 4


@pytest.mark.parametrize("api, models, streamed", WAYS)
def test_a_session_that_moves_through_families(gateway, sim, api, models, streamed):
    messages = []
    for model in models:
        agent, said = ask(api(gateway.url, f"{model}.sim.agent.calls-1", streamed), messages)
        assert "The tool said: 18 °C in Paris" in said, model
        messages = agent.messages
    assert [request["verdict"] for request in sim.requests()] == ["ok"] * 2 * len(models)
