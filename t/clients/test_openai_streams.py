"""Streams in OpenAI's form: what arrives when, and what becomes of clients that leave. How a stream fails is in
t/openai_errors.t, slow readers are in test_memory.py."""

import json

import pytest

from conftest import LOCATION, defaults
from test_abort import DRAIN, FINAL, UNKNOWN, check_log, finish, send_until_noticed
from test_http2 import H2Client, h2_gateway
from test_streaming import METADATA, MODEL, START, STOP, Form, delta, linger, rest, upstream

__all__ = ["upstream"]


class Chat(Form):
    """A chat completion that is streamed."""

    def request(self, model=MODEL):
        body = {"model": model, "stream": True, "messages": [{"role": "user", "content": "Hello"}]}
        return "/v1/chat/completions", json.dumps(body), {"Content-Type": "application/json"}


CHAT = Chat("openai")


def next_event(answer):
    """The text of the next event, which must be there without anything that was not sent yet."""
    got = b""
    while not got.endswith(b"\n\n"):
        piece = answer.read1(1)
        assert piece, f"the answer ended after {got!r}"
        got += piece
    return got.decode().strip()


def next_chunk(answer):
    data = next_event(answer).removeprefix("data: ")
    return json.loads(data) if data.startswith("{") else data


@pytest.mark.parametrize("buffering", ["off", "on"])
def test_each_event_leaves_before_the_next_one_is_sent(nginx, upstream, buffering):
    gateway = nginx(LOCATION.replace("}", f"proxy_buffering {buffering}; }}"), defaults(upstream.port))
    client = CHAT.ask(gateway)
    exchange = upstream.take().start()
    exchange.chunk(START)
    answer = client.getresponse()
    assert next_chunk(answer)["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    for text in "one", " two", " three":
        exchange.chunk(delta(text))
        assert next_chunk(answer)["choices"][0]["delta"] == {"content": text}
    exchange.chunk(STOP)
    assert next_chunk(answer)["choices"][0]["finish_reason"] == "stop"
    exchange.chunk(METADATA)
    assert next_chunk(answer) == "[DONE]"
    exchange.end()
    assert rest(answer) == (b"", True)
    check_log(gateway, "complete", FINAL)


def left_after_one_event(nginx, upstream, directives, form=CHAT, next_one=next_chunk):
    gateway = nginx(LOCATION.replace("bedrock on;", f"bedrock on; {directives}"), defaults(upstream.port))
    client = form.ask(gateway)
    exchange = upstream.take().start()
    exchange.chunk(START)
    answer = client.getresponse()
    next_one(answer)
    linger(client.sock)
    client.close()
    answer.close()
    return gateway, exchange


def test_a_client_that_leaves(nginx, upstream):
    gateway, exchange = left_after_one_event(nginx, upstream, "")
    assert exchange.is_gone()
    check_log(gateway, "aborted", UNKNOWN)


def test_a_client_that_leaves_is_drained(nginx, upstream):
    gateway, exchange = left_after_one_event(nginx, upstream, DRAIN)
    send_until_noticed(gateway, exchange)
    finish(exchange)
    check_log(gateway, "drained", FINAL)


@pytest.mark.parametrize("whole", [True, False])
def test_over_http2(nginx, upstream, tmp_path, whole):
    """A stream that breaks ends well for HTTP/2: that it broke is said in its last event."""
    gateway, path = h2_gateway(nginx, upstream, tmp_path, "")
    client = H2Client(path)
    stream = client.ask(*CHAT.request())
    exchange = upstream.take().start()
    exchange.chunk(START + delta("one") + (STOP + METADATA if whole else b""))
    exchange.end()
    status, body, ended = client.to_the_end(stream)
    assert (status, ended) == (200, True) and body.count(b'"content":"one"') == 1
    assert body.endswith(b"data: [DONE]\n\n") is whole
    assert (b'"code":"stream_truncated"' in body.splitlines()[-2]) is not whole
    assert gateway.next_log()["stream_status"] == ("complete" if whole else "truncated")
    client.close()
