"""`bedrock_service bedrock-mantle`: OpenAI's and Anthropic's SDKs before bedrock-mantle, through the gateway."""

import json

import anthropic
import openai
import pytest

from conftest import defaults, openai_client

TEXT = "Hello from the Bedrock stand-in."
MESSAGES = [{"role": "user", "content": "Hello"}]
ON = "bedrock on; bedrock_service bedrock-mantle; proxy_pass http://bedrock;"


@pytest.fixture
def mantle(nginx, sim):
    locations = f"""
    location /        {{ {ON} }}
    location /native/ {{ bedrock_api native; {ON} }}
    location /rules/  {{ bedrock_allow_models openai.* *.sim.*; bedrock_max_output_tokens 10; {ON} }}
    location /guard/  {{ bedrock_guardrail gr1 1; {ON} }}
    location /late/   {{ set $service bedrock-mantle; bedrock on; bedrock_service $service; proxy_pass http://bedrock; }}
    """
    return nginx(locations, defaults(sim.port))


def messages_client(url):
    return anthropic.Anthropic(base_url=url, api_key="anything", max_retries=0, timeout=20)


@pytest.mark.parametrize("base", ["/v1", "/openai/v1", "/team-a/v1", "/native/v1", "/late/v1"])
@pytest.mark.parametrize("model, path", [("openai.gpt-oss-120b", "/v1"), ("openai.gpt-5.5", "/openai/v1"), ("xai.grok-4.3", "/openai/v1"), ("zai.glm-4.7", "/v1")])
def test_the_prefix_is_the_models(mantle, sim, base, model, path):
    client = openai_client(mantle.url + base)
    assert client.responses.create(model=model, input="Hello").output_text == TEXT
    assert client.chat.completions.create(model=model, messages=MESSAGES).choices[0].message.content == TEXT
    first, second = sim.requests()
    assert (first["target"], second["target"]) == (path + "/responses", path + "/chat/completions")
    assert first["verdict"] == second["verdict"] == "ok"
    log = mantle.next_log()
    assert (log["operation"], log["input_tokens"], log["output_tokens"], log["model"]) == ("openai_responses", "25", "12", model)
    assert log["api"] == ("native" if base == "/native/v1" else "responses")
    log = mantle.next_log()
    assert (log["operation"], log["input_tokens"], log["output_tokens"]) == ("openai_chat", "25", "12")


def test_an_unknown_models_prefix_is_the_clients(mantle, sim):
    for base, target in [("/v1", "/v1/responses"), ("/openai/v1", "/openai/v1/responses")]:
        try:
            openai_client(mantle.url + base).responses.create(model="new.sim.text", input="Hello")
        except openai.BadRequestError as refused:
            assert "isn't supported on this route" in str(refused)
        assert sim.requests()[-1]["target"] == target


def test_streams(mantle):
    client = openai_client(mantle.url + "/v1")
    with client.responses.stream(model="openai.gpt-5.5.sim.text", input="Hello") as stream:
        stream.until_done()
        assert stream.get_final_response().output_text == TEXT
    log = mantle.next_log()
    assert (log["stream_status"], log["input_tokens"], log["output_tokens"]) == ("complete", "25", "12")
    chunks = client.chat.completions.create(model="openai.gpt-oss-20b", messages=MESSAGES, stream=True, stream_options={"include_usage": True})
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == TEXT
    assert mantle.next_log()["stream_status"] == "complete"


def test_messages(mantle, sim):
    for base in ["", "/anthropic", "/team-a/anthropic", "/late"]:
        client = messages_client(mantle.url + base)
        message = client.messages.create(model="anthropic.claude-opus-4-8", max_tokens=50, messages=MESSAGES)
        assert message.content[0].text == TEXT
        with client.messages.stream(model="anthropic.claude-opus-4-8", max_tokens=50, messages=MESSAGES) as stream:
            assert stream.get_final_message().content[0].text == TEXT
        assert client.messages.count_tokens(model="anthropic.claude-opus-4-8", messages=MESSAGES).input_tokens == 43
        logs = [mantle.next_log() for _ in range(3)]
        assert [log["operation"] for log in logs] == ["anthropic_messages"] * 2 + ["count_tokens"]
        assert logs[0]["input_tokens"] == logs[1]["input_tokens"] == "25" and logs[2]["input_tokens"] == "43"
    assert {request["target"] for request in sim.requests()} == {"/anthropic/v1/messages", "/anthropic/v1/messages/count_tokens"}
    assert all(request["verdict"] == "ok" for request in sim.requests())


def test_stored_and_background_responses(mantle, sim):
    client = openai_client(mantle.url + "/v1")
    done = client.responses.create(model="openai.gpt-oss-20b", input="Hello")
    assert client.responses.retrieve(done.id).output_text == TEXT
    assert client.responses.input_items.list(done.id).data == []
    client.responses.delete(done.id)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(done.id)
    logs = [mantle.next_log() for _ in range(5)]
    # What a stored response says of its usage was counted when it was made.
    assert [log["input_tokens"] for log in logs] == ["25", None, None, None, None]
    assert [log["operation"] for log in logs] == ["openai_responses"] + ["other"] * 4

    queued = client.responses.create(model="openai.gpt-oss-20b", input="Hello", background=True)
    assert queued.status == "queued" and mantle.next_log()["input_tokens"] is None
    assert client.responses.retrieve(queued.id).status == "completed"
    assert mantle.next_log()["input_tokens"] == "25"
    assert client.responses.cancel(queued.id).status == "cancelled"
    assert all(request["auth"] == "sigv4" for request in sim.requests())


def test_models_and_input_tokens(mantle, sim):
    client = openai_client(mantle.url + "/team-a/v1")
    assert "openai.gpt-5.5" in [model.id for model in client.models.list()]
    assert client.models.retrieve("openai.gpt-5.5").id == "openai.gpt-5.5"
    assert client.responses.input_tokens.count(model="openai.gpt-oss-20b", input="Hello").input_tokens == 42
    assert [request["target"] for request in sim.requests()] == ["/v1/models", "/v1/models/openai.gpt-5.5", "/v1/responses/input_tokens"]
    logs = [mantle.next_log() for _ in range(3)]
    assert [(log["operation"], log["input_tokens"]) for log in logs] == [("other", None), ("other", None), ("count_tokens", "42")]


def test_projects_go_on(mantle, sim):
    headers = {"OpenAI-Project": "proj_1", "X-Amzn-Bedrock-ProjectIdentifier": "p2"}
    openai_client(mantle.url + "/v1").responses.create(model="openai.gpt-oss-20b", input="Hello", extra_headers=headers)
    sent = {name.lower(): value for name, value in sim.requests()[0]["headers"]}
    assert (sent["openai-project"], sent["x-amzn-bedrock-projectidentifier"]) == ("proj_1", "p2")
    assert not any(name.startswith("x-stainless") for name in sent)


def test_rules_hold_or_refuse(mantle, sim):
    client = openai_client(mantle.url + "/rules/v1")
    client.responses.create(model="openai.gpt-5.5", input="Hello", max_output_tokens=500)
    assert json.loads(sim.requests()[0]["body"])["max_output_tokens"] == 10
    sim.clear()
    for ask in [
        lambda: client.responses.create(model="zai.glm-4.7", input="Hello"),
        lambda: client.completions.create(model="openai.gpt-5.5", prompt="Hello"),
        lambda: client.files.create(file=b"x", purpose="batch"),
        lambda: openai_client(mantle.url + "/guard/v1").responses.create(model="openai.gpt-5.5", input="Hello"),
        lambda: openai_client(mantle.url + "/guard/v1").chat.completions.create(model="openai.gpt-5.5", messages=MESSAGES),
    ]:
        with pytest.raises(openai.PermissionDeniedError):
            ask()
    assert sim.requests() == []
    # Nothing is generated by these.
    assert client.models.list().data
    assert client.responses.input_tokens.count(model="openai.gpt-oss-20b", input="Hello").input_tokens == 42


def test_what_mantle_has_not(mantle, sim):
    import urllib.error
    import urllib.request

    for path in ["/model/openai.gpt-5.5/converse", "/", "/late/model/x/converse"]:
        request = urllib.request.Request(mantle.url + path, b"{}", {"Content-Type": "application/json"})
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(request, timeout=5)
        assert refused.value.code == 404 and b"bedrock-mantle" in refused.value.read()
    assert sim.requests() == []
