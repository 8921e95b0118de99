"""Sessions with models of many families, before a stand-in that refuses what each of them refuses: loops of tools whose history
goes back, sessions that move from one family to the next, answers by a schema."""

import json

import anthropic
import openai
import pytest
from pydantic import BaseModel

from families import MODELS

QUESTION = "What is the weather in Paris?"
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
EACH_MODEL = pytest.mark.parametrize("model", MODELS)
STREAMED = pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])


class Weather(BaseModel):
    city: str
    degrees: int


class Chat:
    """A session over Chat Completions."""

    tools = [{"type": "function", "function": {"name": "get_weather", "description": "Says the weather.", "parameters": SCHEMA}}]

    def __init__(self, url, streamed):
        self.client = openai.OpenAI(base_url=f"{url}/v1", api_key="any string", max_retries=0, timeout=20)
        self.streamed = streamed
        self.messages = [{"role": "system", "content": "You help."}]

    def _say(self, model, messages, **options):
        self.messages += messages
        request = {"model": model, "messages": self.messages, "tools": self.tools, **options}
        if self.streamed:
            with self.client.chat.completions.stream(**request) as stream:
                choice = stream.get_final_completion().choices[0]
        else:
            choice = self.client.chat.completions.create(**request).choices[0]
        self.messages.append(choice.message.model_dump(exclude_none=True))
        return choice

    def round(self, model, **options):
        """A question, the call that it leads to, its result, and what is said then."""
        choice = self._say(f"{model}.sim.tool", [{"role": "user", "content": QUESTION}], **options)
        (call,) = choice.message.tool_calls
        assert (choice.finish_reason, json.loads(call.function.arguments)) == ("tool_calls", {"city": "Paris"})
        result = {"role": "tool", "tool_call_id": call.id, "content": "18"}
        choice = self._say(f"{model}.sim.tool", [result], **options)
        assert (choice.finish_reason, choice.message.content) == ("stop", "The tool said: 18")

    def think(self, model):
        """A question that is thought about."""
        choice = self._say(f"{model}.sim.reasoning", [{"role": "user", "content": "Hello"}])
        assert choice.message.content.endswith("Hello from the Bedrock stand-in.")


class Messages:
    """The same over Messages."""

    tools = [{"name": "get_weather", "description": "Says the weather.", "input_schema": SCHEMA}]

    def __init__(self, url, streamed):
        self.client = anthropic.Anthropic(base_url=url, api_key="any string", max_retries=0, timeout=20)
        self.streamed = streamed
        self.messages = []

    def _say(self, model, content, **options):
        # Clients of Anthropic's move their cache points along.
        for message in self.messages:
            for block in message["content"] if isinstance(message["content"], list) else []:
                block.pop("cache_control", None)
        self.messages.append({"role": "user", "content": content})
        system = [{"type": "text", "text": "You help.", "cache_control": {"type": "ephemeral"}}]
        request = {"model": model, "max_tokens": 2000, "messages": self.messages, "system": system, "tools": self.tools, **options}
        if self.streamed:
            with self.client.messages.stream(**request) as stream:
                message = stream.get_final_message()
        else:
            message = self.client.messages.create(**request)
        self.messages.append({"role": "assistant", "content": [block.model_dump(exclude_none=True) for block in message.content]})
        return message

    def round(self, model, **options):
        message = self._say(f"{model}.sim.tool", QUESTION, **options)
        call = next(block for block in message.content if block.type == "tool_use")
        assert (message.stop_reason, call.input) == ("tool_use", {"city": "Paris"})
        result = {"type": "tool_result", "tool_use_id": call.id, "content": "18", "cache_control": {"type": "ephemeral"}}
        message = self._say(f"{model}.sim.tool", [result], **options)
        assert (message.stop_reason, message.content[-1].text) == ("end_turn", "The tool said: 18")

    def think(self, model):
        message = self._say(f"{model}.sim.reasoning", "Hello")
        assert message.content[-1].text.endswith("Hello from the Bedrock stand-in.")


EACH_API = pytest.mark.parametrize("api", [Chat, Messages], ids=["chat", "messages"])


@STREAMED
@EACH_MODEL
@EACH_API
def test_a_loop_of_three_turns(gateway, sim, api, model, streamed):
    session = api(gateway.url, streamed)
    for _ in range(3):
        session.round(model)
    assert {request["verdict"] for request in sim.requests()} == {"ok"}


@STREAMED
@EACH_MODEL
def test_a_loop_of_three_turns_with_all_hints(gateway, sim, model, streamed):
    """An effort, sampling, a tier, metadata, a stop sequence: of those that a family does not take none makes the loop fail."""
    session = Chat(gateway.url, streamed)
    for _ in range(3):
        session.round(
            model,
            reasoning_effort="high",
            temperature=0.3,
            top_p=0.9,
            stop=["END"],
            service_tier="priority",
            user="{}",
            parallel_tool_calls=False,
        )
    assert {request["verdict"] for request in sim.requests()} == {"ok"}


@STREAMED
@EACH_API
def test_a_session_that_moves_through_all_families(gateway, sim, api, streamed):
    """What one family said, called and thought goes back to the next."""
    session = api(gateway.url, streamed)
    for model in MODELS:
        session.think(model)
        session.round(model)
    assert {request["verdict"] for request in sim.requests()} == {"ok"}


@EACH_MODEL
def test_a_text_beside_a_result(gateway, sim, model):
    """As Claude Code has it: a reminder in the turn of the result."""
    session = Messages(gateway.url, streamed=False)
    call = session._say(f"{model}.sim.tool", QUESTION).content[-1]
    result = {"type": "tool_result", "tool_use_id": call.id, "content": "18"}
    session._say(model, [result, {"type": "text", "text": "<reminder>"}])
    assert {request["verdict"] for request in sim.requests()} == {"ok"}


@STREAMED
@EACH_MODEL
def test_an_answer_by_a_schema(gateway, sim, model, streamed):
    """Whichever way the family has: its own, a tool that is forced, an instruction."""
    client = openai.OpenAI(base_url=f"{gateway.url}/v1", api_key="any string", max_retries=0, timeout=20)
    request = {"model": f"{model}.sim.json", "messages": [{"role": "user", "content": QUESTION}], "response_format": Weather}
    if streamed:
        with client.chat.completions.stream(**request) as stream:
            answer = stream.get_final_completion()
    else:
        answer = client.chat.completions.parse(**request)
    assert answer.choices[0].message.parsed == Weather(city="Paris", degrees=18)
    assert (answer.choices[0].finish_reason, answer.choices[0].message.tool_calls) == ("stop", None)
