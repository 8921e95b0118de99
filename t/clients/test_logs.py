"""What is in no log: secret keys, prompts and answers at no level, tokens and API keys at none up to info. nginx's debug log
has the headers that it sends, tokens and API keys among them; docs/how-it-works.md says so."""

import http.client
import json

import pytest

from conftest import KEY_ID, LOCATION, SECRET, defaults
from test_anthropic_streams import MESSAGES
from test_hostile import FORMS, JSON, post
from test_streaming import METADATA, NATIVE, SSE, START, STOP, chunk, delta, exception, frame, rest, upstream

__all__ = ["upstream"]

PROMPT, ANSWER, TOKEN, API_KEY = "the-prompt-Ek5x", "the-answer-Zq9v", "the-token-Wm3t", "the-api-key-Rb7n"
LEVELS = ["debug", "info", "notice", "error"]
SERVER = (
    LOCATION
    + """
location /key/     { bedrock on; bedrock_auth bearer the-api-key-Rb7n; proxy_pass http://bedrock; }
location /clients/ { bedrock on; bedrock_auth off; proxy_pass http://bedrock; }
location /filed/   { bedrock on; bedrock_max_output_tokens 10; client_body_buffer_size 1k; proxy_pass http://bedrock; }
location /capped/  { bedrock on; bedrock_max_output_tokens 10; proxy_pass http://bedrock; }
"""
)


@pytest.fixture
def gateway(nginx, upstream):
    """One error log for each level, and all of them are looked through at the end."""
    main = "".join(f"error_log {level}.log {level};\n" for level in LEVELS)
    one = nginx(SERVER, defaults(upstream.port, f"session_token {TOKEN};"), main)
    yield one
    for log in one.directory.glob("*.log"):
        text = log.read_text(errors="replace")
        forbidden = [SECRET, PROMPT, ANSWER]
        if log.name != "debug.log":
            forbidden += [TOKEN, API_KEY]
        assert [secret for secret in forbidden if secret in text] == [], log.name
    # The log is one that would show them: nginx's own lines about this very request.
    assert "http proxy header" in (one.directory / "debug.log").read_text(errors="replace")


def body(**more):
    return json.dumps({"messages": [{"role": "user", "content": [{"text": PROMPT}]}], **more}).encode()


def asked(gateway, form=NATIVE, prefix=""):
    """A stream, asked for with the prompt."""
    path, text, headers = form.request()
    assert "Hello" in text
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=20)
    connection.request("POST", prefix + path, text.replace("Hello", PROMPT), headers)
    return connection


ENDS = {
    "whole": lambda exchange: (exchange.chunk(STOP + METADATA), exchange.end()),
    "an exception": lambda exchange: (exchange.chunk(exception("modelStreamErrorException", ANSWER)), exchange.end()),
    "damage": lambda exchange: exchange.chunk(delta(ANSWER)[:-1] + b"x"),
    "a payload that is no JSON": lambda exchange: (exchange.chunk(frame({":event-type": "messageStop", ":message-type": "event"}, ANSWER.encode())), exchange.end()),
    "a cut": lambda exchange: (exchange.chunk(delta(ANSWER)[:-9]), exchange.close()),
    "a reset": lambda exchange: exchange.reset(),
}


@FORMS
@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
def test_streams(gateway, upstream, form, end):
    client = asked(gateway, form)
    exchange = upstream.take().start()
    exchange.chunk(START + delta(ANSWER))
    answer = client.getresponse()
    end(exchange)
    rest(answer)
    # Where nginx closes, it logs once both sides have.
    client.close()
    gateway.next_log()


@FORMS
def test_a_first_frame_that_fails(gateway, upstream, form):
    client = asked(gateway, form)
    upstream.take().start().chunk(exception("throttlingException", ANSWER))
    answer = client.getresponse()
    assert answer.status == 429 and ANSWER in answer.read().decode()


@FORMS
def test_a_client_that_leaves(gateway, upstream, form):
    client = asked(gateway, form)
    exchange = upstream.take().start()
    exchange.chunk(START + delta(ANSWER))
    answer = client.getresponse()
    assert answer.read1(1)
    client.close()
    answer.close()
    exchange.is_gone()
    assert gateway.next_log()["stream_status"] == "aborted"


def test_messages_over_invoke(gateway, upstream):
    """Whose events are in the frames, and are read for their usage."""
    path, text, headers = MESSAGES.request("anthropic.a")
    client = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=20)
    client.request("POST", path, text.replace("Hello", PROMPT), headers)
    exchange = upstream.take().start()
    assert exchange.request_line.split(" ")[1].endswith("/invoke-with-response-stream")
    exchange.chunk(chunk(type="message_start", message={"usage": {"input_tokens": 3}}))
    exchange.chunk(chunk(type="content_block_delta", index=0, delta={"type": "text_delta", "text": ANSWER}))
    exchange.chunk(chunk(type="nobody.knows", text=ANSWER) + delta(ANSWER))
    exchange.close()
    assert ANSWER in rest(client.getresponse())[0].decode()
    assert gateway.next_log()["stream_status"] == "truncated"


DIALECTS = {
    "/v1/chat/completions": {"messages": [{"role": "user", "content": PROMPT}]},
    "/v1/messages": {"max_tokens": 9, "messages": [{"role": "user", "content": PROMPT}]},
    "/v1/embeddings": {"input": PROMPT},
    "/v2/rerank": {"query": PROMPT, "documents": [PROMPT]},
}
INVOKED = {"/v1/embeddings": "amazon.titan-embed-text-v2:0", "/v2/rerank": "amazon.rerank-v1:0"}
ANSWERS = {
    "whole": {"output": {"message": {"role": "assistant", "content": [{"text": ANSWER}]}}, "stopReason": "end_turn"},
    "not understood": {"output": ANSWER, "embedding": ANSWER, "embeddings": ANSWER, "results": ANSWER},
    "an error": {"message": ANSWER},
}


@pytest.mark.parametrize("path", DIALECTS)
@pytest.mark.parametrize("kind", ANSWERS)
def test_whole_answers_in_dialects(gateway, upstream, path, kind):
    model = INVOKED.get(path, "a.model")
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=20)
    connection.request("POST", path, json.dumps({"model": model, **DIALECTS[path]}), JSON)
    exchange = upstream.take()
    assert PROMPT.encode() in exchange.body
    text = json.dumps(ANSWERS[kind])
    status = "400 Bad Request" if kind == "an error" else "200 OK"
    exchange.send(f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(text)}\r\n\r\n{text}")
    answer = connection.getresponse()
    answer.read()
    expected = {"whole": 502 if path in INVOKED else 200, "not understood": 502, "an error": 400}[kind]
    assert answer.status == expected
    gateway.next_log()


@pytest.mark.parametrize("prefix", ["", "/key", "/clients", "/filed", "/capped"])
@pytest.mark.parametrize("status", ["200 OK", "400 Bad Request", "500 Oops"])
def test_whole_answers(gateway, upstream, prefix, status):
    authorization = {"Authorization": f"Bearer {API_KEY}"} if prefix == "/clients" else {}
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=20)
    padding = "x" * 300_000 if prefix == "/filed" else ""
    connection.request("POST", f"{prefix}/model/a.model/converse", body(x=padding + PROMPT), {**JSON, **authorization})
    exchange = upstream.take()
    sent = exchange.headers["Authorization"]
    assert (API_KEY if prefix in ("/key", "/clients") else KEY_ID) in sent
    text = json.dumps({"output": {"message": {"content": [{"text": ANSWER}]}}, "message": ANSWER})
    exchange.send(f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(text)}\r\n\r\n{text}")
    assert ANSWER in connection.getresponse().read().decode()
    gateway.next_log()


@pytest.mark.parametrize(
    "path, text",
    [
        ("/chat", b'{"model":"a","messages":[' + PROMPT.encode()),
        ("/model/a.model/converse", b'{"' + PROMPT.encode() + b'":}'),
        ("/model/a.model/converse", PROMPT.encode()),
        ("/chat", b'{"model":["' + PROMPT.encode() + b'"]}'),
        ("/capped/model/a.model/converse", body(additionalModelRequestFields={"max_tokens": PROMPT})),
        ("/capped/model/nobodys.model/invoke", body()),
        ("/v1/chat/completions", b'{"model":"a","messages":"' + PROMPT.encode() + b'"}'),
        ("/v1/chat/completions", b'{"model":"a","messages":[{"role":"' + PROMPT.encode() + b'"}]}'),
        ("/v1/messages", b'{"model":"a","max_tokens":9,"messages":[{"role":"user","content":{"type":"' + PROMPT.encode() + b'"}}]}'),
        ("/v1/messages", b'{"model":"a","max_tokens":9,"messages":[' + PROMPT.encode()),
        ("/v1/embeddings", b'{"model":"amazon.titan-embed-text-v2:0","input":{"' + PROMPT.encode() + b'":1}}'),
        ("/v1/embeddings", b'{"model":"nobodys.embedder","input":"' + PROMPT.encode() + b'"}'),
        ("/v2/rerank", b'{"model":"amazon.rerank-v1:0","query":"' + PROMPT.encode() + b'","documents":[{"' + PROMPT.encode() + b'":1}]}'),
    ],
)
def test_refusals(gateway, upstream, path, text):
    assert post(gateway, path, text)[0] in (400, 403, 404)
    # One that goes on, for the check that the logs show what they can.
    client = asked(gateway, SSE)
    upstream.take().start().chunk(START + STOP + METADATA)
    client.getresponse().close()
    client.close()
