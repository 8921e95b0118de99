"""Searching the web with OpenAI's and Anthropic's SDKs: Nova 2 does, and its sources come as each SDK has them."""

import json

import anthropic
import openai
import pytest
from openai.types.responses import Response

from conftest import openai_client

NOVA = "us.amazon.nova-2-lite-v1:0.sim.grounded"
TEXTS = ["It is 330\u00a0m high", ". It opened in 1889", "."]
TEXT = "".join(TEXTS)
SOURCES = [
    (TEXTS[0], "https://www.toureiffel.paris/en", "toureiffel.paris"),
    (TEXTS[0], "https://example.org/tower?a=1&b=2", "example.org"),
    (TEXTS[1], "https://www.toureiffel.paris/en", "toureiffel.paris"),
]
QUESTION = [{"role": "user", "content": "How high is the Eiffel Tower?"}]
FUNCTION = {"type": "object", "properties": {}}
STREAMED = pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])


@pytest.fixture
def openai_sdk(gateway):
    return openai_client(gateway.url + "/v1")


@pytest.fixture
def anthropic_sdk(gateway):
    return anthropic.Anthropic(base_url=gateway.url, api_key="any", max_retries=0)


def check(gateway, sim):
    """It was searched, and no call was left to the client."""
    body = json.loads(sim.requests()[0]["body"])
    assert {"systemTool": {"name": "nova_grounding"}} in body["toolConfig"]["tools"]
    log = gateway.next_log()
    assert (log["status"], log["tool_calls"]) == ("200", "0")


@STREAMED
def test_chat(openai_sdk, gateway, sim, streamed):
    request = dict(model=NOVA, messages=QUESTION, web_search_options={"search_context_size": "low"})
    if streamed:
        with openai_sdk.chat.completions.stream(**request) as stream:
            choice = stream.until_done().get_final_completion().choices[0]
    else:
        choice = openai_sdk.chat.completions.create(**request).choices[0]
    message = choice.message
    assert (message.content, message.tool_calls or None, choice.finish_reason) == (TEXT, None, "stop")
    cites = [one.url_citation for one in message.annotations]
    assert [(message.content[one.start_index:one.end_index], one.url, one.title) for one in cites] == SOURCES
    assert {one.type for one in message.annotations} == {"url_citation"}
    check(gateway, sim)
    turns = [*QUESTION, message.to_dict(), {"role": "user", "content": "Thanks."}]
    assert openai_sdk.chat.completions.create(model=NOVA, messages=turns).choices[0].message.content


@STREAMED
def test_responses(openai_sdk, gateway, sim, streamed):
    tools = [{"type": "web_search"}, {"type": "function", "name": "f", "parameters": FUNCTION, "strict": False}]
    request = dict(model=NOVA, input=QUESTION, tools=tools, store=False)
    if streamed:
        with openai_sdk.responses.stream(**request) as stream:
            added = [event for event in stream if event.type == "response.output_text.annotation.added"]
            answer = stream.get_final_response()
        assert [(event.content_index, event.annotation_index) for event in added] == [(0, 0), (0, 1), (1, 0)]
    else:
        answer = openai_sdk.responses.create(**request)
        Response.model_validate(json.loads(answer.to_json()), strict=True)
    (item,) = answer.output
    assert [part.text for part in item.content] == TEXTS
    cites = [(part.text[one.start_index:one.end_index], one.url, one.title) for part in item.content for one in part.annotations]
    assert cites == SOURCES
    check(gateway, sim)
    turns = [*QUESTION, *[one.to_dict() for one in answer.output], {"role": "user", "content": "Thanks."}]
    assert openai_sdk.responses.create(model=NOVA, input=turns, tools=tools).output_text


@STREAMED
def test_messages(anthropic_sdk, gateway, sim, streamed):
    tools = [{"type": "web_search_20250305", "name": "web_search", "max_uses": 3}]
    request = dict(model=NOVA, max_tokens=100, messages=QUESTION, tools=tools)
    if streamed:
        with anthropic_sdk.messages.stream(**request) as stream:
            answer = stream.get_final_message()
    else:
        answer = anthropic_sdk.messages.create(**request)
    assert [(block.type, block.text) for block in answer.content] == [("text", text) for text in TEXTS]
    cites = [(block.text, one.url, one.title) for block in answer.content for one in block.citations or []]
    assert cites == SOURCES
    assert answer.stop_reason == "end_turn"
    check(gateway, sim)
    turns = [*QUESTION, {"role": "assistant", "content": answer.content}, {"role": "user", "content": "Thanks."}]
    assert anthropic_sdk.messages.create(model=NOVA, max_tokens=100, messages=turns, tools=tools).content


def test_other_models_say_why_not(openai_sdk, anthropic_sdk, sim):
    other = "us.meta.llama3-3-70b-instruct-v1:0"
    for ask in [
        lambda: openai_sdk.chat.completions.create(model=other, messages=QUESTION, web_search_options={}),
        lambda: openai_sdk.responses.create(
            model=other, input=QUESTION, tools=[{"type": "web_search"}], tool_choice={"type": "web_search"}),
    ]:
        with pytest.raises(openai.BadRequestError, match="web search, which Bedrock does not have for models of the family llama") as raised:
            ask()
        assert raised.value.param in ("web_search_options", "tool_choice")
    with pytest.raises(anthropic.BadRequestError, match="web search, which Bedrock does not have"):
        anthropic_sdk.messages.create(
            model=other, max_tokens=9, messages=QUESTION, tools=[{"type": "web_search_20250305", "name": "web_search"}],
            tool_choice={"type": "tool", "name": "web_search"})
    assert sim.requests() == []
