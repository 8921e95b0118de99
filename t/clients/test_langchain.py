"""LangChain through the gateway: an agent's loop of calls and results."""

import pytest
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI


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


@pytest.mark.parametrize("ask, operation", [(invoked, "converse"), (streamed, "converse_stream")])
@pytest.mark.parametrize("name, calls", [("sim.tool", 1), ("sim.tools", 2)])
def test_an_agent_calls_its_tools_until_it_knows(gateway, ask, operation, name, calls):
    chat = ChatOpenAI(base_url=f"{gateway.url}/v1", api_key="any", model=name, max_retries=0, timeout=20, stream_usage=True)
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
        assert (log["api"], log["operation"], log["status"]) == ("openai", operation, "200")
        assert (log["input_tokens"], log["output_tokens"]) == (str(usage["input_tokens"]), str(usage["output_tokens"])) == ("25", "12")
        assert log["tool_calls"] == str(len(turns[-1].tool_calls))
    assert [len(turn.tool_calls) for turn in turns] == [calls, 0]
    assert turns[-1].content == "The tool said: 18 °C in Paris"
