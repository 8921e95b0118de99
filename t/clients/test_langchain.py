"""LangChain through the gateway: loops of calls and results, and sessions that move from one family to the next."""

import pytest
from langchain_anthropic import ChatAnthropic
from langchain_aws import ChatBedrockConverse
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI

from conftest import bedrock_client
from families import NATIVE, TRANSLATED, VARIED


@tool
def get_weather(city: str) -> str:
    """Says the weather in a city."""
    return f"18 °C in {city}"


@tool
def get_time(zone: str) -> str:
    """Says the time in a time zone."""
    return f"noon in {zone}"


TOOLS = {one.name: one for one in (get_weather, get_time)}


def invoked(model, messages):
    return model.invoke(messages)


def streamed(model, messages):
    chunks = list(model.stream(messages))
    whole = chunks[0]
    for chunk in chunks[1:]:
        whole += chunk
    return whole


@pytest.mark.parametrize("api", ["openai", "responses"])
@pytest.mark.parametrize("ask, operation", [(invoked, "converse"), (streamed, "converse_stream")])
@pytest.mark.parametrize("name, calls", [("sim.tool", 1), ("sim.tools", 2)])
def test_an_agent_calls_its_tools_until_it_knows(gateway, ask, operation, name, calls, api):
    options = {"use_responses_api": True} if api == "responses" else {"stream_usage": True}
    chat = ChatOpenAI(base_url=f"{gateway.url}/v1", api_key="any", model=name, max_retries=0, timeout=20, **options)
    model = chat.bind_tools(list(TOOLS.values()))
    messages = [HumanMessage("What is the weather in Paris?")]
    turns = []
    while not turns or turns[-1].tool_calls:
        assert len(turns) < 3, turns
        turns.append(ask(model, messages))
        messages.append(turns[-1])
        messages += [ToolMessage(TOOLS[call["name"]].invoke(call["args"]), tool_call_id=call["id"]) for call in turns[-1].tool_calls]
        log = gateway.next_log()
        usage = turns[-1].usage_metadata
        assert (log["api"], log["operation"], log["status"]) == (api, operation, "200")
        assert (log["input_tokens"], log["output_tokens"]) == (str(usage["input_tokens"]), str(usage["output_tokens"])) == ("25", "12")
        assert log["tool_calls"] == str(len(turns[-1].tool_calls))
    assert [len(turn.tool_calls) for turn in turns] == [calls, 0]
    assert turns[-1].text == "The tool said: 18 °C in Paris"


def chat(url, model):
    return ChatOpenAI(base_url=f"{url}/v1", api_key="any", model=model, max_retries=0, timeout=20, stream_usage=True)


def responses(url, model):
    return ChatOpenAI(base_url=f"{url}/v1", api_key="any", model=model, max_retries=0, timeout=20, use_responses_api=True)


def messages(url, model):
    return ChatAnthropic(base_url=url, api_key="any", model=model, max_retries=0, timeout=20, max_tokens=2000)


def native(url, model):
    return ChatBedrockConverse(client=bedrock_client(url), bedrock_client=bedrock_client(url), model=model, region_name="us-east-1")


def round_of_calls(model, ask, history):
    """A question, and calls until there is an answer; how many there were."""
    history.append(HumanMessage("What is the weather in Paris?"))
    called = 0
    while True:
        turn = ask(model.bind_tools([get_weather]), history)
        history.append(turn)
        if not turn.tool_calls:
            return called, turn.text
        called += len(turn.tool_calls)
        history += [ToolMessage(TOOLS[call["name"]].invoke(call["args"]), tool_call_id=call["id"]) for call in turn.tool_calls]


ASKED = pytest.mark.parametrize("ask", [invoked, streamed])


@ASKED
@pytest.mark.parametrize("api, model", [(chat, one) for one in VARIED] + [(responses, one) for one in TRANSLATED] + [(messages, one) for one in VARIED] + [(native, one) for one in NATIVE])
def test_a_loop_of_three_calls(gateway, sim, api, model, ask):
    called, said = round_of_calls(api(gateway.url, f"{model}.sim.agent"), ask, [])
    assert called == 3 and said.endswith("The tool said: 18 °C in Paris")
    assert [request["verdict"] for request in sim.requests()] == ["ok"] * 4


@ASKED
@pytest.mark.parametrize("api, models", [(chat, VARIED), (responses, TRANSLATED), (messages, VARIED), (native, NATIVE)])
def test_a_session_that_moves_through_families(gateway, sim, api, models, ask):
    history = []
    for model in models:
        called, said = round_of_calls(api(gateway.url, f"{model}.sim.agent.calls-1"), ask, history)
        assert called == 1 and said.endswith("The tool said: 18 °C in Paris"), model
    assert [request["verdict"] for request in sim.requests()] == ["ok"] * 2 * len(models)
