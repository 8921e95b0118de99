"""OpenAI's SDK for Python through the gateway, with Responses."""

import json
import socket

import openai
import pytest
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import BaseModel, TypeAdapter

TEXT = "Hello from the Bedrock stand-in."
CLAUDE = "anthropic.claude-sonnet-4-5-20250929-v1:0"
EVENT = TypeAdapter(ResponseStreamEvent)


def function(name, *parameters):
    schema = {"type": "object", "properties": {one: {"type": "string"} for one in parameters}, "required": list(parameters)}
    return {"type": "function", "name": name, "description": f"Says the {name}.", "parameters": schema, "strict": False}


TOOLS = [function("get_weather", "city"), function("get_time", "zone")]


def connect(url, **options):
    return openai.OpenAI(base_url=f"{url}/v1", api_key="any string", **{"max_retries": 0, "timeout": 20, **options})


@pytest.fixture
def client(gateway):
    with connect(gateway.url) as one:
        yield one


def strictly(answer):
    """The whole response, as the SDK's own types have it: nothing missing, nothing of another kind."""
    return Response.model_validate(json.loads(answer.to_json()), strict=True)


def said(client, streamed, **request):
    """The answer, whole or put together from a stream whose events are all what they should be."""
    if not streamed:
        answer = client.responses.create(**request)
        strictly(answer)
        return answer
    with client.responses.stream(**request) as stream:
        for number, event in enumerate(stream):
            assert event.sequence_number == number
        answer = stream.get_final_response()
    assert answer.status in ("completed", "incomplete")
    return answer


STREAMED = pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])


@STREAMED
def test_an_answer(client, gateway, sim, streamed):
    answer = said(client, streamed, model="any.model", input="Hi", instructions="Be brief.", max_output_tokens=50, temperature=0.5)
    assert (answer.object, answer.model, answer.status, answer.output_text) == ("response", "any.model", "completed", TEXT)
    log = gateway.next_log()
    assert (log["api"], log["operation"]) == ("responses", "converse_stream" if streamed else "converse")
    usage = answer.usage
    assert (usage.input_tokens, usage.output_tokens, usage.total_tokens) == (25, 12, 37)
    assert (log["input_tokens"], log["output_tokens"], log["total_tokens"]) == ("25", "12", "37")
    assert answer.id == f"resp_{log['request_id']}"
    (request,) = sim.requests()
    assert json.loads(request["body"]) == {
        "messages": [{"role": "user", "content": [{"text": "Hi"}]}],
        "system": [{"text": "Be brief."}],
        "inferenceConfig": {"maxTokens": 50, "temperature": 0.5},
    }


@pytest.mark.parametrize("model", ["any.model", "sim.tool", "sim.tools", "sim.reasoning", "sim.cached", "sim.max-tokens", "sim.filtered", "sim.unknown-event", "sim.unicode"])
def test_every_event_is_what_the_sdk_says_it_is(client, model):
    with client.responses.with_streaming_response.create(
        model=model, input="Hi", tools=TOOLS, reasoning={"summary": "auto"}, stream=True
    ) as raw:
        lines = [line for line in raw.iter_lines() if line.startswith("data: ")]
    events = [EVENT.validate_json(line.removeprefix("data: "), strict=True) for line in lines]
    assert [event.type for event in events[:2]] == ["response.created", "response.in_progress"]
    assert [event.sequence_number for event in events] == list(range(len(events)))
    final = events[-1].response
    # What is put together from the parts is what the end says.
    items = [event.item for event in events if event.type == "response.output_item.done"]
    assert items == final.output
    whole = client.responses.create(model=model, input="Hi", tools=TOOLS, reasoning={"summary": "auto"})
    strictly(whole)

    def shape(response):
        of = response.id.removeprefix("resp_")
        found = json.loads(response.to_json().replace(of, "-")) | {"created_at": 0, "completed_at": 0}
        for item in found["output"]:
            # The stand-in spells the blanks of its streams otherwise.
            item["arguments"] = json.loads(item.get("arguments", "{}"))
        return found

    assert shape(whole) == shape(final)


@STREAMED
@pytest.mark.parametrize("model, calls", [("sim.tool", ["get_weather"]), ("sim.tools", ["get_weather", "get_time"])])
def test_tools_there_and_back(client, gateway, sim, model, calls, streamed):
    history = [{"role": "user", "content": "What is the weather in Paris?"}]
    answer = said(client, streamed, model=model, input=history, tools=TOOLS)
    made = [item for item in answer.output if item.type == "function_call"]
    assert [call.name for call in made] == calls
    inputs = {"get_weather": {"city": "Paris"}, "get_time": {"zone": "Europe/Paris"}}
    assert [json.loads(call.arguments) for call in made] == [inputs[name] for name in calls]
    assert gateway.next_log()["tool_calls"] == str(len(calls))
    sim.clear()

    history += [item.model_dump(exclude_none=True) for item in answer.output]
    history += [{"type": "function_call_output", "call_id": call.call_id, "output": f"18 for {call.name}"} for call in made]
    answer = said(client, streamed, model="any.model", input=history, tools=TOOLS)
    assert answer.output_text == TEXT
    (request,) = sim.requests()
    user, assistant, results = json.loads(request["body"])["messages"]
    assert [block["toolUse"]["toolUseId"] for block in assistant["content"] if "toolUse" in block] == [call.call_id for call in made]
    assert [block["toolResult"]["content"] for block in results["content"]] == [[{"text": f"18 for {name}"}] for name in calls]


@STREAMED
def test_reasoning_comes_back_as_it_was_given(client, sim, streamed):
    history = [{"role": "user", "content": "Hi"}]
    answer = said(client, streamed, model="sim.reasoning", input=history, reasoning={"effort": "low", "summary": "auto"})
    reasoning = answer.output[0]
    assert reasoning.type == "reasoning" and reasoning.summary[0].text
    sim.clear()
    history += [item.model_dump(exclude_none=True) for item in answer.output] + [{"role": "user", "content": "More"}]
    client.responses.create(model=CLAUDE, input=history)
    (request,) = sim.requests()
    block = json.loads(request["body"])["messages"][1]["content"][0]["reasoningContent"]["reasoningText"]
    assert block["text"] == reasoning.summary[0].text and block["signature"]


class Weather(BaseModel):
    city: str
    degrees: int


@STREAMED
def test_what_is_parsed(client, sim, streamed):
    request = {"model": f"us.{CLAUDE}.sim.json", "input": "The weather?", "text_format": Weather}
    if streamed:
        with client.responses.stream(**request) as stream:
            answer = stream.get_final_response()
    else:
        answer = client.responses.parse(**request)
    assert answer.output_parsed == Weather(city="Paris", degrees=18)
    schema = json.loads(sim.requests()[0]["body"])["outputConfig"]["textFormat"]["structure"]["jsonSchema"]
    assert schema["name"] == "Weather" and json.loads(schema["schema"])["required"] == ["city", "degrees"]


def test_a_stream_that_breaks(gateway, client):
    with pytest.raises(openai.APIError):
        with client.responses.stream(model="sim.exception.at-3", input="Hi") as stream:
            for _ in stream:
                pass
            stream.get_final_response()
    log = gateway.next_log()
    assert (log["stream_status"], log["exception"]) == ("exception", "throttlingException")


@pytest.mark.parametrize(
    "model, error",
    [("sim.throttled", openai.RateLimitError), ("sim.http-400-validation", openai.BadRequestError), ("sim.http-500-internalserver", openai.InternalServerError)],
)
@STREAMED
def test_errors_have_their_class(client, model, error, streamed):
    with pytest.raises(error):
        client.responses.create(model=model, input="Hi", stream=streamed)


def test_what_is_stored_is_not_there(client):
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve("resp_1")
    with pytest.raises(openai.NotFoundError):
        client.responses.delete("resp_1")
    with pytest.raises(openai.NotFoundError):
        client.responses.cancel("resp_1")
    with pytest.raises(openai.BadRequestError, match="stores nothing"):
        client.responses.create(model="any.model", input="Hi", previous_response_id="resp_1")


def test_tokens_are_counted(client):
    counted = client.responses.input_tokens.count(model=CLAUDE, input="Hi")
    assert counted.object == "response.input_tokens" and counted.input_tokens > 0


def test_a_web_socket_is_refused_at_once(gateway):
    with socket.create_connection(("127.0.0.1", gateway.port), 5) as connection:
        connection.sendall(
            b"GET /v1/responses HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        assert connection.recv(4096).startswith(b"HTTP/1.1 426 ")
